/**
 * The outbox: gathers observations into batches, puts them on the chain, makes them durable, and only then lets go of
 * what the devices wait for. Bounded on disk by size and age and in memory by size; what does not fit is said by a gap
 * record on the same chain.
 *
 *   Gatherer → BatchWriter (ChainEnd, DiskBound) → OutboxStore → Outgoing → the link
 */
import { type Content, contentOf, decodeBatch } from '@enerchain/link';
import {
  type Clock,
  type CommandEvent,
  describeError,
  type GapRecord,
  type Mrid,
  type SourceEvent,
  type UtcNanos,
} from '@enerchain/model';
import type { Signer } from '@enerchain/pki';
import type { Identity } from '@enerchain/trust';
import type { Logger } from 'pino';
import type { Receipt } from '../connector.ts';
import type { OutboxSettings } from '../site/site.ts';
import { ChainEnd } from './chain-end.ts';
import { noCounters } from './counters.ts';
import { DiskBound, gapOf } from './disk-bound.ts';
import { Gatherer } from './gatherer.ts';
import { MemoryBound } from './memory-bound.ts';
import { Outgoing } from './outgoing.ts';
import type { StateChange } from './records.ts';
import { isIdentified } from './repeat-memory.ts';
import type { OutboxStore } from './store.ts';
import { TransitLag } from './transit-lag.ts';
import { BatchWriter, type Entry } from './writer.ts';

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

/** What a record that is no observation takes, about, octets. */
const RECORD_BYTES = 1024;

export class Outbox {
  /** How far behind the devices we hear them; where gaps begin. */
  readonly lag = new TransitLag();
  readonly counters = noCounters();
  /** What the link takes from here. */
  readonly outgoing: Outgoing;
  readonly #store: OutboxStore;
  readonly #settings: OutboxSettings;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #gatherer: Gatherer;
  readonly #memory: MemoryBound;
  readonly #chain: ChainEnd;
  readonly #writer: BatchWriter;
  /** Receipts of what the open batch holds. */
  #holds: Receipt[] = [];
  #turn = 0;
  #timer: NodeJS.Timeout | undefined;
  #soon = false;
  #closed = false;

