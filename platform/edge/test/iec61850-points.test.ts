/** Every common data class as points: kinds, units, words, places; and which report control blocks bring them. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { Coverage, dynamicDataSets, reportBlocks, type Wanted } from '../src/connectors/iec61850/report-plan.ts';
import { sourcesOf } from '../src/connectors/iec61850/scl-file.ts';
import { openSite } from '../src/site/load-site.ts';
import { measuredFiles } from '../src/trust/measured-files.ts';

const status = (cdc: string, value: string, type: string) =>
  `<DOType id="${cdc}" cdc="${cdc}"><DA name="${value}" bType="${type}" fc="ST" dchg="true"/><DA name="q" bType="Quality" fc="ST"/><DA name="t" bType="Timestamp" fc="ST"/></DOType>`;
const enumerated = (cdc: string, value: string, fc: string) =>
  `<DOType id="${cdc}" cdc="${cdc}"><DA name="${value}" bType="Enum" type="Mode" fc="${fc}" dchg="true"/><DA name="q" bType="Quality" fc="${fc}"/><DA name="t" bType="Timestamp" fc="${fc}"/></DOType>`;
const struct = (cdc: string, value: string, type: string, fc: string, more = '') =>
  `<DOType id="${cdc}" cdc="${cdc}"><DA name="${value}" bType="Struct" type="${type}" fc="${fc}" dchg="true"/><DA name="q" bType="Quality" fc="${fc}"/><DA name="t" bType="Timestamp" fc="${fc}"/>${more}</DOType>`;
const parts = (cdc: string, names: string, type: string) =>
  `<DOType id="${cdc}" cdc="${cdc}">${names
    .split(' ')
    .map((name) => `<SDO name="${name}" type="${type}"/>`)
    .join('')}</DOType>`;
const phases = (type: string) =>
  'general phsA phsB phsC neut'
    .split(' ')
    .map((name) => `<DA name="${name}" bType="BOOLEAN" fc="ST" dchg="true"/>`)
    .join('') + type;

/** Data objects of one node, named after their classes. */
const CLASSES =
  'SPS DPS INS ENS ACT ACD SEC BCR VSS HST MV CMV SAV WYE DEL SEQ HMV HWYE HDEL SPC DPC INC ENC BSC ISC APC BAC SPG ING ENG ORG TSG CUG VSG ASG CURVE CSG DPL LPL'.split(
    ' ',
  );

