/** X.509 v3 certificates (RFC 5280 § 4): built and read. `path.ts` checks them. */
import { createHash, type KeyObject, randomBytes } from 'node:crypto';
import { algorithmIdentifier } from './algorithm.ts';
import { DerReader } from './der-reader.ts';
import { TAG } from './der-tags.ts';
import * as der from './der-writer.ts';
import { PkiError } from './error.ts';
import {
  type EitherWay,
  type Extension,
  type ExtensionSet,
  encodeExtensionList,
  encodeExtensions,
  readExtensionList,
  readExtensionSet,
} from './extension.ts';
import { encodeName, type Name, readName } from './name.ts';
import { fromPem, publicKeyFrom, readAlgorithm, readSigned, type SignedObject, signObject } from './signed.ts';
import type { Signer } from './signer.ts';

export interface CertificateFields {
  /** Big-endian, positive, at most 20 octets; random when absent. */
  readonly serialNumber?: Uint8Array;
  readonly issuer: Name;
  readonly subject: Name;
  readonly notBefore: Date;
  readonly notAfter: Date;
  /** SubjectPublicKeyInfo. */
  readonly publicKey: KeyObject;
  readonly extensions: ExtensionSet;
  /** Which of the extensions that may be either are critical; none when absent. */
  readonly critical?: readonly EitherWay[];
  /** Extensions of other standards, after the ones above. */
  readonly otherExtensions?: readonly Extension[];
}

/** Builds and signs. @returns DER */
export function buildCertificate(fields: CertificateFields, signer: Signer): Promise<Uint8Array> {
  const serial = fields.serialNumber ?? randomSerial();
  const extensions = [...encodeExtensions(fields.extensions, fields.critical), ...(fields.otherExtensions ?? [])];
  const toBeSigned = der.sequence(
    der.explicit(0, der.integer(2)),
    der.unsignedInteger(serial),
    algorithmIdentifier(signer.algorithm),
    encodeName(fields.issuer),
    der.sequence(der.time(fields.notBefore), der.time(fields.notAfter)),
    encodeName(fields.subject),
    fields.publicKey.export({ type: 'spki', format: 'der' }),
    der.explicit(3, encodeExtensionList(extensions)),
  );
  return signObject(toBeSigned, signer);
}

/** 127 random bits: unguessable (CA/Browser Forum asks 64), and positive without a leading zero octet. */
function randomSerial(): Uint8Array {
  const serial = randomBytes(16);
  serial[0] = (serial[0]! & 0x7f) | 0x40;
  return serial;
}

export interface Certificate extends SignedObject {
  /** Contents of the INTEGER. */
  readonly serialNumber: Uint8Array;
  readonly issuer: Name;
  readonly issuerDer: Uint8Array;
  readonly subject: Name;
  readonly subjectDer: Uint8Array;
  readonly notBefore: Date;
  readonly notAfter: Date;
  readonly spki: Uint8Array;
  readonly publicKey: KeyObject;
  readonly extensions: ExtensionSet;
  readonly extensionList: readonly Extension[];
}

/** @throws PkiError (fault peer) when the bytes are no X.509 v3 certificate */
export function parseCertificate(bytes: Uint8Array): Certificate {
  const { inner, ...signed } = readSigned(bytes, 'certificate');
  const version = inner.optional(0, 'version');
  if (version?.smallInteger('version') !== 2) throw inner.fail('the certificate is not of version 3');
  version.end('version');
  const serialNumber = inner.integerBytes('serial number', 21);
  if (readAlgorithm(inner) !== signed.signatureAlgorithm) throw inner.fail('the two signature algorithms differ');
  const [issuerDer, issuer] = rawName(inner.take(TAG.sequence, 'issuer').raw);
  const validity = inner.sequence('validity');
  const notBefore = validity.time('notBefore');
  const notAfter = validity.time('notAfter');
  validity.end('validity');
  const [subjectDer, subject] = rawName(inner.take(TAG.sequence, 'subject').raw);
  const spki = inner.take(TAG.sequence, 'public key').raw;
  // issuerUniqueID and subjectUniqueID: not allowed by § 4.1.2.8 in what conforming authorities issue.
  const extensions = inner.optional(3, 'extensions');
  const extensionList = extensions ? readExtensionList(extensions) : [];
  extensions?.end('extensions');
  inner.end('certificate');
  return {
    ...signed,
    serialNumber,
    issuer,
    issuerDer,
    subject,
    subjectDer,
    notBefore,
    notAfter,
    spki,
    publicKey: publicKeyFrom(spki),
    extensions: readExtensionSet(extensionList),
    extensionList,
  };
}

function rawName(raw: Uint8Array): readonly [Uint8Array, Name] {
  return [raw, readName(new DerReader(raw))];
}

/** The first certificate of a PEM text. @throws PkiError (fault caller) when there is none */
export function certificateFromPem(pem: string, what = 'the PEM text'): Certificate {
  const [first] = fromPem('CERTIFICATE', pem);
  if (!first) throw new PkiError('caller', 'pki.pem', `${what} holds no certificate`);
  return parseCertificate(first);
}

/** SHA-256 of the DER. */
export const thumbprint = (certificate: Certificate | Uint8Array): Uint8Array =>
  createHash('sha256')
    .update(certificate instanceof Uint8Array ? certificate : certificate.der)
    .digest();
