import { describe, expect, test } from 'vitest';
import { buildLabGrid } from '../src/grid/lab-grid.ts';
import { type FaultLocation, shortCircuit } from '../src/simulation/short-circuit.ts';

const { model, stations } = buildLabGrid();
const bay = (code: string) => stations.flatMap(({ bays }) => bays).find((each) => each.code === code)!;
const sectionB = stations.find(({ rtu }) => rtu === 'rtu-01-b')!.busbar.node;
const normallyOpen = new Set(
  model.equipment.filter((each) => 'normalOpen' in each && each.normalOpen).map(({ mRID }) => mRID),
);
const standing = (fault: FaultLocation, open: readonly string[] = [], closed: readonly string[] = []) =>
  shortCircuit(
    model,
    (mRID) => closed.includes(mRID) || !(normallyOpen.has(mRID) || open.includes(mRID)),
    [fault],
    () => 110,
  );
const amperes = (of: ReturnType<typeof shortCircuit>, terminal: string): number => of?.flows.get(terminal)?.i ?? 0;

describe('a short circuit', () => {
  // By hand (IEC 60909-0): the grid, 20²/5000 Ω with R/X 0.1, and the transformer, 12.001 % of 20²/25 Ω; the line 0.51 + j0.366 Ω/km.
  const source = { r: 0.008, x: 0.08 };
  const transformer = { r: 0.0016 * 16, x: Math.sqrt(0.1200107 ** 2 - 0.0016 ** 2) * 16 };

  test('on the busbar has what source and transformer let through', () => {
    const fault = standing({ node: sectionB });
    const expected = 20_000 / Math.sqrt(3) / Math.hypot(source.r + transformer.r, source.x + transformer.x);
    expect(amperes(fault, bay('J10').terminal!)).toBeCloseTo(expected, 0);
    expect(amperes(fault, bay('E03').terminal!)).toBeCloseTo((expected * 20) / 110, 1);
    expect(amperes(fault, bay('J11').terminal!)).toBe(0);
    expect(fault!.voltages.get(sectionB)).toBe(0);
    // The other transformer hangs at the same 110 kV, which dips a little.
    const sectionA = stations.find(({ rtu }) => rtu === 'rtu-01-a')!.busbar.node;
    expect(fault!.voltages.get(sectionA)).toBeGreaterThan(18.5);
    expect(fault!.voltages.get(sectionA)).toBeLessThan(19.9);
  });

  test('on a line has the line up to it as well, and only there', () => {
    for (const share of [0.1, 0.5, 0.9]) {
      const fault = standing({ terminal: bay('J11').terminal!, distance: share });
      const km = 4.89 * share;
      const z = Math.hypot(source.r + transformer.r + 0.51 * km, source.x + transformer.x + 0.366 * km);
      expect(amperes(fault, bay('J11').terminal!)).toBeCloseTo(20_000 / Math.sqrt(3) / z, 0);
      expect(amperes(fault, bay('J10').terminal!)).toBeCloseTo(20_000 / Math.sqrt(3) / z, 0);
    }
  });

  test('in a transformer is fed from one side, and is no current that flows through', () => {
    const fault = standing({ terminal: bay('E03').terminal! });
    expect(amperes(fault, bay('E03').terminal!)).toBeGreaterThan(1_500);
    expect(amperes(fault, bay('J10').terminal!)).toBe(0);
  });

  test('that nobody feeds is none; fed from the other side of a ring it is', () => {
    const { mRID } = bay('J11').switches[0]!;
    expect(standing({ terminal: bay('J11').terminal! }, [mRID])).toBeUndefined();
    const s1 = stations.find(({ rtu }) => rtu === 'rtu-08')!.bays.find(({ switches }) => switches[0]!.normalOpen)!;
    const fault = standing({ terminal: bay('J11').terminal! }, [mRID], [s1.switches[0]!.mRID]);
    expect(amperes(fault, bay('J11').terminal!)).toBe(0);
    expect(amperes(fault, bay('J01').terminal!)).toBeGreaterThan(400);
  });

  test('within a load flows over its terminal', () => {
    const fault = standing({ terminal: bay('J12').terminal! });
    expect(amperes(fault, bay('J12').terminal!)).toBeCloseTo(amperes(fault, bay('J10').terminal!), 3);
  });
});
