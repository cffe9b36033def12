/**
 * PKCS#8 private keys under a passphrase (RFC 5958 § 3): PBES2 with PBKDF2-HMAC-SHA-256 and AES-256-CBC (RFC 8018 § 6.2),
 * which OpenSSL, and so node:crypto, reads. Written here because node would derive the key with 2 048 iterations.
 */
import { createCipheriv, type KeyObject, pbkdf2, randomBytes } from 'node:crypto';
import { promisify } from 'node:util';
import * as der from './der-writer.ts';
import { PkiError } from './error.ts';
import { OID } from './oid.ts';

/** PBKDF2 iterations of a key that is written; about 0.2 s each time it is opened. */
export const PBKDF2_ITERATIONS = 600_000;

/** Where a passphrase comes from; asked once per key, never kept, never part of a message. */
export type PassphraseSource = (() => string | Promise<string>) | { readonly env: string };

/** @throws PkiError `pki.key.passphrase` (fault caller) when there is none or it is empty */
export async function readPassphrase(source: PassphraseSource): Promise<string> {
  const text = typeof source === 'function' ? await source() : process.env[source.env];
  if (!text) {
    const where = typeof source === 'function' ? 'the passphrase asked for' : `the environment variable ${source.env}`;
    throw new PkiError('caller', 'pki.key.passphrase', `${where} is empty`);
  }
  return text;
}

/** EncryptedPrivateKeyInfo. @returns DER, for PEM under `ENCRYPTED PRIVATE KEY` */
export async function encryptPrivateKey(
  key: KeyObject,
  passphrase: string,
  iterations = PBKDF2_ITERATIONS,
): Promise<Uint8Array> {
  const salt = randomBytes(16);
  const iv = randomBytes(16);
  const secret = await promisify(pbkdf2)(passphrase, salt, iterations, 32, 'sha256');
  const cipher = createCipheriv('aes-256-cbc', secret, iv);
  const plain = key.export({ type: 'pkcs8', format: 'der' });
  const encrypted = Buffer.concat([cipher.update(plain), cipher.final()]);
  secret.fill(0);
  plain.fill(0);
  const derivation = der.sequence(
    der.octetString(salt),
    der.integer(iterations),
    der.sequence(der.objectIdentifier(OID.hmacWithSha256), der.nullValue()),
  );
  const scheme = der.sequence(
    der.sequence(der.objectIdentifier(OID.pbkdf2), derivation),
    der.sequence(der.objectIdentifier(OID.aes256Cbc), der.octetString(iv)),
  );
  return der.sequence(der.sequence(der.objectIdentifier(OID.pbes2), scheme), der.octetString(encrypted));
}
