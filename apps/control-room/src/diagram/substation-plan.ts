/**
 * Where everything of a substation stands: busbars in rows, cells in columns above and below them, transformers between
 * the voltage levels, and channels in which their wires run to the columns they belong to. Nothing is drawn here. Pure.
 */

import { asCoupler, type Shape, shapeOf } from './cell-shape.ts';
import type { Bar, Cell, Feeder, Level } from './cells.ts';
import { injectionKind } from './equipment.ts';
import { nameWidth, textWidth } from './sketch.ts';

export interface Measures {
  /** Distance of two lanes of a cell, and of two of its rows. */
  readonly lane: number;
  readonly step: number;
  /** Width that a feeder's words have at least. */
  readonly words: number;
}
export const SUBSTATION: Measures = { lane: 36, step: 46, words: 128 };
/** A bay alone: room for the name and the values of every switch. */
export const BAY: Measures = { lane: 190, step: 76, words: 230 };

/** From the middle of a symbol with three rings to its two wires below. */
export const THREE = 10;
const BAR_STEP = 36;
const GAP = 30;
const MARGIN = 44;
/** By how much a busbar reaches beyond what hangs at its end. */
const END = 20;
/** Below the cells: arrows and symbols with their words. */
export const END_ZONE = 78;
export const TRACK = 14;
/** Letters of a name beside a symbol. */
export const LETTERS = 22;

export type Side = 'up' | 'down';
/** The end of a cell's feeder on the drawing. */
export interface Port {
  readonly feeder: Feeder;
  readonly x: number;
  readonly level: number;
  readonly side: Side;
  /** Row of the node that it leaves, 0 for a busbar. */
  readonly row: number;
  readonly cell: PlacedCell;
  /** From where to the right its words stand; none where there is no room for any. */
  readonly wordsX?: number;
}
export interface PlacedCell {
  readonly cell: Cell;
  readonly shape: Shape;
  readonly side: Side;
  readonly laneX: readonly number[];
}
/** A coupler in line with the busbars that it joins. */
export interface Inline {
  readonly cell: Cell;
  readonly from: string;
  readonly to: string;
  readonly chain: NonNullable<ReturnType<typeof asCoupler>>['chain'];
  readonly x0: number;
  readonly x1: number;
}
export interface PlacedBar {
  readonly bar: Bar;
  readonly x0: number;
  readonly x1: number;
  readonly row: number;
}
export interface PlacedLevel {
  readonly level: Level;
  readonly cells: readonly PlacedCell[];
  readonly inline: readonly Inline[];
  readonly bars: ReadonlyMap<string, PlacedBar>;
  readonly ports: readonly Port[];
  /** Heights of the busbar rows, filled in when all are placed. */
  readonly top: number;
  readonly rows: number;
  readonly upRows: number;
  readonly downRows: number;
}

/** A transformer: its symbol stands below the cell of its highest end; wires run from there to the others. */
export interface TransformerPlan {
  readonly equipment: string;
  readonly symbol: Port;
  readonly others: readonly Port[];
}

const widthOf = (feeder: Feeder, measures: Measures): number =>
  Math.max(
    measures.words,
    nameWidth(short(feeder.name)) + 24,
    feeder.towards ? textWidth(short(feeder.towards)) + 34 : 0,
  );
export const short = (name: string): string =>
  name.length > LETTERS ? `${name.slice(0, LETTERS - 1).trimEnd()}…` : name;
export const barLabelWidth = (bar: Bar): number => nameWidth(short(bar.name)) + 92;

const isNarrow = (feeder: Feeder, measures: Measures): boolean =>
  measures !== BAY && injectionKind(feeder.equipment) === 'earth' && feeder.kind === 'injection';

/**
 * The lane at whose right the words of each feeder stand: its own, or that of the last earthing switch beside it. Earthing
 * switches have words only where there is room, in the display of a bay.
 */
function wordLanes(shape: Shape, measures: Measures): Map<number, { readonly feeder: Feeder; readonly lane: number }> {
  const found = new Map<number, { feeder: Feeder; lane: number }>();
  let last: { feeder: Feeder; lane: number } | undefined;
  for (const { feeder, lane } of [...shape.feeders].sort((a, b) => a.lane - b.lane)) {
    if (isNarrow(feeder, measures)) {
      if (last?.lane === lane - 1) last.lane = lane;
      continue;
    }
    last = { feeder, lane };
    found.set(lane, last);
  }
  return found;
}

