/** TPMT_SIGNATURE (Part 2 § 11.3.4), and its verification with `node:crypto`. */
import { constants, type KeyObject, verify } from 'node:crypto';
import { CURVES, HASHES, type HashAlgorithm } from '../spec/algorithms.ts';
import { readAll, type TpmReader } from '../wire/reader.ts';
import { type TpmWriter, writeAll } from '../wire/writer.ts';
import { readAlgorithm, readHash, writeAlgorithm } from './ids.ts';
import { type TpmPublic, toKeyObject } from './public.ts';

export type TpmSignature =
  | { readonly scheme: 'rsassa' | 'rsapss'; readonly hash: HashAlgorithm; readonly signature: Uint8Array }
  | {
      readonly scheme: 'ecdsa' | 'sm2' | 'ecschnorr' | 'ecdaa';
      readonly hash: HashAlgorithm;
      /** Big-endian numbers, with or without leading zeros. */
      readonly r: Uint8Array;
      readonly s: Uint8Array;
    }
  | { readonly scheme: 'hmac'; readonly hash: HashAlgorithm; readonly digest: Uint8Array }
  | { readonly scheme: 'null' };

const MAX_RSA = 512;
const MAX_COORDINATE = 80;

export function readSignature(reader: TpmReader): TpmSignature {
  const scheme = readAlgorithm(reader, 'signature scheme');
  switch (scheme) {
    case 'rsassa':
    case 'rsapss':
      return {
        scheme,
        hash: readHash(reader, 'hash of a signature'),
        signature: reader.sized('RSA signature', MAX_RSA),
      };
    case 'ecdsa':
    case 'sm2':
    case 'ecschnorr':
    case 'ecdaa': {
      const hash = readHash(reader, 'hash of a signature');
      const r = reader.sized('r', MAX_COORDINATE);
      return { scheme, hash, r, s: reader.sized('s', MAX_COORDINATE) };
    }
    case 'hmac': {
      const hash = readHash(reader, 'hash of a signature');
      return { scheme, hash, digest: reader.bytes(HASHES[hash].size, 'HMAC') };
    }
    case 'null':
      return { scheme };
    default:
      throw reader.fail(`${scheme} is no signature scheme`);
  }
}

export function writeSignature(writer: TpmWriter, signature: TpmSignature): void {
  writeAlgorithm(writer, signature.scheme);
  if (signature.scheme === 'null') return;
  writeAlgorithm(writer, signature.hash);
  if ('r' in signature) writer.sized(signature.r).sized(signature.s);
  else if ('digest' in signature) writer.bytes(signature.digest);
  else writer.sized(signature.signature);
}

/** TPMT_SIGNATURE → object. @throws Tpm2Error `tpm2.malformed` (fault peer) */
export const parseSignature = (bytes: Uint8Array): TpmSignature => readAll(bytes, 'TPMT_SIGNATURE', readSignature);

export const encodeSignature = (signature: TpmSignature): Uint8Array =>
  writeAll((writer) => writeSignature(writer, signature));

/**
 * Whether `signature` is one over `data` by the key. Only RSASSA, RSAPSS and ECDSA on NIST’s curves; a key with a fixed scheme
 * signs with no other (so a weaker hash cannot be slipped in).
 */
export function verifySignature(area: TpmPublic, data: Uint8Array, signature: TpmSignature): boolean {
  if (area.type !== 'rsa' && area.type !== 'ecc') return false;
  const { scheme } = area;
  if (signature.scheme === 'null') return false;
  if (scheme !== undefined && (scheme.scheme !== signature.scheme || scheme.hash !== signature.hash)) return false;
  const key = toKeyObject(area);
  return checks(area, key, data, signature);
}

function checks(area: TpmPublic, key: KeyObject, data: Uint8Array, signature: TpmSignature): boolean {
  switch (signature.scheme) {
    case 'rsassa':
    case 'rsapss': {
      if (area.type !== 'rsa') return false;
      const options =
        signature.scheme === 'rsassa'
          ? { key, padding: constants.RSA_PKCS1_PADDING }
          : { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_AUTO };
      return verify(HASHES[signature.hash].node, data, options, signature.signature);
    }
    case 'ecdsa': {
      if (area.type !== 'ecc') return false;
      const pair = ecdsaPair(signature.r, signature.s, CURVES[area.curve].size);
      return pair !== undefined && verify(HASHES[signature.hash].node, data, { key, dsaEncoding: 'ieee-p1363' }, pair);
    }
    default:
      return false;
  }
}

/** r‖s, each as long as the curve’s order; `undefined` when one is longer. */
export function ecdsaPair(r: Uint8Array, s: Uint8Array, size: number): Uint8Array | undefined {
  const pair = new Uint8Array(2 * size);
  return place(pair, r, size) && place(pair, s, 2 * size) ? pair : undefined;
}

/** Puts a number without its leading zeros so that it ends at `end`. @returns whether half of `pair` has room for it */
function place(pair: Uint8Array, number: Uint8Array, end: number): boolean {
  let from = 0;
  while (number.length - from > pair.length / 2 && number[from] === 0) from++;
  if (number.length - from > pair.length / 2) return false;
  pair.set(from === 0 ? number : number.subarray(from), end - (number.length - from));
  return true;
}
