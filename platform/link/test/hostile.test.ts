/** Peers that do not keep to the protocol, in either role. */

import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, request as httpsRequest } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describeError, EnerchainError } from '@enerchain/model';
import { type CborValue, DevelopmentCa, type Identity, obtainIdentity, serverTls, tlsContext } from '@enerchain/trust';
import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  connectWebSocket,
  decodeMessage,
  encodeMessage,
  LinkClient,
  MemoryBatchStore,
  type Message,
  memoryPair,
  serveWebSocket,
} from '../src/index.ts';
import { ManualTime, makePki, newSigner, type Pki, settle, TestCentre, TestSource } from './world.ts';

let pki: Pki;
let edge: Identity;
beforeAll(async () => {
  pki = await makePki();
  edge = await pki.identity({ name: 'edge-nord', role: 'edge' });
});
afterAll(() => pki.remove());

const examples: Message[] = [
  {
    type: 'hello',
    source: 'a',
    software: 'b',
    epochs: [{ epoch: 1, first: 2, last: 3 }],
    certificates: [Uint8Array.of(1)],
  },
  {
    type: 'welcome',
    completed: -1,
    cursors: [{ epoch: 1, sequence: 2, hash: new Uint8Array(32) }],
    window: 5,
    certificate: Uint8Array.of(1),
  },
  { type: 'batch', bytes: Uint8Array.of(1, 2, 3) },
  { type: 'ack', epoch: 1, sequence: 2 },
  { type: 'credit', bytes: 7 },
  { type: 'reject', epoch: 1, sequence: 2, code: 'c', text: 't' },
  { type: 'command', bytes: Uint8Array.of(1, 2, 3) },
  { type: 'status', report: { a: [1, null, 'x'] } },
  { type: 'request', id: 1, method: 'm', params: { b: true } },
  { type: 'response', id: 1, result: [1.5] },
  { type: 'error', id: 1, fault: 'caller', code: 'c', text: 't' },
  { type: 'item', id: 1, value: null },
  { type: 'more', id: 1, count: 3 },
  { type: 'cancel', id: 1 },
  { type: 'ping', nonce: 1 },
  { type: 'pong', nonce: 1 },
  { type: 'goodbye', code: 'c', text: 't' },
];

describe('messages', () => {
  it.each(examples.map((message) => [message.type, message] as const))(
    '%s is read back as it was written',
    (_, message) => {
      expect(decodeMessage(encodeMessage(message))).toEqual(message);
    },
  );

  it('cut short anywhere, or with any byte changed, are refused or read, never a crash', () => {
    for (const message of examples) {
      const bytes = encodeMessage(message);
      for (let size = 0; size < bytes.length; size++) {
        expect(() => decodeMessage(bytes.subarray(0, size))).toThrow(EnerchainError);
      }
      for (let at = 0; at < bytes.length; at++) {
        for (const change of [1, 0x80, 0xff]) {
          const changed = Uint8Array.from(bytes);
          changed[at]! ^= change;
          try {
            decodeMessage(changed);
          } catch (error) {
            expect(error).toBeInstanceOf(EnerchainError);
          }
        }
      }
    }
  });

  it('that are any bytes at all are refused or read', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
        try {
          decodeMessage(bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(EnerchainError);
        }
      }),
      { numRuns: 2000 },
    );
  });
});

