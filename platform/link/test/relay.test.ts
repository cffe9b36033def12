import { newMrid } from '@enerchain/model';
import {
  CommandGuard,
  CommandSession,
  type Identity,
  makeIdentity,
  requestFor,
  SESSION_METHOD,
  signCommand,
} from '@enerchain/trust';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  type ChainState,
  type DurableRelayStore,
  gathered,
  MemoryBatchStore,
  PIECE_BYTES,
  Relay,
  type RequestHandler,
  receivePieces,
  sendPieces,
} from '../src/index.ts';
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
} from './world.ts';

let pki: Pki;
let edge: Identity;
let relayIdentity: Identity;

beforeAll(async () => {
  pki = await makePki();
  edge = await pki.identity({ name: 'edge-nord', role: 'edge' });
  relayIdentity = await pki.identity({ name: 'relay-dmz', role: 'relay' });
});
afterAll(() => pki.remove());

/** Outlives the relay, as a file would. */
class KeptStore extends MemoryBatchStore implements DurableRelayStore {
  readonly durable = true;
  #chain: ChainState | undefined;
  override append(position: { epoch: number; sequence: number }, bytes: Uint8Array, chain?: ChainState): void {
    super.append(position, bytes);
    this.#chain = chain;
  }
  chain(): ChainState | undefined {
    return this.#chain;
  }
}

