/** Who signs: a port, so that a key may lie in a file, an HSM or a TPM. */
import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { mkdir, open, readFile, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { PkiError } from './error.ts';

/** Signs with one key that it keeps. ES256 = ECDSA on P-256 with SHA-256 (RFC 7518 § 3.4, RFC 9053 § 2.1). */
export interface Signer {
  readonly algorithm: 'ES256';
  readonly publicKey: KeyObject;
  readonly origin: 'file' | 'hsm' | 'tpm';
  /** @param data what is to be signed, not its hash. @returns r‖s, 64 bytes */
  sign(data: Uint8Array): Promise<Uint8Array> | Uint8Array;
}

/** A P-256 key in a PKCS#8 PEM file that only its owner can read. */
export class FileKeySigner implements Signer {
  readonly algorithm = 'ES256';
  readonly origin = 'file';
  readonly publicKey: KeyObject;
  readonly #key: KeyObject;

  private constructor(key: KeyObject) {
    this.#key = key;
    this.publicKey = createPublicKey(key);
  }

  /**
   * Makes a new key and writes it durably, mode 0600.
   * @throws PkiError `pki.key.exists` when the file exists: keys are never overwritten
   */
  static async create(path: string): Promise<FileKeySigner> {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
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
      await file.writeFile(privateKey.export({ type: 'pkcs8', format: 'pem' }));
      await file.sync();
    } finally {
      await file.close();
    }
    return new FileKeySigner(privateKey);
  }

  /** @throws PkiError when the file cannot be read, others may read it, or it holds no P-256 key */
  static async load(path: string): Promise<FileKeySigner> {
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
    return FileKeySigner.fromPem(pem, path);
  }

  /** @param what where the key came from, for the error message */
  static fromPem(pem: string, what = 'the PEM text'): FileKeySigner {
    let key: KeyObject;
    try {
      key = createPrivateKey(pem);
    } catch (cause) {
      throw new PkiError('caller', 'pki.key.format', `${what} holds no private key`, { cause });
    }
    if (key.asymmetricKeyDetails?.namedCurve !== 'prime256v1') {
      throw new PkiError('unsupported', 'pki.key.curve', `${what} holds no P-256 key`);
    }
    return new FileKeySigner(key);
  }

  sign(data: Uint8Array): Uint8Array {
    return sign('sha256', data, { key: this.#key, dsaEncoding: 'ieee-p1363' });
  }
}