/** Offsets of the lanes of a cell from its left edge, and its width with the words of its feeders. */
function lanesOf(
  shape: Shape,
  measures: Measures,
  name: string,
): { readonly offsets: number[]; readonly width: number } {
  const offsets: number[] = [];
  const wide = new Map(
    [...wordLanes(shape, measures).values()].map(({ feeder, lane }) => [lane, widthOf(feeder, measures)]),
  );
  let x = 0;
  for (let lane = 0; lane < Math.max(1, shape.lanes); lane++) {
    offsets.push(x);
    x += Math.max(measures.lane, wide.get(lane) ?? 0);
  }
  // The name of the bay stands at its head, right of the last leg to a busbar.
  const legs = shape.legs.filter(({ lowerRow }) => lowerRow === 1).map(({ lane }) => offsets[lane]!);
  const named = legs.length ? Math.max(...legs) + 24 + Math.min(textWidth(short(name)), 130) : 0;
  return { offsets, width: Math.max(x, named) };
}

export class SubstationPlan {
  readonly levels: readonly PlacedLevel[];
  readonly transformers: readonly TransformerPlan[];
  readonly measures: Measures;
  readonly nets: readonly Net[];
  readonly width: number;
  readonly height: number;
  readonly #tracks: readonly number[];

  constructor(levels: readonly Level[], measures: Measures) {
    this.measures = measures;
    const sideOf = sides(levels);
    // Once from the bottom up to learn where the lower ends would stand, then from the top down: so that transformers
    // stand above what they feed, and most of their wires run straight.
    const label = Math.max(96, ...levels.flatMap(({ bars }) => bars.slice(0, 1).map(barLabelWidth)));
    const ends = transformerEnds(levels, sideOf);
    const below = new Map<string, number>();
    for (const level of [...levels].reverse()) {
      const { ports } = new LevelPlacer(level, { sideOf, measures, label, above: [], below }).placed(0);
      for (const { feeder, side, x } of ports)
        if (feeder.kind === 'transformer' && side === 'up')
          below.set(feeder.equipment.mRID, x - (ends.get(feeder)?.dx ?? 0));
    }
    const placed: PlacedLevel[] = [];
    const above: Stub[] = [];
    levels.forEach((level, at) => {
      const done = new LevelPlacer(level, { sideOf, measures, label, above, below }).placed(at);
      placed.push(done);
      for (const { feeder, side, x } of done.ports) {
        if (feeder.kind !== 'transformer' || side !== 'down') continue;
        const own = ends.get(feeder)!;
        if (own.symbol) for (const other of own.others) above.push({ feeder: other, x: x + ends.get(other)!.dx });
        else above.push({ feeder, x });
      }
    });
    this.transformers = transformersOf(placed);
    const right = Math.max(
      MARGIN + 200,
      ...placed.flatMap(({ bars, cells, ports }) => [
        ...[...bars.values()].map(({ x1 }) => x1),
        ...cells.map(({ laneX }) => laneX.at(-1)! + measures.lane),
        ...cells.map(({ cell, laneX }) => laneX[0]! + 24 + Math.min(textWidth(short(cell.name)), 130)),
        ...ports.map(({ feeder, x, wordsX }) => (wordsX === undefined ? x + 24 : wordsX + widthOf(feeder, measures))),
      ]),
    );
    const routed = routeNets(this.transformers, placed.length, right);
    this.nets = routed.nets;
    this.#tracks = routed.tracks;
    this.width = right + MARGIN + routed.passing * TRACK;
    const { levels: done, height } = heights(placed, measures, routed.tracks);
    this.levels = done;
    this.height = height;
  }

  /** Height of a track in the channel above a level; that below the last has the number of levels. */
  trackY(channel: number, track: number): number {
    const above = this.levels[channel - 1];
    const from = above ? this.#bottom(above) + 14 : MARGIN / 2;
    return from + TRACK * Math.min(track, this.#tracks[channel]!);
  }

  #bottom(level: PlacedLevel): number {
    const hangs = level.cells.some(({ side }) => side === 'down');
    return hangs ? this.endY(level, 'down') + END_ZONE : this.barY(level, level.rows - 1) + 16;
  }

