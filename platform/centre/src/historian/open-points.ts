/**
 * What is not sealed yet: up to two open segments per point, in RAM. Lane 0 takes what comes in order or nearly so;
 * lane 1 takes what lies before lane 0 began (a backlog), so that neither makes the other wide.
 *
 * A segment is written (flushed) when it has been changed for about ten minutes, and sealed when it has about 600
 * samples or spans a day; until then the same row is written again, so that a point which speaks rarely does not leave
 * thousands of rows behind. Both figures differ from point to point, so that they never come due together.
 */
import { type Column, REPEAT } from '@enerchain/link';
import type { Mrid, UtcNanos } from '@enerchain/model';
import { REPEAT_BIT, type Samples, type SampleValue, sorted } from './samples.ts';

export interface SegmentLimits {
  /** Samples at which a segment is sealed, about. */
  readonly samples: number;
  /** Milliseconds after which changes are written, about. */
  readonly dirtyFor: number;
  /** Nanoseconds between first and last sample at which a segment is sealed. */
  readonly span: UtcNanos;
}

export const LIMITS: SegmentLimits = { samples: 600, dirtyFor: 600_000, span: 86_400_000_000_000n };

const FIRST_CAPACITY = 16;

/** One open segment. Arrays only grow; a reader may keep views of what was there. */
export class OpenSegment {
  readonly point: Mrid;
  readonly lane: 0 | 1;
  /** Offset of the record with its first sample; with point and lane its identity. */
  readonly firstOffset: number;
  size = 0;
  t0: UtcNanos;
  t1: UtcNanos;
  #time = new BigInt64Array(FIRST_CAPACITY);
  #numbers: Float64Array | undefined = new Float64Array(FIRST_CAPACITY);
  #values: SampleValue[] | undefined;
  #quality = new Uint16Array(FIRST_CAPACITY);

  constructor(point: Mrid, lane: 0 | 1, firstOffset: number, time: UtcNanos) {
    this.point = point;
    this.lane = lane;
    this.firstOffset = firstOffset;
    this.t0 = time;
    this.t1 = time;
  }

  push(time: UtcNanos, value: SampleValue, quality: number): void {
    if (this.size === this.#time.length) this.#grow();
    const index = this.size++;
    this.#time[index] = time;
    this.#quality[index] = quality;
    if (typeof value === 'string' && !this.#values) {
      this.#values = Array.from(this.#numbers!.subarray(0, index), (number) => (Number.isNaN(number) ? null : number));
      this.#numbers = undefined;
    }
    if (this.#values) this.#values.push(value);
    else this.#numbers![index] = typeof value === 'number' ? value : Number.NaN;
    if (time < this.t0) this.t0 = time;
    if (time > this.t1) this.t1 = time;
  }

  /** The samples as they are now, sorted. */
  samples(): Samples {
    const value = this.#numbers?.subarray(0, this.size) ?? this.#values!.slice();
    return sorted({ time: this.#time.subarray(0, this.size), value, quality: this.#quality.subarray(0, this.size) });
  }

  #grow(): void {
    const capacity = this.#time.length * 2;
    const time = new BigInt64Array(capacity);
    time.set(this.#time);
    this.#time = time;
    const quality = new Uint16Array(capacity);
    quality.set(this.#quality);
    this.#quality = quality;
    if (!this.#numbers) return;
    const numbers = new Float64Array(capacity);
    numbers.set(this.#numbers);
    this.#numbers = numbers;
  }
}

/** The open segments of one point. */
export class OpenPoint {
  readonly point: Mrid;
  readonly lanes: [OpenSegment | undefined, OpenSegment | undefined] = [undefined, undefined];
  /** Lanes with samples that are not written yet. */
  readonly dirty: [boolean, boolean] = [false, false];
  /** Offset of the oldest record with a sample that is not written; undefined when all is. */
  dirtyFrom: number | undefined;
  /** When it was applied, on the monotonic clock. */
  dirtySince = 0;
  /** Offset of the newest record applied. */
  lastOffset = -1;
  /** Between 0 and 1, from the mRID: spreads what would come due together. */
  readonly #spread: number;

  constructor(point: Mrid) {
    this.point = point;
    this.#spread = Number.parseInt(point.slice(0, 4), 16) / 0xffff;
  }

  /** @returns samples added */
  add(column: Column, offset: number, now: number): number {
    const size = column.cause.length;
    for (let i = 0; i < size; i++) {
      const time = column.sourceTime[i]!;
      const segment = this.#segmentFor(time, offset);
      const repeat = column.cause[i]! & REPEAT ? REPEAT_BIT : 0;
      segment.push(time, column.value[i] as SampleValue, (column.quality[i]! & ~REPEAT_BIT) | repeat);
      this.dirty[segment.lane] = true;
    }
    if (this.dirtyFrom === undefined) {
      this.dirtyFrom = offset;
      this.dirtySince = now;
    }
    this.lastOffset = offset;
    return size;
  }

  /** Whether it is time to write. */
  isDue(now: number, limits: SegmentLimits): boolean {
    if (this.dirtyFrom === undefined) return false;
    return now - this.dirtySince >= limits.dirtyFor * (0.75 + 0.5 * this.#spread) || this.isFull(limits);
  }

  /** Whether to seal. Both lanes go together: then segments that can hold the same time stand in the order of arrival. */
  isFull(limits: SegmentLimits): boolean {
    const most = limits.samples * (0.85 + 0.3 * this.#spread);
    return this.lanes.some((segment) => segment && (segment.size >= most || segment.t1 - segment.t0 > limits.span));
  }

  #segmentFor(time: UtcNanos, offset: number): OpenSegment {
    const lane = this.lanes[0] && time < this.lanes[0].t0 ? 1 : 0;
    let segment = this.lanes[lane];
    if (!segment) {
      segment = new OpenSegment(this.point, lane, offset, time);
      this.lanes[lane] = segment;
    }
    return segment;
  }
}
