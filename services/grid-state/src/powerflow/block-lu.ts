/**
 * LU factorisation of a sparse matrix of 2×2 blocks with symmetric pattern: up-looking, row by row, the pattern of the
 * factors known beforehand. Rows are not exchanged between blocks; within a block the inverse is exact. A pivot block
 * that is (nearly) singular is reported, never divided by; one that has lost digits is told by `weakest`. What to do
 * about either is decided in robust-lu.ts.
 */
import { minimumDegreeOrder } from './ordering.ts';
import type { RowPattern } from './pattern.ts';

/** Everything that depends on the pattern alone; computed once per topology and shared by all factorisations. */
export interface SymbolicLu {
  readonly size: number;
  /** position → row of the matrix */
  readonly order: Int32Array;
  /** row of the matrix → position */
  readonly position: Int32Array;
  /** Strictly lower factor, rows compressed, columns ascending (positions). */
  readonly lowerStart: Int32Array;
  readonly lowerColumn: Int32Array;
  /** Strictly upper factor. */
  readonly upperStart: Int32Array;
  readonly upperColumn: Int32Array;
}

/** @param order position → row of the matrix */
export function analyse(pattern: RowPattern, order = minimumDegreeOrder(pattern)): SymbolicLu {
  const n = pattern.size;
  const position = new Int32Array(n);
  for (let i = 0; i < n; i++) position[order[i]!] = i;

  // Row patterns by walking up the elimination tree (Liu 1990).
  const parent = new Int32Array(n).fill(-1);
  const mark = new Int32Array(n).fill(-1);
  const lower: number[] = [];
  const lowerStart = new Int32Array(n + 1);
  const upperCount = new Int32Array(n);
  for (let i = 0; i < n; i++) {
    mark[i] = i;
    const row: number[] = [];
    const bus = order[i]!;
    for (let p = pattern.start[bus]!; p < pattern.start[bus + 1]!; p++) {
      let k = position[pattern.column[p]!]!;
      while (k < i && mark[k] !== i) {
        mark[k] = i;
        row.push(k);
        upperCount[k] = upperCount[k]! + 1;
        if (parent[k] === -1) parent[k] = i;
        k = parent[k]!;
      }
    }
    row.sort((a, b) => a - b);
    for (const k of row) lower.push(k);
    lowerStart[i + 1] = lower.length;
  }
  const lowerColumn = Int32Array.from(lower);
  const upperStart = new Int32Array(n + 1);
  for (let i = 0; i < n; i++) upperStart[i + 1] = upperStart[i]! + upperCount[i]!;
  const upperColumn = new Int32Array(lowerColumn.length);
  const next = upperStart.slice(0, n);
  for (let i = 0; i < n; i++) {
    for (let p = lowerStart[i]!; p < lowerStart[i + 1]!; p++) {
      const k = lowerColumn[p]!;
      upperColumn[next[k]!] = i;
      next[k] = next[k]! + 1;
    }
  }
  return { size: n, order, position, lowerStart, lowerColumn, upperStart, upperColumn };
}

/** The numbers of a factorisation beside its pattern, four per block, row-major; overwritten by the next one. */
export interface BlockFactors extends SymbolicLu {
  readonly lower: Float64Array;
  readonly upper: Float64Array;
  /** Of the diagonal blocks, by position. */
  readonly inverse: Float64Array;
}

/** A pivot block whose determinant is below this share of what its two rows could give counts as singular. */
const SINGULAR = 1e-13;

/** The numbers of one factorisation; workspaces are kept, so that factorising again allocates nothing. */
export class BlockLu {
  readonly symbolic: SymbolicLu;
  readonly #pattern: RowPattern;
  /** Position of each entry's column. */
  readonly #target: Int32Array;
  readonly #lower: Float64Array;
  readonly #upper: Float64Array;
  readonly #inverse: Float64Array;
  readonly #work: Float64Array;
  readonly #vector: Float64Array;
  #weakest = 1;

  constructor(pattern: RowPattern, symbolic: SymbolicLu = analyse(pattern)) {
    this.symbolic = symbolic;
    this.#pattern = pattern;
    this.#target = pattern.column.map((column) => symbolic.position[column]!);
    this.#lower = new Float64Array(4 * symbolic.lowerColumn.length);
    this.#upper = new Float64Array(4 * symbolic.upperColumn.length);
    this.#inverse = new Float64Array(4 * symbolic.size);
    this.#work = new Float64Array(4 * symbolic.size);
    this.#vector = new Float64Array(2 * symbolic.size);
  }

