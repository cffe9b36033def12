import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as der from '../src/der-writer.ts';
import { encodeIecUserRoles } from '../src/iec-user-roles.ts';
import {
  type Certificate,
  type Extension,
  nameOf,
  OID,
  type PathOptions,
  PkiError,
  roleGrantsOf,
  sameName,
  toPem,
  validatePath,
} from '../src/index.ts';
import { encodeName } from '../src/name.ts';
import { authority, DURING, endEntity, issue, NOT_AFTER, NOT_BEFORE, newKey, type Party } from './authority.ts';

const dir = mkdtempSync(join(tmpdir(), 'enerchain-path-'));
afterAll(() => rmSync(dir, { recursive: true }));
const hasOpenssl = spawnSync('openssl', ['version']).status === 0;

/** What openssl says of the same path. */
function opensslSays(
  leaf: Certificate,
  anchors: readonly Certificate[],
  between: readonly Certificate[],
  at = DURING,
): boolean {
  const write = (name: string, certificates: readonly Certificate[]) =>
    writeFileSync(join(dir, name), certificates.map(({ der }) => toPem('CERTIFICATE', der)).join(''));
  write('leaf', [leaf]);
  write('anchors', anchors);
  write('between', between);
  const args = [
    'verify',
    '-x509_strict',
    '-attime',
    String(at.getTime() / 1000),
    '-CAfile',
    'anchors',
    '-untrusted',
    'between',
    'leaf',
  ];
  return spawnSync('openssl', args, { cwd: dir }).status === 0;
}

let root: Party;
let sub: Party;
let leaf: Party;
const options = (more: Partial<PathOptions> = {}): PathOptions => ({
  anchors: [root.certificate],
  intermediates: [sub.certificate],
  at: DURING,
  ...more,
});
const codeOf = (act: () => unknown): string => {
  try {
    act();
  } catch (error) {
    if (error instanceof PkiError) return error.code;
    throw error;
  }
  return 'accepted';
};
const ofCertificate = (certificate: Certificate, more: Partial<PathOptions> = {}) =>
  codeOf(() => validatePath(certificate, options(more)));

beforeAll(async () => {
  root = await authority('Root', undefined, { algorithm: 'ESB384' });
  sub = await authority('Sub', root, {
    algorithm: 'ESB256',
    extensions: { basicConstraints: { ca: true, pathLength: 0 } },
  });
  leaf = await endEntity('edge', sub, { extensions: { extKeyUsage: [OID.clientAuth] } });
});

describe('a path of three', () => {
  it('is found and ends at the anchor', () => {
    const path = validatePath(leaf.certificate, options({ purpose: OID.clientAuth, keyUsage: ['digitalSignature'] }));
    expect(path).toEqual([leaf.certificate, sub.certificate, root.certificate]);
    if (hasOpenssl) expect(opensslSays(leaf.certificate, [root.certificate], [sub.certificate])).toBe(true);
  });

  it('is found among certificates that do not belong to it, and past a cross-certificate', async () => {
    const other = await authority('Other root');
    const crossed = await authority('Root', other, { signer: root.signer });
    const intermediates = [other.certificate, crossed.certificate, sub.certificate];
    expect(validatePath(leaf.certificate, options({ intermediates }))).toHaveLength(3);
    const long = validatePath(leaf.certificate, options({ anchors: [other.certificate], intermediates }));
    expect(long).toEqual([leaf.certificate, sub.certificate, crossed.certificate, other.certificate]);
  });

  it('is none without the one between, or with an anchor that only bears the name', async () => {
    const impostor = await authority('Root');
    expect(ofCertificate(leaf.certificate, { intermediates: [] })).toBe('pki.path.anchor');
    expect(ofCertificate(leaf.certificate, { anchors: [impostor.certificate] })).toBe('pki.path.anchor');
  });

  it('ends with the second in which the first certificate of it ends', () => {
    expect(ofCertificate(leaf.certificate, { at: NOT_AFTER })).toBe('accepted');
    expect(ofCertificate(leaf.certificate, { at: new Date(NOT_AFTER.getTime() + 1000) })).toBe('pki.path.time');
    expect(ofCertificate(leaf.certificate, { at: NOT_BEFORE })).toBe('accepted');
    expect(ofCertificate(leaf.certificate, { at: new Date(NOT_BEFORE.getTime() - 1000) })).toBe('pki.path.time');
  });

  it('is refused for a purpose or use that is not its own', () => {
    expect(ofCertificate(leaf.certificate, { purpose: OID.serverAuth })).toBe('pki.path.usage');
    expect(ofCertificate(leaf.certificate, { keyUsage: ['keyAgreement'] })).toBe('pki.path.usage');
  });

  it('lets a self-signed certificate stand for itself when it is an anchor', async () => {
    const pinned = await issue('pinned device', undefined);
    expect(ofCertificate(pinned.certificate)).toBe('pki.path.anchor');
    expect(ofCertificate(pinned.certificate, { anchors: [pinned.certificate] })).toBe('accepted');
  });
});

