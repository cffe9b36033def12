import { turn, until, VirtualClock } from '@enerchain/transport/testing';
import { describe, expect, test } from 'vitest';
import { Backoff } from '../../src/client/backoff.ts';
import { Iec104Client } from '../../src/client/client.ts';
import type { ClientState, Iec104ClientOptions } from '../../src/client/options.ts';
import type { Asdu } from '../../src/codec/asdu.ts';
import type { Receipt } from '../../src/session/connection.ts';
import { COT } from '../../src/spec/causes.ts';
import { type Answer, MiniRtu } from '../support/mini-rtu.ts';

async function station(answer: Answer = () => {}, options: Partial<Iec104ClientOptions> = {}) {
  const clock = new VirtualClock();
  const rtu = new MiniRtu(clock, answer);
  const asdus: Asdu[] = [];
  const receipts: Receipt[] = [];
  const states: ClientState[] = [];
  const client = new Iec104Client({
    transport: rtu.connect,
    clock,
    random: () => 0,
    onAsdu: (received, receipt) => {
      asdus.push(received);
      receipts.push(receipt);
    },
    onState: (state) => states.push(state),
    ...options,
  });
  client.start();
  await until(() => client.state === 'started');
  return { clock, rtu, client, asdus, receipts, states };
}

describe('a client', () => {
  test('connects, starts data transfer, hands on ASDUs and closes in order', async () => {
    const { rtu, client, asdus, states } = await station();
    rtu.value(1, COT.spontaneous);
    await until(() => asdus.length === 1);
    await client.close();
    await until(() => rtu.connection.closed);
    expect(states).toEqual(['connecting', 'connected', 'started', 'closed']);
    expect(rtu.connection.transfer).toBe('closed');
    expect(rtu.connection.unacknowledged).toBe(0);
    expect(client.counters).toMatchObject({ connects: 1, iReceived: 1, objectsReceived: 1 });
  });

  test('reconnects with a wait that doubles, and begins small again after a connection that held', async () => {
    const { clock, rtu, client } = await station(() => {}, { reconnect: { initial: 1, maximum: 8, jitter: 0.5 } });
    await clock.advance(9_000);
    rtu.up = false;
    rtu.connection.close();
    await until(() => client.state === 'disconnected');
    const at: number[] = [];
    for (let second = 0; second < 40; second++) {
      const before = rtu.attempts;
      await clock.advance(1000);
      if (rtu.attempts > before) at.push(second + 1);
    }
    expect(at).toEqual([1, 3, 7, 15, 23, 31, 39]);
    rtu.up = true;
    await clock.advance(10_000);
    expect(client.state).toBe('started');
    expect(client.counters.connectFailures).toBe(7);
  });

  test('jitter shortens the wait by a random share', () => {
    const waits = [0, 0.5, 1].map((random) => new Backoff({ initial: 10, jitter: 0.4 }, () => random).next());
    expect(waits).toEqual([10_000, 8_000, 6_000]);
  });

  test('gives up a connection attempt after t0', async () => {
    const clock = new VirtualClock();
    const reasons: (string | undefined)[] = [];
    const client = new Iec104Client({
      clock,
      parameters: { t0: 5 },
      transport: (signal) =>
        new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error))),
      onState: (_, reason) => reasons.push(reason),
    });
    client.start();
    await clock.advance(5_100);
    expect(client.state).toBe('disconnected');
    expect(reasons.at(-1)).toBe('no answer within t0 (5 s)');
    await client.close();
    expect(clock.pending).toBe(0);
  });

  test('a closed client leaves no timer behind', async () => {
    const { client, clock, rtu } = await station();
    await client.close();
    await until(() => rtu.connection.closed);
    expect(clock.pending).toBe(0);
  });

  test('manual acknowledgement keeps receipts until they are released', async () => {
    const { rtu, client, receipts } = await station(() => {}, { acknowledge: 'manual', parameters: { k: 12, w: 8 } });
    for (let i = 1; i <= 10; i++) rtu.value(i, COT.spontaneous);
    await until(() => receipts.length === 10);
    expect(client.pendingReceipts).toBe(10);
    expect(rtu.connection.unacknowledged).toBe(10);
    receipts[9]!.release();
    await until(() => rtu.connection.unacknowledged === 0);
    expect(client.pendingReceipts).toBe(0);
  });

  test('a receipt of an earlier connection does nothing', async () => {
    const { rtu, client, clock, receipts } = await station(() => {}, { acknowledge: 'manual' });
    rtu.value(1, COT.spontaneous);
    await until(() => receipts.length === 1);
    rtu.connection.close();
    await clock.advance(2000);
    await until(() => client.state === 'started');
    rtu.value(2, COT.spontaneous);
    await until(() => receipts.length === 2);
    receipts[0]!.release();
    expect(client.pendingReceipts).toBe(1);
  });
});

