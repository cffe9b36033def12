/** The state estimation of a grid read from a case file, answered in the numbers of the file. */
import { EnerchainError } from '@enerchain/model';
import { type BadDataOptions, type ChiSquaredTest, estimateChecked } from '../estimation/bad-data.ts';
import { Estimator } from '../estimation/estimator.ts';
import type { Method } from '../estimation/gauss-newton.ts';
import { KIND, measurementTable, type RowMeasurement } from '../estimation/measurement.ts';
import { UNKNOWN } from '../estimation/observability.ts';
import { ZERO } from '../estimation/step-matrix.ts';
import { BUS_TYPE, type BusTable, busTable, type PowerFlowCase, selectRows } from '../powerflow/case.ts';
import { joinBuses } from '../powerflow/zero-impedance.ts';
import type { CaseGrid } from './matpower.ts';
import type { CaseMeasurement } from './measurement-file.ts';

export interface CaseEstimateOptions extends BadDataOptions {
  /** Whether buses where the case has neither load nor generator are known to inject nothing. Default true. */
  readonly zeroInjections?: boolean;
}

/** Voltages in pu, angles in degrees, with standard deviations. Null where the measurements say nothing. */
export interface CaseBusEstimate {
  readonly id: number;
  readonly vm: number | null;
  readonly va: number | null;
  readonly sigmaVm: number | null;
  readonly sigmaVa: number | null;
  /** Injected, pu. */
  readonly p: number | null;
  readonly q: number | null;
  readonly zeroInjection: boolean;
}

/** Powers in pu from the bus into the branch, with standard deviations. Null where the measurements say nothing. */
export interface CaseBranchEstimate {
  readonly from: number;
  readonly to: number;
  readonly inService: boolean;
  readonly pFrom: number | null;
  readonly qFrom: number | null;
  readonly pTo: number | null;
  readonly qTo: number | null;
  readonly sigmaPFrom: number | null;
  readonly sigmaQFrom: number | null;
  readonly sigmaPTo: number | null;
  readonly sigmaQTo: number | null;
  /** %; null without a rating or where nothing is known. */
  readonly loading: number | null;
  /** Estimated, where the tap is measured. */
  readonly ratio?: number;
  readonly shift?: number;
}

/** A measurement beside its estimate, in the units of the file of measurements. */
export interface CaseMeasurementResult extends CaseMeasurement {
  readonly estimated: number | null;
  readonly residual: number | null;
  /** Null for critical measurements, and where nothing is known. */
  readonly normalizedResidual: number | null;
  readonly critical: boolean;
  readonly suspect: boolean;
  /** It takes no part: at a branch without impedance, or an injection beside others that nobody measures. */
  readonly unused?: true;
}

export interface CaseBadData {
  /** The measurement, by its index in `measurements`; absent for the knowledge that nothing is injected at a bus. */
  readonly measurement?: number;
  readonly zeroInjection?: { readonly bus: number; readonly power: 'p' | 'q' };
  readonly normalizedResidual: number;
  /** How far off it seems to be; at a zero injection what seems to be injected. pu, degrees. */
  readonly error: number;
  /** Measurements that may be the wrong ones instead. */
  readonly alternatives: readonly number[];
}

export interface CaseEstimate {
  readonly converged: boolean;
  readonly failure?: string;
  /** Measurements that fit least when it did not converge, by their index, worst first. */
  readonly worst: readonly number[];
  readonly method: Method;
  readonly iterations: number;
  readonly baseMVA: number;
  readonly observable: boolean;
  /** How many independent measurements are missing. */
  readonly missing: number;
  readonly unobservable: readonly { readonly bus: number; readonly angle: boolean; readonly magnitude: boolean }[];
  /** What would make everything observable: P and Q of a flow together, or the voltage of a bus. */
  readonly restore: readonly { readonly kind: string; readonly bus: number; readonly to?: number }[];
  /** Σ ((z - h)/σ)² without the bad ones. */
  readonly j: number;
  readonly degreesOfFreedom: number;
  /** Of all measurements, and without the bad ones. */
  readonly chiSquared: { readonly before: ChiSquaredTest; readonly after: ChiSquaredTest };
  readonly badData: readonly CaseBadData[];
  readonly zeroInjections: number;
  readonly buses: readonly CaseBusEstimate[];
  readonly branches: readonly CaseBranchEstimate[];
  readonly measurements: readonly CaseMeasurementResult[];
  readonly notes: readonly string[];
}

const DEGREES = 180 / Math.PI;
const isAngle = (kind: CaseMeasurement['kind']): boolean => kind === 'angle' || kind === 'shift';

