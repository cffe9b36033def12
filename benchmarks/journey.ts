/**
 * The whole journey on one machine, in processes of their own: 104 stations → gateway (outbox fsynced, batches signed)
 * → centre (chain checked, ingest log fsynced, acknowledged; history into PostgreSQL alongside).
 *
 *   node benchmarks/journey.ts                as fast as it goes: observations/s from 104 frame to durable acknowledgement
 *   node benchmarks/journey.ts 5000           at a rate: the delay from the station's time stamp to the browser's stream
 *
 * Prints one JSON object.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const rate = Number(process.argv[2] ?? 0);
const STATIONS = 8;
const POINTS = 256;
const WARM_UP = 5;
const RUNS = 3;
const SECONDS = 8;

const here = fileURLToPath(new URL('.', import.meta.url));
const main = join(here, '..', 'apps', 'enerchain', 'src', 'main.ts');
const execArgv = ['--disable-warning=ExperimentalWarning'];
const wait = (seconds: number): Promise<void> => new Promise((wake) => setTimeout(wake, seconds * 1000));

const data = mkdtempSync(join(tmpdir(), 'enerchain-journey-'));
const children: ChildProcess[] = [];

/** Starts a process and waits for its first message. */
function start(file: string, args: string[], env: Record<string, string> = {}): Promise<Record<string, unknown>> {
  return new Promise((done, fail) => {
    const child = fork(file, args, {
      execArgv,
      env: { ...process.env, ...env, ENERCHAIN_SUPERVISED: '1', ENERCHAIN_LOG: 'warn' },
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    children.push(child);
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
  readonly gaps: number;
  readonly report?: { readonly outbox?: { readonly batches: number } };
}

/** Acknowledged observations a second over some seconds, and what the gateway still holds at the end. */
async function throughput(): Promise<{ perSecond: number; held: number }> {
  const read = async (): Promise<Source> => (await api<{ items: Source[] }>('GET', '/sources')).items[0]!;
  const before = await read();
  const at = performance.now();
  await wait(SECONDS);
  const after = await read();
  const seconds = (performance.now() - at) / 1000;
  return {
    perSecond: Math.round((after.observations - before.observations) / seconds),
    held: after.report?.outbox?.batches ?? -1,
  };
}

/** Delays in ms of every value that the stream shows within some seconds. */
async function streamDelays(): Promise<number[]> {
  const url = readFileSync(join(data, 'centre', 'url'), 'utf8').trim();
  const token = readFileSync(join(data, 'centre', 'admin.token'), 'utf8').trim();
  const stop = AbortSignal.timeout(SECONDS * 1000);
  const delays: number[] = [];
  const response = await fetch(`${url}/api/v1/stream?points=all`, {
    headers: { authorization: `Bearer ${token}` },
    signal: stop,
  });
  let text = '';
  const decoder = new TextDecoder();
  try {
    for await (const chunk of response.body!) {
      const now = Date.now();
      text += decoder.decode(chunk as Uint8Array, { stream: true });
      for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
        const message = text.slice(0, end);
        text = text.slice(end + 2);
        if (!/^event: values$/m.test(message)) continue;
        const body = JSON.parse(/^data: (.*)$/m.exec(message)![1]!) as { snapshot?: boolean; values: { t: number }[] };
        if (!body.snapshot) for (const { t } of body.values) if (now - t < 60_000) delays.push(now - t);
      }
    }
  } catch (error) {
    if (!stop.aborted) throw error;
  }
  return delays;
}

const quantile = (sorted: readonly number[], q: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))]!;
const median = (values: number[]): number =>
  quantile(
    [...values].sort((a, b) => a - b),
    0.5,
  );

try {
  const { ports } = (await start(join(here, 'journey', 'sender.ts'), [STATIONS, POINTS, rate].map(String))) as {
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
  const centre = (await start(main, ['centre', '--data', data, '--port', String(port)])) as { info: { link: string } };
  const { token } = await api<{ token: string }>('POST', '/enrolment-tokens', { name: 'edge-bench', role: 'edge' });
  await start(main, ['edge', siteFile, '--data', data, '--centre', centre.info.link], { ENERCHAIN_ENROL: token });
  await wait(WARM_UP);

  const result: Record<string, unknown> = {
    benchmark: rate > 0 ? 'journey-latency' : 'journey-throughput',
    node: process.version,
    cpu: `${cpus().length} x ${cpus()[0]?.model.trim()}`,
    stations: STATIONS,
    points: STATIONS * POINTS,
    perAsdu: 16,
  };
  const runs: { perSecond: number; held: number }[] = [];
  const latencies: { p50: number; p99: number; values: number }[] = [];
  for (let run = 0; run < RUNS; run++) {
    if (rate === 0) runs.push(await throughput());
    else {
      const delays = (await streamDelays()).sort((a, b) => a - b);
      latencies.push({ p50: quantile(delays, 0.5), p99: quantile(delays, 0.99), values: delays.length });
    }
  }
  if (rate === 0) {
    result.observationsPerSecond = median(runs.map((run) => run.perSecond));
    result.runs = runs;
  } else {
    result.offeredPerSecond = rate;
    result.fieldToStreamP50Ms = median(latencies.map((run) => run.p50));
    result.fieldToStreamP99Ms = median(latencies.map((run) => run.p99));
    result.runs = latencies;
  }
  console.log(JSON.stringify(result, null, 1));
} finally {
  for (const child of children.reverse()) {
    child.removeAllListeners('exit');
    child.kill('SIGTERM');
    await new Promise((done) =>
      child.exitCode !== null || child.signalCode !== null ? done(0) : child.once('close', done),
    );
  }
  rmSync(data, { recursive: true, force: true });
}
