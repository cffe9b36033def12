/**
 * The live stream (server-sent events, WHATWG HTML § 9.2): what is numbered is complete and resumes by `Last-Event-ID`,
 * values may coalesce. Each delta of values is serialised once, however many clients there are.
 */
import { type Clock, EnerchainError, type Mrid, type UtcNanos } from '@enerchain/model';
import type { Journal, Message } from '../events/journal.ts';
import type { LiveState, LiveValue, LogReader, NodeTrust, SourceStatus, Sources } from '../ports.ts';
import { nodeJson } from '../trust/json.ts';
import type { TrustKeeper } from '../trust/keeper.ts';
import { StreamClient, type StreamSocket, type StreamSupply } from './client.ts';
import { sourceStatusJson } from './sources.ts';
import { liveValueJson } from './values.ts';

export interface StreamLimits {
  readonly clients: number;
  /** Milliseconds after which a client that takes nothing is dropped. */
  readonly stalled: number;
  readonly ping: number;
  /** The states of one source go out at most once in so many milliseconds. */
  readonly sourceInterval: number;
  /** How often it is looked for nodes whose term was renewed, in milliseconds; a change of their state goes out at once. */
  readonly trustInterval: number;
  /** A client further behind than this many messages gets a reset. */
  readonly behind: number;
}

export const STREAM_LIMITS: StreamLimits = {
  clients: 500,
  stalled: 30_000,
  ping: 5_000,
  sourceInterval: 1_000,
  trustInterval: 1_000,
  behind: 1_000_000,
};

export interface StreamHubOptions {
  readonly journal: Pick<Journal, 'instance' | 'lastId' | 'after' | 'resumable' | 'onMessages'>;
  readonly log: Pick<LogReader, 'bounds'>;
  readonly live: LiveState;
  readonly sources: Sources;
  readonly clock: Clock;
  readonly trust?:
    | Pick<TrustKeeper, 'all' | 'state' | 'trustOf' | 'onChange' | 'onValueTrust' | 'certifiedOriginOf'>
    | undefined;
  readonly limits?: Partial<StreamLimits>;
}

export interface StreamRequest {
  readonly points: ReadonlySet<Mrid> | undefined;
  readonly lastEventId: string | undefined;
  readonly audit: boolean;
  readonly valid: () => boolean;
}

/** Stands for the nodes of the system among the names of sources, which never begin so. */
const TRUST = '\u0000trust';

/** Values in one message. */
const VALUES_PER_MESSAGE = 1_000;

export class StreamHub {
  readonly #options: StreamHubOptions;
  readonly #limits: StreamLimits;
  readonly #clients = new Set<StreamClient>();
  readonly #supply: StreamSupply;
  readonly #unsubscribe: (() => void)[];
  readonly #ping: NodeJS.Timeout;
  readonly #sourcesDue = new Map<string, SourceStatus>();
  #sourceTimer: NodeJS.Timeout | undefined;
  readonly #trustTimer: NodeJS.Timeout | undefined;
  /** Each node as it was told last. */
  readonly #trustTold = new Map<string, string>();
  #instance: string;
  readonly counters = { connected: 0, dropped: 0, resumed: 0, resets: 0, deltas: 0, values: 0 };

