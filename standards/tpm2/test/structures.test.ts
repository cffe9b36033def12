import { generateKeyPairSync } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type Attest,
  encodeAttest,
  encodePublic,
  encodeSignature,
  encodeSizedPublic,
  fromKeyObject,
  HASHES,
  type HashAlgorithm,
  OBJECT_ATTRIBUTES,
  type ObjectAttribute,
  objectName,
  type PcrSelection,
  parseAttest,
  parsePublic,
  parseSignature,
  parseSizedPublic,
  Tpm2Error,
  toKeyObject,
} from '../src/index.ts';
import { missing, reference, referenceText } from './reference-data.ts';
import * as vectors from './vectors.ts';

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');
const octets = (min: number, max = min) => fc.uint8Array({ minLength: min, maxLength: max });
const u32 = fc.nat({ max: 0xffffffff });
const u64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });

describe('public areas', () => {
  it('reads what a TPM wrote and writes the same bytes', () => {
    for (const bytes of [vectors.ekEcc, vectors.ekRsa, vectors.akEcc, vectors.akRsa, vectors.identity]) {
      expect(hex(encodeSizedPublic(parseSizedPublic(bytes)))).toBe(hex(bytes));
    }
  });

  it('shows what the key is for', () => {
    expect(parseSizedPublic(vectors.akEcc)).toMatchObject({
      type: 'ecc',
      nameAlg: 'sha256',
      attributes: ['fixedTPM', 'fixedParent', 'sensitiveDataOrigin', 'userWithAuth', 'restricted', 'sign'],
      scheme: { scheme: 'ecdsa', hash: 'sha256' },
      curve: 'nist_p256',
      symmetric: undefined,
    });
    expect(parseSizedPublic(vectors.ekRsa)).toMatchObject({
      type: 'rsa',
      attributes: ['fixedTPM', 'fixedParent', 'sensitiveDataOrigin', 'adminWithPolicy', 'restricted', 'decrypt'],
      symmetric: { algorithm: 'aes', keyBits: 128, mode: 'cfb' },
      keyBits: 2048,
    });
  });

  it('computes the name that the TPM gives', () => {
    expect(hex(objectName(parseSizedPublic(vectors.akEcc)))).toBe(hex(vectors.akEccName));
  });

  it.each([
    ['P-256', generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey],
    ['P-384', generateKeyPairSync('ec', { namedCurve: 'P-384' }).publicKey],
    ['P-521', generateKeyPairSync('ec', { namedCurve: 'P-521' }).publicKey],
    ['RSA', generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey],
    ['RSA with exponent 3', generateKeyPairSync('rsa', { modulusLength: 2048, publicExponent: 3 }).publicKey],
  ])('carries a key of node:crypto and gives it back: %s', (_, key) => {
    const area = fromKeyObject(key, { attributes: ['sign', 'userWithAuth'] });
    expect(toKeyObject(parsePublic(encodePublic(area))).equals(key)).toBe(true);
  });

  it.each([
    ['Ed25519', generateKeyPairSync('ed25519').publicKey],
    ['a private key', generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey],
    ['brainpoolP256r1', generateKeyPairSync('ec', { namedCurve: 'brainpoolP256r1' }).publicKey],
  ])('refuses a key that a TPM cannot hold: %s', (_, key) => {
    expect(() => fromKeyObject(key, { attributes: [] })).toThrow(Tpm2Error);
  });

  it('refuses a point that is not on the curve, and a modulus shorter than the key claims', () => {
    const ecc = parseSizedPublic(vectors.akEcc);
    if (ecc.type !== 'ecc') throw new Error('not ECC');
    expect(() => toKeyObject({ ...ecc, x: ecc.y })).toThrow('no usable ecc key');
    const rsa = parseSizedPublic(vectors.akRsa);
    if (rsa.type !== 'rsa') throw new Error('not RSA');
    expect(() => toKeyObject({ ...rsa, modulus: rsa.modulus.subarray(1) })).toThrow('does not have the 2048 bits');
  });

  it('reads back any public area', () => {
    const names = Object.keys(OBJECT_ATTRIBUTES) as ObjectAttribute[];
    const common = {
      nameAlg: fc.constantFrom<(HashAlgorithm | undefined)[]>(...(Object.keys(HASHES) as HashAlgorithm[]), undefined),
      attributes: fc.subarray(names),
      authPolicy: octets(0, 64),
    };
    const hash = fc.constantFrom<HashAlgorithm[]>('sha1', 'sha256', 'sha384');
    const symmetric = fc.option(
      fc.record({
        algorithm: fc.constantFrom('aes' as const, 'camellia' as const),
        keyBits: fc.constantFrom(128, 192, 256),
        mode: fc.constantFrom('cfb' as const, undefined),
      }),
      { nil: undefined },
    );
    const kdf = fc.option(fc.record({ kdf: fc.constantFrom('mgf1' as const, 'kdf1_sp800_108' as const), hash }), {
      nil: undefined,
    });
    const area = fc.oneof(
      fc.record({
        type: fc.constant('rsa' as const),
        ...common,
        symmetric,
        scheme: fc.oneof(
          fc.constant(undefined),
          fc.constant({ scheme: 'rsaes' as const }),
          fc.record({ scheme: fc.constantFrom('rsassa' as const, 'oaep' as const), hash }),
        ),
        keyBits: fc.nat(0xffff),
        exponent: u32,
        modulus: octets(0, 512),
      }),
      fc.record({
        type: fc.constant('ecc' as const),
        ...common,
        symmetric,
        scheme: fc.oneof(
          fc.constant(undefined),
          fc.record({ scheme: fc.constantFrom('ecdsa' as const, 'ecdh' as const), hash }),
          fc.record({ scheme: fc.constant('ecdaa' as const), hash, count: fc.nat(0xffff) }),
        ),
        curve: fc.constantFrom('nist_p256' as const, 'nist_p521' as const, 'bn_p256' as const),
        kdf,
        x: octets(0, 66),
        y: octets(0, 66),
      }),
      fc.record({
        type: fc.constant('keyedhash' as const),
        ...common,
        scheme: fc.oneof(
          fc.constant(undefined),
          fc.record({ scheme: fc.constant('hmac' as const), hash }),
          fc.record({ scheme: fc.constant('xor' as const), hash, kdf: fc.constantFrom('mgf1' as const, undefined) }),
        ),
        unique: octets(0, 64),
      }),
    );
    fc.assert(
      fc.property(area, (each) => {
        expect(normal(parsePublic(encodePublic(each)))).toEqual(normal(each));
      }),
    );
  });
});

