import { randomBytes } from 'node:crypto';
import { decodeCbor, encodeCbor } from '@enerchain/trust';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type AttestationResult,
  decodeEvidence,
  decodeManifest,
  decodeRecord,
  decodeResult,
  EAR_PROFILE,
  encodeManifest,
  encodeRecord,
  encodeResult,
  ReferenceValues,
  readManifest,
  readResult,
  signManifest,
  signResult,
  statusOf,
  TrustTimeline,
  trustworthinessOf,
} from '../src/index.ts';
import { component, digest, kidOf, manifestOf, newSigner, SECOND, START } from './world.ts';

const result = (fields: Partial<AttestationResult> = {}): AttestationResult => ({
  node: 'edge-nord',
  verifier: 'centre',
  tier: 'tpm',
  status: 'affirming',
  vector: { instanceIdentity: 2, executables: 2, hardware: 2 },
  reasons: [],
  binding: new Uint8Array(32).fill(1),
  evidence: new Uint8Array(32).fill(2),
  policy: 'production-1',
  issuedAt: START,
  validUntil: START + 30n * SECOND,
  sequence: 7,
  boot: '3.0.1',
  ...fields,
});

describe('an attestation result', () => {
  const signer = newSigner();
  const kid = kidOf(signer);
  const keyOf = (name: string) => (of: Uint8Array) =>
    Buffer.compare(of, kid) === 0 ? { key: signer.publicKey, name } : undefined;

  it('is an EAR with the labels of its drafts', () => {
    const claims = decodeCbor(encodeResult(result())) as Map<number, unknown>;
    expect(claims.get(265)).toBe(EAR_PROFILE);
    expect(claims.get(6)).toBe(1_790_000_000);
    expect(claims.get(4)).toBe(1_790_000_030);
    expect(claims.get(1004)).toEqual(
      new Map([
        [0, 'CloudEnerChain'],
        [1, 'enerchain attestation 1'],
      ]),
    );
    const appraisal = (claims.get(266) as Record<string, Map<number, unknown>>)['edge-nord']!;
    expect(appraisal.get(1000)).toBe(2);
    expect(appraisal.get(1001)).toEqual(
      new Map([
        [0, 2],
        [2, 2],
        [4, 2],
      ]),
    );
    expect(appraisal.get(1003)).toEqual(['production-1']);
    for (const key of [...claims.keys(), ...appraisal.keys()]) expect(key > 0 || key < -65_536).toBe(true);
  });

  it('is written in the one order that deterministic encoding has', () => {
    for (const each of [result(), result({ vector: {}, status: 'none', references: ['ab'], reasons: ['why'] })]) {
      const bytes = encodeResult(each);
      // Written anew from what was read, by the encoder that sorts.
      expect(Buffer.from(encodeCbor(decodeCbor(bytes))).toString('hex')).toBe(Buffer.from(bytes).toString('hex'));
    }
  });

  it('survives its way, and its signature says by whom', async () => {
    const reasons = ['a.ts is 00… instead of 11…'];
    const chained = result({ previous: new Uint8Array(32).fill(9), goodSince: { at: START - 5n, sequence: 3 } });
    const software = result({ tier: 'software', status: 'warning', reasons, references: ['ab', 'cd'] });
    for (const each of [result(), chained, software]) {
      const { bytes } = await signResult(each, signer, kid);
      expect(readResult(bytes, keyOf('centre')).result).toEqual(each);
      expect(() => readResult(bytes, keyOf('edge-sued'))).toThrow('was signed by edge-sued');
      expect(() => readResult(bytes, () => undefined)).toThrow(expect.objectContaining({ code: 'cose.kid' }));
      const changed = bytes.slice();
      changed[changed.length - 1]! ^= 1;
      expect(() => readResult(changed, keyOf('centre'))).toThrow(expect.objectContaining({ code: 'cose.signature' }));
    }
  });

  it('that says more than its claims allow is not read', () => {
    const refused = (fields: Partial<AttestationResult>) => {
      expect(() => decodeResult(encodeResult(result(fields)))).toThrow(
        expect.objectContaining({ code: 'attestation.result', fault: 'peer' }),
      );
    };
    refused({ tier: 'software' });
    refused({ vector: {} });
    refused({ vector: { executables: 32 } });
    refused({ vector: { executables: 2, hardware: 0 } });
    refused({ validUntil: START - 1n });
    refused({ binding: new Uint8Array(31) });
    refused({ previous: new Uint8Array(31) });
    refused({ goodSince: { at: START + 1n, sequence: 7 } });
    refused({ goodSince: { at: START, sequence: 8 } });
    refused({ goodSince: { at: START, sequence: 7 }, reasons: ['a.ts is 00… instead of 11…'] });
  });

  it('has the status of its worst claim', () => {
    expect([2, 31, -3].map(trustworthinessOf)).toEqual(['affirming', 'affirming', 'affirming']);
    expect([0, 1, -1].map(trustworthinessOf)).toEqual(['none', 'none', 'none']);
    expect([32, 95, -33, -96].map(trustworthinessOf)).toEqual(['warning', 'warning', 'warning', 'warning']);
    expect([96, 127, -97, -128].map(trustworthinessOf)).toEqual(Array(4).fill('contraindicated'));
    expect(statusOf({})).toBe('none');
    expect(statusOf({ executables: 2, hardware: 0 })).toBe('none');
    expect(statusOf({ executables: 2, hardware: 33, configuration: 0 })).toBe('warning');
    expect(statusOf({ executables: 2, hardware: 97, configuration: 36 })).toBe('contraindicated');
  });
});

