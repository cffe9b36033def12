/** SHACL shapes: what they find is told like everything else, and our own rules agree with those of ENTSO-E. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { checkModel } from '../src/check/check.ts';
import { type CimModel, readModel } from '../src/model.ts';
import { checkShacl } from '../src/shacl/check.ts';
import { loadLibraries } from '../src/shacl/libraries.ts';
import { openShapes, scopeOf } from '../src/shacl/shapes.ts';
import { withValue } from '../src/shacl/sparql.ts';
import { openSources } from '../src/source/source.ts';
import { CONTAINERS, FEED, full, LOAD, line, read, SSH } from './exchange.ts';
import { data, missing } from './reference-data.ts';

const without = await loadLibraries().then(
  () => undefined,
  () => 'the optional packages shacl-engine and n3 are not installed',
);
const PREFIXES = `@prefix sh: <http://www.w3.org/ns/shacl#> . @prefix cim: <http://iec.ch/TC57/CIM100#> . @prefix xsd: <http://www.w3.org/2001/XMLSchema#> .
@prefix rdf: <http://www.w3.org/1999/02/22-rdf-syntax-ns#> . @prefix my: <http://my.example/shapes#> .
cim: sh:declare [ sh:prefix "cim" ; sh:namespace "http://iec.ch/TC57/CIM100#"^^xsd:anyURI ] .
`;
const EQ = full('EQ', CONTAINERS + line('1', '10', '-5') + LOAD + FEED);
const shapes = (text: string, name = 'shapes.ttl') => ({ name, text: PREFIXES + text });
const lineOf = (text: string, what: string): number => text.slice(0, text.indexOf(what)).split('\n').length;

describe.skipIf(without)(`SHACL${without ? ` (${without})` : ''}`, () => {
  const check = async (text: string, files = { 'eq.xml': EQ, 'ssh.xml': SSH }) => {
    const model = await read(files);
    const before = model.findings.list.length;
    const reports = await checkShacl(model, [shapes(text)]);
    return { reports, found: model.findings.list.slice(before) };
  };

  test('a value out of its range: file, line, object, property, name of the rule, value', async () => {
    const { reports, found } =
      await check(`my:Line a sh:NodeShape ; sh:targetClass cim:ACLineSegment ; sh:property my:length .
      my:length a sh:PropertyShape ; sh:path cim:Conductor.length ; sh:minInclusive "0"^^xsd:float ; sh:datatype xsd:float ;
      sh:name "Conductor.length valueRange" ; sh:message "The length is not a positive value." ; sh:severity sh:Warning .`);
    expect(found).toEqual([
      {
        severity: 'warning',
        code: 'shacl.Conductor.length-valueRange',
        text: 'The length is not a positive value. ("-5")',
        file: 'eq.xml',
        line: lineOf(EQ, '<cim:Conductor.length>'),
        object: '_line',
        class: 'ACLineSegment',
        property: 'Conductor.length',
      },
    ]);
    expect(reports).toMatchObject([{ shapes: 'shapes.ttl', files: ['eq.xml', 'ssh.xml'], results: 1 }]);
  });

  test('constraints and targets in SPARQL, one that groups by the object, messages with variables', async () => {
    const { found } = await check(`my:Node a sh:NodeShape ; sh:sparql my:count ;
      sh:target [ sh:prefixes cim: ; sh:select "SELECT ?this WHERE { ?this a cim:ConnectivityNode }" ] .
      my:count sh:prefixes cim: ; sh:message "it has {?count} terminals" ; sh:select """
        SELECT $this ?count WHERE { { SELECT $this (COUNT(?terminal) AS ?count) WHERE
        { # a comment with {
          ?terminal cim:Terminal.ConnectivityNode $this } GROUP BY $this } FILTER (?count > 1) }""" .
      my:Load a sh:NodeShape ; sh:targetClass cim:EnergyConsumer ; sh:sparql my:none .
      my:none sh:prefixes cim: ; sh:message "it has no customers" ; sh:select
        "SELECT $this WHERE { FILTER NOT EXISTS { $this cim:EnergyConsumer.customerCount ?n } }" .`);
    expect(found.map(({ text, object }) => `${object}: ${text}`).sort()).toEqual([
      '_load: it has no customers',
      '_n1: it has 2 terminals',
      '_n2: it has 2 terminals',
    ]);
  });

  test('a constraint that the engine cannot read is told, and the others are checked', async () => {
    const { found } =
      await check(`my:Load a sh:NodeShape ; sh:targetClass cim:EnergyConsumer ; sh:sparql my:broken , my:fine .
      my:broken sh:select "SELECT $this WHERE { nonsense }" .`);
    expect(found).toMatchObject([{ severity: 'warning', code: 'shacl.not-checked' }]);
    await expect(check('my:x a')).rejects.toThrow(/shapes\.ttl is no Turtle: .*line/);
  });

  test('what a difference took away is not looked at, what it brought is', async () => {
    const location = (code: string): string =>
      `<cim:Location rdf:ID="_l"><cim:Location.mainAddress><cim:StreetAddress><cim:StreetAddress.postalCode>${code}</cim:StreetAddress.postalCode></cim:StreetAddress></cim:Location.mainAddress></cim:Location>`;
    const text = `my:L a sh:NodeShape ; sh:targetClass cim:Location ;
      sh:property [ sh:path ( cim:Location.mainAddress cim:StreetAddress.postalCode ) ; sh:name "code" ; sh:hasValue "1" ] .`;
    expect((await check(text, { 'eq.xml': full('EQ', location('1')), 'ssh.xml': SSH })).found).toEqual([]);
    expect((await check(text, { 'eq.xml': full('EQ', location('2')), 'ssh.xml': SSH })).found).toMatchObject([
      { code: 'shacl.code', object: '_l', property: 'Location.mainAddress' },
    ]);
  });
});

test('of which files a shape file speaks, by its name or its keyword', () => {
  const scope = (name: string, text = ''): string | undefined => scopeOf({ name, text });
  expect(scope('61970-600-2_Equipment-AP-Con-Simple-SHACL.ttl')).toBe('E');
  expect(scope('61970-301_Equipment-AP-Con-Complex-SHACL.ttl')).toBe('EB');
  expect(scope('61970-456_Topology-AP-Con-Complex-Explicit-CrossProfile-SHACL.ttl')).toBeUndefined();
  expect(scope('61970-301_SteadyStateHypothesis-AP-Con-Complex-NotSolvedMAS-SHACL.ttl')).toBeUndefined();
  expect(scope('mine.ttl', 'dcat:keyword "SSH" ;')).toBe('H');
  expect(scope('mine.ttl')).toBeUndefined();
});

test('the value stands in every group of a query that is one', () => {
  const term = { termType: 'NamedNode', value: 'urn:x' };
  expect(withValue('SELECT $this WHERE { { SELECT $this { ?a ?b "{" } } OPTIONAL { <{}> ?c ?d } }', term)).toBe(
    'SELECT $this WHERE { VALUES ?this { <urn:x> }  { SELECT $this { VALUES ?this { <urn:x> }  ?a ?b "{" } } OPTIONAL { <{}> ?c ?d } }',
  );
});

const skip = without ?? missing;
describe.skipIf(skip)(`the shapes of ENTSO-E${skip ? ` (${skip})` : ''}`, { timeout: 120_000 }, () => {
  const simple = (profile: string) =>
    openShapes([data('entsoe-profiles', 'SHACL', `61970-600-2_${profile}-AP-Con-Simple-SHACL.ttl`)]);
  const PROFILES = ['Equipment', 'Operation', 'SteadyStateHypothesis', 'Topology', 'StateVariables'];

  test('SmallGrid and MicroGrid have nothing against the simple ones, as by our own rules', async () => {
    for (const name of ['SmallGrid', 'MicroGrid']) {
      const model = await readModel(openSources([data('cgmes', 'cgmes3-test-models', name)]));
      const reports = await checkShacl(model, PROFILES.flatMap(simple));
      expect(reports.every(({ files, statements }) => files.length > 0 && statements > 500)).toBe(true);
      expect(model.findings.list, name).toEqual([]);
    }
  });

  test('classes of others are met by their subclasses', async () => {
    const model = await readModel(openSources([data('cgmes', 'cgmes3-test-models', 'MiniGrid')]));
    const implicit = data(
      'entsoe-profiles',
      'SHACL',
      '61970-456_StateVariables-AP-Con-Complex-Implicit-CrossProfile-SHACL.ttl',
    );
    const [report] = await checkShacl(model, openShapes([implicit]));
    expect(report).toMatchObject({ results: 0 });
    expect(report!.statements).toBeGreaterThan(10_000);
  });

  /** What is wrong by rules that both have, as `object property`. */
  const OURS = /^cim\.(required|cardinality|value|enumeration|range|kind)$/;
  const places = (model: CimModel, code: RegExp): string[] =>
    [
      ...new Set(
        model.findings.list
          .filter((each) => code.test(each.code))
          .map(({ object, property }) => `${object} ${property}`),
      ),
    ].sort();

  test('MiniGrid made wrong in every way the simple ones speak of: both find the same places', async () => {
    const path = data('cgmes', 'cgmes3-test-models', 'MiniGrid', '20210202T1930Z_1D_AA_EQ_7.xml');
    const objects = readFileSync(path, 'utf8').split(/(?=<cim:\w+ rdf:ID)/);
    let made = 0;
    /** Changes the property in the next object that has it. */
    const change = (property: string, how: (statement: string) => string): void => {
      const statement = new RegExp(
        `<cim:${property.replace('.', '\\.')}(?:>[^<]*</cim:${property.replace('.', '\\.')}>| rdf:resource="[^"]*" ?/>)`,
      );
      const at = objects.findIndex((object, index) => index > made && statement.test(object));
      expect(at, property).toBeGreaterThan(0);
      objects[at] = objects[at]!.replace(statement, (text) => how(text));
      made = at;
    };
    const CHANGES: readonly [property: string, how: (statement: string) => string][] = [
      ['ACDCTerminal.sequenceNumber', () => ''],
      ['Terminal.ConductingEquipment', () => ''],
      ['ACDCTerminal.sequenceNumber', (text) => text.replace(/>.*</, '>one<')],
      ['ACDCTerminal.sequenceNumber', (text) => text.replace(/>.*</, '>1.5<')],
      ['Terminal.phases', (text) => text.replace(/PhaseCode\.\w+/, 'PhaseCode.XYZ')],
      ['IdentifiedObject.name', (text) => text + text.replace(/>.*</, '>another<')],
      [
        'Terminal.ConnectivityNode',
        (text) => `${text}<cim:ACDCTerminal.sequenceNumber>9</cim:ACDCTerminal.sequenceNumber>`,
      ],
    ];
    for (const [property, how] of CHANGES) change(property, how);
    made = 0;
    for (const property of [
      'ACLineSegment.r',
      'PowerTransformerEnd.ratedU',
      'Switch.retained',
      'BaseVoltage.nominalVoltage',
    ]) {
      for (const how of [() => '', (text: string) => text.replace(/>.*</, '>x y<')]) {
        made = how('a') === '' ? 0 : made;
        change(property, how);
      }
    }
    const model = await readModel([
      {
        name: 'eq.xml',
        open: async function* () {
          yield Buffer.from(objects.join(''));
        },
      },
    ]);
    checkModel(model);
    await checkShacl(model, simple('Equipment'));
    const ours = places(model, OURS);
    expect(ours.length).toBeGreaterThanOrEqual(14);
    expect(places(model, /^shacl\./)).toEqual(ours);
  });
});
