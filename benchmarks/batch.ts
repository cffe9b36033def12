/**
 * A thousand scenarios of published cases, every load ±5 %: milliseconds per scenario of the processor and of the clock, and
 * what threads bring. Writes `results/batch.json`. (Beside power-grid-model: see grid-peers.ts.)
 *
 *     node --disable-warning=ExperimentalWarning benchmarks/batch.ts [scenarios]
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg } from 'node:os';
import { join } from 'node:path';
import { readMatpower } from '@enerchain/cim';
import { type BatchInput, caseOfMatpower, type PowerFlowCase, sharedColumn, solveBatch } from '@enerchain/grid-state';
import { referenceData } from '../tools/reference-data.ts';

const scenarios = Number(process.argv[2] ?? 1_000);
const CASES = ['case118', 'case_ACTIVSg500', 'case1354pegase', 'case2869pegase'];
const round = (value: number): number => Number(value.toPrecision(4));

function study(input: PowerFlowCase): BatchInput {
  const rows = Int32Array.from({ length: input.buses.p.length }, (_, i) => i);
  let state = 1;
  const random = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
  const vary = (column: Float64Array): Float64Array => {
    const values = sharedColumn(scenarios * rows.length);
    for (let at = 0; at < values.length; at++) values[at] = column[at % rows.length]! * (0.95 + 0.1 * random());
    return values;
  };
  const changes = (['p', 'q'] as const).map((column) => ({ column, rows, values: vary(input.buses[column]) }));
  return { case: input, scenarios, changes };
}

async function solved(input: BatchInput, workers: number): Promise<object> {
  const processor = process.cpuUsage();
  const start = performance.now();
  let [converged, iterations] = [0, 0];
  for await (const part of solveBatch(input, { workers })) {
    for (let s = 0; s < part.count; s++) {
      converged += part.converged[s]!;
      iterations += part.iterations[s]!;
    }
  }
  const wall = performance.now() - start;
  const { user, system } = process.cpuUsage(processor);
  return {
    workers,
    converged,
    iterations: round(iterations / scenarios),
    millisPerScenario: round(wall / scenarios),
    cpuMillisPerScenario: round((user + system) / 1000 / scenarios),
  };
}

const folder = referenceData('matpower');
const cases: Record<string, object> = {};
for (const name of folder ? CASES : []) {
  process.stderr.write(`· ${name}\n`);
  const input = study(caseOfMatpower(readMatpower(readFileSync(join(folder!, `${name}.m`), 'utf8'))).case);
  await solved({ ...input, scenarios: 0, changes: [] }, 0);
  cases[name] = {
    buses: input.case.buses.p.length,
    inThread: await solved(input, 0),
    threads: await solved(input, availableParallelism()),
  };
}
const result = {
  benchmark: 'batch',
  at: new Date().toISOString(),
  node: process.version,
  cpu: cpus()[0]?.model ?? 'unknown',
  load: loadavg().map(round),
  scenarios,
  cases: folder ? cases : 'left out: the reference data does not lie beside the repository',
};
writeFileSync(new URL('results/batch.json', import.meta.url), `${JSON.stringify(result, undefined, 2)}\n`);
process.stdout.write(`${JSON.stringify(result, undefined, 2)}\n`);