const TYPES = `<DataTypeTemplates>
<LNodeType id="LLN0" lnClass="LLN0"><DO name="Beh" type="ENS"/><DO name="NamPlt" type="LPL"/></LNodeType>
<LNodeType id="ALL" lnClass="GGIO">${CLASSES.map((cdc) => `<DO name="${cdc[0]}${cdc.slice(1).toLowerCase()}" type="${cdc}"/>`).join('')}</LNodeType>
<LNodeType id="MMXU" lnClass="MMXU"><DO name="TotW" type="MV"/><DO name="A" type="WYE"/></LNodeType>
<LNodeType id="XCBR" lnClass="XCBR"><DO name="Pos" type="DPC"/></LNodeType>
${status('SPS', 'stVal', 'BOOLEAN')}${status('DPS', 'stVal', 'Dbpos')}${status('INS', 'stVal', 'INT32')}${enumerated('ENS', 'stVal', 'ST')}
<DOType id="ACT" cdc="ACT">${phases('')}<DA name="q" bType="Quality" fc="ST"/><DA name="t" bType="Timestamp" fc="ST"/></DOType>
<DOType id="ACD" cdc="ACD">${phases('<DA name="dirGeneral" bType="Enum" type="Mode" fc="ST"/>')}<DA name="q" bType="Quality" fc="ST"/><DA name="t" bType="Timestamp" fc="ST"/></DOType>
<DOType id="SEC" cdc="SEC"><DA name="cnt" bType="INT32U" fc="ST"/><DA name="sev" bType="Enum" type="Mode" fc="ST"/><DA name="t" bType="Timestamp" fc="ST"/></DOType>
<DOType id="BCR" cdc="BCR"><DA name="actVal" bType="INT64" fc="ST"/><DA name="frVal" bType="INT64" fc="ST"/><DA name="q" bType="Quality" fc="ST"/><DA name="t" bType="Timestamp" fc="ST"/><DA name="pulsQty" bType="FLOAT32" fc="CF"><Val>0.5</Val></DA><DA name="units" bType="Struct" type="Unit" fc="CF"/></DOType>
${status('VSS', 'stVal', 'VisString255')}<DOType id="HST" cdc="HST"><DA name="hstVal" bType="INT32" count="4" fc="ST"/></DOType>
<DOType id="MV" cdc="MV"><DA name="instMag" bType="Struct" type="AV" fc="MX"/><DA name="mag" bType="Struct" type="AV" fc="MX" dchg="true"/><DA name="q" bType="Quality" fc="MX"/><DA name="t" bType="Timestamp" fc="MX"/><DA name="units" bType="Struct" type="Unit" fc="CF"/><DA name="db" bType="INT32U" fc="CF"><Val>500</Val></DA><DA name="rangeC" bType="Struct" type="Range" fc="CF"/></DOType>
${struct('CMV', 'cVal', 'Vector', 'MX')}${struct('SAV', 'instMag', 'Whole', 'MX', '<DA name="sVC" bType="Struct" type="Scaled" fc="CF"/>')}
${parts('WYE', 'phsA phsB phsC neut', 'CMV')}${parts('DEL', 'phsAB phsBC phsCA', 'CMV')}${parts('SEQ', 'c1 c2 c3', 'CMV')}
<DOType id="HMV" cdc="HMV"><DA name="har" bType="Struct" type="Vector" count="3" fc="MX"/><DA name="q" bType="Quality" fc="MX"/><DA name="t" bType="Timestamp" fc="MX"/></DOType>
<DOType id="HWYE" cdc="HWYE"><DA name="phsAHar" bType="Struct" type="Vector" count="2" fc="MX"/><DA name="q" bType="Quality" fc="MX"/></DOType>
<DOType id="HDEL" cdc="HDEL"><DA name="phsABHar" bType="Struct" type="Vector" count="2" fc="MX"/><DA name="q" bType="Quality" fc="MX"/></DOType>
${controllable('SPC', 'BOOLEAN', 'BOOLEAN')}${controllable('DPC', 'Dbpos', 'BOOLEAN')}${controllable('INC', 'INT32', 'INT32')}${controllable('ENC', 'Enum', 'Enum')}
${controllable('BSC', 'Struct', 'Tcmd')}${controllable('ISC', 'Struct', 'INT8')}${controllable('APC', 'mx', 'Struct')}${controllable('BAC', 'mx', 'Tcmd')}
<DOType id="SPG" cdc="SPG"><DA name="setVal" bType="BOOLEAN" fc="SP"/></DOType><DOType id="ING" cdc="ING"><DA name="setVal" bType="INT32" fc="SP"/></DOType>
<DOType id="ENG" cdc="ENG"><DA name="setVal" bType="Enum" type="Mode" fc="SP"/></DOType><DOType id="ORG" cdc="ORG"><DA name="setSrcRef" bType="ObjRef" fc="SP"/></DOType>
<DOType id="TSG" cdc="TSG"><DA name="setTm" bType="Timestamp" fc="SP"/></DOType><DOType id="CUG" cdc="CUG"><DA name="cur" bType="Currency" fc="SP"/></DOType>
<DOType id="VSG" cdc="VSG"><DA name="setVal" bType="VisString255" fc="SP"/></DOType><DOType id="ASG" cdc="ASG"><DA name="setMag" bType="Struct" type="AV" fc="SG"/></DOType>
<DOType id="CURVE" cdc="CURVE"><DA name="setCharact" bType="Enum" type="Mode" fc="SP"/></DOType><DOType id="CSG" cdc="CSG"><DA name="numPts" bType="INT16U" fc="SP"/></DOType>
<DOType id="DPL" cdc="DPL"><DA name="vendor" bType="VisString255" fc="DC"/></DOType><DOType id="LPL" cdc="LPL"><DA name="configRev" bType="VisString255" fc="DC"/></DOType>
<DAType id="AV"><BDA name="f" bType="FLOAT32"/></DAType><DAType id="Whole"><BDA name="i" bType="INT32"/></DAType>
<DAType id="Vector"><BDA name="mag" bType="Struct" type="AV"/><BDA name="ang" bType="Struct" type="AV"/></DAType>
<DAType id="ValWTr"><BDA name="posVal" bType="INT8"/><BDA name="transInd" bType="BOOLEAN"/></DAType>
<DAType id="Unit"><BDA name="SIUnit" bType="Enum" type="SI"/><BDA name="multiplier" bType="Enum" type="Mul"/></DAType>
<DAType id="Range"><BDA name="min" bType="Struct" type="AV"/><BDA name="max" bType="Struct" type="AV"/></DAType>
<DAType id="Scaled"><BDA name="scaleFactor" bType="FLOAT32"><Val>0.1</Val></BDA><BDA name="offset" bType="FLOAT32"><Val>-5</Val></BDA></DAType>
${['Boolean BOOLEAN', 'Dpc BOOLEAN', 'Int32 INT32', 'Tcmd Tcmd', 'Int8 INT8']
  .map((pair) => pair.split(' '))
  .map(([id, type]) => `<DAType id="Oper${id}"><BDA name="ctlVal" bType="${type}"/></DAType>`)
  .join('')}
<DAType id="OperEnum"><BDA name="ctlVal" bType="Enum" type="Mode"/></DAType><DAType id="OperStruct"><BDA name="ctlVal" bType="Struct" type="AV"/></DAType>
<EnumType id="Mode"><EnumVal ord="1">on</EnumVal><EnumVal ord="3">test</EnumVal></EnumType><EnumType id="CtlModel"><EnumVal ord="1">direct-with-normal-security</EnumVal></EnumType>
<EnumType id="SI"><EnumVal ord="38">W</EnumVal><EnumVal ord="72">Wh</EnumVal></EnumType><EnumType id="Mul"><EnumVal ord="6">M</EnumVal><EnumVal ord="3">k</EnumVal></EnumType>
</DataTypeTemplates>`;

