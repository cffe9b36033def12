import type { GapRecord } from '@enerchain/model';
import { beforeEach, describe, expect, it } from 'vitest';
import { type Batch, BatchBuilder, ChainVerifier, ChainWriter, MAX_OPEN_EPOCHS } from '../src/index.ts';
import { newSigner, observation } from './world.ts';

const signer = newSigner();
const newWriter = (position?: ChainWriter['position']) =>
  new ChainWriter({ source: 'edge-nord', signer, kid: new Uint8Array(32), position });

let writer: ChainWriter;
let verifier: ChainVerifier;

beforeEach(() => {
  writer = newWriter();
  verifier = new ChainVerifier();
});

const write = async (count: number): Promise<Batch[]> => {
  const batches: Batch[] = [];
  for (let i = 0; i < count; i++) {
    const builder = new BatchBuilder();
    builder.add(observation());
    batches.push(await writer.next({ kind: 'observations', batch: builder.build() }));
  }
  return batches;
};
/** Checks and, where it is the next one, accepts. */
const take = (batch: Batch) => {
  const verdict = verifier.check(batch);
  if (verdict.kind === 'next') verifier.accept(batch);
  return verdict;
};
const kinds = (batches: readonly Batch[]) => batches.map((batch) => take(batch).kind);
const dropped = (batches: readonly Batch[]): GapRecord => ({
  reason: 'outboxOverflow',
  from: '0',
  to: '1',
  batches: {
    epoch: batches[0]!.header.epoch,
    first: batches[0]!.header.sequence,
    last: batches.at(-1)!.header.sequence,
    lastHash: Buffer.from(batches.at(-1)!.hash).toString('hex'),
  },
});

describe('the chain of a source', () => {
  it('is followed batch by batch', async () => {
    const batches = await write(3);
    expect(kinds(batches)).toEqual(['next', 'next', 'next']);
    expect(verifier.cursors()).toEqual([{ epoch: 0, sequence: 2, hash: batches[2]!.hash }]);
  });

  it('goes on after a restart of either end', async () => {
    kinds(await write(2));
    writer = newWriter(writer.position);
    verifier = new ChainVerifier(structuredClone(verifier.state()));
    expect(kinds(await write(2))).toEqual(['next', 'next']);
  });

  it('knows duplicates', async () => {
    const batches = await write(3);
    kinds(batches);
    expect(kinds(batches)).toEqual(['duplicate', 'duplicate', 'duplicate']);
  });

  it('takes a batch after a hole and says what is missing', async () => {
    const batches = await write(5);
    kinds(batches.slice(0, 2));
    expect(take(batches[4]!)).toEqual({
      kind: 'next',
      missing: { epoch: 0, first: 2, last: 3, lastHash: batches[3]!.hash },
    });
  });

  it('is broken by a batch that names another predecessor', async () => {
    kinds(await write(2));
    const position = { ...writer.position!, hash: new Uint8Array(32).fill(9) };
    writer = newWriter(position);
    expect(take((await write(1))[0]!)).toMatchObject({ kind: 'broken', reason: 'previous' });
  });

  it('is broken by another batch under the number of the last one', async () => {
    kinds(await write(1));
    const { position } = writer;
    kinds(await write(1));
    writer = newWriter(position);
    expect(take((await write(1))[0]!)).toMatchObject({ kind: 'broken', reason: 'fork' });
  });

  it('asks for one batch at a time', async () => {
    const first = write(1);
    await expect(write(1)).rejects.toMatchObject({ code: 'link.chain.busy' });
    await first;
  });
});

