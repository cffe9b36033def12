import { type Point, QUALITY } from '@enerchain/model';
import { describe, expect, test } from 'vitest';
import { gaussian } from '../src/cases/simulate.ts';
import { type PowerFlowResult, solvePowerFlow } from '../src/power-flow.ts';
import { estimateJson } from '../src/results/estimate-json.ts';
import { answerEstimate } from '../src/service/estimate-api.ts';
import { LiveGrid } from '../src/service/live-grid.ts';
import { pointOf } from '../src/service/outputs.ts';
import { buildNetwork } from '../src/topology/network.ts';
import { id, smallGrid } from './small-grid.ts';

const analog = (name: string, measurementType: string, terminal: string, more: Partial<Point> = {}): Point => ({
  mRID: id(`point ${name}`),
  name,
  kind: 'analog',
  measurementType,
  terminal: id(terminal),
  ...(measurementType.startsWith('ThreePhase') ? { unitMultiplier: 'M' as const } : {}),
  ...more,
});
const busbars = ['h', 'm', 'a1', 'b1'].map((node) => ({
  class: 'BusbarSection' as const,
  mRID: id(`BB ${node}`),
  name: `BB ${node}`,
  terminals: [{ mRID: id(`BB ${node}:${node}`), connectivityNode: id(node) }],
}));
const GRID = smallGrid(busbars);
/** P and Q at every branch end and at every load; voltages at the busbars. */
const PLACES = ['source:h', 'T1:h', 'T1:m', 'A:a0', 'A:a1', 'B:b0', 'B:b1', 'LA:a1', 'LB:b1', 'PV:b1'];
const POINTS: readonly Point[] = [
  ...PLACES.flatMap((place) => [
    analog(`P ${place}`, 'ThreePhaseActivePower', place, place.startsWith('PV') ? { positiveFlowIn: false } : {}),
    analog(`Q ${place}`, 'ThreePhaseReactivePower', place),
  ]),
  ...['A:a0', 'B:b0', 'LA:a1'].map((place) => analog(`I ${place}`, 'LineCurrent', place)),
  ...['h', 'm', 'a1', 'b1'].map((node) =>
    analog(`V ${node}`, 'LineToLineVoltage', `BB ${node}:${node}`, { unitMultiplier: 'k', staleAfter: 100 }),
  ),
  {
    mRID: id('point CB1'),
    name: 'CB1',
    kind: 'discrete',
    cdc: 'DPS',
    measurementType: 'SwitchPosition',
    equipment: id('CB1'),
  },
  analog('P of a switch', 'ThreePhaseActivePower', 'CB1:m'),
];

/** What is really going on, which is not what the model takes for usual. */
const TRUTH = solvePowerFlow(buildNetwork(GRID), {
  powers: new Map([
    [id('LA'), { p: 3.1, q: 0.9 }],
    [id('LB'), { p: 0.7, q: 0.1 }],
    [id('PV'), { p: -0.6, q: 0.05 }],
  ]),
  voltages: new Map([[id('source'), 113.2]]),
});

function exact(point: Point): number | undefined {
  const flow = TRUTH.flows.get(point.terminal ?? '');
  switch (point.measurementType) {
    case 'ThreePhaseActivePower':
      return flow && (point.positiveFlowIn === false ? -flow.p : flow.p);
    case 'ThreePhaseReactivePower':
      return flow?.q;
    case 'LineCurrent':
      return flow?.i;
    case 'LineToLineVoltage': {
      const node = GRID.equipment.find(({ terminals }) => terminals[0]!.mRID === point.terminal)!.terminals[0]!;
      return TRUTH.buses[TRUTH.busOfNode.get(node.connectivityNode)!]!.voltage!;
    }
    default:
      return undefined;
  }
}

/** A live grid whose instruments deviate a little, all from the seed. */
function live(seed = 1) {
  const noise = gaussian(seed);
  const grid = new LiveGrid(GRID);
  grid.setPoints(POINTS);
  let at = 0;
  const take = (name: string, value: number | null, quality: number = QUALITY.good) =>
    grid.take(id(`point ${name}`), value, quality, at);
  const measureAll = (): void => {
    for (const point of POINTS) {
      const value = exact(point);
      const share = point.measurementType === 'LineToLineVoltage' ? 0.002 : 0.004;
      if (value !== undefined) take(point.name, value * (1 + share * noise()));
    }
  };
  measureAll();
  const solve = (seconds = 1) => {
    at += 1000 * seconds;
    return grid.solve(at, () => 0);
  };
  const cycles = (count: number) => Array.from({ length: count }, () => solve()).flatMap(({ alarms }) => alarms);
  return { grid, take, measureAll, solve, cycles };
}
const voltageAt = (result: PowerFlowResult, node: string): number =>
  result.buses[result.busOfNode.get(id(node))!]!.voltage!;

