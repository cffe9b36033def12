/** Issuing under a profile: the profile decides what can be decided, the rest is handed in, and the result is checked. */
import type { KeyObject } from 'node:crypto';
import { buildCertificate, type Certificate, parseCertificate } from '../certificate.ts';
import { PkiError } from '../error.ts';
import type { EitherWay, Extension, ExtensionSet } from '../extension.ts';
import type { Name } from '../name.ts';
import { keyIdentifier } from '../signed.ts';
import type { Signer } from '../signer.ts';
import { type CertificateProfile, checkProfile } from './profile.ts';

export interface Issuer {
  readonly signer: Signer;
  /** Absent when the certificate is to be self-signed. */
  readonly certificate?: Certificate;
}

export interface ProfiledFields {
  readonly subject: Name;
  readonly publicKey: KeyObject;
  readonly notBefore: Date;
  readonly notAfter: Date;
  readonly serialNumber?: Uint8Array;
  /** What the profile leaves open: names, addresses; or a narrower key usage. It wins over the profile's defaults. */
  readonly extensions?: ExtensionSet;
  readonly otherExtensions?: readonly Extension[];
}

/**
 * Builds a certificate under a profile. Basic constraints, key usages, policies, key identifiers and criticality come from the
 * profile.
 * @returns DER
 * @throws PkiError `pki.profile` (fault caller) that lists what does not fit; nothing is handed out then
 */
export async function issueUnder(
  profile: CertificateProfile,
  fields: ProfiledFields,
  issuer: Issuer,
): Promise<Uint8Array> {
  const { certificate: above, signer } = issuer;
  const spki = fields.publicKey.export({ type: 'spki', format: 'der' });
  const usages = profile.extKeyUsage && [...profile.extKeyUsage.all, ...(profile.extKeyUsage.also ?? [])];
  const wantsUsages = profile.extensions.extKeyUsage?.presence !== 'forbidden' && usages && usages.length > 0;
  const ownIdentifier = keyIdentifier(spki);
  const der = await buildCertificate(
    {
      ...(fields.serialNumber ? { serialNumber: fields.serialNumber } : {}),
      issuer: above?.subject ?? fields.subject,
      subject: fields.subject,
      notBefore: fields.notBefore,
      notAfter: fields.notAfter,
      publicKey: fields.publicKey,
      extensions: {
        basicConstraints: {
          ca: profile.ca,
          ...(profile.maxPathLength === undefined ? {} : { pathLength: profile.maxPathLength }),
        },
        keyUsage: profile.keyUsage.all,
        ...(wantsUsages ? { extKeyUsage: usages } : {}),
        ...(profile.policies ? { certificatePolicies: profile.policies.map((oid) => ({ oid })) } : {}),
        subjectKeyIdentifier: ownIdentifier,
        authorityKeyIdentifier:
          above?.extensions.subjectKeyIdentifier ?? (above ? keyIdentifier(above.spki) : ownIdentifier),
        ...fields.extensions,
      },
      critical: (['extKeyUsage', 'subjectAltName', 'certificatePolicies'] satisfies EitherWay[]).filter(
        (name) => profile.extensions[name]?.critical,
      ),
      ...(fields.otherExtensions ? { otherExtensions: fields.otherExtensions } : {}),
    },
    signer,
  );
  const findings = checkProfile(parseCertificate(der), profile).map(({ text }) => text);
  if (above && fields.notAfter > above.notAfter) findings.push('would outlive the certificate of its issuer');
  if (findings.length > 0) {
    const list = findings.join('; ');
    throw new PkiError('caller', 'pki.profile', `no certificate under the profile ${profile.name}: ${list}`);
  }
  return der;
}
