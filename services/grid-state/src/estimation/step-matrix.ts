/** Matrix and right-hand side of a Gauss–Newton step, in the pattern of `layout.ts`. */
import { ALL, type BranchEquations, branchChannel, QUANTITIES, WIDTH } from './branch-equations.ts';
import type { EstimatedState } from './estimated-state.ts';
import type { Layout } from './layout.ts';
import { type ChannelMap, type Channels, KIND } from './measurement.ts';

/** Bits of the powers that are known to be zero at a bus. */
export const ZERO = { p: 1, q: 2 } as const;

/** What one pass over the equations found. */
export interface Pass {
  /** Σ (z - h)²/σ² over the channels. */
  readonly objective: number;
  /** Largest violation of a zero injection, pu. */
  readonly violation: number;
}

export class StepMatrix {
  readonly values: Float64Array;
  readonly rhs: Float64Array;
  readonly #layout: Layout;
  readonly #map: ChannelMap;
  readonly #state: EstimatedState;
  readonly #branch: BranchEquations;

  constructor(layout: Layout, map: ChannelMap, state: EstimatedState, branch: BranchEquations) {
    this.#layout = layout;
    this.#map = map;
    this.#state = state;
    this.#branch = branch;
    this.values = new Float64Array(4 * layout.pattern.column.length);
    this.rhs = new Float64Array(2 * layout.size);
  }

