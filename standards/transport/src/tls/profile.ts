import { constants } from 'node:crypto';
import type { ConnectionOptions, TlsOptions } from 'node:tls';
import { CIPHER_SUITES, type TlsVersion } from './cipher-suites.ts';

/** TLS of a connection as IEC 62351-3 wants it. Certificates are PEM (text or bytes). */
export interface TlsProfile {
  /** Own certificate, with the intermediate ones behind it. */
  readonly cert: string | Buffer;
  readonly key: string | Buffer;
  readonly passphrase?: string;
  /** The authorities trusted for this connection; the system's own list is never used. */
  readonly ca: string | Buffer | readonly (string | Buffer)[];
  /** Revocation lists. With any, every issuer in the chain needs one that is up to date. */
  readonly crl?: string | Buffer | readonly (string | Buffer)[];
  /** Lowest version. Default TLSv1.2, and lower is not to be had. */
  readonly minVersion?: TlsVersion;
  readonly maxVersion?: TlsVersion;
  /** IANA names out of `CIPHER_SUITES`. Default: all that are required or recommended. */
  readonly cipherSuites?: readonly string[];
  /** SHA-256 fingerprints (hex, colons or not) of the only certificates accepted. Default: any that the authorities issued. */
  readonly knownCertificates?: readonly string[];
  /** Shortest RSA key in bits; default 2048. Elliptic keys have to be 256 bits or more. */
  readonly minRsaKeyBits?: number;
  /**
   * Client: the name the server's certificate must carry; false checks the chain only (a device certificate often names the
   * device, not its address). Default false. Server: not used.
   */
  readonly serverName?: string | false;
  /** Session resumption. Default on, for sessions of at most 3600 s. False: each connection makes a full handshake. */
  readonly resumption?: false | { readonly maxAge: number };
  /** Renew the keys of a TLS 1.2 session each so many seconds by renegotiation; default 86400, 0 never. TLS 1.3 renews its own. */
  readonly renegotiateAfter?: number;
  /** Seconds until an unfinished handshake is given up; default 10. */
  readonly handshakeTimeout?: number;
}

export const DEFAULT_RESUMPTION_MAX_AGE = 3600;
export const DEFAULT_RENEGOTIATE_AFTER = 86_400;
export const DEFAULT_HANDSHAKE_TIMEOUT = 10;
export const DEFAULT_MIN_RSA_KEY_BITS = 2048;
const MIN_EC_KEY_BITS = 256;

/** The OpenSSL cipher string of a profile. @throws RangeError for a suite the catalogue does not hold, or an empty choice. */
export function cipherString(suites?: readonly string[]): string {
  const chosen =
    suites === undefined
      ? CIPHER_SUITES.filter((row) => row.use !== 'legacy')
      : suites.map((name) => {
          const row = CIPHER_SUITES.find((r) => r.name === name || r.openssl === name);
          if (row === undefined) throw new RangeError(`TLS profile: cipher suite ${name} is not in the catalogue`);
          return row;
        });
  if (chosen.length === 0) throw new RangeError('TLS profile: no cipher suite is left');
  return chosen.map((row) => row.openssl).join(':');
}

const list = (value: string | Buffer | readonly (string | Buffer)[]): (string | Buffer)[] =>
  typeof value === 'string' || Buffer.isBuffer(value) ? [value] : [...value];

function common(profile: TlsProfile) {
  const minVersion = profile.minVersion ?? 'TLSv1.2';
  const maxVersion = profile.maxVersion ?? 'TLSv1.3';
  if (minVersion !== 'TLSv1.2' && minVersion !== 'TLSv1.3') {
    throw new RangeError(`TLS profile: version ${String(minVersion)} is below TLSv1.2, which IEC 62351-3 forbids`);
  }
  if (minVersion > maxVersion) throw new RangeError(`TLS profile: no version between ${minVersion} and ${maxVersion}`);
  if (list(profile.ca).length === 0) throw new RangeError('TLS profile: no authority to trust (ca is empty)');
  return {
    cert: profile.cert,
    key: profile.key,
    ca: list(profile.ca),
    minVersion,
    maxVersion,
    ciphers: cipherString(profile.cipherSuites),
    rejectUnauthorized: true,
    ...(profile.passphrase === undefined ? {} : { passphrase: profile.passphrase }),
    ...(profile.crl === undefined ? {} : { crl: list(profile.crl) }),
  };
}

/**
 * Options of `tls.createServer`: mutual authentication, our order of suites, sessions no older than the profile allows.
 * @param service what is served, `iec104`: a session of another service is not resumed here
 */
export function serverOptions(profile: TlsProfile, service: string): TlsOptions {
  const resumption = profile.resumption ?? { maxAge: DEFAULT_RESUMPTION_MAX_AGE };
  return {
    ...common(profile),
    requestCert: true,
    honorCipherOrder: true,
    handshakeTimeout: (profile.handshakeTimeout ?? DEFAULT_HANDSHAKE_TIMEOUT) * 1000,
    // Without this a resumed session of another service with the same ticket keys could pass for one of ours.
    sessionIdContext: service.slice(0, 32),
    ...(resumption === false ? { secureOptions: constants.SSL_OP_NO_TICKET } : { sessionTimeout: resumption.maxAge }),
  };
}

/** Options of `tls.connect` without host, port and session. */
export function clientOptions(profile: TlsProfile): ConnectionOptions {
  const name = profile.serverName ?? false;
  return {
    ...common(profile),
    ...(name === false ? { checkServerIdentity: () => undefined } : { servername: name }),
  };
}

/** Whether a public key is as long as the profile wants it. */
export function keyIsStrongEnough(profile: TlsProfile, details: { type: string; bits: number | undefined }): boolean {
  if (details.bits === undefined) return true;
  const atLeast = details.type.startsWith('rsa')
    ? (profile.minRsaKeyBits ?? DEFAULT_MIN_RSA_KEY_BITS)
    : MIN_EC_KEY_BITS;
  return details.bits >= atLeast;
}
