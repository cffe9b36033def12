/**
 * IEC 61850 beside libiec61850 and iec61850-rust, in one run on one machine, server and client in processes of their own on loopback:
 *
 *     node --disable-warning=ExperimentalWarning benchmarks/iec61850.ts [--runs 3] [--scale 1]
 *
 * - `read`: one attribute (FLOAT32) a call, the next call after the answer;
 * - `dataset`: a data set of 100 measured values with quality and time a call, likewise; a value is one of the 100;
 * - `urcb`, `brcb`: a server changes the 100 values as fast as the client takes the reports, at most 16 hundreds on their way (a side
 *   channel tells the server; see `iec61850/ours.ts`); every report carries sequence number, time and reasons. Client and server
 *   count what they got: a report that is missing is an error. The buffered block exists in both runs and buffers in both.
 *
 * Pairs are `server → client`. Rates are values per second; `cpu…` is processor time per value in microseconds, which does not
 * depend much on what else runs. libiec61850 is the C library in the wheel pyiec61850-ng, driven by a C program that is compiled
 * here (`peers/libiec61850/peer.c`), so no Python runs; iec61850-rust is a client of reads only. Medians of the runs. Writes `results/iec61850.json`.
 */
import { execFileSync, spawn } from 'node:child_process';
import { copyFileSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { dirname, join } from 'node:path';
import { freePort } from '../interop/peer-process.ts';
import { python, missing as withoutLibiec61850 } from '../interop/pyiec61850.ts';
import type { ClientResult } from './iec61850/model.ts';

const HERE = import.meta.dirname;
const PEERS = join(HERE, '.peers');
const TESTS = { read: 20_000, dataset: 5_000, urcb: 5_000, brcb: 5_000 } as const;
type Test = keyof typeof TESTS;

const option = (name: string, fallback: number): number => {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? fallback : Number(process.argv[at + 1]);
};
const runs = option('runs', 3);
const scale = option('scale', 1);
const say = (text: string) => process.stderr.write(`· ${text}\n`);
const round = (value: number): number => Number(value.toPrecision(4));
const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1]!;

/** A stack: the program that is its server and its client. */
interface Stack {
  readonly name: string;
  readonly command: readonly [string, ...string[]];
  /** What its client can do; without it, everything. */
  readonly tests?: readonly Test[];
}

type Results = Partial<Record<Test, ClientResult>>;

const OURS: Stack = {
  name: 'ours',
  command: [process.execPath, '--disable-warning=ExperimentalWarning', join(HERE, 'iec61850', 'ours.ts')],
};

/** Our program, compiled against the library in the wheel. */
function libiec61850(): Stack | { readonly missing: string } {
  if (withoutLibiec61850 !== undefined) return { missing: withoutLibiec61850 };
  try {
    const site = execFileSync(python, ['-c', 'import pyiec61850; print(pyiec61850.__path__[0])'], { encoding: 'utf8' });
    const folder = join(dirname(site.trim()), 'pyiec61850_ng.libs');
    const library = readdirSync(folder).find((name) => name.startsWith('libiec61850'));
    if (library === undefined) return { missing: `there is no library in ${folder}` };
    const program = join(PEERS, 'libiec61850');
    mkdirSync(PEERS, { recursive: true });
    const source = join(HERE, 'peers', 'libiec61850', 'peer.c');
    const link = [join(folder, library), `-Wl,-rpath,${folder}`];
    execFileSync('cc', ['-O2', '-o', program, source, ...link], { stdio: 'pipe' });
    return { name: 'libiec61850', command: [program] };
  } catch (error) {
    return { missing: reason(error) };
  }
}

/** Our client on its crates, built from a copy: cargo writes its lock file beside what it builds. */
function iec61850Rust(): Stack | { readonly missing: string } {
  const [source, build] = [join(HERE, 'peers', 'iec61850-rust'), join(PEERS, 'iec61850-rust')];
  try {
    mkdirSync(join(build, 'src'), { recursive: true });
    for (const file of ['Cargo.toml', join('src', 'main.rs')]) copyFileSync(join(source, file), join(build, file));
    execFileSync('cargo', ['build', '--release', '--quiet'], { cwd: build, stdio: 'pipe', timeout: 540_000 });
  } catch (error) {
    return { missing: reason(error) };
  }
  const command = [join(build, 'target', 'release', 'iec61850-peer')] as const;
  return { name: 'iec61850-rust', command, tests: ['read', 'dataset'] };
}

