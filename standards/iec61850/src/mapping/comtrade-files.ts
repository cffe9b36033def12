/** Which files make up a fault record (IEC 60255-24: COMTRADE): by their names, however a device writes them. */

/** The parts of a record; a `cff` has all of them in one file. */
export const COMTRADE_PARTS = ['cfg', 'dat', 'hdr', 'inf', 'cff'] as const;
export type ComtradePart = (typeof COMTRADE_PARTS)[number];

export interface ComtradeRecord<Entry> {
  /** Without its extension, as the device writes it. */
  readonly name: string;
  readonly parts: Readonly<Partial<Record<ComtradePart, Entry>>>;
  /** Whether there is all that is needed to read it: configuration and data. */
  readonly complete: boolean;
}

/** In the order of their first files; files that are no part of a record are left out, of two of one kind the first counts. */
export function comtradeRecords<Entry extends { readonly name: string }>(
  entries: readonly Entry[],
): ComtradeRecord<Entry>[] {
  const records = new Map<string, { name: string; parts: Partial<Record<ComtradePart, Entry>> }>();
  for (const entry of entries) {
    const found = /^(.*[^/\\])\.([A-Za-z]{3})$/.exec(entry.name);
    const part = COMTRADE_PARTS.find((extension) => extension === found?.[2]?.toLowerCase());
    if (!found || !part) continue;
    const key = found[1]!.replaceAll('\\', '/').replace(/^\/+/, '').toLowerCase();
    const record = records.get(key) ?? { name: found[1]!, parts: {} };
    record.parts[part] ??= entry;
    records.set(key, record);
  }
  return [...records.values()].map(({ name, parts }) => ({
    name,
    parts,
    complete: parts.cff !== undefined || (parts.cfg !== undefined && parts.dat !== undefined),
  }));
}
