/**
 * Where the private key of a TLS connection lies: in a file, in an HSM behind an OpenSSL engine, or, as a short-lived leaf, in
 * memory alone while the HSM signs only its certificate. A port, because engines leave Node with version 28.
 */
import { generateKeyPairSync } from 'node:crypto';
import type { SecureContextOptions } from 'node:tls';
import { ALGORITHMS, type SignatureAlgorithm } from '../algorithm.ts';
import { type Certificate, certificateFromPem } from '../certificate.ts';
import { PkiError } from '../error.ts';
import { FileKeySigner } from '../file-key.ts';
import { toPem } from '../signed.ts';
import type { Signer } from '../signer.ts';

/** What `node:tls` needs to know of certificate and key. */
export type TlsKeyOptions = Pick<
  SecureContextOptions,
  'cert' | 'key' | 'passphrase' | 'privateKeyEngine' | 'privateKeyIdentifier'
>;

export interface TlsKeySource {
  readonly origin: 'file' | 'hsm' | 'memory';
  /** Certificate and key as they are now; asked anew for each server and each connection. */
  options(): TlsKeyOptions;
}

/** A key in PEM, read from a file by the caller. @param certificatePem with the intermediate ones behind it */
export const fileKeySource = (certificatePem: string, keyPem: string, passphrase?: string): TlsKeySource => ({
  origin: 'file',
  options: () => ({ cert: certificatePem, key: keyPem, ...(passphrase === undefined ? {} : { passphrase }) }),
});

export interface EngineKeyOptions {
  readonly certificatePem: string;
  /** Name of the engine; `pkcs11` when absent. OpenSSL looks for it where the environment variable OPENSSL_ENGINES says. */
  readonly engine?: string;
  /** What the engine calls the key: for `pkcs11` a URI (RFC 7512). A PIN belongs in the module's own configuration or a `pin-source`. */
  readonly identifier: string;
}

/**
 * A key that never leaves its HSM. The signature is made in the event loop, so this is for tokens that answer in about a
 * millisecond; with a slower one use a short-lived leaf.
 * @throws PkiError `pki.tls.engine` (fault caller) when OPENSSL_ENGINES is not set: Node would not find the engine
 */
export function engineKeySource(options: EngineKeyOptions): TlsKeySource {
  const { certificatePem, engine = 'pkcs11', identifier } = options;
  if (!process.env.OPENSSL_ENGINES) {
    throw new PkiError('caller', 'pki.tls.engine', `OPENSSL_ENGINES does not say where the engine ${engine} lies`);
  }
  return {
    origin: 'hsm',
    options: () => ({ cert: certificatePem, privateKeyEngine: engine, privateKeyIdentifier: identifier }),
  };
}

export interface ShortLivedLeafOptions {
  /** Curve of the leaf's key; ES256 when absent. */
  readonly algorithm?: SignatureAlgorithm;
  /**
   * Has a certificate issued for a new key: by an authority, after it was shown evidence; or by an issuer whose key lies in an HSM.
   * @param key can sign the request. @returns PEM, with the intermediate ones behind it
   */
  readonly issue: (key: Signer) => Promise<string>;
  /** Renewed when so much of the validity is over; a third when absent, so that an authority may be away for the rest. */
  readonly renewAfter?: number;
  readonly now: () => Date;
}

interface Leaf {
  readonly certificate: Certificate;
  readonly options: TlsKeyOptions;
}

/** A leaf whose key was made in memory and is gone with the process. `renew` is called by the caller's own timer. */
export class ShortLivedLeaf implements TlsKeySource {
  readonly origin = 'memory';
  readonly #options: ShortLivedLeafOptions;
  #current: Leaf;

  private constructor(options: ShortLivedLeafOptions, current: Leaf) {
    this.#options = options;
    this.#current = current;
  }

  /** @throws what `issue` throws; PkiError when it returns a certificate of another key */
  static async create(options: ShortLivedLeafOptions): Promise<ShortLivedLeaf> {
    return new ShortLivedLeaf(options, await newLeaf(options));
  }

  get certificate(): Certificate {
    return this.#current.certificate;
  }

  options(): TlsKeyOptions {
    return this.#current.options;
  }

  /** When the leaf should be renewed. */
  get renewAt(): Date {
    const { notBefore, notAfter } = this.#current.certificate;
    const life = notAfter.getTime() - notBefore.getTime();
    return new Date(notBefore.getTime() + life * (this.#options.renewAfter ?? 1 / 3));
  }

  /**
   * Takes a new key and certificate when it is time; the old ones stay when that fails, as long as they last.
   * @returns whether they were renewed
   * @throws what `issue` throws
   */
  async renew(): Promise<boolean> {
    if (this.#options.now() < this.renewAt) return false;
    this.#current = await newLeaf(this.#options);
    return true;
  }
}

async function newLeaf(options: ShortLivedLeafOptions): Promise<Leaf> {
  const algorithm = options.algorithm ?? 'ES256';
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: ALGORITHMS[algorithm].curve });
  const key = toPem('PRIVATE KEY', privateKey.export({ type: 'pkcs8', format: 'der' }));
  const signer = FileKeySigner.fromPem(key, 'a new key', { accept: [algorithm] });
  const cert = await options.issue(signer);
  const certificate = certificateFromPem(cert, 'what the authority returned');
  if (!certificate.publicKey.equals(signer.publicKey)) {
    throw new PkiError('peer', 'pki.tls.leaf', 'the authority certified another key than it was asked to');
  }
  return { certificate, options: { cert, key } };
}
