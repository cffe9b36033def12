import type { SignedResult } from '@enerchain/attestation';
import { signResult } from '@enerchain/attestation';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import {
  type Appraiser,
  decodeTcnMessage,
  encodeTapRequest,
  encodeTcnMessage,
  memoryChannels,
  type TcnMessage,
} from '../src/index.ts';
import { type Member, ringOf, TestVerifier, World } from './world.ts';

const NAMES = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'];
const AROUND_D = ['b', 'c', 'e', 'f'];
let world: World;

afterEach(() => world.close());

async function settled(seed = 1): Promise<World> {
  world = ringOf(NAMES, seed);
  world.start();
  await world.time.run(5000);
  return world;
}

const codes = (member: Member) => member.events.map(({ code }) => code);

/** One end of a connection to a node, in the hands of a test. */
function handConnection(to: string, as: string) {
  const [mine, theirs] = memoryChannels({
    dialler: { name: as, role: 'network' },
    listener: { name: to, role: 'network' },
    after: world.time.after,
  });
  const received: TcnMessage[] = [];
  let closed: string | undefined;
  mine.open({
    message: (bytes) => received.push(decodeTcnMessage(bytes)),
    closed: (reason) => {
      closed = reason;
    },
  });
  world.get(to).node.attach(theirs);
  return {
    received,
    channel: mine,
    send: (message: TcnMessage) => mine.send(encodeTcnMessage(message)),
    closed: () => closed,
  };
}

