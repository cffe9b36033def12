/** The measurements of a network on the buses and branches of its islands, with what is believed where nothing is measured. */
import type { Mrid } from '@enerchain/model';
import type { RowMeasurement } from '../estimation/measurement.ts';
import { ZERO } from '../estimation/step-matrix.ts';
import type { PowerFlowCase } from '../powerflow/case.ts';
import { type GridIslands, islandCases } from '../powerflow/islands.ts';
import { BASE_MVA } from '../topology/branch-parameters.ts';
import type { OneNode, Single } from '../topology/compiled-grid.ts';
import type { Network } from '../topology/network.ts';
import type { NetworkCase } from '../topology/network-case.ts';
import type { EstimationInputs, TerminalMeasurement, Unused } from './network-estimate.ts';

/** What an estimation works on. */
export interface Scope {
  readonly network: Network;
  readonly inputs: EstimationInputs;
  readonly tables: NetworkCase;
  readonly islands: GridIslands;
}

/** Power of one piece of equipment as far as it is known beforehand, pu drawn. */
export interface Share {
  readonly single: OneNode<Single>;
  /** Positions in `measurements`; none when believed. */
  readonly measured: readonly number[];
  readonly believed: boolean;
  readonly value: number;
  readonly variance: number;
}

/** What is known of the injection at a bus of an island's case. */
export interface BusPower {
  readonly shares: readonly Share[];
  /** Equipment of which nothing is known. */
  readonly open: readonly OneNode<Single>[];
}

/** One island while it is estimated. */
export interface IslandWork {
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

/** pu: by how much the voltage of an infeed may differ from what the model says. */
const SOURCE_SIGMA = 0.03;
const SQRT3 = Math.sqrt(3);
const RADIANS = Math.PI / 180;

/** The energised islands with all that is measured in them. */
export function islandMeasurements(scope: Scope): {
  readonly works: readonly IslandWork[];
  readonly unused: ReadonlyMap<number, Unused>;
} {
  const { topology } = scope.network;
  const cases = islandCases(scope.tables.case, scope.islands);
  const works = topology.islands.flatMap(({ index, energised }): IslandWork[] => {
    if (!energised) return [];
    const own = cases[index]!.case;
    const zero = new Uint8Array(own.buses.type.length);
    return [{ index, case: own, rows: [], sources: [], powers: { p: new Map(), q: new Map() }, zero }];
  });
  const workOf = new Map(works.map((work) => [work.index, work]));
  return { works, unused: placeMeasurements(scope, workOf) };
}

/** @returns the measurements that take no part */
function placeMeasurements(scope: Scope, workOf: ReadonlyMap<number, IslandWork>): Map<number, Unused> {
  const { topology } = scope.network;
  const { grid, busOfNode, islandOfBus } = topology;
  const { place, row } = scope.islands;
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
  const unused = new Map<number, Unused>();
  scope.inputs.measurements.forEach((measurement, k) => {
    const reason = put(measurement, k);
    if (reason) unused.set(k, reason);
  });
  placePowers(scope, workOf, measured);
  for (const work of workOf.values()) {
    if (work.rows.every(({ kind }) => kind !== 'voltage')) believeSources(scope, work);
  }
  return unused;
}

/** Where no voltage is measured, the infeeds are believed to hold theirs, more or less. */
function believeSources({ network, inputs, islands }: Scope, { index, rows, sources }: IslandWork): void {
  const { grid, busOfNode, islandOfBus } = network.topology;
  for (const { equipment, node } of grid.injections) {
    const bus = busOfNode[node]!;
    if (islandOfBus[bus] !== index) continue;
    const kV = inputs.injections.voltages?.get(equipment.mRID) ?? equipment.voltage;
    const at = islands.place[bus]!;
    rows.push({ kind: 'voltage', at, value: kV / grid.baseVoltage[node]!, sigma: SOURCE_SIGMA });
    sources.push({ believed: equipment.mRID });
  }
}

/** Powers of all that hangs at a bus add up to one injection; where nothing hangs there is none, and that is certain. */
function placePowers(
  scope: Scope,
  workOf: ReadonlyMap<number, IslandWork>,
  measured: Readonly<Record<'p' | 'q', ReadonlyMap<Mrid, readonly number[]>>>,
): void {
  const { grid, busOfNode, islandOfBus } = scope.network.topology;
  const { place } = scope.islands;
  for (const single of grid.singles) {
    if (isShunt(single.equipment)) continue;
    const bus = busOfNode[single.node]!;
    const work = workOf.get(islandOfBus[bus]!);
    if (!work) continue;
    for (const side of ['p', 'q'] as const) {
      const powers = work.powers[side] as Map<number, { shares: Share[]; open: OneNode<Single>[] }>;
      const power = powers.get(place[bus]!) ?? { shares: [], open: [] };
      powers.set(place[bus]!, power);
      const share = shareOf(scope.inputs, single, side, measured[side].get(single.equipment.mRID) ?? []);
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

function shareOf(
  inputs: EstimationInputs,
  single: OneNode<Single>,
  side: 'p' | 'q',
  measured: readonly number[],
): Share | undefined {
  let [weights, sum] = [0, 0];
  for (const k of measured) {
    const { value, sigma } = inputs.measurements[k]!;
    weights += (BASE_MVA / sigma) ** 2;
    sum += (BASE_MVA / sigma) ** 2 * (value / BASE_MVA);
  }
  if (weights > 0) return { single, measured, believed: false, value: sum / weights, variance: 1 / weights };
  const belief = inputs.pseudo.get(single.equipment.mRID);
  if (!belief) return undefined;
  const [value, sigma] = side === 'p' ? [belief.p, belief.sigmaP] : [belief.q, belief.sigmaQ];
  return { single, measured, believed: true, value: value / BASE_MVA, variance: (sigma / BASE_MVA) ** 2 };
}

const isShunt = ({ class: kind }: Single): boolean =>
  kind === 'LinearShuntCompensator' || kind === 'NonlinearShuntCompensator' || kind === 'EquivalentShunt';
