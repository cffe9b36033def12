/**
 * What the centre has acknowledged: how far in each epoch, and the youngest of those batches, which stay in the file for a
 * while so that after a restart what the devices say again can be recognised. In memory; `OutboxStore` writes it.
 */
import { type BatchRow, observationsIn } from './waiting.ts';

/** Epochs whose cursor is remembered at most, and how many of the newest stay when there are more. */
const MOST_CURSORS = 64;
const CURSORS_LEFT = 32;

export class Acknowledged {
  /** True while the cursors differ from those in the file. */
  unsaved = false;
  readonly #keep: number;
  readonly #cursors = new Map<number, number>();
  #kept: { readonly id: number; readonly observations: number }[] = [];
  #observations = 0;

  /** @param keep observations in the batches that stay, at least */
  constructor(keep: number) {
    this.#keep = keep;
  }

  /** Last batch of each epoch that is acknowledged. */
  get cursors(): ReadonlyMap<number, number> {
    return this.#cursors;
  }

  covers(epoch: number, sequence: number): boolean {
    return sequence <= (this.#cursors.get(epoch) ?? -1);
  }

  /** The centre has everything of the epoch up to here. */
  advance(epoch: number, sequence: number): void {
    this.#cursors.set(epoch, sequence);
    this.unsaved = true;
  }

  /** An acknowledged batch that stays in the file. */
  keep(row: BatchRow): void {
    const observations = observationsIn(row);
    this.#kept.push({ id: row.id, observations });
    this.#observations += observations;
  }

  /** Ids of the batches that are kept, oldest first. */
  get kept(): number[] {
    return this.#kept.map(({ id }) => id);
  }

  /** Ids of those that the younger ones make superfluous. */
  get expired(): number[] {
    let [excess, n] = [this.#observations - this.#keep, 0];
    while (n < this.#kept.length && excess >= this.#kept[n]!.observations) excess -= this.#kept[n++]!.observations;
    return this.#kept.slice(0, n).map(({ id }) => id);
  }

  /** The oldest `count` batches are no longer in the file. @param waits whether an epoch has batches that wait */
  gone(count: number, waits: (epoch: number) => boolean): void {
    for (const { observations } of this.#kept.splice(0, count)) this.#observations -= observations;
    if (count === 0 || this.#cursors.size <= MOST_CURSORS) return;
    // Cursors of epochs of which nothing is left are of no use; the newest ones are kept.
    for (const epoch of [...this.#cursors.keys()].sort((a, b) => a - b).slice(0, -CURSORS_LEFT)) {
      if (!waits(epoch)) this.#cursors.delete(epoch);
    }
  }
}
