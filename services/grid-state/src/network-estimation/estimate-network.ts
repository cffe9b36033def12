/**
 * The state of a network from measurements in physical units, island by island: voltages, flows and what every piece of
 * equipment draws, with standard deviations. An island that the measurements do not determine, or that has no estimate,
 * falls back to the power flow; which one it was stands in the result.
 */
import { type BadDataOptions, type CheckedEstimate, estimateChecked } from '../estimation/bad-data.ts';
import { Estimator } from '../estimation/estimator.ts';
import { measurementTable } from '../estimation/measurement.ts';
import { islandsOf, type PowerFlowResult } from '../power-flow.ts';
import type { GridIslands } from '../powerflow/islands.ts';
import type { Network } from '../topology/network.ts';
import { networkCase } from '../topology/network-case.ts';
import { SwitchMeasurements } from './at-switches.ts';
import { Findings } from './findings.ts';
import { type IslandWork, islandMeasurements, type Scope } from './island-measurements.ts';
import type {
  EstimationInputs,
  IslandEstimate,
  MeasurementEstimate,
  NetworkEstimate,
  NetworkEstimateOptions,
} from './network-estimate.ts';
import { NetworkState } from './network-state.ts';

const RADIANS = Math.PI / 180;
const estimators = new WeakMap<GridIslands, (Estimator | undefined)[]>();

/** Never throws for a state of the grid or of its measurements. */
export function estimateNetwork(
  network: Network,
  inputs: EstimationInputs,
  options: NetworkEstimateOptions = {},
): NetworkEstimate {
  const atSwitches = new SwitchMeasurements(network.topology, inputs.measurements);
  return atSwitches.back(estimateWithout(network, { ...inputs, measurements: atSwitches.measurements }, options));
}

/** Without its bad data a grid may be unobservable: what is believed of the equipment takes the place of what was measured. */
function estimateWithout(network: Network, inputs: EstimationInputs, options: NetworkEstimateOptions): NetworkEstimate {
  const first = estimateOnce(network, inputs, options);
  if (first.observable) return first;
  const wrong = new Set(first.badData.flatMap(({ points }) => points));
  if (wrong.size === 0) return first;
  const measurements = inputs.measurements.filter(({ point }) => !wrong.has(point));
  const second = estimateOnce(network, { ...inputs, measurements }, options);
  if (!second.observable) return first;
  const again = new Map(second.measurements.map((each) => [each.point, each]));
  return {
    ...second,
    badData: [...first.badData, ...second.badData],
    measurements: first.measurements.map((each) => again.get(each.point) ?? each),
  };
}

function estimateOnce(
  network: Network,
  inputs: EstimationInputs,
  { last, ...options }: NetworkEstimateOptions,
): NetworkEstimate {
  const tables = networkCase(network, inputs.injections);
  const scope = { network, inputs, tables, islands: islandsOf(network, tables) };
  const { works, unused } = islandMeasurements(scope);
  const findings = new Findings(scope, unused);
  const state = new NetworkState(scope);
  const islands = works.map((work) => {
    const start = last && startOf(scope, work, last.result);
    const checked = estimateIsland(scope, work, start ? { ...options, start } : options);
    const island = islandEstimate(work, checked, findings);
    findings.add(work, checked);
    if (island.estimated) state.fill(work, checked);
    return island;
  });
  state.powerFlow(
    islands.filter(({ estimated }) => !estimated).map(({ index }) => index),
    last?.result,
  );
  const { injections, result } = state.result();
  const estimated = new Set(islands.filter((island) => island.estimated).map(({ index }) => index));
  return {
    result: {
      ...result,
      islands: result.islands.map((island) =>
        estimated.has(island.index) ? { ...island, estimated: true as const } : island,
      ),
    },
    estimated: islands.length > 0 && islands.every((island) => island.estimated),
    observable: islands.length > 0 && islands.every(({ observable }) => observable),
    islands,
    buses: state.buses(result),
    measurements: findings.measurements.map((each) => besideItsFlow(each, result)),
    badData: findings.badData,
    unobservable: findings.unobservable,
    restore: findings.restore,
    j: islands.reduce((sum, { j }) => sum + j, 0),
    degreesOfFreedom: islands.reduce((sum, { degreesOfFreedom }) => sum + degreesOfFreedom, 0),
    injections,
    sigmaP: state.sigmaP,
  };
}

/** @param options `start` where the cycle before tells it */
function estimateIsland({ islands }: Scope, work: IslandWork, options: BadDataOptions): CheckedEstimate {
  const { branches, buses } = work.case;
  let known = estimators.get(islands);
  if (!known) {
    known = [];
    estimators.set(islands, known);
  }
  known[work.index] ??= new Estimator(buses.type.length, branches.from, branches.to);
  return estimateChecked(
    known[work.index]!,
    { case: work.case, measurements: measurementTable(work.rows), zero: work.zero },
    options,
  );
}

/** Voltages of the cycle before, where there are some for every bus. */
function startOf(
  { network, islands }: Scope,
  work: IslandWork,
  last: PowerFlowResult,
): { vm: Float64Array; va: Float64Array } | undefined {
  const { grid, busOfNode } = network.topology;
  const { island, place } = islands;
  const vm = new Float64Array(work.zero.length).fill(Number.NaN);
  const va = new Float64Array(work.zero.length);
  for (let node = 0; node < grid.nodeCount; node++) {
    const bus = busOfNode[node]!;
    if (island[bus] !== work.index) continue;
    const earlier = last.buses[last.busOfNode.get(grid.nodes[node] ?? '') ?? -1];
    if (!earlier || earlier.voltage === null || earlier.angle === null) continue;
    vm[place[bus]!] = earlier.voltage / earlier.nominalVoltage;
    va[place[bus]!] = earlier.angle * RADIANS;
  }
  // Star points and open ends are near what they hang at.
  const { from, to } = work.case.branches;
  for (let k = 0; k < from.length; k++) {
    const [f, t] = [from[k]!, to[k]!];
    if (Number.isNaN(vm[t]!)) [vm[t], va[t]] = [vm[f]!, va[f]!];
    else if (Number.isNaN(vm[f]!)) [vm[f], va[f]] = [vm[t]!, va[t]!];
  }
  return vm.some((value) => Number.isNaN(value)) ? undefined : { vm, va };
}

function islandEstimate(
  work: IslandWork,
  { estimate, before, after }: CheckedEstimate,
  findings: Findings,
): IslandEstimate {
  const { converged, observability } = estimate;
  return {
    index: work.index,
    estimated: converged && observability.observable,
    converged,
    observable: observability.observable,
    ...(estimate.failure === undefined ? {} : { failure: estimate.failure }),
    worst: estimate.worst.flatMap((k) => findings.pointsOf(work, k)),
    method: estimate.method,
    iterations: estimate.iterations,
    measurements: work.sources.filter((source) => 'measurement' in source).length,
    pseudo: work.sources.filter((s) => 'power' in s && s.power.shares.some(({ believed }) => believed)).length,
    j: estimate.objective,
    degreesOfFreedom: estimate.degreesOfFreedom,
    before,
    after,
  };
}

/** A current that is not modelled is compared all the same. */
function besideItsFlow(measurement: MeasurementEstimate, { flows }: PowerFlowResult): MeasurementEstimate {
  if (measurement.unused !== 'notModelled' || measurement.kind !== 'current') return measurement;
  const estimated = flows.get(measurement.terminal)?.i;
  return estimated === undefined ? measurement : { ...measurement, estimated, residual: measurement.value - estimated };
}
