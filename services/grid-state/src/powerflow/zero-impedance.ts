/**
 * Branches without impedance (links, busbar couplers, lines of no length): their buses are one to the kernel, and what
 * flows through them follows from the balance of each bus.
 */

import type { BranchTable } from './case.ts';
import { UnionFind } from './union-find.ts';

/** pu. Less is no impedance: as an admittance it would eat the digits of everything else at its buses. */
export const ZERO_IMPEDANCE = 1e-9;

export const hasNoImpedance = (branches: BranchTable, row: number): boolean =>
  Math.hypot(branches.r[row]!, branches.x[row]!) < ZERO_IMPEDANCE &&
  branches.ratio[row] === 1 &&
  branches.shift[row] === 0;

export interface JoinedBuses {
  /** Bus → bus of the kernel. */
  readonly of: Int32Array;
  readonly count: number;
  /** Branches that are left, and those that are not. */
  readonly kept: Int32Array;
  readonly joining: Int32Array;
}

export function joinBuses(busCount: number, branches: BranchTable, outOfService?: Uint8Array): JoinedBuses {
  const sets = new UnionFind(busCount);
  const kept: number[] = [];
  const joining: number[] = [];
  for (let row = 0; row < branches.from.length; row++) {
    if (outOfService?.[row] === 1 || !hasNoImpedance(branches, row)) kept.push(row);
    else {
      joining.push(row);
      sets.union(branches.from[row]!, branches.to[row]!);
    }
  }
  return { ...sets.number(), kept: Int32Array.from(kept), joining: Int32Array.from(joining) };
}

/**
 * Flows through branches without impedance that balance every node: the only ones where the branches form a tree; where
 * they form loops, those with the least sum of squares, as if all had the same small impedance.
 * @param supply per node, what it has to give away; should add up to 0 over each connected set
 * @returns per branch, what flows from its `from` node to its `to` node
 */
export function balancingFlows(from: Int32Array, to: Int32Array, supply: Float64Array): Float64Array {
  const rest = supply.slice();
  const flow = new Float64Array(from.length);
  const { start, list } = incidence(from, to, supply.length);
  const degree = Int32Array.from(supply, (_, node) => start[node + 1]! - start[node]!);
  const settled = new Uint8Array(from.length);
  const leaves = Array.from(degree.keys()).filter((node) => degree[node] === 1);
  for (const node of leaves) {
    let place = start[node]!;
    while (place < start[node + 1]! && settled[list[place]!] === 1) place++;
    if (place === start[node + 1]!) continue;
    const k = list[place]!;
    settled[k] = 1;
    const outward = from[k] === node;
    const other = outward ? to[k]! : from[k]!;
    flow[k] = outward ? rest[node]! : -rest[node]!;
    rest[other] = rest[other]! + rest[node]!;
    rest[node] = 0;
    degree[node] = 0;
    degree[other] = degree[other]! - 1;
    if (degree[other] === 1) leaves.push(other);
  }
  const seen = new Uint8Array(supply.length);
  for (let first = 0; first < supply.length; first++) {
    if (seen[first] === 1 || degree[first]! < 2) continue;
    const nodes = [first];
    const branches: number[] = [];
    seen[first] = 1;
    for (const node of nodes) {
      for (const k of list.subarray(start[node]!, start[node + 1]!)) {
        if (settled[k] === 1) continue;
        settled[k] = 1;
        branches.push(k);
        const other = from[k] === node ? to[k]! : from[k]!;
        if (seen[other] === 1) continue;
        seen[other] = 1;
        nodes.push(other);
      }
    }
    meshedFlows(nodes, branches, from, to, rest, flow);
  }
  return flow;
}

/** Branches at each node, compressed; those from a node to itself are left out. */
function incidence(from: Int32Array, to: Int32Array, nodeCount: number): { start: Int32Array; list: Int32Array } {
  const start = new Int32Array(nodeCount + 1);
  for (let k = 0; k < from.length; k++) {
    if (from[k] === to[k]) continue;
    start[from[k]! + 1] = start[from[k]! + 1]! + 1;
    start[to[k]! + 1] = start[to[k]! + 1]! + 1;
  }
  for (let node = 0; node < nodeCount; node++) start[node + 1] = start[node + 1]! + start[node]!;
  const next = start.slice(0, nodeCount);
  const list = new Int32Array(start[nodeCount]!);
  for (let k = 0; k < from.length; k++) {
    if (from[k] === to[k]) continue;
    for (const node of [from[k]!, to[k]!]) {
      list[next[node]!] = k;
      next[node] = next[node]! + 1;
    }
  }
  return { start, list };
}

/** Conjugate gradients on the Laplacian of one meshed set; its potentials are unique up to a constant, its flows are. */
function meshedFlows(
  nodes: readonly number[],
  branches: readonly number[],
  from: Int32Array,
  to: Int32Array,
  supply: Float64Array,
  flow: Float64Array,
): void {
  const place = new Map(nodes.map((node, i) => [node, i]));
  const ends = branches.map((k) => [place.get(from[k]!)!, place.get(to[k]!)!] as const);
  const n = nodes.length;
  const surplus = nodes.reduce((sum, node) => sum + supply[node]!, 0) / n;
  const residual = Float64Array.from(nodes, (node) => supply[node]! - surplus);
  const direction = residual.slice();
  const potential = new Float64Array(n);
  const product = new Float64Array(n);
  const square = (vector: Float64Array): number => vector.reduce((sum, value) => sum + value * value, 0);
  let size = square(residual);
  const enough = size * 1e-28;
  for (let round = 0; round < 4 * n && size > enough; round++) {
    product.fill(0);
    for (const [f, t] of ends) {
      const difference = direction[f]! - direction[t]!;
      product[f] = product[f]! + difference;
      product[t] = product[t]! - difference;
    }
    const length = size / direction.reduce((sum, value, i) => sum + value * product[i]!, 0);
    for (let i = 0; i < n; i++) {
      potential[i] = potential[i]! + length * direction[i]!;
      residual[i] = residual[i]! - length * product[i]!;
    }
    const next = square(residual);
    for (let i = 0; i < n; i++) direction[i] = residual[i]! + (next / size) * direction[i]!;
    size = next;
  }
  branches.forEach((k, e) => {
    flow[k] = potential[ends[e]![0]]! - potential[ends[e]![1]]!;
  });
}
