/** Client and server of this package against each other over TCP, as an application uses them. */

import { until } from '@enerchain/transport/testing';
import { afterEach, expect, test } from 'vitest';
import { Iec104Client } from '../../src/client/client.ts';
import type { Iec104ClientOptions } from '../../src/client/options.ts';
import { Iec104RedundantClient } from '../../src/client/redundant-client.ts';
import type { Asdu } from '../../src/codec/asdu.ts';
import { cp56FromEpochMillis, cp56ToEpochMillis } from '../../src/codec/zone.ts';
import { FileServer } from '../../src/files/file-server.ts';
import { Iec104Server, type Iec104ServerOptions } from '../../src/server/server.ts';
import { opensslMissing, TestAuthority } from '../tls/pki.ts';

const cleanups: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup();
});

async function pair(server: Iec104ServerOptions, options: Partial<Iec104ClientOptions> = {}) {
  const station = new Iec104Server({ ...server, port: 0 });
  const { port } = await station.listen();
  const asdus: Asdu[] = [];
  const client = new Iec104Client({ host: '127.0.0.1', port, onAsdu: (received) => asdus.push(received), ...options });
  cleanups.push(async () => {
    await client.close();
    await station.close();
  });
  client.start();
  await until(() => client.state === 'started', 'start');
  return { station, client, asdus };
}

const single = (address: number, value: number) => ({
  address,
  element: { kind: 'single', value, quality: 0 } as const,
});

test('interrogation, spontaneous values, commands, clock and test between client and server', async () => {
  const operated: number[] = [];
  const { station, client, asdus } = await pair({
    commonAddresses: [1],
    handlers: {
      interrogation: () => [{ typeId: 1, objects: [single(1, 1), single(2, 0)] }],
      command: (_, order) => {
        if (order.address === 13) return { refuse: 'unknown object address' };
        if (order.phase === 'execute') operated.push(order.value);
        return 'accept';
      },
      clockSync: (_, _ca, time) => time,
    },
  });
  await expect(client.interrogate(1)).resolves.toMatchObject({ terminated: true, objects: 2 });
  await expect(client.interrogate(9)).rejects.toMatchObject({ causeOfTransmission: 46 });
  station.enqueue({
    typeId: 30,
    commonAddress: 1,
    objects: [{ ...single(7, 1), time: cp56FromEpochMillis(1.7e12) }],
  });
  await until(() => asdus.some((received) => received.typeId === 30));
  const order = { ca: 1, ioa: 5, typeId: 45, value: 1 };
  await expect(client.command(order)).resolves.toMatchObject({ kind: 'confirmed' });
  await expect(client.command({ ...order, mode: 'select-before-operate' })).resolves.toMatchObject({
    kind: 'confirmed',
  });
  await expect(client.command({ ...order, ioa: 13 })).resolves.toMatchObject({ kind: 'negative', cause: 47 });
  expect(operated).toEqual([1, 1]);
  await client.test(1);
  const at = Date.UTC(2026, 1, 3, 4, 5, 6, 7);
  const answer = await client.synchronizeClock(1, at);
  expect(answer && cp56ToEpochMillis(answer)).toBe(at);
});

test('files go both ways', async () => {
  const stored = new Map<number, Uint8Array>([[1, new Uint8Array(5000).fill(7)]]);
  const store = {
    read: (_ca: number, _ioa: number, file: number) => stored.get(file),
    write: (_ca: number, _ioa: number, file: number, content: Uint8Array) => void stored.set(file, content),
  };
  const { client } = await pair({ files: new FileServer({ store }) });
  await expect(client.files.read(1, 30_000, 1)).resolves.toEqual(stored.get(1));
  const content = new Uint8Array(3000).map((_, i) => i);
  await client.files.write(1, 30_000, 2, content);
  expect(stored.get(2)).toEqual(content);
  await expect(client.files.read(1, 30_000, 3)).rejects.toMatchObject({ name: 'Iec104Error' });
});

test('an unknown type is answered with cause 44 and the connection goes on', async () => {
  const { client, asdus } = await pair({});
  client.send({
    typeId: 99,
    sequence: false,
    cause: 6,
    negative: false,
    test: false,
    originator: 0,
    commonAddress: 1,
    objects: [],
    opaque: { count: 1, bytes: new Uint8Array([1, 0, 0, 7]) },
  });
  await until(() => asdus.length === 1);
  expect(asdus[0]).toMatchObject({ typeId: 99, cause: 44, negative: true, opaque: { count: 1 } });
  expect(client.state).toBe('started');
});

