/** Collects the shapes of a drawing: puts equipment in series along a path, with its symbol, label, values and target. */
import type {
  Box,
  Dot,
  Drawing,
  Exit,
  InjectionSymbol,
  Label,
  LoadingBar,
  SeriesSymbol,
  Slot,
  SwitchSymbol,
  Target,
  TransformerSymbol,
  Wire,
  XY,
} from './drawing.ts';
import { along, pathLength, slice } from './drawing.ts';
import { type Equipment, injectionKind, isLine, isSwitch, isTransformer, switchKind, tapEnd } from './equipment.ts';
import { hasLine, type Injection, type Link } from './graph.ts';

/**
 * How equipment stands along a path: `feeder` under a primary busbar, `line` between stations, `stub` to a load, `tie`
 * that closes a ring, `coupler` between busbars, `centre` with the transformer in the middle.
 */
export type SeriesStyle = 'feeder' | 'line' | 'stub' | 'tie' | 'coupler' | 'centre';

/** Sizes of the drawing's words, as in `style/diagram.css`. */
const TEXT_SIZE = 15;
/** Letters by their width in Inter, in parts of the size; a letter that is not named is as wide as most are. */
const WIDTHS: readonly (readonly [letters: RegExp, width: number])[] = [
  [/[ iIjlìíîï.,:;'|!]/, 0.3],
  [/[()[\]/\\ftr-]/, 0.42],
  [/[mwMW@%…]/, 0.93],
  [/[A-ZÄÖÜ]/, 0.73],
];
const OTHERS = 0.6;
const ems = (text: string): number =>
  [...text].reduce((sum, letter) => sum + (WIDTHS.find(([letters]) => letters.test(letter))?.[1] ?? OTHERS), 0);

/** Width of a text of the drawing, estimated from its letters: the same on every machine. */
export const textWidth = (text: string): number => Math.ceil(ems(text) * TEXT_SIZE);
/** The same for the bold names. */
export const nameWidth = (text: string): number => Math.ceil(ems(text) * TEXT_SIZE * 1.03);

/** Distance between two symbols in series. */
export const SYMBOL_STEP = 24;
/** From the centre of a transformer to the next symbol. */
const TRANSFORMER_REACH = 42;

/** The height that a chain with a transformer needs between two busbars. */
export function transformerHeight(links: readonly Link[]): number {
  return 2 * TRANSFORMER_REACH + 2 * 26 + SYMBOL_STEP * Math.max(0, links.length - 3);
}

export class Sketch {
  readonly wires: Wire[] = [];
  readonly dots: Dot[] = [];
  readonly labels: Label[] = [];
  readonly slots: Slot[] = [];
  readonly targets: Target[] = [];
  readonly switches: SwitchSymbol[] = [];
  readonly transformers: TransformerSymbol[] = [];
  readonly injections: InjectionSymbol[] = [];
  readonly series: SeriesSymbol[] = [];
  readonly exits: Exit[] = [];
  readonly boxes: Box[] = [];
  readonly bars: LoadingBar[] = [];

  drawing(width: number, height: number): Drawing {
    return {
      width,
      height,
      wires: this.wires,
      switches: this.switches,
      transformers: this.transformers,
      injections: this.injections,
      series: this.series,
      exits: this.exits,
      boxes: this.boxes,
      dots: this.dots,
      labels: this.labels,
      slots: this.slots,
      bars: this.bars,
      targets: this.targets,
    };
  }

  injection(
    injection: Injection,
    spot: XY,
    direction: InjectionSymbol['direction'],
    node: string,
    target: Omit<Target, 'equipment'>,
  ): void {
    const { x, y } = spot;
    this.injections.push({ equipment: injection.mRID, kind: injectionKind(injection), x, y, direction, node });
    this.targets.push({ equipment: injection.mRID, ...target });
  }

  /**
   * @param from the node at the start of the path
   * @param lead how far from the start the first switch stands
   * @param name of the feeder, when its head carries one
   */
  chain(
    from: string,
    links: readonly Link[],
    path: readonly XY[],
    lead: number,
    style: SeriesStyle,
    name?: string,
  ): void {
    const length = pathLength(path);
    const at = positions(links, length, lead, style);
    let node = from;
    let done = 0;
    links.forEach((link, index) => {
      const [start, end] = at[index]!;
      if (start > done) this.wires.push({ path: slice(path, done, start), kind: 'wire', node });
      const spot = along(path, (start + end) / 2);
      if (isLine(link.equipment)) this.#line(link, slice(path, start, end), style);
      else if (isSwitch(link.equipment)) this.#switch(link, spot, style, index === 0 ? name : undefined);
      else if (isTransformer(link.equipment)) this.#transformer(link, spot, node);
      else this.#inSeries(link, spot, node);
      done = end;
      node = link.node;
    });
    if (length > done) this.wires.push({ path: slice(path, done, length), kind: 'wire', node });
  }

  #line({ equipment, entry }: Link, path: readonly XY[], style: SeriesStyle): void {
    const { mRID, name } = equipment;
    this.wires.push({ path, kind: 'wire', equipment: mRID });
    const piece = longestPiece(path);
    const [a, b] = piece;
    const inset = 10;
    const vertical = a.x === b.x;
    this.targets.push(
      vertical
        ? {
            equipment: mRID,
            name,
            x: a.x - 6,
            y: Math.min(a.y, b.y) + inset,
            width: 12,
            height: Math.max(4, Math.abs(a.y - b.y) - 2 * inset),
          }
        : {
            equipment: mRID,
            name,
            x: Math.min(a.x, b.x) + inset,
            y: a.y - 6,
            width: Math.max(4, Math.abs(a.x - b.x) - 2 * inset),
            height: 12,
          },
    );
    if (style !== 'line') return;
    const middle = { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 };
    const spot = vertical ? { x: middle.x + 12, y: middle.y + 4 } : { x: middle.x - 16, y: middle.y + 14 };
    const near = equipment.terminals[entry]?.mRID;
    this.slots.push({ ...spot, equipment: [...(near ? [near] : []), mRID], roles: ['I'], anchor: 'start' });
  }

  #switch({ equipment }: Link, spot: XY & { vertical: boolean }, style: SeriesStyle, feeder: string | undefined): void {
    if (!isSwitch(equipment)) return;
    const { x, y, vertical } = spot;
    const { mRID, name, normalOpen } = equipment;
    const atHead = style === 'feeder' && feeder !== undefined;
    const place = atHead ? 'head' : vertical ? 'right' : style === 'tie' ? 'over' : 'above';
    const kind = switchKind(equipment);
    const named = normalOpen || style === 'coupler';
    this.switches.push({ x, y, equipment: mRID, name, kind, normalOpen, place, named });
    this.targets.push(
      style === 'feeder' && feeder
        ? {
            equipment: mRID,
            name: `${feeder} · ${name}`,
            x: x - 10,
            y: y - 13,
            width: 26 + Math.max(nameWidth(feeder), 126),
            height: 42,
          }
        : { equipment: mRID, name, x: x - 10, y: y - 10, width: 20, height: 20 },
    );
  }

  #inSeries({ equipment }: Link, spot: XY & { vertical: boolean }, node: string): void {
    const { x, y, vertical } = spot;
    const { mRID, name } = equipment;
    this.series.push({ x, y, equipment: mRID, kind: seriesKind(equipment), vertical, node });
    this.targets.push({ equipment: mRID, name, x: x - 10, y: y - 10, width: 20, height: 20 });
  }

  #transformer({ equipment, node }: Link, spot: XY & { vertical: boolean }, entry: string): void {
    const { x, y, vertical } = spot;
    const { mRID, name } = equipment;
    const reach = vertical ? 10 : 8;
    const tap = tapEnd(equipment);
    const ends = [entry, node].map((of, index) => {
      const away = index === 0 ? -reach : reach;
      return vertical ? { dx: 0, dy: away, node: of } : { dx: away, dy: 0, node: of };
    });
    this.transformers.push({
      x,
      y,
      equipment: mRID,
      windings: equipment.terminals[0]?.connectivityNode === entry ? ends : ends.reverse(),
      radius: vertical ? 14 : 11,
      ...(tap === undefined ? {} : { tap }),
    });
    if (!vertical) {
      this.targets.push({ equipment: mRID, name, x: x - 22, y: y - 14, width: 44, height: 28 });
      return;
    }
    const left = x + 28;
    this.labels.push({ x: left, y: y - 10, text: name, style: 'name', anchor: 'start', equipment: mRID });
    this.slots.push({ x: left, y: y + 6, equipment: [mRID], roles: ['tap', 'P'], anchor: 'start' });
    this.bars.push({ x: left, y: y + 14, width: 90, equipment: mRID });
    this.targets.push({ equipment: mRID, name, x: x - 20, y: y - 30, width: 190, height: 60 });
  }
}

