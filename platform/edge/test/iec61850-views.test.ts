/** A device looked at from the centre: over the link, through the gateway, into an IEC 61850 server, in one process. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { memoryLan } from '@enerchain/ethernet';
import {
  checkScl,
  FolderStore,
  type GoosePublishing,
  gooseControls,
  Iec61850Server,
  localAddress,
  publicationOf,
  publishGoose,
  readScl,
} from '@enerchain/iec61850';
import { gathered, receivePieces } from '@enerchain/link';
import { MmsError } from '@enerchain/mms';
import { INSPECT_METHOD, type InspectionView, type InspectionViewAsk, parseView, systemAfter } from '@enerchain/model';
import { systemClock } from '@enerchain/transport';
import type { CborValue } from '@enerchain/trust';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { provideLink } from '../src/connectors/iec61850/goose-links.ts';
import type { DeviceInspection } from '../src/connectors/iec61850/inspection.ts';
import { dataSetsOf, IedViews } from '../src/connectors/iec61850/views.ts';
import { type EdgeHandle, runEdge } from '../src/edge.ts';
import { TestCentre, until } from './centre.ts';
import { silent } from './helpers.ts';
import { dbpos, q, SCD, t } from './iec61850-station.ts';

const PLATES = `<DOType id="LPL" cdc="LPL"><DA name="vendor" bType="VisString255" fc="DC"><Val>CloudEnerChain</Val></DA><DA name="swRev" bType="VisString255" fc="DC"><Val>2.1</Val></DA><DA name="configRev" bType="VisString255" fc="DC"><Val>REV</Val></DA></DOType>
<DOType id="DPL" cdc="DPL"><DA name="vendor" bType="VisString255" fc="DC"><Val>Works</Val></DA><DA name="model" bType="VisString255" fc="DC"><Val>BC-2</Val></DA><DA name="serNum" bType="VisString255" fc="DC"><Val>4711</Val></DA></DOType>
<DOType id="SPS"`;
/** The station of the other tests with name plates, a second IED that takes the breaker's position, and GOOSE. */
const scd = (revision: string): string =>
  SCD.replace(
    '<LNodeType id="LLN0" lnClass="LLN0"/>',
    '<LNodeType id="LLN0" lnClass="LLN0"><DO name="NamPlt" type="LPL"/></LNodeType><LNodeType id="LPHD" lnClass="LPHD"><DO name="PhyNam" type="DPL"/></LNodeType>',
  )
    .replace('<DOType id="SPS"', PLATES.replace('REV', revision))
    .replace('<LN lnClass="XCBR"', '<LN lnClass="LPHD" inst="1" lnType="LPHD"/><LN lnClass="XCBR"')
    .replace(
      '</LN0>',
      '<LogControl name="log1" datSet="Events" logName="L1"><TrgOps dchg="true"/></LogControl><Log name="L1"/><GSEControl name="trip" datSet="Events" appID="BCU1/trip" confRev="3"/><SettingControl numOfSGs="4" actSG="2"/></LN0>',
    )
    .replace(
      '</Address></ConnectedAP>',
      '</Address><GSE ldInst="CTRL" cbName="trip"><Address><P type="MAC-Address">01-0C-CD-01-00-01</P><P type="APPID">0001</P><P type="VLAN-ID">005</P><P type="VLAN-PRIORITY">4</P></Address><MinTime unit="s" multiplier="m">4</MinTime><MaxTime unit="s" multiplier="m">1000</MaxTime></GSE></ConnectedAP>',
    )
    .replace(
      '<DataTypeTemplates>',
      `<IED name="BCU2"><AccessPoint name="AP1"><Server><Authentication/><LDevice inst="CTRL"><LN0 lnClass="LLN0" inst="" lnType="LLN0"><Inputs>
<ExtRef iedName="BCU1" ldInst="CTRL" lnClass="XCBR" lnInst="1" doName="Pos" daName="stVal" srcCBName="trip" serviceType="GOOSE" intAddr="VB1"/></Inputs></LN0></LDevice></Server></AccessPoint></IED><DataTypeTemplates>`,
    );

