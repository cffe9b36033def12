/**
 * Questions to the history: what stands in the table and what is still in RAM, merged. Where a bucket covers a whole
 * segment, the figures in the segment's head answer for it and its samples are not read.
 */
import type { Mrid, UtcNanos } from '@enerchain/model';
import type { HistoryBucket, HistoryQuery, HistorySamples } from '../ports.ts';
import { unpack } from './pack.ts';
import {
  Gathering,
  lowerBound,
  merge,
  REPEAT_BIT,
  type Samples,
  type SampleValue,
  summarise,
  valueAt,
  withoutRepeats,
} from './samples.ts';
import type { SegmentHead, SegmentStore } from './store.ts';

/** Samples in RAM, with the identity under which they are or will be in the table. */
export interface Piece {
  readonly log: string;
  readonly firstOffset: number;
  readonly lane: number;
  readonly samples: Samples;
}

const DEFAULT_LIMIT = 100_000;

interface Identity {
  readonly log: string;
  readonly firstOffset: number;
  readonly lane: number;
}
const keyOf = ({ log, firstOffset, lane }: Identity): string => `${log}/${firstOffset}/${lane}`;
const inOrder = (a: Identity, b: Identity): number => a.firstOffset - b.firstOffset || a.lane - b.lane;

/** Heads in the table that are not in RAM as well: what RAM has is the same or newer. */
async function headsBeside(
  pieces: readonly Piece[],
  heads: Promise<readonly SegmentHead[]>,
): Promise<readonly SegmentHead[]> {
  const inRam = new Set(pieces.map(keyOf));
  return (await heads).filter((head) => !inRam.has(keyOf(head)));
}

async function load(store: SegmentStore, point: Mrid, heads: readonly SegmentHead[]): Promise<Piece[]> {
  const data = await store.data(point, heads);
  return data.map((bytes, index) => {
    const { log, firstOffset, lane } = heads[index]!;
    return { log, firstOffset, lane, samples: unpack(bytes) };
  });
}

const joined = (pieces: readonly Piece[]): Samples => merge([...pieces].sort(inOrder).map(({ samples }) => samples));

/** Samples with `from` ≤ t < `to`. */
export async function range(
  store: SegmentStore,
  pieces: readonly Piece[],
  query: HistoryQuery,
): Promise<HistorySamples> {
  const { point, from, to, limit = DEFAULT_LIMIT } = query;
  const heads = await headsBeside(pieces, store.heads(point, from, to));
  const needed = enough(heads, from, limit);
  const loaded = await load(store, point, needed);
  const whole = needed.length === heads.length;
  // Beyond the first head that was left out the picture is not complete.
  const until = whole ? to : heads[needed.length]!.t0;
  const samples = joined([...pieces, ...loaded]);
  const [first, last] = [lowerBound(samples.time, from), lowerBound(samples.time, until < to ? until : to)];
  const kept = withoutRepeats(samples, first, last);
  const truncated = kept.length > limit || !whole;
  const given = kept.slice(0, limit);
  return {
    time: BigInt64Array.from(given, (index) => samples.time[index]!),
    value: given.map((index) => valueAt(samples, index)),
    quality: Uint16Array.from(given, (index) => samples.quality[index]! & ~REPEAT_BIT),
    truncated,
  };
}

/**
 * The first heads (ascending t0) that surely hold more than `limit` samples from `from` on and before the next head
 * begins; all of them when there is no such place.
 */
function enough(heads: readonly SegmentHead[], from: UtcNanos, limit: number): readonly SegmentHead[] {
  let sure = 0;
  let latest = from;
  for (let i = 0; i < heads.length - 1; i++) {
    const head = heads[i]!;
    // Repeats may fall away; a segment that begins before `from` may have little to give.
    if (head.t0 >= from) sure += head.samples - head.repeats;
    if (head.t1 > latest) latest = head.t1;
    if (sure > limit && heads[i + 1]!.t0 > latest) return heads.slice(0, i + 1);
  }
  return heads;
}

/** Where the last sample of a bucket is looked for: later time first, then later arrival. */
interface Last extends Identity {
  readonly time: UtcNanos;
  readonly value: number | null;
}

class Bucket extends Gathering {
  #last: Last | undefined;

  offer(last: Last): void {
    const before = this.#last;
    if (!before || last.time > before.time || (last.time === before.time && inOrder(last, before) >= 0))
      this.#last = last;
  }

