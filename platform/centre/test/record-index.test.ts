import { MemoryMedium } from '@enerchain/provenance';
import { describe, expect, it } from 'vitest';
import { type IndexEntry, RecordIndex, subjectOf } from '../src/transparency/record-index.ts';

const entry = (at: number, name: string, from: number, to = from, kind: IndexEntry['kind'] = 'observations') => ({
  at: BigInt(at),
  subject: subjectOf(name),
  from: BigInt(from),
  to: BigInt(to),
  kind,
});

describe('the index of records', () => {
  /** Two sources by turns, one second each; every tenth record is a result of attestation. */
  const grown = (count: number, medium = new MemoryMedium()) => {
    const index = new RecordIndex(medium, 0);
    index.append(
      Array.from({ length: count }, (_, i) =>
        i % 10 === 9 ? entry(i, 'edge-b', i, i, 'attestation') : entry(i, i % 2 ? 'edge-b' : 'edge-a', i - 1, i),
      ),
    );
    return { index, medium };
  };

  it('finds the records of a source that hold a time, in both directions', () => {
    const { index } = grown(5000);
    const wanted = { kind: 'observations', name: 'edge-a', time: 3001n } as const;
    expect([...index.search(wanted, 0, 1, 10_000)]).toEqual([3002]);
    expect([...index.search(wanted, 4999, -1, 10_000)]).toEqual([3002]);
    expect([...index.search({ ...wanted, name: 'edge-c' }, 0, 1, 10_000)]).toEqual([]);
    const [latest] = index.search({ ...wanted, orBefore: true }, 4999, -1, 10_000);
    expect(latest).toBe(3002);
    const results = index.search({ kind: 'attestation', name: 'edge-b' }, 3000, -1, 10_000);
    expect(results.next().value).toBe(2999);
    expect(results.next().value).toBe(2989);
  });

  it('looks at no more entries than it may', () => {
    const { index } = grown(5000);
    const wanted = { kind: 'observations', name: 'edge-a', time: 3001n } as const;
    expect([...index.search(wanted, 0, 1, 3002)]).toEqual([]);
    expect([...index.search(wanted, 0, 1, 3003)]).toEqual([3002]);
    expect([...index.search(wanted, 4999, -1, 4999 - 3002)]).toEqual([]);
    expect([...index.search(wanted, 5000, 1, 9)]).toEqual([]);
    expect([...index.search(wanted, -1, -1, 9)]).toEqual([]);
  });

  it('knows where a time was appended', () => {
    const { index } = grown(100);
    expect([0n, 50n, 99n, 100n].map((time) => index.firstSince(time))).toEqual([0, 50, 99, 100]);
    expect(new RecordIndex(new MemoryMedium(), 0).firstSince(1n)).toBe(0);
  });

  it('is cut back to what is known to be on the disk, and gives back what was put in', () => {
    const { medium } = grown(100);
    medium.write(Buffer.alloc(17, 9), medium.size);
    const index = new RecordIndex(medium, 60);
    expect(index.size).toBe(60);
    expect(medium.size).toBe(60 * 40);
    expect(new RecordIndex(medium, 1000).size).toBe(60);
    const negative = entry(-5, 'x', -7, 9, 'site');
    index.append([negative, { ...negative, kind: undefined }]);
    expect(index.at(60)).toEqual({ ...negative, subject: Buffer.from(negative.subject) });
    expect(index.at(61).kind).toBeUndefined();
  });

  it('appends nothing when the disk is full', () => {
    const { index, medium } = grown(10);
    medium.capacity = medium.size + 50;
    expect(() => index.append([entry(1, 'a', 1), entry(2, 'a', 2)])).toThrow('no space');
    expect(index.size).toBe(10);
    medium.capacity = Number.POSITIVE_INFINITY;
    index.append([entry(3, 'a', 3)]);
    expect(index.at(10).at).toBe(3n);
  });
});
