/**
 * One core on the way of a batch: gathering 1000 points × 5 samples, encoding, Merkle tree, signing; then decoding, checking
 * root and signature, opening, following the chain. Medians of several runs, printed as JSON.
 *
 *     node --disable-warning=ExperimentalWarning benchmarks/link-batch.ts [runs]
 */
import { generateKeyPairSync, sign } from 'node:crypto';
import { cpus } from 'node:os';
import {
  BatchBuilder,
  batchToBytes,
  ChainVerifier,
  ChainWriter,
  contentOf,
  decodeBatch,
  verifyBatch,
} from '@enerchain/link';
import { newMrid, type Observation, TIME_GOOD } from '@enerchain/model';
import type { Signer } from '@enerchain/trust';

const runs = Number(process.argv[2] ?? 9);
const POINTS = 1000;
const SAMPLES = 5;
const BATCHES = 20;

const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const signer: Signer = {
  algorithm: 'ES256',
  origin: 'file',
  publicKey,
  sign: (data) => sign('sha256', data, { key: privateKey, dsaEncoding: 'ieee-p1363' }),
};
const writer = new ChainWriter({ source: 'edge', signer, kid: new Uint8Array(32) });
const verifier = new ChainVerifier();
const points = Array.from({ length: POINTS }, newMrid);
let now = 1_700_000_000_000_000_000n;

/** What 104 devices send: short floats, times in milliseconds, received at any nanosecond. */
function observations(): Observation[] {
  return Array.from({ length: POINTS * SAMPLES }, (_, i) => {
    now += 12_345n;
    return {
      point: points[i % POINTS]!,
      value: Math.fround(100 * Math.sin(Number(now % 1_000_000_007n))),
      quality: 0,
      sourceTime: now - (now % 1_000_000n),
      timeQuality: TIME_GOOD,
      receiveTime: now,
      cause: 'spontaneous',
      repeat: false,
    };
  });
}

async function run() {
  const spent = { gather: 0, encodeAndSign: 0, decodeAndVerify: 0 };
  let bytes = 0;
  for (let i = 0; i < BATCHES; i++) {
    const input = observations();
    const start = performance.now();
    const builder = new BatchBuilder();
    for (const each of input) builder.add(each);
    const content = { kind: 'observations', batch: builder.build() } as const;
    const gathered = performance.now();
    const encoded = batchToBytes(await writer.next(content));
    const signed = performance.now();
    const batch = decodeBatch(encoded);
    verifyBatch(batch, publicKey);
    contentOf(batch);
    if (verifier.check(batch).kind !== 'next') throw new Error('the chain is broken');
    verifier.accept(batch);
    spent.gather += gathered - start;
    spent.encodeAndSign += signed - gathered;
    spent.decodeAndVerify += performance.now() - signed;
    bytes += encoded.length;
  }
  const count = BATCHES * POINTS * SAMPLES;
  const perSecond = (millis: number) => Math.round((count / millis) * 1000);
  return {
    gather: perSecond(spent.gather),
    encodeAndSign: perSecond(spent.encodeAndSign),
    decodeAndVerify: perSecond(spent.decodeAndVerify),
    all: perSecond(spent.gather + spent.encodeAndSign + spent.decodeAndVerify),
    bytesPerObservation: bytes / count,
  };
}

await run();
const results: Awaited<ReturnType<typeof run>>[] = [];
for (let i = 0; i < runs; i++) results.push(await run());
const median = (field: keyof (typeof results)[number]) =>
  results.map((result) => result[field]).sort((a, b) => a - b)[Math.floor(runs / 2)]!;
console.log(
  JSON.stringify(
    {
      benchmark: 'link-batch',
      node: process.version,
      cpu: cpus()[0]?.model ?? 'unknown',
      runs,
      batch: `${POINTS} points x ${SAMPLES} samples`,
      observationsPerSecond: {
        gather: median('gather'),
        encodeAndSign: median('encodeAndSign'),
        decodeAndVerify: median('decodeAndVerify'),
        all: median('all'),
      },
      bytesPerObservation: Number(median('bytesPerObservation').toPrecision(3)),
    },
    null,
    2,
  ),
);
