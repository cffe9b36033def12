/** Sizes of a substation's display, what is placed on it, and how much room words take. */
import type { asCoupler, Shape } from './cell-shape.ts';
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
export const BAR_STEP = 36;
export const GAP = 30;
export const MARGIN = 44;
/** By how much a busbar reaches beyond what hangs at its end. */
export const END = 20;
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

export const widthOf = (feeder: Feeder, measures: Measures): number =>
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
export function wordLanes(
  shape: Shape,
  measures: Measures,
): Map<number, { readonly feeder: Feeder; readonly lane: number }> {
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
export function lanesOf(
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
