/** Admittances of all branches at once, and what flows through them. */
import { type BranchTable, branchAdmittances, type PowerFlowCase } from './case.ts';

/** Eight numbers per branch, see `branchAdmittances`; all 0 where it is out of service. */
export function allBranchAdmittances({ branches, outOfService }: PowerFlowCase): Float64Array {
  const all = new Float64Array(8 * branches.from.length);
  for (let k = 0; k < branches.from.length; k++) {
    if (outOfService?.[k] !== 1) branchAdmittances(branches, k, all, 8 * k);
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

/**
 * What flows into both ends of every branch, per unit: fills columns from `at` on, or at `rows`, a row per branch.
 * @param y of `allBranchAdmittances`; @param e and @param f of every bus, real and imaginary part of its voltage
 */
export function allBranchFlows(
  { from, to }: BranchTable,
  y: Float64Array,
  e: Float64Array,
  f: Float64Array,
  into: BranchFlows,
  at: number,
  rows?: Int32Array,
): void {
  const { pFrom, qFrom, pTo, qTo } = into;
  for (let k = 0; k < from.length; k++) {
    const b = from[k]!;
    const t = to[k]!;
    const eb = e[b]!;
    const fb = f[b]!;
    const et = e[t]!;
    const ft = f[t]!;
    const o = 8 * k;
    const fromRe = y[o]! * eb - y[o + 1]! * fb + y[o + 2]! * et - y[o + 3]! * ft;
    const fromIm = y[o]! * fb + y[o + 1]! * eb + y[o + 2]! * ft + y[o + 3]! * et;
    const toRe = y[o + 4]! * eb - y[o + 5]! * fb + y[o + 6]! * et - y[o + 7]! * ft;
    const toIm = y[o + 4]! * fb + y[o + 5]! * eb + y[o + 6]! * ft + y[o + 7]! * et;
    const row = at + (rows ? rows[k]! : k);
    pFrom[row] = eb * fromRe + fb * fromIm;
    qFrom[row] = fb * fromRe - eb * fromIm;
    pTo[row] = et * toRe + ft * toIm;
    qTo[row] = ft * toRe - et * toIm;
  }
}

/** Power into the branch at its ends, per unit. */
export interface BranchFlows {
  readonly pFrom: Float64Array;
  readonly qFrom: Float64Array;
  readonly pTo: Float64Array;
  readonly qTo: Float64Array;
}
