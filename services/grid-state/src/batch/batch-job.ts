/** A chunk of a batch; runs in a thread or beside its caller, see `pool.ts`. Loads the kernel alone: a thread is soon there. */

import { allBranchAdmittances, allBranchFlows } from '../powerflow/branch-flows.ts';
import type { PowerFlowCase } from '../powerflow/case.ts';
import { ChordLanes, LANES } from '../powerflow/chord-lanes.ts';
import { type NewtonFailure, NewtonSolver } from '../powerflow/newton.ts';
import {
  type BatchChunk,
  type BatchColumn,
  type BatchResult,
  type BatchSetup,
  BUS_COLUMNS,
  isSetPoint,
  LANE_COLUMNS,
} from './scenarios.ts';

const TOLERANCE = 1e-8;
const MAX_ITERATIONS = 20;

export function open({ input, options, symbolic, start }: BatchSetup): (chunk: BatchChunk) => BatchResult {
  const { buses, branches } = input.case;
  const n = buses.type.length;
  const m = branches.from.length;
  const solver = new NewtonSolver(n, branches.from, branches.to, symbolic);
  const own: PowerFlowCase = {
    ...input.case,
    buses: {
      ...buses,
      ...Object.fromEntries(BUS_COLUMNS.map((column) => [column, buses[column].slice()])),
    },
    branches: { ...branches, ratio: branches.ratio.slice(), shift: branches.shift.slice() },
  };
  const columnOf = (of: PowerFlowCase, column: BatchColumn): Float64Array =>
    column === 'ratio' || column === 'shift' ? of.branches[column] : of.buses[column];
  /** Whether the admittances of the solver are those of every scenario. */
  const sameAdmittances = input.changes.every(({ column }) => LANE_COLUMNS.includes(column));
  let known = false;
  const y = allBranchAdmittances(own);
  const e = new Float64Array(n);
  const f = new Float64Array(n);

  /** Starts where the base has ended, but for set-points. */
  function from(vm: Float64Array, va: Float64Array): void {
    for (let i = 0; i < n; i++) {
      const type = buses.type[i]!;
      own.buses.vm[i] = isSetPoint(type, 'vm') ? buses.vm[i]! : vm[i]!;
      own.buses.va[i] = isSetPoint(type, 'va') ? buses.va[i]! : va[i]!;
    }
  }

  function fill(scenario: number): void {
    for (const { column, rows, values } of input.changes) {
      const target = columnOf(own, column);
      const at = scenario * rows.length;
      for (let r = 0; r < rows.length; r++) target[rows[r]!] = values[at + r]!;
    }
  }

  /** Several scenarios at a time, where they differ from the base by what is brought in and held alone. */
  function lanesAtBase(): ChordLanes | undefined {
    if (!sameAdmittances || options.damped) return undefined;
    from(start.vm, start.va);
    const base = solver.solve(own, options);
    if (!base.converged) return undefined;
    known = true;
    return ChordLanes.of(solver, { ...own, buses: { ...own.buses, vm: base.vm, va: base.va } });
  }
  const lanes = lanesAtBase();
  const { tolerance = TOLERANCE, maxIterations = MAX_ITERATIONS } = options;

  return ({ first, count }) => {
    const vm = new Float64Array(count * n);
    const va = new Float64Array(count * n);
    const flows = options.flows ? { pFrom: column(m), qFrom: column(m), pTo: column(m), qTo: column(m) } : undefined;
    const converged = new Uint8Array(count);
    const iterations = new Uint8Array(count);
    const failures: { scenario: number; failure: NewtonFailure }[] = [];
    function column(of: number): Float64Array {
      return new Float64Array(count * of);
    }

    /** Fills in what the lanes have a solution for. */
    function solveInLanes(of: ChordLanes): void {
      for (let s = 0; s < count; s += LANES) {
        const width = Math.min(LANES, count - s);
        for (let lane = 0; lane < width; lane++) {
          from(start.vm, start.va);
          fill(first + s + lane);
          of.load(lane, own.buses);
        }
        of.solve(width, { tolerance, maxIterations });
        for (let lane = 0; lane < width; lane++) {
          const at = s + lane;
          if (of.converged[lane] === 0 || !of.voltages(lane, vm, va, at * n, e, f)) continue;
          converged[at] = 1;
          iterations[at] = of.iterations[lane]!;
          if (flows) allBranchFlows(branches, y, e, f, flows, at * m);
        }
      }
    }

    function solveAlone(s: number): void {
      from(start.vm, start.va);
      fill(first + s);
      let solution = solver.solve(own, { ...options, sameAdmittances: sameAdmittances && known });
      if (!solution.converged) {
        from(buses.vm, buses.va);
        fill(first + s);
        solution = solver.solve(own, options);
      }
      // Of a number that is none the matrix may be half made.
      known = solution.failure?.kind !== 'invalidInput';
      iterations[s] = solution.iterations;
      if (!solution.converged) {
        vm.fill(Number.NaN, s * n, (s + 1) * n);
        va.fill(Number.NaN, s * n, (s + 1) * n);
        if (flows) for (const each of Object.values(flows)) each.fill(Number.NaN, s * m, (s + 1) * m);
        if (solution.failure) failures.push({ scenario: first + s, failure: solution.failure });
        return;
      }
      converged[s] = 1;
      vm.set(solution.vm, s * n);
      va.set(solution.va, s * n);
      if (!flows) return;
      allBranchFlows(branches, solver.branchAdmittances, solution.e, solution.f, flows, s * m);
    }

    if (lanes) solveInLanes(lanes);
    for (let s = 0; s < count; s++) if (converged[s] === 0) solveAlone(s);
    return { first, count, converged, iterations, vm, va, ...(flows ? { flows } : {}), failures };
  };
}
