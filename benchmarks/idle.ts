/**
 * What the whole demo costs while nobody does anything: `npm start` settles for a minute, then processor time and memory
 * of all its processes are read from /proc over another minute, in three windows. Prints JSON, writes
 * `results/idle.json`, and fails when the budget is exceeded.
 *
 *     node --disable-warning=ExperimentalWarning benchmarks/idle.ts [--settle 60] [--seconds 60]
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { type ProcessInfo, treeOf } from '../interop/system/processes.ts';
import { startSystem } from '../interop/system/running-system.ts';

/** The stated budget of the whole demo on two cores. */
const BUDGET = { cores: 0.25, pssMiB: 800 };
const WINDOWS = 3;

const { values } = parseArgs({
  options: { settle: { type: 'string', default: '60' }, seconds: { type: 'string', default: '60' } },
});
const [settle, seconds] = [Number(values.settle), Number(values.seconds)];
const ticksPerSecond = Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }));
const results = fileURLToPath(new URL('results', import.meta.url));

interface Cost {
  readonly cpuSeconds: number;
  readonly pssMiB: number;
  readonly rssMiB: number;
}

const round = (value: number, digits = 3): number => Number(value.toFixed(digits));
const wait = (ms: number): Promise<void> => new Promise((wake) => setTimeout(wake, ms));
const median = (list: readonly number[]): number => [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)]!;

/** What a process does in the system, from its command line. */
function part({ command }: ProcessInfo): string {
  if (/postgres/.test(command)) return 'postgres';
  if (/swtpm/.test(command)) return 'swtpm';
  const node = /main\.ts (?:edge|network-node) \S*\/([\w-]+)\.(?:yaml|json)/.exec(command);
  if (node) return node[1]!;
  return /main\.ts (lab|centre|grid-state)/.exec(command)?.[1] ?? 'npm and supervisor';
}

/** Processor time since the start of the process, memory now; undefined when it is gone. */
function costOf(pid: number): Cost | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const memory = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
    const mebibytes = (name: string): number =>
      Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(memory)?.[1]) / 1024;
    // utime and stime: fields 14 and 15, where the state is field 3.
    const cpuSeconds = (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
    return { cpuSeconds, pssMiB: mebibytes('Pss'), rssMiB: mebibytes('Rss') };
  } catch {
    return undefined;
  }
}

function measure(root: number): Map<string, Cost> {
  const parts = new Map<string, Cost>();
  for (const info of treeOf(root)) {
    const cost = costOf(info.pid);
    if (!cost) continue;
    const known = parts.get(part(info)) ?? { cpuSeconds: 0, pssMiB: 0, rssMiB: 0 };
    parts.set(part(info), {
      cpuSeconds: known.cpuSeconds + cost.cpuSeconds,
      pssMiB: known.pssMiB + cost.pssMiB,
      rssMiB: known.rssMiB + cost.rssMiB,
    });
  }
  return parts;
}

const total = (parts: ReadonlyMap<string, Cost>, field: keyof Cost): number =>
  [...parts.values()].reduce((sum, cost) => sum + cost[field], 0);

const loadBefore = loadavg();
const system = await startSystem();
try {
  await wait(settle * 1000);
  const readings = [{ at: performance.now(), parts: measure(system.process.pid!) }];
  for (let window = 0; window < WINDOWS; window++) {
    await wait((seconds / WINDOWS) * 1000);
    readings.push({ at: performance.now(), parts: measure(system.process.pid!) });
  }
  const [first, last] = [readings[0]!, readings.at(-1)!];
  const cores = readings.slice(1).map(({ at, parts }, index) => {
    const before = readings[index]!;
    return ((total(parts, 'cpuSeconds') - total(before.parts, 'cpuSeconds')) * 1000) / (at - before.at);
  });
  const result = {
    what: 'npm start with the lab grid, nobody logged in',
    budget: BUDGET,
    seconds: round((last.at - first.at) / 1000, 1),
    settled: settle,
    cpuSeconds: round(total(last.parts, 'cpuSeconds') - total(first.parts, 'cpuSeconds'), 2),
    cores: round(median(cores)),
    coresOfEachWindow: cores.map((each) => round(each)),
    pssMiB: round(total(last.parts, 'pssMiB'), 1),
    rssMiB: round(total(last.parts, 'rssMiB'), 1),
    parts: Object.fromEntries(
      [...last.parts].map(([name, cost]) => [
        name,
        {
          cpuSeconds: round(cost.cpuSeconds - (first.parts.get(name)?.cpuSeconds ?? 0), 2),
          pssMiB: round(cost.pssMiB, 1),
          rssMiB: round(cost.rssMiB, 1),
        },
      ]),
    ),
    machine: {
      cpus: cpus().length,
      model: cpus()[0]?.model,
      node: process.version,
      load: { before: loadBefore, after: loadavg() },
    },
    at: new Date().toISOString(),
  };
  const text = `${JSON.stringify(result, null, 2)}\n`;
  process.stdout.write(text);
  mkdirSync(results, { recursive: true });
  writeFileSync(join(results, 'idle.json'), text);
  if (result.cores > BUDGET.cores || result.pssMiB > BUDGET.pssMiB) process.exitCode = 1;
} finally {
  await system.stop();
}
