/** CertID (RFC 6960 § 4.1.1): a certificate by hashes of its issuer's name and key and by its serial number. */
import { createHash } from 'node:crypto';
import type { Certificate } from '../certificate.ts';
import { DerReader } from '../der-reader.ts';
import * as der from '../der-writer.ts';
import { PkiError } from '../error.ts';
import { OID } from '../oid.ts';
import { readAlgorithm } from '../signed.ts';

export type CertIdHash = 'sha1' | 'sha256';

const HASH_OIDS: Readonly<Record<CertIdHash, string>> = { sha1: OID.sha1, sha256: OID.sha256 };

export interface CertId {
  readonly hash: CertIdHash;
  readonly issuerNameHash: Uint8Array;
  readonly issuerKeyHash: Uint8Array;
  /** Contents of the INTEGER. */
  readonly serialNumber: Uint8Array;
}

/**
 * @param hash SHA-1 when absent, which every responder knows (RFC 5019 § 2.1.1); it identifies, nothing is trusted for it,
 * since the answer is checked against the certificate in hand
 */
export function certIdOf(
  certificate: Pick<Certificate, 'serialNumber'>,
  issuer: Certificate,
  hash: CertIdHash = 'sha1',
): CertId {
  const key = new DerReader(issuer.spki).sequence('public key');
  key.any('algorithm');
  return {
    hash,
    issuerNameHash: createHash(hash).update(issuer.subjectDer).digest(),
    issuerKeyHash: createHash(hash).update(key.octetAlignedBits('public key')).digest(),
    serialNumber: certificate.serialNumber,
  };
}

export const sameCertId = (a: CertId, b: CertId): boolean =>
  a.hash === b.hash &&
  Buffer.compare(a.issuerNameHash, b.issuerNameHash) === 0 &&
  Buffer.compare(a.issuerKeyHash, b.issuerKeyHash) === 0 &&
  Buffer.compare(a.serialNumber, b.serialNumber) === 0;

export const encodeCertId = (id: CertId): Uint8Array =>
  der.sequence(
    der.sequence(der.objectIdentifier(HASH_OIDS[id.hash]), der.nullValue()),
    der.octetString(id.issuerNameHash),
    der.octetString(id.issuerKeyHash),
    der.unsignedInteger(id.serialNumber),
  );

/** @throws PkiError (fault unsupported) for a hash other than SHA-1 and SHA-256 */
export function readCertId(reader: DerReader): CertId {
  const inner = reader.sequence('certificate identifier');
  const oid = readAlgorithm(inner);
  const hash = (Object.keys(HASH_OIDS) as CertIdHash[]).find((name) => HASH_OIDS[name] === oid);
  if (!hash) throw new PkiError('unsupported', 'pki.ocsp', `certificates are not identified by the hash ${oid} here`);
  const id = {
    hash,
    issuerNameHash: inner.octetString('hash of the issuer’s name'),
    issuerKeyHash: inner.octetString('hash of the issuer’s key'),
    serialNumber: inner.integerBytes('serial number', 21),
  };
  inner.end('certificate identifier');
  return id;
}
