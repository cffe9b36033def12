/**
 * The single-line diagram by rule: primary busbars horizontal at the top, transformers between them, one column per
 * feeder downward, branches in columns to the right, loads and generators beside their station, ring closures along
 * the gutters. A pure function of the model: the same model gives the same drawing.
 */
import type { GridModel } from '@enerchain/model';
import type { Drawing, XY } from './drawing.ts';
import {
  buildGraph,
  byName,
  type Chain,
  hasTransformer,
  isLine,
  isTransformer,
  type Link,
  reversed,
  type Stub,
} from './graph.ts';
import { nameWidth, Sketch, SYMBOL_STEP, textWidth, transformerHeight } from './sketch.ts';
import { drawTies, type TieEnd } from './ties.ts';
import { buildForest, type TreeNode } from './tree.ts';

/** Distances of rows beside a station, the airiest first; taken is the first that is shown about as large as any. */
const PITCHES = [44, 38, 32, 26] as const;
/** Below this distance, name and value of a row stand on one line. */
const ONE_LINE = 32;
/** The display that a drawing is fitted to; only its proportions count. */
const DISPLAY = { width: 1200, height: 800 };
/** Letters of a name beside a symbol; the rest is in the tool tip and the inspector. */
const NAME_LETTERS = 19;

const MARGIN = 40;
const HEADER_TO_ROW = 26;
/** From a primary busbar to the header of the first station. */
const HEAD = 96;
const EXIT = 26;
/** Above a ring closure stand the words of its normally open switch. */
const TIE_EXIT = 32;
const MIN_COLUMN = 168;
const GUTTER = 40;

type Row = { readonly stub: Stub } | { readonly beside: { readonly chain: Chain; readonly node: TreeNode } };
type Feeder =
  | { readonly kind: 'child'; readonly chain: Chain; readonly node: TreeNode }
  | { readonly kind: 'stub'; readonly stub: Stub }
  | { readonly kind: 'tie'; readonly chain: Chain };

/** A station in its column. */
interface Placed {
  readonly node: TreeNode;
  readonly column: number;
  readonly top: number;
  readonly bottom: number;
  readonly rows: readonly Row[];
  /** False when the only row bears the name of the station. */
  readonly header: boolean;
  /** Heights at which branches and ring closures leave to the side. */
  readonly exits: ReadonlyMap<Chain, number>;
}

interface PrimaryPlan {
  readonly station: readonly TreeNode[];
  readonly y: (node: string) => number;
  readonly feeders: readonly { readonly hub: TreeNode; readonly column: number; readonly item: Feeder }[];
  /** First and last column of a busbar. */
  readonly spans: ReadonlyMap<string, readonly [number, number]>;
}

export function layout(model: GridModel): Drawing {
  const drawings = PITCHES.map((pitch) => new Layout(model, pitch).drawing());
  const size = ({ width, height }: Drawing) => Math.min(DISPLAY.width / width, DISPLAY.height / height);
  const largest = Math.max(...drawings.map(size));
  return drawings.find((drawing) => size(drawing) >= largest * 0.95)!;
}

class Layout {
  readonly #sketch = new Sketch();
  readonly #forest: ReturnType<typeof buildForest>;
  readonly #bayName: ReadonlyMap<string, string>;
  readonly #levelName: ReadonlyMap<string, string>;
  readonly #pitch: number;
  readonly #top: number;
  readonly #placed = new Map<string, Placed>();
  readonly #columnWidth: number[] = [];
  #columnX: readonly number[] = [];
  readonly #tieStarts: { readonly chain: Chain; readonly end: TieEnd }[] = [];

  constructor(model: GridModel, pitch: number) {
    this.#pitch = pitch;
    this.#bayName = new Map(model.bays.map((bay) => [bay.mRID, bay.name]));
    this.#levelName = new Map(model.voltageLevels.map((level) => [level.mRID, level.name]));
    this.#forest = buildForest(buildGraph(model));
    const sources = this.#forest.primaries.flat().flatMap(({ hub }) => hub.sources);
    this.#top = 96 + SYMBOL_STEP * Math.max(0, ...sources.map(({ links }) => links.length));
  }

