/**
 * A connection to a device that is kept for years: it comes back by itself, over whichever of the device's addresses answers,
 * restores data sets and reports, and says what may be missing meanwhile.
 */
import { type Clock, type Connect, systemClock } from '@enerchain/transport';
import { Iec61850Error } from '../error.ts';
import type { FunctionalConstraint } from '../scl/schema/ied.ts';
import { Backoff } from './backoff.ts';
import { type CheckDepth, checkDevice } from './check.ts';
import { Iec61850Client, type Iec61850ClientOptions } from './client.ts';
import { clockOf } from './device-clock.ts';
import type { DeviceClock, SessionGap } from './gaps.ts';
import { type KeepOptions, KeptSubscription, seconds } from './kept-subscription.ts';
import { ModelIndex } from './model-index.ts';
import type { ReceivedReport } from './reports.ts';

/** A way to the device: an address of one of its access points. */
export interface Way {
  /** For messages: `10.0.3.7:102`. */
  readonly name: string;
  readonly connect: Connect;
}

export interface SessionOptions {
  /** By preference: redundant access points. The one that worked last is tried first. */
  readonly ways: readonly Way[];
  /** What each association is made with. `keepAlive` is 10 000 where it is not given. */
  readonly client?: Omit<Iec61850ClientOptions, 'clock' | 'onClose' | 'onStray'>;
  /** With a model of the SCL file: how far the device is compared with it after each connection; what differs is a gap. Default: not at all. */
  readonly check?: CheckDepth;
  readonly clock?: Clock;
  /** 0 up to 1; for the jitter of the pauses. */
  readonly random?: () => number;
  /** Milliseconds for one way to be connected. Default 10 000. */
  readonly connectTimeout?: number;
  /** Milliseconds between two rounds over all ways, doubling from the first to the longest. Default 1 000 and 30 000. */
  readonly pause?: { readonly first: number; readonly longest: number };
  /**
   * What the session does not keep by itself: awaited with each association after its data sets and subscriptions, and again
   * from time to time while something is missing. Calls end with the association they were made in.
   * @returns what could not be had
   * @throws why the association is of no use; another one is made after a pause
   */
  readonly restore?: (client: Iec61850Client) => Promise<readonly Missing[]>;
  readonly onState?: (state: SessionState) => void;
  readonly onGap?: (gap: SessionGap) => void;
  /** Something unsolicited could not be understood, or belongs to nobody; it was dropped. */
  readonly onStray?: (text: string) => void;
}

/** What could not be restored, and why; it is tried again from time to time. */
export interface Missing {
  /** Reference of a control block or data set. */
  readonly what: string;
  readonly why: string;
}

/** Times are milliseconds since 1970. */
export type SessionState = { readonly since: number } & (
  | { readonly kind: 'connecting' /** Why there is no connection; undefined the first time. */; readonly why?: string }
  /** There is an association; data sets and reports are being restored. */
  | { readonly kind: 'restoring'; readonly way: string }
  /** Everything was restored but for what is missing. */
  | { readonly kind: 'up'; readonly way: string; readonly missing: readonly Missing[] }
  | { readonly kind: 'closed' }
);

export interface KeptDataSet {
  /** `BCU1CTRL/LLN0.Mine`, or `@Mine` for one that ends with the association. */
  readonly reference: string;
  readonly members: readonly { readonly reference: string; readonly fc: FunctionalConstraint }[];
}

const KEEP_ALIVE = 10_000;

export class Iec61850Session {
  readonly #options: SessionOptions;
  readonly #clock: Clock;
  readonly #backoff: Backoff;
  readonly #dataSets = new Map<string, KeptDataSet>();
  readonly #subscriptions = new Set<KeptSubscription>();
  readonly #closing = new AbortController();
  #ways: readonly Way[];
  #client: Iec61850Client | undefined;
  #state: SessionState;
  #running: Promise<void> | undefined;
  #deviceClock: DeviceClock | undefined;
  /** The association whose device has been compared with the model, and what was told last. */
  #checked: Iec61850Client | undefined;
  #told = '[]';
  /** When the device was last heard of the association before, milliseconds since 1970. */
  #lostAt: number | undefined;
  #restoring: Promise<unknown> = Promise.resolve();
  #cancelRetry: (() => void) | undefined;
  #giveUp: ((why: string) => void) | undefined;

  /** @throws Iec61850Error `session.ways` (caller) */
  constructor(options: SessionOptions) {
    if (options.ways.length === 0)
      throw new Iec61850Error('caller', 'session.ways', 'a session needs a way to its device');
    const { first = 1_000, longest = 30_000 } = options.pause ?? {};
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#backoff = new Backoff(first, longest, options.random ?? Math.random);
    this.#ways = options.ways;
    this.#state = { kind: 'connecting', since: this.#clock.now() };
  }

  get state(): SessionState {
    return this.#state;
  }

  /** The association there is; undefined while there is none. Another one after each cut: ask anew. */
  get client(): Iec61850Client | undefined {
    return this.#client;
  }

