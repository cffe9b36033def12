import { type Point, QUALITY, SiteDocument, validator } from '@enerchain/model';
import { describe, expect, test } from 'vitest';
import { solvePowerFlow } from '../src/power-flow.ts';
import { SolutionAlarms } from '../src/service/alarms.ts';
import { LiveGrid } from '../src/service/live-grid.ts';
import { announcementOf, OutputFilter, outputsOf, SOURCE } from '../src/service/outputs.ts';
import { buildNetwork } from '../src/topology/network.ts';
import { id, smallGrid } from './small-grid.ts';

const point = (name: string, more: Partial<Point>): Point => ({
  mRID: id(`point ${name}`),
  name,
  kind: 'analog',
  ...more,
});
const power = (name: string, equipment: string, more: Partial<Point> = {}): Point =>
  point(name, { measurementType: 'ThreePhaseActivePower', unitMultiplier: 'M', equipment: id(equipment), ...more });
const POINTS: readonly Point[] = [
  point('CB1', { kind: 'discrete', cdc: 'DPS', measurementType: 'SwitchPosition', equipment: id('CB1') }),
  point('TIE', { kind: 'discrete', cdc: 'DPS', measurementType: 'SwitchPosition', equipment: id('TIE') }),
  point('tap', { kind: 'discrete', measurementType: 'TapPosition', equipment: id('T1') }),
  power('LA', 'LA'),
  power('LB in kW', 'LB', { unitMultiplier: 'k' }),
  power('PV feeding', 'PV', { positiveFlowIn: false }),
  point('something else', {}),
];

function live(): {
  grid: LiveGrid;
  take(name: string, value: number | null, quality?: number): boolean;
  solve(at?: number): ReturnType<LiveGrid['solve']>;
} {
  const grid = new LiveGrid(smallGrid());
  grid.setPoints(POINTS);
  return {
    grid,
    take: (name, value, quality = QUALITY.good) => grid.take(id(`point ${name}`), value, quality),
    solve: (at = 0) => grid.solve(at, () => 0),
  };
}

describe('the live grid', () => {
  test('solves with what is measured: sign, multiplier and all', () => {
    const { take, solve } = live();
    take('LA', 1);
    take('LB in kW', 500);
    take('PV feeding', 0.8);
    const { result } = solve();
    expect(result.flows.get(id('LA:a1'))!.p).toBeCloseTo(1, 9);
    expect(result.flows.get(id('LB:b1'))!.p).toBeCloseTo(0.5, 9);
    expect(result.flows.get(id('PV:b1'))!.p).toBeCloseTo(-0.8, 9);
    // Not measured: as the model says.
    expect(result.flows.get(id('LB:b1'))!.q).toBeCloseTo(0.3, 9);
  });

  test('a breaker reported open takes the feeder out, on its way it stays where it was', () => {
    const { take, solve } = live();
    take('CB1', 1);
    expect(solve().result.buses.some((bus) => bus.voltage === null)).toBe(true);
    expect(take('CB1', 0)).toBe(false);
    expect(solve().result.buses.some((bus) => bus.voltage === null)).toBe(true);
    take('CB1', 2);
    expect(solve().result.buses.every((bus) => bus.voltage !== null)).toBe(true);
  });

  test('invalid values and values of other points change nothing and are counted', () => {
    const { grid, take, solve } = live();
    take('LA', 1);
    expect(take('LA', 7, QUALITY.invalid)).toBe(false);
    expect(take('LA', null)).toBe(false);
    expect(take('something else', 5)).toBe(false);
    expect(solve().result.flows.get(id('LA:a1'))!.p).toBeCloseTo(1, 9);
    expect(grid.coverage).toMatchObject({ old: 1, injections: 3, injectionsMeasured: 1, switches: 3 });
  });

  test('says everything once, then only what has moved, and all of it again after a minute', () => {
    const { grid, take, solve } = live();
    expect(solve(0).values).toHaveLength(grid.outputs.length);
    expect(solve(1000).values).toHaveLength(0);
    take('LA', 2.5);
    const moved = solve(2000).values.length;
    expect(moved).toBeGreaterThan(0);
    expect(moved).toBeLessThan(grid.outputs.length);
    expect(solve(70_000).values).toHaveLength(grid.outputs.length);
  });

  test('raises an overload once and takes it back once', () => {
    const { take, solve } = live();
    take('LA', 6);
    expect(solve().alarms).toMatchObject([{ key: `grid-state/overload/${id('A')}`, active: true, priority: 2 }]);
    expect(solve().alarms).toEqual([]);
    take('LA', 2);
    expect(solve().alarms).toMatchObject([{ key: `grid-state/overload/${id('A')}`, active: false }]);
  });

  test('a grid without solution is alarmed when it persists, and its values become invalid', () => {
    const network = buildNetwork(smallGrid());
    const solve = (p: number) => solvePowerFlow(network, { powers: new Map([[id('LA'), { p, q: 0 }]]) });
    const alarms = new SolutionAlarms();
    const without = solve(4000);
    expect(without.converged).toBe(false);
    expect(alarms.check(without)).toEqual([]);
    alarms.check(without);
    expect(alarms.check(without)).toMatchObject([{ key: 'grid-state/not-converged', active: true }]);
    const outputs = outputsOf(smallGrid());
    const values = new OutputFilter().select(outputs, without, 1, 0);
    expect(values.filter(({ value }) => value === null).length).toBeGreaterThan(4);
    for (const { value, quality } of values) {
      expect(quality & QUALITY.estimated).not.toBe(0);
      expect((quality & 3) === QUALITY.invalid).toBe(value === null);
    }
    expect(alarms.check(solve(2))).toMatchObject([{ key: 'grid-state/not-converged', active: false }]);
  });

  test('its announcement is a valid site document whose mRIDs are the same for everybody', () => {
    const document = { source: SOURCE, version: 1, ...announcementOf(live().grid.outputs, ['edge-a']) };
    expect(validator(SiteDocument).findings(document)).toEqual([]);
    expect(announcementOf(live().grid.outputs, [])).toEqual(announcementOf(live().grid.outputs, []));
    expect(new Set(document.points.map(({ mRID }) => mRID)).size).toBe(document.points.length);
  });
});
