/** What an IEC 61850 device may do that its SCL does not say, each with what is seen of it; and what a person may look at. */
import { Iec61850Client } from '@enerchain/iec61850';
import { QUALITY, TIME_QUALITY } from '@enerchain/model';
import { type Transport, type TransportHandler, tcpConnect } from '@enerchain/transport';
import { afterEach, describe, expect, test } from 'vitest';
import { bool, dbpos, float, Iec61850Station, q, SCD, t } from './iec61850-station.ts';

let station: Iec61850Station;
afterEach(() => station.close());

const replaced = (...pairs: readonly (readonly [string | RegExp, string])[]): string =>
  pairs.reduce((scd, [from, to]) => {
    const next = scd.replace(from, to);
    expect(next).not.toBe(scd);
    return next;
  }, SCD);

describe('a device that is other than its SCL', () => {
  test('another confRev is told; its values come all the same', async () => {
    station = new Iec61850Station();
    const port = await station.serve({}, replaced(['datSet="Events" confRev="1"', 'datSet="Events" confRev="7"']));
    const connector = station.connect(station.site(port));
    await station.synchronized();
    expect(station.eventsOf('edge.iec61850.confRev')).toEqual([
      'BCU1CTRL/LLN0.BR.events01 has configuration 7, not 1; what the device has counts',
    ]);
    expect(connector.health()).toMatchObject({ state: 'up', counters: { deviations: 1 } });
    station.server.update('BCU1CTRL/GGIO1.Alm1', { stVal: bool(true) });
    await station.until(() => station.seen('BCU1CTRL/GGIO1.Alm1').at(-1)?.value === 1, 'the change');
  });

  test('another data set is told, and what it leaves out is polled', async () => {
    station = new Iec61850Station();
    const port = await station.serve({}, replaced([/<FCDA ldInst="CTRL" lnClass="GGIO".*?(?=<\/DataSet>)/, '']));
    station.connect(station.site(port, '    poll: { seconds: 0.1, readsPerSecond: 100 }\n'));
    await station.synchronized();
    expect(station.eventsOf('edge.iec61850.dataSet')).toEqual([
      'the data set of BCU1CTRL/LLN0.BR.events01 is not that of the SCL; it has not BCU1CTRL/GGIO1.Alm1.stVal ST, BCU1CTRL/GGIO1.Alm1.q ST',
    ]);
    expect(station.seen('BCU1CTRL/GGIO1.Alm1')).toMatchObject([{ value: 0, cause: 'requested' }]);
    station.server.update('BCU1CTRL/GGIO1.Alm1', { stVal: bool(true), q: q(0, 0x10), t: t(1_768_478_400) });
    await station.until(() => station.seen('BCU1CTRL/GGIO1.Alm1').length === 2, 'the change');
    // In test, as the device marks it.
    expect(station.seen('BCU1CTRL/GGIO1.Alm1')[1]).toMatchObject({
      value: 1,
      quality: QUALITY.test,
      sourceTime: 1_768_478_400_000_000_000n,
      timeQuality: 10,
    });
  });

  test('what is not there is told as invalid, and named', async () => {
    station = new Iec61850Station();
    const port = await station.serve(
      {},
      replaced(
        ['<DO name="TotW" type="MV"/>', ''],
        ['<FCDA ldInst="CTRL" lnClass="MMXU" lnInst="1" doName="TotW" fc="MX"/>', ''],
      ),
    );
    const connector = station.connect(station.site(port));
    await station.synchronized();
    expect(station.seen('BCU1CTRL/MMXU1.TotW')).toMatchObject([{ value: null, quality: QUALITY.invalid }]);
    expect(station.eventsOf('edge.iec61850.model')[0]).toContain('BCU1CTRL/MMXU1.TotW [MX]');
    expect((await connector.inspect.model()).deviations.join()).toContain('the device has no BCU1CTRL/MMXU1.TotW [MX]');
    expect(station.seen('BCU1CTRL/MMXU1.A.phsA')).not.toEqual([]);
  });

  test('another revision of the configuration is told', async () => {
    const named = (revision: string): string =>
      replaced(
        [
          '<LNodeType id="LLN0" lnClass="LLN0"/>',
          '<LNodeType id="LLN0" lnClass="LLN0"><DO name="NamPlt" type="LPL"/></LNodeType>',
        ],
        [
          '<DOType id="SPS"',
          `<DOType id="LPL" cdc="LPL"><DA name="configRev" bType="VisString255" fc="DC"><Val>${revision}</Val></DA></DOType><DOType id="SPS"`,
        ],
      );
    station = new Iec61850Station(named('4'));
    station.connect(station.site(await station.serve({}, named('5'))));
    await station.synchronized();
    expect(station.eventsOf('edge.iec61850.model')).toEqual([
      "BCU1CTRL/LLN0.NamPlt.configRev is '5', in the SCL it is '4'",
    ]);
  });
});

