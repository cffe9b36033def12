/**
 * LU factorisation with row exchanges, for the matrices that block-lu.ts cannot do: left-looking by columns (Gilbert and
 * Peierls, 1988), columns in the order of the block factorisation, the pivot of a column the diagonal entry unless another
 * row is more than `1 / THRESHOLD` times larger. Its pattern depends on the numbers, so nothing is kept between two
 * factorisations: several times slower, and only reached when the fast way has failed.
 */
import type { SymbolicLu } from './block-lu.ts';
import type { RowPattern } from './pattern.ts';

const THRESHOLD = 0.1;
/** Rows are scaled to 1; a column in which nothing larger than this is left has no pivot. */
const SINGULAR = 1e-14;

interface SparseColumn {
  readonly rows: Int32Array;
  readonly values: Float64Array;
}

export class PivotingLu {
  readonly #size: number;
  /** Step → column of the matrix. */
  readonly #columns: Int32Array;
  readonly #pattern: RowPattern;
  /** Blocks of each block column: their block row and their position in the row pattern. */
  readonly #columnStart: Int32Array;
  readonly #blockRow: Int32Array;
  readonly #blockAt: Int32Array;
  readonly #scale: Float64Array;
  /** Step → row. */
  readonly #pivotRow: Int32Array;
  readonly #pivot: Float64Array;
  #lower: SparseColumn[] = [];
  #upper: SparseColumn[] = [];

  constructor(pattern: RowPattern, { order }: SymbolicLu) {
    const { size, start, column } = pattern;
    this.#pattern = pattern;
    this.#size = 2 * size;
    this.#columns = Int32Array.from({ length: 2 * size }, (_, k) => 2 * order[k >> 1]! + (k & 1));
    this.#columnStart = new Int32Array(size + 1);
    for (const j of column) this.#columnStart[j + 1] = this.#columnStart[j + 1]! + 1;
    for (let j = 0; j < size; j++) this.#columnStart[j + 1] = this.#columnStart[j + 1]! + this.#columnStart[j]!;
    this.#blockRow = new Int32Array(column.length);
    this.#blockAt = new Int32Array(column.length);
    const next = this.#columnStart.slice(0, size);
    for (let i = 0; i < size; i++) {
      for (let at = start[i]!; at < start[i + 1]!; at++) {
        const to = next[column[at]!]!;
        next[column[at]!] = to + 1;
        this.#blockRow[to] = i;
        this.#blockAt[to] = at;
      }
    }
    this.#scale = new Float64Array(2 * size);
    this.#pivotRow = new Int32Array(2 * size);
    this.#pivot = new Float64Array(2 * size);
  }

