/** The link to the centre: live before backlog, resumed where the acknowledgement stands. */
import { CHANGED_METHOD } from '@enerchain/attestation';
import { LinkClient, type RequestHandler, type RequestOptions, type Welcome } from '@enerchain/link';
import { type Clock, describeError, EnerchainError, type SourceEvent, type SourceReport } from '@enerchain/model';
import { type CborValue, CommandGuard, type Identity, RENEW_EVERY, SESSION_METHOD } from '@enerchain/trust';
import type { Logger } from 'pino';
import type { Outbox } from '../outbox/outbox.ts';

export interface UplinkOptions {
  /** `wss://host:port` of the centre. */
  readonly url: string;
  readonly identity: Identity;
  readonly software: string;
  readonly outbox: Outbox;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly bytesPerSecond?: number;
  readonly reportSeconds: number;
  /** State of the edge, asked for at every interval. */
  readonly report: () => SourceReport;
  readonly onCommand: (bytes: Uint8Array) => void;
  /** Answers to requests of the centre, by method. */
  readonly answers: ReadonlyMap<string, RequestHandler>;
  /** Version of the list of operators that is held here. */
  readonly operators: () => number;
  /** The link stands, or stands no more. */
  readonly onConnected: (connected: boolean) => void;
  /** The centre does not know this source, or does not know its points any more. */
  readonly announce: () => void;
}

/** Batches of the present epoch that may wait before live data gets an epoch of its own. */
const BACKLOG = 8;
/** Epochs that may wait at the same time; the centre keeps 256 open. */
const MOST_EPOCHS = 64;
/** Milliseconds in which changes of state are gathered into one report. */
const SOON = 200;
/** Milliseconds after which a challenge that could not be told is drawn anew. */
const CHALLENGE_AGAIN = 5_000;
/** Rejections of the same batch after which its epoch is put on the chain anew behind a new announcement. */
const PATIENCE = 3;

export class Uplink {
  readonly guard: CommandGuard;
  readonly #options: UplinkOptions;
  readonly #client: LinkClient;
  readonly #rejections = new Map<string, number>();
  #greeted = false;
  #timer: NodeJS.Timeout | undefined;
  #soon: NodeJS.Timeout | undefined;
  #renewal: NodeJS.Timeout | undefined;

  constructor(options: UplinkOptions) {
    this.#options = options;
    const { identity, outbox, clock, logger, bytesPerSecond } = options;
    this.#client = new LinkClient({
      url: options.url,
      identity,
      software: options.software,
      store: outbox.outgoing,
      clock,
      ...(bytesPerSecond === undefined ? {} : { throttle: { bytesPerSecond } }),
      onCommand: options.onCommand,
      onRequest: (method, params, context) => {
        const answer = options.answers.get(method);
        if (answer) return answer(method, params, context);
        throw new EnerchainError('unsupported', 'link.method', `requests '${method}' are not answered here`);
      },
      onState: (state, reason) => {
        options.onConnected(state === 'online');
        if (state === 'online') logger.info('connected to the centre');
        else if (state === 'waiting') {
          this.guard.newSession();
          clearTimeout(this.#renewal);
          outbox.outgoing.linkLost();
          logger.warn({ reason }, 'not connected to the centre; the outbox keeps what comes');
        }
      },
      onWelcome: (welcome) => this.#welcomed(welcome),
      onBehind: ({ epochs, highest }) => this.#behind(epochs, highest),
      onReject: (rejection) => this.#rejected(rejection),
    });
    this.guard = new CommandGuard({
      source: identity.name,
      clock,
      keyOf: this.#client.centreKeyOf,
    });
    this.guard.onStale = () => this.challenge();
    outbox.outgoing.onSendable = ({ epoch, sequence, bytes }) => {
      if (this.#client.credit > bytes.length) outbox.outgoing.markSent(epoch, sequence);
      this.#client.send({ epoch, sequence, bytes });
    };
  }

  get connected(): boolean {
    return this.#client.state === 'online';
  }

  /** Public key of the centre by key identifier, as of the last welcome. */
  get centreKeyOf(): LinkClient['centreKeyOf'] {
    return this.#client.centreKeyOf;
  }

  /** Counters of the link, with the prefix `link.`. */
  get counters(): Record<string, number> {
    return Object.fromEntries(Object.entries(this.#client.counters).map(([name, value]) => [`link.${name}`, value]));
  }

  /** The certificate was renewed, perhaps for another key. */
  renewed(identity: Identity): void {
    this.#options.outbox.renewed(identity);
    this.#client.renewed(identity);
  }

  start(): void {
    this.#client.start();
    this.report();
    this.#timer = setInterval(() => this.report(), this.#options.reportSeconds * 1000);
  }

  /** Sends the state of the edge now. */
  report(): void {
    try {
      this.#client.status(this.#options.report());
    } catch (error) {
      this.#options.logger.error({ error: describeError(error) }, 'the status could not be reported');
    }
  }

  /** Sends the state of the edge in a moment: something has changed that commands depend on. */
  reportSoon(): void {
    this.#soon ??= setTimeout(() => {
      this.#soon = undefined;
      this.report();
    }, SOON);
  }

