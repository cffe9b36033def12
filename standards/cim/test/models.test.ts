/** The conformity models ENTSO-E publishes: read whole, and found as good as they are. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { checkModel } from '../src/check/check.ts';
import { type CimModel, readModel } from '../src/model.ts';
import { CGMES_3_0 } from '../src/schema/cgmes-3.0.ts';
import { openSources } from '../src/source/source.ts';
import { busesOf } from '../src/topology/buses.ts';
import { generate } from '../tools/generate-schema.ts';
import { data, missing } from './reference-data.ts';

async function model(...paths: string[]): Promise<CimModel> {
  const read = await readModel(openSources(paths));
  checkModel(read);
  return read;
}
const cgmes3 = (name: string): string => data('cgmes', 'cgmes3-test-models', name);
const baseCase = (name: string): string =>
  data(
    'cgmes',
    'conformity',
    'cas-1.1.3-data-4.0.3',
    'MicroGrid',
    'BaseCase',
    `CGMES_v2.4.15_MicroGridTestConfiguration_${name}`,
  );
const count = ({ store }: CimModel, ...names: string[]): number[] => names.map((name) => store.ofClass(name).length);

describe.skipIf(missing !== undefined)(`models of ENTSO-E${missing ? ` (${missing})` : ''}`, () => {
  test('SmallGrid, CGMES 3.0, node-breaker', async () => {
    const read = await model(cgmes3('SmallGrid'));
    expect(read.version).toBe('3.0');
    expect(read.files.map(({ header }) => header?.profiles.join('+')).sort()).toEqual([
      'EQ+OP+SC',
      'EQBD',
      'GL',
      'SSH',
      'SV',
      'TP',
    ]);
    // As counted in the files; three of the connectivity nodes are the boundary's.
    expect(count(read, 'Breaker', 'Disconnector', 'ConnectivityNode', 'Terminal', 'SvVoltage')).toEqual([
      369, 738, 1225, 2840, 118,
    ]);
    // The exporter gives position points an mRID and state variables a name, which their classes do not have.
    // Its boundary has EnergySchedulingType in the European namespace.
    expect(read.findings.counts).toEqual({ error: 0, warning: 4, note: 0 });
    expect(read.findings.byCode).toEqual({ 'cim.namespace': 1, 'cim.property-of-class': 3 });
  });

  test('MicroGrid, CGMES 3.0, two authorities assembled with their boundary', async () => {
    const read = await model(cgmes3('MicroGrid'));
    const authorities = new Set(read.files.map(({ header }) => header?.modelingAuthoritySet));
    expect(authorities.size).toBeGreaterThanOrEqual(3);
    expect(read.findings.counts.error).toBe(0);
    // The published set depends on a boundary of another number than the one beside it.
    expect(read.findings.byCode).toEqual({ 'cim.dependency': 2, 'cim.property-of-class': 3, 'grid.slack': 1 });
  });

  test('MiniGrid, CGMES 3.0', async () => {
    const read = await model(cgmes3('MiniGrid'));
    expect(read.findings.counts.error).toBe(0);
    expect(read.findings.byCode).toEqual({ 'cim.property-of-class': 2 });
  });

  test('MicroGrid BaseCase, CGMES 2.4.15, assembled', async () => {
    const read = await model(baseCase('BC_Assembled_v2'), baseCase('BD_v2'));
    expect(read.version).toBe('2.4.15');
    expect(read.findings.counts).toEqual({ error: 0, warning: 0, note: 2 });
    expect(count(read, 'ACLineSegment', 'PowerTransformer', 'TopologicalNode')).toEqual([12, 7, 17]);
  });

  test('one authority without the boundary it hangs on: dangling references say so', async () => {
    const read = await model(baseCase('BC_BE_v2'));
    expect(read.findings.byCode['cim.dependency']).toBeGreaterThan(0);
    const dangling = read.findings.list.filter(({ code }) => code === 'cim.dangling');
    expect(dangling.length).toBeGreaterThan(0);
    expect(dangling.every(({ file, line, object, property }) => file && line && object && property)).toBe(true);
  });

  test.each([
    ['MiniGrid', 103, 13],
    ['MicroGrid', 42, 18],
    ['SmallGrid', 1225, 118],
  ])('the buses of %s are those of its own TP', async (name, nodes, buses) => {
    const { store, ...read } = await readModel(openSources([cgmes3(name)]));
    const busOf = busesOf({ store, ...read });
    expect(busOf.size).toBe(nodes);
    const partition = (of: (node: number) => unknown): number[][] => {
      const groups = new Map<unknown, number[]>();
      for (const node of busOf.keys()) groups.set(of(node), [...(groups.get(of(node)) ?? []), node]);
      return [...groups.values()];
    };
    const published = partition((node) => store.reference(node, 'ConnectivityNode.TopologicalNode'));
    expect(published).toHaveLength(buses);
    expect(partition((node) => busOf.get(node))).toEqual(published);
  });

  test('nothing is lost: every identifier and value of SmallGrid EQ is in the store', async () => {
    const name = '20210112T1742Z_1D_GB_EQ_001.xml';
    const text = readFileSync(`${cgmes3('SmallGrid')}/${name}`, 'utf8');
    const { store } = await model(`${cgmes3('SmallGrid')}/${name}`);
    const ids = [...text.matchAll(/rdf:ID="([^"]+)"/g)];
    expect(ids.every(([, id]) => store.find(id!) !== undefined)).toBe(true);
    const properties = text.match(/<(?:cim|eu|md):\w+\.\w/g)!;
    expect(store.statements).toBe(properties.length);
    for (const [, id] of ids.slice(0, 500)) {
      const object = store.find(id!)!;
      const line = text.split('\n', store.line(store.first(object)))[store.line(store.first(object)) - 1];
      expect(line).toContain(id);
    }
  });

  test('the vocabulary in the package is what the generator writes from the published one', async () => {
    expect(CGMES_3_0).toBe(await generate(data('entsoe-profiles', 'RDFS')));
  });
});
