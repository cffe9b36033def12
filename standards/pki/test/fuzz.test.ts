/** Every decoder on bytes that somebody has been at: it reads them or throws a PkiError, and does neither more nor anything else. */

import { generateKeyPairSync } from 'node:crypto';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { publicKeyOf } from '../src/hsm/pkcs11-key.ts';
import { encodeIecUserRoles } from '../src/iec-user-roles.ts';
import {
  answerOcsp,
  buildCrl,
  buildOcspRequest,
  buildRequest,
  certIdOf,
  checkProfile,
  DerReader,
  FileKeySigner,
  IEC62351_DEVICE,
  nameOf,
  OID,
  PkiError,
  parseCertificate,
  parseCrl,
  parseOcspRequest,
  parseOcspResponse,
  parseRequest,
  roleGrantsOf,
  signatureFromDer,
  signatureToDer,
  toPem,
  validatePath,
} from '../src/index.ts';
import { encodeName } from '../src/name.ts';
import { encryptPrivateKey } from '../src/passphrase.ts';
import { authority, DURING, endEntity, type Party } from './authority.ts';

let ca: Party;
let rich: Party;
const samples: Record<string, Uint8Array> = {};

/** What is done with bytes of each kind, as far as it goes. */
const decoders: Readonly<Record<string, (bytes: Uint8Array) => unknown>> = {
  certificate: (bytes) => {
    const certificate = parseCertificate(bytes);
    checkProfile(certificate, IEC62351_DEVICE);
    roleGrantsOf(certificate);
    return validatePath(certificate, { anchors: [ca.certificate], at: DURING, policy: '1.2.3' });
  },
  // The intermediate one has name constraints, which are looked at when something below it is checked.
  constraints: (bytes) =>
    validatePath(rich.certificate, { anchors: [ca.certificate], intermediates: [parseCertificate(bytes)], at: DURING }),
  request: parseRequest,
  list: (bytes) => parseCrl(bytes, { issuer: ca.certificate }),
  'OCSP request': parseOcspRequest,
  'OCSP response': parseOcspResponse,
  signature: (bytes) => signatureFromDer(bytes, 32),
  'PKCS#11 point': (bytes) => publicKeyOf(samples.curve!, bytes),
  key: (bytes) => FileKeySigner.fromPem(toPem('ENCRYPTED PRIVATE KEY', bytes), 'a key', { passphrase: 'x' }),
  name: (bytes) => new DerReader(bytes).sequence('name').any('RDN'),
};

beforeAll(async () => {
  ca = await authority('Fuzz CA');
  const constrained = await authority('Fuzz sub-CA', ca, {
    extensions: {
      nameConstraints: {
        permitted: [
          { kind: 'dns', value: 'example' },
          { kind: 'ip', address: Uint8Array.of(10, 0, 0, 0), mask: Uint8Array.of(255, 0, 0, 0) },
          {
            kind: 'directory',
            value: encodeName([
              { type: OID.country, value: 'DE' },
              { type: OID.organization, value: 'Netz' },
            ]),
          },
        ],
        excluded: [{ kind: 'email', value: 'evil.example' }],
      },
    },
  });
  rich = await endEntity('rich', constrained, {
    subject: nameOf({ country: 'DE', organization: 'Netz', commonName: 'rich', serialNumber: '7' }),
    extensions: {
      subjectAltName: [
        { kind: 'dns', value: 'a.example' },
        { kind: 'ip', value: '10.0.0.1' },
        { kind: 'email', value: 'x@example' },
        { kind: 'directory', value: nameOf({ country: 'DE', organization: 'Netz', commonName: 'y' }) },
      ],
      issuerAltName: [{ kind: 'uri', value: 'http://pki.example' }],
      certificatePolicies: [{ oid: '1.2.3', cps: 'http://cps.example' }],
      crlDistributionPoints: [
        { fullName: [{ kind: 'uri', value: 'http://crl.example' }], crlIssuer: [{ kind: 'dns', value: 'x' }] },
      ],
      authorityInfoAccess: [{ method: OID.ocsp, location: { kind: 'uri', value: 'http://ocsp.example' } }],
    },
    otherExtensions: [
      encodeIecUserRoles([{ roles: [1, 2], areaOfResponsibility: 'Nord', revision: 1, operation: 'add' }]),
    ],
  });
  const asked = buildOcspRequest({ asked: [certIdOf(rich.certificate, ca.certificate)], nonce: new Uint8Array(32) });
  const entries = [
    { serialNumber: Uint8Array.of(1), revokedAt: DURING, reason: 'superseded', invalidSince: DURING },
    { serialNumber: Uint8Array.of(2), revokedAt: DURING },
  ] as const;
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const spki = new DerReader(rich.certificate.spki).sequence('key');
  spki.any('algorithm');
  Object.assign(samples, {
    certificate: rich.certificate.der,
    constraints: constrained.certificate.der,
    request: await buildRequest(
      { subject: rich.certificate.subject, extensions: rich.certificate.extensions },
      rich.signer,
    ),
    list: await buildCrl(
      { issuer: ca.certificate, number: 1, thisUpdate: DURING, nextUpdate: DURING, entries, scope: 'endEntities' },
      ca.signer,
    ),
    'OCSP request': asked,
    'OCSP response': await answerOcsp(asked, {
      issuer: ca.certificate,
      signer: ca.signer,
      responder: rich.certificate,
      statusOf: () => ({ kind: 'revoked', at: DURING, reason: 'keyCompromise' }),
      now: () => DURING,
      validFor: 1000,
    }),
    signature: signatureToDer(new Uint8Array(64).fill(0x77)),
    curve: Buffer.from('06082a8648ce3d030107', 'hex'),
    'PKCS#11 point': spki.octetAlignedBits('point'),
    key: await encryptPrivateKey(privateKey, 'x', 10),
    name: rich.certificate.subjectDer,
  });
});

