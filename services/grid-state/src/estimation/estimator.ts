/**
 * Weighted least squares state estimation in polar coordinates (Schweppe 1970) with zero injections as constraints, on the
 * tables of the power-flow kernel. Gauss–Newton on the augmented matrix of `layout.ts`; the pattern, its order and its
 * factor's pattern are kept for as long as the topology and the places of injections and taps stay the same.
 */
import type { PowerFlowCase } from '../powerflow/case.ts';
import { UnionFind } from '../powerflow/union-find.ts';
import type { InverseSubset } from './block-ldl.ts';
import { TAP } from './branch-equations.ts';
import { Equations } from './equations.ts';
import { type Components, chooseReferences, flatStart } from './flat-start.ts';
import { type EstimationOptions, iterate, METHODS, type Method, withoutCurrents } from './gauss-newton.ts';
import { Layout } from './layout.ts';
import { ChannelMap, type Channels, KIND, type MeasurementTable, mergeChannels } from './measurement.ts';
import { analyseObservability, type Observability } from './observability.ts';
import { wrapped } from './step-matrix.ts';

export interface EstimationInput {
  /** Admittances, ratios, angles of the references; the powers and bus types of the power flow do not count. */
  readonly case: PowerFlowCase;
  readonly measurements: MeasurementTable;
  /** Measurements that take part; all when absent. What is left out is still compared with the estimate. */
  readonly active?: Uint8Array;
  /** Per bus the bits of `ZERO`: nothing is injected there. */
  readonly zero: Uint8Array;
  /** Per branch the bits of `TAP`: states besides the ones that are measured. */
  readonly taps?: Uint8Array;
}

export interface Estimate {
  readonly converged: boolean;
  readonly method: Method;
  /** Of all attempts together. */
  readonly iterations: number;
  /** Largest change of a state in the last step, pu or radians. */
  readonly lastStep: number;
  /** Largest violation of a zero injection, pu. */
  readonly violation: number;
  /** A sentence when it did not converge. */
  readonly failure?: string;
  /** Where it does not fit when it did not converge: rows of the measurements that are furthest off by their σ, worst first. */
  readonly worst: readonly number[];
  /** Σ ((z - h)/σ)² over the active measurements. */
  readonly objective: number;
  readonly measurements: number;
  readonly constraints: number;
  readonly states: number;
  /** Measurements and constraints less the states that they determine. */
  readonly degreesOfFreedom: number;
  readonly observability: Observability;
  /** Magnitudes, pu, and angles, radians. Valid until the next call of the same estimator, like all that follows. */
  readonly vm: Float64Array;
  readonly va: Float64Array;
  readonly ratio: Float64Array;
  readonly shift: Float64Array;
  readonly map: ChannelMap;
  readonly channelOf: Int32Array;
  readonly channels: Channels;
  /** Multiplier per row of an injection, two numbers each as in the layout; what the constraint pulls with. */
  readonly multipliers: Float64Array;
  /** What each channel reads according to the estimate. */
  readonly predicted: Float64Array;
}

const MAX_WORST = 5;

interface Structure {
  readonly injections: Uint8Array;
  readonly taps: Uint8Array;
  readonly equations: Equations;
  observability: { readonly measured: Uint8Array; readonly result: Observability } | undefined;
}
/** Structures kept: which injections are measured changes with the quality of values, back and forth. */
const KEPT_STRUCTURES = 4;

export class Estimator {
  readonly map: ChannelMap;
  readonly #from: Int32Array;
  readonly #to: Int32Array;
  readonly #components: Components;
  #structures: Structure[] = [];
  #current: Structure | undefined;
  #zero: Uint8Array = new Uint8Array(0);

  /** @throws RangeError when a branch ends at no bus */
  constructor(busCount: number, from: Int32Array, to: Int32Array) {
    this.#from = from;
    this.#to = to;
    this.map = new ChannelMap(busCount, from.length);
    const sets = new UnionFind(busCount);
    for (let k = 0; k < from.length; k++) sets.union(from[k]!, to[k]!);
    const { of, count } = sets.number();
    this.#components = { component: of, count };
  }

