/**
 * Security events of TLS connections, by name: what IEC 62351-3 asks an implementation to report, in the manner of the
 * conformance cases of IEC TS 62351-100-3. The codes decide which event an error of Node or OpenSSL is.
 */
import type { X509Certificate } from 'node:crypto';

/** How a monitoring system should weigh an event: routine, worth a look, a refused or ended connection. */
export type TlsEventSeverity = 'notice' | 'warning' | 'alarm';

interface EventRow {
  readonly severity: TlsEventSeverity;
  readonly text: string;
  /** Codes of Node and OpenSSL, verification results and alerts of the peer that mean this event. */
  readonly codes: readonly string[];
}

const notice = (text: string): EventRow => ({ severity: 'notice', text, codes: [] });
const warning = (text: string, ...codes: string[]): EventRow => ({ severity: 'warning', text, codes });
const alarm = (text: string, ...codes: string[]): EventRow => ({ severity: 'alarm', text, codes });

/** An alert of the peer has two spellings, by the version of OpenSSL. */
const alerts = (...names: string[]): string[] =>
  names.flatMap((name) => [
    `ERR_SSL_SSLV3_ALERT_${name}`,
    `ERR_SSL_TLSV1_ALERT_${name}`,
    `ERR_SSL_SSL/TLS_ALERT_${name}`,
  ]);

