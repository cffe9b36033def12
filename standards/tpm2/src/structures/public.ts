/** TPMT_PUBLIC (Part 2 § 12.2.4): the public area of an object, its name, and the key in it as `node:crypto` knows it. */
import { createPublicKey, type KeyObject } from 'node:crypto';
import { Tpm2Error } from '../error.ts';
import {
  ALGORITHM_IDS,
  CURVES,
  type Curve,
  curveOf,
  HASHES,
  type HashAlgorithm,
  isHash,
  MAX_DIGEST,
} from '../spec/algorithms.ts';
import { attributesOf, attributeWord, OBJECT_ATTRIBUTES, type ObjectAttribute } from '../spec/attributes.ts';
import { HANDLES, type Hierarchy } from '../spec/handles.ts';
import { readAll, type TpmReader } from '../wire/reader.ts';
import { type TpmWriter, writeAll } from '../wire/writer.ts';
import { digest } from './hash.ts';
import { readAlgorithm, writeAlgorithm } from './ids.ts';
import {
  type EccScheme,
  type KdfScheme,
  type KeyedHashScheme,
  type RsaScheme,
  readEccScheme,
  readKdf,
  readKeyedHashScheme,
  readRsaScheme,
  readSymmetric,
  type SymmetricDefinition,
  writeKdf,
  writeKeyedHashScheme,
  writeScheme,
  writeSymmetric,
} from './scheme.ts';

interface Common {
  /** `undefined`: TPM_ALG_NULL; the object has no name. */
  readonly nameAlg: HashAlgorithm | undefined;
  readonly attributes: readonly ObjectAttribute[];
  /** Digest of the policy, empty when there is none. */
  readonly authPolicy: Uint8Array;
}

export interface RsaPublic extends Common {
  readonly type: 'rsa';
  readonly symmetric: SymmetricDefinition | undefined;
  readonly scheme: RsaScheme | undefined;
  readonly keyBits: number;
  /** 0 stands for 65537. */
  readonly exponent: number;
  /** The modulus, big-endian; empty or a seed in a template. */
  readonly modulus: Uint8Array;
}

export interface EccPublic extends Common {
  readonly type: 'ecc';
  readonly symmetric: SymmetricDefinition | undefined;
  readonly scheme: EccScheme | undefined;
  readonly curve: Curve;
  readonly kdf: KdfScheme | undefined;
  /** Coordinates, big-endian; empty in a template. */
  readonly x: Uint8Array;
  readonly y: Uint8Array;
}

export interface KeyedHashPublic extends Common {
  readonly type: 'keyedhash';
  readonly scheme: KeyedHashScheme | undefined;
  readonly unique: Uint8Array;
}

export interface SymCipherPublic extends Common {
  readonly type: 'symcipher';
  readonly symmetric: SymmetricDefinition;
  readonly unique: Uint8Array;
}

export type TpmPublic = RsaPublic | EccPublic | KeyedHashPublic | SymCipherPublic;

/** MAX_RSA_KEY_BYTES: RSA-4096. */
const MAX_RSA = 512;
/** MAX_ECC_KEY_BYTES: BN P638. */
const MAX_COORDINATE = 80;

export function readPublic(reader: TpmReader): TpmPublic {
  const type = readAlgorithm(reader, 'type of an object');
  const nameAlg = readAlgorithm(reader, 'name algorithm');
  if (nameAlg !== 'null' && !isHash(nameAlg)) throw reader.fail(`the name algorithm is ${nameAlg}, which is no hash`);
  const word = reader.u32('object attributes');
  const attributes = attributesOf(OBJECT_ATTRIBUTES, word);
  if (attributes === undefined) throw reader.fail(`object attributes 0x${word.toString(16)} have reserved bits`);
  const common: Common = {
    nameAlg: nameAlg === 'null' ? undefined : nameAlg,
    attributes,
    authPolicy: reader.sized('authorisation policy', MAX_DIGEST),
  };
  switch (type) {
    case 'rsa': {
      const symmetric = readSymmetric(reader);
      const scheme = readRsaScheme(reader);
      const keyBits = reader.u16('RSA key size');
      const exponent = reader.u32('RSA exponent');
      return { type, ...common, symmetric, scheme, keyBits, exponent, modulus: reader.sized('RSA modulus', MAX_RSA) };
    }
    case 'ecc': {
      const symmetric = readSymmetric(reader);
      const scheme = readEccScheme(reader);
      const id = reader.u16('curve');
      const curve = curveOf(id);
      if (curve === undefined) throw reader.fail(`curve 0x${id.toString(16).padStart(4, '0')} is not known`);
      const kdf = readKdf(reader);
      const x = reader.sized('x coordinate', MAX_COORDINATE);
      return { type, ...common, symmetric, scheme, curve, kdf, x, y: reader.sized('y coordinate', MAX_COORDINATE) };
    }
    case 'keyedhash': {
      const scheme = readKeyedHashScheme(reader);
      return { type, ...common, scheme, unique: reader.sized('unique value', MAX_DIGEST) };
    }
    case 'symcipher': {
      const symmetric = readSymmetric(reader);
      if (symmetric === undefined) throw reader.fail('a symmetric key has no algorithm');
      return { type, ...common, symmetric, unique: reader.sized('unique value', MAX_DIGEST) };
    }
    default:
      throw reader.fail(`an object cannot be of type ${type}`);
  }
}

