/**
 * The batches that the centre has not acknowledged, as an index in memory: epoch by epoch in the order of the chain, with
 * their size and age. It answers what is asked many times a second, and which batches go first at a bound; the batches
 * themselves are in the file, with which `OutboxStore` keeps it in step.
 */
import type { ContentKind, EpochRange } from '@enerchain/link';

/** What is known of a batch without reading it. */
export interface BatchRow {
  /** Order of writing. */
  readonly id: number;
  readonly epoch: number;
  readonly sequence: number;
  readonly kind: ContentKind;
  /** Octets. */
  readonly size: number;
  /** Observations (or records) in it. */
  readonly count: number;
  /** When it was written, milliseconds since the epoch. */
  readonly at: number;
  /** The same on the monotonic clock: a wall clock that is set must not make everything look too old. */
  readonly born: number;
}

/** Observations in a batch; records of another kind are none. */
export const observationsIn = ({ kind, count }: BatchRow): number => (kind === 'observations' ? count : 0);

export class WaitingBatches {
  /** By epoch and sequence number, both in the order of writing. */
  readonly #rows = new Map<number, Map<number, BatchRow>>();
  /** Epochs out of which batches were dropped while others of them still wait. */
  readonly #holed = new Set<number>();
  #count = 0;
  #bytes = 0;
  #ranges: EpochRange[] | undefined;

  /** Octets of all of them. */
  get bytes(): number {
    return this.#bytes;
  }

  get count(): number {
    return this.#count;
  }

  /** The batch that has waited longest. */
  get oldest(): BatchRow | undefined {
    return this.#all().next().value;
  }

  /** Epochs with what waits in them, ascending. */
  get ranges(): readonly EpochRange[] {
    this.#ranges ??= [...this.#rows].map(([epoch, rows]) => {
      let [first, last] = [-1, -1];
      for (const sequence of rows.keys()) {
        if (first < 0) first = sequence;
        last = sequence;
      }
      return { epoch, first, last };
    });
    return this.#ranges;
  }

  has(epoch: number): boolean {
    return this.#rows.has(epoch);
  }

  add(row: BatchRow): void {
    let rows = this.#rows.get(row.epoch);
    if (!rows) {
      rows = new Map();
      this.#rows.set(row.epoch, rows);
    }
    rows.set(row.sequence, row);
    this.#bytes += row.size;
    this.#count++;
    const newest = this.#ranges?.at(-1);
    if (newest?.epoch === row.epoch) this.#ranges!.splice(-1, 1, { ...newest, last: row.sequence });
    else this.#ranges = undefined;
  }

  /** Other octets stand in the place of a batch. */
  resize(epoch: number, sequence: number, size: number): void {
    const rows = this.#rows.get(epoch);
    const row = rows?.get(sequence);
    if (!rows || !row) return;
    rows.set(sequence, { ...row, size });
    this.#bytes += size - row.size;
  }

  /** They wait no longer. @returns them, in order */
  remove(epoch: number, first: number, last: number): BatchRow[] {
    const rows = this.#rows.get(epoch);
    if (!rows) return [];
    const removed: BatchRow[] = [];
    for (const row of rows.values()) {
      if (row.sequence < first) continue;
      if (row.sequence > last) break;
      rows.delete(row.sequence);
      removed.push(row);
      this.#bytes -= row.size;
      this.#count--;
    }
    if (rows.size === 0) {
      this.#rows.delete(epoch);
      this.#holed.delete(epoch);
    }
    const at = this.#ranges?.findIndex((range) => range.epoch === epoch) ?? -1;
    const range = this.#ranges?.[at];
    const next = rows.keys().next().value;
    // Acknowledgements take from the front, many times a second: the rest of the range stays as it is.
    if (range && next !== undefined && last < range.last) this.#ranges![at] = { ...range, first: next };
    else this.#ranges = undefined;
    return removed;
  }

  /** Batches were dropped out of the middle of this epoch. */
  addHole(epoch: number): void {
    this.#holed.add(epoch);
  }

  /** Whether batches were dropped out of one of the epochs that still wait. */
  get holed(): boolean {
    return this.holes().length > 0;
  }

  /** The epochs with holes. @param more further ones, which are about to get one */
  holes(more: readonly number[] = []): number[] {
    return [...new Set([...this.#holed, ...more])].filter((epoch) => this.#rows.has(epoch));
  }

  /** What waits in an epoch from a sequence number on. */
  from(epoch: number, sequence: number): BatchRow[] {
    return [...(this.#rows.get(epoch)?.values() ?? [])].filter((row) => row.sequence >= sequence);
  }

  /**
   * Which batches to give up, oldest first: until `bytes` are free, or up to those born before `before` (milliseconds on
   * the monotonic clock). Gap records and site documents stay. `spare` says which may not be touched.
   * @returns them in runs without holes
   */
  oldestRuns(bytes: number, before: number, spare: (epoch: number, sequence: number) => boolean): BatchRow[][] {
    const runs: BatchRow[][] = [];
    let freed = 0;
    for (const row of this.#all()) {
      if (freed >= bytes && row.born >= before) break;
      if (row.kind === 'gap' || row.kind === 'site' || spare(row.epoch, row.sequence)) continue;
      freed += row.size;
      const last = runs.at(-1)?.at(-1);
      if (last?.epoch === row.epoch && last.sequence + 1 === row.sequence) runs.at(-1)!.push(row);
      else runs.push([row]);
    }
    return runs;
  }

  *#all(): Generator<BatchRow, undefined> {
    for (const rows of this.#rows.values()) yield* rows.values();
    return undefined;
  }
}