let folder: string;
let centre: TestCentre;
let device: Iec61850Server;
let edge: EdgeHandle;
let goose: GoosePublishing;
let takeBack: () => void;
const lan = memoryLan();
/** More than the window of the answer. */
const RECORD = Buffer.alloc(200_000, 'abc');
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'edge-views-'));
  // The device has had its settings changed since the file was written.
  mkdirSync(join(folder, 'files', 'COMTRADE'), { recursive: true });
  writeFileSync(join(folder, 'files', 'COMTRADE', 'fault 1.cfg'), 'station,device,1999');
  writeFileSync(join(folder, 'files', 'COMTRADE', 'fault 1.dat'), RECORD);
  takeBack = provideLink('station bus', lan.station('edge-test'));
  const { scl } = readScl(scd('7'));
  const { models } = checkScl(scl!);
  const [control] = gooseControls(scl!, models);
  goose = publishGoose(lan.station('BCU1'), systemClock, publicationOf(control!), { source: localAddress('BCU1') });
  device = new Iec61850Server(checkScl(readScl(scd('8')).scl!).models.get('BCU1')!, {
    port: 0,
    files: { store: new FolderStore(join(folder, 'files')) },
  });
  const { port } = await device.listen();
  writeFileSync(join(folder, 'station.scd'), scd('7'));
  writeFileSync(
    join(folder, 'site.yaml'),
    `source: edge-test\nsite: { id: s }\nendpoints:\n  - { id: bcu-1, protocol: iec61850, scl: station.scd, ied: BCU1, host: 127.0.0.1, port: ${port}, goose: { interface: station bus } }\n`,
  );
  centre = await TestCentre.open();
  edge = await runEdge({
    siteFile: join(folder, 'site.yaml'),
    dataDir: join(folder, 'data'),
    centre: { url: centre.url, token: await centre.token('edge-test') },
    logger: silent,
  });
  await until(() => edge.report().endpoints[0]?.state === 'up' && centre.online, 'the device is connected');
  await until(() => centre.sourceEvents().some(({ kind }) => kind === 'interrogationComplete'), 'the state');
});
afterAll(async () => {
  await edge?.close();
  await centre?.close();
  goose?.stop();
  takeBack?.();
  await device?.close();
  rmSync(folder, { recursive: true, force: true });
});

const octets = (question: object): Promise<Uint8Array> =>
  gathered(
    receivePieces(
      centre.peer('edge-test')!,
      'edge-test',
      INSPECT_METHOD,
      { endpoint: 'bcu-1', by: 'anna', ...question } as CborValue,
      { limit: 1 << 24, pieceWithin: 15_000, within: 15_000, after: systemAfter },
    ),
  );
async function ask<A extends InspectionViewAsk>(question: {
  ask: A;
  [more: string]: unknown;
}): Promise<InspectionView<A>> {
  return parseView(question.ask, JSON.parse(Buffer.from(await octets(question)).toString('utf8')), 'the answer');
}