describe('a path is refused', () => {
  it('when a CA below another exceeds its path length', async () => {
    const below = await authority('Below', sub);
    const end = await endEntity('too deep', below);
    const intermediates = [sub.certificate, below.certificate];
    expect(ofCertificate(end.certificate, { intermediates })).toBe('pki.path.length');
    if (hasOpenssl) expect(opensslSays(end.certificate, [root.certificate], intermediates)).toBe(false);
  });

  it('when it is longer than the caller follows', async () => {
    let above = await authority('Long root');
    const first = above;
    const between: Certificate[] = [];
    for (let i = 0; i < 4; i++) {
      above = await authority(`Level ${i}`, above);
      between.push(above.certificate);
    }
    const end = await endEntity('deep', above);
    const common = { anchors: [first.certificate], intermediates: between };
    expect(ofCertificate(end.certificate, { ...common, maxIntermediates: 4 })).toBe('accepted');
    expect(ofCertificate(end.certificate, { ...common, maxIntermediates: 3 })).toBe('pki.path.anchor');
  });

  it('when an end entity plays authority', async () => {
    const forged = await endEntity('forged', leaf);
    expect(ofCertificate(forged.certificate, { intermediates: [sub.certificate, leaf.certificate] })).toBe(
      'pki.path.ca',
    );
    const unsuited = await issue('may not sign', root, {
      extensions: { basicConstraints: { ca: true }, keyUsage: ['digitalSignature'] },
    });
    const under = await endEntity('under', unsuited);
    expect(ofCertificate(under.certificate, { intermediates: [unsuited.certificate] })).toBe('pki.path.ca');
    const bare = await issue('no constraints', root);
    const beneath = await endEntity('beneath', bare);
    expect(ofCertificate(beneath.certificate, { intermediates: [bare.certificate] })).toBe('pki.path.ca');
  });

  it('when it holds a critical extension that nobody understands', async () => {
    const strange: Extension = { oid: '1.3.6.1.4.1.99999.1', critical: true, value: der.nullValue() };
    const end = await endEntity('strange', sub, { otherExtensions: [strange] });
    expect(ofCertificate(end.certificate)).toBe('pki.path.critical');
    expect(ofCertificate(end.certificate, { understood: [strange.oid] })).toBe('accepted');
    const harmless = await endEntity('harmless', sub, { otherExtensions: [{ ...strange, critical: false }] });
    expect(ofCertificate(harmless.certificate)).toBe('accepted');
    const constrained = await authority('Constrained', root, {
      // policyConstraints { requireExplicitPolicy 0 }: policy processing is not done here, so it must not be passed over.
      otherExtensions: [
        { oid: '2.5.29.36', critical: true, value: der.sequence(der.implicitPrimitive(0, Uint8Array.of(0))) },
      ],
    });
    const under = await endEntity('under constraints', constrained);
    expect(ofCertificate(under.certificate, { intermediates: [constrained.certificate] })).toBe('pki.path.critical');
  });

  it('when a CA of it may issue for another purpose only', async () => {
    const restricted = await authority('For servers', root, { extensions: { extKeyUsage: [OID.serverAuth] } });
    const end = await endEntity('client', restricted, { extensions: { extKeyUsage: [OID.clientAuth] } });
    const common = { intermediates: [restricted.certificate] };
    expect(ofCertificate(end.certificate, { ...common, purpose: OID.clientAuth })).toBe('pki.path.usage');
    expect(ofCertificate(end.certificate, common)).toBe('accepted');
  });

  it('when one certificate of it was issued under another policy', async () => {
    const policy = '0.4.0.127.0.7.3.4.1.1.1';
    const certificatePolicies = [{ oid: policy, cps: 'http://pki.example/cps' }];
    const with_ = await authority('With policy', root, {
      extensions: { certificatePolicies: [{ oid: OID.anyPolicy }] },
    });
    const good = await endEntity('good', with_, { extensions: { certificatePolicies } });
    const bad = await endEntity('bad', with_, { extensions: { certificatePolicies: [{ oid: '1.2.3.4' }] } });
    const stranger = await endEntity('stranger', sub, { extensions: { certificatePolicies } });
    const intermediates = [with_.certificate, sub.certificate];
    expect(ofCertificate(good.certificate, { intermediates, policy })).toBe('accepted');
    expect(ofCertificate(bad.certificate, { intermediates, policy })).toBe('pki.path.policy');
    expect(ofCertificate(stranger.certificate, { intermediates, policy })).toBe('pki.path.policy');
    expect(good.certificate.extensions.certificatePolicies).toEqual(certificatePolicies);
  });

  it('when its issuer has another key than the one it was issued with', async () => {
    const renewed = await authority('Sub', root, { signer: newKey() });
    expect(ofCertificate(leaf.certificate, { intermediates: [renewed.certificate] })).toBe('pki.path.anchor');
  });

  it('when a heap of certificates of one name is thrown at it, after a bounded number of signatures', async () => {
    const heap: Certificate[] = [];
    for (let i = 0; i < 64; i++) heap.push((await authority('Sub')).certificate);
    // Without a key identifier every one of the name has to be tried; the right one comes last.
    const unhinted = { ...leaf.certificate, extensions: {} };
    const with_ = (count: number) =>
      ofCertificate(unhinted, { intermediates: [...heap.slice(0, count), sub.certificate] });
    expect(with_(62)).toBe('accepted');
    expect(with_(64)).toBe('pki.path.anchor');
  });
});