describe('a manifest', () => {
  const authority = newSigner();
  const keyOf = (kid: Uint8Array) => (Buffer.compare(kid, kidOf(authority)) === 0 ? authority.publicKey : undefined);
  const whole = manifestOf([component('b.ts'), component('a.ts')], {
    node: 'edge-nord',
    registers: [{ pcr: 0, digest: digest('firmware') }],
  });

  it('survives its way, sorted, with its signature checked', async () => {
    const signed = await signManifest(whole, authority, kidOf(authority));
    const read = readManifest(signed.bytes, keyOf);
    expect(read.digest).toBe(signed.digest);
    expect(read.manifest).toEqual({ ...whole, components: [component('a.ts'), component('b.ts')] });
    expect(() => readManifest(signed.bytes, () => undefined)).toThrow('is no authority here');
    const changed = signed.bytes.slice();
    changed[changed.length - 1]! ^= 1;
    expect(() => readManifest(changed, keyOf)).toThrow('has a signature that does not fit');
  });

  it('carries the tags and labels of CoRIM', () => {
    const corim = decodeCbor(encodeManifest(whole)) as { tag: number; value: Map<number, unknown> };
    expect(corim.tag).toBe(501);
    expect([...corim.value.keys()]).toEqual([0, 1, 3, 4, 5]);
    const [comid] = corim.value.get(1) as { tag: number; value: Uint8Array }[];
    expect(comid!.tag).toBe(506);
    const tag = decodeCbor(comid!.value) as Map<number, unknown>;
    expect(tag.get(1)).toEqual(
      new Map<number, unknown>([
        [0, 'enerchain-test'],
        [1, 1],
      ]),
    );
    const [[environment, measurements]] = (tag.get(4) as Map<number, unknown[][]>).get(0) as [[unknown, unknown[]]];
    expect(environment).toEqual(new Map([[1, { tag: 560, value: Uint8Array.from(Buffer.from('edge-nord')) }]]));
    expect(measurements[0]).toEqual(
      new Map<number, unknown>([
        [0, 'a.ts'],
        [1, new Map([[2, [[1, digest('a.ts')]]]])],
      ]),
    );
  });

  it('that is half understood is not used at all', () => {
    const corim = decodeCbor(encodeManifest(whole)) as { value: Map<number, unknown> };
    corim.value.set(2, []);
    expect(() => decodeManifest(encodeCbor(corim as never))).toThrow(
      expect.objectContaining({ code: 'attestation.manifest' }),
    );
  });

  it('holds from its beginning to its end, and for its node alone', async () => {
    const values = new ReferenceValues();
    const add = async (fields: object, components = [component('a.ts')]) => {
      const signed = await signManifest(manifestOf(components, fields), authority, kidOf(authority));
      values.add(signed);
      return signed.digest;
    };
    await add({ notBefore: START, notAfter: START + 100n * SECOND });
    await add({ notBefore: START + 50n * SECOND, notAfter: START + 200n * SECOND }, [component('a.ts', 'new')]);
    await add({ node: 'edge-nord' }, [component('config:site')]);
    const verdicts = (seconds: bigint) => {
      const snapshot = values.at(START + seconds * SECOND);
      return ['a.ts', 'new'].map((content) => snapshot.check('edge-nord', 'a.ts', digest(content)).verdict);
    };
    expect(verdicts(0n)).toEqual(['known', 'changed']);
    expect(verdicts(49n)).toEqual(['known', 'changed']);
    expect(verdicts(50n)).toEqual(['known', 'known']);
    expect(verdicts(100n)).toEqual(['changed', 'known']);
    expect(verdicts(200n)).toEqual(['unknown', 'unknown']);
    const snapshot = values.at(START);
    expect(values.at(START + SECOND)).toBe(snapshot);
    expect(snapshot.check('edge-nord', 'config:site', digest('config:site')).verdict).toBe('known');
    expect(snapshot.check('edge-sued', 'config:site', digest('config:site')).verdict).toBe('unknown');
  });
});

