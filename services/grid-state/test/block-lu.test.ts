import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { BlockLu } from '../src/powerflow/block-lu.ts';
import { branchPattern } from '../src/powerflow/pattern.ts';
import { randomCase } from './random-case.ts';

describe('block LU', () => {
  test('solves with the matrix and with its transpose', () => {
    fc.assert(
      fc.property(randomCase, fc.integer(), ({ buses, branches }, seed) => {
        const pattern = branchPattern(buses.p.length, branches.from, branches.to);
        let state = seed >>> 0;
        const random = () => {
          state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
          return state / 2 ** 32 - 0.5;
        };
        const values = Float64Array.from({ length: 4 * pattern.column.length }, random);
        for (const at of pattern.diagonal) {
          values[4 * at] = values[4 * at]! + 20;
          values[4 * at + 3] = values[4 * at + 3]! + 20;
        }
        const lu = new BlockLu(pattern);
        expect(lu.factorise(values)).toBe(-1);
        const right = Float64Array.from({ length: 2 * pattern.size }, random);
        for (const transposed of [false, true]) {
          const x = right.slice();
          if (transposed) lu.solveTransposed(x);
          else lu.solve(x);
          const product = new Float64Array(x.length);
          for (let row = 0; row < pattern.size; row++) {
            for (let at = pattern.start[row]!; at < pattern.start[row + 1]!; at++) {
              for (let k = 0; k < 4; k++) {
                const i = 2 * row + (k >> 1);
                const j = 2 * pattern.column[at]! + (k & 1);
                const [to, by] = transposed ? [j, i] : [i, j];
                product[to] = product[to]! + values[4 * at + k]! * x[by]!;
              }
            }
          }
          product.forEach((value, i) => {
            expect(value).toBeCloseTo(right[i]!, 10);
          });
        }
      }),
      { numRuns: 40 },
    );
  });
});
