import { hash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EMPTY_ROOT, leafHashOf, nodeHashOf } from '../src/tree/hash.ts';
import { MemoryMedium } from '../src/tree/medium.ts';
import { isConsistent, rootFromInclusion } from '../src/tree/proof.ts';
import { hashesOf, placeOf } from '../src/tree/shape.ts';
import { MerkleTree } from '../src/tree/tree.ts';

const leaves = (count: number, salt = ''): Uint8Array[] =>
  Array.from({ length: count }, (_, i) => leafHashOf(Buffer.from(`${salt}${i}`)));

/** RFC 9162 § 2.1.1, word by word. */
function treeHash(list: readonly Uint8Array[]): Uint8Array {
  if (list.length === 0) return hash('sha256', Buffer.alloc(0), 'buffer');
  if (list.length === 1) return list[0]!;
  let k = 1;
  while (k * 2 < list.length) k *= 2;
  return nodeHashOf(treeHash(list.slice(0, k)), treeHash(list.slice(k)));
}

function grown(count: number): { tree: MerkleTree; medium: MemoryMedium } {
  const medium = new MemoryMedium();
  const tree = MerkleTree.open(medium);
  tree.append(leaves(count));
  return { tree, medium };
}

describe('the tree', () => {
  it('has the published hashes of the RFC 6962 test leaves', () => {
    // The eight leaf inputs and roots used by the Certificate Transparency reference implementations.
    const inputs = ['', '00', '10', '2021', '3031', '40414243', '5051525354555657', '606162636465666768696a6b6c6d6e6f'];
    const roots = [
      '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
      'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125',
      'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77',
      'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
      '4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4',
      '76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef',
      'ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c',
      '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328',
    ];
    const tree = MerkleTree.open(new MemoryMedium());
    inputs.forEach((input, i) => {
      tree.append([leafHashOf(Buffer.from(input, 'hex'))]);
      expect(Buffer.from(tree.root()).toString('hex')).toBe(roots[i]);
    });
  });

  it('has the root of the RFC at every size, however it was appended', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(40), { minLength: 1, maxLength: 8 }), (steps) => {
        const tree = MerkleTree.open(new MemoryMedium());
        const all = leaves(steps.reduce((sum, n) => sum + n, 0));
        let at = 0;
        for (const n of steps) {
          tree.append(all.slice(at, at + n));
          at += n;
          expect(tree.root()).toEqual(treeHash(all.slice(0, at)));
        }
        for (let size = 0; size <= all.length; size += 7) {
          expect(tree.root(size)).toEqual(treeHash(all.slice(0, size)));
        }
      }),
      { numRuns: 40 },
    );
  });

  it('keeps every hash once, without holes', () => {
    for (const size of [0, 1, 2, 3, 7, 8, 100, 1023, 1024]) {
      const places = new Set<number>();
      for (let level = 0; 2 ** level <= size; level++) {
        for (let index = 0; (index + 1) * 2 ** level <= size; index++) places.add(placeOf(level, index));
      }
      expect(places.size).toBe(hashesOf(size));
      if (size > 0) expect(Math.max(...places)).toBe(hashesOf(size) - 1);
    }
    // Beyond 32 bits as well.
    expect(placeOf(0, 2 ** 40)).toBe(2 ** 41 - 1);
    expect(placeOf(40, 0)).toBe(2 ** 41 - 2);
  });

  it('proves every leaf at every size, and nothing else', () => {
    const { tree } = grown(70);
    const all = leaves(70);
    for (let size = 1; size <= 70; size++) {
      const root = tree.root(size);
      for (let index = 0; index < size; index++) {
        const path = tree.inclusion(index, size);
        expect(rootFromInclusion(all[index]!, index, size, path)).toEqual(root);
        expect(rootFromInclusion(all[(index + 1) % 70]!, index, size, path)).not.toEqual(root);
        if (size > 1) expect(rootFromInclusion(all[index]!, (index + 1) % size, size, path)).not.toEqual(root);
        expect(rootFromInclusion(all[index]!, index, size, [...path, root])).toBeUndefined();
        if (path.length > 0) expect(rootFromInclusion(all[index]!, index, size, path.slice(1))).not.toEqual(root);
      }
    }
  });

  it('proves that it only grew, and refuses what did not', () => {
    const { tree } = grown(70);
    for (let from = 0; from <= 70; from++) {
      for (let to = from; to <= 70; to++) {
        const [a, b] = [
          { size: from, root: tree.root(from) },
          { size: to, root: tree.root(to) },
        ];
        const path = tree.consistency(from, to);
        expect(isConsistent(a, b, path)).toBe(true);
        if (from > 0) expect(isConsistent({ ...a, root: leafHashOf(a.root) }, b, path)).toBe(false);
        if (from < to) expect(isConsistent(b, a, path)).toBe(false);
        if (path.length > 0) {
          expect(isConsistent(a, b, path.slice(1))).toBe(false);
          expect(isConsistent(a, b, [...path, a.root])).toBe(false);
          expect(isConsistent(a, b, [leafHashOf(path[0]!), ...path.slice(1)])).toBe(false);
        }
      }
    }
    expect(tree.root(0)).toEqual(EMPTY_ROOT);
  });

  it('refuses to prove what is not there', () => {
    const { tree } = grown(5);
    for (const ask of [
      () => tree.inclusion(5),
      () => tree.inclusion(-1),
      () => tree.inclusion(0.5),
      () => tree.inclusion(3, 9),
      () => tree.root(6),
      () => tree.consistency(4, 3),
      () => tree.consistency(0, 6),
    ]) {
      expect(ask).toThrow(expect.objectContaining({ code: 'provenance.proof.index', fault: 'caller' }));
    }
  });
});

