/**
 * LDLᵀ factorisation of a sparse symmetric quasi-definite matrix of 2×2 blocks (Vanderbei 1995): positive where the
 * states stand, negative where the multipliers stand. Such a matrix has the factorisation in any order, so the order is
 * chosen for little fill alone. A pivot that has no substance of its own sign is raised to a floor instead of divided by:
 * what the matrix says nothing about stays where it is.
 *
 * On the same factor the inverse is computed wherever the factor has an entry (Takahashi 1973), exactly.
 */
import { analyse, type SymbolicLu } from '../powerflow/block-lu.ts';
import type { RowPattern } from '../powerflow/pattern.ts';

/** Pivots below this are raised to it: one that stands for a state known to 30 p.u. or 30 rad is known by nobody. */
const FLOOR = 1e-3;
/** The same for multipliers: an injection known to 1e-10 p.u. is a constraint. */
const MULTIPLIER_FLOOR = 1e-20;
/** Pivots below this share of what they were the difference of are rounding. */
const ROUNDING = 1e-13;

export class BlockLdl {
  readonly symbolic: SymbolicLu;
  readonly #pattern: RowPattern;
  readonly #sign: Float64Array;
  /** L, columns compressed, rows ascending, four numbers each. */
  readonly #lower: Float64Array;
  readonly #inverse: Float64Array;
  readonly #work: Float64Array;
  readonly #next: Int32Array;
  readonly #vector: Float64Array;
  #raised = 0;

  /**
   * @param pattern symmetric
   * @param order position → row
   * @param signs per row: 1 for states, -1 for multipliers
   */
  constructor(pattern: RowPattern, order: Int32Array, signs: Float64Array) {
    this.symbolic = analyse(pattern, order);
    this.#pattern = pattern;
    this.#sign = signs;
    const entries = this.symbolic.upperColumn.length;
    this.#lower = new Float64Array(4 * entries);
    this.#inverse = new Float64Array(4 * pattern.size);
    this.#work = new Float64Array(4 * pattern.size);
    this.#next = new Int32Array(pattern.size);
    this.#vector = new Float64Array(2 * pattern.size);
  }

  /** Pivots that the last factorisation had to raise. */
  get raised(): number {
    return this.#raised;
  }

