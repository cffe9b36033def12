import { fork } from 'node:child_process';
import { join } from 'node:path';
import { ChainVerifier, contentOf, decodeBatch } from '@enerchain/link';
import { toMillis } from '@enerchain/model';
import type { Signer } from '@enerchain/pki';
import { afterEach, describe, expect, test } from 'vitest';
import { Gatherer } from '../src/outbox/gatherer.ts';
import { recover } from '../src/outbox/recovery.ts';
import { OutboxStore } from '../src/outbox/store.ts';
import { KEY_PEM, type OutboxRig, outboxRig, pointOf, testSigner } from './helpers.ts';

let rig: OutboxRig;
afterEach(() => rig?.dispose());

const receipt = (released: string[], name: string) => ({ release: () => void released.push(name) });
const numbersOf = (of: OutboxRig): number[] =>
  of
    .contents()
    .flatMap((content) =>
      content.kind === 'observations' ? content.batch.columns.flatMap((column) => [...column.value] as number[]) : [],
    );

describe('the gatherer', () => {
  test('sorts observations into one column per point and keeps their order', () => {
    const gatherer = new Gatherer([pointOf(0), pointOf(1), pointOf(0)], 2);
    gatherer.add(1, 10, 0, 1n, 31, 2n, 0);
    gatherer.add(0, 20, 0, 3n, 31, 4n, 0x80);
    gatherer.add(1, 'text', 0, 5n, 31, 6n, 3);
    gatherer.add(2, Number.NaN, 0, 7n, 31, 8n, 0);
    gatherer.add(0, Number.POSITIVE_INFINITY, 0, 9n, 31, 10n, 0);
    expect([gatherer.count, gatherer.first, gatherer.last]).toEqual([5, 2n, 10n]);
    const { columns, count } = gatherer.build();
    expect(count).toBe(5);
    expect(columns.map(({ point }) => point)).toEqual([pointOf(1), pointOf(0)]);
    expect(columns[0]!.value).toEqual([10, 'text']);
    expect([...columns[1]!.sourceTime]).toEqual([3n, 9n, 7n]);
    expect(columns[1]!.value).toEqual([20, null, null]);
    expect([...columns[1]!.quality]).toEqual([0, 0b101, 0b01]);
    expect([...columns[1]!.cause]).toEqual([0x80, 0, 0]);
    expect(gatherer.build()).toEqual({ columns: [], count: 0 });
  });
});

