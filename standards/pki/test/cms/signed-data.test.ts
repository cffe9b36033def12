import { rmSync } from 'node:fs';
import * as asn1js from 'asn1js';
import fc from 'fast-check';
import * as pkijs from 'pkijs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  buildCertificatesOnly,
  buildSignedData,
  CMS_OID,
  derFromBer,
  PkiError,
  parseSignedData,
  verifySignedData,
} from '../../src/index.ts';
import { CURVES, folder, get, hasOpenssl, openssl, type Party, party, put, signingAs } from './parties.ts';

const content = Buffer.from('Zählpunkt DE0001: 42 kWh\n', 'utf8');
let alice: Party;
let bob: Party;

beforeAll(async () => {
  alice = await party('alice');
  bob = await party('bob');
});
afterAll(() => rmSync(folder, { recursive: true }));

const codeOf = (work: () => unknown): string | undefined => {
  try {
    work();
  } catch (error) {
    if (error instanceof PkiError) return error.code;
    throw error;
  }
  return undefined;
};

describe('SignedData', () => {
  it('is read back and verified, with several signers, times and attributes of their own', async () => {
    const signingTime = new Date('2026-11-26T19:00:00Z');
    const attribute = { type: '1.2.3.4', values: [Buffer.from('0c0161', 'hex')] };
    const message = await buildSignedData({
      content,
      signers: [
        { ...signingAs(alice), signingTime, attributes: [attribute] },
        { ...signingAs(bob), identifiedBy: 'subjectKeyIdentifier' },
      ],
    });
    const signed = parseSignedData(message);
    expect(Buffer.from(signed.content!)).toEqual(content);
    const verified = verifySignedData(signed);
    expect(new Set(verified.map(({ certificate }) => certificate.subject[0]!.value))).toEqual(
      new Set(['alice', 'bob']),
    );
    const first = verified.find(({ certificate }) => certificate.subject[0]!.value === 'alice');
    expect(first?.signingTime).toEqual(signingTime);
    const [value] = first?.attributes.find(({ type }) => type === '1.2.3.4')?.values ?? [];
    expect(Buffer.from(value!)).toEqual(attribute.values[0]);
  });

  it.each(CURVES)('is signed with keys on %s', async (curve) => {
    const someone = await party(`someone-${curve}`, curve);
    const message = await buildSignedData({ content, signers: [signingAs(someone)] });
    expect(verifySignedData(parseSignedData(message))[0]?.certificate.der).toEqual(someone.certificate.der);
    if (!hasOpenssl) return;
    const [inFile, authority] = [put('curve.p7', message), `${someone.name}.pem`];
    const args = ['-inform', 'DER', '-in', inFile, '-CAfile', authority, '-purpose', 'any'];
    expect(openssl('cms', '-verify', '-binary', ...args)).toEqual(content);
  });

  it('may leave the content out, and then needs to be given it', async () => {
    const signed = parseSignedData(await buildSignedData({ content, detached: true, signers: [signingAs(alice)] }));
    expect(signed.content).toBeUndefined();
    expect(codeOf(() => verifySignedData(signed))).toBe('pki.cms.content');
    expect(verifySignedData(signed, { content })).toHaveLength(1);
    expect(codeOf(() => verifySignedData(signed, { content: Buffer.from('other') }))).toBe('pki.cms.signature');
  });

  it('needs a certificate for each signer, its own or one that is known', async () => {
    const signed = parseSignedData(await buildSignedData({ content, signers: [signingAs(alice)], certificates: [] }));
    expect(codeOf(() => verifySignedData(signed))).toBe('pki.cms.signer');
    expect(codeOf(() => verifySignedData(signed, { certificates: [bob.certificate] }))).toBe('pki.cms.signer');
    expect(verifySignedData(signed, { certificates: [bob.certificate, alice.certificate] })).toHaveLength(1);
  });

  it('is refused when one of two signatures does not hold', async () => {
    const message = await buildSignedData({ content, signers: [signingAs(alice), signingAs(bob)] });
    const signed = parseSignedData(message);
    const [first, second] = signed.signers;
    const forged = { ...signed, signers: [first!, { ...second!, signature: first!.signature }] };
    expect(codeOf(() => verifySignedData(forged))).toBe('pki.cms.signature');
  });

  it('is refused for another type of content than was signed', async () => {
    const signed = parseSignedData(await buildSignedData({ content, signers: [signingAs(alice)] }));
    expect(codeOf(() => verifySignedData({ ...signed, contentType: '1.2.3' }))).toBe('pki.cms.signature');
  });

  it('does not take signed attributes of one message for the content of another', async () => {
    const signed = parseSignedData(await buildSignedData({ content, signers: [signingAs(alice)] }));
    const { signedAttributes: _, signedSet, ...bare } = signed.signers[0]!;
    const forged = { ...signed, content: signedSet!, signers: [bare] };
    expect(codeOf(() => verifySignedData(forged))).toBe('pki.cms.signature');
  });

  it('is refused without a signer, when it should be verified', () => {
    const signed = parseSignedData(buildCertificatesOnly([alice.certificate.der]));
    expect(signed.certificates.map((each) => Buffer.from(each))).toEqual([Buffer.from(alice.certificate.der)]);
    expect(codeOf(() => verifySignedData(signed, { content }))).toBe('pki.cms.unsigned');
  });

  it('cannot be signed with the certificate of another key', async () => {
    const signer = { ...signingAs(alice), certificate: bob.certificate };
    await expect(buildSignedData({ content, signers: [signer] })).rejects.toMatchObject({ code: 'pki.cms.signer' });
  });

  it('by a certificate that is not for signing is refused', async () => {
    const carol = await party('carol', 'prime256v1', ['keyAgreement']);
    const signed = parseSignedData(await buildSignedData({ content, signers: [signingAs(carol)] }));
    expect(codeOf(() => verifySignedData(signed))).toBe('pki.cms.signature');
  });
});

