/**
 * Where everything of a diagram stands: columns, their widths and places, and the heights of stations, rows and exits.
 * Nothing is drawn here. Pure.
 */
import type { GridModel } from '@enerchain/model';
import {
  buildGraph,
  byName,
  type Chain,
  hasTransformer,
  isLine,
  isTransformer,
  type Link,
  type Stub,
} from './graph.ts';
import { nameWidth, SYMBOL_STEP, textWidth, transformerHeight } from './sketch.ts';
import { buildForest, type TreeNode } from './tree.ts';

/** Below this distance, name and value of a row stand on one line. */
const ONE_LINE = 32;
/** Letters of a name beside a symbol; the rest is in the tool tip and the inspector. */
const NAME_LETTERS = 16;

export const MARGIN = 40;
export const HEADER_TO_ROW = 26;
/** From a primary busbar to the header of the first station. */
const HEAD = 96;
const EXIT = 26;
/** Above a ring closure stand the words of its normally open switch. */
const TIE_EXIT = 32;
const MIN_COLUMN = 168;
export const GUTTER = 40;

export type Row = { readonly stub: Stub } | { readonly beside: { readonly chain: Chain; readonly node: TreeNode } };
export type Feeder =
  | { readonly kind: 'child'; readonly chain: Chain; readonly node: TreeNode }
  | { readonly kind: 'stub'; readonly stub: Stub }
  | { readonly kind: 'tie'; readonly chain: Chain };

/** A station in its column. */
export interface Placed {
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

export interface PrimaryPlan {
  readonly station: readonly TreeNode[];
  readonly y: (node: string) => number;
  readonly feeders: readonly { readonly hub: TreeNode; readonly column: number; readonly item: Feeder }[];
  /** First and last column of a busbar. */
  readonly spans: ReadonlyMap<string, readonly [number, number]>;
}

export class Plan {
  readonly forest: ReturnType<typeof buildForest>;
  readonly pitch: number;
  readonly primaries: readonly PrimaryPlan[];
  readonly placed = new Map<string, Placed>();
  readonly columnWidth: number[] = [];
  /** Left edge of each column. */
  readonly columnX: readonly number[];
  /** Right edge of the last column. */
  readonly right: number;
  /** Height of the lowest station or busbar. */
  readonly lowest: number;
  readonly #bayName: ReadonlyMap<string, string>;
  readonly #top: number;

  /** @param pitch distance of the rows beside a station */
  constructor(model: GridModel, pitch: number) {
    this.pitch = pitch;
    this.#bayName = new Map(model.bays.map((bay) => [bay.mRID, bay.name]));
    this.forest = buildForest(buildGraph(model));
    const sources = this.forest.primaries.flat().flatMap(({ hub }) => hub.sources);
    this.#top = 96 + SYMBOL_STEP * Math.max(0, ...sources.map(({ links }) => links.length));
    this.primaries = this.forest.primaries.map((station) => this.#planPrimary(station));
    for (const orphan of this.forest.orphans) this.#place(orphan, this.#newColumn(), this.#top + HEAD);
    let x = MARGIN + 30;
    this.columnX = this.columnWidth.map((width) => {
      const at = x;
      x += width;
      return at;
    });
    this.right = x;
    const busbars = this.primaries.flatMap(({ station, y }) => station.map(({ hub }) => y(hub.node)));
    this.lowest = Math.max(...busbars, ...[...this.placed.values()].map((placed) => placed.bottom), this.#top);
  }

  #newColumn(): number {
    return this.columnWidth.push(MIN_COLUMN) - 1;
  }

  #widen(column: number, width: number): void {
    this.columnWidth[column] = Math.max(this.columnWidth[column] ?? MIN_COLUMN, width);
  }

  #planPrimary(station: readonly TreeNode[]): PrimaryPlan {
    const voltages = [...new Set(station.map(({ hub }) => hub.nominalVoltage))];
    const rowOf = new Map(station.map(({ hub }) => [hub.node, voltages.indexOf(hub.nominalVoltage)]));
    const nodes = new Set(rowOf.keys());
    const step = Math.max(
      120,
      ...this.forest.internal.filter(({ from }) => nodes.has(from)).map(({ links }) => transformerHeight(links)),
    );
    const y = (node: string) => this.#top + step * rowOf.get(node)!;
    const feeders: { hub: TreeNode; column: number; item: Feeder }[] = [];
    const spans = new Map<string, [number, number]>();
    // The lowest busbars first: they carry the feeders; a feeder of an upper busbar passes them on the right.
    for (const hub of [...station].sort((a, b) => rowOf.get(b.hub.node)! - rowOf.get(a.hub.node)!)) {
      const before = this.columnWidth.length;
      let latest = before - 1;
      for (const item of feedersOf(hub)) {
        const column = this.#columnFor(item, latest + 1, y(hub.hub.node));
        latest = column;
        feeders.push({ hub, column, item });
        this.#widen(column, 24 + Math.max(nameWidth(this.feederName(item)), 138) + 24);
        if (item.kind !== 'child') continue;
        const extra = SYMBOL_STEP * Math.max(0, item.chain.links.length - 3);
        this.#place(item.node, column, y(hub.hub.node) + HEAD + extra);
      }
      const lowest = rowOf.get(hub.hub.node) === voltages.length - 1;
      if (lowest && this.columnWidth.length === before) this.#newColumn();
      spans.set(hub.hub.node, [before, this.columnWidth.length - 1]);
    }
    return { station, y, feeders, spans };
  }

