/** One neighbour: its connection, its cycle of questions, what waits to be said to it, and how much it may cost us. */
import type { Channel } from '../channel.ts';
import { encodeTcnMessage, type Passing, STATEMENTS_BYTES, type TcnMessage } from '../message.ts';
import { CYCLE_DOWN, type CycleState } from './cycle.ts';
import { Bucket, type Rate, type Rates, TCN_LIMITS } from './limits.ts';
import { type Standing, standingKey } from './standing.ts';

/** A question under way. */
export interface Question {
  readonly id: number;
  readonly binding: Uint8Array;
  /** All of the logs were asked for, so that others can appraise the evidence too. */
  readonly whole: boolean;
}

export interface NeighbourCounters {
  challenges: number;
  answers: number;
  missed: number;
  sentBytes: number;
  receivedBytes: number;
  /** Challenges of the neighbour that were refused as too many. */
  refusedChallenges: number;
  droppedStatements: number;
}

/** Statements in one message. */
const PER_MESSAGE = 16;

export class Neighbour {
  readonly name: string;
  readonly counters: NeighbourCounters = {
    challenges: 0,
    answers: 0,
    missed: 0,
    sentBytes: 0,
    receivedBytes: 0,
    refusedChallenges: 0,
    droppedStatements: 0,
  };
  cycle: CycleState = CYCLE_DOWN;
  question: Question | undefined;
  /** The next question asks for all of the logs. */
  whole = true;
  /** When all of the logs were asked for last, monotonic. */
  wholeAt = Number.NEGATIVE_INFINITY;
  /** When people were told of a second device under its name, monotonic. */
  twinsTold = Number.NEGATIVE_INFINITY;
  /** Its logs are so long that only what is new in them is asked for. */
  large = false;
  channel: Channel | undefined;
  cancelWake: (() => void) | undefined;
  /** Times at which another connection came under its name, monotonic. */
  readonly rivals: number[] = [];
  /** From where a second connection came that was turned away, until the first one has shown that it lives. */
  turnedAway: string | undefined;
  readonly buckets: { readonly [each in keyof Rates]: Bucket };
  readonly #queue = new Map<string, Passing & { readonly adverse: boolean }>();
  /** Statements whose signer is not known yet, by key identifier (hex). */
  readonly unverified = new Map<string, Passing[]>();
  cancelFlush: (() => void) | undefined;
  readonly #gossipRate: Rate;

  constructor(name: string, rates: Rates, now: number) {
    this.name = name;
    this.#gossipRate = rates.gossip;
    const bucket = (name: keyof Rates) => new Bucket(rates[name], now);
    this.buckets = {
      received: bucket('received'),
      challenges: bucket('challenges'),
      statements: bucket('statements'),
      gossip: bucket('gossip'),
      wants: bucket('wants'),
      changes: bucket('changes'),
    };
  }

  send(message: TcnMessage): void {
    const { channel } = this;
    if (!channel) return;
    // Answers always go: each was asked for, and the asker has one question under way.
    if (channel.buffered > TCN_LIMITS.buffered && message.type !== 'answer' && message.type !== 'challenge') return;
    const bytes = encodeTcnMessage(message);
    this.counters.sentBytes += bytes.length;
    channel.send(bytes);
  }

  /** Queues a statement; a newer one about the same takes the place of the one that waits. */
  queue(statement: Standing, ttl: number): void {
    if (!this.channel) return;
    const key = standingKey(statement.kind, statement.issuer, statement.node);
    this.#queue.delete(key);
    if (this.#queue.size >= TCN_LIMITS.queued) {
      if (!statement.adverse) return;
      const victim = [...this.#queue].find(([, { adverse }]) => !adverse)?.[0] ?? this.#queue.keys().next().value;
      this.#queue.delete(victim as string);
    }
    this.#queue.set(key, { ttl, bytes: statement.bytes, adverse: statement.adverse });
  }

  get waiting(): number {
    return this.#queue.size;
  }

  /** Sends what the bounds allow, the bad news first. @returns milliseconds until more may go; undefined when nothing waits */
  flush(now: number): number | undefined {
    if (!this.channel) this.#queue.clear();
    while (this.#queue.size > 0) {
      const entries = [...this.#queue];
      const ordered = [...entries.filter(([, each]) => each.adverse), ...entries.filter(([, each]) => !each.adverse)];
      const chosen: [string, Passing][] = [];
      let size = 8;
      for (const [key, each] of ordered.slice(0, PER_MESSAGE)) {
        if (chosen.length > 0 && size + each.bytes.length > STATEMENTS_BYTES) break;
        chosen.push([key, each]);
        size += each.bytes.length + 8;
      }
      // Bad news may go into debt by one burst; everything else waits for its turn.
      const wait = this.buckets.gossip.wait(now, size);
      const { perSecond, burst } = this.#gossipRate;
      if (wait > (ordered[0]?.[1].adverse ? (burst / perSecond) * 1000 : 0)) return wait;
      this.buckets.gossip.force(now, size);
      for (const [key] of chosen) this.#queue.delete(key);
      this.send({ type: 'statements', statements: chosen.map(([, { ttl, bytes }]) => ({ ttl, bytes })) });
    }
    return undefined;
  }

  /** Forgets what belonged to the connection. */
  down(): void {
    this.cancelWake?.();
    this.cancelWake = undefined;
    this.cancelFlush?.();
    this.cancelFlush = undefined;
    this.question = undefined;
    this.channel = undefined;
    this.turnedAway = undefined;
    this.#queue.clear();
    this.unverified.clear();
  }
}
