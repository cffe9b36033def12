/**
 * The whole journey on one machine, in processes of their own: 104 stations → gateway (outbox fsynced, batches signed)
 * → centre (chain checked, ingest log fsynced, acknowledged; history into PostgreSQL alongside).
 *
 *   node benchmarks/journey.ts                as fast as it goes: observations/s from 104 frame to durable acknowledgement
 *   node benchmarks/journey.ts 5000           at a rate: the delay from the station's time stamp to the browser's stream
 *   node benchmarks/journey.ts 5000 60        the same, with runs of 60 s
 *
 * Prints one JSON object and keeps it in `results/journey.json`, under `throughput` or `latency`. On a machine that others use too, `cpuSecondsPerMillion` is the figure to compare: what a
 * million observations cost each process.
 *
 * JOURNEY_PROBE=<folder> writes the delays of the event loops there once a second, and a processor profile of each process.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { openLogReader } from '@enerchain/centre';
import { type Cost, costs } from './journey/processes.ts';

const rate = Number(process.argv[2] ?? 0);
const STATIONS = 8;
const POINTS = 256;
const WARM_UP = 5;
const RUNS = 3;
const SECONDS = Number(process.argv[3] ?? 8);

const here = fileURLToPath(new URL('.', import.meta.url));
const main = join(here, '..', 'apps', 'enerchain', 'src', 'main.ts');
const probe = process.env.JOURNEY_PROBE;
const execArgv = ['--disable-warning=ExperimentalWarning'];
if (probe !== undefined) {
  mkdirSync(probe, { recursive: true });
  const preload = pathToFileURL(join(here, 'journey', 'probe.ts')).href;
  execArgv.push('--import', preload, '--cpu-prof', '--cpu-prof-dir', probe);
}
const wait = (seconds: number): Promise<void> => new Promise((wake) => setTimeout(wake, seconds * 1000));

const data = mkdtempSync(join(tmpdir(), 'enerchain-journey-'));
const children: ChildProcess[] = [];
const pids = new Map<string, number>();

/** Starts a process and waits for its first message. */
function start(
  name: string,
  file: string,
  args: string[],
  env: Record<string, string> = {},
): Promise<Record<string, unknown>> {
  return new Promise((done, fail) => {
    const child = fork(file, args, {
      execArgv,
      env: { ...process.env, ...env, ENERCHAIN_SUPERVISED: '1', ENERCHAIN_LOG: 'warn' },
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    children.push(child);
    pids.set(name, child.pid!);
    child.once('message', (message) => done(message as Record<string, unknown>));
    child.once('exit', (code) => fail(new Error(`${file} ended with ${code}`)));
  });
}

async function api<T>(method: string, path: string, body?: unknown): Promise<T> {
  const url = readFileSync(join(data, 'centre', 'url'), 'utf8').trim();
  const token = readFileSync(join(data, 'centre', 'admin.token'), 'utf8').trim();
  const response = await fetch(`${url}/api/v1${path}`, {
    method,
    headers: { authorization: `Bearer ${token}`, 'x-enerchain-request': '1', 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
  return (await response.json()) as T;
}

interface Source {
  readonly observations: number;
  readonly batches: number;
  readonly gaps: number;
  readonly report?: { readonly outbox?: { readonly batches: number } };
}

interface Run {
  /** Observations acknowledged durably. */
  readonly perSecond: number;
  readonly batchesPerSecond: number;
  /** Batches that the gateway still holds at the end. */
  readonly held: number;
  /** Processor seconds of each process for a million observations. */
  readonly cpuSecondsPerMillion: Readonly<Record<string, number>>;
  /** Delays from field to stream, ms; only at a rate. */
  readonly values?: readonly Shown[];
}

/** A value as the stream showed it; times in ms since the epoch. */
interface Shown {
  /** Time stamp of the station. */
  readonly t: number;
  /** Received by the gateway. */
  readonly r: number;
  /** Record of the ingest log. */
  readonly o: number;
  readonly seen: number;
}

async function measure(): Promise<Run> {
  const read = async (): Promise<Source> => (await api<{ items: Source[] }>('GET', '/sources')).items[0]!;
  const before = await read();
  const costBefore = costs(pids);
  const at = performance.now();
  const values = rate > 0 ? await stream() : undefined;
  if (!values) await wait(SECONDS);
  const costAfter = costs(pids);
  const after = await read();
  const seconds = (performance.now() - at) / 1000;
  const observations = after.observations - before.observations;
  const perMillion = ([name, cost]: [string, Cost]): [string, number] => {
    const spent = cost.seconds - (costBefore.get(name)?.seconds ?? 0);
    return [name, Math.round((spent / observations) * 1e8) / 100];
  };
  return {
    perSecond: Math.round(observations / seconds),
    batchesPerSecond: Math.round((after.batches - before.batches) / seconds),
    held: after.report?.outbox?.batches ?? -1,
    cpuSecondsPerMillion: Object.fromEntries([...costAfter].map(perMillion)),
    ...(values ? { values } : {}),
  };
}

/** What the stream shows within some seconds. */
async function stream(): Promise<Shown[]> {
  const url = readFileSync(join(data, 'centre', 'url'), 'utf8').trim();
  const token = readFileSync(join(data, 'centre', 'admin.token'), 'utf8').trim();
  const stop = AbortSignal.timeout(SECONDS * 1000);
  const values: Shown[] = [];
  // What was stamped before belongs to the snapshot that a new connection gets.
  const opened = Date.now();
  const response = await fetch(`${url}/api/v1/stream?points=all`, {
    headers: { authorization: `Bearer ${token}` },
    signal: stop,
  });
  let text = '';
  const decoder = new TextDecoder();
  try {
    for await (const chunk of response.body!) {
      const seen = Date.now();
      text += decoder.decode(chunk as Uint8Array, { stream: true });
      for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
        const message = text.slice(0, end);
        text = text.slice(end + 2);
        if (!/^event: values$/m.test(message)) continue;
        const body = JSON.parse(/^data: (.*)$/m.exec(message)![1]!) as { values: Shown[] };
        for (const { t, r, o } of body.values) if (t >= opened) values.push({ t, r, o, seen });
      }
    }
  } catch (error) {
    if (!stop.aborted) throw error;
  }
  return values;
}

/** When each record was appended, read from the log after the centre has ended; ms since the epoch. */
async function appendedAt(): Promise<Map<number, number>> {
  const log = await openLogReader(join(data, 'centre'));
  const at = new Map<number, number>();
  try {
    const { first, next } = log.bounds();
    for await (const entries of log.read(first, new AbortController().signal)) {
      for (const entry of entries) at.set(entry.offset, Number(entry.at / 1_000_000n));
      if (at.size >= next - first) break;
    }
  } finally {
    await log.close();
  }
  return at;
}

/** Delays of the whole way and of its stages, ms. */
function delaysOf(values: readonly Shown[], appended: ReadonlyMap<number, number>): Record<string, Spread> {
  const at = (value: Shown): number => appended.get(value.o) ?? Number.NaN;
  return {
    fieldToStream: spread(values.map(({ t, seen }) => seen - t)),
    stationToGateway: spread(values.map(({ t, r }) => r - t)),
    gatewayToLog: spread(values.map((value) => at(value) - value.r)),
    logToStream: spread(values.map((value) => value.seen - at(value))),
  };
}

interface Spread {
  readonly p50: number;
  readonly p99: number;
  readonly worst: number;
}

function spread(delays: number[]): Spread {
  const sorted = delays.sort((a, b) => a - b);
  const at = (q: number): number => Math.round(quantile(sorted, q));
  return { p50: at(0.5), p99: at(0.99), worst: at(1) };
}

function keep(name: 'throughput' | 'latency', result: Record<string, unknown>): void {
  const file = join(here, 'results', 'journey.json');
  const kept = existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>) : {};
  writeFileSync(file, `${JSON.stringify({ ...kept, [name]: result }, null, 2)}\n`);
}

async function stop(): Promise<void> {
  for (const child of children.splice(0).reverse()) {
    child.removeAllListeners('exit');
    child.kill('SIGTERM');
    await new Promise((done) =>
      child.exitCode !== null || child.signalCode !== null ? done(0) : child.once('close', done),
    );
  }
}

const quantile = (sorted: readonly number[], q: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))]!;
const median = (values: number[]): number =>
  quantile(
    [...values].sort((a, b) => a - b),
    0.5,
  );

try {
  const { ports } = (await start(
    'stations',
    join(here, 'journey', 'sender.ts'),
    [STATIONS, POINTS, rate].map(String),
  )) as {
    ports: number[];
  };
  const site = join(data, 'site');
  mkdirSync(site);
  const rows = Array.from({ length: POINTS }, (_, i) => `P${i};${i + 1};M_ME_TF_1`);
  writeFileSync(join(site, 'points.csv'), ['name;ioa;type', ...rows].join('\n'));
  const endpoints = ports.map(
    (port, i) =>
      `  - { id: rtu-${i}, protocol: iec104, host: 127.0.0.1, port: ${port}, commonAddress: ${i + 1}, pointsFile: points.csv }`,
  );
  const siteFile = join(site, 'site.yaml');
  writeFileSync(
    siteFile,
    ['source: edge-bench', 'site: { id: bench, name: Bench }', 'endpoints:', ...endpoints].join('\n'),
  );

  const port = 20_000 + Math.floor(Math.random() * 20_000);
  const centre = (await start('centre', main, ['centre', '--data', data, '--port', String(port)])) as {
    info: { link: string };
  };
  const { token } = await api<{ token: string }>('POST', '/enrolment-tokens', { name: 'edge-bench', role: 'edge' });
  await start('edge', main, ['edge', siteFile, '--data', data, '--centre', centre.info.link], {
    ENERCHAIN_ENROL: token,
  });
  await wait(WARM_UP);

  const result: Record<string, unknown> = {
    benchmark: rate > 0 ? 'journey-latency' : 'journey-throughput',
    at: new Date().toISOString(),
    node: process.version,
    cpu: `${cpus().length} x ${cpus()[0]?.model.trim()}`,
    load: loadavg().map((load) => Math.round(load * 10) / 10),
    stations: STATIONS,
    points: STATIONS * POINTS,
    perAsdu: 16,
    secondsPerRun: SECONDS,
  };
  const runs: Run[] = [];
  for (let run = 0; run < RUNS; run++) runs.push(await measure());
  const middle = (key: keyof Run): number => median(runs.map((run) => run[key] as number));
  result.observationsPerSecond = middle('perSecond');
  result.cpuSecondsPerMillion = Object.fromEntries(
    Object.keys(runs[0]!.cpuSecondsPerMillion).map((name) => [
      name,
      median(runs.map((run) => run.cpuSecondsPerMillion[name]!)),
    ]),
  );
  result.megabytes = Object.fromEntries([...costs(pids)].map(([name, { rss }]) => [name, Math.round(rss / 1e6)]));
  if (rate > 0) {
    await stop();
    const appended = await appendedAt();
    const delays = runs.map(({ values = [] }) => delaysOf(values, appended));
    result.offeredPerSecond = rate;
    result.fieldToStreamP50Ms = median(delays.map(({ fieldToStream }) => fieldToStream!.p50));
    result.fieldToStreamP99Ms = median(delays.map(({ fieldToStream }) => fieldToStream!.p99));
    result.runs = runs.map((run, index) => ({ ...run, values: run.values?.length, delays: delays[index] }));
  } else {
    result.runs = runs;
  }
  console.log(JSON.stringify(result, null, 1));
  keep(rate > 0 ? 'latency' : 'throughput', result);
} finally {
  await stop();
  rmSync(data, { recursive: true, force: true });
}
