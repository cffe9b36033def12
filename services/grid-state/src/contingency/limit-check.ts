/** Compares a state of the grid with its limits: exactly, or with a margin for a state that is only estimated. */
import type { Linearisation } from '../sensitivity/linearisation.ts';
import type { OperatingLimits } from './outage.ts';
import type { Estimate } from './screening.ts';

export interface Violation {
  readonly kind: 'overload' | 'voltageHigh' | 'voltageLow';
  /** Branch, or bus. */
  readonly index: number;
  /** Current or apparent power, or voltage; per unit. */
  readonly value: number;
  /** Likewise. */
  readonly limit: number;
  /** Before the outage. */
  readonly before: number;
}

/** What is beyond its limit already must get worse by this much to be counted: share of the limit, and per unit. */
const WORSE_LOADING = 0.01;
const WORSE_VOLTAGE = 0.002;
/** Share of its change by which a quantity may be wrong in any estimate. */
const DOUBT = 0.1;

export class LimitCheck {
  readonly #grid: Linearisation;
  readonly #limits: OperatingLimits;
  /** 1/limit², 0 without a limit. */
  readonly #from: Float64Array;
  readonly #to: Float64Array;
  /** Share of the limit at the end that carries more. */
  readonly #loading: Float64Array;
  /** From where on it counts. */
  readonly #most: Float64Array;
  readonly #vMin: Float64Array;
  readonly #vMax: Float64Array;
  /** Rows that have a limit. */
  readonly #watched: Int32Array;
  /** Per branch: the highest loading that an estimate or a solution has had, squared, and after which outage. */
  readonly worst: Float64Array;
  readonly worstOutage: Int32Array;