  /** The equations at the estimate of the last call. */
  get equations(): Equations {
    return this.#current!.equations;
  }

  /**
   * @param input of the topology that the estimator was made for
   * @throws RangeError when a measurement names no bus or branch, or its σ is not positive
   */
  estimate(input: EstimationInput, options: EstimationOptions = {}): Estimate {
    const { measurements, active, zero } = input;
    const { map } = this;
    const count = measurements.kind.length;
    const channelOf = new Int32Array(count);
    for (let k = 0; k < count; k++) {
      channelOf[k] = map.of(measurements.kind[k]!, measurements.at[k]!, measurements.end[k]!);
      const [value, sigma] = [measurements.value[k]!, measurements.sigma[k]!];
      if (!(Number.isFinite(value) && Number.isFinite(sigma) && sigma > 0)) {
        throw new RangeError(`measurement ${k} reads ${value} with a standard deviation of ${sigma}`);
      }
    }
    const channels = mergeChannels(map, measurements, channelOf, active);
    const structure = this.#structureOf(input, channelOf);
    this.#current = structure;
    this.#zero = zero;
    const { equations } = structure;
    const unusable = equations.state.begin(input.case);
    chooseReferences(equations.state, this.#components, input.case, channels);
    const observability = unusable < 0 ? this.#observability(structure, input, channels) : NOTHING_KNOWN(map);
    flatStart(equations.state, equations.layout, input.case, channels);
    const run = unusable < 0 ? this.#attempts(equations, input, channels, options) : undefined;
    const predicted = equations.readings.predict();
    let objective = 0;
    let taking = 0;
    for (let k = 0; k < count; k++) {
      if (active && active[k] === 0) continue;
      taking++;
      objective += (this.residual(measurements, k, channelOf[k]!, predicted) / measurements.sigma[k]!) ** 2;
    }
    const [constraints, states] = [countBits(zero), this.#states(equations)];
    const failure =
      unusable >= 0 ? `branch ${unusable} has no usable impedance or ratio` : run!.converged ? undefined : run!.failure;
    return {
      converged: failure === undefined,
      method: run?.method ?? 'flat',
      iterations: run?.iterations ?? 0,
      lastStep: run?.lastStep ?? Number.NaN,
      violation: run?.violation ?? Number.NaN,
      ...(failure === undefined ? {} : { failure }),
      worst: failure === undefined ? [] : this.#worst(measurements, channelOf, predicted, active),
      objective,
      measurements: taking,
      constraints,
      states,
      degreesOfFreedom: taking + constraints - (states - observability.missing),
      observability,
      vm: equations.state.vm,
      va: equations.state.va,
      ratio: equations.state.ratio,
      shift: equations.state.shift,
      map,
      channelOf,
      channels,
      multipliers: equations.step.rhs,
      predicted,
    };
  }

  /** Entries of the covariance at the estimate of the last call, where the factor has some. */
  covariance(): InverseSubset {
    return this.equations.layout.ldl.inverseSubset();
  }

  /** Variance of what each channel reads, at the estimate of the last call. */
  variances(channels: Channels, subset = this.covariance()): Float64Array {
    return this.equations.readings.variances(subset, channels, this.#zero);
  }

  /** z - h of measurement `k`. */
  residual(table: MeasurementTable, k: number, channel: number, predicted: Float64Array): number {
    const residual = table.value[k]! - predicted[channel]!;
    return table.kind[k] === KIND.angle ? wrapped(residual) : residual;
  }

  #worst(table: MeasurementTable, channelOf: Int32Array, predicted: Float64Array, active?: Uint8Array): number[] {
    const off = (k: number): number => {
      const size = Math.abs(this.residual(table, k, channelOf[k]!, predicted)) / table.sigma[k]!;
      return Number.isNaN(size) ? Number.POSITIVE_INFINITY : size;
    };
    return Array.from(channelOf.keys())
      .filter((k) => !active || active[k] === 1)
      .map((k) => ({ k, size: off(k) }))
      .sort((a, b) => (b.size > a.size ? 1 : -1))
      .slice(0, MAX_WORST)
      .map(({ k }) => k);
  }

  /** The layout for this set of injections and taps, whether they take part or not: leaving one out changes no pattern. */
  #structureOf(input: EstimationInput, channelOf: Int32Array): Structure {
    const { map } = this;
    const injections = new Uint8Array(map.busCount);
    const taps = input.taps ? input.taps.slice() : new Uint8Array(map.branchCount);
    for (let i = 0; i < map.busCount; i++) if (input.zero[i] !== 0) injections[i] = 1;
    for (let k = 0; k < channelOf.length; k++) {
      const kind = input.measurements.kind[k]!;
      const at = input.measurements.at[k]!;
      if (kind === KIND.pInjection || kind === KIND.qInjection) injections[at] = 1;
      else if (kind === KIND.ratio) taps[at] = taps[at]! | TAP.ratio;
      else if (kind === KIND.shift) taps[at] = taps[at]! | TAP.shift;
    }
    const known = this.#structures.find((kept) => equal(kept.injections, injections) && equal(kept.taps, taps));
    if (known) return known;
    const layout = new Layout(map.busCount, this.#from, this.#to, injections, taps);
    const made = { injections, taps, equations: new Equations(layout, map), observability: undefined };
    this.#structures = [made, ...this.#structures].slice(0, KEPT_STRUCTURES);
    return made;
  }

  #observability(structure: Structure, input: EstimationInput, channels: Channels): Observability {
    const { equations } = structure;
    const { zero } = input;
    const { weight } = channels;
    const measured = new Uint8Array(weight.length + 2 * zero.length);
    for (let c = 0; c < weight.length; c++) measured[c] = weight[c]! > 0 ? 1 : 0;
    measured.set(zero, weight.length);
    for (let i = 0; i < zero.length; i++) measured[weight.length + zero.length + i] = equations.state.free[i]!;
    if (!structure.observability || !equal(structure.observability.measured, measured)) {
      // No branch carries anything then, so that what is found depends on the places of the measurements alone.
      const { branches } = input.case;
      const neutral = { ...branches, ratio: branches.ratio.slice().fill(1), shift: branches.shift.slice().fill(0) };
      equations.state.begin({ ...input.case, branches: neutral });
      equations.state.vm.fill(1);
      equations.state.va.fill(0);
      structure.observability = { measured, result: analyseObservability(equations, channels, zero) };
      equations.state.begin(input.case);
    }
    return structure.observability.result;
  }

  #states(equations: Equations): number {
    let count = equations.state.vm.length;
    for (const free of equations.state.free) count += free;
    return count + countBits(equations.layout.taps);
  }

