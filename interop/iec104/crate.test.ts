import {
  type Asdu,
  asdu,
  cp24,
  cp56FromEpochMillis,
  DEFAULT_PARAMETERS,
  decodeAsdu,
  type Element,
  encodeAsdu,
  Iec104Client,
  Iec104Server,
} from '@enerchain/iec60870';
import { afterEach, describe, expect, inject, it } from 'vitest';
import { PeerProcess, until } from '../peer-process.ts';

const installed = inject('iec104Peers').crate;
const peer = 'peer' in installed ? installed.peer : undefined;
if ('missing' in installed) it.skip(`iec104 crate: ${installed.missing}`, () => {});

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const hex = (a: Asdu) => Buffer.from(encodeAsdu(a, DEFAULT_PARAMETERS)).toString('hex');
const read = (text: unknown) => decodeAsdu(Buffer.from(text as string, 'hex'), DEFAULT_PARAMETERS);
const time24 = cp24({ milliseconds: 12_345, minute: 59 });
const time56 = cp56FromEpochMillis(Date.UTC(2026, 9, 11, 22, 33, 44, 555));

/** Every kind of value in each of its time forms, as types 1 to 21 and 30 to 40 have them. */
const MONITOR: Asdu[] = (
  [
    [[1, 2, 30], { kind: 'single', value: 1, quality: 0x90 }],
    [[3, 4, 31], { kind: 'double', value: 2, quality: 0x40 }],
    [[5, 6, 32], { kind: 'step', value: -64, transient: true, quality: 0 }],
    [[7, 8, 33], { kind: 'bitstring', value: 0xdeadbeef, quality: 0 }],
    [[9, 10, 34], { kind: 'normalized', raw: -32768, quality: 1 }],
    [[11, 12, 35], { kind: 'scaled', value: 32767, quality: 0 }],
    [[13, 14, 36], { kind: 'short', value: -1.5, quality: 0x80 }],
    [[15, 16, 37], { kind: 'integratedTotal', value: -5, sequence: 31, flags: 0xa0 }],
  ] as [number[], Element][]
).flatMap(([types, element]) =>
  types.map((typeId, form) =>
    asdu({
      typeId,
      cause: 3,
      commonAddress: 1,
      // The crate has no row for types 8 and 16 and hands them through as one piece.
      objects: (typeId === 8 || typeId === 16 ? [70_000] : [100, 70_000]).map((address) => ({
        address,
        element,
        ...(form === 0 ? {} : { time: form === 1 ? time24 : time56 }),
      })),
    }),
  ),
);

async function peerProcess(...args: string[]) {
  const process = new PeerProcess(peer!, args);
  closing.push(() => process.stop());
  return process;
}

describe.skipIf(peer === undefined)('our client against the servers of the iec104 crate', () => {
  async function connect(port: number) {
    const asdus: Asdu[] = [];
    const client = new Iec104Client({
      host: '127.0.0.1',
      port,
      reconnect: { initial: 0.1, maximum: 0.5 },
      onAsdu: (a) => asdus.push(a),
    });
    closing.push(() => client.close());
    client.start();
    await until(() => client.state === 'started', 'STARTDT con');
    return { client, asdus };
  }

  it('hears spontaneous data in all three time forms exactly as sent', async () => {
    const server = await peerProcess('server');
    const { port } = await server.expect((e) => e.event === 'listening', 'listening');
    const { asdus } = await connect(port as number);
    for (const value of MONITOR) server.send({ send: hex(value) });
    await until(() => asdus.length === MONITOR.length, 'every type');
    expect(asdus.map(hex)).toEqual(MONITOR.map(hex));
  });

  it('interrogates station, group and counters', async () => {
    const rtu = await peerProcess('rtu');
    const { port } = await rtu.expect((e) => e.event === 'listening', 'listening');
    const { client, asdus } = await connect(port as number);
    expect((await client.interrogate(1)).terminated).toBe(true);
    const byAddress = () =>
      new Map(asdus.flatMap((a) => a.objects.map((o) => [o.address, { ...o.element, cause: a.cause }])));
    expect(byAddress().get(11)).toMatchObject({ kind: 'short', value: 42.5, cause: 20 });
    expect(byAddress().get(20)).toMatchObject({ kind: 'normalized', raw: -100 });
    asdus.length = 0;
    await client.interrogate(1, 22);
    expect(byAddress().get(40)).toMatchObject({ kind: 'normalized', raw: 100, cause: 22 });
    asdus.length = 0;
    await client.counterInterrogation(1, { request: 1 });
    expect(byAddress().get(30)).toMatchObject({ kind: 'integratedTotal', value: 12_345, cause: 38 });
    rtu.send({ set: [1, 11, 43.25] });
    await until(() => asdus.some((a) => a.cause === 3), 'spontaneous value');
    expect(asdus.find((a) => a.cause === 3)!.objects[0]).toMatchObject({ address: 11, element: { value: 43.25 } });
  });

  it('commands directly and select before operate, and hears no', async () => {
    const rtu = await peerProcess('rtu');
    const { port } = await rtu.expect((e) => e.event === 'listening', 'listening');
    const { client, asdus } = await connect(port as number);
    const quick = { timeouts: { actterm: 0 } };
    expect(await client.command({ ca: 1, ioa: 1, typeId: 45, value: 0, ...quick })).toMatchObject({
      kind: 'confirmed',
    });
    expect(await client.command({ ca: 1, ioa: 11, typeId: 50, value: 8.5, ...quick })).toMatchObject({
      kind: 'confirmed',
    });
    await until(() => asdus.some((a) => a.typeId === 13 && a.objects[0]?.element.kind === 'short'), 'changed value');
    const sbo = await client.command({ ca: 1, ioa: 1, typeId: 45, value: 1, mode: 'select-before-operate', ...quick });
    expect(sbo).toMatchObject({ kind: 'confirmed' });
    expect(await client.command({ ca: 1, ioa: 999, typeId: 45, value: 1, ...quick })).toMatchObject({
      kind: 'negative',
    });
  });

  it('synchronises, tests and reads', async () => {
    const rtu = await peerProcess('rtu');
    const { port } = await rtu.expect((e) => e.event === 'listening', 'listening');
    const { client } = await connect(port as number);
    await client.synchronizeClock(1);
    await client.test(1, { counter: 3 });
    expect((await client.read(1, 11)).objects[0]).toMatchObject({ address: 11, element: { kind: 'short' } });
  });
});

