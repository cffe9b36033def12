/** The certificates that this centre's authority has issued, and where the keys lie, for people. */
import { createHash } from 'node:crypto';
import { AIK_USAGE } from '@enerchain/attestation';
import { type Certificate, commonNameOf, type Signer, thumbprint } from '@enerchain/pki';
import { assuranceOf, type DevelopmentCa, holderOf, maySign } from '@enerchain/trust';
import type { TrustCertificateJson } from '../api/routes/trust.ts';
import type { RevocationList } from '../sources/revocation.ts';
import type { KeyOrigin } from './node-state.ts';

/** The key of a log has no certificate, and no end (as RFC 5280 § 4.1.2.5 says that). */
const ALWAYS = { notBefore: '1970-01-01T00:00:00.000Z', notAfter: '9999-12-31T23:59:59.000Z' } as const;

/**
 * Certificates, and the key of the log among them.
 * @param originOf where the identity key of a node lies, as it says itself
 */
export function certificatesOf(
  ca: DevelopmentCa,
  revocations: Pick<RevocationList, 'has'>,
  originOf: (name: string) => KeyOrigin | undefined,
  log: Pick<Signer, 'publicKey' | 'origin'>,
): TrustCertificateJson[] {
  const { anchor, issuing } = ca.bundle;
  const list = [anchor, ...issuing].map(
    (certificate): TrustCertificateJson => ({
      name: commonNameOf(certificate.subject) ?? 'authority',
      role: 'authority',
      fingerprint: Buffer.from(thumbprint(certificate)).toString('hex'),
      notBefore: certificate.notBefore.toISOString(),
      notAfter: certificate.notAfter.toISOString(),
      keyOrigin: ca.originOf(certificate) ?? null,
      revoked: false,
      use: 'authority',
    }),
  );
  const logKey = log.publicKey.export({ type: 'spki', format: 'der' });
  list.push({
    name: 'transparency log',
    role: 'log',
    fingerprint: createHash('sha256').update(logKey).digest('hex'),
    ...ALWAYS,
    keyOrigin: log.origin,
    revoked: false,
    use: 'log',
  });
  for (const [fingerprint, certificate] of ca.validCertificates()) {
    const { name, role } = holderOf(certificate);
    const use = useOf(certificate);
    list.push({
      name,
      role,
      fingerprint,
      notBefore: certificate.notBefore.toISOString(),
      notAfter: certificate.notAfter.toISOString(),
      keyOrigin: ORIGIN[use] ?? originIn(certificate) ?? originOf(name) ?? null,
      revoked: revocations.has(fingerprint),
      use,
    });
  }
  return list;
}

/** Where the identity key of a node lies, as its newest certificate says; undefined when it does not. */
export function certifiedOriginOf(name: string, ca: DevelopmentCa): KeyOrigin | undefined {
  const identity = [...ca.validCertificatesOf(name).values()]
    .filter((certificate) => useOf(certificate) === 'identity')
    .sort((a, b) => b.notBefore.getTime() - a.notBefore.getTime())[0];
  return identity && originIn(identity);
}

type Use = 'identity' | 'attestation' | 'connections';
/** An attestation key lies in a TPM; a key that makes connections alone lies in a file beside one that does not. */
const ORIGIN: Partial<Record<Use, KeyOrigin>> = { attestation: 'tpm', connections: 'file' };

function useOf(certificate: Certificate): Use {
  if (certificate.extensions.extKeyUsage?.includes(AIK_USAGE)) return 'attestation';
  return maySign(certificate) ? 'identity' : 'connections';
}

const originIn = (certificate: Certificate): KeyOrigin | undefined =>
  assuranceOf(certificate).includes('tpm') ? 'tpm' : undefined;
