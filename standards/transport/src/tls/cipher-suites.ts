/** Versions and cipher suites of TLS as IEC 62351-3 has them, once for all profiles. The text was not at hand: from memory. */
export type TlsVersion = 'TLSv1.2' | 'TLSv1.3';

export interface CipherSuite {
  /** IANA name, as standards write it. */
  readonly name: string;
  /** The name OpenSSL knows it by. */
  readonly openssl: string;
  readonly version: TlsVersion;
  /** `required` and `recommended` ones are offered; `legacy` ones only where a profile, or its user, asks for them by name. */
  readonly use: 'required' | 'recommended' | 'legacy';
}

/** In order of preference: forward secrecy and AEAD only, but for the legacy ones. */
export const CIPHER_SUITES: readonly CipherSuite[] = [
  suite('TLS_AES_256_GCM_SHA384', 'TLS_AES_256_GCM_SHA384', 'TLSv1.3', 'recommended'),
  suite('TLS_AES_128_GCM_SHA256', 'TLS_AES_128_GCM_SHA256', 'TLSv1.3', 'required'),
  suite('TLS_CHACHA20_POLY1305_SHA256', 'TLS_CHACHA20_POLY1305_SHA256', 'TLSv1.3', 'recommended'),
  suite('TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256', 'ECDHE-ECDSA-AES128-GCM-SHA256', 'TLSv1.2', 'required'),
  suite('TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256', 'ECDHE-RSA-AES128-GCM-SHA256', 'TLSv1.2', 'required'),
  suite('TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384', 'ECDHE-ECDSA-AES256-GCM-SHA384', 'TLSv1.2', 'recommended'),
  suite('TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384', 'ECDHE-RSA-AES256-GCM-SHA384', 'TLSv1.2', 'recommended'),
  suite('TLS_DHE_RSA_WITH_AES_128_GCM_SHA256', 'DHE-RSA-AES128-GCM-SHA256', 'TLSv1.2', 'recommended'),
  suite('TLS_DHE_RSA_WITH_AES_256_GCM_SHA384', 'DHE-RSA-AES256-GCM-SHA384', 'TLSv1.2', 'recommended'),
  // Without AEAD: what smart metering may still need.
  suite('TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256', 'ECDHE-ECDSA-AES128-SHA256', 'TLSv1.2', 'legacy'),
  suite('TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA384', 'ECDHE-ECDSA-AES256-SHA384', 'TLSv1.2', 'legacy'),
  // Without forward secrecy: what old devices may have and nothing else.
  suite('TLS_RSA_WITH_AES_128_CBC_SHA256', 'AES128-SHA256', 'TLSv1.2', 'legacy'),
  suite('TLS_RSA_WITH_AES_128_GCM_SHA256', 'AES128-GCM-SHA256', 'TLSv1.2', 'legacy'),
];

function suite(name: string, openssl: string, version: TlsVersion, use: CipherSuite['use']): CipherSuite {
  return { name, openssl, version, use };
}
