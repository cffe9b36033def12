/** Calls that are given up, peers that fall silent, ends in every state; in memory and over TCP. */
import { PAIRS, turn, until, VirtualClock } from '@enerchain/transport/testing';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { MmsError } from '../../src/errors.ts';
import { DEFAULT_ASSOCIATION } from '../../src/machine/defaults.ts';
import { type ClientOptions, MmsClient } from '../../src/session/client.ts';
import { MmsServerSession, type ServerOptions } from '../../src/session/server.ts';
import { SERVICE_BITS, type ServiceBit, servicesOf } from '../../src/spec/initiate.ts';
import { nameOf } from '../../src/spec/names.ts';
import type { MmsStatus, ResponseOf } from '../../src/spec/services.ts';
import { unhex } from '../support/fuzz.ts';
import { Wire } from '../support/wire.ts';

const identity: ResponseOf<'identify'> = { vendor: 'v', model: 'm', revision: '1' };
const access = { kind: 'variables', value: [{ specification: { kind: 'name', value: nameOf('a') } }] } as const;
const read = { withSpecification: false, access };
const code = (error: unknown) => (error as MmsError).code;

describe.each(PAIRS)('over $name', (pair) => {
  async function both(server: Partial<ServerOptions> = {}, options: ClientOptions = {}) {
    const clock = new VirtualClock();
    const { left, right, shutdown } = await pair.open();
    onTestFinished(shutdown);
    const closed: (MmsError | undefined)[] = [];
    const ended: (MmsError | undefined)[] = [];
    const session = new MmsServerSession(right, {
      clock,
      ...server,
      handlers: { identify: () => identity, ...server.handlers },
      onClose: (_, error) => closed.push(error),
    });
    const client = await MmsClient.associate(left, { clock, ...options, onClose: (error) => ended.push(error) });
    return { clock, session, client, closed, ended, left, right };
  }

  /** A server that answers reads when told to. */
  const slow = () => {
    const signals: AbortSignal[] = [];
    const answers: ((value: ResponseOf<'read'>) => void)[] = [];
    const handlers: ServerOptions['handlers'] = {
      read: (_, __, signal) => {
        signals.push(signal);
        return new Promise((resolve) => answers.push(resolve));
      },
    };
    return { signals, answers, handlers };
  };

  test('a call that is cancelled ends as the server says, and the server stops working on it', async () => {
    const { signals, handlers } = slow();
    const { client } = await both({ handlers });
    let number: number | undefined;
    const call = client.call('read', read, { onSent: (invokeId) => (number = invokeId) }).catch(code);
    await until(() => signals.length === 1);
    await client.cancel(number!);
    expect(await call).toBe('service.service-preempt');
    expect(signals[0]!.aborted).toBe(true);
    expect(await client.cancel(number!).catch(code)).toBe('service.cancel');
    expect(await client.call('identify', null)).toEqual(identity);
  });

  test('a signal gives up what waits without sending it, and cancels what was sent', async () => {
    const { signals, answers, handlers } = slow();
    const { client } = await both({ handlers });
    const sent = new AbortController();
    const waiting = new AbortController();
    const first = client.call('read', read, { signal: sent.signal }).catch(code);
    const others = Array.from({ length: 9 }, () => client.call('read', read));
    const last = client.call('read', read, { signal: waiting.signal }).catch(code);
    await until(() => signals.length === 10);
    waiting.abort();
    expect(await last).toBe('client.cancelled');
    sent.abort();
    expect(await first).toBe('service.service-preempt');
    for (const answer of answers) answer({ results: [] });
    await Promise.all(others);
    expect(signals).toHaveLength(10);
    expect(await client.call('read', read, { signal: sent.signal }).catch(code)).toBe('client.cancelled');
  });

  test('a server that cannot cancel is not asked to; its late answer is nobody’s', async () => {
    const { answers, handlers } = slow();
    const names = (Object.keys(SERVICE_BITS) as ServiceBit[]).filter((name) => name !== 'cancel');
    const { initiate } = DEFAULT_ASSOCIATION;
    const detail = { ...initiate.detail, services: servicesOf(names) };
    const { client } = await both({ handlers, association: { initiate: { ...initiate, detail } } });
    const controller = new AbortController();
    const call = client.call('read', read, { signal: controller.signal }).catch(code);
    await until(() => answers.length === 1);
    controller.abort();
    expect(await call).toBe('client.cancelled');
    answers[0]!({ results: [] });
    expect(await client.call('identify', null)).toEqual(identity);
  });

  test('each call has a time of its own', async () => {
    const { handlers, answers } = slow();
    const { client, clock } = await both({ handlers }, { callTimeout: 5_000 });
    const done: string[] = [];
    const note = (name: string) => (error: unknown) => done.push(`${name} ${code(error)}`);
    const long = client.call('read', read, { timeout: 60_000 }).then(() => done.push('long'));
    void client.call('read', read).catch(note('usual'));
    void client.call('read', read, { timeout: 100 }).catch(note('short'));
    await until(() => answers.length === 3);
    await clock.advance(100);
    expect(done).toEqual(['short client.timeout']);
    await clock.advance(4_900);
    expect(done).toEqual(['short client.timeout', 'usual client.timeout']);
    await clock.advance(50_000);
    answers[0]!({ results: [] });
    await long;
  });

  test('a request larger than agreed is told before it is sent; smaller ones go on', async () => {
    const initiate = { ...DEFAULT_ASSOCIATION.initiate, localDetail: 500 };
    const { client } = await both({ association: { initiate } });
    expect(client.initiate.localDetail).toBe(500);
    const many = Array.from({ length: 100 }, () => access.value[0]);
    const large = { withSpecification: false, access: { kind: 'variables', value: many } } as const;
    const error = await client.call('read', large).catch((e: MmsError) => e);
    expect(error).toMatchObject({ fault: 'caller', code: 'association.size' });
    expect(await client.call('identify', null)).toEqual(identity);
  });

  test('a silent peer is asked; one that answers stays, one that is gone is given up', async () => {
    let asked = 0;
    const identify = () => {
      asked++;
      return identity;
    };
    const { client, clock, ended, right } = await both(
      { handlers: { identify } },
      { keepAlive: 20_000, callTimeout: 5_000 },
    );
    await clock.advance(19_999);
    expect(asked).toBe(0);
    await clock.advance(1);
    expect(asked).toBe(1);
    await clock.advance(60_000);
    expect([asked, ended]).toEqual([4, []]);
    // From now on the connection is open on one side only: nothing is read there any more.
    right.pause();
    await clock.advance(25_000);
    expect(ended).toMatchObject([{ code: 'client.silent', fault: 'environment' }]);
    expect(await client.call('identify', null).catch(code)).toBe('client.closed');
    expect(client.outstanding).toBe(0);
  });

  test('a peer that reports is not asked', async () => {
    let asked = 0;
    const { session, clock } = await both(
      {
        handlers: {
          identify: () => {
            asked++;
            return identity;
          },
        },
      },
      { keepAlive: 10_000 },
    );
    for (let i = 0; i < 20; i++) {
      await clock.advance(5_000);
      session.report({ access: { kind: 'list', value: nameOf('RPT') }, results: [] });
      await turn();
    }
    expect(asked).toBe(0);
  });

  test('a server tells its state by itself', async () => {
    const told: MmsStatus[] = [];
    const { session } = await both({}, { onStatus: (status) => told.push(status) });
    expect(session.status({ logical: 2, physical: 1 })).toBe(true);
    await until(() => told.length === 1);
    expect(told).toEqual([{ logical: 2, physical: 1 }]);
  });

  test('a request that cannot be read is rejected by its number; too many of them end the association', async () => {
    const wire = new Wire();
    wire.run('responder', wire.responder.start(0));
    wire.run('initiator', wire.initiator.start(0));
    const { left, right, shutdown } = await pair.open();
    onTestFinished(shutdown);
    const malformed: number[] = [];
    const closed: unknown[] = [];
    const session = new MmsServerSession(right, {
      clock: new VirtualClock(),
      handlers: { identify: () => identity },
      onMalformed: (_, error) => malformed.push(error.fault === 'peer' ? 1 : 0),
      onClose: () => closed.push(1),
    });
    let received = '';
    left.open({ onData: (chunk) => (received += Buffer.from(chunk).toString('hex')), onClose: () => {} });
    for (const bytes of wire.sent.initiator) left.write(bytes);
    await until(() => session.initiate !== undefined);
    received = '';
    // A Read (a4) whose content is no access specification, as call 77; then a good Identify.
    left.write(request(77, 'a403800142'));
    left.write(request(78, '8200'));
    await until(() => received.includes('02014e'));
    // rejectPDU: originalInvokeID 77, confirmed-requestPDU: invalid-argument.
    expect(received).toContain('a40680014d810104');
    for (let i = 0; i < 15; i++) left.write(request(i, 'a403800142'));
    await until(() => malformed.length === 16);
    await turn();
    expect(closed).toEqual([]);
    left.write(request(99, 'a403800142'));
    await until(() => closed.length === 1);
    expect(malformed).toEqual(Array(17).fill(1));
  });

  test('abort and conclude, in every state', async () => {
    const { handlers, answers } = slow();
    const { client, ended, closed } = await both({ handlers });
    const call = client.call('read', read).catch(code);
    await until(() => answers.length === 1);
    const concluding = client.conclude().catch(code);
    const meanwhile = [client.conclude(), client.call('identify', null)].map((one) => one.catch(code));
    expect(await Promise.all(meanwhile)).toEqual(['client.closed', 'client.closed']);
    // The server is at work: it wants to go on, and so the client can.
    expect(await concluding).toBe('service.conclude');
    expect(await client.call('identify', null)).toEqual(identity);
    client.abort();
    client.abort();
    expect(await call).toBe('client.closed');
    expect(await client.conclude().catch(code)).toBe('client.closed');
    expect(await client.cancel(1).catch(code)).toBe('client.closed');
    await until(() => closed.length === 1);
    expect(ended).toEqual([undefined]);
  });

  test('an abort while it associates rejects, once', async () => {
    const clock = new VirtualClock();
    const { left, right, shutdown } = await pair.open();
    onTestFinished(shutdown);
    right.open({ onData: () => right.destroy(), onClose: () => {} });
    const ended: unknown[] = [];
    const connecting = MmsClient.associate(left, { clock, onClose: (error) => ended.push(error) });
    expect(await connecting.catch(code)).toBe('association.lost');
    expect([ended, clock.pending]).toEqual([[], 0]);
  });

  test('a server that is full says so in an answer', async () => {
    const { left, right, shutdown } = await pair.open();
    onTestFinished(shutdown);
    const clock = new VirtualClock();
    new MmsServerSession(right, { handlers: {}, clock, full: true });
    const error = await MmsClient.associate(left, { clock }).catch((e: MmsError) => e);
    expect(error).toMatchObject({ code: 'association.refused', message: expect.stringContaining('for the moment') });
  });
});

/** A confirmed request in one TPKT, with a service that is given as octets. */
function request(invokeId: number, service: string): Uint8Array {
  const wrap = (head: string, hex: string, length = hex.length / 2): string =>
    head + length.toString(16).padStart(2, '0') + hex;
  const mms = wrap('a0', `0201${invokeId.toString(16).padStart(2, '0')}${service}`);
  const user = wrap('61', wrap('30', `020103${wrap('a0', mms)}`));
  const packet = `02f08001000100${user}`;
  return unhex(`0300${(packet.length / 2 + 4).toString(16).padStart(4, '0')}${packet}`);
}
