/**
 * A Trusted Core Network of 1 000 nodes on this machine, in real time: the real engine, software attesters with real
 * signatures, a ring with chords, four neighbours each; two threads where there are two cores. Measures the time from a
 * changed measurement to quarantine at all neighbours of the node, when nobody tells it (found by the period) and when the
 * node's own measurer tells it; the traffic of a node, and what a node costs in processor time. Every incident makes all
 * nodes of the network appraise the evidence, a second of processor time that would be spread over a thousand machines: told
 * incidents are measured one by one, and in a row, where each falls into the work that the one before has left.
 *
 *     node --disable-warning=ExperimentalWarning benchmarks/tcn.ts [nodes] [trials of each kind] [components measured per node]
 */
import { generateKeyPairSync, randomBytes, sign } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { MessageChannel, Worker } from 'node:worker_threads';
import { buildCertificate, nameOf, toPem } from '@enerchain/pki';
import { AUTHORITY, type Command, neighboursOf, type Said, type Setup } from './tcn/layout.ts';

const NODES = Number(process.argv[2] ?? 1000);
const TRIALS = Number(process.argv[3] ?? 30);
const COMPONENTS = Number(process.argv[4] ?? 50);
const PERIOD = 2;
/** Seconds in which nothing happens, for traffic and processor time. */
const QUIET = 20;
/** Milliseconds between two incidents, on average: in a row, and one by one. */
const IN_A_ROW = 1500;
const ONE_BY_ONE = 5000;
/** Seconds after which a machine that cannot carry the network is given up. */
const PATIENCE = 120;
const HOUR = 3_600_000;
const THREADS = Math.min(2, cpus().length);

const wait = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));
const folder = mkdtempSync(join(tmpdir(), 'enerchain-tcn-'));
const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const name = nameOf({ commonName: AUTHORITY });
const caPem = toPem(
  'CERTIFICATE',
  await buildCertificate(
    {
      notBefore: new Date(Date.now() - HOUR),
      notAfter: new Date(Date.now() + 24 * HOUR),
      issuer: name,
      subject: name,
      publicKey,
      extensions: { basicConstraints: { ca: true, pathLength: 0 }, keyUsage: ['keyCertSign'] },
    },
    {
      algorithm: 'ES256',
      origin: 'file',
      publicKey,
      sign: (data) => sign('sha256', data, { key: privateKey, dsaEncoding: 'ieee-p1363' }),
    },
  ),
);

/** An incident: when it began, who has not seen it yet, and who waits for the last of them. */
interface Trial {
  began: number | undefined;
  readonly waiting: Set<string>;
  readonly done: (milliseconds: number) => void;
}

const trials = new Map<string, Trial>();
const secret = randomBytes(16).toString('hex');
const counts = new Map<number, (said: Extract<Said, { count: number }>) => void>();
const readiness = new Set<number>();
const { port1, port2 } = new MessageChannel();
const workers = Array.from({ length: THREADS }, (_, thread) => {
  const setup: Setup = {
    nodes: NODES,
    components: COMPONENTS,
    period: PERIOD,
    thread,
    threads: THREADS,
    caPem,
    caKeyPem: privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
    folder,
    secret,
  };
  const port = thread === 0 ? port1 : port2;
  const worker = new Worker(new URL('./tcn/worker.ts', import.meta.url), {
    workerData: { ...setup, port },
    transferList: [port],
    execArgv: ['--disable-warning=ExperimentalWarning'],
  });
  worker.on('message', hear);
  worker.on('error', (error) => {
    throw error;
  });
  return worker;
});

function hear(said: Said): void {
  if ('ready' in said) readiness.add(said.ready);
  else if ('count' in said) counts.get(said.count)?.(said);
  else if ('changed' in said) {
    const trial = trials.get(said.changed);
    if (trial) trial.began = said.time;
  } else {
    const trial = trials.get(said.quarantined);
    if (!trial?.waiting.delete(said.at) || trial.waiting.size > 0) return;
    trials.delete(said.quarantined);
    trial.done(said.time - (trial.began ?? said.time));
  }
}

const tell = (command: Command) => {
  for (const worker of workers) worker.postMessage(command);
};

let asked = 0;
async function count() {
  const parts = await Promise.all(
    workers.map(
      (worker) =>
        new Promise<Extract<Said, { count: number }>>((resolve) => {
          const id = ++asked;
          counts.set(id, resolve);
          worker.postMessage({ kind: 'count', id } satisfies Command);
        }),
    ),
  );
  counts.clear();
  const sum = (key: 'good' | 'bytes' | 'challenges' | 'missed') => parts.reduce((total, part) => total + part[key], 0);
  return { good: sum('good'), bytes: sum('bytes'), challenges: sum('challenges'), missed: sum('missed') };
}

