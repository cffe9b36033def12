import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { BlockLdl } from '../src/estimation/block-ldl.ts';
import { chiSquaredCdf, chiSquaredQuantile, normalQuantile } from '../src/estimation/chi-squared.ts';
import { KIND, measurementTable, type RowMeasurement } from '../src/estimation/measurement.ts';
import { ZERO } from '../src/estimation/step-matrix.ts';
import { minimumDegreeOrder } from '../src/powerflow/ordering.ts';
import { branchPattern } from '../src/powerflow/pattern.ts';
import { gaussian, inverse, numericalJacobian, SolvedCase } from './estimation-fixtures.ts';
import { hasMatpower, readMatpower } from './matpower.ts';
import { randomCase } from './random-case.ts';

describe('block LDLᵀ', () => {
  /** G positive on some rows, -R on others, coupled at random: a quasi-definite matrix on the pattern of a grid. */
  const matrix = fc.tuple(randomCase, fc.integer()).map(([{ buses, branches }, seed]) => {
    const pattern = branchPattern(buses.p.length, branches.from, branches.to);
    const random = gaussian(seed);
    const signs = Float64Array.from({ length: pattern.size }, () => (random() > 0.5 ? -1 : 1));
    const n = 2 * pattern.size;
    const dense = Array.from({ length: n }, () => new Array<number>(n).fill(0));
    const values = new Float64Array(4 * pattern.column.length);
    const order = minimumDegreeOrder(pattern);
    const position = new Int32Array(pattern.size);
    order.forEach((row, at) => {
      position[row] = at;
    });
    for (let i = 0; i < pattern.size; i++) {
      for (let at = pattern.start[i]!; at < pattern.start[i + 1]!; at++) {
        const j = pattern.column[at]!;
        if (position[j]! > position[i]!) continue;
        const block = [random(), random(), random(), random()];
        if (i === j) {
          block[0] = signs[i]! * (30 + Math.abs(block[0]!));
          block[3] = signs[i]! * (30 + Math.abs(block[3]!));
          block[2] = block[1]!;
        }
        values.set(block, 4 * at);
        for (let k = 0; k < 4; k++) {
          dense[2 * i + (k >> 1)]![2 * j + (k & 1)] = block[k]!;
          dense[2 * j + (k & 1)]![2 * i + (k >> 1)] = block[k]!;
        }
      }
    }
    return { pattern, order, signs, values, dense, random };
  });

  test('solves, and has the inverse wherever the matrix has an entry', () => {
    fc.assert(
      fc.property(matrix, ({ pattern, order, signs, values, dense, random }) => {
        const ldl = new BlockLdl(pattern, order, signs);
        expect(ldl.factorise(values)).toBe(true);
        expect(ldl.raised).toBe(0);
        const right = Float64Array.from({ length: dense.length }, random);
        const x = right.slice();
        ldl.solve(x);
        dense.forEach((row, i) => {
          expect(row.reduce((sum, value, j) => sum + value * x[j]!, 0)).toBeCloseTo(right[i]!, 9);
        });
        const exact = inverse(dense);
        const subset = ldl.inverseSubset();
        const block = new Float64Array(4);
        for (let i = 0; i < pattern.size; i++) {
          for (let at = pattern.start[i]!; at < pattern.start[i + 1]!; at++) {
            const j = pattern.column[at]!;
            expect(subset.block(i, j, block)).toBe(true);
            for (let k = 0; k < 4; k++) {
              expect(block[k]).toBeCloseTo(exact[2 * i + (k >> 1)]![2 * j + (k & 1)]!, 10);
            }
          }
        }
      }),
      { numRuns: 30 },
    );
  });

  test('raises a pivot that has no substance instead of dividing by it, and refuses what is no number', () => {
    const pattern = branchPattern(2, Int32Array.of(0), Int32Array.of(1));
    const ldl = new BlockLdl(pattern, Int32Array.of(0, 1), Float64Array.of(1, 1));
    // Two states that only their difference is known of: singular in the second.
    const values = new Float64Array(4 * pattern.column.length);
    for (const [at, sign] of [
      [pattern.diagonal[0]!, 1],
      [pattern.diagonal[1]!, 1],
      [pattern.entry[2]!, -1],
    ] as const) {
      values[4 * at] = 100 * sign;
      values[4 * at + 3] = 100 * sign;
    }
    expect(ldl.factorise(values)).toBe(true);
    expect(ldl.raised).toBe(2);
    const x = Float64Array.of(1, 0, -1, 0);
    ldl.solve(x);
    expect(x[0]! - x[2]!).toBeCloseTo(0.01, 6);
    values[0] = Number.NaN;
    expect(ldl.factorise(values)).toBe(false);
  });
});