  answer(start: UtcNanos): HistoryBucket {
    const some = this.believed > 0;
    return {
      start,
      count: this.samples,
      min: some ? this.min : null,
      max: some ? this.max : null,
      mean: some ? this.sum / this.believed : null,
      last: this.#last?.value ?? null,
      quality: this.quality ?? 0,
    };
  }
}

/** Buckets with `from` + n · bucket ≤ t < `from` + (n + 1) · bucket; those without a sample are left out. */
export async function resample(
  store: SegmentStore,
  pieces: readonly Piece[],
  query: HistoryQuery & { readonly bucket: UtcNanos },
): Promise<readonly HistoryBucket[]> {
  const { point, from, to, bucket } = query;
  const buckets = new Map<bigint, Bucket>();
  const at = (time: UtcNanos): Bucket => {
    const index = (time - from) / bucket;
    let found = buckets.get(index);
    if (!found) {
      found = new Bucket();
      buckets.set(index, found);
    }
    return found;
  };

  const heads = await headsBeside(pieces, store.heads(point, from, to));
  const spansWithRepeats = [...heads, ...pieces.filter(({ samples }) => samples.time.length > 0).map(spanOf)].filter(
    ({ repeats }) => repeats > 0,
  );
  const answersWhole = (head: SegmentHead): boolean =>
    head.t0 >= from &&
    head.t1 < to &&
    (head.t0 - from) / bucket === (head.t1 - from) / bucket &&
    !spansWithRepeats.some((span) => span.t0 <= head.t1 && span.t1 >= head.t0);

  const toRead: SegmentHead[] = [];
  for (const head of heads) {
    if (!answersWhole(head)) {
      toRead.push(head);
      continue;
    }
    const target = at(head.t0);
    target.addSummary(head);
    target.offer({ ...head, time: head.t1, value: head.last });
  }
  const read = [...pieces, ...(await load(store, point, toRead))].sort(inOrder);
  gather(read, from, to, at);
  return [...buckets.keys()]
    .sort((a, b) => (a < b ? -1 : 1))
    .map((index) => buckets.get(index)!.answer(from + index * bucket));
}

function spanOf({ samples }: Piece): { t0: bigint; t1: bigint; repeats: number } {
  const { t0, t1, repeats } = summarise(samples);
  return { t0, t1, repeats };
}

/** Adds samples one by one; pieces that may hold repeats of each other are merged first. */
function gather(pieces: readonly Piece[], from: UtcNanos, to: UtcNanos, at: (time: UtcNanos) => Bucket): void {
  if (pieces.length === 0) return;
  const samples = joined(pieces);
  const [first, last] = [lowerBound(samples.time, from), lowerBound(samples.time, to)];
  const lasts = new Map<Bucket, number>();
  for (const index of withoutRepeats(samples, first, last)) {
    const bucket = at(samples.time[index]!);
    bucket.add(valueAt(samples, index), samples.quality[index]! & ~REPEAT_BIT);
    lasts.set(bucket, index);
  }
  for (const [bucket, index] of lasts) {
    const time = samples.time[index]!;
    const value = valueAt(samples, index);
    bucket.offer({ ...originOf(pieces, time), time, value: typeof value === 'number' ? value : null });
  }
}

/** The newest of the pieces with a sample of this time. @param pieces in the order of arrival */
function originOf(pieces: readonly Piece[], time: UtcNanos): Identity {
  return pieces.findLast(({ samples }) => samples.time[lowerBound(samples.time, time)] === time)!;
}

/** The last sample at or before `at`. */
export async function lastBefore(
  store: SegmentStore,
  pieces: readonly Piece[],
  point: Mrid,
  at: UtcNanos,
): Promise<{ time: UtcNanos; value: SampleValue; quality: number } | undefined> {
  const heads = await headsBeside(pieces, store.headsBefore(point, at));
  const samples = joined([...pieces, ...(await load(store, point, heads))]);
  const end = lowerBound(samples.time, at + 1n);
  if (end === 0) return undefined;
  let start = end - 1;
  while (start > 0 && samples.time[start - 1] === samples.time[end - 1]) start--;
  const index = withoutRepeats(samples, start, end).at(-1)!;
  return { time: samples.time[index]!, value: valueAt(samples, index), quality: samples.quality[index]! & ~REPEAT_BIT };
}