  /** Which of the six quantities of each branch carry a weight, as a bit mask. */
  measuredOf(weight: Float64Array): Uint8Array {
    const { from } = this.#layout;
    const mask = new Uint8Array(from.length);
    for (let k = 0; k < from.length; k++) {
      for (let r = 0; r < QUANTITIES; r++)
        if (weight[branchChannel(this.#map, k, r)]! > 0) mask[k] = mask[k]! | (1 << r);
    }
    return mask;
  }

  /**
   * Matrix and right-hand side of a step at the present state.
   * @param zero per bus the bits of `ZERO`
   * @param measured as `measuredOf` has it
   */
  assemble(channels: Channels, zero: Uint8Array, measured: Uint8Array): Pass {
    this.values.fill(0);
    this.rhs.fill(0);
    let objective = this.#assembleBuses(channels);
    for (let k = 0; k < measured.length; k++) {
      if (measured[k] !== 0) objective += this.#assembleBranch(k, measured[k]!, channels);
    }
    if (this.#layout.hasTaps) objective += this.#assembleTaps(channels);
    return this.#assembleInjections(channels, zero, objective);
  }

  #assembleBuses({ map, value, weight }: Channels): number {
    const [values, rhs] = [this.values, this.rhs];
    const { vm, va, free } = this.#state;
    const { diagonal } = this.#layout.pattern;
    let objective = 0;
    const firstAngle = map.first[KIND.angle]!;
    for (let i = 0; i < vm.length; i++) {
      const d = 4 * diagonal[i]!;
      const w = weight[i]!;
      if (w > 0) {
        const residual = value[i]! - vm[i]!;
        values[d + 3] = w;
        rhs[2 * i + 1] = w * residual;
        objective += w * residual * residual;
      }
      if (free[i] === 0) values[d] = 1;
      const wAngle = weight[firstAngle + i]!;
      if (wAngle > 0) {
        const residual = wrapped(value[firstAngle + i]! - va[i]!);
        objective += wAngle * residual * residual;
        if (free[i] === 0) continue;
        values[d] = wAngle;
        rhs[2 * i] = wAngle * residual;
      }
    }
    return objective;
  }

  #assembleBranch(k: number, mask: number, { value, weight }: Channels): number {
    const { from, to, tapRow, pattern, stateTarget, admittance } = this.#layout;
    const values = this.values;
    const rhs = this.rhs;
    const rows = this.#branch.rows;
    this.#branch.at(k, mask);
    const tap = tapRow[k]!;
    let objective = 0;
    // Plain variables: this runs once per branch and step.
    let f0 = 0;
    let f1 = 0;
    let f3 = 0;
    let t0 = 0;
    let t1 = 0;
    let t3 = 0;
    let c0 = 0;
    let c1 = 0;
    let c2 = 0;
    let c3 = 0;
    let rf0 = 0;
    let rf1 = 0;
    let rt0 = 0;
    let rt1 = 0;
    const first = this.#map.first[KIND.pFlow]! + 2 * k;
    const kinds = 2 * this.#map.branchCount;
    for (let r = 0; r < QUANTITIES; r++) {
      if ((mask & (1 << r)) === 0) continue;
      const at = r * WIDTH;
      const channel = r < 3 ? first + r * kinds : first + 1 + (r - 3) * kinds;
      const w = weight[channel]!;
      const residual = value[channel]! - rows[at]!;
      objective += w * residual * residual;
      if (r % 3 === 2) this.#soften(at, w);
      const a = rows[at + 1]!;
      const b = rows[at + 2]!;
      const c = rows[at + 3]!;
      const d = rows[at + 4]!;
      const wa = w * a;
      const wb = w * b;
      const wc = w * c;
      f0 += wa * a;
      f1 += wa * b;
      f3 += wb * b;
      t0 += wc * c;
      t1 += wc * d;
      t3 += w * d * d;
      c0 += wa * c;
      c1 += wa * d;
      c2 += wb * c;
      c3 += wb * d;
      rf0 += wa * residual;
      rf1 += wb * residual;
      rt0 += wc * residual;
      rt1 += w * d * residual;
      if (tap >= 0) this.#assembleTapRow(k, tap, at, w, residual);
    }
    const f = from[k]!;
    const t = to[k]!;
    const df = 4 * pattern.diagonal[f]!;
    values[df] = values[df]! + f0;
    values[df + 1] = values[df + 1]! + f1;
    values[df + 2] = values[df + 2]! + f1;
    values[df + 3] = values[df + 3]! + f3;
    const dt = 4 * pattern.diagonal[t]!;
    values[dt] = values[dt]! + t0;
    values[dt + 1] = values[dt + 1]! + t1;
    values[dt + 2] = values[dt + 2]! + t1;
    values[dt + 3] = values[dt + 3]! + t3;
    if (f === t) {
      values[df] = values[df]! + 2 * c0;
      values[df + 1] = values[df + 1]! + c1 + c2;
      values[df + 2] = values[df + 2]! + c1 + c2;
      values[df + 3] = values[df + 3]! + 2 * c3;
    } else this.#add(stateTarget[admittance.entry[4 * k + 1]!]!, c0, c1, c2, c3);
    rhs[2 * f] = rhs[2 * f]! + rf0;
    rhs[2 * f + 1] = rhs[2 * f + 1]! + rf1;
    rhs[2 * t] = rhs[2 * t]! + rt0;
    rhs[2 * t + 1] = rhs[2 * t + 1]! + rt1;
    return objective;
  }

  /** Below its own standard deviation a current hardly tells in which direction it flows: its pull fades out there. */
  #soften(at: number, w: number): void {
    const rows = this.#branch.rows;
    const share = rows[at]! * Math.sqrt(w);
    if (share < 1) for (let c = 1; c < WIDTH; c++) rows[at + c] = rows[at + c]! * share;
  }

  #assembleTapRow(k: number, tap: number, at: number, w: number, residual: number): void {
    const { pattern, tapTarget } = this.#layout;
    const [values, rhs, rows] = [this.values, this.rhs, this.#branch.rows];
    const a = w * rows[at + 5]!;
    const b = w * rows[at + 6]!;
    const d = 4 * pattern.diagonal[tap]!;
    values[d] = values[d]! + a * rows[at + 5]!;
    values[d + 1] = values[d + 1]! + a * rows[at + 6]!;
    values[d + 2] = values[d + 1]!;
    values[d + 3] = values[d + 3]! + b * rows[at + 6]!;
    for (const end of [0, 1]) {
      const [angle, magnitude] = [rows[at + 1 + 2 * end]!, rows[at + 2 + 2 * end]!];
      this.#add(tapTarget[4 * k + end]!, a * angle, a * magnitude, b * angle, b * magnitude);
    }
    rhs[2 * tap] = rhs[2 * tap]! + a * residual;
    rhs[2 * tap + 1] = rhs[2 * tap + 1]! + b * residual;
  }

  #assembleTaps({ map, value, weight }: Channels): number {
    const { tapRow, taps, pattern } = this.#layout;
    const { ratio, shift } = this.#state;
    const [values, rhs] = [this.values, this.rhs];
    let objective = 0;
    for (let k = 0; k < tapRow.length; k++) {
      const tap = tapRow[k]!;
      if (tap < 0) continue;
      [KIND.ratio, KIND.shift].forEach((kind, side) => {
        const channel = map.first[kind]! + k;
        const w = weight[channel]!;
        const d = 4 * pattern.diagonal[tap]! + 3 * side;
        if ((taps[k]! & (1 << side)) === 0) values[d] = 1;
        else if (w > 0) {
          const residual = value[channel]! - (side === 0 ? ratio : shift)[k]!;
          values[d] = values[d]! + w;
          rhs[2 * tap + side] = rhs[2 * tap + side]! + w * residual;
          objective += w * residual * residual;
        }
      });
    }
    return objective;
  }

