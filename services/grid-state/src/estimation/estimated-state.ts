/** The state of a grid in polar coordinates, and the admittances that it is seen through: they follow ratios and shifts. */
import { type BranchTable, branchAdmittances, type PowerFlowCase } from '../powerflow/case.ts';
import type { Layout } from './layout.ts';

export class EstimatedState {
  /** Magnitudes, pu, and angles, radians, by bus. */
  readonly vm: Float64Array;
  readonly va: Float64Array;
  /** Ratios and phase shifts, radians, by branch. */
  readonly ratio: Float64Array;
  readonly shift: Float64Array;
  /** 0 at buses whose angle is the reference, otherwise 1: such an angle is no state. */
  readonly free: Float64Array;
  /** Admittances of the branches, eight numbers each as `branchAdmittances` has them. */
  readonly y: Float64Array;
  /** The admittance matrix, in the places of the layout. */
  readonly yRe: Float64Array;
  readonly yIm: Float64Array;
  readonly #layout: Layout;
  #case: PowerFlowCase | undefined;
  #branches: BranchTable | undefined;
  readonly #eight = new Float64Array(8);

  constructor(layout: Layout) {
    this.#layout = layout;
    const { busCount, from, admittance } = layout;
    this.vm = new Float64Array(busCount);
    this.va = new Float64Array(busCount);
    this.free = new Float64Array(busCount);
    this.ratio = new Float64Array(from.length);
    this.shift = new Float64Array(from.length);
    this.y = new Float64Array(8 * from.length);
    this.yRe = new Float64Array(admittance.column.length);
    this.yIm = new Float64Array(admittance.column.length);
  }

  /** The case that `begin` was called with. */
  get case(): PowerFlowCase {
    return this.#case!;
  }

  /** Takes the case's admittances, ratios and shifts over. @returns the first branch that has no usable ones, or -1 */
  begin(input: PowerFlowCase): number {
    this.#case = input;
    this.ratio.set(input.branches.ratio);
    this.shift.set(input.branches.shift);
    this.#branches = { ...input.branches, ratio: this.ratio, shift: this.shift };
    return this.admittances();
  }

  /** To be called after ratios or shifts have changed. @returns as `begin` */
  admittances(): number {
    const { admittance, from, injectionRow } = this.#layout;
    const { yRe, yIm, y } = this;
    const one = this.#eight;
    yRe.fill(0);
    yIm.fill(0);
    for (let k = 0; k < from.length; k++) {
      if (this.#case!.outOfService?.[k] === 1) one.fill(0);
      else branchAdmittances(this.#branches!, k, one);
      y.set(one, 8 * k);
      if (!Number.isFinite(one[0]! + one[1]! + one[6]! + one[7]!)) return k;
      for (let c = 0; c < 4; c++) {
        const at = admittance.entry[4 * k + c]!;
        yRe[at] = yRe[at]! + one[2 * c]!;
        yIm[at] = yIm[at]! + one[2 * c + 1]!;
      }
    }
    const { gs, bs } = this.#case!.buses;
    for (let i = 0; i < injectionRow.length; i++) {
      const at = admittance.diagonal[i]!;
      yRe[at] = yRe[at]! + gs[i]!;
      yIm[at] = yIm[at]! + bs[i]!;
    }
    return -1;
  }
}
