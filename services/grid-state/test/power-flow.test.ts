import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { solvePowerFlow } from '../src/power-flow.ts';
import { buildNetwork } from '../src/topology/network.ts';
import { networkCase } from '../src/topology/network-case.ts';
import { denseSolve } from './dense-reference.ts';
import { id, lineBetween, loadAt, smallGrid, switchBetween } from './small-grid.ts';

const grid = smallGrid();
const SWITCHES = ['CB1', 'CB2', 'TIE'];
const state = (closed: Record<string, boolean>, tap = 0) => ({
  switches: new Map(Object.entries(closed).map(([name, value]) => [id(name), value])),
  taps: new Map([[id('T1'), tap]]),
});
const voltageAt = (result: ReturnType<typeof solvePowerFlow>, node: string) =>
  result.buses[result.busOfNode.get(id(node))!]!.voltage;

describe('topology', () => {
  test('nodes behind closed switches are one bus, and open switches part them', () => {
    const closed = buildNetwork(grid, state({})).topology;
    expect(closed.busOfNode[grid.connectivityNodes.findIndex((n) => n.name === 'm')]).toBe(
      closed.busOfNode[grid.connectivityNodes.findIndex((n) => n.name === 'a0')],
    );
    expect(closed.islands).toHaveLength(1);
    const open = buildNetwork(grid, state({ CB1: false })).topology;
    expect(open.busCount).toBe(closed.busCount + 1);
    expect(open.islands.map((island) => island.energised)).toEqual([true, false]);
  });

  test('whatever the switches do, islands part the buses, and two nodes share an island exactly when a path of closed switches and branches joins them', () => {
    fc.assert(
      fc.property(fc.tuple(fc.boolean(), fc.boolean(), fc.boolean()), (positions) => {
        const closed = Object.fromEntries(SWITCHES.map((name, i) => [name, positions[i]!]));
        const { topology } = buildNetwork(grid, state(closed));
        expect(topology.islands.flatMap((island) => [...island.buses]).sort((a, b) => a - b)).toEqual(
          Array.from({ length: topology.busCount }, (_, i) => i),
        );
        const reach = reachable(closed);
        grid.connectivityNodes.forEach((node, index) => {
          const island = topology.islands[topology.islandOfBus[topology.busOfNode[index]!]!]!;
          expect(island.energised).toBe(reach.has(node.mRID));
          expect(island.sources).toEqual(reach.has(node.mRID) ? [id('source')] : []);
        });
      }),
    );
  });

  test('the same switch state is analysed once', () => {
    expect(buildNetwork(grid, state({ TIE: true })).topology).toBe(
      buildNetwork(grid, state({ TIE: true }, 3)).topology,
    );
  });

  test('a model whose references lead nowhere is refused with the name of the equipment', () => {
    expect(() => buildNetwork(smallGrid([switchBetween('X', 'm', 'nowhere')]))).toThrow(/'X' ends at an unknown node/);
    expect(() => buildNetwork(smallGrid([switchBetween('CB1', 'm', 'a0')]))).toThrow(/used twice/);
    expect(() => buildNetwork(smallGrid([lineBetween('Y', 'h', 'm')]))).toThrow(/joins different voltages/);
  });
});

/** Breadth-first search from the source, on the model itself. */
function reachable(closed: Record<string, boolean>): Set<string> {
  const seen = new Set([id('h')]);
  for (let grew = true; grew; ) {
    grew = false;
    for (const equipment of grid.equipment) {
      if (equipment.terminals.length < 2) continue;
      if ('normalOpen' in equipment && !(closed[equipment.name] ?? !equipment.normalOpen)) continue;
      const [a, b] = equipment.terminals.map((terminal) => terminal.connectivityNode) as [string, string];
      if (seen.has(a) === seen.has(b)) continue;
      seen.add(a);
      seen.add(b);
      grew = true;
    }
  }
  return seen;
}

