/** What acts in an island beside Newton's method; small grids whose answer can be worked out, and published ones. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CaseSolver } from '../src/cases/case-solver.ts';
import { caseOfMatpower } from '../src/cases/matpower.ts';
import {
  BUS_TYPE,
  branchAdmittances,
  branchFlow,
  branchTable,
  busTable,
  type PowerFlowCase,
  responseTable,
} from '../src/powerflow/case.ts';
import { divide, type Machine } from '../src/powerflow/control/machine.ts';
import type { BranchSetting, StepControl } from '../src/powerflow/control/steps.ts';
import { type ControlledCase, type IslandOptions, IslandSolver } from '../src/powerflow/island-solver.ts';
import { residual } from './dense-reference.ts';
import { hasMatpower, matpowerCase } from './matpower.ts';

/** Lines of j0.1 pu (or as said) between buses; bus 0 is the reference at 1 pu. */
function grid(count: number, lines: readonly (readonly [number, number, number?, number?])[]): PowerFlowCase {
  const buses = busTable(count);
  const branches = branchTable(lines.length);
  buses.type[0] = BUS_TYPE.slack;
  lines.forEach(([from, to, x = 0.1, r = 0], k) => {
    branches.from[k] = from;
    branches.to[k] = to;
    branches.r[k] = r;
    branches.x[k] = x;
  });
  return { buses, branches };
}
const machine = (bus: number, holds: number, target: number, more: Partial<Machine> = {}): Machine => ({
  bus,
  p: 0,
  q: 0,
  qMin: Number.NEGATIVE_INFINITY,
  qMax: Number.POSITIVE_INFINITY,
  holds,
  target,
  weight: 1,
  participation: 0,
  pMin: Number.NEGATIVE_INFINITY,
  pMax: Number.POSITIVE_INFINITY,
  ...more,
});
const solve = (input: ControlledCase, options: IslandOptions = {}) => {
  const solution = new IslandSolver(input.buses.p.length, input.branches.from, input.branches.to).solve(input, {
    tolerance: 1e-11,
    ...options,
  });
  expect(solution.failure).toBeUndefined();
  expect(solution.settled).toBe(true);
  // Whatever acted: its tables have this plain solution.
  expect(
    residual({ ...solution.case, buses: { ...solution.case.buses, ...specified(solution) } }, solution.vm, solution.va),
  ).toBeLessThan(1e-7);
  return solution;
};
const specified = ({ pGiven, qGiven }: { pGiven: Float64Array; qGiven: Float64Array }) => ({ p: pGiven, q: qGiven });
const flowInto = (
  input: PowerFlowCase,
  row: number,
  { vm, va }: { vm: Float64Array; va: Float64Array },
): Float64Array => {
  const [y, flow] = [new Float64Array(8), new Float64Array(4)];
  branchAdmittances(input.branches, row, y);
  const [f, t] = [input.branches.from[row]!, input.branches.to[row]!];
  branchFlow(y, vm[f]!, va[f]!, vm[t]!, va[t]!, flow);
  return flow;
};

