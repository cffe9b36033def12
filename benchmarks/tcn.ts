/**
 * A Trusted Core Network of 1 000 nodes on this machine, in real time: the real engine, software attesters with real
 * signatures, memory transport; a ring with chords, four neighbours each. Measures the time from a changed measurement to
 * quarantine at all neighbours of the node, when nobody tells it (found by the period) and when the node's own measurer tells
 * it; the traffic of a node, and what a node costs in processor time.
 *
 *     node --disable-warning=ExperimentalWarning benchmarks/tcn.ts [nodes] [trials of each kind] [components measured per node]
 */
import { generateKeyPairSync, randomBytes, sign } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type Component,
  DEVELOPMENT_POLICY,
  MeasurementList,
  openSoftwareAttester,
  ReferenceValues,
  sha256,
  signManifest,
  Verifier,
} from '@enerchain/attestation';
import { systemClock } from '@enerchain/model';
import { buildCertificate, nameOf, type Signer, toPem } from '@enerchain/pki';
import {
  type After,
  appraiserOf,
  CertificateDirectory,
  identityOf,
  memoryChannels,
  reappraiserOf,
  TcnNode,
} from '@enerchain/tcn';
import { holderUri, type Identity, makeIdentity } from '@enerchain/trust';

const NODES = Number(process.argv[2] ?? 1000);
const TRIALS = Number(process.argv[3] ?? 30);
const COMPONENTS = Number(process.argv[4] ?? 50);
const PERIOD = 2;
const POLICY = { ...DEVELOPMENT_POLICY, name: 'benchmark', period: PERIOD, validFor: 10 };
/** Seconds in which nothing happens, for traffic and processor time. */
const QUIET = 20;
/** Milliseconds between two incidents. */
const PAUSE = 1500;
const HOUR = 3_600_000;

const clock = systemClock;
const wait = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));
const after: After = (milliseconds, action) => {
  if (milliseconds > 0) {
    const timer = setTimeout(action, milliseconds);
    return () => clearTimeout(timer);
  }
  const immediate = setImmediate(action);
  return () => clearImmediate(immediate);
};