/** One change: bytes overwritten, taken out, put in, or a piece of the whole repeated elsewhere. */
const change = fc.record({
  kind: fc.constantFrom('overwrite', 'remove', 'insert', 'repeat', 'length'),
  at: fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }),
  from: fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }),
  size: fc.integer({ min: 1, max: 12 }),
  bytes: fc.uint8Array({ minLength: 1, maxLength: 6 }),
});
type Change = typeof change extends fc.Arbitrary<infer T> ? T : never;

function apply(bytes: Uint8Array, { kind, at, from, size, bytes: put }: Change): Uint8Array {
  const i = Math.floor(at * bytes.length);
  const k = Math.floor(from * bytes.length);
  const [before, after] = [bytes.subarray(0, i), bytes.subarray(i)];
  switch (kind) {
    case 'overwrite':
      return Buffer.concat([before, put, after.subarray(put.length)]);
    case 'remove':
      return Buffer.concat([before, after.subarray(size)]);
    case 'insert':
      return Buffer.concat([before, put, after]);
    case 'repeat':
      return Buffer.concat([before, bytes.subarray(k, k + size), after]);
    default: {
      // Lengths are where decoders fall: a byte becomes one that is about to overflow.
      const changed = Uint8Array.from(bytes);
      if (changed.length > 0) changed[i] = [0x7f, 0x80, 0x81, 0x84, 0xff, 0][size % 6]!;
      return changed;
    }
  }
}

const readsOrRefuses = (name: string, bytes: Uint8Array) => {
  try {
    decoders[name]!(bytes);
  } catch (error) {
    if (!(error instanceof PkiError)) throw error;
  }
};

describe.each(Object.keys(decoders))('%s', (name) => {
  it('is read as long as nobody changed it', () => {
    // The certificate was issued by a CA that is not handed in here; everything before that is right.
    const outcome = () => decoders[name]!(samples[name]!);
    if (name === 'certificate') expect(outcome).toThrow('not issued by anybody trusted');
    else expect(outcome).not.toThrow();
  });

  it('that is cut anywhere is read or refused', () => {
    for (let size = 0; size < samples[name]!.length; size++) readsOrRefuses(name, samples[name]!.subarray(0, size));
  });

  it('that was changed in several places is read or refused', () => {
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 4 }), (changes) =>
        readsOrRefuses(name, changes.reduce(apply, samples[name]!)),
      ),
      { numRuns: 400 },
    );
  });

  it('that is noise is refused', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => readsOrRefuses(name, bytes)),
      { numRuns: 200 },
    );
  });
});

it('nested to the bottom of the sea is refused, not followed', () => {
  let deep: Uint8Array = new Uint8Array(0);
  for (let i = 0; i < 2000; i++) {
    const head = deep.length < 0x80 ? [0x30, deep.length] : [0x30, 0x82, deep.length >> 8, deep.length & 0xff];
    if (deep.length >= 0x80 && deep.length < 0x100) head.splice(1, 3, 0x81, deep.length);
    deep = Buffer.concat([Uint8Array.from(head), deep]);
  }
  for (const name of Object.keys(decoders)) readsOrRefuses(name, deep);
});
