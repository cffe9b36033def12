/** MATPOWER cases: what their rows mean, and every published one solved and added up again from the rows themselves. */
import { type MatpowerCase, readMatpower } from '@enerchain/cim';
import { describe, expect, test } from 'vitest';
import { type CaseResult, CaseSolver } from '../src/cases/case-solver.ts';
import { caseOfMatpower } from '../src/cases/matpower.ts';
import { type BusTable, branchTable, busTable } from '../src/powerflow/case.ts';
import { hasMatpower, matpowerCase } from './matpower.ts';

const solver = (source: MatpowerCase) => new CaseSolver(caseOfMatpower(source));

interface Rows {
  readonly bus: string;
  readonly gen: string;
  readonly branch: string;
}
/** Rows as in a file, without the columns that no power flow reads. */
function grid({ bus, gen, branch }: Rows): MatpowerCase {
  const rows = (text: string, make: (values: string[]) => string): string =>
    text
      .split(';')
      .map((row) => make(row.trim().split(/\s+/)))
      .join('\n');
  return readMatpower(`function mpc = small
mpc.version = '2';
mpc.baseMVA = 10;
mpc.bus = [${rows(bus, ([id, type, pd, qd, gs = '0', bs = '0']) => `${id} ${type} ${pd} ${qd} ${gs} ${bs} 1 1 0 110 1 1.1 0.9;`)}];
mpc.gen = [${rows(gen, ([id, pg, qg, vg, status = '1', qmax = 'Inf', qmin = '-Inf']) => `${id} ${pg} ${qg} ${qmax} ${qmin} ${vg} 10 ${status} Inf 0;`)}];
mpc.branch = [${rows(branch, ([from, to, r, x, b, ratio = '0', angle = '0', status = '1', rate = '0']) => `${from} ${to} ${r} ${x} ${b} ${rate} 0 0 ${ratio} ${angle} ${status};`)}];`);
}

/**
 * The largest of what is left over at any bus where P or Q is given, pu: from the rows of the file and the voltages of the
 * result alone, branch by branch as the MATPOWER manual (3.2) has it: V_f' = V_f / (ratio·e^jθ), π of r, x, b behind it.
 */
function leftOver(source: MatpowerCase, result: CaseResult): number {
  const place = new Map(source.buses.map(({ number }, i) => [number, i]));
  const p = source.buses.map(({ pd, gs }, i) => -(pd + gs * (result.buses[i]!.vm ?? 0) ** 2) / source.baseMVA);
  const q = source.buses.map(({ qd, bs }, i) => -(qd - bs * (result.buses[i]!.vm ?? 0) ** 2) / source.baseMVA);
  const holds = new Set<number>();
  for (const { bus, pg, qg, inService } of source.generators) {
    const i = place.get(bus)!;
    if (!inService) continue;
    p[i] = p[i]! + pg / source.baseMVA;
    q[i] = q[i]! + qg / source.baseMVA;
    holds.add(i);
  }
  const voltage = (i: number, scale = 1, turn = 0): [number, number] => {
    const { vm, va } = result.buses[i]!;
    const angle = (va! + turn) * (Math.PI / 180);
    return [vm! * scale * Math.cos(angle), vm! * scale * Math.sin(angle)];
  };
  for (const { from, to, r, x, b, ratio, angle, inService } of source.branches) {
    const [f, t] = [place.get(from)!, place.get(to)!];
    if (!inService || result.buses[f]!.vm === null || result.buses[t]!.vm === null) continue;
    const here = voltage(f, 1 / (ratio || 1), -angle);
    const there = voltage(t);
    for (const [i, [e, g], [other, otherIm]] of [
      [f, here, there],
      [t, there, here],
    ] as const) {
      const z = r * r + x * x;
      const [de, dg] = [e - other, g - otherIm];
      const re = (de * r + dg * x) / z - (b / 2) * g;
      const im = (dg * r - de * x) / z + (b / 2) * e;
      p[i] = p[i]! - (e * re + g * im);
      q[i] = q[i]! - (g * re - e * im);
    }
  }
  let most = 0;
  source.buses.forEach(({ type }, i) => {
    if (result.buses[i]!.vm === null) return;
    const held = holds.has(i) && (type === 'pv' || type === 'slack');
    if (!(held && type === 'slack')) most = Math.max(most, Math.abs(p[i]!));
    if (!held) most = Math.max(most, Math.abs(q[i]!));
  });
  return most;
}