describe('epochs', () => {
  it('let live data pass the backlog, and close when the backlog is complete', async () => {
    const old = await write(4);
    kinds(old.slice(0, 1));
    writer.newEpoch();
    const live = await write(2);
    expect(live[0]!.header.join).toEqual({ epoch: 0, sequence: 3, hash: old[3]!.hash });
    expect(kinds(live)).toEqual(['next', 'next']);
    expect(verifier.completed).toBe(-1);
    expect(kinds(old.slice(1))).toEqual(['next', 'next', 'next']);
    expect(verifier.completed).toBe(0);
    expect(kinds(old)).toEqual(['duplicate', 'duplicate', 'duplicate', 'duplicate']);
  });

  it('may arrive in any order, even those never seen before', async () => {
    const epochs: Batch[][] = [];
    for (let i = 0; i < 4; i++) {
      epochs.push(await write(2));
      writer.newEpoch();
    }
    for (const index of [3, 1, 0, 2]) expect(kinds(epochs[index]!)).toEqual(['next', 'next']);
    expect(verifier.state()).toMatchObject({ completed: 2, epochs: [{ epoch: 3, sequence: 1 }] });
  });

  it('do not begin twice when nothing was written', async () => {
    writer.newEpoch();
    await write(1);
    writer.newEpoch();
    writer.newEpoch();
    expect(writer.epoch).toBe(1);
  });

  it('are broken when the old one ends otherwise than the new one says', async () => {
    const old = await write(3);
    kinds(old.slice(0, 2));
    writer.newEpoch();
    kinds(await write(1));
    // Another third batch than the one that was joined.
    writer = newWriter({ epoch: 0, sequence: 1, hash: old[1]!.hash });
    expect(take((await write(1))[0]!)).toMatchObject({ kind: 'broken', reason: 'join' });
    // The right one, and one more behind the end.
    expect(take(old[2]!).kind).toBe('next');
    writer = newWriter({ epoch: 0, sequence: 2, hash: old[2]!.hash });
    expect(take((await write(1))[0]!).kind).toBe('duplicate');
  });

  it('are broken by a batch behind the end of one that is not complete', async () => {
    const old = await write(3);
    kinds(old.slice(0, 1));
    writer.newEpoch();
    kinds(await write(1));
    writer = newWriter({ epoch: 0, sequence: 2, hash: old[2]!.hash });
    expect(take((await write(1))[0]!)).toMatchObject({ kind: 'broken', reason: 'afterEnd' });
  });

  it('are broken by a join to a place that was passed', async () => {
    const old = await write(3);
    kinds(old);
    writer = newWriter({ epoch: 0, sequence: 1, hash: old[1]!.hash });
    writer.newEpoch();
    expect(take((await write(1))[0]!)).toMatchObject({ kind: 'broken', reason: 'join' });
  });

  it('that name none before them are taken, and said to have lost the chain', async () => {
    kinds(await write(3));
    writer.restart(5);
    expect(take((await write(1))[0]!)).toEqual({ kind: 'next', unjoined: true });
    expect(verifier.completed).toBe(0);
    expect(kinds(await write(1))).toEqual(['next']);
  });

  it('are bounded in number', async () => {
    for (let i = 0; i <= MAX_OPEN_EPOCHS; i++) {
      const [first] = await write(2);
      const verdict = take(first!);
      expect(verdict.kind).toBe(i < MAX_OPEN_EPOCHS ? 'next' : 'broken');
      writer.newEpoch();
    }
    expect(verifier.state().epochs.length).toBeLessThanOrEqual(MAX_OPEN_EPOCHS);
  });
});

describe('a gap record', () => {
  it('that comes before the hole explains it', async () => {
    const old = await write(6);
    kinds(old.slice(0, 2));
    writer.newEpoch();
    kinds(await write(1));
    verifier.acceptGap(dropped(old.slice(3, 5)));
    expect(take(old[2]!)).toEqual({ kind: 'next' });
    expect(take(old[5]!)).toEqual({ kind: 'next' });
    expect(verifier.completed).toBe(0);
  });

  it('at the end of an epoch completes it', async () => {
    const old = await write(4);
    kinds(old.slice(0, 2));
    writer.newEpoch();
    kinds(await write(1));
    verifier.acceptGap(dropped(old.slice(2)));
    expect(verifier.completed).toBe(0);
  });

  it('of a whole epoch that never came completes it', async () => {
    const first = await write(2);
    writer.newEpoch();
    kinds(await write(1));
    verifier.acceptGap(dropped(first));
    expect(verifier.completed).toBe(0);
  });

  it('does not excuse a batch whose predecessor is another one than was dropped', async () => {
    const old = await write(4);
    kinds(old.slice(0, 1));
    const gap = dropped(old.slice(1, 3));
    verifier.acceptGap({ ...gap, batches: { ...gap.batches!, lastHash: '00'.repeat(32) } });
    expect(take(old[3]!)).toMatchObject({ kind: 'broken', reason: 'previous' });
  });

  it('that leads to another end than the new epoch names leaves the old one open', async () => {
    const old = await write(3);
    kinds(old.slice(0, 1));
    writer.newEpoch();
    kinds(await write(1));
    const gap = dropped(old.slice(1));
    verifier.acceptGap({ ...gap, batches: { ...gap.batches!, lastHash: '00'.repeat(32) } });
    expect(verifier.completed).toBe(-1);
  });

  it('survives a restart of the receiver', async () => {
    const old = await write(5);
    kinds(old.slice(0, 1));
    verifier.acceptGap(dropped(old.slice(2, 4)));
    verifier = new ChainVerifier(structuredClone(verifier.state()));
    expect(take(old[1]!)).toEqual({ kind: 'next' });
    expect(take(old[4]!)).toEqual({ kind: 'next' });
  });
});
