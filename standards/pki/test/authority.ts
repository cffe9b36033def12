/** A small hierarchy of authorities for tests. */
import { generateKeyPairSync } from 'node:crypto';
import {
  ALGORITHMS,
  buildCertificate,
  type Certificate,
  type CertificateFields,
  type ExtensionSet,
  FileKeySigner,
  keyIdentifier,
  type Name,
  nameOf,
  parseCertificate,
  type SignatureAlgorithm,
} from '../src/index.ts';

export const NOT_BEFORE = new Date('2026-01-01T00:00:00Z');
export const NOT_AFTER = new Date('2027-01-01T00:00:00Z');
export const DURING = new Date('2026-06-01T00:00:00Z');

export interface Party {
  readonly certificate: Certificate;
  readonly signer: FileKeySigner;
}

export function newKey(algorithm: SignatureAlgorithm = 'ES256'): FileKeySigner {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: ALGORITHMS[algorithm].curve });
  const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }) as string;
  return FileKeySigner.fromPem(pem, 'a test key', { accept: [algorithm] });
}

export const spkiOf = (signer: FileKeySigner): Uint8Array => signer.publicKey.export({ type: 'spki', format: 'der' });

export interface IssueOptions extends Partial<Omit<CertificateFields, 'subject' | 'extensions'>> {
  readonly subject?: Name;
  readonly extensions?: ExtensionSet;
  readonly signer?: FileKeySigner;
  readonly algorithm?: SignatureAlgorithm;
}

/** Issues a certificate; by itself when there is no issuer. */
export async function issue(name: string, issuer: Party | undefined, options: IssueOptions = {}): Promise<Party> {
  const { algorithm, signer: given, extensions, ...fields } = options;
  const signer = given ?? newKey(algorithm);
  const subject = options.subject ?? nameOf({ commonName: name });
  const certificate = parseCertificate(
    await buildCertificate(
      {
        notBefore: NOT_BEFORE,
        notAfter: NOT_AFTER,
        issuer: issuer?.certificate.subject ?? subject,
        publicKey: signer.publicKey,
        ...fields,
        subject,
        extensions: {
          subjectKeyIdentifier: keyIdentifier(spkiOf(signer)),
          ...(issuer ? { authorityKeyIdentifier: keyIdentifier(issuer.certificate.spki) } : {}),
          ...extensions,
        },
      },
      issuer?.signer ?? signer,
    ),
  );
  return { certificate, signer };
}

export const CA: ExtensionSet = { basicConstraints: { ca: true }, keyUsage: ['keyCertSign', 'cRLSign'] };
export const END_ENTITY: ExtensionSet = { basicConstraints: { ca: false }, keyUsage: ['digitalSignature'] };

export const authority = (name: string, issuer?: Party, options: IssueOptions = {}): Promise<Party> =>
  issue(name, issuer, { ...options, extensions: { ...CA, ...options.extensions } });

export const endEntity = (name: string, issuer: Party, options: IssueOptions = {}): Promise<Party> =>
  issue(name, issuer, { ...options, extensions: { ...END_ENTITY, ...options.extensions } });