  /** Draws a challenge, which the next commands must answer, and tells it to the centre; again in time by itself. */
  challenge(): void {
    clearTimeout(this.#renewal);
    if (!this.connected) return;
    const again = (delay: number) => {
      clearTimeout(this.#renewal);
      if (this.connected) this.#renewal = setTimeout(() => this.challenge(), delay);
    };
    again(RENEW_EVERY);
    const params = { challenge: this.guard.challenge(), operators: this.#options.operators() };
    this.#client.request(SESSION_METHOD, params).catch((error: unknown) => {
      this.#options.logger.warn({ error: describeError(error) }, 'the centre does not take challenges: no commands');
      again(CHALLENGE_AGAIN);
    });
  }

  /** Something that is attested here has changed: the centre shall look at once. It looks each period anyway. */
  attestationChanged(): void {
    if (!this.connected) return;
    this.#client.request(CHANGED_METHOD, {}).catch((error: unknown) => {
      this.#options.logger.debug({ error: describeError(error) }, 'the centre was not told of a changed measurement');
    });
  }

  /** Asks the centre. @throws EnerchainError `link.closed` (fault environment) while it is not connected, or what it answers */
  async request(method: string, params: CborValue, options?: RequestOptions): Promise<CborValue> {
    return this.#client.request(method, params, options);
  }

  /** Resolves when so many bytes of an answer may go without holding a batch up. @throws EnerchainError as `LinkClient.spare` */
  spare(bytes: number, signal: AbortSignal): Promise<void> {
    return this.#client.spare(bytes, signal);
  }

  /** What both ends of the connection to the centre know. @throws EnerchainError (fault environment) while there is none */
  exporter(): Uint8Array {
    return this.#client.exporter();
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    clearTimeout(this.#soon);
    clearTimeout(this.#renewal);
    this.#options.outbox.outgoing.onSendable = undefined;
    await this.#client.close();
  }

  /** Waits until everything in the outbox is acknowledged, but no longer than this. */
  async drain(milliseconds: number): Promise<void> {
    const deadline = this.#options.clock.monotonic() + milliseconds;
    while (
      this.connected &&
      this.#options.outbox.outgoing.epochs().length > 0 &&
      this.#options.clock.monotonic() < deadline
    ) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  #welcomed(welcome: Welcome): void {
    const { outbox } = this.#options;
    this.guard.newSession();
    this.challenge();
    // A centre that knows nothing of us (a new one, or one that has lost its log) needs the announcement first of all.
    // What this run announced at its start still waits when the first welcome comes.
    if (this.#greeted && welcome.completed < 0 && welcome.cursors.length === 0) this.#options.announce();
    this.#greeted = true;
    const epochs = outbox.outgoing.epochs();
    const live = epochs.at(-1);
    if (live?.epoch !== outbox.epoch || live.last - live.first < BACKLOG) return;
    // A link that flaps must not open more epochs than the centre keeps open for one source.
    if (epochs.length >= MOST_EPOCHS) return;
    outbox.newEpoch();
    // The backlog may hold an announcement that live values, which overtake it, rely on.
    this.#options.announce();
  }

  #behind(epochs: readonly number[], highest: number): void {
    const { outbox, logger, announce } = this.#options;
    const detail = `the centre has batches up to epoch ${highest} that this outbox does not know; it was restored or replaced`;
    logger.error({ epochs, highest }, detail);
    outbox.newEpoch(highest + 1);
    void outbox.writeSourceEvents([this.#event('security', 'edge.outbox.behind', detail)]);
    announce();
    void outbox.chainAnew(epochs);
  }

  /**
   * The centre refused a batch and takes nothing more of its epoch. Live data goes on in a new one behind a new
   * announcement; the rest comes again with the next connection, and is put on the chain anew if it is refused again.
   */
  #rejected(rejection: {
    readonly epoch: number;
    readonly sequence: number;
    readonly code: string;
    readonly text: string;
  }): void {
    const { outbox, logger, announce } = this.#options;
    const { epoch, sequence, code, text } = rejection;
    logger.error(rejection, 'the centre refused a batch');
    void outbox.writeSourceEvents([this.#event('security', code, `batch ${epoch}/${sequence} refused: ${text}`)]);
    if (epoch === outbox.epoch) {
      outbox.newEpoch();
      announce();
    }
    const key = `${epoch}/${sequence}`;
    const count = (this.#rejections.get(key) ?? 0) + 1;
    if (this.#rejections.size > 100) this.#rejections.clear();
    this.#rejections.set(key, count);
    if (count >= PATIENCE) void outbox.giveUp(epoch, sequence, text);
  }

  #event(kind: SourceEvent['kind'], code: string, detail: string): SourceEvent {
    return { kind, at: String(this.#options.clock.now()), code: code.slice(0, 100), detail: detail.slice(0, 1000) };
  }
}
