import { request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { connect } from 'node:net';
import type { NodeTrust } from '@enerchain/attestation';
import fc from 'fast-check';
import pino from 'pino';
import { afterEach, describe, expect, it } from 'vitest';
import { Journal } from '../src/events/journal.ts';
import type { Checkpoint } from '../src/events/journal-store.ts';
import type { StreamSocket } from '../src/stream/client.ts';
import { StreamHub, type StreamHubOptions } from '../src/stream/hub.ts';
import {
  batchOf,
  MemoryJournal,
  MemoryLive,
  MemoryLog,
  MemorySources,
  mRID,
  siteOf,
  T0,
  TestClock,
} from './doubles.ts';
import { type Face, newFace } from './face.ts';

const breaker = { mRID: mRID(1), name: 'CB', kind: 'discrete' as const, cdc: 'DPS', normalValue: 2, alarmPriority: 1 };
const logger = pino({ level: 'silent' });

interface Received {
  readonly event: string;
  readonly id?: string;
  readonly data: Record<string, unknown>;
}

function parse(text: string): Received[] {
  return text
    .split('\n\n')
    .filter((block) => block.includes('data: '))
    .map((block) => {
      const field = (name: string) =>
        block
          .split('\n')
          .find((line) => line.startsWith(`${name}: `))
          ?.slice(name.length + 2);
      const id = field('id');
      return { event: field('event') ?? '', ...(id ? { id } : {}), data: JSON.parse(field('data') ?? '{}') };
    });
}

/** A connection in memory that can be full, and can break after some octets. */
class MemorySocket implements StreamSocket {
  text = '';
  open = true;
  full = false;
  readonly #listeners = { drain: [] as (() => void)[], close: [] as (() => void)[] };
  readonly #breakAfter: number;

  constructor(breakAfter = Number.POSITIVE_INFINITY) {
    this.#breakAfter = breakAfter;
  }
  write(chunk: string | Uint8Array): boolean {
    if (!this.open) return true;
    this.text += typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString('utf8');
    // What was cut off never reached the client.
    if (this.text.length > this.#breakAfter) {
      this.text = this.text.slice(0, this.#breakAfter);
      queueMicrotask(() => this.destroy());
    }
    return !this.full;
  }
  once(event: 'drain' | 'close', listener: () => void): void {
    this.#listeners[event].push(listener);
  }
  drain(): void {
    this.full = false;
    for (const listener of this.#listeners.drain.splice(0)) listener();
  }
  end(): void {
    this.destroy();
  }
  destroy(): void {
    if (!this.open) return;
    this.open = false;
    for (const listener of this.#listeners.close.splice(0)) listener();
  }
  /** Whole messages only, as an EventSource hands them on. */
  get received(): Received[] {
    return parse(this.text.slice(0, this.text.lastIndexOf('\n\n') + 2));
  }
}

async function newStream(ringSize = 20_000, limits = {}, trust?: StreamHubOptions['trust']) {
  const clock = new TestClock();
  const log = new MemoryLog(clock);
  const store = new MemoryJournal();
  const live = new MemoryLive();
  const sources = new MemorySources();
  log.add('edge-a', { kind: 'site', document: siteOf('edge-a', [breaker]) });
  const journal = await Journal.open({ log, store, logger, ringSize, retryAfter: 1 });
  journal.start();
  const hub = new StreamHub({ journal, log, live, sources, clock, trust, limits });
  const settle = async () => {
    await journal.reached(log.bounds().next - 1);
    for (let i = 0; i < 5; i++) await new Promise((resolve) => setImmediate(resolve));
  };
  const open = (lastEventId?: string, breakAfter?: number) => {
    const socket = new MemorySocket(breakAfter);
    void hub.serve(socket, { points: undefined, lastEventId, audit: true, valid: () => true });
    return socket;
  };
  const operate = (value: number, at: number) =>
    log.add('edge-a', { kind: 'observations', batch: batchOf([{ point: breaker.mRID, value, at }]) });
  await settle();
  return { clock, log, store, live, sources, journal, hub, settle, open, operate };
}

const value = (n: number, v: number) => ({
  point: mRID(n),
  value: v,
  quality: 0,
  sourceTime: T0,
  timeQuality: 31,
  receiveTime: T0,
  cause: 0,
  source: 'edge-a',
  offset: v,
});

describe('the stream', () => {
  it('greets, shows the present, and then what changes', async () => {
    const { live, open, operate, settle, sources } = await newStream();
    sources.set('edge-a', true);
    live.set(value(1, 1), value(2, 2));
    const socket = open();
    await settle();
    live.set(value(2, 3));
    operate(2, 1);
    operate(1, 2);
    await settle();
    const words = socket.received.map(({ event, data }) => (event === 'event' ? `event ${data.kind}` : event));
    expect(words).toEqual([
      'hello',
      'source',
      'values',
      'values',
      'event stateChange',
      'event stateChange',
      'alarm',
      'event alarm',
    ]);
    const [snapshot, delta] = socket.received.filter(({ event }) => event === 'values');
    expect(snapshot?.data).toMatchObject({
      snapshot: true,
      values: [
        { p: mRID(1), v: 1 },
        { p: mRID(2), v: 2 },
      ],
    });
    expect(delta?.data).toEqual({ values: [expect.objectContaining({ p: mRID(2), v: 3, t: 1_800_000_000_000 })] });
  });

  it('misses no event and no alarm and brings none twice, however often the connection breaks', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.integer({ min: 1, max: 6 }), fc.integer({ min: 60, max: 4_000 })), {
          minLength: 1,
          maxLength: 12,
        }),
        fc.constantFrom(5, 20_000),
        async (rounds, ringSize) => {
          const { journal, open, operate, settle, store, hub } = await newStream(ringSize);
          const seen: Received[] = [];
          let last: string | undefined;
          let position = 1;
          let time = 1;
          // The first connection gets its greeting before anything happens.
          for (const [index, [operations, breakAfter]] of rounds.entries()) {
            const socket = open(last, index === 0 ? 4_000 + breakAfter : breakAfter);
            if (index === 0) await settle();
            for (let i = 0; i < operations; i++) {
              position = position === 1 ? 2 : 1;
              operate(position, time++);
            }
            await settle();
            socket.destroy();
            seen.push(...socket.received);
            last = socket.received.findLast(({ id }) => id !== undefined)?.id ?? last;
          }
          const socket = open(last);
          await settle();
          seen.push(...socket.received);
          socket.destroy();
          expect(seen.filter(({ event }) => event === 'reset')).toEqual([]);
          const numbered = seen
            .filter(({ event, id }) => id !== undefined && event !== 'hello')
            .map(({ id }) => Number(id?.split(':')[1]));
          const first = Number(seen[0]?.id?.split(':')[1]);
          const all = (await store.messages(first, 100_000)).map(({ id }) => id);
          expect(numbered).toEqual(all);
          hub.close();
          await journal.close();
        },
      ),
      { numRuns: 40 },
    );
  });

  it('says reset when the place to go on from is not known, or before the window of the log', async () => {
    const { log, journal, open, settle, operate } = await newStream();
    operate(1, 1);
    await settle();
    const foreign = open(`${'0'.repeat(8)}-0000-4000-8000-${'0'.repeat(12)}:5`);
    const garbled = open('what');
    const future = open(`${journal.instance}:${journal.lastId + 1}`);
    log.first = 2;
    const old = open(`${journal.instance}:0`);
    await settle();
    for (const socket of [foreign, garbled, future, old]) {
      const [hello, reset] = socket.received;
      expect([hello?.event, reset?.event]).toEqual(['hello', 'reset']);
      expect(reset?.id).toBe(`${journal.instance}:${journal.lastId}`);
      expect(reset?.data.reason).toMatch(/\.$/);
    }
  });

  it('tells a client that was blocked only the newest value of each point', async () => {
    const { live, open, settle } = await newStream();
    const socket = open();
    await settle();
    socket.full = true;
    live.set(value(1, 0));
    for (let v = 1; v <= 500; v++) live.set(value(1, v), value(2, v));
    await settle();
    const held = socket.received.filter(({ event }) => event === 'values').length;
    expect(held).toBeLessThanOrEqual(2);
    socket.drain();
    await settle();
    const last = socket.received.at(-1)?.data.values as { p: string; v: number }[];
    expect(last.map(({ v }) => v)).toEqual([500, 500]);
    expect(socket.received.filter(({ event }) => event === 'values').length).toBe(held + 1);
  });

  it('serialises a delta once for all clients', async () => {
    const { live, open, settle, hub } = await newStream();
    const sockets = Array.from({ length: 50 }, () => open());
    await settle();
    let reads = 0;
    const counted = value(1, 5);
    Object.defineProperty(counted, 'value', {
      get: () => {
        reads++;
        return 5;
      },
    });
    live.set(counted);
    await settle();
    for (const socket of sockets) expect(socket.received.at(-1)?.data).toMatchObject({ values: [{ v: 5 }] });
    expect(reads).toBe(1);
    expect(hub.counters.deltas).toBe(1);
  });

  it('tells of a node what has changed, at once, and of a renewed term by itself', async () => {
    const node = (name: string, more: Partial<NodeTrust> = {}): NodeTrust => ({
      node: name,
      role: 'edge',
      tier: 'software',
      status: 'warning',
      trustedUntil: T0 + 30_000_000_000n,
      reaction: 'none',
      reason: 'everything is as it must be',
      since: T0,
      neighbours: [],
      ...more,
    });
    let nodes = [node('edge-a'), node('edge-b')];
    let change = () => {};
    const { open, settle, hub } = await newStream(
      undefined,
      { trustInterval: 5 },
      {
        all: () => nodes,
        state: () => undefined,
        certifiedOriginOf: () => undefined,
        trustOf: () => 'attested',
        onChange: (listener) => {
          change = () => listener([]);
          return () => {};
        },
        onValueTrust: () => () => {},
      },
    );
    const socket = open();
    await settle();
    const told = () => socket.received.filter(({ event }) => event === 'trust').map(({ data }) => data as unknown);
    const names = () => (told().at(-1) as { node: string }[]).map((each) => each.node);
    expect(names()).toEqual(['edge-a', 'edge-b']);
    change();
    const before = told().length;
    nodes = [node('edge-a'), node('edge-b', { reaction: 'quarantine' })];
    change();
    expect(told().length).toBe(before + 1);
    expect(names()).toEqual(['edge-b']);
    nodes = [node('edge-a', { trustedUntil: T0 + 40_000_000_000n }), nodes[1]!];
    await expect.poll(names).toEqual(['edge-a']);
    const count = told().length;
    change();
    expect(told().length).toBe(count);
    hub.close();
  });

  it('does not take more clients than its limit', async () => {
    const { hub, open, settle } = await newStream(100, { clients: 1 });
    open();
    await settle();
    expect(() => hub.ensureRoom()).toThrow(/1 clients are connected/);
  });

  it('ends for whoever is not logged in any more', async () => {
    const { hub, settle } = await newStream(100, { ping: 5 });
    const socket = new MemorySocket();
    let valid = true;
    void hub.serve(socket, { points: undefined, lastEventId: undefined, audit: false, valid: () => valid });
    await settle();
    expect(socket.open).toBe(true);
    valid = false;
    await expect.poll(() => socket.open).toBe(false);
    hub.close();
  });

  it('goes on with events and alarms while the database is away, and loses none when it is back', async () => {
    const { store, open, operate, settle, journal } = await newStream(10);
    store.failing = true;
    const socket = open();
    await settle();
    for (let i = 0; i < 100; i++) operate(1 + (i % 2), i + 1);
    await settle();
    const during = socket.received.filter(({ event }) => event === 'event').length;
    expect(during).toBeGreaterThan(100);
    store.failing = false;
    await expect.poll(() => journal.pendingRows).toBe(0);
    const stored = [...store.rows.values()].filter(({ stream }) => stream === 'event').length;
    expect(stored).toBe(during + 1);
  });
});