/** Estimates one grid as often as asked; order of elimination and workspaces are kept. */
export class CaseEstimator {
  readonly grid: CaseGrid;
  readonly estimator: Estimator;
  /** The grid without branches that have no impedance: their buses are one. */
  readonly #case: PowerFlowCase;
  /** Bus of the grid → bus of the case; branch of the grid → row of the case, or -1. */
  readonly #place: Int32Array;
  readonly #rowOf: Int32Array;
  /** How many buses of the grid are one bus of the case. */
  readonly #joined: Int32Array;
  readonly #busOf: ReadonlyMap<number, number>;
  /** Branches between two buses, by `from to`, in the order of the file; those out of service too. */
  readonly #between = new Map<string, number[]>();

  constructor(grid: CaseGrid) {
    this.grid = grid;
    const { of, count, kept, joining } = joinBuses(grid.ids.length, grid.case.branches, grid.case.outOfService);
    this.#place = of;
    this.#rowOf = new Int32Array(grid.case.branches.from.length).fill(-1);
    kept.forEach((row, k) => {
      this.#rowOf[row] = k;
    });
    const branches = selectRows(grid.case.branches, kept);
    branches.from.forEach((bus, k) => {
      branches.from[k] = of[bus]!;
      branches.to[k] = of[branches.to[k]!]!;
    });
    this.#joined = new Int32Array(count);
    for (const place of of) this.#joined[place] = this.#joined[place]! + 1;
    const { outOfService } = grid.case;
    this.#case = {
      buses: joinedBuses(grid.case, of, count, joining),
      branches,
      ...(outOfService ? { outOfService: Uint8Array.from(kept, (row) => outOfService[row]!) } : {}),
    };
    this.estimator = new Estimator(count, branches.from, branches.to);
    this.#busOf = new Map(grid.ids.map((id, row) => [id, row]));
    grid.branches.forEach(({ from, to }, index) => {
      const key = pairKey(from, to);
      this.#between.set(key, [...(this.#between.get(key) ?? []), index]);
    });
  }

  /** @throws EnerchainError `measurements.unknown` (peer) when one names what is not in the grid */
  estimate(measurements: readonly CaseMeasurement[], options: CaseEstimateOptions = {}): CaseEstimate {
    const { grid, estimator } = this;
    const zeroOfBus = options.zeroInjections === false ? new Uint8Array(grid.ids.length) : zeroInjectionsOf(grid);
    const { rows, sources, rowOf, zero } = this.#plan(measurements, zeroOfBus);
    const table = measurementTable(rows);
    const checked = estimateChecked(estimator, { case: this.#case, measurements: table, zero }, options);
    const { estimate, variance } = checked;
    const { observability, map, predicted } = estimate;
    const known = (channel: number): boolean => estimate.converged && observability.unknownChannel[channel] === 0;
    const value = (kind: number, at: number, end = 0): number | null => {
      const channel = map.of(kind, at, end);
      return known(channel) ? predicted[channel]! : null;
    };
    const sigma = (kind: number, at: number, end = 0): number | null => {
      const channel = map.of(kind, at, end);
      return known(channel) ? Math.sqrt(variance[channel]!) : null;
    };
    const degrees = (radians: number | null): number | null => (radians === null ? null : radians * DEGREES);
    const suspects = new Set(checked.bad.map(({ measurement }) => measurement));
    const critical = new Set(checked.critical);
    const unit = (k: number): number => (isAngle(measurements[k]!.kind) ? DEGREES : 1);
    const place = this.#place;
    const firstAt = new Map<number, number>();
    place.forEach((at, bus) => {
      if (!firstAt.has(at)) firstAt.set(at, grid.ids[bus]!);
    });
    const tapped = new Set(rows.flatMap(({ kind, at }) => (kind === 'ratio' || kind === 'shift' ? [at] : [])));
    return {
      converged: estimate.converged,
      ...(estimate.failure === undefined ? {} : { failure: estimate.failure }),
      worst: estimate.worst.flatMap((k) => sources[k]!),
      method: estimate.method,
      iterations: estimate.iterations,
      baseMVA: grid.baseMVA,
      observable: observability.observable,
      missing: observability.missing,
      unobservable: grid.ids.flatMap((bus, row) => {
        const what = observability.unknown[place[row]!]!;
        if (what === 0) return [];
        return [{ bus, angle: (what & UNKNOWN.angle) !== 0, magnitude: (what & UNKNOWN.magnitude) !== 0 }];
      }),
      restore: observability.restore.map(({ kind, at, end }) => {
        if (kind === 'voltage') return { kind, bus: firstAt.get(at)! };
        const ends = [this.#case.branches.from[at]!, this.#case.branches.to[at]!].map((bus) => firstAt.get(bus)!);
        return { kind: kind === 'pFlow' ? 'flow' : kind, bus: ends[end]!, to: ends[1 - end]! };
      }),
      j: estimate.objective,
      degreesOfFreedom: estimate.degreesOfFreedom,
      chiSquared: { before: checked.before, after: checked.after },
      badData: checked.bad.map(({ measurement, bus, power, normalizedResidual, error, alternatives }) => {
        const own = measurement >= 0 ? sources[measurement]! : [];
        return {
          ...(own.length > 0
            ? { measurement: own[0]! }
            : { zeroInjection: { bus: firstAt.get(bus)!, power: power as 'p' | 'q' } }),
          normalizedResidual,
          error: own.length > 0 ? error * unit(own[0]!) : error,
          alternatives: [...own.slice(1), ...alternatives.flatMap((k) => sources[k]!)],
        };
      }),
      zeroInjections: zeroOfBus.reduce((count, bits) => count + (bits === 0 ? 0 : 1), 0),
      buses: grid.ids.map((id, row) => {
        const at = place[row]!;
        // Of buses that are joined only the sum is known.
        const alone = this.#joined[at] === 1;
        return {
          id,
          vm: value(KIND.voltage, at),
          va: degrees(value(KIND.angle, at)),
          sigmaVm: sigma(KIND.voltage, at),
          sigmaVa: degrees(sigma(KIND.angle, at)),
          p: alone ? value(KIND.pInjection, at) : null,
          q: alone ? value(KIND.qInjection, at) : null,
          zeroInjection: zeroOfBus[row] !== 0,
        };
      }),
      branches: grid.branches.map(({ from, to, row: own, rating }) => {
        const ends = { from, to, inService: own >= 0 };
        if (own < 0) return { ...ends, ...OUT_OF_SERVICE, loading: rating > 0 ? 0 : null };
        const row = this.#rowOf[own]!;
        if (row < 0) return { ...ends, ...UNKNOWN_FLOWS, loading: null };
        const [pFrom, qFrom] = [value(KIND.pFlow, row, 0), value(KIND.qFlow, row, 0)];
        const [pTo, qTo] = [value(KIND.pFlow, row, 1), value(KIND.qFlow, row, 1)];
        const loadings = [
          [pFrom, qFrom],
          [pTo, qTo],
        ].flatMap(([p, q]) => (p === null || q === null || !(rating > 0) ? [] : [Math.hypot(p!, q!)]));
        return {
          ...ends,
          pFrom,
          qFrom,
          pTo,
          qTo,
          sigmaPFrom: sigma(KIND.pFlow, row, 0),
          sigmaQFrom: sigma(KIND.qFlow, row, 0),
          sigmaPTo: sigma(KIND.pFlow, row, 1),
          sigmaQTo: sigma(KIND.qFlow, row, 1),
          loading: loadings.length === 0 ? null : (100 * grid.baseMVA * Math.max(...loadings)) / rating,
          ...(tapped.has(row) ? { ratio: estimate.ratio[row]!, shift: estimate.shift[row]! * DEGREES } : {}),
        };
      }),
      measurements: measurements.map((measurement, m) => {
        const k = rowOf[m]!;
        if (k < 0) return { ...measurement, ...UNUSED };
        const isKnown = known(estimate.channelOf[k]!);
        const normalized = checked.normalized[k]!;
        // Of several that add up each is off by its part of the variance.
        const share = (measurement.sigma / unit(m) / rows[k]!.sigma) ** 2;
        const residual = checked.residual[k]! * share * unit(m);
        return {
          ...measurement,
          estimated: isKnown ? measurement.value - residual : null,
          residual: isKnown ? residual : null,
          normalizedResidual: isKnown && !Number.isNaN(normalized) ? normalized : null,
          critical: critical.has(k),
          suspect: suspects.has(k),
        };
      }),
      notes: grid.notes,
    };
  }

  /**
   * The measurements as rows of the kernel: one each, but for injections at buses that are joined, which add up to one where
   * all of them are known.
   */
  #plan(
    measurements: readonly CaseMeasurement[],
    zeroOfBus: Uint8Array,
  ): { rows: RowMeasurement[]; sources: number[][]; rowOf: Int32Array; zero: Uint8Array } {
    const rows: RowMeasurement[] = [];
    const sources: number[][] = [];
    const rowOf = new Int32Array(measurements.length).fill(-1);
    const zero = new Uint8Array(this.#joined.length).fill(ZERO.p | ZERO.q);
    zeroOfBus.forEach((bits, bus) => {
      zero[this.#place[bus]!] = zero[this.#place[bus]!]! & bits;
    });
    const put = (row: RowMeasurement, own: number[]): void => {
      for (const m of own) rowOf[m] = rows.length;
      rows.push(row);
      sources.push(own);
    };
    const sums = new Map<string, { readonly row: RowMeasurement; readonly m: number; readonly bus: number }[]>();
    measurements.forEach((measurement, m) => {
      const row = this.#row(measurement, m);
      if (measurement.bus === undefined) {
        const at = this.#rowOf[row.at]!;
        if (at >= 0) put({ ...row, at }, [m]);
        return;
      }
      const at = this.#place[row.at]!;
      const injection = row.kind === 'pInjection' || row.kind === 'qInjection';
      const key = `${row.kind} ${at}`;
      if (!injection || this.#joined[at] === 1) put({ ...row, at }, [m]);
      else sums.set(key, [...(sums.get(key) ?? []), { row: { ...row, at }, m, bus: row.at }]);
    });
    for (const list of sums.values()) {
      const { at, kind } = list[0]!.row;
      const bit = kind === 'pInjection' ? ZERO.p : ZERO.q;
      const measured = new Set(list.map(({ bus }) => bus));
      const all = this.#place.every((place, bus) => place !== at || measured.has(bus) || (zeroOfBus[bus]! & bit) !== 0);
      if (!all || measured.size < list.length) continue;
      const value = list.reduce((sum, { row }) => sum + row.value, 0);
      const sigma = Math.hypot(...list.map(({ row }) => row.sigma));
      const own = list.map(({ m }) => m);
      put({ kind, at, value, sigma }, own);
    }
    return { rows, sources, rowOf, zero };
  }

  /** The measurement under the rows of the grid's tables. */
  #row(measurement: CaseMeasurement, index: number): RowMeasurement {
    const { kind, value, sigma } = measurement;
    const fail = (what: string): never => {
      const say = `measurement ${index + 1} (${kind}): ${what}; nothing was estimated`;
      throw new EnerchainError('peer', 'measurements.unknown', say);
    };
    const unit = isAngle(kind) ? 1 / DEGREES : 1;
    const scaled = { kind, value: value * unit, sigma: sigma * unit };
    if (measurement.bus !== undefined) {
      return { ...scaled, at: this.#busOf.get(measurement.bus) ?? fail(`there is no bus ${measurement.bus}`) };
    }
    const { from, to, circuit = 1 } = measurement as { from: number; to: number; circuit?: number };
    const branch = this.#between.get(pairKey(from, to))?.[circuit - 1];
    if (branch === undefined) return fail(`there is no branch ${circuit} between buses ${from} and ${to}`);
    const { from: first, row } = this.grid.branches[branch]!;
    if (row < 0) fail(`the branch between buses ${from} and ${to} is out of service`);
    return { ...scaled, at: row, end: first === from ? 0 : 1 };
  }
}

const OUT_OF_SERVICE = {
  pFrom: 0,
  qFrom: 0,
  pTo: 0,
  qTo: 0,
  sigmaPFrom: 0,
  sigmaQFrom: 0,
  sigmaPTo: 0,
  sigmaQTo: 0,
};

const pairKey = (a: number, b: number): string => (a < b ? `${a} ${b}` : `${b} ${a}`);

const UNKNOWN_FLOWS = Object.fromEntries(Object.keys(OUT_OF_SERVICE).map((column) => [column, null])) as {
  readonly [K in keyof typeof OUT_OF_SERVICE]: null;
};
const UNUSED = {
  estimated: null,
  residual: null,
  normalizedResidual: null,
  critical: false,
  suspect: false,
  unused: true,
} as const;

/** Shunts of buses that are one add up, those of the branches between them too; the one that holds the angle decides. */
function joinedBuses({ buses, branches }: PowerFlowCase, of: Int32Array, count: number, joining: Int32Array): BusTable {
  const joined = busTable(count);
  of.forEach((at, bus) => {
    joined.gs[at] = joined.gs[at]! + buses.gs[bus]!;
    joined.bs[at] = joined.bs[at]! + buses.bs[bus]!;
    if (buses.type[bus]! <= joined.type[at]! && joined.type[at] !== BUS_TYPE.pq) return;
    joined.type[at] = buses.type[bus]!;
    joined.va[at] = buses.va[bus]!;
  });
  for (const k of joining) {
    const at = of[branches.from[k]!]!;
    joined.gs[at] = joined.gs[at]! + branches.gFrom[k]! + branches.gTo[k]!;
    joined.bs[at] = joined.bs[at]! + branches.bFrom[k]! + branches.bTo[k]!;
  }
  return joined;
}

/** Buses at which the case has neither load nor generator. */
export function zeroInjectionsOf({ case: { buses, responses }, generators, machines, ids }: CaseGrid): Uint8Array {
  const fed = new Set(generators?.map(({ bus }) => bus));
  const busy = new Set([...(responses?.bus ?? []), ...(machines ?? []).map(({ bus }) => bus)]);
  return Uint8Array.from(ids, (id, row) => {
    const nothing = buses.type[row] === BUS_TYPE.pq && buses.p[row] === 0 && buses.q[row] === 0;
    return nothing && !fed.has(id) && !busy.has(row) ? ZERO.p | ZERO.q : 0;
  });
}
