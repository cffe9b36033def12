/**
 * Weighted least squares state estimation in polar coordinates (Schweppe 1970) with zero injections as constraints, on the
 * tables of the power-flow kernel. Gauss–Newton on the augmented matrix of `layout.ts`; the pattern, its order and its
 * factor's pattern are kept for as long as the topology and the places of injections and taps stay the same.
 */
import { type BranchTable, BUS_TYPE, type PowerFlowCase } from '../powerflow/case.ts';
import { UnionFind } from '../powerflow/union-find.ts';
import type { InverseSubset } from './block-ldl.ts';
import { Equations, type Pass, TAP, wrapped } from './equations.ts';
import { Layout } from './layout.ts';
import { ChannelMap, type Channels, KIND, type MeasurementTable, mergeChannels } from './measurement.ts';
import { analyseObservability, type Observability } from './observability.ts';

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

export interface EstimationOptions {
  /** Largest change of a state, pu or radians, that counts as none. Default 1e-6. */
  readonly tolerance?: number;
  /** Of one attempt. Default 50: small currents make the last digits come slowly. */
  readonly maxIterations?: number;
  /** Voltages to start from; flat when absent. */
  readonly start?: { readonly vm: Float64Array; readonly va: Float64Array };
}

/** How the estimate was reached: the next one is tried when one has led nowhere. */
export const METHODS = [
  /** Full steps from the voltages given. */
  'warm',
  /** Full steps from a flat start. */
  'flat',
  /** Levenberg–Marquardt from a flat start. */
  'damped',
  /** The same with Huber's weights: what contradicts the rest loses its pull. */
  'robust',
] as const;
export type Method = (typeof METHODS)[number];

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

