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
  return apart ? splitBus(moved, apart) : moved;
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
  const renumber = (bus: number): number => (bus === gone ? kept : bus > gone ? bus - 1 : bus);
  const busOfNode = topology.busOfNode.map(renumber);
  const firstNode = without(topology.firstNode, gone);
  const [one, other] = [topology.islandOfBus[kept]!, topology.islandOfBus[gone]!];
  const [low, high] = [Math.min(one, other), Math.max(one, other)];
  const islandOfBus = without(topology.islandOfBus, gone).map((island) =>
    low === high ? island : island === high ? low : island > high ? island - 1 : island,
  );
  const islands: Island[] = [];
  for (const island of topology.islands) {
    if (island.index === high && low !== high) continue;
    const index = islands.length;
    let { buses } = island;
    let { branches, sources } = island;
    if (island.index === low) {
      if (low !== high) {
        const absorbed = topology.islands[high]!;
        buses = merged(buses, absorbed.buses);
        branches = merged(branches, absorbed.branches);
        sources = sourcesAmong(grid, [...sources, ...absorbed.sources]);
      }
      buses = without(buses, buses.indexOf(gone));
    }
    islands.push(islandOf(index, buses.map(renumber), branches, sources));
  }
  return { ...topology, busCount: busCount - 1, busOfNode, firstNode, islandOfBus, islands };
}

/** One bus becomes two; its island may, too. @param nodes one part of it, ascending */
function splitBus(topology: Topology, nodes: Int32Array): Topology {
  const { grid } = topology;
  const old = topology.busOfNode[nodes[0]!]!;
  // The part that has the first node keeps the number.
  const leaving = topology.firstNode[old] === nodes[0] ? otherNodes(topology, old, nodes) : nodes;
  const first = leaving[0]!;
  const fresh = lowerBound(topology.firstNode, first);
  const busOfNode = topology.busOfNode.map((bus) => (bus >= fresh ? bus + 1 : bus));
  for (const node of leaving) busOfNode[node] = fresh;
  const firstNode = withValue(topology.firstNode, fresh, first);
  const own = topology.islandOfBus[old]!;
  let islandOfBus = withValue(topology.islandOfBus, fresh, own);
  const renumber = (bus: number): number => (bus >= fresh ? bus + 1 : bus);
  let islands: Island[] = topology.islands.map((island) => {
    const buses = island.buses.map(renumber);
    return { ...island, buses: island.index === own ? withValue(buses, lowerBound(buses, fresh), fresh) : buses };
  });
  const bus = renumber(old);
  const apart = part(bus, fresh, busesBehindBranches(grid, busOfNode, firstNode.length));
  if (apart) {
    const whole = islands[own]!;
    const isApart = new Uint8Array(firstNode.length);
    for (const each of apart) isApart[each] = 1;
    const keeps = isApart[whole.buses[0]!]!;
    const leaves = (each: number): boolean => isApart[each] !== keeps;
    const gone = whole.buses.filter(leaves);
    const index = islands.findIndex((island) => island.buses[0]! > gone[0]!);
    const at = index === -1 ? islands.length : index;
    const ofBranch = (row: number): number => busOfNode[grid.branches[row]!.from]!;
    islandOfBus = islandOfBus.map((island) => (island >= at ? island + 1 : island));
    for (const each of gone) islandOfBus[each] = at;
    const nodeOf = sourceNodes(grid);
    const feeds = (mRID: Mrid): boolean => leaves(busOfNode[nodeOf.get(mRID)!]!);
    const rest = islandOf(
      own,
      whole.buses.filter((each) => !leaves(each)),
      whole.branches.filter((row) => !leaves(ofBranch(row))),
      whole.sources.filter((mRID) => !feeds(mRID)),
    );
    const part2 = islandOf(
      at,
      gone,
      whole.branches.filter((row) => leaves(ofBranch(row))),
      whole.sources.filter(feeds),
    );
    islands = [...islands.slice(0, at), part2, ...islands.slice(at)].map((island, position) =>
      island.index === own && island !== part2 ? rest : { ...island, index: position },
    );
  }
  return { ...topology, busCount: firstNode.length, busOfNode, firstNode, islandOfBus, islands };
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

function busesBehindBranches(grid: CompiledGrid, busOfNode: Int32Array, busCount: number): Neighbours {
  // Nodes by bus, compressed.
  const start = new Int32Array(busCount + 1);
  for (const bus of busOfNode) start[bus + 1] = start[bus + 1]! + 1;
  for (let bus = 0; bus < busCount; bus++) start[bus + 1] = start[bus + 1]! + start[bus]!;
  const next = start.slice(0, busCount);
  const nodes = new Int32Array(busOfNode.length);
  busOfNode.forEach((bus, node) => {
    nodes[next[bus]!] = node;
    next[bus] = next[bus]! + 1;
  });
  const { branches, branchesAt } = grid;
  return (bus, found) => {
    for (let n = start[bus]!; n < start[bus + 1]!; n++) {
      const node = nodes[n]!;
      for (let at = branchesAt.start[node]!; at < branchesAt.start[node + 1]!; at++) {
        const { from, to } = branches[branchesAt.list[at]!]!;
        found(busOfNode[from === node ? to : from]!);
      }
    }
  };
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
