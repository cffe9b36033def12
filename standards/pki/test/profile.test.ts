import { spawnSync } from 'node:child_process';
import { beforeAll, describe, expect, it } from 'vitest';
import { encodeIecUserRoles } from '../src/iec-user-roles.ts';
import {
  type Certificate,
  type CertificateProfile,
  checkProfile,
  checkTriple,
  type ExtensionSet,
  IEC62351_CA,
  IEC62351_DEVICE,
  IEC62351_DEVICE_INITIAL,
  IEC62351_USER,
  type Issuer,
  issueUnder,
  nameOf,
  OID,
  PLATFORM_NODE,
  PLATFORM_TLS,
  type ProfiledFields,
  parseCertificate,
  type SignatureAlgorithm,
  SM_PKI_POLICY,
  SM_PKI_ROLES,
  SM_PKI_ROOT_CA,
  SM_PKI_SUB_CA,
  SM_PKI_USES,
  smPkiEndEntity,
  toPem,
  validatePath,
} from '../src/index.ts';
import { endEntity, newKey } from './authority.ts';

const hasOpenssl = spawnSync('openssl', ['version']).status === 0;
const notBefore = new Date('2026-01-01T00:00:00Z');
const inDays = (days: number) => new Date(notBefore.getTime() + days * 86_400_000);

interface Held {
  readonly certificate: Certificate;
  readonly issuer: Issuer;
}

async function make(
  profile: CertificateProfile,
  fields: Omit<ProfiledFields, 'publicKey' | 'notBefore'>,
  by?: Held,
  algorithm: SignatureAlgorithm = 'ESB256',
): Promise<Held> {
  const signer = newKey(algorithm);
  const issuer = by?.issuer ?? { signer };
  const certificate = parseCertificate(
    await issueUnder(profile, { ...fields, publicKey: signer.publicKey, notBefore }, issuer),
  );
  return { certificate, issuer: { signer, certificate } };
}

const smName = (commonName: string, serialNumber?: string) =>
  nameOf({ country: 'DE', organization: 'SM-Test-PKI-DE', commonName, ...(serialNumber ? { serialNumber } : {}) });
const smCommon: ExtensionSet = {
  issuerAltName: [{ kind: 'uri', value: 'http://pki.example' }],
  crlDistributionPoints: [{ fullName: [{ kind: 'uri', value: 'http://pki.example/sub.crl' }] }],
};
const withName: ExtensionSet = { ...smCommon, subjectAltName: [{ kind: 'email', value: 'pki@netz.example' }] };

let root: Held;
let sub: Held;
beforeAll(async () => {
  const validity = { notAfter: inDays(6 * 365), extensions: smCommon };
  root = await make(SM_PKI_ROOT_CA, { subject: smName('SM-Test-Root.CA', '1'), ...validity }, undefined, 'ESB384');
  sub = await make(SM_PKI_SUB_CA, { subject: smName('Netz.CA', '2'), ...validity, notAfter: inDays(5 * 365) }, root);
});

describe('the smart metering PKI', () => {
  it.each(SM_PKI_ROLES)('gives a %s its three certificates', async (role) => {
    const subject = smName(`Netz.${role}.7`, '42');
    const extensions = role === 'SMGW' ? smCommon : withName;
    const triple = {} as Record<'TLS' | 'SIG' | 'ENC', Certificate>;
    for (const use of SM_PKI_USES) {
      const fields = { subject, notAfter: inDays(730), extensions };
      triple[use] = (await make(smPkiEndEntity(role, use), fields, sub)).certificate;
    }
    expect(checkTriple(triple)).toEqual([]);
    expect(checkTriple({ ...triple, SIG: triple.TLS })).toMatchObject([
      { text: expect.stringContaining('share a key') },
    ]);
    expect(checkTriple({ ...triple, SIG: sub.certificate })).toHaveLength(2);
    const path = validatePath(triple.TLS, {
      anchors: [root.certificate],
      intermediates: [sub.certificate],
      at: inDays(10),
      purpose: OID.serverAuth,
      policy: SM_PKI_POLICY,
    });
    expect(path).toHaveLength(3);
    // Each of the three fits its own use only.
    expect(checkProfile(triple.ENC, smPkiEndEntity(role, 'SIG'))).toMatchObject([
      { rule: 'keyUsage' },
      { rule: 'keyUsage' },
    ]);
    expect(checkProfile(triple.SIG, smPkiEndEntity(role, 'TLS'))).toMatchObject([{ rule: 'extKeyUsage' }]);
  });

  it.skipIf(!hasOpenssl)(
    'marks what has to be critical, as openssl sees it (skipped where openssl is not installed)',
    async () => {
      const gwa = await make(
        smPkiEndEntity('GWA', 'TLS'),
        { subject: smName('Netz.GWA'), notAfter: inDays(700), extensions: withName },
        sub,
      );
      const { stdout } = spawnSync('openssl', ['x509', '-noout', '-text'], {
        input: toPem('CERTIFICATE', gwa.certificate.der),
        encoding: 'utf8',
      });
      for (const critical of ['Basic Constraints', 'Key Usage', 'Extended Key Usage']) {
        expect(stdout).toContain(`X509v3 ${critical}: critical`);
      }
      expect(stdout).toContain(`Policy: ${SM_PKI_POLICY}`);
      expect(stdout).toContain('URI:http://pki.example/sub.crl');
      expect(stdout).toMatch(/X509v3 Issuer Alternative Name: \n\s+URI:http:\/\/pki\.example/);
    },
  );

  it.each([
    [
      'a country that is missing',
      { subject: nameOf({ organization: 'SM-PKI-DE', commonName: 'Netz.EMT' }) },
      'country is missing',
    ],
    [
      'another organization',
      { subject: nameOf({ country: 'DE', organization: 'Netz', commonName: 'Netz.EMT' }) },
      'organization',
    ],
    ['a name of another role', { subject: smName('Netz.GWA') }, 'commonName'],
    ['a serial number with letters', { subject: smName('Netz.EMT', 'A1') }, 'serialNumber'],
    ['too long a validity', { notAfter: inDays(800) }, 'valid for 800 days'],
    ['no alternative name', { extensions: smCommon }, 'subjectAltName is missing'],
    [
      'no place for revocation lists',
      { extensions: { ...withName, crlDistributionPoints: [] } },
      'crlDistributionPoints is missing',
    ],
    ['the right to issue', { extensions: { ...withName, basicConstraints: { ca: true } } }, 'is a CA'],
    [
      'another policy',
      { extensions: { ...withName, certificatePolicies: [{ oid: '1.2.3' }] } },
      `does not state ${SM_PKI_POLICY}`,
    ],
  ] as const)('issues no EMT certificate with %s', async (_what, change, why) => {
    const fields = { subject: smName('Netz.EMT'), notAfter: inDays(700), extensions: withName, ...change };
    await expect(make(smPkiEndEntity('EMT', 'TLS'), fields, sub)).rejects.toThrow(why);
  });

  it('refuses a gateway an alternative name, and any CA an end that outlives its issuer', async () => {
    const fields = { subject: smName('E1.SMGW'), notAfter: inDays(700), extensions: withName };
    await expect(make(smPkiEndEntity('SMGW', 'TLS'), fields, sub)).rejects.toThrow('subjectAltName must not be there');
    const late = { subject: smName('Netz.CA', '3'), notAfter: inDays(6 * 366), extensions: smCommon };
    await expect(make({ ...SM_PKI_SUB_CA, maxDays: 9999 }, late, root)).rejects.toThrow('outlive');
  });
});

