/**
 * Reads what no report brings, in groups and at a bounded rate, one request at a time: a device that is slow is asked less
 * often, never more at once. Pure but for the timers it is given.
 */
import { type FunctionalConstraint, Iec61850Error } from '@enerchain/iec61850';
import { type Data, MmsRefusal } from '@enerchain/mms';
import { type After, describeError } from '@enerchain/model';

/** A data object under one constraint: its value, quality and time are read together. */
export interface PollItem {
  readonly reference: string;
  readonly fc: FunctionalConstraint;
  /** A setting changes seldom, and is read seldom. */
  readonly setting: boolean;
}

export interface PollOptions {
  /** Each a value or why there is none. Rejects with MmsRefusal when the request as a whole is refused. */
  readonly read: (items: readonly PollItem[]) => Promise<readonly (Data | Error)[]>;
  readonly take: (item: PollItem, data: Data) => void;
  /** @param gone the device says that there is no such thing */
  readonly failed: (item: PollItem, error: unknown, gone: boolean) => void;
  /** All items were asked for once; ms that it took. */
  readonly onRound: (milliseconds: number) => void;
  readonly after: After;
  /** Monotonic, ms. */
  readonly monotonic: () => number;
  /** Between two readings of a value and of a setting, ms. */
  readonly interval: number;
  readonly settingsInterval: number;
  readonly readsPerSecond: number;
}

/** Objects in one request, to begin with; halved for a device that refuses so many. */
const GROUP = 20;

interface Ring {
  readonly interval: number;
  items: readonly PollItem[];
  at: number;
  /** When this round began, and when the next one is due. */
  began: number;
  due: number;
}

export class Poller {
  readonly counters = { reads: 0, rounds: 0, refused: 0, late: 0 };
  readonly #options: PollOptions;
  readonly #rings: readonly [values: Ring, settings: Ring];
  #group = GROUP;
  #cancel: (() => void) | undefined;
  #reading = false;
  #settingsTurn = false;
  #stopped = true;
  #lastRead = Number.NEGATIVE_INFINITY;

  constructor(options: PollOptions) {
    this.#options = options;
    const ring = (interval: number): Ring => ({ interval, items: [], at: 0, began: 0, due: 0 });
    this.#rings = [ring(options.interval), ring(options.settingsInterval)];
  }

  get size(): number {
    return this.#rings.reduce((sum, { items }) => sum + items.length, 0);
  }

  /** Begins anew with these items. */
  start(items: readonly PollItem[]): void {
    this.#stopped = false;
    const now = this.#options.monotonic();
    for (const [index, ring] of this.#rings.entries()) {
      ring.items = items.filter(({ setting }) => setting === (index === 1));
      ring.at = 0;
      ring.due = now;
    }
    this.#schedule();
  }

  stop(): void {
    this.#stopped = true;
    this.#cancel?.();
    this.#cancel = undefined;
    for (const ring of this.#rings) ring.items = [];
  }

  #schedule(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    if (this.#stopped || this.#reading) return;
    const next = this.#next();
    if (!next) return;
    const { readsPerSecond, monotonic, after } = this.#options;
    const at = Math.max(next.at > 0 ? 0 : next.due, this.#lastRead + 1000 / readsPerSecond);
    this.#cancel = after(Math.max(0, at - monotonic()), () => void this.#turn(next));
  }

  /** A round that has begun goes on; values before settings, but after each round of values settings have a turn. */
  #next(): Ring | undefined {
    const rings = (this.#settingsTurn ? this.#rings.toReversed() : this.#rings).filter(({ items }) => items.length > 0);
    const now = this.#options.monotonic();
    return rings.find(({ at, due }) => at > 0 || due <= now) ?? rings.sort((a, b) => a.due - b.due)[0];
  }

  async #turn(ring: Ring): Promise<void> {
    this.#cancel = undefined;
    const { monotonic, read, take, failed } = this.#options;
    const { items } = ring;
    const began = monotonic();
    if (ring.at === 0) ring.began = began;
    const group = items.slice(ring.at, ring.at + this.#group);
    this.#reading = true;
    this.#lastRead = began;
    this.counters.reads++;
    this.#settingsTurn = false;
    try {
      const results = await read(group);
      // Started anew meanwhile, or stopped: nobody waits for these any more.
      if (ring.items !== items) return;
      group.forEach((item, index) => {
        const result = results[index];
        if (result !== undefined && !(result instanceof Error)) take(item, result);
        else this.#failed(item, result);
      });
      ring.at += group.length;
    } catch (error) {
      if (ring.items !== items) return;
      if (error instanceof MmsRefusal && group.length > 1) {
        this.counters.refused++;
        this.#group = Math.max(1, group.length >> 1);
      } else {
        for (const item of group) failed(item, error, false);
        ring.at += group.length;
      }
    } finally {
      this.#reading = false;
      if (ring.items === items && ring.at >= items.length) this.#round(ring);
      this.#schedule();
    }
  }

  #failed(item: PollItem, error: Error | undefined): void {
    const code = error instanceof Iec61850Error ? error.code : '';
    const gone = code === 'access.non-existent' || code === 'access.undefined';
    this.#options.failed(item, error ?? new Error('the device left it out'), gone);
  }

  #round(ring: Ring): void {
    const now = this.#options.monotonic();
    const took = now - ring.began;
    ring.at = 0;
    ring.due = Math.max(ring.began + ring.interval, now);
    this.#settingsTurn = ring === this.#rings[0];
    if (ring !== this.#rings[0] && this.#rings[0].items.length > 0) return;
    this.counters.rounds++;
    if (took > ring.interval) this.counters.late++;
    this.#options.onRound(took);
  }
}

/** Why a value cannot be read, for a person. */
export const whyNot = ({ reference, fc }: PollItem, error: unknown): string =>
  `${reference} [${fc}]: ${describeError(error)}`;
