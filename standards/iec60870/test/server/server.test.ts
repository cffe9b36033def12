import { afterEach, describe, expect, it } from 'vitest';
import { asdu } from '../../src/codec/asdu.ts';
import type { AsduContent } from '../../src/server/handlers.ts';
import type { EventFields, Iec104ServerOptions } from '../../src/server/server.ts';
import { type VirtualClock, type World, worlds } from './support.ts';

const event = (address: number): EventFields => ({
  typeId: 1,
  commonAddress: 1,
  objects: [{ address, element: { kind: 'single', value: 1, quality: 0 } }],
});
const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => from + i);
const gi = asdu({
  typeId: 100,
  cause: 6,
  commonAddress: 1,
  objects: [{ address: 0, element: { kind: 'interrogation', qualifier: 20 } }],
});
const command = (value: number, select = false) =>
  asdu({
    typeId: 45,
    cause: 6,
    commonAddress: 1,
    objects: [{ address: 7, element: { kind: 'singleCommand', value, qualifier: 0, select } }],
  });

describe.each(['memory', 'tcp'] as const)('server over %s', (kind) => {
  let world: World;
  const open = async (options: Iec104ServerOptions) => {
    world = await worlds[kind](options);
    return world;
  };
  afterEach(() => world.close());

  it('sends events in order and lets them go when they are acknowledged', async () => {
    const acknowledged: number[] = [];
    const { server, connect, settle } = await open({
      onAcknowledged: (events) => acknowledged.push(...events.map((e) => e.objects[0]!.address)),
    });
    for (const address of range(1, 20)) expect(server.enqueue(event(address))).toBe(true);
    const master = await connect();
    await settle(() => acknowledged.length >= 16, 'two windows acknowledged');
    for (const address of range(21, 40)) server.enqueue(event(address));
    await settle(() => master.addresses().length === 40, 'all events');
    expect(master.addresses()).toEqual(range(1, 40));
    expect(acknowledged).toEqual(range(1, acknowledged.length));
    expect(server.queue()!.size).toBe(40 - acknowledged.length);
  });

  it('resumes with the oldest unacknowledged event, repeating only the window', async () => {
    const { server, connect, settle } = await open({ parameters: { k: 6, w: 4 } });
    for (const address of range(1, 20)) server.enqueue(event(address));
    const first = await connect({ manual: true });
    await settle(() => first.asdus.length === 6, 'a window of k');
    // The application took four of them before its machine went down.
    first.receipts[3]!.release();
    await settle(() => server.queue()!.counters.acknowledged === 4 && first.asdus.length === 10, 'N(R) of four');
    first.connection.close();
    await settle(() => server.connections().length === 0, 'end of the connection');
    expect(server.queue()!.counters).toMatchObject({ rewound: 6, inFlight: 0, waiting: 16 });
    const second = await connect();
    await settle(() => second.addresses().length === 16, 'the rest');
    expect(second.addresses()).toEqual(range(5, 20));
    expect(server.connections()[0]!.counters).toMatchObject({ eventsSent: 16, eventsRepeated: 6 });
  });

  it('a second STARTDT in a group takes over, the first goes quiet and is closed if it speaks', async () => {
    const { server, connect, settle } = await open({
      parameters: { k: 4, w: 4 },
      handlers: { interrogation: () => [] },
    });
    for (const address of range(1, 10)) server.enqueue(event(address));
    const first = await connect({ manual: true });
    await settle(() => first.asdus.length === 4, 'first window');
    const second = await connect();
    await settle(() => second.addresses().length === 10, 'everything on the second connection');
    expect(second.addresses()).toEqual(range(1, 10));
    expect(server.counters.takeovers).toBe(1);
    expect(server.connections().map((c) => c.started)).toEqual([false, true]);
    // A late acknowledgement on the first must not free events of the second.
    first.receipts[3]!.release();
    server.enqueue(event(11));
    await settle(() => second.addresses().length === 11, 'events go on');
    expect(first.asdus).toHaveLength(4);
    first.connection.send(gi);
    await settle(() => first.closed !== undefined, 'close for an I frame without STARTDT');
    expect(server.connections()).toHaveLength(1);
  });

  it('a connection that was taken over can take over again', async () => {
    const { server, connect, settle } = await open({});
    const first = await connect();
    const second = await connect();
    first.connection.stop();
    await settle(() => first.connection.transfer === 'stopped', 'STOPDT con');
    first.connection.start();
    await settle(() => first.connection.transfer === 'started', 'STARTDT con');
    server.enqueue(event(5));
    await settle(() => first.addresses().length === 1, 'event on the first');
    expect(second.addresses()).toEqual([]);
  });

  it('per connection everybody gets every event', async () => {
    const { server, connect, settle } = await open({ redundancy: 'per-connection' });
    expect(server.enqueue(event(1))).toBe(false);
    const [a, b] = [await connect(), await connect()];
    expect(server.enqueue(event(2))).toBe(true);
    await settle(() => a.addresses().length === 1 && b.addresses().length === 1, 'event on both');
    expect(server.queues()).toHaveLength(2);
  });

  it('answers an interrogation while events keep flowing', async () => {
    const image: AsduContent = {
      typeId: 1,
      objects: range(1000, 1299).map((address) => ({ address, element: { kind: 'single', value: 0, quality: 0 } })),
    };
    const { server, connect, settle } = await open({ handlers: { interrogation: () => [image] } });
    const master = await connect();
    master.connection.send(gi);
    for (const address of range(1, 30)) server.enqueue(event(address));
    await settle(
      () => master.asdus.some((a) => a.typeId === 100 && a.cause === 10) && master.addresses().length === 30,
      'all of both',
    );
    expect(master.asdus.filter((a) => a.typeId === 100).map((a) => a.cause)).toEqual([7, 10]);
    expect(master.addresses(20)).toEqual(range(1000, 1299));
    expect(master.addresses()).toEqual(range(1, 30));
  });

  it('an interrogation is read from the process image only as fast as the peer takes it', async () => {
    let pulled = 0;
    const { connect, settle } = await open({
      handlers: {
        *interrogation() {
          for (;;)
            yield { typeId: 1, objects: [{ address: ++pulled, element: { kind: 'single', value: 0, quality: 0 } }] };
        },
      },
    });
    const master = await connect({ manual: true });
    master.connection.send(gi);
    await settle(() => master.asdus.length === 12, 'k ASDUs');
    expect(pulled).toBe(11);
    master.receipts[7]!.release();
    await settle(() => master.asdus.length === 20, 'eight more');
    expect(pulled).toBe(19);
    master.connection.send({ ...gi, cause: 8 });
    master.receipts.at(-1)!.release();
    await settle(() => master.asdus.some((a) => a.cause === 9), 'deactivation confirmed');
    expect(pulled).toBeLessThan(60);
  });

  it('an asynchronous process image keeps its order', async () => {
    const { connect, settle } = await open({
      parameters: { k: 2, w: 1 },
      handlers: {
        async *interrogation() {
          for (const address of range(1, 10)) {
            await Promise.resolve();
            yield { typeId: 1, objects: [{ address, element: { kind: 'single', value: 0, quality: 0 } }] };
          }
        },
      },
    });
    const master = await connect();
    master.connection.send(gi);
    await settle(() => master.asdus.at(-1)?.cause === 10, 'termination');
    expect(master.addresses(20)).toEqual(range(1, 10));
  });

  it('commands are confirmed before the events that wait', async () => {
    const { server, connect, settle } = await open({
      parameters: { k: 1, w: 1 },
      handlers: { command: () => 'accept' },
    });
    const master = await connect({ manual: true });
    for (const address of range(1, 5)) server.enqueue(event(address));
    await settle(() => master.asdus.length === 1, 'first event');
    master.connection.send(command(1));
    await settle(() => server.station.commands.counters.executed === 1, 'command');
    master.receipts[0]!.release();
    await settle(() => master.asdus.length === 2, 'next ASDU');
    expect(master.asdus[1]).toMatchObject({ typeId: 45, cause: 7, negative: false });
  });

  it('cyclic values are left out when nobody can take them', async () => {
    const { server, connect, settle } = await open({ limits: { cyclic: 3 } });
    expect(server.transmit({ ...event(1), cause: 1 })).toBe(0);
    const master = await connect({ manual: true });
    for (let i = 0; i < 20; i++) server.transmit({ ...event(i), cause: 1 });
    await settle(() => master.addresses(1).length === 12, 'a window of them');
    expect(server.connections()[0]!.counters).toMatchObject({ cyclicSent: 12, cyclicSkipped: 5 });
  });

  it('reports an overflow by callback, by counter and in band, in the place of the missing events', async () => {
    const overflows: string[] = [];
    const { server, connect, settle } = await open({
      queue: {
        capacity: 10,
        overflowPoint: { commonAddress: 1, address: 999, timeTag: true },
        onOverflow: (group) => overflows.push(group),
      },
    });
    const kept = range(1, 13).map((address) => server.enqueue(event(address)));
    expect(kept.filter((k) => !k)).toHaveLength(3);
    expect(overflows).toEqual(['default']);
    expect(server.queue()).toMatchObject({ size: 10, overflowed: true, counters: { lost: 3, overflows: 1 } });
    const master = await connect({ parameters: { k: 12, w: 1 } });
    await settle(() => master.addresses().length >= 12, 'events and both marks');
    server.enqueue(event(14));
    await settle(() => master.addresses().includes(14), 'events after the overflow');
    expect(master.addresses()).toEqual([...range(1, 10), 999, 999, 14]);
    expect(master.asdus.filter((a) => a.typeId === 30).map((a) => a.objects[0]!.element)).toMatchObject([
      { value: 1 },
      { value: 0 },
    ]);
  });

  it('refuses more clients than it may have', async () => {
    const { server, connect, settle } = await open({ maxConnections: 2 });
    await connect();
    await connect();
    const third = await connect({ start: false });
    await settle(() => third.closed !== undefined, 'refusal');
    expect(server.counters).toMatchObject({ connectionsAccepted: 2, connectionsRefused: 1 });
  });

  it('an event that cannot be encoded is refused where it was made', async () => {
    const { server } = await open({});
    expect(() => server.enqueue({ ...event(1), typeId: 13 })).toThrow(/M_ME_NC_1/);
    expect(server.queue()!.size).toBe(0);
  });

  it('an image that cannot be encoded is reported, and the connection lives on', async () => {
    const errors: unknown[] = [];
    const { server, connect, settle } = await open({
      onError: (error) => errors.push(error),
      handlers: {
        interrogation: () => [
          { typeId: 13, objects: [{ address: 1, element: { kind: 'single', value: 1, quality: 0 } }] },
        ],
      },
    });
    const master = await connect();
    master.connection.send(gi);
    await settle(() => master.asdus.at(-1)?.cause === 10, 'termination');
    expect(errors).toHaveLength(1);
    server.enqueue(event(3));
    await settle(() => master.addresses().length === 1, 'events go on');
  });

  it('answers a malformed ASDU with nothing and goes on', async () => {
    const { server, connect, settle } = await open({ handlers: { interrogation: () => [] } });
    const master = await connect();
    // Two objects announced, one there.
    master.connection.send({ ...gi, typeId: 200, objects: [], opaque: { count: 2, bytes: Uint8Array.of(1) } });
    master.connection.send(gi);
    await settle(() => master.asdus.some((a) => a.cause === 10), 'interrogation after it');
    expect(master.asdus[0]).toMatchObject({ typeId: 200, cause: 44, negative: true });
    expect(server.connections()).toHaveLength(1);
  });

  it('with k = w = 1 everything arrives', async () => {
    const { server, connect, settle } = await open({ parameters: { k: 1, w: 1 } });
    const master = await connect();
    for (const address of range(1, 50)) server.enqueue(event(address));
    await settle(() => master.addresses().length === 50, 'all');
    expect(master.addresses()).toEqual(range(1, 50));
  });

  it('sequence numbers wrap without a seam', async () => {
    const { server, connect, settle } = await open({ queue: { capacity: 70_000 }, parameters: { k: 2000, w: 1000 } });
    const master = await connect();
    for (const address of range(1, 33_500)) server.enqueue(event(address));
    await settle(() => master.asdus.length === 33_500, 'more than 32768');
    expect(master.addresses()).toEqual(range(1, 33_500));
  });

  it('a flood of requests from a peer that takes no answer is bounded', async () => {
    const { server, connect, settle } = await open({
      handlers: { command: () => 'accept' },
      parameters: { k: 12, w: 8 },
    });
    const master = await connect({ manual: true });
    let sent = 0;
    for (let round = 0; round < 200; round++) {
      while (master.connection.window > 0 && sent < 5000) sent += master.connection.send(command(1)) > 0 ? 1 : 0;
      await new Promise((resolve) => setImmediate(resolve));
    }
    await settle(() => server.connections().length === 0 || master.connection.window === 0, 'the flood to stand still');
    // Each command has two answers; the server holds at most its bound of them and stops reading.
    expect(server.station.commands.counters.executed).toBeLessThan(300);
    expect(master.asdus.length).toBe(12);
  });
});