function newSigner(): { signer: Signer; keyPem: string } {
  const { privateKey: key, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const signer: Signer = {
    algorithm: 'ES256',
    origin: 'file',
    publicKey,
    sign: (data) => sign('sha256', data, { key, dsaEncoding: 'ieee-p1363' }),
  };
  return { signer, keyPem: key.export({ type: 'pkcs8', format: 'pem' }) as string };
}

const authority = newSigner();
const authorityName = nameOf({ commonName: 'benchmark CA' });
const validity = { notBefore: new Date(Date.now() - HOUR), notAfter: new Date(Date.now() + 24 * HOUR) };
const caPem = toPem(
  'CERTIFICATE',
  await buildCertificate(
    {
      ...validity,
      issuer: authorityName,
      subject: authorityName,
      publicKey: authority.signer.publicKey,
      extensions: { basicConstraints: { ca: true, pathLength: 0 }, keyUsage: ['keyCertSign'] },
    },
    authority.signer,
  ),
);

async function newIdentity(name: string): Promise<Identity> {
  const { signer, keyPem } = newSigner();
  const der = await buildCertificate(
    {
      ...validity,
      issuer: authorityName,
      subject: nameOf({ commonName: name }),
      publicKey: signer.publicKey,
      extensions: {
        basicConstraints: { ca: false },
        keyUsage: ['digitalSignature'],
        subjectAltName: [holderUri({ name, role: 'network' })],
      },
    },
    authority.signer,
  );
  return makeIdentity({ certificatePem: toPem('CERTIFICATE', der), caPem, signer, keyPem });
}

const component = (name: string, content = name): Component => ({
  name,
  digest: Uint8Array.from(sha256(Buffer.from(content))),
});
const SOFTWARE = [
  component('runtime:node'),
  component('config:process'),
  ...Array.from({ length: COMPONENTS - 2 }, (_, i) => component(`platform/part-${i}.ts`)),
];

class Measurements {
  readonly list = new MeasurementList(randomBytes(16).toString('hex'));
  readonly #listeners = new Set<() => void>();
  constructor() {
    this.list.append({ kind: 'start', at: clock.now(), components: SOFTWARE });
  }
  async rescan(): Promise<void> {}
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
  change(told: boolean): void {
    this.list.append({
      kind: 'more',
      at: clock.now(),
      components: [component('platform/part-1.ts', 'something else')],
    });
    if (told) for (const each of this.#listeners) each();
  }
}

/** A node under test waits for the quarantine at these. */
interface Trial {
  readonly at: number;
  readonly waiting: Set<string>;
  readonly done: (milliseconds: number) => void;
}

const folder = mkdtempSync(join(tmpdir(), 'enerchain-tcn-'));
const references = new ReferenceValues();
references.add(
  await signManifest(
    {
      id: 'benchmark',
      version: 1,
      signer: 'benchmark',
      notBefore: clock.now() - BigInt(HOUR) * 1_000_000n,
      notAfter: clock.now() + 24n * BigInt(HOUR) * 1_000_000n,
      components: SOFTWARE,
      registers: [],
    },
    authority.signer,
    sha256(authority.signer.publicKey.export({ type: 'spki', format: 'der' })),
  ),
);
const keys = new CertificateDirectory({ caPem });
const nameAt = (i: number) => `node-${(i + NODES) % NODES}`;
/** A ring, and a chord to the node on the other side of a seventh of it: four neighbours each. */
const CHORD = Math.max(2, Math.floor(NODES / 7));
const neighboursOf = (i: number) => [i - 1, i + 1, i - CHORD, i + CHORD].map(nameAt);
const trials = new Map<string, Trial>();
const nodes: { name: string; node: TcnNode; measurements: Measurements }[] = [];

for (let i = 0; i < NODES; i++) {
  const identity = await newIdentity(nameAt(i));
  const measurements = new Measurements();
  const attester = await openSoftwareAttester({
    identity: () => identity,
    secretFile: join(folder, identity.name),
    measurements,
  });
  const verifier = () =>
    new Verifier({
      name: identity.name,
      signer: identity.signer,
      kid: () => identity.kid,
      clock,
      policy: () => POLICY,
      references,
      caPem,
    });
  const node = new TcnNode({
    identity: identityOf(identity),
    attester,
    appraiser: appraiserOf(verifier()),
    reappraiser: reappraiserOf(verifier()),
    keys,
    neighbours: neighboursOf(i),
    policy: () => POLICY,
    software: 'benchmark',
    clock,
    after,
    random: Math.random,
    randomBytes,
    // Not all at once: a network that has just been switched on is another matter.
    timing: { first: PERIOD * 1000 },
    onChange: (changed) => {
      for (const { node: about, reaction } of changed) {
        const trial = reaction === 'quarantine' ? trials.get(about) : undefined;
        if (!trial?.waiting.delete(identity.name) || trial.waiting.size > 0) continue;
        trials.delete(about);
        trial.done(performance.now() - trial.at);
      }
    },
  });
  nodes.push({ name: identity.name, node, measurements });
}
const peer = (i: number) => ({ name: nameAt(i), role: 'network' as const });
for (const { node } of nodes) node.start();
for (let i = 0; i < NODES; i++) {
  for (const other of [i + 1, i + CHORD]) {
    const [dialler, listener] = memoryChannels({ dialler: peer(i), listener: peer(other), after, latency: () => 0 });
    nodes[i]!.node.attach(dialler);
    nodes[(other + NODES) % NODES]!.node.attach(listener);
  }
}
const total = (what: 'sentBytes' | 'challenges' | 'missed') =>
  nodes.reduce((sum, { node }) => sum + node.traffic()[what], 0);
const good = () =>
  nodes.reduce((sum, { node }) => sum + node.all().filter(({ trustedUntil }) => trustedUntil).length, 0);

const started = performance.now();
while (good() < 4 * NODES) await wait(200);
const allGoodAfter = (performance.now() - started) / 1000;
await wait(2 * PERIOD * 1000);

// Quiet: what it costs when nothing happens.
const before = {
  cpu: process.cpuUsage(),
  at: performance.now(),
  bytes: total('sentBytes'),
  asked: total('challenges'),
};
await wait(QUIET * 1000);
const seconds = (performance.now() - before.at) / 1000;
const cpu = process.cpuUsage(before.cpu);
const quiet = {
  attestationsPerSecond: (total('challenges') - before.asked) / seconds,
  bytesPerNodeAndSecond: (total('sentBytes') - before.bytes) / seconds / NODES,
  processorShare: (cpu.user + cpu.system) / 1e6 / seconds,
  missed: total('missed'),
};

async function incidents(told: boolean, offset: number): Promise<number[]> {
  const times: Promise<number>[] = [];
  for (let i = 0; i < TRIALS; i++) {
    const index = (offset + Math.floor((i * NODES) / TRIALS)) % NODES;
    const { name, measurements } = nodes[index]!;
    times.push(
      new Promise((resolve) => {
        trials.set(name, { at: performance.now(), waiting: new Set(neighboursOf(index)), done: resolve });
      }),
    );
    measurements.change(told);
    await wait(PAUSE * (0.5 + Math.random()));
  }
  return (await Promise.all(times)).sort((a, b) => a - b);
}

const found = await incidents(false, 0);
const event = await incidents(true, Math.max(1, Math.floor(NODES / TRIALS / 2)));
const at = (sorted: readonly number[], share: number) =>
  sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * share) - 1)]!;
