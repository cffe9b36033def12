/**
 * The outbox: gathers observations into batches, puts them on the chain, makes them durable, and only then lets go of
 * what the devices wait for. Bounded on disk by size and age and in memory by size; what does not fit is said by a gap
 * record on the same chain.
 */
import {
  type BatchStore,
  batchToBytes,
  type ChainPosition,
  ChainWriter,
  type Content,
  contentOf,
  decodeBatch,
  type EpochRange,
  type StoredBatch as LinkBatch,
} from '@enerchain/link';
import {
  type Clock,
  type CommandEvent,
  describeError,
  type GapReason,
  type GapRecord,
  type Mrid,
  type SourceEvent,
  toIso,
  type UtcNanos,
} from '@enerchain/model';
import type { Signer } from '@enerchain/pki';
import type { Identity } from '@enerchain/trust';
import type { Logger } from 'pino';
import type { Receipt } from '../connector.ts';
import type { OutboxSettings } from '../site/site.ts';
import { Gatherer } from './gatherer.ts';
import { isIdentified } from './repeat-memory.ts';
import { Sealer, SLOW_KEY } from './sealer.ts';
import type { DroppedRun, OutboxStore, StateChange, StoredBatch } from './store.ts';
import { TransitLag } from './transit-lag.ts';

/** Each one grows only; shown in the status report. */
export interface OutboxCounters {
  /** Observations made durable. */
  observations: number;
  /** Batches made durable. */
  batches: number;
  /** Octets made durable. */
  bytes: number;
  /** Transactions. */
  commits: number;
  /** Writes that failed; each is tried again. */
  failedCommits: number;
  /** Batches dropped because the outbox reached its bound in size or age. */
  droppedBatches: number;
  droppedObservations: number;
  /** Observations that were not taken because the memory was full. */
  refusedObservations: number;
  /** Gap records written. */
  gaps: number;
  /** Receipts released to devices. */
  receipts: number;
}

/** Something on its way to the chain. */
interface Entry {
  readonly content: Content | undefined;
  readonly count: number;
  readonly bytes: number;
  readonly from: UtcNanos;
  readonly to: UtcNanos;
  readonly holds: readonly Receipt[];
  readonly changes: readonly StateChange[];
  /** Everything received before this moment stands in this entry or in an earlier one. */
  readonly until: UtcNanos;
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

export interface OutboxOptions {
  readonly store: OutboxStore;
  readonly settings: OutboxSettings;
  readonly source: string;
  readonly signer: Signer;
  readonly kid: Uint8Array;
  /** mRID of each slot. */
  readonly points: readonly Mrid[];
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Longest pause between two tries to write, milliseconds. */
const RETRY_MAXIMUM = 5_000;
/** Entries that go into one transaction, at most. */
const GROUP = 64;
/** How much more than necessary is dropped at the bound, so that not every batch needs a gap record of its own. */
const DROP_SHARE = 0.1;

export class Outbox implements BatchStore {
  /** How far behind the devices we hear them; where gaps begin. */
  readonly lag = new TransitLag();
  readonly counters: OutboxCounters = {
    observations: 0,
    batches: 0,
    bytes: 0,
    commits: 0,
    failedCommits: 0,
    droppedBatches: 0,
    droppedObservations: 0,
    refusedObservations: 0,
    gaps: 0,
    receipts: 0,
  };
  /** Called with every batch once it is durable, in the order of the chain. */
  onCommitted: ((batch: StoredBatch) => void) | undefined;
  /** Called when something can be sent: a batch that is durable and signed, with those before it. */
  onSendable: ((batch: Pick<StoredBatch, 'epoch' | 'sequence' | 'bytes'>) => void) | undefined;

