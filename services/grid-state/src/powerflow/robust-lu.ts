/**
 * The factorisation that everybody uses: in blocks as long as that goes well, refined when digits were lost, with row
 * exchanges when a pivot block is singular although the matrix need not be.
 */
import { analyse, type BlockFactors, BlockLu, type SymbolicLu } from './block-lu.ts';
import type { RowPattern } from './pattern.ts';
import { PivotingLu } from './pivoting-lu.ts';

/** Below this `BlockLu.weakest` a solution is checked against the matrix and refined. */
const SUSPICIOUS = 1e-6;
/** What a solution may leave over, as a share of what its terms add up to, before the factorisation is given up. */
const ACCEPTABLE = 1e-9;
const MAX_REFINEMENTS = 4;

export class RobustLu {
  readonly symbolic: SymbolicLu;
  readonly #pattern: RowPattern;
  readonly #block: BlockLu;
  #pivoting: PivotingLu | undefined;
  #usePivoting = false;
  #values: Float64Array = new Float64Array(0);

  constructor(pattern: RowPattern, symbolic: SymbolicLu = analyse(pattern)) {
    this.symbolic = symbolic;
    this.#pattern = pattern;
    this.#block = new BlockLu(pattern, symbolic);
  }

  /** How the last factorisation was done. */
  get method(): 'block' | 'pivoting' {
    return this.#usePivoting ? 'pivoting' : 'block';
  }

  /** Those of the last factorisation, where they can be used as they are: without row exchanges and refinement. */
  get factors(): BlockFactors | undefined {
    return this.#usePivoting || this.#block.weakest < SUSPICIOUS ? undefined : this.#block.factors;
  }

  /**
   * @param values four numbers per entry of the pattern, row-major within the block; kept, not copied, until `solve`
   * @returns -1 when done; otherwise a row of the matrix that depends on others
   */
  factorise(values: Float64Array): number {
    this.#values = values;
    this.#usePivoting = false;
    const singular = this.#block.factorise(values);
    if (singular < 0) return -1;
    return this.#exchange() < 0 ? -1 : singular;
  }

  /** Solves in place; two numbers per row of the matrix. */
  solve(vector: Float64Array): void {
    if (!this.#usePivoting) {
      if (this.#block.weakest >= SUSPICIOUS) {
        this.#block.solve(vector);
        return;
      }
      const right = vector.slice();
      if (this.#refined(this.#block, right, vector) <= ACCEPTABLE || this.#exchange() >= 0) return;
      vector.set(right);
    }
    this.#refined(this.#pivoting as PivotingLu, vector.slice(), vector);
  }

  /** Solves with the transpose of the matrix, in place; what adjoint sensitivities are made of. Not refined. */
  solveTransposed(vector: Float64Array): void {
    if (this.#usePivoting) (this.#pivoting as PivotingLu).solveTransposed(vector);
    else this.#block.solveTransposed(vector);
  }

  #exchange(): number {
    this.#pivoting ??= new PivotingLu(this.#pattern, this.symbolic);
    const singular = this.#pivoting.factorise(this.#values);
    this.#usePivoting = singular < 0;
    return singular;
  }

  /** Solves and improves as long as that helps. @returns the largest share left over in any row */
  #refined(lu: { solve(vector: Float64Array): void }, right: Float64Array, x: Float64Array): number {
    lu.solve(x);
    const rest = new Float64Array(x.length);
    let left = this.#leftOver(right, x, rest);
    for (let round = 0; round < MAX_REFINEMENTS && left > 1e-15; round++) {
      const before = x.slice();
      const correction = rest.slice();
      lu.solve(correction);
      for (let i = 0; i < x.length; i++) x[i] = x[i]! + correction[i]!;
      const now = this.#leftOver(right, x, rest);
      if (!(now < left)) {
        x.set(before);
        break;
      }
      left = now;
    }
    return left;
  }

  /** rest = right − A·x. @returns the component-wise backward error max |rest| / (|A|·|x| + |right|) */
  #leftOver(right: Float64Array, x: Float64Array, rest: Float64Array): number {
    const { size, start, column } = this.#pattern;
    const values = this.#values;
    let worst = 0;
    for (let i = 0; i < size; i++) {
      for (let half = 0; half < 2; half++) {
        const row = 2 * i + half;
        let sum = right[row]!;
        let reach = Math.abs(sum);
        for (let at = start[i]!; at < start[i + 1]!; at++) {
          const j = 2 * column[at]!;
          const v = 4 * at + 2 * half;
          const [a, b] = [values[v]! * x[j]!, values[v + 1]! * x[j + 1]!];
          sum -= a + b;
          reach += Math.abs(a) + Math.abs(b);
        }
        rest[row] = sum;
        const share = reach > 0 ? Math.abs(sum) / reach : 0;
        worst = Math.max(worst, share);
      }
    }
    return worst;
  }
}
