/**
 * From the physical grid to the electrical one (IEC 61970-301 topology processing): connectivity nodes joined by closed
 * switches become buses, buses joined by branches become islands, and an island with a source is energised.
 */
import type { GridModel, Mrid } from '@enerchain/model';
import { BUS_TYPE, branchTable, busTable, type PowerFlowCase } from '../powerflow/case.ts';
import { NewtonSolver } from '../powerflow/newton.ts';
import { UnionFind } from '../powerflow/union-find.ts';
import { type CompiledGrid, compileGrid } from './compiled-grid.ts';

/** System base, MVA. */
export const BASE_MVA = 10;

/** A line or transformer with less impedance than this (per unit) is calculated with this reactance instead. */
const MINIMUM_IMPEDANCE = 1e-7;

/** What is moved in the grid. Whatever is not named stands as the model says: `normalOpen`, `normalStep`. */
export interface SwitchAndTapState {
  /** Switch mRID → closed. */
  readonly switches?: ReadonlyMap<Mrid, boolean>;
  /** Transformer mRID → position of its ratio tap changer. */
  readonly taps?: ReadonlyMap<Mrid, number>;
}

export interface Island {
  readonly index: number;
  /** Buses of the network that lie in it. */
  readonly buses: Int32Array;
  /** Branches with both ends in it, as indices into `CompiledGrid.branches`. */
  readonly branches: Int32Array;
  readonly energised: boolean;
  /** External network injections that feed it. */
  readonly sources: readonly Mrid[];
}

/** One switch state of a grid. Depends on nothing that moves more often than a switch. */
export interface Topology {
  readonly grid: CompiledGrid;
  readonly busCount: number;
  /** Node → bus. */
  readonly busOfNode: Int32Array;
  /** Bus → island. */
  readonly islandOfBus: Int32Array;
  /** kV per bus. */
  readonly nominalVoltage: Float64Array;
  readonly islands: readonly Island[];
  readonly islandCases: readonly (IslandCase | undefined)[];
}

/** The kernel's case of one energised island with everything filled in that the topology decides. */
export interface IslandCase {
  readonly case: PowerFlowCase;
  readonly solver: NewtonSolver;
  /** Bus of the network → bus of the case, or -1. */
  readonly local: Int32Array;
}

export interface Network {
  readonly topology: Topology;
  readonly state: SwitchAndTapState;
}

/** Topologies of a model that were needed lately; the symbolic analysis hangs on them. */
const KEPT_TOPOLOGIES = 32;
const compiled = new WeakMap<GridModel, { grid: CompiledGrid; topologies: Map<string, Topology> }>();

/**
 * Topologies are cached per model object and switch state, so calling this every second costs a key comparison.
 * @throws EnerchainError (caller) when the model's references lead nowhere
 */
export function buildNetwork(model: GridModel, state: SwitchAndTapState = {}): Network {
  let entry = compiled.get(model);
  if (!entry) {
    entry = { grid: compileGrid(model), topologies: new Map() };
    compiled.set(model, entry);
  }
  const { grid, topologies } = entry;
  let key = '';
  for (const { equipment } of grid.switches) {
    key += (state.switches?.get(equipment.mRID) ?? !equipment.normalOpen) ? '1' : '0';
  }
  let topology = topologies.get(key);
  if (!topology) {
    topology = buildTopology(grid, key);
    if (topologies.size >= KEPT_TOPOLOGIES) topologies.delete(topologies.keys().next().value as string);
    topologies.set(key, topology);
  }
  return { topology, state };
}

function buildTopology(grid: CompiledGrid, closed: string): Topology {
  const nodeSets = new UnionFind(grid.nodes.length);
  grid.switches.forEach(({ from, to }, index) => {
    if (closed[index] === '1') nodeSets.union(from, to);
  });
  const { of: busOfNode, count: busCount } = nodeSets.number();
  const busSets = new UnionFind(busCount);
  for (const { from, to } of grid.branches) busSets.union(busOfNode[from]!, busOfNode[to]!);
  const { of: islandOfBus, count: islandCount } = busSets.number();

  const nominalVoltage = new Float64Array(busCount);
  grid.nominalVoltage.forEach((kV, node) => {
    nominalVoltage[busOfNode[node]!] = kV;
  });
  const buses: number[][] = Array.from({ length: islandCount }, () => []);
  const branches: number[][] = Array.from({ length: islandCount }, () => []);
  const sources: Mrid[][] = Array.from({ length: islandCount }, () => []);
  islandOfBus.forEach((island, bus) => {
    buses[island]!.push(bus);
  });
  grid.branches.forEach(({ from }, index) => {
    branches[islandOfBus[busOfNode[from]!]!]!.push(index);
  });
  for (const { equipment, node } of grid.injections) {
    sources[islandOfBus[busOfNode[node]!]!]!.push(equipment.mRID);
  }
  const islands = buses.map((list, index) => ({
    index,
    buses: Int32Array.from(list),
    branches: Int32Array.from(branches[index]!),
    energised: sources[index]!.length > 0,
    sources: sources[index]!,
  }));
  const withoutCases = { grid, busCount, busOfNode, islandOfBus, nominalVoltage, islands };
  return {
    ...withoutCases,
    islandCases: islands.map((island) => (island.energised ? islandCase(withoutCases, island) : undefined)),
  };
}

function islandCase(topology: Omit<Topology, 'islandCases'>, island: Island): IslandCase {
  const { grid, busOfNode, nominalVoltage } = topology;
  const local = new Int32Array(topology.busCount).fill(-1);
  island.buses.forEach((bus, index) => {
    local[bus] = index;
  });
  const buses = busTable(island.buses.length);
  const table = branchTable(island.branches.length);
  island.branches.forEach((index, row) => {
    const { equipment, from, to } = grid.branches[index]!;
    table.from[row] = local[busOfNode[from]!]!;
    table.to[row] = local[busOfNode[to]!]!;
    const toBase = nominalVoltage[busOfNode[to]!]! ** 2 / BASE_MVA;
    const fromBase = nominalVoltage[busOfNode[from]!]! ** 2 / BASE_MVA;
    let r: number;
    let x: number;
    if (equipment.class === 'ACLineSegment') {
      r = equipment.r / toBase;
      x = equipment.x / toBase;
      table.gFrom[row] = ((equipment.gch ?? 0) / 2) * fromBase;
      table.gTo[row] = table.gFrom[row]!;
      table.bFrom[row] = (equipment.bch / 2) * fromBase;
      table.bTo[row] = table.bFrom[row]!;
    } else {
      const [first, second] = equipment.ends as [(typeof equipment.ends)[0], (typeof equipment.ends)[0]];
      const turns = (second!.ratedU / first!.ratedU) ** 2;
      r = (second!.r + first!.r * turns) / toBase;
      x = (second!.x + first!.x * turns) / toBase;
      table.gFrom[row] = first!.g * fromBase;
      table.bFrom[row] = first!.b * fromBase;
      table.gTo[row] = second!.g * toBase;
      table.bTo[row] = second!.b * toBase;
    }
    if (Math.hypot(r, x) < MINIMUM_IMPEDANCE) x = MINIMUM_IMPEDANCE;
    table.r[row] = r;
    table.x[row] = x;
  });
  for (const { node } of grid.injections) {
    const bus = local[busOfNode[node]!]!;
    if (bus >= 0) buses.type[bus] = BUS_TYPE.slack;
  }
  return {
    case: { buses, branches: table },
    solver: new NewtonSolver(island.buses.length, table.from, table.to),
    local,
  };
}