describe('a journal that was killed', () => {
  it('gives the same numbers again, so that a client goes on behind the last checkpoint without a hole or a repeat', async () => {
    const { log, store, journal, open, operate, settle } = await newStream();
    const first = open();
    await settle();
    for (let i = 0; i < 20; i++) operate(1 + (i % 2), i + 1);
    await settle();
    await expect.poll(() => journal.pendingRows).toBe(0);
    const seen = first.received.filter(({ event, id }) => id && event !== 'hello').map(({ id }) => id as string);
    // Killed: no close, and the checkpoint is older than what was written and sent.
    const again = await Journal.open({ log, store, logger });
    expect(again.offset).toBeLessThan(journal.offset);
    again.start();
    await again.reached(log.bounds().next - 1);
    const live = new MemoryLive();
    const clock = new TestClock();
    const hub = new StreamHub({ journal: again, log, live, sources: new MemorySources(), clock });
    const socket = new MemorySocket();
    const middle = seen[10] as string;
    void hub.serve(socket, { points: undefined, lastEventId: middle, audit: true, valid: () => true });
    await settle();
    const resumed = socket.received.filter(({ id }) => id).map(({ id }) => id);
    expect(resumed).toEqual(seen.slice(11));
    hub.close();
    await again.close();
  });
});

