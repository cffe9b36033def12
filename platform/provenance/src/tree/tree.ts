/**
 * The tree on its medium. A file is a header of 32 octets (`ENERTREE`, version 1, zeros) and the hashes of all complete
 * subtrees, 32 octets each, in the order of `shape.ts`: it only grows, an append writes two hashes on average, and its
 * length says how large the tree is. Memory holds one hash per level, however large the tree.
 */
import { EnerchainError } from '@enerchain/model';
import { HASH_BYTES, nodeHashOf, same } from './hash.ts';
import type { TreeMedium } from './medium.ts';
import { rootFromInclusion } from './proof.ts';
import { completedBy, consistencyProof, hashesOf, inclusionProof, levelOf, placeOf, restOfTree } from './shape.ts';

const HEADER_BYTES = HASH_BYTES;
const HEADER = Buffer.alloc(HEADER_BYTES);
HEADER.write('ENERTREE', 'latin1');
HEADER[8] = 1;

/** Leaves taken in one write. */
const CHUNK = 4096;

export class MerkleTree {
  readonly #medium: TreeMedium;
  #size: number;
  /** Right edge: the complete subtree of each level that waits for its right sibling. */
  #edge: (Uint8Array | undefined)[] = [];
  /** Right ends of the tree of the size that was asked for last, by their first leaf: the proofs of a checkpoint share them. */
  #rests: { readonly size: number; readonly from: Map<number, Uint8Array> } = { size: -1, from: new Map() };

  private constructor(medium: TreeMedium, size: number) {
    this.#medium = medium;
    this.#size = size;
    this.#readEdge();
  }

  /**
   * Opens a tree or begins one. What stands behind the last complete leaf, or behind `upTo` leaves, is cut off.
   * @param upTo leaves that are known to be on the disk; what was written later may be anything after a crash
   * @throws EnerchainError `provenance.tree.format` (environment) when the file is no tree
   */
  static open(medium: TreeMedium, upTo = Number.POSITIVE_INFINITY): MerkleTree {
    const header = Buffer.alloc(HEADER_BYTES);
    if (medium.size < HEADER_BYTES) {
      medium.truncate(0);
      medium.write(HEADER, 0);
    } else {
      medium.read(header, 0);
      if (!header.equals(HEADER)) {
        throw new EnerchainError('environment', 'provenance.tree.format', 'the file is not a tree of this version');
      }
    }
    const size = Math.min(upTo, sizeOf(Math.floor((medium.size - HEADER_BYTES) / HASH_BYTES)));
    const tree = new MerkleTree(medium, size);
    tree.#cut();
    return tree;
  }

  /** Number of leaves. */
  get size(): number {
    return this.#size;
  }

  /**
   * Appends leaves.
   * @param leaves their hashes
   * @throws EnerchainError `provenance.tree.write` (environment); then none of the last chunk was appended
   */
  append(leaves: readonly Uint8Array[]): void {
    for (let at = 0; at < leaves.length; at += CHUNK) this.#append(leaves.slice(at, at + CHUNK));
  }

  #append(leaves: readonly Uint8Array[]): void {
    const first = hashesOf(this.#size);
    const bytes = Buffer.allocUnsafe((hashesOf(this.#size + leaves.length) - first) * HASH_BYTES);
    const edge = [...this.#edge];
    let at = 0;
    const put = (hash: Uint8Array) => {
      bytes.set(hash, at);
      at += HASH_BYTES;
    };
    leaves.forEach((leaf, i) => {
      let hash = leaf;
      put(hash);
      const levels = completedBy(this.#size + i);
      for (let level = 0; level < levels; level++) {
        hash = nodeHashOf(edge[level]!, hash);
        edge[level] = undefined;
        put(hash);
      }
      edge[levels] = hash;
    });
    try {
      this.#medium.write(bytes, HEADER_BYTES + first * HASH_BYTES);
    } catch (cause) {
      throw new EnerchainError('environment', 'provenance.tree.write', 'the tree of the log cannot be written', {
        cause,
      });
    }
    this.#edge = edge;
    this.#size += leaves.length;
  }

  /** Root of the first `size` leaves. @throws EnerchainError `provenance.proof.index` when there are fewer */
  root(size = this.#size): Uint8Array {
    this.#has(size);
    return this.#rest(0, size);
  }

  /** Hash of a leaf. */
  leaf(index: number): Uint8Array {
    this.#has(index + 1);
    return this.node(0, index);
  }

  /**
   * Inclusion proof of a leaf in the tree of the first `size` leaves, checked before it is given out.
   * @throws EnerchainError `provenance.proof.index` (caller), `provenance.tree.damaged` (environment)
   */
  inclusion(index: number, size = this.#size): Uint8Array[] {
    this.#has(size);
    const path = inclusionProof(this.node, index, size, (start) => this.#rest(start, size));
    const root = rootFromInclusion(this.node(0, index), index, size, path);
    if (!root || !same(root, this.root(size))) throw damaged(`the path of leaf ${index} does not lead to the root`);
    return path;
  }

  /** Consistency proof between two sizes. @throws EnerchainError `provenance.proof.index` (caller) */
  consistency(from: number, to = this.#size): Uint8Array[] {
    this.#has(to);
    return consistencyProof(this.node, from, to);
  }

  /** Begins anew. */
  clear(): void {
    this.#size = 0;
    this.#edge = [];
    this.#cut();
  }

  /** Resolves when everything appended so far is on the disk. */
  sync(): Promise<void> {
    return this.#medium.sync();
  }

  close(): void {
    this.#medium.close();
  }

  /** Hash of a complete subtree, from the medium. */
  readonly node = (level: number, index: number): Uint8Array => {
    const hash = Buffer.allocUnsafe(HASH_BYTES);
    if (this.#medium.read(hash, HEADER_BYTES + placeOf(level, index) * HASH_BYTES) !== HASH_BYTES) {
      throw damaged(`node ${index} of level ${level} is missing`);
    }
    return hash;
  };

  #rest(start: number, size: number): Uint8Array {
    if (this.#rests.size !== size) this.#rests = { size, from: new Map() };
    const { from } = this.#rests;
    let hash = from.get(start);
    if (!hash) {
      hash = restOfTree(this.node, start, size);
      from.set(start, hash);
    }
    return hash;
  }

  #has(size: number): void {
    if (Number.isSafeInteger(size) && size >= 0 && size <= this.#size) return;
    throw new EnerchainError('caller', 'provenance.proof.index', `the tree has ${this.#size} leaves, not ${size}`);
  }

  #cut(): void {
    this.#rests = { size: -1, from: new Map() };
    const length = HEADER_BYTES + hashesOf(this.#size) * HASH_BYTES;
    if (this.#medium.size > length) this.#medium.truncate(length);
  }

  #readEdge(): void {
    this.#edge = [];
    let start = 0;
    for (let level = levelOf(Math.max(1, this.#size)); level >= 0; level--) {
      if (start + 2 ** level > this.#size) continue;
      this.#edge[level] = this.node(level, start / 2 ** level);
      start += 2 ** level;
    }
  }
}

const damaged = (text: string) =>
  new EnerchainError('environment', 'provenance.tree.damaged', `the tree of the log is damaged: ${text}`);

/** Largest size whose hashes are all among the first `count`. */
function sizeOf(count: number): number {
  // hashesOf(n) lies between 2n − log2(n) − 1 and 2n − 1.
  let size = Math.ceil(count / 2) + 64;
  while (size > 0 && hashesOf(size) > count) size--;
  return size;
}
