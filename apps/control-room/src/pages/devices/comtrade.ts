/** Disturbance records by IEC 60255-24 (COMTRADE): which files belong together, and what a configuration file says. Pure. */

export interface RecordFile {
  readonly name: string;
  readonly size: number;
  readonly modified?: string;
}

const PARTS = ['cfg', 'dat', 'hdr', 'inf', 'cff'] as const;
type Part = (typeof PARTS)[number];

/** Which part of a disturbance record a file is, by the end of its name. */
export function partOf(name: string): Part | undefined {
  const end = name.slice(name.lastIndexOf('.') + 1).toLowerCase();
  return PARTS.find((part) => part === end);
}

/** Folders are listed with a slash, or a backslash, behind their name. */
export const isFolder = (name: string): boolean => /[/\\]$/.test(name);

/** The folder that a folder is in; undefined for one at the top. */
export function folderAbove(folder: string): string | undefined {
  const bare = folder.replace(/[/\\]$/, '');
  const cut = Math.max(bare.lastIndexOf('/'), bare.lastIndexOf('\\'));
  return cut <= 0 ? undefined : bare.slice(0, cut + 1);
}

export interface FileRow extends RecordFile {
  /** Parts of a record that lie beside this one; only on its .cfg or .cff file. */
  readonly record?: readonly Part[];
}

/** Files with their records marked: a .cfg with a .dat of the same name is one. Folders, then the newest, then by name. */
export function fileRows(files: readonly RecordFile[]): FileRow[] {
  const stem = (name: string) => name.slice(0, name.lastIndexOf('.')).toLowerCase();
  const parts = new Map<string, Set<Part>>();
  for (const { name } of files) {
    const part = partOf(name);
    if (!part) continue;
    const known = parts.get(stem(name)) ?? new Set();
    known.add(part);
    parts.set(stem(name), known);
  }
  const collator = new Intl.Collator('en', { numeric: true });
  return files
    .map((file): FileRow => {
      const part = partOf(file.name);
      const beside = parts.get(stem(file.name));
      const whole = part === 'cff' || (part === 'cfg' && beside?.has('dat'));
      return whole ? { ...file, record: PARTS.filter((each) => beside?.has(each)) } : file;
    })
    .sort(
      (a, b) =>
        Number(isFolder(b.name)) - Number(isFolder(a.name)) ||
        (b.modified ?? '').localeCompare(a.modified ?? '') ||
        collator.compare(a.name, b.name),
    );
}

export interface ComtradeSummary {
  readonly station: string;
  readonly device: string;
  readonly revision: string;
  readonly analog: readonly { readonly name: string; readonly phase: string; readonly unit: string }[];
  readonly digital: readonly string[];
  /** Hz; 0 where it varies. */
  readonly frequency: number | undefined;
  readonly rates: readonly { readonly perSecond: number; readonly last: number }[];
  readonly start: string;
  readonly trigger: string;
  /** ASCII, BINARY, BINARY32, FLOAT32 */
  readonly format: string;
}

const MOST_CHANNELS = 10_000;

/** Reads a configuration file (clause 7). @returns why it is none, as a sentence */
export function comtradeSummary(text: string): ComtradeSummary | string {
  const lines = text.split(/\r?\n/).map((line) => line.split(',').map((field) => field.trim()));
  const [station = '', device = '', revision = '1991'] = lines[0] ?? [];
  const [, analogs = '', digitals = ''] = lines[1] ?? [];
  const count = (field: string, sign: string) => {
    const [, number] = new RegExp(`^(\\d{1,6})${sign}$`, 'i').exec(field) ?? [];
    return number === undefined ? undefined : Number(number);
  };
  const [a, d] = [count(analogs, 'A'), count(digitals, 'D')];
  if (a === undefined || d === undefined || a + d > MOST_CHANNELS) {
    return 'The second line does not say how many channels there are.';
  }
  const channels = lines.slice(2, 2 + a + d);
  if (channels.length < a + d) return `It ends after ${channels.length} of ${a + d} channels.`;
  const rest = lines.slice(2 + a + d);
  const rateCount = Number(rest[1]?.[0] ?? 0);
  // Zero rates: one line follows all the same, with the number of the last sample.
  const rateLines = Math.max(1, Number.isInteger(rateCount) && rateCount >= 0 && rateCount < 1_000 ? rateCount : 0);
  const rates = rest.slice(2, 2 + rateLines).map(([perSecond, last]) => ({
    perSecond: Number(perSecond) || 0,
    last: Number(last) || 0,
  }));
  const [start = [], trigger = [], [format = ''] = []] = rest.slice(2 + rateLines);
  const frequency = Number(rest[0]?.[0]);
  return {
    station,
    device,
    revision: revision === '' ? '1991' : revision,
    analog: channels.slice(0, a).map(([, name = '', phase = '', , unit = '']) => ({ name, phase, unit })),
    digital: channels.slice(a).map(([, name = '']) => name),
    frequency: Number.isFinite(frequency) && rest[0]?.[0] !== '' ? frequency : undefined,
    rates,
    start: start.join(' '),
    trigger: trigger.join(' '),
    format: format.toUpperCase(),
  };
}