describe('the live estimate', () => {
  test('is near the truth where the model alone would not be, and says how near', () => {
    const { grid, solve } = live();
    const { result } = solve();
    const { estimate } = grid.estimate!;
    expect(estimate).toMatchObject({ estimated: true, observable: true, badData: [], unobservable: [] });
    expect(result.islands[0]).toMatchObject({ converged: true, estimated: true });
    for (const node of ['h', 'm', 'a1', 'b1']) {
      const bus = estimate.buses[result.busOfNode.get(id(node))!]!;
      expect(Math.abs(voltageAt(result, node) - voltageAt(TRUTH, node))).toBeLessThan(4 * bus.sigmaVoltage!);
      expect(bus.sigmaVoltage! / voltageAt(TRUTH, node)).toBeLessThan(0.003);
    }
    for (const terminal of ['A:a0', 'LA:a1', 'LB:b1', 'PV:b1', 'source:h', 'CB2:m']) {
      expect(result.flows.get(id(terminal))!.p).toBeCloseTo(TRUTH.flows.get(id(terminal))!.p, 1);
    }
    // The balance closes to the last digit: what the estimate says of the parts adds up.
    for (const node of ['m', 'a1', 'b1']) {
      const at = GRID.equipment.flatMap(({ terminals }) => terminals.filter((t) => t.connectivityNode === id(node)));
      expect(at.reduce((sum, { mRID }) => sum + (result.flows.get(mRID)?.p ?? 0), 0)).toBeCloseTo(0, 6);
    }
  });

  test('publishes residuals and its own health beside the solution', () => {
    const { grid, take, solve } = live();
    take('V m', voltageAt(TRUTH, 'm') + 0.12);
    const { values } = solve();
    const value = (address: string) => values.find(({ point }) => point === pointOf(address));
    expect(value(`point=${id('point V m')} residual`)!.value).toBeCloseTo(0.12, 1);
    expect(value('estimate observable')).toMatchObject({ value: 1, quality: QUALITY.estimated });
    expect(value('estimate used')!.value).toBe(1);
    expect(value('estimate bad data')!.value).toBe(0);
    expect(grid.outputs.filter(({ point }) => point.measurementType === 'EstimationResidual')).toHaveLength(28);
  });

  test('a wrong instrument is named after some cycles, left out, and taken back when it is right again', () => {
    const { grid, take, cycles, measureAll } = live(2);
    cycles(3);
    take('P A:a0', 9.4);
    const alarms = cycles(6);
    expect(alarms).toMatchObject([{ key: `grid-state/bad-data/${id('point P A:a0')}`, active: true, priority: 3 }]);
    expect(alarms[0]!.message).toMatch(/^P A:a0 reads 9\.40 MW, about 6\.\d+ MW off/);
    const { estimate } = grid.estimate!;
    expect(estimate.result.flows.get(id('A:a0'))!.p).toBeCloseTo(TRUTH.flows.get(id('A:a0'))!.p, 1);
    expect(estimate.measurements.find(({ point }) => point === id('point P A:a0'))).toMatchObject({
      suspect: true,
      value: 9.4,
    });
    measureAll();
    expect(cycles(12)).toMatchObject([{ key: `grid-state/bad-data/${id('point P A:a0')}`, active: false }]);
  });

  test('a wrong switch position shows as an injection that cannot be, or as measurements against all others', () => {
    const { grid, take, cycles } = live(3);
    take('CB1', 1);
    const alarms = cycles(8);
    expect(alarms.some(({ key, active }) => active && key.startsWith('grid-state/bad-data/'))).toBe(true);
    expect(grid.estimate!.estimate.badData.length).toBeGreaterThan(0);
  });

  test('what is lost is believed first as it was last, then as usual; what is impossible is set aside', () => {
    const { grid, take, solve } = live(4);
    for (const name of ['P LA:a1', 'Q LA:a1', 'P A:a1', 'Q A:a1', 'P A:a0', 'Q A:a0', 'I A:a0', 'I LA:a1', 'V a1']) {
      take(name, 0, QUALITY.invalid);
    }
    const { result } = solve();
    expect(grid.estimate!.estimate).toMatchObject({ observable: true, estimated: true });
    // All others see it still: the transformer less feeder B.
    expect(result.flows.get(id('LA:a1'))!.p).toBeCloseTo(3.1, 0);
    take('V m', 0.3);
    take('P LB:b1', 500);
    solve();
    const json = estimateJson(grid.estimate!);
    const implausible = json.measurements.filter((each) => 'unused' in each && each.unused === 'implausible');
    expect(implausible.map(({ measured }) => measured)).toEqual([500, 0.3]);
    expect(grid.estimate!.estimate.badData).toEqual([]);
  });

  test('no voltage behind an open switch is no fault of the instrument; a voltage beyond all measure is', () => {
    const { grid, take, solve } = live(6);
    const unused = () =>
      estimateJson(grid.estimate!).measurements.flatMap((each) =>
        'unused' in each && each.unused === 'implausible' ? [each.measured] : [],
      );
    for (const name of ['P LA:a1', 'Q LA:a1', 'P A:a1', 'Q A:a1', 'P A:a0', 'Q A:a0', 'I A:a0', 'I LA:a1', 'V a1'])
      take(name, 0);
    solve();
    expect(unused()).toEqual([0]);
    take('CB1', 1);
    const { alarms } = solve();
    expect(unused()).toEqual([]);
    expect(alarms.filter(({ active }) => active).map(({ message }) => message)).toEqual([]);
    take('V a1', 300);
    solve();
    expect(unused()).toEqual([300]);
  });

  test('questionable values count for less, values in test and old ones not at all', () => {
    const { grid, take, solve } = live(5);
    const sigma = (name: string) =>
      grid.estimate!.estimate.measurements.find(({ point }) => point === id(`point ${name}`))?.sigma;
    solve();
    const usual = sigma('V m')!;
    take('V m', 20.5, QUALITY.questionable | QUALITY.inaccurate);
    take('V a1', 20.2, QUALITY.good | QUALITY.test);
    solve();
    expect(sigma('V m')).toBeCloseTo(3 * usual, 12);
    expect(sigma('V a1')).toBeUndefined();
    solve(150);
    expect(sigma('V b1')).toBeCloseTo(3 * usual, 12);
    solve(1000);
    expect(sigma('V b1')).toBeUndefined();
    // Powers, whose points name no time, still count.
    expect(sigma('P A:a0')).toBeDefined();
  });

  test('with nothing measured the beliefs alone make a state, and wide deviations say what it is worth', () => {
    const grid = new LiveGrid(GRID);
    grid.setPoints([]);
    const { result } = grid.solve(0, () => 0);
    const { estimate } = grid.estimate!;
    expect(estimate).toMatchObject({ estimated: true, badData: [], measurements: [] });
    expect(estimate.buses[result.busOfNode.get(id('m'))!]!.sigmaVoltage!).toBeGreaterThan(0.4);
    expect(result.flows.get(id('LA:a1'))!.p).toBeCloseTo(2, 6);
  });

  test('a busbar outside its band is alarmed at once and taken back with some distance', () => {
    const grid = new LiveGrid(GRID);
    grid.setPoints(POINTS);
    const high = (kV: number) => {
      grid.take(id('point V h'), kV * 5.5, QUALITY.good);
      for (const node of ['m', 'a1', 'b1']) grid.take(id(`point V ${node}`), kV, QUALITY.good);
      return grid.solve(0, () => 0).alarms.filter(({ key }) => key.includes('voltage'));
    };
    expect(high(20.5)).toEqual([]);
    expect(high(23).map(({ active }) => active)).toEqual([true, true, true, true]);
    expect(high(22.0)).toEqual([]);
    expect(high(21).map(({ active }) => active)).toEqual([false, false, false, false]);
  });

  test('answers what is measured beside what is estimated', () => {
    const { grid, solve } = live(6);
    const state = {
      model: GRID,
      unusable: undefined,
      result: undefined,
      coverage: undefined,
      solveMillis: 0,
      solvedAt: '2026-06-17T12:00:00Z',
      behind: 0,
    };
    expect(answerEstimate('GET', grid.estimate, state).status).toBe(503);
    solve();
    expect(answerEstimate('POST', grid.estimate, state).status).toBe(405);
    const answer = answerEstimate('GET', grid.estimate, state);
    expect(answer.status).toBe(200);
    const body = JSON.parse(Buffer.from(answer.body).toString());
    expect(body).toMatchObject({ at: '2026-06-17T12:00:00Z', observable: true, unobservable: [], badData: [] });
    expect(body.degreesOfFreedom).toBeGreaterThan(10);
    const voltage = body.measurements.find(({ point }: { point: string }) => point === id('point V m'));
    expect(voltage).toMatchObject({ kind: 'voltage', equipment: id('BB m'), terminal: id('BB m:m'), suspect: false });
    expect(voltage.residual).toBeCloseTo(voltage.measured - voltage.estimated, 9);
    expect(Math.abs(voltage.normalizedResidual)).toBeLessThan(5);
    const bus = body.buses.find(({ nodes }: { nodes: string[] }) => nodes.includes(id('m')));
    expect(bus.sigmaVoltage).toBeGreaterThan(0);
    const atSwitch = body.measurements.find(({ point }: { point: string }) => point === id('point P of a switch'));
    expect(atSwitch).toMatchObject({ terminal: id('CB1:m'), equipment: id('CB1'), suspect: false });
    expect(atSwitch).not.toHaveProperty('unused');
    expect(atSwitch.estimated).toBeCloseTo(TRUTH.flows.get(id('CB1:m'))!.p, 1);
    const current = body.measurements.find(({ point }: { point: string }) => point === id('point I LA:a1'));
    expect(current).toMatchObject({ unused: 'notModelled' });
    expect(current.estimated).toBeCloseTo(current.measured, 0);
  });
});
