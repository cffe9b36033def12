/** Ring closures: from column to column along the gutters between them, or in lanes below everything. */
import type { XY } from './drawing.ts';
import { type Chain, reversed } from './graph.ts';
import type { Sketch } from './sketch.ts';

export interface TieEnd extends XY {
  readonly hub: string;
  readonly column: number;
  /** Leaves straight down, because nothing follows in the column. */
  readonly down: boolean;
  /** Stands on a primary busbar. */
  readonly primary: boolean;
}

export interface TieSpace {
  readonly columnX: readonly number[];
  /** Right edge of the last column. */
  readonly right: number;
  /** Lower edge of everything drawn so far. */
  readonly bottom: number;
  endOf(tie: Chain, hub: string): TieEnd | undefined;
}

const LANE = 24;

/** @returns the lower edge with the ties */
export function drawTies(sketch: Sketch, ties: readonly Chain[], space: TieSpace): number {
  let lane = space.bottom + 28;
  let bottom = space.bottom;
  const uses = new Map<number, number>();
  /** An own vertical in the gutter left of a column. */
  const gutter = (column: number): number => {
    const used = uses.get(column) ?? 0;
    uses.set(column, used + 1);
    return (space.columnX[column] ?? space.right) - 20 - 10 * (used % 3);
  };
  for (const tie of ties) {
    const [from, to] = [space.endOf(tie, tie.from), space.endOf(tie, tie.to)];
    if (!from || !to) continue;
    const [left, right, chain] = from.column <= to.column ? [from, to, tie] : [to, from, reversed(tie)];
    const adjacent = right.column - left.column === 1;
    let path: XY[];
    if (adjacent && left.down && right.down) {
      const y = Math.max(left.y, right.y) + 40;
      path = [left, { x: left.x, y }, { x: right.x, y }, right];
      lane = Math.max(lane, y + LANE);
    } else if (adjacent && left.down && right.y >= left.y + LANE) {
      path = [left, { x: left.x, y: right.y }, right];
    } else if (adjacent && right.down && left.y >= right.y + LANE) {
      path = [left, { x: right.x, y: left.y }, right];
    } else if (adjacent) {
      const x = gutter(right.column);
      const [a, b] = [left.down ? left.y + 16 : left.y, right.down ? right.y + 16 : right.y];
      path = [left, { x: left.x, y: a }, { x, y: a }, { x, y: b }, { x: right.x, y: b }, right];
    } else {
      const toLane = (end: TieEnd, column: number): XY[] => (end.down ? [end] : [end, { x: gutter(column), y: end.y }]);
      const a = toLane(left, left.column + 1);
      const b = toLane(right, left.column === right.column ? right.column + 1 : right.column);
      path = [...a, { x: a.at(-1)!.x, y: lane }, { x: b.at(-1)!.x, y: lane }, ...b.reverse()];
      lane += LANE;
    }
    for (const end of [left, right])
      if (!end.down || end.primary) sketch.dots.push({ x: end.x, y: end.y, node: end.hub });
    sketch.chain(
      chain.from,
      chain.links,
      path.map(({ x, y }) => ({ x, y })),
      26,
      'tie',
    );
    bottom = Math.max(bottom, ...path.map((point) => point.y));
  }
  return bottom;
}