const TOLERANCE = 1e-6;
const MAX_ITERATIONS = 50;
/** Largest step of an angle, radians, and of a magnitude, pu: beyond, the linear model means nothing. */
const LARGEST_ANGLE_STEP = 3;
const LARGEST_MAGNITUDE_STEP = 0.4;
/** Currents have no direction at a flat start: the other measurements come first until the state moves less than this. */
const SETTLED = 1e-2;
/** But no longer than this, where nothing but currents is known. */
const STEPS_WITHOUT_CURRENTS = 6;
const HUBER = 3;
/** Steps after which a method that hardly comes nearer, most likely around a current of nothing, takes shorter ones. */
const FULL_STEPS = 8;
const MAX_WORST = 5;
/** More attempts are made with more iterations. */
const PATIENCE = 2;

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
  readonly #component: Int32Array;
  readonly #components: number;
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
    this.#component = of;
    this.#components = count;
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
    const unusable = equations.begin(input.case);
    this.#references(equations, input.case, channels);
    const observability = unusable < 0 ? this.#observability(structure, input, channels) : NOTHING_KNOWN(map);
    this.#flat(equations, input.case, channels);
    const run = unusable < 0 ? this.#attempts(equations, input, channels, options) : undefined;
    const predicted = equations.predict();
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
      vm: equations.vm,
      va: equations.va,
      ratio: equations.ratio,
      shift: equations.shift,
      map,
      channelOf,
      channels,
      multipliers: equations.rhs,
      predicted,
    };
  }

  /** Entries of the covariance at the estimate of the last call, where the factor has some. */
  covariance(): InverseSubset {
    return this.equations.layout.ldl.inverseSubset();
  }

  /** Variance of what each channel reads, at the estimate of the last call. */
  variances(channels: Channels, subset = this.covariance()): Float64Array {
    return this.equations.variances(subset, channels, this.#zero);
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

  /** One angle of every connected part is the reference and no state, unless angles are measured there. */
  #references(equations: Equations, { buses }: PowerFlowCase, { map, weight }: Channels): void {
    const reference = new Int32Array(this.#components).fill(-1);
    const isSlack = (bus: number): boolean => buses.type[bus] === BUS_TYPE.slack;
    const synchronised = new Uint8Array(this.#components);
    this.#component.forEach((component, bus) => {
      if (weight[map.first[KIND.angle]! + bus]! > 0) synchronised[component] = 1;
      const known = reference[component]!;
      if (known < 0 || (isSlack(bus) && !isSlack(known))) reference[component] = bus;
    });
    equations.free.fill(1);
    reference.forEach((bus, component) => {
      if (synchronised[component] === 0) equations.free[bus] = 0;
    });
  }

  /**
   * The magnitude that is measured in the middle; angles, and magnitudes where a ratio is far from 1, as the references,
   * phase shifts and ratios on the way have them.
   */
  #flat(equations: Equations, { buses, branches }: PowerFlowCase, { map, value, weight }: Channels): void {
    const { vm, va, free, layout } = equations;
    vm.fill(1);
    va.fill(0);
    const steps = branches.shift.some((shift) => shift !== 0) || branches.ratio.some(isFarFromOne);
    if (steps || buses.va.some((angle, i) => angle !== 0 && free[i] === 0)) {
      this.#spread(equations, buses.va, branches);
    }
    const measured: number[] = [];
    for (let i = 0; i < map.busCount; i++) if (weight[i]! > 0) measured.push(i);
    const middle = middleOf(measured, value, vm);
    // Ratios far from 1 that no voltage bears witness to are an oddity of the data: all else is near 1.
    if (vm.some((each) => each !== 1)) {
      const even = new Float64Array(vm.length).fill(1);
      const plain = middleOf(measured, value, even);
      if (plain.off <= middle.off) {
        vm.fill(plain.value);
        return;
      }
    }
    for (let i = 0; i < layout.busCount; i++) vm[i] = vm[i]! * middle.value;
  }

  /** Voltages from the references over all branches, as without load. */
  #spread({ vm, va, free, layout }: Equations, angles: Float64Array, { from, ratio, shift }: BranchTable): void {
    const { start, column, entry } = layout.admittance;
    const shiftOf = new Float64Array(column.length);
    const ratioOf = new Float64Array(column.length).fill(1);
    for (let k = 0; k < from.length; k++) {
      const [forward, back] = [entry[4 * k + 1]!, entry[4 * k + 2]!];
      shiftOf[forward] = -shift[k]!;
      shiftOf[back] = shift[k]!;
      if (!isFarFromOne(ratio[k]!)) continue;
      ratioOf[forward] = 1 / ratio[k]!;
      ratioOf[back] = ratio[k]!;
    }
    const reached = new Uint8Array(vm.length);
    for (const references of [true, false]) {
      for (let root = 0; root < vm.length; root++) {
        if (reached[root] === 1 || (references && free[root] !== 0)) continue;
        reached[root] = 1;
        va[root] = free[root] === 0 ? angles[root]! : 0;
        const queue = [root];
        for (const bus of queue) {
          for (let at = start[bus]!; at < start[bus + 1]!; at++) {
            const other = column[at]!;
            if (reached[other] === 1) continue;
            reached[other] = 1;
            va[other] = va[bus]! + shiftOf[at]!;
            vm[other] = vm[bus]! * ratioOf[at]!;
            queue.push(other);
          }
        }
      }
    }
  }

  #observability(structure: Structure, input: EstimationInput, channels: Channels): Observability {
    const { equations } = structure;
    const { zero } = input;
    const { weight } = channels;
    const measured = new Uint8Array(weight.length + 2 * zero.length);
    for (let c = 0; c < weight.length; c++) measured[c] = weight[c]! > 0 ? 1 : 0;
    measured.set(zero, weight.length);
    for (let i = 0; i < zero.length; i++) measured[weight.length + zero.length + i] = equations.free[i]!;
    if (!structure.observability || !equal(structure.observability.measured, measured)) {
      // No branch carries anything then, so that what is found depends on the places of the measurements alone.
      const { branches } = input.case;
      const neutral = { ...branches, ratio: branches.ratio.slice().fill(1), shift: branches.shift.slice().fill(0) };
      equations.begin({ ...input.case, branches: neutral });
      equations.vm.fill(1);
      equations.va.fill(0);
      structure.observability = { measured, result: analyseObservability(equations, channels, zero) };
      equations.begin(input.case);
    }
    return structure.observability.result;
  }

  #states(equations: Equations): number {
    let count = equations.vm.length;
    for (const free of equations.free) count += free;
    return count + countBits(equations.layout.taps);
  }

  #attempts(equations: Equations, input: EstimationInput, channels: Channels, options: EstimationOptions) {
    const { start } = options;
    let iterations = 0;
    for (const method of METHODS) {
      if (method === 'warm') {
        if (!start) continue;
        equations.vm.set(start.vm);
        equations.va.set(start.va);
      } else if (iterations > 0) {
        equations.begin(input.case);
        this.#flat(equations, input.case, channels);
      }
      if (method === 'damped' || method === 'robust') {
        // Without currents from as near as they let us come, or from the flat start once more.
        const run = this.#iterate(equations, input, withoutCurrents(channels), 'flat', options);
        iterations += run.iterations;
        if (!run.converged) {
          equations.begin(input.case);
          this.#flat(equations, input.case, channels);
        }
      }
      const run = this.#iterate(equations, input, channels, method, options);
      iterations += run.iterations;
      if (run.converged || method === 'robust') return { ...run, method, iterations };
    }
    throw new Error('the last method ends the loop');
  }

  #iterate(
    equations: Equations,
    { zero }: EstimationInput,
    channels: Channels,
    method: Method,
    options: EstimationOptions,
  ): { converged: boolean; iterations: number; lastStep: number; violation: number; failure?: string } {
    const tolerance = options.tolerance ?? TOLERANCE;
    const careful = method === 'damped' || method === 'robust';
    const maxIterations = (options.maxIterations ?? MAX_ITERATIONS) * (careful ? PATIENCE : 1);
    const { layout, values, rhs } = equations;
    const measured = equations.measuredOf(channels.weight);
    const others = measured.map((mask) => mask & 0b011011);
    const hasCurrents = measured.some((mask, k) => mask !== others[k]);
    let damping = careful ? 1e-2 : 0;
    let step = Number.NaN;
    let violation = Number.NaN;
    let best = Number.POSITIVE_INFINITY;
    let early = hasCurrents && method !== 'warm';
    for (let iteration = 0; iteration < maxIterations; iteration++) {
      const used = method === 'robust' && iteration > 0 ? huber(equations, channels) : channels;
      const pass: Pass = equations.assemble(used, zero, early ? others : measured);
      violation = pass.violation;
      if (!Number.isFinite(pass.objective + pass.violation)) {
        return { converged: false, iterations: iteration, lastStep: step, violation, failure: 'the voltages ran away' };
      }
      if (damping > 0) {
        for (let row = 0; row < layout.size; row++) {
          if (row >= layout.busCount && layout.tapRow.indexOf(row) < 0) continue;
          const d = 4 * layout.pattern.diagonal[row]!;
          values[d] = values[d]! * (1 + damping);
          values[d + 3] = values[d + 3]! * (1 + damping);
        }
      }
      if (!layout.ldl.factorise(values)) {
        return {
          converged: false,
          iterations: iteration,
          lastStep: step,
          violation,
          failure: 'the matrix is numerically singular',
        };
      }
      layout.ldl.solve(rhs);
      const before = step;
      step = advance(equations);
      if (careful) {
        damping = step < best ? Math.max(damping / 3, 1e-9) : Math.min(damping * 4, 1e3);
        best = Math.min(best, step);
      } else if (iteration >= FULL_STEPS && step > before / 2) damping = Math.min(Math.max(2 * damping, 0.1), 10);
      if (early) early = step > SETTLED && iteration < STEPS_WITHOUT_CURRENTS;
      else if (step < tolerance) return { converged: true, iterations: iteration + 1, lastStep: step, violation };
    }
    const coarse = layout.ldl.raised > 0 ? '; the measurements are too coarse to determine all of it' : '';
    return {
      converged: false,
      iterations: maxIterations,
      lastStep: step,
      violation,
      failure: `the largest step is still ${step.toExponential(1)} p.u. after ${maxIterations} iterations${coarse}`,
    };
  }
}

