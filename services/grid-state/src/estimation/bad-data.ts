/**
 * Which measurements are wrong: χ² test of the whole, largest normalised residual of each (Handschin et al. 1975) with the
 * exact variance of every residual, normalised multipliers for the zero injections (Clements and Simões-Costa 1988). What
 * is found is taken out by a rank-one change of the solution at hand; only when nothing sticks out any more, the estimate
 * is made anew without it, and what fits that one after all is taken back.
 */
import { chiSquaredCdf, chiSquaredQuantile, normalQuantile } from './chi-squared.ts';
import type { Estimate, EstimationInput, Estimator } from './estimator.ts';
import type { EstimationOptions } from './gauss-newton.ts';
import { KIND } from './measurement.ts';
import { ZERO } from './step-matrix.ts';

export interface BadDataOptions extends EstimationOptions {
  /** Share of runs in which sound measurements may look wrong: of the χ² test and of all residuals together. Default 0.01. */
  readonly falseAlarms?: number;
  /** Most to be taken out. Default 20. */
  readonly maxBad?: number;
}

/** Something that contradicts the rest. */
export interface Suspect {
  /** Row of the measurement, or -1 when it is the knowledge that nothing is injected at `bus`. */
  readonly measurement: number;
  readonly bus: number;
  readonly power: 'p' | 'q' | undefined;
  /** Normalised residual when it was found. */
  readonly normalizedResidual: number;
  /** How far off it seems to be, in its unit: reading less truth; at a zero injection, what seems to be injected. */
  readonly error: number;
  /** Rows of measurements that would explain the same just as well: the data cannot tell which is wrong. */
  readonly alternatives: readonly number[];
}

export interface ChiSquaredTest {
  readonly objective: number;
  readonly degreesOfFreedom: number;
  /** What the objective of sound measurements stays below with the probability wanted; NaN without degrees of freedom. */
  readonly limit: number;
  /** Probability that sound measurements give an objective as large as this. */
  readonly probability: number;
  readonly passed: boolean;
}

export interface CheckedEstimate {
  readonly estimate: Estimate;
  /** Of all measurements. */
  readonly before: ChiSquaredTest;
  /** Without the bad ones; the same when there are none. */
  readonly after: ChiSquaredTest;
  readonly bad: readonly Suspect[];
  /** Measurements that took part in the end. */
  readonly active: Uint8Array;
  /** Measurements that no other one checks: their residual is 0 whatever they say. */
  readonly critical: readonly number[];
  /** z - h per measurement, of the final estimate. */
  readonly residual: Float64Array;
  /** The same by its standard deviation; NaN for critical ones and where nothing is known. */
  readonly normalized: Float64Array;
  /** Variance of what each channel reads. */
  readonly variance: Float64Array;
  /** A normalised residual beyond this is taken for an error. */
  readonly threshold: number;
}

const FALSE_ALARMS = 0.01;
const MAX_BAD = 20;
const MAX_ROUNDS = 40;
/** What is this much smaller than the worst may be its shadow in a model that is not quite linear: the next round decides. */
const SHADOW = 0.5;
/** Share of a measurement's variance that its residual must have to say anything: an error of 400 σ would not show otherwise. */
const CRITICAL = 1e-4;
/** Correlation of residuals beyond which they are one. */
const TIED = 0.999;

/** The estimate without what contradicts it. @throws RangeError as `Estimator.estimate` */
export function estimateChecked(
  estimator: Estimator,
  input: EstimationInput,
  options: BadDataOptions = {},
): CheckedEstimate {
  const { measurements } = input;
  const count = measurements.kind.length;
  const falseAlarms = options.falseAlarms ?? FALSE_ALARMS;
  const maxBad = options.maxBad ?? MAX_BAD;
  const active = input.active ? input.active.slice() : new Uint8Array(count).fill(1);
  const zero = input.zero.slice();
  const threshold = normalQuantile(1 - falseAlarms / 2 / Math.max(1, count));
  const bad: Suspect[] = [];
  let estimate = estimator.estimate({ ...input, active, zero }, options);
  const before = chiSquaredTest(estimate, falseAlarms);
  let check = new ResidualCheck(estimator, estimate, { ...input, active, zero });
  for (let round = 0; estimate.converged && round < MAX_ROUNDS; round++) {
    const found = check.search(threshold, maxBad - bad.length);
    if (found.length === 0 && !takeBack(check, bad, active, threshold)) break;
    for (const suspect of found) {
      bad.push(suspect);
      if (suspect.measurement >= 0) active[suspect.measurement] = 0;
      else zero[suspect.bus] = zero[suspect.bus]! & ~ZERO[suspect.power!];
    }
    const start = { vm: estimate.vm.slice(), va: estimate.va.slice() };
    estimate = estimator.estimate({ ...input, active, zero }, { ...options, start });
    check = new ResidualCheck(estimator, estimate, { ...input, active, zero });
  }
  return {
    estimate,
    before,
    after: chiSquaredTest(estimate, falseAlarms),
    bad,
    active,
    critical: check.critical(),
    residual: check.residual,
    normalized: check.normalized(),
    variance: check.variance,
    threshold,
  };
}

