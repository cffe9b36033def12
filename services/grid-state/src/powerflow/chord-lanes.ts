/**
 * Power flows that lie close to one that is solved, several side by side: Newton's method with the Jacobian of that one
 * (the chord or "dishonest" Newton method). Its factors are made once, and read once for all that lie side by side.
 *
 * Each scenario has a lane: place · LANES + lane in every column, places in the order of elimination. Lanes do not see each
 * other, so that a result does not depend on what lies beside it. A solution has the same mismatch at most as one of
 * NewtonSolver and one more step on top; what does not get there, or not soon, is left to that.
 */

import type { BlockFactors } from './block-lu.ts';
import { BUS_TYPE, type BusTable, type PowerFlowCase } from './case.ts';
import type { NewtonSolver } from './newton.ts';

/** As many as the registers of a processor hold with all that belongs to one entry of the matrix. */
export const LANES = 4;
/** After so many steps Newton's method would have been there sooner. */
const MAX_STEPS = 10;
/** A mismatch, per unit, from which there is no way back. Growth alone is none: near machines it may double before it shrinks. */
const HOPELESS = 1e3;

/** Admittance matrix, rows and columns by place. */
interface PlacedMatrix {
  readonly start: Int32Array;
  readonly column: Int32Array;
  readonly re: Float64Array;
  readonly im: Float64Array;
}

export interface ChordOptions {
  /** Largest mismatch of P or Q at any bus that counts as solved, per unit. */
  readonly tolerance: number;
  readonly maxIterations: number;
}

export class ChordLanes {
  /** Per lane: whether there is a solution, and after how many steps. */
  readonly converged = new Uint8Array(LANES);
  readonly iterations = new Uint8Array(LANES);
  readonly #order: Int32Array;
  readonly #type: Uint8Array;
  readonly #y: PlacedMatrix;
  readonly #factors: BlockFactors;
  /** Where all lanes begin: the voltages of the solved case by place, and its angles by bus. */
  readonly #e0: Float64Array;
  readonly #f0: Float64Array;
  readonly #va0: Float64Array;
  /** Places whose voltage is held, and how high, lane by lane. */
  readonly #held: Int32Array;
  readonly #vmHeld: Float64Array;
  readonly #e: Float64Array;
  readonly #f: Float64Array;
  readonly #p: Float64Array;
  readonly #q: Float64Array;
  /** What is left of the mismatch after forward substitution, then the step: Δθ and ΔV/V. */
  readonly #a: Float64Array;
  readonly #b: Float64Array;
  readonly #worst = new Float64Array(LANES);
  /** Per lane: 1 where it moves, 0 where it stays. */
  readonly #moves = new Float64Array(LANES);

  /**
   * @param solver that has just solved `input`: its Jacobian there is the one that is used
   * @returns nothing where these factors are not good enough, or where injections follow the voltage
   */
  static of(solver: NewtonSolver, input: PowerFlowCase): ChordLanes | undefined {
    if (input.responses || !solver.linearise()) return undefined;
    const { factors } = solver.lu;
    if (!factors) return undefined;
    // Copies: the solver goes on to other Jacobians.
    const [lower, upper, inverse] = [factors.lower.slice(), factors.upper.slice(), factors.inverse.slice()];
    return new ChordLanes(solver, input, { ...factors, lower, upper, inverse });
  }