  drawing(): Drawing {
    const primaries = this.#forest.primaries.map((station) => this.#planPrimary(station));
    for (const orphan of this.#forest.orphans) this.#place(orphan, this.#newColumn(), this.#top + HEAD);
    let x = MARGIN + 30;
    this.#columnX = this.#columnWidth.map((width) => {
      const at = x;
      x += width;
      return at;
    });
    const width = Math.max(x + MARGIN - GUTTER, 640);
    for (const primary of primaries) this.#drawPrimary(primary);
    for (const orphan of this.#forest.orphans) this.#drawSubtree(this.#placed.get(orphan.hub.node)!);
    const busbars = primaries.flatMap(({ station, y }) => station.map(({ hub }) => y(hub.node)));
    const lowest = Math.max(...busbars, ...[...this.#placed.values()].map((placed) => placed.bottom), this.#top);
    const bottom = drawTies(this.#sketch, this.#forest.ties, {
      columnX: this.#columnX,
      right: x,
      bottom: lowest,
      endOf: (tie, hub) => this.#tieEnd(tie, hub),
    });
    return this.#sketch.drawing(width, bottom + MARGIN);
  }

  // ── planning: columns and heights ────────────────────────────────────────────────────────────────────────────

  #newColumn(): number {
    return this.#columnWidth.push(MIN_COLUMN) - 1;
  }

