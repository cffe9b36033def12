/** A server that asks its client, as ObtainFile wants it. */
import { PAIRS, until, VirtualClock } from '@enerchain/transport/testing';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { MmsError } from '../../src/errors.ts';
import { type ClientOptions, MmsClient } from '../../src/session/client.ts';
import { MmsRefusal } from '../../src/session/refusal.ts';
import { MmsServerSession } from '../../src/session/server.ts';
import { serviceErrorOf } from '../../src/spec/faults.ts';

const code = (error: unknown) => (error as MmsError).code;

describe.each(PAIRS)('over $name', (pair) => {
  async function both(client: ClientOptions = {}) {
    const clock = new VirtualClock();
    const { left, right, shutdown } = await pair.open();
    onTestFinished(shutdown);
    const closed: (MmsError | undefined)[] = [];
    const session = new MmsServerSession(right, {
      clock,
      handlers: { identify: () => ({ vendor: 'v', model: 'm', revision: '1' }) },
      onClose: (_, error) => closed.push(error),
    });
    return { clock, session, closed, client: await MmsClient.associate(left, { clock, ...client }) };
  }

  test('a client answers what it has handlers for, while it asks itself', async () => {
    const { session, client } = await both({
      handlers: {
        fileRead: (frsm) => ({ data: Uint8Array.of(frsm), moreFollows: false }),
        fileOpen: async () => {
          throw new MmsRefusal({ error: serviceErrorOf('file', 'file-non-existent') });
        },
        fileClose: () => {
          throw new Error('broken');
        },
      },
    });
    const [answer, mine] = await Promise.all([session.call('fileRead', 7), client.call('identify', null)]);
    expect([[...answer.data], mine.vendor]).toEqual([[7], 'v']);
    expect(await session.call('fileOpen', { name: ['x'], position: 0 }).catch(code)).toBe('service.file');
    expect(await session.call('fileClose', 7).catch(code)).toBe('service.others');
    expect(await session.call('status', true).catch(code)).toBe('service.rejected');
  });

  test('one that has none is not to be asked: the association ends', async () => {
    const ended: unknown[] = [];
    const { session } = await both({ onClose: (error) => ended.push(error?.code) });
    await expect(session.call('identify', null)).rejects.toMatchObject({ code: 'association.lost' });
    expect(ended).toEqual(['client.answer']);
    await expect(session.call('identify', null)).rejects.toMatchObject({ code: 'association.lost' });
  });

  test('silence ends a call in time, its late answer is nobody’s; no more are under way than agreed', async () => {
    const answers: (() => void)[] = [];
    const { session, clock, client } = await both({
      handlers: {
        identify: () =>
          new Promise((resolve) => void answers.push(() => resolve({ vendor: 'late', model: '', revision: '' }))),
      },
    });
    const most = session.initiate!.outstandingCalled;
    const calls = Array.from({ length: most }, () => session.call('identify', null, 1_000).catch(code));
    expect(await session.call('identify', null).catch(code)).toBe('server.outstanding');
    await until(() => answers.length === most);
    answers.shift()!();
    expect(await calls[0]).toMatchObject({ vendor: 'late' });
    await clock.advance(1_000);
    expect(await Promise.all(calls.slice(1))).toEqual(Array(most - 1).fill('server.timeout'));
    // Those that are still owed count.
    for (const answer of answers.splice(0)) answer();
    await client.call('identify', null);
    const again = session.call('identify', null, 1_000);
    await until(() => answers.length === 1);
    answers[0]!();
    expect(await again).toMatchObject({ vendor: 'late' });
  });

  test('an association that ends takes its calls along', async () => {
    const { session, client } = await both({ handlers: { identify: () => new Promise(() => {}) } });
    const call = session.call('identify', null).catch(code);
    client.abort();
    expect(await call).toBe('association.lost');
  });
});
