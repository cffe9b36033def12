/** The power flow of a network in physical units: from injections to voltages, flows, loading and losses. */
import type { Mrid } from '@enerchain/model';
import { branchAdmittances } from './powerflow/case.ts';
import type { NewtonOptions, NewtonSolution } from './powerflow/newton.ts';
import type { Transformer } from './topology/compiled-grid.ts';
import { BASE_MVA, type IslandCase, type Network } from './topology/network.ts';

/** MW and Mvar in CIM's load sign convention: positive flows from the node into the equipment. */
export interface Power {
  readonly p: number;
  readonly q: number;
}

/** What is drawn, fed in and held. Equipment that is not named stands as the model says: consumers at p and q, converters at 0. */
export interface Injections {
  /** Consumer or converter mRID → power. */
  readonly powers?: ReadonlyMap<Mrid, Power>;
  /** External network injection mRID → voltage held, kV. */
  readonly voltages?: ReadonlyMap<Mrid, number>;
}

/** What flows from the bus into a terminal. */
export interface Flow {
  /** MW, load sign convention. */
  readonly p: number;
  /** Mvar. */
  readonly q: number;
  /** A. */
  readonly i: number;
}

export interface BusResult {
  readonly index: number;
  readonly island: number;
  /** kV. */
  readonly nominalVoltage: number;
  /** kV, phase to phase; null when not energised or not solved. */
  readonly voltage: number | null;
  /** Degrees; null likewise. */
  readonly angle: number | null;
}

export interface BranchResult {
  readonly equipment: Mrid;
  readonly name: string;
  readonly island: number;
  readonly energised: boolean;
  /** Null where the island was not solved. */
  readonly from: Flow | null;
  readonly to: Flow | null;
  /** % of the rated current or of the rated power; null without a rating or solution. */
  readonly loading: number | null;
  /** MW. */
  readonly losses: number | null;
}

export interface IslandResult {
  readonly index: number;
  readonly energised: boolean;
  readonly sources: readonly Mrid[];
  readonly buses: number;
  readonly converged: boolean;
  readonly iterations: number;
  /** MVA. */
  readonly maxMismatch: number;
  /** A sentence when it did not converge. */
  readonly failure?: string;
  readonly failureKind?: NonNullable<NewtonSolution['failure']>['kind'];
  /** Where it does not add up, worst first; MW and Mvar. Empty when converged. */
  readonly largestMismatches: readonly {
    readonly bus: number;
    readonly node: Mrid;
    readonly p: number;
    readonly q: number;
  }[];
  /** MW: branch losses. */
  readonly losses: number | null;
}

export interface PowerFlowResult {
  /** True when every energised island converged. */
  readonly converged: boolean;
  /** The most that any island needed. */
  readonly iterations: number;
  /** MVA; the largest of all islands. */
  readonly maxMismatch: number;
  readonly islands: readonly IslandResult[];
  readonly buses: readonly BusResult[];
  /** Lines in the order of the model, then transformers in the order of the model. */
  readonly branches: readonly BranchResult[];
  /** Connectivity node → index into `buses`. */
  readonly busOfNode: ReadonlyMap<Mrid, number>;
  /** Terminal mRID of lines, transformers, consumers, converters and external injections → flow into the equipment. */
  readonly flows: ReadonlyMap<Mrid, Flow>;
  /** MW over all islands; null when one was not solved. */
  readonly losses: number | null;
}

export interface PowerFlowOptions extends NewtonOptions {
  /** Voltages to start from; buses it does not know start flat. A start that fails is tried again flat. */
  readonly start?: PowerFlowResult;
}

const NO_FLOW: Flow = { p: 0, q: 0, i: 0 };
const DEGREES = 180 / Math.PI;
const SQRT3 = Math.sqrt(3);

