/**
 * The single-line diagram by rule: primary busbars horizontal at the top, transformers between them, one column per
 * feeder downward, branches in columns to the right, loads and generators beside their station, ring closures along
 * the gutters. A pure function of the model: the same model gives the same drawing.
 */
import type { GridModel } from '@enerchain/model';
import type {
  Dot,
  Drawing,
  InjectionKind,
  InjectionSymbol,
  Label,
  LoadingBar,
  Slot,
  SwitchSymbol,
  Target,
  TransformerSymbol,
  Wire,
  XY,
} from './drawing.ts';
import { along, pathLength, slice } from './drawing.ts';
import {
  buildGraph,
  byName,
  type Chain,
  hasLine,
  type Injection,
  isLine,
  isSwitch,
  isTransformer,
  type Link,
  reversed,
  type Stub,
} from './graph.ts';
import { buildForest, type TreeNode } from './tree.ts';

/** The pitch of rows beside a station; the largest that keeps the drawing no taller than a screen is wide. */
const PITCHES = [44, 36, 28, 24] as const;
const TALLEST = 0.72;

const MARGIN = 48;
const TOP = 104;
const PRIMARY_STEP = 184;
const HEAD = 84;
const HEADER_TO_ROW = 26;
const EXIT = 24;
const MIN_COLUMN = 190;

interface Placed {
  readonly node: TreeNode;
  readonly column: number;
  readonly top: number;
  bottom: number;
  readonly rows: readonly Row[];
  /** Distance from the header to the first row; none when the only row says it all. */
  readonly header: boolean;
  readonly exits: Map<Chain, number>;
  /** Whether the column goes on below this hub. */
  continues: boolean;
}
type Row = { readonly stub: Stub } | { readonly beside: { readonly chain: Chain; readonly node: TreeNode } };

export function layout(model: GridModel): Drawing {
  let drawing = layoutWith(model, PITCHES[0]);
  for (const pitch of PITCHES.slice(1)) {
    if (drawing.height <= drawing.width * TALLEST) break;
    drawing = layoutWith(model, pitch);
  }
  return drawing;
}

function layoutWith(model: GridModel, pitch: number): Drawing {
  return new Layout(model, pitch).drawing();
}

const textWidth = (text: string): number => Math.ceil(text.length * 6.7);

class Layout {
  readonly #wires: Wire[] = [];
  readonly #switches: SwitchSymbol[] = [];
  readonly #transformers: TransformerSymbol[] = [];
  readonly #injections: InjectionSymbol[] = [];
  readonly #dots: Dot[] = [];
  readonly #labels: Label[] = [];
  readonly #slots: Slot[] = [];
  readonly #bars: LoadingBar[] = [];
  readonly #targets: Target[] = [];

  readonly #forest: ReturnType<typeof buildForest>;
  readonly #bayName: ReadonlyMap<string, string>;
  readonly #levelName: ReadonlyMap<string, string>;
  readonly #pitch: number;
  readonly #placed = new Map<string, Placed>();
  readonly #columnWidth: number[] = [];
  #columnX: number[] = [];

  constructor(model: GridModel, pitch: number) {
    this.#pitch = pitch;
    this.#bayName = new Map(model.bays.map((bay) => [bay.mRID, bay.name]));
    this.#levelName = new Map(model.voltageLevels.map((level) => [level.mRID, level.name]));
    this.#forest = buildForest(buildGraph(model));
  }

  drawing(): Drawing {
    const primaries = this.#forest.primaries.map((station) => this.#planPrimary(station));
    for (const orphan of this.#forest.orphans) this.#place(orphan, this.#newColumn(), TOP + PRIMARY_STEP + HEAD);
    let x = MARGIN + 30;
    this.#columnX = this.#columnWidth.map((width) => {
      const at = x;
      x += width;
      return at;
    });
    const width = Math.max(x + MARGIN - 20, 640);

