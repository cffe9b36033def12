/**
 * The measurement equations in polar coordinates: what each channel would read at a state, how that changes with the
 * state, and the matrix and right-hand side of a Gauss–Newton step made of it.
 */
import { type BranchTable, branchAdmittances, type PowerFlowCase } from '../powerflow/case.ts';
import type { InverseSubset } from './block-ldl.ts';
import type { Layout } from './layout.ts';
import { type ChannelMap, type Channels, KIND } from './measurement.ts';

/** Bits of the powers that are known to be zero at a bus. */
export const ZERO = { p: 1, q: 2 } as const;
/** Bits of what is a state at a branch. */
export const TAP = { ratio: 1, shift: 2 } as const;

/** Quantities of a branch in the order of `BranchRows`: P, Q, |I| at the from end, then at the to end. */
const QUANTITIES = 6;
/** A value and its derivatives by θ and |V| of the from bus, of the to bus, by ratio and by shift. */
const WIDTH = 7;
const ALL = (1 << QUANTITIES) - 1;
/** A current below this has no direction that it could grow in. */
const NO_CURRENT = 1e-9;

/** What one pass over the equations found. */
export interface Pass {
  /** Σ (z - h)²/σ² over the channels. */
  readonly objective: number;
  /** Largest violation of a zero injection, pu. */
  readonly violation: number;
}

export class Equations {
  readonly layout: Layout;
  readonly map: ChannelMap;
  /** The state, by bus and branch. */
  readonly vm: Float64Array;
  readonly va: Float64Array;
  readonly ratio: Float64Array;
  readonly shift: Float64Array;
  /** 0 at buses whose angle is the reference, otherwise 1: such an angle is no state. */
  readonly free: Float64Array;
  readonly values: Float64Array;
  readonly rhs: Float64Array;
  #case: PowerFlowCase | undefined;
  #branches: BranchTable | undefined;
  readonly #y: Float64Array;
  readonly #yRe: Float64Array;
  readonly #yIm: Float64Array;
  readonly #rows = new Float64Array(QUANTITIES * WIDTH);
  readonly #eight = new Float64Array(8);

  constructor(layout: Layout, map: ChannelMap) {
    this.layout = layout;
    this.map = map;
    const { busCount, from } = layout;
    this.vm = new Float64Array(busCount);
    this.va = new Float64Array(busCount);
    this.free = new Float64Array(busCount);
    this.ratio = new Float64Array(from.length);
    this.shift = new Float64Array(from.length);
    this.#y = new Float64Array(8 * from.length);
    const entries = layout.admittance.column.length;
    this.#yRe = new Float64Array(entries);
    this.#yIm = new Float64Array(entries);
    this.values = new Float64Array(4 * layout.pattern.column.length);
    this.rhs = new Float64Array(2 * layout.size);
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
    const { admittance, from, injectionRow } = this.layout;
    const [yRe, yIm, y, one] = [this.#yRe, this.#yIm, this.#y, this.#eight];
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

  /** Which of the six quantities of each branch carry a weight, as a bit mask. */
  measuredOf(weight: Float64Array): Uint8Array {
    const { from } = this.layout;
    const mask = new Uint8Array(from.length);
    for (let k = 0; k < from.length; k++) {
      for (let r = 0; r < QUANTITIES; r++) if (weight[this.#channel(k, r)]! > 0) mask[k] = mask[k]! | (1 << r);
    }
    return mask;
  }

  #channel(branch: number, quantity: number): number {
    const end = quantity >= 3 ? 1 : 0;
    return this.map.first[KIND.pFlow + quantity - 3 * end]! + 2 * branch + end;
  }

  /** Values and derivatives of a branch's quantities into `#rows`. */
  #branch(k: number, mask: number): void {
    const { from, to, tapRow } = this.layout;
    const y = this.#y;
    const rows = this.#rows;
    const f = from[k]!;
    const t = to[k]!;
    const angle = this.va[f]! - this.va[t]!;
    const cos = Math.cos(angle);
    const sin = Math.sin(angle);
    const tapped = tapRow[k]! >= 0;
    const o = 8 * k;
    if ((mask & 7) !== 0) {
      this.#end(
        0,
        y[o]!,
        y[o + 1]!,
        y[o + 2]!,
        y[o + 3]!,
        this.vm[f]!,
        this.vm[t]!,
        cos,
        sin,
        this.free[f]!,
        this.free[t]!,
      );
      if (tapped) this.#tapOfFrom(k, f, t, cos, sin);
    }
    if ((mask & 56) !== 0) {
      const r = 3 * WIDTH;
      this.#end(
        r,
        y[o + 6]!,
        y[o + 7]!,
        y[o + 4]!,
        y[o + 5]!,
        this.vm[t]!,
        this.vm[f]!,
        cos,
        -sin,
        this.free[t]!,
        this.free[f]!,
      );
      // Written with the to bus as the near one: the derivatives change places.
      for (let q = r; q < r + 3 * WIDTH; q += WIDTH) {
        const angleNear = rows[q + 1]!;
        const near = rows[q + 2]!;
        rows[q + 1] = rows[q + 3]!;
        rows[q + 2] = rows[q + 4]!;
        rows[q + 3] = angleNear;
        rows[q + 4] = near;
      }
      if (tapped) this.#tapOfTo(k, f, t, cos, sin);
    }
  }

