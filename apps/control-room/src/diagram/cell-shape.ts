/**
 * The inside of a cell on a grid of lanes (columns) and rows: every node a horizontal piece in a row of its own, every
 * device a vertical piece in a lane of its own or one it shares with what it is in series with. Drawn so, nothing can lie
 * on anything else, whatever the cell looks like; a plain bay comes out as the one column that everybody knows.
 */
import type { Cell, Device, Feeder } from './cells.ts';

export interface ShapeNode {
  readonly node: string;
  readonly row: number;
  readonly from: number;
  readonly to: number;
}
/** A vertical piece; `device` undefined: plain wire. */
export interface ShapeLeg {
  readonly device: Device | undefined;
  readonly lane: number;
  /** Node above (nearer to the busbars), and its row; row 0 stands for a busbar. */
  readonly upper: string;
  readonly upperRow: number;
  readonly lower: string;
  readonly lowerRow: number;
}
export interface ShapeFeeder {
  readonly feeder: Feeder;
  readonly lane: number;
  /** Row of its node; 0 at a busbar. */
  readonly row: number;
}
export interface Shape {
  readonly lanes: number;
  /** Rows below the busbars. */
  readonly rows: number;
  readonly nodes: readonly ShapeNode[];
  readonly legs: readonly ShapeLeg[];
  readonly feeders: readonly ShapeFeeder[];
}

interface Draft {
  readonly node: string;
  readonly up: Device[];
  readonly children: { readonly device: Device; readonly draft: Draft }[];
  row: number;
  lane: number;
  width: number;
  from: number;
  to: number;
}

export function shapeOf(cell: Cell): Shape {
  if (cell.nodes.length === 0) return atBusbars(cell);
  const inCell = new Set(cell.nodes);
  const devicesAt = new Map<string, Device[]>(cell.nodes.map((node) => [node, []]));
  for (const device of cell.devices) for (const end of [device.a, device.b]) devicesAt.get(end)?.push(device);
  const feedersAt = new Map<string, Feeder[]>(cell.nodes.map((node) => [node, []]));
  for (const feeder of cell.feeders) feedersAt.get(feeder.node)?.push(feeder);
  const other = (device: Device, node: string) => (device.a === node ? device.b : device.a);

  // Breadth first from the busbars: the first way to a node is its place in the tree, all others are extra.
  const drafts = new Map<string, Draft>();
  const inTree = new Set<Device>();
  const extra: Device[] = [];
  const queue: Draft[] = [];
  const roots: Draft[] = [];
  const make = (node: string): Draft => {
    const up = devicesAt.get(node)!.filter((device) => !inCell.has(other(device, node)));
    const draft: Draft = { node, up, children: [], row: 0, lane: 0, width: 0, from: 0, to: 0 };
    for (const device of up) inTree.add(device);
    drafts.set(node, draft);
    queue.push(draft);
    return draft;
  };
  const atBar = cell.nodes.filter((node) => devicesAt.get(node)!.some((device) => !inCell.has(other(device, node))));
  for (const node of atBar.length ? atBar : cell.nodes.slice(0, 1)) roots.push(make(node));
  for (const draft of queue) {
    for (const device of devicesAt.get(draft.node)!) {
      if (inTree.has(device)) continue;
      inTree.add(device);
      const next = other(device, draft.node);
      if (drafts.has(next)) extra.push(device);
      else draft.children.push({ device, draft: make(next) });
    }
  }

  // Rows in the order of discovery: below every neighbour that has one; a node with an extra device has its row alone.
  const crossing = new Set(extra.flatMap(({ a, b }) => [a, b]));
  const taken = new Map<number, boolean>();
  for (const draft of queue) {
    const above = devicesAt.get(draft.node)!.map((device) => drafts.get(other(device, draft.node))?.row ?? 0);
    let row = 1 + Math.max(0, ...above);
    const alone = crossing.has(draft.node);
    while (taken.get(row) === true || (alone && taken.has(row))) row += 1;
    taken.set(row, alone);
    draft.row = row;
  }

  // Lanes: each node has a block; its legs upward and its children downward begin at the left of it.
  const width = (draft: Draft): number => {
    const below =
      draft.children.reduce((sum, child) => sum + width(child.draft), 0) + feedersAt.get(draft.node)!.length;
    draft.width = Math.max(1, draft.up.length, below);
    return draft.width;
  };
  const legs: ShapeLeg[] = [];
  const feeders: ShapeFeeder[] = [];
  const put = (draft: Draft, lane: number): void => {
    draft.lane = lane;
    draft.from = lane;
    draft.to = lane;
    const reach = (at: number) => {
      draft.to = Math.max(draft.to, at);
    };
    draft.up.forEach((device, at) => {
      const own = lane + at;
      reach(own);
      const upper = other(device, draft.node);
      legs.push({ device, lane: own, upper, upperRow: 0, lower: draft.node, lowerRow: draft.row });
    });
    let next = lane;
    for (const child of draft.children) {
      reach(next);
      const lower = child.draft;
      legs.push({
        device: child.device,
        lane: next,
        upper: draft.node,
        upperRow: draft.row,
        lower: lower.node,
        lowerRow: lower.row,
      });
      put(lower, next);
      next += lower.width;
    }
    for (const feeder of feedersAt.get(draft.node)!) {
      reach(next);
      feeders.push({ feeder, lane: next, row: draft.row });
      next += 1;
    }
  };
  let lanes = 0;
  for (const root of roots) {
    width(root);
    put(root, lanes);
    lanes += root.width;
  }
  for (const device of extra) {
    const [a, b] = [drafts.get(device.a)!, drafts.get(device.b)!];
    const [upper, lower] = a.row < b.row ? [a, b] : [b, a];
    upper.to = lanes;
    lower.to = lanes;
    legs.push({
      device,
      lane: lanes,
      upper: upper.node,
      upperRow: upper.row,
      lower: lower.node,
      lowerRow: lower.row,
    });
    lanes += 1;
  }
  const nodes = queue.map(({ node, row, from, to }) => ({ node, row, from, to }));
  return { lanes, rows: Math.max(...nodes.map(({ row }) => row)), nodes, legs, feeders };
}

