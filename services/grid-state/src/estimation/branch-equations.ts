/** What flows into the ends of a branch at a state, and how that changes with the state. */
import type { EstimatedState } from './estimated-state.ts';
import type { Layout } from './layout.ts';
import { type ChannelMap, KIND } from './measurement.ts';

/** Bits of what is a state at a branch. */
export const TAP = { ratio: 1, shift: 2 } as const;

/** Quantities of a branch: P, Q, |I| at the from end, then at the to end. */
export const QUANTITIES = 6;
/** A value and its derivatives by θ and |V| of the from bus, of the to bus, by ratio and by shift. */
export const WIDTH = 7;
/** The mask of all quantities. */
export const ALL = (1 << QUANTITIES) - 1;
/** A current below this has no direction that it could grow in. */
const NO_CURRENT = 1e-9;

/** The channel of a quantity of a branch. */
export function branchChannel(map: ChannelMap, branch: number, quantity: number): number {
  const end = quantity >= 3 ? 1 : 0;
  return map.first[KIND.pFlow + quantity - 3 * end]! + 2 * branch + end;
}

export class BranchEquations {
  /** Of the branch asked for last: `WIDTH` numbers for each of its quantities. */
  readonly rows = new Float64Array(QUANTITIES * WIDTH);
  readonly #layout: Layout;
  readonly #state: EstimatedState;

  constructor(layout: Layout, state: EstimatedState) {
    this.#layout = layout;
    this.#state = state;
  }

  /** Values and derivatives of the quantities in `mask` of branch `k` into `rows`. */
  at(k: number, mask: number): void {
    const { from, to, tapRow } = this.#layout;
    const { y, vm, va, free } = this.#state;
    const rows = this.rows;
    const f = from[k]!;
    const t = to[k]!;
    const angle = va[f]! - va[t]!;
    const cos = Math.cos(angle);
    const sin = Math.sin(angle);
    const tapped = tapRow[k]! >= 0;
    const o = 8 * k;
    if ((mask & 7) !== 0) {
      this.#end(0, y[o]!, y[o + 1]!, y[o + 2]!, y[o + 3]!, vm[f]!, vm[t]!, cos, sin, free[f]!, free[t]!);
      if (tapped) this.#tapOfFrom(k, f, t, cos, sin);
    }
    if ((mask & 56) !== 0) {
      const r = 3 * WIDTH;
      this.#end(r, y[o + 6]!, y[o + 7]!, y[o + 4]!, y[o + 5]!, vm[t]!, vm[f]!, cos, -sin, free[t]!, free[f]!);
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
    const rows = this.rows;
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
    const { y, vm, ratio } = this.#state;
    const { gFrom, bFrom } = this.#state.case.branches;
    const [o, a] = [8 * k, ratio[k]!];
    const [near, far] = [vm[f]!, vm[t]!];
    const farRe = (y[o + 2]! * cos + y[o + 3]! * sin) * far;
    const farIm = (y[o + 3]! * cos - y[o + 2]! * sin) * far;
    const re = (-2 * (y[o]! - gFrom[k]!) * near - farRe) / a;
    const im = (-2 * (y[o + 1]! - bFrom[k]!) * near - farIm) / a;
    this.#tapRows(k, 0, near, re, im, -farIm, farRe);
  }

  /** I = y·V_t - y·e^(-jφ)/a·V_f·e^(jθ) and shunts. */
  #tapOfTo(k: number, f: number, t: number, cos: number, sin: number): void {
    const { y, vm, ratio } = this.#state;
    const [o, a] = [8 * k, ratio[k]!];
    const farRe = (y[o + 4]! * cos - y[o + 5]! * sin) * vm[f]!;
    const farIm = (y[o + 5]! * cos + y[o + 4]! * sin) * vm[f]!;
    this.#tapRows(k, 3 * WIDTH, vm[t]!, -farRe / a, -farIm / a, farIm, -farRe);
  }

  /** From the derivatives of the current by ratio (re, im) and shift (reShift, imShift) to those of P, Q and |I|. */
  #tapRows(branch: number, at: number, near: number, re: number, im: number, reShift: number, imShift: number): void {
    const rows = this.rows;
    const [p, q, i] = [at, at + WIDTH, at + 2 * WIDTH];
    const states = this.#layout.taps[branch]!;
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
}
