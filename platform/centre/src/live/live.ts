/**
 * Live state: the last value of every point, derived from the log. Changes are gathered and told once per interval, so
 * a busy point costs a display one update; after a quiet interval a change is told at once. Whoever needs every change
 * reads the log.
 */
import { type Column, REPEAT } from '@enerchain/link';
import { type Clock, type Mrid, QUALITY, type UtcNanos, validity, withValidity } from '@enerchain/model';
import type { LiveState, LiveValue, LogEntry, PointDirectory } from '../ports.ts';
import { isNewer, mayStand, type Order, orderOf } from './order.ts';

export interface LiveOptions {
  readonly points: PointDirectory;
  readonly clock: Clock;
  /** Milliseconds between two calls of a listener, at least. */
  readonly interval?: number;
  /** Milliseconds between two looks for values that have become old. */
  readonly staleCheck?: number;
}

/** What is kept of a point besides what is shown. */
export interface LiveRecord {
  value: LiveValue;
  order: Order;
  /** When the record with the last observation, however old its time, was appended; what staleness counts from. */
  heard: UtcNanos;
  /** The value is marked old because nothing was heard for the point's `staleAfter`. */
  stale: boolean;
}

export interface LiveCounters {
  /** Values taken. */
  taken: number;
  /** Observations that were older than the present value of their point: a backlog, a late time tag. */
  older: number;
  /** Points marked as old. */
  stale: number;
}

/** Milliseconds; together with the 50 of a gateway's batches a tenth of a second from field to display. */
const INTERVAL = 50;

export class LiveTable implements LiveState {
  readonly counters: LiveCounters = { taken: 0, older: 0, stale: 0 };
  /** Offset after the last record applied. */
  next = 0;
  readonly #records = new Map<Mrid, LiveRecord>();
  readonly #changed = new Set<Mrid>();
  readonly #listeners = new Set<(changed: readonly LiveValue[]) => void>();
  readonly #points: PointDirectory;
  readonly #clock: Clock;
  readonly #interval: number;
  #timer: NodeJS.Timeout | undefined;
  /** When listeners were called last, on the monotonic clock. */
  #toldAt = Number.NEGATIVE_INFINITY;
  readonly #staleTimer: NodeJS.Timeout;

  constructor(options: LiveOptions) {
    this.#points = options.points;
    this.#clock = options.clock;
    this.#interval = options.interval ?? INTERVAL;
    this.#staleTimer = setInterval(() => this.markStale(), options.staleCheck ?? 1_000);
    this.#staleTimer.unref();
  }

  get(point: Mrid): LiveValue | undefined {
    return this.#records.get(point)?.value;
  }

  *all(): Iterable<LiveValue> {
    for (const { value } of this.#records.values()) yield value;
  }

  get size(): number {
    return this.#records.size;
  }

  onChange(listener: (changed: readonly LiveValue[]) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Takes the observations of a record; others are ignored. */
  apply(entry: LogEntry): void {
    this.next = entry.offset + 1;
    if (entry.content.kind !== 'observations') return;
    for (const column of entry.content.batch.columns) this.#applyColumn(column, entry);
  }

  #applyColumn(column: Column, entry: LogEntry): void {
    const size = column.cause.length;
    const before = this.#records.get(column.point);
    let best = -1;
    let bestOrder = before && mayStand(before.order, entry.at) ? before.order : undefined;
    for (let i = 0; i < size; i++) {
      const order = orderOf(column.sourceTime[i]!, column.receiveTime[i]!, column.timeQuality[i]!, entry.at);
      if (bestOrder === undefined || isNewer(order, column.cause[i]! & ~REPEAT, bestOrder)) {
        best = i;
        bestOrder = order;
      }
    }
    if (before) before.heard = entry.at;
    if (best < 0) {
      this.counters.older += size;
      return;
    }
    const value: LiveValue = {
      point: column.point,
      value: column.value[best]!,
      quality: column.quality[best]!,
      sourceTime: column.sourceTime[best]!,
      timeQuality: column.timeQuality[best]!,
      receiveTime: column.receiveTime[best]!,
      cause: column.cause[best]!,
      source: entry.source,
      offset: entry.offset,
    };
    this.counters.taken++;
    if (before?.stale) this.counters.stale--;
    this.#records.set(column.point, { value, order: bestOrder!, heard: entry.at, stale: false });
    this.#touch(column.point);
  }

  /** Marks values whose point has said nothing for its `staleAfter` seconds as old; the next observation clears it. */
  markStale(): void {
    const now = this.#clock.now();
    for (const [point, record] of this.#records) {
      const staleAfter = record.stale ? undefined : this.#points.get(point)?.staleAfter;
      if (staleAfter === undefined || now - record.heard < BigInt(Math.round(staleAfter * 1e9))) continue;
      record.stale = true;
      this.counters.stale++;
      const { quality } = record.value;
      const marked = validity(quality) === 'invalid' ? quality : withValidity(quality, 'questionable');
      record.value = { ...record.value, quality: marked | QUALITY.oldData };
      this.#touch(point);
    }
  }

  /** All records, for the snapshot. */
  records(): Iterable<LiveRecord> {
    return this.#records.values();
  }

  /** Puts records of a snapshot back; before the first `apply`. */
  restore(records: Iterable<LiveRecord>, next: number): void {
    for (const record of records) {
      this.#records.set(record.value.point, record);
      if (record.stale) this.counters.stale++;
    }
    this.next = next;
  }

  close(): void {
    clearTimeout(this.#timer);
    clearInterval(this.#staleTimer);
    this.#listeners.clear();
  }

  #touch(point: Mrid): void {
    this.#changed.add(point);
    if (this.#timer) return;
    const due = this.#toldAt + this.#interval - this.#clock.monotonic();
    this.#timer = setTimeout(() => this.#tell(), Math.max(0, due)).unref();
  }

  #tell(): void {
    this.#timer = undefined;
    this.#toldAt = this.#clock.monotonic();
    const changed: LiveValue[] = [];
    for (const point of this.#changed) {
      const value = this.get(point);
      if (value) changed.push(value);
    }
    this.#changed.clear();
    for (const listener of this.#listeners) listener(changed);
  }
}
