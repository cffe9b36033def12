/**
 * Signatures per second with a key in SoftHSM through the signer's pool of sessions, beside pkcs11js called synchronously and
 * beside plain node:crypto, in the same run. Prints a table and writes `results/hsm.json`. Needs softhsm2 and a C++ compiler.
 *
 *     node --disable-warning=ExperimentalWarning benchmarks/hsm.ts [runs]
 */
import { createHash, generateKeyPairSync, sign } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { cpus, loadavg } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { ALGORITHMS, Pkcs11Token, SIGNATURE_ALGORITHMS, type SignatureAlgorithm, verifyRaw } from '@enerchain/pki';
import { startSoftHsm, whyNoSoftHsm } from '../interop/hsm/softhsm.ts';

const HERE = import.meta.dirname;
const runs = Number(process.argv[2] ?? 5);
/** How long each cell is measured in each run, ms. */
const CELL = 700;
/** Signatures that are under way at a time: what a busy gateway or authority has. */
const CONCURRENCY = 64;
const SESSIONS = 4;
/** Signatures per second through the pool that issue 3 asks for. */
const TARGET = 10_000;

const missing = whyNoSoftHsm();
if (missing) {
  console.error(`not measured: ${missing}`);
  process.exit(1);
}

/** As much of pkcs11js as is called here. */
interface Module {
  load(library: string): void;
  C_GetSlotList(withToken: boolean): Buffer[];
  C_GetTokenInfo(slot: Buffer): { readonly label: string };
  C_OpenSession(slot: Buffer, flags: number): Buffer;
  C_FindObjectsInit(session: Buffer, template: readonly { type: number; value: number | string }[]): void;
  C_FindObjects(session: Buffer, count: number): Buffer[];
  C_FindObjectsFinal(session: Buffer): void;
  C_SignInit(session: Buffer, mechanism: { mechanism: number }, key: Buffer): void;
  C_Sign(session: Buffer, data: Buffer, signature: Buffer): Buffer;
}
type Binding = Readonly<Record<string, number>> & { readonly PKCS11: new () => Module };

const hsm = startSoftHsm();
hsm.addToken('bench');
const token = await Pkcs11Token.open({ library: hsm.library, token: 'bench', pin: () => hsm.pin, sessions: SESSIONS });
const binding: Binding = createRequire(import.meta.url)(
  join(HERE, '..', 'standards', 'pki', 'dist', 'pkcs11js', 'index.js'),
);
// The library is loaded once; the token's login counts for every session of this process.
const module = new binding.PKCS11();
module.load(hsm.library);
const slot = module.C_GetSlotList(true).find((each) => module.C_GetTokenInfo(each).label.trimEnd() === 'bench')!;
const session = module.C_OpenSession(slot, binding.CKF_SERIAL_SESSION!);

const data = Buffer.alloc(256, 7);

/** Calls until the time is over. @returns per second */
function synchronously(act: () => void): number {
  const start = performance.now();
  let count = 0;
  do {
    for (let i = 0; i < 20; i++) act();
    count += 20;
  } while (performance.now() - start < CELL);
  return (count / (performance.now() - start)) * 1000;
}

async function throughPool(act: () => Promise<unknown>): Promise<{ perSecond: number; delay: number }> {
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  const start = performance.now();
  let count = 0;
  await Promise.all(
    Array.from({ length: CONCURRENCY }, async () => {
      while (performance.now() - start < CELL) {
        await act();
        count++;
      }
    }),
  );
  delay.disable();
  return { perSecond: (count / (performance.now() - start)) * 1000, delay: delay.percentile(99) / 1e6 };
}

const median = (values: readonly number[]) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)]!;

async function measure(algorithm: SignatureAlgorithm) {
  const { curve, hash, size } = ALGORITHMS[algorithm];
  const signer = await token.generateSigner(`bench ${algorithm}`, algorithm);
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: curve });
  const { CKA_CLASS, CKA_LABEL, CKO_PRIVATE_KEY, CKM_ECDSA } = binding as Readonly<Record<string, number>>;
  module.C_FindObjectsInit(session, [
    { type: CKA_CLASS!, value: CKO_PRIVATE_KEY! },
    { type: CKA_LABEL!, value: `bench ${algorithm}` },
  ]);
  const key = module.C_FindObjects(session, 1)[0]!;
  module.C_FindObjectsFinal(session);
  const out = Buffer.alloc(2 * size);
  const direct = () => {
    module.C_SignInit(session, { mechanism: CKM_ECDSA! }, key);
    return module.C_Sign(session, createHash(hash).update(data).digest(), out);
  };
  if (!verifyRaw(algorithm, signer.publicKey, data, direct())) throw new Error('the direct signature is none');
  if (!verifyRaw(algorithm, signer.publicKey, data, await signer.sign(data))) throw new Error('the signature is none');

  const cells = {
    nodeCrypto: [] as number[],
    pkcs11jsSync: [] as number[],
    pool: [] as number[],
    delay: [] as number[],
  };
  for (let i = 0; i < runs; i++) {
    cells.nodeCrypto.push(synchronously(() => sign(hash, data, { key: privateKey, dsaEncoding: 'ieee-p1363' })));
    cells.pkcs11jsSync.push(synchronously(direct));
    const { perSecond, delay } = await throughPool(() => signer.sign(data));
    cells.pool.push(perSecond);
    cells.delay.push(delay);
  }
  const round = (values: readonly number[]) => Math.round(median(values));
  return {
    algorithm,
    curve,
    pool: round(cells.pool),
    poolRuns: cells.pool.map(Math.round),
    eventLoopDelayP99Millis: Number(median(cells.delay).toPrecision(3)),
    pkcs11jsSync: round(cells.pkcs11jsSync),
    nodeCrypto: round(cells.nodeCrypto),
  };
}

const before = loadavg()[0]!;
const rows: Awaited<ReturnType<typeof measure>>[] = [];
try {
  for (const algorithm of SIGNATURE_ALGORITHMS) rows.push(await measure(algorithm));
} finally {
  token.close();
  hsm.remove();
}
console.table(
  Object.fromEntries(
    rows.map(({ curve, pool, pkcs11jsSync, nodeCrypto, eventLoopDelayP99Millis }) => [
      curve,
      {
        'pool /s': pool,
        'pkcs11js sync /s': pkcs11jsSync,
        'node:crypto /s': nodeCrypto,
        'loop p99 ms': eventLoopDelayP99Millis,
      },
    ]),
  ),
);
const p256 = rows[0]!.pool;
console.log(`P-256 through the pool: ${p256}/s, asked for are ${TARGET}: ${p256 >= TARGET ? 'reached' : 'MISSED'}`);
mkdirSync(join(HERE, 'results'), { recursive: true });
writeFileSync(
  join(HERE, 'results', 'hsm.json'),
  `${JSON.stringify(
    {
      what: `Signatures per second with a key in SoftHSM 2: pool of ${SESSIONS} sessions, ${CONCURRENCY} signatures under way; medians`,
      measured: new Date().toISOString(),
      machine: {
        cpu: cpus()[0]?.model,
        cores: cpus().length,
        node: process.version,
        load: { before, after: loadavg()[0] },
      },
      runs,
      target: { p256: TARGET, reached: p256 >= TARGET },
      signaturesPerSecond: rows,
    },
    null,
    2,
  )}\n`,
);
