import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type BatchOptions, sharedColumn, solveBatch } from '../src/batch/batch.ts';
import { open } from '../src/batch/batch-job.ts';
import type { BatchInput, BatchResult } from '../src/batch/scenarios.ts';
import { NewtonSolver } from '../src/powerflow/newton.ts';
import { randomCase } from './random-case.ts';

const grid = fc.sample(randomCase, { seed: 3, numRuns: 20 }).find(({ buses }) => buses.type.length > 15)!;
const n = grid.buses.type.length;

/** Loads of all buses, the set-point of the reference and two ratios differ. */
function scenarios(count: number): BatchInput {
  const rows = Int32Array.from({ length: n - 1 }, (_, i) => i + 1);
  const p = sharedColumn(count * (n - 1));
  const vary = (s: number, i: number) => 1 + Math.sin(s * 0.7 + i) / 2;
  for (let s = 0; s < count; s++)
    for (const [i, bus] of rows.entries()) p[s * (n - 1) + i] = grid.buses.p[bus]! * vary(s, i);
  return {
    case: grid,
    scenarios: count,
    changes: [
      { column: 'p', rows, values: p },
      {
        column: 'vm',
        rows: Int32Array.of(0),
        values: Float64Array.from({ length: count }, (_, s) => 1 + (s % 5) / 100),
      },
      {
        column: 'ratio',
        rows: Int32Array.of(0, 1),
        values: Float64Array.from({ length: 2 * count }, (_, s) => 0.98 + (s % 4) / 100),
      },
    ],
  };
}

/** All chunks as one. */
async function solve(input: BatchInput, options: BatchOptions = {}) {
  const parts: BatchResult[] = [];
  for await (const part of solveBatch(input, options)) parts.push(part);
  let next = 0;
  for (const { first, count } of parts) {
    expect(first).toBe(next);
    next += count;
  }
  expect(next).toBe(input.scenarios);
  return {
    vm: parts.flatMap((part) => Array.from(part.vm)),
    va: parts.flatMap((part) => Array.from(part.va)),
    converged: parts.flatMap((part) => Array.from(part.converged)),
    pFrom: parts.flatMap((part) => Array.from(part.flows?.pFrom ?? [])),
    failures: parts.flatMap((part) => part.failures),
    parts: parts.length,
  };
}

