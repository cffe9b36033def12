/** Answers in pieces: whole and in order, bounded in size and time, and never in the way of a batch. */
import { EnerchainError } from '@enerchain/model';
import type { CborValue, Identity } from '@enerchain/trust';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import {
  gathered,
  type LinkClientOptions,
  type LinkTransport,
  memoryPair,
  PIECE_BYTES,
  PIECE_WINDOW,
  type PieceAsker,
  type RequestContext,
  receivePieces,
  sendPieces,
} from '../src/index.ts';
import { ManualTime, makePki, type Pki, settle, TestCentre, TestSource } from './world.ts';

const never = new AbortController().signal;
const LIMITS = { limit: 1 << 20, pieceWithin: 30_000, within: 60_000 };

/** What a handler writes, without a link in between. */
async function written(
  source: readonly Uint8Array[],
  limit = 1 << 20,
): Promise<{ items: Uint8Array[]; end: CborValue }> {
  const items: Uint8Array[] = [];
  const context: RequestContext = { signal: never, write: async (item) => void items.push(item as Uint8Array) };
  return { end: await sendPieces(source, context, { limit }), items };
}

/** Somebody who answers with the items given. */
const answering = (items: readonly CborValue[], end: CborValue): PieceAsker => ({
  async *stream() {
    yield* items;
    return end;
  },
});
const asked = (asker: PieceAsker, limit = LIMITS.limit) =>
  gathered(receivePieces(asker, 'edge-nord', 'inspect', {}, { ...LIMITS, limit, after: new ManualTime().after }));
const codeOf = (error: unknown): string => (error instanceof EnerchainError ? error.code : String(error));

describe('pieces', () => {
  it('come together to what was given, however that was cut', async () => {
    const chunks = fc.array(fc.uint8Array({ maxLength: 3 * PIECE_BYTES }), { maxLength: 6 });
    await fc.assert(
      fc.asyncProperty(chunks, async (source) => {
        const { items, end } = await written(source);
        for (const item of items) expect(item.length).toBeLessThanOrEqual(PIECE_BYTES);
        expect(Buffer.from(await asked(answering(items, end))).equals(Buffer.concat(source))).toBe(true);
      }),
      { numRuns: 50 },
    );
  });

  it('that were cut short, are too many, or are none are told apart from an answer', async () => {
    const piece = new Uint8Array(10);
    const refusal = (asker: PieceAsker, limit?: number) => asked(asker, limit).catch(codeOf);
    expect(await refusal(answering([piece], { size: 20 }))).toBe('link.pieces');
    expect(await refusal(answering([piece, 'text'], { size: 10 }))).toBe('link.pieces');
    expect(await refusal(answering([new Uint8Array(PIECE_BYTES + 1)], { size: PIECE_BYTES + 1 }))).toBe('link.pieces');
    expect(await refusal(answering([piece, piece], { size: 20 }), 19)).toBe('link.pieces.size');
    await expect(written([piece, piece], 19)).rejects.toMatchObject({ code: 'link.pieces.size' });
  });

  it('of anybody are an answer or a typed error', async () => {
    const item = fc.oneof(
      fc.uint8Array({ maxLength: 40 }),
      fc.constantFrom<CborValue>(null, 1, 'x', [], {}, true, 1n, Number.NaN),
    ) as fc.Arbitrary<CborValue>;
    const ends = fc.oneof(item, fc.record({ size: fc.oneof(fc.nat(100), item) })) as fc.Arbitrary<CborValue>;
    await fc.assert(
      fc.asyncProperty(fc.array(item, { maxLength: 5 }), ends, async (items, end) => {
        const answer = await asked(answering(items, end)).catch((error: unknown) => error);
        if (answer instanceof Uint8Array) expect(end).toEqual({ size: answer.length });
        else expect(answer).toMatchObject({ fault: 'peer' });
      }),
    );
  });
});

