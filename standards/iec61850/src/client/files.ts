/** Files of a device (IEC 61850-7-2 § 23): fault records in COMTRADE, event lists, settings. */
import type { MmsClient } from '@enerchain/mms';
import { Iec61850Error } from '../error.ts';
import { type ComtradePart, type ComtradeRecord, comtradeRecords } from '../mapping/comtrade-files.ts';
import { cleanedName, millisOfGeneralizedTime } from '../mapping/file-names.ts';
import type { OfferedFiles } from './offered-files.ts';

export interface FileEntry {
  /** What it is opened by: with the folders above it, in the device's own way of writing. Those of folders end in a slash or backslash. */
  readonly name: string;
  readonly folder: boolean;
  /** Octets, as the device says. */
  readonly size: number;
  /** GeneralizedTime as the device gives it. */
  readonly lastModified: string | undefined;
  /** The same in milliseconds since 1970; undefined when it is none. */
  readonly modified: number | undefined;
}

export interface FileProgress {
  readonly name: string;
  /** Octets that are there. */
  readonly octets: number;
  /** Octets that the device has announced; some announce 0. */
  readonly size: number;
}

export interface ReadFileOptions {
  /** Gives it up between two pieces; the file is closed. */
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: FileProgress) => void;
  /** Octets at most; a file that has more is given up. Default 1 GiB for `read`, 64 MiB for what is kept in memory. */
  readonly maxSize?: number;
  /** Octet to begin with, to go on after a cut. Default 0. */
  readonly position?: number;
}

export interface PutFileOptions {
  readonly onProgress?: (progress: FileProgress) => void;
  /** Milliseconds until the device must have it. Default 300 000. */
  readonly timeout?: number;
}

export interface ListFilesOptions {
  /** Also what is in the folders below, their own entries left out. */
  readonly recursive?: boolean;
  readonly signal?: AbortSignal;
}

const PUT_TIMEOUT = 300_000;
const MAX_ENTRIES = 100_000;
const MAX_DEPTH = 8;
const MAX_SIZE = 1 << 30;
const MAX_IN_MEMORY = 64 << 20;
/** Pieces without an octet, one after the other, after which a device is not believed that more follows. */
const MAX_EMPTY = 16;

export class Files {
  readonly #mms: Pick<MmsClient, 'call'>;
  readonly #offered: OfferedFiles;

  /** @param offered what answers the device when it fetches a file that is put */
  constructor(mms: Pick<MmsClient, 'call'>, offered: OfferedFiles) {
    this.#mms = mms;
    this.#offered = offered;
  }

  /** What a folder holds; without one, everything the device tells. @throws Iec61850Error `files.limit`, `files.stuck` (peer) */
  async list(folder?: string, options: ListFilesOptions = {}): Promise<FileEntry[]> {
    if (!options.recursive) return this.#listOne(folder, options);
    const all: FileEntry[] = [];
    const seen = new Set<string>();
    const walk = async (at: string | undefined, depth: number): Promise<void> => {
      for (const entry of await this.#listOne(at, options)) {
        const key = cleanedName(entry.name);
        if (seen.has(key)) continue;
        seen.add(key);
        if (all.length > MAX_ENTRIES) throw tooMany();
        if (!entry.folder) all.push(entry);
        else if (depth < MAX_DEPTH) await walk(entry.name, depth + 1);
      }
    };
    await walk(folder, 0);
    return all;
  }

