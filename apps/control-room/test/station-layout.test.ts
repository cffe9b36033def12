/** Properties of the layouts by rule, over substations and grids that nobody has drawn before. */
import type { GridModel } from '@enerchain/model';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { GridIndex } from '../src/diagram/equipment.ts';
import { layout } from '../src/diagram/layout.ts';
import { networkLayout } from '../src/diagram/network-layout.ts';
import { substationLayout } from '../src/diagram/substation-layout.ts';
import { GridBuilder } from './fixture/builder.ts';
import { alongEachOther, boxesOverlap, checkStation, crooked, outside } from './fixture/layout-checks.ts';

describe('the layout of a substation', () => {
  it('draws a double busbar with couplers, transformers of two and three windings, and every kind of end', () => {
    const { model, substation } = GridBuilder.doubleBusbar();
    checkStation(model, substation);
    const drawing = layout(model, { substation });
    expect(drawing.transformers.some(({ windings }) => windings.length === 3)).toBe(true);
    expect(new Set(drawing.switches.map(({ kind }) => kind)).size).toBeGreaterThan(2);
    const kinds = new Set(drawing.injections.map(({ kind }) => kind));
    for (const kind of ['load', 'generator', 'capacitor', 'reactor', 'earth', 'network'] as const)
      expect(kinds, kind).toContain(kind);
  });

  it('is the same to the byte whenever it is asked for, in whatever order the model lists its parts', () => {
    const { model, substation } = GridBuilder.doubleBusbar();
    const turned: GridModel = {
      ...model,
      voltageLevels: [...model.voltageLevels].reverse(),
      connectivityNodes: [...model.connectivityNodes].reverse(),
      equipment: [...model.equipment].reverse(),
    };
    const text = JSON.stringify(substationLayout(new GridIndex(model), substation));
    expect(JSON.stringify(substationLayout(new GridIndex(structuredClone(model)), substation))).toBe(text);
    expect(JSON.stringify(substationLayout(new GridIndex(turned), substation))).toBe(text);
  });

  it('sets no symbol on another, lays no wire along another, and leaves nothing out, whatever the substation', () => {
    fc.assert(
      fc.property(GridBuilder.arbitrary(), ({ model, substation }) => checkStation(model, substation)),
      { numRuns: 120 },
    );
  });

  it('opens what a line leads to, and each bay', () => {
    const { model, substation } = GridBuilder.doubleBusbar();
    const { targets } = layout(model, { substation });
    expect(targets.some(({ opens }) => opens && opens.substation !== substation)).toBe(true);
    expect(targets.some(({ opens }) => opens?.substation === substation && opens.bay)).toBe(true);
  });
});

describe('the overview of a meshed grid', () => {
  it('gives every station a box and every line a way of its own', () => {
    fc.assert(
      fc.property(GridBuilder.mesh(), (model) => {
        const drawing = networkLayout(new GridIndex(model));
        expect(drawing.boxes).toHaveLength(model.substations.length);
        expect(boxesOverlap(drawing)).toEqual([]);
        expect(crooked(drawing)).toEqual([]);
        expect(outside(drawing)).toEqual([]);
        expect(alongEachOther(drawing)).toEqual([]);
        const lines = model.equipment.filter(({ class: of }) => of === 'ACLineSegment');
        expect(drawing.wires.filter(({ equipment }) => equipment)).toHaveLength(lines.length);
        // Both ends of every line stand at the boxes that it joins.
        const boxOf = new Map(drawing.boxes.map((box) => [box.substation, box]));
        for (const line of lines) {
          const { path } = drawing.wires.find(({ equipment }) => equipment === line.mRID)!;
          const ends = line.terminals.map(
            ({ connectivityNode }) => boxOf.get(connectivityNode.replace('node', 'station'))!,
          );
          for (const end of ends) {
            const atBox = [path[0]!, path.at(-1)!].some(
              ({ x, y }) => x >= end.x && x <= end.x + end.width && y >= end.y && y <= end.y + end.height,
            );
            expect(atBox, line.name).toBe(true);
          }
        }
      }),
      { numRuns: 60 },
    );
  });

  it('lays out a thousand stations in reasonable time, the same every time', () => {
    const model = GridBuilder.bigMesh(1000);
    const began = performance.now();
    const text = JSON.stringify(networkLayout(new GridIndex(model)));
    expect(performance.now() - began).toBeLessThan(20_000);
    expect(JSON.stringify(networkLayout(new GridIndex(structuredClone(model))))).toBe(text);
  });
});
