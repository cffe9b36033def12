import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Iec104Error } from '../../src/errors.ts';
import { type Master, turn, worlds } from './support.ts';

const cut = new Iec104Error('environment', 'test', 'the line was cut');

type Step =
  | { readonly do: 'enqueue'; readonly count: number }
  | { readonly do: 'connect' | 'cut' | 'close' | 'settle' | 'wait' };

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ do: fc.constant('enqueue' as const), count: fc.integer({ min: 1, max: 30 }) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constantFrom('connect' as const, 'cut' as const, 'close' as const) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constantFrom('settle' as const, 'wait' as const) }) },
);

describe('delivery of events', () => {
  it('under any order of takeovers and lost connections nothing accepted is missing, nothing is out of order, and repeats fit the window', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), fc.integer({ min: 1, max: 12 }), async (steps, k) => {
        const parameters = { k, w: Math.max(1, Math.floor((k * 2) / 3)) };
        const world = await worlds.memory({ parameters, queue: { capacity: 60 } });
        const { server, clock } = world;
        const masters: Master[] = [];
        const accepted: number[] = [];
        let next = 1;
        for (const what of steps) {
          if (what.do === 'enqueue') {
            for (let i = 0; i < what.count; i++, next++) {
              const element = { kind: 'bitstring', value: next, quality: 0 } as const;
              if (server.enqueue({ typeId: 7, commonAddress: 1, objects: [{ address: 1, element }] }))
                accepted.push(next);
            }
          } else if (what.do === 'connect') masters.push(await world.connect());
          else if (what.do === 'cut') masters.at(-1)?.connection.fail(cut);
          else if (what.do === 'close') masters.at(-1)?.connection.close();
          else if (what.do === 'settle') await turn(2);
          else await clock.advance(10_000);
        }
        // The last one stays until everything is acknowledged; t2 brings what w does not.
        masters.push(await world.connect());
        for (let i = 0; i < 20 && server.queue()!.size > 0; i++) await clock.advance(10_000);

        const heard = masters.map((m) => m.asdus.map((a) => (a.objects[0]!.element as { value: number }).value));
        const all = heard.flat();
        expect([...new Set(all)].sort((a, b) => a - b)).toEqual(accepted);
        let highest = 0;
        for (const values of heard) {
          for (const [i, value] of values.entries()) if (i > 0) expect(value).toBeGreaterThan(values[i - 1]!);
          // What comes again at a new connection is at most the window of the one before.
          expect(values.filter((value) => value <= highest).length).toBeLessThanOrEqual(k);
          highest = Math.max(highest, ...values);
        }
        const { counters } = server.queue()!;
        expect(counters).toMatchObject({ acknowledged: accepted.length, waiting: 0, inFlight: 0 });
        expect(counters.accepted + counters.lost).toBe(next - 1);
        await world.close();
      }),
      { numRuns: 120 },
    );
  });
});
