/**
 * The state of a network from measurements in physical units, island by island: voltages, flows and what every piece of
 * equipment draws, with standard deviations. An island that the measurements do not determine, or that has no estimate,
 * falls back to the power flow; which one it was stands in the result.
 */
import type { Mrid } from '@enerchain/model';
import {
  type BadDataOptions,
  type CheckedEstimate,
  type ChiSquaredTest,
  estimateChecked,
} from './estimation/bad-data.ts';
import { ZERO } from './estimation/equations.ts';
import { Estimator, type Method } from './estimation/estimator.ts';
import { KIND, measurementTable, type RowMeasurement } from './estimation/measurement.ts';
import type { PseudoPower } from './estimation/pseudo-power.ts';
import { islandsOf, networkResult, type PowerFlowResult, solveTables } from './power-flow.ts';
import { branchAdmittances, branchFlow, type PowerFlowCase } from './powerflow/case.ts';
import { type GridState, joinedFlows, unknownState } from './powerflow/grid-solver.ts';
import { type GridIslands, islandCases } from './powerflow/islands.ts';
import { BASE_MVA } from './topology/branch-parameters.ts';
import type { OneNode, Single } from './topology/compiled-grid.ts';
import type { Network } from './topology/network.ts';
import { type Injections, type NetworkCase, networkCase, type Power } from './topology/network-case.ts';

/** A measurement at a terminal. */
export interface TerminalMeasurement {
  /** Who says so. */
  readonly point: Mrid;
  readonly terminal: Mrid;
  readonly kind: 'voltage' | 'angle' | 'p' | 'q' | 'current';
  /** kV, degrees, MW, Mvar or A; powers positive into the equipment. */
  readonly value: number;
  /** Standard deviation, in the same unit. */
  readonly sigma: number;
}

export interface EstimationInputs {
  readonly measurements: readonly TerminalMeasurement[];
  /** By equipment, where nothing is measured: MW and Mvar drawn. */
  readonly pseudo: ReadonlyMap<Mrid, PseudoPower>;
  /** What the power flow would be calculated from: it fills in where the estimation has no answer. */
  readonly injections: Injections;
}

export interface NetworkEstimateOptions extends BadDataOptions {
  /** The estimate of the cycle before, to start from. */
  readonly last?: NetworkEstimate;
}

/**
 * Why a measurement takes no part: at no terminal of the grid, without voltage there, at a switch (bind it to the terminal
 * of the line or transformer behind), at equipment out of service, or of a kind that says nothing about the state there.
 */
export type Unused = 'unknownTerminal' | 'notEnergised' | 'atSwitch' | 'outOfService' | 'notModelled';

export interface MeasurementEstimate extends TerminalMeasurement {
  readonly equipment: Mrid | undefined;
  /** In the unit of the value; null where nothing is known. */
  readonly estimated: number | null;
  readonly residual: number | null;
  /** Null for critical measurements and where nothing is known. */
  readonly normalizedResidual: number | null;
  readonly critical: boolean;
  /** Left out because it contradicts the rest. */
  readonly suspect: boolean;
  readonly unused?: Unused;
}

/** Something that contradicts the rest. Powers of one bus cannot be told apart: all of them are named. */
export interface BadData {
  readonly points: readonly Mrid[];
  /** Beliefs of this equipment that turned out wrong. */
  readonly pseudo: readonly Mrid[];
  /** A node at which nothing should be injected, and MW or Mvar that seem to be. */
  readonly zeroInjection?: { readonly node: Mrid; readonly power: 'p' | 'q' };
  readonly normalizedResidual: number;
  /** How far off it seems to be, in the unit of the measurement. */
  readonly error: number;
  /** Points that may be wrong instead. */
  readonly alternatives: readonly Mrid[];
}

export interface IslandEstimate {
  readonly index: number;
  /** Whether its state is the estimate; otherwise the power flow's. */
  readonly estimated: boolean;
  readonly converged: boolean;
  readonly observable: boolean;
  readonly failure?: string;
  /** Points that fit least when it did not converge, worst first. */
  readonly worst: readonly Mrid[];
  readonly method: Method;
  readonly iterations: number;
  readonly measurements: number;
  readonly pseudo: number;
  readonly j: number;
  readonly degreesOfFreedom: number;
  readonly before: ChiSquaredTest;
  readonly after: ChiSquaredTest;
}