describe.skipIf(peer === undefined)('the client of the iec104 crate against our server', () => {
  async function open() {
    const commands: string[] = [];
    const server = new Iec104Server({
      port: 0,
      commonAddresses: [1],
      handlers: {
        interrogation: () => [
          { typeId: 1, objects: [{ address: 5, element: { kind: 'single', value: 1, quality: 0 } }] },
        ],
        controlMode: (_t, _ca, address) =>
          address === 7 ? 'select-before-operate' : address === 8 ? 'direct' : undefined,
        command: (_context, request) => {
          commands.push(`${request.phase} ${request.address} ${request.value}`);
          return 'accept';
        },
      },
    });
    closing.push(() => server.close());
    const { port } = await server.listen();
    const client = await peerProcess('client', '127.0.0.1', String(port));
    await client.expect((e) => e.event === 'connected', 'connection');
    client.send({ start: true });
    await until(() => server.connections().some((c) => c.started), 'STARTDT');
    await client.expect((e) => e.event === 'started', 'STARTDT con');
    const heard = () => client.all('asdu').map((e) => read(e.hex));
    return { server, client, commands, heard };
  }
  const command = (address: number, select: boolean, cause = 6) =>
    asdu({
      typeId: 45,
      cause,
      commonAddress: 1,
      objects: [{ address, element: { kind: 'singleCommand', value: 1, qualifier: 0, select } }],
    });
  const interrogation = (commonAddress: number) =>
    asdu({
      typeId: 100,
      cause: 6,
      commonAddress,
      objects: [{ address: 0, element: { kind: 'interrogation', qualifier: 20 } }],
    });

  it('hears our spontaneous data in all three time forms exactly as sent', async () => {
    const { server, heard } = await open();
    for (const value of MONITOR) server.enqueue(value);
    await until(() => heard().length === MONITOR.length, 'every type');
    expect(heard().map(hex)).toEqual(MONITOR.map(hex));
    await until(() => server.queue()!.counters.acknowledged >= 16, 'acknowledgements');
  });

  it('interrogates us', async () => {
    const { client, heard } = await open();
    client.send({ send: hex(interrogation(1)) });
    await until(() => heard().length === 3, 'confirmation, data, termination');
    expect(heard().map((a) => [a.typeId, a.cause])).toEqual([
      [100, 7],
      [1, 20],
      [100, 10],
    ]);
  });

  it('commands us directly and select before operate, and is refused with causes 44 to 47', async () => {
    const { client, heard, commands } = await open();
    const answers = async (request: Asdu, count: number) => {
      const before = heard().length;
      client.send({ send: hex(request) });
      await until(() => heard().length === before + count, `${count} answers`);
      return heard()
        .slice(before)
        .map((a) => `${a.typeId} ${a.cause}${a.negative ? '-' : ''}`);
    };
    expect(await answers(command(8, false), 2)).toEqual(['45 7', '45 10']);
    expect(await answers(command(7, false), 1)).toEqual(['45 7-']);
    expect(await answers(command(7, true), 1)).toEqual(['45 7']);
    expect(await answers(command(7, false), 2)).toEqual(['45 7', '45 10']);
    expect(await answers(command(7, true), 1)).toEqual(['45 7']);
    expect(await answers(command(7, true, 8), 1)).toEqual(['45 9']);
    expect(
      await answers(
        asdu({
          typeId: 105,
          cause: 6,
          commonAddress: 1,
          objects: [{ address: 0, element: { kind: 'resetProcess', qualifier: 1 } }],
        }),
        1,
      ),
    ).toEqual(['105 44-']);
    expect(await answers({ ...interrogation(1), cause: 3 }, 1)).toEqual(['100 45-']);
    expect(await answers(interrogation(9), 1)).toEqual(['100 46-']);
    expect(await answers(command(9, false), 1)).toEqual(['45 47-']);
    expect(commands).toEqual(['execute 8 1', 'select 7 1', 'execute 7 1', 'select 7 1', 'cancel 7 1']);
  });

  it('stops, starts again and gets what was kept', async () => {
    const { server, client, heard } = await open();
    client.send({ stop: true });
    await until(() => !server.connections()[0]?.started, 'STOPDT');
    server.enqueue(MONITOR[0]!);
    client.send({ start: true });
    await until(() => heard().length === 1, 'event kept');
    expect(hex(heard()[0]!)).toBe(hex(MONITOR[0]!));
  });

  it('comes back after a lost connection', async () => {
    const { server, client, heard } = await open();
    server.disconnect(server.connections()[0]!.id);
    await client.expect((e) => e.event === 'reconnecting', 'reconnect');
    server.enqueue(MONITOR[3]!);
    await until(() => server.connections().length === 1, 'new connection');
    client.send({ start: true });
    await until(() => heard().length === 1, 'event after the reconnect');
  });
});