/** No node of its own: feeders right at a busbar, or a device between two busbars, which makes a U below them. */
function atBusbars(cell: Cell): Shape {
  const nodes: ShapeNode[] = [];
  const legs: ShapeLeg[] = [];
  let lane = 0;
  for (const device of cell.devices) {
    const { a, b } = device;
    nodes.push({ node: b, row: 1, from: lane, to: lane + 1 });
    legs.push({ device, lane, upper: a, upperRow: 0, lower: b, lowerRow: 1 });
    legs.push({ device: undefined, lane: lane + 1, upper: b, upperRow: 0, lower: b, lowerRow: 1 });
    lane += 2;
  }
  const feeders = cell.feeders.map((feeder, at) => ({ feeder, lane: lane + at, row: 0 }));
  return { lanes: lane + feeders.length, rows: nodes.length ? 1 : 0, nodes, legs, feeders };
}

/** The devices in the order of a plain chain between two busbars, from the first one named; undefined when it is none. */
export function asCoupler(
  cell: Cell,
): { readonly from: string; readonly to: string; readonly chain: Device[] } | undefined {
  const [from, to] = cell.bars;
  if (cell.feeders.length || cell.bars.length !== 2 || from === undefined || to === undefined) return undefined;
  const left = new Set(cell.devices);
  const chain: Device[] = [];
  for (let at = from; at !== to; ) {
    const next = [...left].filter(({ a, b }) => a === at || b === at);
    const [device] = next;
    if (next.length !== 1 || !device) return undefined;
    left.delete(device);
    chain.push(device);
    at = device.a === at ? device.b : device.a;
  }
  return left.size === 0 ? { from, to, chain } : undefined;
}
