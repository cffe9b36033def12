/**
 * Samples of one point in columns, as they stand in open segments, in sealed ones and in answers. Pure.
 *
 * Order: ascending source time; equal times in the order in which they arrived. A repeat (the source said that it may
 * have told this before) is dropped where the same value and quality stand at the same time; if the first telling was
 * lost, the repeat is the only copy and stays.
 */
import { type Quality, type UtcNanos, validity, withValidity, worstValidity } from '@enerchain/model';

export type SampleValue = number | string | null;

/** Bit of a stored quality that model qualities leave free: the sample is marked as a repeat. */
export const REPEAT_BIT = 0x8000;

/** Columns of equal length. `value` is a `Float64Array` when no value is a text; NaN in it stands for null. */
export interface Samples {
  readonly time: BigInt64Array;
  readonly value: Float64Array | readonly SampleValue[];
  /** Quality of the model, with `REPEAT_BIT`. */
  readonly quality: Uint16Array;
}

export const valueAt = (samples: Samples, index: number): SampleValue => {
  const value = samples.value[index] as SampleValue;
  return typeof value === 'number' && Number.isNaN(value) ? null : value;
};

/** What the header of a segment says about its samples. */
export interface Summary {
  readonly t0: UtcNanos;
  readonly t1: UtcNanos;
  readonly samples: number;
  /** Samples that are numbers and not invalid; `min`, `max` and `sum` are theirs. */
  readonly believed: number;
  readonly repeats: number;
  readonly min: number | null;
  readonly max: number | null;
  readonly sum: number | null;
  /** Value of the last sample, when it is a number. */
  readonly last: number | null;
  /** Bitwise OR of the details and the worst validity. */
  readonly quality: Quality;
}

/** OR of the details, and the worse validity. */
export const combineQuality = (a: Quality, b: Quality): Quality =>
  a === b ? a : withValidity(a | b, worstValidity(a, b));

/** Gathers samples into the figures of a summary or a bucket. */
export class Gathering {
  samples = 0;
  believed = 0;
  min = Number.POSITIVE_INFINITY;
  max = Number.NEGATIVE_INFINITY;
  sum = 0;
  quality: Quality | undefined;

  add(value: SampleValue, quality: Quality): void {
    this.samples++;
    this.quality = this.quality === undefined ? quality : combineQuality(this.quality, quality);
    if (typeof value !== 'number' || validity(quality) === 'invalid') return;
    this.believed++;
    this.sum += value;
    if (value < this.min) this.min = value;
    if (value > this.max) this.max = value;
  }

  addSummary(summary: Summary): void {
    this.samples += summary.samples;
    this.quality = this.quality === undefined ? summary.quality : combineQuality(this.quality, summary.quality);
    if (summary.believed === 0) return;
    this.believed += summary.believed;
    this.sum += summary.sum ?? 0;
    this.min = Math.min(this.min, summary.min ?? this.min);
    this.max = Math.max(this.max, summary.max ?? this.max);
  }
}

/** @param samples sorted, at least one */
export function summarise(samples: Samples): Summary {
  const size = samples.time.length;
  const all = new Gathering();
  let repeats = 0;
  for (let i = 0; i < size; i++) {
    const quality = samples.quality[i]!;
    if (quality & REPEAT_BIT) repeats++;
    all.add(valueAt(samples, i), quality & ~REPEAT_BIT);
  }
  const last = valueAt(samples, size - 1);
  const some = all.believed > 0;
  return {
    t0: samples.time[0]!,
    t1: samples.time[size - 1]!,
    samples: size,
    believed: all.believed,
    repeats,
    min: some ? all.min : null,
    max: some ? all.max : null,
    sum: some ? all.sum : null,
    last: typeof last === 'number' ? last : null,
    quality: all.quality ?? 0,
  };
}

const isSorted = (time: BigInt64Array): boolean => {
  for (let i = 1; i < time.length; i++) if (time[i]! < time[i - 1]!) return false;
  return true;
};

/** Sorted by time, stable; the same object when it is sorted already. */
export function sorted(samples: Samples): Samples {
  const { time, value, quality } = samples;
  if (isSorted(time)) return samples;
  const order = Array.from(time.keys()).sort((a, b) => {
    const difference = time[a]! - time[b]!;
    return difference < 0n ? -1 : difference > 0n ? 1 : a - b;
  });
  return {
    time: BigInt64Array.from(order, (index) => time[index]!),
    value:
      value instanceof Float64Array
        ? Float64Array.from(order, (index) => value[index]!)
        : order.map((index) => value[index]!),
    quality: Uint16Array.from(order, (index) => quality[index]!),
  };
}

/** Joins pieces that are sorted in themselves; pieces come in the order in which they arrived. */
export function merge(pieces: readonly Samples[]): Samples {
  if (pieces.length === 1) return pieces[0]!;
  const size = pieces.reduce((sum, { time }) => sum + time.length, 0);
  const time = new BigInt64Array(size);
  const quality = new Uint16Array(size);
  const numeric = pieces.every(({ value }) => value instanceof Float64Array);
  const numbers = new Float64Array(numeric ? size : 0);
  const values: SampleValue[] = [];
  let at = 0;
  for (const piece of pieces) {
    time.set(piece.time, at);
    quality.set(piece.quality, at);
    if (numeric) numbers.set(piece.value as Float64Array, at);
    else for (let i = 0; i < piece.time.length; i++) values.push(valueAt(piece, i));
    at += piece.time.length;
  }
  return sorted({ time, value: numeric ? numbers : values, quality });
}

/** Indices of the samples that count: all but repeats of what stands beside them. @param samples sorted */
export function withoutRepeats(samples: Samples, from: number, to: number): number[] {
  const kept: number[] = [];
  for (let start = from; start < to; ) {
    let end = start + 1;
    while (end < to && samples.time[end] === samples.time[start]) end++;
    if (end === start + 1) kept.push(start);
    else kept.push(...distinct(samples, start, end));
    start = end;
  }
  return kept;
}

/** Of samples at the same time: all that are no repeats, and repeats that say something else than all before them. */
function distinct(samples: Samples, start: number, end: number): number[] {
  const isRepeat = (index: number) => (samples.quality[index]! & REPEAT_BIT) !== 0;
  const kept: number[] = [];
  for (let index = start; index < end; index++) if (!isRepeat(index)) kept.push(index);
  for (let index = start; index < end; index++) {
    if (!isRepeat(index)) continue;
    const value = valueAt(samples, index);
    const quality = samples.quality[index]! & ~REPEAT_BIT;
    const same = (other: number) =>
      Object.is(valueAt(samples, other), value) && (samples.quality[other]! & ~REPEAT_BIT) === quality;
    if (!kept.some(same)) kept.push(index);
  }
  return kept.sort((a, b) => a - b);
}

/** First index whose time is not below `at`. @param time ascending */
export function lowerBound(time: BigInt64Array, at: UtcNanos): number {
  let [low, high] = [0, time.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (time[middle]! < at) low = middle + 1;
    else high = middle;
  }
  return low;
}
