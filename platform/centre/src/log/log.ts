/**
 * The ingest log: append-only segment files, made durable in groups. It is the centre's memory; everything else is
 * derived from it. An append resolves when its octets are on the medium and never before; when the disk is full or
 * fails, everything that waits is refused, the file is cut back to what is durable, and the next append tries again
 * after a pause.
 */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { type Clock, describeError, EnerchainError, systemClock } from '@enerchain/model';
import type { LogEntry, LogReader } from '../ports.ts';
import { type DecodeBatch, type Decoded, EntryCache, RecordEntry } from './entries.ts';
import { type LogFile, type LogFiles, nodeFiles } from './files.ts';
import {
  decodeSegmentHeader,
  encodeRecord,
  encodeSegmentHeader,
  type LogRecord,
  SEGMENT_HEADER_BYTES,
} from './format.ts';
import { readLog } from './reader.ts';
import { Segment, type SegmentFinding } from './segment.ts';

export interface LogOptions {
  readonly folder: string;
  readonly decode: DecodeBatch;
  readonly files?: LogFiles;
  readonly clock?: Clock;
  /** A segment that has reached this size is sealed. */
  readonly segmentBytes?: number;
  readonly retention?: {
    /** Oldest segments go when all together are larger, whoever still wants to read them. */
    readonly bytes?: number;
    /** Segments whose newest record is older go, once every registered consumer has read them. */
    readonly ageMillis?: number;
  };
  /** The log could not be written (`failed`), or can be again (`recovered`). */
  readonly onTrouble?: (trouble: LogTrouble) => void;
  /** Segments were dropped by retention. */
  readonly onDropped?: (dropped: Dropped) => void;
}

export type LogTrouble =
  | { readonly kind: 'failed'; readonly full: boolean; readonly message: string }
  | { readonly kind: 'recovered'; readonly message: string };

/** One line of `dropped.jsonl`. */
export interface Dropped {
  readonly first: number;
  readonly last: number;
  /** Nanoseconds since the epoch, decimal: appended at. */
  readonly from: string;
  readonly to: string;
  readonly bytes: number;
  readonly reason: 'bytes' | 'age';
  readonly at: string;
}

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

interface Waiting {
  readonly record: LogRecord;
  readonly pieces: readonly Uint8Array[];
  readonly bytes: number;
  readonly decoded: Decoded | undefined;
  readonly resolve: (offset: number) => void;
  readonly reject: (error: EnerchainError) => void;
}