export function chiSquaredTest({ objective, degreesOfFreedom }: Estimate, falseAlarms: number): ChiSquaredTest {
  const limit = chiSquaredQuantile(1 - falseAlarms, degreesOfFreedom);
  const probability = degreesOfFreedom > 0 ? 1 - chiSquaredCdf(objective, degreesOfFreedom) : 1;
  return { objective, degreesOfFreedom, limit, probability, passed: !(objective > limit) };
}

/** Takes one back that fits the estimate made without it: one at a time, since each changes what the others look like. */
function takeBack(check: ResidualCheck, bad: Suspect[], active: Uint8Array, threshold: number): boolean {
  const at = bad.findLastIndex(
    ({ measurement }) => measurement >= 0 && Math.abs(check.normalizedOf(measurement)) < threshold,
  );
  if (at < 0) return false;
  active[bad[at]!.measurement] = 1;
  bad.splice(at, 1);
  return true;
}

/** Something taken out of the solution: the solution moves by -`shift`·direction, its covariance by `spread`·direction². */
interface Removal {
  /** Column of the inverse, two numbers per row of the matrix. */
  readonly direction: Float64Array;
  /** Change of every channel along it. */
  readonly change: Float64Array;
  readonly spread: number;
}

/** Residuals of one estimate and their exact variances. */
class ResidualCheck {
  readonly residual: Float64Array;
  readonly variance: Float64Array;
  readonly #estimator: Estimator;
  readonly #estimate: Estimate;
  readonly #input: EstimationInput & { readonly active: Uint8Array };
  /** Inverse's diagonal at the rows of injections, two per bus; what a multiplier is normalised with. */
  readonly #pull: Float64Array;
  readonly #multiplier: Float64Array;

  constructor(estimator: Estimator, estimate: Estimate, input: EstimationInput & { readonly active: Uint8Array }) {
    this.#estimator = estimator;
    this.#estimate = estimate;
    this.#input = input;
    const { measurements } = input;
    const { channelOf, predicted } = estimate;
    this.residual = Float64Array.from(channelOf, (channel, k) =>
      estimator.residual(measurements, k, channel, predicted),
    );
    const subset = estimator.covariance();
    this.variance = estimator.variances(estimate.channels, subset);
    const { injectionRow } = estimator.equations.layout;
    this.#pull = new Float64Array(2 * injectionRow.length);
    this.#multiplier = new Float64Array(2 * injectionRow.length);
    injectionRow.forEach((row, bus) => {
      if (row < 0) return;
      for (const side of [0, 1] as const) {
        this.#pull[2 * bus + side] = subset.variance(row, side);
        this.#multiplier[2 * bus + side] = estimate.multipliers[2 * row + side]!;
      }
    });
  }

  /** Variance of a measurement's residual: less than its own for what took part, more for what did not. */
  #varianceOf(k: number, variance: Float64Array): number {
    const own = this.#input.measurements.sigma[k]! ** 2;
    const estimated = variance[this.#estimate.channelOf[k]!]!;
    return this.#input.active[k] === 1 ? own - estimated : own + estimated;
  }

  normalizedOf(k: number): number {
    return this.#normalized(k, this.residual, this.variance);
  }

  #normalized(k: number, residual: Float64Array, variance: Float64Array): number {
    if (this.#estimate.observability.unknownChannel[this.#estimate.channelOf[k]!] === 1) return Number.NaN;
    const own = this.#varianceOf(k, variance);
    return own > CRITICAL * this.#input.measurements.sigma[k]! ** 2 ? residual[k]! / Math.sqrt(own) : Number.NaN;
  }

  normalized(): Float64Array {
    return this.residual.map((_, k) => this.normalizedOf(k));
  }