    for (const primary of primaries) this.#drawPrimary(primary);
    for (const orphan of this.#forest.orphans) this.#drawSubtree(this.#placed.get(orphan.hub.node)!);
    let bottom = Math.max(TOP + PRIMARY_STEP, ...[...this.#placed.values()].map((placed) => placed.bottom));
    bottom = this.#drawTies(bottom);
    return {
      width,
      height: bottom + MARGIN,
      wires: this.#wires,
      switches: this.#switches,
      transformers: this.#transformers,
      injections: this.#injections,
      dots: this.#dots,
      labels: this.#labels,
      slots: this.#slots,
      bars: this.#bars,
      targets: this.#targets,
    };
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
    const y = (node: string) => TOP + PRIMARY_STEP * rowOf.get(node)!;
    const feeders: { hub: TreeNode; column: number; item: Feeder }[] = [];
    const spans = new Map<string, [number, number]>();
    // The lowest busbars first: they carry the feeders; a feeder of an upper busbar passes them on the right.
    for (const hub of [...station].sort((a, b) => rowOf.get(b.hub.node)! - rowOf.get(a.hub.node)!)) {
      const before = this.#columnWidth.length;
      for (const item of feedersOf(hub)) {
        const column = this.#newColumn();
        feeders.push({ hub, column, item });
        const name = this.#feederName(item);
        this.#widen(column, 24 + Math.max(textWidth(name), 110) + 48);
        if (item.kind === 'child')
          this.#place(item.node, column, y(hub.hub.node) + HEAD + 14 * Math.max(0, item.chain.links.length - 3) + 22);
      }
      const lowest = rowOf.get(hub.hub.node) === voltages.length - 1;
      if (lowest && this.#columnWidth.length === before) this.#newColumn();
      spans.set(hub.hub.node, [before, this.#columnWidth.length - 1]);
    }
    return { station, y, feeders, spans };
  }

  /** Gives a hub and everything below it their places; @returns nothing, the plan is in `#placed` */
  #place(node: TreeNode, column: number, top: number): void {
    const rows = rowsOf(node);
    const only = rows.length === 1 && 'stub' in rows[0]! ? rows[0].stub.injection?.name : undefined;
    const header = only !== node.hub.name;
    let y = top + (header && rows.length ? HEADER_TO_ROW : 0);
    rows.forEach((row, index) => {
      if (index) y += this.#pitch * ('beside' in row ? Math.max(1, rowsOf(row.beside.node).length) : 1);
      this.#widen(column, this.#rowWidth(row));
    });
    if (header) this.#widen(column, 14 + textWidth(node.hub.name) + 90);
    const exits = new Map<Chain, number>();
    const [straight, ...branches] = node.children;
    // Ties leave a hub that ends its column straight down; elsewhere each needs a way out to the side.
    const sideTies = straight ? node.ties : node.ties.slice(1);
    for (const { chain } of branches) {
      y += EXIT;
      exits.set(chain, y);
    }
    for (const tie of sideTies) {
      y += EXIT;
      exits.set(tie, y);
    }
    const bottom = rows.length || exits.size ? y : top + 8;
    const placed: Placed = { node, column, top, bottom, rows, header, exits, continues: straight !== undefined };
    this.#placed.set(node.hub.node, placed);
    if (straight) this.#place(straight.node, column, bottom + gapFor(straight.chain));
    for (const { chain, node: child } of branches) {
      const exit = exits.get(chain)!;
      this.#place(child, this.#newColumn(), exit + gapFor(chain) - 8);
    }
  }

  #rowWidth(row: Row): number {
    if ('stub' in row) return stubLength(row.stub) + 14 + this.#rowText(row.stub) + 56;
    const inner = Math.max(0, ...rowsOf(row.beside.node).map((each) => this.#rowWidth(each)));
    return chainLength(row.beside.chain.links) + inner;
  }

  #rowText(stub: Stub): number {
    const name = textWidth(stub.injection?.name ?? '');
    return this.#twoLines ? Math.max(name, 84) : name + 84;
  }

  get #twoLines(): boolean {
    return this.#pitch >= 34;
  }

  // ── drawing ──────────────────────────────────────────────────────────────────────────────────────────────────

  #drawPrimary({ station, y, feeders, spans }: PrimaryPlan): void {
    const extent = new Map<string, [number, number]>();
    for (const hub of station) {
      const [first, last] = spans.get(hub.hub.node) ?? [0, -1];
      if (last < first) continue;
      extent.set(hub.hub.node, [this.#columnX[first]! - 40, this.#columnX[last]! + this.#columnWidth[last]! - 74]);
    }
    // An upper busbar spans what hangs below it.
    for (const hub of [...station].reverse()) {
      const below = this.#forest.internal.flatMap((chain) => {
        const end = other(chain, hub.hub.node);
        const span = end !== undefined && y(end) > y(hub.hub.node) ? extent.get(end) : undefined;
        return span ? [span] : [];
      });
      const own = extent.get(hub.hub.node);
      const all = own ? [...below, own] : below;
      if (all.length) extent.set(hub.hub.node, [Math.min(...all.map(([a]) => a)), Math.max(...all.map(([, b]) => b))]);
      else extent.set(hub.hub.node, [MARGIN, MARGIN + 160]);
    }
    for (const hub of station) {
      const [x0, x1] = extent.get(hub.hub.node)!;
      this.#busbar(hub, x0, x1, y(hub.hub.node));
    }
    this.#drawInternal(station, extent, y);
    for (const { hub, column, item } of feeders) this.#drawFeeder(hub, this.#columnX[column]!, y(hub.hub.node), item);
  }

  #busbar(node: TreeNode, x0: number, x1: number, y: number): void {
    const { hub } = node;
    const equipment = hub.busbar?.mRID;
    this.#wires.push({
      path: [
        { x: x0, y },
        { x: x1, y },
      ],
      kind: 'busbar',
      node: hub.node,
      ...(equipment ? { equipment } : {}),
    });
    const text = hub.busbar?.name ?? this.#levelName.get(hub.voltageLevel) ?? hub.name;
    this.#labels.push({ x: x0, y: y - 14, text, style: 'name', anchor: 'start', ...(equipment ? { equipment } : {}) });
    this.#slots.push({
      x: x0 + textWidth(text) + 12,
      y: y - 14,
      equipment: [equipment ?? hub.node, hub.node],
      roles: ['U'],
      anchor: 'start',
    });
    if (equipment)
      this.#targets.push({ equipment, name: text, x: x0 - 6, y: y - 30, width: textWidth(text) + 90, height: 40 });
    hub.sources.forEach((source, index) => {
      const x = x0 + (x1 - x0) * ((index + 1) / (hub.sources.length + 1));
      const symbolY = y - 46;
      this.#wires.push({
        path: [
          { x, y },
          { x, y: symbolY },
        ],
        kind: 'wire',
        node: hub.node,
      });
      this.#injections.push({
        equipment: source.mRID,
        kind: 'network',
        x,
        y: symbolY,
        direction: 'up',
        node: hub.node,
      });
      this.#labels.push({
        x: x + 20,
        y: symbolY - 4,
        text: source.name,
        style: 'label',
        anchor: 'start',
        equipment: source.mRID,
      });
      this.#slots.push({ x: x + 20, y: symbolY + 11, equipment: [source.mRID], roles: ['P', 'Q'], anchor: 'start' });
      this.#targets.push({
        equipment: source.mRID,
        name: source.name,
        x: x - 18,
        y: symbolY - 24,
        width: 40 + Math.max(textWidth(source.name), 90),
        height: 44,
      });
    });
  }

  #drawInternal(
    station: readonly TreeNode[],
    extent: ReadonlyMap<string, readonly [number, number]>,
    y: (node: string) => number,
  ): void {
    const own = this.#forest.internal.filter((chain) => station.some(({ hub }) => hub.node === chain.from));
    const vertical = own
      .filter((chain) => y(chain.from) !== y(chain.to))
      .sort((a, b) => byName(transformerOf(a), transformerOf(b)));
    for (const chain of vertical) {
      const down = y(chain.from) < y(chain.to) ? chain : flip(chain);
      const siblings = vertical.filter((each) => lowerOf(each, y) === down.to);
      const [x0, x1] = extent.get(down.to)!;
      const x = Math.round(x0 + (x1 - x0) * ((siblings.indexOf(chain) + 1) / (siblings.length + 1)));
      const path = [
        { x, y: y(down.from) },
        { x, y: y(down.to) },
      ];
      this.#chain(down, path, 36, 'centre');
    }
    // Couplers: busbars of one row, neighbours inline, others underneath.
    const beside = own.filter((chain) => y(chain.from) === y(chain.to));
    beside.forEach((chain, index) => {
      const right = extent.get(chain.from)![0] <= extent.get(chain.to)![0] ? chain : flip(chain);
      const [, a] = extent.get(right.from)!;
      const [b] = extent.get(right.to)!;
      const row = y(right.from);
      const between = station.some(
        ({ hub }) =>
          hub.node !== right.from &&
          hub.node !== right.to &&
          y(hub.node) === row &&
          extent.get(hub.node)![0] > a &&
          extent.get(hub.node)![1] < b,
      );
      const same = beside
        .slice(0, index)
        .some(
          (each) =>
            (each.from === chain.from && each.to === chain.to) || (each.from === chain.to && each.to === chain.from),
        );
      const path =
        between || same
          ? [
              { x: a - 8, y: row },
              { x: a - 8, y: row + 16 + 10 * index },
              { x: b + 8, y: row + 16 + 10 * index },
              { x: b + 8, y: row },
            ]
          : [
              { x: a, y: row },
              { x: b, y: row },
            ];
      this.#chain(right, path, 12, 'coupler');
    });
  }

  #drawFeeder(hub: TreeNode, x: number, y: number, item: Feeder): void {
    const links = item.kind === 'stub' ? item.stub.links : item.chain.links;
    const name = this.#feederName(item);
    const shift = 22 * Math.max(0, links.filter((link) => isSwitch(link.equipment)).length - 3);
    this.#labels.push({
      x: x + 14,
      y: y + 36,
      text: name,
      style: 'name',
      anchor: 'start',
      ...(links[0] ? { equipment: links[0].equipment.mRID } : {}),
    });
    const givers = links.map(({ equipment }) => equipment.mRID);
    const injection = item.kind === 'stub' ? item.stub.injection?.mRID : undefined;
    this.#slots.push({
      x: x + 14,
      y: y + 52,
      equipment: injection ? [injection, ...givers] : givers,
      roles: ['P', 'I'],
      anchor: 'start',
    });
    if (item.kind === 'child') {
      const child = this.#placed.get(item.node.hub.node)!;
      this.#chain(
        item.chain,
        [
          { x, y },
          { x, y: child.top },
        ],
        32,
        'feeder',
        name,
      );
      this.#drawSubtree(child);
    } else if (item.kind === 'stub') {
      const end = y + 84 + shift;
      this.#stubDown(item.stub, x, y, end, name);
    } else {
      const placed: Placed = {
        node: hub,
        column: 0,
        top: y,
        bottom: y,
        rows: [],
        header: false,
        exits: new Map(),
        continues: false,
      };
      this.#tieStarts.set(item.chain, [
        ...(this.#tieStarts.get(item.chain) ?? []),
        { hub: hub.hub.node, x, y, placed, name },
      ]);
    }
  }

  readonly #tieStarts = new Map<Chain, { hub: string; x: number; y: number; placed: Placed; name: string }[]>();

  #stubDown(stub: Stub, x: number, y: number, end: number, name: string): void {
    const path = [
      { x, y },
      { x, y: end },
    ];
    this.#elements(stub.from, stub.links, path, 32, 'feeder', name);
    this.#dots.push({ x, y, node: stub.from });
    const node = stub.links.at(-1)?.node ?? stub.from;
    if (stub.injection) this.#injection(stub.injection, x, end, 'down', node, 130, name);
  }

  #injection(
    injection: Injection,
    x: number,
    y: number,
    direction: 'right' | 'down',
    node: string,
    width: number,
    name?: string,
  ): void {
    this.#injections.push({ equipment: injection.mRID, kind: kindOf(injection), x, y, direction, node });
    const target =
      direction === 'right'
        ? { x: x - 14, y: y - 16, width: width + 18, height: 32 }
        : { x: x - 14, y: y - 8, width: 28, height: 34 };
    this.#targets.push({ equipment: injection.mRID, name: name ?? injection.name, ...target });
  }

  #drawSubtree(placed: Placed): void {
    const { node } = placed;
    const x = this.#columnX[placed.column]!;
    this.#drawHub(placed, x);
    for (const { chain, node: childNode } of node.children) {
      const child = this.#placed.get(childNode.hub.node)!;
      const exit = placed.exits.get(chain);
      if (exit === undefined) {
        this.#chain(
          chain,
          [
            { x, y: placed.bottom },
            { x, y: child.top },
          ],
          16,
          'line',
        );
      } else {
        const childX = this.#columnX[child.column]!;
        this.#dots.push({ x, y: exit, node: node.hub.node });
        this.#chain(
          chain,
          [
            { x, y: exit },
            { x: childX, y: exit },
            { x: childX, y: child.top },
          ],
          28,
          'line',
        );
      }
      this.#drawSubtree(child);
    }
  }

  #drawHub(placed: Placed, x: number): void {
    const { hub } = placed.node;
    const { top, bottom } = placed;
    const busbar = hub.busbar?.mRID;
    this.#wires.push({
      path: [
        { x, y: top - 4 },
        { x, y: bottom + 4 },
      ],
      kind: 'station',
      node: hub.node,
      ...(busbar ? { equipment: busbar } : {}),
    });
    if (placed.header) {
      this.#labels.push({
        x: x + 14,
        y: top + 6,
        text: hub.name,
        style: 'name',
        anchor: 'start',
        ...(busbar ? { equipment: busbar } : {}),
      });
      this.#slots.push({
        x: x + 14 + textWidth(hub.name) + 8,
        y: top + 6,
        equipment: [busbar ?? hub.node, hub.node],
        roles: ['U'],
        anchor: 'start',
      });
      if (busbar)
        this.#targets.push({
          equipment: busbar,
          name: hub.name,
          x: x - 8,
          y: top - 9,
          width: textWidth(hub.name) + 92,
          height: 20,
        });
    }
    this.#drawRows(placed.rows, x, top + (placed.header ? HEADER_TO_ROW : 0), hub.node);
  }

  #drawRows(rows: readonly Row[], x: number, firstY: number, node: string): void {
    let y = firstY;
    rows.forEach((row, index) => {
      if (index) y += this.#pitch * ('beside' in row ? Math.max(1, rowsOf(row.beside.node).length) : 1);
      this.#dots.push({ x, y, node });
      if ('stub' in row) return this.#drawStub(row.stub, x, y);
      const end = x + chainLength(row.beside.chain.links);
      this.#chain(
        row.beside.chain,
        [
          { x, y },
          { x: end, y },
        ],
        40,
        'line',
      );
      const inner = rowsOf(row.beside.node);
      const { hub } = row.beside.node;
      this.#wires.push({
        path: [
          { x: end, y: y - 6 },
          { x: end, y: y + this.#pitch * Math.max(0, inner.length - 1) + 6 },
        ],
        kind: 'station',
        node: hub.node,
        ...(hub.busbar ? { equipment: hub.busbar.mRID } : {}),
      });
      this.#drawRows(inner, end, y, hub.node);
    });
  }

  #drawStub(stub: Stub, x: number, y: number): void {
    const end = x + stubLength(stub);
    const path = [
      { x, y },
      { x: end, y },
    ];
    this.#elements(stub.from, stub.links, path, 40, 'line');
    const node = stub.links.at(-1)?.node ?? stub.from;
    const { injection } = stub;
    if (!injection) return;
    const labelX = end + (injection.class === 'EnergyConsumer' ? 20 : 28);
    const name = injection.name;
    const roles =
      injection.class === 'PowerElectronicsConnection' && injection.unit === 'BatteryUnit'
        ? (['P', 'soc'] as const)
        : (['P'] as const);
    const givers = [injection.mRID, ...stub.links.map((link) => link.equipment.mRID)];
    if (this.#twoLines) {
      this.#labels.push({
        x: labelX,
        y: y - 4,
        text: name,
        style: 'label',
        anchor: 'start',
        equipment: injection.mRID,
      });
      this.#slots.push({ x: labelX, y: y + 11, equipment: givers, roles, anchor: 'start' });
    } else {
      this.#labels.push({
        x: labelX,
        y: y + 4,
        text: name,
        style: 'label',
        anchor: 'start',
        equipment: injection.mRID,
      });
      this.#slots.push({ x: labelX + textWidth(name) + 6, y: y + 4, equipment: givers, roles, anchor: 'start' });
    }
    this.#injection(injection, end, y, 'right', node, labelX - end + this.#rowText(stub));
  }

  #drawTies(bottom: number): number {
    let lane = bottom + 30;
    const gutterUse = new Map<number, number>();
    const gutter = (right: number): number => {
      const uses = gutterUse.get(right) ?? 0;
      gutterUse.set(right, uses + 1);
      const edge =
        right < this.#columnX.length ? this.#columnX[right]! : this.#columnX.at(-1)! + this.#columnWidth.at(-1)!;
      return edge - 22 - 10 * (uses % 3);
    };
    for (const tie of this.#forest.ties) {
      const a = this.#tieEnd(tie, tie.from);
      const b = this.#tieEnd(tie, tie.to);
      if (!a || !b) continue;
      const [left, right, chain] = a.column <= b.column ? [a, b, tie] : [b, a, flip(tie)];
      let path: XY[];
      const adjacent = right.column - left.column === 1;
      if (left.down && right.down && adjacent) {
        const y = Math.max(left.y, right.y) + 40;
        path = [left, { x: left.x, y }, { x: right.x, y }, right];
        lane = Math.max(lane, y + 26);
      } else if (adjacent && left.down && right.y >= left.y + 24) {
        path = [left, { x: left.x, y: right.y }, right];
      } else if (adjacent && right.down && left.y >= right.y + 24) {
        path = [left, { x: right.x, y: left.y }, right];
      } else if (adjacent) {
        const g = gutter(right.column);
        const [ya, yb] = [left.down ? left.y + 14 : left.y, right.down ? right.y + 14 : right.y];
        path = [left, { x: left.x, y: ya }, { x: g, y: ya }, { x: g, y: yb }, { x: right.x, y: yb }, right];
      } else {
        const down = (end: TieEnd, toward: 'left' | 'right') =>
          end.down ? [end] : [end, { x: gutter(toward === 'right' ? end.column + 1 : end.column), y: end.y }];
        const [from, to] = [down(left, 'right'), down(right, left.column === right.column ? 'right' : 'left')];
        path = [...from, { x: from.at(-1)!.x, y: lane }, { x: to.at(-1)!.x, y: lane }, ...to.reverse()];
        lane += 26;
      }
      for (const end of [a, b]) if (!end.down || end.primary) this.#dots.push({ x: end.x, y: end.y, node: end.hub });
      this.#chain(
        chain,
        path.map(({ x, y }) => ({ x, y })),
        30,
        'tie',
      );
      bottom = Math.max(bottom, ...path.map((point) => point.y));
    }
    return bottom;
  }

  #tieEnd(tie: Chain, hub: string): TieEnd | undefined {
    for (const [chain, starts] of this.#tieStarts) {
      if (!sameChain(chain, tie)) continue;
      const start = starts.find((each) => each.hub === hub);
      if (start)
        return { x: start.x, y: start.y, column: this.#columnX.indexOf(start.x), down: true, primary: true, hub };
    }
    const placed = this.#placed.get(hub);
    if (!placed) return undefined;
    const x = this.#columnX[placed.column]!;
    const exit = [...placed.exits].find(([chain]) => sameChain(chain, tie))?.[1];
    if (exit !== undefined) return { x, y: exit, column: placed.column, down: false, primary: false, hub };
    return { x, y: placed.bottom, column: placed.column, down: true, primary: false, hub };
  }

  #chain(chain: Chain, path: readonly XY[], lead: number, style: ChainStyle, name?: string): void {
    this.#elements(chain.from, chain.links, path, lead, style, name);
  }

  /** Puts equipment in series along a path: switches near the ends, lines between them, transformers in the middle. */
  #elements(
    from: string,
    links: readonly Link[],
    path: readonly XY[],
    lead: number,
    style: ChainStyle,
    name?: string,
  ): void {
    const length = pathLength(path);
    const at = positions(links, length, lead, style);
    let node = from;
    let done = 0;
    links.forEach((link, index) => {
      const [start, end] = at[index]!;
      if (start > done) this.#wires.push({ path: slice(path, done, start), kind: 'wire', node });
      const { equipment } = link;
      const spot = along(path, (start + end) / 2);
      if (isLine(equipment)) {
        this.#wires.push({ path: slice(path, start, end), kind: 'wire', equipment: equipment.mRID });
        this.#lineTarget(equipment.mRID, equipment.name, slice(path, start, end));
        if (style === 'line' || style === 'tie')
          this.#slots.push({ ...beside(spot), equipment: [equipment.mRID], roles: ['I'], anchor: 'start' });
      } else if (isSwitch(equipment)) {
        const named = equipment.normalOpen || style === 'coupler';
        this.#switches.push({
          x: spot.x,
          y: spot.y,
          equipment: equipment.mRID,
          name: equipment.name,
          normalOpen: equipment.normalOpen,
          vertical: spot.vertical,
          named,
        });
        const big = style === 'feeder' && index === 0 && name;
        this.#targets.push(
          big
            ? {
                equipment: equipment.mRID,
                name: `${name} · ${equipment.name}`,
                x: spot.x - 10,
                y: spot.y - 13,
                width: 26 + Math.max(textWidth(name), 110),
                height: 42,
              }
            : {
                equipment: equipment.mRID,
                name: equipment.name,
                x: spot.x - 10,
                y: spot.y - 10,
                width: 20,
                height: 20,
              },
        );
      } else if (isTransformer(equipment)) {
        const entryNode = index === 0 ? from : links[index - 1]!.node;
        this.#transformers.push({
          x: spot.x,
          y: spot.y,
          equipment: equipment.mRID,
          vertical: spot.vertical,
          nodes: [entryNode, link.node],
        });
        if (spot.vertical) {
          this.#labels.push({
            x: spot.x + 28,
            y: spot.y - 12,
            text: equipment.name,
            style: 'name',
            anchor: 'start',
            equipment: equipment.mRID,
          });
          this.#slots.push({
            x: spot.x + 28,
            y: spot.y + 4,
            equipment: [equipment.mRID],
            roles: ['tap', 'P'],
            anchor: 'start',
          });
          this.#bars.push({ x: spot.x + 28, y: spot.y + 12, width: 90, equipment: equipment.mRID });
          this.#targets.push({
            equipment: equipment.mRID,
            name: equipment.name,
            x: spot.x - 30,
            y: spot.y - 34,
            width: 200,
            height: 68,
          });
        } else
          this.#targets.push({
            equipment: equipment.mRID,
            name: equipment.name,
            x: spot.x - 22,
            y: spot.y - 14,
            width: 44,
            height: 28,
          });
      }
      done = end;
      node = link.node;
    });
    if (length > done) this.#wires.push({ path: slice(path, done, length), kind: 'wire', node });
  }

  #lineTarget(equipment: string, name: string, path: readonly XY[]): void {
    const [a, b] = [path[0]!, path.at(-1)!];
    if (path.length !== 2) {
      for (let index = 1; index < path.length; index++) {
        const piece = [path[index - 1]!, path[index]!];
        if (Math.abs(piece[0]!.x - piece[1]!.x) + Math.abs(piece[0]!.y - piece[1]!.y) > 40)
          return this.#lineTarget(equipment, name, piece);
      }
      return;
    }
    const inset = 10;
    this.#targets.push(
      a.x === b.x
        ? {
            equipment,
            name,
            x: a.x - 6,
            y: Math.min(a.y, b.y) + inset,
            width: 12,
            height: Math.max(4, Math.abs(a.y - b.y) - 2 * inset),
          }
        : {
            equipment,
            name,
            x: Math.min(a.x, b.x) + inset,
            y: a.y - 6,
            width: Math.max(4, Math.abs(a.x - b.x) - 2 * inset),
            height: 12,
          },
    );
  }

  #feederName(item: Feeder): string {
    const links = item.kind === 'stub' ? item.stub.links : item.chain.links;
    const bay = links.map(({ equipment }) => this.#bayName.get(equipment.container ?? '')).find(Boolean);
    if (bay) return bay;
    if (item.kind === 'stub') return item.stub.injection?.name ?? links[0]?.equipment.name ?? '';
    return (links.find(({ equipment }) => isLine(equipment)) ?? links[0])?.equipment.name ?? '';
  }
}

