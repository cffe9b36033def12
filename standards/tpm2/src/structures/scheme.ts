/**
 * Parameters of keys: TPMT_SYM_DEF_OBJECT (Part 2 § 11.1.7), TPMT_RSA_SCHEME (§ 11.2.4.2), TPMT_ECC_SCHEME (§ 11.2.5.6),
 * TPMT_KDF_SCHEME (§ 11.2.3.3), TPMT_KEYEDHASH_SCHEME (§ 11.1.23). `undefined` stands for TPM_ALG_NULL.
 */
import type { Algorithm, HashAlgorithm } from '../spec/algorithms.ts';
import type { TpmReader } from '../wire/reader.ts';
import type { TpmWriter } from '../wire/writer.ts';
import { readAlgorithm, readHash, writeAlgorithm } from './ids.ts';

const CIPHERS = ['aes', 'tdes', 'sm4', 'camellia'] as const;
const MODES = ['cfb', 'ctr', 'ofb', 'cbc', 'ecb', 'cmac'] as const;
const RSA_SCHEMES = ['rsassa', 'rsapss', 'oaep', 'rsaes'] as const;
const ECC_SCHEMES = ['ecdsa', 'ecdaa', 'sm2', 'ecschnorr', 'ecdh', 'ecmqv'] as const;
const KDFS = ['mgf1', 'kdf1_sp800_56a', 'kdf2', 'kdf1_sp800_108'] as const;

export interface SymmetricDefinition {
  readonly algorithm: (typeof CIPHERS)[number];
  readonly keyBits: number;
  /** `undefined`: TPM_ALG_NULL, the mode is chosen with each use. */
  readonly mode: (typeof MODES)[number] | undefined;
}

/** `hash` is absent for `rsaes` only; `count` is there for `ecdaa` only. */
export interface AsymmetricScheme<S extends string = string> {
  readonly scheme: S;
  readonly hash?: HashAlgorithm;
  readonly count?: number;
}
export type RsaScheme = AsymmetricScheme<(typeof RSA_SCHEMES)[number]>;
export type EccScheme = AsymmetricScheme<(typeof ECC_SCHEMES)[number]>;

export interface KdfScheme {
  readonly kdf: (typeof KDFS)[number];
  readonly hash: HashAlgorithm;
}

export type KeyedHashScheme =
  | { readonly scheme: 'hmac'; readonly hash: HashAlgorithm }
  | { readonly scheme: 'xor'; readonly hash: HashAlgorithm; readonly kdf: KdfScheme['kdf'] | undefined };

/** One of the given algorithms, or `undefined` for TPM_ALG_NULL. */
function readOneOf<A extends Algorithm>(reader: TpmReader, what: string, legal: readonly A[]): A | undefined {
  const algorithm = readAlgorithm(reader, what);
  if (algorithm === 'null') return undefined;
  if (!(legal as readonly Algorithm[]).includes(algorithm)) throw reader.fail(`${what} cannot be ${algorithm}`);
  return algorithm as A;
}

export function readSymmetric(reader: TpmReader): SymmetricDefinition | undefined {
  const algorithm = readOneOf(reader, 'symmetric algorithm', CIPHERS);
  if (algorithm === undefined) return undefined;
  return { algorithm, keyBits: reader.u16('symmetric key size'), mode: readOneOf(reader, 'symmetric mode', MODES) };
}

export function writeSymmetric(writer: TpmWriter, symmetric: SymmetricDefinition | undefined): void {
  writeAlgorithm(writer, symmetric?.algorithm ?? 'null');
  if (symmetric === undefined) return;
  writer.u16(symmetric.keyBits);
  writeAlgorithm(writer, symmetric.mode ?? 'null');
}

function readScheme<S extends Algorithm>(
  reader: TpmReader,
  what: string,
  legal: readonly S[],
): AsymmetricScheme<S> | undefined {
  const scheme = readOneOf(reader, what, legal);
  if (scheme === undefined) return undefined;
  if (scheme === 'rsaes') return { scheme };
  const hash = readHash(reader, `hash of ${scheme}`);
  return scheme === 'ecdaa' ? { scheme, hash, count: reader.u16('ECDAA count') } : { scheme, hash };
}

export const readRsaScheme = (reader: TpmReader): RsaScheme | undefined =>
  readScheme(reader, 'RSA scheme', RSA_SCHEMES);
export const readEccScheme = (reader: TpmReader): EccScheme | undefined =>
  readScheme(reader, 'ECC scheme', ECC_SCHEMES);

export function writeScheme(writer: TpmWriter, scheme: RsaScheme | EccScheme | undefined): void {
  writeAlgorithm(writer, scheme?.scheme ?? 'null');
  if (scheme?.hash !== undefined) writeAlgorithm(writer, scheme.hash);
  if (scheme?.count !== undefined) writer.u16(scheme.count);
}

export function readKdf(reader: TpmReader): KdfScheme | undefined {
  const kdf = readOneOf(reader, 'key derivation', KDFS);
  return kdf === undefined ? undefined : { kdf, hash: readHash(reader, `hash of ${kdf}`) };
}

export function writeKdf(writer: TpmWriter, kdf: KdfScheme | undefined): void {
  writeAlgorithm(writer, kdf?.kdf ?? 'null');
  if (kdf !== undefined) writeAlgorithm(writer, kdf.hash);
}

export function readKeyedHashScheme(reader: TpmReader): KeyedHashScheme | undefined {
  const scheme = readOneOf(reader, 'keyed hash scheme', ['hmac', 'xor'] as const);
  if (scheme === undefined) return undefined;
  const hash = readHash(reader, `hash of ${scheme}`);
  return scheme === 'hmac' ? { scheme, hash } : { scheme, hash, kdf: readOneOf(reader, 'key derivation', KDFS) };
}

export function writeKeyedHashScheme(writer: TpmWriter, scheme: KeyedHashScheme | undefined): void {
  writeAlgorithm(writer, scheme?.scheme ?? 'null');
  if (scheme === undefined) return;
  writeAlgorithm(writer, scheme.hash);
  if (scheme.scheme === 'xor') writeAlgorithm(writer, scheme.kdf ?? 'null');
}
