/**
 * Hashes of the Merkle tree of RFC 9162 § 2.1 with SHA-256: leaf inputs behind 0x00, pairs of nodes behind 0x01, so that no
 * node can be passed off as a leaf.
 */
import { hash } from 'node:crypto';

export const HASH_BYTES = 32;

/** By way of a string of one-byte characters: `hash` makes a buffer of its own at twice the cost of the hashing. */
export const sha256 = (bytes: Uint8Array): Uint8Array => Buffer.from(hash('sha256', bytes, 'binary'), 'latin1');

/** Root of the tree without leaves: SHA-256 of nothing (§ 2.1.1). */
export const EMPTY_ROOT: Uint8Array = sha256(new Uint8Array(0));

/** Hash of a leaf. */
export function leafHashOf(input: Uint8Array): Uint8Array {
  const bytes = Buffer.allocUnsafe(1 + input.length);
  bytes[0] = 0;
  bytes.set(input, 1);
  return sha256(bytes);
}

/**
 * Stands for a record that nobody can read any more: dropped or damaged before the tree had it. It has the empty leaf
 * input, so nothing can be proven with it, and the records behind it keep their places.
 */
export const UNREADABLE_LEAF: Uint8Array = leafHashOf(new Uint8Array(0));

/** Input buffer that is used again; hashing is synchronous. */
const pair = Buffer.alloc(1 + 2 * HASH_BYTES);
pair[0] = 1;

export function nodeHashOf(left: Uint8Array, right: Uint8Array): Uint8Array {
  pair.set(left, 1);
  pair.set(right, 1 + HASH_BYTES);
  return sha256(pair);
}

export const same = (a: Uint8Array, b: Uint8Array): boolean => a.length === b.length && Buffer.compare(a, b) === 0;
