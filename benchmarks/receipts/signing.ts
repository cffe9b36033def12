/**
 * What signing and verifying every batch costs: the way of a batch with and without the signature, as it goes at the edge
 * (gathered, encoded, hashed, signed, chained) and at the centre (decoded, hashed, verified,
 * opened, appended to the ingest log with fdatasync). Medians.
 */
import { generateKeyPairSync, sign } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  BATCH_TYPE,
  BatchBuilder,
  batchToBytes,
  ChainWriter,
  contentOf,
  decodeBatch,
  verifyColumns,
} from '@enerchain/link';
import { newMrid, TIME_GOOD } from '@enerchain/model';
import { coseCheck1, coseParse1, type Signer } from '@enerchain/trust';

const SIZES = [
  { points: 20, samples: 1 },
  { points: 200, samples: 5 },
  { points: 400, samples: 5 },
  { points: 1000, samples: 5 },
] as const;
/** A gateway closes a batch after 50 ms or 5 000 observations: so many a second at most until it has more than 100 000. */
const MOST_BATCHES = 20;
const ROUNDS = 200;
const GROUP = 16;

const median = (values: number[]) => values.sort((a, b) => a - b)[values.length >> 1]!;
const percent = (part: number, whole: number) => Number(((100 * part) / whole).toFixed(2));

export async function costOfSigning() {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  let signing = 0;
  const signer: Signer = {
    algorithm: 'ES256',
    origin: 'file',
    publicKey,
    sign: (data) => {
      const start = performance.now();
      const signature = sign('sha256', data, { key: privateKey, dsaEncoding: 'ieee-p1363' });
      signing = performance.now() - start;
      return signature;
    },
  };
  const folder = mkdtempSync(join(tmpdir(), 'signing-'));
  const file = await open(join(folder, 'log'), 'w');
  const results = [];
  for (const { points, samples } of SIZES) {
    const mrids = Array.from({ length: points }, newMrid);
    const writer = new ChainWriter({ source: 'edge', signer, kid: new Uint8Array(32) });
    const spent = { make: [] as number[], sign: [] as number[], take: [] as number[], verify: [] as number[] };
    let now = 1_790_000_000_000_000_000n;
    let waiting: Uint8Array[] = [];
    let sync = 0;
    for (let round = 0; round < ROUNDS; round++) {
      const start = performance.now();
      const builder = new BatchBuilder();
      for (let i = 0; i < points * samples; i++) {
        now += 1_000_000n;
        const value = Math.fround(Math.sin(i + round));
        const rest = { timeQuality: TIME_GOOD, receiveTime: now + 345n, cause: 'spontaneous', repeat: false } as const;
        builder.add({ point: mrids[i % points]!, value, quality: 0, sourceTime: now, ...rest });
      }
      const bytes = batchToBytes(await writer.next({ kind: 'observations', batch: builder.build() }));
      spent.make.push(performance.now() - start);
      spent.sign.push(signing);

      const arrived = performance.now();
      const batch = decodeBatch(bytes);
      const message = coseParse1(batch.signed);
      const checking = performance.now();
      coseCheck1(message, publicKey, BATCH_TYPE);
      const verify = performance.now() - checking;
      verifyColumns(batch);
      contentOf(batch);
      let taken = performance.now() - arrived;
      waiting.push(bytes);
      if (waiting.length === GROUP) {
        const writing = performance.now();
        await file.writev(waiting);
        await file.datasync();
        sync = (performance.now() - writing) / GROUP;
        waiting = [];
      }
      taken += sync;
      spent.take.push(taken);
      spent.verify.push(verify);
    }
    const [make, signed, take, verify] = [spent.make, spent.sign, spent.take, spent.verify].map((list) => median(list));
    results.push({
      points,
      observations: points * samples,
      microseconds: {
        make: Math.round(make! * 1000),
        sign: Math.round(signed! * 1000),
        take: Math.round(take! * 1000),
        verify: Math.round(verify! * 1000),
      },
      /** Share of the whole way, signing and verifying together. */
      percent: percent(signed! + verify!, make! + take!),
      /** At 50 000 observations a second: share of one core. */
      percentOfCore: percent((signed! + verify!) * (50_000 / (points * samples)), 1000),
      /** Of one gateway, however few observations each batch has: share of one core, both ends together. */
      percentOfCorePerGateway: percent((signed! + verify!) * MOST_BATCHES, 1000),
    });
  }
  await file.close();
  rmSync(folder, { recursive: true, force: true });
  return results;
}