describe('loads that follow the voltage', () => {
  test('a constant impedance is the voltage divider that it is', () => {
    const input = grid(2, [[0, 1, 0.1, 0.02]]);
    const responses = responseTable(1);
    responses.bus[0] = 1;
    [responses.p[0], responses.q[0], responses.pExponent[0], responses.qExponent[0]] = [-0.8, -0.3, 2, 2];
    const { vm, va } = solve({ ...input, responses });
    // Y = 0.8 − 0.3j; V = 1 / (1 + Z·Y)
    const [re, im] = [1 + 0.02 * 0.8 + 0.1 * 0.3, 0.1 * 0.8 - 0.02 * 0.3];
    expect(vm[1]!).toBeCloseTo(1 / Math.hypot(re, im), 10);
    expect(va[1]!).toBeCloseTo(-Math.atan2(im, re), 10);
  });

  test('whatever the exponents, what flows in is p·V^e, found as fast as constant power', () => {
    fc.assert(
      fc.property(
        fc.double({ min: -1, max: 3, noNaN: true }),
        fc.double({ min: -1, max: 3, noNaN: true }),
        (pe, qe) => {
          const input = grid(3, [
            [0, 1],
            [1, 2],
          ]);
          input.buses.p[1] = -0.2;
          const responses = responseTable(2);
          responses.bus.set([2, 1]);
          responses.p.set([-0.5, -0.1]);
          responses.q.set([-0.2, -0.1]);
          responses.pExponent.set([pe, 0]);
          responses.qExponent.set([qe, 2]);
          const solution = solve({ ...input, responses });
          expect(solution.iterations).toBeLessThanOrEqual(5);
          const flow = flowInto(input, 1, solution);
          expect(flow[2]!).toBeCloseTo(-0.5 * solution.vm[2]! ** pe, 7);
          expect(flow[3]!).toBeCloseTo(-0.2 * solution.vm[2]! ** qe, 7);
        },
      ),
      { numRuns: 40 },
    );
  });
});

describe('dividing by weights within bounds', () => {
  test('keeps the bounds and the sum where the bounds allow it', () => {
    const part = fc.record({
      weight: fc.double({ min: 0, max: 5, noNaN: true }),
      low: fc.double({ min: -3, max: 0, noNaN: true }),
      high: fc.double({ min: 0, max: 3, noNaN: true }),
    });
    fc.assert(
      fc.property(
        fc.array(part, { minLength: 1, maxLength: 6 }),
        fc.double({ min: -10, max: 10, noNaN: true }),
        (parts, total) => {
          const low = parts.map((each) => each.low);
          const high = parts.map((each) => each.high);
          const shares = divide(
            total,
            parts.map((each) => each.weight),
            low,
            high,
          );
          shares.forEach((share, i) => {
            expect(share).toBeGreaterThanOrEqual(low[i]!);
            expect(share).toBeLessThanOrEqual(high[i]!);
          });
          const sum = (list: readonly number[]): number => list.reduce((all, value) => all + value, 0);
          expect(sum(shares)).toBeCloseTo(Math.min(sum(high), Math.max(sum(low), total)), 9);
        },
      ),
    );
    expect(divide(6, [1, 2], [0, 0], [10, 10])).toEqual([2, 4]);
    expect(divide(6, [1, 2], [0, 0], [10, 3])).toEqual([3, 3]);
  });
});

