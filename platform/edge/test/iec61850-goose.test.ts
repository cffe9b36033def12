/** GOOSE of a device as observations, beside its reports, on a LAN in memory; and its supervision. */
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { captureHeader, captureRecord, type LinkLayer, type MemoryLan, memoryLan, record } from '@enerchain/ethernet';
import {
  checkScl,
  type GoosePublishing,
  gooseControls,
  localAddress,
  publicationOf,
  publishGoose,
  readScl,
} from '@enerchain/iec61850';
import { QUALITY } from '@enerchain/model';
import { type Clock, systemClock } from '@enerchain/transport';
import { VirtualClock } from '@enerchain/transport/testing';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { GooseBus } from '../src/connectors/iec61850/goose-bus.ts';
import { provideLink } from '../src/connectors/iec61850/goose-links.ts';
import { dbpos, Iec61850Station, q, SCD, t } from './iec61850-station.ts';

const GOOSE_SCD = SCD.replace(
  '</Address></ConnectedAP>',
  '</Address><GSE ldInst="CTRL" cbName="gcb"><Address><P type="MAC-Address">01-0C-CD-01-00-01</P><P type="APPID">0001</P><P type="VLAN-ID">005</P><P type="VLAN-PRIORITY">4</P></Address><MinTime unit="s" multiplier="m">4</MinTime><MaxTime unit="s" multiplier="m">1000</MaxTime></GSE></ConnectedAP>',
)
  .replace(
    '<ReportControl name="events"',
    '<DataSet name="Fast"><FCDA ldInst="CTRL" lnClass="XCBR" lnInst="1" doName="Pos" fc="ST"/><FCDA ldInst="CTRL" lnClass="CSWI" lnInst="1" doName="Pos" daName="stVal" fc="ST"/></DataSet><ReportControl name="events"',
  )
  .replace('</LN0>', '<GSEControl name="gcb" datSet="Fast" confRev="2" appID="BCU1 fast"/></LN0>');

const REFERENCE = 'BCU1CTRL/LLN0.GO.gcb';
let station: Iec61850Station;
let lan: MemoryLan;
let takeBack: () => void;
const publishers: GoosePublishing[] = [];

beforeEach(() => {
  lan = memoryLan();
  takeBack = provideLink('lab', lan.station('gateway'));
  station = new Iec61850Station(GOOSE_SCD);
});
afterEach(async () => {
  for (const one of publishers.splice(0)) one.stop();
  await station.close();
  takeBack();
});

/** A publisher as the SCL has it, but for what a test says. */
function publish(change: object = {}, clock: Clock = systemClock): GoosePublishing {
  const { scl } = readScl(GOOSE_SCD);
  const [control] = gooseControls(scl!, checkScl(scl!).models);
  const one = publishGoose(
    lan.station('BCU1'),
    clock,
    { ...publicationOf(control!), ...change },
    { source: localAddress('BCU1') },
  );
  publishers.push(one);
  return one;
}

const supervised = (what: string) => station.seen(`${REFERENCE} ${what}`).map(({ value }) => value);