describe('interrogation', () => {
  test('resolves with the termination and counts what came', async () => {
    const { client, asdus } = await station((received, rtu) => {
      rtu.mirror(received, 7);
      for (let i = 1; i <= 3; i++) rtu.value(i, 20);
      rtu.value(9, COT.spontaneous);
      rtu.mirror(received, 10);
    });
    await expect(client.interrogate(1)).resolves.toEqual({ terminated: true, asdus: 3, objects: 3 });
    expect(asdus).toHaveLength(6);
  });

  test('of a group waits for the cause of that group', async () => {
    const { client } = await station((received, rtu) => {
      rtu.mirror(received, 7);
      rtu.value(1, 23);
      rtu.value(1, 20);
      rtu.mirror(received, 10);
    });
    await expect(client.interrogate(1, 23)).resolves.toEqual({ terminated: true, asdus: 1, objects: 1 });
  });

  test('to all stations waits until every one that confirmed has terminated and nothing follows', async () => {
    const { client, clock, rtu } = await station((received, own) => {
      for (const commonAddress of [1, 2]) {
        own.mirror({ ...received, commonAddress }, 7);
        own.value(5, 20, commonAddress);
        own.mirror({ ...received, commonAddress }, 10);
      }
    });
    const result = client.interrogate(0xffff);
    await until(() => rtu.received.length === 1);
    expect(rtu.received[0]!.commonAddress).toBe(0xffff);
    await clock.advance(2_100);
    await expect(result).resolves.toEqual({ terminated: true, asdus: 2, objects: 2 });
  });

  test('is refused by a negative confirmation', async () => {
    const { client } = await station((received, rtu) => rtu.mirror(received, 46, true));
    await expect(client.interrogate(3)).rejects.toMatchObject({
      name: 'Iec104Error',
      code: 'client.refused',
      causeOfTransmission: 46,
      message: 'C_IC_NA_1 CA 3 cause 20 was refused: unknown common address of ASDU',
    });
  });

  test('without a confirmation is an error, without a termination a result that says so', async () => {
    const { client, clock, rtu } = await station();
    const unanswered = client.interrogate(1).catch((error: Error) => error.message);
    await clock.advance(10_100);
    expect(await unanswered).toBe('C_IC_NA_1 CA 1 cause 20: no confirmation within 10 s');
    rtu.answer = (received) => {
      rtu.mirror(received, 7);
      rtu.value(1, 20);
    };
    const result = client.interrogate(1, 20, { actterm: 5 });
    await clock.advance(5_100);
    await expect(result).resolves.toEqual({ terminated: false, asdus: 1, objects: 1 });
  });

  test('of counters asks with RQT and FRZ and counts the counters of that group', async () => {
    const { client, rtu } = await station((received, own) => {
      own.mirror(received, 7);
      own.value(1, 39);
      own.mirror(received, 10);
    });
    await expect(client.counterInterrogation(1, { request: 2, freeze: 1 })).resolves.toMatchObject({ asdus: 1 });
    expect(rtu.received[0]!.objects[0]!.element).toEqual({ kind: 'counterInterrogation', request: 2, freeze: 1 });
  });
});

describe('requests', () => {
  test('clock synchronisation sends the time and resolves with the time the station had', async () => {
    const { client, rtu } = await station((received, own) => own.mirror(received, 7));
    const at = Date.UTC(2026, 6, 1, 10, 30, 15, 250);
    const answer = await client.synchronizeClock(1, at);
    expect(answer?.toJSON()).toMatchObject({
      year: 26,
      month: 7,
      day: 1,
      dayOfWeek: 3,
      hour: 10,
      minute: 30,
      milliseconds: 15_250,
    });
    expect(rtu.received[0]!.typeId).toBe(103);
  });

  test('read resolves with the value, or rejects when the object is unknown', async () => {
    const { client } = await station((received, rtu) => {
      const { address } = received.objects[0]!;
      if (address === 7) rtu.value(7, COT.request);
      else rtu.mirror(received, 47, true);
    });
    await expect(client.read(1, 7)).resolves.toMatchObject({ typeId: 1, cause: 5 });
    await expect(client.read(1, 8)).rejects.toMatchObject({ causeOfTransmission: 47 });
  });

  test('test, reset process and parameters are confirmed', async () => {
    const { client, rtu } = await station((received, own) => own.mirror(received, received.cause + 1));
    await client.test(1);
    await client.test(1, { counter: 77 });
    await client.resetProcess(1, 2);
    await client.setParameter({ ca: 1, ioa: 4, typeId: 112, value: 0.5, qualifier: 1 });
    await client.activateParameter(1, 4, 3);
    await client.activateParameter(1, 4, 3, false);
    expect(rtu.received.map((received) => [received.typeId, received.cause])).toEqual([
      [104, 6],
      [107, 6],
      [105, 6],
      [112, 6],
      [113, 6],
      [113, 8],
    ]);
  });

  test('more requests than k wait for the window in order', async () => {
    const { client, rtu } = await station((received, own) => own.mirror(received, 7), { parameters: { k: 2, w: 1 } });
    const outcomes = Array.from({ length: 20 }, (_, i) =>
      client.command({ ca: 1, ioa: i + 1, typeId: 45, value: 1, timeouts: { actterm: 0 } }),
    );
    // The small RTU acknowledges with w = 8 or with its own I frames.
    await Promise.all(outcomes);
    expect(rtu.received.map((received) => received.objects[0]!.address)).toEqual(
      Array.from({ length: 20 }, (_, i) => i + 1),
    );
  });

  test('a lost connection rejects what waits', async () => {
    const { client, rtu } = await station();
    const answer = client.read(1, 5).catch((error: Error) => error.message);
    await until(() => rtu.received.length === 1);
    rtu.connection.close();
    expect(await answer).toMatch(/^C_RD_NA_1 CA 1 IOA 5: .* before the answer came$/);
    await turn();
    expect(client.counters.requests).toMatchObject({ started: 1, lost: 1 });
  });
});