describe('the outbox', () => {
  test('releases a receipt only after what came before it is on disk', async () => {
    rig = outboxRig();
    const released: string[] = [];
    rig.add(1, 42);
    rig.outbox.hold(receipt(released, 'first'));
    expect(released).toEqual([]);
    await rig.outbox.flush();
    expect(released).toEqual(['first']);
    expect(numbersOf(rig)).toEqual([42]);
    rig.outbox.hold(receipt(released, 'nothing to wait for'));
    expect(released).toHaveLength(2);
  });

  test('closes a batch by time, by count, and on demand', async () => {
    rig = outboxRig({ batchTime: 5, batchCount: 3 });
    const sizes: number[] = [];
    const next = () =>
      new Promise<void>((resolve) => {
        rig.outbox.outgoing.onSendable = ({ bytes }) => {
          sizes.push(decodeBatch(bytes).header.count);
          resolve();
        };
      });
    let committed = next();
    rig.add(0, 1);
    await committed;
    committed = next();
    for (let i = 0; i < 3; i++) rig.add(0, i);
    await committed;
    committed = next();
    rig.add(0, 1);
    rig.outbox.commitSoon();
    await committed;
    expect(sizes).toEqual([1, 3, 1]);
  });

  test('goes on with the chain exactly where it stood, in a new epoch', async () => {
    rig = outboxRig();
    rig.add(0, 1);
    await rig.outbox.flush();
    rig.add(0, 2);
    await rig.outbox.close();
    rig.reopen();
    rig.add(0, 3);
    await rig.outbox.close();
    rig.reopen();
    rig.add(0, 4);
    await rig.outbox.flush();
    const verifier = new ChainVerifier();
    for (const batch of rig.batches()) {
      expect(verifier.check(batch)).toEqual({ kind: 'next' });
      verifier.accept(batch);
    }
    const base = rig.batches()[0]!.header.epoch;
    expect(rig.batches().map(({ header }) => [header.epoch - base, header.sequence])).toEqual([
      [0, 0],
      [0, 1],
      [1, 0],
      [2, 0],
    ]);
    expect(numbersOf(rig)).toEqual([1, 2, 3, 4]);
  });

  test('keeps no batch that the centre has acknowledged, and sends none of them again', async () => {
    rig = outboxRig();
    for (let i = 0; i < 5; i++) {
      rig.add(0, i);
      await rig.outbox.flush();
    }
    const { epoch } = rig.outbox;
    rig.outbox.outgoing.acknowledge(epoch, 2);
    expect(rig.store.epochs()).toEqual([{ epoch, first: 3, last: 4 }]);
    rig.outbox.outgoing.acknowledge(epoch, 1);
    expect(rig.store.epochs()).toEqual([{ epoch, first: 3, last: 4 }]);
    await rig.outbox.close();
    rig.reopen();
    expect(rig.store.epochs()).toEqual([{ epoch, first: 3, last: 4 }]);
  });

  test('at its bound in size drops the oldest batches and says which, so that the chain can be followed', async () => {
    rig = outboxRig({ maxBytes: 65_536 }, { retainObservations: 0 });
    const begun = rig.outbox.epoch;
    for (let i = 0; i < 250; i++) {
      rig.clock.millis += 1000;
      for (let n = 0; n < 10; n++) rig.add(n, i);
      await rig.outbox.flush();
    }
    expect(rig.store.bytes).toBeLessThanOrEqual(65_536 + 1024);
    const { droppedBatches, droppedObservations } = rig.outbox.counters;
    expect(droppedBatches).toBeGreaterThan(50);
    const gaps = rig.contents().flatMap((content) => (content.kind === 'gap' ? [content.gap] : []));
    expect(gaps.reduce((sum, gap) => sum + gap.lost!, 0)).toBe(droppedObservations);
    expect(gaps[0]).toMatchObject({
      reason: 'outboxOverflow',
      batches: { epoch: begun, first: 0 },
    });
    expect(numbersOf(rig).length + droppedObservations).toBe(2500);
    // What a centre sees that was away all the time: live epochs first, then the backlog; no unexplained hole.
    const verifier = new ChainVerifier();
    const epochs = [...new Set(rig.batches().map(({ header }) => header.epoch))].sort((a, b) => b - a);
    for (const epoch of epochs) {
      for (const batch of rig.batches().filter(({ header }) => header.epoch === epoch)) {
        expect(verifier.check(batch)).toEqual({ kind: 'next' });
        verifier.accept(batch);
        const content = contentOf(batch);
        if (content.kind === 'gap') verifier.acceptGap(content.gap);
      }
    }
  });

  test('at its bound in age does the same', async () => {
    rig = outboxRig({ maxAge: 60 }, { retainObservations: 0 });
    for (let i = 0; i < 10; i++) {
      rig.add(0, i);
      await rig.outbox.flush();
      rig.clock.millis += 10_000;
    }
    const gaps = rig.contents().flatMap((content) => (content.kind === 'gap' ? [content.gap] : []));
    expect(gaps.length).toBeGreaterThan(0);
    expect(gaps.reduce((sum, gap) => sum + gap.lost!, 0) + numbersOf(rig).length).toBe(10);
    expect(toMillis(BigInt(gaps[0]!.from))).toBe(Date.UTC(2026, 0, 1));
  });

  test('drops nothing for which it cannot sign a gap record yet', async () => {
    let failing = Number.POSITIVE_INFINITY;
    const signer: Signer = {
      ...testSigner,
      sign: (data) => {
        if (--failing === 0) throw new Error('the key store is away');
        return testSigner.sign(data);
      },
    };
    rig = outboxRig({ maxAge: 60 }, { retainObservations: 0 }, 16, signer);
    rig.add(0, 1);
    await rig.outbox.flush();
    // A gap record is never dropped: what is too old stands in two runs, before and behind it.
    await rig.outbox.writeGap({ reason: 'deviceAway', from: '1', to: '2' });
    rig.add(0, 2);
    await rig.outbox.flush();
    rig.clock.millis += 120_000;
    failing = 2;
    rig.add(0, 3);
    await expect.poll(() => numbersOf(rig).includes(3), { interval: 5, timeout: 10_000 }).toBe(true);
    const gaps = rig.contents().flatMap((content) => (content.kind === 'gap' ? [content.gap] : []));
    expect(gaps.filter(({ reason }) => reason === 'outboxOverflow').map(({ lost }) => lost)).toEqual([1, 1]);
    expect(numbersOf(rig)).toEqual([3]);
  });

  test('does not take a clock that jumps a year for age', async () => {
    rig = outboxRig({ maxAge: 60 }, { retainObservations: 0 });
    for (const step of [0, 365 * 86_400_000, -365 * 86_400_000]) {
      rig.clock.millis += step;
      rig.clock.stepped += step;
      rig.add(0, step);
      await rig.outbox.flush();
    }
    expect(rig.outbox.counters.droppedBatches).toBe(0);
    expect(numbersOf(rig)).toHaveLength(3);
    await rig.outbox.close();
    rig.reopen();
    rig.clock.millis += 120_000; // time that really passes counts, also over a restart
    rig.add(0, 1);
    await rig.outbox.flush();
    expect(numbersOf(rig)).toEqual([1]);
  });

  test('never drops what is on its way to the centre', async () => {
    rig = outboxRig({ maxBytes: 65_536 }, { retainObservations: 0 });
    rig.add(0, -1);
    await rig.outbox.flush();
    rig.outbox.outgoing.read(rig.outbox.epoch, 0, { count: 1, bytes: 1 });
    for (let i = 0; i < 200; i++) {
      for (let n = 0; n < 10; n++) rig.add(n, i);
      await rig.outbox.flush();
    }
    expect(numbersOf(rig)[0]).toBe(-1);
    expect(rig.outbox.counters.droppedBatches).toBeGreaterThan(0);
  });

  test('that cannot write releases nothing, keeps what came, and writes it when it can', async () => {
    let full = false;
    rig = outboxRig(
      {},
      {
        beforeCommit: () => {
          if (full) throw new Error('database or disk is full');
        },
      },
    );
    const released: string[] = [];
    full = true;
    rig.add(0, 1);
    rig.outbox.hold(receipt(released, 'a'));
    expect(await rig.outbox.flush(30)).toBe(false);
    rig.add(0, 2);
    rig.outbox.hold(receipt(released, 'b'));
    expect(await rig.outbox.flush(30)).toBe(false);
    expect(released).toEqual([]);
    expect(rig.outbox.failing).toBe(true);
    expect(numbersOf(rig)).toEqual([]);
    full = false;
    expect(await rig.outbox.flush()).toBe(true);
    expect(released).toEqual(['a', 'b']);
    expect(numbersOf(rig)).toEqual([1, 2]);
    expect(rig.outbox.counters.failedCommits).toBeGreaterThan(0);
  });

  test('whose memory fills while it cannot write refuses, and says afterwards what it refused', async () => {
    let full = true;
    rig = outboxRig(
      { maxMemory: 65_536, batchCount: 100 },
      {
        beforeCommit: () => {
          if (full) throw new Error('database or disk is full');
        },
      },
    );
    rig.add(0, -1);
    await rig.outbox.flush(30);
    const released: string[] = [];
    for (let i = 0; i < 3000; i++) rig.add(i % 8, i);
    rig.outbox.hold(receipt(released, 'late'));
    const { refusedObservations } = rig.outbox.counters;
    expect(refusedObservations).toBeGreaterThan(1000);
    expect(rig.outbox.memory).toBeLessThan(2 * 65_536);
    full = false;
    while (!(await rig.outbox.flush()) || released.length === 0);
    const gaps = rig.contents().flatMap((content) => (content.kind === 'gap' ? [content.gap] : []));
    expect(gaps).toMatchObject([{ reason: 'outboxFailure', lost: refusedObservations }]);
    expect(numbersOf(rig).length + refusedObservations).toBe(3001);
    expect(released).toEqual(['late']);
    rig.add(0, 5);
    await rig.outbox.flush();
    expect(numbersOf(rig).at(-1)).toBe(5);
  });

  test('knows whether the last run was closed, and up to when everything is on disk', async () => {
    rig = outboxRig();
    expect(recover(rig.store, ['rtu'], rig.clock)).toMatchObject({ fresh: true, clean: false });
    rig.add(0, 1);
    await rig.outbox.close();
    rig.reopen();
    const second = recover(rig.store, ['rtu'], rig.clock);
    expect(second).toMatchObject({ fresh: false, clean: true });
    expect(second.openGaps.size).toBe(0);
    rig.add(0, 2);
    await rig.outbox.flush();
    const committed = rig.clock.now();
    rig.store.close();
    rig.clock.millis += 60_000;
    rig.reopen();
    const third = recover(rig.store, ['rtu'], rig.clock);
    expect(third.clean).toBe(false);
    expect(third.openGaps.get('rtu')).toMatchObject({ reason: 'uncleanRestart', since: committed });
    rig.store.close();
    rig.clock.millis += 60_000;
    rig.reopen();
    // Broken off again before the interrogation ended: the gap still begins at the first break.
    expect(recover(rig.store, ['other'], rig.clock).orphaned).toMatchObject([{ endpoint: 'rtu', since: committed }]);
  });

  test('refuses a file that is no outbox with a sentence', () => {
    rig = outboxRig();
    expect(() => new OutboxStore(join(rig.folder, 'nowhere', 'outbox.sqlite'))).toThrow(
      /cannot be opened.*does not start/,
    );
  });

  test('of a process killed in the middle of writing holds everything the process had released', async () => {
    rig = outboxRig({}, { retainObservations: 0 });
    rig.store.close();
    for (let round = 0; round < 3; round++) {
      const child = fork(join(import.meta.dirname, 'outbox-writer.ts'), [rig.file, String(round)], {
        execArgv: ['--disable-warning=ExperimentalWarning'],
        env: { ...process.env, EDGE_TEST_KEY: KEY_PEM },
        stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      });
      let released = -1;
      const enough = new Promise<void>((resolve) =>
        child.on('message', (upTo: number) => {
          released = upTo;
          if (upTo >= 40 * (round + 1)) resolve();
        }),
      );
      await enough;
      child.kill('SIGKILL');
      await new Promise((resolve) => child.once('exit', resolve));
      rig.reopen();
      const verifier = new ChainVerifier();
      for (const batch of rig.batches()) {
        expect(verifier.check(batch).kind).toBe('next');
        verifier.accept(batch);
      }
      const kept = new Set(numbersOf(rig));
      for (let n = 0; n <= released; n++) expect(kept.has(n * 1000 + round)).toBe(true);
      expect(recover(rig.store, [], rig.clock).clean).toBe(false);
      rig.store.close();
    }
  });
});