describe('a centre', () => {
  let time: ManualTime;
  let centre: TestCentre;
  let pair: ReturnType<typeof memoryPair>;
  let received: Message[];
  let closed: string | undefined;
  const say = (...messages: (Message | Uint8Array)[]) => {
    for (const message of messages) pair.client.send(message instanceof Uint8Array ? message : encodeMessage(message));
    return settle();
  };
  const hello = { type: 'hello', source: 'edge-nord', software: 'x', epochs: [], certificates: [] } as const;
  const goodbye = () => received.find((message) => message.type === 'goodbye');

  beforeEach(() => {
    time = new ManualTime();
    centre = new TestCentre(pki.centre, { clock: time.clock, after: time.after, window: 8192 });
    pair = memoryPair({ client: edge.certificate.der, server: pki.centre.certificate.der });
    received = [];
    closed = undefined;
    centre.server.accept(pair.server);
    pair.client.open({
      message: (bytes) => received.push(decodeMessage(bytes)),
      drained: () => undefined,
      closed: (reason) => {
        closed = reason;
      },
    });
  });

  it('closes on what is no message', async () => {
    await say(Buffer.from('ff00', 'hex'));
    expect(goodbye()).toMatchObject({ code: 'cbor.malformed' });
    expect(centre.events.map(({ code }) => code)).toEqual(['link.protocol']);
  });

  it('closes on a message before the hello, a second hello, and one that only a centre may send', async () => {
    await say({ type: 'batch', bytes: Buffer.from('x') });
    expect(goodbye()).toMatchObject({ code: 'link.protocol' });
  });

  it('closes on a second hello', async () => {
    await say(hello);
    expect(received[0]).toMatchObject({ type: 'welcome', completed: -1, window: 8192 });
    await say(hello);
    expect(goodbye()).toMatchObject({ code: 'link.protocol' });
    expect(centre.server.peers()).toEqual([]);
  });

  it('gives up who says nothing', async () => {
    await time.pass(10_000);
    expect(closed).toBe('connection reset');
  });

  it('asks after silence, and gives up who does not answer', async () => {
    await say(hello);
    await time.pass(10_000);
    expect(received.at(-1)).toMatchObject({ type: 'ping' });
    expect(closed).toBeUndefined();
    await time.pass(20_000);
    expect(closed).toBe('connection reset');
    expect(centre.events.map(({ code }) => code)).toEqual(['link.silent']);
    expect(centre.server.counters.silences).toBe(1);
  });

  it('closes on who sends more than the credit', async () => {
    centre.gate = new Promise(() => undefined);
    const source = new TestSource(edge, { url: 'wss://nowhere' });
    await source.write(30);
    await say(hello);
    const batches = source.store.read(0, 0, { count: 30, bytes: 1e9 });
    await say(...batches.map(({ bytes }) => ({ type: 'batch', bytes }) as const));
    expect(goodbye()).toMatchObject({ code: 'link.credit' });
    expect(centre.events.at(-1)?.code).toBe('link.credit.exceeded');
    expect(centre.order.length).toBeLessThan(8);
  });

  it('closes on a batch that is none', async () => {
    await say(hello, { type: 'batch', bytes: Buffer.from('00', 'hex') });
    await settle();
    expect(goodbye()).toBeDefined();
  });

  it('refuses more requests at once than it handles', async () => {
    centre.onRequest = () => new Promise(() => undefined);
    await say(hello);
    await settle();
    await say(...Array.from({ length: 70 }, (_, id) => ({ type: 'request', id, method: 'm', params: null }) as const));
    const refused = received.filter((message) => message.type === 'error');
    expect(refused).toHaveLength(6);
    expect(refused[0]).toMatchObject({ code: 'link.busy' });
  });

  it('gives up who does not read', async () => {
    const big = Buffer.alloc(8 * 1024 * 1024);
    centre.onRequest = (): CborValue => big;
    await say(hello);
    pair.client.hold(true);
    for (let id = 0; id < 20 && closed === undefined; id++)
      await say({ type: 'request', id, method: 'm', params: null });
    pair.client.hold(false);
    await settle();
    expect(closed).toBeDefined();
    expect(centre.endings).toEqual(['edge-nord link.not-reading']);
  });

  it('does not give a command to who does not take what it is sent', async () => {
    centre.onRequest = (): CborValue => Buffer.alloc(5 * 1024 * 1024);
    await say(hello);
    pair.client.hold(true);
    await say({ type: 'request', id: 1, method: 'm', params: null });
    expect(() => centre.server.peer('edge-nord')?.command(Buffer.from('x'))).toThrow('the command was not sent');
  });
});

describe('a source', () => {
  it.each([
    ['acknowledges what was never sent', { type: 'ack', epoch: 0, sequence: 5 }],
    ['talks like a source', { type: 'batch', bytes: Buffer.from('x') }],
  ] as const)('leaves a centre that %s', async (_, message) => {
    const time = new ManualTime();
    const states: string[] = [];
    const client = new LinkClient({
      url: 'wss://centre',
      identity: edge,
      software: 'x',
      store: new MemoryBatchStore(),
      clock: time.clock,
      after: time.after,
      onState: (state, reason) => states.push(`${state} ${reason ?? ''}`),
      connect: async () => {
        const pair = memoryPair({ client: edge.certificate.der, server: pki.centre.certificate.der });
        const welcome = {
          type: 'welcome',
          completed: -1,
          cursors: [],
          window: 1,
          certificate: pki.centre.certificate.der,
        } as const;
        pair.server.open({
          message: (bytes) => {
            if (decodeMessage(bytes).type !== 'hello') return;
            pair.server.send(encodeMessage(welcome));
            pair.server.send(encodeMessage(message));
          },
          drained: () => undefined,
          closed: () => undefined,
        });
        return pair.client;
      },
    });
    client.start();
    await settle();
    expect(states.at(-1)).toMatch(/^waiting .*link\.protocol/);
    expect(client.counters.protocolErrors).toBe(1);
    await client.close();
  });

  it('closes and counts when its own handling of a command fails, and blames nobody else', async () => {
    const time = new ManualTime();
    const centre = new TestCentre(pki.centre, { clock: time.clock, after: time.after });
    const states: string[] = [];
    const source = new TestSource(edge, {
      url: 'wss://centre',
      clock: time.clock,
      after: time.after,
      onCommand: () => {
        throw new TypeError('a bug of ours');
      },
      onState: (state, reason) => states.push(`${state} ${reason ?? ''}`),
      connect: async () => {
        const pair = memoryPair({ client: edge.certificate.der, server: pki.centre.certificate.der });
        centre.server.accept(pair.server);
        return pair.client;
      },
    });
    source.client.start();
    await settle();
    centre.server.peer('edge-nord')?.command(Uint8Array.of(1));
    await settle();
    expect(states.at(-1)).toContain('a bug of ours (link.failed)');
    expect(source.client.counters).toMatchObject({ failures: 1, protocolErrors: 0 });
    await source.client.close();
  });

  it.each([
    ['of an edge', async () => edge.certificate.der, 'edge edge-nord is not a centre'],
    [
      'of the key of its connections',
      async () => (await pki.identity({ name: 'centre-hsm', role: 'centre' }, newSigner())).tls.certificate.der,
      'makes connections only',
    ],
  ])('does not believe a centre whose command certificate is that %s', async (_, of, text) => {
    const named = await of();
    const time = new ManualTime();
    const states: string[] = [];
    const centre = new TestCentre(pki.centre, {
      clock: time.clock,
      after: time.after,
      commandCertificate: () => named,
    });
    const source = new TestSource(edge, {
      url: 'wss://centre',
      clock: time.clock,
      after: time.after,
      onState: (state, reason) => states.push(`${state} ${reason ?? ''}`),
      connect: async () => {
        const pair = memoryPair({ client: edge.certificate.der, server: pki.centre.certificate.der });
        centre.server.accept(pair.server);
        return pair.client;
      },
    });
    source.client.start();
    await settle();
    expect(states.at(-1)).toContain(text);
    await source.client.close();
  });
});

