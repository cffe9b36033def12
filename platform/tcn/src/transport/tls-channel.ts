/** One connection between neighbours: mutual TLS 1.3, frames, bounds in time and octets. */
import type { TLSSocket } from 'node:tls';
import { type Clock, describeError, EnerchainError, toMillis } from '@enerchain/model';
import {
  checkedCertificate,
  exporterOf,
  type HeldCertificate,
  PLATFORM_TLS_PROFILE,
  peerRefusal,
} from '@enerchain/trust';
import type { After, Channel, ChannelHandlers } from '../channel.ts';
import { encodeFrame, FrameReader } from './framing.ts';

/** A frame that has begun must be whole after so many milliseconds. */
const FRAME_TIMEOUT = 30_000;
/** Octets that may wait for a peer that does not read; then it is given up. */
const MAX_WAITING = 16 << 20;
/** Longest time-out that a timer takes. */
const LONGEST = 2 ** 31 - 1;

export interface TlsChannelOptions {
  readonly socket: TLSSocket;
  readonly dialled: boolean;
  readonly caPem: string;
  readonly clock: Clock;
  readonly after: After;
  /** Milliseconds without a frame after which the connection is closed. */
  readonly idle: number;
  readonly isRevoked: (kid: Uint8Array) => boolean;
}

export class TlsChannel implements Channel {
  readonly peer: Channel['peer'];
  readonly exporter: Uint8Array;
  readonly remote: string;
  readonly dialled: boolean;
  readonly certificate: HeldCertificate;
  readonly #socket: TLSSocket;
  readonly #after: After;
  readonly #idle: number;
  readonly #frames = new FrameReader();
  readonly #closedListeners: (() => void)[] = [];
  #handlers: ChannelHandlers | undefined;
  #early: Uint8Array[] = [];
  #closed: string | undefined;
  #cancelIdle: () => void = () => undefined;
  #cancelFrame: (() => void) | undefined;
  #cancelExpiry: () => void = () => undefined;
  #cancelLife: () => void = () => undefined;

  /**
   * @param options.socket connected, with a certificate that TLS has checked
   * @throws EnerchainError or PkiError when the certificate stands for nobody; the socket is left to the caller
   */
  constructor(options: TlsChannelOptions) {
    const { socket, clock } = options;
    const der = socket.getPeerX509Certificate()?.raw;
    if (!der || peerRefusal(socket)) {
      throw new EnerchainError('peer', 'tcn.certificate', 'a connection without a certificate of our authority');
    }
    this.certificate = checkedCertificate(der, options.caPem, new Date(toMillis(clock.now())));
    if (options.isRevoked(this.certificate.kid)) {
      throw new EnerchainError('peer', 'tcn.revoked', `the certificate of ${this.certificate.holder.name} was revoked`);
    }
    this.peer = this.certificate.holder;
    this.exporter = exporterOf(socket);
    this.remote = `${socket.remoteAddress}:${socket.remotePort}`;
    this.dialled = options.dialled;
    this.#socket = socket;
    this.#after = options.after;
    this.#idle = options.idle;
    socket.setNoDelay(true);
    socket.on('data', (chunk: Buffer) => this.#data(chunk));
    socket.on('error', (error) => this.#end(error.message));
    socket.on('close', () => this.#end('the connection was closed'));
    // However long its certificate lasts, a connection begins anew with a handshake now and then (IEC 62351-3).
    const longest = PLATFORM_TLS_PROFILE.maxSessionSeconds * 1000;
    this.#cancelLife = this.#after(longest, () => this.close('the longest time that a connection may last is over'));
    const life = this.certificate.notAfter.getTime() - toMillis(clock.now());
    this.#cancelExpiry = this.#after(Math.min(Math.max(life, 0), LONGEST), () => {
      if (this.certificate.notAfter.getTime() <= toMillis(clock.now())) this.close('its certificate has ended');
    });
    this.#touch();
  }

  get buffered(): number {
    return this.#socket.writableLength;
  }

  open(handlers: ChannelHandlers): void {
    this.#handlers = handlers;
    for (const message of this.#early.splice(0)) handlers.message(message);
    if (this.#closed !== undefined) handlers.closed(this.#closed);
  }

  send(message: Uint8Array): void {
    if (this.#closed !== undefined) return;
    this.#socket.write(encodeFrame(message));
    if (this.#socket.writableLength > MAX_WAITING) this.close('the neighbour does not read');
  }

  close(reason: string): void {
    if (this.#closed !== undefined) return;
    this.#socket.destroySoon();
    this.#end(reason);
  }

  onClosed(listener: () => void): void {
    if (this.#closed === undefined) this.#closedListeners.push(listener);
    else listener();
  }

  #data(chunk: Buffer): void {
    if (this.#closed !== undefined) return;
    let messages: Uint8Array[];
    try {
      messages = this.#frames.push(chunk);
    } catch (error) {
      this.close(describeError(error));
      return;
    }
    if (messages.length > 0) this.#touch();
    this.#cancelFrame?.();
    this.#cancelFrame =
      this.#frames.pending > 0
        ? this.#after(FRAME_TIMEOUT, () => this.close('a frame did not arrive whole in time'))
        : undefined;
    for (const message of messages) {
      if (this.#closed !== undefined) return;
      if (this.#handlers) this.#handlers.message(message);
      else this.#early.push(message);
    }
  }

  #touch(): void {
    this.#cancelIdle();
    this.#cancelIdle = this.#after(this.#idle, () => this.close(`nothing came for ${this.#idle / 1000} s`));
  }

  #end(reason: string): void {
    if (this.#closed !== undefined) return;
    this.#closed = reason;
    this.#cancelIdle();
    this.#cancelFrame?.();
    this.#cancelExpiry();
    this.#cancelLife();
    this.#handlers?.closed(reason);
    for (const listener of this.#closedListeners.splice(0)) listener();
  }
}
