/**
 * Profiles of devices, people and authorities in power systems after IEC 62351-9 and IEC 62351-3, and IEEE 802.1AR for the
 * identity that a device is made with. From memory, the documents were not at hand: hand your own profiles to the checker
 * where they differ.
 */
import type { SignatureAlgorithm } from '../algorithm.ts';
import { OID } from '../oid.ts';
import type { CertificateProfile, ExtensionRule } from './profile.ts';

const KEYS: readonly SignatureAlgorithm[] = ['ES256', 'ES384', 'ESB256', 'ESB384'];
const required: ExtensionRule = { presence: 'required' };
const requiredCritical: ExtensionRule = { presence: 'required', critical: true };

/** The identity that a maker puts into a device (IDevID): says what it is, does not expire, and serves to get the next one. */
export const IEC62351_DEVICE_INITIAL: CertificateProfile = {
  name: 'IEC 62351-9 device, initial',
  source: 'IEEE 802.1AR-2018 § 8, IEC 62351-9:2023; from memory',
  keys: KEYS,
  subject: [{ type: OID.serialNumber, presence: 'required' }],
  ca: false,
  keyUsage: { all: ['digitalSignature'], also: ['keyAgreement'] },
  extensions: {
    keyUsage: requiredCritical,
    subjectKeyIdentifier: required,
    authorityKeyIdentifier: required,
  },
};

/** The certificate that an operator's authority gives a device, with which it speaks to others. */
export const IEC62351_DEVICE: CertificateProfile = {
  name: 'IEC 62351-9 device, operational',
  source: 'IEC 62351-9:2023, IEC 62351-3:2023; from memory',
  keys: KEYS,
  maxDays: 3 * 366,
  subject: [{ type: OID.commonName, presence: 'required' }],
  ca: false,
  keyUsage: { all: ['digitalSignature'], also: ['keyAgreement'] },
  extKeyUsage: { all: [], also: [OID.serverAuth, OID.clientAuth] },
  extensions: {
    basicConstraints: requiredCritical,
    keyUsage: requiredCritical,
    extKeyUsage: required,
    subjectKeyIdentifier: required,
    authorityKeyIdentifier: required,
  },
  revocation: true,
};

/** A person whose roles stand in the certificate (IEC 62351-8, profile A). */
export const IEC62351_USER: CertificateProfile = {
  ...IEC62351_DEVICE,
  name: 'IEC 62351-8 user',
  source: 'IEC 62351-8, IEC 62351-9:2023; from memory',
  extKeyUsage: { all: [OID.clientAuth] },
  other: { [OID.iecUserRoles]: 'required' },
};

export const IEC62351_CA: CertificateProfile = {
  name: 'IEC 62351-9 authority',
  source: 'IEC 62351-9:2023, RFC 5280 § 4.2; from memory',
  keys: KEYS,
  maxDays: 20 * 366,
  subject: [{ type: OID.commonName, presence: 'required' }],
  ca: true,
  keyUsage: { all: ['keyCertSign'], also: ['cRLSign', 'digitalSignature'] },
  extensions: { basicConstraints: requiredCritical, keyUsage: requiredCritical, subjectKeyIdentifier: required },
};
