import { callerError } from '../errors.ts';

export interface ReconnectOptions {
  /** Seconds before the first new attempt; doubled for each further one. Default 1. */
  readonly initial?: number;
  /** Longest wait, seconds. Default 30. */
  readonly maximum?: number;
  /** Share of the wait that is random, 0 to 1, so that many clients do not return at once. Default 0.3. */
  readonly jitter?: number;
}

/** How long to wait before each attempt. */
export class Backoff {
  readonly initial: number;
  readonly maximum: number;
  readonly #jitter: number;
  readonly #random: () => number;
  #failures = 0;

  constructor(options: ReconnectOptions = {}, random: () => number = Math.random) {
    this.initial = options.initial ?? 1;
    this.maximum = Math.max(this.initial, options.maximum ?? 30);
    this.#jitter = options.jitter ?? 0.3;
    this.#random = random;
    if (!(this.initial > 0) || !(this.#jitter >= 0 && this.#jitter <= 1))
      throw callerError('client.reconnect', 'Reconnect: initial must be above 0 and jitter from 0 to 1');
  }

  /** Milliseconds to wait after one more failure: between (1 - jitter) and 1 of the doubled wait. */
  next(): number {
    const wait = Math.min(this.maximum, this.initial * 2 ** Math.min(this.#failures++, 30));
    return wait * 1000 * (1 - this.#jitter * this.#random());
  }

  /** A connection has held: the next failure begins small again. */
  reset(): void {
    this.#failures = 0;
  }
}
