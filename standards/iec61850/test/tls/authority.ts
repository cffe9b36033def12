/** Certificates for the tests, made when they run, so that they are never out of date. */
import { generateKeyPairSync } from 'node:crypto';
import {
  buildCertificate,
  buildCrl,
  type Certificate,
  type ExtensionSet,
  FileKeySigner,
  keyIdentifier,
  nameOf,
  parseCertificate,
  toPem,
} from '@enerchain/pki';

const HOUR = 3_600_000;

export interface Issued {
  readonly cert: string;
  readonly key: string;
  readonly certificate: Certificate;
}

/** PEM lists where they are needed. */
export class TestAuthority {
  readonly #signer: FileKeySigner;
  readonly certificate: Certificate;
  readonly cert: string;
  #number = 0;

  private constructor(signer: FileKeySigner, der: Uint8Array) {
    this.#signer = signer;
    this.certificate = parseCertificate(der);
    this.cert = toPem('CERTIFICATE', der);
  }

  static async create(name: string): Promise<TestAuthority> {
    const { signer } = newKey();
    const subject = nameOf({ commonName: name });
    const extensions: ExtensionSet = {
      basicConstraints: { ca: true },
      keyUsage: ['keyCertSign', 'cRLSign'],
      subjectKeyIdentifier: keyIdentifier(signer.publicKey.export({ type: 'spki', format: 'der' })),
    };
    const fields = { issuer: subject, subject, ...around(), publicKey: signer.publicKey, extensions };
    return new TestAuthority(signer, await buildCertificate(fields, signer));
  }

  async issue(name: string, valid: { readonly notBefore: Date; readonly notAfter: Date } = around()): Promise<Issued> {
    const { signer, pem } = newKey();
    const fields = {
      issuer: this.certificate.subject,
      subject: nameOf({ commonName: name }),
      ...valid,
      publicKey: signer.publicKey,
      extensions: {
        basicConstraints: { ca: false },
        keyUsage: ['digitalSignature'],
        subjectAltName: [{ kind: 'dns', value: 'localhost' }],
        authorityKeyIdentifier: keyIdentifier(this.certificate.spki),
      } satisfies ExtensionSet,
    };
    const der = await buildCertificate(fields, this.#signer);
    return { cert: toPem('CERTIFICATE', der), key: pem, certificate: parseCertificate(der) };
  }

  async crl(...revoked: Issued[]): Promise<string> {
    const { notBefore, notAfter } = around();
    const entries = revoked.map(({ certificate }) => ({
      serialNumber: certificate.serialNumber,
      revokedAt: notBefore,
    }));
    const fields = {
      issuer: this.certificate,
      number: ++this.#number,
      thisUpdate: notBefore,
      nextUpdate: notAfter,
      entries,
    };
    return toPem('X509 CRL', await buildCrl(fields, this.#signer));
  }
}

export const around = (from = -1, to = 24) => ({
  notBefore: new Date(Math.floor(Date.now() / 1000) * 1000 + from * HOUR),
  notAfter: new Date(Math.floor(Date.now() / 1000) * 1000 + to * HOUR),
});

function newKey(): { readonly signer: FileKeySigner; readonly pem: string } {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' });
  const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }) as string;
  return { signer: FileKeySigner.fromPem(pem, 'a test key', { accept: ['ES256'] }), pem };
}