  /** P, Q and |I| of one end, with the near bus at angle 0 and the far one behind it by the angle of cos and sin. */
  #end(
    at: number,
    gNear: number,
    bNear: number,
    gFar: number,
    bFar: number,
    near: number,
    far: number,
    cos: number,
    sin: number,
    freeNear: number,
    freeFar: number,
  ): void {
    const rows = this.#rows;
    const gc = gFar * cos + bFar * sin;
    const bc = bFar * cos - gFar * sin;
    const re = gNear * near + gc * far;
    const im = bNear * near + bc * far;
    // Derivatives of the current by the near angle; those by the far one are their negatives.
    const reAngle = far * bc;
    const imAngle = -far * gc;
    const pAngle = near * reAngle;
    const qAngle = -near * imAngle;
    rows[at] = near * re;
    rows[at + 1] = pAngle * freeNear;
    rows[at + 2] = re + near * gNear;
    rows[at + 3] = -pAngle * freeFar;
    rows[at + 4] = near * gc;
    const q = at + WIDTH;
    rows[q] = -near * im;
    rows[q + 1] = qAngle * freeNear;
    rows[q + 2] = -im - near * bNear;
    rows[q + 3] = -qAngle * freeFar;
    rows[q + 4] = -near * bc;
    const i = q + WIDTH;
    const magnitude = Math.sqrt(re * re + im * im);
    rows[i] = magnitude;
    const scale = magnitude > NO_CURRENT ? 1 / magnitude : 0;
    const iAngle = (re * reAngle + im * imAngle) * scale;
    rows[i + 1] = iAngle * freeNear;
    rows[i + 2] = (re * gNear + im * bNear) * scale;
    rows[i + 3] = -iAngle * freeFar;
    rows[i + 4] = (re * gc + im * bc) * scale;
  }

  /** I = y/a²·V_f - y·e^(jφ)/a·V_t·e^(-jθ) and shunts: derivatives by a and φ. */
  #tapOfFrom(k: number, f: number, t: number, cos: number, sin: number): void {
    const { gFrom, bFrom } = this.#branches!;
    const [y, o, a] = [this.#y, 8 * k, this.ratio[k]!];
    const [near, far] = [this.vm[f]!, this.vm[t]!];
    const farRe = (y[o + 2]! * cos + y[o + 3]! * sin) * far;
    const farIm = (y[o + 3]! * cos - y[o + 2]! * sin) * far;
    const re = (-2 * (y[o]! - gFrom[k]!) * near - farRe) / a;
    const im = (-2 * (y[o + 1]! - bFrom[k]!) * near - farIm) / a;
    this.#tapRows(k, 0, near, re, im, -farIm, farRe);
  }

  /** I = y·V_t - y·e^(-jφ)/a·V_f·e^(jθ) and shunts. */
  #tapOfTo(k: number, f: number, t: number, cos: number, sin: number): void {
    const [y, o, a] = [this.#y, 8 * k, this.ratio[k]!];
    const farRe = (y[o + 4]! * cos - y[o + 5]! * sin) * this.vm[f]!;
    const farIm = (y[o + 5]! * cos + y[o + 4]! * sin) * this.vm[f]!;
    this.#tapRows(k, 3 * WIDTH, this.vm[t]!, -farRe / a, -farIm / a, farIm, -farRe);
  }

  /** From the derivatives of the current by ratio (re, im) and shift (reShift, imShift) to those of P, Q and |I|. */
  #tapRows(branch: number, at: number, near: number, re: number, im: number, reShift: number, imShift: number): void {
    const rows = this.#rows;
    const [p, q, i] = [at, at + WIDTH, at + 2 * WIDTH];
    const states = this.layout.taps[branch]!;
    const usesRatio = (states & TAP.ratio) !== 0 ? 1 : 0;
    const usesShift = (states & TAP.shift) !== 0 ? 1 : 0;
    rows[p + 5] = usesRatio * near * re;
    rows[p + 6] = usesShift * near * reShift;
    rows[q + 5] = -usesRatio * near * im;
    rows[q + 6] = -usesShift * near * imShift;
    const magnitude = rows[i]!;
    const currentRe = rows[p]! / near;
    const currentIm = -rows[q]! / near;
    const scale = magnitude > NO_CURRENT ? 1 / magnitude : 0;
    rows[i + 5] = usesRatio * (currentRe * re + currentIm * im) * scale;
    rows[i + 6] = usesShift * (currentRe * reShift + currentIm * imShift) * scale;
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
    if (this.layout.hasTaps) objective += this.#assembleTaps(channels);
    return this.#assembleInjections(channels, zero, objective);
  }

  #assembleBuses({ map, value, weight }: Channels): number {
    const [values, rhs] = [this.values, this.rhs];
    const { diagonal } = this.layout.pattern;
    let objective = 0;
    const firstAngle = map.first[KIND.angle]!;
    for (let i = 0; i < this.vm.length; i++) {
      const d = 4 * diagonal[i]!;
      const w = weight[i]!;
      if (w > 0) {
        const residual = value[i]! - this.vm[i]!;
        values[d + 3] = w;
        rhs[2 * i + 1] = w * residual;
        objective += w * residual * residual;
      }
      if (this.free[i] === 0) values[d] = 1;
      const wAngle = weight[firstAngle + i]!;
      if (wAngle > 0) {
        const residual = wrapped(value[firstAngle + i]! - this.va[i]!);
        objective += wAngle * residual * residual;
        if (this.free[i] === 0) continue;
        values[d] = wAngle;
        rhs[2 * i] = wAngle * residual;
      }
    }
    return objective;
  }

  #assembleBranch(k: number, mask: number, { value, weight }: Channels): number {
    const { from, to, tapRow, pattern, stateTarget, admittance } = this.layout;
    const values = this.values;
    const rhs = this.rhs;
    const rows = this.#rows;
    this.#branch(k, mask);
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
    const first = this.map.first[KIND.pFlow]! + 2 * k;
    const kinds = 2 * this.map.branchCount;
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
    const rows = this.#rows;
    const share = rows[at]! * Math.sqrt(w);
    if (share < 1) for (let c = 1; c < WIDTH; c++) rows[at + c] = rows[at + c]! * share;
  }

  #assembleTapRow(k: number, tap: number, at: number, w: number, residual: number): void {
    const { pattern, tapTarget } = this.layout;
    const [values, rhs, rows] = [this.values, this.rhs, this.#rows];
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
    const { tapRow, taps, pattern } = this.layout;
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
          const residual = value[channel]! - (side === 0 ? this.ratio : this.shift)[k]!;
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
    const { layout, vm, va, free, values, rhs } = this;
    const { injectionRow, admittance, pattern, injectionTarget } = layout;
    const yRe = this.#yRe;
    const yIm = this.#yIm;
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
    if (layout.hasTaps) this.#assembleInjectionTaps(map, weight, zero);
    return { objective: sum, violation };
  }

  #assembleInjectionTaps(map: ChannelMap, weight: Float64Array, zero: Uint8Array): void {
    const { from, to, tapRow, injectionRow, tapTarget } = this.layout;
    const rows = this.#rows;
    for (let k = 0; k < from.length; k++) {
      if (tapRow[k]! < 0) continue;
      this.#branch(k, ALL);
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

  /** What every channel would read at the present state, whether measured or not. */
  predict(): Float64Array {
    const { layout, map, vm, va } = this;
    const { from, admittance } = layout;
    const out = new Float64Array(map.size);
    out.set(vm, map.first[KIND.voltage]!);
    out.set(va, map.first[KIND.angle]!);
    out.set(this.ratio, map.first[KIND.ratio]!);
    out.set(this.shift, map.first[KIND.shift]!);
    for (let k = 0; k < from.length; k++) {
      this.#branch(k, ALL);
      for (let r = 0; r < QUANTITIES; r++) out[this.#channel(k, r)] = this.#rows[r * WIDTH]!;
    }
    const [yRe, yIm] = [this.#yRe, this.#yIm];
    for (let i = 0; i < vm.length; i++) {
      let p = 0;
      let q = 0;
      for (let at = admittance.start[i]!; at < admittance.start[i + 1]!; at++) {
        const j = admittance.column[at]!;
        const angle = va[i]! - va[j]!;
        const cos = Math.cos(angle);
        const sin = Math.sin(angle);
        p += vm[j]! * (yRe[at]! * cos + yIm[at]! * sin);
        q += vm[j]! * (yRe[at]! * sin - yIm[at]! * cos);
      }
      out[map.first[KIND.pInjection]! + i] = p * vm[i]!;
      out[map.first[KIND.qInjection]! + i] = q * vm[i]!;
    }
    return out;
  }

  /**
   * Variance of what every channel reads according to the estimate: h·Σ·hᵀ. NaN for injections without a row of their own.
   * @param weight those that the factor was made with
   */
  variances(subset: InverseSubset, { map, weight }: Channels, zero: Uint8Array): Float64Array {
    const { layout, free } = this;
    const { from, to, tapRow, injectionRow } = layout;
    const out = new Float64Array(map.size);
    for (let i = 0; i < this.vm.length; i++) {
      out[map.first[KIND.voltage]! + i] = subset.variance(i, 1);
      out[map.first[KIND.angle]! + i] = free[i] === 0 ? 0 : subset.variance(i, 0);
      const row = injectionRow[i]!;
      [KIND.pInjection, KIND.qInjection].forEach((kind, side) => {
        const channel = map.first[kind]! + i;
        const w = weight[channel]!;
        if (row >= 0 && (zero[i]! & (1 << side)) !== 0) out[channel] = 0;
        else if (row < 0 || w === 0) out[channel] = Number.NaN;
        // The multiplier's own entry of the inverse is -1/(R + h·Σ'·hᵀ), with Σ' as it were without this measurement.
        else out[channel] = Math.max(0, 1 / w + subset.variance(row, side as 0 | 1) / (w * w));
      });
    }
    const [ff, ft, tt] = [new Float64Array(4), new Float64Array(4), new Float64Array(4)];
    const [kf, kt, kk] = [new Float64Array(4), new Float64Array(4), new Float64Array(4)];
    const rows = this.#rows;
    for (let k = 0; k < from.length; k++) {
      const [f, t, tap] = [from[k]!, to[k]!, tapRow[k]!];
      this.#branch(k, ALL);
      subset.block(f, f, ff);
      subset.block(t, t, tt);
      subset.block(f, t, ft);
      if (tap >= 0) {
        subset.block(tap, f, kf);
        subset.block(tap, t, kt);
        subset.block(tap, tap, kk);
        out[map.first[KIND.ratio]! + k] = kk[0]!;
        out[map.first[KIND.shift]! + k] = kk[3]!;
      }
      for (let r = 0; r < QUANTITIES; r++) {
        const at = r * WIDTH;
        const [a, b, c, d] = [rows[at + 1]!, rows[at + 2]!, rows[at + 3]!, rows[at + 4]!];
        let variance = quadratic(ff, a, b) + quadratic(tt, c, d) + 2 * bilinear(ft, a, b, c, d);
        if (tap >= 0) {
          const [e, g] = [rows[at + 5]!, rows[at + 6]!];
          variance += quadratic(kk, e, g) + 2 * (bilinear(kf, e, g, a, b) + bilinear(kt, e, g, c, d));
        }
        out[this.#channel(k, r)] = Math.max(0, variance);
      }
    }
    return out;
  }

  /** Change of every channel per step along a direction: two numbers per row of the matrix, those of injections unused. */
  along(direction: Float64Array): Float64Array {
    const { layout, map, vm, free } = this;
    const { from, to, tapRow, admittance } = layout;
    const out = new Float64Array(map.size);
    const rows = this.#rows;
    for (let i = 0; i < vm.length; i++) {
      out[map.first[KIND.voltage]! + i] = direction[2 * i + 1]!;
      out[map.first[KIND.angle]! + i] = direction[2 * i]! * free[i]!;
    }
    for (let k = 0; k < from.length; k++) {
      const [f, t, tap] = [2 * from[k]!, 2 * to[k]!, 2 * tapRow[k]!];
      this.#branch(k, ALL);
      if (tap >= 0) {
        out[map.first[KIND.ratio]! + k] = direction[tap]!;
        out[map.first[KIND.shift]! + k] = direction[tap + 1]!;
      }
      for (let r = 0; r < QUANTITIES; r++) {
        const at = r * WIDTH;
        let change = rows[at + 1]! * direction[f]! + rows[at + 2]! * direction[f + 1]!;
        change += rows[at + 3]! * direction[t]! + rows[at + 4]! * direction[t + 1]!;
        if (tap >= 0) change += rows[at + 5]! * direction[tap]! + rows[at + 6]! * direction[tap + 1]!;
        out[this.#channel(k, r)] = change;
      }
      // What flows into the branches, and below into the shunt, is what is injected.
      const end = 3 * WIDTH;
      for (const [bus, at] of [
        [from[k]!, 0],
        [to[k]!, end],
      ] as const) {
        for (const [kind, row] of [
          [KIND.pInjection, at],
          [KIND.qInjection, at + WIDTH],
        ] as const) {
          let change = rows[row + 1]! * direction[f]! + rows[row + 2]! * direction[f + 1]!;
          change += rows[row + 3]! * direction[t]! + rows[row + 4]! * direction[t + 1]!;
          if (tap >= 0) change += rows[row + 5]! * direction[tap]! + rows[row + 6]! * direction[tap + 1]!;
          const channel = map.first[kind]! + bus;
          out[channel] = out[channel]! + change;
        }
      }
    }
    const { gs, bs } = this.#case!.buses;
    for (let i = 0; i < admittance.size; i++) {
      const [p, q] = [map.first[KIND.pInjection]! + i, map.first[KIND.qInjection]! + i];
      out[p] = out[p]! + 2 * vm[i]! * gs[i]! * direction[2 * i + 1]!;
      out[q] = out[q]! - 2 * vm[i]! * bs[i]! * direction[2 * i + 1]!;
    }
    return out;
  }

  /**
   * The largest derivative of every channel by a voltage at the present state; of currents that of the active power, since
   * a current that does not flow has none of its own.
   */
  scales(): Float64Array {
    const { map, layout } = this;
    const { from, admittance } = layout;
    const out = new Float64Array(map.size).fill(1);
    const rows = this.#rows;
    for (let k = 0; k < from.length; k++) {
      this.#branch(k, ALL);
      for (let r = 0; r < QUANTITIES; r++) {
        const at = (r % 3 === 2 ? r - 2 : r) * WIDTH;
        let most = 0;
        for (let c = 1; c <= 4; c++) most = Math.max(most, Math.abs(rows[at + c]!));
        out[this.#channel(k, r)] = most;
      }
    }
    for (let i = 0; i < admittance.size; i++) {
      let most = 0;
      for (let at = admittance.start[i]!; at < admittance.start[i + 1]!; at++) {
        most = Math.max(most, Math.abs(this.#yRe[at]!), Math.abs(this.#yIm[at]!));
      }
      out[map.first[KIND.pInjection]! + i] = most;
      out[map.first[KIND.qInjection]! + i] = most;
    }
    return out;
  }

  /** The derivative row of a channel as a right-hand side: Hᵀ·e, or the unit vector of the injection's row. */
  rowOf(channel: number, out: Float64Array): void {
    const { layout, map, free } = this;
    const { kind, at, end } = map.describe(channel);
    out.fill(0);
    switch (kind) {
      case 'voltage':
        out[2 * at + 1] = 1;
        return;
      case 'angle':
        out[2 * at] = free[at]!;
        return;
      case 'pInjection':
      case 'qInjection':
        out[2 * layout.injectionRow[at]! + (kind === 'pInjection' ? 0 : 1)] = 1;
        return;
      case 'ratio':
      case 'shift':
        out[2 * layout.tapRow[at]! + (kind === 'ratio' ? 0 : 1)] = 1;
        return;
      case 'pFlow':
      case 'qFlow':
      case 'current': {
        this.#branch(at, ALL);
        const r = (KIND[kind] - KIND.pFlow + 3 * end) * WIDTH;
        const [f, t, tap] = [2 * layout.from[at]!, 2 * layout.to[at]!, 2 * layout.tapRow[at]!];
        out[f] = out[f]! + this.#rows[r + 1]!;
        out[f + 1] = out[f + 1]! + this.#rows[r + 2]!;
        out[t] = out[t]! + this.#rows[r + 3]!;
        out[t + 1] = out[t + 1]! + this.#rows[r + 4]!;
        if (tap >= 0) {
          out[tap] = this.#rows[r + 5]!;
          out[tap + 1] = this.#rows[r + 6]!;
        }
        return;
      }
      default:
        kind satisfies never;
    }
  }
}

/** An angle difference between -π and π. */
export const wrapped = (angle: number): number => angle - 2 * Math.PI * Math.round(angle / (2 * Math.PI));

const quadratic = (m: Float64Array, a: number, b: number): number => m[0]! * a * a + 2 * m[1]! * a * b + m[3]! * b * b;

/** (a, b)·M·(c, d)ᵀ */
const bilinear = (m: Float64Array, a: number, b: number, c: number, d: number): number =>
  a * (m[0]! * c + m[1]! * d) + b * (m[2]! * c + m[3]! * d);