/** Solves every energised island on its own: one that fails takes no other with it. Never throws for a grid state. */
export function solvePowerFlow(
  network: Network,
  injections: Injections = {},
  options: PowerFlowOptions = {},
): PowerFlowResult {
  const { topology } = network;
  const { grid } = topology;
  const voltage = new Float64Array(topology.busCount).fill(Number.NaN);
  const angle = new Float64Array(topology.busCount).fill(Number.NaN);
  const solved = new Uint8Array(topology.islands.length);
  const islandLosses = new Float64Array(topology.islands.length);
  const flows = new Map<Mrid, Flow>();
  const branches: BranchResult[] = new Array(grid.branches.length);
  const firstNode = (bus: number): Mrid => grid.nodes[topology.busOfNode.indexOf(bus)]!;
  const islandDrafts = topology.islands.map((island) => {
    const own = topology.islandCases[island.index];
    const shared = {
      index: island.index,
      energised: island.energised,
      sources: island.sources,
      buses: island.buses.length,
    };
    if (!own) {
      for (const index of island.branches) {
        const { equipment } = grid.branches[index]!;
        for (const { mRID } of equipment.terminals) flows.set(mRID, NO_FLOW);
        branches[index] = {
          equipment: equipment.mRID,
          name: equipment.name,
          island: island.index,
          energised: false,
          from: NO_FLOW,
          to: NO_FLOW,
          loading: 0,
          losses: 0,
        };
      }
      return { ...shared, converged: true, iterations: 0, maxMismatch: 0, largestMismatches: [] };
    }
    fillCase(network, island.index, own, injections);
    const warm = startFrom(network, island.index, own, injections, options.start);
    let solution = own.solver.solve(own.case, options);
    if (!solution.converged && warm) {
      startFrom(network, island.index, own, injections, undefined);
      solution = own.solver.solve(own.case, options);
    }
    const { converged, failure } = solution;
    if (converged) {
      solved[island.index] = 1;
      island.buses.forEach((bus, row) => {
        voltage[bus] = solution.vm[row]! * topology.nominalVoltage[bus]!;
        angle[bus] = solution.va[row]! * DEGREES;
      });
    }
    islandLosses[island.index] = branchFlows(network, island.index, own, solution, branches, flows);
    return {
      ...shared,
      converged,
      iterations: solution.iterations,
      maxMismatch: solution.maxMismatch * BASE_MVA,
      ...(failure
        ? {
            failureKind: failure.kind,
            failure: `island ${island.index} at node ${firstNode(island.buses[failure.bus]!)}: ${failure.message}`,
          }
        : {}),
      largestMismatches: solution.worst.map(({ bus, p, q }) => ({
        bus: island.buses[bus]!,
        node: firstNode(island.buses[bus]!),
        p: p * BASE_MVA,
        q: q * BASE_MVA,
      })),
    };
  });
  equipmentFlows(network, injections, voltage, flows);

  const energisedIslands = islandDrafts.filter((island) => island.energised);
  const busOfNode = new Map<Mrid, number>();
  grid.nodes.forEach((node, index) => {
    busOfNode.set(node, topology.busOfNode[index]!);
  });
  return {
    converged: energisedIslands.every((island) => island.converged),
    iterations: Math.max(0, ...energisedIslands.map((island) => island.iterations)),
    maxMismatch: Math.max(0, ...energisedIslands.map((island) => island.maxMismatch)),
    islands: islandDrafts.map((draft) => ({ ...draft, losses: draft.converged ? islandLosses[draft.index]! : null })),
    buses: Array.from({ length: topology.busCount }, (_, index) => ({
      index,
      island: topology.islandOfBus[index]!,
      nominalVoltage: topology.nominalVoltage[index]!,
      voltage: Number.isNaN(voltage[index]!) ? null : voltage[index]!,
      angle: Number.isNaN(angle[index]!) ? null : angle[index]!,
    })),
    branches,
    busOfNode,
    flows,
    losses: energisedIslands.every((island) => island.converged) ? islandLosses.reduce((a, b) => a + b, 0) : null,
  };
}

