import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { BUS_TYPE, branchAdmittances, branchFlow, type PowerFlowCase } from '../src/powerflow/case.ts';
import { NewtonSolver } from '../src/powerflow/newton.ts';
import { DistributionFactors } from '../src/sensitivity/distribution-factors.ts';
import { Linearisation } from '../src/sensitivity/linearisation.ts';
import { type SensitivityInput, type SensitivityOutput, sensitivities } from '../src/sensitivity/sensitivities.ts';
import { randomCase } from './random-case.ts';

const machineCase = randomCase.map((input) => {
  for (let i = 4; i < input.buses.type.length; i += 4) {
    input.buses.type[i] = BUS_TYPE.pv;
    input.buses.vm[i] = 1.01;
  }
  // A load that follows its voltage.
  const one = (value: number) => Float64Array.of(value);
  const responses = { bus: Int32Array.of(1), p: one(-0.01), q: one(-0.005), pExponent: one(1.3), qExponent: one(2) };
  return { ...input, responses };
});

/** Every output of a solution that is found anew. */
function read(input: PowerFlowCase, outputs: readonly SensitivityOutput[]): number[] {
  const { buses, branches } = input;
  const solver = new NewtonSolver(buses.type.length, branches.from, branches.to);
  const { converged, vm, va, p, q } = solver.solve(input, { tolerance: 1e-12 });
  expect(converged).toBe(true);
  const y = new Float64Array(8);
  const flow = new Float64Array(4);
  return outputs.map((output) => {
    if ('bus' in output) return { vm, va, p, q }[output.kind][output.bus]!;
    const k = output.branch;
    const [f, t] = [branches.from[k]!, branches.to[k]!];
    branchAdmittances(branches, k, y);
    branchFlow(y, vm[f]!, va[f]!, vm[t]!, va[t]!, flow);
    const [pFrom, qFrom, pTo, qTo] = flow as unknown as [number, number, number, number];
    const iFrom = Math.hypot(pFrom, qFrom) / vm[f]!;
    return { pFrom, qFrom, pTo, qTo, iFrom, iTo: Math.hypot(pTo, qTo) / vm[t]! }[output.kind];
  });
}

function moved(input: PowerFlowCase, by: SensitivityInput, step: number): PowerFlowCase {
  const change = (column: Float64Array, row: number) => column.map((value, i) => (i === row ? value + step : value));
  if ('branch' in by) {
    return { ...input, branches: { ...input.branches, [by.kind]: change(input.branches[by.kind], by.branch) } };
  }
  const column = by.kind === 'voltage' ? 'vm' : by.kind;
  return { ...input, buses: { ...input.buses, [column]: change(input.buses[column], by.bus) } };
}

describe('sensitivities', () => {
  test('are what a small change does, forward and backward alike', () => {
    fc.assert(
      fc.property(machineCase, fc.nat(), (input, pick) => {
        const n = input.buses.type.length;
        const m = input.branches.from.length;
        const inputs: SensitivityInput[] = [
          { kind: 'p', bus: 1 + (pick % (n - 1)) },
          { kind: 'q', bus: 1 + (pick % (n - 1)) },
          { kind: 'voltage', bus: 0 },
          ...(n > 4 ? [{ kind: 'voltage', bus: 4 } as const] : []),
          { kind: 'ratio', branch: pick % m },
          { kind: 'shift', branch: pick % m },
        ];
        const outputs: SensitivityOutput[] = [
          ...([0, 1, n - 1] as const).flatMap((bus) =>
            (['vm', 'va', 'p', 'q'] as const).map((kind) => ({ kind, bus })),
          ),
          ...[pick % m, (pick + 1) % m].flatMap((branch) =>
            (['pFrom', 'qFrom', 'iFrom', 'pTo', 'qTo', 'iTo'] as const).map((kind) => ({ kind, branch })),
          ),
        ];
        const grid = new Linearisation(input, { tolerance: 1e-12 });
        const direct = sensitivities(grid, inputs, outputs, 'direct');
        const adjoint = sensitivities(grid, inputs, outputs, 'adjoint');
        const step = 1e-5;
        const now = read(input, outputs);
        inputs.forEach((by, c) => {
          const [up, down] = [read(moved(input, by, step), outputs), read(moved(input, by, -step), outputs)];
          outputs.forEach((output, r) => {
            const told = direct[r * inputs.length + c]!;
            const seen = (up[r]! - down[r]!) / (2 * step);
            // Where hardly a current flows, its magnitude bends within the step.
            if (output.kind[0] === 'i' && now[r]! < 0.02) return;
            const what = `${output.kind} by ${by.kind}`;
            expect(Math.abs(told - seen), what).toBeLessThan(2e-4 * (1 + Math.abs(seen)));
            expect(adjoint[r * inputs.length + c]!, what).toBeCloseTo(told, 9);
          });
        });
      }),
      { numRuns: 40 },
    );
  });

  test('refuse what is not there, and the set-point of a bus that holds nothing', () => {
    const input = fc.sample(machineCase, { seed: 1, numRuns: 1 })[0]!;
    const grid = new Linearisation(input);
    const wrong: [SensitivityInput, SensitivityOutput][] = [
      [
        { kind: 'p', bus: 99 },
        { kind: 'vm', bus: 0 },
      ],
      [
        { kind: 'p', bus: 0 },
        { kind: 'pFrom', branch: -1 },
      ],
      [
        { kind: 'voltage', bus: 1 },
        { kind: 'vm', bus: 0 },
      ],
    ];
    for (const [by, of] of wrong) {
      expect(() => sensitivities(grid, [by], [of])).toThrow(expect.objectContaining({ code: 'sensitivity.input' }));
    }
  });
});

