/** Key derivation of TPM 2.0 Library rev 1.59 Part 1: KDFa (§ 11.4.10.2, SP800-108 counter mode) and KDFe (§ 11.4.10.3, SP800-56A). */
import { HASHES, type HashAlgorithm } from '../spec/algorithms.ts';
import { digest, hmac } from '../structures/hash.ts';

const counterOctets = (value: number): Uint8Array => {
  const octets = new Uint8Array(4);
  new DataView(octets.buffer).setUint32(0, value);
  return octets;
};

/** Label with its terminating zero. */
const terminated = (label: string): Uint8Array => Buffer.from(`${label}\0`, 'latin1');

/** @param bits length of the result, a multiple of eight */
export function kdfa(
  hash: HashAlgorithm,
  key: Uint8Array,
  label: string,
  contextU: Uint8Array,
  contextV: Uint8Array,
  bits: number,
): Uint8Array {
  const size = bits / 8;
  const blocks: Uint8Array[] = [];
  for (let i = 1; (i - 1) * HASHES[hash].size < size; i++) {
    blocks.push(hmac(hash, key, counterOctets(i), terminated(label), contextU, contextV, counterOctets(bits)));
  }
  return Buffer.concat(blocks).subarray(0, size);
}

/**
 * @param z x coordinate of the shared point
 * @param partyU x coordinate of the ephemeral key
 * @param partyV x coordinate of the static key
 */
export function kdfe(
  hash: HashAlgorithm,
  z: Uint8Array,
  label: string,
  partyU: Uint8Array,
  partyV: Uint8Array,
  bits: number,
): Uint8Array {
  const size = bits / 8;
  const blocks: Uint8Array[] = [];
  for (let i = 1; (i - 1) * HASHES[hash].size < size; i++) {
    blocks.push(digest(hash, counterOctets(i), z, terminated(label), partyU, partyV));
  }
  return Buffer.concat(blocks).subarray(0, size);
}