  /**
   * Of all pivot blocks of the last factorisation the smallest determinant, as a share of what its two rows could give
   * before and after elimination: about the digits that are left. Independent of how rows are scaled.
   */
  get weakest(): number {
    return this.#weakest;
  }

  get factors(): BlockFactors {
    return { ...this.symbolic, lower: this.#lower, upper: this.#upper, inverse: this.#inverse };
  }

  /**
   * @param values four numbers per entry of the pattern, row-major within the block
   * @returns -1 when done; otherwise the row of the matrix whose pivot block is singular
   */
  factorise(values: Float64Array): number {
    const { size, order, lowerStart, lowerColumn, upperStart, upperColumn } = this.symbolic;
    const { start } = this.#pattern;
    let weakest = 1;
    const [target, lower, upper, inverse, work] = [this.#target, this.#lower, this.#upper, this.#inverse, this.#work];
    for (let i = 0; i < size; i++) {
      const row = order[i]!;
      const l0 = lowerStart[i]!;
      const l1 = lowerStart[i + 1]!;
      const u0 = upperStart[i]!;
      const u1 = upperStart[i + 1]!;
      for (let p = l0; p < l1; p++) clear(work, 4 * lowerColumn[p]!);
      for (let p = u0; p < u1; p++) clear(work, 4 * upperColumn[p]!);
      clear(work, 4 * i);
      for (let p = start[row]!; p < start[row + 1]!; p++) {
        const w = 4 * target[p]!;
        const v = 4 * p;
        work[w] = values[v]!;
        work[w + 1] = values[v + 1]!;
        work[w + 2] = values[v + 2]!;
        work[w + 3] = values[v + 3]!;
      }
      const w = 4 * i;
      const before0 = Math.max(Math.abs(work[w]!), Math.abs(work[w + 1]!));
      const before1 = Math.max(Math.abs(work[w + 2]!), Math.abs(work[w + 3]!));
      for (let p = l0; p < l1; p++) {
        const k = lowerColumn[p]!;
        const o = 4 * k;
        const w0 = work[o]!;
        const w1 = work[o + 1]!;
        const w2 = work[o + 2]!;
        const w3 = work[o + 3]!;
        const d0 = inverse[o]!;
        const d1 = inverse[o + 1]!;
        const d2 = inverse[o + 2]!;
        const d3 = inverse[o + 3]!;
        const a = w0 * d0 + w1 * d2;
        const b = w0 * d1 + w1 * d3;
        const c = w2 * d0 + w3 * d2;
        const d = w2 * d1 + w3 * d3;
        const l = 4 * p;
        lower[l] = a;
        lower[l + 1] = b;
        lower[l + 2] = c;
        lower[l + 3] = d;
        for (let q = upperStart[k]!; q < upperStart[k + 1]!; q++) {
          const j = 4 * upperColumn[q]!;
          const u = 4 * q;
          const e0 = upper[u]!;
          const e1 = upper[u + 1]!;
          const e2 = upper[u + 2]!;
          const e3 = upper[u + 3]!;
          work[j] = work[j]! - (a * e0 + b * e2);
          work[j + 1] = work[j + 1]! - (a * e1 + b * e3);
          work[j + 2] = work[j + 2]! - (c * e0 + d * e2);
          work[j + 3] = work[j + 3]! - (c * e1 + d * e3);
        }
      }
      const determinant = work[w]! * work[w + 3]! - work[w + 1]! * work[w + 2]!;
      let reach0 = Math.max(before0, Math.abs(work[w]!), Math.abs(work[w + 1]!));
      let reach1 = Math.max(before1, Math.abs(work[w + 2]!), Math.abs(work[w + 3]!));
      // Written so that NaN counts as singular too.
      if (!(Math.abs(determinant) > SINGULAR * reach0 * reach1)) {
        this.#weakest = 0;
        return row;
      }
      inverse[w] = work[w + 3]! / determinant;
      inverse[w + 1] = -work[w + 1]! / determinant;
      inverse[w + 2] = -work[w + 2]! / determinant;
      inverse[w + 3] = work[w]! / determinant;
      for (let p = u0; p < u1; p++) {
        const j = 4 * upperColumn[p]!;
        const u = 4 * p;
        const e0 = work[j]!;
        const e1 = work[j + 1]!;
        const e2 = work[j + 2]!;
        const e3 = work[j + 3]!;
        upper[u] = e0;
        upper[u + 1] = e1;
        upper[u + 2] = e2;
        upper[u + 3] = e3;
        reach0 = Math.max(reach0, Math.abs(e0), Math.abs(e1));
        reach1 = Math.max(reach1, Math.abs(e2), Math.abs(e3));
      }
      const share = Math.abs(determinant) / (reach0 * reach1);
      if (share < weakest) weakest = share;
    }
    this.#weakest = weakest;
    return -1;
  }

  /** Solves in place; two numbers per row of the matrix. */
  solve(vector: Float64Array): void {
    const { size, order, lowerStart, lowerColumn, upperStart, upperColumn } = this.symbolic;
    const [lower, upper, inverse, y] = [this.#lower, this.#upper, this.#inverse, this.#vector];
    for (let i = 0; i < size; i++) {
      const row = 2 * order[i]!;
      let a = vector[row]!;
      let b = vector[row + 1]!;
      for (let p = lowerStart[i]!; p < lowerStart[i + 1]!; p++) {
        const k = 2 * lowerColumn[p]!;
        const l = 4 * p;
        a -= lower[l]! * y[k]! + lower[l + 1]! * y[k + 1]!;
        b -= lower[l + 2]! * y[k]! + lower[l + 3]! * y[k + 1]!;
      }
      y[2 * i] = a;
      y[2 * i + 1] = b;
    }
    for (let i = size - 1; i >= 0; i--) {
      let a = y[2 * i]!;
      let b = y[2 * i + 1]!;
      for (let p = upperStart[i]!; p < upperStart[i + 1]!; p++) {
        const k = 2 * upperColumn[p]!;
        const u = 4 * p;
        a -= upper[u]! * y[k]! + upper[u + 1]! * y[k + 1]!;
        b -= upper[u + 2]! * y[k]! + upper[u + 3]! * y[k + 1]!;
      }
      const d = 4 * i;
      y[2 * i] = inverse[d]! * a + inverse[d + 1]! * b;
      y[2 * i + 1] = inverse[d + 2]! * a + inverse[d + 3]! * b;
    }
    for (let i = 0; i < size; i++) {
      vector[2 * order[i]!] = y[2 * i]!;
      vector[2 * order[i]! + 1] = y[2 * i + 1]!;
    }
  }

  /** Solves with the transpose of the matrix, in place; what adjoint sensitivities are made of. */
  solveTransposed(vector: Float64Array): void {
    const { size, order, lowerStart, lowerColumn, upperStart, upperColumn } = this.symbolic;
    const [lower, upper, inverse, y] = [this.#lower, this.#upper, this.#inverse, this.#vector];
    for (let i = 0; i < size; i++) {
      y[2 * i] = vector[2 * order[i]!]!;
      y[2 * i + 1] = vector[2 * order[i]! + 1]!;
    }
    for (let i = 0; i < size; i++) {
      const d = 4 * i;
      const a = inverse[d]! * y[2 * i]! + inverse[d + 2]! * y[2 * i + 1]!;
      const b = inverse[d + 1]! * y[2 * i]! + inverse[d + 3]! * y[2 * i + 1]!;
      y[2 * i] = a;
      y[2 * i + 1] = b;
      for (let p = upperStart[i]!; p < upperStart[i + 1]!; p++) {
        const k = 2 * upperColumn[p]!;
        const u = 4 * p;
        y[k] = y[k]! - (upper[u]! * a + upper[u + 2]! * b);
        y[k + 1] = y[k + 1]! - (upper[u + 1]! * a + upper[u + 3]! * b);
      }
    }
    for (let i = size - 1; i >= 0; i--) {
      const a = y[2 * i]!;
      const b = y[2 * i + 1]!;
      for (let p = lowerStart[i]!; p < lowerStart[i + 1]!; p++) {
        const k = 2 * lowerColumn[p]!;
        const l = 4 * p;
        y[k] = y[k]! - (lower[l]! * a + lower[l + 2]! * b);
        y[k + 1] = y[k + 1]! - (lower[l + 1]! * a + lower[l + 3]! * b);
      }
      vector[2 * order[i]!] = a;
      vector[2 * order[i]! + 1] = b;
    }
  }
}

function clear(work: Float64Array, at: number): void {
  work[at] = 0;
  work[at + 1] = 0;
  work[at + 2] = 0;
  work[at + 3] = 0;
}
