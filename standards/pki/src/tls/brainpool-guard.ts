/**
 * Some versions of Node (24.9 to at least 26.10, measured) end with a segmentation fault when `getPeerCertificate()` meets a
 * certificate whose curve has no NIST name: Brainpool. A TLS client calls it by itself in each handshake, so that a peer can
 * end the process. On a guarded socket that call never reaches Node's own.
 */
import type { X509Certificate } from 'node:crypto';
import type { Server } from 'node:net';
import { type ConnectionOptions, connect, type PeerCertificate, type TLSSocket } from 'node:tls';
import { parseCertificate } from '../certificate.ts';
import type { Name } from '../name.ts';
import { OID } from '../oid.ts';

/** Attributes under the names that OpenSSL and Node give them. */
const SHORT_NAMES: Readonly<Record<string, string>> = {
  [OID.commonName]: 'CN',
  [OID.country]: 'C',
  [OID.organization]: 'O',
  [OID.organizationalUnit]: 'OU',
  [OID.serialNumber]: 'serialNumber',
  [OID.emailAddress]: 'emailAddress',
  [OID.domainComponent]: 'DC',
};

/** `connect` of `node:tls`, guarded before the handshake can begin. */
export const connectGuarded = (options: ConnectionOptions): TLSSocket => guardPeerCertificate(connect(options));

/** Guards every socket that a TLS or HTTPS server accepts, before any other listener sees it. */
export function guardServer<T extends Server>(server: T): T {
  server.prependListener('secureConnection', guardPeerCertificate);
  return server;
}

/** Replaces `getPeerCertificate` on one socket by one that makes no use of what crashes. @returns the same socket */
export function guardPeerCertificate(socket: TLSSocket): TLSSocket {
  // A client of Node 22 gives its peer's certificate once, and nothing when it is asked again (measured with 22.23).
  const ask = socket.getPeerX509Certificate.bind(socket);
  let shown: X509Certificate | undefined;
  socket.getPeerX509Certificate = () => {
    shown ??= ask();
    return shown;
  };
  const peerCertificate = (): PeerCertificate => {
    const certificate = socket.getPeerX509Certificate();
    return certificate ? legacyView(certificate) : ({} as PeerCertificate);
  };
  socket.getPeerCertificate = peerCertificate as TLSSocket['getPeerCertificate'];
  return socket;
}

/** What `getPeerCertificate` would return, without the key and the issuers: enough for `checkServerIdentity` and for logs. */
export function legacyView(certificate: X509Certificate): PeerCertificate {
  const names = namesOf(certificate.raw);
  return {
    subject: names.subject,
    issuer: names.issuer,
    subjectaltname: certificate.subjectAltName,
    valid_from: certificate.validFrom,
    valid_to: certificate.validTo,
    fingerprint: certificate.fingerprint,
    fingerprint256: certificate.fingerprint256,
    fingerprint512: certificate.fingerprint512,
    serialNumber: certificate.serialNumber,
    ext_key_usage: certificate.keyUsage,
    ca: certificate.ca,
    raw: certificate.raw,
  } as unknown as PeerCertificate;
}

/** A certificate that is not read here has no names, and so is nobody's. */
function namesOf(raw: Uint8Array): { subject: object; issuer: object } {
  try {
    const { subject, issuer } = parseCertificate(raw);
    return { subject: toObject(subject), issuer: toObject(issuer) };
  } catch {
    return { subject: {}, issuer: {} };
  }
}

/** An attribute that stands there several times becomes a list, as with Node. */
function toObject(name: Name): Record<string, string | string[]> {
  const object: Record<string, string | string[]> = Object.create(null);
  for (const { type, value } of name) {
    const key = SHORT_NAMES[type] ?? type;
    const before = object[key];
    object[key] = before === undefined ? value : [before, value].flat();
  }
  return object;
}
