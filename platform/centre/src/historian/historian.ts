/**
 * The historian: reads the log at its own pace, gathers samples per point in RAM, writes them as packed segments. The
 * offset from which a restart must read again is written in the same transaction as the segments, and every segment says
 * up to which record its point is written; together that makes every sample stand in the history exactly once.
 */
import { setImmediate as breathe } from 'node:timers/promises';
import { type Clock, describeError, EnerchainError, type Mrid, type UtcNanos } from '@enerchain/model';
import type { Logger } from 'pino';
import type { Database } from '../database/database.ts';
import type { IngestLog } from '../log/log.ts';
import type { Historian, HistoryBucket, HistoryQuery, HistorySamples, LogEntry } from '../ports.ts';
import { LIMITS, OpenPoint, type OpenSegment, type SegmentLimits } from './open-points.ts';
import { pack } from './pack.ts';
import { lastBefore, type Piece, range, resample } from './query.ts';
import { summarise } from './samples.ts';
import { type SegmentRow, SegmentStore } from './store.ts';

export interface HistorianOptions {
  readonly log: IngestLog;
  readonly database: Database;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly limits?: SegmentLimits;
  /** Samples in open segments at which the oldest are sealed whatever their size. */
  readonly mostOpenSamples?: number;
  /** Milliseconds between two looks for what is due. */
  readonly interval?: number;
}

export interface HistorianCounters {
  /** Samples taken since the start, without those that were in a segment already. */
  samples: number;
  /** Rows written; a segment that is still open is written more than once. */
  written: number;
  /** Segments sealed. */
  sealed: number;
  /** Octets of packed data written. */
  bytes: number;
  /** Transactions that failed and were tried again. */
  failures: number;
  /** Records that retention took before they were read. */
  missed: number;
  /** Longest time spent packing in one piece, milliseconds. */
  slowestPack: number;
}

/** Points written in one transaction. */
const POINTS_AT_ONCE = 100;
/** Packing gives way to everything else after this time. */
const PACKING_SLICE_MILLIS = 4;
/** Samples after which the reader stops until what is due has been written. */
const SAMPLES_BETWEEN_LOOKS = 200_000;
/** Longest that closing writes what is open; the rest is read again from the log. */
const CLOSING_MILLIS = 3_000;
const CONSUMER = 'historian';
const READY_MILLIS = 15_000;

export class SegmentHistorian implements Historian {
  readonly counters: HistorianCounters = {
    samples: 0,
    written: 0,
    sealed: 0,
    bytes: 0,
    failures: 0,
    missed: 0,
    slowestPack: 0,
  };
  /** Offset after the last record applied. */
  next = 0;
  readonly #log: IngestLog;
  readonly #store: SegmentStore;
  readonly #database: Database;
  readonly #logger: Logger;
  readonly #clock: Clock;
  readonly #limits: SegmentLimits;
  readonly #mostOpen: number;
  readonly #interval: number;
  readonly #open = new Map<Mrid, OpenPoint>();
  /** Sealed and on the way to the database; still to be found by queries. */
  readonly #leaving = new Set<OpenSegment>();
  #openSamples = 0;
  /** Up to which record a point was written before this start. */
  #written = new Map<Mrid, number>();
  readonly #stopping = new AbortController();
  #running: Promise<unknown> = Promise.resolve();
  #flushing: Promise<void> | undefined;
  #ready = false;
  /** Something was packed and could not be written. */
  #incomplete = false;
  readonly #readyListeners = new Set<() => void>();

  constructor(options: HistorianOptions) {
    this.#log = options.log;
    this.#database = options.database;
    this.#store = new SegmentStore(options.database, options.log.id);
    this.#logger = options.logger;
    this.#clock = options.clock;
    this.#limits = options.limits ?? LIMITS;
    this.#mostOpen = options.mostOpenSamples ?? 4_000_000;
    this.#interval = options.interval ?? 1_000;
  }

