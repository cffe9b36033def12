import { mkdtempSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Command, newMrid, type Point, QUALITY, systemClock, TIME_QUALITY } from '@enerchain/model';
import { Aedes } from 'aedes';
import { connect } from 'mqtt';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { MqttConnector } from '../src/connectors/mqtt/connector.ts';
import { memberAt, readPlain, readScalar, readTime } from '../src/connectors/mqtt/payload.ts';
import { jsonPath } from '../src/connectors/mqtt/protocol.ts';
import { openSite } from '../src/site/load-site.ts';
import { FakeIntake } from './fake-intake.ts';
import { silent } from './helpers.ts';

describe('a payload', () => {
  const point = (kind: Point['kind'], valueAliases?: Record<string, string>): Point => ({
    mRID: newMrid(),
    name: 'p',
    kind,
    ...(valueAliases ? { valueAliases } : {}),
  });

  test('is a number, a word, a text or nothing, as the point says', () => {
    expect(readPlain(' 21.5\n', point('analog'))).toEqual({ value: 21.5, quality: 0 });
    expect(readPlain('"7"', point('analog'))).toEqual({ value: 7, quality: 0 });
    expect(readPlain('ON', point('discrete'))).toEqual({ value: 1, quality: 0 });
    expect(readPlain('Closed', point('discrete', { 1: 'open', 2: 'closed' }))).toEqual({ value: 2, quality: 0 });
    expect(readPlain('hello', point('string'))).toEqual({ value: 'hello', quality: 0 });
    expect(readPlain('', point('analog'))).toEqual({ value: null, quality: QUALITY.invalid });
    expect(readScalar(true, point('discrete'))).toEqual({ value: 1, quality: 0 });
    expect(readScalar({ a: 1 }, point('analog'))).toMatchObject({ value: null, problem: /no number/ });
    expect(readPlain('hot', point('analog'))).toMatchObject({
      value: null,
      quality: QUALITY.invalid | QUALITY.failure,
    });
  });

  test('is read by JSON pointer or dotted path, never through a prototype', () => {
    const json = { a: { 'b/c': [10, 20] } };
    expect(memberAt(json, jsonPath('/a/b~1c/1'))).toBe(20);
    expect(memberAt({ a: { b: 1 } }, jsonPath('a.b'))).toBe(1);
    expect(memberAt(json, jsonPath('/constructor/name'))).toBeUndefined();
  });

  test('has its time in one of four forms, or none', () => {
    expect(readTime('2026-01-02T03:04:05.123456789Z', 'iso')!.at).toBe(1767323045123456789n);
    expect(readTime('2026-01-02T04:04:05+01:00', 'iso')!.at).toBe(1767323045000000000n);
    expect(readTime('2026-01-02T03:04:05', 'iso')).toBeUndefined();
    expect(readTime(1767323045.5, 'seconds')!.at).toBe(1767323045500000000n);
    expect(readTime(1767323045500, 'milliseconds')!.at).toBe(1767323045500000000n);
    expect(readTime('1767323045123456789', 'nanoseconds')!.at).toBe(1767323045123456789n);
    expect(readTime(Number.NaN, 'seconds')).toBeUndefined();
    expect(readTime(1e30, 'seconds')).toBeUndefined();
  });
});

