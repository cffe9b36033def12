/** Public areas from which keys are made. */
import type { ObjectAttribute } from '../spec/attributes.ts';
import { digest } from '../structures/hash.ts';
import type { EccPublic, RsaPublic, TpmPublic } from '../structures/public.ts';

const hex = (text: string): Uint8Array => Buffer.from(text, 'hex');

/** PolicySecret(TPM_RH_ENDORSEMENT): whoever knows the endorsement password (TCG EK Credential Profile 2.5 § B.6.2, PolicyA). */
export const EK_POLICY_SHA256: Uint8Array = hex('837197674484b3f81a90cc8d46a5d724fd52d76e06520b64f2a1da1b331469aa');

const EK_ATTRIBUTES: readonly ObjectAttribute[] = [
  'fixedTPM',
  'fixedParent',
  'sensitiveDataOrigin',
  'adminWithPolicy',
  'restricted',
  'decrypt',
];
const AES_128_CFB = { algorithm: 'aes', keyBits: 128, mode: 'cfb' } as const;

/** Template L-1 of the EK Credential Profile (§ B.3.3). */
export const EK_RSA_2048: RsaPublic = {
  type: 'rsa',
  nameAlg: 'sha256',
  attributes: EK_ATTRIBUTES,
  authPolicy: EK_POLICY_SHA256,
  symmetric: AES_128_CFB,
  scheme: undefined,
  keyBits: 2048,
  exponent: 0,
  modulus: new Uint8Array(256),
};

/** Template L-2 (§ B.3.4). */
export const EK_ECC_P256: EccPublic = {
  type: 'ecc',
  nameAlg: 'sha256',
  attributes: EK_ATTRIBUTES,
  authPolicy: EK_POLICY_SHA256,
  symmetric: AES_128_CFB,
  scheme: undefined,
  curve: 'nist_p256',
  kdf: undefined,
  x: new Uint8Array(32),
  y: new Uint8Array(32),
};

const BOUND: readonly ObjectAttribute[] = ['fixedTPM', 'fixedParent', 'sensitiveDataOrigin', 'userWithAuth', 'noDA'];
const NOTHING = new Uint8Array(0);

export type KeyKind = 'ecc' | 'rsa';

/**
 * A key on P-256 with ECDSA, or RSA-2048 with RSASSA; both with SHA-256.
 * @param label another label, another key; the same label in the same hierarchy, the same key
 */
function signingKey(kind: KeyKind, label: string, attributes: readonly ObjectAttribute[]): TpmPublic {
  const unique = label === '' ? NOTHING : digest('sha256', Buffer.from(label));
  const common = { nameAlg: 'sha256', attributes, authPolicy: NOTHING, symmetric: undefined } as const;
  return kind === 'ecc'
    ? {
        type: 'ecc',
        ...common,
        scheme: { scheme: 'ecdsa', hash: 'sha256' },
        curve: 'nist_p256',
        kdf: undefined,
        x: unique,
        y: NOTHING,
      }
    : {
        type: 'rsa',
        ...common,
        scheme: { scheme: 'rsassa', hash: 'sha256' },
        keyBits: 2048,
        exponent: 0,
        modulus: unique,
      };
}

/** Signs only what its TPM made: attestations. */
export const attestationKey = (kind: KeyKind = 'ecc', label = ''): TpmPublic =>
  signingKey(kind, label, [...BOUND, 'restricted', 'sign']);

/** Signs anything; lives in its TPM. */
export const identityKey = (kind: KeyKind = 'ecc', label = ''): TpmPublic =>
  signingKey(kind, label, [...BOUND, 'sign']);

/** A parent for other keys (TCG “TPM v2.0 Provisioning Guidance” § 7.5.1: the storage root key). */
export const storageKey = (label = ''): EccPublic => ({
  type: 'ecc',
  nameAlg: 'sha256',
  attributes: [...BOUND, 'restricted', 'decrypt'],
  authPolicy: NOTHING,
  symmetric: AES_128_CFB,
  scheme: undefined,
  curve: 'nist_p256',
  kdf: undefined,
  x: label === '' ? NOTHING : digest('sha256', Buffer.from(label)),
  y: NOTHING,
});
