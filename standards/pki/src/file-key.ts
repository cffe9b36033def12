/** A key in a file: PKCS#8 in PEM, plain or under a passphrase, readable by its owner alone. */
import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { mkdir, open, readFile, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { ALGORITHMS, algorithmOf, type SignatureAlgorithm } from './algorithm.ts';
import { PkiError } from './error.ts';
import { encryptPrivateKey, type PassphraseSource, readPassphrase } from './passphrase.ts';
import { toPem } from './signed.ts';
import type { Signer } from './signer.ts';

export interface CreateKeyOptions {
  /** ES256 when absent. */
  readonly algorithm?: SignatureAlgorithm;
  /** Encrypts the file; without it the key lies there in the clear, mode 0600. */
  readonly passphrase?: PassphraseSource;
}

export interface LoadKeyOptions {
  /** What the caller can use; a key of another curve is refused. ES256 alone when absent. */
  readonly accept?: readonly SignatureAlgorithm[];
  /** Asked only when the file is encrypted. */
  readonly passphrase?: PassphraseSource;
}

const DEFAULT_ACCEPT: readonly SignatureAlgorithm[] = ['ES256'];

/** Signs with a key that it read from a file. */
export class FileKeySigner implements Signer {
  readonly algorithm: SignatureAlgorithm;
  readonly origin = 'file';
  readonly publicKey: KeyObject;
  readonly #key: KeyObject;

  private constructor(key: KeyObject, algorithm: SignatureAlgorithm) {
    this.#key = key;
    this.algorithm = algorithm;
    this.publicKey = createPublicKey(key);
  }

  /**
   * Makes a new key and writes it durably, mode 0600.
   * @throws PkiError `pki.key.exists` when the file exists: keys are never overwritten; `pki.key.passphrase`
   */
  static async create(path: string, options: CreateKeyOptions = {}): Promise<FileKeySigner> {
    const algorithm = options.algorithm ?? 'ES256';
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: ALGORITHMS[algorithm].curve });
    const pem = options.passphrase
      ? toPem(ENCRYPTED, await encryptPrivateKey(privateKey, await readPassphrase(options.passphrase)))
      : privateKey.export({ type: 'pkcs8', format: 'pem' });
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    let file: Awaited<ReturnType<typeof open>>;
    try {
      file = await open(path, 'wx', 0o600);
    } catch (cause) {
      const exists = (cause as NodeJS.ErrnoException).code === 'EEXIST';
      throw exists
        ? new PkiError('caller', 'pki.key.exists', `${path} exists already; a key is never overwritten`, { cause })
        : new PkiError('environment', 'pki.key.write', `the key cannot be written to ${path}`, { cause });
    }
    try {
      await file.writeFile(pem);
      await file.sync();
    } finally {
      await file.close();
    }
    return new FileKeySigner(privateKey, algorithm);
  }

  /** @throws PkiError when the file cannot be read or opened, others may read it, or its key is not of an accepted curve */
  static async load(path: string, options: LoadKeyOptions = {}): Promise<FileKeySigner> {
    let pem: string;
    try {
      const { mode } = await stat(path);
      if (mode & 0o077) {
        const shown = (mode & 0o777).toString(8);
        throw new PkiError('caller', 'pki.key.mode', `${path} has mode ${shown}; a key file must be 0600`);
      }
      pem = await readFile(path, 'utf8');
    } catch (cause) {
      if (cause instanceof PkiError) throw cause;
      throw new PkiError('environment', 'pki.key.read', `the key ${path} cannot be read`, { cause });
    }
    const passphrase = options.passphrase && isEncrypted(pem) ? await readPassphrase(options.passphrase) : undefined;
    return FileKeySigner.fromPem(pem, path, {
      ...(options.accept ? { accept: options.accept } : {}),
      ...(passphrase === undefined ? {} : { passphrase }),
    });
  }

  /** @param what where the key came from, for the error message */
  static fromPem(
    pem: string,
    what = 'the PEM text',
    options: { readonly accept?: readonly SignatureAlgorithm[]; readonly passphrase?: string } = {},
  ): FileKeySigner {
    const { accept = DEFAULT_ACCEPT, passphrase } = options;
    if (isEncrypted(pem) && passphrase === undefined) {
      throw new PkiError('caller', 'pki.key.passphrase', `${what} is encrypted and no passphrase was given`);
    }
    let key: KeyObject;
    try {
      key = createPrivateKey({ key: pem, ...(passphrase === undefined ? {} : { passphrase }) });
    } catch (cause) {
      throw isEncrypted(pem)
        ? new PkiError('caller', 'pki.key.passphrase', `${what} cannot be opened with the passphrase given`, { cause })
        : new PkiError('caller', 'pki.key.format', `${what} holds no private key`, { cause });
    }
    const algorithm = algorithmOf(key);
    if (!algorithm || !accept.includes(algorithm)) {
      const curves = accept.map((name) => CURVE_NAMES[name]).join(', ');
      throw new PkiError('unsupported', 'pki.key.curve', `${what} holds no ${curves} key`);
    }
    return new FileKeySigner(key, algorithm);
  }

  sign(data: Uint8Array): Uint8Array {
    return sign(ALGORITHMS[this.algorithm].hash, data, { key: this.#key, dsaEncoding: 'ieee-p1363' });
  }
}

const ENCRYPTED = 'ENCRYPTED PRIVATE KEY';
const isEncrypted = (pem: string): boolean => pem.includes(`-----BEGIN ${ENCRYPTED}-----`);

const CURVE_NAMES: Readonly<Record<SignatureAlgorithm, string>> = {
  ES256: 'P-256',
  ES384: 'P-384',
  ESB256: 'brainpoolP256r1',
  ESB384: 'brainpoolP384r1',
};
