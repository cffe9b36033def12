/** A key that is slow: one signature for several batches, and nothing is sent before one covers it. */
import { DatabaseSync } from 'node:sqlite';
import { type Batch, decodeBatch, verifyBatch, verifyColumns } from '@enerchain/link';
import type { Signer } from '@enerchain/pki';
import { afterEach, describe, expect, test } from 'vitest';
import type { OutboxSettings } from '../src/site/site.ts';
import { KEY, type OutboxRig, outboxRig, testSigner } from './helpers.ts';

/** Signs when it is told to. */
class SlowSigner implements Signer {
  readonly algorithm = 'ES256';
  readonly origin = 'tpm';
  readonly publicKey = KEY.publicKey;
  readonly rate = 4;
  asked = 0;
  readonly #waiting: (() => void)[] = [];
  free = false;

  async sign(data: Uint8Array): Promise<Uint8Array> {
    this.asked++;
    if (!this.free) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    return testSigner.sign(data);
  }

  release(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}

let rig: OutboxRig;
afterEach(() => rig?.dispose());
const slowRig = (signer: Signer, settings: Partial<OutboxSettings> = {}) => outboxRig(settings, {}, 16, signer);
const stored = (): Batch[] =>
  rig.store
    .epochs()
    .flatMap(({ epoch, first, last }) =>
      rig.store.read(epoch, first, last - first + 1, Number.POSITIVE_INFINITY).map(({ bytes }) => decodeBatch(bytes)),
    );
const sendable = () =>
  rig.outbox.outgoing
    .epochs()
    .flatMap(({ epoch, first, last }) =>
      rig.outbox.outgoing
        .read(epoch, first, { count: last - first + 1, bytes: 1e9 })
        .map(({ sequence }) => `${epoch}/${sequence}`),
    );
const unsigned = () => stored().map(({ deferred }) => deferred);
/** Batches of one value each, on the disk when it resolves. */
const write = async (count: number, from = 0) => {
  for (let i = 0; i < count; i++) {
    const { batches } = rig.outbox.counters;
    rig.add(i % 16, from + i);
    rig.outbox.commitSoon();
    await expect.poll(() => rig.outbox.counters.batches, POLL).toBeGreaterThan(batches);
  }
};
const POLL = { interval: 1, timeout: 60_000 } as const;

describe('an outbox with a slow key', () => {
  test('keeps what comes at once, signs the newest when the key is free, and sends what that covers', async () => {
    const signer = new SlowSigner();
    rig = slowRig(signer);
    const released: number[] = [];
    const offered: number[] = [];
    rig.outbox.outgoing.onSendable = ({ sequence }) => void offered.push(sequence);
    for (let i = 0; i < 5; i++) {
      rig.outbox.hold({ release: () => void released.push(i) });
      await write(1, i);
    }
    // Devices have been told: what is on the disk is theirs no longer. The first signature is still being made.
    expect(released).toEqual([0, 1, 2, 3, 4]);
    expect(unsigned()).toEqual([true, true, true, true, true]);
    expect([signer.asked, sendable(), offered]).toEqual([1, [], []]);
    signer.release();
    // One for the first batch, since it was alone then; the next is for all others.
    await expect.poll(() => signer.asked, POLL).toBe(2);
    expect(unsigned()).toEqual([false, true, true, true, true]);
    expect(sendable()).toHaveLength(1);
    signer.release();
    await expect.poll(unsigned, POLL).toEqual([false, true, true, true, false]);
    expect(sendable()).toHaveLength(5);
    expect(offered).toEqual([0, 4]);
    const [first, ...rest] = stored();
    verifyBatch(first!, KEY.publicKey);
    verifyBatch(rest.at(-1)!, KEY.publicKey);
    let before = first!;
    for (const batch of rest) {
      expect(Buffer.from(batch.header.previous)).toEqual(Buffer.from(before.hash));
      verifyColumns(batch);
      before = batch;
    }
    expect(rig.store.bytes).toBe(
      rig.store.read(first!.header.epoch, 0, 9).reduce((sum, { bytes }) => sum + bytes.length, 0),
    );
  });

  test('covers what an earlier run has left uncovered', async () => {
    const signer = new SlowSigner();
    rig = slowRig(signer);
    await write(3);
    const { epoch } = stored()[0]!.header;
    rig.store.close();
    rig.clock.millis += 5_000;
    rig.reopen();
    expect(sendable()).toEqual([]);
    signer.release();
    signer.free = true;
    await write(1, 9);
    await expect.poll(sendable, POLL).toHaveLength(4);
    const last = stored()
      .filter(({ header }) => header.epoch === epoch)
      .at(-1)!;
    expect([last.header.sequence, last.deferred]).toEqual([2, false]);
  });

  test('signs what stands before a hole, which nothing behind it could cover', async () => {
    const signer = new SlowSigner();
    signer.free = true;
    rig = slowRig(signer, { maxBytes: 12_000 });
    // A gap record is never dropped: it stays before the hole.
    await rig.outbox.writeGap({ reason: 'deviceAway', from: '1', to: '2' });
    for (let i = 0; i < 60; i++) await write(1, i);
    await expect.poll(() => rig.outbox.counters.droppedBatches, POLL).toBeGreaterThan(0);
    await rig.outbox.flush();
    const all = stored();
    all.forEach((batch, i) => {
      const next = all[i + 1];
      const follows = next?.header.epoch === batch.header.epoch && next.header.sequence === batch.header.sequence + 1;
      if (!follows) expect(batch.deferred).toBe(false);
    });
    expect(sendable()).toHaveLength(all.length);
  });

  test('loses nothing when the key fails for a while', async () => {
    const signer = new SlowSigner();
    let failures = 1;
    const sign = signer.sign.bind(signer);
    signer.sign = async (data) => {
      if (failures-- > 0) throw new Error('the TPM is busy');
      return sign(data);
    };
    signer.free = true;
    rig = slowRig(signer);
    await write(3);
    await expect.poll(sendable, POLL).toHaveLength(3);
    expect(failures).toBeLessThan(0);
  });

  test('is closed with everything covered', async () => {
    const signer = new SlowSigner();
    signer.free = true;
    rig = slowRig(signer);
    await write(4);
    await rig.outbox.close();
    const file = new DatabaseSync(rig.file);
    const rows = file.prepare('SELECT bytes FROM batch ORDER BY id').all() as { bytes: Uint8Array }[];
    file.close();
    expect(rows).toHaveLength(4);
    expect(decodeBatch(rows.at(-1)!.bytes).deferred).toBe(false);
  });
});

describe('an outbox with a fast key', () => {
  test('signs every batch', async () => {
    rig = slowRig({ ...testSigner, rate: 10_000 });
    await write(3);
    expect(unsigned()).toEqual([false, false, false]);
    expect(sendable()).toHaveLength(3);
  });
});
