/**
 * How far the last thing heard lags behind the devices. What a device produced just before our last reception may still
 * have been on its way, and its time stamp is older than that reception. A gap that begins at the reception would not
 * cover it, so gaps begin earlier by the largest lag seen lately.
 */
import type { UtcNanos } from '@enerchain/model';

/** How long a lag is remembered at least, and at most twice as long. */
const WINDOW: UtcNanos = 60_000_000_000n;

/** A time stamp older than this is no delay but a wrong clock. */
const LARGEST: UtcNanos = 86_400_000_000_000n;

export class TransitLag {
  #windowStart: UtcNanos = 0n;
  #present: UtcNanos = 0n;
  #previous: UtcNanos = 0n;

  /** One observation with a time stamp of the device's own. Both times in nanoseconds since the Unix epoch. */
  note(sourceTime: UtcNanos, receiveTime: UtcNanos): void {
    const age = receiveTime - this.#windowStart;
    if (age > WINDOW || age < 0n) {
      this.#previous = age > 2n * WINDOW || age < 0n ? 0n : this.#present;
      this.#present = 0n;
      this.#windowStart = receiveTime;
    }
    const lag = receiveTime - sourceTime;
    if (lag > this.#present && lag <= LARGEST) this.#present = lag;
  }

  /** The source time up to which everything must have been heard, when all that was received until `received` is. */
  before(received: UtcNanos): UtcNanos {
    return received - (this.#present > this.#previous ? this.#present : this.#previous);
  }
}
