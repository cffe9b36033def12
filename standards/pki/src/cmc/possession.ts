/**
 * Proof of possession of a key that does not sign but opens what was encrypted for it (RFC 5272 § 6.7): the authority sends a
 * secret that only this key opens, and gets a MAC with it over the request. And the numbers that are used once (§ 6.6).
 */
import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import {
  algorithmIdentifier,
  type CmsAttribute,
  contentInfo,
  readPlainAlgorithm,
  singleValue,
} from '../cms/content-info.ts';
import { CMS_OID } from '../cms/oid.ts';
import type { DerReader } from '../der-reader.ts';
import { context, TAG } from '../der-tags.ts';
import * as der from '../der-writer.ts';
import { PkiError } from '../error.ts';
import { CMC_OID } from './message.ts';

/** RFC 8018 § B.1.2. */
const HMAC_SHA256 = '1.2.840.113549.2.9';

/** What has to be opened, and for what. */
export interface EncryptedPop {
  /** DER of the TaggedRequest that it is about. */
  readonly request: Uint8Array;
  /** What the encrypted secret is, and its DER: any type of content, since not every key is one of CMS. */
  readonly contentType: string;
  readonly content: Uint8Array;
  /** SHA-256 of the secret, by which whoever opened it knows that it is the right one. */
  readonly witness: Uint8Array;
}

export const witnessOf = (secret: Uint8Array): Uint8Array => createHash('sha256').update(secret).digest();

/** The proof. @param request DER of the TaggedRequest that the authority named. @returns HMAC with SHA-256, 32 octets */
export const proofOf = (secret: Uint8Array, request: Uint8Array): Uint8Array =>
  createHmac('sha256', secret).update(request).digest();

export const isProof = (proof: Uint8Array, secret: Uint8Array, request: Uint8Array): boolean => {
  const expected = proofOf(secret, request);
  return proof.length === expected.length && timingSafeEqual(proof, expected);
};

export const encryptedPopControl = ({ request, contentType, content, witness }: EncryptedPop): CmsAttribute => ({
  type: CMC_OID.encryptedPop,
  values: [
    der.sequence(
      request,
      contentInfo(contentType, content),
      algorithmIdentifier(HMAC_SHA256),
      algorithmIdentifier(CMS_OID.sha256),
      der.octetString(witness),
    ),
  ],
});

/** @throws PkiError (fault peer), `pki.algorithm` (fault unsupported) */
export function encryptedPopIn(controls: readonly CmsAttribute[]): EncryptedPop | undefined {
  const value = singleValue(controls, CMC_OID.encryptedPop, 'encrypted proof');
  if (!value) return undefined;
  const inner = value.sequence('encrypted proof');
  value.end('encrypted proof');
  const request = inner.take(context(0), 'request').raw;
  const info = inner.sequence('ContentInfo');
  const contentType = info.objectIdentifier('content type');
  const content = info.take(context(0), 'content').contents;
  info.end('ContentInfo');
  expectAlgorithm(inner, HMAC_SHA256);
  expectAlgorithm(inner, CMS_OID.sha256);
  const witness = inner.octetString('witness');
  inner.end('encrypted proof');
  return { request, contentType, content, witness };
}

/** @param bodyPartId of the request in the message that carries the proof */
export const decryptedPopControl = (bodyPartId: number, proof: Uint8Array): CmsAttribute => ({
  type: CMC_OID.decryptedPop,
  values: [der.sequence(der.integer(bodyPartId), algorithmIdentifier(HMAC_SHA256), der.octetString(proof))],
});

/** @returns the proof. @throws PkiError as `encryptedPopIn` */
export function decryptedPopIn(controls: readonly CmsAttribute[]): Uint8Array | undefined {
  const value = singleValue(controls, CMC_OID.decryptedPop, 'proof');
  if (!value) return undefined;
  const inner = value.sequence('proof');
  value.end('proof');
  inner.take(TAG.integer, 'body part');
  expectAlgorithm(inner, HMAC_SHA256);
  const proof = inner.octetString('proof');
  inner.end('proof');
  return proof;
}

function expectAlgorithm(reader: DerReader, expected: string): void {
  const found = readPlainAlgorithm(reader, 'algorithm');
  if (found === expected) return;
  throw new PkiError('unsupported', 'pki.algorithm', `the algorithm ${found} of a proof is not known here`);
}

type Nonce = 'senderNonce' | 'recipientNonce';

export const nonceControl = (which: Nonce, nonce: Uint8Array): CmsAttribute => ({
  type: CMC_OID[which],
  values: [der.octetString(nonce)],
});

/** @throws PkiError (fault peer) when it stands there twice */
export function nonceIn(controls: readonly CmsAttribute[], which: Nonce): Uint8Array | undefined {
  const value: DerReader | undefined = singleValue(controls, CMC_OID[which], 'nonce');
  const nonce = value?.octetString('nonce');
  value?.end('nonce');
  return nonce;
}
