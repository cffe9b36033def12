/** History as a chart needs it: one column of times, and for each point a good and a doubtful line with honest holes. */
import type { BucketHistory, History, HistoryGap, Sample } from '../../api/types.ts';
import { isBad } from '../../format/quality.ts';

export type Series = readonly Sample[];

export const fromBuckets = (history: BucketHistory): Sample[] =>
  history.buckets.map(([start, , , , mean, last, quality]) => [start, mean ?? last, quality]);
export const fromHistory = (history: History): readonly Sample[] => history.samples;

/** Samples with a `null` set into every gap, so that no line is drawn where nothing is known. */
export function withGaps(samples: Series, gaps: readonly HistoryGap[]): Sample[] {
  const holes = gaps.map((gap): Sample => [(Date.parse(gap.from) + Date.parse(gap.to)) / 2, null, 0]);
  return [...samples, ...holes].sort((a, b) => a[0] - b[0]);
}

/** Columns for uPlot: seconds, good values, doubtful values. A doubtful piece reaches to its good neighbours. */
export function columns(samples: Series, factor: number): [number[], (number | null)[], (number | null)[]] {
  const times: number[] = [];
  const good: (number | null)[] = [];
  const bad: (number | null)[] = [];
  samples.forEach(([at, value, quality], index) => {
    const number = typeof value === 'number' ? value * factor : null;
    const doubtful = number !== null && isBad(quality);
    const beside = [samples[index - 1], samples[index + 1]].some(
      (other) => other && typeof other[1] === 'number' && isBad(other[2]),
    );
    times.push(at / 1000);
    good.push(doubtful ? null : number);
    bad.push(doubtful || (number !== null && beside) ? number : null);
  });
  return [times, good, bad];
}

/** Seconds per bucket for a range on a screen of so many dots; 0 = raw samples. */
export function bucketFor(millis: number): number {
  if (millis <= 2 * 3_600_000) return 0;
  const wanted = millis / 1000 / 1200;
  return [10, 30, 60, 300, 600, 1800, 3600, 21_600, 86_400].find((step) => step >= wanted) ?? 86_400;
}
