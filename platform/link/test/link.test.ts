import { EnerchainError, newMrid } from '@enerchain/model';
import {
  CommandGuard,
  CommandSession,
  type Identity,
  makeIdentity,
  PLATFORM_TLS_PROFILE,
  requestFor,
  signCommand,
} from '@enerchain/trust';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { LinkClientOptions, LinkServerOptions } from '../src/index.ts';
import {
  ManualTime,
  makePki,
  memoryWire,
  newSigner,
  type Pki,
  settle,
  TestCentre,
  TestSource,
  tlsWire,
  until,
  type Wire,
  wallClock,
} from './world.ts';

let pki: Pki;
let edge: Identity;

beforeAll(async () => {
  pki = await makePki();
  edge = await pki.identity({ name: 'edge-nord', role: 'edge' });
});
afterAll(() => pki.remove());

/** The same tests over memory and over the real thing. */
describe.each(['memory', 'mTLS'] as const)('the link over %s', (medium) => {
  let time: ManualTime;
  let centre: TestCentre;
  let wire: Wire;
  const sources: TestSource[] = [];

  const setUp = async (options: Partial<LinkServerOptions> = {}) => {
    time = new ManualTime();
    centre = new TestCentre(pki.centre, { clock: time.clock, after: time.after, ...options });
    wire = medium === 'memory' ? memoryWire(centre.server, pki.centre) : await tlsWire(centre.server, pki.centre);
  };
  const source = (identity = edge, options: Partial<LinkClientOptions> = {}) => {
    const made = new TestSource(identity, {
      url: wire.url,
      connect: (...args) => wire.connect(...args),
      clock: time.clock,
      after: time.after,
      ...options,
    });
    sources.push(made);
    return made;
  };
  const online = (...list: TestSource[]) =>
    until(() => list.every(({ client }) => client.state === 'online'), 'the source is online');
  const drained = (from: TestSource) => until(() => from.store.count === 0, 'everything is acknowledged');

  beforeEach(() => setUp());
  afterEach(async () => {
    await Promise.all(sources.splice(0).map(({ client }) => client.close()));
    await wire.close();
  });

  it('carries batches and acknowledges them cumulatively', async () => {
    const a = source();
    a.client.start();
    await a.write(50);
    await drained(a);
    expect(centre.values.get('edge-nord')).toEqual(Array.from({ length: 50 }, (_, i) => i + 1));
    expect(a.client.counters.batchesSent).toBe(50);
  });

  it('takes batches signed in an HSM, over a connection made with another key, and goes on when both are renewed', async () => {
    const apart = await pki.identity({ name: 'edge-hsm', role: 'edge' }, newSigner());
    const renewed = await pki.identity({ name: 'edge-hsm', role: 'edge' }, apart.signer);
    const a = source(apart);
    a.client.start();
    await a.write(2);
    await drained(a);
    a.client.renewed(renewed);
    a.writer.renewed(renewed.kid);
    await a.write(2);
    await drained(a);
    expect(centre.values.get('edge-hsm')).toEqual([1, 2, 3, 4]);
    expect(a.client.counters.connections).toBe(1);
  });

  it('goes on when the certificate of the centre is renewed: commands name the new one, and those under way the old', async () => {
    const renewed = await pki.identity({ name: 'centre', role: 'centre' });
    await wire.close();
    let command = pki.centre.certificate.der;
    await setUp({ commandCertificate: () => command });
    const told: string[] = [];
    const a = source(edge, { onCentre: ({ kid }) => told.push(Buffer.from(kid).toString('hex')) });
    a.client.start();
    await online(a);
    expect(a.client.centreKeyOf(renewed.kid)).toBeUndefined();
    command = renewed.certificate.der;
    centre.server.renewed();
    await until(() => told.length === 1, 'the source has heard of it');
    expect(told).toEqual([Buffer.from(renewed.kid).toString('hex')]);
    for (const { kid } of [pki.centre, renewed]) {
      expect(a.client.centreKeyOf(kid)?.equals(pki.centre.signer.publicKey)).toBe(true);
    }
    await a.write(2);
    await drained(a);
    expect(a.client.counters.connections).toBe(1);
    // A certificate of somebody else is not taken, whoever brings it.
    command = edge.certificate.der;
    centre.server.renewed();
    await until(() => a.client.state === 'waiting', 'the source has left');
    expect(a.client.centreKeyOf(edge.kid)).toBeUndefined();
    expect(a.client.centre?.kid).toEqual(renewed.kid);
  });

  it('comes again when the centre has another key, and then believes what that signs', async () => {
    await wire.close();
    let command = pki.centre.certificate.der;
    await setUp({ commandCertificate: () => command });
    const a = source();
    a.client.start();
    await online(a);
    const rekeyed = await anotherCentre();
    command = rekeyed.certificate.der;
    centre.server.renewed();
    await until(() => a.client.state === 'waiting', 'the connection has ended');
    await a.write(2);
    await time.pass(30_000);
    await online(a);
    await drained(a);
    expect(a.client.centreKeyOf(rekeyed.kid)?.equals(rekeyed.signer.publicKey)).toBe(true);
    expect(a.client.centre?.kid).toEqual(rekeyed.kid);
    expect(centre.values.get('edge-nord')).toEqual([1, 2]);
  });

  const anotherCentre = async (): Promise<Identity> => {
    const signer = newSigner();
    const request = await requestFor({ name: 'centre', role: 'centre' }, signer);
    const certificatePem = await pki.ca.issue(request, { name: 'centre', role: 'centre' });
    return makeIdentity({ certificatePem, caPem: pki.centre.caPem, signer, tls: pki.centre.tls });
  };

  it('resumes exactly where the acknowledgement stands after a cut at any point', async () => {
    const a = source();
    a.client.start();
    await online(a);
    for (let round = 0; round < 8; round++) {
      await a.write(5);
      if (round % 2) await settle();
      wire.cut();
      await until(() => a.client.state === 'waiting', 'the cut is noticed');
      await a.write(3);
      await time.pass(30_000);
      await online(a);
    }
    await drained(a);
    expect(centre.values.get('edge-nord')).toEqual(Array.from({ length: 64 }, (_, i) => i + 1));
    expect(centre.verifier('edge-nord').cursors()[0]).toMatchObject({ epoch: 0, sequence: 63 });
  });

  it('sends live data of a new epoch before the backlog, and the join closes when the backlog is complete', async () => {
    await wire.close();
    await setUp({ window: 16 * 1024 });
    const a = source(edge, { onWelcome: () => a.writer.newEpoch() });
    await a.write(40);
    a.client.start();
    await online(a);
    await a.write(2);
    await drained(a);
    const live = centre.order.indexOf('1/0');
    expect(live).toBeGreaterThanOrEqual(0);
    expect(live).toBeLessThan(centre.order.indexOf('0/39'));
    expect(centre.order).toHaveLength(42);
    expect(centre.verifier('edge-nord')).toMatchObject({ completed: 0, highest: 1 });
  });

  it('never has more under way than the credit allows, and goes on when the centre has kept it', async () => {
    await wire.close();
    await setUp({ window: 8 * 1024 });
    let open: () => void = () => undefined;
    centre.gate = new Promise((resolve) => {
      open = resolve;
    });
    const a = source();
    await a.write(30);
    a.client.start();
    await online(a);
    await until(() => a.client.counters.batchesSent > 0, 'something is sent');
    await settle();
    const underWay = a.client.counters.batchesSent;
    expect(underWay).toBeLessThan(8);
    expect(a.store.count).toBe(30);
    open();
    await drained(a);
    expect(centre.values.get('edge-nord')).toHaveLength(30);
  });

  it('holds a narrow link to its bytes per second', async () => {
    const a = source(edge, { throttle: { bytesPerSecond: 1000 } });
    await a.write(20);
    a.client.start();
    await online(a);
    await settle();
    const first = a.client.counters.batchesSent;
    expect(first).toBeLessThan(6);
    for (let second = 0; second < 2; second++) await time.pass(1000);
    const later = a.client.counters.batchesSent;
    expect(later).toBeGreaterThan(first);
    expect(later - first).toBeLessThan(10);
    for (let second = 0; second < 10; second++) await time.pass(1000);
    await drained(a);
  });

  it('delivers a signed command that passes the guard once', async () => {
    const a = source();
    a.client.start();
    await online(a);
    await until(() => centre.server.peer('edge-nord') !== undefined, 'the peer is known');
    const guard = new CommandGuard({ source: 'edge-nord', clock: time.clock, keyOf: a.client.centreKeyOf });
    const session = new CommandSession(time.clock);
    session.challenged({ challenge: guard.challenge() });
    const command = session.answer({
      id: newMrid(),
      point: newMrid(),
      action: 'operate',
      value: 1,
      validFor: 5000,
      issuedAt: String(time.clock.now()),
      origin: { orCat: 'remoteControl', orIdent: 'operator' },
      target: 'edge-nord',
    });
    centre.server.peer('edge-nord')?.command(await signCommand(pki.centre.signer, pki.centre.kid, command));
    await until(() => a.commands.length === 1, 'the command arrives');
    const accepted = guard.accept(a.commands[0]!);
    expect(accepted.command).toEqual(command);
    expect(() => guard.accept(a.commands[0]!)).toThrow('used before');
    await time.pass(5001);
    expect(guard.isFresh(accepted)).toBe(false);
  });

  it('passes the status on, also the one given before there was a connection', async () => {
    const a = source();
    const report = { version: '1', startedAt: '0', endpoints: [], counters: { x: 1 } };
    a.client.status(report);
    a.client.start();
    await until(() => centre.reports.length === 1, 'the status arrives');
    expect(centre.reports[0]).toEqual(report);
  });

  it('answers requests in both directions, with errors that keep their code', async () => {
    centre.onRequest = (peer, method, params) => {
      if (method === 'grid.get') return { for: peer.source, params };
      throw new EnerchainError('caller', 'centre.forbidden', `${peer.source} may not ask ${method}`);
    };
    const a = source(edge, { onRequest: (_method, params) => ({ echo: params }) });
    a.client.start();
    await online(a);
    expect(await a.client.request('grid.get', { x: 1 })).toEqual({ for: 'edge-nord', params: { x: 1 } });
    await expect(a.client.request('command.operate', null)).rejects.toMatchObject({
      fault: 'caller',
      code: 'centre.forbidden',
    });
    await until(() => centre.server.peer('edge-nord') !== undefined, 'the peer is known');
    expect(await centre.server.peer('edge-nord')?.request('http', { path: '/x' })).toEqual({ echo: { path: '/x' } });
  });

  it('streams under the credit of the reader, and stops when the reader leaves', async () => {
    let written = 0;
    let stopped = false;
    centre.onRequest = async (_peer, _method, _params, context) => {
      try {
        for (;;) {
          await context.write({ n: written });
          written++;
        }
      } finally {
        stopped = true;
      }
    };
    const a = source();
    a.client.start();
    await online(a);
    const seen: unknown[] = [];
    for await (const item of a.client.stream('log.read', { from: 0 })) {
      seen.push(item);
      if (seen.length === 1) {
        await settle();
        expect(written).toBeLessThan(100);
      }
      if (seen.length === 200) break;
    }
    expect(seen[199]).toEqual({ n: 199 });
    await until(() => stopped, 'the writer is told');
    expect(written).toBeLessThan(300);
  });

  it('gives both ends the same octets to bind evidence to, and others on the next connection', async () => {
    const a = source();
    const atCentre = () => Buffer.from(centre.server.peer('edge-nord')!.exporter()).toString('hex');
    const atSource = () => Buffer.from(a.client.exporter()).toString('hex');
    a.client.start();
    await online(a);
    const first = atSource();
    expect(first).toMatch(/^[0-9a-f]{64}$/);
    expect(first).not.toBe('0'.repeat(64));
    expect(atCentre()).toBe(first);
    wire.cut();
    await until(() => a.client.state === 'waiting', 'the cut is noticed');
    expect(atSource).toThrow(expect.objectContaining({ code: 'link.offline' }));
    await time.pass(1000);
    await online(a);
    expect(atSource()).not.toBe(first);
    expect(atCentre()).toBe(atSource());
  });

  it('fails requests under way when the connection is lost, and refuses new ones at once', async () => {
    centre.onRequest = () => new Promise(() => undefined);
    const a = source();
    a.client.start();
    await online(a);
    const answer = expect(a.client.request('grid.get', null)).rejects.toMatchObject({ code: 'link.closed' });
    await settle();
    wire.cut();
    await answer;
    await until(() => a.client.state === 'waiting', 'the cut is noticed');
    await expect(a.client.request('grid.get', null)).rejects.toMatchObject({ code: 'link.offline' });
  });

  it('lets the newer of two connections with one identity win, with an event, and the older is patient', async () => {
    const a = source();
    const b = source();
    a.client.start();
    await online(a);
    b.client.start();
    await online(b);
    await until(() => a.client.state === 'waiting', 'the older is sent away');
    expect(a.states.at(-1)).toContain('link.replaced');
    expect(a.states.at(-1)).toContain('next attempt in 15000 ms');
    expect(centre.events.map(({ code }) => code)).toEqual(['link.identity.duplicate']);
    expect(centre.server.peers()).toHaveLength(1);
  });

  it('refuses the newer one where the policy says so', async () => {
    centre.onDuplicate = () => 'refuse';
    const a = source();
    const b = source();
    a.client.start();
    await online(a);
    b.client.start();
    await until(() => b.client.state === 'waiting', 'the newer is refused');
    expect(b.states.at(-1)).toContain('link.in-use');
    expect(a.client.state).toBe('online');
    expect(centre.events.map(({ code }) => code)).toEqual(['link.identity.duplicate']);
  });

  it('does not let one source speak for another', async () => {
    const a = source(edge, { source: 'edge-sued' });
    a.client.start();
    await until(() => a.client.state === 'waiting', 'the source is refused');
    expect(a.states.at(-1)).toContain('edge edge-nord may not speak for edge-sued');
    expect(centre.events.map(({ code }) => code)).toEqual(['link.hello.refused']);
  });

  it('rejects a batch with a broken chain, and nothing after it in that epoch counts', async () => {
    const a = source();
    a.client.start();
    await a.write(3);
    await drained(a);
    // The source forgets its last batch and writes another one under the same number.
    const forked = new TestSource(edge, { url: wire.url });
    await forked.write(4);
    for (const { sequence, bytes } of forked.store.read(0, 3, { count: 9, bytes: 1e6 })) {
      a.store.append({ epoch: 0, sequence }, bytes);
    }
    a.client.send();
    await until(() => a.rejections.length === 1, 'the batch is rejected');
    expect(a.rejections).toEqual(['link.chain.previous']);
    expect(centre.events.at(-1)?.code).toBe('link.batch.rejected');
    expect(centre.values.get('edge-nord')).toEqual([1, 2, 3]);
    expect(a.store.count).toBe(1);
  });

  it('tells a source whose memory is older than what it sent', async () => {
    const a = source();
    a.client.start();
    await a.write(5);
    await drained(a);
    await a.client.close();
    const behind: unknown[] = [];
    const restored = source(edge, { onBehind: (what) => behind.push(what) });
    await restored.write(2);
    restored.client.start();
    await online(restored);
    await settle();
    expect(behind).toEqual([{ epochs: [0], highest: 0 }]);
    expect(restored.store.count).toBe(2);
    restored.writer.restart(1);
    await restored.write(1);
    await until(() => restored.store.count === 2, 'the new epoch goes through');
    expect(centre.values.get('edge-nord')).toEqual([1, 2, 3, 4, 5, 3]);
  });

  it('backs off while the centre is away, with the wait doubling up to its bound', async () => {
    wire.up = false;
    const a = source(edge, { backoff: { initial: 1000, maximum: 8000 } });
    a.client.start();
    for (let i = 0; i < 6; i++) {
      await settle();
      await time.pass(8000);
    }
    await settle();
    const waits = a.states.flatMap((state) => /next attempt in (\d+) ms/.exec(state)?.[1] ?? []);
    expect(waits.slice(0, 6)).toEqual(['500', '1000', '2000', '4000', '4000', '4000']);
    wire.up = true;
    await time.pass(8000);
    await online(a);
  });

  it('gives up a silent peer on the monotonic clock, after having asked', async () => {
    const a = source();
    a.client.start();
    await online(a);
    await time.pass(12_000);
    await settle();
    expect(a.client.state).toBe('online');
    if (medium === 'mTLS') {
      // Real sockets answer in real time; the clock outruns them.
      await time.pass(9_000);
      await until(() => a.client.counters.messagesReceived > 2, 'the pong arrives');
    }
  });

  it('closes the connection, but loses nothing, when the centre cannot keep a batch', async () => {
    const keep = centre.onBatch.bind(centre);
    let full = true;
    centre.onBatch = (peer, bytes) =>
      full
        ? Promise.reject(new EnerchainError('environment', 'centre.log.full', 'the disk is full'))
        : keep(peer, bytes);
    const a = source();
    a.client.start();
    await a.write(3);
    await until(() => a.states.some((state) => state.includes('link.unavailable')), 'the source is told');
    expect(a.rejections).toEqual([]);
    full = false;
    for (let i = 0; i < 5; i++) await time.pass(30_000);
    await drained(a);
    expect(centre.values.get('edge-nord')).toEqual([1, 2, 3]);
  });

  it('does not hammer a centre that welcomes but cannot keep anything', async () => {
    centre.onBatch = () => Promise.reject(new EnerchainError('environment', 'centre.log.full', 'the disk is full'));
    const a = source(edge, { backoff: { initial: 1000, maximum: 8000 } });
    await a.write(1);
    a.client.start();
    const waits = () => a.states.flatMap((state) => /next attempt in (\d+) ms/.exec(state)?.[1] ?? []);
    for (let i = 1; i <= 5; i++) {
      await until(() => waits().length === i, 'the connection is closed');
      await time.pass(Number(waits().at(-1)));
    }
    expect(waits().slice(0, 5)).toEqual(['500', '1000', '2000', '4000', '4000']);
  });

  it('does not outlive the certificate it rests on', async () => {
    const a = source();
    a.client.start();
    await online(a);
    await until(() => centre.connects.length === 1, 'the centre knows it');
    wallClock.offset = 366 * 86_400_000;
    try {
      await time.fire(3_600_000);
      await until(() => centre.endings.length === 1, 'the centre closes');
      expect(centre.events.at(-1)).toMatchObject({ code: 'link.certificate', source: 'edge-nord' });
    } finally {
      wallClock.offset = 0;
    }
  });

  it('lasts a day at most, and another one takes its place at once', async () => {
    const a = source();
    a.client.start();
    await online(a);
    await until(() => centre.connects.length === 1, 'the centre knows it');
    await time.fire(PLATFORM_TLS_PROFILE.maxSessionSeconds * 1000);
    await until(() => centre.endings.length === 1, 'the centre closes');
    expect(a.states.at(-1)).toContain('link.lifetime');
    await a.write(1);
    for (let i = 0; i < 5; i++) await time.pass(30_000);
    await until(() => centre.connects.length === 2, 'it comes again');
    await drained(a);
  });

  it('says goodbye when it closes', async () => {
    const a = source();
    a.client.start();
    await online(a);
    await until(() => centre.connects.length === 1, 'the centre knows it');
    await a.client.close();
    await until(() => centre.endings.length === 1, 'the centre hears it');
    expect(centre.endings).toEqual(['edge-nord link.closing']);
    expect(a.client.state).toBe('stopped');
  });
});
