/** Keys and certificates that the tests of CMS share, for any curve, and OpenSSL if it is installed. */
import { execFileSync, spawnSync } from 'node:child_process';
import { createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  ALGORITHMS,
  algorithmOf,
  buildCertificate,
  type Certificate,
  type KeyUsage,
  keyIdentifier,
  nameOf,
  parseCertificate,
  SIGNATURE_ALGORITHMS,
  type SignatureAlgorithm,
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

export const CURVES = SIGNATURE_ALGORITHMS.map((name) => ALGORITHMS[name].curve);

export class KeyInMemory implements Signer {
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
  readonly origin = 'file';
  readonly algorithm: SignatureAlgorithm;

  constructor(namedCurve: string) {
    this.privateKey = generateKeyPairSync('ec', { namedCurve }).privateKey;
    this.publicKey = createPublicKey(this.privateKey);
    this.algorithm = algorithmOf(this.publicKey)!;
  }

  sign(data: Uint8Array): Uint8Array {
    return sign(ALGORITHMS[this.algorithm].hash, data, { key: this.privateKey, dsaEncoding: 'ieee-p1363' });
  }
}

export interface Party {
  readonly name: string;
  readonly key: KeyInMemory;
  readonly certificate: Certificate;
}

/** A party whose certificate signs itself; its files lie in the folder as `<name>.pem` and `<name>.key`. */
export async function party(name: string, curve = 'prime256v1', usage: readonly KeyUsage[] = []): Promise<Party> {
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
    key,
  );
  put(`${name}.pem`, toPem('CERTIFICATE', der));
  put(`${name}.key`, key.privateKey.export({ type: 'pkcs8', format: 'pem' }));
  return { name, key, certificate: parseCertificate(der) };
}

/** Signs as this party. */
export const signingAs = ({ key, certificate }: Party) => ({ signer: key, certificate });
