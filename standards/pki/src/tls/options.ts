/** Options for `node:tls` out of a profile: mutual authentication, nothing that the profile does not list. */
import type { ConnectionOptions, SecureContextOptions, TlsOptions } from 'node:tls';
import { contextOptions, sessionOptions } from '@enerchain/transport';
import { PkiError } from '../error.ts';
import type { TlsKeySource } from './key-source.ts';
import { TLS_GROUPS, TLS_SIGNATURE_SCHEMES, type TlsProfile } from './profile.ts';

export interface TlsTrust {
  readonly keys: TlsKeySource;
  /** Authorities that are trusted, PEM; the system's own list is never used. */
  readonly ca: readonly string[];
  /** Revocation lists, PEM. With any, OpenSSL wants a current one of each issuer in a chain. */
  readonly crl?: readonly string[];
}

/** @throws PkiError `pki.tls.profile` (fault caller) for a profile that cannot be used */
function common(profile: TlsProfile, trust: TlsTrust) {
  const refuse = (why: string) => new PkiError('caller', 'pki.tls.profile', `the TLS profile ${profile.name}: ${why}`);
  if (trust.ca.length === 0) throw refuse('used without any authority to trust');
  let rules: SecureContextOptions;
  try {
    rules = contextOptions(profile);
  } catch (error) {
    throw error instanceof RangeError ? refuse(error.message) : error;
  }
  return {
    ...rules,
    ...trust.keys.options(),
    ca: [...trust.ca],
    ...(trust.crl?.length ? { crl: [...trust.crl] } : {}),
    ecdhCurve: profile.groups.map((group) => TLS_GROUPS[group]).join(':'),
    sigalgs: profile.signatureSchemes.map((scheme) => TLS_SIGNATURE_SCHEMES[scheme]).join(':'),
  };
}

/**
 * What both ends have in common: for `tls.createSecureContext`, and for a server that decides by itself whom it turns away.
 * @throws PkiError `pki.tls.profile` (fault caller) for a profile that cannot be used
 */
export const tlsContextOptions = (profile: TlsProfile, trust: TlsTrust): SecureContextOptions => common(profile, trust);

/**
 * Options of `tls.createServer` and `https.createServer`.
 * @param service keeps sessions of one service from being resumed at another with the same ticket keys
 */
export const tlsServerOptions = (profile: TlsProfile, trust: TlsTrust, service: string): TlsOptions => ({
  ...common(profile, trust),
  ...sessionOptions(profile, service),
});

/**
 * Options of `tls.connect` without host and port; connect with `connectGuarded`.
 * @param serverName what the server's certificate must name; `false` when the caller checks whose certificate it is
 */
export function tlsClientOptions(profile: TlsProfile, trust: TlsTrust, serverName: string | false): ConnectionOptions {
  return {
    ...common(profile, trust),
    rejectUnauthorized: true,
    ...(serverName === false ? { checkServerIdentity: () => undefined } : { servername: serverName }),
  };
}
