/**
 * TPM_ALG_ID (Part 2 § 6.3, TCG Algorithm Registry § 6.8) and TPM_ECC_CURVE (Part 2 § 6.4) of TPM 2.0 Library rev 1.59 as
 * data. Names are those of the registry in lower case, as tpm2-tools writes them.
 */

// biome-ignore format: a table reads best as a table
export const ALGORITHM_IDS = {
  rsa: 0x0001, tdes: 0x0003, sha1: 0x0004, hmac: 0x0005, aes: 0x0006, mgf1: 0x0007, keyedhash: 0x0008, xor: 0x000a,
  sha256: 0x000b, sha384: 0x000c, sha512: 0x000d, null: 0x0010, sm3_256: 0x0012, sm4: 0x0013,
  rsassa: 0x0014, rsaes: 0x0015, rsapss: 0x0016, oaep: 0x0017, ecdsa: 0x0018, ecdh: 0x0019, ecdaa: 0x001a,
  sm2: 0x001b, ecschnorr: 0x001c, ecmqv: 0x001d, kdf1_sp800_56a: 0x0020, kdf2: 0x0021, kdf1_sp800_108: 0x0022,
  ecc: 0x0023, symcipher: 0x0025, camellia: 0x0026, sha3_256: 0x0027, sha3_384: 0x0028, sha3_512: 0x0029,
  cmac: 0x003f, ctr: 0x0040, ofb: 0x0041, cbc: 0x0042, cfb: 0x0043, ecb: 0x0044,
} as const;
export type Algorithm = keyof typeof ALGORITHM_IDS;

const ALGORITHM_NAMES: ReadonlyMap<number, Algorithm> = new Map(
  Object.entries(ALGORITHM_IDS).map(([name, id]) => [id, name as Algorithm]),
);

/** `undefined` for an id that is not in the table. */
export const algorithmOf = (id: number): Algorithm | undefined => ALGORITHM_NAMES.get(id);

/** Hash algorithms: octets of a digest, and the name that `node:crypto` uses. */
export const HASHES = {
  sha1: { size: 20, node: 'sha1' },
  sha256: { size: 32, node: 'sha256' },
  sha384: { size: 48, node: 'sha384' },
  sha512: { size: 64, node: 'sha512' },
  sm3_256: { size: 32, node: 'sm3' },
  sha3_256: { size: 32, node: 'sha3-256' },
  sha3_384: { size: 48, node: 'sha3-384' },
  sha3_512: { size: 64, node: 'sha3-512' },
} as const;
export type HashAlgorithm = keyof typeof HASHES;

export const isHash = (algorithm: string): algorithm is HashAlgorithm => Object.hasOwn(HASHES, algorithm);

/** Octets of the longest digest (sizeof(TPMU_HA), Part 2 § 10.3.1). */
export const MAX_DIGEST = 64;

/** Octets of a coordinate, and the names that `node:crypto` and JWK use (undefined: node cannot do it). */
export const CURVES = {
  nist_p192: { id: 0x0001, size: 24, node: 'prime192v1', jwk: undefined },
  nist_p224: { id: 0x0002, size: 28, node: 'secp224r1', jwk: undefined },
  nist_p256: { id: 0x0003, size: 32, node: 'prime256v1', jwk: 'P-256' },
  nist_p384: { id: 0x0004, size: 48, node: 'secp384r1', jwk: 'P-384' },
  nist_p521: { id: 0x0005, size: 66, node: 'secp521r1', jwk: 'P-521' },
  bn_p256: { id: 0x0010, size: 32, node: undefined, jwk: undefined },
  bn_p638: { id: 0x0011, size: 80, node: undefined, jwk: undefined },
  sm2_p256: { id: 0x0020, size: 32, node: 'SM2', jwk: undefined },
} as const;
export type Curve = keyof typeof CURVES;

const CURVE_NAMES: ReadonlyMap<number, Curve> = new Map(
  Object.entries(CURVES).map(([name, { id }]) => [id, name as Curve]),
);

export const curveOf = (id: number): Curve | undefined => CURVE_NAMES.get(id);
