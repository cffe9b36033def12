import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ContingencyAnalysis, type OutageResult } from '../src/contingency/analysis.ts';
import { Connectivity } from '../src/contingency/connectivity.ts';
import { eventOf } from '../src/contingency/event.ts';
import { type GridOutage, gridContingencies } from '../src/contingency/grid-contingencies.ts';
import { type ContingencyInput, noLimits, type Outage } from '../src/contingency/outage.ts';
import { runContingencies } from '../src/contingency/run.ts';
import { Screening } from '../src/contingency/screening.ts';
import { BUS_TYPE, branchTable, busTable, type PowerFlowCase, selectRows } from '../src/powerflow/case.ts';
import type { Machine } from '../src/powerflow/control/machine.ts';
import { GridSolver } from '../src/powerflow/grid-solver.ts';
import type { ControlledCase } from '../src/powerflow/island-solver.ts';
import { NewtonSolver } from '../src/powerflow/newton.ts';
import { Linearisation } from '../src/sensitivity/linearisation.ts';
import { randomCase } from './random-case.ts';

/** With some machines: every fourth bus holds its voltage. */
const withMachines = (input: PowerFlowCase): PowerFlowCase => {
  for (let i = 4; i < input.buses.type.length; i += 4) {
    input.buses.type[i] = BUS_TYPE.pv;
    input.buses.p[i] = 0.01;
    input.buses.vm[i] = 1.01;
  }
  return input;
};
const machineCase = randomCase.map(withMachines);

/** Limits so near to the state before that many outages break some. */
function closeLimits(input: PowerFlowCase): ContingencyInput {
  const limits = noLimits(input.buses.type.length, input.branches.from.length);
  const probe = new ContingencyAnalysis({ case: input, limits: { ...limits, from: limits.from.map(() => 1) } });
  probe.loadings.before.forEach((loading, k) => {
    const limit = k % 3 === 0 ? 0 : 1.3 * loading + 0.005;
    limits.from[k] = limit;
    limits.to[k] = k % 2 === 0 ? limit : 0;
    limits.ofCurrent[k] = k % 2;
  });
  probe.base.vm.forEach((vm, i) => {
    limits.vMin[i] = vm - 0.01;
    limits.vMax[i] = vm + 0.01;
  });
  return { case: input, limits };
}

/** The same grid with the lost branches taken out of its tables, and what has lost its source taken out too. */
function withoutBranches(input: PowerFlowCase, lost: readonly number[]) {
  const n = input.buses.type.length;
  const kept = Array.from(input.branches.from.keys()).filter((k) => !lost.includes(k));
  const alive = new Set(Array.from(input.buses.type.keys()).filter((i) => input.buses.type[i] === BUS_TYPE.slack));
  for (let grown = true; grown; ) {
    grown = false;
    for (const k of kept) {
      const [f, t] = [input.branches.from[k]!, input.branches.to[k]!];
      if (alive.has(f) === alive.has(t)) continue;
      alive.add(f).add(t);
      grown = true;
    }
  }
  const rows = kept.filter((k) => alive.has(input.branches.from[k]!));
  const branches = selectRows(input.branches, rows);
  const type = input.buses.type.map((kind, i) => (alive.has(i) ? kind : BUS_TYPE.slack));
  const buses = { ...input.buses, type };
  const solver = new NewtonSolver(n, branches.from, branches.to);
  return { alive, rows, solution: solver.solve({ buses, branches }, { tolerance: 1e-11 }) };
}

const everyBranch = ({ branches }: PowerFlowCase): Outage[] =>
  Array.from(branches.from.keys(), (k) => ({ branches: [k] }));

describe('what an outage cuts off', () => {
  test('is found for single branches without a search, and agrees with one', () => {
    fc.assert(
      fc.property(machineCase, fc.nat(), (input, second) => {
        // Several sources, sometimes.
        if (second % 3 === 0) input.buses.type[second % input.buses.type.length] = BUS_TYPE.slack;
        const connectivity = new Connectivity(input);
        const isSource = (bus: number): boolean => input.buses.type[bus] === BUS_TYPE.slack;
        for (let k = 0; k < input.branches.from.length; k++) {
          const searched = connectivity.withoutSource(new Set([k]), new Set(), isSource);
          expect(Array.from(connectivity.behind(k)).sort((a, b) => a - b)).toEqual(Array.from(searched));
          expect(searched.length).toBe(input.buses.type.length - withoutBranches(input, [k]).alive.size);
        }
      }),
      { numRuns: 60 },
    );
  });
});

