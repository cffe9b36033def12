/** The link as a source sees it: an edge, a service, or a relay on behalf of a source. */
import { type Clock, EnerchainError, type SourceReport, systemClock, toMillis } from '@enerchain/model';
import {
  type CborValue,
  checkedCertificate,
  type HeldCertificate,
  hasOwnTlsKey,
  type Identity,
  maySign,
} from '@enerchain/trust';
import {
  Connection,
  type Ending,
  type LinkCounters,
  type LivenessTimes,
  newCounters,
  type SessionMessage,
} from './connection.ts';
import { CENTRE_METHOD, RENEWED_METHOD, type Welcome } from './message.ts';
import type { RequestHandler, RequestOptions, StreamOptions } from './rpc.ts';
import { SendSchedule } from './schedule.ts';
import type { BatchStore } from './store.ts';
import { Throttle } from './throttle.ts';
import { type After, BUFFER_MARK, type LinkTransport, systemAfter } from './transport.ts';
import { type Connect, connectWebSocket } from './websocket.ts';

export type LinkState = 'stopped' | 'connecting' | 'online' | 'waiting';

/** Milliseconds between attempts: doubling from `initial` to `maximum`, of which the random half is taken off. */
export interface Backoff {
  readonly initial: number;
  readonly maximum: number;
}
const BACKOFF: Backoff = { initial: 500, maximum: 30_000 };
/** Goodbyes after which trying again soon makes things worse. */
const PATIENT = new Set(['link.replaced', 'link.in-use', 'link.refused', 'link.version']);
/** Milliseconds after which a connection counts as good, so that the next attempt after it comes soon. */
const GOOD_AFTER = 10_000;
/** Milliseconds to wait for the welcome. */
const WELCOME_TIMEOUT = 15_000;
/** Bytes not yet on the wire below which something may go that is no batch. */
const SPARE_MARK = 64 * 1024;
/** Milliseconds until it is looked again whether something may go. */
const SPARE_RETRY = 20;

export interface Rejection {
  readonly epoch: number;
  readonly sequence: number;
  readonly code: string;
  readonly text: string;
}

export interface LinkClientOptions {
  /** `wss://host:port/link` or `https://host:port`. */
  readonly url: string;
  readonly identity: Identity;
  /** Name and version of the software. */
  readonly software: string;
  readonly store: BatchStore;
  /** For a relay: the source it stands in for. */
  readonly source?: string;
  /** DER of further certificates whose keys signed what is in the store (before a renewal; for a relay, the source's). */
  readonly certificates?: readonly Uint8Array[];
  readonly connect?: Connect;
  readonly clock?: Clock;
  readonly after?: After;
  /** 0 ≤ x < 1, for the jitter. */
  readonly random?: () => number;
  readonly backoff?: Backoff;
  readonly liveness?: LivenessTimes;
  readonly throttle?: { readonly bytesPerSecond: number };
  /** A signed command: COSE_Sign1, to be given to the `CommandGuard`. What it refuses must be dealt with here. */
  onCommand?(bytes: Uint8Array): void;
  onState?(state: LinkState, reason?: string): void;
  /** The other side has spoken; called before the first batch goes out, so that a new epoch can be opened for live data. */
  onWelcome?(welcome: Welcome): void;
  /**
   * The other side has batches under numbers that this source does not know it has used: our memory is older than what we
   * sent. The epochs named are not sent on this connection; new data must go into an epoch above `highest`
   * (`ChainWriter.restart`), and what the named epochs hold must be written anew there.
   */
  onBehind?(behind: { readonly epochs: readonly number[]; readonly highest: number }): void;
  /** The other side refused a batch; its epoch is not sent any further on this connection. */
  onReject?(rejection: Rejection): void;
  onAcknowledged?(position: { readonly epoch: number; readonly sequence: number }): void;
  /** The centre has another certificate for the key that signs commands; it was checked. */
  onCentre?(certificate: HeldCertificate): void;
  /** Requests of the other side. */
  onRequest?: RequestHandler;
}

const unknownMethod: RequestHandler = (method) => {
  throw new EnerchainError('unsupported', 'link.method', `requests '${method}' are not answered here`);
};

