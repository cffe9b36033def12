/** A chunk of a batch; runs in a thread or beside its caller, see `pool.ts`. Loads the kernel alone: a thread is soon there. */

import type { PowerFlowCase } from '../powerflow/case.ts';
import { type NewtonFailure, NewtonSolver } from '../powerflow/newton.ts';
import { allBranchAdmittances, allBranchFlows } from '../sensitivity/branch-flows.ts';
import {
  type BatchChunk,
  type BatchColumn,
  type BatchResult,
  type BatchSetup,
  BUS_COLUMNS,
  isSetPoint,
} from './scenarios.ts';

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
  const moves = (...columns: BatchColumn[]) => input.changes.some(({ column }) => columns.includes(column));
  const movesBranches = moves('ratio', 'shift');
  /** Whether the admittances of the solver are those of every scenario. */
  const sameAdmittances = !movesBranches && !moves('gs', 'bs');
  let known = false;
  let y = allBranchAdmittances(own);

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
    for (let s = 0; s < count; s++) {
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
        continue;
      }
      converged[s] = 1;
      vm.set(solution.vm, s * n);
      va.set(solution.va, s * n);
      if (!flows) continue;
      if (movesBranches) y = allBranchAdmittances(own);
      allBranchFlows(own, y, solution.vm, solution.va, flows, s * m);
    }
    return { first, count, converged, iterations, vm, va, ...(flows ? { flows } : {}), failures };
  };
}
