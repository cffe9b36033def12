/** Listens for neighbours on the address of the station, and dials those whose address is known. */
import { isIP, type Socket } from 'node:net';
import { createServer, type Server, type TLSSocket } from 'node:tls';
import { type Clock, describeError, EnerchainError } from '@enerchain/model';
import {
  connectTls,
  handshakeEvent,
  type Identity,
  peerRefusal,
  refusalEvent,
  type TlsSecurityEvent,
  tlsContext,
} from '@enerchain/trust';
import type { After, Channel } from '../channel.ts';
import { TlsChannel } from './tls-channel.ts';

export interface Address {
  readonly host: string;
  readonly port: number;
}

export interface TlsTransportOptions {
  readonly identity: Identity;
  /** Where neighbours reach this node; absent: it only dials. Never all interfaces. */
  readonly listen?: Address | undefined;
  /** Neighbours that are dialled. */
  readonly neighbours: readonly { readonly name: string; readonly address: Address }[];
  /** Takes each connection whose certificate was checked. */
  readonly attach: (channel: Channel) => void;
  /** Whether a neighbour is connected already. */
  readonly isConnected: (name: string) => boolean;
  readonly clock: Clock;
  readonly after: After;
  readonly random: () => number;
  /** Milliseconds without a frame after which a connection is closed. */
  readonly idle: number;
  readonly isRevoked?: (kid: Uint8Array) => boolean;
  /** Something an engineer should know: a connection that was refused, an address that does not answer. */
  readonly onNotice?: (text: string, neighbour: string | undefined) => void;
  /** A named event of TLS (IEC 62351-3): somebody was refused. @param neighbour whom it concerns; undefined for one not known */
  readonly onSecurity?: (event: TlsSecurityEvent, neighbour: string | undefined) => void;
}

/** Connections at the same time, those that have not shown who they are included. */
const MAX_CONNECTIONS = 128;
const HANDSHAKE_TIMEOUT = 10_000;
/** A connection that lasted this long, milliseconds, was one. */
const LASTING = 10_000;
/** Milliseconds before the same event of the same neighbour, or of those not known, is told again. */
const TELL_AGAIN = 60_000;
/** Pause before dialling again, milliseconds; doubled with each failure. */
const RETRY = { least: 500, most: 15_000 } as const;

export class TlsTransport {
  readonly #options: TlsTransportOptions;
  readonly #channels = new Set<TlsChannel>();
  readonly #sockets = new Set<Socket>();
  readonly #timers = new Map<string, () => void>();
  /** When an event of a name and a neighbour was told last; monotonic milliseconds. */
  readonly #told = new Map<string, number>();
  #identity: Identity;
  #server: Server | undefined;
  #closed = false;

  constructor(options: TlsTransportOptions) {
    this.#options = options;
    this.#identity = options.identity;
    const host = options.listen?.host;
    // A listener for neighbours belongs into the network of the station, never into all that there are.
    if (host !== undefined && (isIP(host) === 0 || host === '0.0.0.0' || /^[0:]+$/.test(host))) {
      throw new EnerchainError('caller', 'tcn.listen', `'${host}' is no single address to listen on for neighbours`);
    }
  }

  /** @throws EnerchainError `tcn.listen` (fault environment) when the address cannot be used */
  async start(): Promise<void> {
    await this.#listen();
    for (const { name, address } of this.#options.neighbours) {
      this.#dialLater(name, address, 0, RETRY.least * this.#options.random() * 0.2);
    }
  }

  /** Where it listens; undefined when it only dials. */
  get address(): Address | undefined {
    const address = this.#server?.address();
    return typeof address === 'object' && address ? { host: address.address, port: address.port } : undefined;
  }

  /** The certificate was renewed: new connections show the new one. */
  renewed(identity: Identity): void {
    this.#identity = identity;
    this.#server?.setSecureContext(tlsContext(identity));
  }

