/**
 * The single-line diagram by rule: primary busbars horizontal at the top, transformers between them, one column per
 * feeder downward, branches in columns to the right, loads and generators beside their station, ring closures along
 * the gutters. A pure function of the model: the same model gives the same drawing.
 */
import type { GridModel } from '@enerchain/model';
import type { Drawing, XY } from './drawing.ts';
import { byName, type Chain, reversed, type Stub } from './graph.ts';
import {
  besideLength,
  type Feeder,
  GUTTER,
  HEADER_TO_ROW,
  MARGIN,
  other,
  type Placed,
  Plan,
  type PrimaryPlan,
  type Row,
  rowsOf,
  sameChain,
  short,
  stubEnd,
  stubLength,
  transformerOf,
} from './plan.ts';
import { nameWidth, Sketch, SYMBOL_STEP, textWidth } from './sketch.ts';
import { drawTies, type TieEnd } from './ties.ts';
import type { TreeNode } from './tree.ts';

/** Distances of rows beside a station, the airiest first; taken is the first that is shown about as large as any. */
const PITCHES = [44, 38, 32, 26] as const;
/** The display that a drawing is fitted to; only its proportions count. */
const DISPLAY = { width: 1200, height: 800 };

export function feederLayout(model: GridModel): Drawing {
  const drawings = PITCHES.map((pitch) => new Layout(model, pitch).drawing());
  const size = ({ width, height }: Drawing) => Math.min(DISPLAY.width / width, DISPLAY.height / height);
  const largest = Math.max(...drawings.map(size));
  return drawings.find((drawing) => size(drawing) >= largest * 0.95)!;
}

class Layout {
  readonly #sketch = new Sketch();
  readonly #plan: Plan;
  readonly #levelName: ReadonlyMap<string, string>;
  readonly #tieStarts: { readonly chain: Chain; readonly end: TieEnd }[] = [];

  constructor(model: GridModel, pitch: number) {
    this.#plan = new Plan(model, pitch);
    this.#levelName = new Map(model.voltageLevels.map((level) => [level.mRID, level.name]));
  }

