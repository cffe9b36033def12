import { escapeText, escapeValue } from '@enerchain/xml';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { extractIed, readScl, type Scl, sclText } from '../../src/index.ts';
import { SAMPLE } from './sample.ts';

const everything = { keepPrivate: () => true };

/** Without the lines, which a writer chooses for itself. */
const withoutLines = (scl: Scl | undefined): unknown =>
  JSON.parse(JSON.stringify(scl, (key, value) => (key === 'line' ? undefined : value)));

describe('the writer of SCL', () => {
  it('writes what reads back as the same records, Private sections and unknown services included', () => {
    const { scl } = readScl(SAMPLE, everything);
    const again = readScl(sclText(scl!), everything);
    expect(again.findings.list).toEqual([]);
    expect(withoutLines(again.scl)).toEqual(withoutLines(scl));
    // A second time it is the same text: nothing drifts.
    expect(sclText(again.scl!)).toBe(sclText(scl!));
  });

  it('leaves out what stands at its default and keeps what was asked for', () => {
    const text = sclText(readScl(SAMPLE).scl!);
    expect(text).toContain('<TrgOps dchg="true" qchg="true" period="true"/>');
    expect(text).toContain('casdu="1"');
    // The maker's own section was not kept by the reader, so it cannot be written.
    expect(text).toContain('<Private type="Maker"/>');
  });

  it('brings any text of a description back, and refuses what no XML document holds', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (desc) => {
        const scl = { ...readScl(SAMPLE).scl!, privates: [] };
        const named = { ...scl, ieds: scl.ieds.map((ied) => ({ ...ied, desc })) };
        let text: string;
        try {
          text = sclText(named);
        } catch (error) {
          expect(error).toMatchObject({ code: 'xml.character' });
          expect(() => escapeText(desc)).toThrow('no XML document');
          return;
        }
        const { scl: again } = readScl(text);
        expect(again!.ieds.map((ied) => ied.desc)).toEqual(named.ieds.map((ied) => ied.desc));
      }),
      { numRuns: 100 },
    );
    expect(escapeValue('a\t"b"\r\n<&>')).toBe('a&#9;&quot;b&quot;&#13;&#10;&lt;&amp;&gt;');
  });
});

describe('one device out of a station', () => {
  it('has its addresses and the types it is made of, and those of whom it listens to', () => {
    const { scl } = readScl(SAMPLE);
    const one = extractIed(scl!, 'BCU1');
    expect(one.substations).toEqual([]);
    expect(one.ieds.map(({ name }) => name)).toEqual(['BCU1']);
    expect(one.communication!.subNetworks[0]!.connectedAps.map(({ iedName }) => iedName)).toEqual(['BCU1']);
    const again = readScl(sclText(one));
    expect(again.findings.list).toEqual([]);
    const subscriber = extractIed(scl!, 'BCU2');
    expect(subscriber.ieds.map(({ name }) => name)).toEqual(['BCU1', 'BCU2']);
    expect(() => extractIed(scl!, 'BCU9')).toThrow('there is no IED BCU9; there are BCU1, BCU2');
  });

  it('leaves out types that nothing in it is made of', () => {
    const { scl } = readScl(SAMPLE);
    const more = {
      ...scl!,
      templates: {
        ...scl!.templates!,
        enumTypes: [...scl!.templates!.enumTypes, { line: 1, id: 'Unused', desc: '', vals: [], privates: [] }],
      },
    };
    const { templates } = extractIed(more, 'BCU1');
    expect(templates!.enumTypes.map(({ id }) => id)).not.toContain('Unused');
    expect(templates!.lNodeTypes.length).toBeGreaterThan(0);
  });
});