function reason(error: unknown): string {
  const { stderr, message } = error as { stderr?: Buffer; message: string };
  return (String(stderr ?? '').trim() || message).split('\n')[0]!.slice(0, 300);
}

async function measure(server: Stack, client: Stack): Promise<Results> {
  const ports = [await freePort(), await freePort()].map(String);
  const serving = spawn(server.command[0], [...server.command.slice(1), 'server', ...ports], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  try {
    await new Promise((resolve, reject) => {
      serving.stdout.once('data', resolve);
      serving.once('exit', (code) => reject(new Error(`the server of ${server.name} ended with ${code}`)));
    });
    const results: Results = {};
    for (const test of client.tests ?? (Object.keys(TESTS) as Test[])) {
      // The server of libiec61850 drops a new association while it still clears away the one before.
      await new Promise((resolve) => setTimeout(resolve, 300));
      const count = Math.max(100, Math.round(TESTS[test] * scale));
      const args = [...client.command.slice(1), 'client', ...ports, test, String(count)];
      const text = execFileSync(client.command[0], args, { encoding: 'utf8', timeout: 120_000 });
      const result = JSON.parse(text) as ClientResult;
      if (result.values !== count * (test === 'read' ? 1 : 100))
        throw new Error(`${server.name} → ${client.name} ${test}: ${result.values} values of ${count} calls or cycles`);
      results[test] = result;
    }
    return results;
  } finally {
    serving.kill('SIGKILL');
  }
}

function summary(results: readonly ClientResult[]) {
  const of = (each: (result: ClientResult) => number): number => round(median(results.map(each)));
  const per = (seconds: (result: ClientResult) => number | undefined): number =>
    of((result) => (1e6 * (seconds(result) ?? Number.NaN)) / result.values);
  return {
    valuesPerSecond: Math.round(of(({ values, seconds }) => values / seconds)),
    cpuClient: per(({ cpuSeconds }) => cpuSeconds),
    ...(results[0]!.serverCpuSeconds === undefined ? {} : { cpuServer: per((result) => result.serverCpuSeconds) }),
    ...(results[0]!.p50Ms === undefined ? {} : { p50Ms: of((r) => r.p50Ms!), p99Ms: of((r) => r.p99Ms!) }),
  };
}

const [found, rust] = [libiec61850(), iec61850Rust()];
const peers: Stack[] = 'missing' in found ? [] : [found];
if ('missing' in found) say(`without libiec61850: ${found.missing}`);
if ('missing' in rust) say(`without iec61850-rust: ${rust.missing}`);
const pairs: [server: Stack, client: Stack][] = [
  [OURS, OURS],
  ...peers.map((peer): [Stack, Stack] => [peer, peer]),
  ...peers.map((peer): [Stack, Stack] => [OURS, peer]),
  ...peers.map((peer): [Stack, Stack] => [peer, OURS]),
  ...('missing' in rust ? [] : ([[OURS, rust], ...peers.map((peer) => [peer, rust])] as [Stack, Stack][])),
];
const before = loadavg()[0]!;
const all = new Map<string, Results[]>(pairs.map(([a, b]) => [`${a.name} → ${b.name}`, []]));
// In turns, so that what else the machine does meets all of them.
for (let run = 0; run < runs; run++) {
  for (const [server, client] of pairs) {
    const name = `${server.name} → ${client.name}`;
    say(`run ${run + 1}: ${name}`);
    all.get(name)!.push(await measure(server, client));
  }
}
const result = {
  what: 'IEC 61850: reads, data-set reads, reports; values per second, processor time per value in µs, loopback',
  measured: new Date().toISOString(),
  machine: {
    cpu: cpus()[0]?.model,
    cores: cpus().length,
    node: process.version,
    load: { before, after: loadavg()[0]! },
  },
  runs,
  scale,
  ...('missing' in found ? { libiec61850: `not measured: ${found.missing}` } : {}),
  ...('missing' in rust ? { rust: `not measured: ${rust.missing}` } : {}),
  pairs: Object.fromEntries(
    [...all].map(([name, results]) => [
      name,
      Object.fromEntries(
        (Object.keys(results[0]!) as Test[]).map((test) => [test, summary(results.map((each) => each[test]!))]),
      ),
    ]),
  ),
};
const text = `${JSON.stringify(result, undefined, 2)}\n`;
process.stdout.write(text);
mkdirSync(join(HERE, 'results'), { recursive: true });
writeFileSync(join(HERE, 'results', 'iec61850.json'), text);
