/**
 * The signature algorithms, as data: ECDSA on two NIST and two Brainpool curves (RFC 5639), each with the hash of its own
 * size. Names as in COSE (RFC 9053 § 2.1, RFC 9864 § 2.1); Brainpool is what the German smart metering PKI signs with.
 */
import { type KeyObject, verify } from 'node:crypto';
import { DerReader } from './der-reader.ts';
import * as der from './der-writer.ts';
import { PkiError } from './error.ts';
import { OID } from './oid.ts';

export interface AlgorithmFacts {
  /** Name of the curve as OpenSSL, and so node:crypto, reports it. */
  readonly curve: string;
  readonly curveOid: string;
  /** Name for `node:crypto`. */
  readonly hash: 'sha256' | 'sha384';
  /** Octets of r and of s. */
  readonly size: number;
  /** Object identifier in certificates: names the hash only, the curve stands in the key (RFC 5758 § 3.2). */
  readonly oid: string;
  /** COSE algorithm identifier (RFC 9053 § 2.1, RFC 9864 § 2.1). */
  readonly cose: number;
}

export type SignatureAlgorithm = 'ES256' | 'ES384' | 'ESB256' | 'ESB384';

export const ALGORITHMS: Readonly<Record<SignatureAlgorithm, AlgorithmFacts>> = {
  ES256: {
    curve: 'prime256v1',
    curveOid: OID.prime256v1,
    hash: 'sha256',
    size: 32,
    oid: OID.ecdsaWithSha256,
    cose: -7,
  },
  ES384: { curve: 'secp384r1', curveOid: OID.secp384r1, hash: 'sha384', size: 48, oid: OID.ecdsaWithSha384, cose: -35 },
  ESB256: {
    curve: 'brainpoolP256r1',
    curveOid: OID.brainpoolP256r1,
    hash: 'sha256',
    size: 32,
    oid: OID.ecdsaWithSha256,
    cose: -265,
  },
  ESB384: {
    curve: 'brainpoolP384r1',
    curveOid: OID.brainpoolP384r1,
    hash: 'sha384',
    size: 48,
    oid: OID.ecdsaWithSha384,
    cose: -267,
  },
};

export const SIGNATURE_ALGORITHMS = Object.keys(ALGORITHMS) as readonly SignatureAlgorithm[];

/** The algorithm that a key signs with here, `undefined` when it is of another kind. */
export function algorithmOf(key: KeyObject): SignatureAlgorithm | undefined {
  const curve = key.asymmetricKeyDetails?.namedCurve;
  return SIGNATURE_ALGORITHMS.find((name) => ALGORITHMS[name].curve === curve);
}

/** AlgorithmIdentifier of a signature: no parameters (RFC 5758 § 3.2). */
export const algorithmIdentifier = (algorithm: SignatureAlgorithm): Uint8Array =>
  der.sequence(der.objectIdentifier(ALGORITHMS[algorithm].oid));

/** r‖s to the form in certificates, `SEQUENCE { r, s }` (RFC 3279 § 2.2.3). */
export function signatureToDer(raw: Uint8Array): Uint8Array {
  const half = raw.length / 2;
  return der.sequence(der.unsignedInteger(raw.subarray(0, half)), der.unsignedInteger(raw.subarray(half)));
}

/** `SEQUENCE { r, s }` to r‖s. @param size octets of each. @throws PkiError (fault peer) when it is no such signature */
export function signatureFromDer(bytes: Uint8Array, size: number): Uint8Array {
  const reader = new DerReader(bytes);
  const pair = reader.sequence('signature');
  const raw = new Uint8Array(2 * size);
  for (const end of [size, 2 * size]) {
    const octets = pair.integerBytes('signature', size + 1);
    const magnitude = octets[0] === 0 ? octets.subarray(1) : octets;
    if (octets[0]! >= 0x80 || magnitude.length > size) throw pair.fail('a part of the signature is out of range');
    raw.set(magnitude, end - magnitude.length);
  }
  pair.end('signature');
  reader.end('signature');
  return raw;
}

/**
 * Whether the key made the signature with the algorithm; a key of another curve made none.
 * @param signature r‖s
 */
export function verifyRaw(
  algorithm: SignatureAlgorithm,
  key: KeyObject,
  data: Uint8Array,
  signature: Uint8Array,
): boolean {
  const { hash, size } = ALGORITHMS[algorithm];
  if (algorithmOf(key) !== algorithm || signature.length !== 2 * size) return false;
  return verify(hash, data, { key, dsaEncoding: 'ieee-p1363' }, signature);
}

/** @throws PkiError `pki.signer` (fault local) when a signer's answer has not the size of its algorithm */
export function checkSignatureSize(algorithm: SignatureAlgorithm, raw: Uint8Array): void {
  const expected = 2 * ALGORITHMS[algorithm].size;
  if (raw.length !== expected) {
    throw new PkiError('local', 'pki.signer', `the ${algorithm} signer returned ${raw.length} bytes, not ${expected}`);
  }
}
