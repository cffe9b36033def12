import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { analyse, BlockLu } from '../src/powerflow/block-lu.ts';
import { BUS_TYPE, branchTable, busTable, type PowerFlowCase } from '../src/powerflow/case.ts';
import { NewtonSolver } from '../src/powerflow/newton.ts';
import { branchPattern } from '../src/powerflow/pattern.ts';
import { denseSolve, residual } from './dense-reference.ts';
import { hasMatpower, readMatpower } from './matpower.ts';
import { randomCase } from './random-case.ts';

const solverFor = ({ buses, branches }: PowerFlowCase) => new NewtonSolver(buses.p.length, branches.from, branches.to);

describe('Newton–Raphson power flow', () => {
  test('agrees with an independent dense solver on random grids', () => {
    fc.assert(
      fc.property(randomCase, (input) => {
        const solution = solverFor(input).solve(input, { tolerance: 1e-11 });
        expect(solution.converged).toBe(true);
        denseSolve(input).forEach((v, i) => {
          expect(solution.vm[i]!).toBeCloseTo(Math.hypot(v.re, v.im), 9);
          expect(solution.va[i]!).toBeCloseTo(Math.atan2(v.im, v.re), 9);
        });
      }),
      { numRuns: 60 },
    );
  });

  test('a number that is none is no solution, though everything else fits', () => {
    fc.assert(
      fc.property(randomCase, (input) => {
        const solver = solverFor(input);
        const { vm, va } = solver.solve(input);
        const buses = { ...input.buses, p: input.buses.p.slice(), vm: vm.slice(), va: va.slice() };
        expect(solver.solve({ ...input, buses }, { sameAdmittances: true })).toMatchObject({
          converged: true,
          iterations: 0,
        });
        buses.p[1] = Number.NaN;
        expect(solver.solve({ ...input, buses }, { sameAdmittances: true }).converged).toBe(false);
        expect(solver.solve({ ...input, buses }).failure).toMatchObject({ kind: 'invalidInput', bus: 1 });
      }),
      { numRuns: 20 },
    );
  });

  test('a branch out of service keeps its place and carries nothing', () => {
    fc.assert(
      fc.property(randomCase, ({ buses, branches }) => {
        // A branch beside another one, so that nothing is cut off.
        const count = branches.from.length;
        const twice = branchTable(count + 1);
        for (const column of Object.keys(twice) as (keyof typeof twice)[]) {
          twice[column]!.set(branches[column]!);
          twice[column]![count] = branches[column]![0]!;
        }
        const outOfService = new Uint8Array(count + 1);
        outOfService[count] = 1;
        const whole = solverFor({ buses, branches }).solve({ buses, branches }, { tolerance: 1e-11 });
        const solver = solverFor({ buses, branches: twice });
        const without = solver.solve({ buses, branches: twice, outOfService }, { tolerance: 1e-11 });
        expect(without.converged).toBe(true);
        whole.vm.forEach((vm, i) => {
          expect(without.vm[i]!).toBeCloseTo(vm, 10);
        });
        expect(Array.from(solver.solve({ buses, branches: twice }).vm)).not.toEqual(Array.from(whole.vm));
      }),
      { numRuns: 20 },
    );
  });

  test('a magnitude below 0, where the equations hold too, is no solution', () => {
    const buses = busTable(2);
    const branches = branchTable(1);
    buses.type[0] = BUS_TYPE.slack;
    buses.p[1] = -1;
    buses.q[1] = -0.5;
    buses.vm[1] = 0.5;
    buses.va[1] = 2.5;
    branches.to[0] = 1;
    branches.x[0] = 0.1;
    const { converged, failure, vm } = solverFor({ buses, branches }).solve({ buses, branches });
    expect(vm[1]).toBeLessThan(0);
    expect({ converged, failure }).toMatchObject({ converged: false, failure: { kind: 'diverged', bus: 1 } });
  });

  test('a load beyond the capacity of its line fails with a sentence and names the bus', () => {
    const buses = busTable(2);
    const branches = branchTable(1);
    buses.type[0] = BUS_TYPE.slack;
    buses.p[1] = -40;
    branches.to[0] = 1;
    branches.x[0] = 0.1;
    const solution = solverFor({ buses, branches }).solve({ buses, branches });
    expect(solution.converged).toBe(false);
    expect(solution.failure?.message).toMatch(/mismatch|pivot/);
    expect(solution.worst[0]?.bus).toBe(1);
  });

  test('a bus without any connection is a singular pivot, not a division by zero', () => {
    const buses = busTable(3);
    const branches = branchTable(1);
    buses.type[0] = BUS_TYPE.slack;
    buses.p[2] = -0.1;
    branches.to[0] = 1;
    branches.x[0] = 0.1;
    const solution = solverFor({ buses, branches }).solve({ buses, branches });
    expect(solution.failure).toMatchObject({ kind: 'singular', bus: 2 });
  });

  test('an island without a source, an impedance of zero and a load that is no number are refused by name', () => {
    const make = () => {
      const buses = busTable(2);
      const branches = branchTable(1);
      branches.to[0] = 1;
      branches.x[0] = 0.1;
      return { buses, branches };
    };
    const noSource = make();
    expect(solverFor(noSource).solve(noSource).failure?.kind).toBe('noReference');
    const noImpedance = make();
    noImpedance.branches.x[0] = 0;
    expect(solverFor(noImpedance).solve(noImpedance).failure?.kind).toBe('invalidInput');
    const noNumber = make();
    noNumber.buses.p[1] = Number.NaN;
    expect(solverFor(noNumber).solve(noNumber).failure?.kind).toBe('invalidInput');
    expect(() => new NewtonSolver(2, Int32Array.of(0), Int32Array.of(7))).toThrow(/bus 7/);
  });

  test('an empty grid is solved', () => {
    expect(
      new NewtonSolver(0, new Int32Array(0), new Int32Array(0)).solve({ buses: busTable(0), branches: branchTable(0) })
        .converged,
    ).toBe(true);
  });

  const limits: Record<string, number> = {
    case9: 6,
    case14: 5,
    case118: 5,
    case300: 7,
    case1354pegase: 6,
    case2869pegase: 8,
  };
  for (const [name, iterations] of Object.entries(limits)) {
    test.skipIf(!hasMatpower(name))(
      `solves MATPOWER ${name} (skipped when the reference data is not beside the repository)`,
      () => {
        const input = readMatpower(name);
        const solution = solverFor(input).solve(input);
        expect(solution.failure).toBeUndefined();
        expect(solution.iterations).toBeLessThanOrEqual(iterations);
        expect(residual(input, solution.vm, solution.va)).toBeLessThan(1e-8);
      },
    );
  }

  test.skipIf(!hasMatpower('case14'))('case14 gives the published voltages', () => {
    const input = readMatpower('case14');
    const { vm, va } = solverFor(input).solve(input);
    // Published to three decimals and hundredths of a degree, in the case itself.
    for (let i = 0; i < vm.length; i++) {
      expect(Math.abs(vm[i]! - input.buses.vm[i]!)).toBeLessThan(2e-3);
      expect(Math.abs(va[i]! - input.buses.va[i]!)).toBeLessThan(0.02 * (Math.PI / 180));
    }
  });
});