export interface BusEstimate {
  /** Into `PowerFlowResult.buses`. */
  readonly index: number;
  /** kV and degrees; null where nothing is known, or the power flow stands in. */
  readonly sigmaVoltage: number | null;
  readonly sigmaAngle: number | null;
}

/** What would have to be measured. */
export interface MissingMeasurement {
  readonly kind: 'voltage' | 'flow' | 'tap';
  /** Where: the node of a voltage, the terminal of a flow (P and Q). */
  readonly node?: Mrid;
  readonly terminal?: Mrid;
  readonly equipment?: Mrid;
}

export interface NetworkEstimate {
  /** All islands: the estimate where there is one, the power flow elsewhere. */
  readonly result: PowerFlowResult;
  /** Every energised island is estimated. */
  readonly estimated: boolean;
  /** Every energised island is observable. */
  readonly observable: boolean;
  readonly islands: readonly IslandEstimate[];
  readonly buses: readonly BusEstimate[];
  readonly measurements: readonly MeasurementEstimate[];
  readonly badData: readonly BadData[];
  /** Nodes whose voltage is not determined. */
  readonly unobservable: readonly Mrid[];
  readonly restore: readonly MissingMeasurement[];
  readonly j: number;
  readonly degreesOfFreedom: number;
  /** What every consumer, machine and converter draws according to the estimate; where there is none, as given. */
  readonly injections: Injections;
  /** Standard deviation of P at each terminal of an estimated branch, MW. */
  readonly sigmaP: ReadonlyMap<Mrid, number>;
}

/** pu: by how much the voltage of an infeed may differ from what the model says. */
const SOURCE_SIGMA = 0.03;
const RADIANS = Math.PI / 180;
const SQRT3 = Math.sqrt(3);
const estimators = new WeakMap<GridIslands, (Estimator | undefined)[]>();

/** Never throws for a state of the grid or of its measurements. */
export function estimateNetwork(
  network: Network,
  inputs: EstimationInputs,
  options: NetworkEstimateOptions = {},
): NetworkEstimate {
  const first = new Estimation(network, inputs, options).run();
  if (first.observable) return first;
  // Without its bad data a grid may be unobservable: what is believed of the equipment takes the place of what was measured.
  const wrong = new Set(first.badData.flatMap(({ points }) => points));
  if (wrong.size === 0) return first;
  const measurements = inputs.measurements.filter(({ point }) => !wrong.has(point));
  const second = new Estimation(network, { ...inputs, measurements }, options).run();
  if (!second.observable) return first;
  const again = new Map(second.measurements.map((each) => [each.point, each]));
  return {
    ...second,
    badData: [...first.badData, ...second.badData],
    measurements: first.measurements.map((each) => again.get(each.point) ?? each),
  };
}

/** Power of one piece of equipment as far as it is known beforehand, pu drawn. */
interface Share {
  readonly single: OneNode<Single>;
  /** Positions in `measurements`; none when believed. */
  readonly measured: readonly number[];
  readonly believed: boolean;
  readonly value: number;
  readonly variance: number;
}

/** What is known of the injection at a bus of an island's case. */
interface BusPower {
  readonly shares: readonly Share[];
  /** Equipment of which nothing is known. */
  readonly open: readonly OneNode<Single>[];
}

/** One island while it is estimated. */
interface IslandWork {
  readonly index: number;
  readonly case: PowerFlowCase;
  readonly rows: RowMeasurement[];
  /** Per row what it stands for: a measurement, the power of a bus, or the voltage that an infeed is believed to hold. */
  readonly sources: (
    | { readonly measurement: number }
    | { readonly power: BusPower; readonly side: 'p' | 'q' }
    | { readonly believed: Mrid }
  )[];
  readonly powers: { readonly p: Map<number, BusPower>; readonly q: Map<number, BusPower> };
  readonly zero: Uint8Array;
}

