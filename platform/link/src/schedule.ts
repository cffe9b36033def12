/** What is sent next: the live epoch before the backlog, each batch once per connection, within the credit. Pure. */
import type { ChainPosition } from './batch.ts';
import type { EpochRange, Welcome } from './message.ts';
import type { BatchStore, StoredBatch } from './store.ts';

/** What a batch costs of the window beyond its bytes, so that a flood of tiny batches is bounded too. */
export const BATCH_OVERHEAD = 1024;
/** Share of the window that the backlog leaves to the live epoch. */
const LIVE_SHARE = 0.25;
const READ_AHEAD = { count: 16, bytes: 256 * 1024 } as const;

export const costOf = (bytes: Uint8Array): number => bytes.length + BATCH_OVERHEAD;

export class SendSchedule {
  readonly #store: BatchStore;
  readonly #window: number;
  #credit: number;
  /** Last sequence number sent, per epoch. */
  readonly #sent = new Map<number, number>();
  /** Epochs that must not be sent: rejected, or the other side has something else under their numbers. */
  readonly #blocked = new Set<number>();
  readonly #ahead = new Map<number, StoredBatch[]>();

  /**
   * Takes over where the other side stands, and acknowledges in the store what it has.
   * @param ownChain false for a relay, whose store never held all that its source has sent
   */
  constructor(store: BatchStore, welcome: Welcome, ownChain = true) {
    this.#store = store;
    this.#window = welcome.window;
    this.#credit = welcome.window;
    if (ownChain) for (const epoch of this.conflicts(welcome)) this.#blocked.add(epoch);
    for (const { epoch, last } of store.epochs()) {
      if (this.#blocked.has(epoch)) continue;
      const cursor = welcome.cursors.find((each) => each.epoch === epoch);
      if (epoch <= welcome.completed) store.acknowledge(epoch, last);
      else if (cursor) {
        this.#sent.set(epoch, cursor.sequence);
        store.acknowledge(epoch, cursor.sequence);
      }
    }
  }

  /**
   * Epochs in which the other side has more than this source has ever written: our memory is older than what we sent
   * before (a restored backup, a lost disk). What we hold under those numbers is something else.
   */
  conflicts(welcome: Pick<Welcome, 'completed' | 'cursors'>): number[] {
    const position = this.#store.position();
    const mine = this.#store.epochs();
    const conflicts: number[] = [];
    const written = position?.epoch ?? -1;
    if (welcome.completed > written || welcome.cursors.some((cursor) => cursor.epoch > written)) {
      return mine.map(({ epoch }) => epoch);
    }
    for (const { epoch, sequence } of welcome.cursors) {
      const last =
        position && epoch === position.epoch ? position.sequence : mine.find((each) => each.epoch === epoch)?.last;
      if (last !== undefined && sequence > last) conflicts.push(epoch);
    }
    return conflicts;
  }

  get blocked(): ReadonlySet<number> {
    return this.#blocked;
  }

  get credit(): number {
    return this.#credit;
  }

  block(epoch: number): void {
    this.#blocked.add(epoch);
    this.#ahead.delete(epoch);
  }

  grant(bytes: number): void {
    this.#credit = Math.min(this.#window, this.#credit + bytes);
  }

  /** Hands over a batch just written, so that it need not be read again; only if it is the next of its epoch. */
  offer(epoch: number, batch: StoredBatch): void {
    if (this.#ahead.get(epoch)?.length) return;
    const sent = this.#sent.get(epoch);
    if (sent === undefined ? batch.sequence === 0 : batch.sequence === sent + 1) this.#ahead.set(epoch, [batch]);
  }

  /** @returns whether the acknowledgement can be true */
  acknowledge({ epoch, sequence }: Pick<ChainPosition, 'epoch' | 'sequence'>): boolean {
    if (sequence > (this.#sent.get(epoch) ?? -1)) return false;
    this.#store.acknowledge(epoch, sequence);
    return true;
  }

  /** The next batch, taken as sent; `undefined` when there is none or the credit does not allow it. */
  next(): { epoch: number; sequence: number; bytes: Uint8Array } | undefined {
    const epochs = this.#store.epochs();
    const live = epochs.at(-1);
    if (!live) return undefined;
    const reserve = this.#window * LIVE_SHARE;
    return this.#take(live, 0) ?? this.#firstOf(epochs.slice(0, -1), reserve);
  }

  #firstOf(epochs: readonly EpochRange[], reserve: number) {
    for (const range of epochs) {
      const found = this.#take(range, reserve);
      if (found) return found;
      // An older epoch goes first even when the credit makes it wait.
      if (!this.#blocked.has(range.epoch) && (this.#sent.get(range.epoch) ?? -1) < range.last) return undefined;
    }
    return undefined;
  }

  #take({ epoch, first, last }: EpochRange, reserve: number) {
    if (this.#blocked.has(epoch)) return undefined;
    const from = Math.max(first, (this.#sent.get(epoch) ?? -1) + 1);
    if (from > last) return undefined;
    let ahead = (this.#ahead.get(epoch) ?? []).filter(({ sequence }) => sequence >= from);
    if (ahead.length === 0) ahead = [...this.#store.read(epoch, from, READ_AHEAD)];
    this.#ahead.set(epoch, ahead);
    const batch = ahead[0];
    if (!batch) return undefined;
    const cost = costOf(batch.bytes);
    // A batch larger than the window goes alone.
    if (cost > this.#credit - reserve && this.#credit < this.#window) return undefined;
    ahead.shift();
    this.#credit -= cost;
    this.#sent.set(epoch, batch.sequence);
    return { epoch, ...batch };
  }
}