describe('server in virtual time', () => {
  let world: World & { clock: VirtualClock };
  const open = async (options: Iec104ServerOptions) => {
    world = await worlds.memory(options);
    return world;
  };
  afterEach(() => world.close());

  it('named groups have queues of their own, found by the address of the peer', async () => {
    const { server, connect, settle } = await open({
      redundancy: 'groups',
      groups: [
        { name: 'north', allow: ['10.0.0.1', '10.0.0.2'] },
        { name: 'south', allow: ['10.0.1.1'] },
      ],
    });
    const north = await connect({ from: '10.0.0.1' });
    server.enqueue(event(1));
    await settle(() => north.addresses().length === 1, 'event in the north');
    const standby = await connect({ from: '10.0.0.2', start: false });
    const south = await connect({ from: '10.0.1.1' });
    await settle(() => south.addresses().length === 1, 'event in the south, kept for it');
    expect(standby.asdus).toEqual([]);
    const stranger = await connect({ from: '10.9.9.9', start: false });
    await settle(() => stranger.closed !== undefined, 'refusal');
    expect(server.connections().map((c) => c.group)).toEqual(['north', 'north', 'south']);
  });

  it('a peer that never acknowledges is closed after t1, and its events are kept', async () => {
    const { server, connect, clock, settle } = await open({});
    const master = await connect({ manual: true });
    for (let i = 1; i <= 100; i++) server.enqueue(event(i));
    await settle(() => master.asdus.length === 12, 'k frames and no more');
    await clock.advance(14_999);
    expect(server.connections()).toHaveLength(1);
    await clock.advance(2);
    await settle(() => server.connections().length === 0, 'close by t1');
    expect(server.queue()).toMatchObject({ size: 100, counters: { lost: 0, rewound: 12 } });
  });

  it('a select stands for its timeout on the monotonic clock', async () => {
    const { connect, clock, settle } = await open({
      selectTimeout: 5,
      handlers: { controlMode: () => 'select-before-operate', command: () => 'accept' },
    });
    const master = await connect();
    master.connection.send(command(1, true));
    await settle(() => master.asdus.length === 1, 'select confirmed');
    await clock.advance(4999);
    master.connection.send(command(1));
    await settle(() => master.asdus.length === 3, 'executed');
    master.connection.send(command(1, true));
    await settle(() => master.asdus.length === 4, 'selected again');
    await clock.advance(5000);
    master.connection.send(command(1));
    await settle(() => master.asdus.length === 5, 'refused');
    expect(master.asdus.map((a) => `${a.cause}${a.negative ? '-' : ''}`)).toEqual(['7', '7', '10', '7', '7-']);
  });

  it('a select ends with its connection', async () => {
    const { connect, settle } = await open({
      handlers: { controlMode: () => 'select-before-operate', command: () => 'accept' },
      redundancy: 'per-connection',
    });
    const first = await connect();
    first.connection.send(command(1, true));
    await settle(() => first.asdus.length === 1, 'selected');
    first.connection.close();
    const second = await connect();
    second.connection.send(command(1, true));
    await settle(() => second.asdus.length === 1, 'selected by the other');
    expect(second.asdus[0]).toMatchObject({ cause: 7, negative: false });
  });

  it('STOPDT waits for the acknowledgement of what was sent, and sends nothing after it', async () => {
    const { server, connect, settle, clock } = await open({});
    const master = await connect({ manual: true });
    for (let i = 1; i <= 5; i++) server.enqueue(event(i));
    await settle(() => master.asdus.length === 5, 'events');
    master.connection.stop();
    await settle(() => !server.connections()[0]!.started, 'STOPDT act');
    server.enqueue(event(6));
    master.receipts[4]!.release();
    // Fewer than w: the acknowledgement leaves after t2.
    await clock.advance(10_000);
    await settle(() => master.connection.transfer === 'stopped', 'STOPDT con');
    expect(master.asdus).toHaveLength(5);
    expect(server.queue()).toMatchObject({ size: 1, counters: { acknowledged: 5, rewound: 0 } });
    expect(server.connections()[0]!.started).toBe(false);
  });

  it('leaves no timer behind', async () => {
    const { server, connect, clock } = await open({});
    await connect();
    await server.close();
    await clock.advance(0);
    expect(clock.pending).toBe(0);
  });
});

describe('server on a socket', () => {
  it('says so when the address is taken', async () => {
    const first = await worlds.tcp({});
    await expect(worlds.tcp({ port: first.server.address!.port })).rejects.toMatchObject({
      fault: 'environment',
      code: 'server.listen',
    });
    await first.close();
  });

  it('resolves close although a client stays', async () => {
    const world = await worlds.tcp({});
    await world.connect();
    await world.server.close();
    await expect(world.server.listen()).rejects.toMatchObject({ fault: 'caller' });
  });
});
