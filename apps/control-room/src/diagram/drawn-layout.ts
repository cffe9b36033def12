/**
 * The diagram as somebody has drawn it (CIM DiagramLayout): symbols where their coordinates put them, scaled so that no
 * two come too close, wires at right angles from them to their nodes. What has no coordinates is set beside its node.
 */
import type { Drawing, Label, Slot, XY } from './drawing.ts';
import {
  byName,
  type Equipment,
  type GridIndex,
  injectionKind,
  isBusbar,
  isLine,
  isSwitch,
  isTransformer,
  switchKind,
  tapEnd,
} from './equipment.ts';
import { nameWidth, Sketch, seriesKind } from './sketch.ts';

/** Share of the equipment that must have coordinates for the drawing to be worth following. */
const ENOUGH = 0.75;
/** Least distance of two symbols. */
const APART = 28;
const MARGIN = 70;
const CONTACT = 13;

/** The coordinates of a model, or undefined when too little of it has been drawn. */
export function drawnPlaces(index: GridIndex): ReadonlyMap<string, readonly XY[]> | undefined {
  const { diagram = [], equipment } = index.model;
  const finite = diagram.filter(({ points }) => points.every(({ x, y }) => Number.isFinite(x) && Number.isFinite(y)));
  const places = new Map(finite.map(({ object, points }) => [object, points]));
  const own = equipment.filter((each) => !isBusbar(each));
  const drawn = own.filter(({ mRID }) => places.has(mRID));
  return own.length > 0 && drawn.length >= own.length * ENOUGH ? places : undefined;
}

export function drawnLayout(index: GridIndex, places: ReadonlyMap<string, readonly XY[]>): Drawing {
  return new DrawnLayout(index, places).drawing;
}

class DrawnLayout {
  readonly drawing: Drawing;
  readonly #sketch = new Sketch();
  readonly #index: GridIndex;
  readonly #at: ReadonlyMap<string, readonly XY[]>;
  /** Middles of symbols that are placed: what comes later keeps off. */
  readonly #taken: XY[] = [];
  /** Words that wait for the symbols to be placed: they give way to these and to each other. */
  readonly #words: { readonly label: Label; readonly slot?: Slot }[] = [];

  constructor(index: GridIndex, places: ReadonlyMap<string, readonly XY[]>) {
    this.#index = index;
    const scaled = scale(index, places);
    this.#at = scaled.at;
    for (const node of [...index.model.connectivityNodes].sort(byName)) this.#node(node.mRID);
    const equipment = [...index.model.equipment].sort(byName).filter((each) => !isBusbar(each));
    for (const each of equipment) if (this.#at.has(each.mRID)) this.#place(each);
    for (const each of equipment) if (!this.#at.has(each.mRID)) this.#aside(each);
    let { width, height } = scaled;
    for (const { x, y } of this.#taken) [width, height] = [Math.max(width, x + MARGIN), Math.max(height, y + MARGIN)];
    const textScale = Math.max(1, Math.min(2.4, width / 1500));
    this.#write(textScale);
    this.drawing = { ...this.#sketch.drawing(width, height), textScale };
  }

  #word(label: Label, slot?: Slot): void {
    this.#words.push({ label, ...(slot ? { slot } : {}) });
  }

  /** Writes every word that lies on no symbol and on no other word; the names of busbars come first. */
  #write(scale: number): void {
    const taken = this.#taken.map(({ x, y }) => ({ x: x - 12, y: y - 12, width: 24, height: 24 }));
    const first = ({ label }: { label: Label }) => (label.style === 'name' ? 0 : 1);
    for (const { label, slot } of [...this.#words].sort((a, b) => first(a) - first(b))) {
      const box = {
        x: label.x,
        y: label.y - 13 * scale,
        width: Math.max(nameWidth(label.text), slot ? 76 : 0) * scale,
        height: (slot ? 32 : 16) * scale,
      };
      if (taken.some((each) => overlap(each, box))) continue;
      taken.push(box);
      this.#sketch.labels.push(label);
      if (slot) this.#sketch.slots.push({ ...slot, y: label.y + (slot.y - label.y) * scale });
    }
  }

  #node(node: string): void {
    const points = this.#at.get(node);
    const busbars = this.#index.at(node).flatMap(({ equipment }) => (isBusbar(equipment) ? [equipment] : []));
    const [busbar] = busbars;
    if (!points) return;
    const sketch = this.#sketch;
    const path = squared(points);
    const of = busbar ? { equipment: busbar.mRID } : {};
    if (path.length > 1) sketch.wires.push({ path, kind: busbar ? 'busbar' : 'wire', node, ...of });
    const [first] = path;
    const last = path.at(-1)!;
    if (!busbar) {
      const joined = this.#index.at(node).length;
      if (path.length === 1 && joined > 2) sketch.dots.push({ ...first!, node });
      return;
    }
    const vertical = first!.x === last.x;
    const [x, y] = [Math.min(first!.x, last.x), Math.min(first!.y, last.y)];
    const { name } = busbar;
    const labelX = x - (vertical ? nameWidth(name) / 2 : 0);
    this.#word(
      { x: labelX, y: y - 24, text: name, style: 'name', anchor: 'start', ...of },
      { x: labelX, y: y - 8, equipment: [busbar.mRID, node], roles: ['U'], anchor: 'start' },
    );
    for (const each of busbars) {
      sketch.targets.push({
        equipment: each.mRID,
        name: each.name,
        x: x - 7,
        y: y - 7,
        width: Math.abs(first!.x - last.x) + 14,
        height: Math.abs(first!.y - last.y) + 14,
        ...this.#opens(node),
      });
    }
  }

  #opens(node: string): { opens?: { substation: string } } {
    const substation = this.#index.substationOf(node);
    return substation === undefined ? {} : { opens: { substation } };
  }

