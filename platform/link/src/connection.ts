/** One connection, either end: messages, liveness, requests, and the bound on what waits to be sent. */
import { type Clock, describeError, EnerchainError } from '@enerchain/model';
import { decodeMessage, encodeMessage, type Message } from './message.ts';
import { type RequestHandler, Rpc, type RpcLimits, type RpcMessage } from './rpc.ts';
import type { After, LinkTransport } from './transport.ts';

/** Counters of one end of a link since it was made. */
export interface LinkCounters {
  messagesSent: number;
  messagesReceived: number;
  bytesSent: number;
  bytesReceived: number;
  batchesSent: number;
  batchesReceived: number;
  /** Acknowledgements, sent or received. */
  acknowledgements: number;
  /** Batches rejected, by us or by the peer. */
  rejected: number;
  commandsSent: number;
  commandsReceived: number;
  requestsSent: number;
  requestsReceived: number;
  /** Connections that reached the greeting. */
  connections: number;
  /** Messages that were no messages, or came where they may not. */
  protocolErrors: number;
  /** Messages whose handling failed here; the connection is closed and made anew. */
  failures: number;
  /** Connections given up because the peer was silent. */
  silences: number;
}

export const newCounters = (): LinkCounters => ({
  messagesSent: 0,
  messagesReceived: 0,
  bytesSent: 0,
  bytesReceived: 0,
  batchesSent: 0,
  batchesReceived: 0,
  acknowledgements: 0,
  rejected: 0,
  commandsSent: 0,
  commandsReceived: 0,
  requestsSent: 0,
  requestsReceived: 0,
  connections: 0,
  protocolErrors: 0,
  failures: 0,
  silences: 0,
});

/** Milliseconds. */
export interface LivenessTimes {
  /** Silence after which we ask. */
  readonly pingAfter: number;
  /** Silence after which the connection is given up. */
  readonly deadAfter: number;
}
export const LIVENESS: LivenessTimes = { pingAfter: 10_000, deadAfter: 30_000 };

/** Bytes not yet on the wire at which the connection is given up: the peer does not read. */
const MAX_BUFFERED = 96 * 1024 * 1024;

/** Milliseconds that closing may take before the connection is cut. */
const CLOSE_TIMEOUT = 2_000;

/** Messages that the sessions, not the connection, deal with. */
export type SessionMessage = Exclude<Message, RpcMessage | { type: 'ping' | 'pong' | 'goodbye' }>;

export interface Ending {
  /** `link.closed`, `link.silent`, `link.protocol`, or what the peer said goodbye with. */
  readonly code: string;
  readonly text: string;
  /** Whether the peer gave the reason. */
  readonly byPeer: boolean;
}

export interface ConnectionOptions {
  readonly transport: LinkTransport;
  readonly clock: Clock;
  readonly after: After;
  readonly counters: LinkCounters;
  readonly liveness?: LivenessTimes | undefined;
  readonly rpcLimits?: RpcLimits | undefined;
  readonly onRequest: RequestHandler;
  onMessage(message: SessionMessage): void;
  onDrained(): void;
  onEnd(ending: Ending): void;
}

export class Connection {
  readonly rpc: Rpc;
  readonly #options: ConnectionOptions;
  readonly #transport: LinkTransport;
  #heard: number;
  #nonce = 0;
  #asked = false;
  #cancelTimer: () => void = () => undefined;
  #ended = false;
  /** Why it will end, once that is known. */
  #ending: Ending | undefined;

  constructor(options: ConnectionOptions) {
    this.#options = options;
    this.#transport = options.transport;
    this.#heard = options.clock.monotonic();
    this.rpc = new Rpc({
      send: (message) => {
        if (message.type === 'request') options.counters.requestsSent++;
        this.send(message);
      },
      handler: options.onRequest,
      after: options.after,
      limits: options.rpcLimits,
    });
    this.#watch();
  }

  /** Begins to receive; separate from the constructor so that handlers can refer to the connection. */
  open(): void {
    this.#transport.open({
      message: (bytes) => this.#receive(bytes),
      drained: () => this.#options.onDrained(),
      closed: (reason) => this.#end(this.#ending ?? { code: 'link.closed', text: reason, byPeer: false }),
    });
  }

  get remote(): string {
    return this.#transport.remote;
  }

  get buffered(): number {
    return this.#transport.buffered;
  }

  get ended(): boolean {
    return this.#ended;
  }

  send(message: Message): void {
    if (this.#ended || this.#ending) return;
    const bytes = encodeMessage(message);
    this.#options.counters.messagesSent++;
    this.#options.counters.bytesSent += bytes.length;
    this.#transport.send(bytes);
    if (this.#transport.buffered > MAX_BUFFERED) {
      this.#ending = { code: 'link.not-reading', text: `${this.remote} does not read what it is sent`, byPeer: false };
      this.#transport.abort();
    }
  }

  /** Says goodbye with a reason and closes. */
  close(code: string, text: string): void {
    if (this.#ended || this.#ending) return;
    this.send({ type: 'goodbye', code, text: text.slice(0, 500) });
    this.#shut({ code, text, byPeer: false });
  }

  /** Closes at once, saying nothing. */
  abort(code: string, text: string): void {
    this.#ending ??= { code, text, byPeer: false };
    this.#transport.abort();
  }

  #shut(ending: Ending): void {
    this.#ending = ending;
    this.#transport.close();
    this.#cancelTimer();
    this.#cancelTimer = this.#options.after(CLOSE_TIMEOUT, () => this.#transport.abort());
  }

  #receive(bytes: Uint8Array): void {
    if (this.#ended || this.#ending) return;
    const { counters } = this.#options;
    this.#heard = this.#options.clock.monotonic();
    this.#asked = false;
    counters.messagesReceived++;
    counters.bytesReceived += bytes.length;
    try {
      this.#dispatch(decodeMessage(bytes));
    } catch (error) {
      const theirs = error instanceof EnerchainError && (error.fault === 'peer' || error.fault === 'unsupported');
      if (theirs) counters.protocolErrors++;
      else counters.failures++;
      this.close(theirs ? error.code : 'link.failed', describeError(error));
    }
  }

  #dispatch(message: Message): void {
    switch (message.type) {
      case 'ping':
        this.send({ type: 'pong', nonce: message.nonce });
        return;
      case 'pong':
        return;
      case 'goodbye':
        this.#shut({ code: message.code, text: message.text, byPeer: true });
        return;
      case 'request':
        this.#options.counters.requestsReceived++;
        this.rpc.receive(message);
        return;
      case 'response':
      case 'error':
      case 'item':
      case 'more':
      case 'cancel':
        this.rpc.receive(message);
        return;
      default:
        this.#options.onMessage(message);
    }
  }

  /** One timer at a time: for the question, then for the end. */
  #watch(): void {
    const { pingAfter, deadAfter } = this.#options.liveness ?? LIVENESS;
    const silence = this.#options.clock.monotonic() - this.#heard;
    if (silence >= deadAfter) {
      this.#options.counters.silences++;
      this.abort('link.silent', `nothing was heard of ${this.remote} for ${Math.round(silence)} ms`);
      return;
    }
    if (silence >= pingAfter && !this.#asked) {
      this.#asked = true;
      this.send({ type: 'ping', nonce: ++this.#nonce });
    }
    const next = (this.#asked ? deadAfter : pingAfter) - silence;
    this.#cancelTimer = this.#options.after(Math.max(1, Math.ceil(next)), () => this.#watch());
  }

  #end(ending: Ending): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#cancelTimer();
    this.rpc.end(ending.text);
    this.#options.onEnd(ending);
  }
}