  /** Height of the row of busbars in a level. */
  barY(level: PlacedLevel, row: number): number {
    return level.top + row * BAR_STEP;
  }

  /** Height of a row of a cell; 0 is the nearest row of busbars. */
  rowY(level: PlacedLevel, side: Side, row: number): number {
    const { step } = this.measures;
    return side === 'down'
      ? this.barY(level, level.rows - 1) + GAP + row * step
      : this.barY(level, 0) - GAP - row * step - 16;
  }

  /** Where the cells of a side end and their symbols begin. */
  endY(level: PlacedLevel, side: Side): number {
    const rows = side === 'down' ? level.downRows : level.upRows;
    const away = side === 'down' ? 14 : -14;
    return this.rowY(level, side, rows) + away;
  }
}

/** Couplers and cells without a transformer go by their level; one with a transformer looks towards its other ends. */
function sides(levels: readonly Level[]): (cell: Cell) => Side {
  /** Where the first end of a transformer is, from the top. */
  const highest = new Map<string, number>();
  const levelOf = new Map<Cell, number>();
  levels.forEach((level, at) => {
    for (const cell of level.cells) {
      levelOf.set(cell, at);
      for (const { equipment } of cell.feeders) if (!highest.has(equipment.mRID)) highest.set(equipment.mRID, at);
    }
  });
  const own = levels.flatMap(({ cells }) => cells).filter(({ feeders }) => feeders.length);
  const isLine = ({ feeders }: Cell) => feeders[0]?.kind === 'exit';
  const mixed = own.some(isLine) && !own.every(isLine);
  return (cell) => {
    const at = levelOf.get(cell) ?? 0;
    const transformers = cell.feeders.filter(({ kind }) => kind === 'transformer');
    // Where the symbol is to stand there must be room below.
    if (transformers.some(({ equipment }) => highest.get(equipment.mRID) === at)) return 'down';
    if (transformers.length) return 'up';
    if (cell.feeders.length === 0) return 'down';
    if (levels.length > 1) return at === 0 ? 'up' : 'down';
    if (mixed) return isLine(cell) ? 'up' : 'down';
    return own.length > 8 && own.indexOf(cell) % 2 === 1 ? 'up' : 'down';
  };
}

/** A wire that comes down from a level above, to this end of a transformer or from it. */
interface Stub {
  readonly feeder: Feeder;
  readonly x: number;
}

/** The end of a transformer below which its symbol stands, and from where on the symbol wires run to the others. */
interface TransformerEnd {
  readonly symbol: boolean;
  /** Of the others, in order; empty for one of them. */
  readonly others: readonly Feeder[];
  readonly dx: number;
}

function transformerEnds(levels: readonly Level[], sideOf: (cell: Cell) => Side): ReadonlyMap<Feeder, TransformerEnd> {
  const found = new Map<string, EndPlace[]>();
  levels.forEach((level, at) => {
    for (const cell of level.cells)
      for (const feeder of cell.feeders) {
        if (feeder.kind !== 'transformer') continue;
        const { mRID } = feeder.equipment;
        found.set(mRID, [...(found.get(mRID) ?? []), { feeder, level: at, side: sideOf(cell) }]);
      }
  });
  const ends = new Map<Feeder, TransformerEnd>();
  for (const list of found.values()) {
    const [symbol, ...others] = list.sort(bySymbol).map(({ feeder }) => feeder);
    ends.set(symbol!, { symbol: true, others, dx: 0 });
    for (const [at, other] of others.entries())
      ends.set(other, { symbol: false, others: [], dx: besides(at, others.length) });
  }
  return ends;
}

interface EndPlace {
  readonly feeder: Feeder;
  readonly level: number;
  readonly side: Side;
}
/** The symbol of a transformer stands at the first end in this order. */
const bySymbol = (a: EndPlace, b: EndPlace): number =>
  a.level - b.level || (a.side === b.side ? 0 : a.side === 'down' ? -1 : 1) || a.feeder.terminal - b.feeder.terminal;
/** From the middle of a symbol to where the wire to the n-th of its other ends leaves it. */
const besides = (at: number, others: number): number => (others === 1 ? 0 : at === 0 ? -THREE : THREE);

