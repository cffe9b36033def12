/** Models in JSON-LD 1.1: what is written reads back the same, and what is wrong has a place. */
import { Readable } from 'node:stream';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { diffModels } from '../src/diff/diff.ts';
import { writeJsonLd } from '../src/json-ld/writer.ts';
import { type CimModel, readModel } from '../src/model.ts';
import { openSources } from '../src/source/source.ts';
import { writeFile } from '../src/write/writer.ts';
import { CONTAINERS, FEED, full, LOAD, line, named, read, SSH, told } from './exchange.ts';
import { data, missing } from './reference-data.ts';

const EQ = full('EQ', CONTAINERS + line() + LOAD + FEED);
const xml = (model: CimModel, file: number): string => [...writeFile(model, file)].join('');
const json = (model: CimModel, file: number): string => [...writeJsonLd(model, file)].join('');
const asJson = (model: CimModel): Record<string, string> =>
  Object.fromEntries(model.files.map(({ name }, file) => [name.replace(/\.\w+$/, '.jsonld'), json(model, file)]));
/** Objects of a file with their statements, both sorted: nothing of RDF has an order. */
const sorted = (text: string): string[] =>
  text
    .split(/\n {2}(?=<)/)
    .map((object) => object.trim().split('\n').sort().join('\n'))
    .sort();

describe('JSON-LD', () => {
  test('a small model: header, references, escapes, numbers as they are spelt', async () => {
    const model = await read({
      'eq.xml': EQ.replace('>line<', '>a "b" \\ ü 😀<').replace('>10<', '>1.0E+1<'),
      'ssh.xml': SSH,
    });
    const files = asJson(model);
    expect(files['eq.jsonld']).toContain('"ACLineSegment.x": 1.0E+1');
    expect(files['eq.jsonld']).toContain('"ACLineSegment.x": {"@type": "xsd:float"}');
    const document = JSON.parse(files['eq.jsonld']!);
    expect(document['@graph'][0]).toMatchObject({ '@id': '#_EQ', '@type': 'md:FullModel' });
    const again = await read(files);
    expect(told(again)).toEqual([]);
    expect(again.version).toBe('3.0');
    for (const file of [0, 1]) expect(sorted(xml(again, file))).toEqual(sorted(xml(model, file)));
  });

  test('addresses within objects, values of the extension, texts for numbers', async () => {
    const body = `<cim:Location rdf:ID="_l">${named('l')}<cim:Location.mainAddress><cim:StreetAddress><cim:StreetAddress.postalCode>1</cim:StreetAddress.postalCode>
      <cim:StreetAddress.streetDetail><cim:StreetDetail><cim:StreetDetail.name>Ring</cim:StreetDetail.name></cim:StreetDetail></cim:StreetAddress.streetDetail></cim:StreetAddress></cim:Location.mainAddress></cim:Location>
      <cim:OperationalLimitType rdf:ID="_t">${named('t')}<eu:OperationalLimitType.kind xmlns:eu="http://iec.ch/TC57/CIM100-European#" rdf:resource="http://iec.ch/TC57/CIM100-European#LimitKind.patl"/></cim:OperationalLimitType>
      <cim:BaseVoltage rdf:ID="_b"><cim:BaseVoltage.nominalVoltage>ten</cim:BaseVoltage.nominalVoltage><cim:FluxCompensator.power>1.21</cim:FluxCompensator.power><cim:FluxCompensator.of rdf:resource="#_l"/><cim:FluxCompensator.see rdf:resource="http://flux.example/"/></cim:BaseVoltage>`;
    const model = await read({ 'eq.xml': full('EQ', body) });
    const again = await read(asJson(model));
    expect(again.findings.byCode).toEqual(model.findings.byCode);
    expect(sorted(xml(again, 0))).toEqual(sorted(xml(model, 0)));
    expect(diffModels(model, again, { spelling: true })).toEqual([]);
  });

  test('as others write it: a header at the end, prefixes, arrays, value objects, no graph', async () => {
    const context = {
      '@vocab': 'http://iec.ch/TC57/CIM100#',
      md: 'http://iec.ch/TC57/61970-552/ModelDescription/1#',
      name: 'IdentifiedObject.name',
      region: { '@id': 'Substation.Region', '@type': '@id' },
    };
    const node = { '@id': '#_s', '@type': ['Substation'], name: [{ '@value': 'north' }], region: 'urn:uuid:r' };
    const header = {
      '@id': 'urn:uuid:m',
      '@type': 'md:FullModel',
      'md:Model.profile': 'http://iec.ch/TC57/ns/CIM/CoreEquipment-EU/3.0',
    };
    const model = await read({ 'eq.jsonld': JSON.stringify({ '@graph': [node, header], '@context': context }) });
    const object = model.store.find('_s')!;
    expect(model.files[0]!.header).toMatchObject({ id: '_m', profiles: ['EQ'] });
    expect(model.store.class(object)).toBe('Substation');
    expect(model.store.text(object, 'IdentifiedObject.name')).toBe('north');
    expect(told(model)).toEqual(['cim.profile-missing -:- -', 'cim.dangling eq.jsonld:1 _s']);
    const alone = await read({ 'eq.jsonld': JSON.stringify({ '@context': context, ...node }) });
    expect(alone.store.class(alone.store.find('_s')!)).toBe('Substation');
  });

  const context = '"@context": {"@vocab": "http://iec.ch/TC57/CIM100#"}';
  test.each([
    ['', 'json-ld.root', 1],
    ['7', 'json-ld.root', 1],
    ['{\n"@context": {},\n"@graph": [', 'json.syntax', 3],
    ['{"a": 1,\n"a": 2', 'json.syntax', 2],
    [`{${context},\n"x": "\\ud800"}`, 'json.syntax', 2],
    [`{${context},\n"x": 01}`, 'json.syntax', 2],
    [`{${context},\n"x":\n${'['.repeat(100)}`, 'json.limit', 3],
    [`{"@context":\n"https://example.org/context.jsonld"}`, 'json-ld.context', 2],
    ['{"@context": {"a": "b:c", "b": "a:x"},\n"a": 1}', 'json-ld.context', 2],
    [`{${context},\n"@graph": [{"@id": "#_a", "@type": ["A",\n"B"]}]}`, 'json-ld.type', 2],
    [`{${context},\n"@graph": ["a"]}`, 'json-ld.node', 2],
  ])('%s', async (text, code, at) => {
    const model = await readModel([
      {
        name: 'x.jsonld',
        open: async function* () {
          yield Buffer.from(text);
        },
      },
    ]);
    expect(told(model)[0]).toBe(`${code} x.jsonld:${at} -`);
    expect(model.files[0]!.complete).toBe(false);
  });

  test('a name that no context knows is told once; octets that are no UTF-8 are refused', async () => {
    const text = `{${context.replace('vocab', 'base')},\n"@graph": [{"@id": "#_a", "x": 1}, {"@id": "#_b", "x": 2}]}`;
    const model = await readModel([
      {
        name: 'x.jsonld',
        open: async function* () {
          yield Buffer.from(text);
        },
      },
    ]);
    expect(told(model)).toEqual(['json-ld.term x.jsonld:2 -', 'cim.header x.jsonld:1 -']);
    const latin = await read({ 'x.jsonld': Buffer.from('{"ä": 1}', 'latin1') });
    expect(latin.findings.byCode['json.encoding']).toBe(1);
  });

  test('files changed at random end in findings', async () => {
    const whole = asJson(await read({ 'eq.xml': EQ }))['eq.jsonld']!;
    const edit = fc.tuple(
      fc.nat(),
      fc.constantFrom('', '"', '{', '}', '[', ']', ',', ':', '\\', '@', '1', 'null', '\n'),
      fc.nat(3),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(edit, { minLength: 1, maxLength: 4 }), async (edits) => {
        let text = whole;
        for (const [at, put, out] of edits) {
          const place = at % text.length;
          text = text.slice(0, place) + put + text.slice(place + out);
        }
        const model = await read({ 'x.jsonld': text });
        for (const { code } of model.findings.list) expect(code).toMatch(/^(json|json-ld|rdf|cim|grid)\.[a-z-]+$/);
        let plain: boolean;
        try {
          JSON.parse(text);
          plain = true;
        } catch {
          plain = false;
        }
        // The platform knows doubled names and surrogates no better; what it refuses is refused here.
        if (!plain) expect(model.files[0]!.complete).toBe(false);
      }),
      { numRuns: 300 },
    );
  });

  test.skipIf(missing !== undefined)(
    `the conformity models of 3.0 come back the same${missing ? ` (${missing})` : ''}`,
    async () => {
      for (const name of ['MicroGrid', 'MiniGrid', 'SmallGrid']) {
        const model = await readModel(openSources([data('cgmes', 'cgmes3-test-models', name)]));
        const again = await read(asJson(model));
        expect(again.findings.counts.error, name).toBe(0);
        for (const file of model.files.keys()) {
          expect(sorted(xml(again, file)), model.files[file]!.name).toEqual(sorted(xml(model, file)));
        }
      }
    },
    60_000,
  );
});

