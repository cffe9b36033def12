/** The power flow of a network in physical units: from injections to voltages, flows, loading and losses. */
import type { Mrid } from '@enerchain/model';
import { BUS_TYPE } from './powerflow/case.ts';
import { GridSolver, type GridState } from './powerflow/grid-solver.ts';
import type { Attempt, FailedAttempt, IslandOptions } from './powerflow/island-solver.ts';
import type { GridIslands } from './powerflow/islands.ts';
import type { NewtonFailure } from './powerflow/newton.ts';
import { type Flow, type LimitViolation, loadingOf, violationsOf } from './results/limits.ts';
import { NO_FLOW, terminalFlows } from './results/terminal-flows.ts';
import { BASE_MVA } from './topology/branch-parameters.ts';
import type { CompiledGrid } from './topology/compiled-grid.ts';
import type { Network } from './topology/network.ts';
import { type Injections, type NetworkCase, networkCase } from './topology/network-case.ts';
import type { Topology } from './topology/topology.ts';

export type { Flow, LimitViolation } from './results/limits.ts';
export type { Injections, Power } from './topology/network-case.ts';

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
  /** Of a transformer with three windings. */
  readonly third?: Flow | null;
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
  /** Who holds the angle. */
  readonly references: readonly Mrid[];
  readonly converged: boolean;
  readonly iterations: number;
  /** How the solution was found; absent where there is no voltage. */
  readonly attempt?: Attempt;
  /** The state is estimated from measurements, not calculated from what is brought in and drawn. */
  readonly estimated?: true;
  /** What was tried before, or beside, in vain. */
  readonly failedAttempts: readonly FailedAttempt[];
  /** MW that all who take part in the slack bring in more than they were given. */
  readonly distributed: number;
  /** MVA. */
  readonly maxMismatch: number;
  /** A sentence when it did not converge. */
  readonly failure?: string;
  readonly failureKind?: NewtonFailure['kind'];
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
  /** Terminal mRID of all equipment, switches included → flow into the equipment. Absent where the island was not solved. */
  readonly flows: ReadonlyMap<Mrid, Flow>;
  /** Limits of the model that are exceeded. */
  readonly violations: readonly LimitViolation[];
  /** What controls came to: machines at a limit, taps and sections that moved. */
  readonly actions: readonly ControlAction[];
  /** What was understood otherwise than one might think, a sentence each. */
  readonly notes: readonly string[];
  /** MW over all islands; null when one was not solved. */
  readonly losses: number | null;
}

/** What a control came to. */
export type ControlAction =
  | { readonly kind: 'reactiveLimit'; readonly equipment: Mrid; readonly name: string; readonly limit: 'min' | 'max' }
  | {
      readonly kind: 'tap' | 'sections';
      readonly equipment: Mrid;
      readonly name: string;
      /** The tap changer, or the shunt itself. */
      readonly mRID: Mrid;
      readonly from: number;
      readonly to: number;
    };

/** Of an earlier result, or from elsewhere; degrees from who holds the angle. */
export interface StartVoltages {
  readonly busOfNode: ReadonlyMap<Mrid, number>;
  readonly buses: readonly Pick<BusResult, 'voltage' | 'angle' | 'nominalVoltage'>[];
}

export interface PowerFlowOptions extends IslandOptions {
  /** Voltages to start from; buses it does not know start flat. A start that fails is tried again flat. */
  readonly start?: StartVoltages;
}

const DEGREES = 180 / Math.PI;

const solvers = new WeakMap<Topology, GridSolver>();
/** The solver of the topology needed last, by grid: a switch leaves most islands as they were. */
const latest = new WeakMap<CompiledGrid, GridSolver>();

function solverOf(topology: Topology, tables: NetworkCase): GridSolver {
  let solver = solvers.get(topology);
  if (!solver) {
    solver = new GridSolver(tables.case, latest.get(topology.grid));
    solvers.set(topology, solver);
  }
  latest.set(topology.grid, solver);
  return solver;
}

/**
 * Solves every energised island on its own: one that fails takes no other with it. Never throws for a grid state. Reactive
 * limits are kept unless the options say otherwise; taps, shunts and the distributed slack act when asked.
 */
export function solvePowerFlow(
  network: Network,
  injections: Injections = {},
  options: PowerFlowOptions = {},
): PowerFlowResult {
  const tables = networkCase(network, injections, options.stepControls);
  return networkResult(network, injections, tables, solveTables(network, tables, options));
}