const GROUP_BYTES = 8 * 1024 * 1024;
const QUEUE_BYTES = 128 * 1024 * 1024;
const PAUSE_AFTER_FAILURE_MILLIS = 1_000;
const DROPPED_REMEMBERED = 1_000;

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
  /** When the newest record of a segment was written, on the monotonic clock: a wall clock that is set ages nothing. */
  readonly #written = new WeakMap<Segment, number>();
  #file: LogFile | undefined;
  #queue: Waiting[] = [];
  #queuedBytes = 0;
  #flushing: Promise<void> | undefined;
  #trouble: { readonly until: number } | undefined;
  #mustRotate = false;
  #closed = false;
  readonly #wakeups = new Set<() => void>();
  readonly #holds = new Map<string, number>();

  private constructor(
    options: LogOptions,
    id: string,
    segments: Segment[],
    file: LogFile | undefined,
    findings: SegmentFinding[],
    dropped: Dropped[],
  ) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#segmentBytes = options.segmentBytes ?? 64 * 1024 * 1024;
    this.files = options.files ?? nodeFiles;
    this.decode = options.decode;
    this.id = id;
    this.#segments = segments;
    const [now, monotonic] = [this.#clock.now(), this.#clock.monotonic()];
    for (const segment of segments) {
      this.#written.set(segment, monotonic - Math.max(0, Number(now - (segment.lastAt ?? now)) / 1e6));
    }
    this.#file = file;
    this.findings = findings;
    this.dropped = dropped;
  }

  /**
   * Opens or creates a log. Only the newest segment is read through; a tail that no record can begin with was never
   * acknowledged, and is cut off after it was put beside the file (`.torn`).
   * @throws EnerchainError `environment` when the folder cannot be used
   */
  static async open(options: LogOptions): Promise<IngestLog> {
    const files = options.files ?? nodeFiles;
    const { folder } = options;
    await files.makeFolder(folder);
    const firsts = (await files.list(folder))
      .map((name) => Segment.firstOf(name))
      .filter((first) => first !== undefined)
      .sort((a, b) => a - b);
    const segments = firsts.map((first) => new Segment(folder, first));
    const id = await identify(files, folder, segments[0]);
    const findings: SegmentFinding[] = [];

    for (const segment of segments.slice(0, -1)) findings.push(...(await openSealed(files, segment, id)));
    segments.forEach((segment, index) => {
      const following = segments[index + 1];
      if (following) segment.next = following.first;
    });

    let file: LogFile | undefined;
    const newest = segments.at(-1);
    if (newest) {
      file = await files.open(newest.path, 'write');
      const scanned = await newest.scan(file, id);
      findings.push(...scanned.findings);
      if (newest.bytes < scanned.size) await cutTail(files, file, newest, scanned.size);
      if (newest.bytes < SEGMENT_HEADER_BYTES) {
        await file.write([encodeSegmentHeader({ log: id, first: newest.first })], 0);
        await file.sync();
        newest.bytes = SEGMENT_HEADER_BYTES;
      }
    }
    return new IngestLog(options, id, segments, file, findings, await readDropped(files, folder));
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
    return this.#queuedBytes;
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
      this.#queuedBytes += bytes;
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
    this.#holds.set(consumer, offset);
  }

  release(consumer: string): void {
    this.#holds.delete(consumer);
  }

  /** Drops what retention allows. Called after every sealed segment; call it now and then for the age. */
  async retain(): Promise<void> {
    const { bytes = Number.POSITIVE_INFINITY, ageMillis = Number.POSITIVE_INFINITY } = this.#options.retention ?? {};
    const held = Math.min(Number.POSITIVE_INFINITY, ...this.#holds.values());
    while (this.#segments.length > 1) {
      const oldest = this.#segments[0] as Segment;
      const old = Number.isFinite(ageMillis) && (this.#written.get(oldest) ?? 0) < this.#clock.monotonic() - ageMillis;
      const reason = this.size > bytes ? 'bytes' : old && oldest.next <= held ? 'age' : undefined;
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
    if (this.#queuedBytes + bytes > QUEUE_BYTES) {
      return refuse('centre.log.busy', `${QUEUE_BYTES} octets wait for the disk already; nothing was appended`);
    }
    return undefined;
  }

  async #flush(): Promise<void> {
    // The rest of this turn may append more: one group for all of it.
    await undefined;
    while (this.#queue.length > 0) {
      const group = this.#takeGroup();
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

  #takeGroup(): Waiting[] {
    let bytes = 0;
    let count = 0;
    while (count < this.#queue.length && (count === 0 || bytes + this.#queue[count]!.bytes <= GROUP_BYTES)) {
      bytes += this.#queue[count]!.bytes;
      count++;
    }
    return this.#queue.splice(0, count);
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
    this.#written.set(segment, this.#clock.monotonic());
    for (const { record, bytes, decoded, resolve } of group) {
      const offset = segment.next;
      segment.add(record.at, bytes);
      this.#queuedBytes -= bytes;
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
      await this.files.writeAll(`${sealed.path.slice(0, -4)}.idx`, sealed.encodeIndex()).catch(() => {});
      await this.retain().catch(() => {});
    }
    return { segment, file };
  }

  async #fail(group: readonly Waiting[], error: unknown): Promise<void> {
    this.generation++;
    this.counters.failures++;
    const refused = [...group, ...this.#queue];
    this.#queue = [];
    this.#queuedBytes = 0;
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
    const { folder } = this.#options;
    const now = this.#clock.now();
    const dropped: Dropped = {
      first: segment.first,
      last: segment.next - 1,
      from: (segment.firstAt ?? now).toString(),
      to: (segment.lastAt ?? now).toString(),
      bytes: segment.bytes,
      reason,
      at: now.toString(),
    };
    // The record of the loss is durable before the loss.
    this.dropped.push(dropped);
    this.dropped.splice(0, Math.max(0, this.dropped.length - DROPPED_REMEMBERED));
    await this.files.writeAll(
      join(folder, 'dropped.jsonl'),
      Buffer.from(this.dropped.map((line) => `${JSON.stringify(line)}\n`).join('')),
    );
    this.#segments.shift();
    await this.files.remove(segment.path);
    await this.files.remove(`${segment.path.slice(0, -4)}.idx`).catch(() => {});
    this.counters.dropped++;
    this.#options.onDropped?.(dropped);
  }

  #wake(): void {
    for (const wake of [...this.#wakeups]) wake();
  }
}

/** The id in `log.json`, or in the oldest segment when that file was lost, or a new one. */
async function identify(files: LogFiles, folder: string, oldest: Segment | undefined): Promise<string> {
  const path = join(folder, 'log.json');
  const kept = await files.readAll(path);
  if (kept) return JSON.parse(kept.toString('utf8')).id;
  let id = randomBytes(16).toString('hex');
  if (oldest) {
    const file = await files.open(oldest.path, 'read');
    const header = Buffer.alloc(SEGMENT_HEADER_BYTES);
    await file.read(header, 0);
    await file.close();
    id = decodeSegmentHeader(header)?.log ?? id;
  }
  await files.writeAll(path, Buffer.from(JSON.stringify({ id })));
  return id;
}

/** Loads the index of a sealed segment, or makes it again. */
async function openSealed(files: LogFiles, segment: Segment, id: string): Promise<SegmentFinding[]> {
  const indexPath = `${segment.path.slice(0, -4)}.idx`;
  const index = await files.readAll(indexPath);
  if (index && segment.loadIndex(index, await files.size(segment.path))) return [];
  const file = await files.open(segment.path, 'read');
  try {
    const { findings } = await segment.scan(file, id);
    await files.writeAll(indexPath, segment.encodeIndex()).catch(() => {});
    return findings.map((finding) => (finding.kind === 'torn-tail' ? { ...finding, kind: 'damaged-rest' } : finding));
  } finally {
    await file.close();
  }
}

async function cutTail(files: LogFiles, file: LogFile, segment: Segment, size: number): Promise<void> {
  const tail = Buffer.alloc(size - segment.bytes);
  await file.read(tail, segment.bytes);
  await files.writeAll(`${segment.path.slice(0, -4)}.${segment.bytes}.torn`, tail);
  await file.truncate(segment.bytes);
  await file.sync();
}

async function readDropped(files: LogFiles, folder: string): Promise<Dropped[]> {
  const text = (await files.readAll(join(folder, 'dropped.jsonl')))?.toString('utf8') ?? '';
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));
}