describe('attacks', () => {
  it('a replayed quote: evidence of an earlier time does not answer the challenge', async () => {
    await settled();
    const { device } = world.get('d');
    const old = await device.evidence([new Uint8Array(32)]);
    device.change('something else', false);
    device.replay = old;
    await world.time.until(() => AROUND_D.every((at) => world.reaction('d', at) === 'quarantine'), 4000);
    expect(world.get('b').node.get('d')?.reason).toContain('does not answer this challenge');
    // Only who has asked can see that, so nobody tells it to others, and nobody is taken for a liar.
    await world.time.run(5000);
    for (const name of NAMES) expect(codes(world.get(name))).not.toContain('tcn.contradicted');
  });

  it('a relayed quote: what was made for another connection is no answer here', async () => {
    await settled();
    world.cut('b', 'd');
    await world.time.run(100);
    // Somebody in the middle, with both keys, passes every message on; the two connections have different exporters.
    const toB = handConnection('b', 'd');
    const toD = handConnection('d', 'b');
    const pump = () => {
      for (const each of toB.received.splice(0)) toD.send(each);
      for (const each of toD.received.splice(0)) toB.send(each);
      world.time.after(1, pump);
    };
    pump();
    await world.time.run(10_000);
    expect(world.good('d', 'b')).toBe(false);
    expect(world.reaction('d', 'b')).toBe('restrict');
    expect(world.get('b').node.get('d')?.reason).toContain('relayed');
    expect(world.good('d', 'c')).toBe(true);
  });

  it('a stopped attester: silent, no longer good when the last result has run out, isolated by those who miss it', async () => {
    await settled();
    world.get('d').device.stopped = true;
    await world.time.until(() => AROUND_D.every((at) => !world.good('d', at)), 8000);
    await world.time.run(500);
    for (const at of AROUND_D) expect(world.reaction('d', at)).toBe('alarm');
    await world.time.until(() => AROUND_D.every((at) => world.reaction('d', at) === 'restrict'), 20_000);
    // One good answer is not enough to come back: the second one is.
    world.get('d').device.stopped = false;
    for (const at of AROUND_D) world.connect('d', at);
    await world.time.run(300);
    for (const at of AROUND_D) expect(world.reaction('d', at)).toBe('restrict');
    await world.time.until(() => AROUND_D.every((at) => world.good('d', at)), 60_000);
  });

  it('a verifier that stalls or throws leaves nobody good', async () => {
    await settled();
    world.get('b').verifier.before = () => new Promise(() => undefined);
    world.get('e').verifier.before = () => Promise.reject(new Error('no such file'));
    await world.time.run(7000);
    for (const at of ['b', 'e']) expect([world.good('d', at), world.status('d', at)]).toEqual([false, 'none']);
    expect(world.get('e').node.get('d')?.reason).toContain('our verifier failed: no such file');
    expect(world.good('d', 'c')).toBe(true);
    await world.time.run(60_000);
    expect(world.get('b').node.counters.stalled).toBeGreaterThan(0);
    // It goes on when the verifier does.
    world.get('b').verifier.before = () => Promise.resolve();
    await world.time.until(() => world.good('d', 'b'), 120_000);
  });

  it('a liar: nobody believes what evidence does not show, and the liar is marked', async () => {
    world = new World();
    const liar: Appraiser = {
      async appraise(evidence, expected): Promise<SignedResult> {
        const honest = await new TestVerifier(world.get('c').identity, world.time, policy()).appraise(
          evidence,
          expected,
        );
        const result = { ...honest.result, status: 'contraindicated' as const, reasons: ['I say so'], sequence: 1000 };
        const { identity } = world.get('c');
        return expected.node === 'd' ? signResult(result, identity.signer, identity.kid) : honest;
      },
    };
    for (const [i, name] of NAMES.entries()) {
      const near = [i - 2, i - 1, i + 1, i + 2].map((n) => NAMES[(n + 8) % 8]!);
      world.add(name, near, name === 'c' ? { appraiser: liar } : {});
    }
    world.start();
    await world.time.run(5000);
    expect(world.reaction('d', 'c')).toBe('quarantine');
    for (const at of ['b', 'e', 'f']) expect([world.good('d', at), world.reaction('d', at)]).toEqual([true, 'none']);
    for (const at of ['a', 'b', 'e']) {
      expect(world.reaction('c', at)).toBe('alarm');
      expect(codes(world.get(at))).toContain('tcn.contradicted');
    }
    // What was refuted goes no further.
    expect(world.reaction('d', 'h')).not.toBe('quarantine');
  });

  it('a colluding pair: one vouches for the other in vain', async () => {
    world = new World();
    const accomplice: Appraiser = {
      async appraise(evidence, expected): Promise<SignedResult> {
        const honest = await new TestVerifier(world.get('c').identity, world.time, policy()).appraise(
          evidence,
          expected,
        );
        const result = { ...honest.result, status: 'warning' as const, vector: { instanceIdentity: 2 }, reasons: [] };
        const { identity } = world.get('c');
        return signResult(result, identity.signer, identity.kid);
      },
    };
    for (const [i, name] of NAMES.entries()) {
      const near = [i - 2, i - 1, i + 1, i + 2].map((n) => NAMES[(n + 8) % 8]!);
      world.add(name, near, name === 'c' ? { appraiser: accomplice, reappraiser: accomplice } : {});
    }
    world.start();
    await world.time.run(3000);
    world.get('d').device.change('something else', false);
    await world.time.run(5000);
    expect(world.reaction('d', 'c')).toBe('none');
    for (const at of ['b', 'e', 'f', 'a', 'h']) expect(world.reaction('d', at)).toBe('quarantine');
  });

  it('the limit: a software attester whose owner lies is not seen through, and is therefore never affirmed', async () => {
    await settled();
    // It runs something else and tells what was delivered.
    for (const at of AROUND_D) {
      expect(world.status('d', at)).toBe('warning');
      expect(world.get(at).node.get('d')?.tier).toBe('software');
    }
  });

  it('silence is a matter of a quorum: what one neighbour misses is no silence', async () => {
    await settled();
    world.cut('b', 'd');
    await world.time.run(30_000);
    expect(world.reaction('d', 'b')).toBe('alarm');
    for (const at of ['c', 'e', 'f']) expect([world.good('d', at), world.reaction('d', at)]).toEqual([true, 'none']);
    expect(
      world
        .get('c')
        .node.get('d')
        ?.neighbours.find(({ node }) => node === 'b')?.status,
    ).toBe('silent');
    expect(world.reaction('d', 'h')).not.toBe('restrict');
  });

  it('a partition: each side goes on, isolates nobody it hears, and after the healing all are good without flapping', async () => {
    await settled();
    const left = new Set(['a', 'b', 'c', 'd']);
    const cut = world.edges().filter(([a, b]) => left.has(a) !== left.has(b));
    for (const [a, b] of cut) world.cut(a, b);
    await world.time.run(60_000);
    for (const [a, b] of world.edges()) {
      const together = left.has(a) === left.has(b);
      expect([world.good(a, b), world.good(b, a)]).toEqual([together, together]);
    }
    const before = world.get('b').events.length;
    for (const [a, b] of cut) world.connect(a, b);
    await world.time.run(20_000);
    for (const [a, b] of world.edges()) expect([world.good(a, b), world.good(b, a)]).toEqual([true, true]);
    for (const at of NAMES)
      for (const of of NAMES) if (at !== of) expect(world.reaction(of, at) ?? 'none').toBe('none');
    const reactions = world
      .get('b')
      .events.slice(before)
      .filter(({ kind }) => kind === 'reaction');
    // Each node that had been lost changes its state a few times at most.
    expect(reactions.length).toBeLessThanOrEqual(3 * 4);
    await world.time.run(60_000);
    const later = world
      .get('b')
      .events.slice(before)
      .filter(({ kind }) => kind === 'reaction');
    expect(later.length).toBe(reactions.length);
  });

  it('a node that was away hears of a quarantine when it is back', async () => {
    await settled();
    for (const other of ['f', 'g', 'a', 'b']) world.cut('h', other);
    world.get('d').device.change('something else');
    await world.time.run(5000);
    expect(world.reaction('d', 'h')).not.toBe('quarantine');
    for (const other of ['f', 'g', 'a', 'b']) world.connect('h', other);
    await world.time.until(() => world.reaction('d', 'h') === 'quarantine', 1000);
  });

  it('what a release has forgiven does not count again, whoever shows it', async () => {
    await settled();
    const { device } = world.get('d');
    device.change('something else');
    await world.time.run(1000);
    const shown = world
      .get('b')
      .node.standing()
      .filter(({ kind, adverse }) => kind === 'result' && adverse);
    expect(shown.length).toBeGreaterThan(0);
    device.boot = 'boot-2';
    device.change('as delivered');
    await world.order('release', 'd', 'a');
    await world.time.run(3000);
    expect(world.reaction('d', 'g')).toBe('none');
    const { send } = handConnection('g', 'e');
    send({ type: 'statements', statements: shown.map(({ bytes }) => ({ ttl: 9, bytes })) });
    await world.time.run(1000);
    expect(world.reaction('d', 'g')).toBe('none');
    // New evidence does.
    device.change('something else again');
    await world.time.run(1000);
    expect(world.reaction('d', 'b')).toBe('quarantine');
  });

  it('old evidence that is passed off as fresh convicts nobody, and marks who shows it', async () => {
    await settled();
    const { device } = world.get('d');
    const binding = new Uint8Array(32);
    device.change('a fault of long ago', false);
    const old = await device.evidence([binding]);
    device.change('as delivered', false);
    await world.time.run(120_000);
    const { identity, verifier } = world.get('e');
    const shown = await verifier.appraise(old, { node: 'd', binding });
    const tell = async (bytes: Uint8Array) => {
      const { send } = handConnection('h', 'g');
      send({ type: 'statements', statements: [{ ttl: 9, bytes }] });
      send({ type: 'have', what: 'certificate', bytes: identity.certificate });
      await world.time.run(10);
      send({ type: 'have', what: 'evidence', bytes: old });
      await world.time.run(10);
    };
    await tell(shown.bytes);
    expect(world.reaction('d', 'h') ?? 'none').toBe('none');
    expect(codes(world.get('h'))).toContain('tcn.stale');
    expect(world.get('h').events.find(({ code }) => code === 'tcn.stale')).toMatchObject({
      node: 'e',
      text: expect.stringMatching(/^it passes old evidence of d off as fresh, which was made at .* before it is said/),
    });
    // Whoever dates its word back to that time shows a fault of that time: that is what it was.
    const made = verifier.timeOf(old) as bigint;
    const dated = { ...shown.result, issuedAt: made, validUntil: made + 6_000_000_000n, sequence: 1e6 };
    await tell((await signResult(dated, identity.signer, identity.kid)).bytes);
    expect(world.reaction('d', 'h')).toBe('quarantine');
  });

  it('a node whose clock is wrong is judged by its neighbours, and nobody who tells of it looks like a liar', async () => {
    await settled();
    const { device } = world.get('d');
    device.clockOff = -3_600_000_000_000n;
    await world.time.run(10_000);
    for (const at of AROUND_D) {
      expect(world.good('d', at)).toBe(true);
      expect(codes(world.get(at)).filter((code) => code === 'tcn.clock')).toHaveLength(1);
    }
    device.change('something else');
    await world.time.run(10_000);
    for (const at of AROUND_D) expect(world.reaction('d', at)).toBe('quarantine');
    for (const name of NAMES) {
      expect(codes(world.get(name))).not.toContain('tcn.stale');
      expect(codes(world.get(name))).not.toContain('tcn.contradicted');
    }
  });

  it('a cloned device: an earlier boot comes back', async () => {
    await settled();
    const { device } = world.get('d');
    device.boot = 'boot of the clone';
    await world.time.run(3000);
    expect(world.reaction('d', 'b')).toBe('none');
    device.boot = 'boot-1';
    await world.time.run(3000);
    for (const at of AROUND_D) expect(world.reaction('d', at)).toBe('quarantine');
    expect(world.get('b').node.get('d')?.reason).toContain('two devices');
  });

  it('two devices that take turns at one connection are noticed', async () => {
    await settled();
    for (let i = 0; i < 4; i++) {
      handConnection('b', 'a');
      await world.time.run(10);
    }
    expect(codes(world.get('b'))).toContain('tcn.twins');
    expect(world.get('b').node.get('a')?.reason).toBeDefined();
  });

  it('a second device that is turned away because the first one answers is noticed', async () => {
    await settled();
    for (let i = 0; i < 4; i++) {
      expect(handConnection('b', 'd').closed()).toBe('there is another connection');
      await world.time.run(1000);
    }
    expect(world.reaction('d', 'b')).toBe('alarm');
    expect(world.get('b').node.get('d')?.reason).toContain('two devices');
    expect(world.good('d', 'c')).toBe(true);
  });

  it('a stranger is turned away', async () => {
    await settled();
    const { closed } = handConnection('b', 'nobody');
    expect(closed()).toBe('you are no neighbour of this node');
  });

  it('a neighbour that floods is cut off, and the others are heard', async () => {
    await settled();
    const { channel, closed } = handConnection('b', 'a');
    const block = encodeTcnMessage({ type: 'have', what: 'evidence', bytes: new Uint8Array(4 << 20) });
    for (let i = 0; i < 6; i++) channel.send(block);
    await world.time.run(100);
    expect(closed()).toContain('more comes than is read');
    expect(codes(world.get('b'))).toContain('tcn.flood');
    await world.time.run(5000);
    expect(world.good('c', 'b')).toBe(true);
  });

  it('more challenges than a neighbour may ask are refused, and cost no quote', async () => {
    await settled();
    const { device } = world.get('b');
    const { received, send } = handConnection('b', 'a');
    const request = encodeTapRequest({ hello: false, keyId: '', nonce: new Uint8Array(32), selections: [], logs: [] });
    const quotes = device.quotes;
    for (let id = 0; id < 200; id++) send({ type: 'challenge', id, request });
    await world.time.run(500);
    expect(received.filter(({ type }) => type === 'answer').length).toBeLessThanOrEqual(25);
    expect(received.filter(({ type }) => type === 'refused').length).toBeGreaterThanOrEqual(175);
    expect(device.quotes - quotes).toBeLessThan(10);
  });

  it('a nonce that is no nonce ends the connection', async () => {
    await settled();
    const { closed, send } = handConnection('b', 'a');
    const request = encodeTapRequest({ hello: false, keyId: '', nonce: new Uint8Array(4), selections: [], logs: [] });
    send({ type: 'challenge', id: 1, request });
    await world.time.run(10);
    expect(closed()).toContain('too short');
  });

  it('statements that are unsigned, by somebody else, or of nobody known move nothing', async () => {
    await settled();
    const { identity, verifier, device } = world.get('e');
    device.change('something else', false);
    const evidence = await device.evidence([new Uint8Array(32)]);
    const bad = await verifier.appraise(evidence, { node: 'e', binding: new Uint8Array(32) });
    device.change('as delivered', false);
    const forged = bad.bytes.slice();
    forged[forged.length - 1]! ^= 1;
    const inTheNameOfAnother = await signResult({ ...bad.result, verifier: 'c' }, identity.signer, identity.kid);
    const { send, received } = handConnection('h', 'a');
    for (const bytes of [forged, inTheNameOfAnother.bytes, new Uint8Array([1, 2, 3])]) {
      send({ type: 'statements', statements: [{ ttl: 9, bytes }] });
    }
    await world.time.run(10);
    expect(received.filter(({ type }) => type === 'want').length).toBe(1);
    send({ type: 'have', what: 'certificate', bytes: world.get('f').identity.certificate });
    send({ type: 'have', what: 'certificate', bytes: identity.certificate });
    await world.time.run(1000);
    expect(world.get('h').node.standing()).toEqual([]);
    expect(codes(world.get('h'))).toEqual(expect.arrayContaining(['tcn.signature', 'tcn.statement']));
  });

  it('whatever a neighbour sends, the node goes on', async () => {
    await settled();
    await fc.assert(
      fc.asyncProperty(fc.array(fc.uint8Array({ maxLength: 100 }), { maxLength: 5 }), async (blocks) => {
        const { channel } = handConnection('b', 'a');
        for (const block of blocks) channel.send(block);
        await world.time.run(5);
      }),
      { numRuns: 200 },
    );
    await world.time.run(5000);
    expect(world.good('c', 'b')).toBe(true);
  });
});

const policy = () => ({
  name: 'test-1',
  commandTier: 'software' as const,
  period: 2,
  validFor: 6,
  silenceQuorum: 2,
  isolateAfter: 10,
  reaction: 'quarantine' as const,
  essential: [],
  secondPerson: [],
  witnesses: 1,
});
