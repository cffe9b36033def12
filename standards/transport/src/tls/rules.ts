/**
 * The rules of a TLS connection as IEC 62351-3 leaves them to choose, and what `node:tls` has to be told for them. They know
 * nothing of keys and authorities, so that every kind of profile can be made of them.
 */
import { constants } from 'node:crypto';
import type { SecureContextOptions, TlsOptions } from 'node:tls';
import { CIPHER_SUITES, type TlsVersion } from './cipher-suites.ts';

export interface TlsRules {
  /** Lower than TLSv1.2 is not to be had. */
  readonly minVersion: TlsVersion;
  readonly maxVersion: TlsVersion;
  /** IANA names out of `CIPHER_SUITES`, in order of preference. */
  readonly cipherSuites: readonly string[];
  /** How long a session may be resumed, seconds; 0 for never: each connection makes a full handshake. */
  readonly resumptionSeconds: number;
  /** Until an unfinished handshake is given up, seconds. */
  readonly handshakeSeconds: number;
}

/** Every version that is allowed, all suites that are required or recommended. */
export const TLS_RULES: TlsRules = {
  minVersion: 'TLSv1.2',
  maxVersion: 'TLSv1.3',
  cipherSuites: CIPHER_SUITES.filter(({ use }) => use !== 'legacy').map(({ name }) => name),
  resumptionSeconds: 3600,
  handshakeSeconds: 10,
};

/**
 * For both ends: versions, suites, and no tickets where no session may be resumed.
 * @throws RangeError for rules under which there is no connection, or none that IEC 62351-3 allows
 */
export function contextOptions(rules: TlsRules): SecureContextOptions {
  const { minVersion, maxVersion, resumptionSeconds } = rules;
  if (minVersion !== 'TLSv1.2' && minVersion !== 'TLSv1.3') {
    throw new RangeError(`version ${String(minVersion)} is below TLSv1.2, which IEC 62351-3 forbids`);
  }
  if (minVersion > maxVersion) throw new RangeError(`no version between ${minVersion} and ${maxVersion}`);
  return {
    minVersion,
    maxVersion,
    ciphers: cipherString(rules),
    // Without tickets, and nothing kept for those who come back, no session is resumed.
    ...(resumptionSeconds === 0 ? { secureOptions: constants.SSL_OP_NO_TICKET } : {}),
  };
}

/**
 * For a server beside `contextOptions`: mutual authentication, our order of suites, sessions no older than the rules allow.
 * @param service what is served, `iec104`: a session of another service with the same ticket keys is not resumed here
 */
export function sessionOptions({ resumptionSeconds, handshakeSeconds }: TlsRules, service: string): TlsOptions {
  return {
    rejectUnauthorized: true,
    requestCert: true,
    honorCipherOrder: true,
    sessionIdContext: service.slice(0, 32),
    sessionTimeout: Math.max(1, resumptionSeconds),
    handshakeTimeout: handshakeSeconds * 1000,
  };
}

/**
 * The suites as OpenSSL reads them: those of the rules that belong to one of its versions.
 * @throws RangeError for a suite that the catalogue does not hold, or when none is left
 */
function cipherString({ cipherSuites, minVersion, maxVersion }: TlsRules): string {
  const suites = cipherSuites.map((name) => {
    const row = CIPHER_SUITES.find((each) => each.name === name);
    if (!row) throw new RangeError(`the cipher suite ${name} is not in the catalogue`);
    return row;
  });
  const usable = suites.filter(({ version }) => version >= minVersion && version <= maxVersion);
  if (usable.length === 0) throw new RangeError('no cipher suite is left for the versions allowed');
  return usable.map(({ openssl }) => openssl).join(':');
}
