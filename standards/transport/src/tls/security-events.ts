/** How a monitoring system should weigh an event: routine, worth a look, or a refused peer. */
export type SecurityEventSeverity = 'notice' | 'warning' | 'alarm';

interface EventRow {
  readonly severity: SecurityEventSeverity;
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

/**
 * The catalogue of security events of a TLS connection, once for all that use TLS: what IEC 62351-3 asks an implementation to
 * report, in the manner of the conformance cases of IEC TS 62351-100-3. One row per event; the codes decide which row an error
 * of the TLS library is.
 */
export const SECURITY_EVENTS = {
  // Handshakes
  'session-established': notice('full handshake completed'),
  'session-resumed': notice('abbreviated handshake: an earlier session was resumed'),
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
  'certificate-not-known': alarm('certificate is valid but not one of the known ones'),
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
  'renegotiation-completed': notice('session keys were renewed by renegotiation'),
  'renegotiation-failed': alarm(
    'renegotiation of the session keys failed',
    ...['ERR_TLS_RENEGOTIATE', 'ERR_TLS_RENEGOTIATION_DISABLED', 'ERR_TLS_SESSION_ATTACK', 'ERR_SSL_NO_RENEGOTIATION'],
  ),
  'session-certificate-ended': alarm('a certificate of the running session ended'),
  'session-certificate-revoked': alarm('a certificate of the running session was revoked'),
  'session-no-longer-trusted': alarm('a certificate of the running session is no longer trusted'),
  'session-lifetime-ended': notice('the longest time that a session may last is over'),
  'session-revocation-unknown': warning('whether a certificate of the running session was revoked is no longer known'),
  'session-attestation-lapsed': alarm('the peer is no longer attested'),
} as const satisfies Record<string, EventRow>;

export type SecurityEventName = keyof typeof SECURITY_EVENTS;

/** A raised event: a row of the catalogue with who, where and what. */
export interface SecurityEvent {
  readonly name: SecurityEventName;
  readonly severity: SecurityEventSeverity;
  readonly role: 'client' | 'server';
  /** Address of the peer, `host:port`. */
  readonly peer: string;
  /** A full sentence: what, where, what was done about it. */
  readonly text: string;
  /** The code of the TLS library, where there was one. */
  readonly code?: string;
  readonly certificate?: PeerCertificate;
  readonly protocol?: string;
  readonly cipher?: string;
}

/** What is worth keeping of a peer's certificate. */
export interface PeerCertificate {
  readonly subject: string;
  readonly issuer: string;
  readonly serialNumber: string;
  /** SHA-256 over the DER, lower-case hex without colons. */
  readonly fingerprint: string;
  readonly validTo: string;
}

const BY_CODE: ReadonlyMap<string, SecurityEventName> = new Map(
  Object.entries(SECURITY_EVENTS).flatMap(([name, row]) =>
    row.codes.map((code) => [code, name as SecurityEventName] as const),
  ),
);

/** The event that a code of the TLS library means; 'handshake-failed' for one that the catalogue does not know. */
export function securityEventOf(code: string | undefined): SecurityEventName {
  return (code === undefined ? undefined : BY_CODE.get(code)) ?? 'handshake-failed';
}

/** Builds the event with its sentence. */
export function securityEvent(
  name: SecurityEventName,
  role: 'client' | 'server',
  peer: string,
  detail: {
    code?: string | undefined;
    certificate?: PeerCertificate | undefined;
    protocol?: string | undefined;
    cipher?: string | undefined;
  } = {},
): SecurityEvent {
  const row = SECURITY_EVENTS[name];
  const outcome = row.severity === 'notice' ? 'connection kept' : 'connection refused';
  const about = detail.certificate === undefined ? '' : ` (${detail.certificate.subject})`;
  const code = detail.code === undefined ? '' : ` [${detail.code}]`;
  return {
    name,
    severity: row.severity,
    role,
    peer,
    text: `TLS ${peer}: ${row.text}${about}${code}; ${outcome}`,
    ...(detail.code === undefined ? {} : { code: detail.code }),
    ...(detail.certificate === undefined ? {} : { certificate: detail.certificate }),
    ...(detail.protocol === undefined ? {} : { protocol: detail.protocol }),
    ...(detail.cipher === undefined ? {} : { cipher: detail.cipher }),
  };
}
