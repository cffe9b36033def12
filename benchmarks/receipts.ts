/**
 * Proofs and receipts over a log of ten million records, verification in bulk and cold, and what signing and verifying every
 * batch costs. Beside it golang.org/x/mod/sumdb/tlog makes the same proofs from the same file, when there is a Go compiler.
 * Writes `results/receipts.json`.
 *
 *     node --disable-warning=ExperimentalWarning benchmarks/receipts.ts [records]
 */
import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { FileMedium, MerkleTree, ReceiptVerifier, readAnchor } from '@enerchain/provenance';
import { askTlog, buildTlog, TLOG_VERSION } from '../interop/receipts/tlog.ts';
import { POINTS, SECOND, System, site } from '../platform/provenance/src/testing/system.ts';
import { LogWorld, NOW } from '../platform/provenance/src/testing/world.ts';
import { costOfSigning } from './receipts/signing.ts';

const records = Number(process.argv[2] ?? 10_000_000);
const PROOFS = 5_000;
const BATCHES = 250;

const folder = mkdtempSync(join(tmpdir(), 'receipts-benchmark-'));
process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
const path = join(folder, 'tree');
const say = (text: string) => process.stderr.write(`· ${text}\n`);

const quantile = (sorted: readonly number[], q: number) =>
  sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))]!;
const round = (value: number, digits = 3) => Number(value.toFixed(digits));
/** Milliseconds of each call, as quantiles. */
function timed(count: number, work: (i: number) => unknown) {
  const spent: number[] = [];
  for (let i = 0; i < count; i++) {
    const start = performance.now();
    work(i);
    spent.push(performance.now() - start);
  }
  spent.sort((a, b) => a - b);
  return { p50: round(quantile(spent, 0.5)), p99: round(quantile(spent, 0.99)), worst: round(spent.at(-1)!) };
}

say(`growing a tree of ${records} records`);
const medium = new FileMedium(path);
const world = new LogWorld(medium);
const started = performance.now();
for (let left = records; left > 0; ) {
  const count = Math.min(left, 65_536);
  const bytes = randomBytes(count * 32);
  world.log.append(Array.from({ length: count }, (_, i) => bytes.subarray(32 * i, 32 * i + 32)));
  left -= count;
}
const append = { perSecond: Math.round(records / ((performance.now() - started) / 1000)), bytes: medium.size };

say('a receipt from the end of it');
const system = await System.make(world);
const everyday = await system.everyday();
const { size } = world.log;
const indices = Array.from({ length: PROOFS }, () => Math.floor(Math.random() * size));
const inclusion = timed(PROOFS, (i) => world.log.inclusion(indices[i]!));
const consistency = timed(1_000, (i) => world.log.consistency(1 + (indices[i]! % (size - 1))));
const receipt = timed(1_000, () => system.receipt(everyday.parts));
const reopened = performance.now();
MerkleTree.open(new FileMedium(path));
const open = round(performance.now() - reopened);

say('verification');
const announced = await system.log('edge-nord', { kind: 'site', document: site('edge-nord') });
const before = await system.attest('edge-nord', NOW - 5n * SECOND);
const values = [];
for (let i = 0; i < BATCHES; i++) values.push(await system.log('edge-nord', system.observations()));
const after = await system.attest('edge-nord', NOW + 5n * SECOND);
const note = await system.checkpoint();
const receipts: Uint8Array[] = [];
for (const value of values) {
  for (const point of POINTS) {
    receipts.push(system.receipt({ value, site: announced, attestation: [before, after], note, point }));
  }
}
const anchor = readAnchor(system.anchor());
/** Receipts per second of processor time, so that others on the machine do not count. */
function verified(remember: number, list: readonly Uint8Array[]): number {
  const verifier = new ReceiptVerifier(anchor, { remember });
  const start = process.cpuUsage();
  for (const each of list) if (!verifier.verify(each).ok) throw new Error('a receipt does not hold');
  const { user, system: kernel } = process.cpuUsage(start);
  return Math.round(list.length / ((user + kernel) / 1e6));
}
verified(4096, receipts.slice(0, 500));
const verification = {
  receipts: receipts.length,
  batches: BATCHES,
  bytes: Math.round(receipts.reduce((sum, { length }) => sum + length, 0) / receipts.length),
  bulkPerCoreSecond: verified(4096, receipts),
  coldPerCoreSecond: verified(
    0,
    receipts.filter((_, i) => i % 20 === 0),
  ),
};

say('signing and verifying every batch');
const signing = await costOfSigning();

say('golang.org/x/mod/sumdb/tlog');
const tlog = buildTlog();
let peer: object;
if ('missing' in tlog) {
  peer = { name: TLOG_VERSION, missing: tlog.missing };
} else {
  await medium.sync();
  const said = askTlog(tlog.program, path, size, 0, indices);
  const digest = createHash('sha256');
  const at = performance.now();
  const proofs = indices.map((index) => world.log.inclusion(index, size));
  const ours = round((performance.now() - at) / PROOFS, 4);
  for (const proof of proofs) for (const hash of proof) digest.update(hash);
  peer = {
    name: TLOG_VERSION,
    proofMilliseconds: round(said.nanoseconds / PROOFS / 1e6, 4),
    oursMilliseconds: ours,
    sameProofs: said.inclusion === digest.digest('hex') && said.accepted,
  };
}

const result = {
  at: new Date().toISOString(),
  node: process.version,
  cpu: cpus()[0]?.model ?? 'unknown',
  records: size,
  append,
  open: { milliseconds: open },
  milliseconds: { inclusion, consistency, receipt },
  verification,
  signing,
  peer,
};
writeFileSync(new URL('results/receipts.json', import.meta.url), `${JSON.stringify(result, undefined, 2)}\n`);
process.stdout.write(`${JSON.stringify(result, undefined, 2)}\n`);