describe('the MQTT connector', () => {
  let broker: Aedes;
  let server: Server;
  let sockets: Set<Socket>;
  let intake: FakeIntake;
  let connector: MqttConnector;
  let url: string;

  beforeEach(async () => {
    broker = await Aedes.createBroker();
    sockets = new Set();
    server = createServer((socket) => {
      sockets.add(socket);
      socket.on('close', () => sockets.delete(socket));
      broker.handle(socket);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    url = `mqtt://127.0.0.1:${(server.address() as AddressInfo).port}`;
    intake = new FakeIntake();
  });

  afterEach(async () => {
    await connector.stop();
    await new Promise<void>((resolve) => broker.close(() => resolve()));
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });

  function open(extra = ''): MqttConnector {
    const folder = mkdtempSync(join(tmpdir(), 'enerchain-mqtt-'));
    const file = join(folder, 'site.yaml');
    writeFileSync(
      file,
      `source: edge-test
site: { id: s }
endpoints:
  - id: iot
    protocol: mqtt
    url: ${url}
    topic: 'plant/{device}/state'
    timeField: /ts
    lastWill: { topic: 'plant/{device}/status', lost: offline }
    ${extra}
    points:
      - { name: T1, device: s1, field: /temperature, k: 2, d: 1 }
      - { name: H1, device: s1, field: /humidity }
      - { name: plain, topic: plant/plain }
      - { name: valve, kind: command, topic: plant/valve/set, field: /open }
`,
    );
    const { site } = openSite(file);
    connector = new MqttConnector(site.endpoints[0]!, {
      intake,
      clock: systemClock,
      logger: silent,
      folder,
      source: 'edge-test',
      data: folder,
    });
    return connector;
  }

  const publish = (topic: string, payload: string, options = {}): Promise<void> =>
    new Promise((resolve, reject) =>
      broker.publish(
        { cmd: 'publish', topic, payload: Buffer.from(payload), qos: 1, retain: false, dup: false, ...options },
        (error) => (error ? reject(error) : resolve()),
      ),
    );
  const order = (action: Command['action'], value: number) => ({
    command: {
      id: newMrid(),
      point: newMrid(),
      action,
      value,
      validFor: 5000,
      issuedAt: '1',
      origin: { orCat: 'remoteControl' as const, orIdent: 'test' },
      target: 'edge-test',
    },
    point: connector.controls[0]!,
  });

  test('turns topics into observations, with the time and the scaling of each point', async () => {
    open().start();
    await intake.until(() => intake.log.includes('synchronized'));
    await publish('plant/s1/state', '{"temperature": 20, "ts": "2026-01-02T03:04:05Z"}');
    await publish('plant/plain', '42');
    await publish('plant/plain', 'garbage');
    await intake.until(() => intake.taken.length === 3);
    expect(intake.taken[0]).toMatchObject({ name: 'T1', value: 41, sourceTime: 1767323045000000000n, timeQuality: 31 });
    expect(intake.taken[1]).toMatchObject({ name: 'plain', value: 42, cause: 'spontaneous' });
    expect(intake.taken[1]!.timeQuality & TIME_QUALITY.receiveTime).not.toBe(0);
    expect(intake.taken[2]).toMatchObject({ value: null, quality: QUALITY.invalid | QUALITY.failure });
    expect(intake.log.filter((line) => line.startsWith('malformed'))).toHaveLength(1);
    expect(connector.health()).toMatchObject({ state: 'up', counters: { messages: 3, absentFields: 1 } });
  });

  test('takes the last will of a device as the loss of its values', async () => {
    const device = connect(url, {
      will: { topic: 'plant/s1/status', payload: Buffer.from('offline'), qos: 1, retain: false },
    });
    await new Promise((resolve) => device.once('connect', resolve));
    open().start();
    await intake.until(() => intake.log.includes('synchronized'));
    device.stream.destroy();
    device.end(true);
    await intake.until(() => intake.taken.length === 2);
    expect(intake.taken.map(({ name, value, cause }) => [name, value, cause])).toEqual([
      ['T1', null, 'sourceLost'],
      ['H1', null, 'sourceLost'],
    ]);
    expect(intake.taken[0]!.quality).toBe(QUALITY.invalid | QUALITY.oldData);
  });

  test('acknowledges a message only after the commit: what was not committed comes again', async () => {
    open().start();
    await intake.until(() => intake.log.includes('synchronized'));
    for (let i = 0; i < 5; i++) await publish('plant/plain', String(i));
    await intake.until(() => intake.taken.length === 5 && intake.held.length === 5, 'five unacknowledged messages');
    intake.held.splice(2); // two are committed, three are lost with the process
    const acknowledged = new Promise<void>((done) => {
      let count = 0;
      broker.on('ack', () => ++count === 2 && done());
    });
    intake.commit();
    await acknowledged;
    intake.log.length = 0;
    for (const socket of sockets) socket.destroy();
    await intake.until(() => intake.log.includes('synchronized') && intake.taken.length === 8, 'the repetition');
    expect(intake.taken.slice(5).map(({ value }) => value)).toEqual([2, 3, 4]);
    intake.commit();
    await publish('plant/plain', '5');
    await intake.until(() => intake.taken.length === 9);
    expect(connector.health().counters.unacknowledged).toBe(1);
  });

  test('publishes a command once and reports what became of it', async () => {
    open("commandReplyTopic: 'plant/valve/reply'").start();
    await intake.until(() => intake.log.includes('synchronized'));
    const device = connect(url);
    await device.subscribeAsync('plant/valve/set');
    device.on('message', (_topic, payload) => {
      const { id, open: value } = JSON.parse(payload.toString());
      device.publish(
        'plant/valve/reply',
        JSON.stringify({ id, ok: value === 1, reason: value === 1 ? 'done' : 'stuck' }),
      );
    });
    const steps: string[] = [];
    await connector.operate(order('operate', 1), (step) => steps.push(step));
    expect(steps).toEqual(expect.arrayContaining(['operateSent', 'terminated']));
    steps.length = 0;
    await connector.operate(order('operate', 0), (step, reason) => steps.push(`${step} ${reason ?? ''}`));
    expect(steps.at(-1)).toBe('negative stuck');
    device.end(true);
  });

  test('says that a command without answer has an unknown outcome, and sends nothing without a broker', async () => {
    open().start();
    const before: string[] = [];
    await connector.operate(order('operate', 1), (step) => before.push(step));
    expect(before).toEqual(['negative']);
    await intake.until(() => intake.log.includes('synchronized'));
    const steps: string[] = [];
    await connector.operate(order('operate', 1), (step) => steps.push(step));
    expect(steps).toEqual(['operateSent', 'outcomeUnknown']);
  });
});
