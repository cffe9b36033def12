import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { solveBatch } from '../src/batch/batch.ts';
import { BUS_TYPE, type BusTable, type PowerFlowCase, responseTable } from '../src/powerflow/case.ts';
import { ChordLanes, LANES } from '../src/powerflow/chord-lanes.ts';
import { NewtonSolver } from '../src/powerflow/newton.ts';
import { randomCase } from './random-case.ts';

/** Every fourth bus holds its voltage. */
const caseWithMachines = randomCase.map(({ buses, branches }): PowerFlowCase => {
  const type = buses.type.map((value, bus) => (bus % 4 === 3 ? BUS_TYPE.pv : value));
  return {
    buses: { ...buses, type, vm: buses.vm.map((value, bus) => (type[bus] === BUS_TYPE.pv ? 1.01 : value)) },
    branches,
  };
});
const grid = fc.sample(caseWithMachines, { seed: 5, numRuns: 20 }).find(({ buses }) => buses.type.length > 18)!;

/** Loads, machines and set-points of a scenario; the rest as the base has it. */
function varied({ buses }: PowerFlowCase, s: number): BusTable {
  const factor = (bus: number) => 1 + Math.sin(2.1 * s + bus) / 2;
  return {
    ...buses,
    p: buses.p.map((value, bus) => value * factor(bus)),
    q: buses.q.map((value, bus) => value * factor(bus + 7)),
    vm: buses.vm.map((value, bus) => value + (buses.type[bus] === BUS_TYPE.pq ? 0 : 0.004 * Math.cos(s + bus))),
  };
}

function lanesOf(input: PowerFlowCase): ChordLanes {
  const { buses, branches } = input;
  const solver = new NewtonSolver(buses.type.length, branches.from, branches.to);
  const { converged, vm, va } = solver.solve(input, { tolerance: 1e-12 });
  expect(converged).toBe(true);
  return ChordLanes.of(solver, { ...input, buses: { ...buses, vm, va } })!;
}

/** Voltages of a lane, magnitudes and then angles; nothing where it has none. */
function voltages(lanes: ChordLanes, lane: number): Float64Array | undefined {
  const n = grid.buses.type.length;
  const found = new Float64Array(2 * n);
  const [e, f] = [new Float64Array(n), new Float64Array(n)];
  if (lanes.converged[lane] === 0) return undefined;
  return lanes.voltages(lane, found.subarray(0, n), found.subarray(n), 0, e, f) ? found : undefined;
}

const options = { tolerance: 1e-12, maxIterations: 20 };

describe('scenarios side by side', () => {
  test('have the solutions that Newton’s method finds for each', async () => {
    const count = 7;
    await fc.assert(
      fc.asyncProperty(caseWithMachines, async (input) => {
        const n = input.buses.type.length;
        const rows = Int32Array.from(input.buses.type.keys());
        const column = (of: 'p' | 'q' | 'vm') => {
          const values = new Float64Array(count * n);
          for (let s = 0; s < count; s++) values.set(varied(input, s)[of], s * n);
          return { column: of, rows, values };
        };
        const changes = [column('p'), column('q'), column('vm')];
        const solver = new NewtonSolver(n, input.branches.from, input.branches.to);
        for await (const part of solveBatch({ case: input, scenarios: count, changes }, { tolerance: 1e-12 })) {
          for (let s = 0; s < part.count; s++) {
            const buses = varied(input, part.first + s);
            const alone = solver.solve({ ...input, buses }, { tolerance: 1e-12 });
            expect(part.converged[s]).toBe(1);
            // Not to the bit: the two stop at different places within the tolerance.
            for (let i = 0; i < n; i++) {
              expect(Math.abs(part.vm[s * n + i]! - alone.vm[i]!)).toBeLessThan(1e-11);
              expect(Math.abs(part.va[s * n + i]! - alone.va[i]!)).toBeLessThan(1e-11);
              if (input.buses.type[i] !== BUS_TYPE.pq) expect(part.vm[s * n + i]).toBe(buses.vm[i]);
            }
          }
        }
      }),
      { numRuns: 60 },
    );
  });

  test('do not see each other', () => {
    const lanes = lanesOf(grid);
    lanes.load(0, varied(grid, 1));
    lanes.solve(1, options);
    const alone = voltages(lanes, 0)!;
    expect(lanes.iterations[0]).toBeGreaterThan(1);
    // Beside one that is solved already, one that has no solution and one that is none.
    lanes.load(0, grid.buses);
    lanes.load(1, { ...grid.buses, p: grid.buses.p.map(() => -1000) });
    lanes.load(2, { ...grid.buses, p: grid.buses.p.map(() => Number.NaN) });
    lanes.load(3, varied(grid, 1));
    lanes.solve(LANES, options);
    expect([...lanes.converged]).toEqual([1, 0, 0, 1]);
    expect(lanes.iterations[0]).toBe(0);
    expect(voltages(lanes, 3)).toEqual(alone);
  });

  test('stop where they were told to', () => {
    const lanes = lanesOf(grid);
    lanes.load(0, varied(grid, 2));
    lanes.solve(1, { ...options, maxIterations: 1 });
    expect(voltages(lanes, 0)).toBeUndefined();
    lanes.solve(1, options);
    expect(voltages(lanes, 0)).toBeDefined();
  });

  test('are left to Newton’s method where the Jacobian does not say enough', () => {
    const { buses, branches } = grid;
    const solver = new NewtonSolver(buses.type.length, branches.from, branches.to);
    expect(solver.solve(grid).converged).toBe(true);
    expect(ChordLanes.of(solver, { ...grid, responses: responseTable(1) })).toBeUndefined();
    expect(ChordLanes.of(solver, grid)).toBeDefined();
    // All voltages turned around at a set-point below zero: a solution on paper.
    const lanes = lanesOf(grid);
    lanes.load(0, { ...buses, vm: buses.vm.map((value) => -value) });
    lanes.solve(1, options);
    expect(voltages(lanes, 0)).toBeUndefined();
  });
});