/** Powers, held voltages and tap ratios into the island's case. */
function fillCase(network: Network, island: number, own: IslandCase, injections: Injections): void {
  const { topology, state } = network;
  const { grid, busOfNode } = topology;
  const { buses, branches } = own.case;
  buses.p.fill(0);
  buses.q.fill(0);
  const draw = (node: number, power: Power): void => {
    const bus = own.local[busOfNode[node]!]!;
    if (bus < 0) return;
    buses.p[bus] = buses.p[bus]! - power.p / BASE_MVA;
    buses.q[bus] = buses.q[bus]! - power.q / BASE_MVA;
  };
  for (const { equipment, node } of grid.consumers) draw(node, injections.powers?.get(equipment.mRID) ?? equipment);
  for (const { equipment, node } of grid.converters) {
    const power = injections.powers?.get(equipment.mRID);
    if (power) draw(node, power);
  }
  topology.islands[island]!.branches.forEach((index, row) => {
    const { equipment, from, to } = grid.branches[index]!;
    if (equipment.class !== 'PowerTransformer') return;
    branches.ratio[row] = ratioOf(
      equipment,
      state.taps?.get(equipment.mRID),
      grid.nominalVoltage[from]!,
      grid.nominalVoltage[to]!,
    );
  });
}

/** Off-nominal ratio, per unit: rated voltages with the tap's share, over the nominal voltages of the two sides. */
export function ratioOf(transformer: Transformer, tap: number | undefined, fromKv: number, toKv: number): number {
  const rated = transformer.ends.map((end) => end.ratedU) as [number, number];
  const changer = transformer.ratioTapChanger;
  if (changer) {
    const step = Math.min(changer.highStep, Math.max(changer.lowStep, tap ?? changer.normalStep));
    const end = changer.end as 0 | 1;
    rated[end] *= 1 + ((step - changer.neutralStep) * changer.stepVoltageIncrement) / 100;
  }
  return rated[0] / fromKv / (rated[1] / toKv);
}

/** Start voltages into the island's case. @returns true when they come from an earlier result */
function startFrom(
  network: Network,
  island: number,
  own: IslandCase,
  injections: Injections,
  start: PowerFlowResult | undefined,
): boolean {
  const { topology } = network;
  const { grid, busOfNode } = topology;
  const { buses } = own.case;
  buses.vm.fill(1);
  buses.va.fill(0);
  let warm = false;
  if (start) {
    // By node, because buses are numbered anew when a switch moves.
    for (let node = 0; node < grid.nodes.length; node++) {
      const bus = own.local[busOfNode[node]!]!;
      if (bus < 0) continue;
      const earlier = start.buses[start.busOfNode.get(grid.nodes[node]!) ?? -1];
      if (!earlier || earlier.voltage === null || earlier.angle === null) continue;
      buses.vm[bus] = earlier.voltage / earlier.nominalVoltage;
      buses.va[bus] = earlier.angle / DEGREES;
      warm = true;
    }
  }
  for (const { equipment, node } of grid.injections) {
    const bus = own.local[busOfNode[node]!]!;
    if (bus < 0) continue;
    const held = injections.voltages?.get(equipment.mRID) ?? equipment.voltage;
    buses.vm[bus] = held / topology.nominalVoltage[topology.islands[island]!.buses[bus]!]!;
    buses.va[bus] = 0;
  }
  return warm;
}

/** Flows, loading and losses of the island's branches. @returns the losses, MW */
function branchFlows(
  network: Network,
  islandIndex: number,
  own: IslandCase,
  solution: NewtonSolution,
  branches: BranchResult[],
  flows: Map<Mrid, Flow>,
): number {
  const { grid } = network.topology;
  const island = network.topology.islands[islandIndex]!;
  const table = own.case.branches;
  const y = new Float64Array(8);
  let total = 0;
  island.branches.forEach((index, row) => {
    const { equipment, from: fromNode, to: toNode } = grid.branches[index]!;
    const named = { equipment: equipment.mRID, name: equipment.name, island: islandIndex, energised: true };
    if (!solution.converged) {
      branches[index] = { ...named, from: null, to: null, loading: null, losses: null };
      return;
    }
    branchAdmittances(table, row, y);
    const [f, t] = [table.from[row]!, table.to[row]!];
    const fe = solution.vm[f]! * Math.cos(solution.va[f]!);
    const ff = solution.vm[f]! * Math.sin(solution.va[f]!);
    const te = solution.vm[t]! * Math.cos(solution.va[t]!);
    const tf = solution.vm[t]! * Math.sin(solution.va[t]!);
    const from = flow(
      fe,
      ff,
      y[0]! * fe - y[1]! * ff + y[2]! * te - y[3]! * tf,
      y[0]! * ff + y[1]! * fe + y[2]! * tf + y[3]! * te,
      grid.nominalVoltage[fromNode]!,
    );
    const to = flow(
      te,
      tf,
      y[4]! * fe - y[5]! * ff + y[6]! * te - y[7]! * tf,
      y[4]! * ff + y[5]! * fe + y[6]! * tf + y[7]! * te,
      grid.nominalVoltage[toNode]!,
    );
    flows.set(equipment.terminals[0]!.mRID, from);
    flows.set(equipment.terminals[1]!.mRID, to);
    const losses = from.p + to.p;
    total += losses;
    branches[index] = { ...named, from, to, loading: loadingOf(equipment, from, to), losses };
  });
  return total;
}

