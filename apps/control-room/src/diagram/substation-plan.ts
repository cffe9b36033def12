/**
 * Where everything of a substation stands: busbars in rows, cells in columns above and below them, transformers between
 * the voltage levels, and channels in which their wires run to the columns they belong to. Nothing is drawn here. Pure.
 */
import type { Cell, Level } from './cells.ts';
import { LevelPlacer, type Stub } from './level-placer.ts';
import { textWidth } from './sketch.ts';
import {
  BAR_STEP,
  barLabelWidth,
  END_ZONE,
  GAP,
  MARGIN,
  type Measures,
  type PlacedLevel,
  type Side,
  short,
  TRACK,
  type TransformerPlan,
  widthOf,
} from './station-measures.ts';
import { type Net, routeNets, transformerEnds, transformersOf } from './transformer-wires.ts';

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
