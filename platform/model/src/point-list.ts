/** Lists of points as policies write them: names with `*`, mRIDs, or whole endpoints. */
import type { Point } from './point.ts';

export type PointMatcher = (point: Pick<Point, 'mRID' | 'name'>, endpoint: string) => string | undefined;

/**
 * @param list point names with `*`, mRIDs, `endpoint:<id>`; upper and lower case are the same
 * @returns finds the entry that names a point, the first if there are several
 */
export function pointMatcher(list: readonly string[]): PointMatcher {
  const rules = list.map((entry) => {
    const parts = entry.split('*').map((part) => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&'));
    return { entry, pattern: new RegExp(`^${parts.join('.*')}$`, 'i') };
  });
  return ({ name, mRID }, endpoint) =>
    rules.find(({ pattern }) => pattern.test(name) || pattern.test(mRID) || pattern.test(`endpoint:${endpoint}`))
      ?.entry;
}
