/** Our tree file holds the hashes that Go's tlog expects, and our proofs are those that it makes and accepts. */
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { FileMedium, MerkleTree } from '../../platform/provenance/src/index.ts';
import { leaves, newFolder } from '../../platform/provenance/src/testing/world.ts';
import { askTlog, buildTlog } from './tlog.ts';

const tlog = buildTlog();
const reason = 'missing' in tlog ? ` (${tlog.missing})` : '';
const digest = (hashes: readonly Uint8Array[]) => {
  const hash = createHash('sha256');
  for (const each of hashes) hash.update(each);
  return hash.digest('hex');
};

describe.skipIf('missing' in tlog)(`golang.org/x/mod/sumdb/tlog${reason}`, () => {
  const program = 'program' in tlog ? tlog.program : '';

  it.each([1, 2, 3, 7, 8, 9, 100, 1023, 1024, 1025, 5000])('makes the proofs that we make at %d records', (size) => {
    const path = join(newFolder(), 'tree');
    const tree = MerkleTree.open(new FileMedium(path));
    tree.append(leaves(0, 5000));
    const indices = [...new Set([0, 1, size >> 1, size - 2, size - 1])].filter((index) => index >= 0 && index < size);
    for (const from of new Set([1, size >> 1, size - 1].filter((each) => each > 0))) {
      const said = askTlog(program, path, size, from, indices);
      expect(said).toMatchObject({
        accepted: true,
        root: Buffer.from(tree.root(size)).toString('hex'),
        inclusion: digest(indices.flatMap((index) => tree.inclusion(index, size))),
        consistency: digest(tree.consistency(from, size)),
      });
    }
    tree.close();
  });
});
