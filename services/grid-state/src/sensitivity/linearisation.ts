/**
 * A solved power flow with its factorised Jacobian: what sensitivities and the screening of outages start from. Unknowns
 * are Δθ (radians) and ΔV/V per bus, two numbers side by side; slack and pv buses have identity rows, so that a right-hand
 * side there is a change of their set-point.
 */
import { EnerchainError } from '@enerchain/model';
import { allBranchAdmittances } from '../powerflow/branch-flows.ts';
import type { PowerFlowCase } from '../powerflow/case.ts';
import { type NewtonOptions, NewtonSolver } from '../powerflow/newton.ts';
import type { BranchPattern } from '../powerflow/pattern.ts';
import { RobustLu } from '../powerflow/robust-lu.ts';

export class Linearisation {
  readonly case: PowerFlowCase;
  readonly pattern: BranchPattern;
  /** Of the Jacobian at the solution. */
  readonly lu: RobustLu;
  /** Magnitudes, per unit, and angles, radians. */
  readonly vm: Float64Array;
  readonly va: Float64Array;
  /** The same as real and imaginary parts. */
  readonly e: Float64Array;
  readonly f: Float64Array;
  /** Injections, per unit. */
  readonly p: Float64Array;
  readonly q: Float64Array;
  /** Bus admittance matrix per entry of the pattern. */
  readonly yRe: Float64Array;
  readonly yIm: Float64Array;
  /** Eight numbers per branch: yff, yft, ytf, ytt as re, im pairs; all 0 out of service. */
  readonly branch: Float64Array;

  /**
   * @param solver of the topology of the case
   * @throws EnerchainError `sensitivity.base` (caller) when the case has no solution, or none that one could move away from
   */
  constructor(
    input: PowerFlowCase,
    options: NewtonOptions = {},
    solver = new NewtonSolver(input.buses.type.length, input.branches.from, input.branches.to),
  ) {
    const solution = solver.solve(input, options);
    if (!solution.converged) {
      const say = `the grid has no solution to start from: bus ${solution.failure?.bus}: ${solution.failure?.message}`;
      throw new EnerchainError('caller', 'sensitivity.base', say);
    }
    this.case = input;
    this.pattern = solver.pattern;
    this.lu = new RobustLu(solver.pattern, solver.lu.symbolic);
    const singular = this.lu.factorise(solver.jacobian.slice());
    if (singular >= 0) {
      const say = `the solution lies at the edge of voltage collapse: the Jacobian is singular at bus ${singular}`;
      throw new EnerchainError('caller', 'sensitivity.base', say);
    }
    this.vm = solution.vm.slice();
    this.va = solution.va.slice();
    this.e = this.vm.map((vm, i) => vm * Math.cos(this.va[i]!));
    this.f = this.vm.map((vm, i) => vm * Math.sin(this.va[i]!));
    this.p = solution.p.slice();
    this.q = solution.q.slice();
    this.yRe = solver.admittances.re.slice();
    this.yIm = solver.admittances.im.slice();
    this.branch = allBranchAdmittances(input);
  }
}
