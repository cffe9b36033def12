import { createServer, type Server, type TLSSocket } from 'node:tls';
import { endpoint } from '../tcp.ts';
import { commonNameOf, describeCertificate, peerObjection } from './peer-check.ts';
import { type SecurityEvent, type SecurityEventName, securityEvent, securityEventOf } from './security-events.ts';
import { serverOptions, type TlsSettings } from './settings.ts';

export interface TlsListenerOptions {
  /** What is served, `iec104`; sessions are resumed within it only. */
  readonly service: string;
  readonly tls: TlsSettings;
  /** A peer that the settings accept; `subject` is the common name of its certificate. */
  readonly onSocket: (socket: TLSSocket, subject: string | undefined) => void;
  readonly onSecurityEvent?: (event: SecurityEvent) => void;
}

/** A listener that hands on mutually authenticated sockets and reports every other attempt as a security event. */
export function tlsListener(options: TlsListenerOptions): Server {
  const { tls, onSecurityEvent } = options;
  const raise = (name: SecurityEventName, peer: string, detail?: Parameters<typeof securityEvent>[3]) =>
    onSecurityEvent?.(securityEvent(name, 'server', peer, detail));
  // The library finishes the handshake and says what it thinks of the peer; we refuse. Were it to refuse by itself, the socket
  // would be gone before its address and certificate could be reported.
  const server = createServer({ ...serverOptions(tls, options.service), rejectUnauthorized: false }, (socket) => {
    const peer = endpoint(socket.remoteAddress, socket.remotePort);
    const certificate = socket.getPeerX509Certificate();
    const about = certificate === undefined ? undefined : describeCertificate(certificate);
    const objection = peerObjection(socket, certificate, tls);
    if (objection !== undefined) {
      // An alert of the peer may still come in; nobody is interested any more.
      socket.on('error', () => {});
      raise(objection.name, peer, { code: objection.code, certificate: about });
      socket.destroy();
      return;
    }
    const session = {
      certificate: about,
      protocol: socket.getProtocol() ?? undefined,
      cipher: socket.getCipher().standardName,
    };
    raise(socket.isSessionReused() ? 'session-resumed' : 'session-established', peer, session);
    socket.on('secure', () => raise('renegotiation-completed', peer, session));
    socket.on('error', (error: NodeJS.ErrnoException) => {
      if (isTlsError(error.code)) raise(securityEventOf(error.code), peer, { code: error.code, certificate: about });
    });
    options.onSocket(socket, certificate === undefined ? undefined : commonNameOf(certificate));
  });
  server.on('tlsClientError', (error: NodeJS.ErrnoException, socket) => {
    raise(securityEventOf(error.code), endpoint(socket.remoteAddress, socket.remotePort), { code: error.code });
    socket.destroy();
  });
  return server;
}

/** Whether an error of a socket is about TLS, not about the network. */
export function isTlsError(code: string | undefined): code is string {
  return code !== undefined && (code.startsWith('ERR_SSL') || code.startsWith('ERR_TLS'));
}