/** Moves the state by the solution in `rhs`, shortened where it is beyond what a linear model can know. @returns the largest change */
function advance(equations: Equations): number {
  const { layout, vm, va, ratio, shift, rhs } = equations;
  let [angle, magnitude] = [0, 0];
  for (let i = 0; i < layout.busCount; i++) {
    const dAngle = Math.abs(rhs[2 * i]!);
    const dMagnitude = Math.abs(rhs[2 * i + 1]!);
    // Written so that NaN wins.
    if (!(dAngle <= angle)) angle = dAngle;
    if (!(dMagnitude <= magnitude)) magnitude = dMagnitude;
  }
  let tap = 0;
  for (const row of layout.tapRow) {
    if (row >= 0) tap = Math.max(tap, Math.abs(rhs[2 * row]!), Math.abs(rhs[2 * row + 1]!));
  }
  const share = Math.min(1, LARGEST_ANGLE_STEP / angle, LARGEST_MAGNITUDE_STEP / Math.max(magnitude, tap));
  for (let i = 0; i < layout.busCount; i++) {
    va[i] = va[i]! + share * rhs[2 * i]!;
    vm[i] = Math.max(0.05, vm[i]! + share * rhs[2 * i + 1]!);
  }
  if (layout.hasTaps) {
    for (let k = 0; k < layout.tapRow.length; k++) {
      const row = layout.tapRow[k]!;
      if (row < 0) continue;
      ratio[k] = ratio[k]! + share * rhs[2 * row]!;
      shift[k] = shift[k]! + share * rhs[2 * row + 1]!;
    }
    equations.admittances();
  }
  return Math.max(angle, magnitude, tap);
}

