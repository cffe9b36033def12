import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { leafHash, leafHashes, leafSalts, merkleProof, merkleRoot, rootFromProof, saltAt } from '../src/merkle.ts';

const sha = (...parts: Uint8Array[]) => createHash('sha256').update(Buffer.concat(parts)).digest();
const salt = Buffer.alloc(16, 5);

/** RFC 9162 § 2.1.1 as it is written, recursively. */
function reference(leaves: readonly Uint8Array[]): Uint8Array {
  if (leaves.length === 0) return sha();
  if (leaves.length === 1) return sha(Buffer.of(0), leaves[0]!);
  let k = 1;
  while (k * 2 < leaves.length) k *= 2;
  return sha(Buffer.of(1), reference(leaves.slice(0, k)), reference(leaves.slice(k)));
}

const columns = (count: number) => Array.from({ length: count }, (_, i) => Buffer.from(`column ${i}`));

describe('the Merkle tree', () => {
  it('has the root that RFC 9162 § 2.1.1 defines, for any number of leaves', () => {
    for (let count = 0; count <= 70; count++) {
      const salts = leafSalts(salt, count);
      const salted = columns(count).map((column, i) => Buffer.concat([saltAt(salts, i), column]));
      expect(Buffer.from(merkleRoot(leafHashes(columns(count), salt)))).toEqual(reference(salted));
    }
  });

  it('proves each leaf, and no leaf at another place or in a tree of another size', () => {
    for (let size = 1; size <= 20; size++) {
      const leaves = leafHashes(columns(size), salt);
      const root = Buffer.from(merkleRoot(leaves));
      for (let index = 0; index < size; index++) {
        const leaf = leafHash(saltAt(leafSalts(salt, size), index), columns(size)[index]!);
        const proof = merkleProof(leaves, index);
        expect(Buffer.from(rootFromProof(leaf, index, size, proof)!)).toEqual(root);
        for (let other = 0; other < size; other++) {
          if (other === index) continue;
          const wrong = rootFromProof(leaf, other, size, proof);
          expect(wrong === undefined || !root.equals(wrong)).toBe(true);
        }
        expect(rootFromProof(leaf, index, size * 2, proof)).toBeUndefined();
        expect(rootFromProof(leaf, index, size, [...proof, root])).toBeUndefined();
      }
    }
  });

  it('takes no node for a leaf', () => {
    const [a, b] = columns(2).map((column) => leafHash(salt, column));
    const node = sha(Buffer.of(1), a!, b!);
    expect(leafHash(salt, Buffer.concat([a!, b!]))).not.toEqual(node);
  });

  it('gives each leaf a salt that does not depend on how many there are', () => {
    fc.assert(
      fc.property(fc.nat(50), (index) => {
        expect(saltAt(leafSalts(salt, index + 1), index)).toEqual(saltAt(leafSalts(salt, 100), index));
      }),
    );
  });
});
