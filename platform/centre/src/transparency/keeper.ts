/**
 * Keeps the transparency log of the centre: follows the ingest log record by record, signs a checkpoint at most once a
 * second, and has witnesses cosign it. What it needs to make receipts lies beside the tree: an index of the records, and the
 * announcements of the sources.
 */
import { join } from 'node:path';
import { decodeBatch } from '@enerchain/link';
import { type Clock, describeError, type UtcNanos } from '@enerchain/model';
import { FileKeySigner, type Signer } from '@enerchain/pki';
import { type LogTrouble, leafHashOf, originOf, TransparencyLog, UNREADABLE_LEAF } from '@enerchain/provenance';
import { CborReader } from '@enerchain/trust';
import type { Logger } from 'pino';
import type { Findings } from '../ingest/findings.ts';
import { RecordEntry } from '../log/entries.ts';
import type { IngestLog } from '../log/log.ts';
import { rawRecords } from '../log/reader.ts';
import type { LogEntry } from '../ports.ts';
import { KeptSites } from './kept-sites.ts';
import { type IndexEntry, RecordIndex, subjectOf } from './record-index.ts';

export interface KeeperOptions {
  /** `transparency` in the data folder. */
  readonly folder: string;
  readonly log: IngestLog;
  readonly findings: Findings;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Key of the log; absent: a file of its own in the folder. */
  readonly signer?: Signer | undefined;
}

const CONSUMER = 'transparency';
/** Records at the end of the log that are compared with the tree at the start. */
const COMPARED = 1024;
const RETRY_MILLIS = 1_000;
const NOBODY = new Uint8Array(8);

export class TransparencyKeeper {
  readonly log: TransparencyLog;
  readonly index: RecordIndex;
  readonly sites: KeptSites;
  readonly #options: KeeperOptions;
  readonly #stopping = new AbortController();
  #following: Promise<void> = Promise.resolve();
  readonly #waiting = new Set<() => void>();

  private constructor(options: KeeperOptions, log: TransparencyLog, index: RecordIndex, sites: KeptSites) {
    this.#options = options;
    this.log = log;
    this.index = index;
    this.sites = sites;
  }

  /**
   * Opens the log in its folder and compares it with the ingest log.
   * @throws EnerchainError `environment` when the folder cannot be used
   */
  static async open(options: KeeperOptions): Promise<TransparencyKeeper> {
    const { folder, log: ingest, clock } = options;
    const keyFile = join(folder, 'log.key');
    const signer =
      options.signer ??
      ((await ingest.files.readAll(keyFile)) ? await FileKeySigner.load(keyFile) : await FileKeySigner.create(keyFile));
    const log = TransparencyLog.open({
      folder,
      origin: originOf(ingest.id),
      signer,
      clock,
      beforeCheckpoint: () => index.sync(),
    });
    const index = RecordIndex.open(join(folder, 'records'), log.size);
    const sites = await KeptSites.open(ingest.files, join(folder, 'sites'));
    const keeper = new TransparencyKeeper(options, log, index, sites);
    try {
      await keeper.#compare();
    } catch (error) {
      await keeper.close();
      throw error;
    }
    return keeper;
  }

  /** Follows the ingest log until it is closed. */
  start(): void {
    this.#following = this.#follow();
  }

  /** Records that the tree and the index have. */
  get size(): number {
    return this.index.size;
  }

  /** Resolves when the tree has this many records, or the keeper ends. */
  async reached(size: number, signal: AbortSignal): Promise<void> {
    while (this.size < size && !signal.aborted && !this.#stopping.signal.aborted) {
      await new Promise<void>((resolve) => {
        const wake = () => {
          this.#waiting.delete(wake);
          signal.removeEventListener('abort', wake);
          resolve();
        };
        this.#waiting.add(wake);
        signal.addEventListener('abort', wake, { once: true });
      });
    }
  }