  /** Ends the connections of those whose certificate is no longer accepted. */
  revoked(): void {
    for (const channel of [...this.#channels]) {
      if (this.#options.isRevoked?.(channel.certificate.kid)) channel.close('its certificate was revoked');
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const cancel of this.#timers.values()) cancel();
    this.#timers.clear();
    for (const channel of [...this.#channels]) channel.close('closing');
    const closed = new Promise<void>((resolve) => {
      if (this.#server) this.#server.close(() => resolve());
      else resolve();
    });
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  async #listen(): Promise<void> {
    const { listen } = this.#options;
    if (!listen) return;
    const server = createServer({
      ...tlsContext(this.#identity),
      requestCert: true,
      rejectUnauthorized: true,
      handshakeTimeout: HANDSHAKE_TIMEOUT,
    });
    server.maxConnections = MAX_CONNECTIONS;
    server.on('connection', (socket: Socket) => this.#track(socket));
    server.on('tlsClientError', (error, socket) => {
      socket.on('error', () => undefined);
      const remote = socket.remoteAddress ?? 'somewhere';
      this.#notice(`a connection from ${remote} was refused: ${error.message}`);
      const { clock } = this.#options;
      this.#security(handshakeEvent(error, { clock, role: 'server', remote }), undefined);
    });
    server.on('secureConnection', (socket) => this.#connected(socket, false));
    await new Promise<void>((resolve, reject) => {
      server.once('error', (cause) =>
        reject(
          new EnerchainError('environment', 'tcn.listen', `cannot listen on ${listen.host}:${listen.port}`, { cause }),
        ),
      );
      server.listen(listen.port, listen.host, resolve);
    });
    server.on('error', (error) => this.#notice(`the listener failed: ${error.message}`));
    this.#server = server;
  }

  #track(socket: Socket): void {
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
  }

  /** @returns the channel, or why there is none */
  #connected(socket: TLSSocket, dialled: boolean, expected?: string): TlsChannel | string {
    const { caPem } = this.#identity;
    const { clock, after, idle, isRevoked = () => false, attach } = this.#options;
    let channel: TlsChannel;
    const refusal = peerRefusal(socket);
    if (refusal) {
      const role = dialled ? 'client' : 'server';
      this.#security(refusalEvent(refusal, { clock, role, socket }), expected);
    }
    try {
      channel = new TlsChannel({ socket, dialled, caPem, clock, after, idle, isRevoked });
    } catch (error) {
      socket.on('error', () => undefined);
      socket.destroy();
      const text = `a connection with ${socket.remoteAddress ?? expected ?? 'somebody'} was refused: ${describeError(error)}`;
      this.#notice(text, expected);
      return text;
    }
    if (expected !== undefined && channel.peer.name !== expected) {
      const text = `${channel.remote} is ${channel.peer.name} and not ${expected}`;
      this.#notice(text, expected);
      channel.close(text);
      return text;
    }
    if (this.#closed) {
      channel.close('closing');
      return 'closing';
    }
    this.#channels.add(channel);
    channel.onClosed(() => this.#channels.delete(channel));
    attach(channel);
    return channel;
  }

  #dialLater(name: string, address: Address, failures: number, wait: number): void {
    if (this.#closed) return;
    this.#timers.set(
      name,
      this.#options.after(wait, () => this.#dial(name, address, failures)),
    );
  }

  #dial(name: string, address: Address, failures: number): void {
    const { isConnected, random } = this.#options;
    const again = (count: number) => {
      const pause = Math.min(RETRY.most, RETRY.least * 2 ** Math.min(count, 10));
      this.#dialLater(name, address, count, pause * (0.7 + 0.3 * random()));
    };
    if (isConnected(name)) {
      again(0);
      return;
    }
    let settled = false;
    const socket = connectTls({
      ...tlsContext(this.#identity),
      host: address.host,
      port: address.port,
      // Certificates of nodes name a node, not a host; `#connected` looks whether it is the right one.
      checkServerIdentity: () => undefined,
    });
    this.#track(socket);
    const failed = (why: string) => {
      if (settled) return;
      settled = true;
      socket.destroy();
      if (failures === 0) this.#notice(`${name} at ${address.host}:${address.port} cannot be reached: ${why}`, name);
      again(failures + 1);
    };
    socket.setTimeout(HANDSHAKE_TIMEOUT, () => failed('no answer'));
    socket.on('error', (error) => failed(error.message));
    socket.once('close', () => failed('closed during the handshake'));
    socket.once('secureConnect', () => {
      if (settled) return;
      settled = true;
      socket.setTimeout(0);
      const channel = this.#connected(socket, true, name);
      if (typeof channel === 'string') {
        again(failures + 1);
        return;
      }
      const { clock } = this.#options;
      const since = clock.monotonic();
      // What does not last is no success: two who take turns at one connection must not do so ever faster.
      channel.onClosed(() => again(clock.monotonic() - since < LASTING ? failures + 1 : 0));
    });
  }

  /** Whoever knocks without end is told of once in a while. */
  #security(event: TlsSecurityEvent, neighbour: string | undefined): void {
    const now = this.#options.clock.monotonic();
    const key = `${event.name} ${neighbour ?? ''}`;
    const before = this.#told.get(key);
    if (this.#closed || (before !== undefined && now - before < TELL_AGAIN)) return;
    this.#told.set(key, now);
    this.#options.onSecurity?.(event, neighbour);
  }

  #notice(text: string, neighbour?: string): void {
    if (!this.#closed) this.#options.onNotice?.(text, neighbour);
  }
}
