/** Disjoint sets with path halving and union by size. */
export class UnionFind {
  readonly #parent: Int32Array;
  readonly #size: Int32Array;

  constructor(count: number) {
    this.#parent = Int32Array.from({ length: count }, (_, i) => i);
    this.#size = new Int32Array(count).fill(1);
  }

  find(i: number): number {
    const parent = this.#parent;
    let at = i;
    while (parent[at] !== at) {
      parent[at] = parent[parent[at]!]!;
      at = parent[at]!;
    }
    return at;
  }

  union(a: number, b: number): void {
    let [x, y] = [this.find(a), this.find(b)];
    if (x === y) return;
    if (this.#size[x]! < this.#size[y]!) [x, y] = [y, x];
    this.#parent[y] = x;
    this.#size[x] = this.#size[x]! + this.#size[y]!;
  }

  /** Numbers the sets 0, 1, 2 … in the order of their first member. @returns the set of each member, and their count */
  number(): { of: Int32Array; count: number } {
    const of = new Int32Array(this.#parent.length);
    const numbers = new Int32Array(this.#parent.length).fill(-1);
    let count = 0;
    for (let i = 0; i < of.length; i++) {
      const root = this.find(i);
      if (numbers[root] === -1) numbers[root] = count++;
      of[i] = numbers[root]!;
    }
    return { of, count };
  }
}
