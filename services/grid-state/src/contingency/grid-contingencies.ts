/**
 * Outages of a whole grid, as its tables number it: every island with a solution is judged by itself, what a branch without
 * impedance joins as one bus.
 */
import { BUS_TYPE } from '../powerflow/case.ts';
import { type Machine, reactiveLimits } from '../powerflow/control/machine.ts';
import type { GridSolution } from '../powerflow/grid-solver.ts';
import type { ControlledCase, IslandSolution } from '../powerflow/island-solver.ts';
import { type GridIslands, type IslandCase, islandCases } from '../powerflow/islands.ts';
import { byViolation, type OutageResult, severityOf } from './analysis.ts';
import type { ContingencyInput, LostInjection, OperatingLimits, Outage } from './outage.ts';
import type { ReactiveLimits } from './reactive-limits.ts';
import { type RunOptions, runContingencies } from './run.ts';

export interface GridState {
  readonly grid: ControlledCase;
  readonly islands: GridIslands;
  /** Of the grid, before any outage; must not have been solved again since. */
  readonly solution: GridSolution;
}

/** What is lost, in the numbers of the grid. */
export interface GridOutage extends Outage {
  /** Places in the machines of the grid: with the last that holds a voltage or the angle, nobody does. */
  readonly machines?: readonly number[];
}

export interface GridContingencyOptions extends RunOptions {
  /** What consumers draw per bus, per unit; part of the bus table. */
  readonly load?: { readonly p: Float64Array; readonly q: Float64Array };
  /** Per bus: see `ContingencyInput.participation`. */
  readonly participation?: Float64Array;
  /** Machines beyond their reactive limits give up their voltage after an outage. Default: false. */
  readonly reactiveLimits?: boolean;
}

export interface GridContingencySummary {
  /** The worst first; buses and branches in the numbers of the grid. */
  readonly results: readonly OutageResult[];
  readonly screened: number;
  readonly solved: number;
  /** Places in the list of what was not calculated: it concerns no island with a solution, or a branch without impedance. */
  readonly left: readonly { readonly outage: number; readonly reason: 'noSolution' | 'noImpedance' }[];
  /** Per branch, as shares of its limit, see `ContingencySummary`. */
  readonly loadings: {
    readonly before: Float64Array;
    readonly worst: Float64Array;
    readonly worstOutage: Int32Array;
  };
}

/** One outage within one island. */
interface Part {
  readonly outage: number;
  readonly lost: Outage;
}

/** @throws what `runContingencies` throws */
export async function gridContingencies(
  state: GridState,
  limits: OperatingLimits,
  outages: readonly GridOutage[],
  options: GridContingencyOptions = {},
): Promise<GridContingencySummary> {
  const { grid, islands, solution } = state;
  const { load, participation, reactiveLimits: limited = false, ...rest } = options;
  const cases = islandCases(grid, islands);
  const inputs = solution.islands.map((island, index) =>
    island?.converged
      ? islandInput(state, limits, index, island, {
          load,
          participation,
          machines: limited ? cases[index]!.case.machines : undefined,
        })
      : undefined,
  );
  const parts: Part[][] = islands.islands.map(() => []);
  const left: GridContingencySummary['left'][number][] = [];
  outages.forEach((outage, at) => {
    const split = splitOutage(state, inputs, cases, outage, load);
    if (typeof split === 'string') left.push({ outage: at, reason: split });
    else for (const [island, lost] of split) parts[island]!.push({ outage: at, lost });
  });

  const branchCount = grid.branches.from.length;
  const before = new Float64Array(branchCount);
  const worst = new Float64Array(branchCount);
  const worstOutage = new Int32Array(branchCount).fill(-1);
  const merged = new Map<number, OutageResult>();
  const busesOf = busesByPlace(islands);
  for (const [index, input] of inputs.entries()) {
    const own = parts[index]!;
    if (!input) continue;
    const summary = await runContingencies(
      input,
      own.map(({ lost }) => lost),
      rest,
    );
    const { rows } = islands.islands[index]!;
    const busOf = (place: number): number => busesOf[index]![place]!;
    for (const result of summary.results) {
      const named = {
        ...result,
        outage: own[result.outage]!.outage,
        ...(result.failure ? { failure: { ...result.failure, bus: busOf(result.failure.bus) } } : {}),
        violations: result.violations.map((violation) => ({
          ...violation,
          index: violation.kind === 'overload' ? rows[violation.index]! : busOf(violation.index),
        })),
      };
      const other = merged.get(named.outage);
      merged.set(named.outage, other ? together(other, named) : named);
    }
    rows.forEach((row, k) => {
      before[row] = summary.loadings.before[k]!;
      worst[row] = summary.loadings.worst[k]!;
      worstOutage[row] = own[summary.loadings.worstOutage[k]!]?.outage ?? -1;
    });
  }
  const results = [...merged.values()].sort(byViolation);
  const solved = results.filter(({ method }) => method === 'solved').length;
  return { results, screened: results.length - solved, solved, left, loadings: { before, worst, worstOutage } };
}