/** Power and current of I = re + j·im at V = e + j·f, from per unit. */
function flow(e: number, f: number, re: number, im: number, kV: number): Flow {
  return {
    p: (e * re + f * im) * BASE_MVA,
    q: (f * re - e * im) * BASE_MVA,
    i: (Math.hypot(re, im) * BASE_MVA * 1000) / (SQRT3 * kV),
  };
}

/** Percent of what it may carry for good. */
function loadingOf(equipment: Network['topology']['grid']['branches'][number]['equipment'], from: Flow, to: Flow) {
  if (equipment.class === 'ACLineSegment') {
    return equipment.ratedCurrent ? (100 * Math.max(from.i, to.i)) / equipment.ratedCurrent : null;
  }
  const loadings = [from, to].map(({ i }, end) => {
    const { ratedU, ratedS } = equipment.ends[end]!;
    return (100 * i * SQRT3 * ratedU) / 1000 / ratedS;
  });
  return Math.max(...loadings);
}

/** Flows of everything with one terminal; a source takes what its bus does not balance. */
function equipmentFlows(network: Network, injections: Injections, voltage: Float64Array, flows: Map<Mrid, Flow>): void {
  const { grid, busOfNode, islandOfBus, islands } = network.topology;
  const current = (p: number, q: number, kV: number): number => (Math.hypot(p, q) * 1000) / (SQRT3 * kV);
  const set = (terminal: Mrid, node: number, power: Power): void => {
    const bus = busOfNode[node]!;
    const kV = voltage[bus]!;
    if (!Number.isNaN(kV)) flows.set(terminal, { p: power.p, q: power.q, i: current(power.p, power.q, kV) });
    else if (!islands[islandOfBus[bus]!]!.energised) flows.set(terminal, NO_FLOW);
  };
  for (const { equipment, node } of grid.consumers) {
    set(equipment.terminals[0]!.mRID, node, injections.powers?.get(equipment.mRID) ?? equipment);
  }
  for (const { equipment, node } of grid.converters) {
    set(equipment.terminals[0]!.mRID, node, injections.powers?.get(equipment.mRID) ?? { p: 0, q: 0 });
  }
  // What leaves the source's bus into branches, less what the bus's own equipment adds, shared among its sources.
  const sourcesAt = new Map<number, number>();
  for (const { node } of grid.injections) {
    const bus = busOfNode[node]!;
    sourcesAt.set(bus, (sourcesAt.get(bus) ?? 0) + 1);
  }
  if (sourcesAt.size === 0) return;
  const drawn = new Map<number, { p: number; q: number }>();
  const add = (terminal: Mrid, node: number): void => {
    const bus = busOfNode[node]!;
    if (!sourcesAt.has(bus)) return;
    const { p, q } = flows.get(terminal) ?? NO_FLOW;
    const sum = drawn.get(bus) ?? { p: 0, q: 0 };
    drawn.set(bus, { p: sum.p + p, q: sum.q + q });
  };
  for (const { equipment, from, to } of grid.branches) {
    add(equipment.terminals[0]!.mRID, from);
    add(equipment.terminals[1]!.mRID, to);
  }
  for (const { equipment, node } of [...grid.consumers, ...grid.converters]) add(equipment.terminals[0]!.mRID, node);
  for (const { equipment, node } of grid.injections) {
    const bus = busOfNode[node]!;
    const sum = drawn.get(bus) ?? { p: 0, q: 0 };
    const share = sourcesAt.get(bus)!;
    set(equipment.terminals[0]!.mRID, node, { p: -sum.p / share, q: -sum.q / share });
  }
}