  constructor(options: OutboxOptions) {
    const { store, settings, source, signer, kid, clock, logger } = options;
    this.#store = store;
    this.#settings = settings;
    this.#clock = clock;
    this.#logger = logger;
    this.#gatherer = new Gatherer(options.points);
    this.#memory = new MemoryBound(settings.maxMemory);
    this.#chain = new ChainEnd({
      store,
      source,
      signer,
      kid,
      // Every run of the edge writes an epoch of its own. It is numbered by the clock, so that an outbox that was lost or
      // restored from a backup does not use numbers again under which the centre has something else.
      epoch: Number(clock.now() / 1_000_000_000n),
      logger,
      onSendable: (batch) => this.outgoing.onSendable?.(batch),
    });
    this.outgoing = new Outgoing(store, this.#chain);
    const isOnItsWay = (epoch: number, sequence: number) => this.outgoing.isSent(epoch, sequence);
    this.#writer = new BatchWriter({
      store,
      chain: this.#chain,
      bound: new DiskBound({ store, settings, clock, logger, isOnItsWay }),
      counters: this.counters,
      logger,
      onWritten: () => this.#takeAgain(),
    });
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
    return this.#writer.failing;
  }

  /** Octets that wait in memory for the disk. */
  get memory(): number {
    return this.#writer.bytes + this.#gatherer.bytes;
  }

  /** True when observations are not taken at the moment. */
  get refusing(): boolean {
    return this.#memory.refusing;
  }

  /** The certificate was renewed, perhaps for another key: batches that are signed from now on name the new one. */
  renewed(identity: Pick<Identity, 'kid' | 'signer'>): void {
    this.#chain.renewed(identity);
  }

  // --- observations and their receipts -------------------------------------------------------------------------------

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
    if (this.#memory.refuse(receiveTime)) {
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

  /** Releases the receipt when everything added so far is durable. */
  hold(receipt: Receipt): void {
    if (this.#memory.hold(receipt)) return;
    if (this.#gatherer.count === 0 && this.#holds.length === 0 && this.#writer.idle) {
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

  // --- everything else that goes on the chain ------------------------------------------------------------------------

  /** Puts something else than observations on the chain, at once and behind everything added so far. */
  write(
    content: Exclude<Content, { kind: 'observations' }> | undefined,
    changes: readonly StateChange[] = [],
  ): Promise<void> {
    if (this.#closed) return Promise.resolve();
    this.#closeBatch();
    return new Promise((done) => this.#enqueue({ content, bytes: RECORD_BYTES, changes, done }));
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

  /** Ends the epoch, so that live data need not wait for a backlog. @param atLeast number of the new epoch at least */
  newEpoch(atLeast = 0): void {
    this.#writer.newEpoch(atLeast);
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
        const changes = [{ remove: { epoch, sequence: next.sequence } }];
        await new Promise<void>((done) => {
          // It was received long ago, and says nothing of what has been received since.
          this.#enqueue({ content, count, bytes: next.bytes.length, changes, until: 0n, done });
        });
      }
    }
  }

  /**
   * The centre refuses a batch for good: it is given up, a gap record says so, and what lay behind it in its epoch is put
   * on the chain anew.
   */
  async giveUp(epoch: number, sequence: number, why: string): Promise<void> {
    if (epoch === this.epoch) this.newEpoch();
    // From here on nothing more is written into that epoch.
    await this.write(undefined);
    const [refused, ...rest] = this.#store.runsFrom(epoch, sequence);
    if (refused?.first !== sequence) return;
    const end = rest.at(-1) ?? refused;
    this.counters.droppedBatches++;
    this.counters.droppedObservations += refused.count;
    const detail = `the centre refused batch ${epoch}/${sequence}: ${why}; what lay behind it follows in epoch ${this.epoch}`;
    const gap: GapRecord = {
      ...gapOf({ ...refused, last: end.last, lastHash: end.lastHash }),
      reason: 'outboxFailure',
      detail: detail.slice(0, 1000),
    };
    await this.writeGap(gap, [{ remove: { epoch, sequence } }]);
    await this.chainAnew([epoch]);
  }

  // --- its life ------------------------------------------------------------------------------------------------------

  /**
   * To be called every few seconds: applies the bound in age, and moves the moment up to which everything received is
   * on disk, so that a gap record after a crash does not claim more than was lost.
   */
  tick(): void {
    if (this.#closed || !this.#writer.idle) return;
    if (this.#gatherer.count > 0) this.#closeBatch();
    else this.#enqueue({ content: undefined, bytes: 0 });
  }

  /** Commits what is open. @returns false when the disk did not take it within `milliseconds` */
  async flush(milliseconds = 5_000): Promise<boolean> {
    this.#closeBatch();
    const deadline = this.#clock.monotonic() + milliseconds;
    while (!this.#writer.idle || !this.#chain.settled) {
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
    this.#writer.close();
    await this.#chain.close();
    try {
      if (clean) this.#store.commit({ batches: [], changes: [{ meta: { clean: '1' } }] });
    } catch (error) {
      this.#logger.error({ error: describeError(error) }, 'the outbox could not be marked as closed');
    } finally {
      this.#store.close();
    }
  }

  // --- from the open batch to the writer -----------------------------------------------------------------------------

  #arm(): void {
    this.#timer ??= setTimeout(() => this.#closeBatch(), this.#settings.batchTime);
  }

  /** Hands the open batch over to be written. */
  #closeBatch(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const gatherer = this.#gatherer;
    if (gatherer.count === 0 && this.#holds.length === 0) return;
    const { first: from, last: to, bytes, count } = gatherer;
    const holds = this.#holds;
    this.#holds = [];
    this.#turn++;
    const content: Content | undefined = count > 0 ? { kind: 'observations', batch: gatherer.build() } : undefined;
    this.#enqueue({ content, count, bytes, from, to, done: () => this.#release(holds) });
  }

  /** What is not said of an entry: no observations, of now, everything heard until now is before it. */
  #enqueue(entry: Pick<Entry, 'content' | 'bytes'> & Partial<Entry>): void {
    const now = this.#clock.now();
    this.#writer.enqueue({ count: 0, from: now, to: now, changes: [], until: this.lag.before(now), ...entry });
    const reason = this.failing ? 'outboxFailure' : 'connectorOverflow';
    const bytes = this.#writer.bytes;
    if (!this.#memory.exceededBy(bytes, reason, now)) return;
    const message = 'the memory of the outbox is full; observations are not taken until the disk follows';
    this.#logger.error({ bytes, reason }, message);
  }

  /** Memory is free again: says what was not taken, and with it lets the devices go on. */
  #takeAgain(): void {
    const refused = this.#memory.relievedAt(this.#writer.bytes, this.#clock.now());
    if (!refused) return;
    const { gap, from, to, holds } = refused;
    this.#turn++;
    if (!gap) {
      this.#release(holds);
      return;
    }
    this.counters.gaps++;
    const done = () => this.#release(holds);
    this.#enqueue({ content: { kind: 'gap', gap }, bytes: RECORD_BYTES, from, to, done });
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
