import { rmSync } from 'node:fs';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  buildRequestPackage,
  buildSignedData,
  buildTripleAnswer,
  type Certificate,
  type CertificationRequest,
  der,
  issueUnder,
  type Name,
  OID,
  PkiError,
  parseCertificate,
  parseSignedData,
  readRequestPackage,
  readTripleAnswer,
  SM_PKI_REQUESTS,
  SM_PKI_ROOT_CA,
  SM_PKI_SUB_CA,
  SM_PKI_USES,
  type SmPkiRole,
  type SmPkiUse,
  smPkiEndEntity,
  type Triple,
  validatePath,
} from '../../src/index.ts';
import { folder, get, hasOpenssl, KeyInMemory, openssl, put } from '../cms/parties.ts';

afterAll(() => rmSync(folder, { recursive: true }));

const DAY = 86_400_000;
const now = new Date(Math.floor(Date.now() / 1000) * 1000);
const days = (count: number) => new Date(now.getTime() + count * DAY);
const attribute = (type: string, value: string) => ({ type, value });
const nameOf = (commonName: string, ...more: { type: string; value: string }[]): Name => [
  attribute(OID.country, 'DE'),
  attribute(OID.organization, 'SM-Test-PKI-DE'),
  ...more,
  attribute(OID.commonName, commonName),
];
const subject = nameOf('Stadtwerk.EMT');
const names = [{ kind: 'uri', value: 'https://emt.example' }] as const;
const common = {
  issuerAltName: [{ kind: 'uri', value: 'http://pki.example' }],
  crlDistributionPoints: [{ fullName: [{ kind: 'uri', value: 'http://pki.example/crl' }] }],
} as const;

let root: Certificate;
let sub: Certificate;
const subKey = new KeyInMemory('brainpoolP384r1');

beforeAll(async () => {
  const rootKey = new KeyInMemory('brainpoolP384r1');
  const serial = attribute(OID.serialNumber, '1');
  const span = { notBefore: days(-1), notAfter: days(1800) };
  const rootFields = {
    subject: nameOf('SM-Test-Root.CA', serial),
    publicKey: rootKey.publicKey,
    ...span,
    extensions: common,
  };
  root = parseCertificate(await issueUnder(SM_PKI_ROOT_CA, rootFields, { signer: rootKey }));
  const subFields = { subject: nameOf('Test.CA', serial), publicKey: subKey.publicKey, ...span, extensions: common };
  sub = parseCertificate(await issueUnder(SM_PKI_SUB_CA, subFields, { signer: rootKey, certificate: root }));
});

const newKeys = (curve = 'brainpoolP256r1'): Triple<KeyInMemory> => ({
  TLS: new KeyInMemory(curve),
  SIG: new KeyInMemory(curve),
  ENC: new KeyInMemory(curve),
});

/** As a sub-CA would. */
async function answer(requests: Triple<CertificationRequest>, role: SmPkiRole): Promise<Uint8Array> {
  const triple: Partial<Record<SmPkiUse, Uint8Array>> = {};
  for (const use of SM_PKI_USES) {
    const { publicKey, extensions, subject } = requests[use];
    const { subjectAltName } = extensions;
    triple[use] = await issueUnder(
      smPkiEndEntity(role, use),
      {
        subject,
        publicKey,
        notBefore: days(-1),
        notAfter: days(729),
        extensions: { ...common, ...(subjectAltName && { subjectAltName }) },
      },
      { signer: subKey, certificate: sub },
    );
  }
  return buildTripleAnswer(triple as Triple<Uint8Array>, [sub.der, root.der]);
}

describe('the triple of a market participant', () => {
  it('is asked for with the new key, comes back within the profile, and is renewed with the present one', async () => {
    const keys = newKeys();
    const first = readRequestPackage(await buildRequestPackage({ role: 'EMT', subject, names, keys }), 'EMT');
    expect(first.renewalOf).toBeUndefined();
    expect(first.requests.TLS.publicKey.equals(keys.TLS.publicKey)).toBe(true);
    const { triple, chain } = readTripleAnswer(await answer(first.requests, 'EMT'), 'EMT', keys);
    for (const use of SM_PKI_USES) {
      expect(triple[use].publicKey.equals(keys[use].publicKey)).toBe(true);
      expect(validatePath(triple[use], { anchors: [root], intermediates: chain, at: now })).toHaveLength(3);
    }
    const next = newKeys('prime256v1');
    const signingTime = new Date('2026-11-26T20:00:00Z');
    const present = { certificate: triple.SIG, signer: keys.SIG };
    const renewal = await buildRequestPackage({ role: 'EMT', subject, names, keys: next, present, signingTime });
    const read = readRequestPackage(renewal, 'EMT');
    expect(read.renewalOf?.der).toEqual(triple.SIG.der);
    expect(read.signingTime).toEqual(signingTime);
    const renewed = readTripleAnswer(await answer(read.requests, 'EMT'), 'EMT', next);
    expect(renewed.triple.ENC.extensions.keyUsage).toEqual(['keyAgreement']);
  });

  it('of a gateway has no alternative names, and its name says what it is', async () => {
    const gateway = nameOf('Werk7.SMGW');
    const bytes = await buildRequestPackage({ role: 'SMGW', subject: gateway, keys: newKeys() });
    expect(readRequestPackage(bytes, 'SMGW').requests.SIG.extensions.subjectAltName).toBeUndefined();
    expect(() => readRequestPackage(bytes, 'GWA')).toThrow("'Werk7.SMGW' is no name of a GWA");
    const named = buildRequestPackage({ role: 'SMGW', subject: gateway, names, keys: newKeys() });
    await expect(named).rejects.toMatchObject({ code: 'pki.smpki.package', fault: 'caller' });
  });

  it.each([['one key for two uses', (keys: Triple<KeyInMemory>) => ({ ...keys, ENC: keys.SIG }), 'share a key']])(
    'is not asked for with %s',
    async (_, change, text) => {
      await expect(buildRequestPackage({ role: 'EMT', subject, names, keys: change(newKeys()) })).rejects.toThrow(text);
    },
  );

  it('is not asked for without alternative names', async () => {
    await expect(buildRequestPackage({ role: 'EMT', subject, keys: newKeys() })).rejects.toThrow(
      'no alternative names',
    );
  });
});