  constructor(options: StreamHubOptions) {
    this.#options = options;
    this.#limits = { ...STREAM_LIMITS, ...options.limits };
    const { journal, live, sources, clock, trust } = options;
    this.#instance = journal.instance;
    this.#supply = {
      messages: (after, limit) => journal.after(after, limit),
      values: (points, snapshot) => this.#valueFrames(points, snapshot),
      source: (name) => {
        if (name === TRUST) return trust && this.#trustFrame(trust.all());
        const status = sources.status().find(({ source }) => source === name);
        return status && frame('source', JSON.stringify(sourceStatusJson(status)));
      },
      frame: (message) => this.#messageFrame(message),
      now: () => clock.monotonic(),
    };
    this.#unsubscribe = [
      journal.onMessages(() => {
        if (journal.instance !== this.#instance) this.#beganAnew();
        for (const client of this.#clients) client.notify();
      }),
      live.onChange((changed) => this.#onValues(changed)),
      sources.onChange((status) => this.#onSource(status)),
      ...(trust
        ? [
            trust.onChange(() => this.#tellTrust()),
            trust.onValueTrust((source, from) => this.#onValueTrust(source, from)),
          ]
        : []),
    ];
    this.#ping = setInterval(() => this.#onPing(), this.#limits.ping);
    this.#ping.unref();
    // A renewed term is no change of state, and those who watch it count down have to hear of it nevertheless.
    if (trust) this.#trustTimer = setInterval(() => this.#tellTrust(), this.#limits.trustInterval).unref();
  }

  get size(): number {
    return this.#clients.size;
  }

  /**
   * Serves a connection until it ends.
   * @throws EnerchainError `centre.stream.full`
   */
  async serve(socket: StreamSocket, request: StreamRequest): Promise<void> {
    this.ensureRoom();
    const { journal, log, sources } = this.#options;
    const { first, next } = log.bounds();
    const hello = { instance: journal.instance, first, next, serverTime: new Date().toISOString() };
    const { cursor, reset } = this.#position(request.lastEventId);
    const greeting = ['retry: 1000\n\n'];
    // A client that resumes keeps its own number until it has caught up; a new one gets a place to resume from.
    const fresh = request.lastEventId === undefined || reset !== undefined;
    greeting.push(frame('hello', JSON.stringify(hello), fresh ? this.#idOf(cursor) : undefined));
    if (reset) greeting.push(frame('reset', JSON.stringify({ reason: reset }), this.#idOf(cursor)));
    for (const status of sources.status()) greeting.push(frame('source', JSON.stringify(sourceStatusJson(status))));
    const { trust } = this.#options;
    if (trust) greeting.push(this.#trustFrame(trust.all()));
    const { points, audit, valid } = request;
    const client = new StreamClient({ socket, points, cursor, audit, valid }, this.#supply);
    this.#clients.add(client);
    this.counters.connected++;
    if (request.lastEventId !== undefined) this.counters[reset ? 'resets' : 'resumed']++;
    try {
      await client.run(greeting);
    } finally {
      this.#clients.delete(client);
      client.drop();
    }
  }

  /** @throws EnerchainError `centre.stream.full` */
  ensureRoom(): void {
    if (this.#clients.size < this.#limits.clients) return;
    throw new EnerchainError(
      'environment',
      'centre.stream.full',
      `${this.#limits.clients} clients are connected to the stream; this one was not taken. Close other displays.`,
    );
  }

  close(): void {
    clearInterval(this.#ping);
    clearTimeout(this.#sourceTimer);
    clearInterval(this.#trustTimer);
    for (const unsubscribe of this.#unsubscribe) unsubscribe();
    for (const client of this.#clients) client.end();
  }

  /** The numbers that the clients have seen are void; when they come again they are told so. */
  #beganAnew(): void {
    this.#instance = this.#options.journal.instance;
    for (const client of this.#clients) client.end();
  }

  #position(lastEventId: string | undefined): { cursor: number; reset?: string } {
    const { journal } = this.#options;
    const cursor = journal.lastId;
    if (lastEventId === undefined) return { cursor };
    const [, instance, number] = /^([0-9a-f-]{36}):(-?\d{1,16})$/.exec(lastEventId) ?? [];
    if (instance === undefined) return { cursor, reset: 'The number of the last message cannot be read.' };
    const after = Number(number);
    const reset = journal.resumable(instance, after);
    return reset ? { cursor, reset } : { cursor: after };
  }

  #idOf(id: number): string {
    return `${this.#options.journal.instance}:${id}`;
  }

  #messageFrame({ id, stream, body }: Message): string {
    return frame(stream, body, this.#idOf(id));
  }

  *#valueFrames(points: Iterable<Mrid> | undefined, snapshot: boolean): Iterable<string> {
    const { live } = this.#options;
    let first = snapshot;
    let lot: string[] = [];
    const flush = () => {
      const text = valuesFrame(lot, first);
      first = false;
      lot = [];
      return text;
    };
    const values = points === undefined ? [...live.all()] : [...points].map((point) => live.get(point));
    for (const value of values) {
      if (!value) continue;
      lot.push(JSON.stringify(liveValueJson(value, this.#options.trust)));
      if (lot.length === VALUES_PER_MESSAGE) yield flush();
    }
    if (lot.length > 0 || first) yield flush();
  }

  #onValues(changed: readonly LiveValue[]): void {
    if (this.#clients.size === 0 || changed.length === 0) return;
    this.counters.deltas++;
    this.counters.values += changed.length;
    const mRIDs = changed.map(({ point }) => point);
    const texts = changed.map((value) => JSON.stringify(liveValueJson(value, this.#options.trust)));
    let all: Uint8Array[] | undefined;
    for (const client of this.#clients) {
      const { points } = client;
      if (points === undefined) {
        all ??= framesOf(texts).map((text) => Buffer.from(text));
        client.delta(mRIDs, all);
        continue;
      }
      const indexes = mRIDs.flatMap((mRID, index) => (points.has(mRID) ? [index] : []));
      if (indexes.length === 0) continue;
      client.delta(
        indexes.map((index) => mRIDs[index] as Mrid),
        framesOf(indexes.map((index) => texts[index] as string)),
      );
    }
  }

  #trustText(node: NodeTrust): string {
    const { trust, clock } = this.#options;
    return JSON.stringify(nodeJson(trust!, node, clock.now()));
  }

  #trustFrame(nodes: readonly NodeTrust[]): string {
    return frame('trust', `[${nodes.map((node) => this.#trustText(node)).join(',')}]`);
  }

  /** Sends the nodes that are not as they were told last. */
  #tellTrust(): void {
    const { trust } = this.#options;
    if (!trust || this.#clients.size === 0) return;
    const texts: string[] = [];
    for (const node of trust.all()) {
      const text = this.#trustText(node);
      if (this.#trustTold.get(node.node) === text) continue;
      this.#trustTold.set(node.node, text);
      texts.push(text);
    }
    if (texts.length === 0) return;
    const told = frame('trust', `[${texts.join(',')}]`);
    for (const client of this.#clients) client.source(TRUST, told);
  }

  /** What came from a source since then is the same, and has another trust. */
  #onValueTrust(source: string, from: UtcNanos): void {
    if (this.#clients.size === 0) return;
    const again: LiveValue[] = [];
    for (const value of this.#options.live.all()) {
      if (value.source === source && value.receiveTime >= from) again.push(value);
    }
    this.#onValues(again);
  }

  #onSource(status: SourceStatus): void {
    this.#sourcesDue.set(status.source, status);
    this.#sourceTimer ??= setTimeout(() => {
      this.#sourceTimer = undefined;
      for (const [name, due] of this.#sourcesDue) {
        const text = frame('source', JSON.stringify(sourceStatusJson(due)));
        for (const client of this.#clients) client.source(name, text);
      }
      this.#sourcesDue.clear();
    }, this.#limits.sourceInterval).unref();
  }

  #onPing(): void {
    const now = this.#options.clock.monotonic();
    const text = frame('ping', JSON.stringify({ serverTime: new Date().toISOString() }));
    for (const client of this.#clients) {
      if (client.blockedFor(now) > this.#limits.stalled) {
        this.counters.dropped++;
        client.drop();
      } else if (!client.valid) client.end();
      else client.ping(text);
    }
  }
}

function framesOf(texts: readonly string[]): string[] {
  const frames: string[] = [];
  for (let at = 0; at < texts.length; at += VALUES_PER_MESSAGE)
    frames.push(valuesFrame(texts.slice(at, at + VALUES_PER_MESSAGE), false));
  return frames;
}

const valuesFrame = (texts: readonly string[], snapshot: boolean): string =>
  frame('values', `{"values":[${texts.join(',')}]${snapshot ? ',"snapshot":true' : ''}}`);

/** JSON has no line breaks of its own, so one `data:` line is enough. */
function frame(event: string, data: string, id?: string): string {
  return `event: ${event}\n${id === undefined ? '' : `id: ${id}\n`}data: ${data}\n\n`;
}
