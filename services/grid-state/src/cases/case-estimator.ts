/** The state estimation of a grid read from a case file, answered in the numbers of the file. */
import { EnerchainError } from '@enerchain/model';
import { type BadDataOptions, type ChiSquaredTest, estimateChecked } from '../estimation/bad-data.ts';
import { ZERO } from '../estimation/equations.ts';
import { Estimator, type Method } from '../estimation/estimator.ts';
import { KIND, measurementTable, type RowMeasurement } from '../estimation/measurement.ts';
import { UNKNOWN } from '../estimation/observability.ts';
import { BUS_TYPE } from '../powerflow/case.ts';
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
  readonly #busOf: ReadonlyMap<number, number>;
  /** Branches between two buses, by `from to`, in the order of the file; those out of service too. */
  readonly #between = new Map<string, number[]>();

  constructor(grid: CaseGrid) {
    this.grid = grid;
    const { branches } = grid.case;
    this.estimator = new Estimator(grid.ids.length, branches.from, branches.to);
    this.#busOf = new Map(grid.ids.map((id, row) => [id, row]));
    grid.branches.forEach(({ from, to }, index) => {
      const key = pairKey(from, to);
      this.#between.set(key, [...(this.#between.get(key) ?? []), index]);
    });
  }

  /** @throws EnerchainError `measurements.unknown` (peer) when one names what is not in the grid */
  estimate(measurements: readonly CaseMeasurement[], options: CaseEstimateOptions = {}): CaseEstimate {
    const { grid, estimator } = this;
    const rows = measurements.map((measurement, index) => this.#row(measurement, index));
    const table = measurementTable(rows);
    const zero = options.zeroInjections === false ? new Uint8Array(grid.ids.length) : zeroInjectionsOf(grid);
    const checked = estimateChecked(estimator, { case: grid.case, measurements: table, zero }, options);
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
    return {
      converged: estimate.converged,
      ...(estimate.failure === undefined ? {} : { failure: estimate.failure }),
      method: estimate.method,
      iterations: estimate.iterations,
      baseMVA: grid.baseMVA,
      observable: observability.observable,
      missing: observability.missing,
      unobservable: grid.ids.flatMap((bus, row) => {
        const what = observability.unknown[row]!;
        if (what === 0) return [];
        return [{ bus, angle: (what & UNKNOWN.angle) !== 0, magnitude: (what & UNKNOWN.magnitude) !== 0 }];
      }),
      restore: observability.restore.map(({ kind, at, end }) => {
        if (kind === 'voltage') return { kind, bus: grid.ids[at]! };
        const ends = [grid.case.branches.from[at]!, grid.case.branches.to[at]!].map((bus) => grid.ids[bus]!);
        return { kind: kind === 'pFlow' ? 'flow' : kind, bus: ends[end]!, to: ends[1 - end]! };
      }),
      j: estimate.objective,
      degreesOfFreedom: estimate.degreesOfFreedom,
      chiSquared: { before: checked.before, after: checked.after },
      badData: checked.bad.map(({ measurement, bus, power, normalizedResidual, error, alternatives }) => ({
        ...(measurement >= 0 ? { measurement } : { zeroInjection: { bus: grid.ids[bus]!, power: power as 'p' | 'q' } }),
        normalizedResidual,
        error: measurement >= 0 ? error * unit(measurement) : error,
        alternatives,
      })),
      zeroInjections: zero.reduce((count, bits) => count + (bits === 0 ? 0 : 1), 0),
      buses: grid.ids.map((id, row) => ({
        id,
        vm: value(KIND.voltage, row),
        va: degrees(value(KIND.angle, row)),
        sigmaVm: sigma(KIND.voltage, row),
        sigmaVa: degrees(sigma(KIND.angle, row)),
        p: value(KIND.pInjection, row),
        q: value(KIND.qInjection, row),
        zeroInjection: zero[row] !== 0,
      })),
      branches: grid.branches.map(({ from, to, row, rating }) => {
        const ends = { from, to, inService: row >= 0 };
        if (row < 0) return { ...ends, ...OUT_OF_SERVICE, loading: rating > 0 ? 0 : null };
        const [pFrom, qFrom] = [value(KIND.pFlow, row, 0), value(KIND.qFlow, row, 0)];
        const [pTo, qTo] = [value(KIND.pFlow, row, 1), value(KIND.qFlow, row, 1)];
        const loadings = [
          [pFrom, qFrom],
          [pTo, qTo],
        ].flatMap(([p, q]) => (p === null || q === null || !(rating > 0) ? [] : [Math.hypot(p!, q!)]));
        const tap = rows.some(({ kind, at }) => (kind === 'ratio' || kind === 'shift') && at === row);
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
          ...(tap ? { ratio: estimate.ratio[row]!, shift: estimate.shift[row]! * DEGREES } : {}),
        };
      }),
      measurements: measurements.map((measurement, k) => {
        const shown = known(estimate.channelOf[k]!);
        const normalized = checked.normalized[k]!;
        return {
          ...measurement,
          estimated: shown ? measurement.value - checked.residual[k]! * unit(k) : null,
          residual: shown ? checked.residual[k]! * unit(k) : null,
          normalizedResidual: shown && !Number.isNaN(normalized) ? normalized : null,
          critical: critical.has(k),
          suspect: suspects.has(k),
        };
      }),
      notes: grid.notes,
    };
  }

  /** The measurement under the rows of the kernel's tables. */
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

/** Buses at which the case has neither load nor generator. */
export function zeroInjectionsOf({ case: { buses }, generators, ids }: CaseGrid): Uint8Array {
  const fed = new Set(generators?.map(({ bus }) => bus));
  return Uint8Array.from(ids, (id, row) => {
    const nothing = buses.type[row] === BUS_TYPE.pq && buses.p[row] === 0 && buses.q[row] === 0 && !fed.has(id);
    return nothing ? ZERO.p | ZERO.q : 0;
  });
}