  readonly #store: OutboxStore;
  readonly #settings: OutboxSettings;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #chain: ChainWriter;
  readonly #gatherer: Gatherer;
  #holds: Receipt[] = [];
  #turn = 0;
  #queue: Entry[] = [];
  #queuedBytes = 0;
  #prepared: Prepared | undefined;
  #pumping = false;
  #wanted: { epoch: number } | undefined;
  #timer: NodeJS.Timeout | undefined;
  #soon = false;
  #retryDelay = 0;
  #failing = false;
  #refused: { count: number; from: UtcNanos; to: UtcNanos; reason: GapReason; holds: Receipt[] } | undefined;
  #sent = new Map<number, number>();
  #wakeRetry: (() => void) | undefined;
  /** Whether several batches share a signature. */
  #slow: boolean;
  #sealer: Sealer | undefined;
  #closed = false;

  constructor(options: OutboxOptions) {
    this.#store = options.store;
    this.#settings = options.settings;
    this.#clock = options.clock;
    this.#logger = options.logger;
    this.#gatherer = new Gatherer(options.points);
    this.#chain = new ChainWriter({
      source: options.source,
      signer: options.signer,
      kid: options.kid,
      position: options.store.position(),
    });
    // Every run of the edge writes an epoch of its own. It is numbered by the clock, so that an outbox that was lost or
    // restored from a backup does not use numbers again under which the centre has something else.
    this.#chain.newEpoch(Number(options.clock.now() / 1_000_000_000n));
    this.#slow = isSlow(options.signer);
    this.#coverRest();
  }