  /** The point of a node that is nearest; where it has none, that of anything else at it. */
  #nodePoint(node: string, from: XY): XY {
    const points = this.#at.get(node);
    if (points) return nearest(squared(points), from);
    for (const { equipment } of this.#index.at(node)) {
      const there = this.#at.get(equipment.mRID);
      if (there?.[0] && (there[0].x !== from.x || there[0].y !== from.y)) return nearest(there, from);
    }
    return from;
  }

  #place(equipment: Equipment): void {
    const points = this.#at.get(equipment.mRID)!;
    if (isLine(equipment) && points.length > 1) {
      this.#line(equipment, squared(points));
      return;
    }
    this.#symbol(equipment, points[0]!);
  }

  #line(equipment: Equipment, drawn: readonly XY[]): void {
    const ends = equipment.terminals.map(({ connectivityNode }) => connectivityNode);
    const forward = [drawn[0]!, drawn.at(-1)!];
    const there = ends.map((node, at) => this.#nodePoint(node, forward[at]!));
    const cost = (a: XY, b: XY) => Math.abs(a.x - b.x) + Math.abs(a.y - b.y);
    const turned =
      there.length > 1 &&
      cost(there[0]!, forward[0]!) + cost(there[1]!, forward[1]!) >
        cost(there[0]!, forward[1]!) + cost(there[1]!, forward[0]!);
    const path = turned ? [...drawn].reverse() : drawn;
    const whole = [...elbow(there[0] ?? path[0]!, path[0]!), ...path, ...elbow(path.at(-1)!, there[1] ?? path.at(-1)!)];
    const clean = whole.filter((point, at) => at === 0 || point.x !== whole[at - 1]!.x || point.y !== whole[at - 1]!.y);
    this.#sketch.wires.push({ path: clean, kind: 'wire', equipment: equipment.mRID });
    const [a, b] = longest(clean);
    const vertical = a.x === b.x;
    const sketch = this.#sketch;
    sketch.targets.push({
      equipment: equipment.mRID,
      name: equipment.name,
      x: Math.min(a.x, b.x) - (vertical ? 7 : -6),
      y: Math.min(a.y, b.y) + (vertical ? 6 : -7),
      width: vertical ? 14 : Math.max(8, Math.abs(a.x - b.x) - 12),
      height: vertical ? Math.max(8, Math.abs(a.y - b.y) - 12) : 14,
    });
    const middle = { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 };
    const spot = vertical
      ? { x: middle.x + 8, y: middle.y }
      : { x: middle.x - nameWidth(equipment.name) / 2, y: a.y - 8 };
    this.#word(
      { ...spot, text: equipment.name, style: 'label', anchor: 'start', equipment: equipment.mRID },
      {
        x: spot.x,
        y: spot.y + (vertical ? 16 : 24),
        equipment: [...equipment.terminals.map(({ mRID }) => mRID), equipment.mRID],
        roles: ['P'],
        anchor: 'start',
      },
    );
  }

  #symbol(equipment: Equipment, at: XY): void {
    const sketch = this.#sketch;
    const { mRID, name, terminals } = equipment;
    this.#taken.push(at);
    const points = terminals.map(({ connectivityNode }) => this.#nodePoint(connectivityNode, at));
    const [first, second] = points;
    if (terminals.length === 1) {
      this.#end(equipment, at, first!);
      return;
    }
    // Along the longer way between its two nodes.
    const across = first && second ? Math.abs(first.x - second.x) >= Math.abs(first.y - second.y) : false;
    const before = (a: XY, b: XY) => (across ? a.x <= b.x : a.y <= b.y);
    const forward = before(first!, second!);
    const reach = isTransformer(equipment) ? 24 : CONTACT;
    terminals.forEach(({ connectivityNode: node }, terminal) => {
      const there = points[terminal]!;
      const low = terminal === 0 ? forward : terminal === 1 ? !forward : false;
      const lead =
        terminal === 2
          ? { x: at.x + (across ? 0 : reach), y: at.y + (across ? reach : 0) }
          : across
            ? { x: at.x + (low ? -reach : reach), y: at.y }
            : { x: at.x, y: at.y + (low ? -reach : reach) };
      const path = elbow(lead, there, terminal === 2 ? !across : across);
      sketch.wires.push({ path, kind: 'wire', node });
    });
    const nodes = terminals.map(({ connectivityNode }) => connectivityNode);
    const box = { x: at.x - reach, y: at.y - reach, width: 2 * reach, height: 2 * reach };
    sketch.targets.push({ equipment: mRID, name, ...box });
    if (isTransformer(equipment)) {
      const tap = tapEnd(equipment);
      const away = (terminal: number) => {
        if (terminal === 2) return across ? { dx: 0, dy: 9 } : { dx: 9, dy: 0 };
        const sign = (terminal === 0) === forward ? -9 : 9;
        return across ? { dx: sign, dy: 0 } : { dx: 0, dy: sign };
      };
      sketch.transformers.push({
        ...at,
        equipment: mRID,
        radius: 13,
        windings: nodes.map((node, terminal) => ({ ...away(terminal), node })),
        ...(tap === undefined ? {} : { tap }),
      });
      const label = across ? { x: at.x - 24, y: at.y - 30 } : { x: at.x + 26, y: at.y - 6 };
      this.#word({ ...label, text: name, style: 'name', anchor: 'start', equipment: mRID });
      sketch.bars.push({ x: label.x, y: label.y + (across ? 60 : 8), width: 56, equipment: mRID });
      return;
    }
    if (isSwitch(equipment)) {
      const ordered = (forward ? [nodes[0]!, nodes[1] ?? nodes[0]!] : [nodes[1] ?? nodes[0]!, nodes[0]!]) as [
        string,
        string,
      ];
      sketch.switches.push({
        ...at,
        equipment: mRID,
        name,
        kind: switchKind(equipment),
        normalOpen: equipment.normalOpen,
        place: 'none',
        named: false,
        contact: { vertical: !across, nodes: ordered },
      });
      return;
    }
    sketch.series.push({ ...at, equipment: mRID, kind: seriesKind(equipment), vertical: !across, node: nodes[0]! });
  }

  #end(equipment: Equipment, at: XY, node: XY): void {
    const sketch = this.#sketch;
    const { mRID, name } = equipment;
    const own = equipment.terminals[0]!.connectivityNode;
    const kind = injectionKind(equipment);
    const across = Math.abs(node.x - at.x) > Math.abs(node.y - at.y);
    const direction = across ? (node.x < at.x ? 'right' : 'left') : node.y > at.y ? 'up' : 'down';
    sketch.wires.push({ path: elbow(node, at, across), kind: 'wire', node: own });
    const [dx, dy] = { right: [10, 0], left: [-10, 0], up: [0, -10], down: [0, 10] }[direction] as [number, number];
    this.#taken.push({ x: at.x + dx, y: at.y + dy });
    const target = { name, x: at.x + dx - 14, y: at.y + dy - 14, width: 28, height: 28 };
    sketch.injection(equipment, at, direction, own, target);
    if (kind === 'earth') return;
    const y = direction === 'up' ? at.y - 44 : at.y + (direction === 'down' ? 40 : 30);
    this.#word(
      { x: at.x - 10, y, text: name, style: 'label', anchor: 'start', equipment: mRID },
      { x: at.x - 10, y: y + 16, equipment: [mRID], roles: ['P', 'Q'], anchor: 'start' },
    );
  }

  /** Equipment without coordinates: at the first free spot round its node. */
  #aside(equipment: Equipment): void {
    const origin = equipment.terminals
      .map(({ connectivityNode }) => this.#at.get(connectivityNode)?.at(-1))
      .find((point) => point !== undefined) ?? { x: MARGIN, y: MARGIN };
    for (let ring = 1; ring < 60; ring++) {
      for (const [dx, dy] of RING) {
        const spot = { x: origin.x + dx! * ring * APART, y: origin.y + dy! * ring * APART };
        if (spot.x < 20 || spot.y < 30 || this.#taken.some((each) => near(each, spot))) continue;
        this.#symbol(equipment, spot);
        return;
      }
    }
    this.#symbol(equipment, { x: origin.x, y: origin.y });
  }
}

