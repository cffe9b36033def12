import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type AsduContent,
  cp24FromEpochMillis,
  cp56FromEpochMillis,
  type Element,
  Iec104Server,
  type Iec104ServerOptions,
  TYPES,
} from '@enerchain/iec60870';
import { type Command, newMrid, QUALITY, systemClock, TIME_QUALITY } from '@enerchain/model';
import { afterEach, describe, expect, test } from 'vitest';
import { Iec104Connector } from '../src/connectors/iec104/connector.ts';
import { IS_MONITORED, qualityOf, rawValueOf } from '../src/connectors/iec104/mapping.ts';
import { draftPointList, scanIec104 } from '../src/connectors/iec104/scan.ts';
import { parseCsv } from '../src/site/csv.ts';
import { openSite } from '../src/site/load-site.ts';
import { FakeIntake } from './fake-intake.ts';
import { silent } from './helpers.ts';

const POINTS = `
      - { name: SP, ioa: 1, type: M_SP_NA_1 }
      - { name: DP, ioa: 2, type: M_DP_TB_1 }
      - { name: ST, ioa: 3, type: M_ST_NA_1 }
      - { name: NVA, ioa: 4, type: M_ME_NA_1, k: 100, d: 5 }
      - { name: SVA, ioa: 5, type: M_ME_NB_1, k: 0.1 }
      - { name: FLT, ioa: 6, type: M_ME_NC_1 }
      - { name: IT, ioa: 7, type: M_IT_NA_1 }
      - { name: Q0, ioa: 100, type: C_DC_NA_1, ctlModel: sbo }
      - { name: SET, ioa: 101, type: C_SE_NA_1, k: 100, d: 5 }
      - { name: BIT, ioa: 102, type: C_SC_TA_1 }
`;

let server: Iec104Server;
let connector: Iec104Connector | undefined;
let intake: FakeIntake;

afterEach(async () => {
  if (intake) intake.auto = true;
  intake?.commit();
  await connector?.stop();
  connector = undefined;
  await server?.close();
});

const single = (address: number, value: number, time?: number) => ({
  address,
  element: { kind: 'single' as const, value, quality: 0 },
  ...(time === undefined ? {} : { time: cp56FromEpochMillis(time) }),
});

async function rig(
  options: {
    auto?: boolean;
    server?: Partial<Iec104ServerOptions>;
    endpoint?: string;
    image?: () => AsduContent[];
    start?: boolean;
  } = {},
): Promise<void> {
  server = new Iec104Server({
    port: 0,
    commonAddresses: [1],
    handlers: { interrogation: () => options.image?.() ?? [], command: () => 'accept' },
    ...options.server,
  });
  await server.listen();
  intake = new FakeIntake();
  intake.auto = options.auto ?? false;
  const folder = mkdtempSync(join(tmpdir(), 'enerchain-104-'));
  writeFileSync(
    join(folder, 'site.yaml'),
    `source: edge-test
site: { id: s }
endpoints:
  - id: rtu
    protocol: iec104
    host: 127.0.0.1
    port: ${server.address!.port}
    commonAddress: 1
    ${options.endpoint ?? ''}
    points:${POINTS}`,
  );
  const { site } = openSite(join(folder, 'site.yaml'));
  connector = new Iec104Connector(site.endpoints[0]!, {
    intake,
    clock: systemClock,
    logger: silent,
    folder,
    source: 'e',
    data: folder,
  });
  bound = site.endpoints[0]!.points;
  if (options.start !== false) {
    connector.start();
    await intake.until(() => intake.log.includes('synchronized'), 'the interrogation');
  }
}

let bound: ReturnType<typeof openSite>['site']['endpoints'][number]['points'];
const order = (name: string, action: Command['action'], value: number, id = newMrid()) => ({
  command: {
    id,
    point: newMrid(),
    action,
    value,
    validFor: 5000,
    issuedAt: '1',
    origin: { orCat: 'remoteControl' as const, orIdent: 'test' },
    target: 'e',
  },
  point: bound.find(({ point }) => point.name === name)!,
});