test('narrow address fields work on both sides', async () => {
  const parameters = { causeSize: 1, commonAddressSize: 1, informationObjectAddressSize: 2 } as const;
  const { station, client, asdus } = await pair({ parameters }, { parameters });
  station.enqueue({ typeId: 1, commonAddress: 200, objects: [single(65_535, 1)] });
  await until(() => asdus.length === 1);
  expect(asdus[0]).toMatchObject({ commonAddress: 200, objects: [single(65_535, 1)] });
  expect(client.counters.objectsReceived).toBe(1);
});

test('events that were not released come again after a reconnect; released ones do not', async () => {
  const received: number[] = [];
  let release = true;
  const { station, client } = await pair(
    {},
    {
      acknowledge: 'manual',
      reconnect: { initial: 0.01, jitter: 0 },
      parameters: { w: 1 },
      onAsdu: ({ objects }, receipt) => {
        received.push(objects[0]!.address);
        if (release) receipt.release();
      },
    },
  );
  station.enqueue({ typeId: 1, commonAddress: 1, objects: [single(1, 1)] });
  await until(() => received.length === 1);
  await until(() => station.queue()?.size === 0, 'acknowledgement');
  release = false;
  station.enqueue({ typeId: 1, commonAddress: 1, objects: [single(2, 1)] });
  await until(() => received.length === 2);
  expect(client.pendingReceipts).toBe(1);
  release = true;
  client.reconnect();
  await until(() => received.length === 3, 'repetition');
  expect(received).toEqual([1, 2, 2]);
});

test('a switchover of the redundancy group loses no event', async () => {
  const station = new Iec104Server({ port: 0, redundancy: 'single-group' });
  const { port } = await station.listen();
  const values: number[] = [];
  const client = new Iec104RedundantClient({
    connections: ['left', 'right'].map((name) => ({ name, host: '127.0.0.1', port })),
    reconnect: { initial: 0.01 },
    acknowledge: 'manual',
    onAsdu: ({ objects }, receipt) => {
      values.push(objects[0]!.address);
      if (objects[0]!.address % 3 === 0) receipt.release();
    },
  });
  cleanups.push(async () => {
    await client.close();
    await station.close();
  });
  client.start();
  await until(() => client.state === 'started');
  let next = 1;
  for (let round = 0; round < 6; round++) {
    for (const last = next + 30; next < last; next++)
      station.enqueue({ typeId: 1, commonAddress: 1, objects: [single(next, 1)] });
    await until(() => values.length > 10 * round);
    const { switchovers } = client;
    if (round % 2 === 0) client.activeClient!.reconnect('a link was cut');
    else {
      await until(() => [...client.clients.values()].filter(({ state }) => state === 'connected').length === 1);
      client.switchOver();
    }
    await until(() => client.switchovers > switchovers && client.state === 'started', 'switchover');
  }
  await until(() => values.at(-1) === next - 1, 'last event');
  const seen = new Set(values);
  expect([...Array(next - 1).keys()].filter((i) => !seen.has(i + 1))).toEqual([]);
  // First arrivals are in order: what is repeated is repeated from the oldest unacknowledged on.
  const firsts = values.filter((value, i) => values.indexOf(value) === i);
  expect(firsts).toEqual([...firsts].sort((a, b) => a - b));
});

test.skipIf(opensslMissing() !== undefined)('the same over TLS, with what happened as security events', async () => {
  const authority = new TestAuthority('Test authority');
  try {
    const [own, other] = [authority.issue('station'), authority.issue('centre')];
    const events: string[] = [];
    const { client } = await pair(
      {
        tls: { cert: own.cert, key: own.key, ca: authority.cert },
        handlers: { interrogation: () => [{ typeId: 1, objects: [single(1, 1)] }] },
      },
      {
        tls: { cert: other.cert, key: other.key, ca: authority.cert },
        onSecurityEvent: (event) => events.push(event.name),
      },
    );
    await expect(client.interrogate(1)).resolves.toMatchObject({ terminated: true, objects: 1 });
    expect(events).toEqual(['session-established']);
  } finally {
    authority.remove();
  }
});
