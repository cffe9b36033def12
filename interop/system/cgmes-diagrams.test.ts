/** The layouts of the control room on published CGMES models, read as `enerchain import` reads them. No browser, no system. */
import { applyDifferences, openSources, readModel } from '@enerchain/cim';
import type { GridModel } from '@enerchain/model';
import { beforeAll, describe, expect, it } from 'vitest';
import { GridIndex } from '../../apps/control-room/src/diagram/equipment.ts';
import { layout } from '../../apps/control-room/src/diagram/layout.ts';
import {
  alongEachOther,
  boxesOverlap,
  checkStation,
  crooked,
  outside,
} from '../../apps/control-room/test/fixture/layout-checks.ts';
import { gridFromCim } from '../../apps/enerchain/src/grid/from-cim.ts';
import { data, missing } from '../../standards/cim/test/reference-data.ts';

if (missing) console.log(`skipped: ${missing}`);

describe.skipIf(missing).each([
  { name: 'MiniGrid', overview: 'drawn' },
  { name: 'MicroGrid', overview: 'drawn' },
  { name: 'SmallGrid', overview: 'boxes' },
] as const)('the diagrams of $name', ({ name, overview }) => {
  let grid: GridModel;
  beforeAll(async () => {
    const model = await readModel(openSources([data('cgmes', 'cgmes3-test-models', name)]));
    applyDifferences(model);
    ({ grid } = gridFromCim(model, { name, frequency: 50 }));
  });

  it('draw every station and every bay without anything on anything else', () => {
    const index = new GridIndex(grid);
    const stations = new Set(grid.connectivityNodes.map(({ mRID }) => index.substationOf(mRID)!));
    expect(stations.size).toBeGreaterThan(4);
    for (const station of stations) checkStation(grid, station);
  });

  it('draw the overview at right angles, the same every time', () => {
    const drawing = layout(grid);
    expect(crooked(drawing)).toEqual([]);
    expect(outside(drawing)).toEqual([]);
    expect(JSON.stringify(layout(structuredClone(grid)))).toBe(JSON.stringify(drawing));
    if (overview === 'boxes') {
      expect(drawing.boxes.length).toBeGreaterThan(100);
      expect(boxesOverlap(drawing)).toEqual([]);
      expect(alongEachOther(drawing)).toEqual([]);
    }
  });

  it.runIf(overview === 'drawn')('honour the coordinates of the diagram layout profile', () => {
    const drawing = layout(grid);
    const drawn = new Map(grid.diagram!.map(({ object, points }) => [object, points]));
    const symbols = [...drawing.switches, ...drawing.transformers].filter(
      ({ equipment }) => drawn.get(equipment)?.length === 1,
    );
    expect(symbols.length).toBeGreaterThan(20);
    // What stands left of or above something else in the file does so on the screen: one scale, one shift.
    const [first] = symbols;
    const at = (equipment: string) => drawn.get(equipment)![0]!;
    const far = symbols.reduce((most, each) =>
      Math.abs(at(each.equipment).x - at(first!.equipment).x) > Math.abs(at(most.equipment).x - at(first!.equipment).x)
        ? each
        : most,
    );
    const scale = (far.x - first!.x) / (at(far.equipment).x - at(first!.equipment).x);
    expect(scale).toBeGreaterThan(0);
    for (const each of symbols) {
      const [dx, dy] = [at(each.equipment).x - at(first!.equipment).x, at(each.equipment).y - at(first!.equipment).y];
      expect(Math.abs(each.x - first!.x - scale * dx)).toBeLessThan(3);
      expect(Math.abs(each.y - first!.y - scale * dy)).toBeLessThan(3);
    }
    const drawnIn = new Set([
      ...drawing.targets.map(({ equipment }) => equipment),
      ...drawing.wires.flatMap(({ equipment }) => equipment ?? []),
    ]);
    expect(grid.equipment.filter(({ mRID }) => !drawnIn.has(mRID)).map(({ name: of }) => of)).toEqual([]);
  });
});