/** The results of one event in two islands as one. */
function together(a: OutageResult, b: OutageResult): OutageResult {
  const failure = a.failure ?? b.failure;
  const violations = [...a.violations, ...b.violations];
  const converged = a.converged && b.converged;
  return {
    outage: a.outage,
    method: a.method === 'solved' ? 'solved' : b.method,
    converged,
    ...(failure ? { failure } : {}),
    iterations: Math.max(a.iterations, b.iterations),
    deadBuses: a.deadBuses + b.deadBuses,
    loadLost: a.loadLost + b.loadLost,
    generationLost: a.generationLost + b.generationLost,
    violations,
    violationCount: a.violationCount + b.violationCount,
    severity: converged ? severityOf(violations) : Number.POSITIVE_INFINITY,
  };
}

/** Per island and bus of its case: the first bus of the grid there. */
function busesByPlace({ islands, place }: GridIslands): Int32Array[] {
  return islands.map(({ members, size }) => {
    const first = new Int32Array(size).fill(-1);
    for (const bus of members) if (first[place[bus]!] === -1) first[place[bus]!] = bus;
    return first;
  });
}

/** The tables that the island's solution solves, with that solution as their start, and what it is judged by. */
function islandInput(
  { islands }: GridState,
  limits: OperatingLimits,
  index: number,
  solution: IslandSolution,
  more: {
    readonly load: GridContingencyOptions['load'];
    readonly participation: Float64Array | undefined;
    readonly machines: readonly Machine[] | undefined;
  },
): ContingencyInput {
  const { members, rows, size } = islands.islands[index]!;
  const { place } = islands;
  const { buses } = solution.case;
  const per = (column: Float64Array): Float64Array => {
    const sum = new Float64Array(size);
    for (const bus of members) sum[place[bus]!] = sum[place[bus]!]! + column[bus]!;
    return sum;
  };
  const vMin = new Float64Array(size);
  const vMax = new Float64Array(size).fill(Number.POSITIVE_INFINITY);
  for (const bus of members) {
    const at = place[bus]!;
    vMin[at] = Math.max(vMin[at]!, limits.vMin[bus]!);
    vMax[at] = Math.min(vMax[at]!, limits.vMax[bus]!);
  }
  return {
    case: { ...solution.case, buses: { ...buses, vm: solution.vm.slice(), va: solution.va.slice() } },
    limits: {
      from: Float64Array.from(rows, (row) => limits.from[row]!),
      to: Float64Array.from(rows, (row) => limits.to[row]!),
      ofCurrent: Uint8Array.from(rows, (row) => limits.ofCurrent[row]!),
      vMin,
      vMax,
    },
    ...(more.load ? { load: per(more.load.p) } : {}),
    ...(more.participation ? { participation: per(more.participation) } : {}),
    ...(more.machines ? { reactive: reactiveRange(solution, more.machines) } : {}),
  };
}

/**
 * Per bus of the case: what the machines that hold it can bring in, and what else is given there. Machines that hold a bus
 * elsewhere are taken to stand there.
 */
function reactiveRange(solution: IslandSolution, machines: readonly Machine[]): ReactiveLimits {
  const { buses } = solution.case;
  const qMin = buses.q.slice();
  const qMax = buses.q.slice();
  const target = new Float64Array(qMin.length).fill(Number.NaN);
  machines.forEach((machine, k) => {
    const { holds } = machine;
    if (holds < 0) return;
    const { down, up } = reserveOf(solution, machine, k);
    qMin[holds] = qMin[holds]! - down;
    qMax[holds] = qMax[holds]! + up;
    if (buses.type[holds] === BUS_TYPE.pq) target[holds] = machine.target;
  });
  return { qMin, qMax, target };
}