/** The power flow in the numbers of the tables; overwritten by the next call for the same topology. */
export function solveTables(network: Network, tables: NetworkCase, options: PowerFlowOptions = {}): GridState {
  if (options.start) startFrom(network, tables, options.start);
  const { start: _, ...islandOptions } = { reactiveLimits: true, ...options };
  return solverOf(network.topology, tables).solve(tables.case, islandOptions);
}

/** Which buses of a network are one to the kernel, and what hangs together. */
export const islandsOf = ({ topology }: Network, tables: NetworkCase): GridIslands =>
  solverOf(topology, tables).islands;

/**
 * A state of a network in physical units.
 * @param injections that the tables were made with: what consumers draw stands there
 */
export function networkResult(
  network: Network,
  injections: Injections,
  tables: NetworkCase,
  solution: GridState,
): PowerFlowResult {
  const { topology } = network;
  const { grid, busOfNode } = topology;
  const flows = terminalFlows(network, injections, tables, solution);
  const branches = branchResults(topology, solution, flows);
  const losses = new Float64Array(topology.islands.length);
  for (const branch of branches) losses[branch.island] = losses[branch.island]! + (branch.losses ?? 0);
  const islands = islandResults(topology, tables, solution).map((island) => ({
    ...island,
    losses: island.converged ? losses[island.index]! : null,
  }));
  const energised = islands.filter((island) => island.energised);
  const converged = energised.every((island) => island.converged);
  const voltage = (bus: number): number | null =>
    orNull(solution.vm[bus]! * grid.baseVoltage[topology.firstNode[bus]!]!);
  return {
    converged,
    iterations: Math.max(0, ...energised.map((island) => island.iterations)),
    maxMismatch: Math.max(0, ...energised.map((island) => island.maxMismatch)),
    islands,
    // Inner nodes are nobody's.
    buses: Array.from(
      topology.firstNode.filter((node) => node < grid.nodes.length),
      (node, index) => ({
        index,
        island: topology.islandOfBus[index]!,
        nominalVoltage: grid.baseVoltage[node]!,
        voltage: voltage(index),
        angle: orNull(solution.va[index]! * DEGREES),
      }),
    ),
    branches,
    busOfNode: busesOf(topology),
    flows,
    violations: violationsOf(grid.model, flows, (terminal) => voltage(busOfNode[grid.nodeOfTerminal.get(terminal)!]!)),
    actions: actionsOf(grid, tables, solution),
    notes: [
      ...tables.notes,
      ...solution.islands.flatMap((own, index) => own?.shortcomings?.map((say) => `island ${index}: ${say}`) ?? []),
    ],
    losses: converged ? losses.reduce((a, b) => a + b, 0) : null,
  };
}

const busMaps = new WeakMap<Topology, ReadonlyMap<Mrid, number>>();
function busesOf(topology: Topology): ReadonlyMap<Mrid, number> {
  let map = busMaps.get(topology);
  if (!map) {
    map = new Map(topology.grid.nodes.map((mRID, node) => [mRID, topology.busOfNode[node]!]));
    busMaps.set(topology, map);
  }
  return map;
}

const orNull = (value: number): number | null => (Number.isNaN(value) ? null : value);

/** Start voltages from an earlier result: by node, because buses are numbered anew when a switch moves. */
export function startFrom({ topology }: Network, { case: { buses } }: NetworkCase, start: StartVoltages): void {
  topology.grid.nodes.forEach((mRID, node) => {
    const bus = topology.busOfNode[node]!;
    const earlier = start.buses[start.busOfNode.get(mRID) ?? -1];
    if (!earlier || earlier.voltage === null || earlier.angle === null) return;
    if (buses.type[bus] === BUS_TYPE.pq) buses.vm[bus] = earlier.voltage / earlier.nominalVoltage;
    if (buses.type[bus] !== BUS_TYPE.slack) buses.va[bus] = earlier.angle / DEGREES;
  });
  // Star points and open ends were not told: they are near what they hang at.
  topology.grid.branches.forEach(({ from, to }) => {
    for (const [inner, outer] of [
      [to, from],
      [from, to],
    ] as const) {
      if (inner < topology.grid.nodes.length || outer >= topology.grid.nodes.length) continue;
      buses.vm[topology.busOfNode[inner]!] = buses.vm[topology.busOfNode[outer]!]!;
      buses.va[topology.busOfNode[inner]!] = buses.va[topology.busOfNode[outer]!]!;
    }
  });
}

