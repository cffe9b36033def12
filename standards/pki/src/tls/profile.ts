/**
 * TLS profiles as data. IEC 62351-3:2023 and BSI TR-03116-3 were not at hand: what they hold here is from memory where the
 * profile's `source` says so, and a profile of your own can be used in their place.
 */
import { TLS_RULES, type TlsRules } from '@enerchain/transport';

export { CIPHER_SUITES as TLS_CIPHER_SUITES, type CipherSuite, type TlsVersion } from '@enerchain/transport';

/** Groups of the key agreement. In TLS 1.2 they also say which curves a certificate may use (RFC 8422 § 5.1.1). */
export const TLS_GROUPS = {
  x25519: 'X25519',
  secp256r1: 'prime256v1',
  secp384r1: 'secp384r1',
  brainpoolP256r1: 'brainpoolP256r1',
  brainpoolP384r1: 'brainpoolP384r1',
  brainpoolP512r1: 'brainpoolP512r1',
  // TLS 1.3 has code points of its own for them (RFC 8734 § 3).
  brainpoolP256r1tls13: 'brainpoolP256r1tls13',
  brainpoolP384r1tls13: 'brainpoolP384r1tls13',
  brainpoolP512r1tls13: 'brainpoolP512r1tls13',
} as const;
export type TlsGroup = keyof typeof TLS_GROUPS;

/** Signature schemes. The names with `tls12` sign with any curve that a group allows; TLS 1.3 binds scheme and curve. */
export const TLS_SIGNATURE_SCHEMES = {
  ecdsa_secp256r1_sha256: 'ecdsa_secp256r1_sha256',
  ecdsa_secp384r1_sha384: 'ecdsa_secp384r1_sha384',
  ecdsa_brainpoolP256r1tls13_sha256: 'ecdsa_brainpoolP256r1tls13_sha256',
  ecdsa_brainpoolP384r1tls13_sha384: 'ecdsa_brainpoolP384r1tls13_sha384',
  ecdsa_tls12_sha256: 'ECDSA+SHA256',
  ecdsa_tls12_sha384: 'ECDSA+SHA384',
  rsa_pss_rsae_sha256: 'rsa_pss_rsae_sha256',
  rsa_pss_rsae_sha384: 'rsa_pss_rsae_sha384',
} as const;
export type TlsSignatureScheme = keyof typeof TLS_SIGNATURE_SCHEMES;

/** The rules of `@enerchain/transport`, and what a centre adds to them: curves, sizes, and how long a session may last. */
export interface TlsProfile extends TlsRules {
  readonly name: string;
  /** Which document the values come from, and how well it was known. */
  readonly source: string;
  readonly groups: readonly TlsGroup[];
  readonly signatureSchemes: readonly TlsSignatureScheme[];
  /** Largest certificate of a peer, bytes of its DER. */
  readonly maxCertificateBytes: number;
  /** Most certificates that a peer may send. */
  readonly maxChain: number;
  /** A running session is closed after so many seconds, so that keys and certificates are looked at anew. */
  readonly maxSessionSeconds: number;
  /** How often the certificates of running sessions are looked at again though nothing was heard, seconds. */
  readonly reevaluateSeconds: number;
}

/** Mutual authentication with certificates, no version below 1.2, sessions of a day at most. */
export const TLS_IEC62351_3: TlsProfile = {
  ...TLS_RULES,
  name: 'IEC 62351-3:2023',
  source: 'IEC 62351-3:2023; suites, groups, lifetimes and sizes from memory',
  groups: [
    'secp256r1',
    'x25519',
    'secp384r1',
    'brainpoolP256r1',
    'brainpoolP384r1',
    'brainpoolP256r1tls13',
    'brainpoolP384r1tls13',
  ],
  signatureSchemes: Object.keys(TLS_SIGNATURE_SCHEMES) as TlsSignatureScheme[],
  maxCertificateBytes: 8192,
  maxChain: 8,
  maxSessionSeconds: 86_400,
  reevaluateSeconds: 86_400,
};

/** Smart metering: Brainpool before NIST curves, no RSA, sessions of two days at most. */
export const TLS_TR03116_3: TlsProfile = {
  ...TLS_IEC62351_3,
  name: 'BSI TR-03116-3',
  source: 'BSI TR-03116-3; all values from memory',
  cipherSuites: [
    'TLS_AES_256_GCM_SHA384',
    'TLS_AES_128_GCM_SHA256',
    'TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384',
    'TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256',
    'TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA384',
    'TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256',
  ],
  groups: [
    'brainpoolP256r1',
    'brainpoolP384r1',
    'brainpoolP512r1',
    'brainpoolP256r1tls13',
    'brainpoolP384r1tls13',
    'brainpoolP512r1tls13',
    'secp256r1',
    'secp384r1',
  ],
  signatureSchemes: [
    'ecdsa_brainpoolP256r1tls13_sha256',
    'ecdsa_brainpoolP384r1tls13_sha384',
    'ecdsa_secp256r1_sha256',
    'ecdsa_secp384r1_sha384',
    'ecdsa_tls12_sha256',
    'ecdsa_tls12_sha384',
  ],
  maxSessionSeconds: 172_800,
};
