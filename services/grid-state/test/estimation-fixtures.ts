/** What the tests of the estimation share: exact readings of a solved case, noise by seed, and dense algebra to compare with. */
import { gaussian } from '../src/cases/simulate.ts';
import { type EstimationInput, Estimator } from '../src/estimation/estimator.ts';
import { KIND, MEASUREMENT_KINDS, measurementTable, type RowMeasurement } from '../src/estimation/measurement.ts';
import { ZERO } from '../src/estimation/step-matrix.ts';
import type { PowerFlowCase } from '../src/powerflow/case.ts';
import { NewtonSolver } from '../src/powerflow/newton.ts';

export { gaussian };

/** A case with its power flow solved, and what every instrument would read there. */
export class SolvedCase {
  readonly case: PowerFlowCase;
  readonly vm: Float64Array;
  readonly va: Float64Array;
  readonly estimator: Estimator;
  /** Exact readings by channel. */
  readonly exact: Float64Array;

  constructor(input: PowerFlowCase) {
    this.case = input;
    const { from, to } = input.branches;
    const solution = new NewtonSolver(input.buses.p.length, from, to).solve(input);
    if (!solution.converged) throw new Error('the case of a test has no power flow');
    this.vm = solution.vm.slice();
    this.va = solution.va.slice();
    this.estimator = new Estimator(input.buses.p.length, from, to);
    this.estimator.estimate({ case: input, measurements: measurementTable([]), zero: this.noZeros() });
    const { equations } = this.estimator;
    equations.state.vm.set(this.vm);
    equations.state.va.set(this.va);
    this.exact = equations.readings.predict();
  }

  noZeros(): Uint8Array {
    return new Uint8Array(this.case.buses.p.length);
  }

  /** Where the power flow injects nothing. */
  zeros(): Uint8Array {
    return this.noZeros().map((_, bus) => {
      const p = this.exact[this.estimator.map.of(KIND.pInjection, bus, 0)]!;
      const q = this.exact[this.estimator.map.of(KIND.qInjection, bus, 0)]!;
      return (Math.abs(p) < 1e-7 ? ZERO.p : 0) | (Math.abs(q) < 1e-7 ? ZERO.q : 0);
    });
  }

  reading(kind: RowMeasurement['kind'], at: number, end: 0 | 1, sigma: number): RowMeasurement {
    return { kind, at, end, sigma, value: this.exact[this.estimator.map.of(KIND[kind], at, end)]! };
  }

  /** Voltages everywhere, P and Q at both ends of every branch; with injections or currents too when asked. */
  readings(more: { injections?: boolean; currents?: boolean } = {}): RowMeasurement[] {
    const list: RowMeasurement[] = [];
    const { busCount, branchCount } = this.estimator.map;
    for (let bus = 0; bus < busCount; bus++) list.push(this.reading('voltage', bus, 0, 0.004));
    for (let branch = 0; branch < branchCount; branch++) {
      for (const end of [0, 1] as const) {
        list.push(this.reading('pFlow', branch, end, 0.01), this.reading('qFlow', branch, end, 0.01));
        if (more.currents) list.push(this.reading('current', branch, end, 0.01));
      }
    }
    for (let bus = 0; more.injections && bus < busCount; bus++) {
      list.push(this.reading('pInjection', bus, 0, 0.01), this.reading('qInjection', bus, 0, 0.01));
    }
    return list;
  }

  input(list: readonly RowMeasurement[], zero = this.noZeros()): EstimationInput {
    return { case: this.case, measurements: measurementTable(list), zero };
  }
}

export const noisy = (list: readonly RowMeasurement[], noise: () => number): RowMeasurement[] =>
  list.map((each) => ({ ...each, value: each.value + each.sigma * noise() }));

/** Rows of the Jacobian by finite differences of `predict`, columns θ and |V| of every bus. @param channels which rows */
export function numericalJacobian(estimator: Estimator, channels: readonly number[]): number[][] {
  const { equations } = estimator;
  const rows = channels.map(() => [] as number[]);
  const step = 1e-6;
  for (let bus = 0; bus < equations.state.vm.length; bus++) {
    for (const state of [equations.state.va, equations.state.vm]) {
      const kept = state[bus]!;
      state[bus] = kept + step;
      const above = equations.readings.predict();
      state[bus] = kept - step;
      const below = equations.readings.predict();
      state[bus] = kept;
      channels.forEach((channel, row) => {
        rows[row]!.push((above[channel]! - below[channel]!) / (2 * step));
      });
    }
  }
  return rows;
}

/** Inverse by Gauss–Jordan with row exchanges. */
export function inverse(matrix: readonly (readonly number[])[]): number[][] {
  const n = matrix.length;
  const work = matrix.map((row, i) => [...row, ...row.map((_, j) => (i === j ? 1 : 0))]);
  for (let column = 0; column < n; column++) {
    let pivot = column;
    for (let row = column; row < n; row++) {
      if (Math.abs(work[row]![column]!) > Math.abs(work[pivot]![column]!)) pivot = row;
    }
    [work[column], work[pivot]] = [work[pivot]!, work[column]!];
    const by = work[column]![column]!;
    work[column] = work[column]!.map((value) => value / by);
    for (let row = 0; row < n; row++) {
      if (row === column) continue;
      const share = work[row]![column]!;
      work[row] = work[row]!.map((value, at) => value - share * work[column]![at]!);
    }
  }
  return work.map((row) => row.slice(n));
}

export const kindOf = (code: number): RowMeasurement['kind'] => MEASUREMENT_KINDS[code]!;
