/**
 * The ingest log: append-only segment files, made durable in groups. It is the centre's memory; everything else is
 * derived from it. An append resolves when its octets are on the medium and never before; when the disk is full or
 * fails, everything that waits is refused, the file is cut back to what is durable, and the next append tries again
 * after a pause.
 */
import { type Clock, describeError, EnerchainError, systemClock } from '@enerchain/model';
import type { LogEntry, LogReader } from '../ports.ts';
import { AppendQueue, QUEUE_BYTES, type Waiting } from './append-queue.ts';
import { addDropped, type Dropped, droppedOf, readDropped } from './dropped.ts';
import { type DecodeBatch, type Decoded, EntryCache, RecordEntry } from './entries.ts';
import { type LogFile, type LogFiles, nodeFiles } from './files.ts';
import { encodeRecord, encodeSegmentHeader, type LogRecord } from './format.ts';
import { indexPathOf, type OpenedFolder, openFolder } from './opening.ts';
import { readLog } from './reader.ts';
import { Retention, type RetentionBounds } from './retention.ts';
import { Segment, type SegmentFinding } from './segment.ts';

export interface LogOptions {
  readonly folder: string;
  readonly decode: DecodeBatch;
  readonly files?: LogFiles;
  readonly clock?: Clock;
  /** A segment that has reached this size is sealed. */
  readonly segmentBytes?: number;
  readonly retention?: RetentionBounds;
  /** The log could not be written (`failed`), or can be again (`recovered`). */
  readonly onTrouble?: (trouble: LogTrouble) => void;
  /** Segments were dropped by retention. */
  readonly onDropped?: (dropped: Dropped) => void;
}

export type LogTrouble =
  | { readonly kind: 'failed'; readonly full: boolean; readonly message: string }
  | { readonly kind: 'recovered'; readonly message: string };

export interface LogCounters {
  /** Records made durable. */
  records: number;
  /** Octets made durable. */
  bytes: number;
  /** fdatasync calls; records / groups = size of a group. */
  groups: number;
  /** Appends refused because the log could not be written or its queue was full. */
  refused: number;
  /** Writes or syncs that failed. */
  failures: number;
  /** Segments dropped by retention. */
  dropped: number;
  /** Longest group so far, milliseconds from write to durable. */
  slowestGroup: number;
}

const SEGMENT_BYTES = 64 * 1024 * 1024;
const PAUSE_AFTER_FAILURE_MILLIS = 1_000;

export class IngestLog implements LogReader {
  /** UUID of this log, 32 hex digits. */
  readonly id: string;
  readonly counters: LogCounters = {
    records: 0,
    bytes: 0,
    groups: 0,
    refused: 0,
    failures: 0,
    dropped: 0,
    slowestGroup: 0,
  };
  /** What was found when the log was opened. */
  readonly findings: readonly SegmentFinding[];
  /** Grows with every failed write: what was ordered before and after it are different worlds. */
  generation = 0;

  readonly files: LogFiles;
  readonly decode: DecodeBatch;
  /** Decoded records: those just appended, and those read from files. In RAM they take some ten times their octets. */
  readonly recent = new EntryCache(4 * 1024 * 1024);
  readonly reread = new EntryCache(2 * 1024 * 1024);
  readonly dropped: Dropped[];

  readonly #options: LogOptions;
  readonly #clock: Clock;
  readonly #segmentBytes: number;
  readonly #segments: Segment[];
  readonly #retention: Retention;
  readonly #queue = new AppendQueue();
  #file: LogFile | undefined;
  #flushing: Promise<void> | undefined;
  #trouble: { readonly until: number } | undefined;
  #mustRotate = false;
  #closed = false;
  readonly #wakeups = new Set<() => void>();

