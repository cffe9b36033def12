/** A peer that sends anything at any time: the connection goes on or closes once with a typed error; nothing is thrown. */

import { memoryPair } from '@enerchain/transport';
import { VirtualClock } from '@enerchain/transport/testing';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { encodeApdu } from '../../src/codec/apdu.ts';
import { asdu } from '../../src/codec/asdu.ts';
import { Iec104Error } from '../../src/errors.ts';
import { Connection } from '../../src/session/connection.ts';
import { completeParameters, DEFAULT_PARAMETERS } from '../../src/spec/parameters.ts';

const value = asdu({
  typeId: 1,
  cause: 3,
  commonAddress: 1,
  objects: [{ address: 1, element: { kind: 'single', value: 1, quality: 0 } }],
});

const frame = fc.oneof(
  { weight: 6, arbitrary: fc.nat(3).map((received) => ({ i: received })) },
  {
    weight: 2,
    arbitrary: fc
      .constantFrom('TESTFR act', 'TESTFR con', 'STARTDT act', 'STARTDT con', 'STOPDT act', 'STOPDT con')
      .map((u) => ({ u })),
  },
  { weight: 2, arbitrary: fc.nat(40).map((s) => ({ s })) },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 40 }).map((raw) => ({ raw })) },
  { weight: 1, arbitrary: fc.nat(30_000).map((wait) => ({ wait })) },
);

for (const role of ['controlling', 'controlled'] as const)
  for (const acknowledge of ['automatic', 'manual'] as const)
    test(`as ${role} station with ${acknowledge} acknowledgement`, async () => {
      const scenario = fc.asyncProperty(fc.array(frame, { maxLength: 40 }), async (frames) => {
        const [left, right] = memoryPair();
        const clock = new VirtualClock();
        const closes: unknown[] = [];
        const connection = new Connection({
          role,
          transport: left,
          clock,
          acknowledge,
          parameters: completeParameters({ k: 4, w: 2 }),
          handler: {
            onAsdu: (_, receipt) => {
              if (receipt.number % 3 === 0) receipt.release();
              connection.send(value);
            },
            onClose: (error) => closes.push(error),
          },
        });
        let ended = false;
        right.open({
          onData: () => {},
          onClose: () => {
            ended = true;
          },
        });
        connection.start();
        let sent = 0;
        for (const one of [{ u: role === 'controlling' ? 'STARTDT con' : 'STARTDT act' }, ...frames]) {
          if ('wait' in one) await clock.advance(one.wait);
          else if ('raw' in one) right.write(one.raw);
          else if ('i' in one)
            right.write(
              encodeApdu({ kind: 'I', sent: sent++ & 0x7fff, received: one.i, asdu: value }, DEFAULT_PARAMETERS),
            );
          else if ('s' in one) right.write(encodeApdu({ kind: 'S', received: one.s }, DEFAULT_PARAMETERS));
          else right.write(encodeApdu({ kind: 'U', function: one.u as 'TESTFR act' }, DEFAULT_PARAMETERS));
        }
        await clock.advance(100);
        expect(closes.length).toBe(connection.closed ? 1 : 0);
        if (closes[0] !== undefined) {
          expect(closes[0]).toBeInstanceOf(Iec104Error);
          expect((closes[0] as Iec104Error).fault).toBe('peer');
        }
        expect(connection.unacknowledged).toBeLessThanOrEqual(4);
        connection.close();
        await clock.advance(1);
        expect([closes.length, ended, clock.pending]).toEqual([1, true, 0]);
      });
      await fc.assert(scenario, { numRuns: 150 });
    });

test('a handler that throws closes its connection and says so, and the process goes on', async () => {
  const [left, right] = memoryPair();
  const clock = new VirtualClock();
  let closed: Iec104Error | undefined;
  const connection = new Connection({
    role: 'controlled',
    transport: left,
    clock,
    parameters: completeParameters(),
    handler: {
      onAsdu: () => {
        throw new TypeError('no such point');
      },
      onClose: (error) => {
        closed = error;
      },
    },
  });
  right.open({ onData: () => {}, onClose: () => {} });
  right.write(Buffer.from('680407000000', 'hex'));
  right.write(encodeApdu({ kind: 'I', sent: 0, received: 0, asdu: value }, DEFAULT_PARAMETERS));
  await clock.advance(1);
  expect(connection.closed).toBe(true);
  expect(closed).toMatchObject({ fault: 'caller', code: 'session.handler' });
  expect(closed?.message).toBe('IEC 104 memory:right: a handler threw (TypeError: no such point); connection closed');
});

test('a peer that sends but never reads is disconnected before its answers fill the memory', async () => {
  const clock = new VirtualClock();
  const [left, right] = memoryPair();
  let closed: Iec104Error | undefined;
  new Connection({
    role: 'controlled',
    transport: left,
    clock,
    parameters: completeParameters(),
    handler: {
      onAsdu: () => {},
      onClose: (error) => {
        closed = error;
      },
    },
  });
  right.open({ onData: () => {}, onClose: () => {} });
  right.pause();
  const tests = Buffer.alloc(6 * 5000, Buffer.from('680443000000', 'hex'));
  for (let i = 0; i < 60 && !closed; i++) {
    right.write(tests);
    await clock.advance(1);
  }
  expect(closed).toMatchObject({ fault: 'peer', code: 'session.notReading' });
});
