/**
 * Signatures of a slow key (a TPM takes 100 to 300 ms): batches are written without one, so that devices need not wait, and
 * the newest of each epoch is signed when the key is free. Its signature covers those before it through the chain of hashes;
 * none of them is sent before.
 */
import type { Batch } from '@enerchain/link';
import { describeError } from '@enerchain/model';
import type { Logger } from 'pino';

/** Signatures a second below which they are shared. */
export const SLOW_KEY = 50;

export interface SealerOptions {
  seal(batch: Batch): Promise<Batch>;
  /** Puts the signed batch in the place of the other; durable when it returns. @throws Error when the disk does not take it */
  replace(batch: Batch): void;
  /** Up to this batch, everything of its epoch can be sent. */
  onSealed(batch: Batch): void;
  readonly logger: Logger;
  /** ms after a failure; for tests. */
  readonly retry?: number;
}

interface Open {
  /** First batch that is not covered. */
  first: number;
  /** The newest one. */
  tail: Batch;
}

const RETRY = 1_000;

export class Sealer {
  /** Signatures made, and batches that they cover. */
  readonly counters = { signatures: 0, covered: 0 };
  readonly #options: SealerOptions;
  readonly #open = new Map<number, Open>();
  #running: Promise<void> | undefined;
  #closed = false;

  constructor(options: SealerOptions) {
    this.#options = options;
  }

  /** A batch without a signature is on the disk. @param first of those that nothing covers, when it is not the first itself */
  add(batch: Batch, first = batch.header.sequence): void {
    const { epoch } = batch.header;
    const open = this.#open.get(epoch);
    if (open) open.tail = batch;
    else this.#open.set(epoch, { first, tail: batch });
    if (!this.#closed) this.#running ??= this.#run();
  }

  /** Last batch of an epoch that may be sent; undefined: all of them. */
  limit(epoch: number): number | undefined {
    const open = this.#open.get(epoch);
    return open && open.first - 1;
  }

  /** These batches leave the epoch: nothing has to cover them any more. */
  dropped(epoch: number, last: number): void {
    const open = this.#open.get(epoch);
    if (!open) return;
    if (last >= open.tail.header.sequence) this.#open.delete(epoch);
    else open.first = Math.max(open.first, last + 1);
  }

  /** Whether everything that was written is covered. */
  get settled(): boolean {
    return this.#open.size === 0;
  }

  /** Makes no further signature. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#running;
  }

  async #run(): Promise<void> {
    // What is being committed together comes together.
    await undefined;
    while (!this.#closed) {
      const next = this.#open.entries().next().value;
      if (!next) break;
      const [epoch, { tail }] = next;
      const { sequence } = tail.header;
      try {
        const sealed = await this.#options.seal(tail);
        const open = this.#open.get(epoch);
        if (!open) continue; // dropped meanwhile
        this.#options.replace(sealed);
        this.counters.signatures++;
        this.counters.covered += sequence - open.first + 1;
        // Behind the others: one that is busy must not keep them waiting.
        this.#open.delete(epoch);
        if (open.tail.header.sequence > sequence) this.#open.set(epoch, { first: sequence + 1, tail: open.tail });
        this.#options.onSealed(sealed);
      } catch (error) {
        this.#options.logger.error({ error: describeError(error) }, 'a batch could not be signed; it is tried again');
        await new Promise((resolve) => setTimeout(resolve, this.#options.retry ?? RETRY).unref());
      }
    }
    this.#running = undefined;
  }
}
