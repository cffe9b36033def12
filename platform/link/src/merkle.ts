/**
 * Merkle tree over the columns of a batch: RFC 9162 § 2.1 with SHA-256, leaf hashes behind 0x00 and node hashes behind
 * 0x01, so that no node can be passed off as a leaf. The input of leaf i is its salt followed by the column as sent; the
 * salt keeps a hidden column from being guessed out of its hash when another column of the batch is shown.
 */
import { createHash, hash } from 'node:crypto';
import { EnerchainError } from '@enerchain/model';

export const HASH_BYTES = 32;
export const SALT_BYTES = 16;

/** By way of a string of one-byte characters: `hash` makes a buffer of its own at twice the cost of the hashing. */
export const sha256 = (bytes: Uint8Array): Uint8Array => Buffer.from(hash('sha256', bytes, 'binary'), 'latin1');

/** Input buffers that are reused; hashing is synchronous, so nobody else can be writing into them. */
const node = Buffer.alloc(1 + 2 * HASH_BYTES);
node[0] = 1;
const LEAF_BUFFER = 4096;
let leaf = Buffer.alloc(LEAF_BUFFER);

/**
 * Hashes side by side in one buffer. A `Buffer` per hash would cost more than the hashing: one-byte strings live on the
 * heap and are copied at once.
 */
class HashList {
  readonly bytes: Buffer;
  readonly length: number;

  constructor(length: number, bytes = Buffer.allocUnsafe(length * HASH_BYTES)) {
    this.length = length;
    this.bytes = bytes;
  }

  at(index: number): Uint8Array {
    return this.bytes.subarray(index * HASH_BYTES, (index + 1) * HASH_BYTES);
  }

  set(index: number, input: Uint8Array): void {
    this.bytes.write(hash('sha256', input, 'binary'), index * HASH_BYTES, HASH_BYTES, 'latin1');
  }
}

function nodeHash(left: Uint8Array, right: Uint8Array): Uint8Array {
  node.set(left, 1);
  node.set(right, 1 + HASH_BYTES);
  return sha256(node);
}

/** Salts of all leaves, 16 bytes each, side by side: the first bytes of SHAKE256(batch salt). */
export function leafSalts(batchSalt: Uint8Array, leaves: number): Uint8Array {
  return createHash('shake256', { outputLength: leaves * SALT_BYTES })
    .update(batchSalt)
    .digest();
}

export const saltAt = (salts: Uint8Array, index: number): Uint8Array =>
  salts.subarray(index * SALT_BYTES, (index + 1) * SALT_BYTES);

/** Puts 0x00 ‖ salt ‖ column into the input buffer. */
function leafInput(salt: Uint8Array, column: Uint8Array): Uint8Array {
  const size = 1 + SALT_BYTES + column.length;
  // What a site document of many megabytes needs is not kept.
  if (leaf.length > LEAF_BUFFER && size <= LEAF_BUFFER) leaf = Buffer.alloc(LEAF_BUFFER);
  else if (size > leaf.length) leaf = Buffer.alloc(size);
  leaf.set(salt, 1);
  leaf.set(column, 1 + SALT_BYTES);
  return leaf.subarray(0, size);
}

/** SHA-256(0x00 ‖ salt ‖ column). */
export const leafHash = (salt: Uint8Array, column: Uint8Array): Uint8Array => sha256(leafInput(salt, column));

/** Leaf hashes of the columns of a batch. */
export function leafHashes(columns: readonly Uint8Array[], batchSalt: Uint8Array): HashList {
  const salts = leafSalts(batchSalt, columns.length);
  const list = new HashList(columns.length);
  for (let i = 0; i < columns.length; i++) list.set(i, leafInput(saltAt(salts, i), columns[i]!));
  return list;
}

/** Largest power of two below n (n ≥ 2). */
const split = (n: number): number => 2 ** (31 - Math.clz32(n - 1));

/** Merkle Tree Hash of the leaves from `start` to `end` (§ 2.1.1); of none it is SHA-256 of nothing. */
export function merkleRoot(leaves: HashList, start = 0, end = leaves.length): Uint8Array {
  let count = end - start;
  if (count === 0) return sha256(new Uint8Array(0));
  // Level by level with the odd one carried up gives the tree of § 2.1.1, whose left subtrees are all complete.
  const level = new HashList(count, Buffer.from(leaves.bytes.subarray(start * HASH_BYTES, end * HASH_BYTES)));
  const { bytes } = level;
  while (count > 1) {
    const pairs = count >> 1;
    for (let i = 0; i < pairs; i++) {
      bytes.copy(node, 1, 2 * i * HASH_BYTES, 2 * (i + 1) * HASH_BYTES);
      level.set(i, node);
    }
    if (count % 2 === 1) bytes.copyWithin(pairs * HASH_BYTES, (count - 1) * HASH_BYTES, count * HASH_BYTES);
    count = pairs + (count % 2);
  }
  return Uint8Array.from(level.at(0));
}

/** Inclusion proof (§ 2.1.3.1): the sibling hashes from the leaf up to the root. */
export function merkleProof(leaves: HashList, index: number, start = 0, end = leaves.length): Uint8Array[] {
  if (!Number.isInteger(index) || index < start || index >= end) {
    throw new EnerchainError('caller', 'link.proof.index', `there is no leaf ${index} between ${start} and ${end}`);
  }
  if (end - start === 1) return [];
  const middle = start + split(end - start);
  return index < middle
    ? [...merkleProof(leaves, index, start, middle), merkleRoot(leaves, middle, end)]
    : [...merkleProof(leaves, index, middle, end), merkleRoot(leaves, start, middle)];
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