describe('a GOOSE control block', () => {
  test('brings values before the report does, and both make one observation', async () => {
    const port = await station.serve({}, GOOSE_SCD);
    const goose = publish();
    const connector = station.connect(station.site(port, '    goose: { interface: lab }\n'));
    await station.synchronized();
    await station.until(() => supervised('alive').at(-1) === 1, 'the first frame');
    station.intake.taken.length = 0;
    const values = { stVal: dbpos(2), q: q(0, 0), t: t(1_768_478_400) };
    expect(goose.update('BCU1CTRL/XCBR1.Pos', values)).toBe(true);
    await station.until(() => station.seen('BCU1CTRL/XCBR1.Pos').length === 1, 'the frame');
    // The report of the same change, later, and a change that only the report brings.
    station.server.update('BCU1CTRL/XCBR1.Pos', values);
    station.server.update('BCU1CTRL/XCBR1.Pos', { ...values, stVal: dbpos(1), t: t(1_768_478_401) });
    await station.until(() => station.seen('BCU1CTRL/XCBR1.Pos').length === 2, 'the report');
    expect(station.seen('BCU1CTRL/XCBR1.Pos')).toEqual([
      {
        name: 'BCU1CTRL/XCBR1.Pos',
        value: 2,
        quality: QUALITY.good,
        sourceTime: 1_768_478_400_000_000_000n,
        timeQuality: 10,
        cause: 'spontaneous',
      },
      expect.objectContaining({ value: 1, sourceTime: 1_768_478_401_000_000_000n }),
    ]);
    expect(connector.health().counters).toMatchObject({ duplicates: 1 });
  });

  test('has its supervision as points', async () => {
    const port = await station.serve({}, GOOSE_SCD);
    const endpoint = station.site(port, '    goose: { interface: lab }\n');
    expect(
      endpoint.points
        .filter(({ point }) => point.name.startsWith(REFERENCE))
        .map(({ point }) => [point.name.slice(REFERENCE.length + 1), point.kind]),
    ).toEqual([
      ['alive', 'discrete'],
      ['stNum', 'accumulator'],
      ['sqNum', 'accumulator'],
      ['test', 'discrete'],
      ['ndsCom', 'discrete'],
      ['confRevMismatch', 'discrete'],
      ['lastChange', 'string'],
    ]);
    const goose = publish();
    const connector = station.connect(endpoint);
    await station.until(() => supervised('alive').at(-1) === 1, 'the first frame');
    goose.update('BCU1CTRL/XCBR1.Pos', { stVal: dbpos(2) }, { seconds: 1_768_478_400, fraction: 0, quality: 10 });
    await station.until(() => supervised('lastChange').at(-1) === '2026-01-15T12:00:00Z', 'the change');
    expect(supervised('stNum')).toEqual([1, 2]);
    expect(supervised('confRevMismatch')).toEqual([0]);
    expect((await connector.inspect.goose())[0]).toMatchObject({
      reference: REFERENCE,
      interface: 'gateway',
      goId: 'BCU1 fast',
      appId: 1,
      destination: '01-0C-CD-01-00-01',
      dataSet: 'BCU1CTRL/LLN0.Fast',
      state: 'alive',
      stNum: 2,
      expectedConfRev: 2,
      test: false,
    });
    // Nothing more comes: what its last message allowed runs out.
    goose.stop();
    await station.until(() => supervised('alive').at(-1) === 0, 'the loss');
    expect(station.eventsOf('edge.iec61850.goose').at(-1)).toContain('the values are no longer valid');
    expect((await connector.inspect.goose())[0]).toMatchObject({ state: 'lost' });
  });

  test('of another configuration is refused, and told', async () => {
    const port = await station.serve({}, GOOSE_SCD);
    publish({ confRev: 3 });
    const connector = station.connect(station.site(port, '    goose: { interface: lab }\n'));
    await station.until(() => supervised('confRevMismatch').at(-1) === 1, 'the mismatch');
    expect(station.eventsOf('edge.iec61850.goose')[0]).toMatch(/confRev/);
    const [one] = await connector.inspect.goose();
    expect(one).toMatchObject({ state: 'lost', expectedConfRev: 2, trouble: expect.stringContaining('confRev') });
  });

  test('in test is told; its values are not taken', async () => {
    const port = await station.serve({}, GOOSE_SCD);
    const goose = publish();
    station.connect(station.site(port, '    goose: { interface: lab }\n'));
    await station.until(() => supervised('alive').at(-1) === 1, 'the first frame');
    goose.setSimulation(true);
    goose.update('BCU1CTRL/XCBR1.Pos', { stVal: dbpos(2) });
    await station.until(() => supervised('test').at(-1) === 1, 'the test');
    expect(station.seen('BCU1CTRL/XCBR1.Pos').filter(({ value }) => value === 2)).toEqual([]);
  });

  test('is enough for a device without an address; what no longer comes is old', async () => {
    station.write(GOOSE_SCD.replace('<P type="IP">127.0.0.1</P>', ''));
    const goose = publish();
    const connector = station.connect(station.site(102, '    goose: { interface: lab }\n'));
    await station.synchronized();
    expect(connector.health().state).toBe('up');
    expect(station.seen('BCU1CTRL/CSWI1.Pos')).toMatchObject([{ value: 0, quality: QUALITY.good }]);
    goose.stop();
    await station.until(() => connector.health().state === 'connecting', 'the loss');
    expect(station.seen('BCU1CTRL/XCBR1.Pos').at(-1)).toMatchObject({
      quality: QUALITY.questionable | QUALITY.oldData,
    });
    expect(station.intake.log).toContain('lost');
    publish();
    await station.until(() => connector.health().state === 'up', 'the frames again');
    await station.until(() => station.seen('BCU1CTRL/XCBR1.Pos').at(-1)!.quality === QUALITY.good, 'the values again');
  });

  test('comes from a capture, with the times that it has there', async () => {
    const path = join(station.folder, 'bus.pcap');
    const capture = await record(lan.station('recorder'), path);
    const goose = publish();
    goose.update('BCU1CTRL/XCBR1.Pos', { stVal: dbpos(2), t: t(1_768_478_400) });
    await station.until(() => capture.counters.recorded >= 3, 'the frames');
    await capture.stop();
    station.write(GOOSE_SCD.replace('<P type="IP">127.0.0.1</P>', ''));
    station.connect(station.site(102, '    goose: { capture: bus.pcap }\n'));
    await station.until(() => station.seen('BCU1CTRL/XCBR1.Pos').length >= 2, 'the change');
    expect(station.seen('BCU1CTRL/XCBR1.Pos').slice(0, 2)).toMatchObject([
      { value: 0 },
      { value: 2, sourceTime: 1_768_478_400_000_000_000n },
    ]);
    // Its end is told, and what it brought is no longer known to be true.
    await station.until(() => station.eventsOf('edge.iec61850.goose').length > 0, 'the end');
    expect(station.eventsOf('edge.iec61850.goose').at(-1)).toContain('no GOOSE on bus.pcap: the link has ended');
  });

  test('a link that is not there is told', async () => {
    const port = await station.serve({}, GOOSE_SCD);
    const connector = station.connect(station.site(port, '    goose: { interface: nowhere0 }\n'));
    await station.until(() => station.eventsOf('edge.iec61850.goose').length > 0, 'the trouble');
    expect(connector.health().detail).toContain('no GOOSE on nowhere0');
  });

  test('comes over TCP from a probe, and no longer when the probe has gone', async () => {
    const port = await station.serve({}, GOOSE_SCD);
    const mirror = lan.station('mirror');
    const probe = createServer((socket) => {
      socket.on('error', () => {});
      socket.write(captureHeader());
      socket.on(
        'close',
        mirror.listen((frame, at) => void socket.write(captureRecord(frame, at))),
      );
    });
    const open = new Set<Socket>();
    probe.on('connection', (socket) => open.add(socket));
    await new Promise<void>((done) => probe.listen(0, '127.0.0.1', done));
    const { port: at } = probe.address() as AddressInfo;
    const goose = publish();
    const settings = `    goose: { stream: { host: 127.0.0.1, port: ${at} } }\n`;
    const connector = station.connect(station.site(port, settings));
    // What the connection reads at its begin is older than the change that follows.
    await station.synchronized();
    await station.until(() => supervised('alive').at(-1) === 1, 'the first frame');
    expect((await connector.inspect.goose())[0]).toMatchObject({ interface: `127.0.0.1:${at}`, state: 'alive' });
    goose.update('BCU1CTRL/XCBR1.Pos', { stVal: dbpos(2), q: q(0, 0), t: t(1_768_478_400) });
    await station.until(() => station.seen('BCU1CTRL/XCBR1.Pos').at(-1)?.value === 2, 'the change');
    for (const socket of open) socket.destroy();
    await station.until(() => supervised('alive').at(-1) === 0, 'the loss');
    expect(station.eventsOf('edge.iec61850.goose').at(-1)).toBe(`no GOOSE on 127.0.0.1:${at}: the link has ended`);
    await new Promise<void>((done) => probe.close(() => done()));
  });

  test('is heard again on a link that has come back', async () => {
    const clock = new VirtualClock();
    const links: LinkLayer[] = [];
    const bus = new GooseBus(
      'eth9',
      () => {
        const link = lan.station(`eth9 for the ${links.length + 1}. time`);
        links.push(link);
        return link;
      },
      clock,
    );
    const said: (string | undefined)[] = [];
    const leave = bus.join({
      controls: [],
      onState: () => {},
      onMessage: () => {},
      onEvent: () => {},
      onLink: (_name, trouble) => said.push(trouble),
    });
    await clock.advance(0);
    expect(said).toEqual([undefined]);
    await links[0]!.close();
    await clock.advance(9_999);
    expect(said).toEqual([undefined, 'the link has ended']);
    await clock.advance(1);
    expect(said).toEqual([undefined, 'the link has ended', undefined]);
    leave();
    await links[1]!.closed;
  });
});
