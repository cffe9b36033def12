/** Grids of several islands, and branches without impedance: what flows through them follows from the balance of each bus. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { BUS_TYPE, branchTable, busTable, responseTable } from '../src/powerflow/case.ts';
import { GridSolver } from '../src/powerflow/grid-solver.ts';
import type { ControlledCase } from '../src/powerflow/island-solver.ts';
import { balancingFlows } from '../src/powerflow/zero-impedance.ts';
import { randomCase } from './random-case.ts';

/** What every bus has left over: brought in, less shunts, less what flows into branches; pu. */
function balance(grid: ControlledCase, solution: ReturnType<GridSolver['solve']>): number {
  const { buses, branches } = grid;
  const p = solution.p.map((value, i) => value - buses.gs[i]! * solution.vm[i]! ** 2);
  const q = solution.q.map((value, i) => value + buses.bs[i]! * solution.vm[i]! ** 2);
  for (let k = 0; k < branches.from.length; k++) {
    const [f, t] = [branches.from[k]!, branches.to[k]!];
    p[f] = p[f]! - solution.pFrom[k]!;
    q[f] = q[f]! - solution.qFrom[k]!;
    p[t] = p[t]! - solution.pTo[k]!;
    q[t] = q[t]! - solution.qTo[k]!;
  }
  return Math.max(...p.map(Math.abs), ...q.map(Math.abs));
}

describe('a grid of tables', () => {
  test('whichever branches have no impedance, every bus adds up and joined buses have one voltage', () => {
    fc.assert(
      fc.property(randomCase, fc.array(fc.boolean(), { minLength: 31, maxLength: 31 }), ({ buses, branches }, none) => {
        const joined = branches.from.map((_, k) => (none[k] ? 1 : 0));
        joined.forEach((is, k) => {
          if (is === 0) return;
          for (const column of ['r', 'x', 'shift'] as const) branches[column][k] = 0;
          branches.ratio[k] = 1;
        });
        const responses = responseTable(1);
        [responses.bus[0], responses.p[0], responses.pExponent[0]] = [buses.p.length - 1, -0.02, 1.3];
        const grid = { buses, branches, responses };
        const solution = new GridSolver(grid).solve(grid, { tolerance: 1e-12 });
        expect(solution.islands[0]!.converged).toBe(true);
        expect(balance(grid, solution)).toBeLessThan(1e-9);
        joined.forEach((is, k) => {
          if (is === 1) expect(solution.vm[branches.from[k]!]).toBe(solution.vm[branches.to[k]!]);
        });
      }),
      { numRuns: 80 },
    );
  });

  test('islands are solved apart: without a reference there is no voltage and no flow, without a solution there is neither', () => {
    const buses = busTable(6);
    const branches = branchTable(3);
    branches.from.set([0, 2, 4]);
    branches.to.set([1, 3, 5]);
    branches.x.set([0.1, 0.1, 0]);
    buses.type[0] = BUS_TYPE.slack;
    buses.type[2] = BUS_TYPE.slack;
    buses.p.set([0, -0.1, 0, -90, 0, -1]);
    const solution = new GridSolver({ buses, branches }).solve({ buses, branches });
    expect(solution.islands.map((island) => island?.converged)).toEqual([true, false, undefined]);
    expect(Array.from(solution.vm, Number.isNaN)).toEqual([false, false, true, true, true, true]);
    expect(solution.pFrom[0]!).toBeCloseTo(0.1, 8);
    expect(solution.pFrom[1]!).toBeNaN();
    expect(solution.pFrom[2]!).toBe(0);
  });

  test('a solver that is used again answers as a new one does, whatever has changed but the topology', () => {
    const machine = { qMin: -1, qMax: 1, target: 1.01, weight: 1, participation: 0, pMin: 0, pMax: 1 };
    fc.assert(
      fc.property(randomCase, ({ buses, branches }) => {
        const last = buses.p.length - 1;
        const own = { ...machine, bus: last, holds: last, p: buses.p[last]!, q: buses.q[last]! };
        const series = { r21: branches.r.map((r) => 1.1 * r), x21: branches.x };
        const grids: ControlledCase[] = [
          { buses, branches },
          { buses: { ...buses, p: buses.p.map((p) => p / 2), gs: buses.gs.map(() => 0.01) }, branches },
          { buses, branches: { ...branches, ...series }, machines: [own] },
          { buses, branches, machines: [{ ...own, target: 1.02 }] },
          { buses, branches },
        ];
        const again = new GridSolver(grids[0]!);
        for (const grid of grids) {
          const { islands, ...columns } = again.solve(grid);
          expect(islands[0]!.converged).toBe(true);
          const { islands: _, ...anew } = new GridSolver(grid).solve(grid);
          expect(columns).toEqual(anew);
        }
      }),
      { numRuns: 25 },
    );
  });

  test('machines of one reference share what is left over; a joined bus brings in what its machine does', () => {
    const buses = busTable(3);
    const branches = branchTable(2);
    branches.from.set([0, 0]);
    branches.to.set([1, 2]);
    branches.x.set([0, 0.1]);
    buses.type[0] = BUS_TYPE.slack;
    buses.type[1] = BUS_TYPE.slack;
    buses.p[2] = -0.6;
    const source = {
      p: 0,
      q: 0,
      qMin: -9,
      qMax: 9,
      target: 1,
      weight: 1,
      reference: true,
      participation: 0,
      pMin: -9,
      pMax: 9,
    };
    const machines = [
      { ...source, bus: 0, holds: 0 },
      { ...source, bus: 1, holds: 1 },
      { ...source, bus: 1, holds: 1 },
    ];
    const grid = { buses, branches, machines };
    const solution = new GridSolver(grid).solve(grid);
    for (const value of solution.machineP) expect(value).toBeCloseTo(0.2, 8);
    expect(solution.p[1]!).toBeCloseTo(0.4, 8);
    expect(solution.pTo[0]!).toBeCloseTo(0.4, 8);
  });
});

describe('flows that balance', () => {
  test('a tree leaves no choice; parallel ways share', () => {
    const from = Int32Array.of(0, 1, 1, 3);
    const to = Int32Array.of(1, 2, 2, 2);
    const flow = balancingFlows(from, to, Float64Array.of(3, 0, -4, 1));
    expect(Array.from(flow, (value) => Number(value.toFixed(12)))).toEqual([3, 1.5, 1.5, 1]);
  });

  test('whatever hangs together balances', () => {
    fc.assert(
      fc.property(randomCase, ({ buses: { p }, branches: { from, to } }) => {
        const supply = p.slice();
        supply[0] = -supply.slice(1).reduce((sum, value) => sum + value, 0);
        const flow = balancingFlows(from, to, supply);
        const rest = supply.slice();
        flow.forEach((value, k) => {
          rest[from[k]!] = rest[from[k]!]! - value;
          rest[to[k]!] = rest[to[k]!]! + value;
        });
        for (const value of rest) expect(Math.abs(value)).toBeLessThan(1e-10);
      }),
    );
  });
});
