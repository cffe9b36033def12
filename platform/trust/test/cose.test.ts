import { createPublicKey, generateKeyPairSync } from 'node:crypto';
import { EnerchainError } from '@enerchain/model';
import { FileKeySigner } from '@enerchain/pki';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { coseSign1, coseVerify1 } from '../src/index.ts';

const pem = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ type: 'pkcs8', format: 'pem' });
const signer = FileKeySigner.fromPem(pem as string);
const kid = Buffer.from('0123456789');

/** RFC 9052 appendix C.2.1, and the key '11' of appendix C.7.1. */
const EXAMPLE =
  'd28443a10126a10442313154546869732069732074686520636f6e74656e742e58408eb33e4ca31d1c465ab05aac34cc6b23d58fef5c083106c4' +
  'd25a91aef0b0117e2af9a291aa32e14ab834dc56ed2a223444547e01f11d3b0916e5a4c345cacb36';
const exampleKey = createPublicKey({
  format: 'jwk',
  key: {
    kty: 'EC',
    crv: 'P-256',
    x: Buffer.from('bac5b11cad8f99f9c72b05cf4b9e26d244dc189f745228255a219a86d6a09eff', 'hex').toString('base64url'),
    y: Buffer.from('20138bf82dc1b6d562be0fa54ab7804a3a64b6d72ccfed6b6fb6ed28bbfc117e', 'hex').toString('base64url'),
  },
});

describe('COSE_Sign1', () => {
  it('verifies the example of RFC 9052', () => {
    const message = coseVerify1(Buffer.from(EXAMPLE, 'hex'), undefined, (id) =>
      Buffer.from(id).toString() === '11' ? exampleKey : undefined,
    );
    expect(Buffer.from(message.payload).toString()).toBe('This is the content.');
  });

  it('verifies what it signed, under its type only', async () => {
    const signed = await coseSign1(signer, kid, 'enerchain-batch', Buffer.from('payload'));
    const message = coseVerify1(signed, 'enerchain-batch', () => signer.publicKey);
    expect(Buffer.from(message.payload).toString()).toBe('payload');
    expect(Buffer.from(message.kid)).toEqual(kid);
    expect(() => coseVerify1(signed, 'enerchain-command', () => signer.publicKey)).toThrow('was expected');
  });

  it('is ES256 alone: a key on another curve neither signs nor verifies', async () => {
    const brainpool = generateKeyPairSync('ec', { namedCurve: 'brainpoolP256r1' }).privateKey;
    const other = FileKeySigner.fromPem(brainpool.export({ type: 'pkcs8', format: 'pem' }) as string, 'a key', {
      accept: ['ESB256'],
    });
    await expect(coseSign1(other, kid, 't', Buffer.from('x'))).rejects.toMatchObject({ code: 'cose.algorithm' });
    const disguised = { ...other, algorithm: 'ES256' as const, sign: (data: Uint8Array) => other.sign(data) };
    const signed = await coseSign1(disguised, kid, 't', Buffer.from('x'));
    expect(() => coseVerify1(signed, 't', () => other.publicKey)).toThrow('does not fit');
  });

  it('refuses unknown keys and keys that did not sign', async () => {
    const signed = await coseSign1(signer, kid, 't', Buffer.from('payload'));
    expect(() => coseVerify1(signed, 't', () => undefined)).toThrow('no key is known');
    expect(() => coseVerify1(signed, 't', () => exampleKey)).toThrow('does not fit');
  });

  it('notices every change of any byte, and every cut', async () => {
    const signed = await coseSign1(signer, kid, 't', Buffer.from('some payload'));
    for (let at = 0; at < signed.length; at++) {
      expect(() => coseVerify1(signed.subarray(0, at), 't', () => signer.publicKey)).toThrow(EnerchainError);
    }
    const inPlaceOfUnprotected = signed.indexOf(0xa0);
    for (const empty of [0x80, 0x40]) {
      const changed = Uint8Array.from(signed).fill(empty, inPlaceOfUnprotected, inPlaceOfUnprotected + 1);
      expect(() => coseVerify1(changed, 't', () => signer.publicKey)).toThrow('not a map');
    }
    fc.assert(
      fc.property(fc.nat(signed.length - 1), fc.integer({ min: 1, max: 255 }), (at, change) => {
        const changed = Uint8Array.from(signed);
        changed[at]! ^= change;
        expect(() =>
          coseVerify1(changed, 't', (id) => (Buffer.from(id).equals(kid) ? signer.publicKey : undefined)),
        ).toThrow(EnerchainError);
      }),
      { numRuns: 300 },
    );
  });
});