function islandResults(topology: Topology, tables: NetworkCase, solution: GridState): Omit<IslandResult, 'losses'>[] {
  const { grid, firstNode, busOfNode, islandOfBus } = topology;
  const references: Mrid[][] = topology.islands.map(() => []);
  tables.case.machines!.forEach(({ bus, reference }, m) => {
    if (reference) references[islandOfBus[bus]!]!.push(tables.machines[m]!.equipment.mRID);
  });
  /** A bus of the island's case, as a bus of the network with a node to its name. */
  const named = (island: number, row: number): { bus: number; node: Mrid } => {
    const solver = solvers.get(topology)!.islands;
    const bus = solver.islands[island]!.members.find((member) => solver.place[member] === row)!;
    const node = firstNode[bus]!;
    if (node < grid.nodes.length) return { bus, node: grid.nodes[node]! };
    const { terminals } = grid.innerNodes[node - grid.nodes.length]!;
    const outer = grid.nodeOfTerminal.get(terminals[0]!.mRID)!;
    return { bus: busOfNode[outer]!, node: grid.nodes[outer]! };
  };
  return topology.islands.map(({ index, energised, sources, buses }) => {
    const shared = { index, energised, sources, buses: buses.length, references: references[index]! };
    const own = solution.islands[index];
    if (!own) {
      return {
        ...shared,
        converged: true,
        iterations: 0,
        maxMismatch: 0,
        failedAttempts: [],
        distributed: 0,
        largestMismatches: [],
      };
    }
    const { failure } = own;
    return {
      ...shared,
      converged: own.converged,
      iterations: own.iterations,
      maxMismatch: own.maxMismatch * BASE_MVA,
      attempt: own.attempt,
      failedAttempts: own.failed,
      distributed: own.slack.distributed * BASE_MVA,
      ...(failure
        ? {
            failureKind: failure.kind,
            failure: `island ${index} at node ${named(index, failure.bus).node}: ${failure.message}`,
          }
        : {}),
      largestMismatches: own.worst.map(({ bus, p, q }) => ({
        ...named(index, bus),
        p: p * BASE_MVA,
        q: q * BASE_MVA,
      })),
    };
  });
}

function branchResults(topology: Topology, solution: GridState, flows: ReadonlyMap<Mrid, Flow>): BranchResult[] {
  const { grid, busOfNode, islandOfBus, islands } = topology;
  const inService = new Set(grid.branches.map(({ index }) => index));
  return grid.branchEquipment.map((equipment, index) => {
    const { mRID, name, terminals } = equipment;
    const island = islandOfBus[busOfNode[grid.nodeOfTerminal.get(terminals[0]!.mRID)!]!]!;
    const named = { equipment: mRID, name, island };
    const idle = {
      from: NO_FLOW,
      to: NO_FLOW,
      ...(terminals.length > 2 ? { third: NO_FLOW } : {}),
      loading: 0,
      losses: 0,
    };
    // An end that is open leaves the equipment to the island of the other.
    const live = terminals.some((terminal) => {
      const at = islandOfBus[busOfNode[grid.nodeOfTerminal.get(terminal.mRID)!]!]!;
      return terminal.connected !== false && islands[at]!.energised;
    });
    if (!inService.has(index) || !live) return { ...named, energised: false, ...idle };
    const ends = terminals.map((terminal) => flows.get(terminal.mRID));
    if (ends.includes(undefined) || solution.islands[island]?.converged === false) {
      const unknown = { from: null, to: null, ...(terminals.length > 2 ? { third: null } : {}), loading: null };
      return { ...named, energised: true, ...unknown, losses: null };
    }
    const [from, to, third] = ends as Flow[];
    return {
      ...named,
      energised: true,
      from: from!,
      to: to!,
      ...(third ? { third } : {}),
      loading: loadingOf(grid.model, equipment, ends as Flow[]),
      losses: (ends as Flow[]).reduce((sum, { p }) => sum + p, 0),
    };
  });
}

function actionsOf(grid: CompiledGrid, tables: NetworkCase, solution: GridState): ControlAction[] {
  const limited = tables.machines.flatMap(({ equipment: { mRID, name } }, m): ControlAction[] => {
    const at = solution.machineLimit[m]!;
    return at === 0 ? [] : [{ kind: 'reactiveLimit', equipment: mRID, name, limit: at > 0 ? 'max' : 'min' }];
  });
  const moved = tables.steps.flatMap(({ mRID, equipment, low }, s): ControlAction[] => {
    const { position, actuator } = tables.case.steps![s]!;
    const to = solution.positions[s]!;
    if (to === position) return [];
    const kind = actuator.kind === 'branch' ? 'tap' : 'sections';
    return [
      {
        kind,
        equipment,
        name: grid.model.equipment.find((each) => each.mRID === equipment)!.name,
        mRID,
        from: low + position,
        to: low + to,
      },
    ];
  });
  return [...limited, ...moved];
}
