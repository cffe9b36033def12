/** What changed between two models, and the difference model that makes one of the other. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { checkModel } from '../src/check/check.ts';
import { diffModels } from '../src/diff/diff.ts';
import { writeDifferences } from '../src/diff/write-difference.ts';
import { applyDifferences, type CimModel, readModel } from '../src/model.ts';
import { partsOf } from '../src/parts.ts';
import { openSources } from '../src/source/source.ts';
import { writeFile } from '../src/write/writer.ts';
import { CONTAINERS, FEED, full, LOAD, line, named, PROFILES, read, SSH, terminal, told } from './exchange.ts';
import { data, missing } from './reference-data.ts';

const options = { id: () => 'difference', created: '2026-01-01T00:00:00Z' };
const EQ = full('EQ', CONTAINERS + line() + LOAD + FEED);
const text = (model: CimModel, file = 0): string => [...writeFile(model, file)].join('');
/** Objects of a file sorted, without its header: the order in which they stand is no part of what they say. */
const objects = (xml: string): string[] =>
  xml
    .slice(xml.indexOf('</md:FullModel>'))
    .split(/\n {2}(?=<)/)
    .map((object) => object.replace('</rdf:RDF>', '').trim().split('\n').sort().join('\n'))
    .sort();

describe('what changed', () => {
  test('nothing between a model and itself, however its files are ordered and its numbers spelt', async () => {
    const model = await read({ 'eq.xml': EQ, 'ssh.xml': SSH });
    const other = await read({ 'ssh.xml': SSH, 'eq.xml': EQ.replace('>10<', '>1.0E+1<') });
    expect(diffModels(model, other)).toEqual([]);
    expect(diffModels(model, other, { spelling: true })).toMatchObject([{ mRID: 'line', change: 'changed' }]);
  });

  test('objects that came and went, values and references that changed, with name, class and place', async () => {
    const before = await read({ 'eq.xml': EQ, 'ssh.xml': SSH });
    const after = await read({
      'eq.xml': full(
        'EQ',
        CONTAINERS + line('1', '11') + FEED + FEED.replaceAll('feed', 'second').replace(terminal('feed', 1, 'n1'), ''),
        'EQ2',
      ).replace('_bv"/>\n<cim:Conductor', '_other"/>\n<cim:Conductor'),
      'ssh.xml': SSH,
    });
    const changes = diffModels(before, after);
    expect(changes.map(({ change, class: name, mRID }) => `${change} ${name} ${mRID}`)).toEqual([
      'removed EnergyConsumer load',
      'removed Terminal load-t1',
      'added ExternalNetworkInjection second',
      'added Terminal second-t1',
      'changed ACLineSegment line',
    ]);
    expect(changes[4]).toMatchObject({
      name: 'line',
      file: 'eq.xml',
      properties: [
        { property: 'ACLineSegment.x', before: ['10'], after: ['11'] },
        { property: 'ConductingEquipment.BaseVoltage', before: ['→ _bv'], after: ['→ _other'] },
      ],
    });
    expect(changes[0]!.properties).toContainEqual({
      property: 'IdentifiedObject.name',
      before: ['load'],
      after: [],
    });
  });

  test('an object that became one of another class', async () => {
    const before = await read({ 'eq.xml': EQ });
    const after = await read({ 'eq.xml': EQ.replaceAll('cim:EnergyConsumer', 'cim:ConformLoad') });
    expect(diffModels(before, after)).toMatchObject([
      { change: 'changed', mRID: 'load', class: 'ConformLoad', classBefore: 'EnergyConsumer' },
    ]);
  });
});