/** A compensator by the sign of its reactance. */
export function seriesKind(equipment: Equipment): SeriesSymbol['kind'] {
  if ((equipment.class as string) !== 'SeriesCompensator') return 'device';
  const { x } = equipment as unknown as { readonly x?: number };
  return x !== undefined && x < 0 ? 'capacitor' : 'reactor';
}

function longestPiece(path: readonly XY[]): readonly [XY, XY] {
  let best: readonly [XY, XY] = [path[0]!, path.at(-1)!];
  let longest = -1;
  for (let index = 1; index < path.length; index++) {
    const [a, b] = [path[index - 1]!, path[index]!];
    // A vertical piece has room for a value beside it, so it wins when it is long enough.
    const length = Math.abs(a.x - b.x) + Math.abs(a.y - b.y) * (Math.abs(a.y - b.y) >= 30 ? 10 : 1);
    if (length > longest) {
      longest = length;
      best = [a, b];
    }
  }
  return best;
}

/** Where each piece stands on a path of this length: [start, end] of a line, twice the same of everything else. */
export function positions(
  links: readonly Link[],
  length: number,
  lead: number,
  style: SeriesStyle,
): [number, number][] {
  if (style === 'centre') return centred(links, length);
  if (style === 'coupler') {
    const step = length / (links.length + 1);
    return links.map((_, index) => [Math.round(step * (index + 1)), Math.round(step * (index + 1))]);
  }
  // A stub keeps its switches near the busbar, one after the other.
  if (!hasLine(links))
    return links.map((_, index) => [Math.min(length, lead + 26 * index), Math.min(length, lead + 26 * index)]);
  const first = links.findIndex(({ equipment }) => isLine(equipment));
  const last = links.findLastIndex(({ equipment }) => isLine(equipment));
  const from = first === 0 ? 0 : Math.min(length / 2, lead + 22 * (first - 1));
  const behind = links.length - 1 - last;
  // Words of a ring closure keep off the values of the last row above it.
  const tail = style === 'tie' ? lead : 18;
  const to = behind === 0 ? length : Math.max(length / 2, length - tail - 22 * (behind - 1));
  const lines = links.slice(first, last + 1).filter(({ equipment }) => isLine(equipment)).length;
  const share = (to - from) / lines;
  let passed = from;
  return links.map(({ equipment }, index): [number, number] => {
    if (index < first) return [Math.min(from, lead + 22 * index), Math.min(from, lead + 22 * index)];
    if (index > last) return [to + 22 * (index - last - 1), to + 22 * (index - last - 1)];
    if (!isLine(equipment)) return [passed, passed];
    const start = passed;
    passed += share;
    return [start, passed];
  });
}

/** The transformer has room around it; what stands before it hangs from the top, what follows stands on the bottom. */
function centred(links: readonly Link[], length: number): [number, number][] {
  const middle = links.findIndex(({ equipment }) => isTransformer(equipment));
  const above = middle < 0 ? links.length : middle;
  const below = middle < 0 ? 0 : links.length - 1 - middle;
  const centre = length / 2 + ((above - below) * SYMBOL_STEP) / 2;
  return links.map((_, index): [number, number] => {
    const at =
      middle < 0
        ? (length * (index + 1)) / (links.length + 1)
        : index < middle
          ? centre - TRANSFORMER_REACH - SYMBOL_STEP * (middle - 1 - index)
          : index === middle
            ? centre
            : centre + TRANSFORMER_REACH + SYMBOL_STEP * (index - middle - 1);
    return [at, at];
  });
}