describe('power flow of a model', () => {
  test('agrees with an independent dense solver, tap and shunts included', () => {
    for (const tap of [-9, -1, 0, 4, 9]) {
      const network = buildNetwork(grid, state({ TIE: true }, tap));
      const result = solvePowerFlow(network, {}, { tolerance: 1e-11 });
      expect(result.converged).toBe(true);
      denseSolve(networkCase(network).case).forEach((v, i) => {
        const bus = result.buses[i]!;
        expect(bus.voltage! / bus.nominalVoltage).toBeCloseTo(Math.hypot(v.re, v.im), 9);
      });
    }
  });

  test('an idle transformer shows its ratio: no load, no losses worth the name, rated voltages with the tap', () => {
    const open = { CB1: false, CB2: false };
    const none = { voltages: new Map([[id('source'), 110]]) };
    const atNeutral = solvePowerFlow(buildNetwork(grid, state(open, 0)), none);
    expect(voltageAt(atNeutral, 'm')!).toBeCloseTo(20.5, 3);
    // The tap lies at the high-voltage end: more turns there, less voltage below.
    const raised = solvePowerFlow(buildNetwork(grid, state(open, 4)), none);
    expect(voltageAt(raised, 'm')!).toBeCloseTo(20.5 / 1.06, 3);
  });

  test('what the source gives is what the consumers take and the branches lose', () => {
    const powers = new Map([[id('PV'), { p: -0.7, q: 0 }]]);
    const result = solvePowerFlow(buildNetwork(grid, state({ TIE: true })), { powers });
    const source = result.flows.get(id('source:h'))!;
    expect(-source.p).toBeCloseTo(2 + 1.2 - 0.7 + result.losses!, 6);
    const a = result.branches.find((branch) => branch.name === 'A')!;
    expect(a.losses!).toBeCloseTo(a.from!.p + a.to!.p, 12);
    expect(a.loading!).toBeCloseTo((100 * Math.max(a.from!.i, a.to!.i)) / 145, 9);
    // 3·I²·R; the charging current makes the two ends differ a little.
    expect(a.losses!).toBeCloseTo(((1.5 * (a.from!.i ** 2 + a.to!.i ** 2)) / 2e6) * 3, 4);
  });

  test('a feeder that is switched off has no voltage and no current, and the rest is not disturbed', () => {
    const result = solvePowerFlow(buildNetwork(grid, state({ CB1: false })));
    expect(result.converged).toBe(true);
    expect(voltageAt(result, 'a1')).toBeNull();
    expect(result.flows.get(id('A:a0'))).toEqual({ p: 0, q: 0, i: 0 });
    expect(result.flows.get(id('LA:a1'))).toEqual({ p: 0, q: 0, i: 0 });
    expect(voltageAt(result, 'b1')!).toBeGreaterThan(19);
    expect(result.branches.find((branch) => branch.name === 'A')!.energised).toBe(false);
  });

  test('an island that cannot be solved does not take the other with it', () => {
    const second = smallGrid([
      lineBetween('C', 'c0', 'c1'),
      loadAt('LC', 'c1', 900, 0),
      {
        class: 'ExternalNetworkInjection',
        mRID: id('source2'),
        name: 'source2',
        terminals: [{ mRID: id('source2:c0'), connectivityNode: id('c0') }],
        voltage: 20,
      },
    ]);
    second.connectivityNodes.push(
      { mRID: id('c0'), name: 'c0', voltageLevel: id('vl20') },
      { mRID: id('c1'), name: 'c1', voltageLevel: id('vl20') },
    );
    const result = solvePowerFlow(buildNetwork(second));
    expect(result.converged).toBe(false);
    expect(result.losses).toBeNull();
    const [good, bad] = result.islands;
    expect(good!.converged).toBe(true);
    expect(bad!.failure).toMatch(/island 1 at node/);
    expect(bad!.largestMismatches[0]!.node).toBe(id('c1'));
    expect(voltageAt(result, 'b1')!).toBeGreaterThan(19);
    expect(voltageAt(result, 'c1')).toBeNull();
    expect(result.flows.has(id('LC:c1'))).toBe(false);
  });

  test('two sources in one island share it', () => {
    const fed = smallGrid([
      {
        class: 'ExternalNetworkInjection',
        mRID: id('source3'),
        name: 'source3',
        terminals: [{ mRID: id('source3:h'), connectivityNode: id('h') }],
        voltage: 112,
      },
    ]);
    const alone = solvePowerFlow(buildNetwork(grid));
    const shared = solvePowerFlow(buildNetwork(fed));
    expect(shared.flows.get(id('source3:h'))!.p).toBeCloseTo(alone.flows.get(id('source:h'))!.p / 2, 9);
  });

  test('starting from the last solution takes no more iterations, also after a switch has moved', () => {
    const before = solvePowerFlow(buildNetwork(grid, state({})));
    const after = solvePowerFlow(buildNetwork(grid, state({ TIE: true })), {}, { start: before });
    expect(after.iterations).toBeLessThanOrEqual(solvePowerFlow(buildNetwork(grid, state({ TIE: true }))).iterations);
    const again = solvePowerFlow(buildNetwork(grid, state({ TIE: true })), {}, { start: after });
    expect(again.iterations).toBe(0);
    // Coming back from a dead feeder starts flat where nothing is known.
    const dead = solvePowerFlow(buildNetwork(grid, state({ CB1: false })));
    expect(solvePowerFlow(buildNetwork(grid, state({})), {}, { start: dead }).converged).toBe(true);
  });
});
