/** The state of a network put together from the estimates of its islands, and the power flow where there is none. */
import type { Mrid } from '@enerchain/model';
import type { CheckedEstimate } from '../estimation/bad-data.ts';
import { KIND } from '../estimation/measurement.ts';
import { networkResult, type PowerFlowResult, solveTables } from '../power-flow.ts';
import { branchAdmittances, branchFlow } from '../powerflow/case.ts';
import { type GridState, joinedFlows, unknownState } from '../powerflow/grid-solver.ts';
import { BASE_MVA } from '../topology/branch-parameters.ts';
import type { OneNode, Single } from '../topology/compiled-grid.ts';
import type { Injections, Power } from '../topology/network-case.ts';
import type { BusPower, IslandWork, Scope } from './island-measurements.ts';
import type { BusEstimate } from './network-estimate.ts';

const RADIANS = Math.PI / 180;

export class NetworkState {
  readonly state: Omit<GridState, 'islands'> & { readonly islands: GridState['islands'][number][] };
  /** Of the magnitudes, pu, and angles, radians, by bus; NaN where there is no estimate. */
  readonly sigmaV: Float64Array;
  readonly sigmaA: Float64Array;
  /** Standard deviation of P at each terminal of an estimated branch, MW. */
  readonly sigmaP = new Map<Mrid, number>();
  readonly #scope: Scope;
  /** MW and Mvar that equipment draws according to the estimate. */
  readonly #powers = new Map<Mrid, { p: number; q: number }>();

  constructor(scope: Scope) {
    const { topology } = scope.network;
    this.#scope = scope;
    this.state = {
      ...unknownState(topology.busCount, topology.grid.branches.length, scope.tables.machines.length),
      positions: new Int32Array(0),
      islands: topology.islands.map((): GridState['islands'][number] => undefined),
    };
    this.sigmaV = new Float64Array(topology.busCount).fill(Number.NaN);
    this.sigmaA = new Float64Array(topology.busCount).fill(Number.NaN);
  }

  /** The estimate of an island into the state of the network. */
  fill(work: IslandWork, { estimate, variance }: CheckedEstimate): void {
    const { network, tables } = this.#scope;
    const { topology } = network;
    const { state, sigmaV, sigmaA } = this;
    const { islands, place } = this.#scope.islands;
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
      this.sigmaP.set(fromTerminal, Math.sqrt(variance[map.of(KIND.pFlow, k, 0)]!) * BASE_MVA);
      if (toTerminal) this.sigmaP.set(toTerminal, Math.sqrt(variance[map.of(KIND.pFlow, k, 1)]!) * BASE_MVA);
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
    tables.machines.forEach(({ equipment }, m) => {
      const power = own.get(equipment.mRID);
      if (!power) return;
      state.machineP[m] = -power.p / BASE_MVA;
      state.machineQ[m] = -power.q / BASE_MVA;
    });
    state.islands[work.index] = {
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

  /**
   * The power flow for the islands without an estimate.
   * @param rest their indices
   * @param last the cycle before
   */
  powerFlow(rest: readonly number[], last: PowerFlowResult | undefined): void {
    if (rest.length === 0) return;
    const { network, tables } = this.#scope;
    const { state } = this;
    const solved = solveTables(network, tables, last ? { start: last } : {});
    const { islands: parts } = this.#scope.islands;
    for (const index of rest) {
      for (const bus of parts[index]!.members) {
        for (const column of ['vm', 'va', 'p', 'q'] as const) state[column][bus] = solved[column][bus]!;
      }
      for (const row of parts[index]!.rows) {
        for (const column of ['pFrom', 'qFrom', 'pTo', 'qTo'] as const) state[column][row] = solved[column][row]!;
      }
      state.islands[index] = solved.islands[index];
    }
    const { busOfNode, islandOfBus } = network.topology;
    tables.machines.forEach(({ node }, m) => {
      if (!rest.includes(islandOfBus[busOfNode[node]!]!)) return;
      state.machineP[m] = solved.machineP[m]!;
      state.machineQ[m] = solved.machineQ[m]!;
      state.machineLimit[m] = solved.machineLimit[m]!;
    });
  }

  /** kV at the infeeds, as estimated. */
  #sourceVoltages(): Map<Mrid, number> {
    const { network, inputs } = this.#scope;
    const { grid, busOfNode } = network.topology;
    const voltages = new Map(inputs.injections.voltages);
    for (const { equipment, node } of grid.injections) {
      const value = this.state.vm[busOfNode[node]!]! * grid.baseVoltage[node]!;
      if (Number.isFinite(value)) voltages.set(equipment.mRID, value);
    }
    return voltages;
  }

  /** What the equipment draws, and the whole in kV, MW and A. */
  result(): { readonly injections: Injections; readonly result: PowerFlowResult } {
    const { network, inputs, tables, islands } = this.#scope;
    joinedFlows(tables.case, islands, this.state.islands, this.state);
    const injections = {
      ...inputs.injections,
      powers: new Map<Mrid, Power>([...(inputs.injections.powers ?? []), ...this.#powers]),
      voltages: this.#sourceVoltages(),
    };
    return { injections, result: networkResult(network, injections, tables, this.state) };
  }

  /** Standard deviations of the voltages of `result`. */
  buses({ buses }: PowerFlowResult): BusEstimate[] {
    return buses.map(({ index, nominalVoltage }) => ({
      index,
      sigmaVoltage: Number.isNaN(this.sigmaV[index]!) ? null : this.sigmaV[index]! * nominalVoltage,
      sigmaAngle: Number.isNaN(this.sigmaA[index]!) ? null : this.sigmaA[index]! / RADIANS,
    }));
  }
}
