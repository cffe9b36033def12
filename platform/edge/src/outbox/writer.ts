/**
 * From memory to disk: takes entries in order, puts them on the chain, and writes them in groups, each group in one
 * transaction. What is signed is written as it is, however often the disk refuses it; what belongs to an entry happens
 * once it is durable.
 */
import type { ChainPosition, Content } from '@enerchain/link';
import { describeError, type UtcNanos } from '@enerchain/model';
import type { Logger } from 'pino';
import type { ChainEnd } from './chain-end.ts';
import type { OutboxCounters } from './counters.ts';
import { type DiskBound, gapOf } from './disk-bound.ts';
import type { DroppedRun, StateChange, StoredBatch } from './records.ts';
import type { OutboxStore } from './store.ts';

/** Something on its way to the chain. */
export interface Entry {
  /** Absent: only `changes` and `until` are written. */
  readonly content: Content | undefined;
  /** Observations in it. */
  readonly count: number;
  /** Octets that it takes in memory and, about, on disk. */
  readonly bytes: number;
  /** Receive times of the first and the last observation. */
  readonly from: UtcNanos;
  readonly to: UtcNanos;
  readonly changes: readonly StateChange[];
  /** Everything that devices stamped before this moment stands in this entry or in an earlier one. */
  readonly until: UtcNanos;
  /** Called once it is durable. */
  readonly done?: (() => void) | undefined;
}

/** Batches that are signed but not yet on disk, with what belongs to them. */
interface Prepared {
  readonly batches: readonly StoredBatch[];
  readonly entries: readonly Entry[];
  readonly dropped: readonly DroppedRun[];
  readonly until: UtcNanos;
  readonly position: ChainPosition | undefined;
}

export interface WriterOptions {
  readonly store: OutboxStore;
  readonly chain: ChainEnd;
  readonly bound: DiskBound;
  readonly counters: OutboxCounters;
  readonly logger: Logger;
  /** Called after each transaction. */
  onWritten(): void;
}

/** Pauses between two tries to write, milliseconds; each doubles the one before. */
const RETRY_MINIMUM = 50;
const RETRY_MAXIMUM = 5_000;
/** Pause after a signature that could not be made, milliseconds. */
const SIGN_AGAIN = 1_000;
/** Entries that go into one transaction, at most. */
const GROUP = 64;

export class BatchWriter {
  readonly #options: WriterOptions;
  readonly #queue: Entry[] = [];
  #queuedBytes = 0;
  #prepared: Prepared | undefined;
  #pumping = false;
  /** The epoch that begins with the next group, when one was asked for. */
  #wanted: number | undefined;
  #retryDelay = 0;
  #wakeRetry: (() => void) | undefined;
  #failing = false;
  #closed = false;

  constructor(options: WriterOptions) {
    this.#options = options;
  }

  /** True while nothing waits. */
  get idle(): boolean {
    return !this.#pumping && this.#queue.length === 0;
  }

  /** True while writes fail. */
  get failing(): boolean {
    return this.#failing;
  }

  /** Octets that wait. */
  get bytes(): number {
    return this.#queuedBytes;
  }

  /** Ends the epoch before the next group. @param atLeast number of the new epoch at least */
  newEpoch(atLeast: number): void {
    this.#wanted = Math.max(atLeast, this.#wanted ?? 0);
  }

  enqueue(entry: Entry): void {
    this.#queue.push(entry);
    this.#queuedBytes += entry.bytes;
    this.#start();
  }

  /** Writes nothing any more, not even what waits. */
  close(): void {
    this.#closed = true;
    this.#wakeRetry?.();
  }

  #start(): void {
    if (!this.#pumping) void this.#pump();
  }

  async #pump(): Promise<void> {
    this.#pumping = true;
    try {
      while ((this.#queue.length > 0 || this.#prepared) && !this.#closed) {
        this.#prepared ??= await this.#prepare(this.#queue.splice(0, GROUP));
        if (await this.#commit(this.#prepared)) {
          const prepared = this.#prepared;
          this.#prepared = undefined;
          this.#finish(prepared);
        }
      }
    } catch (error) {
      // The key store is away. Nothing is released, and the next group tries again.
      this.#signingFailed(error);
    } finally {
      this.#pumping = false;
    }
    if (this.#queue.length > 0 && !this.#closed) setTimeout(() => this.#start(), SIGN_AGAIN).unref();
  }

  async #prepare(entries: Entry[]): Promise<Prepared> {
    const { chain, bound } = this.#options;
    const batches: StoredBatch[] = [];
    const done: Entry[] = [];
    const dropped: DroppedRun[] = [];
    try {
      if (this.#wanted !== undefined) {
        chain.newEpoch(this.#wanted);
        this.#wanted = undefined;
      }
      const overdue = bound.overdue(entries.reduce((sum, entry) => sum + entry.bytes, 0));
      // The gap record must reach the centre before the hole does: live data comes first, so it opens a new epoch.
      if (overdue.some((run) => run.epoch === chain.epoch)) chain.newEpoch();
      for (const run of overdue) await chain.sealBefore(run);
      for (const run of overdue) {
        batches.push(await chain.add({ kind: 'gap', gap: gapOf(run) }, { count: 1, from: run.from, to: run.to }));
        dropped.push(run);
      }
      while (entries.length > 0) {
        const entry = entries[0]!;
        if (entry.content) batches.push(await chain.add(entry.content, entry));
        done.push(entries.shift()!);
      }
    } catch (error) {
      this.#queue.unshift(...entries);
      if (done.length === 0 && batches.length === 0) throw error;
      this.#signingFailed(error);
    }
    return {
      batches,
      entries: done,
      dropped,
      until: done.reduce((until, entry) => (entry.until > until ? entry.until : until), 0n),
      position: chain.position,
    };
  }

  #signingFailed(error: unknown): void {
    const message = 'a batch could not be signed; it is tried again';
    this.#options.logger.error({ error: describeError(error) }, message);
  }

  /** @returns false when the disk did not take it; the next try comes after a pause */
  async #commit({ batches, entries, dropped, until, position }: Prepared): Promise<boolean> {
    const { store, counters, logger } = this.#options;
    try {
      store.commit({
        batches,
        dropped,
        changes: entries.flatMap((entry) => entry.changes),
        ...(until > 0n ? { committedUntil: until } : {}),
        position,
      });
    } catch (error) {
      counters.failedCommits++;
      if (!this.#failing) {
        logger.error(
          { error: describeError(error) },
          'the outbox could not be written; devices are not acknowledged and it is tried again',
        );
      }
      this.#failing = true;
      await this.#pause();
      return false;
    }
    if (this.#failing) logger.info('the outbox can be written again');
    this.#failing = false;
    this.#retryDelay = 0;
    return true;
  }

  async #pause(): Promise<void> {
    this.#retryDelay = Math.min(RETRY_MAXIMUM, Math.max(RETRY_MINIMUM, this.#retryDelay * 2));
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, this.#retryDelay);
      this.#wakeRetry = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#wakeRetry = undefined;
  }

  #finish({ batches, entries, dropped }: Prepared): void {
    const { chain, counters, onWritten } = this.#options;
    counters.commits++;
    for (const run of dropped) {
      counters.droppedBatches += run.last - run.first + 1;
      counters.droppedObservations += run.count;
      counters.gaps++;
    }
    for (const batch of batches) {
      counters.batches++;
      counters.bytes += batch.bytes.length;
    }
    for (const entry of entries) {
      this.#queuedBytes -= entry.bytes;
      counters.observations += entry.count;
      entry.done?.();
    }
    chain.written(batches, dropped);
    onWritten();
  }
}
