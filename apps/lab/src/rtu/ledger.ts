/**
 * What an RTU has produced, on disk before it is on the wire: one line per time-tagged event, fsynced in groups. Whoever
 * wants to know whether anything was lost, compares this with what was stored, also after the lab has been killed.
 *
 * The file is JSON Lines. The first line says whose it is; every other one is
 * `[time (ms since the Unix epoch), object address, value, quality octet, ASDU type]`.
 */
import {
  closeSync,
  createReadStream,
  fsyncSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readSync,
  statSync,
} from 'node:fs';
import { type FileHandle, open, rename } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { derivedMrid, describeError, EnerchainError, type Mrid } from '@enerchain/model';

export interface LedgerHeader {
  readonly rtu: string;
  readonly site: string;
  readonly commonAddress: number;
}

export type LedgerLine = readonly [time: number, ioa: number, value: number, quality: number, type: number];

/** One event that a device says it produced. */
export interface LedgerRecord {
  /** Id of the endpoint at the gateway; the RTU's name. */
  readonly endpoint: string;
  readonly point: Mrid;
  readonly ioa: number;
  readonly value: number;
  readonly quality: number;
  readonly type: number;
  /** CP56 time, ms since the Unix epoch. */
  readonly time: number;
}

export interface LedgerOptions {
  /** Octets after which a new file is begun; one old file is kept. */
  readonly maxBytes?: number;
}

const MAX_BYTES = 16 * 1024 * 1024;

/** Appends with group commit: everything handed over while one fsync runs goes into the next. */
export class Ledger {
  readonly file: string;
  readonly counters = { records: 0, syncs: 0, bytes: 0, rotations: 0 };
  readonly #header: LedgerHeader;
  readonly #maxBytes: number;
  #handle: FileHandle;
  #size: number;
  #pending: string[] = [];
  #running: Promise<void> | undefined;

  private constructor(file: string, header: LedgerHeader, handle: FileHandle, size: number, maxBytes: number) {
    this.file = file;
    this.#header = header;
    this.#handle = handle;
    this.#size = size;
    this.#maxBytes = maxBytes;
  }

  /** Opens or creates; a last line that was being written when the process was killed is cut off: it was never sent. */
  static async open(file: string, header: LedgerHeader, options: LedgerOptions = {}): Promise<Ledger> {
    mkdirSync(dirname(file), { recursive: true });
    mendTail(file);
    const handle = await open(file, 'a');
    const { size } = await handle.stat();
    const ledger = new Ledger(file, header, handle, size, options.maxBytes ?? MAX_BYTES);
    if (size === 0) await ledger.#begin();
    return ledger;
  }

  /** Resolves when the lines are on the disk. @throws EnerchainError (environment) when the disk does not take them */
  async append(lines: readonly LedgerLine[]): Promise<void> {
    for (const line of lines) this.#pending.push(JSON.stringify(line));
    this.counters.records += lines.length;
    // The commit that is running may have left without these lines: the one after it takes them.
    if (this.#running) await this.#running.catch(() => {});
    if (this.#pending.length > 0) {
      this.#running ??= this.#commit().finally(() => {
        this.#running = undefined;
      });
    }
    await this.#running;
  }

  async close(): Promise<void> {
    await this.#running?.catch(() => {});
    await this.#handle.close();
  }

  async #commit(): Promise<void> {
    const text = `${this.#pending.join('\n')}\n`;
    this.#pending = [];
    try {
      if (this.#size > this.#maxBytes) await this.#rotate();
      await this.#write(text);
    } catch (error) {
      // Half a line would swallow the next one.
      await this.#handle.truncate(this.#size).catch(() => {});
      throw new EnerchainError(
        'environment',
        'lab.ledger.write',
        `the ledger ${this.file} could not be written; the events in it were not sent: ${describeError(error)}`,
        { cause: error },
      );
    }
  }

  async #write(text: string): Promise<void> {
    const { bytesWritten } = await this.#handle.write(text);
    await this.#handle.datasync();
    this.#size += bytesWritten;
    this.counters.bytes += bytesWritten;
    this.counters.syncs += 1;
  }

  async #begin(): Promise<void> {
    await this.#write(`${JSON.stringify(this.#header)}\n`);
    // The name of a new file is durable only when its folder is.
    syncFolder(dirname(this.file));
  }

  async #rotate(): Promise<void> {
    await this.#handle.close();
    await rename(this.file, oldFile(this.file));
    this.#handle = await open(this.file, 'a');
    this.#size = 0;
    this.counters.rotations += 1;
    await this.#begin();
  }
}

const oldFile = (file: string): string => join(dirname(file), `${basename(file, '.jsonl')}.1.jsonl`);

function syncFolder(folder: string): void {
  const descriptor = openSync(folder, 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** The end of a file, at most `count` octets; empty when there is no file. */
function tail(file: string, count: number): { text: string; size: number } {
  const size = statSync(file, { throwIfNoEntry: false })?.size ?? 0;
  if (size === 0) return { text: '', size };
  const buffer = Buffer.alloc(Math.min(size, count));
  const descriptor = openSync(file, 'r');
  try {
    readSync(descriptor, buffer, 0, buffer.length, size - buffer.length);
  } finally {
    closeSync(descriptor);
  }
  return { text: buffer.toString('latin1'), size };
}

function mendTail(file: string): void {
  const { text, size } = tail(file, 65_536);
  const torn = text.length - (text.lastIndexOf('\n') + 1);
  if (torn === 0) return;
  const descriptor = openSync(file, 'r+');
  try {
    ftruncateSync(descriptor, size - torn);
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** The last value that a point has in the ledger's recent past, so that a counter can go on counting. */
export function lastLedgerValue(file: string, ioa: number): number | undefined {
  for (const candidate of [file, oldFile(file)]) {
    for (const line of tail(candidate, 262_144).text.split('\n').reverse()) {
      const parsed = parse(line);
      if (Array.isArray(parsed) && parsed[1] === ioa) return parsed[2] as number;
    }
  }
  return undefined;
}

/**
 * All records of one RTU's ledger in the order in which they were produced, the old file first. Cut-off lines are
 * passed over: what they would have said was never sent.
 */
export async function* readLedger(file: string): AsyncGenerator<LedgerRecord> {
  for (const candidate of [oldFile(file), file]) {
    if (!statSync(candidate, { throwIfNoEntry: false })) continue;
    let header: LedgerHeader | undefined;
    const points = new Map<number, Mrid>();
    for await (const text of createInterface({
      input: createReadStream(candidate),
      crlfDelay: Number.POSITIVE_INFINITY,
    })) {
      const parsed = parse(text);
      if (!header) {
        header = parsed as LedgerHeader | undefined;
        if (!header?.rtu) {
          throw new EnerchainError(
            'caller',
            'lab.ledger.header',
            `${candidate} is no ledger: its first line names no RTU`,
          );
        }
        continue;
      }
      if (!Array.isArray(parsed)) continue;
      const [time, ioa, value, quality, type] = parsed as unknown as LedgerLine;
      let point = points.get(ioa);
      if (!point) {
        point = derivedMrid(header.site, header.rtu, `ca=${header.commonAddress} ioa=${ioa}`);
        points.set(ioa, point);
      }
      yield { endpoint: header.rtu, point, ioa, value, quality, type, time };
    }
  }
}

function parse(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}