describe('the state of a device', () => {
  test('a clock that is not synchronised is told, and when it is again', async () => {
    station = new Iec61850Station();
    const connector = station.connect(station.site(await station.serve()));
    await station.synchronized();
    station.server.update('BCU1CTRL/XCBR1.Pos', { stVal: dbpos(2), t: t(1_768_478_400, 0x2a) });
    await station.until(() => station.eventsOf('edge.iec61850.clock').length === 1, 'the clock');
    expect(connector.health()).toMatchObject({
      detail: expect.stringContaining('its clock is not synchronised'),
      counters: { clockNotSynchronized: 1 },
    });
    expect(station.seen('BCU1CTRL/XCBR1.Pos').at(-1)!.timeQuality).toBe(TIME_QUALITY.clockNotSynchronized | 10);
    station.server.update('BCU1CTRL/XCBR1.Pos', { stVal: dbpos(1), t: t(1_768_478_401) });
    await station.until(() => station.eventsOf('edge.iec61850.clock').length === 2, 'the clock again');
    expect(connector.health().detail ?? '').not.toContain('clock');
  });

  test('a device in test is told', async () => {
    const scd = replaced(
      [
        '<LNodeType id="LLN0" lnClass="LLN0"/>',
        '<LNodeType id="LLN0" lnClass="LLN0"><DO name="Beh" type="ENS"/></LNodeType>',
      ],
      [
        '<DOType id="SPS"',
        '<DOType id="ENS" cdc="ENS"><DA name="stVal" bType="Enum" type="Beh" fc="ST" dchg="true"/><DA name="q" bType="Quality" fc="ST"/><DA name="t" bType="Timestamp" fc="ST"/></DOType><DOType id="SPS"',
      ],
      [
        '<EnumType id="M">',
        '<EnumType id="Beh"><EnumVal ord="1">on</EnumVal><EnumVal ord="3">test</EnumVal></EnumType><EnumType id="M">',
      ],
    );
    station = new Iec61850Station(scd);
    const port = await station.serve({}, scd);
    station.server.update('BCU1CTRL/LLN0.Beh', { stVal: { kind: 'integer', value: 1 } });
    const connector = station.connect(station.site(port, '    poll: { seconds: 0.1, readsPerSecond: 100 }\n'));
    await station.synchronized();
    expect(station.eventsOf('edge.iec61850.behaviour')).toEqual([]);
    station.server.update('BCU1CTRL/LLN0.Beh', { stVal: { kind: 'integer', value: 3 } });
    await station.until(() => station.eventsOf('edge.iec61850.behaviour').length > 0, 'the mode');
    expect(station.eventsOf('edge.iec61850.behaviour')).toEqual(['BCU1CTRL is test, it was on']);
    expect(connector.health()).toMatchObject({ detail: 'it is in test', counters: { inTest: 1 } });
  });
});

test('a device with two addresses is reached at the one that answers', async () => {
  const scd = replaced([
    '</ConnectedAP>',
    '</ConnectedAP><ConnectedAP iedName="BCU1" apName="AP1"><Address><P type="IP">127.0.0.1</P></Address></ConnectedAP>',
  ]).replace('<P type="IP">127.0.0.1</P>', '<P type="IP">127.0.0.2</P>');
  station = new Iec61850Station(scd);
  const connector = station.connect(station.site(await station.serve()));
  await station.synchronized();
  expect(connector.health()).toMatchObject({ state: 'up', counters: { connects: 1 } });
});