  /**
   * @param values as for BlockLu
   * @returns -1 when done; otherwise the block row whose columns depend on others
   */
  factorise(values: Float64Array): number {
    const n = this.#size;
    this.#scaleRows(values);
    this.#lower = new Array(n);
    this.#upper = new Array(n);
    /** Row → step in which it was the pivot, or -1. */
    const stepOf = new Int32Array(n).fill(-1);
    const x = new Float64Array(n);
    const mark = new Int32Array(n).fill(-1);
    const stack: number[] = [];
    const place: number[] = [];
    for (let k = 0; k < n; k++) {
      const column = this.#columns[k]!;
      const j = column >> 1;
      // Rows that this column reaches through the factors so far, in topological order from the end.
      const reached: number[] = [];
      for (let at = this.#columnStart[j]!; at < this.#columnStart[j + 1]!; at++) {
        for (let half = 0; half < 2; half++) {
          const row = 2 * this.#blockRow[at]! + half;
          const value = values[4 * this.#blockAt[at]! + 2 * half + (column & 1)]!;
          if (value === 0) continue;
          x[row] = value * this.#scale[row]!;
          if (mark[row] !== k) this.#reach(row, k, stepOf, mark, stack, place, reached);
        }
      }
      const upperRows: number[] = [];
      const upperValues: number[] = [];
      for (let r = reached.length - 1; r >= 0; r--) {
        const row = reached[r]!;
        const step = stepOf[row]!;
        const value = x[row]!;
        if (step < 0) continue;
        upperRows.push(step);
        upperValues.push(value);
        const { rows, values: factors } = this.#lower[step]!;
        for (let p = 0; p < rows.length; p++) x[rows[p]!] = x[rows[p]!]! - factors[p]! * value;
      }
      let best = -1;
      let largest = 0;
      for (const row of reached) {
        if (stepOf[row]! < 0 && !(Math.abs(x[row]!) <= largest)) [largest, best] = [Math.abs(x[row]!), row];
      }
      if (!(largest > SINGULAR) || !Number.isFinite(largest)) return j;
      if (stepOf[column]! < 0 && mark[column] === k && Math.abs(x[column]!) >= THRESHOLD * largest) best = column;
      const pivot = x[best]!;
      stepOf[best] = k;
      this.#pivotRow[k] = best;
      this.#pivot[k] = pivot;
      const below = reached.filter((row) => stepOf[row]! < 0 && x[row] !== 0);
      this.#lower[k] = { rows: Int32Array.from(below), values: Float64Array.from(below, (row) => x[row]! / pivot) };
      this.#upper[k] = { rows: Int32Array.from(upperRows), values: Float64Array.from(upperValues) };
      for (const row of reached) x[row] = 0;
    }
    return -1;
  }

  /** Solves in place; two numbers per block row. */
  solve(vector: Float64Array): void {
    const n = this.#size;
    const y = new Float64Array(n);
    for (let row = 0; row < n; row++) vector[row] = vector[row]! * this.#scale[row]!;
    for (let k = 0; k < n; k++) {
      const value = vector[this.#pivotRow[k]!]!;
      y[k] = value;
      const { rows, values } = this.#lower[k]!;
      for (let p = 0; p < rows.length; p++) vector[rows[p]!] = vector[rows[p]!]! - values[p]! * value;
    }
    for (let k = n - 1; k >= 0; k--) {
      const value = y[k]! / this.#pivot[k]!;
      vector[this.#columns[k]!] = value;
      const { rows, values } = this.#upper[k]!;
      for (let p = 0; p < rows.length; p++) y[rows[p]!] = y[rows[p]!]! - values[p]! * value;
    }
  }

  /** Solves with the transpose of the matrix, in place. */
  solveTransposed(vector: Float64Array): void {
    const n = this.#size;
    const y = new Float64Array(n);
    for (let k = 0; k < n; k++) {
      let value = vector[this.#columns[k]!]!;
      const { rows, values } = this.#upper[k]!;
      for (let p = 0; p < rows.length; p++) value -= values[p]! * y[rows[p]!]!;
      y[k] = value / this.#pivot[k]!;
    }
    for (let k = n - 1; k >= 0; k--) {
      let value = y[k]!;
      const { rows, values } = this.#lower[k]!;
      for (let p = 0; p < rows.length; p++) value -= values[p]! * vector[rows[p]!]!;
      vector[this.#pivotRow[k]!] = value;
    }
    for (let row = 0; row < n; row++) vector[row] = vector[row]! * this.#scale[row]!;
  }

  /** Each row divided by its largest entry, so that comparing rows means something. */
  #scaleRows(values: Float64Array): void {
    const { size, start } = this.#pattern;
    for (let i = 0; i < size; i++) {
      let [first, second] = [0, 0];
      for (let at = 4 * start[i]!; at < 4 * start[i + 1]!; at += 4) {
        first = Math.max(first, Math.abs(values[at]!), Math.abs(values[at + 1]!));
        second = Math.max(second, Math.abs(values[at + 2]!), Math.abs(values[at + 3]!));
      }
      this.#scale[2 * i] = first > 0 ? 1 / first : 1;
      this.#scale[2 * i + 1] = second > 0 ? 1 / second : 1;
    }
  }

  /** Depth-first search through the lower factor; appends in postorder. */
  #reach(
    from: number,
    k: number,
    stepOf: Int32Array,
    mark: Int32Array,
    stack: number[],
    place: number[],
    reached: number[],
  ): void {
    stack.push(from);
    place.push(0);
    mark[from] = k;
    while (stack.length > 0) {
      const row = stack.at(-1)!;
      const step = stepOf[row]!;
      const rows = step < 0 ? undefined : this.#lower[step]!.rows;
      let at = place.at(-1)!;
      while (rows && at < rows.length && mark[rows[at]!] === k) at++;
      if (rows && at < rows.length) {
        place[place.length - 1] = at + 1;
        mark[rows[at]!] = k;
        stack.push(rows[at]!);
        place.push(0);
      } else {
        stack.pop();
        place.pop();
        reached.push(row);
      }
    }
  }
}
