import { readMatpower } from '@enerchain/cim';
import { describe, expect, test } from 'vitest';
import { caseContingencies } from '../src/cases/case-contingencies.ts';
import { caseOfMatpower } from '../src/cases/matpower.ts';
import { hasMatpower, matpowerCase } from './matpower.ts';

/** 10 (reference) ═ 20 ─ 30, two lines to 20 of which one carries 60 % alone; a generator at 30. */
const text = `function mpc = three
mpc.version = '2';
mpc.baseMVA = 100;
mpc.bus = [
  10 3  0  0 0 0 1 1 0 110 1 1.1 0.9
  20 1 90 10 0 0 1 1 0 110 1 1.1 0.9
  30 2 30  5 0 0 1 1 0 110 1 1.1 0.9
  40 1  7  0 0 0 2 1 0 110 1 1.1 0.9];
mpc.gen = [
  10  0 0 300 -300 1.02 100 1 300 0
  30 20 0  50  -50 1.01 100 1  50 0
  30  5 0  10  -10 1.01 100 1  10 0];
mpc.branch = [
  10 20 0.01 0.05 0 55 0 0 0 0 1
  10 20 0.01 0.05 0 55 0 0 0 0 1
  20 30 0.01 0.05 0 50 0 0 0 0 1
  20 30 0.01 0.05 0 50 0 0 0 0 0];
`;
const three = caseOfMatpower(readMatpower(text));

describe('the contingencies of a case', () => {
  test('are named by the numbers of the file, in MW and MVA, the worst first', async () => {
    const result = await caseContingencies(three);
    // 3 branches in service, 3 generators, 3 buses with voltage; bus 40 has none.
    expect(result.outages).toBe(9);
    expect(result.screened + result.solved).toBe(9);
    // (The loss of the reference is worse: the generator at 30 cannot carry all of it.)
    const worst = result.violations.find(({ outage }) => outage.kind === 'branch');
    expect(worst).toMatchObject({
      outage: { kind: 'branch', equipment: 'branch:1', name: 'branch 1 (10–20)' },
      converged: true,
    });
    expect(worst!.limits[0]).toMatchObject({ equipment: 'branch:2', kind: 'overload', limit: expect.closeTo(55, 9) });
    const { value, loading, before } = worst!.limits[0]!;
    expect(loading).toBeCloseTo((100 * value) / 55, 9);
    expect(value).toBeGreaterThan(90);
    expect(before).toBeLessThan(55);
    expect(result.violations.map(({ severity }) => severity)).toEqual(
      result.violations.map(({ severity }) => severity).sort((a, b) => b! - a!),
    );
    const first = result.loadings.find(({ equipment }) => equipment === 'branch:1');
    expect(first!.before).toBeCloseTo((100 * before) / 55, 6);
    expect(first!.worst).toBeGreaterThan(loading! - 1e-6);
    const dark = result.loadLost.find(({ outage }) => outage.equipment === 'bus:20');
    expect(dark).toMatchObject({ islanded: { buses: 2, loadLostMW: expect.closeTo(120, 9) } });
  });

  test('groups lose everything that they name', async () => {
    const groups = [
      { name: 'both lines', branches: [1, 2] },
      { name: 'plant', generators: [30] },
    ];
    const { loadLost, violations } = await caseContingencies(three, { kinds: [], groups });
    expect(loadLost).toMatchObject([
      { outage: { kind: 'group', name: 'both lines' }, islanded: { buses: 2, loadLostMW: 120 } },
    ]);
    expect(violations).toMatchObject([{ outage: { name: 'plant' } }]);
    for (const group of [
      { name: 'x', branches: [0] },
      { name: 'x', branches: [5] },
      { name: 'x', buses: [11] },
      { name: 'x', generators: [20] },
    ]) {
      const error = { code: 'contingencies.group', fault: 'caller', message: expect.stringContaining("group 'x'") };
      await expect(caseContingencies(three, { groups: [group] })).rejects.toMatchObject(error);
    }
  });

  test('a case without a solution says where it has none', async () => {
    const much = caseOfMatpower(readMatpower(text.replace('20 1 90', '20 1 9000')));
    const error = { code: 'contingencies.base', message: expect.stringMatching(/three has no solution .*bus 20/) };
    await expect(caseContingencies(much)).rejects.toMatchObject(error);
  });

  for (const name of ['case14', 'case39', 'case57', 'case118', 'case_ACTIVSg200']) {
    test.skipIf(!hasMatpower(name))(`screening of ${name} misses nothing that the full power flow finds`, async () => {
      const grid = caseOfMatpower(matpowerCase(name));
      for (const reactiveLimits of [false, true]) {
        const fast = await caseContingencies(grid, { reactiveLimits, workers: 0 });
        const full = await caseContingencies(grid, { reactiveLimits, workers: 0, allAc: true });
        expect(full.screened).toBe(0);
        const broken = ({ violations }: typeof full) => violations.map(({ outage }) => outage.equipment).sort();
        expect(broken(fast)).toEqual(broken(full));
        expect(fast.loadLost.map(({ outage }) => outage.name)).toEqual(full.loadLost.map(({ outage }) => outage.name));
        expect(fast.screened).toBeGreaterThan(0);
      }
    });
  }
});
