/** The outbox as the link sees it: which batches can be sent, which are on their way, and which have arrived. */
import type { BatchStore, EpochRange, StoredBatch } from '@enerchain/link';
import type { ChainEnd, SendableBatch } from './chain-end.ts';
import type { OutboxStore } from './store.ts';

export class Outgoing implements BatchStore {
  /** Called when something can be sent: a batch that is durable and signed, with those before it. */
  onSendable: ((batch: SendableBatch) => void) | undefined;
  readonly #store: OutboxStore;
  readonly #chain: Pick<ChainEnd, 'limit' | 'settled'>;
  /** Last batch of each epoch that is on its way. */
  readonly #sent = new Map<number, number>();

  /** @param chain says up to where signatures reach */
  constructor(store: OutboxStore, chain: Pick<ChainEnd, 'limit' | 'settled'>) {
    this.#store = store;
    this.#chain = chain;
  }

  position(): { readonly epoch: number; readonly sequence: number } | undefined {
    return this.#store.position();
  }

  /**
   * Where batches were dropped, a younger epoch holds the gap record that explains the hole, so it has to go first: then
   * only the youngest epoch of the backlog is shown, and the older ones after it.
   */
  epochs(): readonly EpochRange[] {
    const all = this.#store.epochs();
    const epochs = this.#chain.settled ? all : all.flatMap((range) => this.#covered(range));
    return epochs.length > 2 && this.#store.holed ? epochs.slice(-2) : epochs;
  }

  read(epoch: number, from: number, limit: { readonly count: number; readonly bytes: number }): readonly StoredBatch[] {
    const until = this.#chain.limit(epoch) ?? Number.POSITIVE_INFINITY;
    const found = this.#store.read(epoch, from, limit.count, limit.bytes).filter(({ sequence }) => sequence <= until);
    const last = found.at(-1);
    if (last) this.markSent(epoch, last.sequence);
    return found;
  }

  acknowledge(epoch: number, sequence: number): void {
    this.#store.acknowledge(epoch, sequence);
  }

  /** Batches up to here are on their way: they are not dropped while this connection stands. */
  markSent(epoch: number, sequence: number): void {
    if (!this.isSent(epoch, sequence)) this.#sent.set(epoch, sequence);
  }

  isSent(epoch: number, sequence: number): boolean {
    return sequence <= (this.#sent.get(epoch) ?? -1);
  }

  /** The connection to the centre is gone; nothing is on its way any more. */
  linkLost(): void {
    this.#sent.clear();
  }

  /** Without what no signature covers yet. */
  #covered(range: EpochRange): EpochRange[] {
    const last = Math.min(range.last, this.#chain.limit(range.epoch) ?? range.last);
    return last < range.first ? [] : [{ ...range, last }];
  }
}