  /** Signs a checkpoint when there is something new. @returns the newest note */
  checkpoint(): Promise<string | undefined> {
    return this.log.makeCheckpoint();
  }

  async close(): Promise<void> {
    this.#stopping.abort();
    this.#wake();
    await this.#following;
    await this.checkpoint().catch(() => {});
    this.#options.log.release(CONSUMER);
    await this.log.close();
    this.index.close();
  }

  async #compare(): Promise<void> {
    const { first, next } = this.#options.log.bounds();
    const signed = this.log.checkpoint?.size ?? 0;
    if (next >= signed) {
      if (!this.log.trouble) await this.#compareRecords(first, signed);
      // A tree that is damaged is built again, and must then agree with the records.
      if (first === 0 && (await this.#heal(signed))) await this.#compareRecords(first, signed);
    } else if (!this.log.trouble) {
      const text = `the ingest log has ${next} records, and a checkpoint over ${signed} was signed: it was cut short or restored from a copy`;
      this.log.suspect({ code: 'provenance.log.shrunk', text });
    }
    if (this.log.trouble) this.#alarm(this.log.trouble);
    await this.#fillIndex(first);
  }

  async #heal(signed: number): Promise<boolean> {
    const { trouble } = this.log;
    if (trouble?.code !== 'provenance.tree.damaged') return false;
    const healed = await this.log.rebuild(this.#leaves(0, signed));
    const outcome = healed ? 'it was built again from the ingest log' : 'it could not be built again';
    this.#tell('log.tree-damaged', `${trouble.text}; ${outcome}`, healed);
    return healed;
  }

  /** The end of what was signed, and the first record of each segment: whoever exchanged records is found out at the start. */
  async #compareRecords(first: number, signed: number): Promise<void> {
    const { log: ingest } = this.#options;
    const starts = ingest.segments.map((segment) => segment.first).filter((start) => start >= first && start < signed);
    const tail = Math.max(first, signed - COMPARED);
    const compare = (offset: number, batch: Uint8Array): boolean => {
      if (Buffer.compare(leafOf(batch), this.log.leaf(offset)) === 0) return true;
      try {
        this.log.inclusion(offset, signed);
        const text = `record ${offset} of the ingest log is not the one that was signed: the log was rewritten`;
        this.log.suspect({ code: 'provenance.log.rewritten', text });
      } catch {
        // It is the tree that is wrong, and it has noted so.
      }
      return false;
    };
    for (const from of [...starts, tail]) {
      for await (const { offset, record } of rawRecords(ingest, from)) {
        if (offset >= signed || (from !== tail && offset !== from) || !compare(offset, record.batch)) break;
        if (from !== tail) break;
      }
      if (this.log.trouble) return;
    }
  }