/** Views and Buffers compare as plain octets. */
const normal = (value: unknown): unknown =>
  value instanceof Uint8Array
    ? Buffer.from(value)
    : Array.isArray(value)
      ? value.map(normal)
      : typeof value === 'object' && value !== null
        ? Object.fromEntries(Object.entries(value).map(([key, each]) => [key, normal(each)]))
        : value;

describe('attestations and signatures', () => {
  it('reads what a TPM wrote and writes the same bytes', () => {
    for (const bytes of [vectors.quoteEcc, vectors.quoteRsa, vectors.certify]) {
      expect(hex(encodeAttest(parseAttest(bytes)))).toBe(hex(bytes));
    }
    for (const bytes of [vectors.quoteEccSignature, vectors.quoteRsaSignature, vectors.certifySignature]) {
      expect(hex(encodeSignature(parseSignature(bytes)))).toBe(hex(bytes));
    }
  });

  it('shows what was quoted', () => {
    const attest = parseAttest(vectors.quoteEcc);
    expect(attest).toMatchObject({ clockInfo: { clock: 150n, resetCount: 1, restartCount: 0, safe: true } });
    expect(attest.firmwareVersion).toBe(0x2019102300163636n);
    expect(attest.attested).toMatchObject({
      type: 'quote',
      pcrs: [
        { hash: 'sha256', pcrs: [0, 7, 10] },
        { hash: 'sha1', pcrs: [0, 1] },
      ],
    });
  });

  it('reads back any attestation', () => {
    const clockInfo = fc.record({ clock: u64, resetCount: u32, restartCount: u32, safe: fc.boolean() });
    const selection: fc.Arbitrary<PcrSelection> = fc.record({
      hash: fc.constantFrom<HashAlgorithm[]>('sha1', 'sha256', 'sha512'),
      pcrs: fc.subarray(Array.from({ length: 24 }, (_, i) => i)),
    });
    const attested = fc.oneof(
      fc.record({
        type: fc.constant('quote' as const),
        pcrs: fc.array(selection, { maxLength: 4 }),
        pcrDigest: octets(0, 64),
      }),
      fc.record({ type: fc.constant('certify' as const), name: octets(0, 66), qualifiedName: octets(0, 66) }),
      fc.record({ type: fc.constant('creation' as const), objectName: octets(0, 66), creationHash: octets(0, 64) }),
      fc.record({ type: fc.constant('time' as const), time: u64, clockInfo, firmwareVersion: u64 }),
      fc.record({
        type: fc.constant('nv' as const),
        indexName: octets(0, 66),
        offset: fc.nat(0xffff),
        contents: octets(0, 300),
      }),
      fc.record({ type: fc.constant('nvDigest' as const), indexName: octets(0, 66), digest: octets(0, 64) }),
      fc.record({
        type: fc.constant('commandAudit' as const),
        auditCounter: u64,
        hash: fc.constantFrom<HashAlgorithm[]>('sha1', 'sha256'),
        auditDigest: octets(0, 64),
        commandDigest: octets(0, 64),
      }),
      fc.record({ type: fc.constant('sessionAudit' as const), exclusive: fc.boolean(), sessionDigest: octets(0, 64) }),
    );
    const attest: fc.Arbitrary<Attest> = fc.record({
      qualifiedSigner: octets(0, 66),
      extraData: octets(0, 66),
      clockInfo,
      firmwareVersion: u64,
      attested,
    });
    fc.assert(
      fc.property(attest, (each) => {
        expect(normal(parseAttest(encodeAttest(each)))).toEqual(normal(each));
      }),
    );
  });

  const structures: [string, Uint8Array, (bytes: Uint8Array) => unknown][] = [
    ['TPM2B_PUBLIC', vectors.ekRsa, parseSizedPublic],
    ['TPMS_ATTEST (quote)', vectors.quoteEcc, parseAttest],
    ['TPMS_ATTEST (certify)', vectors.certify, parseAttest],
    ['TPMT_SIGNATURE', vectors.quoteEccSignature, parseSignature],
  ];

  it.each(structures)('%s cut short anywhere, or with something behind it, is refused', (_, bytes, parse) => {
    for (let size = 0; size < bytes.length; size++) expect(() => parse(bytes.subarray(0, size))).toThrow(Tpm2Error);
    expect(() => parse(Buffer.concat([bytes, Buffer.of(0)]))).toThrow(/too many/);
  });

  it.each(structures)('%s changed anywhere is read or refused with a typed error', (_, bytes, parse) => {
    for (let at = 0; at < bytes.length; at++) {
      for (const value of [0, 1, 0x7f, 0x80, 0xff]) {
        const changed = Uint8Array.from(bytes);
        changed[at] = value;
        try {
          parse(changed);
        } catch (error) {
          expect(error).toBeInstanceOf(Tpm2Error);
          expect((error as Tpm2Error).fault).toBe('peer');
        }
      }
    }
  });

  it('any bytes are read or refused with a typed error', () => {
    fc.assert(
      fc.property(octets(0, 300), fc.constantFrom(parseAttest, parseSignature, parsePublic), (bytes, parse) => {
        try {
          parse(bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(Tpm2Error);
        }
      }),
      { numRuns: 2000 },
    );
  });
});

describe.skipIf(missing !== undefined)(`files of keylime${missing ? ` (${missing})` : ''}`, () => {
  const file = (name: string) => `keylime/files/${name}`;

  it.each([
    ['ak.pub', 'akpub.pem'],
    ['ek.pub', 'ekpub.pem'],
  ])('%s is the key of %s', (area, pem) => {
    const key = toKeyObject(parseSizedPublic(reference(file(area))));
    expect(key.export({ type: 'spki', format: 'pem' })).toBe(referenceText(file(pem)));
  });

  it('names the attestation key', () => {
    expect(hex(objectName(parseSizedPublic(reference(file('ak.pub')))))).toBe(hex(reference(file('ak.name'))));
  });
});
