/** The PKCS#11 signer against SoftHSM, with openssl looking at what it signed. */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { inspect } from 'node:util';
import {
  buildCertificate,
  buildRequest,
  keyIdentifier,
  nameOf,
  Pkcs11Token,
  type Pkcs11TokenOptions,
  PkiError,
  parseRequest,
  SIGNATURE_ALGORITHMS,
  toPem,
  verifyRaw,
} from '@enerchain/pki';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { closeAllSessions, type SoftHsm, startSoftHsm, whyNoSoftHsm } from './softhsm.ts';

const missing = whyNoSoftHsm();

describe.skipIf(missing)(`a key in SoftHSM${missing ? ` (skipped: ${missing})` : ''}`, () => {
  let hsm: SoftHsm;
  let token: Pkcs11Token;
  const open = (more: Partial<Pkcs11TokenOptions> = {}) =>
    Pkcs11Token.open({ library: hsm.library, token: 'plant', pin: () => hsm.pin, ...more });
  const refusalOf = (attempt: Promise<unknown>): Promise<PkiError> =>
    attempt.then(
      () => expect.fail('nothing was refused'),
      (error: unknown) => {
        expect(error).toBeInstanceOf(PkiError);
        // Nothing that is logged may hold the PIN, however deep it is looked into.
        expect(inspect(error, { depth: 10, showHidden: true })).not.toContain(hsm.pin);
        return error as PkiError;
      },
    );

  beforeAll(async () => {
    hsm = startSoftHsm();
    hsm.addToken('plant');
    hsm.addToken('other');
    token = await open();
  });
  afterAll(() => {
    token?.close();
    hsm?.remove();
  });

  it.each(SIGNATURE_ALGORITHMS)('is made for %s, found again by its label, and signs', async (algorithm) => {
    const made = await token.generateSigner(`key ${algorithm}`, algorithm);
    const found = await token.findSigner(`key ${algorithm}`, { rate: 500 });
    expect(found).toMatchObject({ algorithm, origin: 'hsm', rate: 500 });
    expect(found.uri).toBe(`pkcs11:token=plant;object=key%20${algorithm};type=private`);
    expect(found.publicKey.equals(made.publicKey)).toBe(true);
    const signatures = await Promise.all(Array.from({ length: 50 }, (_, i) => found.sign(Buffer.from(`batch ${i}`))));
    for (const [i, signature] of signatures.entries()) {
      expect(verifyRaw(algorithm, found.publicKey, Buffer.from(`batch ${i}`), signature)).toBe(true);
    }
  });

  it.each(SIGNATURE_ALGORITHMS)('issues a %s certificate that openssl verifies', async (algorithm) => {
    const signer = await token.findSigner(`key ${algorithm}`);
    const name = nameOf({ commonName: `HSM CA ${algorithm}` });
    const bytes = await buildCertificate(
      {
        issuer: name,
        subject: name,
        notBefore: new Date(Date.now() - 60_000),
        notAfter: new Date(Date.now() + 60_000),
        publicKey: signer.publicKey,
        extensions: {
          basicConstraints: { ca: true },
          keyUsage: ['keyCertSign', 'cRLSign'],
          subjectKeyIdentifier: keyIdentifier(signer.publicKey.export({ type: 'spki', format: 'der' })),
        },
      },
      signer,
    );
    const file = join(hsm.folder, 'ca.pem');
    writeFileSync(file, toPem('CERTIFICATE', bytes));
    expect(execFileSync('openssl', ['verify', '-check_ss_sig', '-CAfile', file, file], { encoding: 'utf8' })).toContain(
      'OK',
    );
    expect(parseRequest(await buildRequest({ subject: name }, signer)).publicKey.equals(signer.publicKey)).toBe(true);
  });

  it('is never made twice, and is not found where it is not', async () => {
    expect(await refusalOf(token.generateSigner('key ES256'))).toMatchObject({ code: 'pki.hsm.key.exists' });
    expect(await refusalOf(token.findSigner('nothing'))).toMatchObject({
      code: 'pki.hsm.key.missing',
      fault: 'environment',
    });
    const other = await open({ token: 'other' });
    expect(await refusalOf(other.findSigner('key ES256'))).toMatchObject({ code: 'pki.hsm.key.missing' });
    other.close();
  });

  it('is not mistaken for the key of somebody else’s certificate', async () => {
    const other = await token.findSigner('key ESB256');
    const stranger = token.findSigner('key ES256', { publicKey: other.publicKey });
    expect(await refusalOf(stranger)).toMatchObject({ code: 'pki.hsm.key' });
  });

  it('stays closed without library, token or PIN, and with a wrong one', async () => {
    expect(await refusalOf(open({ library: '/nowhere/libhsm.so' }))).toMatchObject({ code: 'pki.hsm.module' });
    const none = await refusalOf(open({ token: 'elsewhere' }));
    expect(none.code).toBe('pki.hsm.token');
    expect(none.message).toContain('plant');
    expect(await refusalOf(open({ token: 'other', pin: () => '' }))).toMatchObject({
      code: 'pki.hsm.pin',
      fault: 'caller',
    });
    const wrong = await refusalOf(open({ token: 'other', pin: () => `${hsm.pin}0` }));
    expect(wrong).toMatchObject({ code: 'pki.hsm.pin' });
    expect(wrong.message).toContain('CKR_PIN_INCORRECT');
  });

  it('signs on after its sessions were lost, with a PIN that is asked for again', async () => {
    let asked = 0;
    let lost = false;
    const pin = () => {
      asked++;
      return lost ? '999999' : hsm.pin;
    };
    const mine = await open({ token: 'other', pin });
    const signer = await mine.generateSigner('survivor');
    const loseAll = () => closeAllSessions(hsm.library, 'other');
    loseAll();
    const signatures = await Promise.all(Array.from({ length: 20 }, (_, i) => signer.sign(Buffer.from([i]))));
    for (const [i, signature] of signatures.entries()) {
      expect(verifyRaw('ES256', signer.publicKey, Buffer.from([i]), signature)).toBe(true);
    }
    expect(asked).toBe(2);
    // A PIN that is refused is not tried again: the token would lock itself.
    lost = true;
    loseAll();
    const refused = await Promise.allSettled([1, 2, 3].map((i) => signer.sign(Buffer.from([i]))));
    for (const each of refused) expect(each).toMatchObject({ reason: { code: 'pki.hsm.pin' } });
    await expect(signer.sign(Buffer.from([4]))).rejects.toMatchObject({ code: 'pki.hsm.pin' });
    expect(asked).toBe(3);
    mine.close();
    await expect(signer.sign(Buffer.from([5]))).rejects.toMatchObject({ code: 'pki.hsm.closed' });
  });

  it('lets so many signatures wait, and no more', async () => {
    const small = await open({ token: 'other', sessions: 1, maxQueued: 3 });
    const signer = await small.findSigner('survivor');
    const outcomes = await Promise.allSettled(Array.from({ length: 10 }, () => signer.sign(Buffer.from('x'))));
    const refused = outcomes.filter(({ status }) => status === 'rejected');
    expect(refused).toHaveLength(6);
    expect(refused[0]).toMatchObject({ reason: { code: 'pki.hsm.busy' } });
    small.close();
  });
});
