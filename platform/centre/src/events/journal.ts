/**
 * Reads the log by an offset of its own, derives events, alarms and command states, hands them to the stream at once
 * and to the database as fast as it takes them. With the database away it goes on until its bound, then waits: late,
 * never lossy.
 */
import { randomUUID } from 'node:crypto';
import { describeError, EnerchainError } from '@enerchain/model';
import type { Logger } from 'pino';
import type { AlarmJson } from '../alarms/book.ts';
import type { CommandJson } from '../commands/view.ts';
import type { LogReader } from '../ports.ts';
import { Derivation, type UnreachableDevice } from './derivation.ts';
import type { Checkpoint, JournalStore, StoredMessage, StoredRecord } from './journal-store.ts';
import { type Derived, offsetOfId, ROWS_PER_RECORD } from './rows.ts';

/** The part of the store that the journal needs; tests keep it in memory. */
export type JournalPersistence = Pick<JournalStore, 'load' | 'clear' | 'write' | 'messages'>;

/** Where a copy of the last checkpoint lies, for a start while the store is away. */
export interface CheckpointCopy {
  load(): Promise<Checkpoint | undefined>;
  save(checkpoint: Checkpoint): Promise<void>;
}

export interface JournalOptions {
  readonly log: LogReader;
  readonly store: JournalPersistence;
  /** Absent: a store that is away when the journal opens is a failure. */
  readonly copy?: CheckpointCopy;
  readonly logger: Logger;
  /** Milliseconds between checkpoints, and between attempts when the store fails. */
  readonly checkpointEvery?: number;
  readonly retryAfter?: number;
  /** Messages kept at hand for the stream. */
  readonly ringSize?: number;
}

/** A numbered message of the stream. */
export interface Message extends StoredMessage {}

const RING_SIZE = 20_000;
const CHECKPOINT_MILLIS = 10_000;
const RETRY_MILLIS = 1_000;
/** Rows written in one transaction. */
const WRITE_ROWS = 5_000;
/** Rows waiting for the database before the journal stops reading. */
const MAX_PENDING_ROWS = 200_000;

export class Journal {
  readonly #options: JournalOptions;
  /** Changes when the journal begins anew. */
  instance: string;
  #derivation: Derivation;
  readonly #stop = new AbortController();
  /** Ends the reading under way when the journal has to begin elsewhere. */
  #reread = new AbortController();
  /** Where this journal has begun, while it is unknown whether the store holds what lies before. */
  #unconfirmed: number | undefined;
  /** The site documents of the last checkpoint that had some. */
  #sites: Checkpoint['sites'];
  /** Numbered messages, oldest first; those not yet in the store are always here. */
  #ring: Message[] = [];
  /** Everything above this number is in the ring. */
  #ringAfter: number;
  #pending: (StoredRecord | Checkpoint)[] = [];
  #pendingRows = 0;
  /** Number of the last row that is in the store. */
  #storedId: number;
  #offset: number;
  #lastId: number;
  #sitesChanged = true;
  #checkpointAt: number;
  #wakeWriter: (() => void) | undefined;
  #roomFreed: (() => void) | undefined;
  readonly #waiters = new Set<{ readonly offset: number; readonly resolve: () => void }>();
  readonly #listeners = new Set<() => void>();
  /** Why the log cannot be read at present. */
  failure: string | undefined;
  #reading: Promise<void> | undefined;
  #writing: Promise<void> | undefined;
  readonly counters = { records: 0, recordsFailed: 0, rows: 0, writes: 0, writesFailed: 0 };

  private constructor(options: JournalOptions, checkpoint: Checkpoint | undefined, instance: string) {
    this.#options = options;
    this.instance = instance;
    this.#derivation = new Derivation(checkpoint?.sites, checkpoint?.state);
    this.#sites = checkpoint?.sites;
    this.#offset = checkpoint?.offset ?? options.log.bounds().first;
    this.#lastId = this.#ringAfter = this.#storedId = this.#offset * ROWS_PER_RECORD - 1;
    this.#checkpointAt = performance.now();
  }

