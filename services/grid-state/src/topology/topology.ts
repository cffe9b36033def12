/**
 * From the physical grid to the electrical one (IEC 61970-301 topology processing): connectivity nodes joined by closed
 * switches become buses, buses joined by branches become islands, and an island with a source is energised. Buses are
 * numbered in the order of their first node, islands in the order of their first bus, whichever way one got there.
 */
import type { Mrid } from '@enerchain/model';
import { UnionFind } from '../powerflow/union-find.ts';
import type { CompiledGrid } from './compiled-grid.ts';
import { isSource } from './sources.ts';

export interface Island {
  readonly index: number;
  /** Buses of the network that lie in it, ascending. */
  readonly buses: Int32Array;
  /** Branches with both ends in it, as indices into `CompiledGrid.branches`. */
  readonly branches: Int32Array;
  readonly energised: boolean;
  /** External network injections, machines and the like that can feed it. */
  readonly sources: readonly Mrid[];
}

/** One switch state of a grid. Depends on nothing that moves more often than a switch. */
export interface Topology {
  readonly grid: CompiledGrid;
  /** Per switch: 1 when closed. */
  readonly closed: Uint8Array;
  /** Buses of connectivity nodes, and behind them those of inner nodes. */
  readonly busCount: number;
  /** Node → bus. */
  readonly busOfNode: Int32Array;
  /** Bus → its first node. */
  readonly firstNode: Int32Array;
  /** Bus → island. */
  readonly islandOfBus: Int32Array;
  readonly islands: readonly Island[];
}

export function buildTopology(grid: CompiledGrid, closed: Uint8Array): Topology {
  const nodeSets = new UnionFind(grid.nodeCount);
  grid.switches.forEach(({ from, to }, index) => {
    if (closed[index] === 1) nodeSets.union(from, to);
  });
  const { of: busOfNode, count: busCount } = nodeSets.number();
  const firstNode = new Int32Array(busCount).fill(-1);
  busOfNode.forEach((bus, node) => {
    if (firstNode[bus] === -1) firstNode[bus] = node;
  });
  const busSets = new UnionFind(busCount);
  for (const { from, to } of grid.branches) busSets.union(busOfNode[from]!, busOfNode[to]!);
  const { of: islandOfBus, count } = busSets.number();
  const buses: number[][] = Array.from({ length: count }, () => []);
  const branches: number[][] = Array.from({ length: count }, () => []);
  islandOfBus.forEach((island, bus) => {
    buses[island]!.push(bus);
  });
  grid.branches.forEach(({ from }, index) => {
    branches[islandOfBus[busOfNode[from]!]!]!.push(index);
  });
  const sources = sourcesByIsland(grid, busOfNode, islandOfBus);
  return {
    grid,
    closed,
    busCount,
    busOfNode,
    firstNode,
    islandOfBus,
    islands: buses.map((list, index) =>
      islandOf(index, Int32Array.from(list), Int32Array.from(branches[index]!), sources.get(index)),
    ),
  };
}

const islandOf = (index: number, buses: Int32Array, branches: Int32Array, sources: readonly Mrid[] = []): Island => ({
  index,
  buses,
  branches,
  energised: sources.length > 0,
  sources,
});

function sourcesByIsland(grid: CompiledGrid, busOfNode: Int32Array, islandOfBus: Int32Array): Map<number, Mrid[]> {
  const sources = new Map<number, Mrid[]>();
  for (const { equipment, node } of grid.singles) {
    if (!isSource(equipment)) continue;
    const island = islandOfBus[busOfNode[node]!]!;
    const list = sources.get(island);
    if (list) list.push(equipment.mRID);
    else sources.set(island, [equipment.mRID]);
  }
  return sources;
}

/**
 * The nodes of the bus-branch view, in which a closed switch that is `retained` stays a branch without impedance: what the
 * TopologicalNodes of a CGMES TP profile are. A bus of the topology is one or several of them.
 * @returns connectivity node → number, in the order of the first node of each, and their count
 */
export function busBranchNodes({ grid, closed }: Topology): { readonly of: Int32Array; readonly count: number } {
  const sets = new UnionFind(grid.nodes.length);
  grid.switches.forEach(({ equipment, from, to }, index) => {
    if (closed[index] === 1 && !equipment.retained) sets.union(from, to);
  });
  return sets.number();
}

/**
 * The topology after one switch has moved. Searches only where it stood; what is not touched is taken over, but for its
 * numbers. The same as `buildTopology` in every respect.
 */
export function moveSwitch(topology: Topology, index: number, closed: boolean): Topology {
  const { grid } = topology;
  const to = closed && grid.usable[index] === 1 ? 1 : 0;
  if (topology.closed[index] === to) return topology;
  const positions = topology.closed.slice();
  positions[index] = to;
  const { from: a, to: b } = grid.switches[index]!;
  const moved = { ...topology, closed: positions };
  if (to === 1) {
    const [one, other] = [topology.busOfNode[a]!, topology.busOfNode[b]!];
    return one === other ? moved : joinBuses(moved, Math.min(one, other), Math.max(one, other));
  }
  const apart = part(a, b, nodesBehindSwitches(grid, positions));
  return apart ? splitBus(moved, apart, [a, b]) : moved;
}