class Estimation {
  readonly #network: Network;
  readonly #inputs: EstimationInputs;
  readonly #options: NetworkEstimateOptions;
  readonly #tables: NetworkCase;
  readonly #islands: GridIslands;
  readonly #results: { -readonly [K in keyof MeasurementEstimate]: MeasurementEstimate[K] }[];
  readonly #powers = new Map<Mrid, { p: number; q: number }>();
  readonly #badData: BadData[] = [];
  readonly #unobservable: Mrid[] = [];
  readonly #restore: MissingMeasurement[] = [];
  readonly #sigmaP = new Map<Mrid, number>();
  readonly #nodeOfBus: Int32Array;

  constructor(network: Network, inputs: EstimationInputs, options: NetworkEstimateOptions) {
    this.#network = network;
    this.#inputs = inputs;
    this.#options = options;
    this.#tables = networkCase(network, inputs.injections);
    this.#islands = islandsOf(network, this.#tables);
    this.#nodeOfBus = network.topology.firstNode;
    const equipmentAt = new Map(
      network.topology.grid.model.equipment.flatMap(({ mRID, terminals }) => terminals.map((t) => [t.mRID, mRID])),
    );
    this.#results = inputs.measurements.map((measurement) => ({
      ...measurement,
      equipment: equipmentAt.get(measurement.terminal),
      estimated: null,
      residual: null,
      normalizedResidual: null,
      critical: false,
      suspect: false,
    }));
  }

  run(): NetworkEstimate {
    const { topology } = this.#network;
    const works = this.#works();
    const state = {
      ...unknownState(topology.busCount, topology.grid.branches.length, this.#tables.machines.length),
      positions: new Int32Array(0),
      islands: topology.islands.map((): GridState['islands'][number] => undefined),
    };
    const [sigmaV, sigmaA] = [new Float64Array(topology.busCount), new Float64Array(topology.busCount)];
    sigmaV.fill(Number.NaN);
    sigmaA.fill(Number.NaN);
    const islands: IslandEstimate[] = [];
    for (const work of works) {
      const checked = this.#estimate(work);
      const { estimate } = checked;
      const estimated = estimate.converged && estimate.observability.observable;
      this.#report(work, checked);
      islands.push({
        index: work.index,
        estimated,
        converged: estimate.converged,
        observable: estimate.observability.observable,
        ...(estimate.failure === undefined ? {} : { failure: estimate.failure }),
        worst: estimate.worst.flatMap((k) => this.#pointsOf(work, k)),
        method: estimate.method,
        iterations: estimate.iterations,
        measurements: work.sources.filter((source) => 'measurement' in source).length,
        pseudo: work.sources.filter((s) => 'power' in s && s.power.shares.some(({ believed }) => believed)).length,
        j: estimate.objective,
        degreesOfFreedom: estimate.degreesOfFreedom,
        before: checked.before,
        after: checked.after,
      });
      if (estimated) this.#fill(work, checked, state, sigmaV, sigmaA);
    }
    const energised = islands.length;
    const estimatedAll = energised > 0 && islands.every(({ estimated }) => estimated);
    this.#powerFlowElsewhere(islands, state);
    joinedFlows(this.#tables.case, this.#islands, state.islands, state);
    const injections = {
      ...this.#inputs.injections,
      powers: new Map<Mrid, Power>([...(this.#inputs.injections.powers ?? []), ...this.#powers]),
      voltages: this.#sourceVoltages(state.vm),
    };
    const result = networkResult(this.#network, injections, this.#tables, state);
    const byIndex = new Map(islands.map((island) => [island.index, island]));
    return {
      result: {
        ...result,
        islands: result.islands.map((island) =>
          byIndex.get(island.index)?.estimated ? { ...island, estimated: true as const } : island,
        ),
      },
      estimated: estimatedAll,
      observable: energised > 0 && islands.every(({ observable }) => observable),
      islands,
      buses: result.buses.map(({ index, nominalVoltage }) => ({
        index,
        sigmaVoltage: Number.isNaN(sigmaV[index]!) ? null : sigmaV[index]! * nominalVoltage,
        sigmaAngle: Number.isNaN(sigmaA[index]!) ? null : sigmaA[index]! / RADIANS,
      })),
      measurements: this.#results.map((each) => besideItsFlow(each, result)),
      badData: this.#badData,
      unobservable: this.#unobservable,
      restore: this.#restore,
      j: islands.reduce((sum, { j }) => sum + j, 0),
      degreesOfFreedom: islands.reduce((sum, { degreesOfFreedom }) => sum + degreesOfFreedom, 0),
      injections,
      sigmaP: this.#sigmaP,
    };
  }

  /** The energised islands with all that is measured in them. */
  #works(): IslandWork[] {
    const { topology } = this.#network;
    const cases = islandCases(this.#tables.case, this.#islands);
    const works = topology.islands.flatMap(({ index, energised }): IslandWork[] => {
      if (!energised) return [];
      const own = cases[index]!.case;
      const zero = new Uint8Array(own.buses.type.length);
      return [{ index, case: own, rows: [], sources: [], powers: { p: new Map(), q: new Map() }, zero }];
    });
    const workOf = new Map(works.map((work) => [work.index, work]));
    this.#place(workOf);
    return works;
  }

  #place(workOf: ReadonlyMap<number, IslandWork>): void {
    const { topology } = this.#network;
    const { grid, busOfNode, islandOfBus } = topology;
    const { place, row } = this.#islands;
    const branchEnd = new Map<Mrid, { readonly branch: number; readonly end: 0 | 1; readonly node: number }>();
    grid.branches.forEach(({ from, to, fromTerminal, toTerminal }, branch) => {
      branchEnd.set(fromTerminal, { branch, end: 0, node: from });
      if (toTerminal) branchEnd.set(toTerminal, { branch, end: 1, node: to });
    });
    const singleAt = new Map(grid.singles.map((single) => [single.equipment.terminals[0]!.mRID, single]));
    const atSwitch = new Set(grid.switches.flatMap(({ equipment }) => equipment.terminals.map(({ mRID }) => mRID)));
    const measured = { p: new Map<Mrid, number[]>(), q: new Map<Mrid, number[]>() };
    /** @returns why it takes no part */
    const put = ({ terminal, kind, value, sigma }: TerminalMeasurement, k: number): Unused | undefined => {
      const node = branchEnd.get(terminal)?.node ?? grid.nodeOfTerminal.get(terminal);
      if (node === undefined) return 'unknownTerminal';
      const bus = busOfNode[node]!;
      const work = workOf.get(islandOfBus[bus]!);
      if (!work) return 'notEnergised';
      const add = (own: Omit<RowMeasurement, 'value' | 'sigma'>, scale: number): undefined => {
        work.rows.push({ ...own, value: value * scale, sigma: sigma * scale });
        work.sources.push({ measurement: k });
      };
      if (kind === 'voltage') return add({ kind, at: place[bus]! }, 1 / grid.baseVoltage[node]!);
      if (kind === 'angle') return add({ kind, at: place[bus]! }, RADIANS);
      const branch = branchEnd.get(terminal);
      if (branch) {
        const at = row[branch.branch]!;
        const { end } = branch;
        if (at < 0) return 'notModelled';
        if (kind === 'current') return add({ kind, at, end }, (SQRT3 * grid.baseVoltage[node]!) / 1000 / BASE_MVA);
        return add({ kind: kind === 'p' ? 'pFlow' : 'qFlow', at, end }, 1 / BASE_MVA);
      }
      const single = singleAt.get(terminal);
      if (!single) return atSwitch.has(terminal) ? 'atSwitch' : 'outOfService';
      // The current of a consumer says what its power says, without its direction.
      if (isShunt(single.equipment) || kind === 'current') return 'notModelled';
      const list = measured[kind];
      list.set(single.equipment.mRID, [...(list.get(single.equipment.mRID) ?? []), k]);
      return undefined;
    };
    this.#inputs.measurements.forEach((measurement, k) => {
      const unused = put(measurement, k);
      if (unused) this.#results[k]!.unused = unused;
    });
    this.#placePowers(workOf, measured);
    for (const work of workOf.values())
      if (work.rows.every(({ kind }) => kind !== 'voltage')) this.#believeSources(work);
  }

  /** Where no voltage is measured, the infeeds are believed to hold theirs, more or less. */
  #believeSources({ index, rows, sources }: IslandWork): void {
    const { grid, busOfNode, islandOfBus } = this.#network.topology;
    for (const { equipment, node } of grid.injections) {
      const bus = busOfNode[node]!;
      if (islandOfBus[bus] !== index) continue;
      const kV = this.#inputs.injections.voltages?.get(equipment.mRID) ?? equipment.voltage;
      const at = this.#islands.place[bus]!;
      rows.push({ kind: 'voltage', at, value: kV / grid.baseVoltage[node]!, sigma: SOURCE_SIGMA });
      sources.push({ believed: equipment.mRID });
    }
  }

  /** Powers of all that hangs at a bus add up to one injection; where nothing hangs there is none, and that is certain. */
  #placePowers(
    workOf: ReadonlyMap<number, IslandWork>,
    measured: Readonly<Record<'p' | 'q', ReadonlyMap<Mrid, readonly number[]>>>,
  ): void {
    const { grid, busOfNode, islandOfBus } = this.#network.topology;
    const { place } = this.#islands;
    for (const single of grid.singles) {
      if (isShunt(single.equipment)) continue;
      const bus = busOfNode[single.node]!;
      const work = workOf.get(islandOfBus[bus]!);
      if (!work) continue;
      for (const side of ['p', 'q'] as const) {
        const powers = work.powers[side] as Map<number, { shares: Share[]; open: OneNode<Single>[] }>;
        const power = powers.get(place[bus]!) ?? { shares: [], open: [] };
        powers.set(place[bus]!, power);
        const share = this.#share(single, side, measured[side].get(single.equipment.mRID) ?? []);
        if (share) power.shares.push(share);
        else power.open.push(single);
      }
    }
    for (const work of workOf.values()) {
      for (const [side, bit] of [
        ['p', ZERO.p],
        ['q', ZERO.q],
      ] as const) {
        for (let at = 0; at < work.zero.length; at++) {
          const power = work.powers[side].get(at);
          if (!power) work.zero[at] = work.zero[at]! | bit;
          else if (power.open.length === 0) {
            let [value, variance] = [0, 0];
            for (const share of power.shares) {
              value -= share.value;
              variance += share.variance;
            }
            work.rows.push({ kind: side === 'p' ? 'pInjection' : 'qInjection', at, value, sigma: Math.sqrt(variance) });
            work.sources.push({ power, side });
          }
        }
      }
    }
  }

  #share(single: OneNode<Single>, side: 'p' | 'q', measured: readonly number[]): Share | undefined {
    let [weights, sum] = [0, 0];
    for (const k of measured) {
      const { value, sigma } = this.#inputs.measurements[k]!;
      weights += (BASE_MVA / sigma) ** 2;
      sum += (BASE_MVA / sigma) ** 2 * (value / BASE_MVA);
    }
    if (weights > 0) return { single, measured, believed: false, value: sum / weights, variance: 1 / weights };
    const belief = this.#inputs.pseudo.get(single.equipment.mRID);
    if (!belief) return undefined;
    const [value, sigma] = side === 'p' ? [belief.p, belief.sigmaP] : [belief.q, belief.sigmaQ];
    return { single, measured, believed: true, value: value / BASE_MVA, variance: (sigma / BASE_MVA) ** 2 };
  }

  #estimate(work: IslandWork): CheckedEstimate {
    const { branches, buses } = work.case;
    let known = estimators.get(this.#islands);
    if (!known) {
      known = [];
      estimators.set(this.#islands, known);
    }
    known[work.index] ??= new Estimator(buses.type.length, branches.from, branches.to);
    const start = this.#start(work);
    const { last: _, ...options } = this.#options;
    return estimateChecked(
      known[work.index]!,
      { case: work.case, measurements: measurementTable(work.rows), zero: work.zero },
      start ? { ...options, start } : options,
    );
  }

  /** Voltages of the cycle before, where there are some for every bus. */
  #start(work: IslandWork): { vm: Float64Array; va: Float64Array } | undefined {
    const last = this.#options.last?.result;
    if (!last) return undefined;
    const { grid, busOfNode } = this.#network.topology;
    const { island, place } = this.#islands;
    const vm = new Float64Array(work.zero.length).fill(Number.NaN);
    const va = new Float64Array(work.zero.length);
    for (let node = 0; node < grid.nodeCount; node++) {
      const bus = busOfNode[node]!;
      if (island[bus] !== work.index) continue;
      const earlier = last.buses[last.busOfNode.get(grid.nodes[node] ?? '') ?? -1];
      if (!earlier || earlier.voltage === null || earlier.angle === null) continue;
      vm[place[bus]!] = earlier.voltage / earlier.nominalVoltage;
      va[place[bus]!] = earlier.angle * RADIANS;
    }
    // Star points and open ends are near what they hang at.
    const { from, to } = work.case.branches;
    for (let k = 0; k < from.length; k++) {
      const [f, t] = [from[k]!, to[k]!];
      if (Number.isNaN(vm[t]!)) [vm[t], va[t]] = [vm[f]!, va[f]!];
      else if (Number.isNaN(vm[f]!)) [vm[f], va[f]] = [vm[t]!, va[t]!];
    }
    return vm.some((value) => Number.isNaN(value)) ? undefined : { vm, va };
  }

  /** Residuals and findings in the terms of the network. */
  #report(work: IslandWork, checked: CheckedEstimate): void {
    const { estimate, residual, normalized } = checked;
    const { observability } = estimate;
    const critical = new Set(checked.critical);
    const suspects = new Set(checked.bad.map(({ measurement }) => measurement));
    work.sources.forEach((source, k) => {
      const known = estimate.converged && observability.unknownChannel[estimate.channelOf[k]!] === 0;
      const shown = { critical: critical.has(k), suspect: suspects.has(k) };
      const number = Number.isNaN(normalized[k]!) || !known ? null : normalized[k]!;
      if ('measurement' in source) {
        const result = this.#results[source.measurement]!;
        const unit = result.sigma / work.rows[k]!.sigma;
        Object.assign(result, shown, {
          estimated: known ? result.value - residual[k]! * unit : null,
          residual: known ? residual[k]! * unit : null,
          normalizedResidual: number,
        });
        return;
      }
      if ('believed' in source) return;
      // The bus as a whole is off by the residual; each share has its part of it.
      const total = source.power.shares.reduce((sum, { variance }) => sum + variance, 0);
      for (const { measured, variance, value } of source.power.shares) {
        for (const m of measured) {
          const result = this.#results[m]!;
          const estimated = (value - (residual[k]! * variance) / total) * BASE_MVA;
          Object.assign(result, shown, {
            estimated: known ? estimated : null,
            residual: known ? result.value - estimated : null,
            // Drawn, where the row counts what is brought in.
            normalizedResidual: number === null ? null : -number,
          });
        }
      }
    });
    this.#findings(work, checked);
  }

  /** Who stands behind a row of an island. */
  #pointsOf(work: IslandWork, k: number): Mrid[] {
    const source = work.sources[k]!;
    if ('believed' in source) return [];
    const measured = 'measurement' in source ? [source.measurement] : source.power.shares.flatMap((s) => s.measured);
    return measured.map((m) => this.#inputs.measurements[m]!.point);
  }

  #findings(work: IslandWork, { bad, estimate }: CheckedEstimate): void {
    const { topology } = this.#network;
    const pointsOf = (k: number): Mrid[] => this.#pointsOf(work, k);
    for (const { measurement: k, bus, power, normalizedResidual, error, alternatives } of bad) {
      const source = work.sources[k];
      const shares = source && 'power' in source ? source.power.shares : [];
      const believed = shares.filter((share) => share.believed).map(({ single }) => single.equipment.mRID);
      const unit =
        source && 'measurement' in source
          ? this.#inputs.measurements[source.measurement]!.sigma / work.rows[k]!.sigma
          : source
            ? -BASE_MVA
            : BASE_MVA;
      this.#badData.push({
        points: source ? pointsOf(k) : [],
        pseudo: source && 'believed' in source ? [source.believed] : believed,
        ...(source ? {} : { zeroInjection: { node: this.#nodeAt(work.index, bus), power: power! } }),
        normalizedResidual,
        error: error * unit,
        alternatives: alternatives.flatMap(pointsOf),
      });
    }
    const { observability } = estimate;
    if (observability.observable) return;
    const { island, place } = this.#islands;
    topology.grid.nodes.forEach((mRID, node) => {
      const at = topology.busOfNode[node]!;
      if (island[at] === work.index && observability.unknown[place[at]!] !== 0) this.#unobservable.push(mRID);
    });
    for (const { kind, at, end } of observability.restore) {
      if (kind === 'voltage') {
        this.#restore.push({ kind, node: this.#nodeAt(work.index, at) });
        continue;
      }
      const branch = topology.grid.branches[this.#islands.islands[work.index]!.rows[at]!]!;
      const terminal = end === 0 ? branch.fromTerminal : branch.toTerminal;
      this.#restore.push({
        kind: kind === 'pFlow' ? 'flow' : 'tap',
        terminal: terminal ?? branch.fromTerminal,
        equipment: branch.equipment.mRID,
      });
    }
  }

  /** A connectivity node at a bus of an island's case. */
  #nodeAt(island: number, at: number): Mrid {
    const { members } = this.#islands.islands[island]!;
    const { grid } = this.#network.topology;
    const buses = Array.from(members).filter((bus) => this.#islands.place[bus] === at);
    const node = buses.map((bus) => this.#nodeOfBus[bus]!).find((each) => each < grid.nodes.length);
    if (node !== undefined) return grid.nodes[node]!;
    // A star point or open end: where its equipment begins.
    const inner = grid.innerNodes[this.#nodeOfBus[buses[0]!]! - grid.nodes.length]!;
    return inner.terminals[0]!.connectivityNode;
  }

  /** The estimate of an island into the state of the network. */
  #fill(
    work: IslandWork,
    { estimate, variance }: CheckedEstimate,
    state: { -readonly [K in keyof GridState]: GridState[K] },
    sigmaV: Float64Array,
    sigmaA: Float64Array,
  ): void {
    const { topology } = this.#network;
    const { islands, place } = this.#islands;
    const { members, rows } = islands[work.index]!;
    const { map } = estimate;
    for (const bus of members) {
      const at = place[bus]!;
      state.vm[bus] = estimate.vm[at]!;
      state.va[bus] = estimate.va[at]!;
      state.p[bus] = 0;
      state.q[bus] = 0;
      sigmaV[bus] = Math.sqrt(variance[map.of(KIND.voltage, at, 0)]!);
      sigmaA[bus] = Math.sqrt(variance[map.of(KIND.angle, at, 0)]!);
    }
    const [y, flow] = [new Float64Array(8), new Float64Array(4)];
    const { branches } = work.case;
    rows.forEach((row, k) => {
      const [f, t] = [branches.from[k]!, branches.to[k]!];
      branchAdmittances(branches, k, y);
      branchFlow(y, estimate.vm[f]!, estimate.va[f]!, estimate.vm[t]!, estimate.va[t]!, flow);
      [state.pFrom[row], state.qFrom[row], state.pTo[row], state.qTo[row]] = flow as unknown as [
        number,
        number,
        number,
        number,
      ];
      const { fromTerminal, toTerminal } = topology.grid.branches[row]!;
      this.#sigmaP.set(fromTerminal, Math.sqrt(variance[map.of(KIND.pFlow, k, 0)]!) * BASE_MVA);
      if (toTerminal) this.#sigmaP.set(toTerminal, Math.sqrt(variance[map.of(KIND.pFlow, k, 1)]!) * BASE_MVA);
    });
    for (const side of ['p', 'q'] as const) {
      const kind = side === 'p' ? KIND.pInjection : KIND.qInjection;
      for (const [at, power] of work.powers[side]) {
        this.#divide(power, side, -estimate.predicted[map.of(kind, at, 0)]!);
      }
    }
    const own = new Map<Mrid, Power>(this.#powers);
    for (const { equipment, node } of topology.grid.singles) {
      const bus = topology.busOfNode[node]!;
      const power = own.get(equipment.mRID);
      if (topology.islandOfBus[bus] !== work.index || !power) continue;
      state.p[bus] = state.p[bus]! - power.p / BASE_MVA;
      state.q[bus] = state.q[bus]! - power.q / BASE_MVA;
    }
    this.#tables.machines.forEach(({ equipment }, m) => {
      const power = own.get(equipment.mRID);
      if (!power) return;
      state.machineP[m] = -power.p / BASE_MVA;
      state.machineQ[m] = -power.q / BASE_MVA;
    });
    (state.islands as GridState['islands'][number][])[work.index] = {
      converged: true,
      iterations: estimate.iterations,
      maxMismatch: estimate.violation,
      worst: [],
      attempt: { start: 'given', damped: false, widenedLimits: 1, stepControls: false },
      failed: [],
      slack: { distributed: 0, left: 0 },
    };
  }

  /** What a bus draws in all, pu, over its equipment: each off by its part of the variance; what is open takes the rest. */
  #divide({ shares, open }: BusPower, side: 'p' | 'q', drawn: number): void {
    const put = ({ equipment }: OneNode<Single>, value: number): void => {
      const power = this.#powers.get(equipment.mRID) ?? { p: 0, q: 0 };
      power[side] = value * BASE_MVA;
      this.#powers.set(equipment.mRID, power);
    };
    const known = shares.reduce((sum, { value }) => sum + value, 0);
    const total = shares.reduce((sum, { variance }) => sum + variance, 0);
    for (const { single, value, variance } of shares) {
      put(single, open.length > 0 ? value : value + ((drawn - known) * variance) / total);
    }
    for (const single of open) put(single, (drawn - known) / open.length);
  }

  /** The power flow for the islands without an estimate. */
  #powerFlowElsewhere(
    islands: readonly IslandEstimate[],
    state: { -readonly [K in keyof GridState]: GridState[K] },
  ): void {
    const rest = islands.filter(({ estimated }) => !estimated).map(({ index }) => index);
    if (rest.length === 0) return;
    const last = this.#options.last?.result;
    const solved = solveTables(this.#network, this.#tables, last ? { start: last } : {});
    const { islands: parts } = this.#islands;
    for (const index of rest) {
      for (const bus of parts[index]!.members) {
        for (const column of ['vm', 'va', 'p', 'q'] as const) state[column][bus] = solved[column][bus]!;
      }
      for (const row of parts[index]!.rows) {
        for (const column of ['pFrom', 'qFrom', 'pTo', 'qTo'] as const) state[column][row] = solved[column][row]!;
      }
      (state.islands as GridState['islands'][number][])[index] = solved.islands[index];
    }
    const { busOfNode, islandOfBus } = this.#network.topology;
    this.#tables.machines.forEach(({ node }, m) => {
      if (!rest.includes(islandOfBus[busOfNode[node]!]!)) return;
      state.machineP[m] = solved.machineP[m]!;
      state.machineQ[m] = solved.machineQ[m]!;
      state.machineLimit[m] = solved.machineLimit[m]!;
    });
  }

  /** kV at the infeeds, as estimated. */
  #sourceVoltages(vm: Float64Array): Map<Mrid, number> {
    const { grid, busOfNode } = this.#network.topology;
    const voltages = new Map(this.#inputs.injections.voltages);
    for (const { equipment, node } of grid.injections) {
      const value = vm[busOfNode[node]!]! * grid.baseVoltage[node]!;
      if (Number.isFinite(value)) voltages.set(equipment.mRID, value);
    }
    return voltages;
  }
}

const isShunt = ({ class: kind }: Single): boolean =>
  kind === 'LinearShuntCompensator' || kind === 'NonlinearShuntCompensator' || kind === 'EquivalentShunt';

/** A current that is not modelled is compared all the same. */
function besideItsFlow(measurement: MeasurementEstimate, { flows }: PowerFlowResult): MeasurementEstimate {
  if (measurement.unused !== 'notModelled' || measurement.kind !== 'current') return measurement;
  const estimated = flows.get(measurement.terminal)?.i;
  return estimated === undefined ? measurement : { ...measurement, estimated, residual: measurement.value - estimated };
}