type Feeder =
  | { readonly kind: 'child'; readonly chain: Chain; readonly node: TreeNode }
  | { readonly kind: 'stub'; readonly stub: Stub }
  | { readonly kind: 'tie'; readonly chain: Chain };

interface PrimaryPlan {
  readonly station: readonly TreeNode[];
  readonly y: (node: string) => number;
  readonly feeders: readonly { readonly hub: TreeNode; readonly column: number; readonly item: Feeder }[];
  /** First and last column of a busbar. */
  readonly spans: ReadonlyMap<string, readonly [number, number]>;
}

interface TieEnd extends XY {
  readonly hub: string;
  readonly column: number;
  /** Leaves straight down, because nothing follows in the column. */
  readonly down: boolean;
  readonly primary: boolean;
}

type ChainStyle = 'feeder' | 'line' | 'tie' | 'coupler' | 'centre';

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
    ...node.hub.stubs
      .filter((stub) => stub.injection?.class !== 'ExternalNetworkInjection')
      .map((stub) => ({ key: named(stub.links, stub.injection?.name ?? ''), item: { kind: 'stub', stub } as const })),
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

const stubLength = (stub: Stub): number => 50 + 26 * stub.links.length;
const chainLength = (links: readonly Link[]): number => 66 + 30 * links.length;
const gapFor = (chain: Chain): number => 46 + 16 * Math.max(1, chain.links.length - 1);