  #attempts(equations: Equations, input: EstimationInput, channels: Channels, options: EstimationOptions) {
    const { start } = options;
    let iterations = 0;
    for (const method of METHODS) {
      if (method === 'warm') {
        if (!start) continue;
        equations.state.vm.set(start.vm);
        equations.state.va.set(start.va);
      } else if (iterations > 0) {
        equations.state.begin(input.case);
        flatStart(equations.state, equations.layout, input.case, channels);
      }
      if (method === 'damped' || method === 'robust') {
        // Without currents from as near as they let us come, or from the flat start once more.
        const run = iterate(equations, input.zero, withoutCurrents(channels), 'flat', options);
        iterations += run.iterations;
        if (!run.converged) {
          equations.state.begin(input.case);
          flatStart(equations.state, equations.layout, input.case, channels);
        }
      }
      const run = iterate(equations, input.zero, channels, method, options);
      iterations += run.iterations;
      if (run.converged || method === 'robust') return { ...run, method, iterations };
    }
    throw new Error('the last method ends the loop');
  }
}

const NOTHING_KNOWN = (map: ChannelMap): Observability => ({
  observable: false,
  missing: 0,
  unknown: new Uint8Array(map.busCount).fill(3),
  islandOfBus: new Int32Array(map.busCount),
  islands: 0,
  unknownChannel: new Uint8Array(map.size).fill(1),
  restore: [],
});

function equal(a: Uint8Array, b: Uint8Array): boolean {
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return a.length === b.length;
}

function countBits(flags: Uint8Array): number {
  let count = 0;
  for (const flag of flags) count += (flag & 1) + ((flag >> 1) & 1);
  return count;
}
