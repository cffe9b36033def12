import { describe, expect, test } from 'vitest';
import type { NetworkContingencies } from '../src/network-contingencies.ts';
import { solvePowerFlow } from '../src/power-flow.ts';
import { ContingencyAlarms } from '../src/service/contingency-alarms.ts';
import { type ContingencyState, LiveContingencies } from '../src/service/live-contingencies.ts';
import { buildNetwork } from '../src/topology/network.ts';
import { id, smallGrid } from './small-grid.ts';

const model = smallGrid();
const base = (closed: boolean, p = 2) => {
  const network = buildNetwork(model, { switches: new Map([[id('TIE'), closed]]) });
  const injections = { powers: new Map([[id('LA'), { p, q: 0.6 }]]) };
  return { network, injections, last: solvePowerFlow(network, injections) };
};

describe('the contingencies of the live grid', () => {
  test('come once a minute, and at once after a switch has moved', async () => {
    const live = new LiveContingencies();
    const states: ContingencyState[] = [];
    let now = 0;
    const look = async (closed: boolean, after: number): Promise<number> => {
      now += after;
      live.look(
        base(closed),
        () => now,
        (state) => states.push(state),
      );
      await live.idle;
      return states.length;
    };
    expect(await look(false, 0)).toBe(1);
    expect(await look(false, 1_000)).toBe(1);
    expect(await look(false, 58_000)).toBe(1);
    expect(await look(false, 1_000)).toBe(2);
    expect(await look(true, 1_000)).toBe(2); // too soon after the last
    expect(await look(true, 1_000)).toBe(3);
    expect(await look(true, 3_000)).toBe(3);
    expect(states.map(({ result }) => result.loadLost.length > 2)).toEqual([true, true, false]);
    expect(live.state).toBe(states[2]);
    live.close();
    expect(await look(false, 60_000)).toBe(3);
  });

  test('wait while one is running, and while the grid has no solution', async () => {
    const live = new LiveContingencies();
    let done = 0;
    const count = () => {
      done += 1;
    };
    live.look(base(true), () => 0, count);
    live.look(base(false), () => 100_000, count);
    await live.idle;
    expect(done).toBe(1);
    live.look(base(false, 900), () => 200_000, count);
    await live.idle;
    expect(done).toBe(1);
  });
});

describe('alarms of contingencies', () => {
  const outcome = (...broken: [name: string, severity: number | null][]): NetworkContingencies => ({
    outages: broken.length,
    screened: 0,
    solved: broken.length,
    violations: broken.map(([name, severity]) => ({
      outage: { equipment: name, name, class: 'ACLineSegment' },
      severity,
      converged: severity !== null,
      limits: [{ equipment: 'l', name: 'Line', kind: 'overload', value: 150, limit: 100, loading: 150, before: 50 }],
      more: 2,
    })),
    loadLost: [],
    loadings: [],
    unsolved: 0,
    notes: [],
  });

  test('are raised once per outage and taken back once', () => {
    const alarms = new ContingencyAlarms();
    const [first] = alarms.check(outcome(['A', 50], ['B', 0.5]));
    expect(first).toMatchObject({ key: 'grid-state/contingency/A', priority: 3, active: true });
    expect(first!.message).toBe(
      'If A fails, Line is loaded with 150 % of what it may carry, and 2 more limits are broken.',
    );
    expect(alarms.check(outcome(['A', 60]))).toEqual([]);
    // What is hardly broken any more is broken still.
    expect(alarms.check(outcome(['A', 0.1]))).toEqual([]);
    expect(alarms.check(outcome())).toMatchObject([{ key: 'grid-state/contingency/A', active: false }]);
    expect(alarms.check(outcome(['C', null]))).toMatchObject([
      { priority: 2, message: expect.stringContaining('no solution') },
    ]);
  });

  test('do not flood: the gravest have their own, one stands for all the others', () => {
    const alarms = new ContingencyAlarms();
    const many = Array.from({ length: 50 }, (_, i): [string, number] => [`L${i}`, 100 - i]);
    const raised = alarms.check(outcome(...many));
    expect(raised).toHaveLength(11);
    expect(raised[0]).toMatchObject({ key: 'grid-state/contingency/L0' });
    expect(raised.at(-1)).toMatchObject({
      key: 'grid-state/contingency/others',
      message: expect.stringMatching(/^40 more/),
    });
    expect(alarms.check(outcome(...many.slice(0, 40)))).toEqual([]);
    const few = alarms.check(outcome(...many.slice(0, 3)));
    expect(few.map(({ active }) => active)).toEqual(new Array(8).fill(false));
  });
});