interface Context {
  readonly sideOf: (cell: Cell) => Side;
  readonly measures: Measures;
  /** Room for the names of the first busbars, the same in every level. */
  readonly label: number;
  readonly above: readonly Stub[];
  /** Where the lower ends of transformers would stand. */
  readonly below: ReadonlyMap<string, number>;
}

class LevelPlacer {
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
      // First what looks up, where the transformers above want it; what hangs down keeps clear of its lanes.
      const ends = (['up', 'down'] as const).map((side) => this.#side(group, side, begin));
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

/** Heights from top to bottom: room for what goes up, the busbars, what goes down, and the channel below. */
function heights(
  levels: readonly PlacedLevel[],
  { step }: Measures,
  tracks: readonly number[],
): { readonly levels: PlacedLevel[]; readonly height: number } {
  let y = MARGIN / 2 + TRACK * tracks[0]!;
  const placed = levels.map((level, at) => {
    const has = (side: Side) => level.cells.some((cell) => cell.side === side);
    if (has('up')) {
      const ends = level.ports.some(({ side, feeder }) => side === 'up' && feeder.kind !== 'transformer');
      y += (ends ? END_ZONE : 14) + 14 + level.upRows * step + GAP + 16;
    } else y += 34;
    const top = y;
    y += (level.rows - 1) * BAR_STEP;
    y += has('down') ? GAP + level.downRows * step + 14 + END_ZONE : 16;
    y += 14 + TRACK * tracks[at + 1]!;
    return { ...level, top };
  });
  return { levels: placed, height: y + 10 };
}

/** A wire from a transformer to the cell of another of its ends. */
export interface Net {
  readonly equipment: string;
  readonly symbol: Port;
  readonly end: Port;
  /** From the middle of the symbol to where the wire leaves it. */
  readonly dx: number;
  /** Tracks of its horizontal pieces; none where it runs straight down. */
  readonly first?: { readonly channel: number; readonly track: number };
  readonly last?: { readonly channel: number; readonly track: number };
  /** Where it passes levels in between. */
  readonly passX?: number;
}

/** Gives every horizontal piece a track of its channel in which nothing else lies. */
function routeNets(
  transformers: readonly TransformerPlan[],
  levels: number,
  right: number,
): { readonly nets: readonly Net[]; readonly tracks: readonly number[]; readonly passing: number } {
  const taken: [from: number, to: number][][][] = Array.from({ length: levels + 1 }, () => []);
  const track = (channel: number, from: number, to: number): { channel: number; track: number } => {
    const [low, high] = [Math.min(from, to) - 6, Math.max(from, to) + 6];
    const rows = taken[channel]!;
    let at = rows.findIndex((row) => row.every(([a, b]) => b <= low || high <= a));
    if (at < 0) at = rows.push([]) - 1;
    rows[at]!.push([low, high]);
    return { channel, track: at };
  };
  let passing = 0;
  const nets = transformers.flatMap(({ equipment, symbol, others }) =>
    others.map((end, index): Net => {
      const dx = besides(index, others.length);
      const from = symbol.x + dx;
      const [out, into] = [symbol.level + 1, end.side === 'up' ? end.level : end.level + 1];
      const net = { equipment, symbol, end, dx };
      if (out === into && end.side === 'up' && Math.abs(from - end.x) < 0.5) return net;
      if (out === into) {
        const only = track(out, from, end.x);
        return { ...net, first: only, last: only };
      }
      passing += 1;
      const passX = right + TRACK * passing;
      return { ...net, first: track(out, from, passX), last: track(into, passX, end.x), passX };
    }),
  );
  return { nets, tracks: taken.map((rows) => rows.length), passing };
}

function transformersOf(levels: readonly PlacedLevel[]): TransformerPlan[] {
  const ports = new Map<string, Port[]>();
  for (const { ports: own } of levels) {
    for (const port of own) {
      if (port.feeder.kind !== 'transformer') continue;
      const { mRID } = port.feeder.equipment;
      ports.set(mRID, [...(ports.get(mRID) ?? []), port]);
    }
  }
  return [...ports].flatMap(([equipment, list]) => {
    const [symbol, ...others] = [...list].sort(bySymbol);
    return symbol ? [{ equipment, symbol, others }] : [];
  });
}
