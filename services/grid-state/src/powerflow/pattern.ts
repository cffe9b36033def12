/** The sparsity pattern of the bus admittance matrix; the Jacobian has the same one in 2×2 blocks. */

/** Compressed rows; the diagonal of every row is present. */
export interface RowPattern {
  readonly size: number;
  readonly start: Int32Array;
  readonly column: Int32Array;
  /** Position of the diagonal entry of each row. */
  readonly diagonal: Int32Array;
}

export interface BranchPattern extends RowPattern {
  /** Positions of the four entries of each branch: ff, ft, tf, tt. */
  readonly entry: Int32Array;
}

/** @throws RangeError when a branch ends at no bus; a branch from a bus to itself is allowed */
export function branchPattern(size: number, from: Int32Array, to: Int32Array): BranchPattern {
  const neighbours: Map<number, number>[] = Array.from({ length: size }, (_, bus) => new Map([[bus, 0]]));
  for (let k = 0; k < from.length; k++) {
    const [f, t] = [from[k]!, to[k]!];
    if (!(f >= 0 && f < size && t >= 0 && t < size)) {
      throw new RangeError(`branch ${k} goes from bus ${f} to bus ${t}, but there are only buses 0 to ${size - 1}`);
    }
    neighbours[f]!.set(t, 0);
    neighbours[t]!.set(f, 0);
  }
  const start = new Int32Array(size + 1);
  for (let i = 0; i < size; i++) start[i + 1] = start[i]! + neighbours[i]!.size;
  const column = new Int32Array(start[size]!);
  const diagonal = new Int32Array(size);
  for (let i = 0; i < size; i++) {
    let at = start[i]!;
    for (const j of [...neighbours[i]!.keys()].sort((a, b) => a - b)) {
      neighbours[i]!.set(j, at);
      if (j === i) diagonal[i] = at;
      column[at++] = j;
    }
  }
  const entry = new Int32Array(4 * from.length);
  for (let k = 0; k < from.length; k++) {
    const [f, t] = [from[k]!, to[k]!];
    entry[4 * k] = diagonal[f]!;
    entry[4 * k + 1] = neighbours[f]!.get(t)!;
    entry[4 * k + 2] = neighbours[t]!.get(f)!;
    entry[4 * k + 3] = diagonal[t]!;
  }
  return { size, start, column, diagonal, entry };
}
