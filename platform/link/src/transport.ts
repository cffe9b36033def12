/** What the link needs of a connection: whole messages in order, and to know when it sends faster than the wire. */
import { randomBytes } from 'node:crypto';
import { EXPORTER_BYTES } from '@enerchain/trust';

export { type After, systemAfter } from '@enerchain/model';

/** What a transport tells its user. No call comes before `open`, none after `closed`. */
export interface TransportHandlers {
  message(bytes: Uint8Array): void;
  /** `buffered` has fallen below the transport's mark after having been above it. */
  drained(): void;
  closed(reason: string): void;
}

export interface LinkTransport {
  /** DER of the peer's certificate, which TLS has checked against our CA. */
  readonly peerCertificate: Uint8Array;
  /** Address of the peer, for messages. */
  readonly remote: string;
  /** Bytes taken by `send` that are not on the wire yet. */
  readonly buffered: number;
  /**
   * 32 octets that both ends of this connection know and nobody else (`exporterOf`). What is bound to it cannot be shown on another connection.
   * @throws EnerchainError `link.exporter` (fault environment) when the connection has gone
   */
  exporter(): Uint8Array;
  open(handlers: TransportHandlers): void;
  send(bytes: Uint8Array): void;
  /** Delivers what was sent, then closes. */
  close(): void;
  /** Closes at once. */
  abort(): void;
}

/** Above this many bytes not yet on the wire, batches wait. */
export const BUFFER_MARK = 1 << 20;

/** One end of a connection inside a process. */
class MemoryTransport implements LinkTransport {
  readonly peerCertificate: Uint8Array;
  readonly remote = 'memory';
  other: MemoryTransport | undefined;
  #handlers: TransportHandlers | undefined;
  #queue: Uint8Array[] = [];
  #queued = 0;
  #scheduled = false;
  #closing: 'no' | 'after' | 'done' = 'no';
  #held = false;
  readonly #exported: Uint8Array;

  constructor(peerCertificate: Uint8Array, exported: Uint8Array) {
    this.peerCertificate = peerCertificate;
    this.#exported = exported;
  }

  exporter(): Uint8Array {
    return this.#exported;
  }

  get buffered(): number {
    return this.other ? this.other.#queued : 0;
  }

  /** Stops or goes on taking messages off the queue: a peer that does not read. */
  hold(held: boolean): void {
    this.#held = held;
    this.#schedule();
  }

  open(handlers: TransportHandlers): void {
    this.#handlers = handlers;
    this.#schedule();
  }

  send(bytes: Uint8Array): void {
    if (this.#closing !== 'no' || !this.other || this.other.#closing === 'done') return;
    this.other.#queue.push(bytes.slice());
    this.other.#queued += bytes.length;
    this.other.#schedule();
  }

  close(): void {
    if (this.#closing === 'no') this.#closing = 'after';
    const { other } = this;
    if (other) other.#schedule();
  }

  abort(): void {
    this.#end('aborted here');
    const { other } = this;
    if (other) other.#end('connection reset');
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    queueMicrotask(() => {
      this.#scheduled = false;
      this.#deliver();
    });
  }

  #deliver(): void {
    const { other } = this;
    if (!other) return;
    while (this.#handlers && !this.#held && this.#closing !== 'done') {
      const bytes = this.#queue.shift();
      if (!bytes) break;
      const above = this.#queued > BUFFER_MARK;
      this.#queued -= bytes.length;
      this.#handlers.message(bytes);
      if (above && this.#queued <= BUFFER_MARK) other.#drained();
    }
    if (this.#queue.length === 0 && other.#closing === 'after') {
      other.#end('closed here');
      this.#end('closed by the peer');
    }
  }

  #drained(): void {
    this.#handlers?.drained();
  }

  #end(reason: string): void {
    if (this.#closing === 'done') return;
    this.#closing = 'done';
    this.#queue = [];
    this.#queued = 0;
    this.#handlers?.closed(reason);
  }
}

/** Two ends of a connection inside one process; `hold` makes an end stop reading. */
export function memoryPair(certificates: { client: Uint8Array; server: Uint8Array }): {
  client: LinkTransport & { hold(held: boolean): void };
  server: LinkTransport & { hold(held: boolean): void };
} {
  // As TLS would give it: new with each connection, the same at both ends.
  const exported = randomBytes(EXPORTER_BYTES);
  const client = new MemoryTransport(certificates.server, exported);
  const server = new MemoryTransport(certificates.client, exported);
  client.other = server;
  server.other = client;
  return { client, server };
}
