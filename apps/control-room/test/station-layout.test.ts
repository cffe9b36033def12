/** Properties of the layouts by rule, over substations and grids that nobody has drawn before. */
import type { GridModel } from '@enerchain/model';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { levelsOf } from '../src/diagram/cells.ts';
import type { Drawing, XY } from '../src/diagram/drawing.ts';
import { GridIndex } from '../src/diagram/equipment.ts';
import { layout } from '../src/diagram/layout.ts';
import { networkLayout } from '../src/diagram/network-layout.ts';
import { substationLayout } from '../src/diagram/substation-layout.ts';
import { GridBuilder } from './fixture/builder.ts';

interface Segment {
  readonly a: XY;
  readonly b: XY;
  readonly of: string;
}
const segmentsOf = (drawing: Drawing): Segment[] =>
  drawing.wires.flatMap(({ path, equipment, node }, wire) =>
    path.slice(1).map((b, at) => ({ a: path[at]!, b, of: node ?? equipment ?? String(wire) })),
  );

/** Two pieces of different nodes that run along each other: a reader could not tell them apart. */
function alongEachOther(drawing: Drawing): string[] {
  const found: string[] = [];
  const lines = new Map<string, Segment[]>();
  for (const segment of segmentsOf(drawing)) {
    const { a, b } = segment;
    const key = a.x === b.x ? `x${a.x}` : `y${a.y}`;
    lines.set(key, [...(lines.get(key) ?? []), segment]);
  }
  for (const [key, list] of lines) {
    const along = (point: XY) => (key[0] === 'x' ? point.y : point.x);
    for (const [at, one] of list.entries()) {
      for (const two of list.slice(at + 1)) {
        if (one.of === two.of) continue;
        const from = Math.max(Math.min(along(one.a), along(one.b)), Math.min(along(two.a), along(two.b)));
        const to = Math.min(Math.max(along(one.a), along(one.b)), Math.max(along(two.a), along(two.b)));
        if (to - from > 0.01) found.push(`${key} ${from}…${to}: ${one.of} and ${two.of}`);
      }
    }
  }
  return found;
}

const symbolsOf = ({ switches, transformers, injections, series, exits }: Drawing): (XY & { equipment: string })[] => [
  ...switches,
  ...transformers,
  ...injections,
  ...series,
  ...exits,
];

function tooClose(drawing: Drawing): string[] {
  // The earth of an earthing switch belongs to it.
  const earths = new Set(drawing.injections.filter(({ kind }) => kind === 'earth'));
  const symbols = symbolsOf(drawing)
    .filter(
      (each) => !earths.has(each as never) || !drawing.switches.some(({ equipment }) => equipment === each.equipment),
    )
    .sort((a, b) => a.x - b.x);
  const found: string[] = [];
  symbols.forEach((a, at) => {
    for (let next = at + 1; next < symbols.length && symbols[next]!.x - a.x < 22; next++) {
      const b = symbols[next]!;
      if (Math.abs(a.y - b.y) < 22) found.push(`${a.equipment} and ${b.equipment} at ${a.x},${a.y} and ${b.x},${b.y}`);
    }
  });
  return found;
}

function boxesOverlap({ boxes }: Drawing): string[] {
  return boxes.flatMap((a, at) =>
    boxes
      .slice(at + 1)
      .filter((b) => a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height)
      .map((b) => `${a.substation} and ${b.substation}`),
  );
}

const crooked = (drawing: Drawing): Segment[] => segmentsOf(drawing).filter(({ a, b }) => a.x !== b.x && a.y !== b.y);
const outside = (drawing: Drawing): XY[] =>
  [...segmentsOf(drawing).flatMap(({ a, b }) => [a, b]), ...symbolsOf(drawing)].filter(
    ({ x, y }) => !(x >= 0 && y >= 0 && x <= drawing.width && y <= drawing.height),
  );

/** Every node of a substation: its wires and symbols hang together. Walks wires that touch. */
function loose(drawing: Drawing, index: GridIndex, substation: string): string[] {
  const wires = drawing.wires.filter(({ node }) => node !== undefined);
  const byNode = new Map<string, typeof wires>();
  for (const wire of wires) byNode.set(wire.node!, [...(byNode.get(wire.node!) ?? []), wire]);
  const touches = (a: readonly XY[], b: readonly XY[]): boolean =>
    a.some((point) => onPath(point, b)) || b.some((point) => onPath(point, a));
  return [...byNode].flatMap(([node, list]) => {
    if (index.substationOf(node) !== substation) return [];
    const seen = new Set([list[0]!]);
    for (const wire of seen)
      for (const other of list) if (!seen.has(other) && touches(wire.path, other.path)) seen.add(other);
    return seen.size === list.length ? [] : [`${node}: ${seen.size} of ${list.length} wires hang together`];
  });
}
function onPath(point: XY, path: readonly XY[]): boolean {
  return path.slice(1).some((b, at) => {
    const a = path[at]!;
    return (
      point.x >= Math.min(a.x, b.x) - 0.01 &&
      point.x <= Math.max(a.x, b.x) + 0.01 &&
      point.y >= Math.min(a.y, b.y) - 0.01 &&
      point.y <= Math.max(a.y, b.y) + 0.01
    );
  });
}

const drawnIn = (drawing: Drawing): Set<string> =>
  new Set([
    ...symbolsOf(drawing).map(({ equipment }) => equipment),
    ...drawing.wires.flatMap(({ equipment }) => equipment ?? []),
    ...drawing.targets.map(({ equipment }) => equipment),
  ]);

function check(model: GridModel, substation: string): void {
  const index = new GridIndex(model);
  const drawing = substationLayout(index, substation);
  expect(crooked(drawing)).toEqual([]);
  expect(outside(drawing)).toEqual([]);
  expect(tooClose(drawing)).toEqual([]);
  expect(alongEachOther(drawing)).toEqual([]);
  expect(loose(drawing, index, substation)).toEqual([]);
  const drawn = drawnIn(drawing);
  const own = model.equipment.filter(({ terminals }) =>
    terminals.some(({ connectivityNode }) => index.substationOf(connectivityNode) === substation),
  );
  expect(own.filter(({ mRID }) => !drawn.has(mRID)).map(({ name }) => name)).toEqual([]);
  for (const { key } of levelsOf(index, substation).flatMap(({ cells }) => cells)) {
    const bay = substationLayout(index, substation, key);
    expect(crooked(bay)).toEqual([]);
    expect(outside(bay)).toEqual([]);
    expect(tooClose(bay)).toEqual([]);
    expect(alongEachOther(bay)).toEqual([]);
  }
}

describe('the layout of a substation', () => {
  it('draws a double busbar with couplers, transformers of two and three windings, and every kind of end', () => {
    const { model, substation } = GridBuilder.doubleBusbar();
    check(model, substation);
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
      fc.property(GridBuilder.arbitrary(), ({ model, substation }) => check(model, substation)),
      { numRuns: 300 },
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