function controllable(cdc: string, shown: string, ctlVal: string): string {
  const value =
    shown === 'mx'
      ? '<DA name="mxVal" bType="Struct" type="AV" fc="MX" dchg="true"/>'
      : shown === 'Struct'
        ? '<DA name="valWTr" bType="Struct" type="ValWTr" fc="ST" dchg="true"/>'
        : `<DA name="stVal" bType="${shown}"${shown === 'Enum' ? ' type="Mode"' : ''} fc="ST" dchg="true"/>`;
  const oper = { BOOLEAN: 'Boolean', INT32: 'Int32', Enum: 'Enum', Tcmd: 'Tcmd', INT8: 'Int8', Struct: 'Struct' }[
    ctlVal
  ];
  const fc = shown === 'mx' ? 'MX' : 'ST';
  return `<DOType id="${cdc}" cdc="${cdc}">${value}<DA name="q" bType="Quality" fc="${fc}"/><DA name="t" bType="Timestamp" fc="${fc}"/><DA name="ctlModel" bType="Enum" type="CtlModel" fc="CF"><Val>direct-with-normal-security</Val></DA><DA name="Oper" bType="Struct" type="Oper${oper}" fc="CO"/></DOType>`;
}

type Values = { readonly [name: string]: string | Values };
const dais = (values: Values): string =>
  Object.entries(values)
    .map(([name, value]) =>
      typeof value === 'string'
        ? `<DAI name="${name}"><Val>${value}</Val></DAI>`
        : `<SDI name="${name}">${dais(value)}</SDI>`,
    )
    .join('');