describe('SignedData with a byte changed or cut', () => {
  let message: Uint8Array;
  beforeAll(async () => {
    message = await buildSignedData({ content, signers: [signingAs(alice)], contentType: '1.2.3' });
  });

  it('is refused with a typed error, or is what was signed', () => {
    fc.assert(
      fc.property(fc.nat(message.length - 1), fc.integer({ min: 1, max: 255 }), (at, change) => {
        const changed = Uint8Array.from(message);
        changed[at]! ^= change;
        try {
          const signed = parseSignedData(changed);
          // Certificate of another: only the one that is known counts here.
          verifySignedData({ ...signed, certificates: [] }, { certificates: [alice.certificate] });
          expect(Buffer.from(signed.content!)).toEqual(content);
          expect(signed.contentType).toBe('1.2.3');
        } catch (error) {
          expect(error).toBeInstanceOf(PkiError);
        }
      }),
      { numRuns: 1500 },
    );
  });

  it('is refused wherever it is cut', () => {
    for (let end = 0; end < message.length; end++) {
      expect(() => parseSignedData(message.subarray(0, end))).toThrow(PkiError);
    }
  });

  it('is a typed error when it is anything at all', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        expect(() => parseSignedData(bytes)).toThrow(PkiError);
        try {
          derFromBer(bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(PkiError);
        }
      }),
    );
  });
});