while (readiness.size < THREADS) await wait(100);
tell({ kind: 'start' });
const started = performance.now();
for (;;) {
  const { good } = await count();
  if (good >= 4 * NODES) break;
  if (performance.now() - started > PATIENCE * 1000) {
    console.log(
      `this machine cannot carry ${NODES} nodes now: ${good} of ${4 * NODES} attestations stand (load ${loadavg()[0]})`,
    );
    process.exit(1);
  }
  await wait(300);
}
const allGoodAfter = (performance.now() - started) / 1000;
await wait(2 * PERIOD * 1000);

// Quiet: what it costs when nothing happens.
const before = { ...(await count()), cpu: process.cpuUsage(), at: performance.now() };
await wait(QUIET * 1000);
const then = await count();
const seconds = (performance.now() - before.at) / 1000;
const cpu = process.cpuUsage(before.cpu);
const cores = (cpu.user + cpu.system) / 1e6 / seconds;

async function incidents(told: boolean, offset: number, pause: number): Promise<number[]> {
  const times: Promise<number>[] = [];
  for (let i = 0; i < TRIALS; i++) {
    const node = (offset + Math.floor((i * NODES) / TRIALS)) % NODES;
    const waiting = new Set(neighboursOf(node, NODES).map((each) => `node-${each}`));
    times.push(
      new Promise((done) => {
        trials.set(`node-${node}`, { began: undefined, waiting, done });
      }),
    );
    tell({ kind: 'change', node, told });
    await wait(pause * (0.5 + Math.random()));
  }
  return (await Promise.all(times)).sort((a, b) => a - b);
}

const apart = Math.max(1, Math.floor(NODES / TRIALS / 3));
const found = await incidents(false, 0, IN_A_ROW);
await wait(ONE_BY_ONE);
const oneByOne = await incidents(true, apart, ONE_BY_ONE);
const inARow = await incidents(true, 2 * apart, IN_A_ROW);
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
  threads: THREADS,
  load: loadavg().map((each) => round(each, 1)),
  when: new Date().toISOString(),
  nodes: NODES,
  neighbours: 4,
  attesters: { software: NODES, swtpm: 0 },
  componentsPerNode: COMPONENTS,
  periodSeconds: PERIOD,
  trials: TRIALS,
  secondsUntilAllAreGood: round(allGoodAfter, 1),
  quiet: {
    attestationsPerSecond: round((then.challenges - before.challenges) / seconds),
    bytesPerNodeAndSecond: round((then.bytes - before.bytes) / seconds / NODES),
    coresForAllNodes: round(cores, 2),
    processorMillisPerNodeAndSecond: round((cores / NODES) * 1000, 2),
    missed: then.missed - before.missed,
  },
  millisUntilQuarantineAtAllNeighbours: {
    foundByPeriod: { ...summary(found), target: 2 * PERIOD * 1000 },
    toldByMeasurer: { ...summary(oneByOne), target: 500 },
    toldInARow: { ...summary(inARow), target: 500 },
  },
};

const rows: [string, string, string, string, string][] = [
  ['until quarantine at all neighbours, ms', 'p50', 'p95', 'max', 'target p95'],
];
for (const [kind, each] of Object.entries(result.millisUntilQuarantineAtAllNeighbours)) {
  rows.push([kind, String(each.p50), String(each.p95), String(each.max), String(each.target)]);
}
for (const row of rows) console.log(row.map((cell, i) => (i === 0 ? cell.padEnd(42) : cell.padStart(11))).join(''));
console.log(
  `${NODES} nodes, period ${PERIOD} s: ${result.quiet.attestationsPerSecond} attestations/s, ` +
    `${result.quiet.bytesPerNodeAndSecond} B/s sent per node, ${result.quiet.coresForAllNodes} cores for all nodes`,
);
if (NODES >= 1000) {
  mkdirSync(join(import.meta.dirname, 'results'), { recursive: true });
  writeFileSync(join(import.meta.dirname, 'results', 'tcn.json'), `${JSON.stringify(result, undefined, 2)}\n`);
} else console.log(JSON.stringify(result, undefined, 2));
await Promise.all(workers.map((worker) => worker.terminate()));
rmSync(folder, { recursive: true, force: true });
