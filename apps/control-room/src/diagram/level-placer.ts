/** Columns and busbars of one voltage level: groups of busbars side by side, cells above and below them. Pure. */
import { asCoupler, type Shape, shapeOf } from './cell-shape.ts';
import type { Bar, Cell, Feeder, Level } from './cells.ts';
import { textWidth } from './sketch.ts';
import {
  barLabelWidth,
  END,
  type Inline,
  lanesOf,
  MARGIN,
  type Measures,
  type PlacedBar,
  type PlacedCell,
  type PlacedLevel,
  type Port,
  type Side,
  wordLanes,
} from './station-measures.ts';

/** A wire that comes down from a level above, to this end of a transformer or from it. */
export interface Stub {
  readonly feeder: Feeder;
  readonly x: number;
}

export interface Context {
  readonly sideOf: (cell: Cell) => Side;
  readonly measures: Measures;
  /** Room for the names of the first busbars, the same in every level. */
  readonly label: number;
  readonly above: readonly Stub[];
  /** Where the lower ends of transformers would stand. */
  readonly below: ReadonlyMap<string, number>;
}

export class LevelPlacer {
  readonly #level: Level;
  readonly #context: Context;
  readonly #cells: PlacedCell[] = [];
  readonly #inline: Inline[] = [];
  readonly #start = new Map<string, number>();