  private constructor(options: LogOptions, files: LogFiles, opened: OpenedFolder, dropped: Dropped[]) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#segmentBytes = options.segmentBytes ?? SEGMENT_BYTES;
    this.files = files;
    this.decode = options.decode;
    this.id = opened.id;
    this.#segments = opened.segments;
    this.#file = opened.file;
    this.#retention = new Retention(options.retention ?? {}, this.#clock, opened.segments);
    this.findings = opened.findings;
    this.dropped = dropped;
  }

  /** Opens or creates a log, see `openFolder`. @throws EnerchainError `environment` when the folder cannot be used */
  static async open(options: LogOptions): Promise<IngestLog> {
    const files = options.files ?? nodeFiles;
    const opened = await openFolder(files, options.folder);
    return new IngestLog(options, files, opened, await readDropped(files, options.folder));
  }

  bounds(): { readonly first: number; readonly next: number } {
    return { first: this.#segments[0]?.first ?? 0, next: this.#segments.at(-1)?.next ?? 0 };
  }

  get segments(): readonly Segment[] {
    return this.#segments;
  }

  /** Octets of all segments. */
  get size(): number {
    return this.#segments.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  get healthy(): boolean {
    return this.#trouble === undefined;
  }

  /** Octets that wait to be made durable. */
  get queuedBytes(): number {
    return this.#queue.bytes;
  }

  /**
   * Appends one record. Records become durable in the order of the calls: when one fails, all after it fail as well.
   * @param decoded what the batch says, when the caller has it at hand already
   * @param generation the caller's idea of `generation`; when a write failed since, the record is refused
   * @returns its offset, once it is durable
   * @throws EnerchainError `environment`: `centre.log.full`, `centre.log.failed`, `centre.log.busy`, `centre.log.closed`
   */
  append(record: Omit<LogRecord, 'at'>, decoded?: Decoded, generation: number = this.generation): Promise<number> {
    const result = this.tryAppend(record, decoded, generation);
    return result instanceof EnerchainError ? Promise.reject(result) : result;
  }

  /** Like `append`, but says at once (and not by a rejection) when the record was not even queued. */
  tryAppend(record: Omit<LogRecord, 'at'>, decoded?: Decoded, generation?: number): Promise<number> | EnerchainError {
    const pieces = encodeRecord({ ...record, at: this.#clock.now() });
    const bytes = pieces[0].length + pieces[1].length;
    const refusal = this.#refusal(bytes, generation ?? this.generation);
    if (refusal) {
      this.counters.refused++;
      return refusal;
    }
    return new Promise((resolve, reject) => {
      const stamped = { ...record, at: pieces[0].readBigInt64BE(9) };
      this.#queue.push({ record: stamped, pieces, bytes, decoded, resolve, reject });
      this.#flushing ??= this.#flush();
    });
  }

  read(from: number, signal: AbortSignal): AsyncIterable<readonly LogEntry[]> {
    return readLog(this, from, signal);
  }

  /** Resolves when there is a record at `offset`, when the log is closed, or when `signal` aborts. */
  arrival(offset: number, signal: AbortSignal): Promise<void> {
    if (signal.aborted || this.#closed || offset < this.bounds().next) return Promise.resolve();
    return new Promise((resolve) => {
      const wake = () => {
        this.#wakeups.delete(wake);
        signal.removeEventListener('abort', wake);
        resolve();
      };
      this.#wakeups.add(wake);
      signal.addEventListener('abort', wake, { once: true });
    });
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** A consumer says that it still needs records from `offset` on; retention by age waits for it. */
  hold(consumer: string, offset: number): void {
    this.#retention.hold(consumer, offset);
  }

  release(consumer: string): void {
    this.#retention.release(consumer);
  }

  /** Drops what retention allows. Called after every sealed segment; call it now and then for the age. */
  async retain(): Promise<void> {
    while (this.#segments.length > 1) {
      const oldest = this.#segments[0] as Segment;
      const reason = this.#retention.against(oldest, this.size);
      if (!reason) return;
      await this.#drop(oldest, reason);
    }
  }

  /** Waits for what was appended, and closes. Readers end. */
  async close(): Promise<void> {
    if (this.#closed) return;
    await this.#flushing;
    this.#closed = true;
    await this.#file?.close();
    this.#file = undefined;
    this.#wake();
  }

  #refusal(bytes: number, generation: number): EnerchainError | undefined {
    const refuse = (code: string, text: string) => new EnerchainError('environment', code, text);
    if (this.#closed) return refuse('centre.log.closed', 'the ingest log is closed; nothing was appended');
    if (generation !== this.generation || (this.#trouble && this.#clock.monotonic() < this.#trouble.until)) {
      return refuse('centre.log.failed', 'the ingest log could not be written a moment ago; nothing was appended');
    }
    if (!this.#queue.hasRoomFor(bytes)) {
      return refuse('centre.log.busy', `${QUEUE_BYTES} octets wait for the disk already; nothing was appended`);
    }
    return undefined;
  }

  async #flush(): Promise<void> {
    // The rest of this turn may append more: one group for all of it.
    await undefined;
    while (!this.#queue.empty) {
      const group = this.#queue.takeGroup();
      const started = this.#clock.monotonic();
      try {
        await this.#write(group);
      } catch (error) {
        await this.#fail(group, error);
        continue;
      }
      this.counters.groups++;
      this.counters.slowestGroup = Math.max(this.counters.slowestGroup, this.#clock.monotonic() - started);
    }
    this.#flushing = undefined;
  }

  async #write(group: readonly Waiting[]): Promise<void> {
    const { segment, file } = await this.#current();
    await file.write(
      group.flatMap(({ pieces }) => pieces),
      segment.bytes,
    );
    try {
      await file.sync();
    } catch (error) {
      // After a failed sync nobody knows what is on the medium, and asking again would lie: a new file it is.
      this.#mustRotate = true;
      throw error;
    }
    if (this.#trouble) {
      this.#trouble = undefined;
      this.#options.onTrouble?.({ kind: 'recovered', message: 'the ingest log can be written again' });
    }
    this.#retention.written(segment);
    for (const { record, bytes, decoded, resolve } of group) {
      const offset = segment.next;
      segment.add(record.at, bytes);
      this.#queue.durable(bytes);
      this.counters.records++;
      this.counters.bytes += bytes;
      this.recent.add(new RecordEntry(offset, record, this.decode, decoded));
      resolve(offset);
    }
    this.#wake();
  }

  /** The newest segment, sealed and followed by a new one when it is full. */
  async #current(): Promise<{ segment: Segment; file: LogFile }> {
    const newest = this.#segments.at(-1);
    if (newest && this.#file && newest.bytes < this.#segmentBytes && !this.#mustRotate) {
      return { segment: newest, file: this.#file };
    }
    const { folder } = this.#options;
    if (newest?.next === newest?.first && newest) {
      // An empty segment that failed: it would have the same name as its successor.
      await this.#file?.close().catch(() => {});
      this.#file = undefined;
      await this.files.remove(newest.path);
      this.#segments.pop();
    }
    const segment = new Segment(folder, newest?.next ?? 0);
    const file = await this.files.open(segment.path, 'create');
    try {
      await file.write([encodeSegmentHeader({ log: this.id, first: segment.first })], 0);
      await file.sync();
      await this.files.syncFolder(folder);
    } catch (error) {
      await file.close().catch(() => {});
      await this.files.remove(segment.path).catch(() => {});
      throw error;
    }
    const sealed = this.#segments.at(-1);
    const before = this.#file;
    this.#segments.push(segment);
    this.#file = file;
    this.#mustRotate = false;
    await before?.close().catch(() => {});
    if (sealed) {
      // The index can be made again; failing to keep it is no reason to refuse data.
      await this.files.writeAll(indexPathOf(sealed), sealed.encodeIndex()).catch(() => {});
      await this.retain().catch(() => {});
    }
    return { segment, file };
  }

  async #fail(group: readonly Waiting[], error: unknown): Promise<void> {
    this.generation++;
    this.counters.failures++;
    const refused = [...group, ...this.#queue.takeAll()];
    this.counters.refused += refused.length;
    const first = this.#trouble === undefined;
    this.#trouble = { until: this.#clock.monotonic() + PAUSE_AFTER_FAILURE_MILLIS };
    const newest = this.#segments.at(-1);
    if (newest) {
      await this.#file?.truncate(newest.bytes).catch(() => {
        this.#mustRotate = true;
      });
    }
    const full = /ENOSPC|EDQUOT/.test(String((error as NodeJS.ErrnoException)?.code));
    const message = full
      ? `the disk of the ingest log (${this.#options.folder}) is full; nothing is acknowledged until there is room`
      : `the ingest log (${this.#options.folder}) cannot be written: ${describeError(error)}; nothing is acknowledged until it can`;
    for (const { reject } of refused) {
      reject(
        new EnerchainError('environment', full ? 'centre.log.full' : 'centre.log.failed', message, { cause: error }),
      );
    }
    if (first) this.#options.onTrouble?.({ kind: 'failed', full, message });
  }

  async #drop(segment: Segment, reason: Dropped['reason']): Promise<void> {
    const dropped = droppedOf(segment, reason, this.#clock.now());
    // The record of the loss is durable before the loss.
    await addDropped(this.files, this.#options.folder, this.dropped, dropped);
    this.#segments.shift();
    await this.files.remove(segment.path);
    await this.files.remove(indexPathOf(segment)).catch(() => {});
    this.counters.dropped++;
    this.#options.onDropped?.(dropped);
  }

  #wake(): void {
    for (const wake of [...this.#wakeups]) wake();
  }
}
