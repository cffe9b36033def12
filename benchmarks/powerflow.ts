/**
 * The power flow: the lab grid as it is solved every second (bound: under 1 ms), the topology of a large grid when a switch
 * moves, and, where the reference data lies beside the repository, published transmission grids. Medians of several runs, printed as JSON.
 *
 *     node --disable-warning=ExperimentalWarning benchmarks/powerflow.ts [runs]
 */
import { cpus } from 'node:os';
import {
  buildNetwork,
  buildTopology,
  CaseSolver,
  caseOfMatpower,
  moveSwitch,
  NewtonSolver,
  type PowerFlowCase,
  solvePowerFlow,
} from '@enerchain/grid-state';
import { buildLabGrid } from '../apps/lab/src/grid/lab-grid.ts';
import { GridSimulation } from '../apps/lab/src/simulation/simulation.ts';
import { hasMatpower, matpowerCase, readMatpower } from '../services/grid-state/test/matpower.ts';
import { stations } from '../services/grid-state/test/stations.ts';
import { type RunTimes, round, timeRuns } from './runs.ts';

const runs = Number(process.argv[2] ?? 9);

const measure = (calls: number, act: () => void): RunTimes => timeRuns(runs, calls, act);

function labGrid(): object {
  const grid = buildLabGrid();
  const flat = solvePowerFlow(buildNetwork(grid.model));
  const coupler = grid.stations[1]!.bays.find((bay) => bay.kind === 'coupler')!.switches[0]!.mRID;
  let closed = false;
  const simulation = new GridSimulation(grid, { seed: 1, start: Date.UTC(2026, 5, 17, 12) });
  return {
    nodes: grid.model.connectivityNodes.length,
    buses: flat.buses.length,
    branches: flat.branches.length,
    iterationsFromFlat: flat.iterations,
    flatStartMillis: measure(500, () => void solvePowerFlow(buildNetwork(grid.model))),
    switchedMillis: measure(500, () => {
      closed = !closed;
      solvePowerFlow(buildNetwork(grid.model, { switches: new Map([[coupler, closed]]) }));
    }),
    firstSolveOfModelMillis: measure(50, () => void solvePowerFlow(buildNetwork({ ...grid.model }))),
    simulatedSecondMillis: measure(300, () => simulation.step(1)),
  };
}

/** One switch after the other on a large grid (bound: under 1 ms), and the whole topology from nothing. */
function topology(): object {
  const { topology: whole } = buildNetwork(
    stations(
      3_600,
      [],
      Array.from({ length: 180 }, (_, k) => 20 * k),
    ),
  );
  const { grid } = whole;
  let moved = whole;
  let pick = 0;
  const times = Array.from({ length: 4_000 }, () => {
    pick = (pick + 7_919) % grid.switches.length;
    const before = performance.now();
    moved = moveSwitch(moved, pick, moved.closed[pick] === 0);
    return performance.now() - before;
  })
    .slice(1_000)
    .sort((a, b) => a - b);
  return {
    nodes: grid.nodes.length,
    switches: grid.switches.length,
    buses: whole.busCount,
    oneSwitchMillis: {
      median: round(times[times.length >> 1]!),
      p90: round(times[Math.floor(times.length * 0.9)]!),
    },
    fromNothingMillis: measure(3, () => void buildTopology(grid, grid.closed)),
  };
}

function published(name: string): object {
  const input = readMatpower(name);
  const withLimits = new CaseSolver(caseOfMatpower(matpowerCase(name)));
  const make = (): NewtonSolver => new NewtonSolver(input.buses.p.length, input.branches.from, input.branches.to);
  const solver = make();
  const { iterations, converged, maxMismatch } = solver.solve(input as PowerFlowCase);
  return {
    buses: input.buses.p.length,
    branches: input.branches.from.length,
    blocksInL: solver.lu.symbolic.lowerColumn.length,
    converged,
    iterations,
    maxMismatch,
    orderAndSymbolicMillis: measure(3, () => void make()),
    solveMillis: measure(5, () => void solver.solve(input)),
    reactiveLimitsMillis: measure(3, () => void withLimits.solve({ reactiveLimits: true })),
  };
}

const cases = ['case118', 'case1354pegase', 'case2869pegase', 'case9241pegase'].filter(hasMatpower);
console.log(
  JSON.stringify(
    {
      benchmark: 'powerflow',
      node: process.version,
      cpu: cpus()[0]?.model ?? 'unknown',
      runs,
      lab: labGrid(),
      topology: topology(),
      ...(cases.length > 0
        ? { published: Object.fromEntries(cases.map((name) => [name, published(name)])) }
        : { published: 'left out: the reference data does not lie beside the repository' }),
    },
    null,
    2,
  ),
);
