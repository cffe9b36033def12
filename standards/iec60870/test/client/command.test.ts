import { turn, until, VirtualClock } from '@enerchain/transport/testing';
import { describe, expect, test } from 'vitest';
import { Iec104Client } from '../../src/client/client.ts';
import type { CommandRequest, Iec104ClientOptions } from '../../src/client/options.ts';
import { COT } from '../../src/spec/causes.ts';
import { type Answer, MiniRtu } from '../support/mini-rtu.ts';

async function station(answer: Answer, options: Partial<Iec104ClientOptions> = {}) {
  const clock = new VirtualClock();
  const rtu = new MiniRtu(clock, answer);
  const client = new Iec104Client({ transport: rtu.connect, clock, reconnect: false, ...options });
  client.start();
  await until(() => client.state === 'started');
  return { clock, rtu, client };
}

const BREAKER: CommandRequest = { ca: 1, ioa: 5000, typeId: 46, value: 2 };

const accept: Answer = (received, rtu) => {
  rtu.mirror(received, COT.activationConfirmation);
  if (!('select' in received.objects[0]!.element && received.objects[0]!.element.select))
    rtu.mirror(received, COT.activationTermination);
};

describe('commands', () => {
  test('a direct command is confirmed and terminated', async () => {
    const { client, rtu } = await station(accept);
    await expect(client.command(BREAKER)).resolves.toEqual({ kind: 'confirmed', terminated: true });
    expect(rtu.received.map((received) => [received.cause, received.objects[0]])).toEqual([
      [6, { address: 5000, element: { kind: 'doubleCommand', value: 2, qualifier: 0, select: false } }],
    ]);
  });

  test('select before operate sends select, waits for its confirmation, then executes', async () => {
    const { client, rtu } = await station(accept);
    const outcome = await client.command({ ...BREAKER, mode: 'select-before-operate', qualifier: 1 });
    expect(outcome).toEqual({ kind: 'confirmed', terminated: true });
    expect(rtu.received.map((received) => received.objects[0]!.element)).toEqual([
      { kind: 'doubleCommand', value: 2, qualifier: 1, select: true },
      { kind: 'doubleCommand', value: 2, qualifier: 1, select: false },
    ]);
  });

  test('a refused select is never executed', async () => {
    const { client, rtu } = await station((received, own) => own.mirror(received, COT.activationConfirmation, true));
    await expect(client.command({ ...BREAKER, mode: 'select-before-operate' })).resolves.toEqual({
      kind: 'negative',
      step: 'select',
      cause: 7,
      text: 'select refused: negative activation confirmation',
    });
    expect(rtu.received).toHaveLength(1);
  });

  for (const cause of [44, 45, 46, 47]) {
    test(`cause ${cause} is a negative outcome that says why`, async () => {
      const { client } = await station((received, rtu) => rtu.mirror(received, cause, true));
      await expect(client.command(BREAKER)).resolves.toMatchObject({ kind: 'negative', step: 'execute', cause });
    });
  }

  test('a negative termination is a negative outcome', async () => {
    const { client } = await station((received, rtu) => {
      rtu.mirror(received, COT.activationConfirmation);
      rtu.mirror(received, COT.activationTermination, true);
    });
    await expect(client.command(BREAKER)).resolves.toMatchObject({ kind: 'negative', step: 'termination', cause: 10 });
  });

  test('a station that never terminates leaves the command confirmed', async () => {
    const { client, clock } = await station((received, rtu) => rtu.mirror(received, COT.activationConfirmation));
    const outcome = client.command({ ...BREAKER, timeouts: { actterm: 5 } });
    await clock.advance(5_100);
    await expect(outcome).resolves.toEqual({ kind: 'confirmed', terminated: false });
    await expect(client.command({ ...BREAKER, timeouts: { actterm: 0 } })).resolves.toEqual({
      kind: 'confirmed',
      terminated: false,
    });
  });

  test('no answer is a time-out, and the command is sent once only', async () => {
    const { client, clock, rtu } = await station(() => {});
    const outcome = client.command({ ...BREAKER, timeouts: { actcon: 3 } });
    await clock.advance(2_900);
    await clock.advance(200);
    await expect(outcome).resolves.toEqual({
      kind: 'timeout',
      step: 'execute',
      text: 'No confirmation of execute within 3 s; the station may have executed it all the same',
    });
    await clock.advance(60_000);
    expect(rtu.received).toHaveLength(1);
  });

  test('a lost connection makes the outcome unknown, and nothing is repeated after the reconnect', async () => {
    const { client, clock, rtu } = await station(() => {}, { reconnect: { initial: 1 } });
    const outcome = client.command(BREAKER);
    await until(() => rtu.received.length === 1);
    rtu.connection.close();
    await expect(outcome).resolves.toMatchObject({ kind: 'unknown', step: 'execute' });
    await clock.advance(5_000);
    await until(() => client.state === 'started');
    await turn();
    expect(rtu.received).toHaveLength(1);
  });

  test('an answer with the other S/E bit or for another object is not taken', async () => {
    const { client, rtu } = await station((received, own) => {
      const object = received.objects[0]!;
      own.connection.send({
        ...received,
        cause: 7,
        objects: [{ ...object, element: { ...object.element, select: true } as never }],
      });
      own.connection.send({ ...received, cause: 7, objects: [{ ...object, address: 5001 }] });
      own.connection.send({ ...received, cause: 7, commonAddress: 2 });
    });
    let settled = false;
    const outcome = client.command(BREAKER).finally(() => {
      settled = true;
    });
    await turn();
    expect(settled).toBe(false);
    rtu.mirror(rtu.received[0]!, 7);
    rtu.mirror(rtu.received[0]!, 10);
    await expect(outcome).resolves.toEqual({ kind: 'confirmed', terminated: true });
  });

  test('a second command to the same object is refused while the first is under way', async () => {
    const { client, rtu } = await station(() => {});
    const first = client.command(BREAKER);
    await expect(client.command(BREAKER)).rejects.toMatchObject({ fault: 'caller', code: 'client.busy' });
    await until(() => rtu.received.length === 1);
    rtu.mirror(rtu.received[0]!, 7);
    rtu.mirror(rtu.received[0]!, 10);
    await expect(first).resolves.toMatchObject({ kind: 'confirmed' });
  });

  test('deactivation cancels a selection', async () => {
    const { client, rtu } = await station((received, own) => own.mirror(received, received.cause + 1));
    await expect(client.command({ ...BREAKER, mode: 'select' })).resolves.toEqual({
      kind: 'confirmed',
      terminated: false,
    });
    await expect(client.command({ ...BREAKER, mode: 'deactivate' })).resolves.toEqual({
      kind: 'confirmed',
      terminated: false,
    });
    expect(rtu.received.map((received) => received.cause)).toEqual([6, 8]);
  });

  test('commands with a time tag carry the time of the clock in the zone of the station', async () => {
    const { client, rtu, clock } = await station(accept, { zone: 'Europe/Berlin' });
    await client.command({ ca: 1, ioa: 7, typeId: 63, value: 12.5 });
    const time = rtu.received[0]!.objects[0]!.time;
    expect(time?.toJSON()).toMatchObject({ hour: new Date(clock.now()).getUTCHours() + 1, summerTime: false });
  });

  test('what cannot be sent is refused before anything is sent', async () => {
    const { client, rtu } = await station(accept);
    await expect(client.command({ ...BREAKER, value: 0 })).rejects.toMatchObject({
      fault: 'caller',
      code: 'client.value',
    });
    await expect(client.command({ ...BREAKER, typeId: 1 })).rejects.toMatchObject({
      fault: 'caller',
      code: 'client.type',
    });
    await expect(
      client.command({ ca: 1, ioa: 1, typeId: 51, value: 1, mode: 'select-before-operate' }),
    ).rejects.toMatchObject({
      code: 'client.select',
    });
    await expect(client.command({ ca: 1, ioa: 1, typeId: 49, value: 40_000 })).rejects.toMatchObject({
      fault: 'caller',
    });
    await expect(client.command({ ...BREAKER, ioa: 2 ** 24 })).rejects.toMatchObject({ fault: 'caller' });
    expect(rtu.received).toEqual([]);
    await expect(client.command(BREAKER)).resolves.toMatchObject({ kind: 'confirmed' });
  });

  test('while not started a command is rejected and says that nothing was sent', async () => {
    const client = new Iec104Client({ transport: new MiniRtu(new VirtualClock()).connect });
    await expect(client.command(BREAKER)).rejects.toMatchObject({
      code: 'client.notStarted',
      message: 'C_DC_NA_1 CA 1 IOA 5000: the client is disconnected; nothing was sent',
    });
  });
});
