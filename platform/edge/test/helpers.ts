/** What the tests of the edge share: a clock in hand, a key, a silent log, an outbox in a folder of its own. */
import { createPrivateKey, createPublicKey, generateKeyPairSync, sign } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Batch, type Content, contentOf, decodeBatch, verifyBatch } from '@enerchain/link';
import { type Clock, fromMillis, type Mrid, uuidFromBytes } from '@enerchain/model';
import type { Signer } from '@enerchain/pki';
import { type Logger, pino } from 'pino';
import { Outbox } from '../src/outbox/outbox.ts';
import { OutboxStore, type StoreOptions } from '../src/outbox/store.ts';
import { type BoundPoint, DEFAULT_OUTBOX, type OutboxSettings } from '../src/site/site.ts';

export const silent: Logger = pino({ level: process.env.EDGE_TEST_LOG ?? 'silent' });

export class TestClock implements Clock {
  millis = Date.UTC(2026, 0, 1);
  /** What of `millis` was not time passing but the clock being set. */
  stepped = 0;

  now(): bigint {
    return fromMillis(this.millis);
  }

  monotonic(): number {
    return performance.now() + this.millis - this.stepped - Date.UTC(2026, 0, 1);
  }
}

/** One key for a test and the processes it starts. */
export const KEY_PEM =
  process.env.EDGE_TEST_KEY ??
  String(generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ type: 'pkcs8', format: 'pem' }));
const privateKey = createPrivateKey(KEY_PEM);
export const KEY = { privateKey, publicKey: createPublicKey(privateKey) };
export const KID = new Uint8Array(32).fill(7);

export const testSigner: Signer = {
  algorithm: 'ES256',
  origin: 'file',
  publicKey: KEY.publicKey,
  sign: (data) => sign('sha256', data, { key: KEY.privateKey, dsaEncoding: 'ieee-p1363' }),
};

export const pointOf = (n: number): Mrid => {
  const bytes = Buffer.alloc(16);
  bytes.writeUInt32BE(n, 12);
  return uuidFromBytes(bytes);
};

export const bound = (slot: number): BoundPoint => ({
  slot,
  point: { mRID: pointOf(slot), name: `point ${slot}`, kind: 'analog' },
  binding: { point: pointOf(slot), endpoint: 'rtu', address: `ca=1 ioa=${slot}`, access: 'read' },
  k: 1,
  d: 0,
  target: undefined,
  origin: `test:${slot}`,
});

export interface OutboxRig {
  readonly folder: string;
  readonly file: string;
  readonly clock: TestClock;
  store: OutboxStore;
  outbox: Outbox;
  /** Opens the same file again, as the next run of the edge does. */
  reopen(): void;
  add(slot: number, value: number, repeat?: boolean): void;
  /** All batches that are not acknowledged, checked, in order of epoch and sequence. */
  batches(): Batch[];
  contents(): Content[];
  dispose(): void;
}

export function outboxRig(
  settings: Partial<OutboxSettings> = {},
  options: StoreOptions = {},
  points = 16,
  signer = testSigner,
): OutboxRig {
  const folder = mkdtempSync(join(tmpdir(), 'enerchain-outbox-'));
  const clock = new TestClock();
  const file = join(folder, 'outbox.sqlite');
  const open = () => {
    const store = new OutboxStore(file, { clock, ...options });
    const outbox = new Outbox({
      store,
      settings: { ...DEFAULT_OUTBOX, ...settings },
      source: 'edge-test',
      signer,
      kid: KID,
      points: Array.from({ length: points }, (_, slot) => pointOf(slot)),
      clock,
      logger: silent,
    });
    return { store, outbox };
  };
  const rig: OutboxRig = {
    folder,
    file,
    clock,
    ...open(),
    reopen() {
      Object.assign(rig, open());
    },
    add(slot, value) {
      rig.outbox.add(slot, value, 0, clock.now(), 31, clock.now(), 0);
    },
    batches() {
      return rig.store.epochs().flatMap(({ epoch, first, last }) =>
        rig.store.read(epoch, first, last - first + 1, Number.POSITIVE_INFINITY).map(({ bytes }) => {
          const batch = decodeBatch(bytes);
          verifyBatch(batch, KEY.publicKey);
          return batch;
        }),
      );
    },
    contents() {
      return rig.batches().map(contentOf);
    },
    dispose() {
      try {
        rig.store.close();
      } catch {
        // Closed by the test already.
      }
      rmSync(folder, { recursive: true, force: true });
    },
  };
  return rig;
}
