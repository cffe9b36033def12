/** Digests by the names of TPM algorithms. */
import { createHmac, getHashes, hash } from 'node:crypto';
import { Tpm2Error } from '../error.ts';
import { HASHES, type HashAlgorithm } from '../spec/algorithms.ts';

let available: ReadonlySet<string> | undefined;

/** Whether this runtime can compute it (SM3 is not in every OpenSSL). */
export function canHash(algorithm: HashAlgorithm): boolean {
  available ??= new Set(getHashes().map((name) => name.toLowerCase()));
  return available.has(HASHES[algorithm].node);
}

/** @throws Tpm2Error (fault unsupported) when the runtime's OpenSSL lacks the algorithm */
export function digest(algorithm: HashAlgorithm, ...parts: readonly Uint8Array[]): Uint8Array {
  if (!canHash(algorithm)) throw new Tpm2Error('unsupported', 'tpm2.hash', `this runtime cannot compute ${algorithm}`);
  return hash(HASHES[algorithm].node, parts.length === 1 ? parts[0]! : Buffer.concat(parts), 'buffer');
}

export function hmac(algorithm: HashAlgorithm, key: Uint8Array, ...parts: readonly Uint8Array[]): Uint8Array {
  const mac = createHmac(HASHES[algorithm].node, key);
  for (const part of parts) mac.update(part);
  return mac.digest();
}