describe('distribution factors', () => {
  /** Angles of the linear power flow by Gauss on the full matrix; the reference is bus 0. */
  function angles({ branches }: PowerFlowCase, injection: readonly number[], lost = -1): number[] {
    const n = injection.length;
    const rows = injection.map((p, i) => [...new Array(n).fill(0), i === 0 ? 0 : p] as number[]);
    for (let k = 0; k < branches.from.length; k++) {
      if (k === lost) continue;
      const [f, t] = [branches.from[k]!, branches.to[k]!];
      const b = 1 / (branches.x[k]! * branches.ratio[k]!);
      rows[f]![f]! += b;
      rows[t]![t]! += b;
      rows[f]![t]! -= b;
      rows[t]![f]! -= b;
    }
    rows[0] = [1, ...new Array(n).fill(0)];
    for (let k = 0; k < n; k++) {
      const pivot = rows.slice(k).reduce((best, row) => (Math.abs(row[k]!) > Math.abs(best[k]!) ? row : best));
      rows.splice(rows.indexOf(pivot), 1);
      rows.splice(k, 0, pivot);
      for (const row of rows) {
        if (row === pivot) continue;
        const factor = row[k]! / pivot[k]!;
        for (let c = k; c <= n; c++) row[c]! -= factor * pivot[c]!;
      }
    }
    return rows.map((row, i) => row[n]! / row[i]!);
  }

  test('PTDF and LODF are those of the linear power flow', () => {
    fc.assert(
      fc.property(randomCase, fc.nat(), (input, pick) => {
        const { branches } = input;
        const n = input.buses.type.length;
        const m = branches.from.length;
        const factors = new DistributionFactors(input);
        const flow = (theta: readonly number[], k: number) =>
          (theta[branches.from[k]!]! - theta[branches.to[k]!]!) / (branches.x[k]! * branches.ratio[k]!);
        const injection = Array.from({ length: n }, (_, i) => Math.sin(i + pick));
        const before = angles(input, injection);
        for (let k = 0; k < m; k++) {
          const told = factors.ptdf(k).reduce((sum, factor, bus) => sum + factor * injection[bus]!, 0);
          expect(told).toBeCloseTo(flow(before, k), 8);
        }
        const lost = pick % m;
        const shares = factors.lodf(lost);
        const after = angles(input, injection, lost);
        if (!shares) {
          // A bridge: nothing has a finite flow behind it, or the matrix fell apart.
          expect(after.every((angle) => Math.abs(angle) < 1e6)).toBe(false);
          return;
        }
        for (let k = 0; k < m; k++) {
          if (k === lost) expect(shares[k]).toBe(-1);
          else expect(flow(before, k) + shares[k]! * flow(before, lost)).toBeCloseTo(flow(after, k), 7);
        }
      }),
      { numRuns: 60 },
    );
  });

  test('say when a bus has no way to a reference', () => {
    const input = fc.sample(randomCase, { seed: 2, numRuns: 1 })[0]!;
    const outOfService = new Uint8Array(input.branches.from.length).fill(1);
    expect(() => new DistributionFactors({ ...input, outOfService })).toThrow(/no way to a reference/);
  });
});