describe('the screening of outages', () => {
  test('takes the very Newton step that a new factorisation would take', () => {
    fc.assert(
      fc.property(machineCase, fc.nat(), fc.nat(), (input, a, b) => {
        const m = input.branches.from.length;
        const n = input.buses.type.length;
        const grid = new Linearisation(input, { tolerance: 1e-12 });
        const machine = Array.from(input.buses.type.keys()).find((i) => input.buses.type[i] === BUS_TYPE.pv);
        const outages: Outage[] = [
          { branches: [a % m] },
          { branches: [a % m, b % m] },
          { injections: [{ bus: 1 + (a % (n - 1)), p: 0.01, q: 0.002 }] },
          ...(machine === undefined ? [] : [{ injections: [{ bus: machine, p: 0.01, q: 0, releases: true }] }]),
        ];
        for (const outage of outages) {
          const event = eventOf(outage, { case: input, limits: noLimits(n, m) }, grid, new Connectivity(input));
          const dead = new Uint8Array(n);
          for (const bus of event.dead) dead[bus] = 1;
          const estimate = new Screening(grid).estimate(event, dead)!;
          const buses = { ...input.buses, type: input.buses.type.slice(), p: input.buses.p.slice() };
          Object.assign(buses, { q: input.buses.q.slice(), vm: grid.vm.slice(), va: grid.va.slice() });
          for (const bus of event.released) buses.type[bus] = BUS_TYPE.pq;
          for (const bus of event.dead) buses.type[bus] = BUS_TYPE.slack;
          for (const [bus, { p, q }] of event.injections) {
            buses.p[bus] = buses.p[bus]! + p;
            buses.q[bus] = buses.q[bus]! + q;
          }
          const outOfService = new Uint8Array(m);
          for (const k of event.branches) outOfService[k] = 1;
          const solver = new NewtonSolver(n, input.branches.from, input.branches.to);
          const changed = { buses, branches: input.branches, outOfService };
          const one = solver.solve(changed, { maxIterations: 1, tolerance: 0 });
          // What one step has made; with two, the magnitudes of the first are kept.
          const first = estimate.contraction === estimate.remaining ? estimate.vm : estimate.vmEarlier;
          for (let i = 0; i < n; i++) if (dead[i] === 0) expect(first[i]!).toBeCloseTo(one.vm[i]!, 9);
          // What is left over is what the kernel finds at the estimated voltages.
          const left = (vm: Float64Array, va: Float64Array): number =>
            solver.solve({ ...changed, buses: { ...buses, vm, va } }, { maxIterations: 0, tolerance: 0 }).maxMismatch;
          const before = left(grid.vm, grid.va);
          expect(left(estimate.vm, estimate.va)).toBeCloseTo(estimate.remaining * before, 9);
        }
      }),
      { numRuns: 60 },
    );
  });

  test('misses nothing that the full power flow of every outage finds', () => {
    let broken = 0;
    let screened = 0;
    fc.assert(
      fc.property(machineCase, (input) => {
        const close = closeLimits(input);
        const fast = new ContingencyAnalysis(close);
        const full = new ContingencyAnalysis(close, { allAc: true });
        everyBranch(input).forEach((outage, k) => {
          const [quick, exact] = [fast.analyse(outage, k), full.analyse(outage, k)];
          expect(exact.method).toBe('solved');
          if (quick.method === 'screened') screened += 1;
          if (exact.converged && exact.violationCount === 0) return;
          broken += 1;
          expect(quick.method).toBe('solved');
          expect(quick.violations.map(({ kind, index }) => [kind, index])).toEqual(
            exact.violations.map(({ kind, index }) => [kind, index]),
          );
        });
      }),
      { numRuns: 80, seed: 5 },
    );
    expect(broken).toBeGreaterThan(20);
    expect(screened).toBeGreaterThan(20);
  });
});

