/**
 * The open batch: observations in the order of their arrival, field by field in growing arrays, and sorted into one
 * column per point when the batch is closed. No object per observation: fifty thousand of them come in a second.
 */
import type { Column, ObservationBatch } from '@enerchain/link';
import { type Mrid, QUALITY, type UtcNanos, type Value, withValidity } from '@enerchain/model';

/** What an observation costs in memory and, about, on disk; for closing and bounding by size. */
export const BYTES_PER_OBSERVATION = 40;

export class Gatherer {
  readonly #points: readonly Mrid[];
  /** Per slot: how many observations the open batch has, and later where its column begins. */
  readonly #counts: Uint32Array;
  readonly #starts: Uint32Array;
  /** Slots of the open batch in order of first appearance. */
  #order: number[] = [];
  #capacity: number;
  #slot: Uint32Array;
  #sourceTime: BigInt64Array;
  #receiveTime: BigInt64Array;
  #number: Float64Array;
  #quality: Uint16Array;
  #timeQuality: Uint16Array;
  #cause: Uint8Array;
  /** Values that are no numbers, by position. */
  #others = new Map<number, string | null>();
  #textBytes = 0;
  #count = 0;
  #first: UtcNanos = 0n;
  #last: UtcNanos = 0n;

  /** @param points mRID of each slot; several slots may feed one point */
  constructor(points: readonly Mrid[], capacity = 1024) {
    this.#points = points;
    this.#counts = new Uint32Array(points.length);
    this.#starts = new Uint32Array(points.length);
    this.#capacity = capacity;
    this.#slot = new Uint32Array(capacity);
    this.#sourceTime = new BigInt64Array(capacity);
    this.#receiveTime = new BigInt64Array(capacity);
    this.#number = new Float64Array(capacity);
    this.#quality = new Uint16Array(capacity);
    this.#timeQuality = new Uint16Array(capacity);
    this.#cause = new Uint8Array(capacity);
  }

  get count(): number {
    return this.#count;
  }

  get bytes(): number {
    return this.#count * BYTES_PER_OBSERVATION + this.#textBytes;
  }

  /** Receive time of the first observation of the open batch. */
  get first(): UtcNanos {
    return this.#first;
  }

  /** Receive time of the last one. */
  get last(): UtcNanos {
    return this.#last;
  }

  /** @param cause index into `CAUSES`, with the repeat bit of the link */
  add(
    slot: number,
    value: Value,
    quality: number,
    sourceTime: UtcNanos,
    timeQuality: number,
    receiveTime: UtcNanos,
    cause: number,
  ): void {
    const at = this.#count;
    if (at === this.#capacity) this.#grow();
    let bits = quality;
    if (typeof value === 'number' && Number.isFinite(value)) {
      this.#number[at] = value;
    } else {
      // A number that is none is no value (and JSON could not carry it): null, invalid.
      const text = typeof value === 'string' ? value : null;
      if (typeof value === 'number') {
        bits = withValidity(quality, 'invalid') | (Number.isNaN(value) ? 0 : QUALITY.overflow);
      }
      this.#others.set(at, text);
      this.#textBytes += text === null ? 0 : text.length * 3;
      this.#number[at] = 0;
    }
    if (this.#counts[slot] === 0) this.#order.push(slot);
    this.#counts[slot]!++;
    this.#slot[at] = slot;
    this.#sourceTime[at] = sourceTime;
    this.#receiveTime[at] = receiveTime;
    this.#quality[at] = bits;
    this.#timeQuality[at] = timeQuality;
    this.#cause[at] = cause;
    if (at === 0) this.#first = receiveTime;
    this.#last = receiveTime;
    this.#count = at + 1;
  }

  /** The batch; the gatherer is empty afterwards and keeps nothing of it. */
  build(): ObservationBatch {
    const count = this.#count;
    const starts = this.#starts;
    const points = this.#mergedOrder();
    let next = 0;
    for (const slots of points.values()) {
      for (const slot of slots) {
        starts[slot] = next;
        next += this.#counts[slot]!;
      }
    }
    const sourceTime = new BigInt64Array(count);
    const receiveTime = new BigInt64Array(count);
    const number = new Float64Array(count);
    const quality = new Uint16Array(count);
    const timeQuality = new Uint16Array(count);
    const cause = new Uint8Array(count);
    const others = this.#others.size > 0 ? new Map<number, string | null>() : undefined;
    for (let i = 0; i < count; i++) {
      const to = starts[this.#slot[i]!]!++;
      sourceTime[to] = this.#sourceTime[i]!;
      receiveTime[to] = this.#receiveTime[i]!;
      number[to] = this.#number[i]!;
      quality[to] = this.#quality[i]!;
      timeQuality[to] = this.#timeQuality[i]!;
      cause[to] = this.#cause[i]!;
      if (others) {
        const other = this.#others.get(i);
        if (other !== undefined) others.set(to, other);
      }
    }
    const columns: Column[] = [];
    let from = 0;
    for (const [point, slots] of points) {
      let to = from;
      for (const slot of slots) to += this.#counts[slot]!;
      columns.push({
        point,
        sourceTime: sourceTime.subarray(from, to),
        receiveTime: receiveTime.subarray(from, to),
        value: others ? mixed(number, others, from, to) : number.subarray(from, to),
        quality: quality.subarray(from, to),
        timeQuality: timeQuality.subarray(from, to),
        cause: cause.subarray(from, to),
      });
      from = to;
    }
    this.clear();
    return { columns, count };
  }

  clear(): void {
    for (const slot of this.#order) this.#counts[slot] = 0;
    this.#order = [];
    this.#others = new Map();
    this.#textBytes = 0;
    this.#count = 0;
  }

  /** Points in order of first appearance; bindings that feed the same point share its column. */
  #mergedOrder(): Map<Mrid, number[]> {
    const points = new Map<Mrid, number[]>();
    for (const slot of this.#order) {
      const point = this.#points[slot]!;
      const slots = points.get(point);
      if (slots) slots.push(slot);
      else points.set(point, [slot]);
    }
    return points;
  }

  #grow(): void {
    this.#capacity *= 2;
    const grow = <T extends { set(from: T): void; length: number }>(from: T, to: T): T => {
      to.set(from);
      return to;
    };
    this.#slot = grow(this.#slot, new Uint32Array(this.#capacity));
    this.#sourceTime = grow(this.#sourceTime, new BigInt64Array(this.#capacity));
    this.#receiveTime = grow(this.#receiveTime, new BigInt64Array(this.#capacity));
    this.#number = grow(this.#number, new Float64Array(this.#capacity));
    this.#quality = grow(this.#quality, new Uint16Array(this.#capacity));
    this.#timeQuality = grow(this.#timeQuality, new Uint16Array(this.#capacity));
    this.#cause = grow(this.#cause, new Uint8Array(this.#capacity));
  }
}

function mixed(
  number: Float64Array,
  others: ReadonlyMap<number, string | null>,
  from: number,
  to: number,
): Float64Array | (number | string | null)[] {
  const values: (number | string | null)[] = [];
  let numeric = true;
  for (let i = from; i < to; i++) {
    const other = others.get(i);
    if (other !== undefined) numeric = false;
    values.push(other === undefined ? number[i]! : other);
  }
  return numeric ? number.subarray(from, to) : values;
}