describe('voltage control', () => {
  test('a machine at its limit gives up the voltage; one that is not needed there takes it back', () => {
    const input = grid(2, [[0, 1]]);
    input.buses.p[1] = -0.5;
    input.buses.q[1] = -0.4;
    const free = solve({ ...input, machines: [machine(1, 1, 1)] }, { reactiveLimits: true });
    expect(free.vm[1]!).toBe(1);
    expect(free.machines.limit[0]).toBe(0);
    const held = solve({ ...input, machines: [machine(1, 1, 1, { qMax: 0.2 })] }, { reactiveLimits: true });
    expect(held.machines.limit[0]).toBe(1);
    expect(held.machines.q[0]).toBe(0.2);
    expect(held.vm[1]!).toBeLessThan(1);
    const ignored = solve({ ...input, machines: [machine(1, 1, 1, { qMax: 0.2 })] });
    expect(ignored.vm[1]!).toBe(1);
    expect(ignored.machines.q[0]!).toBeCloseTo(free.machines.q[0]!, 9);
  });

  test('what two machines do to each other: the second reaches its limit, the first comes back from its own', () => {
    // Bus 1 must lower the voltage that bus 2 raises; bus 2 cannot raise it as much as it would.
    const input = grid(3, [
      [0, 1],
      [1, 2, 0.05],
    ]);
    input.buses.q[2] = -0.2;
    const machines = [machine(1, 1, 0.99, { qMin: -0.15, qMax: 0.3 }), machine(2, 2, 1.03, { qMin: -1, qMax: 0.25 })];
    const solution = solve({ ...input, machines }, { reactiveLimits: true });
    expect(Array.from(solution.machines.limit)).toEqual([0, 1]);
    expect(solution.vm[1]!).toBe(0.99);
    expect(solution.vm[2]!).toBeLessThan(1.03);
  });

  test('limits come from the capability curve at the present power, those of a var compensator from its voltage', () => {
    const input = grid(2, [[0, 1]]);
    input.buses.p[1] = -0.5;
    input.buses.q[1] = -0.9;
    const curve = [
      { p: 0, qMin: -0.5, qMax: 0.5 },
      { p: 1, qMin: -0.1, qMax: 0.3 },
    ];
    input.buses.p[1] += 0.25;
    const withCurve = solve({ ...input, machines: [machine(1, 1, 1, { p: 0.25, curve })] }, { reactiveLimits: true });
    expect(withCurve.machines.q[0]!).toBeCloseTo(0.45, 12);
    const svc = solve(
      { ...input, machines: [machine(1, 1, 1, { qMax: 0.4, susceptance: true })] },
      { reactiveLimits: true },
    );
    expect(svc.machines.limit[0]).toBe(1);
    expect(svc.machines.q[0]!).toBeCloseTo(0.4 * svc.vm[1]! ** 2, 7);
  });

  test('machines behind their transformers hold one bus together and share by weight', () => {
    const input = grid(4, [
      [0, 1],
      [1, 2, 0.08, 0.004],
      [1, 3, 0.12, 0.004],
    ]);
    input.buses.p.set([0, -0.9, 0.4, 0.4]);
    input.buses.q[1] = -0.6;
    const machines = [machine(2, 1, 1.02, { p: 0.4, weight: 2 }), machine(3, 1, 1.02, { p: 0.4, weight: 1 })];
    const solution = solve({ ...input, machines });
    expect(solution.vm[1]!).toBe(1.02);
    expect(solution.machines.q[0]!).toBeCloseTo(2 * solution.machines.q[1]!, 6);
    // Nothing is brought in at the held bus itself.
    expect(solution.q[1]! - solution.qGiven[1]!).toBeCloseTo(0, 6);
    // One of them is limited: the other takes what is left.
    const limited = solve(
      { ...input, machines: [{ ...machines[0]!, qMax: 0.3 }, machines[1]!] },
      { reactiveLimits: true },
    );
    expect(limited.machines.q[0]).toBe(0.3);
    expect(limited.vm[1]!).toBe(1.02);
    expect(limited.q[1]! - limited.qGiven[1]!).toBeCloseTo(0, 6);
    // Both are: the bus goes where it will.
    const short = solve(
      { ...input, machines: machines.map((each) => ({ ...each, qMax: 0.2 })) },
      { reactiveLimits: true },
    );
    expect(short.vm[1]!).toBeLessThan(1.02);
    expect(Array.from(short.machines.q)).toEqual([0.2, 0.2]);
  });

  test('a var compensator lies on its slope', () => {
    for (const slope of [0.01, 0.05, 0.2]) {
      const input = grid(2, [[0, 1, 0.02]]);
      input.buses.q[1] = -1.5;
      const { vm, machines } = solve({ ...input, machines: [machine(1, 1, 1, { slope })] });
      expect(machines.q[0]!).toBeGreaterThan(0.01);
      expect(vm[1]!).toBeCloseTo(1 - slope * machines.q[0]!, 6);
    }
  });

  test.skipIf(!hasMatpower('case118'))(
    'in published grids every machine holds its voltage, or is at the limit that keeps it from doing so',
    () => {
      for (const name of ['case14', 'case118', 'case300', 'case1354pegase', 'case2869pegase'].filter(hasMatpower)) {
        const source = caseOfMatpower(matpowerCase(name));
        const result = new CaseSolver(source).solve({ reactiveLimits: true });
        expect(result.converged, name).toBe(true);
        const atLimit = new Set(result.islands.flatMap((island) => island.atLimit));
        let limited = 0;
        source.case.buses.type.forEach((type, bus) => {
          if (type !== BUS_TYPE.pv) return;
          const { id, vm, q } = result.buses[bus]!;
          const over = vm! - source.case.buses.vm[bus]!;
          const [low, high] = [source.qMin[bus]!, source.qMax[bus]!];
          expect(q!).toBeGreaterThan(low - 1e-5);
          expect(q!).toBeLessThan(high + 1e-5);
          if (!atLimit.has(id)) expect(Math.abs(over)).toBeLessThan(1e-9);
          else {
            limited++;
            if (low === high) return;
            if (q! > high - 1e-6) expect(over, `${name} bus ${id}`).toBeLessThan(2e-5);
            else expect(over, `${name} bus ${id}`).toBeGreaterThan(-2e-5);
          }
        });
        if (name === 'case300') expect(limited).toBeGreaterThan(0);
      }
    },
  );
});