describe('a package that is refused', () => {
  const signedBy = async (signer: KeyInMemory, requests: readonly Uint8Array[], contentType = SM_PKI_REQUESTS) =>
    buildSignedData({ contentType, content: der.sequence(...requests), signers: [{ signer }] });
  const of = async (keys: Triple<KeyInMemory>, who = subject) => {
    const { requests } = readRequestPackage(
      await buildRequestPackage({ role: 'EMT', subject: who, names, keys }),
      'EMT',
    );
    return SM_PKI_USES.map((use) => requests[use].der);
  };

  it('because a request is missing, doubled or one too many', async () => {
    const keys = newKeys();
    const requests = await of(keys);
    for (const list of [
      requests.slice(0, 2),
      [requests[0]!, requests[0]!, requests[1]!],
      [...requests, requests[0]!],
    ]) {
      const bytes = await signedBy(keys.SIG, list);
      expect(() => readRequestPackage(bytes, 'EMT')).toThrow(/one request each|two requests are for|more than three/);
    }
  });

  it('because its requests are of two holders', async () => {
    const keys = newKeys();
    const [tls] = await of(keys, nameOf('Anderer.EMT'));
    const [, sig, enc] = await of(keys);
    const bytes = await signedBy(keys.SIG, [tls!, sig!, enc!]);
    expect(() => readRequestPackage(bytes, 'EMT')).toThrow('not of one holder');
  });

  it('because another key has signed it', async () => {
    const keys = newKeys();
    const bytes = await signedBy(keys.TLS, await of(keys));
    expect(() => readRequestPackage(bytes, 'EMT')).toThrow('not signed with this one key');
  });

  it('because it is of another type', async () => {
    const keys = newKeys();
    const bytes = await signedBy(keys.SIG, await of(keys), '1.2.3');
    expect(() => readRequestPackage(bytes, 'EMT')).toThrow('no certification requests');
  });

  it('because a renewal brings the present key again, or is signed by somebody else', async () => {
    const keys = newKeys();
    const { requests } = readRequestPackage(await buildRequestPackage({ role: 'EMT', subject, names, keys }), 'EMT');
    const { triple } = readTripleAnswer(await answer(requests, 'EMT'), 'EMT', keys);
    const present = { certificate: triple.SIG, signer: keys.SIG };
    const again = { ...newKeys(), SIG: keys.SIG };
    const bytes = await buildRequestPackage({ role: 'EMT', subject, names, keys: again, present });
    expect(() => readRequestPackage(bytes, 'EMT')).toThrow('needs new keys');
    const other = await buildRequestPackage({
      role: 'EMT',
      subject: nameOf('Anderer.EMT'),
      names,
      keys: newKeys(),
      present,
    });
    expect(() => readRequestPackage(other, 'EMT')).toThrow('somebody else has signed it');
  });

  it('with a typed error, whatever bit is changed, or read as it was', async () => {
    const keys = newKeys('prime256v1');
    const bytes = await buildRequestPackage({ role: 'EMT', subject, names, keys });
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), (at, change) => {
        const changed = Uint8Array.from(bytes);
        changed[at]! ^= change;
        try {
          const { requests } = readRequestPackage(changed, 'EMT');
          for (const use of SM_PKI_USES) expect(requests[use].publicKey.equals(keys[use].publicKey)).toBe(true);
        } catch (error) {
          expect(error).toBeInstanceOf(PkiError);
        }
      }),
      { numRuns: 300 },
    );
  });

  it('because the answer is for other keys, or out of the profile', async () => {
    const keys = newKeys();
    const { requests } = readRequestPackage(await buildRequestPackage({ role: 'EMT', subject, names, keys }), 'EMT');
    const bytes = await answer(requests, 'EMT');
    expect(() => readTripleAnswer(bytes, 'EMT', newKeys())).toThrow('one of the three keys is missing');
    expect(() => readTripleAnswer(bytes, 'GWA', keys)).toThrow(PkiError);
  });
});

describe.skipIf(!hasOpenssl)('packages and openssl (skipped where it is not installed)', () => {
  it('reads the content of a renewal and verifies its signature', async () => {
    const keys = newKeys();
    const { requests } = readRequestPackage(await buildRequestPackage({ role: 'EMT', subject, names, keys }), 'EMT');
    const { triple } = readTripleAnswer(await answer(requests, 'EMT'), 'EMT', keys);
    const present = { certificate: triple.SIG, signer: keys.SIG };
    const bytes = await buildRequestPackage({ role: 'EMT', subject, names, keys: newKeys(), present });
    put('package.p7', bytes);
    openssl('cms', '-verify', '-noverify', '-binary', '-inform', 'DER', '-in', 'package.p7', '-out', 'requests');
    expect(get('requests')).toEqual(Buffer.from(parseSignedData(bytes).content!));
  });
});
