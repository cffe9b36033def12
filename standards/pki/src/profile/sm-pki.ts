/**
 * Profiles of the German smart metering PKI: each participant has three certificates, for TLS, signatures and encryption.
 * Names, policy and extensions: BSI TR-03109-4 v1.2.1 and the certificate policy v1.1.2, as public checkers apply them.
 * Key usages and validities are from memory: check them against the current text before relying on them, and hand your own
 * profiles to the checker where they differ.
 */
import type { SignatureAlgorithm } from '../algorithm.ts';
import type { Certificate } from '../certificate.ts';
import type { KeyUsage } from '../extension.ts';
import { OID } from '../oid.ts';
import type { AttributeRule, CertificateProfile, ExtensionRule, ProfiledExtension, ProfileFinding } from './profile.ts';

/** Smart meter gateway, its administrator, its manufacturer (GWH), external market participant. */
export const SM_PKI_ROLES = ['SMGW', 'GWA', 'GWH', 'EMT'] as const;
export type SmPkiRole = (typeof SM_PKI_ROLES)[number];
export const SM_PKI_USES = ['TLS', 'SIG', 'ENC'] as const;
export type SmPkiUse = (typeof SM_PKI_USES)[number];

export const SM_PKI_POLICY = '0.4.0.127.0.7.3.4.1.1.1';

const SOURCE = 'BSI TR-03109-4 v1.2.1, SM-PKI CP v1.1.2; key usages and validities from memory';
const END_ENTITY_KEYS: readonly SignatureAlgorithm[] = ['ESB256', 'ESB384', 'ES256', 'ES384'];

const required: ExtensionRule = { presence: 'required' };
const requiredCritical: ExtensionRule = { presence: 'required', critical: true };

const country: AttributeRule = { type: OID.country, presence: 'required', matches: '[A-Z]{2}' };
const organization: AttributeRule = { type: OID.organization, presence: 'required', matches: 'SM-(?:Test-)?PKI-DE' };
const digits = (presence: 'required' | 'optional'): AttributeRule => ({
  type: OID.serialNumber,
  presence,
  matches: '\\d+',
});
const commonName = (matches: string): AttributeRule => ({ type: OID.commonName, presence: 'required', matches });

const KEY_USAGE: Readonly<Record<SmPkiUse, KeyUsage>> = {
  TLS: 'digitalSignature',
  SIG: 'digitalSignature',
  ENC: 'keyAgreement',
};

const COMMON: Readonly<Partial<Record<ProfiledExtension, ExtensionRule>>> = {
  authorityKeyIdentifier: required,
  subjectKeyIdentifier: required,
  keyUsage: requiredCritical,
  certificatePolicies: required,
  issuerAltName: required,
  basicConstraints: requiredCritical,
  crlDistributionPoints: required,
};

/** Profile of one of the three certificates of a participant. */
export const smPkiEndEntity = (role: SmPkiRole, use: SmPkiUse): CertificateProfile => ({
  name: `SM-PKI ${role} ${use}`,
  source: SOURCE,
  keys: END_ENTITY_KEYS,
  maxDays: 731,
  subject: [country, organization, digits('optional'), commonName(`.+\\.${role}(?:\\..+)?`)],
  ca: false,
  keyUsage: { all: [KEY_USAGE[use]] },
  extKeyUsage: { all: [], also: use === 'TLS' ? [OID.serverAuth, OID.clientAuth] : [] },
  policies: [SM_PKI_POLICY],
  extensions: {
    ...COMMON,
    extKeyUsage: { presence: use === 'TLS' ? 'required' : 'forbidden', critical: true },
    subjectAltName: { presence: role === 'SMGW' ? 'forbidden' : 'required' },
  },
  other: { [OID.privateKeyUsagePeriod]: 'forbidden' },
});

export const SM_PKI_SUB_CA: CertificateProfile = {
  name: 'SM-PKI sub-CA',
  source: SOURCE,
  keys: ['ESB256', 'ESB384'],
  maxDays: 5 * 366,
  subject: [country, organization, digits('required'), commonName('.+\\.CA')],
  ca: true,
  maxPathLength: 0,
  keyUsage: { all: ['keyCertSign', 'cRLSign'] },
  policies: [SM_PKI_POLICY],
  extensions: { ...COMMON, extKeyUsage: { presence: 'forbidden' } },
  other: { [OID.privateKeyUsagePeriod]: 'forbidden' },
};

export const SM_PKI_ROOT_CA: CertificateProfile = {
  ...SM_PKI_SUB_CA,
  name: 'SM-PKI root',
  keys: ['ESB384'],
  maxDays: 6 * 366,
  subject: [{ ...country, matches: 'DE' }, organization, digits('required'), commonName('SM-(?:Test-)?Root\\.CA')],
  maxPathLength: 1,
  extensions: { ...COMMON, authorityKeyIdentifier: { presence: 'optional' } },
};

/** Whether three certificates belong together: one holder, one issuer, three keys. */
export function checkTriple(triple: Readonly<Record<SmPkiUse, Certificate>>): ProfileFinding[] {
  const findings: ProfileFinding[] = [];
  const distinct = (of: (certificate: Certificate) => Uint8Array) =>
    new Set(SM_PKI_USES.map((use) => Buffer.from(of(triple[use])).toString('hex'))).size;
  if (distinct(({ subjectDer }) => subjectDer) !== 1) {
    findings.push({ rule: 'triple', text: 'the three certificates are not of one holder' });
  }
  if (distinct(({ issuerDer }) => issuerDer) !== 1) {
    findings.push({ rule: 'triple', text: 'the three certificates are not of one issuer' });
  }
  if (distinct(({ spki }) => spki) !== SM_PKI_USES.length) {
    findings.push({ rule: 'triple', text: 'two of the three certificates share a key' });
  }
  return findings;
}