describe('revocation', () => {
  it('is asked for every certificate below the anchor, and refuses what is revoked or not known', () => {
    const asked: string[] = [];
    const revoked = { kind: 'revoked', at: DURING, reason: 'keyCompromise' } as const;
    const outcome = (answer: 'good' | 'revoked' | 'unknown', of: Certificate) =>
      ofCertificate(leaf.certificate, {
        revocation: (certificate, issuer, at) => {
          asked.push(`${certificate.subject[0]!.value} by ${issuer.subject[0]!.value}`);
          expect(at).toBe(DURING);
          if (certificate !== of || answer === 'good') return { kind: 'good' };
          return answer === 'revoked' ? revoked : { kind: 'unknown', why: 'no list' };
        },
      });
    expect(outcome('good', leaf.certificate)).toBe('accepted');
    expect(asked).toEqual(['Sub by Root', 'edge by Sub']);
    expect(outcome('revoked', leaf.certificate)).toBe('pki.path.revoked');
    expect(outcome('revoked', sub.certificate)).toBe('pki.path.revoked');
    expect(outcome('unknown', leaf.certificate)).toBe('pki.path.revocation');
  });
});

describe('name constraints', () => {
  const bytes = (text: string) => Uint8Array.from(text.split('.'), Number);
  it.each([
    ['a host below', { kind: 'dns', value: 'rtu1.nord.example' }, true],
    ['the host itself', { kind: 'dns', value: 'NORD.example' }, true],
    ['another host', { kind: 'dns', value: 'sued.example' }, false],
    ['a host that only ends alike', { kind: 'dns', value: 'evilnord.example' }, false],
    ['a host that is excluded', { kind: 'dns', value: 'a.secret.nord.example' }, false],
    ['an address inside', { kind: 'ip', value: '10.1.2.3' }, true],
    ['an address outside', { kind: 'ip', value: '10.2.2.3' }, false],
    ['an address of another family', { kind: 'ip', value: '2001:db8::1' }, false],
    ['a URI with a host below', { kind: 'uri', value: 'https://x@a.nord.example:8443/x' }, true],
    ['a URI elsewhere', { kind: 'uri', value: 'https://a.sued.example/.nord.example' }, false],
    ['a URI without a host', { kind: 'uri', value: 'urn:enerchain:edge:x' }, false],
    ['a mailbox of the host', { kind: 'email', value: 'ops@nord.example' }, true],
    ['a mailbox elsewhere', { kind: 'email', value: 'ops@nord.example.org' }, false],
  ] as const)('%s', async (_what, name, allowed) => {
    const constrained = await authority('Nord', root, {
      extensions: {
        nameConstraints: {
          permitted: [
            { kind: 'dns', value: 'nord.example' },
            { kind: 'ip', address: bytes('10.1.0.0'), mask: bytes('255.255.0.0') },
            { kind: 'uri', value: '.nord.example' },
            { kind: 'email', value: 'nord.example' },
          ],
          excluded: [{ kind: 'dns', value: 'secret.nord.example' }],
        },
      },
    });
    const end = await endEntity('named', constrained, { extensions: { subjectAltName: [name] } });
    const expected = allowed ? 'accepted' : 'pki.path.names';
    expect(ofCertificate(end.certificate, { intermediates: [constrained.certificate] })).toBe(expected);
    if (hasOpenssl) expect(opensslSays(end.certificate, [root.certificate], [constrained.certificate])).toBe(allowed);
  });

  it('hold directory names to a subtree, whatever string type and case they are written in', async () => {
    const base = nameOf({ commonName: 'ignored', organization: 'Netz Nord' }).slice(0, 1);
    const constrained = await authority('Directory', root, {
      extensions: { nameConstraints: { permitted: [{ kind: 'directory', value: encodeName(base) }], excluded: [] } },
    });
    const inside = await endEntity('', constrained, {
      subject: nameOf({ commonName: 'a', organization: 'NETZ  nord' }),
    });
    const outside = await endEntity('', constrained, {
      subject: nameOf({ commonName: 'a', organization: 'Netz Süd' }),
    });
    const intermediates = [constrained.certificate];
    expect(ofCertificate(inside.certificate, { intermediates })).toBe('accepted');
    expect(ofCertificate(outside.certificate, { intermediates })).toBe('pki.path.names');
  });
});