const PUBLISHED =
  'case9 case14 case30 case_ieee30 case39 case57 case118 case_ACTIVSg200 case300 case_ACTIVSg500 case1354pegase ' +
  'case_ACTIVSg2000 case2869pegase case3120sp case9241pegase';

describe('published MATPOWER cases (skipped when the reference data is not beside the repository)', () => {
  for (const name of PUBLISHED.split(' ')) {
    test.skipIf(!hasMatpower(name))(`${name} is solved, and adds up to 1e-8 pu at every bus`, () => {
      const source = matpowerCase(name);
      const result = solver(source).solve();
      expect(result.islands[0]).toMatchObject({ converged: true, start: 'file' });
      expect(result.converged).toBe(true);
      expect(result.maxMismatch).toBeLessThan(1e-8);
      expect(result.buses.every(({ vm }) => vm !== null)).toBe(true);
      expect(leftOver(source, result)).toBeLessThan(1e-8);
    });
  }
});

describe('a MATPOWER case', () => {
  const rows = {
    bus: '10 3 0 0; 7 1 5 2 0.1 0.3; 30 2 4 1',
    gen: '10 0 0 1.02; 30 3 0 1.01',
    branch: '10 7 0.01 0.1 0.02 0.98 -30; 7 30 0.02 0.08 0.04; 10 30 0.01 0.09 0.01 0 -30',
  };

  test('has taps, phase shifts, shunts; results carry the numbers of the file', () => {
    const source = grid(rows);
    const result = solver(source).solve();
    expect(result.converged).toBe(true);
    expect(result.buses.map(({ id }) => id)).toEqual([10, 7, 30]);
    expect(leftOver(source, result)).toBeLessThan(1e-8);
    expect(result.buses[0]).toMatchObject({ vm: 1.02, va: 0 });
    // A shift of −30° advances the to end.
    expect(result.buses[1]!.va).toBeGreaterThan(25);
    // What the branches take from the buses, and the shunts, is what is fed in.
    result.buses.forEach(({ id, vm, p, q }) => {
      const { gs, bs } = source.buses.find(({ number }) => number === id)!;
      const flows = result.branches.flatMap(({ from, to, pFrom, qFrom, pTo, qTo }) => [
        ...(from === id ? [[pFrom!, qFrom!] as const] : []),
        ...(to === id ? [[pTo!, qTo!] as const] : []),
      ]);
      expect(flows.reduce((sum, flow) => sum + flow[0], (gs / 10) * vm! ** 2)).toBeCloseTo(p!, 9);
      expect(flows.reduce((sum, flow) => sum + flow[1], (-bs / 10) * vm! ** 2)).toBeCloseTo(q!, 9);
    });
  });

  test('several generators at a bus add up, the last set-point counts, and those out of service do not', () => {
    const together = solver(grid(rows)).solve();
    const split = solver(grid({ ...rows, gen: '10 0 0 1.02; 30 1 0 0.9; 30 2 0 1.01; 30 8 0 1.1 0' })).solve();
    expect(split.buses).toEqual(together.buses);
    expect(split.notes.join()).toMatch(/different set-points, the last one counts: bus 30/);
    const none = solver(grid({ ...rows, gen: '10 0 0 1.02; 30 3 0 1.01 0' })).solve();
    expect(none.buses[2]!.q).toBeCloseTo(-0.1, 9);
    expect(none.notes.join()).toMatch(/taken as load buses: bus 30/);
  });

  test('branches out of service and at isolated buses take no part; an isolated bus has no voltage', () => {
    const result = solver(
      grid({
        bus: `${rows.bus}; 5 4 3 3`,
        gen: `${rows.gen}; 5 3 0 1`,
        branch: `${rows.branch}; 10 7 0.01 0.1 0 0 0 0; 7 5 0.01 0.1 0`,
      }),
    ).solve();
    expect(result.buses.slice(0, 3)).toEqual(solver(grid(rows)).solve().buses);
    expect(result.buses[3]).toEqual({ id: 5, vm: null, va: null, p: null, q: null });
    expect(result.branches.slice(3).map(({ inService, pFrom }) => [inService, pFrom])).toEqual([
      [false, 0],
      [false, 0],
    ]);
    expect(result.converged).toBe(true);
    expect(result.notes.join()).toMatch(/1 branches in service end at isolated buses/);
  });

  test('islands are solved apart: by their own reference, by their first generator, or not at all', () => {
    const result = solver(
      grid({
        bus: '1 3 0 0; 2 1 2 1; 3 2 0 0; 4 1 2 1; 5 1 1 0; 6 1 1 0',
        gen: '1 0 0 1; 3 0 0 1.03',
        branch: '1 2 0.01 0.1 0 0 0 1 5; 3 4 0.01 0.1 0; 5 6 0.01 0.1 0 0 0 1 5',
      }),
    ).solve();
    expect(result.islands.map(({ references, converged }) => [references, converged])).toEqual([
      [[1], true],
      [[3], true],
      [[], false],
    ]);
    expect(result.converged).toBe(true);
    expect(result.notes.join()).toMatch(/the first with a generator, 3, is taken/);
    expect(result.buses.map(({ vm }) => vm === null)).toEqual([false, false, false, false, true, true]);
    expect(result.branches[0]!.loading).toBeGreaterThan(40);
    expect(result.branches[1]!.loading).toBeNull();
    expect(result.branches[2]).toMatchObject({ inService: true, pFrom: 0, loading: 0 });
    const without = solver(grid({ bus: '1 1 1 0; 2 1 1 0', gen: '1 0 0 1 0', branch: '1 2 0 0.1 0' })).solve();
    expect(without.converged).toBe(false);
  });

  test('one island that fails takes no other with it and says at which bus of the file', () => {
    const result = solver(
      grid({
        bus: '1 3 0 0; 2 1 2 1; 3 3 0 0; 44 1 900 300',
        gen: '1 0 0 1; 3 0 0 1',
        branch: '1 2 0.01 0.1 0; 3 44 0.01 0.1 0',
      }),
    ).solve();
    expect(result.converged).toBe(false);
    expect(result.buses.map(({ vm }) => vm === null)).toEqual([false, false, true, true]);
    expect(result.branches[1]).toMatchObject({ pFrom: null, loading: null });
    expect(result.islands[1]).toMatchObject({ references: [3], converged: false, failure: { bus: 44 } });
    expect(result.islands[1]!.largestMismatches[0]?.bus).toBe(44);
  });

  test('voltages in the file that lead nowhere are given up for a flat start that knows the phase shifts', () => {
    const source = grid(rows);
    const wild = {
      ...source,
      buses: source.buses.map((bus, i) => (i === 1 ? { ...bus, vm: 0.05, va: 170 } : { ...bus, va: i * -95 })),
    };
    const result = solver(wild).solve({ maxIterations: 4 });
    expect(result.islands[0]).toMatchObject({ converged: true, start: 'flat' });
    expect(result.buses[1]!.vm).toBeCloseTo(solver(source).solve().buses[1]!.vm!, 9);
  });

  test('reactive limits, when asked for, hold Q and give up the voltage', () => {
    const limited = grid({ ...rows, gen: '10 0 0 1.02; 30 3 0 1.06 1 2 -2' });
    const free = solver(limited).solve();
    expect(free.buses[2]!.vm).toBe(1.06);
    // Of 2 Mvar the load at the bus takes 1.
    expect(free.buses[2]!.q).toBeGreaterThan(0.1);
    const held = solver(limited).solve({ reactiveLimits: true });
    expect(held.islands[0]!.atLimit).toEqual([30]);
    expect(held.buses[2]!.q).toBeCloseTo(0.1, 8);
    expect(held.buses[2]!.vm).toBeLessThan(1.06);
  });

  test('a distributed slack leaves the reference with what it was given; generators share by their size', () => {
    const source = grid({
      bus: '1 3 0 0; 2 2 5 1; 3 1 6 2',
      gen: '1 4 0 1.02; 2 3 0 1.01',
      branch: '1 2 0.01 0.1 0.02; 2 3 0.02 0.08 0.04; 1 3 0.01 0.09 0.01',
    });
    const sized = {
      ...source,
      generators: source.generators.map((generator, i) => ({ ...generator, pmax: i === 0 ? 10 : 30 })),
    };
    const alone = solver(sized).solve();
    expect(alone.buses[0]!.p!).toBeGreaterThan(0.75);
    const shared = solver(sized).solve({ distributedSlack: true });
    const { distributed } = shared.islands[0]!;
    expect(shared.buses[0]!.p!).toBeCloseTo(0.4 + distributed / 4, 6);
    expect(shared.buses[1]!.p!).toBeCloseTo(0.3 - 0.5 + (3 * distributed) / 4, 6);
  });

  test('branches without impedance join their buses; what flows through them is what balances them', () => {
    const whole = caseOfMatpower(grid(rows));
    // A link from bus 30 to a bus of its own, where the load of bus 30 moves.
    const buses = busTable(4);
    const branches = branchTable(4);
    for (const column of Object.keys(buses) as (keyof BusTable)[]) buses[column].set(whole.case.buses[column]);
    for (const column of ['from', 'to', 'r', 'x', 'bFrom', 'bTo', 'ratio', 'shift'] as const) {
      branches[column].set(whole.case.branches[column]);
    }
    [branches.from[3], branches.to[3]] = [2, 3];
    [buses.p[2], buses.p[3], buses.q[3]] = [0.3, -0.4, -0.1];
    [buses.q[2], buses.vm[3]] = [0, 1];
    const limit = (fill: number): Float64Array => new Float64Array(4).fill(fill);
    const linked = new CaseSolver({
      name: 'linked',
      baseMVA: 10,
      ids: [10, 7, 30, 31],
      case: { buses, branches },
      qMin: limit(Number.NEGATIVE_INFINITY),
      qMax: limit(Number.POSITIVE_INFINITY),
      branches: [...whole.branches, { from: 30, to: 31, row: 3, rating: 10 }],
      notes: [],
    }).solve();
    const plain = new CaseSolver(whole).solve();
    expect(linked.converged).toBe(true);
    plain.buses.forEach(({ vm, va }, i) => {
      expect(linked.buses[i]!.vm!).toBeCloseTo(vm!, 9);
      expect(linked.buses[i]!.va!).toBeCloseTo(va!, 7);
    });
    expect(linked.buses[3]!.vm).toBe(linked.buses[2]!.vm);
    expect(linked.branches[3]!.pFrom!).toBeCloseTo(0.4, 9);
    expect(linked.branches[3]!.qFrom!).toBeCloseTo(0.1, 9);
    expect(linked.branches[3]!.loading!).toBeCloseTo(100 * Math.hypot(0.4, 0.1), 6);
  });

  test('what can have no power flow is refused by the numbers of the file', () => {
    expect(() => solver(grid({ ...rows, branch: '10 7 0 0 0; 7 30 0.02 0.08 0' }))).toThrow(
      /branch 1, from bus 10 to bus 7, has neither resistance nor reactance/,
    );
    expect(() => solver(grid({ ...rows, branch: '10 7 1e-200 0 0; 7 30 0.02 0.08 0' }))).toThrow(
      /branch 1.* next to nothing/,
    );
    expect(() => solver(grid({ ...rows, gen: '10 0 0 0' }))).toThrow(/bus 10 is to hold 0 pu/);
  });

  test('solving again gives the same', () => {
    const again = solver(grid(rows));
    const first = again.solve();
    again.solve({ reactiveLimits: true, maxIterations: 1 });
    expect(again.solve()).toEqual(first);
  });
});
