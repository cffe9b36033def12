/** Time as the sessions see it; tests pass one that they move by hand. */
export interface Clock {
  /** Milliseconds on a scale that never steps; for time-outs. */
  monotonic(): number;
  /** Wall-clock milliseconds since 1970-01-01 UTC; data, never used for time-outs. */
  now(): number;
  /** Calls back once after a delay; the returned function cancels. */
  schedule(delayMillis: number, callback: () => void): () => void;
}

/** The longest delay of `setTimeout`; a longer one is cut, and its owner looks again. */
const LONGEST = 2 ** 31 - 1;

export const systemClock: Clock = {
  monotonic: () => performance.now(),
  now: () => Date.now(),
  schedule(delayMillis, callback) {
    const timer = setTimeout(callback, Math.min(Math.max(0, delayMillis), LONGEST));
    return () => clearTimeout(timer);
  },
};