describe('a batch', () => {
  test('solves every scenario as if it were alone', async () => {
    const input = scenarios(40);
    const all = await solve(input, { tolerance: 1e-11, flows: true });
    expect(all.pFrom).toHaveLength(40 * grid.branches.from.length);
    for (let s = 0; s < 40; s++) {
      const buses = { ...grid.buses, p: grid.buses.p.slice(), vm: grid.buses.vm.slice() };
      const branches = { ...grid.branches, ratio: grid.branches.ratio.slice() };
      const [p, vm, ratio] = input.changes;
      p!.rows.forEach((bus, i) => {
        buses.p[bus] = p!.values[s * (n - 1) + i]!;
      });
      buses.vm[0] = vm!.values[s]!;
      branches.ratio.set(ratio!.values.subarray(2 * s, 2 * s + 2));
      const one = new NewtonSolver(n, branches.from, branches.to).solve({ buses, branches }, { tolerance: 1e-11 });
      one.vm.forEach((value, i) => {
        expect(all.vm[s * n + i]!).toBeCloseTo(value, 9);
        expect(all.va[s * n + i]!).toBeCloseTo(one.va[i]!, 9);
      });
      // What leaves the reference is what goes into its branches.
      let leaves = 0;
      grid.branches.from.forEach((from, k) => {
        if (from === 0) leaves += all.pFrom[s * grid.branches.from.length + k]!;
      });
      if (!grid.branches.to.includes(0)) expect(leaves).toBeCloseTo(one.p[0]!, 9);
    }
  });

  test('comes out the same, to the bit, with any number of threads', async () => {
    const input = scenarios(9_000);
    const alone = await solve(input, { workers: 0 });
    expect(alone.parts).toBeGreaterThan(1);
    expect(alone.converged.every((is) => is === 1)).toBe(true);
    for (const workers of [1, 3]) expect(await solve(input, { workers })).toEqual(alone);
  });

  test('names the scenarios without solution and goes on', async () => {
    const input = scenarios(6);
    input.changes[0]!.values.fill(-1000, 2 * (n - 1), 3 * (n - 1));
    const { converged, failures, vm } = await solve(input);
    expect(converged).toEqual([1, 1, 0, 1, 1, 1]);
    expect(failures).toMatchObject([{ scenario: 2, failure: { message: expect.any(String) } }]);
    expect(vm.slice(2 * n, 3 * n).every(Number.isNaN)).toBe(true);
    expect(vm.slice(3 * n).every(Number.isFinite)).toBe(true);
  });

  test('keeps the matrix from one scenario to the next, and knows a number that is none all the same', async () => {
    const input = scenarios(5);
    const loads = { ...input, changes: input.changes.slice(0, 1) };
    loads.changes[0]!.values[2 * (n - 1)] = Number.NaN;
    const { converged, failures, vm } = await solve(loads);
    expect(converged).toEqual([1, 1, 0, 1, 1]);
    expect(failures).toMatchObject([{ scenario: 2, failure: { kind: 'invalidInput', bus: 1 } }]);
    const last = {
      ...loads,
      scenarios: 1,
      changes: [{ ...loads.changes[0]!, values: loads.changes[0]!.values.slice(-(n - 1)) }],
    };
    expect(vm.slice(4 * n)).toEqual((await solve(last)).vm);
  });

  test('does not remember a scenario that had to be solved alone', () => {
    const input = scenarios(8);
    const loads = { ...input, changes: input.changes.slice(0, 2) };
    loads.changes[0]!.values.fill(-1000, n - 1, 2 * (n - 1));
    const solver = new NewtonSolver(n, grid.branches.from, grid.branches.to);
    const { vm, va } = solver.solve(grid, { tolerance: 1e-11 });
    const { symbolic } = solver.lu;
    const setup = { input: loads, options: { tolerance: 1e-11, flows: true }, symbolic, start: { vm, va } };
    const work = open(setup);
    expect([...work({ first: 0, count: 4 }).converged]).toEqual([1, 0, 1, 1]);
    expect(work({ first: 4, count: 4 })).toEqual(open(setup)({ first: 4, count: 4 }));
  });

  test('calculates no further than it is read, and ends its threads', async () => {
    for await (const { count } of solveBatch(scenarios(60_000), { workers: 2 })) {
      expect(count).toBeGreaterThan(0);
      break;
    }
    const controller = new AbortController();
    const reading = (async () => {
      for await (const _ of solveBatch(scenarios(60_000), { workers: 1, signal: controller.signal })) {
        controller.abort(new Error('enough'));
      }
    })();
    await expect(reading).rejects.toThrow('enough');
  });

  test('says what is wrong with the grid, whoever was to calculate', async () => {
    const input = scenarios(3);
    const nowhere = { ...grid, branches: { ...grid.branches, to: grid.branches.to.map(() => n) } };
    for (const workers of [0, 2]) {
      await expect(solve({ ...input, case: nowhere }, { workers })).rejects.toThrow(`from bus 0 to bus ${n}`);
    }
  });

  test('refuses columns that do not fit', async () => {
    const input = scenarios(3);
    const wrong: BatchInput[] = [
      { ...input, scenarios: 4 },
      { ...input, scenarios: Number.NaN },
      { ...input, changes: [{ column: 'p', rows: Int32Array.of(n), values: new Float64Array(3) }] },
      { ...input, changes: [{ column: 'x' as 'p', rows: Int32Array.of(0), values: new Float64Array(3) }] },
    ];
    for (const each of wrong) await expect(solve(each)).rejects.toMatchObject({ code: 'batch.input', fault: 'caller' });
  });
});