describe.skipIf(!hasOpenssl)('SignedData and openssl (skipped where it is not installed)', () => {
  const trusted = (name: string) => ['-CAfile', `${name}.pem`, '-purpose', 'any'];

  it('verifies what was written here', async () => {
    for (const identifiedBy of ['issuerAndSerialNumber', 'subjectKeyIdentifier'] as const) {
      const signer = { ...signingAs(alice), identifiedBy, signingTime: new Date() };
      put('ours.p7', await buildSignedData({ content, signers: [signer] }));
      expect(openssl('cms', '-verify', '-binary', '-inform', 'DER', '-in', 'ours.p7', ...trusted('alice'))).toEqual(
        content,
      );
    }
  });

  it('verifies detached signatures that were written here', async () => {
    put('content', content);
    put('ours.p7', await buildSignedData({ content, detached: true, signers: [signingAs(alice)] }));
    const args = ['-inform', 'DER', '-in', 'ours.p7', '-content', 'content', ...trusted('alice')];
    expect(openssl('cms', '-verify', '-binary', ...args)).toEqual(content);
  });

  it.each([
    ['whole', ['-nodetach']],
    ['detached', []],
    ['by key identifier', ['-nodetach', '-keyid']],
    ['without attributes', ['-nodetach', '-noattr']],
    ['with SHA-384', ['-nodetach', '-md', 'sha384']],
    ['by two', ['-nodetach', '-signer', 'bob.pem', '-inkey', 'bob.key']],
  ])('writes what is verified here: %s', (_, more) => {
    put('content', content);
    const who = ['-signer', 'alice.pem', '-inkey', 'alice.key'];
    openssl('cms', '-sign', '-binary', '-in', 'content', '-outform', 'DER', '-out', 'theirs.p7', ...who, ...more);
    const verified = verifySignedData(parseSignedData(get('theirs.p7')), { content });
    expect(verified.length).toBe(more.includes('bob.pem') ? 2 : 1);
  });

  it('writes BER when it streams, which is refused by name and read after it was made DER', () => {
    const long = Buffer.alloc(20_000, 'x');
    put('long', long);
    const who = ['-signer', 'alice.pem', '-inkey', 'alice.key'];
    openssl(
      'cms',
      '-sign',
      '-binary',
      '-stream',
      '-nodetach',
      '-in',
      'long',
      '-outform',
      'DER',
      '-out',
      's.p7',
      ...who,
    );
    expect(codeOf(() => parseSignedData(get('s.p7')))).toBe('pki.cms.ber');
    const signed = parseSignedData(derFromBer(get('s.p7')));
    expect(Buffer.from(signed.content!)).toEqual(long);
    expect(verifySignedData(signed)).toHaveLength(1);
  });

  it('agrees on bags of certificates', () => {
    put('bag.p7', buildCertificatesOnly([alice.certificate.der, bob.certificate.der]));
    const text = openssl('pkcs7', '-inform', 'DER', '-in', 'bag.p7', '-print_certs', '-noout').toString();
    expect(text).toContain('CN = alice');
    expect(text).toContain('CN = bob');
    openssl('crl2pkcs7', '-nocrl', '-certfile', 'alice.pem', '-outform', 'DER', '-out', 'theirs.p7');
    expect(parseSignedData(get('theirs.p7')).certificates.map((each) => Buffer.from(each))).toEqual([
      Buffer.from(alice.certificate.der),
    ]);
  });
});

describe('SignedData and pkijs', () => {
  const engine = new pkijs.CryptoEngine({ name: 'node', crypto: globalThis.crypto as never });
  beforeAll(() => pkijs.setEngine('node', engine as never));

  it('verifies what was written here', async () => {
    const message = await buildSignedData({ content, signers: [{ ...signingAs(alice), signingTime: new Date() }] });
    const theirs = new pkijs.SignedData({ schema: pkijs.ContentInfo.fromBER(Uint8Array.from(message)).content });
    await expect(theirs.verify({ signer: 0, checkChain: false })).resolves.toBe(true);
  });

  it('writes what is verified here', async () => {
    const certificate = pkijs.Certificate.fromBER(Uint8Array.from(alice.certificate.der));
    const digest = await crypto.subtle.digest('SHA-256', content);
    const value = (type: string, inner: asn1js.BaseBlock) => new pkijs.Attribute({ type, values: [inner] });
    const theirs = new pkijs.SignedData({
      version: 1,
      encapContentInfo: new pkijs.EncapsulatedContentInfo({
        eContentType: CMS_OID.data,
        eContent: new asn1js.OctetString({ valueHex: Uint8Array.from(content).buffer }),
      }),
      certificates: [certificate],
      signerInfos: [
        new pkijs.SignerInfo({
          version: 1,
          sid: new pkijs.IssuerAndSerialNumber({ issuer: certificate.issuer, serialNumber: certificate.serialNumber }),
          signedAttrs: new pkijs.SignedAndUnsignedAttributes({
            type: 0,
            attributes: [
              value(CMS_OID.contentType, new asn1js.ObjectIdentifier({ value: CMS_OID.data })),
              value(CMS_OID.signingTime, new asn1js.UTCTime({ valueDate: new Date() })),
              value(CMS_OID.messageDigest, new asn1js.OctetString({ valueHex: digest })),
            ],
          }),
        }),
      ],
    });
    const pkcs8 = alice.key.privateKey.export({ type: 'pkcs8', format: 'der' });
    const key = await crypto.subtle.importKey('pkcs8', pkcs8, { name: 'ECDSA', namedCurve: 'P-256' }, false, ['sign']);
    await theirs.sign(key, 0, 'SHA-256');
    const info = new pkijs.ContentInfo({ contentType: CMS_OID.signedData, content: theirs.toSchema(true) });
    const signed = parseSignedData(derFromBer(new Uint8Array(info.toSchema().toBER())));
    expect(Buffer.from(signed.content!)).toEqual(content);
    expect(verifySignedData(signed)).toHaveLength(1);
  });
});