/** A connection on which the next report of three members says that there are four. */
function oneMemberMore(transport: Transport, armed: { now: boolean }): Transport {
  const inclusion = Buffer.of(0x84, 2, 5);
  return Object.assign(Object.create(transport) as Transport, {
    open: ({ onData, onClose }: TransportHandler) =>
      transport.open({
        onClose,
        onData: (chunk) => {
          const at = armed.now ? Buffer.from(chunk).indexOf(inclusion) : -1;
          if (at < 0) return onData(chunk);
          armed.now = false;
          // Of eight bits five are unused, now four.
          onData(Uint8Array.from(chunk).fill(4, at + 2, at + 3));
        },
      }),
    write: (bytes: Uint8Array) => transport.write(bytes),
    pause: () => transport.pause(),
    resume: () => transport.resume(),
    end: () => transport.end(),
    destroy: () => transport.destroy(),
  });
}

describe('report control blocks', () => {
  test('whose data set changes while they are enabled are set up anew; nothing is lost', async () => {
    station = new Iec61850Station();
    const port = await station.serve();
    const armed = { now: false };
    const connector = station.connect(station.site(port), {
      connect: async (signal) => oneMemberMore(await tcpConnect('127.0.0.1', port)(signal), armed),
    });
    await station.synchronized();
    armed.now = true;
    station.server.update('BCU1CTRL/GGIO1.Alm1', { stVal: bool(true) });
    await station.until(() => connector.health().counters.connects === 2, 'the second connection');
    expect(armed.now).toBe(false);
    await station.until(() => station.seen('BCU1CTRL/GGIO1.Alm1').at(-1)?.value === 1, 'the change');
    expect(station.intake.log.filter((line) => line === 'lost')).toHaveLength(1);
  });

  test('that others have are asked for again; meanwhile their values are polled', async () => {
    station = new Iec61850Station();
    const port = await station.serve();
    const other = await Iec61850Client.connect(await tcpConnect('127.0.0.1', port)(AbortSignal.timeout(60_000)));
    const theirs = await Promise.all(
      ['01', '02'].map((number) => other.subscribe(`BCU1CTRL/LLN0.RP.values${number}`, { onReport: () => {} })),
    );
    const connector = station.connect(station.site(port, '    poll: { seconds: 3600 }\n'));
    await station.synchronized();
    expect(station.eventsOf('edge.iec61850.reports')[0]).toContain('BCU1CTRL/LLN0.RP.values');
    expect(connector.health().counters).toMatchObject({ blocks: 1, failedBlocks: 1, polled: 3 + 1 });
    expect(station.seen('BCU1CTRL/MMXU1.TotW')).toMatchObject([{ cause: 'requested' }]);
    for (const one of theirs) await one.end();
    await other.close();
    await station.until(() => connector.health().counters.blocks === 2, 'the block');
    station.server.update('BCU1CTRL/MMXU1.TotW', { 'mag.f': float(7) });
    await station.until(() => station.seen('BCU1CTRL/MMXU1.TotW').at(-1)?.value === 7, 'the report');
    expect(connector.health()).toMatchObject({ counters: { failedBlocks: 0, polled: 1 } });
    expect(connector.health().detail).toBeUndefined();
  });

  test('bring elements of arrays, each as its own point', async () => {
    const scd = replaced(
      ['<DO name="A" type="WYE"/>', '<DO name="A" type="WYE"/><DO name="HA" type="HWYE"/>'],
      [
        '<DOType id="WYE"',
        '<DOType id="HWYE" cdc="HWYE"><DA name="phsAHar" bType="Struct" type="Vector" count="3" fc="MX" dchg="true"/><DA name="q" bType="Quality" fc="MX"/><DA name="t" bType="Timestamp" fc="MX"/></DOType><DOType id="WYE"',
      ],
      [
        '<FCDA ldInst="CTRL" lnClass="MMXU" lnInst="1" doName="A" fc="MX"/>',
        '<FCDA ldInst="CTRL" lnClass="MMXU" lnInst="1" doName="HA" daName="phsAHar" ix="2" fc="MX"/>',
      ],
    );
    station = new Iec61850Station(scd);
    const connector = station.connect(station.site(await station.serve({}, scd), '    poll: false\n'));
    await station.synchronized();
    expect((await connector.inspect.model()).deviations).toEqual([]);
    station.server.update('BCU1CTRL/MMXU1.HA', { 'phsAHar.2.mag.f': float(0.25) });
    const seen = () => station.intake.taken.filter(({ value }) => value === 0.25);
    await station.until(() => seen().length > 0, 'the harmonic');
    expect(seen()).toMatchObject([{ name: expect.stringContaining('phsAHar(2)') }]);
  });

  test('get data sets of our own where the device allows it and none brings a value', async () => {
    const scd = replaced([
      '<IED name="BCU1">',
      '<IED name="BCU1"><Services><DynDataSet max="2" maxAttributes="10"/><ReportSettings datSet="Dyn"/></Services>',
    ]);
    station = new Iec61850Station(scd);
    const connector = station.connect(station.site(await station.serve({}, scd), '    dynamicDataSets: true\n'));
    await station.synchronized();
    expect(connector.health().counters).toMatchObject({ blocks: 3, polled: 0 });
    station.server.update('BCU1CTRL/CSWI1.Pos', { stVal: dbpos(2) });
    await station.until(() => station.seen('BCU1CTRL/CSWI1.Pos').at(-1)?.value === 2, 'the change');
    expect(station.seen('BCU1CTRL/CSWI1.Pos').at(-1)!.cause).toBe('spontaneous');
  });

  test('are those that the site file names, where it does', async () => {
    station = new Iec61850Station();
    const port = await station.serve();
    const connector = station.connect(
      station.site(port, '    reports: [BCU1CTRL/LLN0.RP.values02]\n    poll: false\n'),
    );
    await station.synchronized();
    const use = (await connector.inspect.controlBlocks()).map(({ reference, use }) => [reference, use?.state]);
    expect(use).toEqual([
      ['BCU1CTRL/LLN0.BR.events01', undefined],
      ['BCU1CTRL/LLN0.BR.events02', undefined],
      ['BCU1CTRL/LLN0.RP.values01', undefined],
      ['BCU1CTRL/LLN0.RP.values02', 'subscribed'],
    ]);
  });
});