  /** Starts to read. Queries wait until what is in the log now has been read. */
  start(): void {
    this.#running = Promise.all([this.#consume(), this.#tick()]).catch((error) => {
      if (!this.#stopping.signal.aborted)
        this.#logger.error({ err: error }, `the historian stopped: ${describeError(error)}`);
    });
  }

  get lag(): number {
    return this.#log.bounds().next - this.next;
  }

  get openSamples(): number {
    return this.#openSamples;
  }

  async range(query: HistoryQuery): Promise<HistorySamples> {
    await this.#whenReady();
    return range(this.#store, this.#pieces(query.point), query);
  }

  async resample(query: HistoryQuery & { readonly bucket: UtcNanos }): Promise<readonly HistoryBucket[]> {
    await this.#whenReady();
    return resample(this.#store, this.#pieces(query.point), query);
  }

  async lastBefore(point: Mrid, at: UtcNanos) {
    await this.#whenReady();
    return lastBefore(this.#store, this.#pieces(point), point, at);
  }

  /** Writes what is open, so that the next start has little to read again, and stops. */
  async close(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
    await this.#flushing?.catch(() => {});
    if (this.#ready && this.#database.available && !this.#incomplete) {
      const dirty = [...this.#open.values()].filter(({ dirtyFrom }) => dirtyFrom !== undefined);
      await this.#flush(dirty, performance.now() + CLOSING_MILLIS).catch(() => {});
    }
    this.#log.release(CONSUMER);
  }

  /** Stops at once and writes nothing; what a crash does. */
  async abandon(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
    await this.#flushing?.catch(() => {});
  }

  async #consume(): Promise<void> {
    const { signal } = this.#stopping;
    // Before anything is awaited: what arrives from here on is new.
    const { first, next } = this.#log.bounds();
    this.#log.hold(CONSUMER, first);
    const { replayFrom, written } = await this.#patiently(() => this.#store.position());
    this.#written = written;
    let from = replayFrom;
    if (replayFrom > next) {
      // The log was put back to an older state than the history (a restored backup): its offsets will be given again.
      this.#logger.warn(
        { replayFrom, next },
        'the history is ahead of the ingest log; it is kept, and goes on from here',
      );
      await this.#patiently(() => this.#store.setAside(next));
      this.#written = new Map();
      from = next;
    }
    this.next = from;
    this.#log.hold(CONSUMER, from);
    if (from >= next) this.#becomeReady();
    while (!signal.aborted) {
      try {
        await this.#read(next);
      } catch (error) {
        if (signal.aborted) throw error;
        this.#logger.error(
          { err: error },
          `the historian cannot read the ingest log and tries again: ${describeError(error)}`,
        );
        await new Promise((resolve) => setTimeout(resolve, 1_000).unref());
      }
      if (this.#log.closed) return;
    }
  }

  async #read(target: number): Promise<void> {
    let looked = this.counters.samples;
    for await (const entries of this.#log.read(this.next, this.#stopping.signal)) {
      for (const entry of entries) this.#apply(entry);
      if (this.next >= target) this.#becomeReady();
      // The tick looks once a second; a backlog is read much faster than that and must not run away from it.
      if (this.counters.samples - looked < SAMPLES_BETWEEN_LOOKS && this.#openSamples <= this.#mostOpen) continue;
      looked = this.counters.samples;
      await this.#flushDue();
    }
  }

  /** Looks for what is due now and then, also when nothing arrives. */
  async #tick(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      await new Promise<void>((resolve) => {
        const done = () => {
          clearTimeout(timer);
          signal.removeEventListener('abort', done);
          resolve();
        };
        const timer = setTimeout(done, this.#interval);
        timer.unref();
        signal.addEventListener('abort', done, { once: true });
      });
      if (!signal.aborted) await this.#flushDue();
    }
  }

  #apply(entry: LogEntry): void {
    const { content, offset } = entry;
    this.next = offset + 1;
    if (content.kind === 'gap' && content.gap.reason === 'ingestRetention' && entry.source === 'centre') {
      this.counters.missed++;
      this.#logger.error({ gap: content.gap }, 'the historian was too late for the retention of the ingest log');
    }
    if (content.kind !== 'observations') return;
    const now = this.#clock.monotonic();
    for (const column of content.batch.columns) {
      if (offset <= (this.#written.get(column.point) ?? -1)) continue;
      let open = this.#open.get(column.point);
      if (!open) {
        open = new OpenPoint(column.point);
        this.#open.set(column.point, open);
      }
      const added = open.add(column, offset, now);
      this.#openSamples += added;
      this.counters.samples += added;
    }
  }

  #due(): OpenPoint[] {
    const now = this.#clock.monotonic();
    const due: OpenPoint[] = [];
    for (const open of this.#open.values()) if (open.isDue(now, this.#limits)) due.push(open);
    if (due.length > 0 || this.#openSamples <= this.#mostOpen) return due;
    return this.#fullest();
  }

  /** When RAM is short: the points with the most samples, a tenth of all. */
  #fullest(): OpenPoint[] {
    const size = ({ lanes }: OpenPoint) => (lanes[0]?.size ?? 0) + (lanes[1]?.size ?? 0);
    const all = [...this.#open.values()].sort((a, b) => size(b) - size(a));
    return all.slice(0, Math.ceil(all.length / 10));
  }

  #flushDue(): Promise<void> {
    this.#flushing ??= this.#flush(this.#due()).finally(() => {
      this.#flushing = undefined;
    });
    return this.#flushing;
  }

  async #flush(due: readonly OpenPoint[], until = Number.POSITIVE_INFINITY): Promise<void> {
    for (let i = 0; i < due.length && performance.now() < until; i += POINTS_AT_ONCE) {
      await this.#writePoints(due.slice(i, i + POINTS_AT_ONCE));
    }
  }

  async #writePoints(points: readonly OpenPoint[]): Promise<void> {
    let started = performance.now();
    const rows: SegmentRow[] = [];
    const sealed: OpenSegment[] = [];
    const short = this.#openSamples > this.#mostOpen;
    for (const open of points) {
      const spent = performance.now() - started;
      if (spent > PACKING_SLICE_MILLIS) {
        this.counters.slowestPack = Math.max(this.counters.slowestPack, spent);
        await breathe();
        started = performance.now();
      }
      const full = short || open.isFull(this.#limits);
      for (const lane of [0, 1] as const) {
        const segment = open.lanes[lane];
        if (!segment) continue;
        if (open.dirty[lane]) rows.push(rowOf(segment, open.lastOffset));
        open.dirty[lane] = false;
        if (!full) continue;
        open.lanes[lane] = undefined;
        sealed.push(segment);
        this.#leaving.add(segment);
      }
      open.dirtyFrom = undefined;
      if (!open.lanes[0] && !open.lanes[1]) this.#open.delete(open.point);
    }
    // What arrived while we were breathing is in `dirtyFrom` again.
    const replayFrom = this.#replayFrom();

    try {
      await this.#patiently(() => this.#store.write(rows, replayFrom));
    } catch (error) {
      // Given up because we are stopping: no later position may be written over what is missing now.
      this.#incomplete = true;
      throw error;
    }
    for (const segment of sealed) {
      this.#leaving.delete(segment);
      this.#openSamples -= segment.size;
    }
    this.counters.written += rows.length;
    this.counters.sealed += sealed.length;
    for (const { data } of rows) this.counters.bytes += data.length;
    this.#log.hold(CONSUMER, replayFrom);
  }

  /** The oldest record with a sample in no segment, once what is being written now is written. */
  #replayFrom(): number {
    let oldest = this.next;
    for (const { dirtyFrom } of this.#open.values())
      if (dirtyFrom !== undefined && dirtyFrom < oldest) oldest = dirtyFrom;
    return oldest;
  }

  /** Does it until it succeeds: the database may be away for as long as it likes, the log waits. */
  async #patiently<T>(work: () => Promise<T>): Promise<T> {
    for (let pause = 100; ; pause = Math.min(pause * 2, 5_000)) {
      try {
        return await work();
      } catch (error) {
        this.counters.failures++;
        if (this.#stopping.signal.aborted) throw error;
        this.#logger.warn({ err: error }, `the historian cannot write and tries again: ${describeError(error)}`);
      }
      if (!this.#database.available) await this.#database.whenAvailable(this.#stopping.signal);
      else await new Promise((resolve) => setTimeout(resolve, pause).unref());
    }
  }

  /** What is in RAM of a point, as it is now. */
  #pieces(point: Mrid): Piece[] {
    const pieces: Piece[] = [];
    const add = (segment: OpenSegment | undefined) => {
      if (!segment) return;
      const { firstOffset, lane } = segment;
      pieces.push({ log: this.#store.log, firstOffset, lane, samples: segment.samples() });
    };
    for (const segment of this.#leaving) if (segment.point === point) add(segment);
    for (const segment of this.#open.get(point)?.lanes ?? []) add(segment);
    return pieces;
  }

  #becomeReady(): void {
    if (this.#ready) return;
    this.#ready = true;
    for (const listener of this.#readyListeners) listener();
    this.#readyListeners.clear();
  }

  #whenReady(): Promise<void> {
    if (this.#ready) return Promise.resolve();
    if (!this.#database.available) {
      const text = `the history cannot be read while the database (${this.#database.where}) is away; ask again later`;
      return Promise.reject(new EnerchainError('environment', 'centre.database.away', text));
    }
    return new Promise((resolve, reject) => {
      const ready = () => {
        clearTimeout(timer);
        resolve();
      };
      const timer = setTimeout(() => {
        this.#readyListeners.delete(ready);
        const text = `the historian is still reading the ingest log (${this.lag} records to go); ask again later`;
        reject(new EnerchainError('environment', 'centre.historian.starting', text));
      }, READY_MILLIS);
      this.#readyListeners.add(ready);
    });
  }
}

function rowOf(segment: OpenSegment, lastOffset: number): SegmentRow {
  const samples = segment.samples();
  const { point, lane, firstOffset } = segment;
  return { ...summarise(samples), point, lane, firstOffset, lastOffset, data: pack(samples) };
}
