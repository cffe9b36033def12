/** Points that name their equipment by its path in SCL find it in the grid model, where nothing else can be meant. */
import type { GridModel, Point, SiteDocument } from '@enerchain/model';
import { expect, test } from 'vitest';
import { PathPlaces } from '../src/grid/path-places.ts';
import { Directory } from '../src/ingest/points.ts';

const id = (n: number): string => `00000000-0000-4000-8000-${n.toString(16).padStart(12, '0')}`;
const ends = (...nodes: number[]) =>
  nodes.map((node, index) => ({ mRID: id(node * 100 + index), connectivityNode: id(node) }));

/** One station: bay Q01 with breaker and line, bay Q02 with two lines behind its breaker, a transformer. */
const grid = {
  substations: [{ mRID: id(1), name: 'S1' }],
  voltageLevels: [{ mRID: id(2), name: '110 kV', substation: id(1), nominalVoltage: 110 }],
  bays: [
    { mRID: id(3), name: 'Q01', voltageLevel: id(2) },
    { mRID: id(4), name: 'Q02', voltageLevel: id(2) },
  ],
  equipment: [
    { class: 'Breaker', mRID: id(10), name: 'QA1', container: id(3), terminals: ends(50, 51) },
    { class: 'ACLineSegment', mRID: id(11), name: 'Line 1', terminals: ends(51, 70) },
    { class: 'Breaker', mRID: id(12), name: 'QA1', container: id(4), terminals: ends(50, 52) },
    { class: 'ACLineSegment', mRID: id(13), name: 'Line 2', terminals: ends(52, 71) },
    { class: 'ACLineSegment', mRID: id(14), name: 'Line 3', terminals: ends(52, 72) },
    { class: 'PowerTransformer', mRID: id(15), name: 'T1', container: id(1), terminals: ends(60, 80) },
  ],
} as unknown as GridModel;

let next = 100;
const point = (equipmentPath: string | undefined, measurementType: string, more: Partial<Point> = {}): Point => ({
  mRID: id(next++),
  name: `point ${next}`,
  kind: 'analog',
  measurementType,
  ...(equipmentPath === undefined ? {} : { equipmentPath }),
  ...more,
});

test.each([
  ['the breaker of the bay', 'S1/110 kV/Q01/QA1', 'SwitchPosition', { equipment: id(10) }],
  ['that of the other bay, though it has the same name', 'S1/110 kV/Q02/QA1', 'SwitchPosition', { equipment: id(12) }],
  ['a phase of it', 'S1/110 kV/Q01/QA1/L1', 'SwitchPosition', { equipment: id(10) }],
  [
    'what only the line of the bay can be',
    'S1/110 kV/Q01',
    'ThreePhaseActivePower',
    { equipment: id(11), terminal: id(5100) },
  ],
  [
    'a current transformer, which the grid does not have',
    'S1/110 kV/Q01/BC1',
    'LineCurrent',
    { equipment: id(11), terminal: id(5100) },
  ],
  ['a winding', 'S1/T1/T1_2', 'LineCurrent', { equipment: id(15), terminal: id(8001) }],
  ['one of two lines', 'S1/110 kV/Q02', 'ThreePhaseActivePower', undefined],
  ['what is not there', 'S1/110 kV/Q09/QA1', 'SwitchPosition', undefined],
  ['another station', 'S2/110 kV/Q01/QA1', 'SwitchPosition', undefined],
])('%s', (_what, path, type, expected) => {
  expect(new PathPlaces(grid).of(point(path, type))).toEqual(expected);
});

test('a place that the source or a person says goes before the path, and a new model is looked at again', () => {
  const [byPath, bySource, byPerson, nowhere] = [
    point('S1/110 kV/Q01/QA1', 'SwitchPosition'),
    point('S1/110 kV/Q01/QA1', 'SwitchPosition', { equipment: id(13) }),
    point('S1/110 kV/Q01/QA1', 'SwitchPosition'),
    point(undefined, 'SwitchPosition'),
  ];
  const points = [byPath!, bySource!, byPerson!, nowhere!];
  const directory = new Directory();
  const document: SiteDocument = {
    source: 'gw',
    site: { id: 's', name: 's' },
    version: 1,
    endpoints: [],
    points,
    bindings: [],
  };
  directory.announce('gw', document);
  const places = (): (string | undefined)[] => points.map(({ mRID }) => directory.get(mRID)?.equipment);
  expect(places()).toEqual([undefined, id(13), undefined, undefined]);
  const before = directory.revision;
  directory.placeBy(new PathPlaces(grid));
  directory.link(new Map([[byPerson!.mRID, { equipment: id(14) }]]));
  expect(places()).toEqual([id(10), id(13), id(14), undefined]);
  expect(directory.revision).toBeGreaterThan(before);
  // What comes later is placed at once; the announcement itself stays as it was signed.
  directory.announce('gw', { ...document, version: 2 });
  expect(places()).toEqual([id(10), id(13), id(14), undefined]);
  expect(directory.site('gw')!.points[0]).not.toHaveProperty('equipment');
  expect([...directory.documents()][0]!.points[0]).toHaveProperty('equipment', id(10));
  directory.placeBy(new PathPlaces({ ...grid, equipment: [] } as unknown as GridModel));
  expect(places()).toEqual([undefined, id(13), id(14), undefined]);
});