export class LinkClient {
  readonly counters: LinkCounters = newCounters();
  readonly #options: LinkClientOptions;
  readonly #clock: Clock;
  readonly #after: After;
  readonly #backoff: Backoff;
  readonly #throttle: Throttle | undefined;
  #identity: Identity;
  #state: LinkState = 'stopped';
  #attempt = 0;
  /** Monotonic time of the last welcome. */
  #welcomedAt: number | undefined;
  #abort: AbortController | undefined;
  #connection: Connection | undefined;
  #transport: LinkTransport | undefined;
  #schedule: SendSchedule | undefined;
  #centre: HeldCertificate | undefined;
  /** The one before, named by commands that were under way when it was renewed. */
  #centreBefore: HeldCertificate | undefined;
  #report: SourceReport | undefined;
  #cancelRetry: () => void = () => undefined;
  #cancelWelcome: () => void = () => undefined;
  #cancelThrottle: (() => void) | undefined;
  /** Resolves when the present connection has ended. */
  #gone: Promise<void> = Promise.resolve();

  constructor(options: LinkClientOptions) {
    this.#options = options;
    this.#identity = options.identity;
    this.#clock = options.clock ?? systemClock;
    this.#after = options.after ?? systemAfter;
    this.#backoff = options.backoff ?? BACKOFF;
    if (options.throttle) this.#throttle = new Throttle(options.throttle.bytesPerSecond, this.#clock.monotonic());
  }

  get state(): LinkState {
    return this.#state;
  }

  /** Credit left, in bytes; 0 when not online. */
  get credit(): number {
    return this.#schedule?.credit ?? 0;
  }

  /** Certificate with which the centre signs commands, as of the last welcome; checked against the CA. */
  get centre(): HeldCertificate | undefined {
    return this.#centre;
  }

