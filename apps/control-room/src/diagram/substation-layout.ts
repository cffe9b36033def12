/**
 * The single-line diagram of a substation or of one of its bays, by rule: busbars horizontal with the highest voltage at
 * the top, a column per bay, transformers between the levels. A pure function of the model: the same model gives the
 * same drawing.
 */
import { type Cell, type Feeder, type Level, levelsOf } from './cells.ts';
import type { Drawing, XY } from './drawing.ts';
import {
  type Equipment,
  type GridIndex,
  injectionKind,
  isLine,
  isSwitch,
  isTransformer,
  switchKind,
  tapEnd,
} from './equipment.ts';
import { nameWidth, Sketch, seriesKind, textWidth } from './sketch.ts';
import {
  BAY,
  END_ZONE,
  type Inline,
  type Measures,
  type PlacedCell,
  type PlacedLevel,
  type Port,
  SUBSTATION,
  short,
  THREE,
} from './station-measures.ts';
import { SubstationPlan } from './substation-plan.ts';
import type { Net } from './transformer-wires.ts';

/** Half the length of a contact with its leads. */
export const CONTACT = 13;
const BAR_WIDTH = 76;

/** @param bay the key of a cell, to draw it alone */
export function substationLayout(index: GridIndex, substation: string, bay?: string): Drawing {
  const levels = levelsOf(index, substation);
  return new SubstationDrawing(substation, bay === undefined ? levels : oneBay(levels, bay), bay !== undefined).drawing;
}

/** The cells of a bay with the busbars that they hang at. */
function oneBay(levels: readonly Level[], bay: string): Level[] {
  return levels.flatMap((level) => {
    const cells = level.cells
      .filter(({ key }) => key === bay)
      // A transformer is drawn in full where both of its ends are.
      .map((cell): Cell => ({ ...cell, feeders: cell.feeders.map((feeder) => asExit(levels, feeder)) }));
    const touched = new Set(cells.flatMap(({ bars }) => bars));
    return cells.length ? [{ ...level, cells, bars: level.bars.filter(({ node }) => touched.has(node)) }] : [];
  });
}

function asExit(levels: readonly Level[], feeder: Feeder): Feeder {
  if (feeder.kind !== 'transformer') return feeder;
  const beyond = levels
    .flatMap(({ cells, name }) => cells.map((cell) => ({ cell, name })))
    .find(({ cell }) =>
      cell.feeders.some(({ equipment, terminal }) => equipment === feeder.equipment && terminal !== feeder.terminal),
    );
  return { ...feeder, kind: 'exit', ...(beyond ? { towards: beyond.name } : {}) };
}

class SubstationDrawing {
  readonly drawing: Drawing;
  readonly #sketch = new Sketch();
  readonly #plan: SubstationPlan;
  readonly #substation: string;
  readonly #measures: Measures;
  readonly #alone: boolean;

  constructor(substation: string, levels: readonly Level[], alone: boolean) {
    this.#substation = substation;
    this.#alone = alone;
    this.#measures = alone ? BAY : SUBSTATION;
    this.#plan = new SubstationPlan(levels, this.#measures);
    for (const { symbol, others } of this.#plan.transformers) this.#transformer(symbol, others);
    for (const level of this.#plan.levels) {
      this.#busbars(level);
      for (const inline of level.inline) this.#coupler(level, inline);
      for (const cell of level.cells) this.#cell(level, cell);
      for (const port of level.ports) if (port.feeder.kind !== 'transformer') this.#end(level, port);
    }
    for (const net of this.#plan.nets) this.#net(net);
    this.drawing = this.#sketch.drawing(Math.max(480, this.#plan.width), Math.max(300, this.#plan.height));
  }

  #busbars(placed: PlacedLevel): void {
    const sketch = this.#sketch;
    const { level } = placed;
    for (const { bar, x0, x1, row } of placed.bars.values()) {
      const y = this.#plan.barY(placed, row);
      const [first] = bar.sections;
      const of = first ? { equipment: first.mRID } : {};
      sketch.wires.push({
        path: [
          { x: x0, y },
          { x: x1, y },
        ],
        kind: 'busbar',
        node: bar.node,
        ...of,
      });
      const kV = String(level.nominalVoltage);
      const text = bar.name.includes(kV) ? short(bar.name) : `${short(bar.name)} · ${kV} kV`;
      sketch.labels.push({ x: x0, y: y - 9, text, style: 'name', anchor: 'start', ...of });
      const equipment = [...bar.sections.map(({ mRID }) => mRID), bar.node];
      sketch.slots.push({ x: x0 + nameWidth(text) + 8, y: y - 9, equipment, roles: ['U'], anchor: 'start' });
      const width = (x1 - x0) / Math.max(1, bar.sections.length);
      bar.sections.forEach(({ mRID, name }, at) => {
        const left = at === 0 ? x0 - 5 : x0 + at * width;
        const long = at === 0 && bar.sections.length === 1 ? nameWidth(text) + 92 : width - 4;
        sketch.targets.push({ equipment: mRID, name, x: left, y: y - 23, width: long, height: 29 });
      });
    }
  }

  /** A coupler in line with its busbars, its devices side by side. */
  #coupler(placed: PlacedLevel, { from, to, chain, x0, x1 }: Inline): void {
    const [a, b] = [placed.bars.get(from)!, placed.bars.get(to)!];
    const y = this.#plan.barY(placed, a.row);
    const forward = a.x0 <= b.x0;
    const devices = forward ? chain : [...chain].reverse();
    let node = forward ? from : to;
    let x = x0;
    devices.forEach((device, at) => {
      const middle = x0 + ((x1 - x0) * (at + 0.5)) / devices.length;
      const next = device.a === node ? device.b : device.a;
      this.#wire(node, { x, y }, { x: middle - CONTACT, y });
      this.#device(device.equipment, { x: middle, y }, false, [node, next], 'above');
      node = next;
      x = middle + CONTACT;
    });
    this.#wire(node, { x, y }, { x: x1, y });
  }