/** Calls back with everything next to a node. */
type Neighbours = (node: number, found: (other: number) => void) => void;

const nodesBehindSwitches =
  ({ switches, switchesAt: { start, list } }: CompiledGrid, closed: Uint8Array): Neighbours =>
  (node, found) => {
    for (let at = start[node]!; at < start[node + 1]!; at++) {
      const index = list[at]!;
      if (closed[index] !== 1) continue;
      const { from, to } = switches[index]!;
      found(from === node ? to : from);
    }
  };

const nodesBehindAnything = (grid: CompiledGrid, closed: Uint8Array): Neighbours => {
  const behindSwitches = nodesBehindSwitches(grid, closed);
  const {
    branches,
    branchesAt: { start, list },
  } = grid;
  return (node, found) => {
    behindSwitches(node, found);
    for (let at = start[node]!; at < start[node + 1]!; at++) {
      const { from, to } = branches[list[at]!]!;
      found(from === node ? to : from);
    }
  };
};

/**
 * Searches from two sides in turn, so that it costs twice the smaller part at most.
 * @returns one of the two parts, whole, ascending; nothing when they hang together
 */
function part(a: number, b: number, neighbours: Neighbours): Int32Array | undefined {
  if (a === b) return undefined;
  const sideOf = new Map([
    [a, 0],
    [b, 1],
  ]);
  const queues: [number[], number[]] = [[a], [b]];
  const next: [number, number] = [0, 0];
  for (let side: 0 | 1 = 0; ; side = side === 0 ? 1 : 0) {
    const queue = queues[side];
    if (next[side] === queue.length) return Int32Array.from(queue).sort();
    const node = queue[next[side]]!;
    next[side]++;
    let met = false;
    neighbours(node, (other) => {
      const seen = sideOf.get(other);
      if (seen === undefined) {
        sideOf.set(other, side);
        queue.push(other);
      } else if (seen !== side) met = true;
    });
    if (met) return undefined;
  }
}

/** Two buses become one; their islands do too. */
function joinBuses(topology: Topology, kept: number, gone: number): Topology {
  const { grid, busCount } = topology;
  const busOfNode = shifted(topology.busOfNode, gone, -1, kept);
  const firstNode = without(topology.firstNode, gone);
  const [one, other] = [topology.islandOfBus[kept]!, topology.islandOfBus[gone]!];
  const [low, high] = [Math.min(one, other), Math.max(one, other)];
  const rest = without(topology.islandOfBus, gone);
  const islandOfBus = low === high ? rest : shifted(rest, high, -1, low);
  const islands: Island[] = [];
  for (const island of topology.islands) {
    if (island.index === high && low !== high) continue;
    const index = islands.length;
    if (island.index !== low) {
      islands.push(renumbered(island, index, gone, -1));
      continue;
    }
    const absorbed = low === high ? undefined : topology.islands[high]!;
    const buses = absorbed ? merged(island.buses, absorbed.buses) : island.buses;
    islands.push(
      islandOf(
        index,
        shifted(without(buses, lowerBound(buses, gone)), gone, -1),
        absorbed ? merged(island.branches, absorbed.branches) : island.branches,
        absorbed ? sourcesAmong(grid, [...island.sources, ...absorbed.sources]) : island.sources,
      ),
    );
  }
  return { ...topology, busCount: busCount - 1, busOfNode, firstNode, islandOfBus, islands };
}

/** One bus becomes two; its island may, too. @param nodes one part of it, ascending */
function splitBus(topology: Topology, nodes: Int32Array, ends: readonly [number, number]): Topology {
  const { grid } = topology;
  const old = topology.busOfNode[nodes[0]!]!;
  // The part that has the first node keeps the number.
  const leaving = topology.firstNode[old] === nodes[0] ? otherNodes(topology, old, nodes) : nodes;
  const first = leaving[0]!;
  const fresh = lowerBound(topology.firstNode, first);
  const busOfNode = shifted(topology.busOfNode, fresh, 1);
  for (const node of leaving) busOfNode[node] = fresh;
  const firstNode = withValue(topology.firstNode, fresh, first);
  const own = topology.islandOfBus[old]!;
  const islandOfBus = withValue(topology.islandOfBus, fresh, own);
  const islands = topology.islands.map((island) => renumbered(island, island.index, fresh, 1));
  const whole = islands[own]!;
  islands[own] = { ...whole, buses: withValue(whole.buses, lowerBound(whole.buses, fresh), fresh) };
  const split = { ...topology, busCount: firstNode.length, busOfNode, firstNode, islandOfBus, islands };
  const apart = part(...ends, nodesBehindAnything(grid, topology.closed));
  return apart ? splitIsland(split, own, apart) : split;
}

