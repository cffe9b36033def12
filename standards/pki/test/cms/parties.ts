/** Keys and certificates that the tests of CMS share, for any curve, and OpenSSL if it is installed. */
import { execFileSync, spawnSync } from 'node:child_process';
import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  buildCertificate,
  type Certificate,
  type KeyUsage,
  keyIdentifier,
  nameOf,
  parseCertificate,
  type Signer,
  toPem,
} from '../../src/index.ts';

export const hasOpenssl = spawnSync('openssl', ['version']).status === 0;
export const folder = mkdtempSync(join(tmpdir(), 'enerchain-cms-'));
export const openssl = (...args: string[]): Buffer =>
  execFileSync('openssl', args, { cwd: folder, stdio: 'pipe', maxBuffer: 1 << 26 });
export const put = (file: string, bytes: Uint8Array | string): string => {
  writeFileSync(join(folder, file), bytes);
  return file;
};
export const get = (file: string): Buffer => readFileSync(join(folder, file));

const ALGORITHMS = {
  prime256v1: 'ES256',
  secp384r1: 'ES384',
  brainpoolP256r1: 'ESB256',
  brainpoolP384r1: 'ESB384',
} as const;
export type Curve = keyof typeof ALGORITHMS;
export const CURVES: readonly Curve[] = ['prime256v1', 'brainpoolP256r1'];

export class KeyInMemory {
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
  readonly origin = 'file';
  readonly algorithm: (typeof ALGORITHMS)[Curve];
  readonly #hash: string;

  constructor(curve: Curve, pem?: string) {
    this.privateKey = pem ? createPrivateKey(pem) : generateKeyPairSync('ec', { namedCurve: curve }).privateKey;
    this.publicKey = createPublicKey(this.privateKey);
    this.algorithm = ALGORITHMS[curve];
    this.#hash = this.algorithm.endsWith('384') ? 'sha384' : 'sha256';
  }

  sign(data: Uint8Array): Uint8Array {
    return sign(this.#hash, data, { key: this.privateKey, dsaEncoding: 'ieee-p1363' });
  }
}

export interface Party {
  readonly name: string;
  readonly key: KeyInMemory;
  readonly certificate: Certificate;
}

/** A party whose certificate signs itself; its files lie in the folder as `<name>.pem` and `<name>.key`. */
export async function party(
  name: string,
  curve: Curve = 'prime256v1',
  usage: readonly KeyUsage[] = [],
): Promise<Party> {
  const key = new KeyInMemory(curve);
  const subject = nameOf({ commonName: name });
  const der = await buildCertificate(
    {
      issuer: subject,
      subject,
      notBefore: new Date(Date.now() - 86_400_000),
      notAfter: new Date(Date.now() + 86_400_000),
      publicKey: key.publicKey,
      extensions: {
        basicConstraints: { ca: true },
        ...(usage.length > 0 && { keyUsage: usage }),
        subjectKeyIdentifier: keyIdentifier(key.publicKey.export({ type: 'spki', format: 'der' })),
      },
    },
    key as Signer,
  );
  put(`${name}.pem`, toPem('CERTIFICATE', der));
  put(`${name}.key`, key.privateKey.export({ type: 'pkcs8', format: 'pem' }));
  return { name, key, certificate: parseCertificate(der) };
}

/** Signs as this party. */
export const signingAs = ({ key, certificate }: Party) => ({ signer: key as Signer, certificate });