describe('steps', () => {
  const setting = (ratio: number, shift = 0): BranchSetting => ({
    r: 0,
    x: 0.1,
    gFrom: 0,
    bFrom: 0,
    gTo: 0,
    bTo: 0,
    ratio,
    shift,
  });
  const taps = (row: number, more: Partial<StepControl>): StepControl => ({
    actuator: { kind: 'branch', row, settings: Array.from({ length: 33 }, (_, i) => setting(1 + (i - 16) * 0.00625)) },
    position: 16,
    quantity: 'voltage',
    target: 1,
    deadband: 0.02,
    ...more,
  });

  test('a tap changer brings the voltage into its deadband and stays there', () => {
    const input = grid(3, [
      [0, 1],
      [1, 2],
    ]);
    input.buses.p[2] = -0.6;
    input.buses.q[2] = -0.3;
    const free = solve({ ...input, steps: [taps(1, { bus: 2 })] });
    expect(free.vm[2]!).toBeLessThan(0.96);
    expect(free.positions[0]).toBe(16);
    const steps = [taps(1, { bus: 2 })];
    const held = solve({ ...input, steps }, { stepControls: true });
    expect(Math.abs(held.vm[2]! - 1)).toBeLessThanOrEqual(0.01);
    expect(held.positions[0]).toBeLessThan(16);
    // Where it stands it is left alone.
    const again = solve(
      { ...held.case, steps: [{ ...steps[0]!, position: held.positions[0]! }] },
      { stepControls: true },
    );
    expect(again.positions[0]).toBe(held.positions[0]);
    expect(input.branches.ratio[1]).toBe(1);
  });

  test('without a deadband it takes the step that comes nearest; at the end of its range it stops', () => {
    const input = grid(2, [[0, 1]]);
    input.buses.q[1] = -0.4;
    const near = solve({ ...input, steps: [taps(0, { bus: 1, deadband: 0 })] }, { stepControls: true });
    expect(Math.abs(near.vm[1]! - 1)).toBeLessThan(0.004);
    const far = solve({ ...input, steps: [taps(0, { bus: 1, target: 1.3 })] }, { stepControls: true });
    expect(far.positions[0]).toBe(0);
  });

  test('two transformers side by side move together and do not overshoot', () => {
    const input = grid(3, [
      [0, 1],
      [1, 2],
      [1, 2],
    ]);
    input.buses.q[2] = -0.5;
    const steps = [taps(1, { bus: 2 }), taps(2, { bus: 2 })];
    const { positions, vm } = solve({ ...input, steps }, { stepControls: true });
    expect(positions[0]).toBe(positions[1]);
    expect(Math.abs(vm[2]! - 1)).toBeLessThanOrEqual(0.01);
  });

  test('a phase shifter sends the active power that it is to send', () => {
    const input = grid(3, [
      [0, 1],
      [0, 2],
      [2, 1],
    ]);
    input.buses.p[1] = -1;
    const control: StepControl = {
      actuator: { kind: 'branch', row: 0, settings: Array.from({ length: 41 }, (_, i) => setting(1, (i - 20) * 0.01)) },
      position: 20,
      quantity: 'activePower',
      branch: 0,
      end: 'from',
      target: 0.3,
      deadband: 0.08,
    };
    const free = solve(input);
    expect(flowInto(input, 0, free)[0]!).toBeGreaterThan(0.6);
    const held = solve({ ...input, steps: [control] }, { stepControls: true });
    expect(Math.abs(flowInto(held.case, 0, held)[0]! - 0.3)).toBeLessThanOrEqual(0.04);
    // The positive direction delays the far end: less flows.
    expect(held.positions[0]).toBeGreaterThan(20);
  });

  test('sections of a shunt are switched until the voltage is right', () => {
    const input = grid(2, [[0, 1, 0.2]]);
    input.buses.q[1] = -0.5;
    const control: StepControl = {
      actuator: { kind: 'shunt', bus: 1, settings: [0, 0.1, 0.2, 0.3, 0.4, 0.5].map((bs) => ({ gs: 0, bs })) },
      position: 0,
      quantity: 'voltage',
      bus: 1,
      target: 0.97,
      deadband: 0.03,
    };
    const held = solve({ ...input, steps: [control] }, { stepControls: true });
    expect(held.positions[0]).toBeGreaterThan(0);
    expect(Math.abs(held.vm[1]! - 0.97)).toBeLessThanOrEqual(0.015);
    expect(held.case.buses.bs[1]).toBe([0, 0.1, 0.2, 0.3, 0.4, 0.5][held.positions[0]!]);
    expect(input.buses.bs[1]).toBe(0);
  });

  test('a tap changer whose bus a machine holds has nothing to do', () => {
    const input = grid(2, [[0, 1]]);
    input.buses.q[1] = -0.4;
    const { positions, vm } = solve(
      { ...input, machines: [machine(1, 1, 0.95)], steps: [taps(0, { bus: 1 })] },
      { stepControls: true },
    );
    expect([positions[0], vm[1]]).toEqual([16, 0.95]);
  });
});