  /**
   * Goes on where the last checkpoint stands; starts anew when that is not of this log. With the store away it begins at
   * the copy, and compares when the store is back.
   */
  static async open(options: JournalOptions): Promise<Journal> {
    const { store, copy, log, logger } = options;
    try {
      const checkpoint = await usable(options);
      const journal = new Journal(options, checkpoint, checkpoint?.instance ?? randomUUID());
      // From the first moment the store knows the instance under which numbers are given out.
      if (!checkpoint) await store.write([], journal.#checkpoint());
      return journal;
    } catch (error) {
      if (!copy || !(error instanceof EnerchainError) || error.fault !== 'environment') throw error;
      logger.warn('the journal goes on without its database; events and alarms of the past wait for it');
      const kept = await copy.load();
      const checkpoint = kept && kept.offset <= log.bounds().next ? kept : undefined;
      const journal = new Journal(options, checkpoint, checkpoint?.instance ?? randomUUID());
      journal.#unconfirmed = journal.#offset;
      return journal;
    }
  }

  start(): void {
    this.#reading = this.#read();
    this.#writing = this.#write();
  }

  /** Resolves when the record at `offset` has been derived (not: stored). */
  reached(offset: number, timeoutMillis = 5_000): Promise<boolean> {
    if (this.#offset > offset) return Promise.resolve(true);
    return new Promise((resolve) => {
      const waiter = {
        offset,
        resolve: () => {
          clearTimeout(timer);
          this.#waiters.delete(waiter);
          resolve(this.#offset > offset);
        },
      };
      const timer = setTimeout(waiter.resolve, timeoutMillis);
      this.#waiters.add(waiter);
    });
  }

  standingAlarms(): AlarmJson[] {
    return this.#derivation.alarms.standing();
  }

  alarm(id: number): AlarmJson | undefined {
    return this.#derivation.alarms.byId(id);
  }

  unreachableDevices(): Iterable<UnreachableDevice> {
    return this.#derivation.unreachableDevices();
  }

  openCommands(): CommandJson[] {
    return this.#derivation.openCommands();
  }

  /** The next record of the log that it will read. */
  get offset(): number {
    return this.#offset;
  }

  get pendingRows(): number {
    return this.#pendingRows;
  }

  get derivationCounters(): Derivation['counters'] {
    return this.#derivation.counters;
  }

  /** Number of the newest message. */
  get lastId(): number {
    return this.#lastId;
  }

  /**
   * The messages with a number above `after`, oldest first; empty when there are none yet.
   * @throws EnerchainError when they are only in the database and that is away
   */
  after(after: number, limit: number): readonly Message[] | Promise<readonly Message[]> {
    if (after >= this.#lastId) return [];
    if (after >= this.#ringAfter) return this.#ring.slice(this.#position(after), this.#position(after) + limit);
    return this.#fromStore(after, limit);
  }

  /**
   * Whether a client that has seen `after` can go on from there.
   * @returns undefined when it can; otherwise one sentence that says why not
   */
  resumable(instance: string, after: number): string | undefined {
    if (instance !== this.instance) return 'The journal of this centre has begun anew since.';
    if (after > this.#lastId)
      return 'The number lies in the future of this centre; its data was restored to an older state.';
    const { first } = this.#options.log.bounds();
    if (offsetOfId(after) + 1 < first) return 'The messages lie before the window of the ingest log.';
    return undefined;
  }

  /** Called after new messages have come in. Returns unsubscribe. */
  onMessages(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Stops reading and writes what is pending, for at most `patience` milliseconds. */
  async close(patience = 3_000): Promise<void> {
    this.#stop.abort();
    await this.#reading;
    if (this.#pending.length > 0 || this.counters.records > 0) this.#pending.push(this.#checkpoint());
    this.#wakeWriter?.();
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, patience);
    });
    await Promise.race([this.#writing, late]);
    clearTimeout(timer);
    this.#pending = [];
    this.#wakeWriter?.();
    for (const waiter of this.#waiters) waiter.resolve();
  }

  async #read(): Promise<void> {
    const { log, logger, retryAfter } = this.#options;
    const { signal } = this.#stop;
    while (!signal.aborted) {
      const reread = this.#reread.signal;
      try {
        for await (const entries of log.read(this.#offset, AbortSignal.any([signal, reread]))) {
          if (reread.aborted) break;
          this.failure = undefined;
          for (const entry of entries) this.#take(entry);
          if (this.#dueForCheckpoint()) this.#pending.push(this.#checkpoint());
          for (const waiter of this.#waiters) if (this.#offset > waiter.offset) waiter.resolve();
          for (const listener of this.#listeners) listener();
          this.#wakeWriter?.();
          while (this.#pendingRows > MAX_PENDING_ROWS && !signal.aborted && !reread.aborted) await this.#room();
        }
        if (!signal.aborted && !reread.aborted) await this.#pause(retryAfter ?? RETRY_MILLIS);
      } catch (error) {
        if (signal.aborted) return;
        if (reread.aborted) continue;
        this.failure = describeError(error);
        logger.error({ err: error }, 'the log could not be read for events and alarms; it is tried again');
        await this.#pause(retryAfter ?? RETRY_MILLIS);
      }
    }
  }

  #room(): Promise<void> {
    return new Promise((resolve) => {
      this.#roomFreed = resolve;
      this.#stop.signal.addEventListener('abort', () => resolve(), { once: true });
    });
  }

  #take(entry: Parameters<Derivation['apply']>[0]): void {
    let derived: Derived;
    try {
      derived = this.#derivation.apply(entry);
    } catch (error) {
      // A record that cannot be taken in must not stop all that follow; it stays in the log.
      this.counters.recordsFailed++;
      this.#options.logger.error(
        { err: error, offset: entry.offset },
        'a record of the log could not be derived and was left out',
      );
      derived = { rows: [], alarms: [], commands: [] };
    }
    this.#offset = entry.offset + 1;
    this.counters.records++;
    if (entry.content.kind === 'site') this.#sitesChanged = true;
    if (derived.rows.length === 0 && !derived.audit) return;
    this.counters.rows += derived.rows.length;
    for (const { id, stream, kind, body } of derived.rows) {
      this.#ring.push({ id, stream, kind, body });
      this.#lastId = id;
    }
    this.#pending.push({ ...derived, offset: entry.offset, at: entry.at });
    this.#pendingRows += derived.rows.length + 1;
    this.#trim();
  }

  /** Lets go of old messages, but never of one that is not in the store. */
  #trim(): void {
    const size = this.#options.ringSize ?? RING_SIZE;
    // In lots, so that not every record moves the array.
    if (this.#ring.length < size * 1.25) return;
    let drop = 0;
    while (this.#ring.length - drop > size && (this.#ring[drop] as Message).id <= this.#storedId) drop++;
    if (drop === 0) return;
    this.#ringAfter = (this.#ring[drop - 1] as Message).id;
    this.#ring = this.#ring.slice(drop);
  }

  #dueForCheckpoint(): boolean {
    const now = performance.now();
    if (!this.#sitesChanged && now - this.#checkpointAt < (this.#options.checkpointEvery ?? CHECKPOINT_MILLIS))
      return false;
    this.#checkpointAt = now;
    return true;
  }

  #checkpoint(): Checkpoint {
    const sites = this.#sitesChanged ? [...this.#derivation.sites()] : undefined;
    this.#sitesChanged = false;
    return {
      instance: this.instance,
      offset: this.#offset,
      // Taken now: it must be of this moment when it is written later.
      state: this.#derivation.state(),
      ...(sites ? { sites } : {}),
    };
  }

  async #write(): Promise<void> {
    for (;;) {
      if (this.#pending.length === 0) {
        if (this.#stop.signal.aborted) return;
        await new Promise<void>((resolve) => {
          this.#wakeWriter = resolve;
        });
        this.#wakeWriter = undefined;
        continue;
      }
      try {
        await this.#confirm();
      } catch (error) {
        if (await this.#failed(error)) return;
        continue;
      }
      const records: StoredRecord[] = [];
      let checkpoint: Checkpoint | undefined;
      let rows = 0;
      let taken = 0;
      for (const item of this.#pending) {
        if (rows >= WRITE_ROWS) break;
        taken++;
        if ('instance' in item) {
          checkpoint = item.sites || !checkpoint?.sites ? item : { ...item, sites: checkpoint.sites };
        } else {
          records.push(item);
          rows += item.rows.length + 1;
        }
      }
      try {
        await this.#options.store.write(records, checkpoint);
      } catch (error) {
        if (await this.#failed(error)) return;
        continue;
      }
      this.counters.writes++;
      if (checkpoint) await this.#keepCopy(checkpoint);
      this.#pending.splice(0, taken);
      this.#pendingRows -= rows;
      this.#storedId = Math.max(this.#storedId, records.at(-1)?.rows.at(-1)?.id ?? this.#storedId);
      this.#roomFreed?.();
    }
  }

  /** Counts a failure and waits a little. @returns true when the journal is closing and shall not try again */
  async #failed(error: unknown): Promise<boolean> {
    this.counters.writesFailed++;
    if (this.counters.writesFailed === 1 || this.counters.writesFailed % 60 === 0)
      this.#options.logger.warn(
        { err: error },
        'the journal could not be written; it is kept in memory and tried again',
      );
    if (this.#stop.signal.aborted) return true;
    await this.#pause(this.#options.retryAfter ?? RETRY_MILLIS);
    return false;
  }

  /**
   * The store is there for the first time: it must hold everything before the place where we began. If it does not (it
   * is another one, or was restored, or we had no copy), the journal begins anew where the store stands.
   */
  async #confirm(): Promise<void> {
    if (this.#unconfirmed === undefined) return;
    const { log, logger, store } = this.#options;
    const stored = await usable(this.#options);
    const fresh = !stored && this.#unconfirmed <= log.bounds().first;
    if (!fresh && !(stored?.instance === this.instance && stored.offset >= this.#unconfirmed)) {
      logger.warn(
        `the database stands at record ${stored?.offset ?? 0}, the journal began at ${this.#unconfirmed}: it begins anew`,
      );
      const from = new Journal(this.#options, stored, stored?.instance ?? randomUUID());
      this.instance = from.instance;
      this.#derivation = from.#derivation;
      this.#sites = from.#sites;
      this.#offset = from.#offset;
      this.#lastId = this.#ringAfter = this.#storedId = from.#lastId;
      this.#ring = [];
      this.#pending = [];
      this.#pendingRows = 0;
      this.#sitesChanged = true;
      const before = this.#reread;
      this.#reread = new AbortController();
      before.abort();
      this.#roomFreed?.();
    }
    if (!stored) await store.write([], this.#checkpoint());
    this.#unconfirmed = undefined;
    for (const listener of this.#listeners) listener();
  }

  /** After the store has it, so that the copy is never ahead. */
  async #keepCopy(checkpoint: Checkpoint): Promise<void> {
    const { copy, logger } = this.#options;
    this.#sites = checkpoint.sites ?? this.#sites;
    if (!copy) return;
    try {
      await copy.save({ ...checkpoint, sites: this.#sites ?? [] });
    } catch (error) {
      logger.warn(
        { err: error },
        'the copy of the journal could not be written; a start without the database reads more',
      );
    }
  }

  #pause(millis: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, millis);
      this.#stop.signal.addEventListener(
        'abort',
        () => {
          clearTimeout(timer);
          resolve();
        },
        { once: true },
      );
    });
  }

  /** Messages from the store, but none beyond what it is known to hold without holes. */
  async #fromStore(after: number, limit: number): Promise<readonly Message[]> {
    const ringAfter = this.#ringAfter;
    const messages = await this.#options.store.messages(after, limit);
    const complete = messages.filter(({ id }) => id <= ringAfter);
    // Nothing in the store between `after` and where the ring began: that is next, wherever it is by now.
    return complete.length > 0 ? complete : this.after(ringAfter, limit);
  }

  /** Index of the first message of the ring above `after`. */
  #position(after: number): number {
    let low = 0;
    let high = this.#ring.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#ring[middle] as Message).id > after) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}

/** The checkpoint of the store; nothing, and an empty store, when it is of another log. */
async function usable({ store, log, logger }: JournalOptions): Promise<Checkpoint | undefined> {
  const checkpoint = await store.load();
  if (!checkpoint || checkpoint.offset <= log.bounds().next) return checkpoint;
  logger.warn(
    `the journal has read ${checkpoint.offset} records, but the log has only ${log.bounds().next}: it is another log, and the journal begins anew`,
  );
  await store.clear();
  return undefined;
}