  drawing(): Drawing {
    const { primaries, forest, placed, columnX, right, lowest } = this.#plan;
    for (const primary of primaries) this.#drawPrimary(primary);
    for (const orphan of forest.orphans) this.#drawSubtree(placed.get(orphan.hub.node)!);
    const bottom = drawTies(this.#sketch, forest.ties, {
      columnX,
      right,
      bottom: lowest,
      endOf: (tie, hub) => this.#tieEnd(tie, hub),
    });
    return this.#sketch.drawing(Math.max(right + MARGIN - GUTTER, 640), bottom + MARGIN);
  }

  #drawPrimary({ station, y, feeders, spans }: PrimaryPlan): void {
    const extent = this.#extents(station, y, spans);
    for (const { hub } of station) {
      const [x0, x1] = extent.get(hub.node)!;
      // The words of a coupler at the left end need room, so this busbar is named at its right end.
      const coupled = station.some(({ hub: each }) => y(each.node) === y(hub.node) && extent.get(each.node)![0] < x0);
      this.#drawBusbar(hub, x0, x1, y(hub.node), coupled);
    }
    this.#drawInternal(station, extent, y);
    for (const { hub, column, item } of feeders) this.#drawFeeder(hub, column, y(hub.hub.node), item);
  }

  /** How far each busbar reaches: over its columns, and over what hangs below it. */
  #extents(station: readonly TreeNode[], y: (node: string) => number, spans: PrimaryPlan['spans']) {
    const extent = new Map<string, readonly [number, number]>();
    for (const { hub } of [...station].reverse()) {
      const reach: (readonly [number, number])[] = [];
      const [first, last] = spans.get(hub.node) ?? [0, -1];
      if (last >= first)
        reach.push([this.#plan.columnX[first]! - 40, this.#plan.columnX[last]! + this.#plan.columnWidth[last]! - 76]);
      for (const chain of this.#plan.forest.internal) {
        const end = other(chain, hub.node);
        const below = end !== undefined && y(end) > y(hub.node) ? extent.get(end) : undefined;
        if (below) reach.push(below);
      }
      if (!reach.length) reach.push([MARGIN, MARGIN + 160]);
      extent.set(hub.node, [Math.min(...reach.map(([a]) => a)), Math.max(...reach.map(([, b]) => b))]);
    }
    return extent;
  }

  #drawBusbar(hub: TreeNode['hub'], x0: number, x1: number, y: number, atRight: boolean): void {
    const sketch = this.#sketch;
    const equipment = hub.busbar?.mRID;
    const of = equipment ? { equipment } : {};
    sketch.wires.push({
      path: [
        { x: x0, y },
        { x: x1, y },
      ],
      kind: 'busbar',
      node: hub.node,
      ...of,
    });
    const text = hub.busbar?.name ?? this.#levelName.get(hub.voltageLevel) ?? hub.name;
    const labelY = y - 12;
    const labelX = atRight ? x1 - nameWidth(text) - 84 : x0;
    sketch.labels.push({ x: labelX, y: labelY, text, style: 'name', anchor: 'start', ...of });
    sketch.slots.push({
      x: labelX + nameWidth(text) + 8,
      y: labelY,
      equipment: [...(equipment ? [equipment] : []), hub.node],
      roles: ['U'],
      anchor: 'start',
    });
    if (equipment)
      sketch.targets.push({
        equipment,
        name: text,
        x: labelX - 6,
        y: y - 27,
        width: textWidth(text) + 104,
        height: 36,
      });
    hub.sources.forEach((source, index) => {
      if (!source.injection) return;
      const { name, mRID } = source.injection;
      const x = Math.round(x0 + (x1 - x0) * ((index + 1) / (hub.sources.length + 1)));
      const end = { x, y: y - 44 - SYMBOL_STEP * source.links.length };
      sketch.chain(hub.node, source.links, [{ x, y }, end], 26, 'stub');
      sketch.labels.push({ x: x + 20, y: end.y - 8, text: name, style: 'label', anchor: 'start', equipment: mRID });
      sketch.slots.push({ x: x + 20, y: end.y + 7, equipment: [mRID], roles: ['P', 'Q'], anchor: 'start' });
      sketch.injection(source.injection, end, 'up', source.links.at(-1)?.node ?? hub.node, {
        name,
        x: x - 18,
        y: end.y - 26,
        width: 44 + Math.max(textWidth(name), 100),
        height: 40,
      });
    });
  }

  #drawInternal(
    station: readonly TreeNode[],
    extent: ReadonlyMap<string, readonly [number, number]>,
    y: (node: string) => number,
  ): void {
    const own = this.#plan.forest.internal.filter((chain) => station.some(({ hub }) => hub.node === chain.from));
    const downward = own
      .filter((chain) => y(chain.from) !== y(chain.to))
      .map((chain) => (y(chain.from) < y(chain.to) ? chain : reversed(chain)))
      .sort((a, b) => byName(transformerOf(a), transformerOf(b)));
    for (const chain of downward) {
      const siblings = downward.filter(({ to }) => to === chain.to);
      const [x0, x1] = extent.get(chain.to)!;
      const x = Math.round(x0 + (x1 - x0) * ((siblings.indexOf(chain) + 1) / (siblings.length + 1)));
      this.#sketch.chain(
        chain.from,
        chain.links,
        [
          { x, y: y(chain.from) },
          { x, y: y(chain.to) },
        ],
        36,
        'centre',
      );
    }
    // Couplers: between neighbours of one row inline, the others underneath.
    own
      .filter((chain) => y(chain.from) === y(chain.to))
      .map((chain) => (extent.get(chain.from)![0] <= extent.get(chain.to)![0] ? chain : reversed(chain)))
      .forEach((chain, index, all) => {
        const [a, b] = [extent.get(chain.from)![1], extent.get(chain.to)![0]];
        const row = y(chain.from);
        const between = station.some(
          ({ hub }) => y(hub.node) === row && extent.get(hub.node)![0] > a && extent.get(hub.node)![1] < b,
        );
        const again = all.findIndex((each) => each.from === chain.from && each.to === chain.to) < index;
        const deep = row + 18 + 12 * index;
        const path: XY[] =
          between || again || b <= a
            ? [
                { x: a - 8, y: row },
                { x: a - 8, y: deep },
                { x: b + 8, y: deep },
                { x: b + 8, y: row },
              ]
            : [
                { x: a, y: row },
                { x: b, y: row },
              ];
        this.#sketch.chain(chain.from, chain.links, path, 12, 'coupler');
      });
  }

  #drawFeeder(node: TreeNode, column: number, y: number, item: Feeder): void {
    const sketch = this.#sketch;
    const x = this.#plan.columnX[column]!;
    const links = item.kind === 'stub' ? item.stub.links : item.chain.links;
    const name = this.#plan.feederName(item);
    const head = links[0]?.equipment.mRID;
    sketch.dots.push({ x, y, node: node.hub.node });
    sketch.labels.push({
      x: x + 14,
      y: y + 34,
      text: name,
      style: 'name',
      anchor: 'start',
      ...(head ? { equipment: head } : {}),
    });
    const givers = links.flatMap(({ equipment, entry }) => [equipment.terminals[entry]?.mRID ?? '', equipment.mRID]);
    const injection = item.kind === 'stub' ? item.stub.injection : undefined;
    sketch.slots.push({
      x: x + 14,
      y: y + 50,
      equipment: [...(injection ? [injection.mRID] : []), ...givers],
      roles: ['P', 'I'],
      anchor: 'start',
    });
    if (item.kind === 'child') {
      const child = this.#plan.placed.get(item.node.hub.node)!;
      sketch.chain(
        item.chain.from,
        links,
        [
          { x, y },
          { x, y: child.top },
        ],
        30,
        'feeder',
        name,
      );
      this.#drawSubtree(child);
    } else if (item.kind === 'stub') {
      const end = { x, y: stubEnd(item.stub, y) };
      sketch.chain(item.stub.from, links, [{ x, y }, end], 30, 'feeder', name);
      if (injection)
        sketch.injection(injection, end, 'down', links.at(-1)?.node ?? node.hub.node, {
          name: injection.name,
          x: x - 14,
          y: end.y - 8,
          width: 28,
          height: 34,
        });
    } else {
      this.#tieStarts.push({ chain: item.chain, end: { x, y, hub: node.hub.node, column, down: true, primary: true } });
    }
  }

  #drawSubtree(placed: Placed): void {
    const { node } = placed;
    const x = this.#plan.columnX[placed.column]!;
    this.#drawStation(placed, x);
    for (const { chain, node: childNode } of node.children) {
      const child = this.#plan.placed.get(childNode.hub.node)!;
      const exit = placed.exits.get(chain);
      if (exit === undefined) {
        this.#sketch.chain(
          chain.from,
          chain.links,
          [
            { x, y: placed.bottom },
            { x, y: child.top },
          ],
          16,
          'line',
        );
      } else {
        const childX = this.#plan.columnX[child.column]!;
        this.#sketch.dots.push({ x, y: exit, node: node.hub.node });
        const path = [
          { x, y: exit },
          { x: childX, y: exit },
          { x: childX, y: child.top },
        ];
        this.#sketch.chain(chain.from, chain.links, path, 28, 'line');
      }
      this.#drawSubtree(child);
    }
  }

  #drawStation({ node: { hub }, top, bottom, header, rows }: Placed, x: number): void {
    const sketch = this.#sketch;
    const of = hub.busbar ? { equipment: hub.busbar.mRID } : {};
    sketch.wires.push({
      path: [
        { x, y: top - 5 },
        { x, y: bottom + 5 },
      ],
      kind: 'station',
      node: hub.node,
      ...of,
    });
    if (header) {
      const width = nameWidth(hub.name);
      sketch.labels.push({ x: x + 14, y: top + 4, text: hub.name, style: 'name', anchor: 'start', ...of });
      sketch.slots.push({
        x: x + 14 + width + 8,
        y: top + 4,
        equipment: [hub.busbar?.mRID ?? hub.node, hub.node],
        roles: ['U'],
        anchor: 'start',
      });
      if (hub.busbar)
        sketch.targets.push({
          equipment: hub.busbar.mRID,
          name: hub.name,
          x: x - 9,
          y: top - 10,
          width: width + 104,
          height: 20,
        });
    }
    this.#drawRows(rows, x, top + (header ? HEADER_TO_ROW : 0), hub.node);
  }

  #drawRows(rows: readonly Row[], x: number, firstY: number, node: string): void {
    const sketch = this.#sketch;
    let y = firstY;
    rows.forEach((row, index) => {
      if (index) y += this.#plan.rowHeight(row);
      sketch.dots.push({ x, y, node });
      if ('stub' in row) {
        this.#drawStub(row.stub, x, y);
        return;
      }
      const { chain, node: inner } = row.beside;
      const end = x + besideLength(chain.links);
      sketch.chain(
        chain.from,
        chain.links,
        [
          { x, y },
          { x: end, y },
        ],
        40,
        'stub',
      );
      const innerRows = rowsOf(inner);
      const bottom = y + this.#plan.pitch * Math.max(0, innerRows.length - 1) + 6;
      const of = inner.hub.busbar ? { equipment: inner.hub.busbar.mRID } : {};
      sketch.wires.push({
        path: [
          { x: end, y: y - 6 },
          { x: end, y: bottom },
        ],
        kind: 'station',
        node: inner.hub.node,
        ...of,
      });
      this.#drawRows(innerRows, end, y, inner.hub.node);
    });
  }

  #drawStub(stub: Stub, x: number, y: number): void {
    const sketch = this.#sketch;
    const end = x + stubLength(stub);
    sketch.chain(
      stub.from,
      stub.links,
      [
        { x, y },
        { x: end, y },
      ],
      40,
      'stub',
    );
    const { injection } = stub;
    if (!injection) return;
    const { name, mRID } = injection;
    const labelX = end + (injection.class === 'EnergyConsumer' ? 18 : 26);
    const battery = injection.class === 'PowerElectronicsConnection' && injection.unit === 'BatteryUnit';
    const givers = [mRID, ...stub.links.map((link) => link.equipment.mRID)];
    const at = this.#plan.oneLine
      ? { label: y + 4, value: y + 4, valueX: labelX + Math.ceil(textWidth(short(name)) * 0.9) + 6 }
      : { label: y - 4, value: y + 10, valueX: labelX };
    sketch.labels.push({ x: labelX, y: at.label, text: short(name), style: 'label', anchor: 'start', equipment: mRID });
    sketch.slots.push({
      x: at.valueX,
      y: at.value,
      equipment: givers,
      roles: battery ? ['P', 'soc'] : ['P'],
      anchor: 'start',
    });
    const half = this.#plan.oneLine ? 11 : 15;
    sketch.injection(injection, { x: end, y }, 'right', stub.links.at(-1)?.node ?? stub.from, {
      name,
      x: end - 8,
      y: y - half,
      width: labelX - end + this.#plan.rowText(stub) + 10,
      height: 2 * half,
    });
  }

  #tieEnd(tie: Chain, hub: string): TieEnd | undefined {
    const start = this.#tieStarts.find(({ chain, end }) => end.hub === hub && sameChain(chain, tie));
    if (start) return start.end;
    const placed = this.#plan.placed.get(hub);
    if (!placed) return undefined;
    const { column } = placed;
    const x = this.#plan.columnX[column]!;
    const exit = [...placed.exits].find(([chain]) => sameChain(chain, tie))?.[1];
    return { x, y: exit ?? placed.bottom, column, down: exit === undefined, primary: false, hub };
  }
}