  /** The key is slow: batches are written without a signature, and one covers several. */
  #shareSignatures(): Sealer {
    this.#sealer ??= new Sealer({
      seal: (batch) => this.#chain.seal(batch),
      replace: (batch) => this.#store.replace(batch.header.epoch, batch.header.sequence, batchToBytes(batch)),
      onSealed: ({ header: { epoch, sequence } }) => {
        const [stored] = this.#store.read(epoch, sequence, 1);
        if (stored?.sequence === sequence) this.onSendable?.({ epoch, sequence, bytes: stored.bytes });
      },
      logger: this.#logger,
    });
    return this.#sealer;
  }

  /** What an earlier run has written and nothing covers yet. */
  #coverRest(): void {
    for (const { epoch, first, last } of this.#store.epochs()) {
      const [stored] = this.#store.read(epoch, last, 1);
      if (!stored) continue;
      const batch = decodeBatch(stored.bytes);
      // Where the covered ones begin is not worth a search: all of them wait.
      if (batch.deferred) this.#shareSignatures().add(batch, first);
    }
  }

  /** The certificate was renewed, perhaps for another key: batches that are signed from now on name the new one. */
  renewed({ kid, signer }: Pick<Identity, 'kid' | 'signer'>): void {
    this.#slow = isSlow(signer);
    this.#chain.renewed(kid, signer);
  }

  /** Epoch in which the next batch will stand. */
  get epoch(): number {
    return this.#chain.epoch;
  }

  /** The turn in which receipts are being held; see `Intake.turn`. */
  get turn(): number {
    return this.#turn;
  }

  /** True while writes fail. */
  get failing(): boolean {
    return this.#failing;
  }

  /** Octets that wait in memory for the disk. */
  get memory(): number {
    return this.#queuedBytes + this.#gatherer.bytes;
  }

  /** True when observations are not taken at the moment. */
  get refusing(): boolean {
    return this.#refused !== undefined;
  }

  /** @returns false when it was not taken: memory is full, and a gap record will say so */
  add(
    slot: number,
    value: number | string | null,
    quality: number,
    sourceTime: UtcNanos,
    timeQuality: number,
    receiveTime: UtcNanos,
    cause: number,
  ): boolean {
    if (this.#refused) {
      this.#refused.count++;
      this.#refused.to = receiveTime;
      this.counters.refusedObservations++;
      return false;
    }
    const gatherer = this.#gatherer;
    gatherer.add(slot, value, quality, sourceTime, timeQuality, receiveTime, cause);
    if (isIdentified(timeQuality)) this.lag.note(sourceTime, receiveTime);
    if (gatherer.count === 1) this.#arm();
    if (gatherer.count >= this.#settings.batchCount) this.#closeBatch();
    return true;
  }

  hold(receipt: Receipt): void {
    if (this.#refused) this.#refused.holds.push(receipt);
    else if (this.#gatherer.count === 0 && this.#holds.length === 0 && !this.#pumping && this.#queue.length === 0) {
      this.#turn++;
      this.#release([receipt]);
    } else {
      if (this.#gatherer.count === 0) this.#arm();
      this.#holds.push(receipt);
    }
  }

  /** Closes the open batch after what is being read from the network at this moment has been added. */
  commitSoon(): void {
    if (this.#soon) return;
    this.#soon = true;
    setImmediate(() => {
      this.#soon = false;
      this.#closeBatch();
    });
  }

  /** Puts something else than observations on the chain, at once and behind everything added so far. */
  write(
    content: Exclude<Content, { kind: 'observations' }> | undefined,
    changes: readonly StateChange[] = [],
  ): Promise<void> {
    if (this.#closed) return Promise.resolve();
    this.#closeBatch();
    const now = this.#clock.now();
    return new Promise((done) => {
      this.#enqueue({
        content,
        count: 0,
        bytes: 1024,
        from: now,
        to: now,
        holds: [],
        changes,
        until: this.lag.before(now),
        done,
      });
    });
  }

  writeGap(gap: GapRecord, changes: readonly StateChange[] = []): Promise<void> {
    this.counters.gaps++;
    return this.write({ kind: 'gap', gap }, changes);
  }

  writeCommandEvents(events: readonly CommandEvent[]): Promise<void> {
    return this.write({ kind: 'commandEvents', events });
  }

  writeSourceEvents(events: readonly SourceEvent[], changes: readonly StateChange[] = []): Promise<void> {
    return this.write({ kind: 'sourceEvents', events }, changes);
  }

  /**
   * Puts what waits in these epochs on the chain anew, in the present epoch: the centre has something else under their
   * numbers, because our memory is older than what was sent before (a restored backup).
   */
  async chainAnew(epochs: readonly number[]): Promise<void> {
    for (const epoch of epochs) {
      for (;;) {
        const [next] = this.#store.read(epoch, 0, 1);
        if (!next || this.#closed) break;
        const content = contentOf(decodeBatch(next.bytes));
        const count = content.kind === 'observations' ? content.batch.count : 0;
        const now = this.#clock.now();
        const remove = { epoch, sequence: next.sequence };
        await new Promise<void>((done) => {
          const changes = [{ remove }];
          this.#enqueue({
            content,
            count,
            bytes: next.bytes.length,
            from: now,
            to: now,
            holds: [],
            changes,
            until: 0n,
            done,
          });
        });
      }
    }
  }

  /**
   * The centre refuses a batch for good: it is given up, a gap record says so, and what lay behind it in its epoch is put
   * on the chain anew.
   */
  async giveUp(epoch: number, sequence: number, why: string): Promise<void> {
    if (epoch === this.#chain.epoch) this.newEpoch();
    // From here on nothing more is written into that epoch.
    await this.write(undefined);
    const [refused, ...rest] = this.#store.runFrom(epoch, sequence);
    if (refused?.first !== sequence) return;
    const end = rest.at(-1) ?? refused;
    this.counters.droppedBatches++;
    this.counters.droppedObservations += refused.count;
    const gap: GapRecord = {
      ...overflowGap({ ...refused, last: end.last, lastHash: end.lastHash }),
      reason: 'outboxFailure',
      detail:
        `the centre refused batch ${epoch}/${sequence}: ${why}; what lay behind it follows in epoch ${this.epoch}`.slice(
          0,
          1000,
        ),
    };
    await this.writeGap(gap, [{ remove: { epoch, sequence } }]);
    await this.chainAnew([epoch]);
  }

  /** Ends the epoch, so that live data need not wait for a backlog. @param atLeast number of the new epoch at least */
  newEpoch(atLeast = 0): void {
    this.#wanted = { epoch: Math.max(atLeast, this.#wanted?.epoch ?? 0) };
  }

  // The store of batches as the link sees it (`BatchStore`).

  position(): { readonly epoch: number; readonly sequence: number } | undefined {
    return this.#store.position();
  }

  /**
   * Where batches were dropped, a younger epoch holds the gap record that explains the hole, so it has to go first: then
   * only the youngest epoch of the backlog is shown, and the older ones after it.
   */
  epochs(): readonly EpochRange[] {
    const all = this.#store.epochs();
    const epochs = this.#sealer && !this.#sealer.settled ? all.flatMap((range) => this.#sendable(range)) : all;
    return epochs.length > 2 && this.#store.holed ? epochs.slice(-2) : epochs;
  }

  read(epoch: number, from: number, limit: { readonly count: number; readonly bytes: number }): readonly LinkBatch[] {
    const until = this.#sealer?.limit(epoch) ?? Number.POSITIVE_INFINITY;
    const found = this.#store.read(epoch, from, limit.count, limit.bytes).filter(({ sequence }) => sequence <= until);
    const last = found.at(-1);
    if (last) this.markSent(epoch, last.sequence);
    return found;
  }

  /** Without what no signature covers yet. */
  #sendable(range: EpochRange): EpochRange[] {
    const last = Math.min(range.last, this.#sealer?.limit(range.epoch) ?? range.last);
    return last < range.first ? [] : [{ ...range, last }];
  }

  /** Batches up to here are on their way: they are not dropped while this connection stands. */
  markSent(epoch: number, sequence: number): void {
    if (sequence > (this.#sent.get(epoch) ?? -1)) this.#sent.set(epoch, sequence);
  }

  /** The connection to the centre is gone; nothing is on its way any more. */
  linkLost(): void {
    this.#sent = new Map();
  }

  acknowledge(epoch: number, sequence: number): void {
    this.#store.acknowledge(epoch, sequence);
  }

  /**
   * To be called every few seconds: applies the bound in age, and moves the moment up to which everything received is
   * on disk, so that a gap record after a crash does not claim more than was lost.
   */
  tick(): void {
    if (this.#closed || this.#pumping || this.#queue.length > 0) return;
    if (this.#gatherer.count > 0) {
      this.#closeBatch();
      return;
    }
    const now = this.#clock.now();
    this.#enqueue({
      content: undefined,
      count: 0,
      bytes: 0,
      from: now,
      to: now,
      holds: [],
      changes: [],
      until: this.lag.before(now),
    });
  }

  /** Commits what is open. @returns false when the disk did not take it within `milliseconds` */
  async flush(milliseconds = 5_000): Promise<boolean> {
    this.#closeBatch();
    const deadline = this.#clock.monotonic() + milliseconds;
    while (this.#pumping || this.#queue.length > 0 || this.#sealer?.settled === false) {
      if (this.#clock.monotonic() > deadline) return false;
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    return true;
  }

  /** Commits what is open and marks the file as closed in good order. */
  async close(changes: readonly StateChange[] = []): Promise<void> {
    if (this.#closed) return;
    void this.write(undefined, changes);
    const clean = await this.flush();
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#wakeRetry?.();
    await this.#sealer?.close();
    try {
      if (clean) {
        this.#store.commit({ batches: [], changes: [{ meta: { clean: '1' } }] });
      }
    } catch (error) {
      this.#logger.error({ error: describeError(error) }, 'the outbox could not be marked as closed');
    } finally {
      this.#store.close();
    }
  }

  #arm(): void {
    this.#timer ??= setTimeout(() => this.#closeBatch(), this.#settings.batchTime);
  }

  /** Hands the open batch over to be written. */
  #closeBatch(): void {
    if (this.#timer) {
      clearTimeout(this.#timer);
      this.#timer = undefined;
    }
    const gatherer = this.#gatherer;
    if (gatherer.count === 0 && this.#holds.length === 0) return;
    const { first, last, bytes, count } = gatherer;
    const holds = this.#holds;
    this.#holds = [];
    this.#turn++;
    this.#enqueue({
      content: count > 0 ? { kind: 'observations', batch: gatherer.build() } : undefined,
      count,
      bytes,
      from: first,
      to: last,
      holds,
      changes: [],
      until: this.lag.before(this.#clock.now()),
    });
  }

  #enqueue(entry: Entry): void {
    this.#queue.push(entry);
    this.#queuedBytes += entry.bytes;
    if (this.#queuedBytes > this.#settings.maxMemory && !this.#refused) {
      const now = this.#clock.now();
      const reason = this.#failing ? 'outboxFailure' : 'connectorOverflow';
      this.#refused = { count: 0, from: now, to: now, reason, holds: [] };
      this.#logger.error(
        { bytes: this.#queuedBytes, reason },
        'the memory of the outbox is full; observations are not taken until the disk follows',
      );
    }
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
      // Signing failed: the key store is away. Nothing is released, and the next batch tries again.
      this.#logger.error({ error: describeError(error) }, 'a batch could not be signed; it is tried again');
    } finally {
      this.#pumping = false;
    }
    if (this.#queue.length > 0 && !this.#closed) {
      setTimeout(() => {
        if (!this.#pumping) void this.#pump();
      }, 1_000).unref();
    }
  }

  /** Signs what is to be written. What is signed is written as it is, however often the disk refuses it. */
  async #prepare(entries: Entry[]): Promise<Prepared> {
    const batches: StoredBatch[] = [];
    const done: Entry[] = [];
    let dropped: DroppedRun[] = [];
    try {
      if (this.#wanted) {
        this.#chain.newEpoch(this.#wanted.epoch);
        this.#wanted = undefined;
      }
      const incoming = entries.reduce((sum, entry) => sum + entry.bytes, 0);
      dropped = this.#overdue(incoming);
      for (const run of dropped) await this.#sealBefore(run);
      for (const run of dropped)
        batches.push(await this.#sign({ kind: 'gap', gap: overflowGap(run) }, run.from, run.to, 1));
      while (entries.length > 0) {
        const entry = entries[0]!;
        if (entry.content) batches.push(await this.#sign(entry.content, entry.from, entry.to, entry.count));
        done.push(entries.shift()!);
      }
    } catch (error) {
      this.#queue.unshift(...entries);
      if (done.length === 0 && batches.length === 0) throw error;
      this.#logger.error({ error: describeError(error) }, 'a batch could not be signed; it is tried again');
    }
    return {
      batches,
      entries: done,
      dropped,
      until: done.reduce((until, entry) => (entry.until > until ? entry.until : until), 0n),
      position: this.#chain.position,
    };
  }

  async #sign(content: Content, from: UtcNanos, to: UtcNanos, count: number): Promise<StoredBatch> {
    const batch = await this.#chain.next(content, this.#slow ? { defer: true } : {});
    const { epoch, sequence } = batch.header;
    const bytes = batchToBytes(batch);
    return {
      epoch,
      sequence,
      hash: batch.hash,
      kind: content.kind,
      count,
      from,
      to,
      bytes,
      ...(batch.deferred ? { batch } : {}),
    };
  }

  /** Behind a hole nothing can cover what stands before it. */
  async #sealBefore({ epoch, first }: DroppedRun): Promise<void> {
    const [before] = first > 0 ? this.#store.read(epoch, first - 1, 1) : [];
    if (before?.sequence !== first - 1) return;
    const batch = decodeBatch(before.bytes);
    if (batch.deferred) this.#store.replace(epoch, before.sequence, batchToBytes(await this.#chain.seal(batch)));
  }

  /** What has to go because the outbox is at its bound in size or age. */
  #overdue(incoming: number): DroppedRun[] {
    const { maxBytes, maxAge } = this.#settings;
    const now = this.#clock.monotonic();
    const oldest = this.#store.oldestBorn;
    const excess = this.#store.bytes + incoming - maxBytes;
    const tooOld = oldest !== undefined && oldest < now - maxAge * 1000;
    if (excess <= 0 && !tooOld) return [];
    const runs = this.#store.oldestRuns(
      excess > 0 ? excess + maxBytes * DROP_SHARE : 0,
      tooOld ? now - maxAge * 1000 * (1 - DROP_SHARE / 2) : Number.NEGATIVE_INFINITY,
      (epoch, sequence) => sequence <= (this.#sent.get(epoch) ?? -1),
    );
    for (const run of runs) {
      this.#logger.warn(
        { epoch: run.epoch, first: run.first, last: run.last, observations: run.count },
        `the outbox is at its bound in ${excess > 0 ? 'size' : 'age'}; its oldest batches are dropped and a gap record says so`,
      );
    }
    // The gap record must reach the centre before the hole does: live data comes first, so it opens a new epoch.
    if (runs.some((run) => run.epoch === this.#chain.epoch)) this.#chain.newEpoch();
    return runs;
  }

  /** @returns false when the disk did not take it; the next try comes after a pause */
  async #commit(prepared: Prepared): Promise<boolean> {
    try {
      this.#store.commit({
        batches: prepared.batches,
        dropped: prepared.dropped,
        changes: prepared.entries.flatMap((entry) => entry.changes),
        ...(prepared.until > 0n ? { committedUntil: prepared.until } : {}),
        position: prepared.position,
      });
    } catch (error) {
      this.counters.failedCommits++;
      if (!this.#failing) {
        this.#logger.error(
          { error: describeError(error) },
          'the outbox could not be written; devices are not acknowledged and it is tried again',
        );
      }
      this.#failing = true;
      this.#retryDelay = Math.min(RETRY_MAXIMUM, Math.max(50, this.#retryDelay * 2));
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, this.#retryDelay);
        this.#wakeRetry = () => {
          clearTimeout(timer);
          resolve();
        };
      });
      this.#wakeRetry = undefined;
      return false;
    }
    if (this.#failing) this.#logger.info('the outbox can be written again');
    this.#failing = false;
    this.#retryDelay = 0;
    return true;
  }

  #finish(prepared: Prepared): void {
    const { counters } = this;
    counters.commits++;
    for (const run of prepared.dropped) {
      counters.droppedBatches += run.last - run.first + 1;
      counters.droppedObservations += run.count;
      counters.gaps++;
    }
    for (const entry of prepared.entries) {
      this.#queuedBytes -= entry.bytes;
      counters.observations += entry.count;
      this.#release(entry.holds);
      entry.done?.();
    }
    for (const { epoch, last } of prepared.dropped) this.#sealer?.dropped(epoch, last);
    for (const batch of prepared.batches) {
      counters.batches++;
      counters.bytes += batch.bytes.length;
      this.onCommitted?.(batch);
      if (batch.batch) this.#shareSignatures().add(batch.batch);
      else this.onSendable?.(batch);
    }
    if (this.#refused && this.#queuedBytes <= this.#settings.maxMemory / 2) this.#takeAgain();
  }

  /** Memory is free again: says what was not taken, and with it lets the devices go on. */
  #takeAgain(): void {
    const refused = this.#refused!;
    this.#refused = undefined;
    this.#turn++;
    const now = this.#clock.now();
    if (refused.count === 0) {
      this.#release(refused.holds);
      return;
    }
    this.counters.gaps++;
    const gap: GapRecord = {
      reason: refused.reason,
      from: String(refused.from),
      to: String(refused.to),
      lost: refused.count,
      detail: `memory bound of ${this.#settings.maxMemory} octets reached; taken again at ${toIso(now)}`,
    };
    this.#enqueue({
      content: { kind: 'gap', gap },
      count: 0,
      bytes: 1024,
      from: refused.from,
      to: refused.to,
      holds: refused.holds,
      changes: [],
      until: this.lag.before(now),
    });
  }

  #release(receipts: readonly Receipt[]): void {
    for (const receipt of receipts) {
      try {
        receipt.release();
        this.counters.receipts++;
      } catch (error) {
        // The connection it belongs to is gone: the device will send again, and the repeat will be recognised.
        this.#logger.debug({ error: describeError(error) }, 'a receipt could not be released');
      }
    }
  }
}

const isSlow = ({ rate = Number.POSITIVE_INFINITY }: Signer): boolean => rate < SLOW_KEY;

function overflowGap(run: DroppedRun): GapRecord {
  return {
    reason: 'outboxOverflow',
    from: String(run.from),
    to: String(run.to),
    lost: run.count,
    batches: {
      epoch: run.epoch,
      first: run.first,
      last: run.last,
      lastHash: Buffer.from(run.lastHash).toString('hex'),
    },
  };
}