  /** Public key of the centre by key identifier; what the `CommandGuard` asks for. */
  readonly centreKeyOf = (kid: Uint8Array) => {
    const named = [this.#centre, this.#centreBefore].find((each) => each && Buffer.compare(each.kid, kid) === 0);
    return named?.publicKey;
  };

  /**
   * The certificates were renewed. For the same keys, the present connection goes on with it when the other side agrees;
   * otherwise it ends with the old certificate, and the next one is made with the new. With another key, for the connections
   * or for what is signed, there is another connection at once; what was not acknowledged is sent again on it.
   */
  renewed(identity: Identity): void {
    const before = this.#identity;
    const sameKey =
      identity.tls.certificate.publicKey.equals(before.tls.certificate.publicKey) &&
      identity.certificate.publicKey.equals(before.certificate.publicKey);
    this.#identity = identity;
    if (this.#state !== 'online') return;
    if (!sameKey) {
      this.#connection?.close('link.rekeyed', 'this source has another key');
      return;
    }
    const shown = hasOwnTlsKey(identity) ? [identity.tls.certificate, identity.certificate] : [identity.certificate];
    for (const { der } of shown) this.request(RENEWED_METHOD, { certificate: der }).catch(() => undefined);
  }

  start(): void {
    if (this.#state !== 'stopped') return;
    this.#attempt = 0;
    this.#connect();
  }

  /** Says goodbye and stays away. */
  async close(): Promise<void> {
    const was = this.#state;
    this.#setState('stopped');
    this.#cancelRetry();
    this.#abort?.abort();
    this.#connection?.close('link.closing', 'the source is shutting down');
    if (was !== 'stopped') await this.#gone;
  }

  /**
   * A batch has been written to the store. Without arguments: something has; with them it need not be read again.
   */
  send(batch?: { readonly epoch: number; readonly sequence: number; readonly bytes: Uint8Array }): void {
    if (batch) this.#schedule?.offer(batch.epoch, batch);
    this.#pump();
  }

  /** `LinkTransport.exporter` of the present connection. @throws EnerchainError `link.offline`, `link.exporter` */
  exporter(): Uint8Array {
    this.#online('the exporter');
    return (this.#transport as LinkTransport).exporter();
  }

  /** Sends the state of the source; kept for the next connection when there is none. */
  status(report: SourceReport): void {
    this.#report = report;
    if (this.#state === 'online') this.#connection?.send({ type: 'status', report: report as unknown as CborValue });
  }

  /** @throws EnerchainError `link.offline`, and what `Rpc.request` throws */
  async request(method: string, params: CborValue, options?: RequestOptions): Promise<CborValue> {
    return this.#online(method).rpc.request(method, params, options);
  }

  /** @throws EnerchainError `link.offline`, and what `Rpc.stream` throws */
  stream(method: string, params: CborValue, options?: StreamOptions): AsyncGenerator<CborValue, CborValue> {
    return this.#online(method).rpc.stream(method, params, options);
  }

  /**
   * Resolves when so many bytes may go without any batch having to wait for them: nothing waits that could be sent, and a
   * line that is held to so many bytes a second has them left over.
   * @throws EnerchainError `link.offline`, or `link.cancelled` (caller) when the signal is aborted
   */
  async spare(bytes: number, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const { buffered } = this.#online('an answer');
      const left = this.#throttle?.spare(bytes, this.#clock.monotonic()) ?? true;
      if (left && !this.#cancelThrottle && buffered < SPARE_MARK) {
        this.#throttle?.take(bytes);
        return;
      }
      await new Promise<void>((resolve) => {
        const cancel = this.#after(SPARE_RETRY, wake);
        function wake(): void {
          signal.removeEventListener('abort', wake);
          cancel();
          resolve();
        }
        signal.addEventListener('abort', wake, { once: true });
      });
    }
    throw new EnerchainError('caller', 'link.cancelled', 'nobody waits for the answer any more');
  }

  #online(method: string): Connection {
    if (this.#state === 'online' && this.#connection) return this.#connection;
    throw new EnerchainError(
      'environment',
      'link.offline',
      `${method} was not sent: there is no connection to ${this.#options.url}`,
    );
  }

  #setState(state: LinkState, reason?: string): void {
    if (this.#state === state) return;
    this.#state = state;
    this.#options.onState?.(state, reason);
  }

  #connect(): void {
    this.#setState('connecting');
    const abort = new AbortController();
    this.#abort = abort;
    this.#gone = (async () => {
      let ending: Ending;
      try {
        const connect = this.#options.connect ?? connectWebSocket;
        const transport = await connect(this.#options.url, this.#identity, abort.signal);
        if (abort.signal.aborted) {
          transport.abort();
          return;
        }
        ending = await new Promise<Ending>((resolve) => this.#greet(transport, resolve));
      } catch (error) {
        if (abort.signal.aborted) return;
        const cause = error instanceof Error && error.cause instanceof Error ? `: ${error.cause.message}` : '';
        const text = error instanceof Error ? error.message + cause : String(error);
        ending = { code: error instanceof EnerchainError ? error.code : 'link.connect', text, byPeer: false };
      }
      this.#over(ending);
    })();
  }

  #greet(transport: Parameters<typeof newConnection>[0], resolve: (ending: Ending) => void): void {
    const connection = newConnection(transport, {
      clock: this.#clock,
      after: this.#after,
      counters: this.counters,
      liveness: this.#options.liveness,
      onRequest: (method, params, context) =>
        method === CENTRE_METHOD
          ? this.#centreRenewed(params)
          : (this.#options.onRequest ?? unknownMethod)(method, params, context),
      onMessage: (message) => this.#receive(connection, message),
      onDrained: () => this.#pump(),
      onEnd: resolve,
    });
    this.#connection = connection;
    this.#transport = transport;
    this.#cancelWelcome = this.#after(WELCOME_TIMEOUT, () => {
      if (this.#state === 'connecting') connection.abort('link.silent', 'no welcome came');
    });
    connection.open();
    const { store, software, certificates } = this.#options;
    const identity = this.#identity;
    connection.send({
      type: 'hello',
      source: this.#options.source ?? identity.name,
      software,
      epochs: store.epochs(),
      certificates: [...(hasOwnTlsKey(identity) ? [identity.certificate.der] : []), ...(certificates ?? [])],
    });
  }

  #over(ending: Ending): void {
    this.#cancelWelcome();
    this.#cancelThrottle?.();
    this.#cancelThrottle = undefined;
    this.#connection = undefined;
    this.#transport = undefined;
    this.#schedule = undefined;
    if (this.#state === 'stopped') return;
    // A welcome alone proves little: a centre that cannot keep anything welcomes too.
    if (this.#welcomedAt !== undefined && this.#clock.monotonic() - this.#welcomedAt >= GOOD_AFTER) this.#attempt = 0;
    this.#welcomedAt = undefined;
    const { initial, maximum } = this.#backoff;
    const base = PATIENT.has(ending.code) ? maximum : Math.min(maximum, initial * 2 ** Math.min(this.#attempt, 20));
    this.#attempt++;
    const delay = base * (0.5 + 0.5 * (this.#options.random ?? Math.random)());
    this.#setState('waiting', `${ending.text} (${ending.code}); next attempt in ${Math.round(delay)} ms`);
    this.#cancelRetry = this.#after(delay, () => {
      if (this.#state === 'waiting') this.#connect();
    });
  }

  #receive(connection: Connection, message: SessionMessage): void {
    if (message.type === 'welcome' && this.#state === 'connecting') {
      this.#welcomed(connection, message);
      return;
    }
    const schedule = this.#schedule;
    if (!schedule)
      throw new EnerchainError('peer', 'link.protocol', `a message '${message.type}' came before the welcome`);
    switch (message.type) {
      case 'ack':
        this.counters.acknowledgements++;
        this.#attempt = 0;
        if (!schedule.acknowledge(message)) {
          throw new EnerchainError(
            'peer',
            'link.protocol',
            `batch ${message.epoch}/${message.sequence} was acknowledged but never sent`,
          );
        }
        this.#options.onAcknowledged?.({ epoch: message.epoch, sequence: message.sequence });
        return;
      case 'credit':
        schedule.grant(message.bytes);
        this.#pump();
        return;
      case 'reject': {
        this.counters.rejected++;
        schedule.block(message.epoch);
        const { epoch, sequence, code, text } = message;
        this.#options.onReject?.({ epoch, sequence, code, text });
        return;
      }
      case 'command':
        this.counters.commandsReceived++;
        this.#options.onCommand?.(message.bytes);
        return;
      default:
        throw new EnerchainError('peer', 'link.protocol', `a message '${message.type}' is not for a source`);
    }
  }

  /** @throws EnerchainError `link.certificate` (fault peer) when it is not another certificate of the same key */
  #centreRenewed(params: CborValue): null {
    const der = (params as { certificate?: unknown } | null)?.certificate;
    const now = new Date(toMillis(this.#clock.now()));
    const before = this.#centre;
    const renewed = der instanceof Uint8Array ? checkedCertificate(der.slice(), this.#identity.caPem, now) : undefined;
    if (
      !before ||
      renewed?.holder.role !== 'centre' ||
      !maySign(renewed) ||
      !renewed.publicKey.equals(before.publicKey)
    ) {
      throw new EnerchainError('peer', 'link.certificate', 'it is not another certificate of this centre');
    }
    if (Buffer.compare(renewed.kid, before.kid) !== 0) {
      this.#centre = renewed;
      this.#centreBefore = before;
      this.#options.onCentre?.(renewed);
    }
    return null;
  }

  #welcomed(connection: Connection, welcome: Welcome): void {
    const { store } = this.#options;
    const identity = this.#identity;
    const now = new Date(toMillis(this.#clock.now()));
    const centre = checkedCertificate(welcome.certificate, identity.caPem, now);
    if (centre.holder.role !== 'centre') {
      throw new EnerchainError('peer', 'link.protocol', `${centre.holder.role} ${centre.holder.name} is not a centre`);
    }
    // Whoever has copied the key of its connections can stand in for a centre, and must not command.
    if (!maySign(centre)) {
      const text = `the key that ${centre.holder.name} names for commands makes connections only, or signs evidence only`;
      throw new EnerchainError('peer', 'link.protocol', text);
    }
    this.#centre = centre;
    this.#centreBefore = undefined;
    this.#cancelWelcome();
    this.counters.connections++;
    this.#welcomedAt = this.#clock.monotonic();
    const ownChain = this.#options.source === undefined || this.#options.source === identity.name;
    const schedule = new SendSchedule(store, welcome, ownChain);
    const written = store.position()?.epoch ?? -1;
    const highest = Math.max(welcome.completed, ...welcome.cursors.map(({ epoch }) => epoch));
    this.#setState('online');
    if (ownChain && (highest > written || schedule.blocked.size > 0)) {
      this.#options.onBehind?.({ epochs: [...schedule.blocked], highest });
    }
    this.#options.onWelcome?.(welcome);
    this.#schedule = schedule;
    if (this.#report) connection.send({ type: 'status', report: this.#report as unknown as CborValue });
    this.#pump();
  }

  /** Sends what may be sent now. */
  #pump(): void {
    const connection = this.#connection;
    const schedule = this.#schedule;
    if (!connection || !schedule || this.#cancelThrottle) return;
    while (!connection.ended && connection.buffered < BUFFER_MARK) {
      const wait = this.#throttle?.wait(this.#clock.monotonic()) ?? 0;
      if (wait > 0) {
        this.#cancelThrottle = this.#after(wait, () => {
          this.#cancelThrottle = undefined;
          this.#pump();
        });
        return;
      }
      const batch = schedule.next();
      if (!batch) return;
      this.#throttle?.take(batch.bytes.length);
      this.counters.batchesSent++;
      connection.send({ type: 'batch', bytes: batch.bytes });
    }
  }
}

type ConnectionSettings = ConstructorParameters<typeof Connection>[0];
const newConnection = (transport: ConnectionSettings['transport'], settings: Omit<ConnectionSettings, 'transport'>) =>
  new Connection({ transport, ...settings });