interface Rect extends XY {
  readonly width: number;
  readonly height: number;
}
const overlap = (a: Rect, b: Rect): boolean =>
  a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height;

const RING = [
  [0, 1],
  [1, 1],
  [1, 0],
  [1, -1],
  [0, -1],
  [-1, 1],
  [-1, 0],
  [-1, -1],
];
const near = (a: XY, b: XY): boolean => Math.max(Math.abs(a.x - b.x), Math.abs(a.y - b.y)) < APART;

/** Coordinates in units of the drawing: symbols at least so far apart, y downward as they are in CIM diagrams. */
function scale(
  index: GridIndex,
  places: ReadonlyMap<string, readonly XY[]>,
): { at: ReadonlyMap<string, readonly XY[]>; width: number; height: number } {
  const symbols = index.model.equipment.flatMap((each) =>
    isBusbar(each) || (isLine(each) && (places.get(each.mRID)?.length ?? 0) > 1)
      ? []
      : (places.get(each.mRID)?.[0] ?? []),
  );
  let least = Number.POSITIVE_INFINITY;
  const sorted = [...symbols].sort((a, b) => a.x - b.x || a.y - b.y);
  sorted.forEach((a, at) => {
    for (let next = at + 1; next < sorted.length; next++) {
      const b = sorted[next]!;
      if (b.x - a.x >= least) break;
      const distance = Math.max(b.x - a.x, Math.abs(b.y - a.y));
      // Two at one spot stay so at any scale: the second is moved aside when it is placed.
      if (distance > 1e-6) least = Math.min(least, distance);
    }
  });
  const all = [...places.values()].flat();
  const [left, top] = [Math.min(...all.map(({ x }) => x)), Math.min(...all.map(({ y }) => y))];
  const [right, bottom] = [Math.max(...all.map(({ x }) => x)), Math.max(...all.map(({ y }) => y))];
  const extent = Math.max(right - left, bottom - top, 1e-9);
  const factor = Math.max(Math.min(Number.isFinite(least) ? APART / least : 1, 40_000 / extent), 1e-9);
  const unit = (value: number) => Math.round(value * factor);
  const at = new Map(
    [...places].map(([object, points]) => [
      object,
      points.map(({ x, y }) => ({ x: MARGIN + unit(x - left), y: MARGIN + unit(y - top) })),
    ]),
  );
  // Of several at one spot only the first stays there.
  const spots = new Set<string>();
  for (const { mRID } of [...index.model.equipment].sort(byName)) {
    const points = at.get(mRID);
    if (points?.length !== 1) continue;
    const key = `${points[0]!.x} ${points[0]!.y}`;
    if (spots.has(key)) at.delete(mRID);
    spots.add(key);
  }
  return { at, width: unit(right - left) + 2 * MARGIN, height: unit(bottom - top) + 2 * MARGIN };
}