  #cell(placed: PlacedLevel, { cell, shape, side, laneX }: PlacedCell): void {
    const sketch = this.#sketch;
    const plan = this.#plan;
    const rowY = (row: number) => plan.rowY(placed, side, row);
    const barY = (node: string) => plan.barY(placed, placed.bars.get(node)!.row);
    const towardsBar = side === 'down' ? -1 : 1;
    const joints = new Map<string, number[]>();
    const meet = (node: string, lane: number) => joints.set(node, [...(joints.get(node) ?? []), lane]);
    const lastLane = new Map<number, number>();
    for (const { lane, lowerRow } of shape.legs) lastLane.set(lowerRow, Math.max(lastLane.get(lowerRow) ?? -1, lane));
    for (const { device, lane, upper, upperRow, lower, lowerRow } of shape.legs) {
      const x = laneX[lane]!;
      const from = upperRow === 0 ? barY(upper) : rowY(upperRow);
      const to = rowY(lowerRow);
      if (upperRow === 0) sketch.dots.push({ x, y: from, node: upper });
      else meet(upper, lane);
      meet(lower, lane);
      if (!device) {
        this.#wire(upper, { x, y: from }, { x, y: to });
        continue;
      }
      const middle = to + (towardsBar * this.#measures.step) / 2;
      if (isLine(device.equipment)) {
        this.#line(device.equipment, { x, y: from }, { x, y: to });
        continue;
      }
      this.#wire(upper, { x, y: from }, { x, y: middle + towardsBar * CONTACT });
      this.#wire(lower, { x, y: middle - towardsBar * CONTACT }, { x, y: to });
      const nodes = side === 'down' ? ([upper, lower] as const) : ([lower, upper] as const);
      // Words stand at the right of a lane: there is room for them in the last one.
      const room = this.#alone || lane === lastLane.get(lowerRow);
      this.#device(device.equipment, { x, y: middle }, true, nodes, room ? 'right' : 'none');
    }
    for (const { feeder, lane, row } of shape.feeders) {
      const x = laneX[lane]!;
      const from = row === 0 ? barY(feeder.node) : rowY(row);
      if (row === 0) sketch.dots.push({ x, y: from, node: feeder.node });
      else meet(feeder.node, lane);
      this.#wire(feeder.node, { x, y: from }, { x, y: plan.endY(placed, side) });
    }
    for (const { node, row, from, to } of shape.nodes) {
      const y = rowY(row);
      if (to > from) this.#wire(node, { x: laneX[from]!, y }, { x: laneX[to]!, y });
      const lanes = joints.get(node) ?? [];
      for (const lane of new Set(lanes)) {
        const here = lanes.filter((each) => each === lane).length;
        const sideways = (lane > from ? 1 : 0) + (lane < to ? 1 : 0);
        if (here + sideways > 2) sketch.dots.push({ x: laneX[lane]!, y, node });
      }
    }
    this.#bayName(placed, { cell, shape, side, laneX });
  }

