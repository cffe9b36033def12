/** Checking proofs: RFC 9162 § 2.1.3.2 and § 2.1.4.2. Never throws; what is no proof proves nothing. */
import { EMPTY_ROOT, HASH_BYTES, nodeHashOf, same } from './hash.ts';

const isSize = (n: number): boolean => Number.isSafeInteger(n) && n >= 0;
const areHashes = (path: readonly Uint8Array[]): boolean => path.every((each) => each.length === HASH_BYTES);
const halve = (n: number): number => Math.floor(n / 2);
const odd = (n: number): boolean => n % 2 === 1;

/** Root that a leaf hash and its path lead to in a tree of `size`; undefined when the path cannot belong to it. */
export function rootFromInclusion(
  leaf: Uint8Array,
  index: number,
  size: number,
  path: readonly Uint8Array[],
): Uint8Array | undefined {
  if (!isSize(index) || !isSize(size) || index >= size || leaf.length !== HASH_BYTES || !areHashes(path)) {
    return undefined;
  }
  let [at, last, root] = [index, size - 1, leaf];
  for (const sibling of path) {
    if (last === 0) return undefined;
    if (odd(at) || at === last) {
      root = nodeHashOf(sibling, root);
      while (!odd(at) && at !== 0) [at, last] = [halve(at), halve(last)];
    } else {
      root = nodeHashOf(root, sibling);
    }
    [at, last] = [halve(at), halve(last)];
  }
  return last === 0 ? root : undefined;
}

/** Whether the tree of size `to` begins with the leaves of the tree of size `from`. */
export function isConsistent(
  from: { readonly size: number; readonly root: Uint8Array },
  to: { readonly size: number; readonly root: Uint8Array },
  path: readonly Uint8Array[],
): boolean {
  if (!isSize(from.size) || !isSize(to.size) || from.size > to.size || !areHashes(path)) return false;
  if (from.size === to.size) return path.length === 0 && same(from.root, to.root);
  if (from.size === 0) return path.length === 0 && same(from.root, EMPTY_ROOT);
  let [at, last] = [from.size - 1, to.size - 1];
  while (odd(at)) [at, last] = [halve(at), halve(last)];
  // An older tree whose size is a power of two is itself the first node of the path.
  const nodes = at === 0 ? [from.root, ...path] : path;
  const first = nodes[0];
  if (!first) return false;
  let [older, newer] = [first, first];
  for (const sibling of nodes.slice(1)) {
    if (last === 0) return false;
    if (odd(at) || at === last) {
      older = nodeHashOf(sibling, older);
      newer = nodeHashOf(sibling, newer);
      while (!odd(at) && at !== 0) [at, last] = [halve(at), halve(last)];
    } else {
      newer = nodeHashOf(newer, sibling);
    }
    [at, last] = [halve(at), halve(last)];
  }
  return last === 0 && same(older, from.root) && same(newer, to.root);
}