const doi = (name: string, values: Values): string => `<DOI name="${name}">${dais(values)}</DOI>`;

function scdOf(lln0: string, services = '', substation = ''): string {
  return `<SCL xmlns="http://www.iec.ch/61850/2003/SCL" version="2007" revision="B" release="4"><Header id="h"/>${substation}
<Communication><SubNetwork name="W1"><ConnectedAP iedName="IED1" apName="AP1"><Address><P type="IP">127.0.0.1</P></Address></ConnectedAP></SubNetwork></Communication>
<IED name="IED1">${services}<AccessPoint name="AP1"><Server><Authentication/><LDevice inst="LD1"><LN0 lnClass="LLN0" inst="" lnType="LLN0">${lln0}</LN0>
<LN lnClass="GGIO" inst="1" lnType="ALL">${doi('Bcr', { units: { SIUnit: 'Wh', multiplier: 'k' } })}</LN>
<LN prefix="Q1" lnClass="MMXU" inst="1" lnType="MMXU">${doi('TotW', { units: { SIUnit: '38', multiplier: '6' }, rangeC: { min: { f: '-100' }, max: { f: '100' } } })}</LN>
<LN prefix="Q1" lnClass="XCBR" inst="1" lnType="XCBR"/></LDevice></Server></AccessPoint></IED>${TYPES}</SCL>`;
}

const folder = mkdtempSync(join(tmpdir(), 'edge-61850-points-'));
afterAll(() => rmSync(folder, { recursive: true }));
let files = 0;
function pointsOf(scd: string, extra = '') {
  const name = `station${files++}.scd`;
  writeFileSync(join(folder, name), scd);
  const file = join(folder, 'site.yaml');
  writeFileSync(
    file,
    `source: gw\nsite: { id: s }\nendpoints:\n  - id: ied1\n    protocol: iec61850\n    scl: ${name}\n${extra}`,
  );
  return openSite(file).site.endpoints[0]!.points;
}