function withoutCurrents(channels: Channels): Channels {
  const first = channels.map.first[KIND.current]!;
  return { ...channels, weight: channels.weight.slice().fill(0, first, first + 2 * channels.map.branchCount) };
}

/** Weights that fall with the residual beyond `HUBER` standard deviations. */
function huber(equations: Equations, channels: Channels): Channels {
  const predicted = equations.predict();
  const weight = channels.weight.slice();
  for (let c = 0; c < weight.length; c++) {
    if (weight[c] === 0) continue;
    const normalized = Math.abs(channels.value[c]! - predicted[c]!) * Math.sqrt(weight[c]!);
    if (normalized > HUBER) weight[c] = (weight[c]! * HUBER) / normalized;
  }
  return { ...channels, weight };
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

/** By what the measured voltages exceed a profile: the middle, and how far they are off it on the average. */
function middleOf(
  measured: readonly number[],
  value: Float64Array,
  profile: Float64Array,
): { value: number; off: number } {
  const shares = measured
    .map((bus) => value[bus]! / profile[bus]!)
    .filter((share) => share > 0.5 && share < 1.5)
    .sort((a, b) => a - b);
  const middle = shares[shares.length >> 1] ?? 1;
  let off = measured.length - shares.length;
  for (const share of shares) off += Math.abs(share - middle);
  return { value: middle, off: measured.length === 0 ? 0 : off / measured.length };
}

/** A tap keeps voltages together; a ratio like this parts them. */
const isFarFromOne = (ratio: number): boolean => ratio > 1.25 || ratio < 0.8;

function equal(a: Uint8Array, b: Uint8Array): boolean {
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return a.length === b.length;
}

function countBits(flags: Uint8Array): number {
  let count = 0;
  for (const flag of flags) count += (flag & 1) + ((flag >> 1) & 1);
  return count;
}