  /**
   * @param values four numbers per entry of the pattern, row-major within the block; read where the row comes after the
   * column in the order, and on the diagonal
   * @param floor smallest pivot of a state
   * @returns false when a number is none
   */
  factorise(values: Float64Array, floor = FLOOR): boolean {
    const { size, order, position, lowerStart, lowerColumn, upperStart, upperColumn } = this.symbolic;
    const { start, column, diagonal } = this.#pattern;
    const [lower, inverse, work, next] = [this.#lower, this.#inverse, this.#work, this.#next];
    this.#raised = 0;
    for (let k = 0; k < size; k++) {
      const row = order[k]!;
      const r0 = lowerStart[k]!;
      const r1 = lowerStart[k + 1]!;
      for (let p = r0; p < r1; p++) {
        const w = 4 * lowerColumn[p]!;
        work[w] = 0;
        work[w + 1] = 0;
        work[w + 2] = 0;
        work[w + 3] = 0;
      }
      for (let p = start[row]!; p < start[row + 1]!; p++) {
        const at = position[column[p]!]!;
        if (at >= k) continue;
        const w = 4 * at;
        const v = 4 * p;
        work[w] = values[v]!;
        work[w + 1] = values[v + 1]!;
        work[w + 2] = values[v + 2]!;
        work[w + 3] = values[v + 3]!;
      }
      const d = 4 * diagonal[row]!;
      let a = values[d]!;
      let b = values[d + 1]!;
      let c = values[d + 3]!;
      let scaleA = Math.abs(a);
      let scaleC = Math.abs(c);
      for (let p = r0; p < r1; p++) {
        const i = lowerColumn[p]!;
        const w = 4 * i;
        const y0 = work[w]!;
        const y1 = work[w + 1]!;
        const y2 = work[w + 2]!;
        const y3 = work[w + 3]!;
        const end = next[i]!;
        for (let q = upperStart[i]!; q < end; q++) {
          const j = 4 * upperColumn[q]!;
          const l = 4 * q;
          const l0 = lower[l]!;
          const l1 = lower[l + 1]!;
          const l2 = lower[l + 2]!;
          const l3 = lower[l + 3]!;
          work[j] = work[j]! - (y0 * l0 + y1 * l1);
          work[j + 1] = work[j + 1]! - (y0 * l2 + y1 * l3);
          work[j + 2] = work[j + 2]! - (y2 * l0 + y3 * l1);
          work[j + 3] = work[j + 3]! - (y2 * l2 + y3 * l3);
        }
        const i0 = inverse[w]!;
        const i1 = inverse[w + 1]!;
        const i3 = inverse[w + 3]!;
        const l0 = y0 * i0 + y1 * i1;
        const l1 = y0 * i1 + y1 * i3;
        const l2 = y2 * i0 + y3 * i1;
        const l3 = y2 * i1 + y3 * i3;
        const l = 4 * end;
        lower[l] = l0;
        lower[l + 1] = l1;
        lower[l + 2] = l2;
        lower[l + 3] = l3;
        next[i] = end + 1;
        const ta = l0 * y0 + l1 * y1;
        const tc = l2 * y2 + l3 * y3;
        a -= ta;
        b -= l0 * y2 + l1 * y3;
        c -= tc;
        scaleA += Math.abs(ta);
        scaleC += Math.abs(tc);
      }
      next[k] = upperStart[k]!;
      if (!this.#invert(k, this.#sign[row]!, a, b, c, scaleA, scaleC, floor)) return false;
    }
    return true;
  }

  /** The inverse of a pivot block, its scalar pivots kept at their sign and above the floor. */
  #invert(
    k: number,
    sign: number,
    a: number,
    b: number,
    c: number,
    scaleA: number,
    scaleC: number,
    floor: number,
  ): boolean {
    const least = sign > 0 ? floor : MULTIPLIER_FLOOR;
    let first = sign * a;
    let second = sign * c;
    const off = sign * b;
    const floorFirst = Math.max(least, ROUNDING * scaleA);
    const floorSecond = Math.max(least, ROUNDING * scaleC);
    // The larger one first: what is left of the smaller one is then the better number.
    const swapped = second > first;
    let big = swapped ? second : first;
    const floorBig = swapped ? floorSecond : floorFirst;
    if (big < floorBig) {
      big = floorBig;
      this.#raised++;
    }
    const ratio = off / big;
    let small = (swapped ? first : second) - ratio * off;
    const floorSmall = Math.max(swapped ? floorFirst : floorSecond, ROUNDING * Math.abs(ratio * off));
    if (small < floorSmall) {
      small = floorSmall;
      this.#raised++;
    }
    const corner = 1 / big + (ratio * ratio) / small;
    const side = -ratio / small;
    first = swapped ? 1 / small : corner;
    second = swapped ? corner : 1 / small;
    if (!Number.isFinite(first + second + side)) return false;
    const w = 4 * k;
    this.#inverse[w] = sign * first;
    this.#inverse[w + 1] = sign * side;
    this.#inverse[w + 2] = sign * side;
    this.#inverse[w + 3] = sign * second;
    return true;
  }

  /** Solves in place; two numbers per row of the matrix. */
  solve(vector: Float64Array): void {
    const { size, order, upperStart, upperColumn } = this.symbolic;
    const [lower, inverse, y] = [this.#lower, this.#inverse, this.#vector];
    for (let i = 0; i < size; i++) {
      y[2 * i] = vector[2 * order[i]!]!;
      y[2 * i + 1] = vector[2 * order[i]! + 1]!;
    }
    for (let i = 0; i < size; i++) {
      const a = y[2 * i]!;
      const b = y[2 * i + 1]!;
      for (let p = upperStart[i]!; p < upperStart[i + 1]!; p++) {
        const j = 2 * upperColumn[p]!;
        const l = 4 * p;
        y[j] = y[j]! - (lower[l]! * a + lower[l + 1]! * b);
        y[j + 1] = y[j + 1]! - (lower[l + 2]! * a + lower[l + 3]! * b);
      }
    }
    for (let i = size - 1; i >= 0; i--) {
      const d = 4 * i;
      let a = inverse[d]! * y[2 * i]! + inverse[d + 1]! * y[2 * i + 1]!;
      let b = inverse[d + 2]! * y[2 * i]! + inverse[d + 3]! * y[2 * i + 1]!;
      for (let p = upperStart[i]!; p < upperStart[i + 1]!; p++) {
        const j = 2 * upperColumn[p]!;
        const l = 4 * p;
        a -= lower[l]! * y[j]! + lower[l + 2]! * y[j + 1]!;
        b -= lower[l + 1]! * y[j]! + lower[l + 3]! * y[j + 1]!;
      }
      y[2 * i] = a;
      y[2 * i + 1] = b;
    }
    for (let i = 0; i < size; i++) {
      vector[2 * order[i]!] = y[2 * i]!;
      vector[2 * order[i]! + 1] = y[2 * i + 1]!;
    }
  }

  /** The inverse on the diagonal and wherever L has an entry. */
  inverseSubset(): InverseSubset {
    const { size, upperStart, upperColumn } = this.symbolic;
    const lower = this.#lower;
    const diagonal = this.#inverse.slice();
    const off = new Float64Array(lower.length);
    const mark = new Int32Array(size).fill(-1);
    for (let i = size - 1; i >= 0; i--) {
      const c0 = upperStart[i]!;
      const c1 = upperStart[i + 1]!;
      for (let p = c0; p < c1; p++) mark[upperColumn[p]!] = p;
      for (let p = c0; p < c1; p++) {
        const m = upperColumn[p]!;
        const l = 4 * p;
        const l0 = lower[l]!;
        const l1 = lower[l + 1]!;
        const l2 = lower[l + 2]!;
        const l3 = lower[l + 3]!;
        const z = 4 * m;
        let a = diagonal[z]! * l0 + diagonal[z + 1]! * l2;
        let b = diagonal[z]! * l1 + diagonal[z + 1]! * l3;
        let c = diagonal[z + 2]! * l0 + diagonal[z + 3]! * l2;
        let d = diagonal[z + 2]! * l1 + diagonal[z + 3]! * l3;
        for (let q = upperStart[m]!; q < upperStart[m + 1]!; q++) {
          const at = mark[upperColumn[q]!]!;
          if (at < c0) continue;
          // off[q] is Z(j, m) with j > m: once as it is for row j, once transposed for row m.
          const o = 4 * q;
          const z0 = off[o]!;
          const z1 = off[o + 1]!;
          const z2 = off[o + 2]!;
          const z3 = off[o + 3]!;
          const t = 4 * at;
          off[t] = off[t]! - (z0 * l0 + z1 * l2);
          off[t + 1] = off[t + 1]! - (z0 * l1 + z1 * l3);
          off[t + 2] = off[t + 2]! - (z2 * l0 + z3 * l2);
          off[t + 3] = off[t + 3]! - (z2 * l1 + z3 * l3);
          const k0 = lower[t]!;
          const k1 = lower[t + 1]!;
          const k2 = lower[t + 2]!;
          const k3 = lower[t + 3]!;
          a += z0 * k0 + z2 * k2;
          b += z0 * k1 + z2 * k3;
          c += z1 * k0 + z3 * k2;
          d += z1 * k1 + z3 * k3;
        }
        off[l] = off[l]! - a;
        off[l + 1] = off[l + 1]! - b;
        off[l + 2] = off[l + 2]! - c;
        off[l + 3] = off[l + 3]! - d;
      }
      const w = 4 * i;
      let [d0, d1, d3] = [diagonal[w]!, diagonal[w + 1]!, diagonal[w + 3]!];
      for (let p = c0; p < c1; p++) {
        const l = 4 * p;
        d0 -= lower[l]! * off[l]! + lower[l + 2]! * off[l + 2]!;
        d1 -= lower[l]! * off[l + 1]! + lower[l + 2]! * off[l + 3]!;
        d3 -= lower[l + 1]! * off[l + 1]! + lower[l + 3]! * off[l + 3]!;
        mark[upperColumn[p]!] = -1;
      }
      diagonal[w] = d0;
      diagonal[w + 1] = d1;
      diagonal[w + 2] = d1;
      diagonal[w + 3] = d3;
    }
    return new InverseSubset(this.symbolic, diagonal, off);
  }
}

/** Entries of the inverse, by rows of the matrix. */
export class InverseSubset {
  readonly #symbolic: SymbolicLu;
  readonly #diagonal: Float64Array;
  readonly #off: Float64Array;

  constructor(symbolic: SymbolicLu, diagonal: Float64Array, off: Float64Array) {
    this.#symbolic = symbolic;
    this.#diagonal = diagonal;
    this.#off = off;
  }

  /** A number on the diagonal of the inverse. @param side 0 or 1 within the row's block */
  variance(row: number, side: 0 | 1): number {
    return this.#diagonal[4 * this.#symbolic.position[row]! + 3 * side]!;
  }

  /** The block of two rows, row-major, into `out`. @returns false where the factor has no entry */
  block(row: number, column: number, out: Float64Array): boolean {
    const { position, upperStart, upperColumn } = this.#symbolic;
    const [r, c] = [position[row]!, position[column]!];
    if (r === c) {
      for (let k = 0; k < 4; k++) out[k] = this.#diagonal[4 * r + k]!;
      return true;
    }
    const [low, high] = r < c ? [r, c] : [c, r];
    let from = upperStart[low]!;
    let to = upperStart[low + 1]! - 1;
    while (from <= to) {
      const middle = (from + to) >> 1;
      const found = upperColumn[middle]!;
      if (found === high) {
        const o = 4 * middle;
        out[0] = this.#off[o]!;
        out[1] = this.#off[o + (r < c ? 2 : 1)]!;
        out[2] = this.#off[o + (r < c ? 1 : 2)]!;
        out[3] = this.#off[o + 3]!;
        return true;
      }
      if (found < high) from = middle + 1;
      else to = middle - 1;
    }
    return false;
  }
}