export function writePublic(writer: TpmWriter, area: TpmPublic): void {
  writeAlgorithm(writer, area.type);
  writeAlgorithm(writer, area.nameAlg ?? 'null');
  writer.u32(attributeWord(OBJECT_ATTRIBUTES, area.attributes)).sized(area.authPolicy);
  switch (area.type) {
    case 'rsa':
      writeSymmetric(writer, area.symmetric);
      writeScheme(writer, area.scheme);
      writer.u16(area.keyBits).u32(area.exponent).sized(area.modulus);
      break;
    case 'ecc':
      writeSymmetric(writer, area.symmetric);
      writeScheme(writer, area.scheme);
      writer.u16(CURVES[area.curve].id);
      writeKdf(writer, area.kdf);
      writer.sized(area.x).sized(area.y);
      break;
    case 'keyedhash':
      writeKeyedHashScheme(writer, area.scheme);
      writer.sized(area.unique);
      break;
    case 'symcipher':
      writeSymmetric(writer, area.symmetric);
      writer.sized(area.unique);
      break;
    default:
      area satisfies never;
  }
}

/** TPMT_PUBLIC → object. @throws Tpm2Error `tpm2.malformed` (fault peer) */
export const parsePublic = (bytes: Uint8Array): TpmPublic => readAll(bytes, 'TPMT_PUBLIC', readPublic);

/** Object → TPMT_PUBLIC. */
export const encodePublic = (area: TpmPublic): Uint8Array => writeAll((writer) => writePublic(writer, area));

/** TPM2B_PUBLIC (§ 12.2.5), the form of tpm2-tools' `.pub` files. */
export const parseSizedPublic = (bytes: Uint8Array): TpmPublic =>
  readAll(bytes, 'TPM2B_PUBLIC', (reader) => reader.inSized('TPMT_PUBLIC', readPublic));

export const encodeSizedPublic = (area: TpmPublic): Uint8Array =>
  writeAll((writer) => writer.inSized((inner) => writePublic(inner, area)));

const names = new WeakMap<TpmPublic, Uint8Array>();

/**
 * Name of an object (Part 1 § 16): nameAlg ‖ H(TPMT_PUBLIC). It pins key, attributes and policy.
 * @throws Tpm2Error (fault caller) for an object without a name algorithm
 */
export function objectName(area: TpmPublic): Uint8Array {
  let name = names.get(area);
  if (name === undefined) {
    if (area.nameAlg === undefined)
      throw new Tpm2Error('caller', 'tpm2.no-name', 'an object without nameAlg has no name');
    name = tagged(area.nameAlg, encodePublic(area));
    names.set(area, name);
  }
  return name;
}

const tagged = (hash: HashAlgorithm, ...parts: readonly Uint8Array[]): Uint8Array =>
  writeAll((writer) => writer.u16(ALGORITHM_IDS[hash]).bytes(digest(hash, ...parts)));

/**
 * Qualified name (Part 1 § 16): nameAlg ‖ H(parent’s qualified name ‖ name). The parent of a primary object is its hierarchy.
 * It is what `qualifiedSigner` of an attestation holds.
 */
export function qualifiedName(area: TpmPublic, parent: Hierarchy | Uint8Array): Uint8Array {
  const name = objectName(area);
  const above = typeof parent === 'string' ? writeAll((writer) => writer.u32(HANDLES[parent])) : parent;
  return tagged(area.nameAlg!, above, name);
}

/**
 * Keys that were asked for again. One that is used once, such as that of a stranger's quote, is not kept: a map that holds it
 * until the next collection of all garbage costs as much as making it.
 */
const keys = new WeakMap<TpmPublic, KeyObject>();
const askedFor = new WeakSet<TpmPublic>();

/**
 * The key as `node:crypto` knows it.
 * @throws Tpm2Error `tpm2.key` (fault unsupported: no asymmetric key or a curve that is not NIST’s; peer: no point, no modulus)
 */
export function toKeyObject(area: TpmPublic): KeyObject {
  let key = keys.get(area);
  if (key === undefined) {
    key = makeKey(area);
    if (askedFor.has(area)) keys.set(area, key);
    else askedFor.add(area);
  }
  return key;
}

