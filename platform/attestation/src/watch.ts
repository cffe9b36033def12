/**
 * Watches the verifier itself. A verifier that stalls, or fails again and again, makes no result; the last ones then run
 * out and nothing counts as good, but somebody has to be told that it is the verifier and not the nodes.
 */
export interface WatchState {
  readonly ok: boolean;
  /** One sentence when it is not. */
  readonly text: string;
}

export class VerifierWatch {
  readonly #period: number;
  #since: number;
  #waiting = false;
  #failures = 0;
  #lastFailure = '';

  /**
   * @param period milliseconds within which there should be a result when there is somebody to appraise
   * @param now monotonic milliseconds
   */
  constructor(period: number, now: number) {
    this.#period = period;
    this.#since = now;
  }

  /** There is evidence to appraise, or nobody to ask. */
  waiting(is: boolean, now: number): void {
    if (is && !this.#waiting) this.#since = now;
    this.#waiting = is;
  }

  /** A result was made and signed. */
  result(now: number): void {
    this.#since = now;
    this.#failures = 0;
  }

  /** An appraisal ended without a result, or with the verifier's own failure as its finding. */
  failure(text: string): void {
    this.#failures++;
    this.#lastFailure = text;
  }

  check(now: number): WatchState {
    if (this.#failures >= 3) {
      return { ok: false, text: `the verifier has failed ${this.#failures} times in a row: ${this.#lastFailure}` };
    }
    const stalled = now - this.#since;
    if (this.#waiting && stalled > 3 * this.#period) {
      return { ok: false, text: `the verifier has made no result for ${Math.round(stalled / 1000)} s` };
    }
    return { ok: true, text: '' };
  }
}
