/** The IEC 61850 connector with a server in the same process: points, reports and commands from an SCL file alone. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ControlHandler, checkScl, Iec61850Server, readScl } from '@enerchain/iec61850';
import type { Data } from '@enerchain/mms';
import { type Command, newMrid, QUALITY, systemClock, TIME_QUALITY } from '@enerchain/model';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Iec61850Connector } from '../src/connectors/iec61850/connector.ts';
import { ctlValOf } from '../src/connectors/iec61850/order.ts';
import { openSite } from '../src/site/load-site.ts';
import { FakeIntake } from './fake-intake.ts';
import { silent } from './helpers.ts';

const SCD = `<SCL xmlns="http://www.iec.ch/61850/2003/SCL" version="2007" revision="B" release="4"><Header id="h"/>
<Communication><SubNetwork name="W1"><ConnectedAP iedName="BCU1" apName="AP1"><Address><P type="IP">127.0.0.1</P></Address></ConnectedAP></SubNetwork></Communication>
<IED name="BCU1"><AccessPoint name="AP1"><Server><Authentication/><LDevice inst="CTRL">
<LN0 lnClass="LLN0" inst="" lnType="LLN0">
  <DataSet name="Events"><FCDA ldInst="CTRL" lnClass="XCBR" lnInst="1" doName="Pos" fc="ST"/><FCDA ldInst="CTRL" lnClass="GGIO" lnInst="1" doName="Alm1" daName="stVal" fc="ST"/><FCDA ldInst="CTRL" lnClass="GGIO" lnInst="1" doName="Alm1" daName="q" fc="ST"/></DataSet>
  <DataSet name="Values"><FCDA ldInst="CTRL" lnClass="MMXU" lnInst="1" doName="TotW" fc="MX"/><FCDA ldInst="CTRL" lnClass="MMXU" lnInst="1" doName="A" fc="MX"/></DataSet>
  <ReportControl name="events" datSet="Events" confRev="1" buffered="true" indexed="true"><TrgOps dchg="true" qchg="true" gi="true"/><OptFields seqNum="true"/><RptEnabled max="2"/></ReportControl>
  <ReportControl name="values" datSet="Values" confRev="1" indexed="true"><TrgOps dchg="true" qchg="true" gi="true"/><OptFields seqNum="true"/><RptEnabled max="2"/></ReportControl>
</LN0>
<LN lnClass="XCBR" inst="1" lnType="XCBR"/><LN lnClass="CSWI" inst="1" lnType="CSWI" desc="Feeder 1"/><LN lnClass="GGIO" inst="1" lnType="GGIO"/><LN lnClass="MMXU" inst="1" lnType="MMXU"/>
</LDevice></Server></AccessPoint></IED>
<DataTypeTemplates>
<LNodeType id="LLN0" lnClass="LLN0"/><LNodeType id="XCBR" lnClass="XCBR"><DO name="Pos" type="DPS"/></LNodeType>
<LNodeType id="CSWI" lnClass="CSWI"><DO name="Pos" type="DPC"/></LNodeType><LNodeType id="GGIO" lnClass="GGIO"><DO name="Alm1" type="SPS"/></LNodeType>
<LNodeType id="MMXU" lnClass="MMXU"><DO name="TotW" type="MV"/><DO name="A" type="WYE"/></LNodeType>
<DOType id="SPS" cdc="SPS"><DA name="stVal" bType="BOOLEAN" fc="ST" dchg="true"/><DA name="q" bType="Quality" fc="ST" qchg="true"/><DA name="t" bType="Timestamp" fc="ST"/></DOType>
<DOType id="DPS" cdc="DPS"><DA name="stVal" bType="Dbpos" fc="ST" dchg="true"/><DA name="q" bType="Quality" fc="ST" qchg="true"/><DA name="t" bType="Timestamp" fc="ST"/></DOType>
<DOType id="DPC" cdc="DPC"><DA name="stVal" bType="Dbpos" fc="ST" dchg="true"/><DA name="q" bType="Quality" fc="ST" qchg="true"/><DA name="t" bType="Timestamp" fc="ST"/><DA name="ctlModel" bType="Enum" type="M" fc="CF"><Val>sbo-with-enhanced-security</Val></DA><DA name="SBOw" bType="Struct" type="Oper" fc="CO"/><DA name="Oper" bType="Struct" type="Oper" fc="CO"/><DA name="Cancel" bType="Struct" type="Cancel" fc="CO"/></DOType>
<DOType id="MV" cdc="MV"><DA name="mag" bType="Struct" type="AV" fc="MX" dchg="true"/><DA name="q" bType="Quality" fc="MX" qchg="true"/><DA name="t" bType="Timestamp" fc="MX"/></DOType>
<DOType id="WYE" cdc="WYE"><SDO name="phsA" type="CMV"/><SDO name="phsB" type="CMV"/></DOType>
<DOType id="CMV" cdc="CMV"><DA name="cVal" bType="Struct" type="Vector" fc="MX" dchg="true"/><DA name="q" bType="Quality" fc="MX" qchg="true"/><DA name="t" bType="Timestamp" fc="MX"/></DOType>
<DAType id="AV"><BDA name="f" bType="FLOAT32"/></DAType><DAType id="Vector"><BDA name="mag" bType="Struct" type="AV"/><BDA name="ang" bType="Struct" type="AV"/></DAType>
<DAType id="Origin"><BDA name="orCat" bType="INT8"/><BDA name="orIdent" bType="Octet64"/></DAType>
<DAType id="Oper"><BDA name="ctlVal" bType="BOOLEAN"/><BDA name="origin" bType="Struct" type="Origin"/><BDA name="ctlNum" bType="INT8U"/><BDA name="T" bType="Timestamp"/><BDA name="Test" bType="BOOLEAN"/><BDA name="Check" bType="Check"/></DAType>
<DAType id="Cancel"><BDA name="ctlVal" bType="BOOLEAN"/><BDA name="origin" bType="Struct" type="Origin"/><BDA name="ctlNum" bType="INT8U"/><BDA name="T" bType="Timestamp"/><BDA name="Test" bType="BOOLEAN"/></DAType>
<EnumType id="M"><EnumVal ord="4">sbo-with-enhanced-security</EnumVal></EnumType>
</DataTypeTemplates></SCL>`;

const { scl } = readScl(SCD);
const model = checkScl(scl!).models.get('BCU1')!;
const dbpos = (code: number): Data => ({ kind: 'bitString', value: { length: 2, bytes: Uint8Array.of(code << 6) } });
const q = (...octets: number[]): Data => ({
  kind: 'bitString',
  value: { length: 13, bytes: Uint8Array.of(...octets) },
});
const float = (value: number): Data => ({ kind: 'float', value });

let folder: string;
let server: Iec61850Server;
let intake: FakeIntake;
const connectors: Iec61850Connector[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'edge-61850-'));
  writeFileSync(join(folder, 'station.scd'), SCD);
});
afterEach(async () => {
  for (const connector of connectors.splice(0)) await connector.stop();
  await server?.close();
  rmSync(folder, { recursive: true });
});

async function serve(controls: Record<string, ControlHandler> = {}, port = 0): Promise<number> {
  server = new Iec61850Server(model, { port, controls });
  return (await server.listen()).port;
}

function site(port: number, extra = '') {
  const file = join(folder, 'site.yaml');
  writeFileSync(
    file,
    `source: gw\nsite: { id: s }\nendpoints:\n  - id: bcu1\n    protocol: iec61850\n    scl: station.scd\n    port: ${port}\n${extra}`,
  );
  return openSite(file).site.endpoints[0]!;
}

function connect(endpoint: ReturnType<typeof site>): Iec61850Connector {
  intake = new FakeIntake();
  intake.auto = true;
  const connector = new Iec61850Connector(endpoint, {
    intake,
    clock: systemClock,
    logger: silent,
    folder,
    data: folder,
    source: 'gw',
  });
  connectors.push(connector);
  connector.start();
  return connector;
}

async function until(condition: () => boolean, what: string): Promise<void> {
  const end = performance.now() + 10_000;
  while (!condition()) {
    if (performance.now() > end)
      throw new Error(`${what} did not come: ${JSON.stringify(intake.log)} ${JSON.stringify(intake.events)}`);
    await new Promise((wake) => setTimeout(wake, 5));
  }
}
const seen = (name: string) => intake.taken.filter((taken) => taken.name === name);

describe('points of an SCL file', () => {
  test('are what data sets hold, what else has a value, and what can be operated, with their meaning', () => {
    const { points } = site(102);
    expect(
      points.map(({ point, binding }) => [
        point.name,
        point.kind,
        point.cdc,
        point.measurementType,
        point.phases,
        binding.access,
      ]),
    ).toEqual([
      ['BCU1CTRL/XCBR1.Pos', 'discrete', 'DPS', 'SwitchPosition', undefined, 'read'],
      ['BCU1CTRL/GGIO1.Alm1', 'discrete', 'SPS', undefined, undefined, 'read'],
      ['BCU1CTRL/MMXU1.TotW', 'analog', 'MV', 'ThreePhaseActivePower', undefined, 'read'],
      ['BCU1CTRL/MMXU1.A.phsA', 'analog', 'CMV', 'LineCurrent', 'A', 'read'],
      ['BCU1CTRL/MMXU1.A.phsB', 'analog', 'CMV', 'LineCurrent', 'B', 'read'],
      ['BCU1CTRL/CSWI1.Pos', 'discrete', 'DPC', 'SwitchPosition', undefined, 'read'],
      ['BCU1CTRL/CSWI1.Pos control', 'command', 'DPC', 'SwitchPosition', undefined, 'control'],
    ]);
    expect(points.at(-1)!.point).toMatchObject({
      ctlModel: 'sbo',
      description: 'Feeder 1',
      objectReference: 'BCU1CTRL/CSWI1.Pos',
      feedback: points.at(-2)!.point.mRID,
    });
    expect(site(102, '    poll: false').points).toHaveLength(6);
  });

  test('take on what the site file says of them', () => {
    const { points } = site(
      102,
      '    points: [{ object: BCU1CTRL/MMXU1.TotW, attribute: mag.f, name: Feeder P, k: 0.001, multiplier: k }]',
    );
    expect(points).toHaveLength(7);
    expect(points.find(({ point }) => point.name === 'Feeder P')).toMatchObject({
      k: 0.001,
      point: { kind: 'analog', unitSymbol: 'W', unitMultiplier: 'k' },
    });
  });

  test('a file or a device that is not there is told with the place', () => {
    expect(() => site(102, '    ied: BCU9')).toThrow(/has no IED BCU9; it has BCU1/);
    writeFileSync(join(folder, 'station.scd'), '<svg/>');
    expect(() => site(102)).toThrow(/the outermost element is <svg>/);
  });
});

describe('the connector', () => {
  test('all that is, then every change, with quality and time as the device has them', async () => {
    const port = await serve();
    const at = { seconds: 1_768_478_400, fraction: 0x80_0000, quality: 0x2a };
    server.update('BCU1CTRL/XCBR1.Pos', { stVal: dbpos(2), q: q(0, 0), t: { kind: 'utcTime', value: at } });
    connect(site(port));
    await until(() => intake.log.includes('synchronized') && intake.taken.length >= 5, 'the state');
    // The block has kept the change from before; interrogated, the device says it again.
    expect(seen('BCU1CTRL/XCBR1.Pos').map(({ cause }) => cause)).toEqual(['spontaneous', 'interrogation']);
    expect(seen('BCU1CTRL/XCBR1.Pos')[1]).toEqual({
      name: 'BCU1CTRL/XCBR1.Pos',
      value: 2,
      quality: QUALITY.good,
      sourceTime: 1_768_478_400_500_000_000n,
      timeQuality: TIME_QUALITY.clockNotSynchronized | 10,
      cause: 'interrogation',
    });
    expect(seen('BCU1CTRL/MMXU1.TotW')[0]).toMatchObject({ value: 0, cause: 'interrogation' });
    intake.taken.length = 0;
    // questionable, oldData, substituted: validity 11, bits 7 and 10.
    server.update('BCU1CTRL/GGIO1.Alm1', { stVal: { kind: 'boolean', value: true }, q: q(0b1100_0001, 0b0010_0000) });
    server.update('BCU1CTRL/MMXU1.A', { 'phsB.cVal.mag.f': float(42.5) });
    await until(() => intake.taken.length >= 3, 'the changes');
    expect(seen('BCU1CTRL/GGIO1.Alm1').at(-1)).toMatchObject({
      value: 1,
      quality: QUALITY.questionable | QUALITY.oldData | QUALITY.substituted,
      // The member has no time of its own: the one of the report stands for it.
      timeQuality: 31,
      cause: 'spontaneous',
    });
    expect(seen('BCU1CTRL/MMXU1.A.phsB')).toMatchObject([{ value: 42.5 }]);
  });

  test('what happened while the gateway was away comes afterwards, once', async () => {
    const port = await serve();
    const endpoint = site(port);
    const first = connect(endpoint);
    await until(() => intake.log.includes('synchronized') && intake.taken.length >= 5, 'the state');
    server.update('BCU1CTRL/GGIO1.Alm1', { stVal: { kind: 'boolean', value: true } });
    await until(
      () => seen('BCU1CTRL/GGIO1.Alm1').length === 2 && intake.held.length === 0,
      'the first change, on disk',
    );
    await first.stop();
    expect(Object.keys(JSON.parse(readFileSync(join(folder, 'iec61850', 'bcu1.json'), 'utf8')))).toEqual([
      'BCU1CTRL/LLN0.BR.events01',
    ]);
    server.update('BCU1CTRL/GGIO1.Alm1', { stVal: { kind: 'boolean', value: false } });
    server.update('BCU1CTRL/GGIO1.Alm1', { stVal: { kind: 'boolean', value: true } });
    connect(endpoint);
    await until(() => seen('BCU1CTRL/GGIO1.Alm1').length >= 3, 'what was buffered');
    expect(seen('BCU1CTRL/GGIO1.Alm1').map(({ value, cause }) => [value, cause])).toEqual([
      [0, 'spontaneous'],
      [1, 'spontaneous'],
      [1, 'interrogation'],
    ]);
  });

  test('a device that restarts is connected again; the entry it no longer knows is a gap', async () => {
    const port = await serve();
    connect(site(port));
    await until(() => intake.log.includes('synchronized') && intake.taken.length >= 5, 'the state');
    await server.close();
    await until(() => intake.log.some((line) => line.startsWith('lost')), 'the loss');
    await serve({}, port);
    await until(() => intake.log.filter((line) => line === 'synchronized').length === 2, 'the state again');
    expect(intake.log.some((line) => line.startsWith('overflowed'))).toBe(true);
  });

  test('a command is carried out as the device wants it, and its end is told', async () => {
    let objection: 'blocked-by-interlocking' | undefined;
    const done: unknown[] = [];
    const handler: ControlHandler = {
      check: () => objection,
      operate: ({ ctlVal, model: how }) => void done.push([ctlVal.value, how]),
    };
    const port = await serve({ 'BCU1CTRL/CSWI1.Pos': handler });
    const endpoint = site(port);
    const connector = connect(endpoint);
    await until(() => intake.log.includes('synchronized'), 'the state');
    const point = endpoint.points.at(-1)!;
    const order = async (action: 'select' | 'operate' | 'cancel', value: number) => {
      const steps: (string | undefined)[][] = [];
      const command = { id: newMrid(), action, value, test: false } as unknown as Command;
      await connector.operate({ command, point }, (step, reason) =>
        steps.push(reason === undefined ? [step] : [step, reason]),
      );
      return steps;
    };
    expect(await order('operate', 2)).toEqual([['operateSent', 'BCU1CTRL/CSWI1.Pos'], ['confirmed'], ['terminated']]);
    expect(done).toEqual([[true, 'sbo-enhanced']]);
    expect(await order('select', 1)).toEqual([['selected']]);
    expect(await order('cancel', 1)).toEqual([['cancelled']]);
    objection = 'blocked-by-interlocking';
    expect(await order('operate', 1)).toEqual([
      ['operateSent', 'BCU1CTRL/CSWI1.Pos'],
      ['selectRefused', 'AddCause blocked-by-interlocking'],
    ]);
    expect(await order('operate', 5)).toEqual([['refusedByEdge', 'DPC takes 1 (off) or 2 (on), not 5']]);
    expect(done).toHaveLength(1);
  });

  test('a set-point goes into the structure that the device has for it', () => {
    const type = {
      kind: 'structure',
      value: {
        packed: false,
        components: [{ name: 'f', type: { kind: 'float', value: { format: 32, exponent: 8 } } }],
      },
    } as const;
    expect(ctlValOf('APC', type, 12.5)).toEqual({ kind: 'structure', value: [{ kind: 'float', value: 12.5 }] });
    expect(ctlValOf('INC', { kind: 'integer', value: 32 }, 1.5)).toBe('INC takes a whole number, not 1.5');
  });
});
