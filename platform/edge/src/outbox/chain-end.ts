/**
 * The end of the chain, to which content is added: numbers, hashes and signatures. With a key that is fast each batch is
 * signed; with a slow one batches are written without a signature and one covers several of them (see `Sealer`).
 */
import { batchToBytes, type ChainPosition, ChainWriter, type Content, decodeBatch } from '@enerchain/link';
import type { UtcNanos } from '@enerchain/model';
import type { Signer } from '@enerchain/pki';
import type { Identity } from '@enerchain/trust';
import type { Logger } from 'pino';
import type { DroppedRun, StoredBatch } from './records.ts';
import { Sealer, SLOW_KEY } from './sealer.ts';
import type { OutboxStore } from './store.ts';

/** A batch that is durable and signed, as are those before it. */
export type SendableBatch = Pick<StoredBatch, 'epoch' | 'sequence' | 'bytes'>;

export interface ChainEndOptions {
  readonly store: OutboxStore;
  readonly source: string;
  readonly signer: Signer;
  readonly kid: Uint8Array;
  /** Number of the epoch that begins, at least. */
  readonly epoch: number;
  readonly logger: Logger;
  /** Called with each batch that can be sent; where several are covered at once, with the last of them. */
  onSendable(batch: SendableBatch): void;
}

export class ChainEnd {
  readonly #options: ChainEndOptions;
  readonly #chain: ChainWriter;
  /** Whether several batches share a signature. */
  #slow: boolean;
  /** Made when the first batch without a signature is written. */
  #sealer: Sealer | undefined;

  constructor(options: ChainEndOptions) {
    this.#options = options;
    const { store, source, signer, kid, epoch } = options;
    this.#chain = new ChainWriter({ source, signer, kid, position: store.position() });
    this.#chain.newEpoch(epoch);
    this.#slow = isSlow(signer);
    this.#coverRest();
  }

  /** Epoch in which the next batch will stand. */
  get epoch(): number {
    return this.#chain.epoch;
  }

  /** The batch signed last. */
  get position(): ChainPosition | undefined {
    return this.#chain.position;
  }

  /** Whether every batch that was written is covered by a signature. */
  get settled(): boolean {
    return this.#sealer?.settled ?? true;
  }

  /** Last batch of an epoch that may be sent; undefined: all of them. */
  limit(epoch: number): number | undefined {
    return this.#sealer?.limit(epoch);
  }

  /** @param atLeast number of the new epoch at least */
  newEpoch(atLeast?: number): void {
    this.#chain.newEpoch(atLeast);
  }

  /** The certificate was renewed, perhaps for another key: batches that are signed from now on name the new one. */
  renewed({ kid, signer }: Pick<Identity, 'kid' | 'signer'>): void {
    this.#slow = isSlow(signer);
    this.#chain.renewed(kid, signer);
  }

  /**
   * Makes the next batch of the chain.
   * @param of its number of observations, and receive times of the first and the last
   * @throws Error of the key store; the chain stands where it stood
   */
  async add(
    content: Content,
    of: { readonly count: number; readonly from: UtcNanos; readonly to: UtcNanos },
  ): Promise<StoredBatch> {
    const batch = await this.#chain.next(content, this.#slow ? { defer: true } : {});
    const { epoch, sequence } = batch.header;
    const { count, from, to } = of;
    return {
      epoch,
      sequence,
      hash: batch.hash,
      kind: content.kind,
      count,
      from,
      to,
      bytes: batchToBytes(batch),
      ...(batch.deferred ? { batch } : {}),
    };
  }

  /** Signs what stands before a run that is going to be dropped: behind the hole nothing could cover it. */
  async sealBefore({ epoch, first }: DroppedRun): Promise<void> {
    const { store } = this.#options;
    const [before] = first > 0 ? store.read(epoch, first - 1, 1) : [];
    if (before?.sequence !== first - 1) return;
    const batch = decodeBatch(before.bytes);
    if (batch.deferred) store.replace(epoch, before.sequence, batchToBytes(await this.#chain.seal(batch)));
  }

  /** These batches are durable, and those runs are gone. */
  written(batches: readonly StoredBatch[], dropped: readonly DroppedRun[]): void {
    for (const { epoch, last } of dropped) this.#sealer?.dropped(epoch, last);
    for (const stored of batches) {
      if (stored.batch) this.#shareSignatures().add(stored.batch);
      else this.#options.onSendable(stored);
    }
  }

  /** Makes no further signature. */
  async close(): Promise<void> {
    await this.#sealer?.close();
  }

  #shareSignatures(): Sealer {
    const { store, logger, onSendable } = this.#options;
    this.#sealer ??= new Sealer({
      seal: (batch) => this.#chain.seal(batch),
      replace: (batch) => store.replace(batch.header.epoch, batch.header.sequence, batchToBytes(batch)),
      onSealed: ({ header: { epoch, sequence } }) => {
        const [stored] = store.read(epoch, sequence, 1);
        if (stored?.sequence === sequence) onSendable({ epoch, sequence, bytes: stored.bytes });
      },
      logger,
    });
    return this.#sealer;
  }

  /** What an earlier run has written and nothing covers yet. */
  #coverRest(): void {
    const { store } = this.#options;
    for (const { epoch, first, last } of store.epochs()) {
      const [stored] = store.read(epoch, last, 1);
      if (!stored) continue;
      const batch = decodeBatch(stored.bytes);
      // Where the covered ones begin is not worth a search: all of them wait.
      if (batch.deferred) this.#shareSignatures().add(batch, first);
    }
  }
}

const isSlow = ({ rate = Number.POSITIVE_INFINITY }: Signer): boolean => rate < SLOW_KEY;
