/** An outbox on a disk of three megabytes (tmpfs; needs Linux and the right to mount). */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { contentOf, decodeBatch, observationsOf } from '@enerchain/link';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Outbox } from '../src/outbox/outbox.ts';
import { OutboxStore } from '../src/outbox/store.ts';
import { DEFAULT_OUTBOX } from '../src/site/site.ts';
import { KID, pointOf, silent, TestClock, testSigner } from './helpers.ts';

const folder = mkdtempSync(join(tmpdir(), 'enerchain-small-disk-'));
const mounted =
  process.platform === 'linux' &&
  process.getuid?.() === 0 &&
  spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=3m', 'tmpfs', folder]).status === 0;

describe.skipIf(!mounted)(
  `an outbox alone on its disk${mounted ? '' : ' (skipped: no tmpfs can be mounted here)'}`,
  () => {
    let store: OutboxStore;
    let outbox: Outbox;
    let produced = 0;
    beforeAll(() => {
      const clock = new TestClock();
      store = new OutboxStore(join(folder, 'outbox.sqlite'), { clock });
      const points = [pointOf(0)];
      const signing = { source: 'edge-test', signer: testSigner, kid: KID };
      outbox = new Outbox({ store, settings: DEFAULT_OUTBOX, ...signing, points, clock, logger: silent });
    });
    afterAll(async () => {
      await outbox?.close();
      spawnSync('umount', ['-l', folder]);
      rmSync(folder, { recursive: true, force: true });
    });

    const produce = (count: number): Promise<boolean> => {
      const at = 1_800_000_000_000_000_000n;
      for (let i = 0; i < count; i++) outbox.add(0, produced++ + Math.random() / 2, 0, at, 31, at, 0);
      return outbox.flush(2_000);
    };
    /** Takes the numbers of the observations in the outbox and acknowledges them, as the centre does. */
    const deliver = (numbers: number[]): void => {
      for (const { epoch, first, last } of store.epochs()) {
        for (const { bytes } of store.read(epoch, first, last - first + 1, Number.POSITIVE_INFINITY)) {
          const content = contentOf(decodeBatch(bytes));
          if (content.kind !== 'observations') continue;
          for (const { value } of observationsOf(content.batch)) numbers.push(Math.floor(value as number));
        }
        outbox.outgoing.acknowledge(epoch, last);
      }
    };

    test('fills it to its bound, and empties itself when the centre acknowledges, as often as that happens', async () => {
      const delivered: number[] = [];
      for (let round = 0; round < 3; round++) {
        while (!outbox.failing) {
          produce(1_000);
          await outbox.flush(50);
        }
        expect(store.bytes).toBeGreaterThan(1024 * 1024);
        deliver(delivered);
        expect(await outbox.flush(5_000)).toBe(true);
        expect(outbox.failing).toBe(false);
      }
      expect(await produce(1_000)).toBe(true);
      deliver(delivered);
      expect(delivered).toHaveLength(produced);
      expect(delivered.findIndex((number, i) => number !== i)).toBe(-1);
      expect(outbox.counters.refusedObservations).toBe(0);
    });

    test('is read whole by whoever opens it at the bound', async () => {
      while (!outbox.failing) {
        produce(1_000);
        await outbox.flush(50);
      }
      // A second connection sees what a new process would see: the file as it is, with its log.
      const again = new OutboxStore(join(folder, 'outbox.sqlite'));
      expect(again.batches).toBe(store.batches);
      again.close();
      deliver([]);
      expect(await outbox.flush(5_000)).toBe(true);
    });
  },
);
