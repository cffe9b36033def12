/**
 * Where the hashes of a growing tree stand, and which of them a proof needs. Only complete subtrees have a place: node i of
 * level l covers the leaves i·2^l to (i+1)·2^l − 1 and never changes once the last of them is there. They are kept in the
 * order in which they become complete: leaf n, then the nodes that it completes, from the bottom up. Leaf n thus stands
 * behind 2n − popcount(n) others. Sizes and indices are safe integers throughout.
 */
import { EnerchainError } from '@enerchain/model';
import { EMPTY_ROOT, nodeHashOf } from './hash.ts';

/** Hash of a complete subtree. @throws when the tree is not that large, or the medium fails */
export type NodeAt = (level: number, index: number) => Uint8Array;

/** Largest tree: positions stay exact in a double, and 2^48 records are enough. */
export const LARGEST_TREE = 2 ** 48;

/** Number of ones among the binary digits of n. */
function popcount(n: number): number {
  let count = 0;
  for (let half of [n % 2 ** 32, Math.floor(n / 2 ** 32)]) {
    for (half >>>= 0; half !== 0; half &= half - 1) count++;
  }
  return count;
}

/** How many hashes a tree of this size keeps. */
export const hashesOf = (size: number): number => 2 * size - popcount(size);

/** Place of a node among the hashes. */
export const placeOf = (level: number, index: number): number => hashesOf((index + 1) * 2 ** level - 1) + level;

/** How many nodes leaf n completes: trailing ones of n. */
export function completedBy(leaf: number): number {
  let levels = 0;
  for (let rest = leaf; rest % 2 === 1; rest = (rest - 1) / 2) levels++;
  return levels;
}

/** Largest level whose subtrees fit n leaves (n ≥ 1). */
export function levelOf(n: number): number {
  if (n < 2 ** 31) return 31 - Math.clz32(n);
  let level = Math.floor(Math.log2(n));
  while (2 ** level > n) level--;
  while (2 ** (level + 1) <= n) level++;
  return level;
}

/** Largest power of two below n (n ≥ 2). */
const splitOf = (n: number): number => 2 ** levelOf(n - 1);

/** The complete subtrees that the leaves from `start` to `end` consist of, left to right; `start` is aligned to the first. */
function subtrees(start: number, end: number): { readonly level: number; readonly index: number }[] {
  const found: { level: number; index: number }[] = [];
  for (let at = start; at < end; ) {
    const level = levelOf(end - at);
    found.push({ level, index: at / 2 ** level });
    at += 2 ** level;
  }
  return found;
}

/** Merkle Tree Hash of the leaves from `start` to `end` (§ 2.1.1), out of complete subtrees. */
function rangeHash(node: NodeAt, start: number, end: number): Uint8Array {
  const level = levelOf(end - start);
  if (2 ** level === end - start) return node(level, start / 2 ** level);
  const parts = subtrees(start, end).map(({ level, index }) => node(level, index));
  return parts.reduceRight((right, left) => nodeHashOf(left, right));
}

/** Hash of the leaves from `start` to the end of a tree; of those from 0 on it is the root. */
export const restOfTree = (node: NodeAt, start: number, size: number): Uint8Array =>
  size === 0 ? EMPTY_ROOT : rangeHash(node, start, size);

/**
 * Inclusion proof of a leaf (§ 2.1.3.1): sibling hashes from the leaf to the root.
 * @param rest `restOfTree` of this size: all that a proof needs beside single nodes, and the same for many leaves
 * @throws EnerchainError `provenance.proof.index` (fault caller)
 */
export function inclusionProof(
  node: NodeAt,
  index: number,
  size: number,
  rest: (start: number) => Uint8Array = (start) => restOfTree(node, start, size),
): Uint8Array[] {
  checkRange(index, size);
  const path: Uint8Array[] = [];
  let [start, end] = [0, size];
  while (end - start > 1) {
    const middle = start + splitOf(end - start);
    if (index < middle) {
      path.push(end === size ? rest(middle) : rangeHash(node, middle, end));
      end = middle;
    } else {
      path.push(rangeHash(node, start, middle));
      start = middle;
    }
  }
  return path.reverse();
}

/**
 * Consistency proof between two sizes (§ 2.1.4.1); empty when they are equal or the older one is 0.
 * @throws EnerchainError `provenance.proof.index` (fault caller)
 */
export function consistencyProof(node: NodeAt, from: number, to: number): Uint8Array[] {
  if (from === 0 || from === to) {
    if (from > to) checkRange(from, to);
    return [];
  }
  checkRange(from - 1, to);
  const path: Uint8Array[] = [];
  let [start, end] = [0, to];
  let complete = true;
  while (from !== end) {
    const middle = start + splitOf(end - start);
    if (from <= middle) {
      path.push(rangeHash(node, middle, end));
      end = middle;
    } else {
      path.push(rangeHash(node, start, middle));
      start = middle;
      complete = false;
    }
  }
  if (!complete) path.push(rangeHash(node, start, end));
  return path.reverse();
}

function checkRange(index: number, size: number): void {
  if (Number.isSafeInteger(index) && index >= 0 && index < size && size <= LARGEST_TREE) return;
  throw new EnerchainError('caller', 'provenance.proof.index', `there is no leaf ${index} in a tree of ${size}`);
}
