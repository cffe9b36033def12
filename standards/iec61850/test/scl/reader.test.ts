import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { iec104Addresses, lNodeLinks, readScl, SclReader } from '../../src/index.ts';
import { changed, SAMPLE } from './sample.ts';

const codes = (text: string, options = {}) =>
  readScl(text, options).findings.list.map(({ code, line }) => `${code}:${line}`);

describe('the reader', () => {
  const { scl, findings } = readScl(SAMPLE);

  it('reads a file into records, with defaults of the schema and lines', () => {
    expect(findings.list).toEqual([]);
    expect(scl).toMatchObject({
      version: '2007',
      revision: 'B',
      release: '4',
      header: { id: 'sample', toolID: undefined },
    });
    const [bcu] = scl!.ieds;
    expect(bcu).toMatchObject({ name: 'BCU1', manufacturer: 'Example', line: 27 });
    const ln0 = bcu!.accessPoints[0]!.server!.lDevices[0]!.ln0!;
    expect(ln0.reportControls[0]).toMatchObject({
      name: 'brcb',
      buffered: true,
      bufTime: 0,
      indexed: true,
      trgOps: { dchg: true, dupd: false, gi: true },
      optFields: { seqNum: true, entryID: true, configRef: false },
      rptEnabled: { max: 2, clientLns: [{ iedName: 'BCU2' }] },
    });
    expect(ln0.gseControls[0]).toMatchObject({ type: 'GOOSE', confRev: 2, iedNames: [{ text: 'BCU2' }] });
    expect(scl!.substations[0]!.voltageLevels[0]!.voltage).toMatchObject({ multiplier: 'k', text: '20' });
    expect(scl!.communication!.subNetworks[0]!.connectedAps[0]!.gses[0]!.address!.ps.map(({ text }) => text)).toEqual([
      '01-0C-CD-01-00-01',
      '0001',
    ]);
  });

  it('keeps services as they stand, and private sections only where they are asked for', () => {
    const ied = scl!.ieds[0]!;
    expect(ied.services!.nodes.map(({ name, attributes }) => [name, { ...attributes }])).toEqual([
      ['DynAssociation', { max: '8' }],
      ['ConfDataSet', { max: '16', maxAttributes: '64' }],
    ]);
    const maker = (file = scl) => file!.ieds[0]!.accessPoints[0]!.server!.lDevices[0]!.lns[0]!.privates[0]!;
    expect(maker()).toMatchObject({ type: 'Maker', nodes: [] });
    const all = readScl(SAMPLE, { keepPrivate: () => true }).scl;
    expect(maker(all).nodes).toMatchObject([
      { namespace: 'urn:example', name: 'Anything', nodes: [{ name: 'Deeper' }] },
    ]);
  });

  it('finds the 104 addresses of IEC 61850-80-1, and the equipment a logical node serves', () => {
    expect([...iec104Addresses(scl!)]).toMatchObject([
      {
        iedName: 'BCU1',
        ldInst: 'CTRL',
        ln: 'QA1XCBR1',
        names: ['Pos', 'stVal'],
        casdu: 1,
        ioa: 7,
        ti: 31,
        others: { inverted: 'false' },
      },
    ]);
    expect(
      [...lNodeLinks(scl!)].map(({ path, at, type, iedName, lnClass }) => [path.join('/'), at, type, iedName, lnClass]),
    ).toEqual([
      ['AA1/E1/Q1', 'Bay', undefined, 'None', 'MMXU'],
      ['AA1/E1/Q1/QA1', 'ConductingEquipment', 'CBR', 'BCU1', 'XCBR'],
    ]);
  });

  it('reads the same whatever the prefix and however the octets are cut', () => {
    const prefixed = SAMPLE.replaceAll(/<(\/?)(?=[A-Z])/g, '<$1scl:').replace('xmlns=', 'xmlns:scl=');
    expect(readScl(prefixed).scl).toEqual(scl);
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 200 }), (size) => {
        const octets = Buffer.from(SAMPLE);
        const reader = new SclReader();
        for (let at = 0; at < octets.length; at += size) reader.write(octets.subarray(at, at + size));
        expect(reader.finish().scl).toEqual(scl);
      }),
      { numRuns: 20 },
    );
  });

  it('says what it passes over and what is missing, with the line', () => {
    expect(codes(changed('<Header ', '<Headline/><Header '))).toEqual(['scl.element:3']);
    expect(codes(changed('confRev="3"', ''))).toEqual(['scl.required:36']);
    expect(codes(changed('buffered="true"', 'buffered="perhaps"'))).toEqual(['scl.value:36']);
    expect(codes(changed('intgPd="1000"', 'interval="1000"'))).toEqual(['scl.attribute:36']);
    expect(
      codes(changed('<SettingControl numOfSGs="2"/>', '<SettingControl numOfSGs="2"/><SettingControl numOfSGs="3"/>')),
    ).toEqual(['scl.twice:41']);
    expect(codes(changed('xmlns="http://www.iec.ch/61850/2003/SCL"', ''))).toEqual(['scl.namespace:2']);
  });

  it('refuses what is no SCL, and files without end', () => {
    expect(readScl('<svg/>')).toMatchObject({ scl: undefined, findings: { byCode: { 'scl.root': 1 } } });
    expect(readScl('')).toMatchObject({ scl: undefined, findings: { byCode: { 'xml.empty': 1 } } });
    expect(codes(`<!DOCTYPE SCL [<!ENTITY a "b">]>${SAMPLE}`)).toEqual(['xml.doctype:1']);
    expect(codes(SAMPLE, { limits: { depth: 64, token: 1 << 20, attributes: 256, elements: 50 } })).toEqual([
      expect.stringMatching(/^scl\.limit/),
    ]);
    for (const length of [0, 1, 100, 2_000, SAMPLE.length - 2]) {
      const { scl: cut, findings: told } = readScl(SAMPLE.slice(0, length));
      expect(cut, `${length}`).toBeUndefined();
      expect(told.counts.error).toBe(1);
    }
  });
});