  async #listOne(folder: string | undefined, { signal }: ListFilesOptions): Promise<FileEntry[]> {
    const all: FileEntry[] = [];
    let continueAfter: readonly string[] | undefined;
    for (;;) {
      signal?.throwIfAborted();
      const { entries, moreFollows } = await this.#mms.call('fileDirectory', {
        ...(folder === undefined ? {} : { specification: [folder] }),
        ...(continueAfter ? { continueAfter } : {}),
      });
      for (const { name, attributes } of entries) {
        const { size, lastModified } = attributes;
        const modified = lastModified === undefined ? undefined : millisOfGeneralizedTime(lastModified);
        const whole = wholeName(name.join('/'), folder);
        all.push({ name: whole, folder: /[/\\]$/.test(whole), size, lastModified, modified });
      }
      const last = entries.at(-1)?.name;
      if (!moreFollows || !last) return all;
      if (continueAfter && last.join('/') === continueAfter.join('/'))
        throw new Iec61850Error(
          'peer',
          'files.stuck',
          `the device says that more files follow ${last.join('/')}, and gives no more`,
        );
      continueAfter = last;
      if (all.length > MAX_ENTRIES) throw tooMany();
    }
  }

  /**
   * In pieces as the device gives them. The file is closed whatever happens.
   * @throws Iec61850Error `files.limit`, `files.stuck` (peer); the reason of the signal
   */
  async *read(name: string, options: ReadFileOptions = {}): AsyncGenerator<Uint8Array> {
    const { signal, onProgress, maxSize = MAX_SIZE, position = 0 } = options;
    signal?.throwIfAborted();
    const { frsm, attributes } = await this.#mms.call('fileOpen', { name: [name], position });
    let octets = position;
    let empty = 0;
    try {
      for (;;) {
        signal?.throwIfAborted();
        const { data, moreFollows } = await this.#mms.call('fileRead', frsm);
        octets += data.length;
        empty = data.length === 0 ? empty + 1 : 0;
        if (octets > maxSize) throw new Iec61850Error('peer', 'files.limit', `${name} has more than ${maxSize} octets`);
        if (empty > MAX_EMPTY)
          throw new Iec61850Error(
            'peer',
            'files.stuck',
            `${name}: the device says that more follows, and gives no more`,
          );
        onProgress?.({ name, octets, size: attributes.size });
        if (data.length > 0) yield data;
        if (!moreFollows) return;
      }
    } finally {
      await this.#mms.call('fileClose', frsm).catch(() => {});
    }
  }

  /** A whole file. */
  async content(name: string, { maxSize = MAX_IN_MEMORY, ...options }: ReadFileOptions = {}): Promise<Uint8Array> {
    const pieces: Uint8Array[] = [];
    for await (const piece of this.read(name, { ...options, maxSize })) pieces.push(piece);
    return Buffer.concat(pieces);
  }

  /** Fault records in a folder and those below it. */
  async records(
    folder?: string,
    options: Omit<ListFilesOptions, 'recursive'> = {},
  ): Promise<ComtradeRecord<FileEntry>[]> {
    return comtradeRecords(await this.list(folder, { ...options, recursive: true }));
  }

  /** All files of a record, the small ones first. `maxSize` is for all of them together. */
  async record(
    { parts }: ComtradeRecord<FileEntry>,
    { maxSize = MAX_IN_MEMORY, ...options }: Omit<ReadFileOptions, 'position'> = {},
  ): Promise<Partial<Record<ComtradePart, Uint8Array>>> {
    const contents: Partial<Record<ComtradePart, Uint8Array>> = {};
    let left = maxSize;
    for (const part of ['cfg', 'hdr', 'inf', 'dat', 'cff'] as const) {
      const entry = parts[part];
      if (!entry) continue;
      const content = await this.content(entry.name, { ...options, maxSize: left });
      left -= content.length;
      contents[part] = content;
    }
    return contents;
  }

  /**
   * Brings a file to the device (SetFile): the device is told to fetch it, and reads it from here.
   * @param name on the device
   */
  async put(
    name: string,
    content: Uint8Array,
    { onProgress, timeout = PUT_TIMEOUT }: PutFileOptions = {},
  ): Promise<void> {
    const source = cleanedName(name).split('/').at(-1)!;
    const size = content.length;
    const onRead = (octets: number): void => onProgress?.({ name, octets, size });
    await this.#offered.during(source, content, onRead, () =>
      this.#mms.call('obtainFile', { source: [source], destination: [name] }, { timeout }),
    );
  }

  async delete(name: string): Promise<void> {
    await this.#mms.call('fileDelete', [name]);
  }

  async rename(from: string, to: string): Promise<void> {
    await this.#mms.call('fileRename', { from: [from], to: [to] });
  }
}

/** Some devices give names with the folders above them, others those within the folder that was asked for. */
function wholeName(name: string, folder: string | undefined): string {
  const above = cleanedName(folder ?? '');
  if (above === '' || folder === undefined) return name;
  const own = cleanedName(name);
  // One file instead of a folder was asked for.
  if (own === above || own.toLowerCase().startsWith(`${above.toLowerCase()}/`)) return name;
  const slash = folder.includes('\\') ? '\\' : '/';
  return `${folder.replace(/[/\\]+$/, '')}${slash}${name.replace(/^[/\\]+/, '')}`;
}

const tooMany = (): Iec61850Error =>
  new Iec61850Error('peer', 'files.limit', `the device lists more than ${MAX_ENTRIES} files`);
