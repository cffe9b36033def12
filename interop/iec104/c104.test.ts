import { type Asdu, cp56FromEpochMillis, Iec104Client, Iec104Server } from '@enerchain/iec60870';
import { afterEach, describe, expect, inject, it } from 'vitest';
import { freePort, PeerProcess, until } from '../peer-process.ts';

const installed = inject('iec104Peers').c104;
const peer = 'peer' in installed ? installed.peer : undefined;
if ('missing' in installed) it.skip(`c104: ${installed.missing}`, () => {});

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

describe.skipIf(peer === undefined)('our client against the server of c104', () => {
  async function open(port?: number) {
    const at = port ?? (await freePort());
    const server = new PeerProcess(peer!, ['server', String(at)]);
    closing.push(() => server.stop());
    await server.expect((e) => e.event === 'listening', 'listening');
    return { server, port: at };
  }
  async function connect(port: number) {
    const asdus: Asdu[] = [];
    const states: string[] = [];
    const client = new Iec104Client({
      host: '127.0.0.1',
      port,
      reconnect: { initial: 0.1, maximum: 0.5 },
      onAsdu: (asdu) => asdus.push(asdu),
      onState: (state) => states.push(state),
    });
    closing.push(() => client.close());
    client.start();
    await until(() => client.state === 'started', 'STARTDT con');
    return { client, asdus, states };
  }

  it('starts, interrogates and reads every kind of value', async () => {
    const { port } = await open();
    const { client, asdus } = await connect(port);
    const result = await client.interrogate(1);
    expect(result.terminated).toBe(true);
    const seen = new Set(asdus.filter((a) => a.cause === 20).map((a) => a.typeId));
    for (const typeId of [1, 3, 5, 7, 9, 11, 13]) expect(seen).toContain(typeId);
    const read = await client.read(1, 7);
    expect(read.objects[0]).toMatchObject({ address: 7, element: { kind: 'short', value: 0 } });
  });

  it('receives spontaneous data without and with CP56Time2a', async () => {
    const { server, port } = await open();
    const { asdus } = await connect(port);
    const values: [number, number, number, object][] = [
      [1, 1, 1, { kind: 'single', value: 1 }],
      [2, 1, 3, { kind: 'double', value: 2 }],
      [3, -7, 5, { kind: 'step', value: -7 }],
      [4, 4_000_000_000, 7, { kind: 'bitstring', value: 4_000_000_000 }],
      [5, 0.5, 9, { kind: 'normalized' }],
      [6, -1234, 11, { kind: 'scaled', value: -1234 }],
      [7, 1.5, 13, { kind: 'short', value: 1.5 }],
      [8, 77, 15, { kind: 'integratedTotal', value: 77, sequence: 3 }],
    ];
    const tagged = [30, 31, 32, 33, 34, 35, 36, 37];
    for (const [i, [address, value, typeId, element]] of values.entries()) {
      expect(await server.ask({ transmit: address, value })).toBe(true);
      await until(() => asdus.some((a) => a.typeId === typeId && a.cause === 3), `type ${typeId}`);
      expect(asdus.find((a) => a.typeId === typeId)!.objects[0]).toMatchObject({ address, element });
      expect(await server.ask({ transmit: address + 200, value })).toBe(true);
      await until(() => asdus.some((a) => a.typeId === tagged[i]), `type ${tagged[i]}`);
      const object = asdus.find((a) => a.typeId === tagged[i])!.objects[0]!;
      expect(object).toMatchObject({ address: address + 200, element });
      expect(object.time).toBeDefined();
    }
    const normalized = asdus.find((a) => a.typeId === 9)!.objects[0]!.element as { raw: number };
    expect(Math.abs(normalized.raw - 16384)).toBeLessThanOrEqual(1);
  });

  it('commands directly, with a time tag, and select before operate', async () => {
    const { server, port } = await open();
    const { client } = await connect(port);
    expect(await client.command({ ca: 1, ioa: 501, typeId: 45, value: 1, timeouts: { actterm: 2 } })).toMatchObject({
      kind: 'confirmed',
    });
    expect(await server.expect((e) => e.event === 'command' && e.ioa === 501, 'direct command')).toMatchObject({
      value: 1,
    });
    expect(await client.command({ ca: 1, ioa: 503, typeId: 50, value: 2.5, timeouts: { actterm: 2 } })).toMatchObject({
      kind: 'confirmed',
    });
    expect(await server.expect((e) => e.event === 'command' && e.ioa === 503, 'set-point')).toMatchObject({
      value: 2.5,
    });
    expect(await client.command({ ca: 1, ioa: 504, typeId: 59, value: 2, timeouts: { actterm: 2 } })).toMatchObject({
      kind: 'confirmed',
    });
    const sbo = await client.command({
      ca: 1,
      ioa: 502,
      typeId: 45,
      value: 1,
      mode: 'select-before-operate',
      timeouts: { actterm: 2 },
    });
    expect(sbo).toMatchObject({ kind: 'confirmed' });
    await server.expect((e) => e.event === 'command' && e.ioa === 502, 'selected and executed');
  });

  it('is told no: refused command, execute without select, unknown object and common address', async () => {
    const { server, port } = await open();
    const { client } = await connect(port);
    expect(await client.command({ ca: 1, ioa: 505, typeId: 45, value: 1 })).toMatchObject({ kind: 'negative' });
    await server.expect((e) => e.event === 'command' && e.ioa === 505, 'refused command');
    const executed = server.all('command').length;
    expect(await client.command({ ca: 1, ioa: 502, typeId: 45, value: 1 })).toMatchObject({ kind: 'negative' });
    expect(server.all('command')).toHaveLength(executed);
    // c104 refuses both with a negative confirmation, not with causes 47 and 46.
    expect(await client.command({ ca: 1, ioa: 999, typeId: 45, value: 1 })).toMatchObject({ kind: 'negative' });
    expect(await client.command({ ca: 9, ioa: 501, typeId: 45, value: 1 })).toMatchObject({ kind: 'negative' });
  });

  it('sets the clock, tests, and interrogates counters', async () => {
    const { server, port } = await open();
    const { client, asdus } = await connect(port);
    const at = Date.UTC(2026, 5, 1, 12, 30, 15, 250);
    await client.synchronizeClock(1, at);
    expect(
      ((await server.expect((e) => e.event === 'clock', 'clock synchronisation')).time as number) * 1000,
    ).toBeCloseTo(at, -1);
    // C_TS_NA_1 is of 5-101; c104 answers the one with a time tag only.
    await client.test(1, { counter: 7 });
    const result = await client.counterInterrogation(1);
    expect(result.terminated).toBe(true);
    expect(asdus.filter((a) => a.cause === 37).map((a) => a.typeId)).toContain(15);
  });

  it('comes back when the server does', async () => {
    const { server, port } = await open();
    const { client, asdus, states } = await connect(port);
    await server.kill();
    await until(() => client.state !== 'started', 'loss');
    const { server: again } = await open(port);
    await until(() => client.state === 'started', 'reconnect');
    await again.ask({ transmit: 7, value: 3.25 });
    await until(() => asdus.some((a) => a.typeId === 13), 'value after the reconnect');
    expect(states.filter((s) => s === 'started')).toHaveLength(2);
  });
});