describe('common data classes', () => {
  const points = pointsOf(scdOf(''), '    settings: true\n');
  const kinds = (cdc: string) =>
    points
      .filter(({ point }) => point.objectReference?.split('.')[1] === `${cdc[0]}${cdc.slice(1).toLowerCase()}`)
      .map(({ point }) => `${point.name.replace(/^[^.]+\.[^.]+/, '')} ${point.kind}`.trim());

  test('of status, measurands, controls and settings each have their points', () => {
    expect(Object.fromEntries(CLASSES.map((cdc) => [cdc, kinds(cdc)]))).toEqual({
      SPS: ['discrete'],
      DPS: ['discrete'],
      INS: ['discrete'],
      ENS: ['discrete'],
      ACT: ['discrete', '.phsA discrete', '.phsB discrete', '.phsC discrete', '.neut discrete'],
      ACD: ['discrete', '.phsA discrete', '.phsB discrete', '.phsC discrete', '.neut discrete', '.dirGeneral discrete'],
      SEC: ['accumulator', '.sev discrete'],
      BCR: ['accumulator', '.frVal accumulator'],
      VSS: ['string'],
      HST: [],
      MV: ['analog'],
      CMV: ['analog'],
      SAV: ['analog'],
      WYE: ['.phsA analog', '.phsB analog', '.phsC analog', '.neut analog'],
      DEL: ['.phsAB analog', '.phsBC analog', '.phsCA analog'],
      SEQ: ['.c1 analog', '.c2 analog', '.c3 analog'],
      HMV: ['.har(0).mag.f analog', '.har(1).mag.f analog', '.har(2).mag.f analog'],
      HWYE: ['.phsAHar(0).mag.f analog', '.phsAHar(1).mag.f analog'],
      HDEL: ['.phsABHar(0).mag.f analog', '.phsABHar(1).mag.f analog'],
      SPC: ['discrete', 'command'],
      DPC: ['discrete', 'command'],
      INC: ['discrete', 'command'],
      ENC: ['discrete', 'command'],
      BSC: ['discrete', '.valWTr.transInd discrete', 'command'],
      ISC: ['discrete', '.valWTr.transInd discrete', 'command'],
      APC: ['analog', 'setpoint'],
      BAC: ['analog', 'setpoint'],
      SPG: ['discrete'],
      ING: ['discrete'],
      ENG: ['discrete'],
      ORG: ['string'],
      TSG: ['string'],
      CUG: ['string'],
      VSG: ['string'],
      ASG: ['analog'],
      CURVE: [],
      CSG: [],
      DPL: [],
      LPL: [],
    });
  });

  test('settings and angles come when they are asked for', () => {
    const names = (extra: string) => pointsOf(scdOf(''), extra).map(({ point }) => point.name);
    expect(names('').filter((name) => /Asg|Spg/.test(name))).toEqual([]);
    expect(names('    angles: true\n').filter((name) => name.endsWith('Cmv.cVal.ang.f'))).toHaveLength(1);
  });

  test('what the file says of units, pulses, scales, words and deadbands holds for the points', () => {
    const of = (name: string) => points.find(({ point }) => point.name === name)!;
    expect(of('IED1LD1/Q1MMXU1.TotW')).toMatchObject({
      point: { unitSymbol: 'W', unitMultiplier: 'M', measurementType: 'ThreePhaseActivePower' },
      // 500 thousandths of a percent of 200.
      target: { value: 'mag.f', deadband: 1 },
    });
    expect(of('IED1LD1/GGIO1.Bcr')).toMatchObject({ k: 0.5, point: { unitSymbol: 'Wh', unitMultiplier: 'k' } });
    expect(of('IED1LD1/GGIO1.Sav')).toMatchObject({ k: 0.1, d: -5 });
    expect(of('IED1LD1/LLN0.Beh').point.valueAliases).toEqual({ 1: 'on', 3: 'test' });
    expect(of('IED1LD1/GGIO1.Enc control').point).toMatchObject({
      valueAliases: { 1: 'on', 3: 'test' },
      feedback: of('IED1LD1/GGIO1.Enc').point.mRID,
    });
  });
});

test('the SCL file is measured like the site file that names it', () => {
  pointsOf(scdOf(''));
  const site = join(folder, 'site.yaml');
  const name = `station${files - 1}.scd`;
  expect([...measuredFiles(site)]).toEqual([
    ['config:site', site],
    [`config:site/${name}`, join(folder, name)],
  ]);
});

describe('the place of a point', () => {
  const at = (lNodes: string) =>
    `<Substation name="S1"><VoltageLevel name="E1"><Bay name="Q01"><ConductingEquipment name="QA1" type="CBR">${lNodes}</ConductingEquipment><ConductingEquipment name="QB1" type="DIS"><LNode iedName="IED1" ldInst="LD1" prefix="Q1" lnClass="MMXU" lnInst="1"/></ConductingEquipment></Bay></VoltageLevel></Substation>`;
  const link = '<LNode iedName="IED1" ldInst="LD1" prefix="Q1" lnClass="XCBR" lnInst="1"/>';

  test('is where its LNode stands', () => {
    const points = pointsOf(scdOf('', '', at(link)));
    const places = points
      .filter(({ point }) => point.equipmentPath !== undefined)
      .map(({ point }) => [point.name, point.equipmentPath]);
    expect(places).toContainEqual(['IED1LD1/Q1XCBR1.Pos', 'S1/E1/Q01/QA1']);
    expect(places).toContainEqual(['IED1LD1/Q1XCBR1.Pos control', 'S1/E1/Q01/QA1']);
    expect(places).toContainEqual(['IED1LD1/Q1MMXU1.TotW', 'S1/E1/Q01/QB1']);
    expect(places).toHaveLength(7);
  });

  test('is nobody’s guess when it stands at two', () => {
    const twice = at(`${link}<LNode iedName="IED1" ldInst="LD1" prefix="Q1" lnClass="MMXU" lnInst="1"/>`);
    const points = pointsOf(scdOf('', '', twice));
    expect(points.find(({ point }) => point.name === 'IED1LD1/Q1MMXU1.TotW')!.point.equipmentPath).toBeUndefined();
  });
});

