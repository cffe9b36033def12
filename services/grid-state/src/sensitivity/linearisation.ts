/**
 * A solved power flow with its factorised Jacobian: what sensitivities and the screening of outages start from. Unknowns
 * are Δθ (radians) and ΔV/V per bus, two numbers side by side; slack and pv buses have identity rows, so that a right-hand
 * side there is a change of their set-point.
 */
import { EnerchainError } from '@enerchain/model';

import { branchAdmittances, type PowerFlowCase } from '../powerflow/case.ts';
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

/** Eight numbers per branch, see `branchAdmittances`; all 0 where it is out of service. */
export function allBranchAdmittances({ branches, outOfService }: PowerFlowCase): Float64Array {
  const all = new Float64Array(8 * branches.from.length);
  for (let k = 0; k < branches.from.length; k++) {
    if (outOfService?.[k] !== 1) branchAdmittances(branches, k, all.subarray(8 * k, 8 * k + 8));
  }
  return all;
}

/**
 * Fills `out` with p and q, per unit, that flow from a bus into one end of a branch, its own share (of the voltage at that
 * end alone) apart from what the other end adds: pSelf, qSelf, pOther, qOther.
 * @param y of `allBranchAdmittances`; @param end 0: from, 1: to
 */
export function branchPower(
  y: Float64Array,
  k: number,
  end: 0 | 1,
  e: Float64Array,
  f: Float64Array,
  bus: number,
  other: number,
  out: Float64Array,
): void {
  const self = 8 * k + (end === 0 ? 0 : 6);
  const cross = 8 * k + (end === 0 ? 2 : 4);
  const [eb, fb, eo, fo] = [e[bus]!, f[bus]!, e[other]!, f[other]!];
  const square = eb * eb + fb * fb;
  out[0] = square * y[self]!;
  out[1] = -square * y[self + 1]!;
  const re = y[cross]! * eo - y[cross + 1]! * fo;
  const im = y[cross]! * fo + y[cross + 1]! * eo;
  out[2] = eb * re + fb * im;
  out[3] = fb * re - eb * im;
}
