import type { X509Certificate } from 'node:crypto';
import type { TLSSocket } from 'node:tls';
import { keyIsStrongEnough, type TlsProfile } from './profile.ts';
import { type PeerCertificate, type SecurityEventName, securityEventOf } from './security-events.ts';

const hex = (fingerprint: string): string => fingerprint.replaceAll(':', '').toLowerCase();

/** What is worth keeping of a certificate. `getPeerX509Certificate` is used throughout: the older call fails on Brainpool curves. */
export function describeCertificate(certificate: X509Certificate): PeerCertificate {
  return {
    subject: certificate.subject.replaceAll('\n', ', '),
    issuer: certificate.issuer.replaceAll('\n', ', '),
    serialNumber: certificate.serialNumber,
    fingerprint: hex(certificate.fingerprint256),
    validTo: certificate.validTo,
  };
}

/** The common name of a certificate's subject. */
export function commonNameOf(certificate: X509Certificate): string | undefined {
  return /^CN=(.*)$/m.exec(certificate.subject)?.[1];
}

/**
 * What the profile has against the peer of a finished handshake; undefined: nothing. The chain was verified by the TLS library,
 * here its verdict is read and the profile's own rules follow.
 * @param certificate what `getPeerX509Certificate` said the first time: a second call on the same socket finds none
 */
export function peerObjection(
  socket: TLSSocket,
  certificate: X509Certificate | undefined,
  profile: TlsProfile,
): { readonly name: SecurityEventName; readonly code?: string } | undefined {
  if (certificate === undefined) return { name: 'certificate-missing' };
  if (!socket.authorized) {
    const error = socket.authorizationError as Error | string | undefined;
    const code = typeof error === 'string' ? error : (error as NodeJS.ErrnoException | undefined)?.code;
    return { name: securityEventOf(code), ...(code === undefined ? {} : { code }) };
  }
  const known = profile.knownCertificates;
  if (known !== undefined && !known.some((fingerprint) => hex(fingerprint) === hex(certificate.fingerprint256))) {
    return { name: 'certificate-not-known' };
  }
  const key = certificate.publicKey;
  const details = key.asymmetricKeyDetails;
  const bits = details?.modulusLength ?? curveBits(details?.namedCurve);
  if (!keyIsStrongEnough(profile, { type: key.asymmetricKeyType ?? 'unknown', bits })) return { name: 'key-too-weak' };
  return undefined;
}

/** Bits of a curve by its name: prime256v1, secp384r1, brainpoolP256r1. */
function curveBits(name: string | undefined): number | undefined {
  const digits = name === undefined ? undefined : /\d{3}/.exec(name)?.[0];
  return digits === undefined ? undefined : Number(digits);
}
