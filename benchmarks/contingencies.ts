/**
 * Single outages of published cases: the full power flow of a thousand lines and transformers, per core; all outages with
 * screening; and whether the screening misses anything that the full power flow of every outage finds. Writes
 * `results/contingencies.json`.
 *
 *     node --disable-warning=ExperimentalWarning benchmarks/contingencies.ts [case …]
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg } from 'node:os';
import { join } from 'node:path';
import { readMatpower } from '@enerchain/cim';
import {
  type CaseGrid,
  type ContingencyInput,
  caseOfMatpower,
  noLimits,
  type Outage,
  runContingencies,
} from '@enerchain/grid-state';
import { referenceData } from '../tools/reference-data.ts';

const CASES = [
  'case14',
  'case30',
  'case39',
  'case57',
  'case118',
  'case300',
  'case_ACTIVSg200',
  'case_ACTIVSg500',
  'case1354pegase',
  'case2869pegase',
];
const names = process.argv.length > 2 ? process.argv.slice(2) : CASES;
const THOUSAND = 1_000;
const round = (value: number): number => Number(value.toPrecision(4));

function inputOf(grid: CaseGrid): ContingencyInput {
  const limits = noLimits(grid.ids.length, grid.case.branches.from.length);
  for (const { row, rating } of grid.branches) {
    if (row < 0) continue;
    limits.from[row] = rating / grid.baseMVA;
    limits.to[row] = rating / grid.baseMVA;
  }
  limits.vMin.set(grid.vMin!);
  limits.vMax.set(grid.vMax!);
  return { case: grid.case, limits, load: grid.load!.p };
}

/** Seconds of the clock and of the processor. */
async function timed<T>(act: () => Promise<T>): Promise<{ seconds: number; cpuSeconds: number; result: T }> {
  const processor = process.cpuUsage();
  const start = performance.now();
  const result = await act();
  const seconds = (performance.now() - start) / 1000;
  const { user, system } = process.cpuUsage(processor);
  return { seconds: round(seconds), cpuSeconds: round((user + system) / 1e6), result };
}

async function analysed(grid: CaseGrid): Promise<object> {
  const input = inputOf(grid);
  const all: Outage[] = Array.from(grid.case.branches.from.keys(), (k) => ({ branches: [k] }));
  const thousand = all.slice(0, THOUSAND);
  await runContingencies(input, all.slice(0, 50), { workers: 0, allAc: true });
  const full = await timed(() => runContingencies(input, thousand, { workers: 0, allAc: true }));
  const screened = await timed(() => runContingencies(input, thousand, { workers: 0 }));
  // As a user calls it: over threads where that pays.
  const every = await timed(() => runContingencies(input, all));
  const broken = full.result.results.filter(({ converged, severity }) => !converged || severity > 0);
  const solved = new Set(
    screened.result.results.filter(({ method }) => method === 'solved').map(({ outage }) => outage),
  );
  const found = broken.filter(({ outage }) => solved.has(outage));
  return {
    buses: grid.ids.length,
    outages: thousand.length,
    allAc: { seconds: full.seconds, cpuSeconds: full.cpuSeconds },
    screening: {
      seconds: screened.seconds,
      cpuSeconds: screened.cpuSeconds,
      cleared: screened.result.screened,
      solved: screened.result.solved,
    },
    breakingLimits: broken.length,
    withoutSolution: broken.filter(({ converged }) => !converged).length,
    recall: broken.length === 0 ? null : round(found.length / broken.length),
    everyBranch: { outages: all.length, seconds: every.seconds, cpuSeconds: every.cpuSeconds },
  };
}

const folder = referenceData('matpower');
const cases: Record<string, object> = {};
for (const name of folder ? names : []) {
  process.stderr.write(`· ${name}\n`);
  cases[name] = await analysed(caseOfMatpower(readMatpower(readFileSync(join(folder!, `${name}.m`), 'utf8'))));
}
const result = {
  benchmark: 'contingencies',
  at: new Date().toISOString(),
  node: process.version,
  cpu: cpus()[0]?.model ?? 'unknown',
  processors: availableParallelism(),
  load: loadavg().map(round),
  cases: folder ? cases : 'left out: the reference data does not lie beside the repository',
};
writeFileSync(new URL('results/contingencies.json', import.meta.url), `${JSON.stringify(result, undefined, 2)}\n`);
process.stdout.write(`${JSON.stringify(result, undefined, 2)}\n`);
