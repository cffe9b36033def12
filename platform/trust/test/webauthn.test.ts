import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeCbor, verifyAssertion, verifyRegistration } from '../src/index.ts';
import { type Signing, SoftwareAuthenticator } from './authenticator.ts';

const challenge = randomBytes(32);
const rpId = 'localhost';
const codeOf = (work: () => unknown) => {
  try {
    work();
    return 'taken';
  } catch (error) {
    return (error as { code: string }).code;
  }
};

describe.each(['ES256', 'EdDSA'] as const)('an authenticator with %s', (type) => {
  it('registers with its key and counter, and its assertions verify', () => {
    const authenticator = new SoftwareAuthenticator('anna', { type });
    const registered = verifyRegistration(authenticator.create({ challenge }), { challenge, rpId });
    expect(Buffer.from(registered.credentialId)).toEqual(authenticator.id);
    expect(registered.publicKey.equals(authenticator.publicKey)).toBe(true);
    const response = authenticator.get({ challenge });
    expect(verifyAssertion(response, registered.publicKey, { challenge, rpId }, registered.signCount)).toBe(2);
  });

  it('is noticed when its counter goes back, unless it keeps none', () => {
    const authenticator = new SoftwareAuthenticator('anna', { type, counter: 7 });
    const check = (previous: number) =>
      codeOf(() =>
        verifyAssertion(authenticator.get({ challenge }), authenticator.publicKey, { challenge, rpId }, previous),
      );
    expect(check(7)).toBe('taken');
    expect(check(9)).toBe('trust.webauthn.counter');
    authenticator.counter = 0;
    expect(check(9)).toBe('trust.webauthn.counter');
    expect(check(0)).toBe('taken');
  });
});

const anna = new SoftwareAuthenticator('anna');
const WRONG: readonly [string, Partial<Signing>, string][] = [
  ['another challenge', { challenge: randomBytes(32) }, 'challenge'],
  ['another origin', { origin: 'https://localhost.evil.example' }, 'origin'],
  ['an origin without TLS that is not this machine', { origin: 'http://evil.example' }, 'origin'],
  ['a frame of somebody else', { crossOrigin: true }, 'origin'],
  ['another purpose', { type: 'payment.get' }, 'type'],
  ['a user who was not there', { flags: 0x44 }, 'user'],
  ['a user who was not verified', { flags: 0x41 }, 'user'],
];

describe('an assertion', () => {
  it.each(WRONG)('for %s is refused', (_name, wrong, code) => {
    const flags = wrong.flags === undefined ? {} : { flags: wrong.flags & ~0x40 };
    const response = anna.get({ challenge, ...wrong, ...flags });
    expect(codeOf(() => verifyAssertion(response, anna.publicKey, { challenge, rpId }))).toBe(`trust.webauthn.${code}`);
  });

  it('of another authenticator, or for another control room, is refused', () => {
    const bert = new SoftwareAuthenticator('bert');
    const elsewhere = new SoftwareAuthenticator('anna', { rpId: 'other.example' });
    expect(codeOf(() => verifyAssertion(bert.get({ challenge }), anna.publicKey, { challenge, rpId }))).toBe(
      'trust.webauthn.signature',
    );
    const response = { ...elsewhere.get({ challenge, origin: 'http://localhost:8080' }) };
    expect(codeOf(() => verifyAssertion(response, elsewhere.publicKey, { challenge, rpId }))).toBe('trust.webauthn.rp');
  });

  it('is taken from a page below the domain, over TLS', () => {
    const one = new SoftwareAuthenticator('anna', { rpId: 'grid.example' });
    const response = one.get({ challenge, origin: 'https://control.grid.example' });
    expect(codeOf(() => verifyAssertion(response, one.publicKey, { challenge, rpId: 'grid.example' }))).toBe('taken');
  });

  it('changed in any octet is refused with a typed error', () => {
    const response = anna.get({ challenge });
    fc.assert(
      fc.property(fc.constantFrom('authenticatorData', 'clientDataJSON', 'signature'), fc.nat(), (part, place) => {
        const octets = Uint8Array.from(response[part as keyof typeof response]);
        octets[place % octets.length]! ^= 1 << (place % 7);
        const code = codeOf(() =>
          verifyAssertion({ ...response, [part]: octets }, anna.publicKey, { challenge, rpId }),
        );
        expect(code).toMatch(/^trust\.webauthn\./);
      }),
    );
  });
});

describe('a registration', () => {
  it.each(WRONG)('for %s is refused', (_name, wrong, code) => {
    const response = anna.create({ challenge, ...wrong });
    expect(codeOf(() => verifyRegistration(response, { challenge, rpId }))).toBe(`trust.webauthn.${code}`);
  });

  it('without a credential, or with a key of another kind, is refused', () => {
    const bare = anna.create({ challenge, flags: 0x05 });
    expect(codeOf(() => verifyRegistration(bare, { challenge, rpId }))).toBe('trust.webauthn.credential');
    const odd = new SoftwareAuthenticator('anna');
    odd.coseKey = () => encodeCbor(new Map<number, number>([[1, 3], [3, -257]])); // biome-ignore format: pairs
    expect(codeOf(() => verifyRegistration(odd.create({ challenge }), { challenge, rpId }))).toBe('trust.webauthn.key');
  });

  it('of any octets is refused with a typed error', () => {
    const { clientDataJSON, attestationObject } = anna.create({ challenge });
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (octets) => {
        const code = codeOf(() =>
          verifyRegistration({ clientDataJSON, attestationObject: octets }, { challenge, rpId }),
        );
        expect(code).toMatch(/^trust\.webauthn\./);
      }),
    );
    for (let length = 0; length < attestationObject.length; length++) {
      const cut = attestationObject.subarray(0, length);
      const code = codeOf(() => verifyRegistration({ clientDataJSON, attestationObject: cut }, { challenge, rpId }));
      expect(code).toMatch(/^trust\.webauthn\./);
    }
  });
});