describe('the door of the centre', () => {
  it('opens for certificates of our CA alone, at the right path, with the right subprotocol', async () => {
    const https = createServer(serverTls(pki.centre));
    const accepted: unknown[] = [];
    const stop = serveWebSocket(https, (transport) => {
      accepted.push(transport);
      transport.abort();
    });
    await new Promise<void>((resolve) => https.listen(0, '127.0.0.1', resolve));
    const { port } = https.address() as AddressInfo;
    const dir = await mkdtemp(join(tmpdir(), 'enerchain-door-'));
    try {
      const other = await DevelopmentCa.open(join(dir, 'ca'));
      const holder = { name: 'edge-nord', role: 'edge' } as const;
      const stranger = await obtainIdentity(join(dir, 'edge'), holder, async (request) => ({
        certificate: await other.issue(request, holder),
        ca: other.certificatePem,
      }));
      const signal = new AbortController().signal;
      const failure = (promise: Promise<unknown>) => promise.then(() => 'connected', describeError);
      const url = (path: string) => `wss://127.0.0.1:${port}${path}`;
      // The stranger would not talk to us either; make it trust our CA so that the server must decide.
      const trusting = { ...stranger, caPem: pki.ca.certificatePem };
      expect(await failure(connectWebSocket(url('/link'), trusting, signal))).toContain('401');
      expect(await failure(connectWebSocket(url('/link'), stranger, signal))).toMatch(/certificate|self-signed/);
      expect(await failure(connectWebSocket(url('/elsewhere'), edge, signal))).toContain('404');
      expect(accepted).toEqual([]);
      expect(await upgrade(port, { ...tlsContext(edge) })).toBe(400);
      expect(await upgrade(port, { ca: pki.ca.certificatePem })).toBe(401);
      await failure(connectWebSocket(url('/link'), edge, signal));
      expect(accepted).toHaveLength(1);
    } finally {
      stop();
      https.closeAllConnections();
      https.close();
      await rm(dir, { recursive: true });
    }
  });
});

/** Asks for a WebSocket without the subprotocol; returns the status. */
function upgrade(port: number, tls: object): Promise<number> {
  return new Promise((resolve, reject) => {
    const headers = {
      connection: 'Upgrade',
      upgrade: 'websocket',
      'sec-websocket-version': '13',
      'sec-websocket-key': Buffer.alloc(16).toString('base64'),
    };
    const call = httpsRequest({ host: '127.0.0.1', port, path: '/link', headers, agent: false, ...tls }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
    call.on('upgrade', (_response, socket) => {
      socket.destroy();
      resolve(101);
    });
    call.on('error', reject);
    call.end();
  });
}

describe('a store in memory', () => {
  it('refuses what does not fit, and keeps what it has', () => {
    const store = new MemoryBatchStore({ maxBytes: 10 });
    store.append({ epoch: 0, sequence: 0 }, Buffer.alloc(6));
    expect(() => store.append({ epoch: 0, sequence: 1 }, Buffer.alloc(6))).toThrow('was not taken');
    expect(() => store.append({ epoch: 0, sequence: 0 }, Buffer.alloc(1))).toThrow('came after');
    expect(store).toMatchObject({ bytes: 6, count: 1 });
    store.acknowledge(0, 5);
    expect(store).toMatchObject({ bytes: 0, count: 0 });
    expect(store.epochs()).toEqual([]);
    expect(store.position()).toEqual({ epoch: 0, sequence: 0 });
  });
});
