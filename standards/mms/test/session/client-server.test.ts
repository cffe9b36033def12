/** Client and server together, once in memory and once over TCP. */

import { PAIRS, until, VirtualClock } from '@enerchain/transport/testing';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { MmsError } from '../../src/errors.ts';
import { type ClientOptions, MmsClient } from '../../src/session/client.ts';
import { MmsRefusal } from '../../src/session/refusal.ts';
import { MmsServerSession, type ServerOptions } from '../../src/session/server.ts';
import { serviceErrorOf } from '../../src/spec/faults.ts';
import { nameOf } from '../../src/spec/names.ts';
import type { InformationReport, ResponseOf } from '../../src/spec/services.ts';
import { OID } from '../../src/upper/acse.ts';
import { unhex } from '../support/fuzz.ts';
import { Wire } from '../support/wire.ts';

const identity: ResponseOf<'identify'> = { vendor: 'v', model: 'm', revision: '1' };
const access = { kind: 'variables', value: [{ specification: { kind: 'name', value: nameOf('a') } }] } as const;
const read = { withSpecification: false, access };
const code = (error: unknown) => (error as MmsError).code;

describe.each(PAIRS)('over $name', (pair) => {
  async function both(server: Partial<ServerOptions> = {}, client: ClientOptions = {}) {
    const clock = new VirtualClock();
    const { left, right, shutdown } = await pair.open();
    onTestFinished(shutdown);
    const closed: (MmsError | undefined)[] = [];
    const session = new MmsServerSession(right, {
      clock,
      ...server,
      handlers: { identify: () => identity, ...server.handlers },
      onClose: (_, error) => closed.push(error),
    });
    const connecting = MmsClient.associate(left, { clock, ...client });
    return { clock, session, closed, connecting, left };
  }

  test('calls are answered, refusals are typed, what nobody serves is rejected', async () => {
    const failures: unknown[] = [];
    const { connecting, session } = await both({
      onFailure: (service, error) => failures.push([service, String(error)]),
      handlers: {
        read: async () => ({ results: [{ kind: 'success', value: { kind: 'float', value: 0.5 } }] }),
        write: () => {
          throw new MmsRefusal({ error: serviceErrorOf('access', 'object-access-denied') });
        },
        status: () => {
          throw new Error('broken');
        },
        fileRead: () => ({ data: new Uint8Array(70_000), moreFollows: false }),
      },
    });
    const client = await connecting;
    expect(session.initiate).toEqual(client.initiate);
    expect(await client.call('identify', null)).toEqual(identity);
    expect(await client.call('read', read)).toEqual({
      results: [{ kind: 'success', value: { kind: 'float', value: 0.5 } }],
    });
    expect(await client.call('write', { access, data: [] }).catch(code)).toBe('service.access');
    expect(await client.call('status', true).catch(code)).toBe('service.others');
    expect(failures).toEqual([['status', 'Error: broken']]);
    expect(await client.call('fileRead', 1).catch(code)).toBe('service.resource');
    expect(await client.call('fileClose', 1).catch(code)).toBe('service.rejected');
    expect(await client.call('fileRead', 1.5).catch(code)).toBe('ber.integer');
    expect(client.outstanding).toBe(0);
  });

  test('several calls at a time, never more than agreed, answers in any order', async () => {
    const waiting: ((value: ResponseOf<'read'>) => void)[] = [];
    let most = 0;
    const { connecting } = await both({
      handlers: {
        read: () =>
          new Promise((resolve) => {
            waiting.push(resolve);
            most = Math.max(most, waiting.length);
          }),
      },
    });
    const client = await connecting;
    const calls = Array.from({ length: 25 }, () => client.call('read', read));
    let answered = 0;
    void Promise.all(calls).then(() => {
      answered = calls.length;
    });
    await until(() => waiting.length === 10);
    expect(client.outstanding).toBe(10);
    await until(() => {
      waiting.pop()?.({ results: [] });
      return answered === 25;
    });
    expect(most).toBeLessThanOrEqual(11);
  });

  test('a call that nobody answers runs out of time; its late answer disturbs nothing', async () => {
    let late: ((value: ResponseOf<'read'>) => void) | undefined;
    const { connecting, clock } = await both(
      { handlers: { read: () => new Promise((resolve) => (late = resolve)) } },
      { callTimeout: 1000, queueLimit: 12 },
    );
    const client = await connecting;
    const call = client.call('read', read).catch(code);
    await until(() => late !== undefined);
    await clock.advance(1000);
    expect(await call).toBe('client.timeout');
    late!({ results: [] });
    expect(await client.call('identify', null)).toEqual(identity);
    const many = Array.from({ length: 23 }, () => client.call('read', read).catch(code));
    expect(await many[22]).toBe('client.queue');
    client.abort();
    expect(new Set(await Promise.all(many.slice(0, 22)))).toEqual(new Set(['client.closed']));
  });

  test('reports arrive in order', async () => {
    const reports: InformationReport[] = [];
    const { connecting, session } = await both({}, { onReport: (report) => reports.push(report) });
    await connecting;
    const report = (value: number): InformationReport => ({
      access: { kind: 'list', value: nameOf('RPT') },
      results: [{ kind: 'success', value: { kind: 'integer', value } }],
    });
    for (let i = 0; i < 100; i++) expect(session.report(report(i))).toBe(true);
    await until(() => reports.length === 100);
    expect(reports).toEqual(Array.from({ length: 100 }, (_, i) => report(i)));
  });

  test('conclude ends both sides in peace; afterwards nothing can be called', async () => {
    let ended: unknown = 'not yet';
    const { connecting, closed, session } = await both({}, { onClose: (error) => (ended = error) });
    const client = await connecting;
    await client.conclude();
    await until(() => closed.length === 1);
    expect([closed[0], ended]).toEqual([undefined, undefined]);
    expect(await client.call('identify', null).catch(code)).toBe('client.closed');
    expect(session.report({ access: { kind: 'list', value: nameOf('RPT') }, results: [] })).toBe(false);
  });

  test('a server that is still at work does not conclude', async () => {
    let signal: AbortSignal | undefined;
    const { connecting } = await both({
      handlers: { read: (_, __, given) => new Promise(() => (signal = given)) },
    });
    const client = await connecting;
    const call = client.call('read', read).catch(code);
    expect(await client.conclude().catch(code)).toBe('service.conclude');
    client.abort();
    expect(await call).toBe('client.closed');
    await until(() => signal!.aborted);
  });

  test('who shows the wrong password, or none, does not get in', async () => {
    const authenticate: ServerOptions['authenticate'] = (shown) =>
      shown?.value.kind === 'charstring' && shown.value.value === 'good';
    const show = (value: string) => ({
      association: { authentication: { mechanism: OID.password, value: { kind: 'charstring', value } as const } },
    });
    expect((await (await both({ authenticate }, show('good'))).connecting).initiate).toBeDefined();
    const wrong = await (await both({ authenticate }, show('bad'))).connecting.catch((error: MmsError) => error);
    expect((wrong as MmsError).message).toContain('diagnostic 13');
    const none = await (await both({ authenticate })).connecting.catch((error: MmsError) => error);
    expect((none as MmsError).message).toContain('diagnostic 14');
  });

  test('a client whose server says nothing gives up in time', async () => {
    const clock = new VirtualClock();
    const { left, right, shutdown } = await pair.open();
    onTestFinished(shutdown);
    right.open({ onData: () => {}, onClose: () => {} });
    const connecting = MmsClient.associate(left, { clock }).catch(code);
    await clock.advance(10_000);
    expect(await connecting).toBe('association.timeout');
    expect(clock.pending).toBe(0);
  });

  test('noise instead of MMS ends a session with an error of the peer', async () => {
    const { left, right, shutdown } = await pair.open();
    onTestFinished(shutdown);
    const closed: (MmsError | undefined)[] = [];
    new MmsServerSession(right, { handlers: {}, clock: new VirtualClock(), onClose: (_, error) => closed.push(error) });
    left.open({ onData: () => {}, onClose: () => {} });
    left.write(unhex('474554202f20485454502f312e310d0a'));
    await until(() => closed.length === 1);
    expect(closed[0]).toMatchObject({ fault: 'peer', code: 'tpkt.version' });
  });

  test('a request and noise behind it, in one piece: an error of the peer, no exception', async () => {
    const wire = new Wire();
    wire.run('responder', wire.responder.start(0));
    wire.run('initiator', wire.initiator.start(0));
    const { left, right, shutdown } = await pair.open();
    onTestFinished(shutdown);
    const closed: (MmsError | undefined)[] = [];
    let asked = 0;
    const session = new MmsServerSession(right, {
      clock: new VirtualClock(),
      handlers: {
        identify: () => {
          asked++;
          return identity;
        },
      },
      onClose: (_, error) => closed.push(error),
    });
    left.open({ onData: () => {}, onClose: () => {} });
    for (const bytes of wire.sent.initiator) left.write(bytes);
    await until(() => session.initiate !== undefined);
    const identify = unhex('0300001b02f08001000100610e300c020103a007a0050201018200');
    left.write(Buffer.concat([identify, unhex('ffffffff')]));
    await until(() => closed.length === 1);
    expect(closed[0]).toMatchObject({ code: 'tpkt.version' });
    expect(asked).toBe(1);
  });

  test('a request before the association is there ends it', async () => {
    const wire = new Wire().connect();
    wire.run('initiator', wire.initiator.send({ kind: 'concludeRequest', value: null }));
    const { left, right, shutdown } = await pair.open();
    onTestFinished(shutdown);
    const closed: (MmsError | undefined)[] = [];
    new MmsServerSession(right, { clock: new VirtualClock(), handlers: {}, onClose: (_, error) => closed.push(error) });
    left.open({ onData: () => {}, onClose: () => {} });
    left.write(Buffer.concat(wire.sent.initiator));
    await until(() => closed.length === 1);
    expect(closed[0]).toMatchObject({ fault: 'peer', code: 'association.unexpected' });
  });

  test('more calls than agreed are rejected; a client that does not read gets no more reports', async () => {
    const wire = new Wire();
    wire.run('responder', wire.responder.start(0));
    wire.run('initiator', wire.initiator.start(0));
    const before = wire.sent.initiator.length;
    wire.run('responder', wire.responder.accept(0));
    for (let invokeId = 0; invokeId < 30; invokeId++)
      wire.run(
        'initiator',
        wire.initiator.send({ kind: 'confirmedRequest', value: { invokeId, service: { kind: 'read', value: read } } }),
      );
    const { left, right, shutdown } = await pair.open();
    onTestFinished(shutdown);
    let asked = 0;
    const session = new MmsServerSession(right, {
      clock: new VirtualClock(),
      bufferLimit: 4000,
      handlers: {
        read: () => {
          asked++;
          return new Promise(() => {});
        },
      },
    });
    const received: Uint8Array[] = [];
    left.open({ onData: (chunk) => received.push(chunk), onClose: () => {} });
    for (const bytes of wire.sent.initiator.slice(0, before)) left.write(bytes);
    await until(() => session.initiate !== undefined);
    for (const bytes of wire.sent.initiator.slice(before)) left.write(bytes);
    await until(() => Buffer.concat(received).toString('hex').split('810106').length === 20);
    expect(asked).toBe(11);
    left.pause();
    const report: InformationReport = {
      access: { kind: 'list', value: nameOf('RPT') },
      results: [{ kind: 'success', value: { kind: 'octetString', value: new Uint8Array(60_000) } }],
    };
    let sent = 0;
    while (sent < 1000 && session.report(report)) sent++;
    expect(sent).toBeLessThan(1000);
    session.abort();
  });

  test('a connection that breaks fails what is under way', async () => {
    const { connecting, left } = await both({ handlers: { read: () => new Promise(() => {}) } });
    const client = await connecting;
    const call = client.call('read', read).catch((error: MmsError) => error);
    left.destroy();
    expect(await call).toMatchObject({ fault: 'environment', code: 'association.lost' });
  });
});
