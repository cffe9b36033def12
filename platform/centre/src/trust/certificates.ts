/** The certificates that this centre's authority has issued, for people. */
import { AIK_USAGE } from '@enerchain/attestation';
import { commonNameOf, thumbprint } from '@enerchain/pki';
import { type DevelopmentCa, holderOf } from '@enerchain/trust';
import type { TrustCertificateJson } from '../api/routes/trust.ts';
import type { RevocationList } from '../sources/revocation.ts';
import type { KeyOrigin } from './node-state.ts';

/** @param names of the nodes that are known */
export function certificatesOf(
  names: Iterable<string>,
  ca: DevelopmentCa,
  revocations: Pick<RevocationList, 'has'>,
  originOf: (name: string) => KeyOrigin | undefined,
): TrustCertificateJson[] {
  const { anchor, issuing } = ca.bundle;
  const list = [anchor, ...issuing].map(
    (certificate): TrustCertificateJson => ({
      name: commonNameOf(certificate.subject) ?? 'authority',
      role: 'authority',
      fingerprint: Buffer.from(thumbprint(certificate)).toString('hex'),
      notBefore: certificate.notBefore.toISOString(),
      notAfter: certificate.notAfter.toISOString(),
      keyOrigin: 'file',
      revoked: false,
      use: 'authority',
    }),
  );
  for (const name of new Set(names)) {
    for (const [fingerprint, certificate] of ca.validCertificatesOf(name)) {
      const attestation = certificate.extensions.extKeyUsage?.includes(AIK_USAGE) ?? false;
      list.push({
        name,
        role: holderOf(certificate).role,
        fingerprint,
        notBefore: certificate.notBefore.toISOString(),
        notAfter: certificate.notAfter.toISOString(),
        keyOrigin: attestation ? 'tpm' : (originOf(name) ?? null),
        revoked: revocations.has(fingerprint),
        use: attestation ? 'attestation' : 'identity',
      });
    }
  }
  return list;
}
