/**
 * In which order to eliminate the buses so that little fill appears: minimum degree on the quotient graph, with the
 * approximate external degree of Amestoy, Davis and Duff (AMD, 1996). Runs once per topology.
 */
import type { RowPattern } from './pattern.ts';

/** @param pattern symmetric; @returns position → bus */
export function minimumDegreeOrder(pattern: RowPattern): Int32Array {
  const n = pattern.size;
  // A variable is a bus not yet eliminated, an element the clique that an eliminated bus left behind.
  const variables: number[][] = [];
  const elements: number[][] = [];
  const members: (number[] | undefined)[] = new Array(n);
  const outside = new Int32Array(n);
  const outsideStamp = new Int32Array(n).fill(-1);
  const mark = new Int32Array(n).fill(-1);
  const eliminated = new Uint8Array(n);
  const buckets = new DegreeBuckets(n);
  for (let i = 0; i < n; i++) {
    const list: number[] = [];
    for (let p = pattern.start[i]!; p < pattern.start[i + 1]!; p++) {
      if (pattern.column[p] !== i) list.push(pattern.column[p]!);
    }
    variables.push(list);
    elements.push([]);
    buckets.insert(i, list.length);
  }
  const order = new Int32Array(n);
  for (let step = 0; step < n; step++) {
    const pivot = buckets.takeSmallest();
    order[step] = pivot;
    eliminated[pivot] = 1;
    const clique: number[] = [];
    mark[pivot] = step;
    const collect = (list: readonly number[]): void => {
      for (const i of list) {
        if (mark[i] !== step && !eliminated[i]) {
          mark[i] = step;
          clique.push(i);
        }
      }
    };
    collect(variables[pivot]!);
    for (const e of elements[pivot]!) {
      collect(members[e]!);
      members[e] = undefined; // absorbed: everything in it is in the new clique
    }
    members[pivot] = clique;
    // |element \ clique| for every element that touches the clique
    for (const i of clique) {
      for (const e of elements[i]!) {
        const list = members[e];
        if (!list) continue;
        if (outsideStamp[e] !== step) {
          outsideStamp[e] = step;
          outside[e] = list.length;
        }
        outside[e] = outside[e]! - 1;
      }
    }
    for (const i of clique) {
      let degree = clique.length - 1;
      const kept: number[] = [];
      for (const e of elements[i]!) {
        if (!members[e]) continue;
        if (outside[e] === 0) {
          members[e] = undefined; // wholly inside the new clique
          continue;
        }
        degree += outside[e]!;
        kept.push(e);
      }
      kept.push(pivot);
      elements[i] = kept;
      const adjacent = variables[i]!.filter((j) => mark[j] !== step && !eliminated[j]);
      variables[i] = adjacent;
      buckets.move(i, Math.min(degree + adjacent.length, n - step - 2));
    }
    variables[pivot] = [];
    elements[pivot] = [];
  }
  return order;
}

/** Doubly linked lists of variables by degree. */
class DegreeBuckets {
  readonly #head: Int32Array;
  readonly #next: Int32Array;
  readonly #previous: Int32Array;
  readonly #degree: Int32Array;
  #smallest = 0;

  constructor(size: number) {
    this.#head = new Int32Array(size + 1).fill(-1);
    this.#next = new Int32Array(size).fill(-1);
    this.#previous = new Int32Array(size).fill(-1);
    this.#degree = new Int32Array(size);
  }

  insert(i: number, degree: number): void {
    const d = Math.max(0, degree);
    const head = this.#head[d]!;
    this.#degree[i] = d;
    this.#next[i] = head;
    this.#previous[i] = -1;
    if (head >= 0) this.#previous[head] = i;
    this.#head[d] = i;
    if (d < this.#smallest) this.#smallest = d;
  }

  move(i: number, degree: number): void {
    this.#remove(i);
    this.insert(i, degree);
  }

  takeSmallest(): number {
    while (this.#head[this.#smallest]! < 0) this.#smallest++;
    const i = this.#head[this.#smallest]!;
    this.#remove(i);
    return i;
  }

  #remove(i: number): void {
    const [previous, next] = [this.#previous[i]!, this.#next[i]!];
    if (previous >= 0) this.#next[previous] = next;
    else this.#head[this.#degree[i]!] = next;
    if (next >= 0) this.#previous[next] = previous;
  }
}