describe('the power flow after an outage', () => {
  test('is that of the grid without what was lost', () => {
    fc.assert(
      fc.property(machineCase, fc.nat(), (input, b) => {
        const m = input.branches.from.length;
        const limits = noLimits(input.buses.type.length, m);
        limits.from.fill(1e-9); // everything is overloaded, so that every flow is reported
        const analysis = new ContingencyAnalysis(
          { case: input, limits },
          { allAc: true, tolerance: 1e-11, maxViolations: 1000 },
        );
        for (const outage of [...everyBranch(input), { branches: [b % m, (b + 1) % m] }]) {
          const result = analysis.analyse(outage, 0);
          const { alive, rows, solution } = withoutBranches(input, outage.branches!);
          expect(result).toMatchObject({ converged: true, method: 'solved' });
          expect(result.deadBuses).toBe(input.buses.type.length - alive.size);
          const check = new ContingencyAnalysis({ case: input, limits });
          const worse = new Map(result.violations.map((violation) => [violation.index, violation]));
          for (const k of worse.keys()) expect(rows).toContain(k);
          const y = check.base.branch;
          for (const [k, { value }] of worse) {
            const [f, t] = [input.branches.from[k]!, input.branches.to[k]!];
            const v = (bus: number) => [
              solution.vm[bus]! * Math.cos(solution.va[bus]!),
              solution.vm[bus]! * Math.sin(solution.va[bus]!),
            ];
            const [[fe, ff], [te, tf]] = [v(f), v(t)] as [[number, number], [number, number]];
            const re = y[8 * k]! * fe - y[8 * k + 1]! * ff + y[8 * k + 2]! * te - y[8 * k + 3]! * tf;
            const im = y[8 * k]! * ff + y[8 * k + 1]! * fe + y[8 * k + 2]! * tf + y[8 * k + 3]! * te;
            expect(value).toBeCloseTo(Math.hypot(re, im) * Math.hypot(fe, ff), 8);
          }
        }
      }),
      { numRuns: 25 },
    );
  });

  /** 0 (reference) ─ 1 ─ 2 ─ 0, a feeder 2 ─ 3, machines at 0 and 1. */
  function ring(): PowerFlowCase {
    const branches = branchTable(4);
    [
      [0, 1],
      [1, 2],
      [2, 0],
      [2, 3],
    ].forEach(([from, to], k) => {
      branches.from[k] = from!;
      branches.to[k] = to!;
      branches.r[k] = 0.01;
      branches.x[k] = 0.05;
    });
    const column = (...values: number[]) => Float64Array.from(values);
    return {
      buses: {
        type: Uint8Array.from([BUS_TYPE.slack, BUS_TYPE.pv, BUS_TYPE.pq, BUS_TYPE.pq]),
        p: column(0, 0.5, -0.8, -0.3),
        q: column(0, 0, -0.2, -0.1),
        vm: column(1.02, 1.02, 1, 1),
        va: column(0, 0, 0, 0),
        gs: column(0, 0, 0, 0),
        bs: column(0, 0, 0, 0),
      },
      branches,
    };
  }
  const analyse = (outage: Outage, more: Partial<ContingencyInput> = {}): OutageResult => {
    const input = ring();
    const limits = noLimits(4, 4);
    limits.from.fill(1e-9);
    return new ContingencyAnalysis({ case: input, limits, ...more }, { allAc: true, maxViolations: 100 }).analyse(
      outage,
      0,
    );
  };
  const flow = (result: OutageResult, k: number) => result.violations.find(({ index }) => index === k)?.value ?? 0;

  test('says what is left without voltage and what was drawn there', () => {
    const load = Float64Array.from([0, 0.1, 0.8, 0.3]);
    expect(analyse({ branches: [3] }, { load })).toMatchObject({
      converged: true,
      deadBuses: 1,
      loadLost: 0.3,
      generationLost: 0,
    });
    expect(analyse({ buses: [2] }, { load })).toMatchObject({ converged: true, deadBuses: 2, loadLost: 1.1 });
    const bothSides = analyse({ branches: [0, 1] }, { load });
    expect(bothSides).toMatchObject({ deadBuses: 1, loadLost: 0.1 });
    expect(bothSides.generationLost).toBeCloseTo(0.6, 9);
  });

  test('a lost reference hands over to the machine that brings in most; without one the grid is dark', () => {
    const lost = { bus: 0, p: 0.6, q: 0, releases: true };
    expect(analyse({ injections: [lost] })).toMatchObject({ converged: true, deadBuses: 0 });
    const dark = analyse({ injections: [lost, { bus: 1, p: 0.5, q: 0, releases: true }] });
    expect(dark).toMatchObject({ converged: true, deadBuses: 4, violationCount: 0 });
    expect(dark.loadLost).toBeCloseTo(1.1, 9);
  });

  test('lost generation comes from the reference, or from all machines as they share', () => {
    const lost: Outage = { injections: [{ bus: 1, p: 0.5, q: 0 }] };
    const alone = analyse(lost);
    const shared = analyse(lost, { participation: Float64Array.from([1, 3, 0, 0]) });
    // Bus 1 still holds its voltage and takes three quarters of what is missing.
    expect(flow(shared, 2)).toBeLessThan(flow(alone, 2));
  });

  test('machines beyond their reactive limits give up their voltage', () => {
    const wide = { qMin: new Float64Array(4).fill(-9), qMax: new Float64Array(4).fill(9) };
    const limits = noLimits(4, 4);
    limits.vMin.fill(1.019);
    const free = analyse({ branches: [2] }, { limits, reactive: wide });
    const before = new Linearisation(ring()).q[1]!;
    const held = analyse(
      { branches: [2] },
      { limits, reactive: { ...wide, qMax: Float64Array.from([9, before + 0.01, 0, 0]) } },
    );
    const lowest = (result: OutageResult) => Math.min(...result.violations.map(({ value }) => value));
    expect(lowest(held)).toBeLessThan(lowest(free));
    expect(held.violations.map(({ index }) => index)).toContain(1);
  });

  test('what has no solution ranks first, and says so', async () => {
    const input = ring();
    input.buses.p[2] = -8;
    const limits = noLimits(4, 4);
    limits.from.fill(3);
    const { results } = await runContingencies({ case: input, limits }, everyBranch(input));
    const [first] = results;
    expect(first).toMatchObject({ converged: false, method: 'solved', severity: Number.POSITIVE_INFINITY });
    expect(first!.failure?.message).toMatch(/mismatch|pivot/);
    for (const [i, result] of results.slice(1).entries())
      expect(result.severity).toBeLessThanOrEqual(results[i]!.severity);
  });

  test('what is violated before an outage counts only when it gets worse', () => {
    const input = ring();
    const limits = noLimits(4, 4);
    limits.from[3] = 0.1;
    limits.vMin[3] = 1.01;
    const analysis = new ContingencyAnalysis({ case: input, limits }, { allAc: true });
    expect(analysis.analyse({}, 0)).toMatchObject({ violationCount: 0, severity: 0 });
    expect(analysis.analyse({ branches: [2] }, 1).violations.map(({ kind }) => kind)).toContain('voltageLow');
  });

  test('a grid without a solution is no start, and says where', async () => {
    const input = ring();
    input.buses.p[3] = -40;
    const run = runContingencies({ case: input, limits: noLimits(4, 4) }, everyBranch(input));
    await expect(run).rejects.toMatchObject({ code: 'sensitivity.base', fault: 'caller' });
    const threads = runContingencies({ case: input, limits: noLimits(4, 4) }, everyBranch(input), { workers: 1 });
    await expect(threads).rejects.toMatchObject({ code: 'sensitivity.base', fault: 'caller' });
  });

  test('comes out the same whoever calculates it', async () => {
    const input = fc.sample(machineCase, { seed: 7, numRuns: 1 })[0]!;
    const close = closeLimits(input);
    const outages = Array.from({ length: 300 }, (_, i) => ({ branches: [i % input.branches.from.length] }));
    const alone = await runContingencies(close, outages, { workers: 0 });
    expect(alone.results).toHaveLength(300);
    for (const workers of [1, 3]) expect(await runContingencies(close, outages, { workers })).toEqual(alone);
  });
});

