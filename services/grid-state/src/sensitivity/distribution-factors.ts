/**
 * Distribution factors of the linear (DC) power flow: voltages of 1 pu, no losses, small angles. A rough view that needs no
 * solution, for ranking, for markets, and to compare with others.
 */
import { EnerchainError } from '@enerchain/model';
import { BUS_TYPE, type PowerFlowCase } from '../powerflow/case.ts';
import { branchPattern } from '../powerflow/pattern.ts';
import { RobustLu } from '../powerflow/robust-lu.ts';

/** Share of its own flow that a branch leaves to the rest; below this there is no rest. */
const BRIDGE = 1e-9;

export class DistributionFactors {
  readonly #from: Int32Array;
  readonly #to: Int32Array;
  readonly #held: Uint8Array;
  /** 1 / (x · ratio) per branch; 0 out of service. */
  readonly #b: Float64Array;
  readonly #lu: RobustLu;
  readonly #vector: Float64Array;

  /**
   * References are the buses that hold the angle.
   * @throws EnerchainError `sensitivity.base` (caller) when a bus has no way to a reference, or a branch no reactance
   */
  constructor({ buses, branches, outOfService }: PowerFlowCase) {
    const n = buses.type.length;
    this.#from = branches.from;
    this.#to = branches.to;
    this.#held = buses.type.map((type) => (type === BUS_TYPE.slack ? 1 : 0));
    this.#b = branches.x.map((x, k) => (outOfService?.[k] === 1 ? 0 : 1 / (x * branches.ratio[k]!)));
    this.#vector = new Float64Array(2 * n);
    const pattern = branchPattern(n, branches.from, branches.to);
    const values = new Float64Array(4 * pattern.column.length);
    for (let i = 0; i < n; i++) {
      // The second unknown of each bus is not used.
      values[4 * pattern.diagonal[i]! + 3] = 1;
      if (this.#held[i] === 1) values[4 * pattern.diagonal[i]!] = 1;
    }
    for (let k = 0; k < branches.from.length; k++) {
      const [f, t] = [branches.from[k]!, branches.to[k]!];
      [1, -1, -1, 1].forEach((sign, c) => {
        const at = 4 * pattern.entry[4 * k + c]!;
        const [row, column] = [c < 2 ? f : t, c % 2 === 0 ? f : t];
        if (this.#held[row] === 0 && this.#held[column] === 0) values[at] = values[at]! + sign * this.#b[k]!;
      });
    }
    this.#lu = new RobustLu(pattern);
    const singular = this.#b.every(Number.isFinite) ? this.#lu.factorise(values) : 0;
    if (singular >= 0) {
      const say = `the linear power flow has no solution: bus ${singular} has no way to a reference, or a branch no reactance`;
      throw new EnerchainError('caller', 'sensitivity.base', say);
    }
  }

  /** Power transfer distribution: flow through a branch, from its from end, per injection at each bus (taken out at the reference). */
  ptdf(branch: number): Float64Array {
    const angles = this.#across(branch);
    return angles.map((angle, bus) => (this.#held[bus] === 1 ? 0 : angle * this.#b[branch]!));
  }

  /**
   * Line outage distribution: share of the flow of a lost branch that each branch takes over; -1 for itself.
   * Undefined: nothing can take it over, the grid falls apart.
   */
  lodf(outage: number): Float64Array | undefined {
    const angles = this.#across(outage);
    const over = (k: number): number => this.#b[k]! * (angles[this.#from[k]!]! - angles[this.#to[k]!]!);
    const rest = 1 - over(outage);
    if (!(Math.abs(rest) > BRIDGE)) return undefined;
    return this.#b.map((_, k) => (k === outage ? -1 : over(k) / rest));
  }

  /** Angles that 1 pu from one end of a branch to its other makes. */
  #across(branch: number): Float64Array {
    const vector = this.#vector;
    vector.fill(0);
    const [f, t] = [this.#from[branch]!, this.#to[branch]!];
    if (this.#held[f] === 0) vector[2 * f] = vector[2 * f]! + 1;
    if (this.#held[t] === 0) vector[2 * t] = vector[2 * t]! - 1;
    this.#lu.solve(vector);
    return Float64Array.from({ length: this.#held.length }, (_, bus) => vector[2 * bus]!);
  }
}
