/**
 * The power flow beside pandapower, pypowsybl, lightsim2grid and power-grid-model, in one run on one machine: published
 * MATPOWER cases from the same file with the same tolerance (1e-8 pu), and a radial grid of 2 000 nodes with 1 000 scenarios
 * beside power-grid-model. Writes `results/grid-peers.json`.
 *
 *     node --disable-warning=ExperimentalWarning benchmarks/grid-peers.ts [seconds per measurement] [case …]
 *
 * "Solver" is Newton's method on tables or matrices that are there, "whole" the call that a user makes, with named results.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus, loadavg } from 'node:os';
import { join } from 'node:path';
import { readMatpower } from '@enerchain/cim';
import { CaseSolver, caseOfMatpower, NewtonSolver, sharedColumn, solveBatch } from '@enerchain/grid-state';
import {
  batchWithPgm,
  GRID_PEERS,
  type GridPeer,
  installGridPeers,
  type PeerResult,
  solveWithPeers,
  type Timing,
} from '../interop/grid/peers.ts';
import { referenceData } from '../tools/reference-data.ts';
import { pgmBatch, radialGrid, scales } from './grid-peers/radial-grid.ts';

const seconds = Number(process.argv[2] ?? 2);
const only = process.argv.slice(3);
const SCENARIOS = 1_000;
const TOLERANCE = 1e-8;
const say = (text: string) => process.stderr.write(`· ${text}\n`);
const round = (value: number): number => Number(value.toPrecision(4));

/** Milliseconds of each call, as the Python program measures. */
function measure(act: () => void): Timing {
  // The compiler of the runtime needs some calls to find what is worth its work.
  for (let i = 0, until = performance.now() + 500; i < 2 || (i < 200 && performance.now() < until); i++) act();
  const times: number[] = [];
  const processor = process.cpuUsage();
  const begin = performance.now();
  while (times.length < 3 || (performance.now() - begin < seconds * 1000 && times.length < 2_000)) {
    const start = performance.now();
    act();
    times.push(performance.now() - start);
  }
  const { user, system } = process.cpuUsage(processor);
  const cpu = round((user + system) / 1000 / times.length);
  times.sort((a, b) => a - b);
  return { median: round(times[times.length >> 1]!), best: round(times[0]!), cpu, calls: times.length };
}

/** How far apart two solutions are, the grid turned so that the references agree. */
function apart(ours: { vm: Float64Array; va: Float64Array }, reference: number, peer: PeerResult) {
  if ('failed' in peer) return undefined;
  const degrees = (angle: number): number => (angle * 180) / Math.PI;
  const turn = degrees(ours.va[reference]!) - (peer.va[reference] ?? 0);
  let [magnitude, angle] = [0, 0];
  for (let i = 0; i < ours.vm.length; i++) {
    if (peer.vm[i] == null) continue;
    magnitude = Math.max(magnitude, Math.abs(ours.vm[i]! - peer.vm[i]!));
    angle = Math.max(angle, Math.abs(degrees(ours.va[i]!) - peer.va[i]! - turn));
  }
  return { magnitude: Number(magnitude.toExponential(1)), degrees: Number(angle.toExponential(1)) };
}

function published(folder: string, name: string, python: string | undefined): object {
  const file = join(folder, `${name}.m`);
  const grid = caseOfMatpower(readMatpower(readFileSync(file, 'utf8')));
  const { buses, branches } = grid.case;
  const solver = new NewtonSolver(buses.p.length, branches.from, branches.to);
  const solution = solver.solve(grid.case, { tolerance: TOLERANCE });
  const ours = { vm: solution.vm.slice(), va: solution.va.slice() };
  const { iterations, maxMismatch } = solution;
  const reactive = Array.from(solution.q);
  const kernel = measure(() => void solver.solve(grid.case, { tolerance: TOLERANCE }));
  const named = new CaseSolver(grid);
  const whole = measure(() => void named.solve({ tolerance: TOLERANCE }));
  const own = { buses: buses.p.length, iterations, maxMismatch, solver: kernel, whole };
  if (python === undefined) return own;
  const reference = buses.type.indexOf(3);
  const results = solveWithPeers(python, file, seconds, Object.keys(GRID_PEERS) as GridPeer[], reactive);
  const peers = Object.entries(results).map(([peer, result]) => {
    if ('failed' in result) return [peer, result];
    const faster = {
      ...(result.solver ? { solver: multiple(result.solver, kernel) } : {}),
      ...(result.whole ? { whole: multiple(result.whole, whole) } : {}),
    };
    return [
      peer,
      {
        iterations: result.iterations,
        ...(result.solver ? { solver: rounded(result.solver) } : {}),
        ...(result.whole ? { whole: rounded(result.whole) } : {}),
        oursFasterBy: faster,
        apart: apart(ours, reference, result),
      },
    ];
  });
  return { ...own, peers: Object.fromEntries(peers) };
}

const rounded = ({ median, best, cpu, calls }: Timing): Timing => ({
  median: round(median),
  best: round(best),
  cpu: cpu === null ? null : round(cpu),
  calls,
});

/** Time of the peer as multiple of ours, of the processor where that is known: above 1, we are faster. */
const multiple = (theirs: Timing, ours: Timing): number =>
  theirs.cpu === null || ours.cpu === null ? round(theirs.best / ours.best) : round(theirs.cpu / ours.cpu);

