/** The link over WebSocket (RFC 6455) and mutual TLS. */
import type { IncomingMessage } from 'node:http';
import type { Server } from 'node:https';
import { isIP } from 'node:net';
import type { Duplex } from 'node:stream';
import type { ConnectionOptions, TLSSocket } from 'node:tls';
import { EnerchainError } from '@enerchain/model';
import { connectTls, exporterOf, type Identity, type PeerRefusal, peerRefusal, tlsContext } from '@enerchain/trust';
import { type RawData, WebSocket, WebSocketServer } from 'ws';
import { LINK_PATH, MAX_MESSAGE_BYTES, SUBPROTOCOL } from './message.ts';
import { BUFFER_MARK, type LinkTransport, type TransportHandlers } from './transport.ts';

/** Milliseconds for the TLS and WebSocket handshakes. */
const HANDSHAKE_TIMEOUT = 15_000;

class WebSocketTransport implements LinkTransport {
  readonly peerCertificate: Uint8Array;
  readonly remote: string;
  readonly #socket: WebSocket;
  readonly #tls: TLSSocket;
  #exported: Uint8Array | undefined;
  /** What came before `open`. */
  #early: Uint8Array[] = [];
  #handlers: TransportHandlers | undefined;
  #closed: string | undefined;
  #full = false;

  constructor(socket: WebSocket, tls: TLSSocket, peerCertificate: Uint8Array, remote: string) {
    this.#socket = socket;
    this.#tls = tls;
    this.peerCertificate = peerCertificate;
    this.remote = remote;
    let failure: string | undefined;
    socket.on('message', (data: RawData, binary) => {
      if (!binary) {
        failure = 'a text message came where only binary ones are allowed';
        socket.terminate();
        return;
      }
      const bytes = data as Buffer;
      if (this.#handlers) this.#handlers.message(bytes);
      else this.#early.push(bytes);
    });
    socket.on('error', (error) => {
      failure ??= error.message;
    });
    socket.on('close', (code) => {
      this.#closed = failure ?? `closed with code ${code}`;
      this.#handlers?.closed(this.#closed);
    });
  }

  get buffered(): number {
    return this.#socket.bufferedAmount;
  }

  exporter(): Uint8Array {
    try {
      this.#exported ??= exporterOf(this.#tls);
    } catch (cause) {
      const text = `the connection to ${this.remote} has ended; nothing can be bound to it`;
      throw new EnerchainError('environment', 'link.exporter', text, { cause });
    }
    return this.#exported;
  }

  open(handlers: TransportHandlers): void {
    this.#handlers = handlers;
    for (const bytes of this.#early.splice(0)) handlers.message(bytes);
    if (this.#closed !== undefined) handlers.closed(this.#closed);
  }

  send(bytes: Uint8Array): void {
    if (this.#socket.readyState !== WebSocket.OPEN) return;
    this.#socket.send(bytes, { binary: true }, () => {
      if (!this.#full || this.buffered > BUFFER_MARK) return;
      this.#full = false;
      this.#handlers?.drained();
    });
    if (this.buffered > BUFFER_MARK) this.#full = true;
  }

  close(): void {
    this.#socket.close(1000);
  }

  abort(): void {
    this.#socket.terminate();
  }
}

/** How a client reaches its server. @throws EnerchainError `link.connect` (fault environment or peer) */
export type Connect = (url: string, identity: Identity, signal: AbortSignal) => Promise<LinkTransport>;

/** As `ws` connects by itself, and guarded: see `connectTls`. */
const connectOver = (options: ConnectionOptions & { servername?: string }): TLSSocket => {
  const { host } = options;
  const servername = options.servername ?? (host && !isIP(host) ? host : '');
  return connectTls({ ...options, path: undefined, servername });
};

/** Opens the WebSocket. @param url `wss://host:port/link` or `https://host:port` */
export const connectWebSocket: Connect = (url, identity, signal) => {
  const address = new URL(url);
  address.protocol = 'wss:';
  if (address.pathname === '/') address.pathname = LINK_PATH;
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(address, SUBPROTOCOL, {
      ...tlsContext(identity),
      createConnection: connectOver as never,
      maxPayload: MAX_MESSAGE_BYTES,
      perMessageDeflate: false,
      handshakeTimeout: HANDSHAKE_TIMEOUT,
      followRedirects: false,
    });
    const abort = () => socket.terminate();
    signal.addEventListener('abort', abort, { once: true });
    let remote = address.host;
    let certificate: Uint8Array | undefined;
    let tls: TLSSocket | undefined;
    socket.once('upgrade', (response) => {
      tls = response.socket as TLSSocket;
      certificate = tls.getPeerX509Certificate()?.raw;
      remote = `${response.socket.remoteAddress}:${response.socket.remotePort}`;
    });
    socket.once('open', () => {
      signal.removeEventListener('abort', abort);
      if (tls && certificate) {
        resolve(new WebSocketTransport(socket, tls, certificate, remote));
        return;
      }
      socket.terminate();
      reject(new EnerchainError('peer', 'link.connect', `${address.host} showed no certificate`));
    });
    socket.once('error', (cause) => {
      signal.removeEventListener('abort', abort);
      reject(new EnerchainError('environment', 'link.connect', `${address.host} cannot be reached`, { cause }));
    });
  });
};

/**
 * Serves the link on an HTTPS server made with `serverTls`.
 * @param accept is given each connection whose certificate TLS has checked against our CA
 * @param options.onRefused somebody came whose certificate is missing, not accepted, or larger than the profile allows
 * @returns stops serving; connections stay
 */
export function serveWebSocket(
  server: Server,
  accept: (transport: LinkTransport) => void,
  options: {
    path?: string;
    maxConnections?: number;
    onRefused?: (refusal: PeerRefusal, socket: TLSSocket) => void;
  } = {},
): () => void {
  const path = options.path ?? LINK_PATH;
  const maxConnections = options.maxConnections ?? 2000;
  const sockets = new WebSocketServer({
    noServer: true,
    maxPayload: MAX_MESSAGE_BYTES,
    perMessageDeflate: false,
    handleProtocols: (offered) => (offered.has(SUBPROTOCOL) ? SUBPROTOCOL : false),
  });
  const onUpgrade = (request: IncomingMessage, stream: Duplex, head: Buffer) => {
    const socket = stream as TLSSocket;
    const refusal = peerRefusal(socket);
    const certificate = refusal ? undefined : socket.getPeerX509Certificate()?.raw;
    const offered = request.headers['sec-websocket-protocol']?.split(',').map((name) => name.trim());
    if (new URL(request.url ?? '/', 'https://centre').pathname !== path) refuse(stream, '404 Not Found');
    else if (!certificate) {
      if (refusal) options.onRefused?.(refusal, socket);
      refuse(stream, '401 Unauthorized');
    } else if (!offered?.includes(SUBPROTOCOL)) refuse(stream, '400 Bad Request');
    else if (sockets.clients.size >= maxConnections) refuse(stream, '503 Service Unavailable');
    else {
      const remote = `${socket.remoteAddress}:${socket.remotePort}`;
      sockets.handleUpgrade(request, stream, head, (webSocket) =>
        accept(new WebSocketTransport(webSocket, socket, certificate, remote)),
      );
    }
  };
  server.on('upgrade', onUpgrade);
  return () => {
    server.off('upgrade', onUpgrade);
    sockets.close();
  };
}

function refuse(stream: Duplex, status: string): void {
  stream.on('error', () => undefined);
  stream.end(`HTTP/1.1 ${status}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`);
}
