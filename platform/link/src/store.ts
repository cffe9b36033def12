/** Where the batches of a source wait for their acknowledgement. */
import { EnerchainError } from '@enerchain/model';
import type { EpochRange } from './message.ts';

export interface StoredBatch {
  readonly sequence: number;
  readonly bytes: Uint8Array;
}

/** The edge implements this with its outbox. All calls are made often and must be quick. */
export interface BatchStore {
  /** The batch last written, acknowledged or not; `undefined` when none was ever written. */
  position(): { readonly epoch: number; readonly sequence: number } | undefined;
  /** Epochs with batches that wait, ascending. `first` and `last` are what is there, not what ever was. */
  epochs(): readonly EpochRange[];
  /**
   * Batches of an epoch from a sequence number on (or from the first that is still there), ascending, at least one if
   * there is one, then no more than the limits.
   */
  read(epoch: number, from: number, limit: { readonly count: number; readonly bytes: number }): readonly StoredBatch[];
  /** Everything of the epoch up to and including the sequence number is kept by the other side. */
  acknowledge(epoch: number, sequence: number): void;
}

/** A store that can be written to by whoever has the batch as bytes (a relay, a service). */
export interface WritableBatchStore extends BatchStore {
  /** Resolves when kept as safely as the store keeps anything. @throws EnerchainError when it is full */
  append(position: { epoch: number; sequence: number }, bytes: Uint8Array): Promise<void> | void;
}

/**
 * In memory, for sources whose observations are worth nothing after a restart (a service that computes them anew). When
 * it is full `append` throws: nothing is dropped behind the writer's back.
 */
export class MemoryBatchStore implements WritableBatchStore {
  readonly #maxBytes: number;
  readonly #epochs = new Map<number, StoredBatch[]>();
  #position: { epoch: number; sequence: number } | undefined;
  #bytes = 0;
  #count = 0;

  constructor(options: { maxBytes?: number } = {}) {
    this.#maxBytes = options.maxBytes ?? 64 * 1024 * 1024;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get count(): number {
    return this.#count;
  }

  append(position: { epoch: number; sequence: number }, bytes: Uint8Array): void {
    if (this.#bytes + bytes.length > this.#maxBytes) {
      throw new EnerchainError(
        'environment',
        'link.store.full',
        `${this.#count} batches with ${this.#bytes} bytes wait for acknowledgement; the next one was not taken`,
      );
    }
    const { epoch, sequence } = position;
    let batches = this.#epochs.get(epoch);
    if (!batches) {
      batches = [];
      this.#epochs.set(epoch, batches);
    }
    const last = batches.at(-1);
    if (last && last.sequence >= sequence) {
      throw new EnerchainError('caller', 'link.store.order', `batch ${epoch}/${sequence} came after ${last.sequence}`);
    }
    batches.push({ sequence, bytes });
    this.#bytes += bytes.length;
    this.#count++;
    if (!this.#position || epoch >= this.#position.epoch) this.#position = { epoch, sequence };
  }

  position(): { epoch: number; sequence: number } | undefined {
    return this.#position;
  }

  epochs(): readonly EpochRange[] {
    return [...this.#epochs]
      .filter(([, batches]) => batches.length > 0)
      .map(([epoch, batches]) => ({ epoch, first: batches[0]!.sequence, last: batches.at(-1)!.sequence }))
      .sort((a, b) => a.epoch - b.epoch);
  }

  read(epoch: number, from: number, limit: { count: number; bytes: number }): readonly StoredBatch[] {
    const batches = this.#epochs.get(epoch) ?? [];
    const start = indexFrom(batches, from);
    let size = 0;
    let end = start;
    while (end < batches.length && end - start < limit.count && (end === start || size < limit.bytes)) {
      size += batches[end]!.bytes.length;
      end++;
    }
    return batches.slice(start, end);
  }

  acknowledge(epoch: number, sequence: number): void {
    const batches = this.#epochs.get(epoch);
    if (!batches) return;
    const gone = batches.splice(0, indexFrom(batches, sequence + 1));
    for (const { bytes } of gone) this.#bytes -= bytes.length;
    this.#count -= gone.length;
    if (batches.length === 0) this.#epochs.delete(epoch);
  }
}

/** Index of the first batch at or after a sequence number. */
function indexFrom(batches: readonly StoredBatch[], sequence: number): number {
  let low = 0;
  let high = batches.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (batches[middle]!.sequence < sequence) low = middle + 1;
    else high = middle;
  }
  return low;
}