  /** A short feeder takes the room above a branch that begins further down; every other one gets a column of its own. */
  #columnFor(item: Feeder, from: number, y: number): number {
    if (item.kind === 'stub') {
      const clear = stubEnd(item.stub, y) + 130;
      for (let column = from; column < this.columnWidth.length; column++) {
        const tops = [...this.placed.values()].filter((placed) => placed.column === column).map(({ top }) => top);
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
    if (header) this.#widen(column, 14 + nameWidth(node.hub.name) + 82 + GUTTER);
    let y = top + (header && rows.length ? HEADER_TO_ROW : 0);
    rows.forEach((row, index) => {
      if (index) y += this.rowHeight(row);
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
    this.placed.set(node.hub.node, { node, column, top, bottom, rows, header, exits });
    if (straight) this.#place(straight.node, column, bottom + gapFor(straight.chain));
    for (const { chain, node: child } of branches)
      this.#place(child, this.#newColumn(), exits.get(chain)! + gapFor(chain));
  }

  rowHeight(row: Row): number {
    return this.pitch * ('beside' in row ? Math.max(1, rowsOf(row.beside.node).length) : 1);
  }

  #rowWidth(row: Row): number {
    if ('stub' in row) return stubLength(row.stub) + 28 + this.rowText(row.stub);
    const inner = Math.max(0, ...rowsOf(row.beside.node).map((each) => this.#rowWidth(each)));
    return besideLength(row.beside.chain.links) + inner;
  }

  rowText(stub: Stub): number {
    const name = textWidth(short(stub.injection?.name ?? '')) * 0.9;
    // A battery shows its state of charge beside its power.
    const values = isBattery(stub) ? 122 : 98;
    return Math.ceil(this.oneLine ? name + values - 10 : Math.max(name, values));
  }

  get oneLine(): boolean {
    return this.pitch < ONE_LINE;
  }

  feederName(item: Feeder): string {
    const links = item.kind === 'stub' ? item.stub.links : item.chain.links;
    const bay = links.map(({ equipment }) => this.#bayName.get(equipment.container ?? '')).find(Boolean);
    if (bay) return bay;
    if (item.kind === 'stub') return item.stub.injection?.name ?? links[0]?.equipment.name ?? '';
    return (links.find(({ equipment }) => isLine(equipment)) ?? links[0])?.equipment.name ?? '';
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

export function rowsOf(node: TreeNode): Row[] {
  const stubs = [...node.hub.stubs].sort((a, b) => byName(stubKey(a), stubKey(b)));
  return [...stubs.map((stub) => ({ stub })), ...node.beside.map((beside) => ({ beside }))];
}
const stubKey = (stub: Stub) => ({
  // Loads before generators, as the eye looks for consumption first.
  name: `${stub.injection?.class === 'EnergyConsumer' ? 0 : 1} ${stub.injection?.name ?? ''}`,
  mRID: stub.injection?.mRID ?? stub.links[0]?.equipment.mRID ?? '',
});

/** How far a load or plant directly on a primary busbar at `y` reaches down. */
export const stubEnd = (stub: Stub, y: number): number => y + 74 + SYMBOL_STEP * Math.max(0, stub.links.length - 1);
export const stubLength = (stub: Stub): number => 46 + 26 * stub.links.length;
export const short = (name: string): string =>
  name.length > NAME_LETTERS ? `${name.slice(0, NAME_LETTERS - 1).trimEnd()}…` : name;
/** A station beside another, over switches alone or over a transformer, which needs more room. */
export const besideLength = (links: readonly Link[]): number =>
  66 + 30 * links.length + (hasTransformer(links) ? 24 : 0);
const gapFor = (chain: Chain): number => 40 + 9 * Math.max(0, chain.links.length - 1);
export const other = (chain: Chain, hub: string): string | undefined =>
  chain.from === hub ? chain.to : chain.to === hub ? chain.from : undefined;
export const transformerOf = (chain: Chain) =>
  chain.links.find(({ equipment }) => isTransformer(equipment))?.equipment ?? chain.links[0]!.equipment;
export const sameChain = (a: Chain, b: Chain): boolean =>
  a.links.length === b.links.length &&
  (a.links[0]!.equipment === b.links[0]!.equipment || a.links[0]!.equipment === b.links.at(-1)!.equipment);

const isBattery = ({ injection }: Stub): boolean =>
  injection?.class === 'PowerElectronicsConnection' && injection.unit === 'BatteryUnit';
