import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  layoutOf,
  PHS_MEAS_1,
  SampleCodec,
  sampledValueControls,
  sampleQuality,
  sampleQualityWord,
  subscriptionsOf,
  svPublicationOf,
  variantOf,
} from '../../src/index.ts';
import { SCD, sample } from '../goose/sample.ts';
import { unhex } from '../goose/support.ts';

test('a control block of SCL: its layout has references, places, scales and units', () => {
  const { scl, models } = sample();
  const [control] = sampledValueControls(scl, models);
  expect(control).toMatchObject({
    reference: 'BCU1CTRL/LLN0$MS$Samples',
    svId: 'BCU1_SV',
    smpMod: 'SmpPerSec',
    smpRate: 4800,
    asdus: 2,
    options: { sampleRate: true, dataSet: false },
    address: { appId: 0x4000, vlan: { id: 0, priority: 4 } },
  });
  const layout = layoutOf(control!.members!);
  expect(layout.octets).toBe(16);
  expect(layout.fields.map(({ reference, at, bType }) => [reference, at, bType])).toEqual([
    ['BCU1CTRL/ITCTR1.AmpSv.instMag.i', 0, 'INT32'],
    ['BCU1CTRL/ITCTR1.AmpSv.q', 4, 'Quality'],
    ['BCU1CTRL/UTVTR1.VolSv.instMag.i', 8, 'INT32'],
    ['BCU1CTRL/UTVTR1.VolSv.q', 12, 'Quality'],
  ]);
  expect(layout.channels.map(({ scaleFactor, unit, at, qualityAt }) => [scaleFactor, unit, at, qualityAt])).toEqual([
    [0.001, 'A', 0, 4],
    [0.01, 'V', 8, 12],
  ]);
  expect(svPublicationOf(control!)).toMatchObject({
    samplesPerSecond: 4800,
    asdus: 2,
    smpRate: 4800,
    smpMod: 'SmpPerSec',
  });
  const [subscription] = subscriptionsOf([control!], 'SMV', models.get('PROT1')!);
  expect(subscription!.inputs.map(({ reference, member }) => [reference, member])).toEqual([
    ['BCU1CTRL/ITCTR1.AmpSv.instMag.i', 0],
  ]);
});

test('members that are whole objects have the same layout', () => {
  const whole = SCD.replace(
    /<DataSet name="Samples">.*?<\/DataSet>/,
    () =>
      '<DataSet name="Samples"><FCDA ldInst="CTRL" prefix="I" lnClass="TCTR" lnInst="1" doName="AmpSv" fc="MX"/><FCDA ldInst="CTRL" prefix="U" lnClass="TVTR" lnInst="1" doName="VolSv" fc="MX"/></DataSet>',
  );
  const layout = (text?: string) => {
    const { scl, models } = sample(text);
    return layoutOf(sampledValueControls(scl, models)[0]!.members!);
  };
  expect(layout(whole)).toEqual(layout());
});

test('phsMeas1 of 9-2LE: amperes and volts from octets, and back', () => {
  const octets = unhex(`
    000003e8 00000000  fffffc18 00000000  7fffffff 00000004  00000000 00002000
    000186a0 00000000  fffe7960 00000800  00000001 00000003  80000000 00000001`);
  const codec = new SampleCodec(PHS_MEAS_1);
  const values = new Float64Array(8);
  const qualities = new Uint32Array(8);
  codec.read(octets, 0, values, qualities);
  expect([...values]).toEqual([1, -1, 2_147_483.647, 0, 1000, -1000, 0.01, -21_474_836.48]);
  expect(
    [...qualities].map(sampleQuality).map(({ validity, flags, derived }) => [validity, ...flags, derived]),
  ).toEqual([
    ['good', false],
    ['good', false],
    ['good', 'overflow', false],
    ['good', true],
    ['good', false],
    ['good', 'test', false],
    ['questionable', false],
    ['invalid', false],
  ]);
  const again = new Uint8Array(64);
  codec.write(again, 0, values, qualities);
  expect(again).toEqual(octets);
  codec.write(again, 0, [3e6, -3e6, Number.NaN]);
  codec.read(again, 0, values, qualities);
  expect([...values.slice(0, 3)]).toEqual([2_147_483.647, -2_147_483.648, 0]);
  expect([...qualities.slice(0, 3)]).toEqual([4, 4, 4]);
});

test('quality words come back', () => {
  fc.assert(
    fc.property(fc.nat(0x3fff), (word) => {
      expect(sampleQualityWord(sampleQuality(word))).toBe(word);
    }),
  );
});

test('variants of 61869-9 by their codes', () => {
  expect(variantOf('F4800S2I4U4')).toMatchObject({ samplesPerSecond: 4800, asdus: 2, layout: { octets: 64 } });
  expect(variantOf('F14400S6I4U4')!.layout.channels.length).toBe(8);
  expect(variantOf('F4000S1I3U0')!.layout.channels.map(({ unit }) => unit)).toEqual(['A', 'A', 'A']);
  for (const code of ['', 'F4800', 'F0S1I1U1', 'F4800S0I4U4', 'F4800S2I0U0', 'F4800S99I99U99', 'f4800s2i4u4'])
    expect(variantOf(code)).toBeUndefined();
});