  critical(): number[] {
    const { active, measurements } = this.#input;
    const list: number[] = [];
    for (let k = 0; k < active.length; k++) {
      if (active[k] === 0) continue;
      if (!(this.#varianceOf(k, this.variance) > CRITICAL * measurements.sigma[k]! ** 2)) list.push(k);
    }
    return list;
  }

  /** The worst, then the worst of what is left without it, and so on, all within the linear model. */
  search(threshold: number, most: number): Suspect[] {
    const { active } = this.#input;
    const { channelOf } = this.#estimate;
    const found: Suspect[] = [];
    const residual = this.residual.slice();
    const variance = this.variance.slice();
    const [pull, multiplier] = [this.#pull.slice(), this.#multiplier.slice()];
    const gone = active.map((each) => 1 - each);
    const zero = this.#input.zero.slice();
    const removals: Removal[] = [];
    const { layout } = this.#estimator.equations;
    while (found.length < most) {
      let [worst, bus, side] = [-1, -1, 0];
      let size = Math.max(threshold, SHADOW * (found[0]?.normalizedResidual ?? 0));
      for (let k = 0; k < gone.length; k++) {
        if (gone[k] === 1) continue;
        const normalized = Math.abs(this.#normalized(k, residual, variance));
        if (normalized > size) [worst, size] = [k, normalized];
      }
      for (let i = 0; i < zero.length; i++) {
        if (zero[i] === 0) continue;
        for (const power of [0, 1] as const) {
          if ((zero[i]! & (1 << power)) === 0 || !(pull[2 * i + power]! < 0)) continue;
          const normalized = Math.abs(multiplier[2 * i + power]!) / Math.sqrt(-pull[2 * i + power]!);
          if (normalized > size) [worst, bus, side, size] = [-1, i, power, normalized];
        }
      }
      if (worst < 0 && bus < 0) break;
      const removal = this.#remove(worst, bus, side, removals, variance);
      const own = bus >= 0 ? -pull[2 * bus + side]! : this.#varianceOf(worst, variance);
      const amount = bus >= 0 ? -multiplier[2 * bus + side]! / own : residual[worst]! / own;
      found.push({
        measurement: worst,
        bus: bus >= 0 ? bus : -1,
        power: bus >= 0 ? (side === 0 ? 'p' : 'q') : undefined,
        normalizedResidual: size,
        error: bus >= 0 ? -amount : amount * this.#sigma2(worst),
        alternatives: this.#tied(worst, removal, own, variance, gone, channelOf),
      });
      removals.push(removal);
      for (let k = 0; k < residual.length; k++) residual[k] = residual[k]! + removal.change[channelOf[k]!]! * amount;
      for (let c = 0; c < variance.length; c++) {
        variance[c] = variance[c]! + removal.spread * removal.change[c]! ** 2;
      }
      layout.injectionRow.forEach((row, i) => {
        if (row < 0) return;
        for (const power of [0, 1]) {
          const along = removal.direction[2 * row + power]!;
          pull[2 * i + power] = pull[2 * i + power]! + removal.spread * along * along;
          multiplier[2 * i + power] = multiplier[2 * i + power]! - along * amount;
        }
      });
      if (bus >= 0) zero[bus] = zero[bus]! & ~(1 << side);
      else gone[worst] = 1;
    }
    return found;
  }

  /** An injection that is known to be zero: what is measured there besides has no pull. */
  #isConstrained(k: number): boolean {
    const { measurements, zero } = this.#input;
    const kind = measurements.kind[k]!;
    if (kind !== KIND.pInjection && kind !== KIND.qInjection) return false;
    return (zero[measurements.at[k]!]! & (kind === KIND.pInjection ? ZERO.p : ZERO.q)) !== 0;
  }

  #sigma2(k: number): number {
    return this.#input.measurements.sigma[k]! ** 2;
  }

  #remove(
    measurement: number,
    bus: number,
    side: number,
    removals: readonly Removal[],
    variance: Float64Array,
  ): Removal {
    const { equations } = this.#estimator;
    const { layout } = equations;
    const column = new Float64Array(2 * layout.size);
    let scale = 1;
    if (bus >= 0) column[2 * layout.injectionRow[bus]! + side] = 1;
    else {
      const channel = this.#estimate.channelOf[measurement]!;
      equations.readings.rowOf(channel, column);
      const kind = this.#input.measurements.kind[measurement]!;
      // The inverse answers per multiplier there: R times that is per residual.
      if (kind === KIND.pInjection || kind === KIND.qInjection) scale = 1 / this.#estimate.channels.weight[channel]!;
    }
    const direction = column.slice();
    layout.ldl.solve(direction);
    if (measurement >= 0 && this.#isConstrained(measurement)) direction.fill(0);
    for (const earlier of direction.some((each) => each !== 0) ? removals : []) {
      const share = earlier.spread * dot(earlier.direction, column);
      for (let i = 0; i < direction.length; i++) direction[i] = direction[i]! + share * earlier.direction[i]!;
    }
    if (scale !== 1) for (let i = 0; i < direction.length; i++) direction[i] = direction[i]! * scale;
    const own = bus >= 0 ? -direction[2 * layout.injectionRow[bus]! + side]! : this.#varianceOf(measurement, variance);
    return { direction, change: equations.readings.along(direction), spread: 1 / own };
  }

  /** Whose residuals follow the one removed exactly. */
  #tied(
    measurement: number,
    removal: Removal,
    own: number,
    variance: Float64Array,
    gone: Uint8Array,
    channelOf: Int32Array,
  ): number[] {
    const tied: number[] = [];
    const channel = measurement < 0 ? -1 : channelOf[measurement]!;
    for (let k = 0; k < gone.length; k++) {
      if (gone[k] === 1 || k === measurement) continue;
      const other = this.#varianceOf(k, variance);
      if (!(other > CRITICAL * this.#sigma2(k)) || channelOf[k] === channel) continue;
      if (Math.abs(removal.change[channelOf[k]!]!) > TIED * Math.sqrt(own * other)) tied.push(k);
    }
    return tied;
  }
}

const dot = (a: Float64Array, b: Float64Array): number => {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
};