describe('the mapping of IEC 104', () => {
  test('knows a value for every monitored type', () => {
    const sample: Record<string, Element> = {
      single: { kind: 'single', value: 1, quality: 0 },
      step: { kind: 'step', value: -3, transient: true, quality: 0x80 },
      normalized: { kind: 'normalized', raw: -32768, quality: 0 },
      integratedTotal: { kind: 'integratedTotal', value: 5, sequence: 1, flags: 0x80 },
    };
    expect(TYPES.filter(({ id }) => IS_MONITORED[id]).length).toBeGreaterThanOrEqual(32);
    expect(rawValueOf(sample.normalized!)).toBe(-1);
    expect(qualityOf(sample.step!)).toBe(QUALITY.invalid | QUALITY.questionable | QUALITY.inaccurate);
    expect(qualityOf(sample.integratedTotal!)).toBe(QUALITY.invalid);
    expect(rawValueOf({ kind: 'none' })).toBeNaN();
  });
});

describe('the IEC 104 connector', () => {
  test('interrogates after the start and turns every object into an observation', async () => {
    await rig({
      image: () => [
        { typeId: 1, objects: [single(1, 1)] },
        { typeId: 3, objects: [{ address: 2, element: { kind: 'double', value: 2, quality: 0x10 } }] },
        { typeId: 5, objects: [{ address: 3, element: { kind: 'step', value: -7, transient: false, quality: 0 } }] },
        { typeId: 9, objects: [{ address: 4, element: { kind: 'normalized', raw: 16384, quality: 0x80 } }] },
        { typeId: 11, objects: [{ address: 5, element: { kind: 'scaled', value: 123, quality: 0x40 } }] },
        { typeId: 13, objects: [{ address: 6, element: { kind: 'short', value: 1.5, quality: 0 } }] },
        { typeId: 13, objects: [{ address: 99, element: { kind: 'short', value: 1.5, quality: 0 } }] },
      ],
    });
    const taken = intake.taken.map(({ name, value, quality, cause }) => [name, value, quality, cause]);
    expect(taken).toEqual([
      ['SP', 1, 0, 'interrogation'],
      ['DP', 2, QUALITY.questionable | QUALITY.operatorBlocked, 'interrogation'],
      ['ST', -7, 0, 'interrogation'],
      ['NVA', 55, QUALITY.invalid, 'interrogation'],
      ['SVA', expect.closeTo(12.3), QUALITY.questionable | QUALITY.oldData, 'interrogation'],
      ['FLT', 1.5, 0, 'interrogation'],
    ]);
    expect(intake.taken.every(({ timeQuality }) => timeQuality & TIME_QUALITY.receiveTime)).toBe(true);
    expect(intake.log).toContain('unknown ca=1 ioa=99');
    expect(connector!.health()).toMatchObject({ state: 'up', counters: { interrogations: 1 } });
  });

  test('completes CP24, keeps CP56 with its flags, and says when a clock runs ahead', async () => {
    await rig();
    const now = Date.now();
    server.enqueue({
      typeId: 2,
      commonAddress: 1,
      objects: [{ ...single(1, 1), time: cp24FromEpochMillis(now - 60_000) }],
    });
    server.enqueue({ typeId: 30, commonAddress: 1, objects: [single(1, 0, now - 1000)] });
    const flagged = cp56FromEpochMillis(now, { invalid: true, substituted: true });
    server.enqueue({ typeId: 30, commonAddress: 1, objects: [{ ...single(1, 1), time: flagged }] });
    server.enqueue({ typeId: 30, commonAddress: 1, objects: [single(1, 0, now + 3_600_000)] });
    await intake.until(() => intake.taken.length === 4);
    const [short, full, bad] = intake.taken;
    expect([short!.sourceTime, short!.timeQuality]).toEqual([
      BigInt(now - 60_000) * 1_000_000n,
      31 | TIME_QUALITY.completedHere,
    ]);
    expect([full!.sourceTime, full!.timeQuality, full!.cause]).toEqual([
      BigInt(now - 1000) * 1_000_000n,
      31,
      'spontaneous',
    ]);
    expect(bad!.timeQuality).toBe(31 | TIME_QUALITY.clockFailure | TIME_QUALITY.substitutedTime);
    expect(intake.events.map(({ kind }) => kind)).toEqual(['clockStep']);
  });

  test('reads the clock of a device in the time zone that the endpoint names', async () => {
    await rig({ endpoint: 'timeZone: Europe/Berlin' });
    const at = Date.UTC(2026, 6, 1, 12, 0, 0, 5);
    const time = cp56FromEpochMillis(at, { zone: 'Europe/Berlin' });
    server.enqueue({ typeId: 30, commonAddress: 1, objects: [{ ...single(1, 1), time }] });
    await intake.until(() => intake.taken.length === 1);
    expect(intake.taken[0]!.sourceTime).toBe(BigInt(at) * 1_000_000n);
    expect(intake.taken[0]!.timeQuality & TIME_QUALITY.summerTime).not.toBe(0);
  });

  test('tells the device that its frames have arrived only after the commit', async () => {
    const acknowledged: number[] = [];
    await rig({
      server: {
        onAcknowledged: (events) => {
          for (const { objects } of events) acknowledged.push(objects[0]!.address);
        },
      },
      endpoint: 'parameters: { k: 12, w: 4, t2: 1 }',
    });
    intake.commit();
    for (let i = 0; i < 30; i++)
      server.enqueue({ typeId: 30, commonAddress: 1, objects: [single(1, i & 1, Date.now())] });
    // The server's window of 12 is exhausted: no more comes before we let go.
    await intake.until(() => intake.taken.length >= 9 && intake.log.includes('commitSoon'));
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(intake.taken.length).toBeLessThanOrEqual(12);
    expect(acknowledged).toEqual([]);
    const before = intake.taken.length;
    intake.commit();
    await intake.until(() => intake.taken.length > before, 'the next frames');
    expect(acknowledged.length).toBeGreaterThanOrEqual(before - 1);
    const pump = setInterval(() => intake.commit(), 5);
    await intake.until(() => intake.taken.length === 30 && acknowledged.length > 20);
    clearInterval(pump);
  });

  test('reports lost connections and sends nothing into a new one for receipts of the old', async () => {
    await rig();
    server.enqueue({ typeId: 30, commonAddress: 1, objects: [single(1, 1, Date.now())] });
    await intake.until(() => intake.taken.length === 1);
    const old = [...intake.held];
    for (const { id } of server.connections()) server.disconnect(id);
    await intake.until(
      () => intake.log.includes('lost') && intake.log.filter((line) => line === 'synchronized').length === 2,
    );
    for (const receipt of old) receipt.release();
    // Never acknowledged, so the station has sent it again.
    await intake.until(() => intake.taken.length === 2);
    expect(intake.taken[1]).toMatchObject({ name: 'SP', value: 1, sourceTime: intake.taken[0]!.sourceTime });
  });

  test('interrogates again when the station says that it has started anew', async () => {
    await rig();
    const element = { kind: 'endOfInitialization' as const, cause: 0, parametersChanged: false };
    server.enqueue({ typeId: 70, commonAddress: 1, cause: 4, objects: [{ address: 0, element }] });
    await intake.until(() => intake.log.filter((line) => line === 'synchronized').length === 2);
    expect(intake.log.filter((line) => line.startsWith('unknown'))).toEqual([]);
    expect(intake.events[0]).toMatchObject({ kind: 'configuration', code: 'iec104.initialised' });
  });

  test('switches over to the other connection of a redundancy group', async () => {
    const spare = new Iec104Server({ port: 0, commonAddresses: [1], handlers: { interrogation: () => [] } });
    await spare.listen();
    await rig({ auto: true, endpoint: `redundant: [{ host: 127.0.0.1, port: ${spare.address!.port} }]` });
    await server.close();
    await intake.until(() => intake.log.filter((line) => line === 'synchronized').length === 2, 'the switchover');
    spare.enqueue({ typeId: 30, commonAddress: 1, objects: [single(1, 1, Date.now())] });
    await intake.until(() => intake.taken.length === 1);
    expect(intake.log.filter((line) => line === 'lost')).toHaveLength(1);
    expect(connector!.health().counters.switchovers).toBeGreaterThanOrEqual(1);
    await connector!.stop();
    await spare.close();
  });

  test('makes a gap out of the overflow point, once for each overflow', async () => {
    await rig({ endpoint: 'overflowPoint: { ioa: 50 }' });
    for (const value of [1, 1, 0, 1]) server.enqueue({ typeId: 1, commonAddress: 1, objects: [single(50, value)] });
    await intake.until(() => intake.log.filter((line) => line.startsWith('overflowed')).length === 2);
    expect(intake.log.filter((line) => line.startsWith('unknown'))).toEqual([]);
  });

  test('carries commands out: select and operate apart, in one go, direct, with a time tag, scaled back', async () => {
    const seen: { phase: string; typeId: number; address: number; value: number }[] = [];
    await rig({
      auto: true,
      server: {
        handlers: {
          interrogation: () => [],
          controlMode: (_type, _ca, address) => (address === 100 ? 'select-before-operate' : 'direct'),
          command: (_context, { phase, typeId, address, value }) => {
            seen.push({ phase, typeId, address, value });
            return 'accept';
          },
        },
      },
    });
    const steps: string[] = [];
    const run = (one: ReturnType<typeof order>) => connector!.operate(one, (step) => void steps.push(step));
    const first = order('Q0', 'select', 2);
    await run(first);
    await run(order('Q0', 'operate', 2, first.command.id));
    expect(steps).toEqual(['selected', 'operateSent', 'confirmed', 'terminated']);
    steps.length = 0;
    await run(order('Q0', 'operate', 1));
    expect(steps).toEqual(['operateSent', 'confirmed', 'terminated']);
    await run(order('SET', 'operate', 55));
    await run(order('BIT', 'operate', 1));
    expect(seen.filter(({ phase }) => phase === 'execute').map(({ typeId, value }) => [typeId, value])).toEqual([
      [46, 2],
      [46, 1],
      [48, 16384],
      [58, 1],
    ]);
    steps.length = 0;
    const third = order('Q0', 'select', 2);
    await run(third);
    await run(order('Q0', 'cancel', 2, third.command.id));
    expect(steps).toEqual(['selected', 'cancelled']);
  });

  test('says why a command did not happen: refused by the device, impossible, or without a connection', async () => {
    await rig({
      server: { handlers: { interrogation: () => [], command: () => ({ refuse: 'negative' }) } },
    });
    const steps: string[] = [];
    const run = (one: ReturnType<typeof order>) =>
      connector!.operate(one, (step, reason) => void steps.push(`${step}: ${reason ?? ''}`));
    await run(order('Q0', 'select', 2));
    await run(order('BIT', 'operate', 1));
    await run(order('Q0', 'operate', 0));
    await run(order('SET', 'operate', 1000));
    expect(steps[0]).toMatch(/^selectRefused: COT 7/);
    expect(steps[2]).toMatch(/^negative: COT 7/);
    expect(steps[3]).toBe('refusedByEdge: a double command takes 1 (off) or 2 (on), not 0');
    expect(steps[4]).toMatch(/^refusedByEdge: a normalised set-point/);
    await server.close();
    await intake.until(() => intake.log.includes('lost'));
    steps.length = 0;
    await run(order('BIT', 'operate', 1));
    expect(steps.at(-1)).toMatch(/^negative: .*nothing was sent/);
  });
});

describe('a scan', () => {
  test('drafts a point list that can be read back', async () => {
    await rig({
      start: false,
      image: () => [
        { typeId: 13, objects: [{ address: 700, element: { kind: 'short', value: 1.25, quality: 0 } }] },
        { typeId: 1, objects: [single(2, 1), single(1, 0)] },
      ],
    });
    const { csv, complete } = await scanIec104({ host: '127.0.0.1', port: server.address!.port, commonAddress: 1 });
    expect(complete).toBe(true);
    const table = parseCsv(csv);
    expect(table.rows.map(({ cells }) => cells.slice(1, 5))).toEqual([
      ['1', '1', 'M_SP_NA_1', 'discrete'],
      ['1', '2', 'M_SP_NA_1', 'discrete'],
      ['1', '700', 'M_ME_NC_1', 'analog'],
    ]);
    expect(draftPointList([])).toMatch(/^name;ca;ioa/);
  });

  test('says where nobody answered', async () => {
    await rig({ start: false });
    const { port } = server.address!;
    await server.close();
    await expect(scanIec104({ host: '127.0.0.1', port })).rejects.toThrow(`no connection to 127.0.0.1:${port}`);
  });
});