const flip = (chain: Chain): Chain => reversed(chain);
const other = (chain: Chain, hub: string): string | undefined =>
  chain.from === hub ? chain.to : chain.to === hub ? chain.from : undefined;
const lowerOf = (chain: Chain, y: (node: string) => number): string =>
  y(chain.from) > y(chain.to) ? chain.from : chain.to;
const transformerOf = (chain: Chain) =>
  chain.links.find(({ equipment }) => isTransformer(equipment))?.equipment ?? chain.links[0]!.equipment;
const sameChain = (a: Chain, b: Chain): boolean =>
  a.links.length === b.links.length &&
  (a.links[0]!.equipment === b.links[0]!.equipment || a.links[0]!.equipment === b.links.at(-1)!.equipment);

/** Where each piece stands on a path of this length: [start, end] of a line, twice the same of everything else. */
function positions(links: readonly Link[], length: number, lead: number, style: ChainStyle): [number, number][] {
  if (style === 'centre' || style === 'coupler' || !hasLine(links)) {
    const step = length / (links.length + 1);
    const even = links.map((_, index) => Math.round(step * (index + 1)));
    // A stub keeps its switches near the busbar, where the study has them.
    const at =
      style === 'centre' || style === 'coupler' ? even : links.map((_, index) => Math.min(length, lead + 26 * index));
    return at.map((d) => [d, d]);
  }
  const first = links.findIndex(({ equipment }) => isLine(equipment));
  const last = links.findLastIndex(({ equipment }) => isLine(equipment));
  const from = first === 0 ? 0 : Math.min(length / 2, lead + 22 * (first - 1));
  const behind = links.length - 1 - last;
  const to = behind === 0 ? length : Math.max(length / 2, length - 18 - 22 * (behind - 1));
  const middle = links.slice(first, last + 1).filter(({ equipment }) => isLine(equipment)).length;
  const share = (to - from) / middle;
  let passed = from;
  return links.map((link, index): [number, number] => {
    if (index < first) return [Math.min(from, lead + 22 * index), Math.min(from, lead + 22 * index)];
    if (index > last) {
      const d = Math.max(to, to + 22 * (index - last - 1));
      return [d, d];
    }
    if (!isLine(link.equipment)) return [passed, passed];
    const start = passed;
    passed += share;
    return [start, passed];
  });
}

const beside = (spot: XY & { vertical: boolean }): XY =>
  spot.vertical ? { x: spot.x + 12, y: spot.y + 4 } : { x: spot.x - 12, y: spot.y - 8 };

function kindOf(injection: Injection): InjectionKind {
  if (injection.class === 'EnergyConsumer') return 'load';
  if (injection.class === 'ExternalNetworkInjection') return 'network';
  if (injection.unit === 'PhotoVoltaicUnit') return 'pv';
  return injection.unit === 'BatteryUnit' ? 'battery' : 'wind';
}