describe('names', () => {
  const written = (string: (text: string) => Uint8Array, text: string) =>
    der.sequence(der.setOf(der.sequence(der.objectIdentifier(OID.commonName), string(text))));

  it('are the same in another string type and case, and not when a letter differs', () => {
    const utf8 = written(der.utf8String, 'Sub  CA');
    expect(sameName(utf8, written(der.printableString, 'sub ca'))).toBe(true);
    expect(sameName(utf8, written(der.printableString, 'sub cb'))).toBe(false);
    expect(sameName(utf8, utf8.subarray(0, 5))).toBe(false);
  });
});

describe('the role extension of IEC 62351-8', () => {
  const grants = [
    { roles: [1, -5], areaOfResponsibility: 'UW Nord', revision: 3, definition: 'IEC62351-8' },
    { roles: [255], areaOfResponsibility: '*', revision: 0, operation: 'change', statusChangeSequenceNumber: 70_000 },
  ] as const;

  it('says what it was built to say, until the certificate ends', async () => {
    const person = await endEntity('person', sub, { otherExtensions: [encodeIecUserRoles(grants)] });
    expect(roleGrantsOf(person.certificate)).toEqual(grants.map((grant) => ({ ...grant, notAfter: NOT_AFTER })));
    expect(roleGrantsOf(leaf.certificate)).toEqual([]);
    const elsewhere = await endEntity('person', sub, {
      otherExtensions: [encodeIecUserRoles(grants, '1.3.6.1.4.1.99999.2')],
    });
    expect(roleGrantsOf(elsewhere.certificate)).toEqual([]);
    expect(roleGrantsOf(elsewhere.certificate, '1.3.6.1.4.1.99999.2')).toHaveLength(2);
  });

  it('is read as it is found in the field, byte by byte', async () => {
    const value = Buffer.from(
      '30273025300402 0200ff0c0a4f757473746174696f6e020200ff0c0a49454336323335312d380a0103'.replace(' ', ''),
      'hex',
    );
    const seen = await endEntity('seen', sub, { otherExtensions: [{ oid: OID.iecUserRoles, critical: false, value }] });
    const grant = {
      roles: [255],
      areaOfResponsibility: 'Outstation',
      revision: 255,
      definition: 'IEC62351-8',
    } as const;
    expect(roleGrantsOf(seen.certificate)).toEqual([{ ...grant, operation: 'change', notAfter: NOT_AFTER }]);
    expect(Buffer.from(encodeIecUserRoles([{ ...grant, operation: 'change' }]).value)).toEqual(value);
  });

  it('is refused when it is cut or empty, and not built from nonsense', async () => {
    const { value, oid } = encodeIecUserRoles(grants);
    for (let size = 0; size < value.length; size++) {
      const extension = { oid, critical: false, value: value.subarray(0, size) };
      expect(() => roleGrantsOf({ ...leaf.certificate, extensionList: [extension] })).toThrow(PkiError);
    }
    const empty = { oid, critical: false, value: der.sequence(der.sequence(der.sequence())) };
    expect(() => roleGrantsOf({ ...leaf.certificate, extensionList: [empty] })).toThrow(PkiError);
    expect(() => encodeIecUserRoles([{ roles: [], areaOfResponsibility: 'x', revision: 0 }])).toThrow(PkiError);
    expect(() => encodeIecUserRoles([{ roles: [40_000], areaOfResponsibility: 'x', revision: 0 }])).toThrow(PkiError);
  });
});