/** By how much less and more a machine could bring in. @param k its place among those of the island */
function reserveOf(solution: IslandSolution, machine: Machine, k: number): { down: number; up: number } {
  const { low, high } = reactiveLimits(machine, solution.machines.p[k]!, solution.vm[machine.bus]!);
  const given = solution.machines.q[k]!;
  return { down: given - low, up: high - given };
}

/** An outage of the grid as outages of its islands. */
function splitOutage(
  { grid, islands, solution }: GridState,
  inputs: readonly (ContingencyInput | undefined)[],
  cases: readonly IslandCase[],
  outage: GridOutage,
  load: GridContingencyOptions['load'],
): 'noSolution' | 'noImpedance' | Map<number, Outage> {
  const { island, place, row, joining } = islands;
  const split = new Map<number, { branches: number[]; buses: number[]; injections: LostInjection[] }>();
  const of = (index: number) => {
    if (!inputs[index]) return undefined;
    let own = split.get(index);
    if (!own) {
      own = { branches: [], buses: [], injections: [] };
      split.set(index, own);
    }
    return own;
  };
  for (const k of outage.branches ?? []) {
    if (joining.includes(k)) return 'noImpedance';
    if (row[k]! >= 0) of(island[grid.branches.from[k]!]!)?.branches.push(row[k]!);
  }
  for (const bus of outage.buses ?? []) of(island[bus]!)?.buses.push(place[bus]!);
  for (const { bus, p, q, releases = false, reserve } of outage.injections ?? []) {
    const own = of(island[bus]!);
    if (!own) continue;
    const at = place[bus]!;
    const { buses } = inputs[island[bus]!]!.case;
    // Where nothing is left but what is drawn, that is what remains: what the solution has moved there is lost too.
    const rest = releases && load ? drawn(islands, load, bus) : undefined;
    own.injections.push({
      bus: at,
      p: rest ? buses.p[at]! + rest.p : p,
      q: rest ? buses.q[at]! + rest.q : q,
      releases,
      ...(reserve && { reserve }),
    });
  }
  for (const m of outage.machines ?? []) {
    const index = island[grid.machines![m]!.bus]!;
    const own = of(index);
    if (!own) continue;
    const { case: tables, machines } = cases[index]!;
    const k = machines.indexOf(m);
    const lost = outage.machines!.map((each) => machines.indexOf(each));
    own.injections.push(...lostMachine(tables.machines!, k, new Set(lost), solution.islands[index]!));
  }
  return split.size > 0 ? split : 'noSolution';
}

/** @param k of the island's machines; @param lost those that go at the same time */
function lostMachine(
  machines: readonly Machine[],
  k: number,
  lost: ReadonlySet<number>,
  solution: IslandSolution,
): LostInjection[] {
  const { bus, holds, reference = false } = machines[k]!;
  const last = (alike: (other: Machine) => boolean): boolean =>
    !machines.some((other, index) => !lost.has(index) && alike(other));
  const held = holds >= 0 && last((other) => other.holds === holds);
  const angle = reference && last((other) => other.reference === true && other.bus === bus);
  const power = { bus, p: solution.machines.p[k]!, q: solution.machines.q[k]! };
  const reserve = reserveOf(solution, machines[k]!, k);
  if (holds >= 0 && holds !== bus) return [power, { bus: holds, p: 0, q: 0, releases: held, reserve }];
  return [{ ...power, releases: angle || held, ...(holds >= 0 && { reserve }) }];
}

/** What consumers draw at everything that is joined to a bus. */
function drawn(
  { island, place, islands }: GridIslands,
  load: NonNullable<GridContingencyOptions['load']>,
  bus: number,
) {
  let [p, q] = [0, 0];
  for (const other of islands[island[bus]!]!.members) {
    if (place[other] !== place[bus]) continue;
    p += load.p[other]!;
    q += load.q[other]!;
  }
  return { p, q };
}