describe('a journal that was opened without its store', () => {
  async function openedWithout(kept?: Checkpoint) {
    const { log, store, journal, operate, settle } = await newStream();
    operate(1, 1);
    operate(2, 2);
    await settle();
    await expect.poll(() => journal.pendingRows).toBe(0);
    await journal.close();
    store.failing = true;
    const copy = { load: async () => kept ?? store.checkpoint, save: async () => {} };
    const again = await Journal.open({ log, store, copy, logger, retryAfter: 1 });
    again.start();
    operate(1, 3);
    await again.reached(log.bounds().next - 1);
    return { log, store, journal, again };
  }

  it('goes on from the copy, and with the store that it belongs to', async () => {
    const { store, journal, again } = await openedWithout();
    expect(again.instance).toBe(journal.instance);
    const { lastId } = again;
    store.failing = false;
    await expect.poll(() => again.pendingRows).toBe(0);
    expect([...store.rows.keys()]).toContain(lastId);
    expect(again.instance).toBe(journal.instance);
    await again.close();
  });

  it('begins anew where the store stands when that does not hold what lies before, and sends its clients round', async () => {
    const { log, store, journal, again } = await openedWithout();
    const clock = new TestClock();
    const hub = new StreamHub({ journal: again, log, live: new MemoryLive(), sources: new MemorySources(), clock });
    const socket = new MemorySocket();
    const serving = hub.serve(socket, { points: undefined, lastEventId: undefined, audit: true, valid: () => true });
    // Another database: an empty one.
    const before = [...store.rows.keys()];
    await store.clear();
    store.failing = false;
    await expect.poll(() => again.instance).not.toBe(journal.instance);
    await serving;
    await expect.poll(() => [...store.rows.keys()]).toEqual(expect.arrayContaining(before));
    expect(again.lastId).toBe(Math.max(...store.rows.keys()));
    hub.close();
    await again.close();
  });
});