describe('χ² distribution', () => {
  // NIST/SEMATECH e-Handbook of Statistical Methods, § 1.3.6.7.4 (three decimals), and Abramowitz and Stegun, table 26.8.
  test.each([
    [0.95, 1, 3.841],
    [0.99, 1, 6.635],
    [0.95, 10, 18.307],
    [0.99, 10, 23.209],
    [0.999, 10, 29.588],
    [0.05, 10, 3.94],
    [0.01, 30, 14.953],
    [0.99, 100, 135.807],
    [0.95, 100, 124.342],
  ])('quantile %d with %d degrees of freedom is %d', (probability, degrees, value) => {
    expect(chiSquaredQuantile(probability, degrees)).toBeCloseTo(value, 3);
  });

  test('two degrees of freedom in closed form; the quantile is the inverse of the distribution up to 1e6 degrees', () => {
    expect(chiSquaredQuantile(0.99, 2)).toBeCloseTo(-2 * Math.log(0.01), 11);
    for (const degrees of [1, 3, 57, 1000, 54_956, 1_000_000]) {
      for (const probability of [1e-4, 0.01, 0.5, 0.99, 0.9999]) {
        expect(chiSquaredCdf(chiSquaredQuantile(probability, degrees), degrees)).toBeCloseTo(probability, 9);
      }
    }
    expect(chiSquaredQuantile(0.99, 0)).toBeNaN();
    expect(normalQuantile(0.975)).toBeCloseTo(1.959963984540054, 7);
  });
});