const round = (value: number, digits = 0) => Number(value.toFixed(digits));
const summary = (sorted: readonly number[]) => ({
  p50: round(at(sorted, 0.5)),
  p95: round(at(sorted, 0.95)),
  max: round(sorted.at(-1)!),
});

const result = {
  benchmark: 'tcn',
  node: process.version,
  cpu: cpus()[0]?.model ?? 'unknown',
  cores: cpus().length,
  when: new Date().toISOString(),
  nodes: NODES,
  neighbours: 4,
  attesters: { software: NODES, swtpm: 0 },
  componentsPerNode: COMPONENTS,
  periodSeconds: PERIOD,
  trials: TRIALS,
  secondsUntilAllAreGood: round(allGoodAfter, 1),
  quiet: {
    attestationsPerSecond: round(quiet.attestationsPerSecond),
    bytesPerNodeAndSecond: round(quiet.bytesPerNodeAndSecond),
    coresForAllNodes: round(quiet.processorShare, 2),
    processorMillisPerNodeAndSecond: round((quiet.processorShare / NODES) * 1000, 2),
    missed: quiet.missed,
  },
  millisUntilQuarantineAtAllNeighbours: {
    foundByPeriod: { ...summary(found), target: 2 * PERIOD * 1000 },
    toldByMeasurer: { ...summary(event), target: 500 },
  },
};

const rows: [string, string, string, string, string][] = [
  ['until quarantine at all neighbours, ms', 'p50', 'p95', 'max', 'target p95'],
];
for (const [name, each] of Object.entries(result.millisUntilQuarantineAtAllNeighbours)) {
  rows.push([name, String(each.p50), String(each.p95), String(each.max), String(each.target)]);
}
for (const row of rows) console.log(row.map((cell, i) => (i === 0 ? cell.padEnd(42) : cell.padStart(10))).join(''));
console.log(
  `${NODES} nodes, period ${PERIOD} s: ${result.quiet.attestationsPerSecond} attestations/s, ` +
    `${result.quiet.bytesPerNodeAndSecond} B/s sent per node, ${result.quiet.coresForAllNodes} cores for all nodes`,
);
if (NODES >= 1000) {
  mkdirSync(join(import.meta.dirname, 'results'), { recursive: true });
  writeFileSync(join(import.meta.dirname, 'results', 'tcn.json'), `${JSON.stringify(result, undefined, 2)}\n`);
} else {
  console.log(JSON.stringify(result, undefined, 2));
}
for (const { node } of nodes) node.close();
rmSync(folder, { recursive: true, force: true });
