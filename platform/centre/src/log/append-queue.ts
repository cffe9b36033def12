/** Appends that wait to be durable: in order, in groups for one sync each, and bounded in octets. */
import type { EnerchainError } from '@enerchain/model';
import type { Decoded } from './entries.ts';
import type { LogRecord } from './format.ts';

export interface Waiting {
  readonly record: LogRecord;
  readonly pieces: readonly Uint8Array[];
  readonly bytes: number;
  readonly decoded: Decoded | undefined;
  readonly resolve: (offset: number) => void;
  readonly reject: (error: EnerchainError) => void;
}

/** Octets of one group, unless a single record is larger. */
const GROUP_BYTES = 8 * 1024 * 1024;
/** Octets that may wait. */
export const QUEUE_BYTES = 128 * 1024 * 1024;

export class AppendQueue {
  #waiting: Waiting[] = [];
  #bytes = 0;

  /** Octets that wait, with those of the group under way. */
  get bytes(): number {
    return this.#bytes;
  }

  get empty(): boolean {
    return this.#waiting.length === 0;
  }

  hasRoomFor(bytes: number): boolean {
    return this.#bytes + bytes <= QUEUE_BYTES;
  }

  push(waiting: Waiting): void {
    this.#waiting.push(waiting);
    this.#bytes += waiting.bytes;
  }

  /** The next group; its octets count until they are `durable`. */
  takeGroup(): Waiting[] {
    let bytes = 0;
    let count = 0;
    while (count < this.#waiting.length && (count === 0 || bytes + this.#waiting[count]!.bytes <= GROUP_BYTES)) {
      bytes += this.#waiting[count]!.bytes;
      count++;
    }
    return this.#waiting.splice(0, count);
  }

  /** These octets wait no longer. */
  durable(bytes: number): void {
    this.#bytes -= bytes;
  }

  /** Empties it: neither what waits nor the group under way will be durable. @returns what waited */
  takeAll(): Waiting[] {
    const all = this.#waiting;
    this.#waiting = [];
    this.#bytes = 0;
    return all;
  }
}
