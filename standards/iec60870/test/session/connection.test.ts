import type { Transport } from '@enerchain/transport';
import { PAIRS, turn, until, VirtualClock } from '@enerchain/transport/testing';
import { afterEach, describe, expect, test } from 'vitest';
import { type Asdu, asdu } from '../../src/codec/asdu.ts';
import type { Iec104Error } from '../../src/errors.ts';
import { Connection, type Receipt } from '../../src/session/connection.ts';
import { completeParameters, type Parameters } from '../../src/spec/parameters.ts';

class Station {
  readonly asdus: Asdu[] = [];
  readonly receipts: Receipt[] = [];
  readonly malformed: Iec104Error[] = [];
  readonly states: string[] = [];
  acknowledged = 0;
  closes = 0;
  error: Iec104Error | undefined;
  readonly connection: Connection;

  constructor(
    role: 'controlling' | 'controlled',
    transport: Transport,
    clock: VirtualClock,
    parameters: Partial<Parameters>,
    acknowledge: 'automatic' | 'manual' = 'automatic',
  ) {
    this.connection = new Connection({
      role,
      transport,
      clock,
      acknowledge,
      parameters: completeParameters(parameters),
      handler: {
        onAsdu: (received, receipt) => {
          this.asdus.push(received);
          this.receipts.push(receipt);
        },
        onStarted: () => this.states.push('started'),
        onStopped: () => this.states.push('stopped'),
        onAcknowledged: (upTo) => {
          this.acknowledged = upTo;
        },
        onMalformed: (error) => this.malformed.push(error),
        onClose: (error) => {
          this.closes++;
          this.error = error;
        },
      },
    });
  }
}

const point = (address: number): Asdu =>
  asdu({
    typeId: 1,
    cause: 3,
    commonAddress: 7,
    objects: [{ address, element: { kind: 'single', value: 1, quality: 0 } }],
  });