describe('the timeline', () => {
  const at = (seconds: number): bigint => START + BigInt(seconds) * SECOND;
  const say = (seconds: number, kind: 'good' | 'bad' | 'none', boot = 'a') => ({
    status: ({ good: 'affirming', bad: 'contraindicated', none: 'none' } as const)[kind],
    reasons: kind === 'good' ? [] : ['something'],
    boot,
    issuedAt: at(seconds),
    validUntil: at(seconds + 30),
  });
  const timeline = (...results: ReturnType<typeof say>[]) => {
    const made = new TrustTimeline();
    for (const each of results) made.add(each);
    return (...times: number[]) => times.map((time) => made.at(at(time)));
  };

  it('brackets: attested between good results, provisional after the last, unknown when it has run out', () => {
    const trust = timeline(say(10, 'good'), say(20, 'good'));
    expect(trust(9, 10, 15, 20, 21, 49, 50)).toEqual([
      'unknown',
      'attested',
      'attested',
      'attested',
      'provisional',
      'provisional',
      'unknown',
    ]);
  });

  it('re-marks what came after the last good result when a bad one follows', () => {
    const trust = timeline(
      say(10, 'good'),
      say(20, 'good'),
      say(30, 'bad'),
      say(40, 'bad'),
      say(50, 'good'),
      say(60, 'good'),
    );
    expect(trust(15, 20, 21, 29, 30, 45)).toEqual([
      'attested',
      'attested',
      'distrusted',
      'distrusted',
      'distrusted',
      'distrusted',
    ]);
    expect(trust(50, 55, 60, 61)).toEqual(['attested', 'attested', 'attested', 'provisional']);
  });

  it('does not bracket across a new start of the node', () => {
    const trust = timeline(say(10, 'good', 'a'), say(20, 'good', 'b'), say(30, 'good', 'b'));
    expect(trust(10, 11, 19, 20, 25)).toEqual(['attested', 'provisional', 'provisional', 'attested', 'attested']);
    const apart = timeline(say(10, 'good', 'a'), say(100, 'good', 'b'));
    expect(apart(39, 41, 99)).toEqual(['provisional', 'unknown', 'unknown']);
  });

  it('brackets a long absence within one boot: the list is only ever longer', () => {
    expect(timeline(say(10, 'good'), say(7200, 'good'))(3600)).toEqual(['attested']);
  });

  it('learns nothing from a result that says nothing', () => {
    expect(timeline(say(10, 'good'), say(20, 'none'), say(30, 'good'))(15, 25)).toEqual(['attested', 'attested']);
    expect(timeline(say(10, 'none'))(10)).toEqual(['unknown']);
  });

  it('says from when on values have another trust, and comes back from what was kept', () => {
    const made = new TrustTimeline();
    expect(made.add(say(10, 'good'))).toBe(at(10));
    expect(made.add(say(20, 'good'))).toBe(at(10));
    expect(made.add(say(30, 'bad'))).toBe(at(20));
    expect(made.add(say(25, 'good'))).toBeUndefined();
    expect(made.add(say(40, 'none'))).toBeUndefined();
    const again = new TrustTimeline(made.segments);
    expect([15, 25, 35].map((time) => again.at(at(time)))).toEqual(['attested', 'distrusted', 'distrusted']);
  });
});

describe('what comes from outside', () => {
  const decoders = { decodeEvidence, decodeManifest, decodeRecord, decodeResult };
  const record = encodeRecord({ kind: 'start', at: START, components: [component('a'), component('b')] });
  const seeds = [record, encodeResult(result()), encodeManifest(manifestOf([component('a')]))];

  it.each(Object.entries(decoders))('never makes %s fail otherwise than with an error of the peer', (_name, decode) => {
    const check = (bytes: Uint8Array) => {
      try {
        decode(bytes);
      } catch (error) {
        expect((error as { fault?: string }).fault, String(error)).toBe('peer');
      }
    };
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), check), { numRuns: 500 });
    const mutated = fc.tuple(fc.nat(seeds.length - 1), fc.nat(), fc.uint8Array({ minLength: 1, maxLength: 4 }));
    fc.assert(
      fc.property(mutated, ([which, where, put]) => {
        const bytes = Uint8Array.from(seeds[which] as Uint8Array);
        bytes.set(put.subarray(0, Math.max(1, bytes.length - (where % bytes.length))), where % bytes.length);
        check(bytes);
      }),
      { numRuns: 2000 },
    );
    for (const seed of seeds) for (let end = 0; end < seed.length; end++) check(seed.subarray(0, end));
    // Nothing is believed about lengths: a claim of a million records in a few octets.
    check(Uint8Array.from([0x9a, 0x00, 0x0f, 0x42, 0x40, ...randomBytes(20)]));
  });
});
