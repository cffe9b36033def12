/** Powers measured at the switches of a bay, where bay units have their transformers. */
import { describe, expect, test } from 'vitest';
import { estimateNetwork } from '../src/network-estimation/estimate-network.ts';
import type { NetworkEstimate, TerminalMeasurement } from '../src/network-estimation/network-estimate.ts';
import { solvePowerFlow } from '../src/power-flow.ts';
import { buildNetwork } from '../src/topology/network.ts';
import { id, lineBetween, loadAt, smallGrid, switchBetween } from './small-grid.ts';

/** Beside the small grid: a busbar coupler, and a bay of disconnector, breaker and cable with a load behind a fuse. */
const GRID = (() => {
  const grid = smallGrid([
    switchBetween('coupler', 'm', 'm2'),
    switchBetween('Q1', 'm2', 'c0'),
    switchBetween('Q0', 'c0', 'c1'),
    lineBetween('C', 'c1', 'c2'),
    switchBetween('F', 'c2', 'c3'),
    loadAt('LC', 'c3', 1.4, 0.5),
    loadAt('LM', 'm2', 0.3, 0.1),
  ]);
  const level = grid.connectivityNodes.at(-1)!.voltageLevel;
  const more = ['m2', 'c0', 'c1', 'c2', 'c3'].map((name) => ({ mRID: id(name), name, voltageLevel: level }));
  return { ...grid, connectivityNodes: [...grid.connectivityNodes, ...more] };
})();
const TRUTH = solvePowerFlow(buildNetwork(GRID));

const SIGMA = 0.05;
/** The exact readings at terminals. */
const readings = (...terminals: readonly string[]): TerminalMeasurement[] =>
  terminals.flatMap((terminal) =>
    (['p', 'q'] as const).map((kind) => {
      const value = TRUTH.flows.get(id(terminal))![kind];
      return { point: `${kind} ${terminal}`, terminal: id(terminal), kind, value, sigma: SIGMA };
    }),
  );
const voltage = (terminal: string, node: string): TerminalMeasurement => ({
  point: `v ${terminal}`,
  terminal: id(terminal),
  kind: 'voltage',
  value: TRUTH.buses[TRUTH.busOfNode.get(id(node))!]!.voltage!,
  sigma: 0.05,
});
const REST = [
  voltage('T1:h', 'h'),
  voltage('T1:m', 'm'),
  ...readings('T1:m', 'A:a0', 'LA:a1', 'B:b0', 'PV:b1', 'LM:m2'),
];

const estimated = (measurements: readonly TerminalMeasurement[], closed: Record<string, boolean> = {}) =>
  estimateNetwork(
    buildNetwork(GRID, { switches: new Map(Object.entries(closed).map(([name, value]) => [id(name), value])) }),
    { measurements, pseudo: new Map(), injections: {} },
  );
const of = ({ measurements }: NetworkEstimate, point: string) => measurements.find((each) => each.point === point)!;

describe('what is measured at a switch', () => {
  test('is the power of the line behind it, from whichever side and through whatever else is in series', () => {
    const behind = estimated([...REST, ...readings('C:c1', 'LC:c3')]);
    expect(behind).toMatchObject({ estimated: true, observable: true, badData: [] });
    for (const terminal of ['Q1:m2', 'Q1:c0', 'Q0:c0', 'Q0:c1']) {
      const estimate = estimated([...REST, ...readings(terminal, 'F:c3')]);
      expect(estimate).toMatchObject({ estimated: true, observable: true, badData: [] });
      for (const kind of ['p', 'q'] as const) {
        const found = of(estimate, `${kind} ${terminal}`);
        expect(found).toMatchObject({ terminal: id(terminal), equipment: id(terminal.split(':')[0]!) });
        expect(found).not.toHaveProperty('unused');
        expect(found.value).toBe(TRUTH.flows.get(id(terminal))![kind]);
        expect(found.estimated).toBeCloseTo(found.value, 6);
      }
      expect(estimate.degreesOfFreedom).toBe(behind.degreesOfFreedom);
      expect(estimate.j).toBeCloseTo(0, 6);
      expect(estimate.sigmaP.get(id('C:c1'))).toBeCloseTo(behind.sigmaP.get(id('C:c1'))!, 9);
    }
  });

  test('a gross error there is named, with the sign of the switch', () => {
    for (const terminal of ['Q0:c0', 'Q0:c1']) {
      const wrong = readings(terminal).map((each) => (each.kind === 'p' ? { ...each, value: each.value + 2 } : each));
      const { badData, measurements } = estimated([...REST, ...readings('C:c1', 'C:c2', 'LC:c3'), ...wrong]);
      expect(badData.map(({ points }) => points)).toEqual([[`p ${terminal}`]]);
      expect(badData[0]!.error).toBeCloseTo(2, 0);
      const found = measurements.find(({ point }) => point === `p ${terminal}`)!;
      expect(found.suspect).toBe(true);
      expect(found.residual).toBeCloseTo(2, 1);
      expect(found.residual).toBeCloseTo(found.value - found.estimated!, 9);
    }
  });

  test('takes no part where it is open, or where several things hang at either side', () => {
    const coupler = estimated([...REST, ...readings('coupler:m', 'C:c1', 'LC:c3')]);
    expect(of(coupler, 'p coupler:m')).toMatchObject({ unused: 'atSwitch', estimated: null });
    const open = estimated([...REST, ...readings('Q0:c0')], { Q0: false });
    expect(of(open, 'p Q0:c0')).toMatchObject({ unused: 'atSwitch' });
  });
});
