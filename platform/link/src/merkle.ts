/**
 * Merkle tree over the columns of a batch: RFC 9162 § 2.1 with SHA-256, leaf hashes behind 0x00 and node hashes behind
 * 0x01, so that no node can be passed off as a leaf. The input of leaf i is its salt followed by the column as sent; the
 * salt keeps a hidden column from being guessed out of its hash when another column of the batch is shown.
 */
import { hash } from 'node:crypto';
import { EnerchainError } from '@enerchain/model';

export const HASH_BYTES = 32;
export const SALT_BYTES = 16;

export const sha256 = (bytes: Uint8Array): Uint8Array => hash('sha256', bytes, 'buffer');

/** Input buffers that are reused; hashing is synchronous, so nobody else can be writing into them. */
const node = new Uint8Array(1 + 2 * HASH_BYTES);
node[0] = 1;
let leaf = new Uint8Array(4096);

function nodeHash(left: Uint8Array, right: Uint8Array): Uint8Array {
  node.set(left, 1);
  node.set(right, 1 + HASH_BYTES);
  return sha256(node);
}

/** Salt of the leaf at `index`: the first 16 bytes of SHA-256(batch salt ‖ index as 32 bits, big-endian). */
export function leafSalt(batchSalt: Uint8Array, index: number): Uint8Array {
  const input = new Uint8Array(batchSalt.length + 4);
  input.set(batchSalt);
  new DataView(input.buffer).setUint32(batchSalt.length, index);
  return sha256(input).subarray(0, SALT_BYTES);
}

/** SHA-256(0x00 ‖ salt ‖ column). */
export function leafHash(salt: Uint8Array, column: Uint8Array): Uint8Array {
  const size = 1 + salt.length + column.length;
  if (size > leaf.length) leaf = new Uint8Array(size * 2);
  leaf[0] = 0;
  leaf.set(salt, 1);
  leaf.set(column, 1 + salt.length);
  const result = sha256(leaf.subarray(0, size));
  // A site document of many megabytes must not keep its buffer for ever.
  if (leaf.length > 1 << 20) leaf = new Uint8Array(4096);
  return result;
}

/** Largest power of two below n (n ≥ 2). */
const split = (n: number): number => 2 ** (31 - Math.clz32(n - 1));

/** Merkle Tree Hash of leaf hashes (§ 2.1.1); of none it is SHA-256 of nothing. */
export function merkleRoot(leaves: readonly Uint8Array[]): Uint8Array {
  if (leaves.length === 0) return sha256(new Uint8Array(0));
  // Level by level with the odd one carried up gives the tree of § 2.1.1, whose left subtrees are all complete.
  let level = leaves;
  while (level.length > 1) {
    const next: Uint8Array[] = [];
    for (let i = 0; i + 1 < level.length; i += 2) next.push(nodeHash(level[i]!, level[i + 1]!));
    if (level.length % 2 === 1) next.push(level[level.length - 1]!);
    level = next;
  }
  return level[0]!;
}

/** Inclusion proof (§ 2.1.3.1): the sibling hashes from the leaf up to the root. */
export function merkleProof(leaves: readonly Uint8Array[], index: number): Uint8Array[] {
  if (!Number.isInteger(index) || index < 0 || index >= leaves.length) {
    throw new EnerchainError('caller', 'link.proof.index', `there is no leaf ${index} among ${leaves.length}`);
  }
  if (leaves.length === 1) return [];
  const k = split(leaves.length);
  return index < k
    ? [...merkleProof(leaves.slice(0, k), index), merkleRoot(leaves.slice(k))]
    : [...merkleProof(leaves.slice(k), index - k), merkleRoot(leaves.slice(0, k))];
}

/** Root that a leaf hash and its proof lead to (§ 2.1.3.2), or `undefined` when the proof cannot belong to such a tree. */
export function rootFromProof(
  leafHashed: Uint8Array,
  index: number,
  size: number,
  proof: readonly Uint8Array[],
): Uint8Array | undefined {
  if (!Number.isSafeInteger(index) || !Number.isSafeInteger(size) || index < 0 || index >= size) return undefined;
  let at = index;
  let last = size - 1;
  let root = leafHashed;
  for (const sibling of proof) {
    if (last === 0 || sibling.length !== HASH_BYTES) return undefined;
    if (at % 2 === 1 || at === last) {
      root = nodeHash(sibling, root);
      while (at % 2 === 0 && at !== 0) {
        at = Math.floor(at / 2);
        last = Math.floor(last / 2);
      }
    } else {
      root = nodeHash(root, sibling);
    }
    at = Math.floor(at / 2);
    last = Math.floor(last / 2);
  }
  return last === 0 ? root : undefined;
}
