import type { X509Certificate } from 'node:crypto';
import type { TLSSocket } from 'node:tls';
import { type PeerCertificate, type SecurityEventName, securityEventOf } from './security-events.ts';
import { keyIsStrongEnough, type TlsSettings } from './settings.ts';

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

/** Why a peer is turned away. */
export interface PeerRefusal {
  readonly name: SecurityEventName;
  /** The code of the library, where there was one. */
  readonly code?: string | undefined;
}

/**
 * The verdict of the TLS library about the peer of a finished handshake; undefined: it has nothing against it.
 * @param certificate what `getPeerX509Certificate` said the first time: a second call on the same socket finds none
 */
export function libraryRefusal(socket: TLSSocket, certificate: X509Certificate | undefined): PeerRefusal | undefined {
  if (certificate === undefined) return { name: 'certificate-missing' };
  if (socket.authorized) return undefined;
  const error = socket.authorizationError as NodeJS.ErrnoException | string | undefined;
  const code = typeof error === 'string' ? error : error?.code;
  return { name: securityEventOf(code), code };
}

/** What the library, or the settings, have against the peer; undefined: nothing. @param certificate as of `libraryRefusal` */
export function peerObjection(
  socket: TLSSocket,
  certificate: X509Certificate | undefined,
  settings: TlsSettings,
): PeerRefusal | undefined {
  const refusal = libraryRefusal(socket, certificate);
  if (refusal || certificate === undefined) return refusal;
  const known = settings.knownCertificates;
  if (known !== undefined && !known.some((fingerprint) => hex(fingerprint) === hex(certificate.fingerprint256))) {
    return { name: 'certificate-not-known' };
  }
  const key = certificate.publicKey;
  const details = key.asymmetricKeyDetails;
  const bits = details?.modulusLength ?? curveBits(details?.namedCurve);
  if (!keyIsStrongEnough(settings, { type: key.asymmetricKeyType ?? 'unknown', bits })) return { name: 'key-too-weak' };
  return undefined;
}

/** Bits of a curve by its name: prime256v1, secp384r1, brainpoolP256r1. */
function curveBits(name: string | undefined): number | undefined {
  const digits = name === undefined ? undefined : /\d{3}/.exec(name)?.[0];
  return digits === undefined ? undefined : Number(digits);
}
