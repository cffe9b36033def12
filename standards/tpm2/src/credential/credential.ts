/**
 * Credential protection (Part 1 § 24): a secret that only the TPM with this endorsement key can open, and only for the object
 * with this name. It proves to an enrolment service that an attestation key lives in the TPM whose EK certificate it has seen.
 * TPM2_MakeCredential (Part 3 § 12.6) in software, and TPM2_ActivateCredential (§ 12.5) for tests and for software endorsement keys.
 */
import {
  constants,
  createCipheriv,
  createDecipheriv,
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  type KeyObject,
  privateDecrypt,
  publicEncrypt,
  randomBytes,
} from 'node:crypto';
import { Tpm2Error } from '../error.ts';
import { CURVES, HASHES, MAX_DIGEST } from '../spec/algorithms.ts';
import { hmac } from '../structures/hash.ts';
import {
  type EccPublic,
  nameAlgOf,
  padded,
  type RsaPublic,
  type TpmPublic,
  toKeyObject,
} from '../structures/public.ts';
import { same } from '../verify/attestation.ts';
import { readAll } from '../wire/reader.ts';
import { writeAll } from '../wire/writer.ts';
import { kdfa, kdfe } from './kdf.ts';

/** What goes to the TPM; both without their outer size. */
export interface Credential {
  /** TPMS_ID_OBJECT (Part 2 § 12.4.2): contents of TPM2B_ID_OBJECT. */
  readonly idObject: Uint8Array;
  /** Contents of TPM2B_ENCRYPTED_SECRET (Part 2 § 11.4.3). */
  readonly encryptedSecret: Uint8Array;
}

const LABEL = 'IDENTITY';
const NOTHING = new Uint8Array(0);

/**
 * @param ek public area of the endorsement key: a restricted decryption key with AES-CFB, RSA or ECC
 * @param name name of the object (`objectName`) for which the credential is made
 * @param secret at most as long as a digest of the EK’s name algorithm
 * @throws Tpm2Error (fault caller, unsupported) when the key is none that can protect a credential
 */
export function makeCredential(ek: TpmPublic, name: Uint8Array, secret: Uint8Array): Credential {
  const { key, hash, size, symmetricBits } = endorsementKey(ek);
  if (secret.length === 0 || secret.length > size) {
    throw new Tpm2Error('caller', 'tpm2.credential', `a credential has 1 to ${size} octets, not ${secret.length}`);
  }
  const { seed, encryptedSecret } = key.type === 'rsa' ? rsaSeed(key, size) : eccSeed(key, size * 8);
  const cipher = createCipheriv(
    `aes-${symmetricBits}-cfb`,
    kdfa(hash, seed, 'STORAGE', name, NOTHING, symmetricBits),
    ZERO_IV,
  );
  const plain = writeAll((writer) => writer.sized(secret));
  const encrypted = Buffer.concat([cipher.update(plain), cipher.final()]);
  const integrity = hmac(hash, kdfa(hash, seed, 'INTEGRITY', NOTHING, NOTHING, size * 8), encrypted, name);
  return { idObject: writeAll((writer) => writer.sized(integrity).bytes(encrypted)), encryptedSecret };
}

const ZERO_IV = new Uint8Array(16);

/** The inverse, with a private endorsement key in software. @throws Tpm2Error `tpm2.credential` (fault peer) when it is not for this key or name */
export function openCredential(
  ek: TpmPublic,
  privateKey: KeyObject,
  name: Uint8Array,
  { idObject, encryptedSecret }: Credential,
): Uint8Array {
  const { key, hash, size, symmetricBits } = endorsementKey(ek);
  const [integrity, encrypted] = readAll(idObject, 'TPMS_ID_OBJECT', (reader) => [
    reader.sized('integrity', MAX_DIGEST),
    reader.rest(),
  ]) as [Uint8Array, Uint8Array];
  const seed =
    key.type === 'rsa' ? openRsaSeed(key, privateKey, encryptedSecret) : openEccSeed(key, privateKey, encryptedSecret);
  const expected = hmac(hash, kdfa(hash, seed, 'INTEGRITY', NOTHING, NOTHING, size * 8), encrypted, name);
  if (!same(integrity, expected)) throw notForUs();
  const cipher = createDecipheriv(
    `aes-${symmetricBits}-cfb`,
    kdfa(hash, seed, 'STORAGE', name, NOTHING, symmetricBits),
    ZERO_IV,
  );
  const plain = Buffer.concat([cipher.update(encrypted), cipher.final()]);
  return readAll(plain, 'credential', (reader) => reader.sized('credential', size));
}

