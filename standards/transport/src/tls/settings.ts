import type { ConnectionOptions, TlsOptions } from 'node:tls';
import { contextOptions, sessionOptions, TLS_RULES, type TlsRules } from './rules.ts';

/** One end of a TLS connection as IEC 62351-3 wants it: its keys, whom it trusts, and rules where they differ from `TLS_RULES`. */
export interface TlsSettings extends Partial<TlsRules> {
  /** Own certificate in PEM (text or bytes), with the intermediate ones behind it. */
  readonly cert: string | Buffer;
  readonly key: string | Buffer;
  readonly passphrase?: string;
  /** The authorities trusted for this connection; the system's own list is never used. */
  readonly ca: string | Buffer | readonly (string | Buffer)[];
  /** Revocation lists. With any, every issuer in the chain needs one that is up to date. */
  readonly crl?: string | Buffer | readonly (string | Buffer)[];
  /** SHA-256 fingerprints (hex, colons or not) of the only certificates accepted. Default: any that the authorities issued. */
  readonly knownCertificates?: readonly string[];
  /** Shortest RSA key in bits; default 2048. Elliptic keys have to be 256 bits or more. */
  readonly minRsaKeyBits?: number;
  /**
   * Client: the name the server's certificate must carry; false checks the chain only (a device certificate often names the
   * device, not its address). Default false. Server: not used.
   */
  readonly serverName?: string | false;
  /** Renew the keys of a TLS 1.2 session each so many seconds by renegotiation; default 86400, 0 never. TLS 1.3 renews its own. */
  readonly renegotiateSeconds?: number;
}

export const DEFAULT_RENEGOTIATE_SECONDS = 86_400;
const DEFAULT_MIN_RSA_KEY_BITS = 2048;
const MIN_EC_KEY_BITS = 256;

export const rulesOf = (settings: TlsSettings): TlsRules => ({ ...TLS_RULES, ...settings });

const list = (value: string | Buffer | readonly (string | Buffer)[]): (string | Buffer)[] =>
  typeof value === 'string' || Buffer.isBuffer(value) ? [value] : [...value];

function common(settings: TlsSettings) {
  const { cert, key, passphrase, ca, crl } = settings;
  if (list(ca).length === 0) throw new RangeError('TLS: no authority to trust (ca is empty)');
  return {
    ...contextOptions(rulesOf(settings)),
    cert,
    key,
    ca: list(ca),
    ...(passphrase === undefined ? {} : { passphrase }),
    ...(crl === undefined ? {} : { crl: list(crl) }),
  };
}

/**
 * Options of `tls.createServer`.
 * @param service what is served, `iec104`: a session of another service is not resumed here
 * @throws RangeError for settings under which there is no connection
 */
export const serverOptions = (settings: TlsSettings, service: string): TlsOptions => ({
  ...common(settings),
  ...sessionOptions(rulesOf(settings), service),
});

/** Options of `tls.connect` without host, port and session. @throws RangeError as `serverOptions` */
export function clientOptions(settings: TlsSettings): ConnectionOptions {
  const name = settings.serverName ?? false;
  return {
    ...common(settings),
    rejectUnauthorized: true,
    ...(name === false ? { checkServerIdentity: () => undefined } : { servername: name }),
  };
}

/** Whether a public key is as long as the settings want it. */
export function keyIsStrongEnough(
  { minRsaKeyBits = DEFAULT_MIN_RSA_KEY_BITS }: TlsSettings,
  { type, bits }: { readonly type: string; readonly bits: number | undefined },
): boolean {
  return bits === undefined || bits >= (type.startsWith('rsa') ? minRsaKeyBits : MIN_EC_KEY_BITS);
}