describe('report control blocks', () => {
  const fcda = (lnClass: string, lnInst: string, doName: string, fc: string, prefix = '', daName = '') =>
    `<FCDA ldInst="LD1" prefix="${prefix}" lnClass="${lnClass}" lnInst="${lnInst}" doName="${doName}"${daName ? ` daName="${daName}"` : ''} fc="${fc}"/>`;
  const LLN0 = `<DataSet name="Bare">${fcda('XCBR', '1', 'Pos', 'ST', 'Q1', 'stVal')}${fcda('GGIO', '1', 'Sps', 'ST', '', 'stVal')}</DataSet>
    <DataSet name="Whole">${fcda('XCBR', '1', 'Pos', 'ST', 'Q1')}${fcda('GGIO', '1', 'Sps', 'ST')}</DataSet>
    <DataSet name="Values">${fcda('MMXU', '1', 'TotW', 'MX', 'Q1')}</DataSet>
    <ReportControl name="u" datSet="Values" confRev="3" indexed="true"><RptEnabled max="3"><ClientLN iedName="SCADA1"/><ClientLN iedName="GW1"/></RptEnabled></ReportControl>
    <ReportControl name="a" datSet="Bare" confRev="1" buffered="true" indexed="false"/>
    <ReportControl name="b" datSet="Whole" confRev="1" buffered="true" indexed="true"><RptEnabled max="2"/></ReportControl>
    <ReportControl name="none" confRev="1"/>`;
  const model = sourcesOf('x.scd', Buffer.from(scdOf(LLN0))).get('IED1')!.model;
  const wanted = (object: string, value: string, fc: Wanted['fc']): Wanted => ({
    reference: `${object}.${value}`,
    object,
    fc,
  });
  const coverage = new Coverage([
    wanted('IED1LD1/Q1XCBR1.Pos', 'stVal', 'ST'),
    wanted('IED1LD1/GGIO1.Sps', 'stVal', 'ST'),
    wanted('IED1LD1/Q1MMXU1.TotW', 'mag.f', 'MX'),
  ]);

  test('are asked for buffered ones first, then by what they bring with time and quality', () => {
    const blocks = reportBlocks(model, coverage, undefined);
    expect(blocks.map(({ reference }) => reference)).toEqual([
      'IED1LD1/LLN0.BR.b',
      'IED1LD1/LLN0.BR.a',
      'IED1LD1/LLN0.RP.u',
    ]);
    expect(blocks[0]!.members).toEqual(['IED1LD1/Q1XCBR1.Pos ST', 'IED1LD1/GGIO1.Sps ST']);
    expect(blocks.map(({ instances }) => instances.length)).toEqual([2, 1, 3]);
    expect(blocks[2]).toMatchObject({ confRev: 3, dataSet: 'IED1LD1/LLN0.Values' });
  });

  test('instances that are meant for this gateway come first, those for others last', () => {
    const of = (client: string | undefined) =>
      reportBlocks(model, coverage, client)
        .at(-1)!
        .instances.map((one) => one.slice(-2));
    expect(of('GW1')).toEqual(['02', '03', '01']);
    expect(of(undefined)).toEqual(['03', '01', '02']);
  });

  test('data sets of our own are made where the device says so', () => {
    const services = (text: string) =>
      dynamicDataSets(sourcesOf('x.scd', Buffer.from(scdOf('', `<Services>${text}</Services>`))).get('IED1')!.model);
    expect(services('<DynDataSet max="4" maxAttributes="30"/><ReportSettings datSet="Dyn"/>')).toEqual({
      max: 4,
      maxMembers: 30,
    });
    expect(services('<DynDataSet max="4"/><ReportSettings datSet="Conf"/>')).toBeUndefined();
    expect(services('<ReportSettings datSet="Dyn"/>')).toBeUndefined();
  });
});