const notForUs = (cause?: unknown) =>
  new Tpm2Error('peer', 'tpm2.credential', 'the credential was not made for this endorsement key and this name', {
    cause,
  });

function endorsementKey(ek: TpmPublic) {
  if (ek.type !== 'rsa' && ek.type !== 'ecc') {
    throw new Tpm2Error('unsupported', 'tpm2.credential', `a key of type ${ek.type} cannot protect a credential`);
  }
  if (!ek.attributes.includes('restricted') || !ek.attributes.includes('decrypt')) {
    throw new Tpm2Error('caller', 'tpm2.credential', 'only a restricted decryption key can protect a credential');
  }
  const { symmetric } = ek;
  if (symmetric?.algorithm !== 'aes' || symmetric.mode !== 'cfb' || ![128, 192, 256].includes(symmetric.keyBits)) {
    throw new Tpm2Error(
      'unsupported',
      'tpm2.credential',
      'only endorsement keys with AES in CFB mode are handled here',
    );
  }
  return { key: ek, ...nameAlgOf(ek), symmetricBits: symmetric.keyBits };
}

/** Part 1 § B.10.4: OAEP with the key’s name algorithm; the label carries its zero. */
const oaep = (ek: RsaPublic, key: KeyObject) => ({
  key,
  padding: constants.RSA_PKCS1_OAEP_PADDING,
  oaepHash: HASHES[nameAlgOf(ek).hash].node,
  oaepLabel: Buffer.from(`${LABEL}\0`, 'latin1'),
});

function rsaSeed(ek: RsaPublic, size: number) {
  const seed = randomBytes(size);
  return { seed, encryptedSecret: publicEncrypt(oaep(ek, toKeyObject(ek)), seed) };
}

function openRsaSeed(ek: RsaPublic, privateKey: KeyObject, encrypted: Uint8Array): Uint8Array {
  try {
    return privateDecrypt(oaep(ek, privateKey), encrypted);
  } catch (cause) {
    throw notForUs(cause);
  }
}

/** Part 1 § C.6.4: one-pass Diffie-Hellman; what travels is the ephemeral point. */
function eccSeed(ek: EccPublic, bits: number) {
  const { size, jwk } = CURVES[ek.curve];
  const staticKey = toKeyObject(ek);
  const ephemeral = generateKeyPairSync('ec', { namedCurve: jwk! });
  const point = ephemeral.publicKey.export({ format: 'jwk' });
  const [x, y] = [point.x, point.y].map((text) => padded(Buffer.from(text!, 'base64url'), size)) as [
    Uint8Array,
    Uint8Array,
  ];
  const z = diffieHellman({ privateKey: ephemeral.privateKey, publicKey: staticKey });
  return {
    seed: kdfe(nameAlgOf(ek).hash, z, LABEL, x, padded(ek.x, size), bits),
    encryptedSecret: writeAll((writer) => writer.sized(x).sized(y)),
  };
}

function openEccSeed(ek: EccPublic, privateKey: KeyObject, encrypted: Uint8Array): Uint8Array {
  const { size, jwk } = CURVES[ek.curve];
  const [x, y] = readAll(encrypted, 'TPMS_ECC_POINT', (reader) => [
    reader.sized('x', size),
    reader.sized('y', size),
  ]) as [Uint8Array, Uint8Array];
  const base64url = (number: Uint8Array) => Buffer.from(padded(number, size)).toString('base64url');
  let z: Uint8Array;
  try {
    const publicKey = createPublicKey({
      key: { kty: 'EC', crv: jwk!, x: base64url(x), y: base64url(y) },
      format: 'jwk',
    });
    z = diffieHellman({ privateKey, publicKey });
  } catch (cause) {
    throw notForUs(cause);
  }
  const { hash, size: digestSize } = nameAlgOf(ek);
  return kdfe(hash, z, LABEL, padded(x, size), padded(ek.x, size), digestSize * 8);
}