describe.skipIf(peer === undefined)('the client of c104 against our server', () => {
  async function open(port = 0) {
    const commands: { phase: string; address: number; value: number }[] = [];
    const clock: number[] = [];
    const time = cp56FromEpochMillis(Date.UTC(2026, 2, 3, 4, 5, 6, 789));
    const server = new Iec104Server({
      port,
      commonAddresses: [1],
      selectTimeout: 1,
      handlers: {
        interrogation: (_context, _ca, qualifier) =>
          qualifier === 20
            ? [
                { typeId: 1, objects: [{ address: 1, element: { kind: 'single', value: 1, quality: 0 } }] },
                { typeId: 13, objects: [{ address: 7, element: { kind: 'short', value: 42.5, quality: 0 } }] },
              ]
            : { refuse: 'negative' },
        counterInterrogation: () => [
          {
            typeId: 15,
            objects: [{ address: 8, element: { kind: 'integratedTotal', value: 99, sequence: 1, flags: 0 } }],
          },
        ],
        read: (_context, _ca, address) =>
          address === 7
            ? { typeId: 13, objects: [{ address, element: { kind: 'short', value: 7.75, quality: 0 } }] }
            : undefined,
        clockSync: () => {
          clock.push(Date.now());
          return undefined;
        },
        controlMode: (_type, _ca, address) =>
          address === 502
            ? 'select-before-operate'
            : address === 999
              ? undefined
              : address === 501
                ? 'direct'
                : 'either',
        command: (_context, request) => {
          commands.push({ phase: request.phase, address: request.address, value: request.value });
          return request.address === 505 ? { refuse: 'negative' } : 'accept';
        },
      },
    });
    closing.push(() => server.close());
    const address = await server.listen();
    return { server, port: address.port, commands, clock, time };
  }
  async function connect(port: number) {
    const client = new PeerProcess(peer!, ['client', '127.0.0.1', String(port)]);
    closing.push(() => client.stop());
    await client.expect((e) => e.event === 'state' && e.state === 'OPEN', 'open connection');
    return client;
  }

  it('interrogates us', async () => {
    const { server, port } = await open();
    const client = await connect(port);
    expect(server.connections()[0]!.started).toBe(true);
    expect(await client.ask({ interrogation: 20 })).toBe(true);
    expect(await client.expect((e) => e.event === 'point' && e.ioa === 1, 'single point')).toMatchObject({
      value: 1,
      cause: 20,
    });
    expect(await client.expect((e) => e.event === 'point' && e.ioa === 7, 'measured value')).toMatchObject({
      value: 42.5,
      cause: 20,
    });
    expect(await client.ask({ counterInterrogation: true })).toBe(true);
    expect(await client.expect((e) => e.event === 'point' && e.ioa === 8, 'counter')).toMatchObject({
      value: 99,
      cause: 37,
    });
    expect(await client.ask({ read: 7 })).toBe(true);
    expect(await client.expect((e) => e.event === 'point' && e.value === 7.75, 'read value')).toMatchObject({
      cause: 5,
    });
    expect(await client.ask({ interrogation: 21 })).toBe(false);
  });

  it('hears our spontaneous data without and with CP56Time2a', async () => {
    const { server, port, time } = await open();
    const client = await connect(port);
    const elements = [
      { kind: 'single', value: 1, quality: 0 },
      { kind: 'double', value: 2, quality: 0 },
      { kind: 'step', value: -3, transient: false, quality: 0 },
      { kind: 'bitstring', value: 5, quality: 0 },
      { kind: 'normalized', raw: 16384, quality: 0 },
      { kind: 'scaled', value: -321, quality: 0 },
      { kind: 'short', value: 0.125, quality: 0x80 },
      { kind: 'integratedTotal', value: 1234, sequence: 2, flags: 0 },
    ] as const;
    const plain = [1, 3, 5, 7, 9, 11, 13, 15];
    for (const [i, element] of elements.entries()) {
      server.enqueue({ typeId: plain[i]!, commonAddress: 1, objects: [{ address: i + 1, element }] });
      server.enqueue({ typeId: 30 + i, commonAddress: 1, objects: [{ address: i + 201, element, time }] });
    }
    const value = (i: number) => ('raw' in elements[i]! ? 0.5 : (elements[i] as { value: number }).value);
    for (let i = 0; i < elements.length; i++) {
      const untagged = await client.expect((e) => e.event === 'point' && e.ioa === i + 1, `point ${i + 1}`);
      expect(untagged.cause).toBe(3);
      expect(untagged.value as number).toBeCloseTo(value(i), 3);
      const tagged = await client.expect((e) => e.event === 'point' && e.ioa === i + 201, `point ${i + 201}`);
      expect(tagged.value as number).toBeCloseTo(value(i), 3);
      expect(tagged.time as number).toBeCloseTo(Date.UTC(2026, 2, 3, 4, 5, 6, 789) / 1000, 2);
    }
    expect((await client.expect((e) => e.ioa === 7, 'invalid value')).quality).toMatch(/Invalid/i);
  });

  it('commands us directly and select before operate, and is refused', async () => {
    const { port, commands } = await open();
    const client = await connect(port);
    expect(await client.ask({ command: 501, value: 1 })).toBe(true);
    expect(await client.ask({ command: 503, value: 2.5 })).toBe(true);
    expect(await client.ask({ command: 504, value: 1 })).toBe(true);
    expect(await client.ask({ command: 502, value: 1 })).toBe(true);
    expect(await client.ask({ command: 505, value: 1 })).toBe(false);
    expect(commands).toEqual([
      { phase: 'execute', address: 501, value: 1 },
      { phase: 'execute', address: 503, value: 2.5 },
      { phase: 'execute', address: 504, value: 2 },
      { phase: 'select', address: 502, value: 1 },
      { phase: 'execute', address: 502, value: 1 },
      { phase: 'execute', address: 505, value: 1 },
    ]);
  });

  it('sets our clock and tests the line', async () => {
    const { port, clock } = await open();
    const client = await connect(port);
    expect(await client.ask({ clockSync: true })).toBe(true);
    expect(clock).toHaveLength(1);
    expect(await client.ask({ test: true })).toBe(true);
  });

  it('comes back and gets what it missed', async () => {
    const { server, port } = await open();
    const client = await connect(port);
    const value = (v: number) =>
      server.enqueue({
        typeId: 13,
        commonAddress: 1,
        objects: [{ address: 7, element: { kind: 'short', value: v, quality: 0 } }],
      });
    value(1);
    await client.expect((e) => e.event === 'point' && e.value === 1, 'first value');
    server.disconnect(server.connections()[0]!.id);
    await until(() => server.connections().length === 0, 'end of the connection');
    value(2);
    value(3);
    await client.expect((e) => e.event === 'point' && e.value === 3, 'values kept for it');
    const values = client.all('point').map((e) => e.value);
    // The first may come twice: its acknowledgement had not left before the connection ended.
    expect(values.filter((v, i) => values.indexOf(v) === i)).toEqual([1, 2, 3]);
  });
});
