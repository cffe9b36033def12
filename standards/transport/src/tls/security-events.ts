/** How a monitoring system should weigh an event: routine, worth a look, or a refused peer. */
export type SecurityEventSeverity = 'notice' | 'warning' | 'alarm';

interface EventRow {
  readonly severity: SecurityEventSeverity;
  /** What happened, as a sentence without the peer; the raised event adds who and what was done. */
  readonly text: string;
  /** Codes of OpenSSL and Node that mean this event: verification results, local errors, and alerts received from the peer. */
  readonly codes: readonly string[];
}

/**
 * The catalogue of security events of a TLS connection: what IEC 62351-3 asks an implementation to report, in the manner of the
 * conformance cases of IEC TS 62351-100-3. One row per event; the codes decide which row an error of the TLS library is.
 */
export const SECURITY_EVENTS = {
  'session-established': { severity: 'notice', text: 'full handshake completed', codes: [] },
  'session-resumed': { severity: 'notice', text: 'abbreviated handshake: an earlier session was resumed', codes: [] },
  'renegotiation-completed': { severity: 'notice', text: 'session keys were renewed by renegotiation', codes: [] },
  'renegotiation-failed': {
    severity: 'alarm',
    text: 'renegotiation of the session keys failed',
    codes: [
      'ERR_TLS_RENEGOTIATE',
      'ERR_TLS_RENEGOTIATION_DISABLED',
      'ERR_TLS_SESSION_ATTACK',
      'ERR_SSL_NO_RENEGOTIATION',
    ],
  },
  'certificate-expired': {
    severity: 'alarm',
    text: 'certificate has expired',
    codes: ['CERT_HAS_EXPIRED', 'ERR_SSL_SSLV3_ALERT_CERTIFICATE_EXPIRED', 'ERR_SSL_SSL/TLS_ALERT_CERTIFICATE_EXPIRED'],
  },
  'certificate-not-yet-valid': {
    severity: 'alarm',
    text: 'certificate is not yet valid',
    codes: ['CERT_NOT_YET_VALID'],
  },
  'certificate-revoked': {
    severity: 'alarm',
    text: 'certificate has been revoked',
    codes: ['CERT_REVOKED', 'ERR_SSL_SSLV3_ALERT_CERTIFICATE_REVOKED', 'ERR_SSL_SSL/TLS_ALERT_CERTIFICATE_REVOKED'],
  },
  'certificate-signature-invalid': {
    severity: 'alarm',
    text: 'signature of the certificate is wrong',
    codes: ['CERT_SIGNATURE_FAILURE', 'UNABLE_TO_DECRYPT_CERT_SIGNATURE', 'UNABLE_TO_DECODE_ISSUER_PUBLIC_KEY'],
  },
  'certificate-unknown-authority': {
    severity: 'alarm',
    text: 'certificate was not issued by a trusted authority',
    codes: [
      'SELF_SIGNED_CERT_IN_CHAIN',
      'DEPTH_ZERO_SELF_SIGNED_CERT',
      'UNABLE_TO_GET_ISSUER_CERT',
      'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
      'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
      'INVALID_CA',
      'CERT_UNTRUSTED',
      'CERT_REJECTED',
      'CERT_CHAIN_TOO_LONG',
      'PATH_LENGTH_EXCEEDED',
      'ERR_SSL_TLSV1_ALERT_UNKNOWN_CA',
      'ERR_SSL_SSL/TLS_ALERT_UNKNOWN_CA',
    ],
  },
  'certificate-not-known': { severity: 'alarm', text: 'certificate is valid but not one of the known ones', codes: [] },
  'certificate-purpose-invalid': {
    severity: 'alarm',
    text: 'certificate is not meant for this use',
    codes: [
      'INVALID_PURPOSE',
      'ERR_SSL_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE',
      'ERR_SSL_SSL/TLS_ALERT_UNSUPPORTED_CERTIFICATE',
    ],
  },
  'certificate-name-mismatch': {
    severity: 'alarm',
    text: 'certificate is for another name',
    codes: ['ERR_TLS_CERT_ALTNAME_INVALID', 'HOSTNAME_MISMATCH'],
  },
  'certificate-missing': {
    severity: 'alarm',
    text: 'peer presented no certificate',
    codes: [
      'ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE',
      'ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED',
      'ERR_SSL_TLSV1_ALERT_CERTIFICATE_REQUIRED',
      'ERR_SSL_TLSV1_CERTIFICATE_REQUIRED',
    ],
  },
  'certificate-rejected-by-peer': {
    severity: 'alarm',
    text: 'peer refused our certificate',
    codes: [
      'ERR_SSL_SSLV3_ALERT_BAD_CERTIFICATE',
      'ERR_SSL_SSLV3_ALERT_CERTIFICATE_UNKNOWN',
      'ERR_SSL_SSL/TLS_ALERT_BAD_CERTIFICATE',
      'ERR_SSL_SSL/TLS_ALERT_CERTIFICATE_UNKNOWN',
      'ERR_SSL_TLSV1_ALERT_ACCESS_DENIED',
    ],
  },
  'key-too-weak': {
    severity: 'alarm',
    text: 'public key of the certificate is shorter than the profile allows',
    codes: [
      'EE_KEY_TOO_SMALL',
      'CA_KEY_TOO_SMALL',
      'CA_MD_TOO_WEAK',
      'ERR_SSL_EE_KEY_TOO_SMALL',
      'ERR_SSL_DH_KEY_TOO_SMALL',
    ],
  },
  'crl-unavailable': {
    severity: 'alarm',
    text: 'no revocation list of the issuer at hand',
    codes: ['UNABLE_TO_GET_CRL', 'UNABLE_TO_GET_CRL_ISSUER'],
  },
  'crl-expired': {
    severity: 'alarm',
    text: 'revocation list is out of date',
    codes: ['CRL_HAS_EXPIRED', 'CRL_NOT_YET_VALID'],
  },
  'crl-invalid': {
    severity: 'alarm',
    text: 'revocation list is not authentic',
    codes: ['CRL_SIGNATURE_FAILURE', 'UNABLE_TO_DECRYPT_CRL_SIGNATURE'],
  },
  'version-too-low': {
    severity: 'alarm',
    text: 'no TLS version that both sides allow',
    codes: [
      'ERR_SSL_UNSUPPORTED_PROTOCOL',
      'ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION',
      'ERR_SSL_WRONG_SSL_VERSION',
      'ERR_SSL_VERSION_TOO_LOW',
      'ERR_SSL_NO_PROTOCOLS_AVAILABLE',
    ],
  },
  'cipher-mismatch': {
    severity: 'alarm',
    text: 'no cipher suite that both sides allow',
    codes: [
      'ERR_SSL_NO_SHARED_CIPHER',
      'ERR_SSL_NO_CIPHERS_AVAILABLE',
      'ERR_SSL_NO_SHARED_SIGNATURE_ALGORITHMS',
      'ERR_SSL_NO_SUITABLE_SIGNATURE_ALGORITHM',
      'ERR_SSL_NO_SUITABLE_KEY_SHARE',
      'ERR_SSL_TLSV1_ALERT_INSUFFICIENT_SECURITY',
    ],
  },
  'not-tls': {
    severity: 'alarm',
    text: 'peer does not speak TLS',
    codes: [
      'ERR_SSL_WRONG_VERSION_NUMBER',
      'ERR_SSL_HTTP_REQUEST',
      'ERR_SSL_PACKET_LENGTH_TOO_LONG',
      'ERR_SSL_BAD_RECORD_TYPE',
    ],
  },
  'record-tampered': {
    severity: 'alarm',
    text: 'record with a wrong authentication code',
    codes: [
      'ERR_SSL_DECRYPTION_FAILED_OR_BAD_RECORD_MAC',
      'ERR_SSL_SSLV3_ALERT_BAD_RECORD_MAC',
      'ERR_SSL_SSL/TLS_ALERT_BAD_RECORD_MAC',
    ],
  },
  'handshake-timeout': {
    severity: 'warning',
    text: 'handshake not finished in time',
    codes: ['ERR_TLS_HANDSHAKE_TIMEOUT', 'ETIMEDOUT'],
  },
  'handshake-failed': {
    severity: 'alarm',
    text: 'handshake failed',
    codes: [
      'ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE',
      'ERR_SSL_SSL/TLS_ALERT_HANDSHAKE_FAILURE',
      'ECONNRESET',
      'EPROTO',
      'EPIPE',
    ],
  },
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