  #widen(column: number, width: number): void {
    this.#columnWidth[column] = Math.max(this.#columnWidth[column] ?? MIN_COLUMN, width);
  }

  #planPrimary(station: readonly TreeNode[]): PrimaryPlan {
    const voltages = [...new Set(station.map(({ hub }) => hub.nominalVoltage))];
    const rowOf = new Map(station.map(({ hub }) => [hub.node, voltages.indexOf(hub.nominalVoltage)]));
    const nodes = new Set(rowOf.keys());
    const step = Math.max(
      120,
      ...this.#forest.internal.filter(({ from }) => nodes.has(from)).map(({ links }) => transformerHeight(links)),
    );
    const y = (node: string) => this.#top + step * rowOf.get(node)!;
    const feeders: { hub: TreeNode; column: number; item: Feeder }[] = [];
    const spans = new Map<string, [number, number]>();
    // The lowest busbars first: they carry the feeders; a feeder of an upper busbar passes them on the right.
    for (const hub of [...station].sort((a, b) => rowOf.get(b.hub.node)! - rowOf.get(a.hub.node)!)) {
      const before = this.#columnWidth.length;
      let latest = before - 1;
      for (const item of feedersOf(hub)) {
        const column = this.#columnFor(item, latest + 1, y(hub.hub.node));
        latest = column;
        feeders.push({ hub, column, item });
        this.#widen(column, 24 + Math.max(nameWidth(this.#feederName(item)), 120) + 24);
        if (item.kind !== 'child') continue;
        const extra = SYMBOL_STEP * Math.max(0, item.chain.links.length - 3);
        this.#place(item.node, column, y(hub.hub.node) + HEAD + extra);
      }
      const lowest = rowOf.get(hub.hub.node) === voltages.length - 1;
      if (lowest && this.#columnWidth.length === before) this.#newColumn();
      spans.set(hub.hub.node, [before, this.#columnWidth.length - 1]);
    }
    return { station, y, feeders, spans };
  }

  /** A short feeder takes the room above a branch that begins further down; every other one gets a column of its own. */
  #columnFor(item: Feeder, from: number, y: number): number {
    if (item.kind === 'stub') {
      const clear = stubEnd(item.stub, y) + 130;
      for (let column = from; column < this.#columnWidth.length; column++) {
        const tops = [...this.#placed.values()].filter((placed) => placed.column === column).map(({ top }) => top);
        if (tops.length && Math.min(...tops) > clear) return column;
      }
    }
    return this.#newColumn();
  }

  /** Gives a hub and everything below it their places. */
  #place(node: TreeNode, column: number, top: number): void {
    const rows = rowsOf(node);
    const only = rows.length === 1 && 'stub' in rows[0]! ? rows[0].stub.injection?.name : undefined;
    const header = only !== node.hub.name;
    if (header) this.#widen(column, 14 + nameWidth(node.hub.name) + 70 + GUTTER);
    let y = top + (header && rows.length ? HEADER_TO_ROW : 0);
    rows.forEach((row, index) => {
      if (index) y += this.#rowHeight(row);
      this.#widen(column, this.#rowWidth(row) + GUTTER);
    });
    const exits = new Map<Chain, number>();
    const [straight, ...branches] = node.children;
    // A ring closure leaves the last station of a column straight down; elsewhere each needs a way out to the side.
    const sideways = straight ? node.ties : node.ties.slice(1);
    for (const { chain } of branches) {
      y += EXIT;
      exits.set(chain, y);
    }
    for (const chain of sideways) {
      y += TIE_EXIT;
      exits.set(chain, y);
    }
    const bottom = rows.length || exits.size ? y : top + 8;
    this.#placed.set(node.hub.node, { node, column, top, bottom, rows, header, exits });
    if (straight) this.#place(straight.node, column, bottom + gapFor(straight.chain));
    for (const { chain, node: child } of branches)
      this.#place(child, this.#newColumn(), exits.get(chain)! + gapFor(chain));
  }

  #rowHeight(row: Row): number {
    return this.#pitch * ('beside' in row ? Math.max(1, rowsOf(row.beside.node).length) : 1);
  }

  #rowWidth(row: Row): number {
    if ('stub' in row) return stubLength(row.stub) + 28 + this.#rowText(row.stub);
    const inner = Math.max(0, ...rowsOf(row.beside.node).map((each) => this.#rowWidth(each)));
    return besideLength(row.beside.chain.links) + inner;
  }

  #rowText(stub: Stub): number {
    const name = textWidth(short(stub.injection?.name ?? '')) * 0.92;
    return Math.ceil(this.#oneLine ? name + 76 : Math.max(name, 84));
  }

  get #oneLine(): boolean {
    return this.#pitch < ONE_LINE;
  }

  #feederName(item: Feeder): string {
    const links = item.kind === 'stub' ? item.stub.links : item.chain.links;
    const bay = links.map(({ equipment }) => this.#bayName.get(equipment.container ?? '')).find(Boolean);
    if (bay) return bay;
    if (item.kind === 'stub') return item.stub.injection?.name ?? links[0]?.equipment.name ?? '';
    return (links.find(({ equipment }) => isLine(equipment)) ?? links[0])?.equipment.name ?? '';
  }

  // ── drawing ──────────────────────────────────────────────────────────────────────────────────────────────────

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
      if (last >= first) reach.push([this.#columnX[first]! - 40, this.#columnX[last]! + this.#columnWidth[last]! - 76]);
      for (const chain of this.#forest.internal) {
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
    const labelX = atRight ? x1 - nameWidth(text) - 72 : x0;
    sketch.labels.push({ x: labelX, y: labelY, text, style: 'name', anchor: 'start', ...of });
    sketch.slots.push({
      x: labelX + nameWidth(text) + 8,
      y: labelY,
      equipment: [...(equipment ? [equipment] : []), hub.node],
      roles: ['U'],
      anchor: 'start',
    });
    if (equipment)
      sketch.targets.push({ equipment, name: text, x: labelX - 6, y: y - 27, width: textWidth(text) + 90, height: 36 });
    hub.sources.forEach((source, index) => {
      if (!source.injection) return;
      const { name, mRID } = source.injection;
      const x = Math.round(x0 + (x1 - x0) * ((index + 1) / (hub.sources.length + 1)));
      const end = { x, y: y - 44 - SYMBOL_STEP * source.links.length };
      sketch.series(hub.node, source.links, [{ x, y }, end], 26, 'stub');
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
    const own = this.#forest.internal.filter((chain) => station.some(({ hub }) => hub.node === chain.from));
    const downward = own
      .filter((chain) => y(chain.from) !== y(chain.to))
      .map((chain) => (y(chain.from) < y(chain.to) ? chain : reversed(chain)))
      .sort((a, b) => byName(transformerOf(a), transformerOf(b)));
    for (const chain of downward) {
      const siblings = downward.filter(({ to }) => to === chain.to);
      const [x0, x1] = extent.get(chain.to)!;
      const x = Math.round(x0 + (x1 - x0) * ((siblings.indexOf(chain) + 1) / (siblings.length + 1)));
      this.#sketch.series(
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
        this.#sketch.series(chain.from, chain.links, path, 12, 'coupler');
      });
  }

  #drawFeeder(node: TreeNode, column: number, y: number, item: Feeder): void {
    const sketch = this.#sketch;
    const x = this.#columnX[column]!;
    const links = item.kind === 'stub' ? item.stub.links : item.chain.links;
    const name = this.#feederName(item);
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
      const child = this.#placed.get(item.node.hub.node)!;
      sketch.series(
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
      sketch.series(item.stub.from, links, [{ x, y }, end], 30, 'feeder', name);
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
    const x = this.#columnX[placed.column]!;
    this.#drawStation(placed, x);
    for (const { chain, node: childNode } of node.children) {
      const child = this.#placed.get(childNode.hub.node)!;
      const exit = placed.exits.get(chain);
      if (exit === undefined) {
        this.#sketch.series(
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
        const childX = this.#columnX[child.column]!;
        this.#sketch.dots.push({ x, y: exit, node: node.hub.node });
        const path = [
          { x, y: exit },
          { x: childX, y: exit },
          { x: childX, y: child.top },
        ];
        this.#sketch.series(chain.from, chain.links, path, 28, 'line');
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
        x: x + 14 + width + 6,
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
          width: width + 91,
          height: 20,
        });
    }
    this.#drawRows(rows, x, top + (header ? HEADER_TO_ROW : 0), hub.node);
  }

  #drawRows(rows: readonly Row[], x: number, firstY: number, node: string): void {
    const sketch = this.#sketch;
    let y = firstY;
    rows.forEach((row, index) => {
      if (index) y += this.#rowHeight(row);
      sketch.dots.push({ x, y, node });
      if ('stub' in row) {
        this.#drawStub(row.stub, x, y);
        return;
      }
      const { chain, node: inner } = row.beside;
      const end = x + besideLength(chain.links);
      sketch.series(
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
      const bottom = y + this.#pitch * Math.max(0, innerRows.length - 1) + 6;
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
    sketch.series(
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
    const at = this.#oneLine
      ? { label: y + 4, value: y + 4, valueX: labelX + Math.ceil(textWidth(short(name)) * 0.92) + 6 }
      : { label: y - 4, value: y + 10, valueX: labelX };
    sketch.labels.push({ x: labelX, y: at.label, text: short(name), style: 'label', anchor: 'start', equipment: mRID });
    sketch.slots.push({
      x: at.valueX,
      y: at.value,
      equipment: givers,
      roles: battery ? ['P', 'soc'] : ['P'],
      anchor: 'start',
    });
    const half = this.#oneLine ? 11 : 15;
    sketch.injection(injection, { x: end, y }, 'right', stub.links.at(-1)?.node ?? stub.from, {
      name,
      x: end - 8,
      y: y - half,
      width: labelX - end + this.#rowText(stub) + 10,
      height: 2 * half,
    });
  }

  #tieEnd(tie: Chain, hub: string): TieEnd | undefined {
    const start = this.#tieStarts.find(({ chain, end }) => end.hub === hub && sameChain(chain, tie));
    if (start) return start.end;
    const placed = this.#placed.get(hub);
    if (!placed) return undefined;
    const { column } = placed;
    const x = this.#columnX[column]!;
    const exit = [...placed.exits].find(([chain]) => sameChain(chain, tie))?.[1];
    return { x, y: exit ?? placed.bottom, column, down: exit === undefined, primary: false, hub };
  }
}

/** What leaves a primary busbar downward, in the order of the names of its bays. */
function feedersOf(node: TreeNode): Feeder[] {
  const named = (links: readonly Link[], fallback: string) => ({
    name: links[0]?.equipment.name ?? fallback,
    mRID: links[0]?.equipment.mRID ?? fallback,
  });
  const feeders: { key: { name: string; mRID: string }; item: Feeder }[] = [
    ...node.children.map(({ chain, node: child }) => ({
      key: named(chain.links, child.hub.name),
      item: { kind: 'child', chain, node: child } as const,
    })),
    ...node.hub.stubs.map((stub) => ({
      key: named(stub.links, stub.injection?.name ?? ''),
      item: { kind: 'stub', stub } as const,
    })),
    ...node.ties.map((chain) => ({ key: named(chain.links, ''), item: { kind: 'tie', chain } as const })),
  ];
  return feeders.sort((a, b) => byName(a.key, b.key)).map(({ item }) => item);
}

function rowsOf(node: TreeNode): Row[] {
  const stubs = [...node.hub.stubs].sort((a, b) => byName(stubKey(a), stubKey(b)));
  return [...stubs.map((stub) => ({ stub })), ...node.beside.map((beside) => ({ beside }))];
}
const stubKey = (stub: Stub) => ({
  // Loads before generators, as the eye looks for consumption first.
  name: `${stub.injection?.class === 'EnergyConsumer' ? 0 : 1} ${stub.injection?.name ?? ''}`,
  mRID: stub.injection?.mRID ?? stub.links[0]?.equipment.mRID ?? '',
});

/** How far a load or plant directly on a primary busbar at `y` reaches down. */
const stubEnd = (stub: Stub, y: number): number => y + 74 + SYMBOL_STEP * Math.max(0, stub.links.length - 1);
const stubLength = (stub: Stub): number => 46 + 26 * stub.links.length;
const short = (name: string): string =>
  name.length > NAME_LETTERS ? `${name.slice(0, NAME_LETTERS - 1).trimEnd()}…` : name;
/** A station beside another, over switches alone or over a transformer, which needs more room. */
const besideLength = (links: readonly Link[]): number => 66 + 30 * links.length + (hasTransformer(links) ? 24 : 0);
const gapFor = (chain: Chain): number => 40 + 9 * Math.max(0, chain.links.length - 1);
const other = (chain: Chain, hub: string): string | undefined =>
  chain.from === hub ? chain.to : chain.to === hub ? chain.from : undefined;
const transformerOf = (chain: Chain) =>
  chain.links.find(({ equipment }) => isTransformer(equipment))?.equipment ?? chain.links[0]!.equipment;
const sameChain = (a: Chain, b: Chain): boolean =>
  a.links.length === b.links.length &&
  (a.links[0]!.equipment === b.links[0]!.equipment || a.links[0]!.equipment === b.links.at(-1)!.equipment);