describe('reactive limits after an outage', () => {
  /** Every voltage that an outage moves, by bus. */
  function voltagesAfter(input: ControlledCase, lost: GridOutage): Promise<Map<number, number>> {
    const { buses, branches } = input;
    const solver = new GridSolver(input);
    const solution = solver.solve(input, { reactiveLimits: true, tolerance: 1e-11 });
    const limits = noLimits(buses.type.length, branches.from.length);
    limits.vMin.set(solution.vm.map((vm) => vm - 1e-9));
    limits.vMax.set(solution.vm.map((vm) => vm + 1e-9));
    const options = { reactiveLimits: true, maxViolations: buses.type.length, tolerance: 1e-11, workers: 0 };
    return gridContingencies({ grid: input, islands: solver.islands, solution }, limits, [lost], options).then(
      ({ results: [result] }) => {
        expect(result).toMatchObject({ converged: true });
        const moved = new Map(Array.from(solution.vm, (vm, bus) => [bus, vm]));
        for (const { index, value } of result!.violations) moved.set(index, value);
        return moved;
      },
    );
  }
  const machine = (bus: number, target: number, more: Partial<Machine> = {}): Machine => ({
    bus,
    p: 0,
    q: 0,
    qMin: -0.2,
    qMax: 0.2,
    holds: bus,
    target,
    weight: 1,
    participation: 0,
    pMin: Number.NEGATIVE_INFINITY,
    pMax: Number.POSITIVE_INFINITY,
    ...more,
  });
  /** A reference, a machine in the middle, and a load behind it that draws its voltage down. */
  function feeder(drawn: number, machines: readonly Machine[]): ControlledCase {
    const [buses, branches] = [busTable(3), branchTable(2)];
    buses.type[0] = BUS_TYPE.slack;
    buses.q[2] = -drawn;
    for (const [k, x] of [0.1, 0.05].entries()) {
      branches.from[k] = k;
      branches.to[k] = k + 1;
      branches.x[k] = x;
    }
    return { buses, branches, machines };
  }

  test('a machine at its limit before holds its voltage again when the load is gone', async () => {
    const after = await voltagesAfter(feeder(0.5, [machine(1, 1)]), { branches: [1] });
    expect(after.get(1)).toBeCloseTo(1, 9);
  });

  test('one of two machines is lost: the other has its own limit and not that of both', async () => {
    const both = [machine(1, 1), machine(1, 1)];
    const after = await voltagesAfter(feeder(0.35, both), { machines: [1] });
    // 0.2 of what is drawn comes from the machine, the rest over the first line.
    expect(after.get(1)).toBeCloseTo(expectedBehind(0.1, 0.35, 0.05, 0.2), 6);
  });

  test('are those of the power flow without what was lost, whatever is lost', async () => {
    await fc.assert(
      fc.asyncProperty(randomCase, fc.nat(), fc.nat({ max: 100 }), async (plain, which, tight) => {
        const machines: Machine[] = [];
        for (let bus = 3; bus < plain.buses.type.length; bus += 3) {
          machines.push(machine(bus, 1 + 0.002 * ((bus + tight) % 9), { qMin: -0.0003 * tight, qMax: 0.0003 * tight }));
        }
        const input = { ...plain, machines };
        const lost = which % plain.branches.from.length;
        const after = await voltagesAfter(input, { branches: [lost] });
        const kept = Array.from(plain.branches.from.keys()).filter((k) => k !== lost);
        const rest = { ...input, branches: selectRows(plain.branches, kept) };
        const solution = new GridSolver(rest).solve(rest, { reactiveLimits: true, tolerance: 1e-11 });
        if (!solution.islands.every((island) => island === undefined || island.settled)) return;
        solution.vm.forEach((vm, bus) => {
          // Without a source there is no voltage, and what has none violates nothing.
          if (!Number.isNaN(vm)) expect(Math.abs(after.get(bus)! - vm), `bus ${bus}`).toBeLessThan(2e-5);
        });
      }),
      { numRuns: 150 },
    );
  });
});

/** Voltage in the middle of two reactances behind 1 pu with q drawn at the end and a source of `given` in the middle, by bisection. */
function expectedBehind(x1: number, drawn: number, x2: number, given: number): number {
  let [low, high] = [0.5, 1.2];
  for (let k = 0; k < 60; k++) {
    const vm = (low + high) / 2;
    // What the second line takes in: the load and what its current loses.
    const end = (vm + Math.sqrt(vm * vm - 4 * x2 * drawn)) / 2;
    const taken = drawn + (drawn / end) ** 2 * x2;
    const needed = (vm * (vm - 1)) / x1 + taken;
    if (needed > given) high = vm;
    else low = vm;
  }
  return low;
}