/** A drawn path with right angles only. */
function squared(points: readonly XY[]): XY[] {
  const path: XY[] = [points[0]!];
  for (const point of points.slice(1)) path.push(...elbow(path.at(-1)!, point).slice(1));
  return path;
}

/** From a to b at right angles, with at most one bend. @param across begins horizontally */
function elbow(a: XY, b: XY, across = Math.abs(a.x - b.x) >= Math.abs(a.y - b.y)): XY[] {
  if (a.x === b.x && a.y === b.y) return [a];
  if (a.x === b.x || a.y === b.y) return [a, b];
  return [a, across ? { x: b.x, y: a.y } : { x: a.x, y: b.y }, b];
}

function nearest(path: readonly XY[], from: XY): XY {
  let [best, least] = [path[0]!, Number.POSITIVE_INFINITY];
  const consider = (point: XY) => {
    const distance = Math.abs(point.x - from.x) + Math.abs(point.y - from.y);
    if (distance < least) [best, least] = [point, distance];
  };
  path.forEach((point, at) => {
    consider(point);
    const next = path[at + 1];
    if (!next) return;
    const between = (low: number, high: number, value: number) =>
      Math.min(Math.max(low, high), Math.max(Math.min(low, high), value));
    consider({ x: between(point.x, next.x, from.x), y: between(point.y, next.y, from.y) });
  });
  return best;
}

function longest(path: readonly XY[]): readonly [XY, XY] {
  let [best, length]: [readonly [XY, XY], number] = [[path[0]!, path.at(-1)!], -1];
  for (let at = 1; at < path.length; at++) {
    const [a, b] = [path[at - 1]!, path[at]!];
    const now = Math.abs(a.x - b.x) + Math.abs(a.y - b.y);
    if (now > length) [best, length] = [[a, b], now];
  }
  return best;
}