describe('the tree on a medium', () => {
  it('is the same after it was opened again, wherever the file was cut', () => {
    const all = leaves(40);
    for (let length = 0; length <= 32 + hashesOf(40) * 32; length += 13) {
      const { medium } = grown(40);
      medium.truncate(length);
      const tree = MerkleTree.open(medium);
      expect(hashesOf(tree.size) * 32 + 32).toBeLessThanOrEqual(Math.max(32, length));
      expect(tree.root()).toEqual(treeHash(all.slice(0, tree.size)));
      tree.append(all.slice(tree.size));
      expect(tree.root()).toEqual(treeHash(all));
      expect(MerkleTree.open(medium).inclusion(3)).toEqual(grown(40).tree.inclusion(3));
    }
  });

  it('cuts off what was appended behind the leaves that are known to be on the disk', () => {
    const { medium } = grown(40);
    medium.bytes.fill(0xee, 32 + hashesOf(31) * 32);
    const tree = MerkleTree.open(medium, 31);
    expect(tree.size).toBe(31);
    tree.append(leaves(40).slice(31));
    expect(tree.root()).toEqual(treeHash(leaves(40)));
  });

  it('loses nothing when the disk is full in the middle of an append', () => {
    const { tree, medium } = grown(9);
    const all = leaves(30);
    medium.capacity = medium.size + 100;
    expect(() => tree.append(all.slice(9))).toThrow(expect.objectContaining({ code: 'provenance.tree.write' }));
    expect(tree.size).toBe(9);
    medium.capacity = Number.POSITIVE_INFINITY;
    tree.append(all.slice(9));
    expect(tree.root()).toEqual(treeHash(all));
    expect(MerkleTree.open(medium).root()).toEqual(treeHash(all));
  });

  it('gives out no proof from a file that somebody changed', () => {
    for (const place of [placeOf(0, 4), placeOf(1, 3), placeOf(2, 0)]) {
      const { medium } = grown(40);
      medium.bytes[32 + place * 32]! ^= 1;
      const tree = MerkleTree.open(medium);
      expect(() => tree.inclusion(5)).toThrow(expect.objectContaining({ code: 'provenance.tree.damaged' }));
    }
  });

  it('is not mistaken for another file', () => {
    const medium = new MemoryMedium();
    medium.write(Buffer.alloc(64, 7), 0);
    expect(() => MerkleTree.open(medium)).toThrow(expect.objectContaining({ code: 'provenance.tree.format' }));
  });
});
