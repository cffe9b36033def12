import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { kdfa, kdfe } from '../src/credential/kdf.ts';
import {
  fromKeyObject,
  makeCredential,
  objectName,
  openCredential,
  parseSizedPublic,
  Tpm2Error,
} from '../src/index.ts';
import { digest, hmac } from '../src/structures/hash.ts';
import * as vectors from './vectors.ts';

const EK = {
  attributes: ['fixedTPM', 'fixedParent', 'sensitiveDataOrigin', 'adminWithPolicy', 'restricted', 'decrypt'],
  symmetric: { algorithm: 'aes', keyBits: 128, mode: 'cfb' },
} as const;
const name = objectName(parseSizedPublic(vectors.akEcc));
const secret = Buffer.from('a secret of the enrolment');

const pairs: [string, { publicKey: KeyObject; privateKey: KeyObject }, object][] = [
  ['RSA-2048', generateKeyPairSync('rsa', { modulusLength: 2048 }), {}],
  ['P-256', generateKeyPairSync('ec', { namedCurve: 'P-256' }), {}],
  [
    'P-384, SHA-384, AES-256',
    generateKeyPairSync('ec', { namedCurve: 'P-384' }),
    { nameAlg: 'sha384', symmetric: { ...EK.symmetric, keyBits: 256 } },
  ],
  [
    'P-521, SHA-512, AES-256',
    generateKeyPairSync('ec', { namedCurve: 'P-521' }),
    { nameAlg: 'sha512', symmetric: { ...EK.symmetric, keyBits: 256 } },
  ],
];

describe('key derivation', () => {
  const key = Buffer.alloc(16, 5);
  const [u, v] = [Buffer.from('u'), Buffer.from('v')];

  it('KDFa is HMAC over counter, label, zero, contexts and length', () => {
    const block = (i: number) =>
      hmac('sha256', key, Buffer.of(0, 0, 0, i), Buffer.from('LABEL\0'), u, v, Buffer.of(0, 0, 1, 0x80));
    const expected = Buffer.concat([block(1), block(2)]).subarray(0, 48);
    expect(Buffer.from(kdfa('sha256', key, 'LABEL', u, v, 384))).toEqual(expected);
  });

  it('KDFe is a hash over counter, Z, label, zero and both parties', () => {
    const block = (i: number) => digest('sha256', Buffer.of(0, 0, 0, i), key, Buffer.from('LABEL\0'), u, v);
    const expected = Buffer.concat([block(1), block(2)]).subarray(0, 48);
    expect(Buffer.from(kdfe('sha256', key, 'LABEL', u, v, 384))).toEqual(expected);
  });
});

describe.each(pairs)('a credential for an endorsement key: %s', (_, { publicKey, privateKey }, use) => {
  const ek = fromKeyObject(publicKey, { ...EK, ...use });
  const credential = makeCredential(ek, name, secret);

  it('opens for the key and the name it was made for', () => {
    expect(Buffer.from(openCredential(ek, privateKey, name, credential))).toEqual(secret);
  });

  it('does not open for another name', () => {
    const other = objectName(parseSizedPublic(vectors.akRsa));
    expect(() => openCredential(ek, privateKey, other, credential)).toThrow('not made for this endorsement key');
  });

  it('does not open when any octet is changed or missing', () => {
    const parts = ['idObject', 'encryptedSecret'] as const;
    for (const part of parts) {
      const bytes = credential[part];
      for (let at = 0; at < bytes.length; at += 7) {
        const changed = Uint8Array.from(bytes);
        changed[at]! ^= 1;
        expect(() => openCredential(ek, privateKey, name, { ...credential, [part]: changed })).toThrow(Tpm2Error);
        const cut = bytes.subarray(0, at);
        expect(() => openCredential(ek, privateKey, name, { ...credential, [part]: cut })).toThrow(Tpm2Error);
      }
    }
  });

  it('is different each time', () => {
    expect(makeCredential(ek, name, secret).idObject).not.toEqual(credential.idObject);
  });
});

describe('a credential', () => {
  const ek = parseSizedPublic(vectors.ekEcc);

  it('is no longer than a digest, and not empty', () => {
    expect(() => makeCredential(ek, name, new Uint8Array(33))).toThrow('1 to 32 octets');
    expect(() => makeCredential(ek, name, new Uint8Array(0))).toThrow('1 to 32 octets');
  });

  it('is not made for a key that signs, or one without a cipher', () => {
    expect(() => makeCredential(parseSizedPublic(vectors.akEcc), name, secret)).toThrow('restricted decryption key');
    if (ek.type !== 'ecc') throw new Error('not ECC');
    expect(() => makeCredential({ ...ek, symmetric: undefined }, name, secret)).toThrow('AES in CFB');
  });
});
