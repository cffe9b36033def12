/** The filter of the point browser: words that must all occur, and exact choices. */
import type { PointInfo } from '../../api/types.ts';

export interface PointFilter {
  readonly text: string;
  readonly kind: string;
  readonly source: string;
}

const haystacks = new WeakMap<PointInfo, string>();
function haystack(point: PointInfo): string {
  let text = haystacks.get(point);
  if (text === undefined) {
    text = [
      point.name,
      point.description,
      point.measurementType,
      point.endpoint,
      point.address,
      point.source,
      point.mRID,
    ]
      .join('\n')
      .toLocaleLowerCase();
    haystacks.set(point, text);
  }
  return text;
}

export function filterPoints(points: readonly PointInfo[], filter: PointFilter): PointInfo[] {
  const words = filter.text.toLocaleLowerCase().split(/\s+/).filter(Boolean);
  return points.filter(
    (point) =>
      (!filter.kind || point.kind === filter.kind) &&
      (!filter.source || point.source === filter.source) &&
      words.every((word) => haystack(point).includes(word)),
  );
}
