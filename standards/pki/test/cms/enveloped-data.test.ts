import { rmSync } from 'node:fs';
import fc from 'fast-check';
import * as pkijs from 'pkijs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  buildEnvelope,
  CMS_OID,
  type ContentCipher,
  derFromBer,
  keyAgreementWith,
  openEnvelope,
  PkiError,
  parseEnvelope,
} from '../../src/index.ts';
import { CURVES, folder, get, hasOpenssl, openssl, type Party, party, put } from './parties.ts';

const CIPHERS: readonly ContentCipher[] = [
  'aes-128-cbc',
  'aes-192-cbc',
  'aes-256-cbc',
  'aes-128-gcm',
  'aes-192-gcm',
  'aes-256-gcm',
];
const content = Buffer.from('Schaltprogramm 17, nur für das Gateway bestimmt\n', 'utf8');
let alice: Party;
let bob: Party;

beforeAll(async () => {
  alice = await party('alice', 'prime256v1', ['keyAgreement']);
  bob = await party('bob', 'prime256v1', ['keyAgreement']);
});
afterAll(() => rmSync(folder, { recursive: true }));

const open = (bytes: Uint8Array, { key, certificate }: Party) =>
  openEnvelope(parseEnvelope(bytes), certificate, keyAgreementWith(key.privateKey, key.publicKey));
const codeOf = (promise: Promise<unknown>) =>
  promise.then(
    () => undefined,
    (error: unknown) => (error instanceof PkiError ? error.code : String(error)),
  );

describe('an envelope', () => {
  it.each(CIPHERS)('with %s is opened by each of its recipients and by nobody else', async (cipher) => {
    for (const identifiedBy of ['issuerAndSerialNumber', 'subjectKeyIdentifier'] as const) {
      const recipients = [alice.certificate, bob.certificate];
      const message = buildEnvelope({ content, recipients, cipher, identifiedBy });
      for (const each of [alice, bob]) {
        const opened = await open(message, each);
        expect(Buffer.from(opened.content)).toEqual(content);
        expect(opened).toMatchObject({ contentType: CMS_OID.data, cipher, authenticated: cipher.endsWith('gcm') });
      }
      expect(await codeOf(open(message, await party('carol')))).toBe('pki.cms.recipient');
      expect(await codeOf(open(message, { ...bob, key: alice.key }))).toBe('pki.cms.open');
    }
  });

  it.each(CURVES)('is sealed for keys on %s', async (curve) => {
    const someone = await party(`someone-${curve}`, curve);
    const opened = await open(buildEnvelope({ content, recipients: [someone.certificate] }), someone);
    expect(Buffer.from(opened.content)).toEqual(content);
  });

  it('takes the names of TR-03111 for the same computation', async () => {
    const message = buildEnvelope({ content, recipients: [alice.certificate], scheme: CMS_OID.eckaEgSha256 });
    expect(Buffer.from((await open(message, alice)).content)).toEqual(content);
  });

  it('of GCM says what its content is, so that nobody can say otherwise', async () => {
    const message = buildEnvelope({ content, contentType: CMS_OID.signedData, recipients: [alice.certificate] });
    expect((await open(message, alice)).contentType).toBe(CMS_OID.signedData);
    const envelope = parseEnvelope(message);
    const { attributes, tag } = envelope.authentication!;
    const forged = {
      ...envelope,
      authentication: { tag, attributes: Buffer.from(attributes!).fill(7, attributes!.length - 1) },
    };
    const holder = keyAgreementWith(alice.key.privateKey, alice.key.publicKey);
    expect(await codeOf(openEnvelope(forged, alice.certificate, holder))).toBe('pki.cms.open');
  });

  it('with a shortened tag is not opened', async () => {
    const envelope = parseEnvelope(buildEnvelope({ content, recipients: [alice.certificate] }));
    const tag = envelope.authentication!.tag.subarray(0, 4);
    const holder = keyAgreementWith(alice.key.privateKey, alice.key.publicKey);
    const opening = openEnvelope({ ...envelope, authentication: { tag } }, alice.certificate, holder);
    expect(await codeOf(opening)).toBe('pki.cms.open');
  });

  it('is not sealed for a certificate that is not for key agreement', async () => {
    const signer = await party('signer', 'prime256v1', ['digitalSignature']);
    expect(() => buildEnvelope({ content, recipients: [signer.certificate] })).toThrow('not for key agreement');
  });

  it('with any byte changed is a typed error, or with GCM still its content', async () => {
    const message = buildEnvelope({ content, recipients: [alice.certificate] });
    await fc.assert(
      fc.asyncProperty(fc.nat(message.length - 1), fc.integer({ min: 1, max: 255 }), async (at, change) => {
        const changed = Uint8Array.from(message);
        changed[at]! ^= change;
        try {
          expect(Buffer.from((await open(changed, alice)).content)).toEqual(content);
        } catch (error) {
          expect(error).toBeInstanceOf(PkiError);
        }
      }),
      { numRuns: 1000 },
    );
  });

  it('is a typed error wherever it is cut', () => {
    for (const cipher of ['aes-128-cbc', 'aes-128-gcm'] as const) {
      const message = buildEnvelope({ content, recipients: [alice.certificate], cipher });
      for (let end = 0; end < message.length; end++) {
        expect(() => parseEnvelope(message.subarray(0, end))).toThrow(PkiError);
      }
    }
  });

  it('whose point is not on the curve is refused before the key is used', async () => {
    const message = buildEnvelope({ content, recipients: [alice.certificate] });
    const envelope = parseEnvelope(message);
    const point = Uint8Array.from(envelope.recipients[0]!.point);
    point[40]! ^= 1;
    const recipients = [{ ...envelope.recipients[0]!, point }];
    let used = false;
    const holder = {
      publicKey: alice.key.publicKey,
      agree: () => {
        used = true;
        return new Uint8Array(32);
      },
    };
    expect(await codeOf(openEnvelope({ ...envelope, recipients }, alice.certificate, holder))).toBe('pki.key');
    expect(used).toBe(false);
  });
});