describe('distributed slack', () => {
  test('what is missing is made up by shares, within what each can give; nothing is left at the reference', () => {
    const input = grid(4, [
      [0, 1, 0.1, 0.01],
      [1, 2, 0.1, 0.01],
      [2, 3, 0.1, 0.01],
    ]);
    input.buses.p.set([0.5, -1.5, 0.2, 0.2]);
    const machines = [
      machine(0, 0, 1, { p: 0.5, participation: 2, reference: true }),
      machine(2, -1, 1, { p: 0.2, participation: 1 }),
      machine(3, -1, 1, { p: 0.2, participation: 1, pMax: 0.25 }),
    ];
    const alone = solve({ ...input, machines });
    expect(alone.slack.distributed).toBe(0);
    expect(alone.p[0]! - alone.pGiven[0]!).toBeGreaterThan(0.6);
    const shared = solve({ ...input, machines }, { distributedSlack: true });
    expect(shared.p[0]! - shared.pGiven[0]!).toBeCloseTo(0, 6);
    expect(shared.machines.p[2]!).toBe(0.25);
    expect(shared.machines.p[0]! - 0.5).toBeCloseTo(2 * (shared.machines.p[1]! - 0.2), 6);
    expect(shared.slack.left).toBeCloseTo(0, 6);
    const none = solve(
      { ...input, machines: machines.map((each) => ({ ...each, pMax: each.p })) },
      { distributedSlack: true },
    );
    expect(none.slack.left).toBeGreaterThan(0.6);
  });
});

