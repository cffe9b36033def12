/**
 * The state estimation: one second of the live lab grid, and, where the reference data lies beside the repository, published
 * transmission grids with voltages at all buses and flows at both ends of all branches (then with all injections besides);
 * pandapower and power-grid-model on the same measurements in the same run, where they are installed or can be. Medians,
 * printed as JSON. Bound: 9 241 buses with flows and voltages in less than 60 ms.
 *
 *     node --disable-warning=ExperimentalWarning benchmarks/estimation.ts [runs] [seconds for each peer, 0: none]
 */
import { readFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { readMatpower } from '@enerchain/cim';
import {
  buildNetwork,
  CaseEstimator,
  CaseSolver,
  caseOfMatpower,
  Estimator,
  estimateChecked,
  estimateNetwork,
  measurementTable,
  pseudoPower,
  type RowMeasurement,
  simulateMeasurements,
  type TerminalMeasurement,
  zeroInjectionsOf,
} from '@enerchain/grid-state';
import { buildLabGrid } from '../apps/lab/src/grid/lab-grid.ts';
import { GridSimulation } from '../apps/lab/src/simulation/simulation.ts';
import { deviation, estimateWithPeers } from '../interop/grid/estimation-peers.ts';
import { installGridPeers } from '../interop/grid/peers.ts';
import { hasMatpower, matpowerFile } from '../services/grid-state/test/matpower.ts';
import { type RunTimes, round, timeRuns } from './runs.ts';

const runs = Number(process.argv[2] ?? 15);
const seconds = Number(process.argv[3] ?? 3);

const measure = (act: () => void): RunTimes => timeRuns(runs, 1, act);

function lab(): object {
  const grid = buildLabGrid();
  const simulation = new GridSimulation(grid, { seed: 1, start: Date.UTC(2026, 5, 17, 12) });
  const network = buildNetwork(grid.model);
  const pseudo = new Map(
    grid.model.equipment.flatMap((each) =>
      each.class === 'EnergyConsumer' || each.class === 'PowerElectronicsConnection'
        ? [[each.mRID, pseudoPower(each)]]
        : [],
    ),
  );
  const read = (): TerminalMeasurement[] =>
    grid.stations.flatMap((station): TerminalMeasurement[] => [
      {
        point: station.rtu,
        terminal: station.busbar.terminal,
        kind: 'voltage',
        value: simulation.voltage(station.busbar.node)!,
        sigma: 0.003 * station.busbar.nominalVoltage,
      },
      ...station.bays.flatMap(({ terminal }) => {
        const flow = terminal === undefined ? undefined : simulation.flow(terminal);
        if (!flow) return [];
        return (['p', 'q'] as const).map((kind) => ({
          point: `${terminal} ${kind}`,
          terminal: terminal!,
          kind,
          value: flow[kind],
          sigma: 0.1,
        }));
      }),
    ]);
  let last = estimateNetwork(network, { measurements: read(), pseudo, injections: {} });
  const cycleMillis = measure(() => {
    simulation.step(1);
    last = estimateNetwork(network, { measurements: read(), pseudo, injections: {} }, { last });
  });
  const { observable, degreesOfFreedom, measurements } = last;
  return { measurements: measurements.length, observable, degreesOfFreedom, cycleMillis };
}

function published(name: string, python: string | undefined): object {
  const file = matpowerFile(name);
  const grid = caseOfMatpower(readMatpower(readFileSync(file, 'utf8')));
  const solved = new CaseSolver(grid).solve();
  const kernel = (injections: boolean): object => {
    const list = simulateMeasurements(solved, { seed: 1, injections });
    const zero = injections ? zeroInjectionsOf(grid) : new Uint8Array(grid.ids.length);
    const bus = new Map(grid.ids.map((id, row) => [id, row]));
    const circuits = new Map<string, number[]>();
    for (const { from, to, row } of grid.branches) {
      const key = [Math.min(from, to), Math.max(from, to)].join();
      circuits.set(key, [...(circuits.get(key) ?? []), row]);
    }
    const rows = list.map(({ kind, value, sigma, bus: at, from, to, circuit = 1 }): RowMeasurement => {
      if (at !== undefined) return { kind, at: bus.get(at)!, value, sigma };
      const row = circuits.get([Math.min(from!, to!), Math.max(from!, to!)].join())![circuit - 1]!;
      return { kind, at: row, end: grid.case.branches.from[row] === bus.get(from!) ? 0 : 1, value, sigma };
    });
    const estimator = new Estimator(grid.ids.length, grid.case.branches.from, grid.case.branches.to);
    const input = { case: grid.case, measurements: measurementTable(rows), zero };
    const before = performance.now();
    let estimate = estimator.estimate(input);
    const first = performance.now() - before;
    const millis = measure(() => {
      estimate = estimator.estimate(input);
    });
    const factor = estimator.equations.layout.ldl.symbolic;
    return {
      measurements: rows.length,
      constraints: estimate.constraints,
      converged: estimate.converged,
      iterations: estimate.iterations,
      jPerDegree: round(estimate.objective / estimate.degreesOfFreedom),
      blocksInL: factor.lowerColumn.length,
      firstWithAnalysisMillis: round(first),
      millis,
      covarianceMillis: measure(() => void estimator.covariance()),
      withBadDataMillis: measure(() => void estimateChecked(estimator, input)),
    };
  };
  return {
    buses: grid.ids.length,
    branches: grid.case.branches.from.length,
    flowsAndVoltages: kernel(false),
    withInjections: kernel(true),
    peers: python === undefined || seconds === 0 ? 'left out' : peersOf(python, file, name),
  };
}

function peersOf(python: string, file: string, name: string): object {
  const grid = caseOfMatpower(readMatpower(readFileSync(file, 'utf8')));
  const list = simulateMeasurements(new CaseSolver(grid).solve(), { seed: 1, injections: false });
  const ours = new CaseEstimator(grid).estimate(list, { tolerance: 1e-9 });
  const reference = ours.buses.findIndex(({ sigmaVa }) => sigmaVa === 0);
  // pandapower needs minutes for the largest.
  const tools =
    name === 'case9241pegase'
      ? (['power-grid-model', 'power-grid-model-linear'] as const)
      : (['pandapower', 'power-grid-model', 'power-grid-model-linear'] as const);
  const results = estimateWithPeers(python, file, grid, list, seconds, tools);
  return Object.fromEntries(
    Object.entries(results).map(([tool, result]) => {
      if ('failed' in result) return [tool, result.failed];
      const { magnitude, angle } = deviation(ours.buses, result, reference);
      const { median, best } = result.whole!;
      return [
        tool,
        {
          measurements: result.measurements,
          millis: { median: round(median), best: round(best) },
          largestDifference: { pu: round(magnitude), degrees: round(angle) },
        },
      ];
    }),
  );
}

const cases = ['case118', 'case300', 'case1354pegase', 'case2869pegase', 'case9241pegase'].filter(hasMatpower);
const peers = seconds > 0 && cases.length > 0 ? installGridPeers() : { missing: 'not asked for' };
const python = 'python' in peers ? peers.python : undefined;
if ('missing' in peers) console.error(peers.missing);
console.log(
  JSON.stringify(
    {
      benchmark: 'estimation',
      node: process.version,
      cpu: cpus()[0]?.model ?? 'unknown',
      load: loadavg().map(round),
      runs,
      lab: lab(),
      ...(cases.length > 0
        ? { published: Object.fromEntries(cases.map((name) => [name, published(name, python)])) }
        : { published: 'left out: the reference data does not lie beside the repository' }),
    },
    null,
    2,
  ),
);