describe('difference models', () => {
  const apply = async (files: Record<string, string>, difference: string): Promise<CimModel> => {
    const model = await read({ ...files, 'd.xml': difference });
    applyDifferences(model);
    expect(told(model).filter((each) => each.startsWith('cim.difference'))).toEqual([]);
    return model;
  };

  test('header, supersedes, and one file for the part that changed', async () => {
    const before = await read({ 'eq.xml': EQ, 'ssh.xml': SSH });
    const after = await read({ 'eq.xml': full('EQ', CONTAINERS + line('2') + FEED, 'EQ2'), 'ssh.xml': SSH });
    const differences = writeDifferences(before, after, options);
    expect(differences).toHaveLength(1);
    const model = await apply({ 'eq.xml': EQ, 'ssh.xml': SSH }, differences[0]!.text);
    expect(model.files[2]!.header).toMatchObject({
      kind: 'difference',
      id: '_EQ2',
      supersedes: ['_EQ'],
      profileUris: [PROFILES.EQ],
      created: '2026-01-01T00:00:00Z',
    });
    expect(partsOf(model)).toMatchObject([
      { base: 0, differences: [2] },
      { base: 1, differences: [] },
    ]);
    expect(diffModels(model, after)).toEqual([]);
    expect(objects(text(model))).toEqual(objects(text(after)));
    expect(text(model)).toContain('<md:FullModel rdf:about="urn:uuid:EQ2">');
  });

  test('a hypothesis that ceases to speak of equipment leaves the equipment', async () => {
    const ssh = (body: string, id?: string): string => full('SSH', body, id);
    const speak = `<cim:EnergyConsumer rdf:about="#_load"><cim:EnergyConsumer.p>3</cim:EnergyConsumer.p></cim:EnergyConsumer>`;
    const before = await read({ 'eq.xml': EQ, 'ssh.xml': ssh(speak) });
    const after = await read({ 'eq.xml': EQ, 'ssh.xml': ssh('', 'SSH2') });
    const [difference, ...more] = writeDifferences(before, after, options);
    expect(more).toEqual([]);
    const model = await apply({ 'eq.xml': EQ, 'ssh.xml': ssh(speak) }, difference!.text);
    expect(model.store.class(model.store.find('_load')!)).toBe('EnergyConsumer');
    expect(model.store.number(model.store.find('_load')!, 'EnergyConsumer.p')).toBeUndefined();
    expect(objects(text(model, 1))).toEqual(objects(text(after, 1)));
    // So it does when another's difference names the class, as some write it.
    const typed = difference!.text.replaceAll('rdf:Description', 'cim:EnergyConsumer');
    const other = await apply({ 'eq.xml': EQ, 'ssh.xml': ssh(speak) }, typed);
    expect(other.store.class(other.store.find('_load')!)).toBe('EnergyConsumer');
  });

  test('a difference that takes away what a hypothesis still speaks of is told', async () => {
    const ssh = full(
      'SSH',
      '<cim:EnergyConsumer rdf:about="#_load"><cim:EnergyConsumer.p>3</cim:EnergyConsumer.p></cim:EnergyConsumer>',
    );
    const before = await read({ 'eq.xml': EQ, 'ssh.xml': ssh });
    const after = await read({ 'eq.xml': full('EQ', CONTAINERS + line() + FEED, 'EQ2'), 'ssh.xml': ssh });
    const [difference] = writeDifferences(before, after, options);
    const model = await apply({ 'eq.xml': EQ, 'ssh.xml': ssh }, difference!.text);
    checkModel(model);
    expect(told(model)).toContain('cim.undefined ssh.xml:4 _load');
  });

  test('a difference that takes twenty thousand statements of one object takes no longer for each', async () => {
    const many = Array.from({ length: 20_000 }, (_, n) => `<cim:Flux.capacity>${n}</cim:Flux.capacity>`).join('\n');
    const [a, b] = [many, ''].map((body, index) => full('EQ', `<cim:Flux rdf:ID="_f">${body}</cim:Flux>`, `E${index}`));
    const [before, after] = [await read({ 'eq.xml': a! }), await read({ 'eq.xml': b! })];
    const [difference] = writeDifferences(before, after, options);
    const model = await apply({ 'eq.xml': a! }, difference!.text);
    expect(model.store.values(model.store.find('_f')!)).toEqual([]);
  });

  test('addresses within objects come, change and go', async () => {
    const location = (code: string): string =>
      `<cim:Location rdf:ID="_l">${named('l')}${code && `<cim:Location.mainAddress><cim:StreetAddress><cim:StreetAddress.postalCode>${code}</cim:StreetAddress.postalCode></cim:StreetAddress></cim:Location.mainAddress>`}</cim:Location>`;
    for (const [from, to] of [
      ['1', '2'],
      ['', '2'],
      ['1', ''],
    ] as const) {
      const [a, b] = [full('EQ', location(from)), full('EQ', location(to), 'EQ2')];
      const [before, after] = [await read({ 'eq.xml': a }), await read({ 'eq.xml': b })];
      expect(diffModels(before, before)).toEqual([]);
      expect(diffModels(before, after)).toMatchObject([{ properties: [{ property: 'Location.mainAddress' }] }]);
      const [difference] = writeDifferences(before, after, options);
      const model = await apply({ 'eq.xml': a }, difference!.text);
      expect(objects(text(model)), `${from} → ${to}`).toEqual(objects(text(after)));
    }
  });

  test('any two models: the difference makes the one of the other, to the letter', async () => {
    const classes = ['BaseVoltage', 'Substation', 'Breaker'] as const;
    const value = fc.constantFrom('1', '1.0', '2', 'a < b', 'ü "x"', '');
    const object = fc.record({
      class: fc.constantFrom(...classes),
      name: value,
      voltage: fc.option(value),
      to: fc.option(fc.constantFrom('0', '1', '2', '3', '9')),
    });
    const model = fc.dictionary(fc.constantFrom('0', '1', '2', '3', '4'), object, { maxKeys: 5 });
    const xml = (
      id: string,
      of: Record<string, { class: string; name: string; voltage: string | null; to: string | null }>,
    ) =>
      full(
        'EQ',
        Object.entries(of)
          .map(([key, { class: name, name: label, voltage, to }]) => {
            const quoted = (each: string): string => each.replaceAll('<', '&lt;');
            return `<cim:${name} rdf:ID="_${key}">${named(quoted(label))}${voltage === null ? '' : `<cim:BaseVoltage.nominalVoltage>${quoted(voltage)}</cim:BaseVoltage.nominalVoltage>`}${to === null ? '' : `<cim:Substation.Region rdf:resource="#_${to}"/>`}</cim:${name}>`;
          })
          .join(''),
        id,
      );
    await fc.assert(
      fc.asyncProperty(model, model, async (a, b) => {
        const [before, after] = [await read({ 'eq.xml': xml('A', a) }), await read({ 'eq.xml': xml('B', b) })];
        const [difference] = writeDifferences(before, after, options);
        const changes = diffModels(before, after, { spelling: true });
        expect(difference === undefined).toBe(changes.length === 0);
        if (!difference) return;
        const made = await apply({ 'eq.xml': xml('A', a) }, difference.text);
        expect(diffModels(made, after, { spelling: true })).toEqual([]);
        expect(objects(text(made))).toEqual(objects(text(after)));
        // And what is written is a full model like any other.
        const again = await read({ 'eq.xml': text(made) });
        expect(diffModels(again, after, { spelling: true })).toEqual([]);
      }),
      { numRuns: 150 },
    );
  });

  test.skipIf(missing !== undefined)(
    `SmallGrid with other lines, switches and voltages${missing ? ` (${missing})` : ''}`,
    async () => {
      const folder = data('cgmes', 'cgmes3-test-models', 'SmallGrid');
      const before = await readModel(openSources([folder]));
      const sources = before.files.map(({ name }, file) => {
        const changed = text(before, file)
          .replaceAll(/(<cim:(?:ACLineSegment\.r|SvVoltage\.v)>[0-9.]*)[0-4]</g, '$19<')
          .replaceAll(/(Switch\.open>)false/g, '$1true')
          .replace(/ {2}<cim:BusbarSection [\s\S]*?<\/cim:BusbarSection>\n/, '');
        return {
          name,
          open: async function* () {
            yield Buffer.from(changed);
          },
        };
      });
      const after = await readModel(sources);
      const changes = diffModels(before, after);
      expect(changes.length).toBeGreaterThan(500);
      expect(changes.filter(({ change }) => change !== 'changed')).toMatchObject([
        { change: 'removed', class: 'BusbarSection' },
      ]);
      const differences = writeDifferences(before, after, options);
      expect(differences.map(({ after: { profiles } }) => profiles.join('+')).sort()).toEqual([
        'EQ+OP+SC',
        'SSH',
        'SV',
      ]);
      const made = await readModel([
        ...sourcesOf(before),
        ...differences.map(({ text: xml }, index) => source(`d${index}.xml`, xml)),
      ]);
      applyDifferences(made);
      expect(diffModels(made, after, { spelling: true })).toEqual([]);
      expect(made.findings.byCode).toEqual(before.findings.byCode);
    },
  );
});

const source = (name: string, xml: string) => ({
  name,
  open: async function* () {
    yield Buffer.from(xml);
  },
});
const sourcesOf = (model: CimModel) => model.files.map(({ name }, file) => source(name, text(model, file)));