describe('answers in pieces over the link', () => {
  let pki: Pki;
  let edge: Identity;
  let time: ManualTime;
  let centre: TestCentre;
  let source: TestSource;
  let ends: ReturnType<typeof memoryPair>;
  beforeAll(async () => {
    pki = await makePki();
    edge = await pki.identity({ name: 'edge-nord', role: 'edge' });
  });
  afterAll(() => pki.remove());
  afterEach(async () => {
    const closed = Promise.all([source.client.close(), centre.server.close()]);
    await time.pass(5_000);
    await closed;
  });

  async function setUp(options: Partial<LinkClientOptions>): Promise<void> {
    time = new ManualTime();
    centre = new TestCentre(pki.centre, { clock: time.clock, after: time.after });
    source = new TestSource(edge, {
      url: 'wss://centre',
      clock: time.clock,
      after: time.after,
      connect: async (): Promise<LinkTransport> => {
        ends = memoryPair({ client: edge.tls.certificate.der, server: pki.centre.tls.certificate.der });
        centre.server.accept(ends.server);
        return ends.client;
      },
      ...options,
    });
    source.client.start();
    await settle();
  }
  const ask = (more: Partial<Parameters<typeof receivePieces>[4]> = {}) =>
    receivePieces(centre.connects[0]!, 'edge-nord', 'inspect', {}, { ...LIMITS, after: time.after, ...more });
  /** Answers with so many octets, each piece only when the line has room for it. */
  const octets =
    (size: number, sent: number[] = []): NonNullable<LinkClientOptions['onRequest']> =>
    (_method, _params, context) =>
      sendPieces([new Uint8Array(size).fill(7)], context, {
        limit: LIMITS.limit,
        ready: async (bytes, signal) => {
          await source.client.spare(bytes, signal);
          sent.push(bytes);
        },
      });

  it('arrive whole', async () => {
    await setUp({ onRequest: octets(200_000) });
    const answer = gathered(ask());
    await time.pass(1_000);
    expect((await answer).length).toBe(200_000);
  });

  it('go no faster than they are taken', async () => {
    const sent: number[] = [];
    await setUp({ onRequest: octets(100 * PIECE_BYTES, sent) });
    const pieces = ask();
    await pieces.next();
    await settle();
    expect(sent.length).toBeLessThanOrEqual(PIECE_WINDOW + PIECE_WINDOW / 2);
    await pieces.return();
    await settle();
    const before = sent.length;
    await time.pass(1_000);
    expect(sent.length).toBe(before);
  });

  it('wait while a batch is on its way to the wire', async () => {
    const sent: number[] = [];
    await setUp({ onRequest: octets(10 * PIECE_BYTES, sent) });
    const answer = gathered(ask());
    // The centre does not read: what is written stays on this side of the wire.
    ends.server.hold(true);
    centre.gate = undefined;
    await source.write(400);
    await settle();
    const held = sent.length;
    expect(ends.client.buffered).toBeGreaterThan(64 * 1024);
    await time.pass(500);
    expect(sent.length).toBe(held);
    ends.server.hold(false);
    await time.pass(500);
    expect((await answer).length).toBe(10 * PIECE_BYTES);
    expect(centre.values.get('edge-nord')).toHaveLength(400);
  });

  it('leave a narrow line to the batches, and take what these do not need', async () => {
    const sent: number[] = [];
    /** Values that had arrived before each piece went. */
    const before: number[] = [];
    const answer = octets(6 * PIECE_BYTES, sent);
    await setUp({
      throttle: { bytesPerSecond: 10_000 },
      onRequest: (method, params, context) => {
        const write: RequestContext['write'] = (item, ready) =>
          context.write(item, async () => {
            await ready?.();
            before.push(centre.values.get('edge-nord')?.length ?? 0);
          });
        return answer(method, params, { ...context, write });
      },
    });
    await source.write(100);
    const whole = gathered(ask());
    await settle();
    await time.pass(30_000);
    expect((await whole).length).toBe(6 * PIECE_BYTES);
    expect(before).toEqual(Array(6).fill(100));
  });

  it('are given up when the next one does not come in its time, or all of them take too long', async () => {
    let aborted = 0;
    const hangs: NonNullable<LinkClientOptions['onRequest']> = async (_method, _params, { signal, write }) => {
      signal.addEventListener('abort', () => aborted++);
      await write(new Uint8Array(1));
      return new Promise(() => undefined);
    };
    await setUp({ onRequest: hangs });
    const late = gathered(ask()).catch((error: unknown) => error);
    await settle();
    await time.pass(29_000);
    expect(aborted).toBe(0);
    await time.pass(1_000);
    expect(await late).toMatchObject({ code: 'link.timeout', fault: 'peer' });
    expect(aborted).toBe(1);

    const pieces = ask({ within: 5_000 });
    await pieces.next();
    await time.pass(5_000);
    await expect(pieces.next()).rejects.toMatchObject({ code: 'link.timeout' });
  });

  it('end with the connection, with who asks, and with what the other side says', async () => {
    await setUp({
      onRequest: (_method, _params, context) => {
        if (context.signal.aborted) return null;
        throw new EnerchainError('caller', 'inspection.refused', 'not here');
      },
    });
    await expect(gathered(ask())).rejects.toMatchObject({ code: 'inspection.refused', fault: 'caller' });
    const given = new AbortController();
    given.abort();
    await expect(gathered(ask({ signal: given.signal }))).rejects.toMatchObject({ code: 'link.cancelled' });
    await setUp({ onRequest: () => new Promise(() => undefined) });
    const cut = gathered(ask()).catch((error: unknown) => error);
    await settle();
    ends.client.abort();
    await settle();
    expect(await cut).toMatchObject({ code: 'link.closed' });
  });
});
