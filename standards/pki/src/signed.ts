/** What certificates and requests have in common: `SEQUENCE { toBeSigned, algorithm, signature }`. */
import { createHash, createPublicKey, type KeyObject, verify } from 'node:crypto';
import { algorithmIdentifier, checkSignatureSize, signatureToDer } from './algorithm.ts';
import { DerReader } from './der-reader.ts';
import * as der from './der-writer.ts';
import { PkiError } from './error.ts';
import { OID } from './oid.ts';
import type { Signer } from './signer.ts';

/** Largest certificate or request that is read, in bytes. */
export const MAX_SIGNED_BYTES = 64 * 1024;

export interface SignedObject {
  readonly der: Uint8Array;
  /** The part that is signed, as it stands. */
  readonly toBeSigned: Uint8Array;
  /** Object identifier of the signature algorithm. */
  readonly signatureAlgorithm: string;
  /** ECDSA: DER of SEQUENCE { r, s }; RSA: its octets. */
  readonly signature: Uint8Array;
}

/**
 * Signs and wraps.
 * @param rest what stands behind the signature, where a structure has such
 * @throws PkiError `pki.signer` when the signer's answer has not the size of its algorithm
 */
export async function signObject(
  toBeSigned: Uint8Array,
  signer: Signer,
  ...rest: readonly Uint8Array[]
): Promise<Uint8Array> {
  const raw = await signer.sign(toBeSigned);
  checkSignatureSize(signer.algorithm, raw);
  return der.sequence(toBeSigned, algorithmIdentifier(signer.algorithm), der.bitString(signatureToDer(raw)), ...rest);
}

/**
 * Takes the outer structure apart.
 * @param options.max most bytes that are read
 * @param options.rest reads what stands behind the signature; nothing may when absent
 * @returns also a reader inside the signed part
 */
export function readSigned(
  bytes: Uint8Array,
  what: string,
  options: { readonly max?: number; readonly rest?: (outer: DerReader) => void } = {},
): SignedObject & { readonly inner: DerReader } {
  const { max = MAX_SIGNED_BYTES, rest } = options;
  if (bytes.length > max) {
    throw new PkiError('peer', 'pki.size', `the ${what} has ${bytes.length} bytes, at most ${max} are read`);
  }
  const reader = new DerReader(bytes);
  const outer = reader.sequence(what);
  reader.end(what);
  const toBeSigned = outer.any(`signed part of the ${what}`).raw;
  const signatureAlgorithm = readAlgorithm(outer);
  const signature = outer.octetAlignedBits('signature');
  rest?.(outer);
  outer.end(what);
  const inner = new DerReader(toBeSigned).sequence(`signed part of the ${what}`);
  return { der: bytes, toBeSigned, signatureAlgorithm, signature, inner };
}

/** AlgorithmIdentifier; parameters are passed over. */
export function readAlgorithm(reader: DerReader): string {
  const algorithm = reader.sequence('algorithm');
  const oid = algorithm.objectIdentifier('algorithm');
  if (!algorithm.done) algorithm.any('algorithm parameters');
  algorithm.end('algorithm');
  return oid;
}

/** Shortest RSA modulus whose signature counts. */
const MIN_RSA_BITS = 2048;

/** Signature algorithms that are verified; RSA (PKCS#1 v1.5) because makers of TPMs sign their certificates with it. */
const VERIFIED: Readonly<Record<string, { readonly key: 'ec' | 'rsa'; readonly hash: string }>> = {
  [OID.ecdsaWithSha256]: { key: 'ec', hash: 'sha256' },
  [OID.ecdsaWithSha384]: { key: 'ec', hash: 'sha384' },
  [OID.ecdsaWithSha512]: { key: 'ec', hash: 'sha512' },
  [OID.sha256WithRsa]: { key: 'rsa', hash: 'sha256' },
  [OID.sha384WithRsa]: { key: 'rsa', hash: 'sha384' },
  [OID.sha512WithRsa]: { key: 'rsa', hash: 'sha512' },
};

/** Key type and hash of a signature algorithm. @throws PkiError (fault unsupported) for one that is not verified here */
export function verifiedAlgorithm(oid: string): { readonly key: 'ec' | 'rsa'; readonly hash: string } {
  const algorithm = VERIFIED[oid];
  if (!algorithm) {
    throw new PkiError('unsupported', 'pki.algorithm', `signature algorithm ${oid} is not verified here`);
  }
  return algorithm;
}

/** Whether a key is of the kind that an algorithm needs, and long enough to count. @throws PkiError as `verifiedAlgorithm` */
export function keyFits(key: KeyObject, oid: string): boolean {
  if (key.asymmetricKeyType !== verifiedAlgorithm(oid).key) return false;
  const { modulusLength } = key.asymmetricKeyDetails ?? {};
  return modulusLength === undefined || modulusLength >= MIN_RSA_BITS;
}

/** Whether the key made the signature. @throws PkiError (fault unsupported) for an algorithm that is not verified here */
export function signedBy(object: SignedObject, key: KeyObject): boolean {
  const { hash } = verifiedAlgorithm(object.signatureAlgorithm);
  return keyFits(key, object.signatureAlgorithm) && verify(hash, object.toBeSigned, key, object.signature);
}

/** @throws PkiError (fault peer) when the bytes are no public key */
export function publicKeyFrom(spki: Uint8Array): KeyObject {
  try {
    return createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' });
  } catch (cause) {
    throw new PkiError('peer', 'pki.key', 'the public key cannot be read', { cause });
  }
}

/** SHA-1 of the public key's bits (RFC 5280 § 4.2.1.2 method 1): an identifier, nothing that security rests on. */
export function keyIdentifier(spki: Uint8Array): Uint8Array {
  const reader = new DerReader(spki).sequence('public key');
  reader.any('algorithm');
  return createHash('sha1').update(reader.octetAlignedBits('public key')).digest();
}

const PEM = /-----BEGIN ([A-Z0-9 ]+)-----\s*([A-Za-z0-9+/=\s]*?)-----END \1-----/g;

/** RFC 7468. @param label for example `CERTIFICATE` */
export function toPem(label: string, bytes: Uint8Array): string {
  const lines =
    Buffer.from(bytes)
      .toString('base64')
      .match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
}

/** All objects with the label, in order; empty when there is none. */
export function fromPem(label: string, text: string): Uint8Array[] {
  return Array.from(text.matchAll(PEM))
    .filter(([, found]) => found === label)
    .map(([, , base64 = '']) => Buffer.from(base64, 'base64'));
}
