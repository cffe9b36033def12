/**
 * Batches without a signature of their own, in memory: nothing is known of them until a signed batch of their epoch names
 * the last of them as the one before it, and so all of them. They are neither logged nor acknowledged before, so what is
 * forgotten here comes again.
 */
import type { Batch } from '@enerchain/link';

/** One that waits. */
export interface Held<S, T> {
  readonly batch: Batch;
  readonly bytes: Uint8Array;
  readonly sender: S;
  /** Says what has become of it. */
  readonly settle: (outcome: T | Promise<T>) => void;
  readonly reject: (why: string) => T;
}

/** Bounds of one source: a slow key covers what comes in some hundred milliseconds. */
const MOST = 4096;
const MOST_BYTES = 16 * 1024 * 1024;

export class HeldBatches<S, T> {
  /** By epoch, each the next of the one before it. */
  readonly #epochs = new Map<number, Held<S, T>[]>();
  #count = 0;
  #bytes = 0;

  /**
   * Holds a batch behind those of its epoch that wait. One that comes again, or is no continuation of them, takes their
   * place: the source has begun anew from there.
   * @param reject what is said when it is given up
   */
  hold(batch: Batch, bytes: Uint8Array, sender: S, reject: (why: string) => T): Promise<T> | T {
    const { epoch } = batch.header;
    if (this.#count >= MOST || this.#bytes + bytes.length > MOST_BYTES) {
      return reject(`${this.#count} others wait for theirs already`);
    }
    const last = this.#epochs.get(epoch)?.at(-1);
    if (last && !follows(batch, last.batch)) this.#giveUp(epoch, 'was sent again or replaced before one came');
    const list = this.#epochs.get(epoch) ?? [];
    this.#epochs.set(epoch, list);
    this.#count++;
    this.#bytes += bytes.length;
    return new Promise<T>((settle) => list.push({ batch, bytes, sender, settle, reject }));
  }

  /** Those that a signed batch covers, in order; they wait no longer. Others of its epoch are given up. */
  coveredBy(signed: Batch): readonly Held<S, T>[] {
    const { epoch } = signed.header;
    const list = this.#epochs.get(epoch);
    const last = list?.at(-1);
    if (!list || !last) return [];
    if (!follows(signed, last.batch)) {
      this.#giveUp(epoch, 'the next one with a signature does not name it');
      return [];
    }
    this.#forget(epoch);
    return list;
  }

  #giveUp(epoch: number, why: string): void {
    const list = this.#epochs.get(epoch) ?? [];
    this.#forget(epoch);
    for (const { settle, reject } of list) settle(reject(why));
  }

  #forget(epoch: number): void {
    for (const { bytes } of this.#epochs.get(epoch) ?? []) {
      this.#count--;
      this.#bytes -= bytes.length;
    }
    this.#epochs.delete(epoch);
  }
}

const follows = ({ header }: Batch, before: Batch): boolean =>
  header.sequence === before.header.sequence + 1 && Buffer.compare(header.previous, before.hash) === 0;