export const TLS_SECURITY_EVENTS = {
  // Handshakes
  'session-established': notice('full handshake completed'),
  'session-resumed': notice('an earlier session was resumed'),
  'certificate-expired': alarm('certificate has expired', 'CERT_HAS_EXPIRED', ...alerts('CERTIFICATE_EXPIRED')),
  'certificate-not-yet-valid': alarm('certificate is not yet valid', 'CERT_NOT_YET_VALID'),
  'certificate-revoked': alarm('certificate has been revoked', 'CERT_REVOKED', ...alerts('CERTIFICATE_REVOKED')),
  'certificate-signature-invalid': alarm(
    'signature of the certificate is wrong',
    ...['CERT_SIGNATURE_FAILURE', 'UNABLE_TO_DECRYPT_CERT_SIGNATURE', 'UNABLE_TO_DECODE_ISSUER_PUBLIC_KEY'],
  ),
  'certificate-unknown-authority': alarm(
    'certificate was not issued by a trusted authority',
    ...['SELF_SIGNED_CERT_IN_CHAIN', 'DEPTH_ZERO_SELF_SIGNED_CERT', 'UNABLE_TO_GET_ISSUER_CERT'],
    ...['UNABLE_TO_GET_ISSUER_CERT_LOCALLY', 'UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'INVALID_CA', 'CERT_UNTRUSTED'],
    ...['CERT_REJECTED', 'CERT_CHAIN_TOO_LONG', 'PATH_LENGTH_EXCEEDED', ...alerts('UNKNOWN_CA')],
  ),
  'certificate-purpose-invalid': alarm(
    'certificate is not meant for this use',
    ...['INVALID_PURPOSE', ...alerts('UNSUPPORTED_CERTIFICATE')],
  ),
  'certificate-name-mismatch': alarm(
    'certificate is for another name',
    ...['ERR_TLS_CERT_ALTNAME_INVALID', 'HOSTNAME_MISMATCH'],
  ),
  'certificate-missing': alarm(
    'peer presented no certificate',
    ...['ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE', 'ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED'],
    ...['ERR_SSL_TLSV1_CERTIFICATE_REQUIRED', ...alerts('CERTIFICATE_REQUIRED')],
  ),
  'certificate-rejected-by-peer': alarm(
    'peer refused our certificate',
    ...alerts('BAD_CERTIFICATE', 'CERTIFICATE_UNKNOWN', 'ACCESS_DENIED'),
  ),
  'certificate-too-large': alarm('certificate, or the chain of them, is larger than the profile allows'),
  'key-too-weak': alarm(
    'public key of the certificate is shorter than the profile allows',
    ...[
      'EE_KEY_TOO_SMALL',
      'CA_KEY_TOO_SMALL',
      'CA_MD_TOO_WEAK',
      'ERR_SSL_EE_KEY_TOO_SMALL',
      'ERR_SSL_DH_KEY_TOO_SMALL',
    ],
  ),
  'crl-unavailable': alarm(
    'no revocation list of the issuer at hand',
    ...['UNABLE_TO_GET_CRL', 'UNABLE_TO_GET_CRL_ISSUER'],
  ),
  'crl-expired': alarm('revocation list is out of date', 'CRL_HAS_EXPIRED', 'CRL_NOT_YET_VALID'),
  'crl-invalid': alarm(
    'revocation list is not authentic',
    ...['CRL_SIGNATURE_FAILURE', 'UNABLE_TO_DECRYPT_CRL_SIGNATURE'],
  ),
  'version-too-low': alarm(
    'no TLS version that both sides allow',
    ...['ERR_SSL_UNSUPPORTED_PROTOCOL', 'ERR_SSL_WRONG_SSL_VERSION', 'ERR_SSL_VERSION_TOO_LOW'],
    ...['ERR_SSL_NO_PROTOCOLS_AVAILABLE', ...alerts('PROTOCOL_VERSION')],
  ),
  'cipher-mismatch': alarm(
    'no cipher suite, group or signature scheme that both sides allow',
    ...['ERR_SSL_NO_SHARED_CIPHER', 'ERR_SSL_NO_CIPHERS_AVAILABLE', 'ERR_SSL_NO_SHARED_SIGNATURE_ALGORITHMS'],
    ...['ERR_SSL_NO_SUITABLE_SIGNATURE_ALGORITHM', 'ERR_SSL_NO_SUITABLE_KEY_SHARE', 'ERR_SSL_NO_SHARED_GROUPS'],
    ...alerts('INSUFFICIENT_SECURITY'),
  ),
  'not-tls': alarm(
    'peer does not speak TLS',
    ...[
      'ERR_SSL_WRONG_VERSION_NUMBER',
      'ERR_SSL_HTTP_REQUEST',
      'ERR_SSL_PACKET_LENGTH_TOO_LONG',
      'ERR_SSL_BAD_RECORD_TYPE',
    ],
  ),
  'record-tampered': alarm(
    'record with a wrong authentication code',
    ...['ERR_SSL_DECRYPTION_FAILED_OR_BAD_RECORD_MAC', ...alerts('BAD_RECORD_MAC')],
  ),
  'handshake-timeout': warning('handshake not finished in time', 'ERR_TLS_HANDSHAKE_TIMEOUT', 'ETIMEDOUT'),
  'handshake-failed': alarm('handshake failed', 'ECONNRESET', 'EPROTO', 'EPIPE', ...alerts('HANDSHAKE_FAILURE')),
  // Running sessions
  'session-certificate-ended': alarm('a certificate of the running session ended'),
  'session-certificate-revoked': alarm('a certificate of the running session was revoked'),
  'session-no-longer-trusted': alarm('a certificate of the running session is no longer trusted'),
  'session-lifetime-ended': notice('the longest time that a session may last is over'),
  'session-revocation-unknown': warning('whether a certificate of the running session was revoked is no longer known'),
  'session-attestation-lapsed': alarm('the peer is no longer attested'),
} as const satisfies Record<string, EventRow>;

export type TlsEventName = keyof typeof TLS_SECURITY_EVENTS;

export interface TlsSecurityEvent {
  readonly name: TlsEventName;
  readonly severity: TlsEventSeverity;
  readonly at: Date;
  readonly role: 'client' | 'server';
  /** `host:port`. */
  readonly peer: string;
  /** What happened, to whom, and what was done. */
  readonly text: string;
  /** The code of the library, or of the path check, where there was one. */
  readonly code?: string;
  readonly certificate?: { readonly subject: string; readonly serialNumber: string; readonly fingerprint: string };
}

const BY_CODE: ReadonlyMap<string, TlsEventName> = new Map(
  (Object.keys(TLS_SECURITY_EVENTS) as TlsEventName[]).flatMap((name) =>
    TLS_SECURITY_EVENTS[name].codes.map((code) => [code, name] as const),
  ),
);

/** The event that a code means; `handshake-failed` for one that is not known. */
export const tlsEventOf = (code: string | undefined): TlsEventName => BY_CODE.get(code ?? '') ?? 'handshake-failed';

/** Builds the event with its sentence. */
export function tlsSecurityEvent(
  name: TlsEventName,
  about: {
    readonly at: Date;
    readonly role: 'client' | 'server';
    readonly peer: string;
    readonly code?: string | undefined;
    readonly certificate?: X509Certificate | undefined;
    /** What was done; `connection kept` for notices and warnings, else `connection closed`, when absent. */
    readonly done?: string;
  },
): TlsSecurityEvent {
  const { severity, text } = TLS_SECURITY_EVENTS[name];
  const { at, role, peer, code, certificate } = about;
  const done = about.done ?? (severity === 'alarm' ? 'connection closed' : 'connection kept');
  const subject = certificate?.subject.replaceAll('\n', ', ');
  return {
    name,
    severity,
    at,
    role,
    peer,
    text: `TLS ${peer}: ${text}${subject === undefined ? '' : ` (${subject})`}${code ? ` [${code}]` : ''}; ${done}`,
    ...(code ? { code } : {}),
    ...(certificate
      ? {
          certificate: {
            subject: subject!,
            serialNumber: certificate.serialNumber,
            fingerprint: certificate.fingerprint256.replaceAll(':', '').toLowerCase(),
          },
        }
      : {}),
  };
}