describe('IEC 62351', () => {
  let ca: Held;
  beforeAll(async () => {
    ca = await make(
      IEC62351_CA,
      { subject: nameOf({ commonName: 'Netz CA' }), notAfter: inDays(7000) },
      undefined,
      'ES384',
    );
  });
  const extensions: ExtensionSet = {
    authorityInfoAccess: [{ method: OID.ocsp, location: { kind: 'uri', value: 'http://ocsp.example' } }],
  };

  it('knows a device by its maker’s certificate, which never ends, and by the operator’s', async () => {
    const subject = nameOf({ commonName: 'RTU 7', serialNumber: 'SN-0815' });
    const never = new Date('9999-12-31T23:59:59Z');
    const maker = { ...ca, issuer: { signer: ca.issuer.signer } };
    const signer = newKey('ES256');
    const initial = parseCertificate(
      await issueUnder(
        IEC62351_DEVICE_INITIAL,
        { subject, publicKey: signer.publicKey, notBefore, notAfter: never },
        maker.issuer,
      ),
    );
    expect(initial.notAfter).toEqual(never);
    const device = await make(IEC62351_DEVICE, { subject, notAfter: inDays(365), extensions }, ca, 'ES256');
    expect(device.certificate.extensions.authorityInfoAccess).toEqual(extensions.authorityInfoAccess);
    await expect(make(IEC62351_DEVICE, { subject, notAfter: inDays(365) }, ca)).rejects.toThrow(
      'neither a revocation list',
    );
  });

  it('asks a person’s certificate for roles', async () => {
    const fields = { subject: nameOf({ commonName: 'A person' }), notAfter: inDays(365), extensions };
    await expect(make(IEC62351_USER, fields, ca)).rejects.toThrow(`${OID.iecUserRoles} is missing`);
    const roles = encodeIecUserRoles([{ roles: [1], areaOfResponsibility: 'Nord', revision: 1 }]);
    const held = await make(IEC62351_USER, { ...fields, otherExtensions: [roles] }, ca);
    expect(checkProfile(held.certificate, IEC62351_USER)).toEqual([]);
  });
});

describe('the platform', () => {
  it('keeps to P-256, and to three days for a connection', async () => {
    const fields = {
      subject: nameOf({ commonName: 'edge-nord', organizationalUnit: 'edge' }),
      notAfter: inDays(3),
      extensions: { subjectAltName: [{ kind: 'uri', value: 'urn:enerchain:edge:edge-nord' }] },
    } as const;
    await expect(make(PLATFORM_TLS, fields, undefined, 'ES256')).resolves.toBeDefined();
    await expect(make(PLATFORM_TLS, { ...fields, notAfter: inDays(4) }, undefined, 'ES256')).rejects.toThrow('4 days');
    await expect(make(PLATFORM_NODE, fields, undefined, 'ESB256')).rejects.toThrow('brainpoolP256r1');
  });

  it('sees what a certificate of others has in excess', async () => {
    const other = await endEntity(
      'x',
      { certificate: root.certificate, signer: root.issuer.signer as ReturnType<typeof newKey> },
      {
        extensions: { keyUsage: ['digitalSignature', 'keyCertSign'] },
      },
    );
    expect(checkProfile(other.certificate, PLATFORM_NODE).map(({ text }) => text)).toEqual([
      'organizationalUnit is missing',
      'keyUsage has keyCertSign in excess',
      'extKeyUsage is missing',
      'subjectAltName is missing',
    ]);
  });
});