describe.each(['memory', 'mTLS'] as const)('a relay over %s', (medium) => {
  let time: ManualTime;
  let centre: TestCentre;
  /** Of who signs commands. */
  let command: Uint8Array;
  let up: Wire;
  let down: Wire;
  let relay: Relay;
  let source: TestSource;
  /** How the source answers what it is asked. */
  let onRequest: RequestHandler;

  const makeWire = async (server: Relay['server'], identity: Identity) =>
    medium === 'memory' ? memoryWire(server, identity) : tlsWire(server, identity);
  const makeRelay = async (storeOf = (): MemoryBatchStore | KeptStore => new MemoryBatchStore()) => {
    relay = new Relay({
      identity: relayIdentity,
      url: up.url,
      software: 'relay 1',
      storeOf,
      connect: (...args) => up.connect(...args),
      clock: time.clock,
      after: time.after,
    });
    down = await makeWire(relay.server, relayIdentity);
    source = new TestSource(edge, {
      url: down.url,
      connect: (...args) => down.connect(...args),
      clock: time.clock,
      after: time.after,
      onRequest: (...args) => onRequest(...args),
    });
  };

  beforeEach(async () => {
    time = new ManualTime();
    command = pki.centre.certificate.der;
    centre = new TestCentre(pki.centre, {
      clock: time.clock,
      after: time.after,
      commandCertificate: () => command,
    });
    centre.mayRelay = (name) => name === 'relay-dmz';
    up = await makeWire(centre.server, pki.centre);
    await makeRelay();
  });
  afterEach(async () => {
    await source.client.close();
    await down.close();
    await relay.close();
    await up.close();
  });
  const all = (count: number) => Array.from({ length: count }, (_, i) => i + 1);

  it('passes batches on with the signatures of their source', async () => {
    source.client.start();
    await source.write(20);
    await until(() => source.store.count === 0, 'everything is acknowledged');
    expect(centre.values.get('edge-nord')).toEqual(all(20));
    const peer = centre.server.peer('edge-nord');
    expect(peer?.holder).toEqual({ role: 'relay', name: 'relay-dmz' });
    expect(peer?.keyOf(edge.kid)?.equals(edge.signer.publicKey)).toBe(true);
  });

  it('acknowledges nothing that the centre has not acknowledged', async () => {
    let open: () => void = () => undefined;
    centre.gate = new Promise((resolve) => {
      open = resolve;
    });
    source.client.start();
    await source.write(5);
    await until(() => centre.order.length === 5, 'the centre has them');
    await settle();
    expect(source.store.count).toBe(5);
    open();
    await until(() => source.store.count === 0, 'everything is acknowledged');
  });

  it('loses nothing when the connection to the centre is cut', async () => {
    source.client.start();
    await source.write(5);
    await until(() => source.store.count === 0, 'the first are through');
    up.cut();
    await until(() => relay.branches()[0]?.state === 'waiting', 'the cut is noticed');
    await source.write(5);
    await settle();
    await time.pass(20_000);
    await until(() => source.store.count === 0, 'everything is acknowledged');
    expect(centre.values.get('edge-nord')).toEqual(all(10));
  });

  it('tells its sources when the centre has another key: they come again and believe that', async () => {
    source.client.start();
    await until(() => source.client.state === 'online', 'the source is connected');
    const signer = newSigner();
    const holder = { name: 'centre', role: 'centre' } as const;
    const certificatePem = await pki.ca.issue(await requestFor(holder, signer), holder);
    const rekeyed = makeIdentity({ certificatePem, caPem: pki.centre.caPem, signer, tls: pki.centre.tls });
    command = rekeyed.certificate.der;
    centre.server.renewed();
    await until(() => relay.branches()[0]?.state === 'waiting', 'the connection of the relay has ended');
    // First the relay comes again, then the source.
    while (source.client.centreKeyOf(rekeyed.kid) === undefined) await time.pass(1_000);
    await source.write(2);
    await until(() => source.store.count === 0, 'everything is acknowledged');
    expect(source.client.centre?.kid).toEqual(rekeyed.kid);
  });

  it('takes commands down, and requests both ways', async () => {
    centre.onRequest = async (_peer, method, params, context) => {
      if (method === 'log.read') for (const item of [1, 2]) await context.write(item);
      return { asked: params };
    };
    source.client.start();
    await until(() => source.client.state === 'online', 'the source is online');
    const command = {
      id: newMrid(),
      point: newMrid(),
      action: 'operate',
      value: 1,
      validFor: 5000,
      issuedAt: '1',
      origin: { orCat: 'remoteControl', orIdent: 'x' },
      target: 'edge-nord',
      session: '00'.repeat(16),
      elapsed: 0,
      counter: 1,
    } as const;
    const signed = await signCommand(pki.centre.signer, pki.centre.kid, command);
    centre.server.peer('edge-nord')?.command(signed);
    await until(() => source.commands.length === 1, 'the command arrives');
    expect(Buffer.from(source.commands[0]!)).toEqual(Buffer.from(signed));
    expect(source.client.centreKeyOf(pki.centre.kid)?.equals(pki.centre.signer.publicKey)).toBe(true);
    const items: unknown[] = [];
    for await (const item of source.client.stream('log.read', 7)) items.push(item);
    expect(items).toEqual([1, 2]);
    expect(await source.client.request('grid.get', 7)).toEqual({ asked: 7 });
  });

  it('can neither replay nor hold back a command: the edge and the centre agree past it on what is fresh', async () => {
    let now = 0;
    const clock = { now: () => BigInt(now) * 1_000_000n, monotonic: () => now };
    const session = new CommandSession(clock);
    centre.onRequest = async (_peer, method, params) => {
      expect(method).toBe(SESSION_METHOD);
      session.challenged(params);
      return null;
    };
    source.client.start();
    await until(() => source.client.state === 'online', 'the source is online');
    const guard = new CommandGuard({ source: 'edge-nord', clock, keyOf: source.client.centreKeyOf });
    await source.client.request(SESSION_METHOD, { challenge: guard.challenge() });
    const send = async () => {
      const before = source.commands.length;
      const order = {
        id: newMrid(),
        point: newMrid(),
        action: 'operate',
        value: 1,
        validFor: 5000,
        issuedAt: '1',
      } as const;
      const origin = { orCat: 'remoteControl', orIdent: 'x' } as const;
      const command = session.answer({ ...order, origin, target: 'edge-nord' });
      centre.server.peer('edge-nord')?.command(await signCommand(pki.centre.signer, pki.centre.kid, command));
      await until(() => source.commands.length > before, 'the command arrives');
      return source.commands.at(-1)!;
    };
    const first = await send();
    expect(guard.accept(first).command.counter).toBe(1);
    expect(() => guard.accept(first)).toThrow('used before');
    const heldBack = await send();
    now += 5001;
    expect(() => guard.accept(heldBack)).toThrow(/up to 5001 ms old/);
    expect(guard.accept(await send()).command.counter).toBe(3);
  });

  it('passes a rejection on', async () => {
    source.client.start();
    await source.write(1);
    await until(() => source.store.count === 0, 'the first is through');
    const keep = centre.onBatch.bind(centre);
    centre.onBatch = async (peer, bytes) => {
      await keep(peer, bytes);
      throw new (await import('@enerchain/model')).EnerchainError('peer', 'centre.point.unknown', 'not your point');
    };
    await source.write(1);
    await until(() => source.rejections.length === 1, 'the rejection arrives');
    expect(source.rejections).toEqual(['centre.point.unknown']);
  });

  it('with a durable store acknowledges at once and delivers later, also after the source has left', async () => {
    await down.close();
    await relay.close();
    const kept = new KeptStore();
    await makeRelay(() => kept);
    source.client.start();
    await until(() => source.client.state === 'online', 'the source is online');
    up.up = false;
    up.cut();
    await until(() => relay.branches()[0]?.state === 'waiting', 'the cut is noticed');
    await source.write(7);
    await until(() => source.store.count === 0, 'the relay has acknowledged');
    expect(kept.count).toBe(7);
    await source.client.close();
    up.up = true;
    await time.pass(60_000);
    await until(() => kept.count === 0, 'the centre has them');
    expect(centre.values.get('edge-nord')).toEqual(all(7));
  });

  it('passes a question down, and its answer in pieces up', async () => {
    const octets = Buffer.alloc(40 * PIECE_BYTES, 'relay');
    const ready = (bytes: number, signal: AbortSignal) => source.client.spare(bytes, signal);
    onRequest = (method, params, context) => {
      expect([method, params]).toEqual(['inspect', { ask: 'model' }]);
      return sendPieces([octets], context, { limit: octets.length, ready });
    };
    source.client.start();
    await until(() => centre.connects.length === 1, 'the source is known');
    const limits = { limit: octets.length, pieceWithin: 1e9, within: 1e9, after: time.after };
    let answer: Uint8Array | undefined;
    const peer = centre.server.peer('edge-nord')!;
    void gathered(receivePieces(peer, 'edge-nord', 'inspect', { ask: 'model' }, limits)).then((all) => {
      answer = all;
    });
    // What waits for the line looks again and again.
    const looking = setInterval(() => void time.pass(20), 1);
    await until(() => answer !== undefined, 'the answer').finally(() => clearInterval(looking));
    expect(octets.equals(answer!)).toBe(true);
  });

  it('is refused by a centre that does not know it as a relay', async () => {
    centre.mayRelay = () => false;
    source.client.start();
    await until(() => centre.events.some(({ code }) => code === 'link.hello.refused'), 'the relay is refused');
    expect(source.client.state).not.toBe('online');
  });
});