  /** What the tree has and the index has not: it was lost, or is younger than the tree. */
  async #fillIndex(first: number): Promise<void> {
    const { log: ingest } = this.#options;
    const { size } = this.log;
    if (this.index.size >= size) return;
    const blank = (count: number) =>
      this.index.append(
        Array.from({ length: count }, () => ({ at: 0n, subject: NOBODY, from: 0n, to: 0n, kind: undefined })),
      );
    if (this.index.size < first) blank(Math.min(first, size) - this.index.size);
    for await (const { offset, record } of rawRecords(ingest, this.index.size)) {
      if (offset >= size) break;
      if (offset > this.index.size) blank(offset - this.index.size);
      this.index.append([entryOf(new RecordEntry(offset, record, ingest.decode))]);
    }
    if (this.index.size < size) blank(size - this.index.size);
  }

  async *#leaves(from: number, to: number): AsyncGenerator<Uint8Array[], void, void> {
    let at = from;
    let chunk: Uint8Array[] = [];
    for await (const { offset, record } of rawRecords(this.#options.log, from)) {
      if (offset >= to) break;
      for (; at < offset; at++) chunk.push(UNREADABLE_LEAF);
      chunk.push(leafOf(record.batch));
      at++;
      if (chunk.length < 1024) continue;
      yield chunk;
      chunk = [];
    }
    yield chunk;
  }

  async #follow(): Promise<void> {
    const { log: ingest, logger } = this.#options;
    const { signal } = this.#stopping;
    while (!signal.aborted && !ingest.closed) {
      try {
        for await (const entries of ingest.read(this.index.size, signal)) {
          await this.#take(entries);
          ingest.hold(CONSUMER, this.index.size);
          this.#wake();
        }
      } catch (error) {
        logger.error(
          { err: error },
          `the transparency log cannot follow the ingest log and tries again: ${describeError(error)}`,
        );
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, RETRY_MILLIS);
          signal.addEventListener('abort', () => {
            clearTimeout(timer);
            resolve();
          });
        });
      }
    }
  }

  async #take(entries: readonly LogEntry[]): Promise<void> {
    const leaves: Uint8Array[] = [];
    const index: IndexEntry[] = [];
    const next = this.index.size;
    for (const entry of entries) {
      // One entry may stand for several records that are gone.
      while (next + index.length < entry.offset) {
        leaves.push(UNREADABLE_LEAF);
        index.push({ at: entry.at, subject: NOBODY, from: 0n, to: 0n, kind: undefined });
      }
      if (entry.offset < next) continue;
      leaves.push(entry instanceof RecordEntry ? leafOf(entry.record.batch) : UNREADABLE_LEAF);
      index.push(entryOf(entry));
      if (entry instanceof RecordEntry && entry.content.kind === 'site') {
        await this.sites.keep(entry.offset, decodeBatch(entry.record.batch), entry.record.batch);
      }
    }
    // What a start cuts back is the tree; the index may be behind it, never ahead.
    if (this.log.size < next + leaves.length) this.log.append(leaves.slice(this.log.size - next));
    this.index.append(index);
  }

  #wake(): void {
    for (const wake of [...this.#waiting]) wake();
  }

  #alarm({ code, text }: LogTrouble): void {
    this.#tell(code.replace('provenance.', ''), text, false);
    this.#options.findings.raise({
      key: 'transparency.log',
      priority: 1,
      message: `The transparency log cannot go on: ${text}. Nothing is signed any more, and no receipts are made.`,
      consequence: 'Nobody can prove where values came from; somebody may have changed the log of the centre.',
      action:
        'Find out what happened to the data folder. Restore the right one; or move the folder `transparency` away, which begins a new log that witnesses must be told to accept.',
    });
  }

  #tell(action: string, text: string, ok: boolean): void {
    this.#options.findings.tell({ action, actor: 'centre', outcome: ok ? 'ok' : 'failed', detail: { text } });
  }
}

/** Leaf of a record: what its source signed of the batch. */
export function leafOf(batch: Uint8Array): Uint8Array {
  const reader = new CborReader(batch);
  reader.array('batch', 3);
  return leafHashOf(reader.bytes('signed header'));
}

function entryOf(entry: LogEntry): IndexEntry {
  const { at, source, content } = entry;
  if (!(entry instanceof RecordEntry)) return { at, subject: NOBODY, from: 0n, to: 0n, kind: undefined };
  if (content.kind === 'observations') {
    let [from, to] = [2n ** 63n - 1n, -(2n ** 63n)] as [UtcNanos, UtcNanos];
    for (const { sourceTime } of content.batch.columns) {
      for (const time of sourceTime) {
        if (time < from) from = time;
        if (time > to) to = time;
      }
    }
    return { at, subject: subjectOf(source), from, to, kind: content.kind };
  }
  if (content.kind === 'attestation') {
    const { node } = content.record;
    return { at, subject: subjectOf(node), from: at, to: at, kind: content.kind };
  }
  return { at, subject: subjectOf(source), from: at, to: at, kind: content.kind };
}
