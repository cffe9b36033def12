/** TLS of the platform's own connections: enrolment, link, and neighbours. */
import type { ConnectionOptions, SecureContextOptions, TLSSocket, TlsOptions } from 'node:tls';
import { type Clock, toMillis } from '@enerchain/model';
import {
  connectGuarded,
  engineKeySource,
  fileKeySource,
  type PeerRefusal,
  refusalOf,
  TLS_IEC62351_3,
  type TlsProfile,
  type TlsSecurityEvent,
  tlsContextOptions,
  tlsEventOf,
  tlsSecurityEvent,
} from '@enerchain/pki';
import type { Identity } from './identity.ts';

/**
 * TLS of the platform's own connections: IEC 62351-3, of which TLS 1.3 alone, so that there is no renegotiation, and
 * without resumption, so that each connection begins with both certificates.
 */
export const PLATFORM_TLS_PROFILE: TlsProfile = {
  ...TLS_IEC62351_3,
  name: 'IEC 62351-3:2023 with TLS 1.3',
  minVersion: 'TLSv1.3',
  groups: ['secp256r1', 'x25519', 'secp384r1'],
  signatureSchemes: ['ecdsa_secp256r1_sha256', 'ecdsa_secp384r1_sha384'],
  resumptionSeconds: 0,
};

/**
 * What a TLS client or server of this identity needs, by `PLATFORM_TLS_PROFILE`.
 * @throws PkiError `pki.tls.engine` (fault caller) when the key lies in an HSM and nothing says where OpenSSL's engine is
 */
export function tlsContext({ tls, caPem }: Identity): SecureContextOptions {
  // The CA goes along, so that one who enrols can compare it with the fingerprint in the token.
  const certificatePem = tls.certificatePem + caPem;
  const keys = tls.hsm
    ? engineKeySource({ certificatePem, identifier: tls.hsm.identifier })
    : fileKeySource(certificatePem, tls.keyPem ?? '');
  return tlsContextOptions(PLATFORM_TLS_PROFILE, { keys, ca: [caPem] });
}

/**
 * Options of an HTTPS server that knows its clients by certificate. A client without one gets through to the handlers
 * (enrolment needs that): whoever serves something else must look at `socket.authorized`.
 */
export const serverTls = (identity: Identity): TlsOptions => ({
  ...tlsContext(identity),
  requestCert: true,
  rejectUnauthorized: false,
  handshakeTimeout: PLATFORM_TLS_PROFILE.handshakeSeconds * 1000,
});

/** `connect` of `node:tls`; what a peer shows cannot end the process on any runtime. */
export const connectTls = (options: ConnectionOptions): TLSSocket => connectGuarded(options);

/** Why the peer of a finished handshake is to be turned away; undefined when there is no reason. */
export const peerRefusal = (socket: TLSSocket): PeerRefusal | undefined => refusalOf(socket, PLATFORM_TLS_PROFILE);

/** The named event of a handshake that failed (IEC 62351-3). @param remote address of the peer */
export function handshakeEvent(
  error: NodeJS.ErrnoException,
  about: { readonly clock: Clock; readonly role: 'client' | 'server'; readonly remote: string },
): TlsSecurityEvent {
  const { clock, role, remote } = about;
  const at = new Date(toMillis(clock.now()));
  const done = 'connection refused';
  return tlsSecurityEvent(tlsEventOf(error.code), { at, role, peer: remote, code: error.code, done });
}

/** The named event of a peer that was turned away after its handshake. */
export function refusalEvent(
  { name, code }: PeerRefusal,
  about: { readonly clock: Clock; readonly role: 'client' | 'server'; readonly socket: TLSSocket },
): TlsSecurityEvent {
  const { clock, role, socket } = about;
  const peer = `${socket.remoteAddress ?? 'unknown'}:${socket.remotePort ?? 0}`;
  const at = new Date(toMillis(clock.now()));
  return tlsSecurityEvent(name, {
    at,
    role,
    peer,
    code,
    certificate: socket.getPeerX509Certificate(),
    done: 'connection refused',
  });
}
