/**
 * Room for the times and numbers of all columns of a batch in one piece: thousands of small buffers of their own would
 * cost more than what is in them. Whoever keeps one column keeps the batch.
 */
import { EnerchainError } from '@enerchain/model';

/** Arrays of one column, to be filled. */
export interface ColumnArrays {
  readonly sourceTime: BigInt64Array;
  readonly receiveTime: BigInt64Array;
  readonly numbers: Float64Array;
}

export class ColumnArena {
  readonly #buffer: ArrayBuffer;
  readonly #count: number;
  #used = 0;

  /** @param count observations in all columns together */
  constructor(count: number) {
    this.#count = count;
    this.#buffer = new ArrayBuffer(count * 3 * 8);
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
    };
  }
}

type Flags = Uint16Array | Uint8Array;

/** Lengths up to which constant flags are shared; the columns of a busy source are short. */
const SHARED_LENGTH = 16;
const SHARED_MOST = 4_096;

/** Flags that are the same for a whole short column, made once for all columns. Nobody writes into a column. */
export class SharedFlags<T extends Flags> {
  readonly #make: (length: number) => T;
  readonly #shared = new Map<number, T>();

  constructor(make: (length: number) => T) {
    this.#make = make;
  }

  constant(value: number, length: number): T {
    if (length > SHARED_LENGTH) return this.#make(length).fill(value) as T;
    const key = value * (SHARED_LENGTH + 1) + length;
    let flags = this.#shared.get(key);
    if (!flags) {
      flags = this.#make(length).fill(value) as T;
      if (this.#shared.size < SHARED_MOST) this.#shared.set(key, flags);
    }
    return flags;
  }

  make(length: number): T {
    return this.#make(length);
  }
}