describe.skipIf(!hasOpenssl)('envelopes and openssl (skipped where it is not installed)', () => {
  it.each(CIPHERS)('with %s, in both directions', async (cipher) => {
    put('ours.p7', buildEnvelope({ content, recipients: [alice.certificate, bob.certificate], cipher }));
    for (const name of ['alice', 'bob']) {
      const who = ['-recip', `${name}.pem`, '-inkey', `${name}.key`];
      expect(openssl('cms', '-decrypt', '-binary', '-inform', 'DER', '-in', 'ours.p7', ...who)).toEqual(content);
    }
    put('content', content);
    const kdf = ['-keyopt', 'ecdh_kdf_md:sha256'];
    const to = ['-recip', 'alice.pem', ...kdf, '-recip', 'bob.pem', ...kdf];
    const [name, bits, mode] = cipher.split('-') as [string, string, string];
    const flag = `-${name}-${bits}-${mode}`;
    openssl('cms', '-encrypt', '-binary', flag, '-in', 'content', '-outform', 'DER', '-out', 'theirs.p7', ...to);
    for (const each of [alice, bob]) expect(Buffer.from((await open(get('theirs.p7'), each)).content)).toEqual(content);
  });

  it.each(CURVES)('with keys on %s', async (curve) => {
    const someone = await party(`other-${curve}`, curve);
    put('ours.p7', buildEnvelope({ content, recipients: [someone.certificate] }));
    const who = ['-recip', `${someone.name}.pem`, '-inkey', `${someone.name}.key`];
    expect(openssl('cms', '-decrypt', '-binary', '-inform', 'DER', '-in', 'ours.p7', ...who)).toEqual(content);
  });

  it('reads what openssl streams, after it was made DER', async () => {
    const long = Buffer.alloc(3_000_000, 'y');
    put('long', long);
    const to = ['-recip', 'alice.pem', '-keyopt', 'ecdh_kdf_md:sha256'];
    const args = ['-binary', '-stream', '-aes-256-cbc', '-in', 'long', '-outform', 'DER', '-out', 'stream.p7'];
    openssl('cms', '-encrypt', ...args, ...to);
    expect(Buffer.from((await open(derFromBer(get('stream.p7')), alice)).content).equals(long)).toBe(true);
  });

  it('says that a hash it does not take is not known', async () => {
    put('content', content);
    openssl(
      'cms',
      '-encrypt',
      '-aes-128-cbc',
      '-in',
      'content',
      '-outform',
      'DER',
      '-out',
      'sha1.p7',
      '-recip',
      'alice.pem',
    );
    expect(await codeOf(open(get('sha1.p7'), alice))).toBe('pki.algorithm');
  });
});

describe('envelopes and pkijs', () => {
  beforeAll(() => {
    pkijs.setEngine('node', new pkijs.CryptoEngine({ name: 'node', crypto: globalThis.crypto as never }) as never);
  });

  it('are opened here', async () => {
    const theirs = new pkijs.EnvelopedData();
    theirs.addRecipientByCertificate(pkijs.Certificate.fromBER(Uint8Array.from(alice.certificate.der)), {
      kdfAlgorithm: 'SHA-256',
      kekEncryptionLength: 256,
    });
    await theirs.encrypt({ name: 'AES-CBC', length: 256 } as never, Uint8Array.from(content).buffer);
    const info = new pkijs.ContentInfo({ contentType: CMS_OID.envelopedData, content: theirs.toSchema() });
    const bytes = derFromBer(new Uint8Array(info.toSchema().toBER()));
    expect(Buffer.from((await open(bytes, alice)).content)).toEqual(content);
  });
});