  /** The rows of the injections: derivatives as in the Jacobian of the power flow. */
  #assembleInjections({ map, value, weight }: Channels, zero: Uint8Array, objective: number): Pass {
    const { values, rhs } = this;
    const { vm, va, free, yRe, yIm } = this.#state;
    const { injectionRow, admittance, pattern, injectionTarget, hasTaps } = this.#layout;
    let violation = 0;
    let sum = objective;
    for (let i = 0; i < injectionRow.length; i++) {
      const row = injectionRow[i]!;
      if (row < 0) continue;
      const wp = weight[map.first[KIND.pInjection]! + i]!;
      const wq = weight[map.first[KIND.qInjection]! + i]!;
      const pZero = (zero[i]! & ZERO.p) !== 0;
      const qZero = (zero[i]! & ZERO.q) !== 0;
      const usesP = pZero || wp > 0 ? 1 : 0;
      const usesQ = qZero || wq > 0 ? 1 : 0;
      let p = 0;
      let q = 0;
      const own = admittance.diagonal[i]!;
      for (let at = admittance.start[i]!; at < admittance.start[i + 1]!; at++) {
        const j = admittance.column[at]!;
        const angle = va[i]! - va[j]!;
        const cos = Math.cos(angle);
        const sin = Math.sin(angle);
        const real = vm[i]! * (yRe[at]! * cos + yIm[at]! * sin);
        const imaginary = vm[i]! * (yRe[at]! * sin - yIm[at]! * cos);
        p += real * vm[j]!;
        q += imaginary * vm[j]!;
        if (at === own) continue;
        const mask = free[j]! * vm[j]!;
        this.#add(
          injectionTarget[at]!,
          usesP * imaginary * mask,
          usesP * real,
          -usesQ * real * mask,
          usesQ * imaginary,
        );
      }
      const v2 = vm[i]! * vm[i]!;
      this.#add(
        injectionTarget[own]!,
        usesP * (-q - yIm[own]! * v2) * free[i]!,
        (usesP * (p + yRe[own]! * v2)) / vm[i]!,
        usesQ * (p - yRe[own]! * v2) * free[i]!,
        (usesQ * (q - yIm[own]! * v2)) / vm[i]!,
      );
      const d = 4 * pattern.diagonal[row]!;
      const zp = wp > 0 ? value[map.first[KIND.pInjection]! + i]! - p : -p;
      const zq = wq > 0 ? value[map.first[KIND.qInjection]! + i]! - q : -q;
      sum += wp * zp * zp + wq * zq * zq;
      if (pZero && !(Math.abs(p) <= violation)) violation = Math.abs(p);
      if (qZero && !(Math.abs(q) <= violation)) violation = Math.abs(q);
      // A constraint has no variance, a measurement its own, and where there is neither the row says nothing.
      values[d] = pZero ? 0 : wp > 0 ? -1 / wp : -1;
      values[d + 3] = qZero ? 0 : wq > 0 ? -1 / wq : -1;
      rhs[2 * row] = pZero ? -p : wp > 0 ? zp : 0;
      rhs[2 * row + 1] = qZero ? -q : wq > 0 ? zq : 0;
    }
    if (hasTaps) this.#assembleInjectionTaps(map, weight, zero);
    return { objective: sum, violation };
  }

  #assembleInjectionTaps(map: ChannelMap, weight: Float64Array, zero: Uint8Array): void {
    const { from, to, tapRow, injectionRow, tapTarget } = this.#layout;
    const rows = this.#branch.rows;
    for (let k = 0; k < from.length; k++) {
      if (tapRow[k]! < 0) continue;
      this.#branch.at(k, ALL);
      [from[k]!, to[k]!].forEach((bus, end) => {
        if (injectionRow[bus]! < 0) return;
        const usesP = (zero[bus]! & ZERO.p) !== 0 || weight[map.first[KIND.pInjection]! + bus]! > 0 ? 1 : 0;
        const usesQ = (zero[bus]! & ZERO.q) !== 0 || weight[map.first[KIND.qInjection]! + bus]! > 0 ? 1 : 0;
        const p = 3 * WIDTH * end;
        const q = p + WIDTH;
        this.#add(
          tapTarget[4 * k + 2 + end]!,
          usesP * rows[p + 5]!,
          usesP * rows[p + 6]!,
          usesQ * rows[q + 5]!,
          usesQ * rows[q + 6]!,
        );
      });
    }
  }

  #add(target: number, a: number, b: number, c: number, d: number): void {
    const values = this.values;
    const v = 4 * (target >= 0 ? target : ~target);
    values[v] = values[v]! + a;
    values[v + 3] = values[v + 3]! + d;
    if (target >= 0) {
      values[v + 1] = values[v + 1]! + b;
      values[v + 2] = values[v + 2]! + c;
    } else {
      values[v + 1] = values[v + 1]! + c;
      values[v + 2] = values[v + 2]! + b;
    }
  }
}

/** An angle difference between -π and π. */
export const wrapped = (angle: number): number => angle - 2 * Math.PI * Math.round(angle / (2 * Math.PI));