describe('measurement equations', () => {
  test('derivatives are those of the values, by voltages and taps, at both ends', () => {
    fc.assert(
      fc.property(randomCase, fc.integer(), (input, seed) => {
        const solved = new SolvedCase(input);
        const { estimator } = solved;
        const branches = input.branches.from.length;
        // Taps of every branch are states, so that every derivative is there.
        const list = Array.from({ length: branches }, (_, at) => [
          { kind: 'ratio' as const, at, value: input.branches.ratio[at]!, sigma: 0.01 },
          { kind: 'shift' as const, at, value: input.branches.shift[at]!, sigma: 0.01 },
        ]).flat();
        estimator.estimate(solved.input(list));
        const { equations } = estimator;
        equations.state.free.fill(1);
        const random = gaussian(seed);
        const state = equations.layout;
        for (let i = 0; i < state.busCount; i++) {
          equations.state.vm[i] = 1 + 0.05 * random();
          equations.state.va[i] = 0.2 * random();
        }
        const direction = Float64Array.from({ length: 2 * state.size }, random);
        const change = equations.readings.along(direction);
        const move = (step: number): Float64Array => {
          for (let i = 0; i < state.busCount; i++) {
            equations.state.va[i] = equations.state.va[i]! + step * direction[2 * i]!;
            equations.state.vm[i] = equations.state.vm[i]! + step * direction[2 * i + 1]!;
          }
          state.tapRow.forEach((row, k) => {
            equations.state.ratio[k] = equations.state.ratio[k]! + step * direction[2 * row]!;
            equations.state.shift[k] = equations.state.shift[k]! + step * direction[2 * row + 1]!;
          });
          equations.state.admittances();
          return equations.readings.predict();
        };
        const above = move(1e-6);
        const below = move(-2e-6);
        above.forEach((value, channel) => {
          const scale = Math.max(1, Math.abs(change[channel]!));
          expect(Math.abs((value - below[channel]!) / 2e-6 - change[channel]!) / scale).toBeLessThan(1e-5);
        });
      }),
      { numRuns: 25 },
    );
  });

  test.skipIf(!hasMatpower('case14'))(
    'variances of everything estimated are those of the dense covariance, with constraints and injections',
    () => {
      const solved = new SolvedCase(readMatpower('case14'));
      const { estimator } = solved;
      const zero = solved.zeros();
      // A current within its own deviation from zero counts for less, which is not what is compared here.
      const flows = ({ kind, value, sigma }: RowMeasurement) => kind !== 'current' || value > sigma;
      const all = solved.readings({ injections: true, currents: true }).filter(flows);
      const list = [...all, solved.reading('pFlow', 3, 0, 0.02)];
      const estimate = estimator.estimate(solved.input(list, zero), { tolerance: 1e-10 });
      expect(estimate.converged).toBe(true);
      const { map } = estimator;
      const variance = estimator.variances(estimate.channels);
      const channels = [...variance.keys()].filter((channel) => {
        const { kind, at } = map.describe(channel);
        if (kind === 'ratio' || kind === 'shift') return false;
        return !((kind === 'pInjection' && zero[at]! & ZERO.p) || (kind === 'qInjection' && zero[at]! & ZERO.q));
      });
      const constraints: number[] = [];
      zero.forEach((bits, bus) => {
        if (bits & ZERO.p) constraints.push(map.of(KIND.pInjection, bus, 0));
        if (bits & ZERO.q) constraints.push(map.of(KIND.qInjection, bus, 0));
      });
      expect(constraints.length).toBeGreaterThan(1);
      // Column 0 is the angle of the reference and no state.
      const rows = numericalJacobian(estimator, channels).map((row) => row.slice(1));
      const fixed = numericalJacobian(estimator, constraints).map((row) => row.slice(1));
      const n = rows[0]!.length;
      const kkt = Array.from({ length: n + fixed.length }, () => new Array<number>(n + fixed.length).fill(0));
      channels.forEach((channel, r) => {
        const weight = estimate.channels.weight[channel]!;
        if (weight === 0) return;
        for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) kkt[i]![j]! += weight * rows[r]![i]! * rows[r]![j]!;
      });
      fixed.forEach((row, c) => {
        row.forEach((value, i) => {
          kkt[n + c]![i] = value;
          kkt[i]![n + c] = value;
        });
      });
      const covariance = inverse(kkt);
      channels.forEach((channel, r) => {
        let expected = 0;
        for (let i = 0; i < n; i++) {
          for (let j = 0; j < n; j++) expected += rows[r]![i]! * covariance[i]![j]! * rows[r]![j]!;
        }
        expect(Math.abs(variance[channel]! - expected), JSON.stringify([map.describe(channel), expected])).toBeLessThan(
          1e-5 * Math.abs(expected) + 1e-11,
        );
      });
    },
  );

  test('a measurement of what is not there, or without a spread, is refused', () => {
    const solved = new SolvedCase({ ...twoBuses() });
    const at = (kind: 'voltage' | 'pFlow', row: number, sigma: number) => () =>
      solved.estimator.estimate(solved.input([{ kind, at: row, value: 1, sigma }]));
    expect(at('voltage', 2, 0.1)).toThrow(/names row 2/);
    expect(at('pFlow', 1, 0.1)).toThrow(/names row 1/);
    expect(at('voltage', 0, 0)).toThrow(/standard deviation of 0/);
    expect(measurementTable([]).kind).toHaveLength(0);
  });
});

function twoBuses() {
  return fc.sample(
    randomCase.filter(({ buses, branches }) => buses.p.length === 2 && branches.from.length === 1),
    {
      numRuns: 1,
      seed: 7,
    },
  )[0]!;
}