describe('inspection', () => {
  test('tells model, control blocks and values; without a connection what the SCL says', async () => {
    station = new Iec61850Station();
    const connector = station.connect(station.site(await station.serve()));
    await station.synchronized();
    const { inspect } = connector;
    const model = await inspect.model();
    expect(model).toMatchObject({ ied: 'BCU1', scl: 'station.scd', connected: true, deviations: [], truncated: false });
    expect(model.devices[0]!.nodes[0]).toEqual({
      name: 'LLN0',
      lnClass: 'LLN0',
      type: 'LLN0',
      dataSets: { Events: 3, Values: 2 },
    });
    expect(model.types.XCBR).toEqual([
      {
        name: 'Pos',
        cdc: 'DPS',
        attributes: [
          { name: 'stVal', fc: 'ST', bType: 'Dbpos' },
          { name: 'q', fc: 'ST', bType: 'Quality' },
          { name: 't', fc: 'ST', bType: 'Timestamp' },
        ],
      },
    ]);
    const blocks = await inspect.controlBlocks();
    expect(blocks[0]).toMatchObject({
      reference: 'BCU1CTRL/LLN0.BR.events01',
      kind: 'BRCB',
      dataSet: 'BCU1CTRL/LLN0.Events',
      confRev: 1,
      use: { state: 'subscribed' },
      now: { RptEna: true, DatSet: 'BCU1CTRL/LLN0$Events' },
    });
    expect(blocks[1]).toMatchObject({ use: { state: 'unused' }, now: { RptEna: false } });
    station.server.update('BCU1CTRL/XCBR1.Pos', { stVal: dbpos(2) });
    expect(
      await inspect.read([
        { reference: 'BCU1CTRL/XCBR1.Pos', fc: 'ST' },
        { reference: 'BCU1CTRL/XCBR1.Nothing', fc: 'ST' },
        { reference: 'BCU1CTRL/MMXU1.TotW.mag.f', fc: 'MX' },
      ]),
    ).toEqual([
      { reference: 'BCU1CTRL/XCBR1.Pos', fc: 'ST', value: { stVal: '10', q: 'good', t: expect.any(String) } },
      { reference: 'BCU1CTRL/XCBR1.Nothing', fc: 'ST', error: expect.stringContaining('the device has no') },
      { reference: 'BCU1CTRL/MMXU1.TotW.mag.f', fc: 'MX', value: 0 },
    ]);
    await expect(
      inspect.read(Array.from({ length: 201 }, () => ({ reference: 'A/B.C', fc: 'ST' as const }))),
    ).rejects.toThrow(/at most 200/);
    await connector.stop();
    expect(await inspect.model()).toMatchObject({ connected: false, devices: model.devices });
    expect((await inspect.controlBlocks())[0]).not.toHaveProperty('now');
    await expect(inspect.files('')).rejects.toThrow(/is not connected/);
  });
});
