/** The factorisation on matrices that are not kind: zero diagonals, lost digits, dependent rows; against a dense solver. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { analyse } from '../src/powerflow/block-lu.ts';
import { branchPattern, type RowPattern } from '../src/powerflow/pattern.ts';
import { PivotingLu } from '../src/powerflow/pivoting-lu.ts';
import { RobustLu } from '../src/powerflow/robust-lu.ts';
import { randomCase } from './random-case.ts';

/** Rows of the whole matrix. */
function dense(pattern: RowPattern, values: Float64Array): number[][] {
  const rows = Array.from({ length: 2 * pattern.size }, () => new Array<number>(2 * pattern.size).fill(0));
  for (let i = 0; i < pattern.size; i++) {
    for (let at = pattern.start[i]!; at < pattern.start[i + 1]!; at++) {
      for (let k = 0; k < 4; k++) rows[2 * i + (k >> 1)]![2 * pattern.column[at]! + (k & 1)] = values[4 * at + k]!;
    }
  }
  return rows;
}

/** Gaussian elimination with complete pivoting. @returns x, and the smallest pivot as a share of the largest */
function eliminate(matrix: number[][], right: readonly number[]): { x: number[]; smallest: number } {
  const n = right.length;
  const a = matrix.map((row, i) => [...row, right[i]!]);
  const columns = Array.from({ length: n }, (_, j) => j);
  let [largest, smallest] = [0, Number.POSITIVE_INFINITY];
  for (let k = 0; k < n; k++) {
    let [pi, pj] = [k, k];
    for (let i = k; i < n; i++)
      for (let j = k; j < n; j++) if (Math.abs(a[i]![j]!) > Math.abs(a[pi]![pj]!)) [pi, pj] = [i, j];
    [a[k], a[pi]] = [a[pi]!, a[k]!];
    for (const row of a) [row[k], row[pj]] = [row[pj]!, row[k]!];
    [columns[k], columns[pj]] = [columns[pj]!, columns[k]!];
    largest = Math.max(largest, Math.abs(a[k]![k]!));
    smallest = Math.min(smallest, Math.abs(a[k]![k]!));
    for (let i = k + 1; i < n; i++) {
      const factor = a[i]![k]! / a[k]![k]!;
      if (factor !== 0) for (let j = k; j <= n; j++) a[i]![j] = a[i]![j]! - factor * a[k]![j]!;
    }
  }
  const x = new Array<number>(n).fill(0);
  for (let i = n - 1; i >= 0; i--) {
    let sum = a[i]![n]!;
    for (let j = i + 1; j < n; j++) sum -= a[i]![j]! * x[columns[j]!]!;
    x[columns[i]!] = sum / a[i]![i]!;
  }
  return { x, smallest: smallest / largest };
}

/** Small integers, so that zeros and dependent rows are frequent. */
const ugly = fc
  .record({ grid: randomCase, numbers: fc.infiniteStream(fc.integer({ min: -2, max: 2 })), zeroDiagonal: fc.boolean() })
  .map(({ grid: { buses, branches }, numbers, zeroDiagonal }) => {
    const pattern = branchPattern(buses.p.length, branches.from, branches.to);
    const next = (): number => numbers.next().value as number;
    const values = new Float64Array(4 * pattern.column.length).map(next);
    if (zeroDiagonal) for (const at of pattern.diagonal) values.fill(0, 4 * at, 4 * at + 4);
    return { pattern, values, right: new Float64Array(2 * pattern.size).map(next) };
  });

describe('the factorisation with row exchanges', () => {
  test('solves whatever a dense solver with complete pivoting solves, and the transpose too', () => {
    let solved = 0;
    fc.assert(
      fc.property(ugly, ({ pattern, values, right }) => {
        const matrix = dense(pattern, values);
        const { x, smallest } = eliminate(matrix, Array.from(right));
        const lu = new PivotingLu(pattern, analyse(pattern));
        const failed = lu.factorise(values);
        if (!(smallest > 1e-9)) return;
        expect(failed).toBe(-1);
        solved++;
        const found = right.slice();
        lu.solve(found);
        found.forEach((value, i) => {
          expect(value).toBeCloseTo(x[i]!, 6);
        });
        const transposed = matrix.map((_, i) => matrix.map((row) => row[i]!));
        const other = eliminate(transposed, Array.from(right));
        const foundOther = right.slice();
        lu.solveTransposed(foundOther);
        foundOther.forEach((value, i) => {
          expect(value).toBeCloseTo(other.x[i]!, 6);
        });
      }),
      { numRuns: 150 },
    );
    expect(solved).toBeGreaterThan(10);
  });

  test('a matrix with two equal rows is refused', () => {
    const pattern = branchPattern(2, Int32Array.of(0), Int32Array.of(1));
    const values = Float64Array.of(1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 9, 1, 5, 6, 4, 4);
    expect(new PivotingLu(pattern, analyse(pattern)).factorise(values)).toBeGreaterThanOrEqual(0);
    expect(new RobustLu(pattern).factorise(values)).toBeGreaterThanOrEqual(0);
  });
});

describe('the robust factorisation', () => {
  test('exchanges rows exactly when a pivot block is singular', () => {
    const pattern = branchPattern(2, Int32Array.of(0), Int32Array.of(1));
    const lu = new RobustLu(pattern);
    const kind = Float64Array.of(4, 1, 1, 0, 0, 1, 1, 4, 4, 0, 0, 1, 1, 0, 3, 5);
    expect(lu.factorise(kind)).toBe(-1);
    expect(lu.method).toBe('block');
    // Both diagonal blocks zero: an exchange of unknowns.
    const crossed = Float64Array.of(0, 0, 0, 0, 2, 1, 1, 3, 1, 4, 5, 1, 0, 0, 0, 0);
    expect(lu.factorise(crossed)).toBe(-1);
    expect(lu.method).toBe('pivoting');
    const x = Float64Array.of(1, 2, 3, 4);
    const { x: expected } = eliminate(dense(pattern, crossed), Array.from(x));
    lu.solve(x);
    x.forEach((value, i) => {
      expect(value).toBeCloseTo(expected[i]!, 12);
    });
  });

  test('whatever it solves, it solves to the last digits of the matrix: also with pivots that have all but vanished', () => {
    let suspicious = 0;
    fc.assert(
      fc.property(
        ugly,
        fc.integer({ min: -14, max: 0 }),
        fc.integer(),
        ({ pattern, values, right }, exponent, seed) => {
          let state = seed >>> 0;
          for (let at = 0; at < values.length; at++) {
            state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
            values[at] = state / 2 ** 31 - 1;
          }
          // A diagonal that is only just there is what elimination without exchanges suffers from.
          for (const at of pattern.diagonal) {
            for (let k = 0; k < 4; k++) values[4 * at + k] = values[4 * at + k]! * 10 ** exponent;
          }
          const lu = new RobustLu(pattern);
          const { smallest } = eliminate(dense(pattern, values), Array.from(right));
          if (lu.factorise(values) >= 0 || !(smallest > 1e-9)) return;
          const x = right.slice();
          lu.solve(x);
          if (exponent < -6) suspicious++;
          dense(pattern, values).forEach((row, i) => {
            const terms = row.map((value, j) => value * x[j]!);
            const reach = terms.reduce((sum, term) => sum + Math.abs(term), Math.abs(right[i]!));
            const left = terms.reduce((sum, term) => sum - term, right[i]!);
            expect(Math.abs(left)).toBeLessThanOrEqual(1e-8 * reach);
          });
        },
      ),
      { numRuns: 150 },
    );
    expect(suspicious).toBeGreaterThan(5);
  });
});
