import { describe, expect, test } from 'vitest';
import { networkContingencies } from '../src/network-contingencies.ts';
import { solvePowerFlow } from '../src/power-flow.ts';
import { buildNetwork } from '../src/topology/network.ts';
import { id, lineBetween, loadAt, smallGrid, switchBetween } from './small-grid.ts';

const closedRing = { switches: new Map([[id('TIE'), true]]) };

describe('the contingencies of a network', () => {
  test('agree with the power flow of the network without the line', async () => {
    const heavy = { powers: new Map([[id('LA'), { p: 4, q: 1 }]]) };
    const ring = buildNetwork(smallGrid(), closedRing);
    const result = await networkContingencies(ring, heavy, { allAc: true });
    // Line A, line B, the transformer, the source and PV; there is no busbar in this grid.
    expect(result).toMatchObject({ outages: 5, solved: 5, unsolved: 0 });
    const lossOfA = result.violations.find(({ outage }) => outage.equipment === id('A'))!;
    const opened = buildNetwork(smallGrid(), {
      switches: new Map([
        [id('TIE'), true],
        [id('CB1'), false],
      ]),
    });
    // Line A hangs at the tie then; its charging is all that differs.
    const after = solvePowerFlow(opened, heavy);
    const lineB = after.branches.find(({ equipment }) => equipment === id('B'))!;
    const [limit] = lossOfA.limits.filter(({ kind }) => kind === 'overload');
    expect(limit).toMatchObject({ equipment: id('B'), name: 'B', limit: expect.closeTo(145, 6) });
    expect(limit!.loading).toBeCloseTo(lineB.loading!, 0);
    expect(limit!.value).toBeCloseTo(Math.max(lineB.from!.i, lineB.to!.i), 0);
    expect(result.loadings.find(({ equipment }) => equipment === id('B'))).toMatchObject({
      outage: { equipment: id('A'), class: 'ACLineSegment' },
      worst: expect.closeTo(limit!.loading, 6),
    });
  });

  test('an open ring loses the load behind the line, the lost source everything', async () => {
    const result = await networkContingencies(buildNetwork(smallGrid()));
    const lost = new Map(result.loadLost.map(({ outage, islanded }) => [outage.name, islanded!.loadLostMW]));
    expect(lost.get('A')).toBeCloseTo(2, 9);
    expect(lost.get('B')).toBeCloseTo(1.2, 9);
    expect(lost.get('source')).toBeCloseTo(3.2, 9);
    expect(result.loadLost[0]!.islanded!.loadLostMW).toBeCloseTo(3.2, 9);
  });

  test('a fault on one of two coupled busbars takes its own feeders only', async () => {
    const node = (name: string) => ({ mRID: id(name), name, voltageLevel: id('vl20') });
    const busbar = (name: string, at: string) => ({
      class: 'BusbarSection' as const,
      mRID: id(name),
      name,
      terminals: [{ mRID: id(`${name}:t`), connectivityNode: id(at) }],
    });
    // Busbar 1 at m with the transformer and feeders A and B; busbar 2 behind a coupler, with feeder C.
    const base = smallGrid([
      busbar('BB1', 'm'),
      busbar('BB2', 'm2'),
      switchBetween('coupler', 'm', 'm2'),
      switchBetween('CB3', 'm2', 'c0'),
      lineBetween('C', 'c0', 'c1'),
      loadAt('LC', 'c1', 0.7, 0.1),
    ]);
    const model = { ...base, connectivityNodes: [...base.connectivityNodes, node('m2'), node('c0'), node('c1')] };
    const network = buildNetwork(model);
    const result = await networkContingencies(network, {}, { kinds: ['bus'] });
    const lost = new Map(result.loadLost.map(({ outage, islanded }) => [outage.name, islanded!.loadLostMW]));
    expect(result.outages).toBe(2);
    expect(lost.get('BB2')).toBeCloseTo(0.7, 9);
    expect(lost.get('BB1')).toBeCloseTo(2 + 1.2 + 0.7, 9);
    const groups = [{ name: 'both feeders', equipment: ['A', id('C')] }];
    const group = await networkContingencies(network, {}, { kinds: [], groups });
    expect(group.loadLost).toMatchObject([
      { outage: { class: 'group' }, islanded: { loadLostMW: expect.closeTo(2.7, 9) } },
    ]);
    const wrong = networkContingencies(network, {}, { groups: [{ name: 'x', equipment: ['nothing'] }] });
    await expect(wrong).rejects.toMatchObject({ code: 'contingencies.group', fault: 'caller' });
  });

  test('says which islands have no solution, and nothing about them', async () => {
    const powers = new Map([[id('LA'), { p: 900, q: 300 }]]);
    const result = await networkContingencies(buildNetwork(smallGrid()), { powers });
    expect(result).toMatchObject({ outages: 0, unsolved: 1, violations: [] });
  });
});