describe('when there is no solution', () => {
  test('every attempt is told, in order, and the one that worked is named', () => {
    const input = grid(2, [[0, 1]]);
    input.buses.p[1] = -40;
    const solver = new IslandSolver(2, input.branches.from, input.branches.to);
    const failed = solver.solve(input);
    expect(failed.converged).toBe(false);
    expect(failed.worst[0]!.bus).toBe(1);
    const all = [...failed.failed, failed.attempt];
    expect(all).toHaveLength(7);
    expect(new Set(all.map(({ start, damped }) => `${start} ${damped}`))).toEqual(
      new Set(['given false', 'flat false', 'dc false', 'linear false', 'given true', 'flat true', 'linear true']),
    );
    expect(failed.failed.every(({ message }) => message.length > 10)).toBe(true);
    expect(solver.solve(input, { fallbacks: false }).failed).toEqual([]);
  });

  test('limits that leave no solution are relaxed step by step, and that is told', () => {
    // Without the support at its end the line cannot carry the load.
    const input = grid(2, [[0, 1, 0.4]]);
    input.buses.p[1] = -1.4;
    const limited = [machine(1, 1, 1, { qMin: -0.1, qMax: 0.1 })];
    const solution = solve({ ...input, machines: limited }, { reactiveLimits: true });
    expect(solution.attempt.widenedLimits).toBeGreaterThan(1);
    expect(solution.failed.map(({ widenedLimits }) => widenedLimits)).toContain(1);
    expect(solution.failed[0]).toMatchObject({ start: 'given', damped: false });
    expect(solution.shortcomings.join()).toMatch(/no solution within the reactive limits: they are (\d|given up)/);
    expect(solve({ ...input, machines: [machine(1, 1, 1)] }, { reactiveLimits: true }).shortcomings).toEqual([]);
  });

  test('next to no impedance beside a ratio off the nominal one: found from the linear network, which is told', () => {
    // Two transformers of three windings side by side, as they stand in published models: one leg is all but a wire.
    const input = grid(6, [
      [0, 1, 0.04, 0.002],
      [1, 2, -1e-6, 3.7e-5],
      [2, 3, 0.014, 0.0003],
      [1, 4, -1e-6, 3.7e-5],
      [4, 5, 0.006, 4e-5],
      [2, 5, 0.006, 4e-5],
    ]);
    input.branches.ratio.set([1, 1.09, 1, 1.09, 1 / 1.0526, 1 / 1.0526]);
    input.buses.p.set([0, -0.4, 0, 0.3, 0, -0.5]);
    input.buses.q.set([0, -0.1, 0, 0, 0, -0.1]);
    const solution = solve(input, { tolerance: 1e-8 });
    expect(solution.attempt).toMatchObject({ start: 'linear', damped: false });
    expect(solution.failed.map(({ start }) => start)).toEqual(['given', 'flat', 'dc']);
    for (const vm of solution.vm) expect(vm).toBeGreaterThan(0.8);
  });

  test('damped steps find what full steps jump over, and nothing else than these would', () => {
    let state = 1;
    const random = () => {
      state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
      return state / 2 ** 32;
    };
    const size = 14;
    const ring = Array.from({ length: size }, (_, i) => [i, (i + 1) % size, 0.1 + random() / 10, 0.02] as const);
    const input = grid(size, [...ring, [2, 9, 0.2], [5, 12, 0.15]]);
    for (let i = 1; i < size; i++) {
      input.buses.p[i] = (random() - 0.7) * 0.3;
      input.buses.q[i] = (random() - 0.8) * 0.1;
    }
    const { newton } = new IslandSolver(size, input.branches.from, input.branches.to);
    const known = newton.solve(input).vm.slice();
    let [rescued, lost] = [0, 0];
    const right = (solution: { converged: boolean; vm: Float64Array }): boolean =>
      solution.converged && solution.vm.every((value, i) => Math.abs(value - known[i]!) < 1e-6);
    for (let run = 0; run < 60; run++) {
      for (let i = 1; i < size; i++) {
        input.buses.vm[i] = 1 + (random() - 0.5) * 0.25;
        input.buses.va[i] = (random() - 0.5) * 0.35;
      }
      const plain = right(newton.solve(input, { maxIterations: 40 }));
      const damped = right(newton.solve(input, { maxIterations: 100, damped: true }));
      if (damped && !plain) rescued++;
      if (plain && !damped) lost++;
    }
    expect(rescued).toBeGreaterThan(3);
    expect(lost).toBeLessThan(rescued);
  });
});
