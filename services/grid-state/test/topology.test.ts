/** Topology by moving one switch against topology from scratch, on grids of substations with busbars, bays and couplers. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { solvePowerFlow } from '../src/power-flow.ts';
import { compileGrid } from '../src/topology/compiled-grid.ts';
import { buildNetwork } from '../src/topology/network.ts';
import { buildTopology, moveSwitch, type Topology } from '../src/topology/topology.ts';
import { equipment, model, source } from './model-grid.ts';
import { id } from './small-grid.ts';
import { stations } from './stations.ts';

const plain = ({ grid: _, ...topology }: Topology): object => ({
  ...topology,
  islands: topology.islands.map((island) => ({ ...island })),
});

const grids = fc
  .record({
    count: fc.integer({ min: 2, max: 7 }),
    across: fc.array(fc.tuple(fc.nat(6), fc.nat(6)), { maxLength: 4 }),
    sources: fc.uniqueArray(fc.nat(6), { maxLength: 3 }),
  })
  .map(({ count, across, sources }) =>
    stations(
      count,
      across.map(([a, b]) => [a % count, b % count] as const),
      [...new Set(sources.map((s) => s % count))],
    ),
  );

describe('one switch after the other', () => {
  test('comes to the same as starting from nothing, number by number', () => {
    fc.assert(
      fc.property(grids, fc.array(fc.tuple(fc.nat(), fc.boolean()), { maxLength: 40 }), (grid, moves) => {
        const compiled = compileGrid(grid);
        let topology = buildTopology(compiled, compiled.closed);
        for (const [pick, closed] of moves) {
          topology = moveSwitch(topology, pick % compiled.switches.length, closed);
          expect(plain(topology)).toEqual(plain(buildTopology(compiled, topology.closed)));
        }
      }),
      { numRuns: 120 },
    );
  });

  test('leaves the topology that it came from as it was', () => {
    const compiled = compileGrid(stations(4, [[0, 2]], [0]));
    const before = buildTopology(compiled, compiled.closed);
    const copy = structuredClone(plain(before));
    for (let index = 0; index < compiled.switches.length; index++)
      moveSwitch(before, index, compiled.closed[index] === 0);
    expect(plain(before)).toEqual(copy);
  });

  test('a switch that is out of service or cut off cannot be closed', () => {
    const compiled = compileGrid(
      model({ a: 20, b: 20, c: 20 }, [
        source('a', 20),
        equipment('out', ['a', 'b'], { class: 'Breaker', normalOpen: false, inService: false }),
        equipment('cut', ['a', 'c!'], { class: 'Fuse', normalOpen: false }),
      ]),
    );
    const topology = buildTopology(compiled, compiled.closed);
    expect(topology.busCount).toBe(3);
    expect(moveSwitch(topology, 0, true)).toBe(topology);
    expect(moveSwitch(topology, 1, true)).toBe(topology);
    expect(buildNetwork(compiled.model, { switches: new Map([[id('cut'), true]]) }).topology.busCount).toBe(3);
  });

  test('the state of the hypothesis goes before what is normal, and what is said before both', () => {
    const grid = model({ a: 20, b: 20 }, [
      source('a', 20),
      equipment('s', ['a', 'b'], { class: 'Disconnector', normalOpen: false, open: true }),
    ]);
    expect(buildNetwork(grid).topology.busCount).toBe(2);
    expect(buildNetwork(grid, { switches: new Map([[id('s'), true]]) }).topology.busCount).toBe(1);
  });

  test('of a large grid, too: thousands of buses, a hundred switches and more', () => {
    const compiled = compileGrid(stations(700, [], [0]));
    let topology = buildTopology(
      compiled,
      Uint8Array.from(compiled.closed, () => 0),
    );
    expect(topology.busCount).toBeGreaterThan(5_000);
    for (let index = 0; index < compiled.switches.length; index += 29) topology = moveSwitch(topology, index, true);
    expect(plain(topology)).toEqual(plain(buildTopology(compiled, topology.closed)));
  });

  test('the power flow does not care which way the topology came about', () => {
    const grid = stations(5, [[1, 3]], [0, 2]);
    const moved = [id('0.k'), id('L1a.q'), id('L5b.1'), id('2.z.2')];
    const switches = new Map<string, boolean>();
    buildNetwork(grid);
    for (const mRID of moved) {
      switches.set(mRID, mRID === id('0.k') || mRID === id('2.z.2'));
      const after = solvePowerFlow(buildNetwork(grid, { switches }), {}, { tolerance: 1e-11 });
      // Another object is another model: nothing is known of it.
      const fresh = solvePowerFlow(buildNetwork({ ...grid }, { switches }), {}, { tolerance: 1e-11 });
      expect(after.buses).toEqual(fresh.buses);
      expect(after.flows).toEqual(fresh.flows);
      expect(after.converged).toBe(true);
    }
  });
});
