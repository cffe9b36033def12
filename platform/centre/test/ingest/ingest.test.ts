import type { KeyObject } from 'node:crypto';
import { type Batch, batchToBytes, contentOf, decodeBatch, sealBatch, verifyBatch } from '@enerchain/link';
import { newMrid } from '@enerchain/model';
import { describe, expect, it } from 'vitest';
import { rawRecords } from '../../src/log/reader.ts';
import { Bench, newSigner, TestSource } from './bench.ts';

const ack = (epoch: number, sequence: number) => ({ kind: 'ack', epoch, sequence });

describe('ingest', () => {
  it('acknowledges what is durable, in order, and takes a duplicate once', async () => {
    const bench = await new Bench().open();
    const edge = bench.source();
    const batches = [await edge.announce(), await edge.observe(1), await edge.observe(2)];
    const taken = await Promise.all(batches.map((batch) => bench.take(edge, batch)));
    expect(taken).toEqual([ack(0, 0), ack(0, 1), ack(0, 2)]);
    expect(await bench.take(edge, batches[1]!)).toEqual({ ...ack(0, 1), duplicate: true });
    expect(await bench.seen()).toEqual([1, 1, 1, 2, 2, 2]);
    expect(bench.chainOf(edge.name).counters).toMatchObject({
      batches: 3,
      observations: 6,
      duplicates: 1,
      rejected: 0,
    });
  });

  it('does not acknowledge a duplicate before the first copy is durable', async () => {
    const bench = await new Bench().open();
    const edge = bench.source();
    await bench.take(edge, await edge.announce());
    const first = await edge.observe(1);
    const order: string[] = [];
    const one = bench.take(edge, first).then(() => order.push('first'));
    const two = bench.take(edge, first).then(() => order.push('copy'));
    await Promise.all([one, two]);
    expect(order).toEqual(['first', 'copy']);
  });

  it('keeps the octets of a batch as its source signed them', async () => {
    const bench = await new Bench().open();
    const edge = bench.source();
    const sent = [await edge.announce(), await edge.observe(1, [...edge.points, newMrid()])];
    for (const batch of sent) await bench.take(edge, batch);
    const kept: Buffer[] = [];
    for await (const { record } of rawRecords(bench.log, 0)) {
      const batch = decodeBatch(record.batch);
      if (batch.header.source !== edge.name) continue;
      verifyBatch(batch, edge.keys.key);
      kept.push(Buffer.from(record.batch));
    }
    expect(kept).toEqual(sent.map((batch) => Buffer.from(batchToBytes(batch))));
  });

  it.each<
    [string, (bench: Bench, edge: ReturnType<Bench['source']>) => Promise<[Batch | Uint8Array, string?]>, string]
  >([
    ['octets that are no batch', async () => [Buffer.from('nonsense')], 'cbor.malformed'],
    [
      'a batch in the name of another source',
      async (bench) => [await bench.source('edge-sued').observe(1), 'edge-nord'],
      'ingest.foreign-source',
    ],
    [
      'a batch signed with a key nobody knows',
      async (_, edge) => {
        const stranger = newSigner();
        Object.assign(edge.keys, stranger);
        edge.chain = edge.newChain();
        return [await edge.observe(1)];
      },
      'ingest.unknown-key',
    ],
    [
      'a batch whose signature was made with another key than it names',
      async (_, edge) => {
        const { kid } = edge.keys;
        Object.assign(edge.keys, newSigner(), { kid });
        edge.chain = edge.newChain();
        return [await edge.observe(1)];
      },
      'cose.signature',
    ],
    [
      'a batch with a changed value',
      async (_, edge) => {
        const bytes = batchToBytes(await edge.observe(1));
        bytes[bytes.length - 20]! ^= 1;
        return [bytes];
      },
      'link.batch.root',
    ],
  ])('refuses %s', async (_, make, code) => {
    const bench = await new Bench().open();
    const edge = bench.source();
    const [batch, as] = await make(bench, edge);
    expect(await bench.take(edge, batch, 'edge', as)).toMatchObject({ kind: 'reject', code });
    expect(await bench.told()).toEqual(['ingest.refused']);
    expect(await bench.seen()).toEqual([]);
    expect(bench.chainOf('edge-nord').counters.refused).toBe(1);
  });

  it.each<[string, (bench: Bench, edge: ReturnType<Bench['source']>, next: Batch) => Promise<() => Promise<unknown>>]>([
    [
      'a changed value',
      async (bench, edge, next) => {
        const bytes = batchToBytes(next).slice();
        bytes[bytes.length - 20]! ^= 1;
        return () => bench.take(edge, bytes);
      },
    ],
    [
      'a wrong signature',
      async (bench, edge, next) => {
        const bytes = batchToBytes(next).slice();
        bytes[2 + 3 + next.signed.length - 5]! ^= 1;
        return () => bench.take(edge, bytes);
      },
    ],
    [
      'an unknown key',
      async (bench, edge, next) => () => {
        const [[kid, key]] = [...bench.known] as [[string, KeyObject]];
        bench.known.clear();
        const taking = bench.take(edge, next);
        bench.known.set(kid, key);
        return taking;
      },
    ],
    [
      'a fork of the chain',
      async (bench, edge) => {
        Object.assign(edge, { chain: edge.newChain() });
        await edge.announce(7);
        const fork = await edge.observe(666);
        return () => bench.take(edge, fork);
      },
    ],
    [
      'a log that cannot be written',
      async (bench, edge, next) => () => {
        bench.files.failingSyncs = 1;
        return bench.take(edge, next);
      },
    ],
  ])(
    'takes nothing that is on its way behind a batch refused for %s, and all of it when that comes again',
    async (_, prepare) => {
      const bench = await new Bench().open();
      const edge = bench.source();
      expect(await bench.take(edge, await edge.announce())).toEqual(ack(0, 0));
      const [one, two, three] = [await edge.observe(1), await edge.observe(2), await edge.observe(3)];
      const outcome = (promise: Promise<unknown>) =>
        promise.then((taken) => (taken as { kind: string }).kind).catch(() => 'reject');
      const send = await prepare(bench, edge, one);
      const refused = outcome(send());
      const behind = [outcome(bench.take(edge, two)), outcome(bench.take(edge, three))];
      expect(await Promise.all([refused, ...behind])).toEqual(['reject', 'reject', 'reject']);
      expect(bench.chainOf(edge.name).counters.gaps).toBe(0);
      bench.clock.millis += 60_000;
      for (const [index, batch] of [one, two, three].entries()) {
        expect(await bench.take(edge, batch)).toEqual(ack(0, index + 1));
      }
      expect(await bench.seen()).toEqual([1, 1, 1, 2, 2, 2, 3, 3, 3]);
      expect(bench.chainOf(edge.name).counters.gaps).toBe(0);
    },
  );

  it('keeps observations of points that are not bound to the source as evidence and shows them to nobody', async () => {
    const bench = await new Bench().open();
    const [nord, sued] = [bench.source('edge-nord'), bench.source('edge-sued')];
    await bench.take(nord, await nord.announce());
    await bench.take(sued, await sued.announce());
    const foreign = await sued.observe(666, [sued.points[0]!, nord.points[0]!, newMrid()]);
    expect(await bench.take(sued, foreign)).toEqual(ack(0, 1));
    expect(await bench.seen()).toEqual([666]);
    expect(bench.chainOf('edge-sued').counters.rejected).toBe(2);
    expect(await bench.told()).toEqual(['site.announced', 'site.announced', 'ingest.not-bound']);
    let evidence = 0;
    for await (const { record } of rawRecords(bench.log, 0)) {
      const batch = decodeBatch(record.batch);
      if (batch.header.source !== 'edge-sued' || batch.header.kind !== 'observations') continue;
      const content = contentOf(batch);
      evidence = content.kind === 'observations' ? content.batch.columns.length : 0;
      expect(record.rejected).toEqual([1, 2]);
    }
    expect(evidence).toBe(3);
  });

  it('lets no source take over a point of another by naming it, until the other lets it go', async () => {
    const bench = await new Bench().open();
    const [nord, sued] = [bench.source('edge-nord'), bench.source('edge-sued')];
    await bench.take(nord, await nord.announce());
    await bench.take(sued, await sued.announce(1, nord.points));
    expect(bench.points.get(nord.points[0]!)?.source).toBe('edge-nord');
    expect(await bench.told()).toContain('alarm ingest.points.edge-sued on');
    await bench.take(nord, await nord.announce(2, []));
    await bench.take(sued, await sued.announce(2, nord.points));
    expect(bench.points.get(nord.points[0]!)?.source).toBe('edge-sued');
  });

  describe('holds batches without a signature', () => {
    const deferred = async (source: TestSource, count: number): Promise<Batch[]> => {
      const batches: Batch[] = [];
      for (let i = 0; i < count; i++) batches.push(await source.observe(i, source.points, undefined, { defer: true }));
      return batches;
    };

    it('until one of their chain covers them, and logs and acknowledges them then, in order', async () => {
      const bench = await new Bench().open();
      const nord = bench.source();
      await bench.take(nord, await nord.announce());
      const held = await deferred(nord, 3);
      const taken = held.map((batch) => bench.take(nord, batch));
      const before = await bench.entries();
      expect(before.filter(({ source }) => source === 'edge-nord')).toHaveLength(1);
      const last = await nord.observe(9);
      expect(await bench.take(nord, last)).toEqual(ack(0, 4));
      expect(await Promise.all(taken)).toEqual([ack(0, 1), ack(0, 2), ack(0, 3)]);
      const kinds = (await bench.entries()).filter(({ source }) => source === 'edge-nord');
      expect(kinds.map(({ content }) => content.kind)).toEqual(['site', ...Array(4).fill('observations')]);
      // A copy that comes later is known.
      expect(await bench.take(nord, held[1]!)).toEqual({ ...ack(0, 2), duplicate: true });
      await bench.checkpoint();
      expect(await (await bench.open()).take(nord, await nord.observe(10))).toEqual(ack(0, 5));
    });

    it('and writes the gap record before them, when some are missing', async () => {
      const bench = await new Bench().open();
      const nord = bench.source();
      await bench.take(nord, await nord.announce());
      const [, ...held] = await deferred(nord, 3);
      const taken = held.map((batch) => bench.take(nord, batch));
      expect(await bench.take(nord, await nord.observe(9))).toEqual(ack(0, 4));
      expect(await Promise.all(taken)).toEqual([ack(0, 2), ack(0, 3)]);
      const order = (await bench.entries()).map(({ source, content }) => `${source} ${content.kind}`);
      expect(order.indexOf('centre gap')).toBeLessThan(order.lastIndexOf('edge-nord observations') - 1);
    });

    it('and takes none of them when the signature is not that of their chain, or of nobody known', async () => {
      const bench = await new Bench().open();
      const nord = bench.source();
      await bench.take(nord, await nord.announce());
      const held = await deferred(nord, 2);
      const taken = held.map((batch) => bench.take(nord, batch));
      const closing = await nord.observe(9);
      // A stranger signs the same header.
      const stranger = new TestSource('edge-nord');
      const forged = await sealBatch(closing, stranger.keys.signer, stranger.keys.kid);
      expect(await bench.take(nord, forged)).toMatchObject({ kind: 'reject', code: 'ingest.unknown-key' });
      const wrong = await sealBatch(closing, stranger.keys.signer, nord.keys.kid);
      expect(await bench.take(nord, wrong)).toMatchObject({ kind: 'reject', code: 'cose.signature' });
      expect((await bench.entries()).filter(({ source }) => source === 'edge-nord')).toHaveLength(1);
      expect(await bench.take(nord, closing)).toEqual(ack(0, 3));
      expect(await Promise.all(taken)).toEqual([ack(0, 1), ack(0, 2)]);
    });

    it('and forgets them when they come again, or others in their place', async () => {
      const bench = await new Bench().open();
      const nord = bench.source();
      await bench.take(nord, await nord.announce());
      const held = await deferred(nord, 2);
      const first = held.map((batch) => bench.take(nord, batch));
      const second = held.map((batch) => bench.take(nord, batch));
      expect(await Promise.all(first)).toMatchObject([{ code: 'ingest.uncovered' }, { code: 'ingest.uncovered' }]);
      expect(await bench.take(nord, await nord.observe(9))).toEqual(ack(0, 3));
      expect(await Promise.all(second)).toEqual([ack(0, 1), ack(0, 2)]);
      const [other] = await deferred(nord, 1);
      const waiting = bench.take(nord, other!);
      nord.chain.newEpoch(7);
      expect(await bench.take(nord, await nord.observe(1))).toEqual(ack(7, 0));
      // That of the older epoch still waits for its own.
      expect(await Promise.race([waiting, Promise.resolve('waits')])).toBe('waits');
    });

    it('whose columns are others than those of their header not even for a moment', async () => {
      const bench = await new Bench().open();
      const nord = bench.source();
      await bench.take(nord, await nord.announce());
      const [batch] = await deferred(nord, 1);
      const changed = { ...batch!, columns: batch!.columns.toReversed() };
      expect(await bench.take(nord, changed)).toMatchObject({ kind: 'reject', code: 'link.batch.root' });
    });
  });

  it('refuses what is not the business of a source', async () => {
    const bench = await new Bench().open();
    const [nord, sued] = [bench.source('edge-nord'), bench.source('edge-sued')];
    await bench.take(nord, await nord.announce());
    const at = '1800000000000000000';
    const alarm = { key: 'x', priority: 1, message: 'x', active: true, at, point: nord.points[0]! } as const;
    await bench.take(sued, await sued.next({ kind: 'alarmRaised', alarm }));
    await bench.take(sued, await sued.next({ kind: 'site', document: nord.site(9) }));
    const event = { command: newMrid(), point: nord.points[0]!, action: 'operate', step: 'confirmed', at } as const;
    await bench.take(sued, await sued.next({ kind: 'commandEvents', events: [event] }));
    await bench.take(
      sued,
      await sued.next({ kind: 'audit', record: { action: 'login', actor: 'admin', outcome: 'ok' } }),
    );
    const octets = (length: number) => new Uint8Array(length);
    const result = { node: 'edge-nord', verifier: 'edge-nord', result: octets(9), evidence: octets(32) };
    await bench.take(sued, await sued.next({ kind: 'attestation', record: result }));
    await bench.take(sued, await sued.next({ kind: 'command', record: { command: octets(9) } }));
    const certificate = { name: 'edge-sued', role: 'edge', certificate: octets(9) };
    await bench.take(sued, await sued.next({ kind: 'certificate', record: certificate }));
    const shown = (await bench.entries()).filter(({ source }) => source === 'edge-sued').map(({ content }) => content);
    expect(shown).toHaveLength(7);
    for (const content of shown) {
      expect(content).toMatchObject({ kind: 'audit', record: { action: 'ingest.refused', actor: 'edge-sued' } });
    }
    await bench.take(nord, await nord.next({ kind: 'alarmRaised', alarm }));
    expect((await bench.entries()).at(-1)?.content).toMatchObject({ kind: 'alarmRaised' });
    // A gateway that appraised a neighbour may say so in its own name.
    await bench.take(nord, await nord.next({ kind: 'attestation', record: { ...result, node: 'edge-sued' } }));
    expect((await bench.entries()).at(-1)?.content).toMatchObject({ record: { node: 'edge-sued' } });
  });

  it('writes a gap record before it takes a batch behind missing ones, and keeps the order of those that follow', async () => {
    const bench = await new Bench().open();
    const edge = bench.source();
    await bench.take(edge, await edge.announce());
    await edge.observe(1);
    const lost = await edge.observe(2);
    const rest = [await edge.observe(3), await edge.observe(4), await edge.observe(5)];
    expect(await Promise.all(rest.map((batch) => bench.take(edge, batch)))).toEqual([ack(0, 3), ack(0, 4), ack(0, 5)]);
    const entries = await bench.entries();
    const gap = entries.findIndex(({ content }) => content.kind === 'gap');
    expect(entries[gap]?.content).toMatchObject({
      gap: {
        reason: 'ingestLost',
        batches: { epoch: 0, first: 1, last: 2, lastHash: Buffer.from(lost.hash).toString('hex') },
      },
    });
    expect(entries.findIndex(({ content }) => content.kind === 'observations')).toBeGreaterThan(gap);
    expect(await bench.seen()).toEqual([3, 3, 3, 4, 4, 4, 5, 5, 5]);
    expect((await bench.told()).filter((text) => text.startsWith('gap'))).toEqual(['gap ingestLost']);
  });

  it('puts a source with a broken chain in quarantine until it goes on where it was', async () => {
    const bench = await new Bench().open();
    const edge = bench.source();
    const good = [await edge.announce(), await edge.observe(1), await edge.observe(2), await edge.observe(3)];
    await bench.take(edge, good[0]!);
    await bench.take(edge, good[1]!);
    const fork = edge.newChain();
    await fork.next({ kind: 'site', document: edge.site() });
    await fork.next({ kind: 'site', document: edge.site(2) });
    const forged = [
      await fork.next({ kind: 'site', document: edge.site(3) }),
      await fork.next({ kind: 'site', document: edge.site(4) }),
    ];
    for (const batch of forged) {
      expect(await bench.take(edge, batch)).toMatchObject({ kind: 'reject', code: 'ingest.chain.previous' });
    }
    expect(bench.chainOf(edge.name).quarantine).toMatchObject({ reason: 'previous' });
    expect(bench.points.site(edge.name)?.version).toBe(1);
    expect(await bench.take(edge, good[2]!)).toEqual(ack(0, 2));
    expect(bench.chainOf(edge.name).quarantine).toBeUndefined();
    expect(await bench.take(edge, good[3]!)).toEqual(ack(0, 3));
    const key = `ingest.chain.${edge.name}`;
    expect(await bench.told()).toEqual([
      'site.announced',
      `alarm ${key} on`,
      'ingest.chain-break',
      `alarm ${key} off`,
      'ingest.chain-continued',
    ]);
  });

  it('takes live data in a new epoch before the backlog, and finds a backlog that does not end where the join says', async () => {
    const bench = await new Bench().open();
    const edge = bench.source();
    const backlog = [await edge.announce(), await edge.observe(1), await edge.observe(2)];
    await bench.take(edge, backlog[0]!);
    edge.chain.newEpoch();
    const live = [await edge.observe(10), await edge.observe(11)];
    expect(await bench.take(edge, live[0]!)).toEqual(ack(1, 0));
    expect(await bench.take(edge, backlog[1]!)).toEqual(ack(0, 1));
    expect(await bench.take(edge, live[1]!)).toEqual(ack(1, 1));
    expect(await bench.take(edge, backlog[2]!)).toEqual(ack(0, 2));
    expect(bench.chainOf(edge.name).durable.completed).toBe(0);

    const other = bench.source('edge-west');
    const old = [await other.announce(), await other.observe(1)];
    await bench.take(other, old[0]!);
    other.chain.newEpoch();
    await bench.take(other, await other.observe(2));
    const fork = other.newChain();
    await fork.next({ kind: 'site', document: other.site() });
    const wrongEnd = await fork.next({ kind: 'site', document: other.site(7) });
    expect(await bench.take(other, wrongEnd)).toMatchObject({
      kind: 'reject',
      code: expect.stringMatching(/^ingest\.chain\./),
    });
    expect(await bench.take(other, old[1]!)).toEqual(ack(0, 1));
  });

  it('records that a source lost its memory of the chain', async () => {
    const bench = await new Bench().open();
    const edge = bench.source();
    await bench.take(edge, await edge.announce());
    edge.chain = edge.newChain(5);
    expect(await bench.take(edge, await edge.observe(1))).toEqual(ack(5, 0));
    expect(await bench.told()).toEqual([
      'site.announced',
      'ingest.chain-unjoined',
      `alarm ingest.unjoined.${edge.name}.5 on`,
      'gap ingestLost',
    ]);
  });

  it('acknowledges nothing while the disk is full, and takes the same batches again afterwards', async () => {
    const bench = await new Bench().open();
    const edge = bench.source();
    await bench.take(edge, await edge.announce());
    const batches = [await edge.observe(1), await edge.observe(2), await edge.observe(3)];
    bench.files.room = 100;
    const refused = await Promise.allSettled([...batches, batches[0]!].map((batch) => bench.take(edge, batch)));
    expect(refused.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected', 'rejected']);
    bench.files.room = Number.POSITIVE_INFINITY;
    await expect(bench.take(edge, batches[0]!)).rejects.toMatchObject({ fault: 'environment' });
    bench.clock.millis += 5000;
    for (const [index, batch] of batches.entries()) expect(await bench.take(edge, batch)).toEqual(ack(0, index + 1));
    expect(await bench.seen()).toEqual([1, 1, 1, 2, 2, 2, 3, 3, 3]);
    for await (const { record } of rawRecords(bench.log, 0)) decodeBatch(record.batch);
  });

  it('goes on after a start where log and checkpoint say, with chain, points and counters', async () => {
    for (const withCheckpoint of [true, false]) {
      const bench = await new Bench().open();
      const edge = bench.source();
      await bench.take(edge, await edge.announce());
      await bench.take(edge, await edge.observe(1));
      if (withCheckpoint) await bench.checkpoint();
      const last = await edge.observe(2);
      await bench.take(edge, last);
      edge.chain.newEpoch();
      await bench.take(edge, await edge.observe(3));
      const ownBefore = bench.ownChain.position;
      await bench.log.close();

      await bench.open();
      const chain = bench.chainOf(edge.name);
      expect(chain.counters).toMatchObject({ batches: 4, observations: 9 });
      expect(chain.durable.state()).toMatchObject({ completed: 0, epochs: [{ epoch: 1, sequence: 0 }] });
      expect(bench.points.isBound(edge.name, edge.points[0]!)).toBe(true);
      expect(bench.ownChain.position).toEqual(ownBefore);
      expect(await bench.take(edge, last)).toEqual({ ...ack(0, 2), duplicate: true });
      expect(await bench.take(edge, await edge.observe(4))).toEqual(ack(1, 1));
      await bench.ownChain.append({ action: 'test.more', actor: 'centre', outcome: 'ok' });
      expect(bench.ownChain.position?.sequence).toBe((ownBefore?.sequence ?? 0) + 1);
    }
  });
});