  constructor(level: Level, context: Context) {
    this.#level = level;
    this.#context = context;
    const { measures, label } = context;
    let x = MARGIN;
    for (const [at, group] of groupsOf(level).entries()) {
      for (const bar of group.bars) this.#start.set(bar.node, x);
      const begin = x + Math.max(at === 0 ? label : 96, ...group.bars.map(barLabelWidth));
      // First what looks up, where the transformers above want it; what hangs down keeps clear of its lanes. The name of
      // a busbar stands above it, so that below a single one there is room from its beginning.
      const below = group.bars.length === 1 ? x + END : begin;
      const ends = [this.#side(group, 'up', begin), this.#side(group, 'down', below)];
      x = Math.max(...ends, begin + 60) + 16;
      for (const cell of group.couplers) {
        const coupler = asCoupler(cell)!;
        const shape = shapeOf(cell);
        const { offsets, width } = lanesOf(shape, measures, '');
        // Each device with its name and position above it.
        const words = coupler.chain.map(({ equipment }) => textWidth(`${equipment.name} normally open`) + 12);
        const room = Math.max(width, 40 + words.reduce((sum, each) => sum + each, 0));
        this.#inline.push({ cell, ...coupler, x0: x, x1: x + room });
        this.#cells.push({ cell, shape, side: 'down', laneX: offsets.map((offset) => x + 20 + offset) });
        x += room + 24;
      }
    }
  }

  /** Places the cells of a group on one side of its busbars. @returns where the last one ends */
  #side(group: Group, side: Side, begin: number): number {
    const { sideOf, measures, above, below } = this.#context;
    const drafts = group.cells
      .filter((cell) => sideOf(cell) === side)
      .map((cell) => {
        const shape = shapeOf(cell);
        const { offsets, width } = lanesOf(shape, measures, cell.name);
        const wants = shape.feeders.flatMap(({ feeder, lane }) => {
          const x =
            side === 'down' ? below.get(feeder.equipment.mRID) : above.find((stub) => stub.feeder === feeder)?.x;
          return feeder.kind !== 'transformer' || x === undefined ? [] : [x - offsets[lane]!];
        });
        return { cell, shape, offsets, width, want: wants[0] };
      });
    // What wants a place, in the order of the places; the others fill the room before and between.
    const bound = drafts.filter(({ want }) => want !== undefined).sort((a, b) => a.want! - b.want!);
    const free = drafts.filter(({ want }) => want === undefined);
    let next = begin;
    while (bound.length || free.length) {
      const fits = free[0] && (!bound[0] || next + free[0].width + 22 <= bound[0].want!);
      const { cell, shape, offsets, width, want } = (fits ? free : bound).shift()!;
      let left = Math.max(next, want ?? 0);
      if (side === 'up') left = clear(left, shape, offsets, above);
      else if (this.#level.bars.length > 1) left = besideLanes(left, offsets, this.#cells);
      this.#cells.push({ cell, shape, side, laneX: offsets.map((offset) => left + offset) });
      next = left + width + 22;
    }
    return next;
  }

  placed(at: number): PlacedLevel {
    // A coupler lies in line where both busbars are in one row and nothing is between; else it is a U below them.
    let inline: readonly Inline[] = this.#inline;
    let bars = this.#bars(inline);
    for (let fits = inline; ; inline = fits) {
      bars = this.#bars(inline);
      fits = inline.filter((each) => liesInLine(each, bars));
      if (fits.length === inline.length) break;
    }
    const lying = new Set(inline.map(({ cell }) => cell));
    const cells = this.#cells.filter(({ cell }) => !lying.has(cell));
    const rowsOf = (side: Side) => Math.max(0, ...cells.filter((each) => each.side === side).map((c) => c.shape.rows));
    const ports = cells.flatMap((cell) => {
      const words = wordLanes(cell.shape, this.#context.measures);
      return cell.shape.feeders.map(({ feeder, lane, row }): Port => {
        const beside = words.get(lane);
        const port = { feeder, x: cell.laneX[lane]!, level: at, side: cell.side, row, cell };
        return beside ? { ...port, wordsX: cell.laneX[beside.lane]! } : port;
      });
    });
    return {
      level: this.#level,
      cells,
      inline,
      bars,
      ports,
      top: 0,
      rows: 1 + Math.max(0, ...[...bars.values()].map(({ row }) => row)),
      upRows: rowsOf('up'),
      downRows: rowsOf('down'),
    };
  }

  /** Busbars as long as what hangs at them, each in the first row where it lies on no other. */
  #bars(inline: readonly Inline[]): Map<string, PlacedBar> {
    const reach = new Map<string, number[]>(this.#level.bars.map(({ node }) => [node, []]));
    const lying = new Set(inline.map(({ cell }) => cell));
    for (const { cell, shape, laneX } of this.#cells) {
      if (lying.has(cell)) continue;
      for (const { upper, upperRow, lane } of shape.legs) if (upperRow === 0) reach.get(upper)?.push(laneX[lane]!);
      for (const { feeder, lane, row } of shape.feeders) if (row === 0) reach.get(feeder.node)?.push(laneX[lane]!);
    }
    // The one busbar reaches the coupler from the left, the other from the right.
    for (const { from, to, x0, x1 } of inline) {
      const [left, right] = this.#start.get(from)! < this.#start.get(to)! ? [from, to] : [to, from];
      reach.get(left)?.push(x0 - END);
      reach.get(right)?.push(x1 + END);
    }
    const placed = new Map<string, PlacedBar>();
    const rows: PlacedBar[][] = [];
    for (const bar of this.#level.bars) {
      const list = reach.get(bar.node)!;
      const start = this.#start.get(bar.node) ?? MARGIN;
      const x1 = Math.max(start + barLabelWidth(bar), ...list.map((x) => x + END));
      const x0 = Math.min(start, ...list.map((x) => x - END));
      let row = rows.findIndex((row) => row.every((each) => each.x1 + 12 <= x0 || x1 + 12 <= each.x0));
      if (row < 0) row = rows.push([]) - 1;
      const done = { bar, x0, x1, row };
      rows[row]!.push(done);
      placed.set(bar.node, done);
    }
    return placed;
  }
}

function liesInLine({ from, to, x0, x1 }: Inline, bars: ReadonlyMap<string, PlacedBar>): boolean {
  const [a, b] = [bars.get(from)!, bars.get(to)!];
  const [left, right] = a.x0 <= b.x0 ? [a, b] : [b, a];
  if (left.row !== right.row || left.x1 > x0 + 1 || right.x0 < x1 - 1) return false;
  return [...bars.values()].every((each) => each.row !== left.row || each.x1 <= x0 + 1 || each.x0 >= x1 - 1);
}

/** Moves a cell to the right until none of its wires upward comes up where another one comes down. */
function clear(left: number, shape: Shape, offsets: readonly number[], stubs: readonly Stub[]): number {
  let at = left;
  const mine = shape.feeders.filter(({ feeder }) => feeder.kind === 'transformer');
  const collides = () =>
    mine.some(({ feeder, lane }) =>
      stubs.some((stub) => {
        // The wires of one symbol with three rings come down close together.
        const apart = stub.feeder.equipment === feeder.equipment ? 12 : 26;
        return stub.feeder !== feeder && Math.abs(stub.x - (at + offsets[lane]!)) < apart;
      }),
    );
  for (let tries = 0; tries < 1000 && collides(); tries++) at += 13;
  return at;
}

/**
 * Moves a cell below the busbars to the right until none of its lanes stands right under one of a cell above them: legs to
 * different busbars would run along each other between these.
 */
function besideLanes(left: number, offsets: readonly number[], cells: readonly PlacedCell[]): number {
  const above = cells.flatMap(({ side, laneX }) => (side === 'up' ? laneX : []));
  let at = left;
  for (let tries = 0; tries < 1000; tries++) {
    if (!offsets.some((offset) => above.some((x) => Math.abs(x - at - offset) < 9))) break;
    at += 10;
  }
  return at;
}

interface Group {
  readonly bars: Bar[];
  readonly cells: Cell[];
  /** Couplers to the groups that follow. */
  readonly couplers: Cell[];
}

/** Busbars that share a bay belong together; groups stand side by side, in the order of their names. */
function groupsOf(level: Level): Group[] {
  const groupOf = new Map<string, Group>();
  const groups: Group[] = [];
  for (const bar of level.bars) {
    const group: Group = { bars: [bar], cells: [], couplers: [] };
    groups.push(group);
    groupOf.set(bar.node, group);
  }
  const join = (a: Group, b: Group): void => {
    if (a === b) return;
    const [first, second] = groups.indexOf(a) < groups.indexOf(b) ? [a, b] : [b, a];
    first.bars.push(...second.bars);
    for (const bar of second.bars) groupOf.set(bar.node, first);
    groups.splice(groups.indexOf(second), 1);
  };
  for (const cell of level.cells) {
    if (asCoupler(cell)) continue;
    const [first, ...others] = cell.bars;
    for (const each of others) join(groupOf.get(first!)!, groupOf.get(each)!);
  }
  for (const cell of level.cells) {
    const coupler = asCoupler(cell);
    const own = cell.bars.map((node) => groupOf.get(node)!);
    const leftmost = groups[Math.min(...own.map((group) => groups.indexOf(group)))] ?? groups[0];
    if (!leftmost) continue;
    if (coupler && new Set(own).size === 2) leftmost.couplers.push(cell);
    else leftmost.cells.push(cell);
  }
  for (const group of groups) {
    const last = (cell: Cell) => level.bars.findIndex(({ node }) => node === cell.bars.at(-1));
    // Bays before couplers; where there are more than two busbars, those at the same one stay together.
    const rank = (cell: Cell) => (cell.feeders.length ? 0 : 1);
    const order = new Map(group.cells.map((cell, at) => [cell, at]));
    group.cells.sort(
      (a, b) => rank(a) - rank(b) || (group.bars.length > 2 ? last(a) - last(b) : 0) || order.get(a)! - order.get(b)!,
    );
  }
  return groups;
}
