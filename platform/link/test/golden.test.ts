/**
 * A batch as version 1 writes it, kept as bytes. What was once signed must be readable for as long as somebody may ask for
 * a proof of it; when this test fails, the format has changed and needs a new version number.
 */
import { createHash, createPublicKey, verify } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { batchToBytes, contentOf, decodeBatch, observationsOf, verifyBatch } from '../src/index.ts';

const BATCH = Buffer.from(
  '8359010fd2845837a301260458201111111111111111111111111111111111111111111111111111111111111111106f656e' +
    '6572636861696e2d6261746368a0588fab00010169656467652d6e6f72640201030004582000000000000000000000000000' +
    '000000000000000000000000000000000000000500061b17979cfe3d7ed4c007050803095820801f6bc8c6c16fd34eb475ef' +
    '85a0ca91dc627ce5349fff9e08013f991454fd9b0a830018295820ababababababababababababababababababababababab' +
    'ababababababababab5840f051c213cfcdfa2dc5ab724f91251a6925240ae699cae3d98ebcf959673fb0d383037b3744bac6' +
    'a682e2dffc959fc461e7d623b89f304f5d4bbe0b98c9845d7e50222222222222222222222222222222228358498750000000' +
    '000000400080000000000000018206d84d440000e8038200d84e4860e3160061adb13bd8565000000000008034409a999999' +
    '9999b93fd8454400000300181fd840420083582387500000000000004000800000000000000282060082060082646f70656e' +
    'f600181f005823875000000000000040008000000000000003820600820600d855440000004000181f00',
  'hex',
);
/** The key '11' of RFC 9052 appendix C.7.1. */
const key = createPublicKey({
  format: 'jwk',
  key: {
    kty: 'EC',
    crv: 'P-256',
    x: Buffer.from('bac5b11cad8f99f9c72b05cf4b9e26d244dc189f745228255a219a86d6a09eff', 'hex').toString('base64url'),
    y: Buffer.from('20138bf82dc1b6d562be0fa54ab7804a3a64b6d72ccfed6b6fb6ed28bbfc117e', 'hex').toString('base64url'),
  },
});
const sha = (...parts: Uint8Array[]) => createHash('sha256').update(Buffer.concat(parts)).digest();

describe('a batch of version 1', () => {
  it('is read and verified', () => {
    const batch = decodeBatch(BATCH);
    verifyBatch(batch, key);
    expect(batch.header).toMatchObject({ source: 'edge-nord', epoch: 1, sequence: 0, kind: 'observations', count: 5 });
    expect(batch.header.join).toMatchObject({ epoch: 0, sequence: 41 });
    expect(Buffer.from(batch.hash).toString('hex')).toBe(
      'a14acddc359d8f55f4768553263ccaeaef2ff94301a557bd98e8481f02d29a79',
    );
    const content = contentOf(batch);
    if (content.kind !== 'observations') throw new Error(content.kind);
    const observations = [...observationsOf(content.batch)];
    expect(observations.map(({ value }) => value)).toEqual([20.5, 0.1, 'open', null, 2]);
    expect(observations[1]).toEqual({
      point: '00000000-0000-4000-8000-000000000001',
      value: 0.1,
      quality: 3,
      sourceTime: 1_700_000_001_123_000_000n,
      timeQuality: 31,
      receiveTime: 1_700_000_001_124_500_001n,
      cause: 'interrogation',
      repeat: true,
    });
    expect(batchToBytes(batch)).toEqual(Uint8Array.from(BATCH));
  });

  it('can be checked with nothing but a hash and a signature, as the README says', () => {
    // Positions counted by hand: [ signed (0x10f bytes), salt (16), [ 3 columns of 0x49, 0x23, 0x23 bytes ] ].
    const signed = BATCH.subarray(4, 4 + 0x10f);
    const salt = BATCH.subarray(4 + 0x10f + 1, 4 + 0x10f + 17);
    let at = 4 + 0x10f + 17 + 1;
    const columns = [0x49, 0x23, 0x23].map((size) => {
      at += 2;
      const column = BATCH.subarray(at, at + size);
      at += size;
      return column;
    });
    expect(at).toBe(BATCH.length);
    // signed = d2 84 58 37 protected (55) a0 58 8f header (143) 58 40 signature (64)
    const protectedHeader = signed.subarray(4, 4 + 0x37);
    const header = signed.subarray(4 + 0x37 + 3, 4 + 0x37 + 3 + 0x8f);
    const signature = signed.subarray(-64);
    const toBeSigned = Buffer.concat([
      Buffer.from('846a5369676e617475726531', 'hex'),
      Buffer.from([0x58, protectedHeader.length]),
      protectedHeader,
      Buffer.from([0x40, 0x58, header.length]),
      header,
    ]);
    expect(verify('sha256', toBeSigned, { key, dsaEncoding: 'ieee-p1363' }, signature)).toBe(true);
    const salts = createHash('shake256', { outputLength: 48 }).update(salt).digest();
    const [a, b, c] = columns.map((column, i) => sha(Buffer.of(0), salts.subarray(16 * i, 16 * i + 16), column));
    const root = sha(Buffer.of(1), sha(Buffer.of(1), a!, b!), c!);
    expect(root.toString('hex')).toBe('801f6bc8c6c16fd34eb475ef85a0ca91dc627ce5349fff9e08013f991454fd9b');
    expect(header.includes(root)).toBe(true);
    expect(sha(header)).toEqual(Buffer.from(decodeBatch(BATCH).hash));
  });
});