  constructor(grid: Linearisation, limits: OperatingLimits) {
    this.#grid = grid;
    this.#limits = limits;
    const inverse = (limit: number): number => (limit > 0 && Number.isFinite(limit) ? 1 / (limit * limit) : 0);
    this.#from = limits.from.map(inverse);
    this.#to = limits.to.map(inverse);
    const count = limits.from.length;
    const { outOfService } = grid.case;
    this.#watched = Int32Array.from({ length: count }, (_, k) => k).filter(
      (k) => outOfService?.[k] !== 1 && this.#from[k]! + this.#to[k]! > 0,
    );
    this.#loading = Float64Array.from({ length: count }, (_, k) => Math.sqrt(this.#squared(k, grid.e, grid.f)));
    this.#most = this.#loading.map((loading) => (loading > 1 ? loading + WORSE_LOADING : 1));
    this.#vMax = limits.vMax.map((limit, i) => (grid.vm[i]! > limit ? grid.vm[i]! + WORSE_VOLTAGE : limit));
    this.#vMin = limits.vMin.map((limit, i) => (grid.vm[i]! < limit ? grid.vm[i]! - WORSE_VOLTAGE : limit));
    this.worst = new Float64Array(count);
    this.worstOutage = new Int32Array(count).fill(-1);
  }

  /** Loading of a branch before any outage, as share of its limit; 0 without one. */
  get loading(): Float64Array {
    return this.#loading;
  }

  /** The higher of the two ends' loadings, squared. */
  #squared(k: number, e: Float64Array, f: Float64Array): number {
    const { branch: y, case: input } = this.#grid;
    const [b, t] = [input.branches.from[k]!, input.branches.to[k]!];
    const [eb, fb, et, ft] = [e[b]!, f[b]!, e[t]!, f[t]!];
    const at = 8 * k;
    const fromRe = y[at]! * eb - y[at + 1]! * fb + y[at + 2]! * et - y[at + 3]! * ft;
    const fromIm = y[at]! * fb + y[at + 1]! * eb + y[at + 2]! * ft + y[at + 3]! * et;
    const toRe = y[at + 4]! * eb - y[at + 5]! * fb + y[at + 6]! * et - y[at + 7]! * ft;
    const toIm = y[at + 4]! * fb + y[at + 5]! * eb + y[at + 6]! * ft + y[at + 7]! * et;
    let from = (fromRe * fromRe + fromIm * fromIm) * this.#from[k]!;
    let to = (toRe * toRe + toIm * toIm) * this.#to[k]!;
    if (this.#limits.ofCurrent[k] === 0) {
      from *= eb * eb + fb * fb;
      to *= et * et + ft * ft;
    }
    return from > to ? from : to;
  }

  /**
   * Whether a limit may be broken in a state that is known but roughly.
   * @param out 1 per branch that is lost; @param dead 1 per bus without voltage
   */
  suspicious({ e, f, vm, vmEarlier, remaining, contraction }: Estimate, out: Uint8Array, dead: Uint8Array): boolean {
    const { from, to } = this.#grid.case.branches;
    const before = this.#loading;
    // The slower the steps converge, the less the last one says.
    const doubt = DOUBT + 2 * remaining + contraction / 2;
    for (const k of this.#watched) {
      if (out[k] === 1 || dead[from[k]!] === 1 || dead[to[k]!] === 1) continue;
      const squared = this.#squared(k, e, f);
      const most = this.#most[k]!;
      // Written so that NaN is suspicious.
      if (squared < 0.25 * most * most) continue;
      const loading = Math.sqrt(squared);
      if (!(loading + doubt * Math.abs(loading - before[k]!) < most)) return true;
    }
    // What the steps not taken would add if they went on as the last one, twice.
    const toCome = (2 * contraction) / (1 - contraction);
    for (let i = 0; i < vm.length; i++) {
      if (dead[i] === 1) continue;
      const margin = DOUBT * Math.abs(vm[i]! - this.#grid.vm[i]!) + toCome * Math.abs(vm[i]! - vmEarlier[i]!);
      if (!(vm[i]! - margin >= this.#vMin[i]! && vm[i]! + margin <= this.#vMax[i]!)) return true;
    }
    return false;
  }

  /** Remembers the loadings of a state in `worst`. */
  note(outage: number, e: Float64Array, f: Float64Array, out: Uint8Array, dead: Uint8Array): void {
    const { from, to } = this.#grid.case.branches;
    for (const k of this.#watched) {
      if (out[k] === 1 || dead[from[k]!] === 1 || dead[to[k]!] === 1) continue;
      const squared = this.#squared(k, e, f);
      if (squared > this.worst[k]!) {
        this.worst[k] = squared;
        this.worstOutage[k] = outage;
      }
    }
  }

  /** Every limit that is broken, or broken by more than before. */
  violations(e: Float64Array, f: Float64Array, vm: Float64Array, out: Uint8Array, dead: Uint8Array): Violation[] {
    const found: Violation[] = [];
    const { case: input, vm: earlier, e: e0, f: f0 } = this.#grid;
    for (const k of this.#watched) {
      const [b, t] = [input.branches.from[k]!, input.branches.to[k]!];
      if (out[k] === 1 || dead[b] === 1 || dead[t] === 1) continue;
      const most = this.#most[k]!;
      if (!(this.#squared(k, e, f) > most * most)) continue;
      found.push({ kind: 'overload', index: k, ...this.#carried(k, e, f, e0, f0) });
    }
    const { vMin, vMax } = this.#limits;
    for (let i = 0; i < vm.length; i++) {
      if (dead[i] === 1) continue;
      const value = vm[i]!;
      const before = earlier[i]!;
      if (value > this.#vMax[i]!) found.push({ kind: 'voltageHigh', index: i, value, limit: vMax[i]!, before });
      else if (value < this.#vMin[i]!) found.push({ kind: 'voltageLow', index: i, value, limit: vMin[i]!, before });
    }
    return found;
  }

  /** What a branch carries at the end that is loaded more, its limit there, and what it carried there before. */
  #carried(k: number, e: Float64Array, f: Float64Array, e0: Float64Array, f0: Float64Array) {
    const { branch: y, case: input } = this.#grid;
    const [b, t] = [input.branches.from[k]!, input.branches.to[k]!];
    const at = 8 * k;
    const ends = [0, 1].map((end) => {
      const o = at + 4 * end;
      const own = end === 0 ? b : t;
      const limit = (end === 0 ? this.#limits.from : this.#limits.to)[k]!;
      const carries = (ev: Float64Array, fv: Float64Array): number => {
        const re = y[o]! * ev[b]! - y[o + 1]! * fv[b]! + y[o + 2]! * ev[t]! - y[o + 3]! * fv[t]!;
        const im = y[o]! * fv[b]! + y[o + 1]! * ev[b]! + y[o + 2]! * fv[t]! + y[o + 3]! * ev[t]!;
        return Math.hypot(re, im) * (this.#limits.ofCurrent[k] === 1 ? 1 : Math.hypot(ev[own]!, fv[own]!));
      };
      return { value: carries(e, f), limit, before: carries(e0, f0) };
    });
    const share = ({ value, limit }: { value: number; limit: number }): number =>
      limit > 0 && Number.isFinite(limit) ? value / limit : -1;
    return share(ends[0]!) >= share(ends[1]!) ? ends[0]! : ends[1]!;
  }
}
