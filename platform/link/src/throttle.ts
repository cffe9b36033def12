/** Holds a sender to so many bytes a second, for links that carry more than us. */

/** Token bucket that may go into debt by one batch: the batch goes out whole, the next one waits for the debt. */
export class Throttle {
  readonly #perMillisecond: number;
  readonly #burst: number;
  #tokens: number;
  #at: number;

  /** @param now milliseconds, monotonic. A second's worth may go out at once. */
  constructor(bytesPerSecond: number, now: number) {
    this.#perMillisecond = bytesPerSecond / 1000;
    this.#burst = bytesPerSecond;
    this.#tokens = bytesPerSecond;
    this.#at = now;
  }

  /** Milliseconds until the next batch may go; 0 = now. */
  wait(now: number): number {
    this.#tokens = Math.min(this.#burst, this.#tokens + (now - this.#at) * this.#perMillisecond);
    this.#at = now;
    return this.#tokens > 0 ? 0 : Math.max(1, Math.ceil((1 - this.#tokens) / this.#perMillisecond));
  }

  /** Whether so many bytes can go without a batch having to wait for them; more than a second's worth take the whole second. */
  spare(bytes: number, now: number): boolean {
    this.wait(now);
    return this.#tokens >= Math.min(bytes, this.#burst);
  }

  take(bytes: number): void {
    this.#tokens -= bytes;
  }
}
