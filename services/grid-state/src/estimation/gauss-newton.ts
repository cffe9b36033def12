/** Gauss–Newton on the measurement equations: full steps, damped ones (Levenberg–Marquardt), and with Huber's weights. */
import type { Equations } from './equations.ts';
import { type Channels, KIND } from './measurement.ts';
import type { Pass } from './step-matrix.ts';

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

export interface Iteration {
  readonly converged: boolean;
  readonly iterations: number;
  /** As in `Estimate`. */
  readonly lastStep: number;
  readonly violation: number;
  readonly failure?: string;
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
/** More attempts are made with more iterations. */
const PATIENCE = 2;

/** One attempt from the present state. */
export function iterate(
  equations: Equations,
  zero: Uint8Array,
  channels: Channels,
  method: Method,
  options: EstimationOptions,
): Iteration {
  const tolerance = options.tolerance ?? TOLERANCE;
  const careful = method === 'damped' || method === 'robust';
  const maxIterations = (options.maxIterations ?? MAX_ITERATIONS) * (careful ? PATIENCE : 1);
  const { layout } = equations;
  const { values, rhs } = equations.step;
  const measured = equations.step.measuredOf(channels.weight);
  const others = measured.map((mask) => mask & 0b011011);
  const hasCurrents = measured.some((mask, k) => mask !== others[k]);
  let damping = careful ? 1e-2 : 0;
  let step = Number.NaN;
  let violation = Number.NaN;
  let best = Number.POSITIVE_INFINITY;
  let early = hasCurrents && method !== 'warm';
  for (let iteration = 0; iteration < maxIterations; iteration++) {
    const used = method === 'robust' && iteration > 0 ? huber(equations, channels) : channels;
    const pass: Pass = equations.step.assemble(used, zero, early ? others : measured);
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

/** Moves the state by the solution in `rhs`, shortened where it is beyond what a linear model can know. @returns the largest change */
function advance(equations: Equations): number {
  const { layout, state } = equations;
  const { vm, va, ratio, shift } = state;
  const { rhs } = equations.step;
  let [angle, magnitude] = [0, 0];
  for (let i = 0; i < layout.busCount; i++) {
    // NaN wins: a step that is no number must not pass for a small one.
    angle = Math.max(angle, Math.abs(rhs[2 * i]!));
    magnitude = Math.max(magnitude, Math.abs(rhs[2 * i + 1]!));
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
    state.admittances();
  }
  return Math.max(angle, magnitude, tap);
}

/** What is left of the measurements without the currents. */
export function withoutCurrents(channels: Channels): Channels {
  const first = channels.map.first[KIND.current]!;
  return { ...channels, weight: channels.weight.slice().fill(0, first, first + 2 * channels.map.branchCount) };
}

/** Weights that fall with the residual beyond `HUBER` standard deviations. */
function huber(equations: Equations, channels: Channels): Channels {
  const predicted = equations.readings.predict();
  const weight = channels.weight.slice();
  for (let c = 0; c < weight.length; c++) {
    if (weight[c] === 0) continue;
    const normalized = Math.abs(channels.value[c]! - predicted[c]!) * Math.sqrt(weight[c]!);
    if (normalized > HUBER) weight[c] = (weight[c]! * HUBER) / normalized;
  }
  return { ...channels, weight };
}
