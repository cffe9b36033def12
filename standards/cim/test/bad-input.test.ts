/** What a model may be like that nobody would want: a finding that names the place, in bounded time and memory. */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { constants, crc32, deflateRawSync } from 'node:zlib';
import { afterAll, describe, expect, test } from 'vitest';
import { applyDifferences, readModel } from '../src/model.ts';
import { openSources } from '../src/source/source.ts';
import { busesOf } from '../src/topology/buses.ts';
import { CONTAINERS, document, FEED, full, LOAD, line, named, node, read, SSH, terminal, told } from './exchange.ts';

const GOOD = full('EQ', CONTAINERS + line() + LOAD + FEED);
const folder = mkdtempSync(join(tmpdir(), 'cim-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const lineOf = (text: string, what: string): number => text.slice(0, text.indexOf(what)).split('\n').length;

test('the small model the others are made from has nothing wrong with it', async () => {
  const model = await read({ 'eq.xml': GOOD, 'ssh.xml': SSH });
  expect(told(model)).toEqual([]);
  expect(model.store.ofClass('Terminal')).toHaveLength(4);
});

describe('XML', () => {
  test('truncated at every 97th octet: one error, and what came before is there', async () => {
    const octets = Buffer.from(GOOD);
    for (let length = 0; length < octets.length - 12; length += 97) {
      const { findings } = await read({ 'eq.xml': octets.subarray(0, length) });
      const codes = findings.list.filter(({ code }) => code.startsWith('xml.')).map(({ code }) => code);
      expect(codes, `${length}`).toEqual([length === 0 ? 'xml.empty' : expect.stringMatching(/truncated|empty/)]);
    }
  });

  test('entities of its own, billions of laughs or files of the machine: the document type is refused', async () => {
    const laughs = `<!DOCTYPE r [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>${document('')}`;
    const outside = `<!DOCTYPE r SYSTEM "file:///etc/passwd">${document('')}`;
    for (const text of [laughs, outside]) {
      expect(told(await read({ 'x.xml': text.replace('<?xml version="1.0" encoding="utf-8"?>', '') }))).toContain(
        'xml.doctype x.xml:1 -',
      );
    }
    const use = full('EQ', `<cim:BaseVoltage rdf:ID="_a">${named('&laugh;')}</cim:BaseVoltage>`);
    expect(told(await read({ 'x.xml': use }))).toContain('xml.entity x.xml:4 -');
  });

  test('windows-1252 that calls itself UTF-8: the line, and what it may be', async () => {
    const text = GOOD.replace('>line<', '>Straße<');
    const model = await read({ 'eq.xml': Buffer.from(text, 'latin1') });
    const [finding] = model.findings.list;
    expect(finding).toMatchObject({ code: 'xml.encoding', file: 'eq.xml' });
    expect(finding!.text).toContain('windows-1252');
    expect(finding!.line).toBe(lineOf(text, 'Straße'));
  });

  test('UTF-16 is read, and said not to be what CGMES wants; a mark before UTF-8 is no matter', async () => {
    const wide = Buffer.from(`\ufeff${GOOD}`, 'utf16le');
    expect(told(await read({ 'eq.xml': wide, 'ssh.xml': SSH }))).toEqual([
      'xml.encoding eq.xml:1 -',
      'cim.encoding eq.xml:1 -',
    ]);
    expect(told(await read({ 'eq.xml': `\ufeff${GOOD}`, 'ssh.xml': SSH }))).toEqual([]);
  });

  test('ten thousand elements within each other end at the limit', async () => {
    const deep = document('<cim:A rdf:ID="_a"><cim:A.b>'.repeat(10_000));
    expect((await read({ 'x.xml': deep })).findings.byCode['xml.limit']).toBe(1);
  });

  test('an undeclared prefix, another root, a DOM of HTML', async () => {
    expect(told(await read({ 'x.xml': document('<foo:A rdf:ID="_a"/>') }))).toContain('xml.namespace x.xml:3 -');
    expect(told(await read({ 'x.html': '<html><body/></html>' }))).toContain('rdf.root x.html:1 -');
  });
});

test('prefixes declared where they are used, and bound to something else within', async () => {
  const text = full('EQ', CONTAINERS + line() + LOAD + FEED)
    .replaceAll('cim:BaseVoltage.nominalVoltage>', 'v:BaseVoltage.nominalVoltage>')
    .replace('<v:BaseVoltage.nominalVoltage>', '<v:BaseVoltage.nominalVoltage xmlns:v="http://iec.ch/TC57/CIM100#">')
    .replace('<cim:ACLineSegment ', '<line:ACLineSegment xmlns:line="http://iec.ch/TC57/CIM100#" ')
    .replace('</cim:ACLineSegment>', '</line:ACLineSegment>');
  const model = await read({ 'eq.xml': text, 'ssh.xml': SSH });
  expect(told(model)).toEqual([]);
  expect(model.store.number(model.store.find('_bv')!, 'BaseVoltage.nominalVoltage')).toBe(110);
});

describe('objects', () => {
  const eq = (body: string): string => full('EQ', CONTAINERS + body + LOAD + FEED);

  test('a reference to nothing is told with file, line, object and property', async () => {
    const text = eq(line().replace('#_bv', '#_nowhere'));
    const model = await read({ 'eq.xml': text, 'ssh.xml': SSH });
    expect(model.findings.list).toEqual([
      expect.objectContaining({
        severity: 'error',
        code: 'cim.dangling',
        file: 'eq.xml',
        line: lineOf(text, '#_nowhere'),
        object: '_line',
        class: 'ACLineSegment',
        property: 'ConductingEquipment.BaseVoltage',
      }),
    ]);
  });

  test('an identifier given twice, with both places', async () => {
    const text = eq(line() + node('n1'));
    const model = await read({ 'eq.xml': text, 'ssh.xml': SSH });
    const [finding] = model.findings.list.filter(({ code }) => code === 'rdf.duplicate-id');
    expect(finding).toMatchObject({
      object: '_n1',
      line: text.slice(0, text.lastIndexOf('rdf:ID="_n1"')).split('\n').length,
    });
    expect(finding!.text).toContain(`eq.xml:${lineOf(text, 'rdf:ID="_n1"')}`);
  });

  test('classes and properties nobody knows are kept and told', async () => {
    const text = eq(
      `${line()}<cim:FluxCompensator rdf:ID="_flux"><cim:FluxCompensator.power>1.21</cim:FluxCompensator.power></cim:FluxCompensator>`,
    );
    const model = await read({ 'eq.xml': text, 'ssh.xml': SSH });
    expect(Object.keys(model.findings.byCode)).toEqual(['cim.unknown-class', 'cim.unknown-property']);
    expect(model.store.text(model.store.find('_flux')!, 'FluxCompensator.power')).toBe('1.21');
  });

  test('a class in the namespace of the extension is read and told', async () => {
    const text = eq(line())
      .replaceAll('cim:BaseVoltage', 'eu:BaseVoltage')
      .replace('xmlns:cim', 'xmlns:eu="http://iec.ch/TC57/CIM100-European#" xmlns:cim');
    const { findings, store } = await read({ 'eq.xml': text, 'ssh.xml': SSH });
    expect(findings.byCode).toEqual({ 'cim.namespace': 2 });
    expect(store.ofClass('BaseVoltage')).toHaveLength(1);
  });

  test('NaN, INF, text for a number, a value of another enumeration, a missing and a doubled property', async () => {
    for (const value of ['NaN', 'INF', 'ten', '', '1e999', '0x10', '1,5']) {
      expect(told(await read({ 'eq.xml': eq(line('1', value)), 'ssh.xml': SSH })), value).toEqual([
        expect.stringMatching(/^cim\.value eq\.xml:\d+ _line$/),
      ]);
    }
    const without = eq(line().replace(/<cim:ACLineSegment\.x>.*?x>/, ''));
    expect(told(await read({ 'eq.xml': without, 'ssh.xml': SSH }))).toEqual([expect.stringContaining('cim.required')]);
    const twice = eq(
      line().replace('<cim:ACLineSegment.bch>', '<cim:ACLineSegment.r>2</cim:ACLineSegment.r><cim:ACLineSegment.bch>'),
    );
    expect(told(await read({ 'eq.xml': twice, 'ssh.xml': SSH }))).toEqual([expect.stringContaining('cim.cardinality')]);
  });

  test('a reference to an object of the wrong class', async () => {
    const text = eq(line().replace('BaseVoltage rdf:resource="#_bv"', 'BaseVoltage rdf:resource="#_vl"'));
    expect(told(await read({ 'eq.xml': text, 'ssh.xml': SSH }))).toEqual([expect.stringContaining('cim.range')]);
  });

  test('containers within themselves', async () => {
    const text = eq(line()).replace(
      'Substation.Region rdf:resource="#_sub"',
      'Substation.Region rdf:resource="#_sub2"',
    );
    const cycle = text.replace(
      '</rdf:RDF>',
      `<cim:SubGeographicalRegion rdf:ID="_sub2">${named('s')}<cim:SubGeographicalRegion.Region rdf:resource="#_station"/></cim:SubGeographicalRegion></rdf:RDF>`,
    );
    const model = await read({ 'eq.xml': cycle, 'ssh.xml': SSH });
    expect(model.findings.byCode).toMatchObject({ 'cim.cycle': 1, 'cim.range': 1 });
  });

  test('SSH that speaks of what no EQ defines, and no EQ at all', async () => {
    const ssh = full(
      'SSH',
      '<cim:Terminal rdf:about="#_t"><cim:ACDCTerminal.connected>true</cim:ACDCTerminal.connected></cim:Terminal>',
    );
    const codes = (await read({ 'ssh.xml': ssh })).findings.byCode;
    expect(codes).toEqual({ 'cim.profile-missing': 1, 'cim.undefined': 1 });
  });

  test('a file without a header, two versions in one model, a model that came twice', async () => {
    expect((await read({ 'x.xml': document(CONTAINERS) })).findings.byCode).toMatchObject({ 'cim.header': 1 });
    const old = SSH.replace('http://iec.ch/TC57/CIM100#', 'http://iec.ch/TC57/2013/CIM-schema-cim16#');
    expect((await read({ 'eq.xml': GOOD, 'ssh.xml': old })).findings.byCode).toMatchObject({ 'cim.version': 1 });
    expect((await read({ 'a.xml': GOOD, 'b.xml': GOOD })).findings.byCode).toMatchObject({ 'cim.model-twice': 1 });
  });
});

describe('electrical sense', () => {
  const codes = async (body: string, others: Record<string, string> = {}): Promise<unknown> =>
    (await read({ 'eq.xml': full('EQ', CONTAINERS + body), 'ssh.xml': SSH, ...others })).findings.byCode;

  test('negative reactance, no impedance, no length', async () => {
    expect(await codes(line('1', '-10') + LOAD + FEED)).toEqual({ 'grid.negative-reactance': 1 });
    expect(await codes(line('0', '0') + LOAD + FEED)).toEqual({ 'grid.zero-impedance': 1 });
    expect(await codes(line('1', '10', '0') + LOAD + FEED)).toEqual({ 'grid.zero-length': 1 });
  });

  test('a load that nothing feeds, and one behind a disconnected terminal', async () => {
    expect(await codes(line() + LOAD)).toEqual({ 'grid.island-without-source': 1 });
    const off = full(
      'SSH',
      '<cim:Terminal rdf:about="#_line-t1"><cim:ACDCTerminal.connected>false</cim:ACDCTerminal.connected></cim:Terminal>',
    );
    expect(await codes(line() + LOAD + FEED, { 'ssh.xml': off })).toEqual({ 'grid.island-without-source': 1 });
  });

  test('a line with one terminal, a load with two that have the same number', async () => {
    expect(await codes(line().replace(/<cim:Terminal rdf:ID="_line-t2">[\s\S]*<\/cim:Terminal>$/, '') + FEED)).toEqual({
      'grid.terminals': 1,
    });
    expect(await codes(line() + LOAD + FEED + terminal('load', 1, 'n1').replace('_load-t1', '_other'))).toEqual({
      'grid.terminals': 2,
    });
  });

  test('an angle reference without a machine', async () => {
    const tp = full(
      'TP',
      `<cim:TopologicalNode rdf:ID="_tn">${named('tn')}<cim:TopologicalNode.BaseVoltage rdf:resource="#_bv"/><cim:TopologicalNode.ConnectivityNodeContainer rdf:resource="#_vl"/></cim:TopologicalNode>
      <cim:Terminal rdf:about="#_load-t1"><cim:Terminal.TopologicalNode rdf:resource="#_tn"/></cim:Terminal>`,
    );
    const sv = full(
      'SV',
      `<cim:TopologicalIsland rdf:ID="_i">${named('i')}<cim:TopologicalIsland.TopologicalNodes rdf:resource="#_tn"/><cim:TopologicalIsland.AngleRefTopologicalNode rdf:resource="#_tn"/></cim:TopologicalIsland>`,
    );
    expect(await codes(line() + LOAD + FEED, { 'tp.xml': tp, 'sv.xml': sv })).toEqual({ 'grid.slack': 1 });
  });

  test('tap positions outside their range or against each other', async () => {
    const tap = (step: string, sv: string, low = '-8'): Promise<unknown> =>
      codes(
        `${line()}${LOAD}${FEED}<cim:RatioTapChanger rdf:ID="_tap">${named('tap')}<cim:TapChanger.lowStep>${low}</cim:TapChanger.lowStep>
        <cim:TapChanger.highStep>8</cim:TapChanger.highStep><cim:TapChanger.neutralStep>0</cim:TapChanger.neutralStep>
        <cim:TapChanger.normalStep>0</cim:TapChanger.normalStep><cim:TapChanger.neutralU>110</cim:TapChanger.neutralU><cim:TapChanger.ltcFlag>true</cim:TapChanger.ltcFlag>
        <cim:RatioTapChanger.stepVoltageIncrement>1</cim:RatioTapChanger.stepVoltageIncrement><cim:RatioTapChanger.TransformerEnd rdf:resource="#_end"/></cim:RatioTapChanger>`,
        {
          'ssh.xml': full(
            'SSH',
            `<cim:RatioTapChanger rdf:about="#_tap"><cim:TapChanger.step>${step}</cim:TapChanger.step><cim:TapChanger.controlEnabled>false</cim:TapChanger.controlEnabled></cim:RatioTapChanger>`,
          ),
          'sv.xml': full(
            'SV',
            `<cim:SvTapStep rdf:ID="_sv"><cim:SvTapStep.position>${sv}</cim:SvTapStep.position><cim:SvTapStep.TapChanger rdf:resource="#_tap"/></cim:SvTapStep>`,
          ),
        },
      );
    const end = { 'cim.dangling': 1 };
    expect(await tap('3', '3')).toEqual(end);
    expect(await tap('9', '9')).toEqual({ ...end, 'grid.tap-position': 2 });
    expect(await tap('3', '-3')).toEqual({ ...end, 'grid.tap-contradiction': 1 });
    expect(await tap('3', '3', '9')).toEqual({ ...end, 'grid.tap-range': 1 });
  });
});

describe('buses', () => {
  const toggle = (property: string): string =>
    `<cim:Breaker rdf:ID="_q">${named('q')}<cim:Equipment.EquipmentContainer rdf:resource="#_vl"/><cim:Switch.normalOpen>false</cim:Switch.normalOpen>
    <cim:Switch.retained>${property === 'retained'}</cim:Switch.retained></cim:Breaker>${terminal('q', 1, 'n1')}${terminal('q', 2, 'n2')}`;
  const state = (text: string): string => full('SSH', `<cim:Breaker rdf:about="#_q">${text}</cim:Breaker>`);

  test.each([
    ['closed', '<cim:Switch.open>false</cim:Switch.open>', 1],
    ['open in SSH though normally closed', '<cim:Switch.open>true</cim:Switch.open>', 2],
    ['out of service', '<cim:Equipment.inService>false</cim:Equipment.inService>', 2],
    ['retained', '', 2],
  ])('two nodes and a switch that is %s', async (name, ssh, buses) => {
    const model = await read({ 'eq.xml': full('EQ', CONTAINERS + toggle(name)), 'ssh.xml': state(ssh) });
    expect(new Set(busesOf(model).values()).size).toBe(buses);
  });

  test('a disconnected terminal joins nothing', async () => {
    const off = `<cim:Terminal rdf:about="#_q-t1"><cim:ACDCTerminal.connected>false</cim:ACDCTerminal.connected></cim:Terminal>`;
    const model = await read({ 'eq.xml': full('EQ', CONTAINERS + toggle('')), 'ssh.xml': full('SSH', off) });
    expect(new Set(busesOf(model).values()).size).toBe(2);
  });
});

describe('difference models', () => {
  const change = (from: string, to: string): string =>
    document(`<dm:DifferenceModel rdf:about="urn:uuid:d1"><md:Model.profile>http://iec.ch/TC57/ns/CIM/CoreEquipment-EU/3.0</md:Model.profile>
    <md:Model.Supersedes rdf:resource="urn:uuid:EQ"/>
    <dm:reverseDifferences rdf:parseType="Statements"><rdf:Description rdf:about="#_line"><cim:ACLineSegment.x>${from}</cim:ACLineSegment.x></rdf:Description></dm:reverseDifferences>
    <dm:forwardDifferences rdf:parseType="Statements"><rdf:Description rdf:about="#_line"><cim:ACLineSegment.x>${to}</cim:ACLineSegment.x></rdf:Description></dm:forwardDifferences></dm:DifferenceModel>`);

  test('what it takes away goes, what it brings comes', async () => {
    const model = await read({ 'eq.xml': GOOD, 'ssh.xml': SSH, 'd.xml': change('10', '11') });
    const object = model.store.find('_line')!;
    expect(model.files[2]!.header).toMatchObject({ kind: 'difference', supersedes: ['_EQ'], profiles: ['EQ'] });
    expect(model.store.number(object, 'ACLineSegment.x')).toBe(10);
    applyDifferences(model);
    expect(model.store.values(object).filter(({ property }) => property === 'ACLineSegment.x')).toMatchObject([
      { text: '11' },
    ]);
    expect(told(model)).toEqual([]);
  });

  test('a difference against another model is told', async () => {
    const model = await read({ 'eq.xml': GOOD, 'ssh.xml': SSH, 'd.xml': change('12', '11') });
    applyDifferences(model);
    expect(told(model)).toEqual(['cim.difference d.xml:5 _line']);
  });
});

describe('zip archives', () => {
  interface Entry {
    readonly name: string;
    readonly packed: readonly Buffer[];
    readonly crc: number;
    readonly size: number;
  }
  const entry = (name: string, content: Buffer): Entry => ({
    name,
    packed: [deflateRawSync(content)],
    crc: crc32(content),
    size: content.length,
  });
  function zip(entries: readonly Entry[]): Buffer {
    const parts: Buffer[] = [];
    const directory: Buffer[] = [];
    let at = 0;
    for (const { name, packed, crc, size } of entries) {
      const length = packed.reduce((sum, { length }) => sum + length, 0);
      const local = Buffer.alloc(30 + name.length);
      local.writeUInt32LE(0x04034b50, 0);
      local.writeUInt16LE(8, 8);
      local.writeUInt16LE(name.length, 26);
      local.write(name, 30);
      const central = Buffer.alloc(46 + name.length);
      central.writeUInt32LE(0x02014b50, 0);
      central.writeUInt16LE(8, 10);
      central.writeUInt32LE(crc, 16);
      central.writeUInt32LE(length, 20);
      central.writeUInt32LE(size % 2 ** 32, 24);
      central.writeUInt16LE(name.length, 28);
      central.writeUInt32LE(at, 42);
      central.write(name, 46);
      parts.push(local, ...packed);
      directory.push(central);
      at += local.length + length;
    }
    const end = Buffer.alloc(22);
    end.writeUInt32LE(0x06054b50, 0);
    end.writeUInt16LE(entries.length, 10);
    end.writeUInt32LE(
      directory.reduce((sum, { length }) => sum + length, 0),
      12,
    );
    end.writeUInt32LE(at, 16);
    return Buffer.concat([...parts, ...directory, end]);
  }
  async function import_(bytes: Buffer): Promise<{ codes: unknown; objects: number; files: string[] }> {
    const path = join(folder, 'model.zip');
    writeFileSync(path, bytes);
    const model = await readModel(openSources([path]));
    return { codes: model.findings.byCode, objects: model.store.objects, files: model.files.map(({ name }) => name) };
  }

  test('archives, archives within archives, folders', async () => {
    const inner = zip([entry('ssh.xml', Buffer.from(SSH))]);
    const bytes = zip([
      entry('b/ssh.zip', inner),
      entry('a/eq.xml', Buffer.from(GOOD)),
      entry('readme.txt', Buffer.from('x')),
    ]);
    const { codes, files } = await import_(bytes);
    expect({ codes, files }).toEqual({ codes: {}, files: ['model.zip/a/eq.xml', 'model.zip/b/ssh.zip/ssh.xml'] });
    expect((await readModel(openSources([folder]))).files).toHaveLength(2);
  });

  test('five gigabytes in five megabytes: found out after some megabytes', async () => {
    const head = deflateRawSync(Buffer.from('<?xml version="1.0"?><rdf:RDF '), { finishFlush: constants.Z_FULL_FLUSH });
    const blanks = deflateRawSync(Buffer.alloc(16 << 20, 0x0a), { finishFlush: constants.Z_FULL_FLUSH });
    const bomb = { name: 'eq.xml', packed: [head, ...Array<Buffer>(320).fill(blanks)], crc: 0, size: 5 * 2 ** 30 };
    const tag = await import_(zip([bomb]));
    expect(tag.codes).toEqual({ 'xml.limit': 1 });
    const root = deflateRawSync(Buffer.from(document('').replace('</rdf:RDF>', '')), {
      finishFlush: constants.Z_FULL_FLUSH,
    });
    const space = await import_(zip([{ ...bomb, packed: [root, ...Array<Buffer>(320).fill(blanks)] }]));
    expect(space.codes).toMatchObject({ 'zip.bomb': 1 });
  });

  test('cut off, changed and foreign archives', async () => {
    const bytes = zip([entry('eq.xml', Buffer.from(GOOD))]);
    expect((await import_(bytes.subarray(0, 100))).codes).toMatchObject({ 'zip.format': 1 });
    const changed = Buffer.from(bytes);
    changed[200]! ^= 0xff;
    expect((await import_(changed)).codes).toMatchObject({ 'zip.format': 1 });
    expect((await import_(Buffer.from('PK not quite'))).codes).toMatchObject({ 'zip.format': 1 });
  });
});