async function radial(python: string | undefined): Promise<object> {
  const grid = radialGrid();
  const scale = scales(SCENARIOS, grid.loads.length);
  const nodes = grid.nodes.length;
  const indexOf = new Map(grid.nodes.map(({ id }, i) => [id, i]));
  const rows = Int32Array.from(grid.loads, ({ node }) => indexOf.get(node)!);
  const column = (of: 'p_specified' | 'q_specified'): Float64Array => {
    const values = sharedColumn(SCENARIOS * rows.length);
    scale.forEach((factors, s) => {
      factors.forEach((factor, l) => {
        values[s * rows.length + l] = (-grid.loads[l]![of] * factor) / 1e6;
      });
    });
    return values;
  };
  const input = {
    case: grid.case,
    scenarios: SCENARIOS,
    changes: [
      { column: 'p', rows, values: column('p_specified') },
      { column: 'q', rows, values: column('q_specified') },
    ],
  } as const;
  const vm = new Float64Array(SCENARIOS * nodes);
  const va = new Float64Array(SCENARIOS * nodes);
  /** Milliseconds per scenario: of the clock, the best of three, and of the processor. */
  const batch = async (workers: number, flows: boolean): Promise<Timing> => {
    const times: number[] = [];
    const processor = process.cpuUsage();
    for (let run = 0; run < 3; run++) {
      const start = performance.now();
      for await (const part of solveBatch(input, { workers, flows, tolerance: TOLERANCE })) {
        if (part.converged.includes(0)) throw new Error('a scenario has no solution');
        vm.set(part.vm, part.first * nodes);
        va.set(part.va, part.first * nodes);
      }
      times.push((performance.now() - start) / SCENARIOS);
    }
    const { user, system } = process.cpuUsage(processor);
    const cpu = (user + system) / 1000 / SCENARIOS / times.length;
    times.sort((a, b) => a - b);
    return rounded({ median: times[1]!, best: times[0]!, cpu, calls: times.length });
  };
  const solver = new NewtonSolver(nodes, grid.case.branches.from, grid.case.branches.to);
  const own = {
    nodes,
    scenarios: SCENARIOS,
    iterations: solver.solve(grid.case, { tolerance: TOLERANCE }).iterations,
    singleMillis: measure(() => void solver.solve(grid.case, { tolerance: TOLERANCE })),
    perScenario: {
      voltages: await batch(0, false),
      voltagesThreads: await batch(availableParallelism(), false),
      flows: await batch(0, true),
      flowsThreads: await batch(availableParallelism(), true),
    },
  };
  if (python === undefined) return own;
  const peer = batchWithPgm(python, pgmBatch(grid, scale), seconds);
  let [magnitude, angle] = [0, 0];
  peer.picked.forEach((scenario, k) => {
    peer.ids.forEach((id, i) => {
      const at = scenario * nodes + indexOf.get(id)!;
      magnitude = Math.max(magnitude, Math.abs(vm[at]! - peer.vm[k]![i]!));
      angle = Math.max(angle, Math.abs((va[at]! * 180) / Math.PI - peer.va[k]![i]!));
    });
  });
  const per = ({ median, best, cpu, calls }: Timing): Timing =>
    rounded({ median: median / SCENARIOS, best: best / SCENARIOS, cpu: (cpu ?? 0) / SCENARIOS, calls });
  const theirs = {
    voltages: per(peer.voltages),
    voltagesThreads: per(peer.voltagesThreads),
    flows: per(peer.flows),
    flowsThreads: per(peer.flowsThreads),
  };
  const faster = Object.entries(theirs).map(([what, timing]) => {
    const ours = own.perScenario[what as keyof typeof theirs];
    // With threads it is the clock that counts.
    return [what, what.endsWith('Threads') ? round(timing.best / ours.best) : multiple(timing, ours)];
  });
  return {
    ...own,
    'power-grid-model': {
      singleMillis: rounded(peer.single),
      perScenario: theirs,
      oursFasterBy: Object.fromEntries(faster),
      apart: { magnitude: Number(magnitude.toExponential(1)), degrees: Number(angle.toExponential(1)) },
    },
  };
}

say('the peers');
const installed = installGridPeers();
const python = 'python' in installed ? installed.python : undefined;
if ('missing' in installed) say(installed.missing);
const folder = referenceData('matpower');
const names = folder
  ? readdirSync(folder)
      .filter((name) => name.endsWith('.m'))
      .map((name) => name.slice(0, -2))
      .filter((name) => only.length === 0 || only.includes(name))
      .sort((a, b) => a.localeCompare(b, 'en', { numeric: true }))
  : [];
const cases: Record<string, object> = {};
for (const name of names) {
  say(name);
  cases[name] = published(folder!, name, python);
}
say('radial grid');
const result = {
  benchmark: 'grid-peers',
  at: new Date().toISOString(),
  node: process.version,
  cpu: cpus()[0]?.model ?? 'unknown',
  processors: availableParallelism(),
  load: loadavg().map(round),
  tolerance: TOLERANCE,
  peers: 'missing' in installed ? installed.missing : GRID_PEERS,
  cases: folder ? cases : 'left out: the reference data does not lie beside the repository',
  radial: await radial(python),
};
writeFileSync(new URL('results/grid-peers.json', import.meta.url), `${JSON.stringify(result, undefined, 2)}\n`);
process.stdout.write(`${JSON.stringify(result, undefined, 2)}\n`);
