/** Who may sign manifests, in PEM. */
import { createPublicKey, type KeyObject, X509Certificate } from 'node:crypto';
import { sha256 } from '../measure/list.ts';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

/**
 * The key in a PEM by the identifiers under which manifests may name it, hex: SHA-256 of its SubjectPublicKeyInfo, and of the
 * certificate where it is one.
 * @throws Error of node:crypto when it is neither a certificate nor a public key
 */
export function authorityKeys(pem: string): readonly (readonly [string, KeyObject])[] {
  const certificate = pem.includes('BEGIN CERTIFICATE') ? new X509Certificate(pem) : undefined;
  const key = certificate?.publicKey ?? createPublicKey(pem);
  const bySpki = [hex(sha256(key.export({ type: 'spki', format: 'der' }))), key] as const;
  return certificate ? [bySpki, [hex(sha256(certificate.raw)), key]] : [bySpki];
}
