import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkScl, configuredValue, find, iec104Addresses, leaves, readScl } from '../../src/index.ts';
import { changed, SAMPLE } from './sample.ts';

const check = (text: string) => {
  const { scl, findings } = readScl(text);
  return checkScl(scl!, findings);
};
const told = (text: string) => check(text).findings.list.map(({ code, text: sentence }) => `${code} ${sentence}`);

describe('the model of an IED', () => {
  const { models, findings } = check(SAMPLE);
  const xcbr = models.get('BCU1')!.devices[0]!.nodes[1]!;

  it('is whole: nothing is wrong with the sample', () => expect(findings.list).toEqual([]));

  it('names devices and nodes as clients know them', () => {
    expect(
      [...models.values()].flatMap(({ devices }) =>
        devices.flatMap(({ name, nodes }) => nodes.map((node) => `${name}/${node.name}`)),
      ),
    ).toEqual(['BCU1CTRL/LLN0', 'BCU1CTRL/QA1XCBR1', 'OWN/LLN0']);
  });

  it('resolves data objects down to their attributes', () => {
    expect(xcbr.type!.objects.map(({ name, cdc }) => [name, cdc])).toEqual([
      ['Pos', 'DPC'],
      ['OpCnt', 'INS'],
    ]);
    expect([...leaves(xcbr.type!.objects[0]!, 'ST')].map(({ names }) => names.join('.'))).toEqual([
      'origin.orCat',
      'origin.orIdent',
      'stVal',
      'q',
      't',
    ]);
    expect(find(xcbr.type!, ['Pos', 'origin', 'orCat'])!.attributes.at(-1)).toMatchObject({
      fc: 'ST',
      bType: 'Enum',
      enumType: { id: 'OrCat' },
    });
    expect(find(xcbr.type!, ['Pos', 'origin', 'nothing'])).toBeUndefined();
  });

  it('takes values from the instance first, then from the type', () => {
    expect(configuredValue(xcbr, ['Pos', 'ctlModel'])).toBe('sbo-with-enhanced-security');
    expect(configuredValue(xcbr, ['Pos', 'origin', 'orCat'])).toBe('remote-control');
    expect(configuredValue(xcbr, ['OpCnt', 'stVal'])).toBe('0');
    expect(configuredValue(xcbr, ['OpCnt', 'q'])).toBeUndefined();
  });
});

