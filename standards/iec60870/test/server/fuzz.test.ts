import { memoryPair } from '@enerchain/transport';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { asdu } from '../../src/codec/asdu.ts';
import { FileServer } from '../../src/files/file-server.ts';
import type { ServerHandlers } from '../../src/server/handlers.ts';
import type { ServerConnection } from '../../src/server/server-connection.ts';
import { DEFAULT_PARAMETERS } from '../../src/spec/parameters.ts';
import { TYPES } from '../../src/spec/types.ts';
import { asduOf } from '../support/arbitraries.ts';
import { turn, VirtualClock, worlds } from './support.ts';

/** A station that serves everything, so that nothing is turned away at the door. */
const everything: ServerHandlers = {
  interrogation: () => [{ typeId: 1, objects: [{ address: 1, element: { kind: 'single', value: 1, quality: 0 } }] }],
  counterInterrogation: () => [],
  read: () => undefined,
  command: () => 'accept',
  clockSync: () => undefined,
  resetProcess: () => undefined,
  delayAcquisition: () => undefined,
  parameter: () => undefined,
};
const interrogation = asdu({
  typeId: 100,
  cause: 6,
  commonAddress: 1,
  objects: [{ address: 0, element: { kind: 'interrogation', qualifier: 20 } }],
});

function open() {
  const clock = new VirtualClock();
  const errors: unknown[] = [];
  const files = new FileServer<ServerConnection>({
    clock,
    store: {
      list: () => [],
      read: () => new Uint8Array(1000),
      write: () => {},
      delete: () => true,
      query: () => new Uint8Array(10),
    },
  });
  return { errors, options: { clock, files, handlers: everything, onError: (error: unknown) => errors.push(error) } };
}

describe('server under arbitrary input', () => {
  it('answers or refuses any ASDU of any type, with any cause and address, and keeps the connection', async () => {
    const requests = fc.array(
      fc.record({
        base: fc.constantFrom(...TYPES).chain((spec) => asduOf(spec, false, DEFAULT_PARAMETERS)),
        cause: fc.option(fc.integer({ min: 0, max: 63 }), { nil: undefined }),
        commonAddress: fc.constantFrom(0, 1, 2, 0xffff),
      }),
      { minLength: 1, maxLength: 25 },
    );
    await fc.assert(
      fc.asyncProperty(requests, async (sent) => {
        const { errors, options } = open();
        const world = await worlds.memory(options);
        const master = await world.connect();
        for (const { base, cause, commonAddress } of sent) {
          const spec = TYPES.find((type) => type.id === base.typeId)!;
          const legal = spec.controlCauses[0];
          master.connection.send({ ...base, commonAddress, cause: cause ?? legal ?? 3 });
          await turn(1);
        }
        await turn(5);
        expect(errors).toEqual([]);
        expect(world.server.connections()).toHaveLength(1);
        master.asdus.length = 0;
        master.connection.send(interrogation);
        await world.settle(
          () => master.asdus.some((a) => a.typeId === 100 && a.cause === 10),
          'an interrogation after it all',
        );
        await world.close();
      }),
      { numRuns: 60 },
    );
  });

  it('ends a connection that sends octets of its own invention, and only that one', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.uint8Array({ minLength: 1, maxLength: 300 }), { minLength: 1, maxLength: 6 }),
        async (chunks) => {
          const { options } = open();
          const world = await worlds.memory({ ...options, redundancy: 'per-connection' });
          const neighbour = await world.connect();
          const [left, right] = memoryPair();
          left.open({ onData: () => {}, onClose: () => {} });
          world.server.attach(right);
          for (const chunk of chunks) {
            left.write(Uint8Array.from(chunk));
            await turn(1);
          }
          neighbour.connection.send(interrogation);
          await world.settle(() => neighbour.asdus.some((a) => a.cause === 10), 'an answer for the neighbour');
          await world.close();
        },
      ),
      { numRuns: 60 },
    );
  });
});