const base64url = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64url');

function makeKey(area: TpmPublic): KeyObject {
  const make = (jwk: { kty: string } & Record<string, string>): KeyObject => {
    try {
      return createPublicKey({ key: jwk, format: 'jwk' });
    } catch (cause) {
      throw new Tpm2Error('peer', 'tpm2.key', `the public area holds no usable ${area.type} key`, { cause });
    }
  };
  switch (area.type) {
    case 'rsa': {
      if (area.modulus.length * 8 !== area.keyBits || area.modulus[0]! < 0x80) {
        throw new Tpm2Error(
          'peer',
          'tpm2.key',
          `the modulus does not have the ${area.keyBits} bits that the key claims`,
        );
      }
      const e = new Uint8Array(4);
      new DataView(e.buffer).setUint32(0, area.exponent || 65_537);
      return make({ kty: 'RSA', n: base64url(area.modulus), e: base64url(stripped(e)) });
    }
    case 'ecc': {
      const { size, jwk } = CURVES[area.curve];
      if (jwk === undefined)
        throw new Tpm2Error('unsupported', 'tpm2.key', `keys on ${area.curve} are not handled here`);
      return make({ kty: 'EC', crv: jwk, x: base64url(padded(area.x, size)), y: base64url(padded(area.y, size)) });
    }
    default:
      throw new Tpm2Error('unsupported', 'tpm2.key', `an object of type ${area.type} has no public key`);
  }
}

/** Without leading zeros. */
function stripped(bytes: Uint8Array): Uint8Array {
  let from = 0;
  while (from < bytes.length - 1 && bytes[from] === 0) from++;
  return bytes.subarray(from);
}

/** Big-endian number in exactly `size` octets. @throws Tpm2Error (fault peer) when it is longer */
export function padded(bytes: Uint8Array, size: number): Uint8Array {
  if (bytes.length === size) return bytes;
  const short = stripped(bytes);
  if (short.length > size) throw new Tpm2Error('peer', 'tpm2.key', `a number of ${short.length} octets, not ${size}`);
  const result = new Uint8Array(size);
  result.set(short, size - short.length);
  return result;
}

/** How an object made from a key is to be used. */
export interface KeyUse {
  readonly nameAlg?: HashAlgorithm;
  readonly attributes: readonly ObjectAttribute[];
  readonly authPolicy?: Uint8Array;
  readonly symmetric?: SymmetricDefinition;
  readonly scheme?: RsaScheme | EccScheme;
}

/**
 * A public area around a key of `node:crypto`: for TPM2_LoadExternal, and to name a key.
 * @throws Tpm2Error (fault unsupported) for other keys than RSA and ECC on NIST’s curves
 */
export function fromKeyObject(key: KeyObject, use: KeyUse): TpmPublic {
  const common: Common = {
    nameAlg: use.nameAlg ?? 'sha256',
    attributes: use.attributes,
    authPolicy: use.authPolicy ?? new Uint8Array(0),
  };
  const jwk = jwkOf(key);
  const number = (text: string | undefined) => Buffer.from(text ?? '', 'base64url');
  if (jwk.kty === 'RSA') {
    const modulus = number(jwk.n);
    const exponent = number(jwk.e).reduce((value, octet) => value * 256 + octet, 0);
    return {
      type: 'rsa',
      ...common,
      symmetric: use.symmetric,
      scheme: use.scheme as RsaScheme | undefined,
      keyBits: modulus.length * 8,
      exponent: exponent === 65_537 ? 0 : exponent,
      modulus,
    };
  }
  const curve = (Object.keys(CURVES) as Curve[]).find(
    (name) => CURVES[name].jwk !== undefined && CURVES[name].jwk === jwk.crv,
  );
  if (jwk.kty !== 'EC' || curve === undefined) {
    throw new Tpm2Error(
      'unsupported',
      'tpm2.key',
      'only public RSA keys and public keys on NIST’s curves can be put into a TPM',
    );
  }
  return {
    type: 'ecc',
    ...common,
    symmetric: use.symmetric,
    scheme: use.scheme as EccScheme | undefined,
    curve,
    kdf: undefined,
    x: number(jwk.x),
    y: number(jwk.y),
  };
}

/** Empty for what has no JWK. */
function jwkOf(key: KeyObject) {
  try {
    return key.type === 'public' ? key.export({ format: 'jwk' }) : {};
  } catch {
    return {};
  }
}

/** Octets of a digest by the object’s name algorithm. */
export const nameAlgOf = (area: TpmPublic): { hash: HashAlgorithm; size: number } => {
  if (area.nameAlg === undefined) throw new Tpm2Error('caller', 'tpm2.no-name', 'the object has no name algorithm');
  return { hash: area.nameAlg, size: HASHES[area.nameAlg].size };
};