describe('the rules', () => {
  it.each([
    ['an IED twice', '<IED name="BCU2">', '<IED name="BCU1">', 'scl.duplicate the file has a second IED BCU1'],
    [
      'a type that is not there',
      'inst="1" lnType="XCBR"',
      'inst="1" lnType="Q0"',
      'scl.type BCU1CTRL/QA1XCBR1 has the type Q0',
    ],
    [
      'a type of another class',
      '<LNodeType id="XCBR" lnClass="XCBR">',
      '<LNodeType id="XCBR" lnClass="XSWI">',
      'which is one of XSWI',
    ],
    [
      'a data object without type',
      'name="Pos" type="DPC"',
      'name="Pos" type="none"',
      'scl.type Pos of LNodeType XCBR has the type none',
    ],
    [
      'a structure that is not there',
      'type="Originator" fc',
      'type="Origin" fc',
      'scl.type origin of DOType DPC has the type Origin',
    ],
    [
      'a structure within itself',
      '<BDA name="orIdent" bType="Octet64"/>',
      '<BDA name="self" bType="Struct" type="Originator"/>',
      'scl.recursion DAType Originator contains itself',
    ],
    [
      'a data set that is not there',
      'datSet="Positions" confRev="3"',
      'datSet="Position" confRev="3"',
      'scl.data-set control block brcb',
    ],
    [
      'a member that is not there',
      'daName="q" fc="ST"/>',
      'daName="quality" fc="ST"/>',
      'scl.data-set data set Positions of BCU1CTRL/LLN0: CTRL/QA1XCBR1.Pos.quality [ST] is not there',
    ],
    ['a member under a wrong constraint', 'daName="q" fc="ST"/>', 'daName="q" fc="MX"/>', 'has nothing under MX'],
    [
      'a member of another node',
      'lnInst="1" doName="Pos" fc="ST"/>',
      'lnInst="2" doName="Pos" fc="ST"/>',
      'names a logical node that is not there',
    ],
    [
      'a value for nothing',
      '<DAI name="ctlModel">',
      '<DAI name="ctlMode">',
      'scl.instance BCU1CTRL/QA1XCBR1.Pos has no attribute ctlMode',
    ],
    [
      'a value outside its enumeration',
      '<Val>remote-control</Val>',
      '<Val>remote</Val>',
      "scl.value BCU1CTRL/QA1XCBR1.Pos.origin.orCat has the value 'remote'",
    ],
    [
      'an input from nobody',
      '<ExtRef iedName="BCU1"',
      '<ExtRef iedName="BCU9"',
      'comes from BCU9, which is not in the file',
    ],
    [
      'an input that is not sent',
      'doName="Pos" daName="q" serviceType',
      'doName="OpCnt" daName="stVal" serviceType',
      'OpCnt is not in what Trip of BCU1 sends',
    ],
    [
      'an input from no control block',
      'srcCBName="Trip"',
      'srcCBName="Tripp"',
      'names the control block Tripp of BCU1, which is not there',
    ],
    [
      'a client that is not there',
      '<ClientLN iedName="BCU2"',
      '<ClientLN iedName="SCADA"',
      'kept for the client SCADA',
    ],
    [
      'an access point that is not there',
      'iedName="BCU2" apName="AP1"',
      'iedName="BCU2" apName="AP2"',
      'connects BCU2/AP2, but there is no such access point',
    ],
    [
      'an address twice',
      '10.0.0.2',
      '10.0.0.1',
      'BCU2/AP1 has the IP address 10.0.0.1 in subnetwork W1, which BCU1/AP1 has already',
    ],
    ['a GOOSE nobody hears', /<GSE [\s\S]*?<\/GSE>/, '', 'Trip of BCU1CTRL/LLN0 has no address'],
    ['a GOOSE address that is none', '01-0C-CD-01-00-01', '01-0C-CD-01-00', 'is no address'],
    [
      'a GOOSE address of no control block',
      'cbName="Trip"',
      'cbName="Trap"',
      'is for a control block that is not there',
    ],
    [
      'a terminal that ends nowhere',
      'connectivityNode="AA1/E1/Q1/N1"',
      'connectivityNode="AA1/E1/Q1/N2"',
      'scl.connectivity a terminal of AA1/E1/Q1/QA1 ends at AA1/E1/Q1/N2',
    ],
    [
      'equipment served by nobody',
      '<LNode iedName="BCU1" ldInst="CTRL" lnClass="XCBR"',
      '<LNode iedName="BCU1" ldInst="CTRL" lnClass="XSWI"',
      'AA1/E1/Q1/QA1 is served by BCU1CTRL/QA1XSWI1',
    ],
    [
      'a device without LN0',
      /<LN0 lnClass="LLN0" inst="" lnType="LLN0">\s*<Inputs>[\s\S]*?<\/LN0>/,
      '',
      'scl.ln0 OWN has no LN0',
    ],
    ['an unknown version', 'version="2007" revision', 'version="2031" revision', 'scl.version version 2031'],
  ])('%s', (_what, from, to, expected) => {
    expect(told(changed(from, to)).join('\n')).toContain(expected);
  });

  it('a 104 address that is none is a finding', () => {
    const { scl, findings } = readScl(changed('ioa="7"', 'ioa="seven"'));
    expect([...iec104Addresses(scl!, findings)]).toEqual([]);
    expect(findings.list).toMatchObject([
      { code: 'scl.104-address', line: 47, text: expect.stringContaining('BCU1CTRL/QA1XCBR1.Pos.stVal') },
    ]);
  });

  it('whatever words are changed or taken out, there are findings and no exception', () => {
    const words = [...SAMPLE.matchAll(/"[^"]*"|<\/?[A-Za-z0-9:]+|>[^<]+</g)].map(({ index, 0: word }) => ({
      index,
      word,
    }));
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(words.length - 1), fc.nat(words.length - 1)), { minLength: 1, maxLength: 6 }),
        (swaps) => {
          let text = SAMPLE;
          for (const [at, by] of swaps) {
            const { index, word } = words[at]!;
            text = text.slice(0, index) + words[by]!.word + text.slice(index + word.length);
          }
          const { scl, findings } = readScl(text);
          if (scl) checkScl(scl, findings);
          else expect(findings.counts.error).toBeGreaterThan(0);
        },
      ),
      { numRuns: 300 },
    );
  });
});