  /** @throws Iec61850Error `session.down` (environment) while there is no association; nothing was sent */
  use(): Iec61850Client {
    if (this.#client) return this.#client;
    const why = this.#state.kind === 'connecting' && this.#state.why ? `: ${this.#state.why}` : '';
    throw new Iec61850Error('environment', 'session.down', `no association with ${this.#ways[0]!.name}${why}`);
  }

  /** Begins to connect, once. What is to be kept is best said before. */
  start(): void {
    this.#running ??= this.#run();
  }

  /** Gives the association up and makes another one after a pause; nothing where there is none. @param why for the state */
  renew(why: string): void {
    this.#giveUp?.(why);
  }

  /** Ends it: nothing is called back any more but the state. */
  async close(): Promise<void> {
    this.#closing.abort();
    this.#cancelRetry?.();
    const client = this.#client;
    this.#client = undefined;
    await client?.close();
    await this.#running;
    this.#enter({ kind: 'closed', since: this.#clock.now() });
  }

  /** A data set that is created with each association where the device does not have it any more. @throws as `createDataSet`, at once where the session is up */
  async keepDataSet(dataSet: KeptDataSet): Promise<void> {
    this.#dataSets.set(dataSet.reference, dataSet);
    if (this.#client && this.#state.kind === 'up') await this.#restoreDataSet(this.#client, dataSet);
  }

  /** Reports that are kept. What stands in the way is told by `failure` and the state, and tried again. */
  subscribe(options: KeepOptions): KeptSubscription {
    const { model } = this.#options.client ?? {};
    const said = model && ModelIndex.of(model).reportBlock(options.blocks[0] ?? '');
    const subscription: KeptSubscription = new KeptSubscription(
      { ...said, ...options },
      {
        now: () => this.#clock.now(),
        gap: (gap) => this.#gap(gap),
        report: (report) => this.#heard(report),
        taken: (block) => [...this.#subscriptions].some((other) => other !== subscription && other.block === block),
        ended: (one) => void this.#subscriptions.delete(one),
        again: () => {
          if (this.#state.kind === 'up') this.#restore(this.#client, this.#state.way);
        },
      },
    );
    this.#subscriptions.add(subscription);
    if (this.#state.kind === 'up') this.#restore(this.#client, this.#state.way);
    return subscription;
  }

  async #run(): Promise<void> {
    const { signal } = this.#closing;
    while (!signal.aborted) {
      let why = '';
      let upFor = 0;
      for (const way of this.#ways) {
        if (signal.aborted) return;
        const began = this.#clock.monotonic();
        const attempt = await this.#live(way);
        why = attempt.why;
        if (!attempt.associated) continue;
        upFor = this.#clock.monotonic() - began;
        this.#ways = [way, ...this.#options.ways.filter((other) => other !== way)];
        break;
      }
      if (signal.aborted) return;
      // One that comes and goes at once is no better than one that does not come.
      if (upFor > this.#backoff.nominal) this.#backoff.reset();
      const pause = this.#backoff.next();
      this.#enter({ kind: 'connecting', since: this.#clock.now(), why });
      await this.#sleep(pause);
    }
  }

  /** One association from its beginning to its end. */
  async #live(way: Way): Promise<{ readonly associated: boolean; readonly why: string }> {
    const { connectTimeout = 10_000, client: own, onStray } = this.#options;
    const lost = Promise.withResolvers<string>();
    const { signal } = this.#closing;
    let client: Iec61850Client;
    let stop = (): void => {};
    try {
      const transport = await this.#connect(way, connectTimeout);
      stop = () => transport.destroy();
      signal.addEventListener('abort', stop, { once: true });
      client = await Iec61850Client.connect(transport, {
        keepAlive: KEEP_ALIVE,
        ...own,
        clock: this.#clock,
        onClose: (error) => lost.resolve(error?.message ?? 'the device has ended the association'),
        ...(onStray ? { onStray } : {}),
      });
    } catch (error) {
      return { associated: false, why: `${way.name}: ${messageOf(error)}` };
    } finally {
      signal.removeEventListener('abort', stop);
    }
    if (signal.aborted) {
      client.abort();
      return { associated: true, why: 'closed' };
    }
    this.#client = client;
    this.#giveUp = (reason) => {
      lost.resolve(reason);
      client.abort();
    };
    this.#enter({ kind: 'restoring', since: this.#clock.now(), way: way.name });
    const from = this.#lostAt;
    if (from !== undefined) {
      const to = this.#clock.now();
      this.#gap({ kind: 'connection-lost', from, to, text: `${way.name}: no association for ${seconds(from, to)}` });
    }
    this.#restore(client, way.name);
    const why = await lost.promise;
    this.#client = undefined;
    this.#giveUp = undefined;
    this.#cancelRetry?.();
    const heardAt = this.#clock.now() - (this.#clock.monotonic() - client.heardAt);
    this.#lostAt = heardAt;
    await this.#restoring;
    for (const subscription of this.#subscriptions) subscription.lost(heardAt);
    return { associated: true, why: `${way.name}: ${why}` };
  }

  async #connect(way: Way, timeout: number): ReturnType<Connect> {
    const controller = new AbortController();
    const abort = (): void => controller.abort(new Error('closed'));
    this.#closing.signal.addEventListener('abort', abort, { once: true });
    const cancel = this.#clock.schedule(timeout, () => controller.abort(new Error(`no connection in ${timeout} ms`)));
    try {
      return await way.connect(controller.signal);
    } finally {
      cancel();
      this.#closing.signal.removeEventListener('abort', abort);
    }
  }

  /** What is missing is restored, one after the other; what then is still missing is tried again after a pause. */
  #restore(client: Iec61850Client | undefined, way: string, pause = this.#options.pause?.first ?? 1_000): void {
    if (!client) return;
    this.#cancelRetry?.();
    this.#restoring = this.#restoring.then(async () => {
      const missing: Missing[] = [];
      const unchecked = await this.#checkModel(client);
      if (unchecked !== undefined) missing.push({ what: 'comparison with the SCL file', why: unchecked });
      for (const dataSet of this.#dataSets.values()) {
        if (this.#client !== client) return;
        const why = await this.#restoreDataSet(client, dataSet).catch(messageOf);
        if (why !== undefined) missing.push({ what: dataSet.reference, why });
      }
      // What is added meanwhile comes last.
      for (const subscription of this.#subscriptions) {
        if (this.#client !== client) return;
        if (subscription.block !== undefined || (await subscription.begin(client))) continue;
        missing.push({ what: subscription.name, why: subscription.failure ?? 'not known' });
      }
      if (this.#client !== client) return;
      try {
        missing.push(...((await this.#options.restore?.(client)) ?? []));
      } catch (error) {
        if (this.#client === client) this.renew(messageOf(error));
        return;
      }
      if (this.#client !== client) return;
      this.#enter({ kind: 'up', since: this.#clock.now(), way, missing });
      if (missing.length === 0) return;
      const longest = this.#options.pause?.longest ?? 30_000;
      this.#cancelRetry = this.#clock.schedule(pause, () => this.#restore(client, way, Math.min(pause * 2, longest)));
    });
  }

  /** Once for each association; what was told before is not told again. @returns why it could not be done */
  async #checkModel(client: Iec61850Client): Promise<string | undefined> {
    const { check, client: own } = this.#options;
    if (!check || !own?.model || this.#checked === client) return undefined;
    try {
      const differences = await checkDevice(client, own.model, check);
      this.#checked = client;
      const told = JSON.stringify(differences);
      if (told === this.#told) return undefined;
      this.#told = told;
      const text = `${own.model.ied.name}: the device differs from its SCL file in ${differences.length} places`;
      this.#gap({ kind: 'model', differences, text });
    } catch (error) {
      return messageOf(error);
    }
    return undefined;
  }

  /** Is there already, is created, or is created anew where its members are others. */
  async #restoreDataSet(client: Iec61850Client, { reference, members }: KeptDataSet): Promise<undefined> {
    const expected = members.map((member) => `${member.reference} [${member.fc}]`);
    const there = reference.startsWith('@')
      ? undefined
      : await client.dataSetMembers(reference).catch((error: unknown) => {
          if ((error as { code?: string }).code === 'service.access') return undefined;
          throw error;
        });
    if (there) {
      const actual = there.map((member) => `${member.reference} [${member.fc}]`);
      if (actual.join() === expected.join()) return;
      const text = `${reference} has other members than this session gave it; it is created anew`;
      this.#gap({ kind: 'data-set', block: reference, expected, actual, text });
      await client.deleteDataSet(reference);
    }
    await client.createDataSet(reference, members).catch((error: unknown) => {
      // Of the association, and kept for it a moment ago.
      if (!(reference.startsWith('@') && (error as { code?: string }).code === 'service.definition')) throw error;
    });
  }

  /** @returns when the time is over, or the session is closed */
  #sleep(millis: number): Promise<void> {
    const { signal } = this.#closing;
    return new Promise((resolve) => {
      const end = (): void => {
        cancel();
        signal.removeEventListener('abort', end);
        resolve();
      };
      const cancel = this.#clock.schedule(millis, end);
      signal.addEventListener('abort', end, { once: true });
    });
  }

  #heard(report: ReceivedReport): void {
    const seen = clockOf(report);
    if (!seen || seen.clock === (this.#deviceClock ?? 'synchronised')) return;
    this.#deviceClock = seen.clock;
    const text = `${seen.reference}: the clock that stamps it is ${seen.clock.replace('-', ' ')}`;
    this.#gap({ kind: 'clock', ...seen, text });
  }

  #gap(gap: SessionGap): void {
    if (!this.#closing.signal.aborted) this.#options.onGap?.(gap);
  }

  #enter(state: SessionState): void {
    this.#state = state;
    this.#options.onState?.(state);
  }
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