describe('a device looked at from the centre', () => {
  test('says who it is, and which configuration it has that the file has not', async () => {
    expect(await ask({ ask: 'identity' })).toMatchObject({
      ied: 'BCU1',
      file: 'station.scd',
      manufacturer: 'Works',
      type: 'BC-2',
      serialNumber: '4711',
      software: '2.1',
      devices: [{ name: 'BCU1CTRL', configRev: '8', expected: '7' }],
    });
  });

  test('has its model told with types once, attributes as leaves, and who takes what', async () => {
    const { devices, types, dataSets, enumerations, truncated } = await ask({ ask: 'model' });
    expect(devices.map(({ name, nodes }) => [name, nodes.map((node) => `${node.name}:${node.type}`)])).toEqual([
      ['BCU1CTRL', ['LLN0:LLN0', 'LPHD1:LPHD', 'XCBR1:XCBR', 'CSWI1:CSWI', 'GGIO1:GGIO', 'MMXU1:MMXU']],
    ]);
    expect(types.MMXU?.map(({ name, cdc }) => `${name} ${cdc}`)).toEqual([
      'TotW MV',
      'A WYE',
      'A.phsA CMV',
      'A.phsB CMV',
    ]);
    expect(types.MMXU?.[2]?.attributes.map(({ name, fc, type }) => `${name} ${fc} ${type}`)).toEqual([
      'cVal.mag.f MX FLOAT32',
      'cVal.ang.f MX FLOAT32',
      'q MX Quality',
      't MX Timestamp',
    ]);
    const model = types.CSWI?.[0]?.attributes.find(({ name }) => name === 'ctlModel');
    expect(enumerations[model?.enumeration ?? '']).toEqual([[4, 'sbo-with-enhanced-security']]);
    expect(dataSets).toMatchObject([
      {
        reference: 'BCU1CTRL/LLN0.Events',
        subscribers: ['BCU2'],
        members: [{ reference: 'BCU1CTRL/XCBR1.Pos', fc: 'ST' }, {}, {}],
      },
      { reference: 'BCU1CTRL/LLN0.Values', subscribers: [] },
    ]);
    expect(truncated).toBe(false);
  });

  test('takes only what a control block carries that the taker names', () => {
    const of = (block: string) => {
      const { models } = checkScl(readScl(scd('7').replace('srcCBName="trip"', `srcCBName="${block}"`)).scl!);
      return dataSetsOf(models.get('BCU1')!, [...models.values()]).map(({ subscribers }) => subscribers);
    };
    expect(of('trip')).toEqual([['BCU2'], []]);
    expect(of('other')).toEqual([[], []]);
  });

  test('has its control blocks told as they stand', async () => {
    const { reports, publishers, settingGroups, logs } = await ask({ ask: 'controlBlocks' });
    const ours = reports.find(({ ours: held }) => held)!;
    expect(ours).toMatchObject({
      reference: 'BCU1CTRL/LLN0.BR.events01',
      buffered: true,
      enabled: true,
      confRev: 1,
      expected: 1,
      dataSet: 'BCU1CTRL/LLN0.Events',
    });
    expect(ours.triggers).toEqual(expect.arrayContaining(['dchg', 'qchg', 'gi']));
    expect(Number(ours.reports)).toBeGreaterThan(0);
    expect(reports.find(({ reference }) => reference.endsWith('events02'))).toMatchObject({
      ours: false,
      enabled: false,
    });
    expect(publishers).toMatchObject([
      { reference: 'BCU1CTRL/LLN0.GO.trip', kind: 'goose', expected: 3, dataSet: 'BCU1CTRL/LLN0.Events' },
    ]);
    expect(settingGroups).toMatchObject([{ reference: 'BCU1CTRL/LLN0.SP.SGCB', groups: 4, active: 2, edited: 0 }]);
    expect(logs).toMatchObject([
      {
        reference: 'BCU1CTRL/LLN0.LG.log1',
        dataSet: 'BCU1CTRL/LLN0.Events',
        triggers: expect.arrayContaining(['dchg']),
      },
    ]);
    expect([...settingGroups, ...logs, ...reports].filter(({ problem }) => problem !== undefined)).toEqual([]);
  });

  test('has values read now, each or the reason why not, and nothing of it becomes an observation', async () => {
    device.update('BCU1CTRL/XCBR1.Pos', { stVal: dbpos(2), q: q(0xc0, 0), t: t(1_768_478_400, 0x2a) });
    await until(() => centre.observations().some(({ value }) => value === 2), 'the change');
    const before = centre.observations().length;
    const { results } = await ask({
      ask: 'read',
      items: [
        { reference: 'BCU1CTRL/XCBR1.Pos', fc: 'ST' },
        { reference: 'BCU1CTRL/XCBR1.Pos.q', fc: 'ST' },
        { reference: 'BCU1CTRL/XCBR9.Pos', fc: 'ST' },
        { reference: 'no reference', fc: 'ZZ' },
      ],
    });
    expect(results[0]?.value).toEqual({
      stVal: '10',
      q: 'questionable',
      t: '2026-01-15T12:00:00.000000Z clockNotSynchronized',
    });
    expect(results[1]?.value).toBe('questionable');
    expect(results[2]?.problem).toBeTruthy();
    expect(results[3]?.problem).toBeTruthy();
    expect(centre.observations()).toHaveLength(before);
    expect(centre.problems).toEqual([]);
  });

  test('is heard by GOOSE, with its supervision', async () => {
    await until(() => edge.report().endpoints[0]?.counters.gooseStates !== 0, 'the first message');
    const { link, subscriptions } = await ask({ ask: 'goose' });
    expect(link).toContain('edge-test');
    expect(subscriptions).toMatchObject([
      {
        reference: 'BCU1CTRL/LLN0.GO.trip',
        id: 'BCU1/trip',
        state: 'alive',
        stNum: 1,
        expected: 3,
        appId: 1,
        destination: '01-0C-CD-01-00-01',
        test: false,
        needsCommissioning: false,
      },
    ]);
  });

  test('gives its files out, whole, and each stands on the chain of the gateway', async () => {
    const root = await ask({ ask: 'files' });
    expect(root.files.map(({ name }) => name)).toEqual(['COMTRADE/']);
    const { files } = await ask({ ask: 'files', folder: 'COMTRADE/' });
    expect(files.map(({ name, size }) => [name, size])).toEqual([
      ['COMTRADE/fault 1.cfg', 19],
      ['COMTRADE/fault 1.dat', RECORD.length],
    ]);
    expect(files[0]?.modified).toMatch(/^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d/);
    expect(RECORD.equals(await octets({ ask: 'file', name: 'COMTRADE/fault 1.dat' }))).toBe(true);
    await expect(octets({ ask: 'file', name: 'COMTRADE/none.cfg' })).rejects.toMatchObject({ fault: 'peer' });
    const fetched = () => centre.sourceEvents().filter(({ kind }) => kind === 'fileFetched');
    // What was asked for in vain was asked for all the same.
    await until(() => fetched().length === 2, 'the events');
    expect(fetched().map(({ endpoint, detail }) => [endpoint, detail])).toEqual([
      ['bcu-1', 'the file COMTRADE/fault 1.dat for anna'],
      ['bcu-1', 'the file COMTRADE/none.cfg for anna'],
    ]);
  });

  test('that is not there cannot be looked at', async () => {
    await expect(octets({ ask: 'model', endpoint: 'bcu-9' })).rejects.toMatchObject({ code: 'inspection.endpoint' });
  });

  test('that does not offer a service is told as that, and other errors keep what they say', async () => {
    const model = checkScl(readScl(scd('7')).scl!).models.get('BCU1')!;
    const answer = (error: Error) => {
      const inspection = { files: () => Promise.reject(error) } as unknown as DeviceInspection;
      const views = new IedViews({ inspection, model, station: [model], clock: { now: () => 1n, monotonic: () => 0 } });
      return views.view<'files'>({ ask: 'files', endpoint: 'bcu-1', by: 'anna' });
    };
    const rejected = new MmsError('peer', 'service.rejected', 'rejected: confirmedRequest 1');
    await expect(answer(rejected)).rejects.toMatchObject({ fault: 'unsupported', code: 'edge.iec61850.service' });
    const denied = new MmsError('peer', 'access.object-access-denied', 'not for you');
    await expect(answer(denied)).rejects.toMatchObject({ fault: 'peer', code: denied.code, message: 'not for you' });
    await expect(answer(new Error('broken'))).rejects.toMatchObject({ code: 'edge.inspection' });
  });

  test('that is away has its model all the same, and nothing else', async () => {
    await device.close();
    await until(() => edge.report().endpoints[0]?.state !== 'up', 'the device is away');
    expect((await ask({ ask: 'model' })).devices).toHaveLength(1);
    const { configRev, expected } = (await ask({ ask: 'identity' })).devices[0]!;
    expect([configRev, expected]).toEqual([undefined, '7']);
    await expect(octets({ ask: 'files' })).rejects.toMatchObject({ code: 'edge.iec61850.away', fault: 'environment' });
  });
});