describe('the sparse factorisation', () => {
  test('the elimination order is a permutation, and a tree gets no fill at all', () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: 0, max: 0.999, noNaN: true }), { maxLength: 120 }), (picks) => {
        const to = Int32Array.from(picks, (_, k) => k + 1);
        const from = Int32Array.from(picks, (pick, k) => Math.floor(pick * (k + 1)));
        const { order, lowerColumn } = analyse(branchPattern(picks.length + 1, from, to));
        expect([...order].sort((a, b) => a - b)).toEqual(Array.from(order, (_, i) => i));
        expect(lowerColumn.length).toBe(picks.length);
      }),
    );
  });

  test('solves random block systems', () => {
    fc.assert(
      fc.property(
        randomCase,
        fc.infiniteStream(fc.double({ min: -1, max: 1, noNaN: true })),
        ({ buses, branches }, stream) => {
          const pattern = branchPattern(buses.p.length, branches.from, branches.to);
          const next = () => stream.next().value as number;
          const values = new Float64Array(4 * pattern.column.length).map(() => next());
          // Diagonally dominant, so that it is surely regular.
          for (const at of pattern.diagonal) {
            values[4 * at] = values[4 * at]! + 60;
            values[4 * at + 3] = values[4 * at + 3]! + 60;
          }
          const x = new Float64Array(2 * pattern.size).map(() => next());
          const b = new Float64Array(2 * pattern.size);
          for (let i = 0; i < pattern.size; i++) {
            for (let at = pattern.start[i]!; at < pattern.start[i + 1]!; at++) {
              const j = pattern.column[at]!;
              for (const [r, c] of [
                [0, 0],
                [0, 1],
                [1, 0],
                [1, 1],
              ] as const) {
                b[2 * i + r] = b[2 * i + r]! + values[4 * at + 2 * r + c]! * x[2 * j + c]!;
              }
            }
          }
          const lu = new BlockLu(pattern);
          expect(lu.factorise(values)).toBe(-1);
          lu.solve(b);
          b.forEach((value, i) => {
            expect(value).toBeCloseTo(x[i]!, 10);
          });
        },
      ),
      { numRuns: 50 },
    );
  });
});
