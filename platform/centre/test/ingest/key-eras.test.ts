import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { certificateFromPem, FileKeySigner, thumbprint } from '@enerchain/pki';
import { DevelopmentCa, requestFor, type Signer } from '@enerchain/trust';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type KeyEra, KeyEras, supersededFrom } from '../../src/ingest/key-eras.ts';
import { Bench, TestClock } from './bench.ts';

const holder = { name: 'edge-nord', role: 'edge' } as const;
const clock = new TestClock();
let dir: string;
let ca: DevelopmentCa;
let keys: Signer[];
/** Thumbprints: of the first key, of the first key once more, of the second one, of the third. */
let first: Uint8Array;
let renewed: Uint8Array;
let second: Uint8Array;
let third: Uint8Array;

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'enerchain-eras-'));
  ca = await DevelopmentCa.open(join(dir, 'ca'), { clock });
  keys = await Promise.all([1, 2, 3].map((n) => FileKeySigner.create(join(dir, `${n}.pem`))));
  const issue = async (signer: Signer) => {
    clock.millis += 3_600_000;
    return thumbprint(certificateFromPem(await ca.issue(await requestFor(holder, signer), holder)));
  };
  first = await issue(keys[0]!);
  renewed = await issue(keys[0]!);
  second = await issue(keys[1]!);
  third = await issue(keys[2]!);
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const at = (epoch: number, sequence: number) => ({ epoch, sequence });
function eras(...named: [Uint8Array, number, number][]): readonly KeyEra[] {
  const made = new KeyEras();
  for (const [kid, epoch, sequence] of named) made.note(kid, at(epoch, sequence));
  return made.all();
}

describe('a key that has given way to a newer one', () => {
  it('signs nothing behind the place where that one began, and everything before it', () => {
    const seen = eras([first, 0, 0], [second, 3, 7]);
    for (const kid of [first, renewed]) {
      expect(supersededFrom(kid, at(3, 8), seen, ca)).toMatchObject({ epoch: 3, sequence: 7 });
      expect(supersededFrom(kid, at(4, 0), seen, ca)).toBeDefined();
      expect(supersededFrom(kid, at(3, 6), seen, ca)).toBeUndefined();
      expect(supersededFrom(kid, at(2, 900), seen, ca)).toBeUndefined();
    }
    expect(supersededFrom(second, at(4, 0), seen, ca)).toBeUndefined();
    expect(supersededFrom(third, at(4, 0), seen, ca)).toBeUndefined();
  });

  it('is told from a certificate that was renewed for the same key', () => {
    const seen = eras([first, 0, 0], [renewed, 1, 0]);
    expect(supersededFrom(first, at(1, 5), seen, ca)).toBeUndefined();
  });

  it('is found also when it has never signed before', () => {
    const seen = eras([second, 0, 0]);
    expect(supersededFrom(first, at(0, 1), seen, ca)).toBeDefined();
    // A backlog of the first key behind live data of the second.
    const live = eras([second, 5, 0]);
    expect(supersededFrom(first, at(4, 0), live, ca)).toBeUndefined();
  });

  it('is held against each of several that followed', () => {
    const seen = eras([first, 0, 0], [second, 2, 0], [third, 4, 0]);
    expect(supersededFrom(first, at(3, 0), seen, ca)).toMatchObject({ epoch: 2 });
    expect(supersededFrom(second, at(3, 0), seen, ca)).toBeUndefined();
    expect(supersededFrom(second, at(4, 1), seen, ca)).toMatchObject({ epoch: 4 });
  });
});

describe('the eras of a source', () => {
  it('are bounded, and know the first place of each certificate', () => {
    const made = new KeyEras();
    for (let i = 0; i < 100; i++) made.note(Uint8Array.of(i), at(1, i));
    made.note(Uint8Array.of(99), at(0, 3));
    made.note(Uint8Array.of(98), at(2, 0));
    expect(made.all()).toHaveLength(64);
    expect(made.all().slice(-2)).toEqual([
      { kid: '62', epoch: 1, sequence: 98 },
      { kid: '63', epoch: 0, sequence: 3 },
    ]);
  });

  it('survive a restart of the centre, from its checkpoint and from the log behind it', async () => {
    const bench = await new Bench().open();
    const source = bench.source();
    await bench.take(source, await source.announce());
    await bench.checkpoint();
    const kid = Buffer.from(source.keys.kid).toString('hex');
    const began = [{ kid, epoch: 0, sequence: 0 }];
    expect(bench.chainOf('edge-nord').keys.all()).toEqual(began);
    const other = bench.source('another');
    bench.known.set(Buffer.from(other.keys.kid).toString('hex'), other.keys.key);
    source.chain.renewed(other.keys.kid, other.keys.signer);
    await bench.take(source, await source.observe(1));
    await bench.open();
    const next = { kid: Buffer.from(other.keys.kid).toString('hex'), epoch: 0, sequence: 1 };
    expect(bench.chainOf('edge-nord').keys.all()).toEqual([...began, next]);
  });
});