  private constructor(solver: NewtonSolver, { buses }: PowerFlowCase, factors: BlockFactors) {
    const { pattern, admittances, lu } = solver;
    const { order, position } = lu.symbolic;
    const count = pattern.size;
    this.#order = order;
    this.#factors = factors;
    this.#type = Uint8Array.from(order, (bus) => buses.type[bus]!);
    this.#held = Int32Array.from(this.#type.keys()).filter((place) => this.#type[place] !== BUS_TYPE.pq);
    this.#vmHeld = new Float64Array(LANES * this.#held.length);
    const start = new Int32Array(count + 1);
    const from = new Int32Array(pattern.column.length);
    for (let place = 0, at = 0; place < count; place++) {
      const bus = order[place]!;
      for (let entry = pattern.start[bus]!; entry < pattern.start[bus + 1]!; entry++) from[at++] = entry;
      start[place + 1] = at;
    }
    this.#y = {
      start,
      column: from.map((entry) => position[pattern.column[entry]!]!),
      re: Float64Array.from(from, (entry) => admittances.re[entry]!),
      im: Float64Array.from(from, (entry) => admittances.im[entry]!),
    };
    this.#va0 = buses.va.slice();
    this.#e0 = Float64Array.from(order, (bus) => buses.vm[bus]! * Math.cos(buses.va[bus]!));
    this.#f0 = Float64Array.from(order, (bus) => buses.vm[bus]! * Math.sin(buses.va[bus]!));
    const column = () => new Float64Array(LANES * count);
    [this.#e, this.#f, this.#p] = [column(), column(), column()];
    [this.#q, this.#a, this.#b] = [column(), column(), column()];
  }

  /** Gives a lane its injections and set-points. */
  load(lane: number, { p, q, vm, va }: BusTable): void {
    const [order, e, f, e0, f0] = [this.#order, this.#e, this.#f, this.#e0, this.#f0];
    for (let place = 0; place < order.length; place++) {
      const at = place * LANES + lane;
      this.#p[at] = p[order[place]!]!;
      this.#q[at] = q[order[place]!]!;
      e[at] = e0[place]!;
      f[at] = f0[place]!;
    }
    for (let h = 0; h < this.#held.length; h++) {
      const place = this.#held[h]!;
      const bus = order[place]!;
      this.#vmHeld[h * LANES + lane] = vm[bus]!;
      const angle = this.#type[place] === BUS_TYPE.slack ? va[bus]! : this.#va0[bus]!;
      e[place * LANES + lane] = vm[bus]! * Math.cos(angle);
      f[place * LANES + lane] = vm[bus]! * Math.sin(angle);
    }
  }

  /** Solves the first `count` lanes. */
  solve(count: number, { tolerance, maxIterations }: ChordOptions): void {
    const [worst, moves, converged] = [this.#worst, this.#moves, this.converged];
    const limit = Math.min(maxIterations, MAX_STEPS);
    converged.fill(0);
    moves.fill(0).fill(1, 0, count);
    for (let step = 0; moves.includes(1); step++) {
      this.#forward();
      for (let lane = 0; lane < count; lane++) {
        if (moves[lane] === 0) continue;
        if (worst[lane]! <= tolerance) {
          converged[lane] = 1;
          this.iterations[lane] = step;
        } else if (step === limit || !(worst[lane]! < HOPELESS)) moves[lane] = 0;
      }
      // Half of the step is calculated with the mismatch: who has arrived takes it all the same.
      this.#backward();
      for (let lane = 0; lane < count; lane++) if (converged[lane] === 1) moves[lane] = 0;
    }
  }

  /**
   * Voltages of a lane that has converged, per bus: magnitudes and angles into columns from `at` on, the real and imaginary
   * part into `e` and `f`.
   * @returns false where a voltage has turned so far that it is hardly the solution that was looked for
   */
  voltages(lane: number, vm: Float64Array, va: Float64Array, at: number, e: Float64Array, f: Float64Array): boolean {
    const [order, e0, f0, va0] = [this.#order, this.#e0, this.#f0, this.#va0];
    for (let place = 0; place < order.length; place++) {
      const bus = order[place]!;
      const [re, im] = [this.#e[place * LANES + lane]!, this.#f[place * LANES + lane]!];
      const along = e0[place]! * re + f0[place]! * im;
      if (!(along > 0)) return false;
      e[bus] = re;
      f[bus] = im;
      vm[at + bus] = Math.sqrt(re * re + im * im);
      va[at + bus] = va0[bus]! + Math.atan2(e0[place]! * im - f0[place]! * re, along);
    }
    for (let h = 0; h < this.#held.length; h++) vm[at + order[this.#held[h]!]!] = this.#vmHeld[h * LANES + lane]!;
    return true;
  }

  /** The mismatch at the present voltages, its largest number per lane, and forward substitution with it, row by row. */
  #forward(): void {
    const [e, f, p, q, a, b] = [this.#e, this.#f, this.#p, this.#q, this.#a, this.#b];
    const { start, column, re: yRe, im: yIm } = this.#y;
    const { lower, lowerStart, lowerColumn } = this.#factors;
    const type = this.#type;
    let [w0, w1, w2, w3] = [0, 0, 0, 0];
    for (let i = 0; i < type.length; i++) {
      const o = LANES * i;
      let a0 = 0;
      let a1 = 0;
      let a2 = 0;
      let a3 = 0;
      let b0 = 0;
      let b1 = 0;
      let b2 = 0;
      let b3 = 0;
      const kind = type[i]!;
      if (kind !== BUS_TYPE.slack) {
        // Current into the grid, and the power that it makes with the voltage.
        let r0 = 0;
        let r1 = 0;
        let r2 = 0;
        let r3 = 0;
        let i0 = 0;
        let i1 = 0;
        let i2 = 0;
        let i3 = 0;
        for (let at = start[i]!; at < start[i + 1]!; at++) {
          const j = LANES * column[at]!;
          const re = yRe[at]!;
          const im = yIm[at]!;
          const e0 = e[j]!;
          const e1 = e[j + 1]!;
          const e2 = e[j + 2]!;
          const e3 = e[j + 3]!;
          const f0 = f[j]!;
          const f1 = f[j + 1]!;
          const f2 = f[j + 2]!;
          const f3 = f[j + 3]!;
          r0 += re * e0 - im * f0;
          r1 += re * e1 - im * f1;
          r2 += re * e2 - im * f2;
          r3 += re * e3 - im * f3;
          i0 += re * f0 + im * e0;
          i1 += re * f1 + im * e1;
          i2 += re * f2 + im * e2;
          i3 += re * f3 + im * e3;
        }
        const e0 = e[o]!;
        const e1 = e[o + 1]!;
        const e2 = e[o + 2]!;
        const e3 = e[o + 3]!;
        const f0 = f[o]!;
        const f1 = f[o + 1]!;
        const f2 = f[o + 2]!;
        const f3 = f[o + 3]!;
        a0 = p[o]! - (e0 * r0 + f0 * i0);
        a1 = p[o + 1]! - (e1 * r1 + f1 * i1);
        a2 = p[o + 2]! - (e2 * r2 + f2 * i2);
        a3 = p[o + 3]! - (e3 * r3 + f3 * i3);
        // Math.max: NaN stays, whatever follows.
        w0 = Math.max(w0, Math.abs(a0));
        w1 = Math.max(w1, Math.abs(a1));
        w2 = Math.max(w2, Math.abs(a2));
        w3 = Math.max(w3, Math.abs(a3));
        if (kind === BUS_TYPE.pq) {
          b0 = q[o]! - (f0 * r0 - e0 * i0);
          b1 = q[o + 1]! - (f1 * r1 - e1 * i1);
          b2 = q[o + 2]! - (f2 * r2 - e2 * i2);
          b3 = q[o + 3]! - (f3 * r3 - e3 * i3);
          w0 = Math.max(w0, Math.abs(b0));
          w1 = Math.max(w1, Math.abs(b1));
          w2 = Math.max(w2, Math.abs(b2));
          w3 = Math.max(w3, Math.abs(b3));
        }
      }
      for (let at = lowerStart[i]!; at < lowerStart[i + 1]!; at++) {
        const k = LANES * lowerColumn[at]!;
        const l0 = lower[4 * at]!;
        const l1 = lower[4 * at + 1]!;
        const l2 = lower[4 * at + 2]!;
        const l3 = lower[4 * at + 3]!;
        const x0 = a[k]!;
        const x1 = a[k + 1]!;
        const x2 = a[k + 2]!;
        const x3 = a[k + 3]!;
        const y0 = b[k]!;
        const y1 = b[k + 1]!;
        const y2 = b[k + 2]!;
        const y3 = b[k + 3]!;
        a0 -= l0 * x0 + l1 * y0;
        a1 -= l0 * x1 + l1 * y1;
        a2 -= l0 * x2 + l1 * y2;
        a3 -= l0 * x3 + l1 * y3;
        b0 -= l2 * x0 + l3 * y0;
        b1 -= l2 * x1 + l3 * y1;
        b2 -= l2 * x2 + l3 * y2;
        b3 -= l2 * x3 + l3 * y3;
      }
      a[o] = a0;
      a[o + 1] = a1;
      a[o + 2] = a2;
      a[o + 3] = a3;
      b[o] = b0;
      b[o + 1] = b1;
      b[o + 2] = b2;
      b[o + 3] = b3;
    }
    const worst = this.#worst;
    worst[0] = w0;
    worst[1] = w1;
    worst[2] = w2;
    worst[3] = w3;
  }

  /** Back substitution, and the step that comes out of it in the lanes that move. */
  #backward(): void {
    const [e, f, a, b] = [this.#e, this.#f, this.#a, this.#b];
    const { upper, inverse, upperStart, upperColumn } = this.#factors;
    const type = this.#type;
    const [m0, m1, m2, m3] = [this.#moves[0]!, this.#moves[1]!, this.#moves[2]!, this.#moves[3]!];
    for (let i = type.length - 1; i >= 0; i--) {
      const o = LANES * i;
      let a0 = a[o]!;
      let a1 = a[o + 1]!;
      let a2 = a[o + 2]!;
      let a3 = a[o + 3]!;
      let b0 = b[o]!;
      let b1 = b[o + 1]!;
      let b2 = b[o + 2]!;
      let b3 = b[o + 3]!;
      for (let at = upperStart[i]!; at < upperStart[i + 1]!; at++) {
        const k = LANES * upperColumn[at]!;
        const u0 = upper[4 * at]!;
        const u1 = upper[4 * at + 1]!;
        const u2 = upper[4 * at + 2]!;
        const u3 = upper[4 * at + 3]!;
        const x0 = a[k]!;
        const x1 = a[k + 1]!;
        const x2 = a[k + 2]!;
        const x3 = a[k + 3]!;
        const y0 = b[k]!;
        const y1 = b[k + 1]!;
        const y2 = b[k + 2]!;
        const y3 = b[k + 3]!;
        a0 -= u0 * x0 + u1 * y0;
        a1 -= u0 * x1 + u1 * y1;
        a2 -= u0 * x2 + u1 * y2;
        a3 -= u0 * x3 + u1 * y3;
        b0 -= u2 * x0 + u3 * y0;
        b1 -= u2 * x1 + u3 * y1;
        b2 -= u2 * x2 + u3 * y2;
        b3 -= u2 * x3 + u3 * y3;
      }
      const d0 = inverse[4 * i]!;
      const d1 = inverse[4 * i + 1]!;
      const d2 = inverse[4 * i + 2]!;
      const d3 = inverse[4 * i + 3]!;
      const x0 = d0 * a0 + d1 * b0;
      const x1 = d0 * a1 + d1 * b1;
      const x2 = d0 * a2 + d1 * b2;
      const x3 = d0 * a3 + d1 * b3;
      const y0 = d2 * a0 + d3 * b0;
      const y1 = d2 * a1 + d3 * b1;
      const y2 = d2 * a2 + d3 * b2;
      const y3 = d2 * a3 + d3 * b3;
      a[o] = x0;
      a[o + 1] = x1;
      a[o + 2] = x2;
      a[o + 3] = x3;
      b[o] = y0;
      b[o + 1] = y1;
      b[o + 2] = y2;
      b[o + 3] = y3;
      const kind = type[i]!;
      if (kind === BUS_TYPE.slack) continue;
      // V·(1 + ΔV/V + jΔθ): to first order the step in polar coordinates, without their sines.
      const e0 = e[o]!;
      const e1 = e[o + 1]!;
      const e2 = e[o + 2]!;
      const e3 = e[o + 3]!;
      const f0 = f[o]!;
      const f1 = f[o + 1]!;
      const f2 = f[o + 2]!;
      const f3 = f[o + 3]!;
      e[o] = e0 + m0 * (e0 * y0 - f0 * x0);
      e[o + 1] = e1 + m1 * (e1 * y1 - f1 * x1);
      e[o + 2] = e2 + m2 * (e2 * y2 - f2 * x2);
      e[o + 3] = e3 + m3 * (e3 * y3 - f3 * x3);
      f[o] = f0 + m0 * (f0 * y0 + e0 * x0);
      f[o + 1] = f1 + m1 * (f1 * y1 + e1 * x1);
      f[o + 2] = f2 + m2 * (f2 * y2 + e2 * x2);
      f[o + 3] = f3 + m3 * (f3 * y3 + e3 * x3);
      if (kind === BUS_TYPE.pq) continue;
      // ΔV is 0 here: what the straight step has added to the magnitude is taken off again.
      const s0 = 1 / Math.sqrt(1 + m0 * x0 * x0);
      const s1 = 1 / Math.sqrt(1 + m1 * x1 * x1);
      const s2 = 1 / Math.sqrt(1 + m2 * x2 * x2);
      const s3 = 1 / Math.sqrt(1 + m3 * x3 * x3);
      e[o] = s0 * e[o]!;
      e[o + 1] = s1 * e[o + 1]!;
      e[o + 2] = s2 * e[o + 2]!;
      e[o + 3] = s3 * e[o + 3]!;
      f[o] = s0 * f[o]!;
      f[o + 1] = s1 * f[o + 1]!;
      f[o + 2] = s2 * f[o + 2]!;
      f[o + 3] = s3 * f[o + 3]!;
    }
  }
}