for (const pair of PAIRS) {
  describe(`a connection over ${pair.name}`, () => {
    const shutdowns: (() => Promise<void>)[] = [];
    afterEach(async () => {
      for (const shutdown of shutdowns.splice(0)) await shutdown();
    });

    async function stations(
      parameters: Partial<Parameters> = {},
      acknowledge: 'automatic' | 'manual' = 'automatic',
    ): Promise<{ clock: VirtualClock; centre: Station; rtu: Station }> {
      const { left, right, shutdown } = await pair.open();
      shutdowns.push(shutdown);
      const clock = new VirtualClock();
      return {
        clock,
        centre: new Station('controlling', left, clock, parameters, acknowledge),
        rtu: new Station('controlled', right, clock, parameters),
      };
    }

    async function started(...given: Parameters2): ReturnType<typeof stations> {
      const all = await stations(...given);
      all.centre.connection.start();
      await until(() => all.centre.states.includes('started'), 'STARTDT con');
      return all;
    }

    test('carries ASDUs in order after STARTDT, in both directions', async () => {
      const { centre, rtu } = await started();
      expect(rtu.states).toEqual(['started']);
      for (let i = 1; i <= 5; i++) expect(rtu.connection.send(point(i))).toBe(i);
      expect(centre.connection.send(point(99))).toBe(1);
      await until(() => centre.asdus.length === 5 && rtu.asdus.length === 1);
      expect(centre.asdus.map((received) => received.objects[0]!.address)).toEqual([1, 2, 3, 4, 5]);
      expect(rtu.asdus).toEqual([point(99)]);
    });

    test('refuses to send before STARTDT and says so', async () => {
      const { rtu } = await stations();
      expect(rtu.connection.send(point(1))).toBe(0);
      expect(rtu.connection.counters.sendRefused).toBe(1);
    });

    test('sends at most k I frames and goes on when they are acknowledged after w', async () => {
      const { centre, rtu } = await started({ k: 12, w: 8 });
      let sent = 0;
      while (rtu.connection.send(point(++sent)) > 0);
      expect(sent).toBe(13);
      await until(() => rtu.acknowledged === 12, 'acknowledgement');
      expect(centre.connection.counters.sSent).toBeGreaterThanOrEqual(1);
      expect(rtu.connection.window).toBe(12);
    });

    test('works with k = w = 1', async () => {
      const { centre, rtu } = await started({ k: 1, w: 1 });
      for (let i = 1; i <= 5; i++) {
        await until(() => rtu.connection.window === 1, 'window');
        expect(rtu.connection.send(point(i))).toBe(i);
        expect(rtu.connection.send(point(i))).toBe(0);
      }
      await until(() => centre.asdus.length === 5);
    });

    test('acknowledges fewer than w frames after t2', async () => {
      const { clock, centre, rtu } = await started();
      rtu.connection.send(point(1));
      await until(() => centre.asdus.length === 1);
      await clock.advance(9_900);
      expect(rtu.acknowledged).toBe(0);
      await clock.advance(200);
      await until(() => rtu.acknowledged === 1, 'acknowledgement after t2');
    });

    test('tests an idle connection after t3 and stays open while it is answered', async () => {
      const { clock, centre, rtu } = await started();
      await clock.advance(61_000);
      expect(centre.connection.counters.testsSent + rtu.connection.counters.testsSent).toBeGreaterThanOrEqual(3);
      expect(centre.closes + rtu.closes).toBe(0);
    });

    test('closes when the peer does not answer within t1', async () => {
      const { left, right, shutdown } = await pair.open();
      shutdowns.push(shutdown);
      const clock = new VirtualClock();
      right.open({ onData: () => {}, onClose: () => {} });
      const centre = new Station('controlling', left, clock, {});
      centre.connection.start();
      await clock.advance(14_900);
      expect(centre.closes).toBe(0);
      await clock.advance(200);
      expect(centre.error).toMatchObject({ fault: 'peer', code: 'apci.t1' });
      expect(centre.error?.message).toMatch(/No confirmation of STARTDT within t1 \(15 s\); connection closed/);
    });

    test('manual acknowledgement: neither w nor t2 nor an own I frame tells the peer what is not released', async () => {
      const { clock, centre, rtu } = await started({ k: 12, w: 8, t1: 100, t2: 10 }, 'manual');
      for (let i = 1; i <= 12; i++) rtu.connection.send(point(i));
      await until(() => centre.asdus.length === 12);
      expect(centre.connection.pendingReceipts).toBe(12);
      await clock.advance(15_000);
      centre.connection.send(point(50));
      await until(() => rtu.asdus.length === 1);
      expect(rtu.acknowledged).toBe(0);
      centre.receipts[4]!.release();
      await until(() => rtu.acknowledged === 5, 'acknowledgement of the released five');
      expect(centre.connection.pendingReceipts).toBe(7);
      centre.receipts[1]!.release();
      centre.receipts[11]!.release();
      await clock.advance(10_100);
      await until(() => rtu.acknowledged === 12, 'acknowledgement of all');
      expect(centre.connection.pendingReceipts).toBe(0);
    });

    test('a malformed ASDU is dropped, counted and acknowledged; the connection goes on', async () => {
      const { left, right, shutdown } = await pair.open();
      shutdowns.push(shutdown);
      const clock = new VirtualClock();
      const centre = new Station('controlling', left, clock, { w: 1 }, 'manual');
      const chunks: Buffer[] = [];
      right.open({ onData: (chunk) => chunks.push(Buffer.from(chunk)), onClose: () => {} });
      centre.connection.start();
      await until(() => chunks.length === 1);
      right.write(Buffer.from('68040b000000', 'hex'));
      right.write(Buffer.from('680d000000000d0203000700010000', 'hex'));
      right.write(Buffer.from('680e0200000001010300070001000001', 'hex'));
      await until(() => centre.asdus.length === 1 && centre.malformed.length === 1);
      expect(centre.malformed[0]!.message).toMatch(
        /^IEC 104 .*: M_ME_NC_1 at offset 6: .*; ASDU dropped, connection kept$/,
      );
      expect(centre.connection.counters.asdusMalformed).toBe(1);
      expect(centre.connection.pendingReceipts).toBe(1);
      centre.receipts[0]!.release();
      await until(() => Buffer.concat(chunks).toString('hex').endsWith('680401000400'), 'S frame with N(R) 2');
    });

    for (const [what, hex, code] of [
      ['an octet that is no start', '00', 'apdu.start'],
      ['an impossible length', '6803', 'apdu.length'],
      ['an unknown control function', '68040f000000', 'apdu.function'],
      ['an S frame that is too long', '680501000000ff', 'apdu.length'],
      ['a wrong N(S)', '680e0200000001010300070001000001', 'apci.sendSequence'],
      ['a wrong N(R)', '680e0000020001010300070001000001', 'apci.receiveSequence'],
      ['an acknowledgement of what was never sent', '680401000200', 'apci.receiveSequence'],
      ['a request of the wrong direction', '680407000000', 'apci.function'],
    ] as const) {
      test(`${what} closes the connection with a typed error`, async () => {
        const { left, right, shutdown } = await pair.open();
        shutdowns.push(shutdown);
        const centre = new Station('controlling', left, new VirtualClock(), {});
        let ended = false;
        right.open({
          onData: () => {},
          onClose: () => {
            ended = true;
          },
        });
        centre.connection.start();
        right.write(Buffer.from(`68040b000000${hex}`, 'hex'));
        await until(() => centre.closes === 1 && ended, 'close');
        expect(centre.error).toMatchObject({ name: 'Iec104Error', fault: 'peer', code });
        expect(centre.error?.message).toMatch(/connection closed$/);
      });
    }

    test('an I frame before STARTDT closes the connection of a controlled station', async () => {
      const { left, right, shutdown } = await pair.open();
      shutdowns.push(shutdown);
      const rtu = new Station('controlled', left, new VirtualClock(), {});
      right.open({ onData: () => {}, onClose: () => {} });
      right.write(Buffer.from('680e0000000064010600010000000014', 'hex'));
      await until(() => rtu.closes === 1);
      expect(rtu.error).toMatchObject({ code: 'apci.notStarted' });
      expect(rtu.asdus).toEqual([]);
    });

    test('STOPDT is confirmed only after the outstanding I frames are acknowledged', async () => {
      const { centre, rtu } = await started({}, 'manual');
      for (let i = 1; i <= 3; i++) rtu.connection.send(point(i));
      await until(() => centre.asdus.length === 3);
      centre.connection.stop();
      await turn();
      expect(rtu.connection.transfer).toBe('draining');
      expect(rtu.connection.send(point(4))).toBe(0);
      expect(centre.states).toEqual(['started']);
      expect(centre.connection.transfer).toBe('stopping');
      centre.receipts[2]!.release();
      await until(() => centre.states.includes('stopped'), 'STOPDT con');
      expect([rtu.acknowledged, rtu.connection.transfer]).toEqual([3, 'stopped']);
    });

    test('a controlled close acknowledges everything, stops and then closes without an error', async () => {
      const { centre, rtu } = await started();
      for (let i = 1; i <= 3; i++) rtu.connection.send(point(i));
      centre.connection.send(point(9));
      await until(() => centre.asdus.length === 3 && rtu.asdus.length === 1);
      centre.connection.stop();
      await until(() => centre.states.includes('stopped'), 'STOPDT con');
      expect(rtu.acknowledged).toBe(3);
      expect(rtu.states).toEqual(['started', 'stopped']);
      expect(centre.connection.unacknowledged).toBe(0);
      centre.connection.close();
      await until(() => rtu.closes === 1);
      expect([centre.error, rtu.error]).toEqual([undefined, undefined]);
      expect([centre.closes, rtu.closes]).toEqual([1, 1]);
    });

    test('a peer that ignores k is not read any further once too many receipts are unreleased', async () => {
      const { left, right, shutdown } = await pair.open();
      shutdowns.push(shutdown);
      const centre = new Station('controlling', left, new VirtualClock(), { k: 4, w: 2 }, 'manual');
      const rtu = new Station('controlled', right, new VirtualClock(), { k: 2000 });
      centre.connection.start();
      await until(() => rtu.states.includes('started'));
      for (let i = 1; i <= 40; i++) {
        rtu.connection.send(point(i));
        await turn();
      }
      expect(centre.connection.counters.readPauses).toBe(1);
      expect(centre.asdus.length).toBeLessThan(40);
      while (centre.asdus.length < 40) {
        centre.receipts.at(-1)!.release();
        await turn();
      }
      expect(centre.closes).toBe(0);
    });

    test('the sequence numbers wrap at 32768', async () => {
      const { centre, rtu } = await started({ k: 1000, w: 500 });
      let next = 1;
      while (next <= 33_000) {
        while (next <= 33_000 && rtu.connection.send(point(next & 0xffff)) > 0) next++;
        await until(() => rtu.connection.window > 0 || next > 33_000);
      }
      await until(() => centre.asdus.length === 33_000);
      expect(centre.asdus.every((received, i) => received.objects[0]!.address === i + 1)).toBe(true);
      expect(centre.closes + rtu.closes).toBe(0);
    });
  });
}

type Parameters2 = [parameters?: Partial<Parameters>, acknowledge?: 'automatic' | 'manual'];