describe('the stream over HTTP', () => {
  let face: Face | undefined;
  afterEach(async () => {
    await face?.close();
    face = undefined;
  });

  it('is served as server-sent events with a token, and hides audit events from who may not see them', async () => {
    face = await newFace();
    await face.app.listen({ host: '127.0.0.1', port: 0 });
    const { port } = face.app.server.address() as AddressInfo;
    const token = await face.tokenWith(['VIEWER']);
    const text = await new Promise<string>((resolve, reject) => {
      let got = '';
      const call = request(
        { port, path: '/api/v1/stream', headers: { authorization: `Bearer ${token}` } },
        (response) => {
          expect(response.headers['content-type']).toContain('text/event-stream');
          expect(response.headers['content-security-policy']).toBeDefined();
          response.setEncoding('utf8').on('data', (chunk: string) => {
            got += chunk;
            if (got.includes('snapshot') && !got.includes('edge-x')) {
              face?.log.add('centre', {
                kind: 'audit',
                record: { action: 'login', actor: 'mallory', outcome: 'refused' },
              });
              face?.log.add('centre', {
                kind: 'audit',
                record: { action: 'source.connected', actor: 'edge-x', outcome: 'ok' },
              });
            }
            if (got.includes('edge-x is connected')) {
              call.destroy();
              resolve(got);
            }
          });
        },
      );
      call.on('error', reject).end();
    });
    expect(text).not.toContain('mallory');
  });

  it('drops a client that never reads, and holds no memory for it', async () => {
    face = await newFace({ stream: { stalled: 200, ping: 50 } });
    await face.app.listen({ host: '127.0.0.1', port: 0 });
    const { port } = face.app.server.address() as AddressInfo;
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => {});
    socket.pause();
    socket.write(`GET /api/v1/stream HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer ${face.admin}\r\n\r\n`);
    await expect.poll(() => face?.stream.size).toBe(1);
    const points = Array.from({ length: 1_000 }, (_, n) => value(n, 0));
    const before = process.memoryUsage().rss;
    let rounds = 0;
    // Far more than the system buffers of a loopback connection hold.
    while (face.stream.size > 0 && rounds < 3_000) {
      face.live.set(...points);
      face.clock.millis += 10;
      if (++rounds % 10 === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    }
    await expect.poll(() => face?.stream.size).toBe(0);
    expect(face.stream.counters.dropped).toBe(1);
    expect(process.memoryUsage().rss - before).toBeLessThan(150 * 2 ** 20);
    socket.destroy();
  });
});
