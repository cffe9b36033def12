/** Profiles of a platform's own certificates: the identity of a node, and the short-lived one of its connections. */
import { OID } from '../oid.ts';
import type { CertificateProfile } from './profile.ts';

/** Identity of an edge, a service, a relay or a centre: signs what it sends. */
export const PLATFORM_NODE: CertificateProfile = {
  name: 'platform node',
  source: 'design of the platform',
  keys: ['ES256'],
  maxDays: 400,
  subject: [
    { type: OID.commonName, presence: 'required', matches: '[A-Za-z0-9][A-Za-z0-9_.-]{0,63}' },
    { type: OID.organizationalUnit, presence: 'required' },
  ],
  ca: false,
  keyUsage: { all: ['digitalSignature'] },
  extKeyUsage: { all: [OID.clientAuth], also: [OID.serverAuth] },
  extensions: {
    basicConstraints: { presence: 'required', critical: true },
    keyUsage: { presence: 'required', critical: true },
    extKeyUsage: { presence: 'required' },
    subjectAltName: { presence: 'required' },
    subjectKeyIdentifier: { presence: 'required' },
    authorityKeyIdentifier: { presence: 'required' },
  },
};

/** Certificate of a connection: ends after three days, so that it need not be revoked, and a day without the CA is survived. */
export const PLATFORM_TLS: CertificateProfile = { ...PLATFORM_NODE, name: 'platform TLS, short-lived', maxDays: 3 };