/** @param nodes one part of the island */
function splitIsland(topology: Topology, own: number, nodes: Int32Array): Topology {
  const { grid, busOfNode, islands } = topology;
  const isApart = new Uint8Array(topology.busCount);
  for (const node of nodes) isApart[busOfNode[node]!] = 1;
  const whole = islands[own]!;
  const keeps = isApart[whole.buses[0]!]!;
  const leaves = (bus: number): boolean => isApart[bus] !== keeps;
  const ofBranch = (row: number): number => busOfNode[grid.branches[row]!.from]!;
  const nodeOf = sourceNodes(grid);
  const feeds = (mRID: Mrid): boolean => leaves(busOfNode[nodeOf.get(mRID)!]!);
  const buses = whole.buses.filter(leaves);
  const later = islands.findIndex((island) => island.buses[0]! > buses[0]!);
  const at = later === -1 ? islands.length : later;
  const rest = islandOf(
    own,
    whole.buses.filter((bus) => !leaves(bus)),
    whole.branches.filter((row) => !leaves(ofBranch(row))),
    whole.sources.filter((mRID) => !feeds(mRID)),
  );
  const gone = islandOf(
    at,
    buses,
    whole.branches.filter((row) => leaves(ofBranch(row))),
    whole.sources.filter(feeds),
  );
  const islandOfBus = shifted(topology.islandOfBus, at, 1);
  for (const bus of buses) islandOfBus[bus] = at;
  // What is split off has a later first bus, so that the rest keeps its place.
  const all = [...islands.slice(0, own), rest, ...islands.slice(own + 1, at), gone];
  for (const island of islands.slice(at)) all.push({ ...island, index: all.length });
  return { ...topology, islandOfBus, islands: all };
}

/** An island that was not touched, where numbers from `from` on have moved by one. */
function renumbered(island: Island, index: number, from: number, by: 1 | -1): Island {
  const same = island.buses.at(-1)! < from;
  if (same && island.index === index) return island;
  return { ...island, index, buses: same ? island.buses : shifted(island.buses, from, by) };
}

/** Values from `from` on moved by one. @param replaced what stands in place of `from` itself when it goes */
function shifted(values: Int32Array, from: number, by: 1 | -1, replaced = from): Int32Array<ArrayBuffer> {
  const moved = new Int32Array(values.length);
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!;
    moved[i] = by === -1 && value === from ? replaced : value >= from ? value + by : value;
  }
  return moved;
}

/** The nodes of a bus that are not among these. */
function otherNodes({ busOfNode }: Topology, bus: number, nodes: Int32Array): Int32Array {
  const others: number[] = [];
  let at = 0;
  for (let node = 0; node < busOfNode.length; node++) {
    if (busOfNode[node] !== bus) continue;
    if (nodes[at] === node) at++;
    else others.push(node);
  }
  return Int32Array.from(others);
}

const sourceNodesOf = new WeakMap<CompiledGrid, Map<Mrid, number>>();
/** Source → node, in the order of the model. */
function sourceNodes(grid: CompiledGrid): Map<Mrid, number> {
  let nodes = sourceNodesOf.get(grid);
  if (!nodes) {
    nodes = new Map(
      grid.singles.filter(({ equipment }) => isSource(equipment)).map(({ equipment, node }) => [equipment.mRID, node]),
    );
    sourceNodesOf.set(grid, nodes);
  }
  return nodes;
}

function sourcesAmong(grid: CompiledGrid, some: readonly Mrid[]): Mrid[] {
  const wanted = new Set(some);
  return Array.from(sourceNodes(grid).keys()).filter((mRID) => wanted.has(mRID));
}

/** Position of the first value that is not less. */
function lowerBound(ascending: Int32Array, value: number): number {
  let [low, high] = [0, ascending.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (ascending[middle]! < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

function without(values: Int32Array, at: number): Int32Array<ArrayBuffer> {
  const rest = new Int32Array(values.length - 1);
  rest.set(values.subarray(0, at));
  rest.set(values.subarray(at + 1), at);
  return rest;
}

function withValue(values: Int32Array, at: number, value: number): Int32Array<ArrayBuffer> {
  const more = new Int32Array(values.length + 1);
  more.set(values.subarray(0, at));
  more[at] = value;
  more.set(values.subarray(at), at + 1);
  return more;
}

function merged(a: Int32Array, b: Int32Array): Int32Array<ArrayBuffer> {
  const all = new Int32Array(a.length + b.length);
  let [i, j] = [0, 0];
  for (let at = 0; at < all.length; at++) {
    all[at] = j === b.length || (i < a.length && a[i]! < b[j]!) ? a[i++]! : b[j++]!;
  }
  return all;
}
