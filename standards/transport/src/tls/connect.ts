import type { X509Certificate } from 'node:crypto';
import { connect as connectSocket, type TLSSocket } from 'node:tls';
import { type Clock, systemClock } from '../clock.ts';
import { TransportError, unreachable } from '../errors.ts';
import { endpoint, socketTransport } from '../tcp.ts';
import type { Connect } from '../transport.ts';
import { isTlsError } from './listener.ts';
import { describeCertificate, peerObjection } from './peer-check.ts';
import { type SecurityEvent, type SecurityEventName, securityEvent, securityEventOf } from './security-events.ts';
import { clientOptions, DEFAULT_RENEGOTIATE_SECONDS, rulesOf, type TlsSettings } from './settings.ts';

export interface TlsConnectOptions {
  readonly host: string;
  readonly port: number;
  readonly tls: TlsSettings;
  readonly onSecurityEvent?: (event: SecurityEvent) => void;
  readonly clock?: Clock;
}

/**
 * Connects over TLS, as `tcpConnect` does over TCP. The returned function remembers the last session and offers it to the next
 * connection as long as the settings allow. Every outcome is reported as a security event.
 * @returns rejects with TransportError: peer for what the handshake or the settings refused, environment for the network
 */
export function tlsConnect(options: TlsConnectOptions): Connect {
  const { host, port, tls, onSecurityEvent } = options;
  const clock = options.clock ?? systemClock;
  const peer = endpoint(host, port);
  const { resumptionSeconds } = rulesOf(tls);
  let session: { readonly bytes: Buffer; readonly until: number; readonly certificate: X509Certificate } | undefined;
  const raise = (name: SecurityEventName, detail?: Parameters<typeof securityEvent>[3]) =>
    onSecurityEvent?.(securityEvent(name, 'client', peer, detail));

  return (signal) =>
    new Promise((resolve, reject) => {
      if (signal.aborted) return reject(unreachable(peer, signal.reason));
      const resume = session !== undefined && session.until > clock.monotonic() ? session : undefined;
      // Our own check follows in `secureConnect`, with address and certificate at hand for the report.
      const socket = connectSocket({
        ...clientOptions(tls),
        rejectUnauthorized: false,
        host,
        port,
        ...(resume === undefined ? {} : { session: resume.bytes }),
      });
      let connected = false;
      const abort = () => {
        socket.destroy();
        if (connected) raise('handshake-timeout');
        reject(unreachable(peer, signal.reason));
      };
      signal.addEventListener('abort', abort, { once: true });
      const refuse = (name: SecurityEventName, detail: Parameters<typeof securityEvent>[3], cause?: unknown) => {
        signal.removeEventListener('abort', abort);
        // A session that ended in a refusal is not offered again.
        session = undefined;
        const event = securityEvent(name, 'client', peer, detail);
        onSecurityEvent?.(event);
        socket.destroy();
        reject(new TransportError('peer', `tls.${name}`, event.text, { cause }));
      };
      socket.once('connect', () => {
        connected = true;
      });
      socket.on('error', (error: NodeJS.ErrnoException) => {
        // Before the TCP connection stands it is the network that failed; afterwards a reset is part of the handshake.
        if (connected) return refuse(securityEventOf(error.code), { code: error.code }, error);
        signal.removeEventListener('abort', abort);
        reject(unreachable(peer, error));
      });
      let sessionBytes: Buffer | undefined;
      /** Set when the settings have accepted it: the session of a refused peer is not kept. */
      let certificate: X509Certificate | undefined;
      // The tickets of TLS 1.3 come after the handshake, the session of TLS 1.2 before its end.
      const remember = () => {
        if (resumptionSeconds === 0 || sessionBytes === undefined || certificate === undefined) return;
        session = { bytes: sessionBytes, until: clock.monotonic() + resumptionSeconds * 1000, certificate };
      };
      socket.on('session', (bytes) => {
        sessionBytes = bytes;
        remember();
      });
      socket.once('secureConnect', () => {
        // An abbreviated handshake shows no certificate; the one of the full handshake stands for it.
        const seen = socket.getPeerX509Certificate() ?? (socket.isSessionReused() ? resume?.certificate : undefined);
        const about = seen === undefined ? undefined : describeCertificate(seen);
        const objection = peerObjection(socket, seen, tls);
        if (objection !== undefined) return refuse(objection.name, { code: objection.code, certificate: about });
        signal.removeEventListener('abort', abort);
        certificate = seen;
        remember();
        raise(socket.isSessionReused() ? 'session-resumed' : 'session-established', {
          certificate: about,
          protocol: socket.getProtocol() ?? undefined,
          cipher: socket.getCipher().standardName,
        });
        renegotiate(socket, tls, clock, (name) => raise(name, { certificate: about }));
        socket.removeAllListeners('error');
        // With TLS 1.3 the server's refusal of our certificate arrives after our side of the handshake is done.
        socket.on('error', (error: NodeJS.ErrnoException) => {
          if (isTlsError(error.code)) raise(securityEventOf(error.code), { code: error.code, certificate: about });
        });
        resolve(socketTransport(socket));
      });
    });
}

/** Renews the keys of a TLS 1.2 session at intervals; a renegotiation that fails ends the connection. */
function renegotiate(
  socket: TLSSocket,
  { renegotiateSeconds: seconds = DEFAULT_RENEGOTIATE_SECONDS }: TlsSettings,
  clock: Clock,
  raise: (name: SecurityEventName) => void,
): void {
  if (seconds === 0 || socket.getProtocol() !== 'TLSv1.2') return;
  let cancel: () => void;
  const arm = () => {
    cancel = clock.schedule(seconds * 1000, () => {
      socket.renegotiate({ rejectUnauthorized: true }, (error) => {
        if (socket.destroyed) return;
        raise(error === null ? 'renegotiation-completed' : 'renegotiation-failed');
        if (error !== null) socket.destroy(error);
        else arm();
      });
    });
  };
  arm();
  socket.once('close', () => cancel());
}
