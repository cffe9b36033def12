/**
 * Room for the arrays of all columns of a batch in one piece: thousands of small buffers of their own would cost more than
 * what is in them. Whoever keeps one column keeps the batch.
 */
import { EnerchainError } from '@enerchain/model';

/** Arrays of one column, to be filled. */
export interface ColumnArrays {
  readonly sourceTime: BigInt64Array;
  readonly receiveTime: BigInt64Array;
  readonly numbers: Float64Array;
  readonly quality: Uint16Array;
  readonly timeQuality: Uint16Array;
  readonly cause: Uint8Array;
}

export class ColumnArena {
  readonly #buffer: ArrayBuffer;
  readonly #count: number;
  #used = 0;

  /** @param count observations in all columns together */
  constructor(count: number) {
    this.#count = count;
    this.#buffer = new ArrayBuffer(count * (3 * 8 + 2 * 2 + 1));
  }

  /** Observations for which there is room. */
  get left(): number {
    return this.#count - this.#used;
  }

  /** @throws EnerchainError `link.column` (fault peer) when more is asked for than was promised */
  take(size: number): ColumnArrays {
    const count = this.#count;
    if (size > count - this.#used) {
      throw new EnerchainError('peer', 'link.column', `the columns hold more than the ${count} observations promised`);
    }
    const at = this.#used;
    this.#used += size;
    const buffer = this.#buffer;
    return {
      sourceTime: new BigInt64Array(buffer, at * 8, size),
      receiveTime: new BigInt64Array(buffer, (count + at) * 8, size),
      numbers: new Float64Array(buffer, (2 * count + at) * 8, size),
      quality: new Uint16Array(buffer, count * 24 + at * 2, size),
      timeQuality: new Uint16Array(buffer, count * 26 + at * 2, size),
      cause: new Uint8Array(buffer, count * 28 + at, size),
    };
  }
}