  /** The name of a bay at its head, which opens it. */
  #bayName(placed: PlacedLevel, { cell, shape, side, laneX }: PlacedCell): void {
    if (this.#alone || shape.rows === 0) return;
    const sketch = this.#sketch;
    const only = cell.feeders.length === 1 && cell.feeders[0]!.name === cell.name;
    const text = only ? 'bay' : short(cell.name);
    const lanes = shape.legs.filter(({ lowerRow }) => lowerRow === 1).map(({ lane }) => lane);
    const x = laneX[Math.max(0, ...lanes)]! + 16;
    const y = this.#plan.rowY(placed, side, 1) + (side === 'down' ? -4 : 12);
    sketch.labels.push({ x, y, text, style: 'small', anchor: 'start' });
    sketch.targets.push({
      equipment: cell.key,
      opens: { substation: this.#substation, bay: cell.key },
      name: `Open bay ${cell.name}`,
      x: x - 4,
      y: y - 12,
      width: Math.min(textWidth(text), 110) + 8,
      height: 16,
    });
  }

  #wire(node: string, from: XY, to: XY): void {
    if (from.x === to.x && from.y === to.y) return;
    this.#sketch.wires.push({ path: [from, to], kind: 'wire', node });
  }

  #line({ mRID, name }: Equipment, from: XY, to: XY): void {
    this.#sketch.wires.push({ path: [from, to], kind: 'wire', equipment: mRID });
    const [top, bottom] = [Math.min(from.y, to.y), Math.max(from.y, to.y)];
    this.#sketch.targets.push({
      equipment: mRID,
      name,
      x: from.x - 7,
      y: top + 4,
      width: 14,
      height: bottom - top - 8,
    });
  }

  #device(
    equipment: Equipment,
    { x, y }: XY,
    vertical: boolean,
    nodes: readonly [string, string],
    place: 'right' | 'above' | 'none',
  ): void {
    const sketch = this.#sketch;
    const { mRID, name } = equipment;
    const half = { width: vertical ? 11 : CONTACT, height: vertical ? CONTACT : 11 };
    sketch.targets.push({
      equipment: mRID,
      name,
      x: x - half.width,
      y: y - half.height,
      width: 2 * half.width,
      height: 2 * half.height,
    });
    if (this.#alone) {
      sketch.slots.push({
        x: x + 22,
        y: y + 18,
        equipment: [...equipment.terminals.map((terminal) => terminal.mRID), mRID],
        roles: ['P', 'Q', 'I'],
        anchor: 'start',
      });
    }
    if (isSwitch(equipment)) {
      const { normalOpen } = equipment;
      const kind = switchKind(equipment);
      const named = this.#alone || place === 'above';
      sketch.switches.push({
        x,
        y,
        equipment: mRID,
        name,
        kind,
        normalOpen,
        place,
        named,
        contact: { vertical, nodes },
      });
      return;
    }
    sketch.series.push({ x, y, equipment: mRID, kind: seriesKind(equipment), vertical, node: nodes[0] });
    if (place !== 'none')
      sketch.labels.push({ x: x + 16, y: y + 4, text: short(name), style: 'label', anchor: 'start', equipment: mRID });
  }

  /** What a feeder leads to, with its words at the right of it. */
  #end(placed: PlacedLevel, { feeder, x, side, wordsX }: Port): void {
    const sketch = this.#sketch;
    const y = this.#plan.endY(placed, side);
    const { equipment, node, terminal, name } = feeder;
    const { mRID } = equipment;
    const down = side === 'down';
    const direction = down ? 'down' : 'up';
    const width = 24 + Math.max(nameWidth(short(name)), 100, feeder.towards ? textWidth(short(feeder.towards)) : 0);
    const own = [equipment.terminals[terminal]!.mRID, mRID];
    const kind = injectionKind(equipment);
    // Up to four lines: name, values, loading or where to.
    const top = down ? y + 12 : y - 46;
    const textX = (wordsX ?? x) + (feeder.kind === 'injection' && kind !== 'load' && kind !== 'earth' ? 20 : 15);
    const around = wordsX === undefined ? 0 : wordsX - x + width;
    const target = {
      x: x - 13,
      y: down ? y - 2 : y - END_ZONE + 18,
      width: Math.max(26, around + 4),
      height: END_ZONE - 16,
    };
    if (wordsX !== undefined)
      sketch.labels.push({ x: textX, y: top, text: short(name), style: 'name', anchor: 'start', equipment: mRID });
    if (kind !== 'earth' || feeder.kind !== 'injection')
      sketch.slots.push({
        x: textX,
        y: top + 17,
        equipment: own,
        roles: feeder.kind === 'injection' ? ['P', 'Q'] : ['P', 'I'],
        anchor: 'start',
      });
    if (feeder.kind === 'injection' && isSwitch(equipment)) {
      // An earthing switch with its earth.
      const away = down ? 1 : -1;
      const middle = { x, y: y + away * (CONTACT + 1) };
      this.#device(equipment, middle, true, [node, node], 'none');
      const earth = { ...middle, y: middle.y + away * CONTACT };
      sketch.injections.push({ ...earth, equipment: mRID, kind: 'earth', direction, node });
      return;
    }
    if (feeder.kind === 'injection') {
      sketch.injection(equipment, { x, y }, direction, node, { name, ...target });
      return;
    }
    sketch.bars.push({ x: textX, y: top + 24, width: BAR_WIDTH, equipment: mRID });
    sketch.targets.push({
      equipment: mRID,
      name: feeder.towards ? `${name} to ${feeder.towards}` : name,
      ...(feeder.opens ? { opens: feeder.opens } : {}),
      ...target,
    });
    if (isTransformer(equipment)) {
      const away = down ? 1 : -1;
      sketch.transformers.push({
        x,
        y: y + away * 22,
        equipment: mRID,
        radius: 13,
        windings: equipment.terminals.slice(0, 2).map((each, at) => ({
          dx: 0,
          dy: (at === terminal ? -9 : 9) * away,
          node: each.connectivityNode,
        })),
      });
    } else sketch.exits.push({ x, y, equipment: mRID, node, direction });
    if (feeder.towards)
      sketch.labels.push({
        x: textX,
        y: top + 48,
        text: `→ ${short(feeder.towards)}`,
        style: 'small',
        anchor: 'start',
      });
  }

  #transformer(symbol: Port, others: readonly Port[]): void {
    const words = symbol.wordsX ?? symbol.x;
    const sketch = this.#sketch;
    const placed = this.#plan.levels[symbol.level]!;
    const { x } = symbol;
    const end = this.#plan.endY(placed, 'down');
    const y = end + 28;
    const { equipment } = symbol.feeder;
    const { mRID, name } = equipment;
    const nodeOf = (port: Port) => port.feeder.node;
    const three = others.length > 1;
    const byTerminal = new Map<number, { dx: number; dy: number; node: string }>();
    byTerminal.set(symbol.feeder.terminal, { dx: 0, dy: -10, node: nodeOf(symbol) });
    others.forEach((port, at) => {
      const dx = three ? (at === 0 ? -THREE : THREE) : 0;
      byTerminal.set(port.feeder.terminal, { dx, dy: three ? 8 : 10, node: nodeOf(port) });
    });
    const tap = tapEnd(equipment);
    const radius = three ? 13 : 14;
    sketch.transformers.push({
      x,
      y,
      equipment: mRID,
      radius,
      windings: [...byTerminal].sort(([a], [b]) => a - b).map(([, winding]) => winding),
      ...(tap === undefined ? {} : { tap }),
    });
    this.#wire(nodeOf(symbol), { x, y: end }, { x, y: y - 10 - radius });
    const left = Math.max(x + 32, words + 16);
    sketch.labels.push({ x: left, y: y - 10, text: short(name), style: 'name', anchor: 'start', equipment: mRID });
    sketch.slots.push({ x: left, y: y + 7, equipment: [mRID], roles: ['tap', 'P'], anchor: 'start' });
    sketch.bars.push({ x: left, y: y + 15, width: 90, equipment: mRID });
    sketch.targets.push({ equipment: mRID, name, x: x - 26, y: y - 30, width: left - x + 168, height: 62 });
  }

  /** The wire from a transformer to the cell of another end. */
  #net({ symbol, end, dx, first, last, passX }: Net): void {
    const plan = this.#plan;
    const from = plan.levels[symbol.level]!;
    const to = plan.levels[end.level]!;
    const x = symbol.x + dx;
    // Rings that stand side by side lie a little higher.
    const start = { x, y: plan.endY(from, 'down') + 28 + (dx === 0 ? 24 : 21) };
    const stop = { x: end.x, y: plan.endY(to, end.side) };
    const path: XY[] = [start];
    if (first && last) {
      const out = plan.trackY(first.channel, first.track);
      const into = plan.trackY(last.channel, last.track);
      path.push({ x, y: out });
      if (passX !== undefined) path.push({ x: passX, y: out }, { x: passX, y: into });
      path.push({ x: stop.x, y: into });
    }
    path.push(stop);
    this.#sketch.wires.push({ path, kind: 'wire', node: end.feeder.node });
  }
}