type Parsers = readonly Record<string, new (options: { baseIRI: string }) => NodeJS.ReadWriteStream>[];
/** Parsers of others, there when the optional SHACL engine is. */
const NAMES = ['jsonld-streaming-parser', 'rdfxml-streaming-parser'];
const parsers = await Promise.all(NAMES.map((name) => import(name))).then(
  (modules) => modules as Parsers,
  () => undefined,
);

interface Quad {
  readonly subject: { readonly value: string };
  readonly predicate: { readonly value: string };
  readonly object: { readonly termType: string; readonly value: string };
}

describe.skipIf(!parsers || missing !== undefined)('beside the JSON-LD and RDF/XML parsers of others', () => {
  const BASE = 'http://model.example/';
  async function quads(parser: NodeJS.ReadWriteStream, text: string): Promise<string[]> {
    const said: string[] = [];
    const term = (value: string): string => value.replace(/^urn:uuid:/, `${BASE}#_`);
    const stream = Readable.from([text]).pipe(parser) as unknown as AsyncIterable<Quad>;
    for await (const { subject, predicate, object } of stream) {
      const number = object.termType === 'Literal' && object.value.trim() !== '' ? Number(object.value) : Number.NaN;
      const value = Number.isNaN(number) ? term(object.value) : `${number}`;
      said.push(`${term(subject.value)} ${predicate.value} ${value}`);
    }
    return said.sort();
  }

  test('MicroGrid: both say the same of the file and of ours', async () => {
    const [JsonLdParser, RdfXmlParser] = [parsers![0]!.JsonLdParser!, parsers![1]!.RdfXmlParser!];
    const model = await readModel(openSources([data('cgmes', 'cgmes3-test-models', 'MicroGrid')]));
    for (const file of model.files.keys()) {
      const ours = await quads(new JsonLdParser({ baseIRI: BASE }), json(model, file));
      const theirs = await quads(new RdfXmlParser({ baseIRI: BASE }), xml(model, file));
      expect(ours.length).toBeGreaterThan(20);
      expect(ours, model.files[file]!.name).toEqual(theirs);
    }
  });
});
