/** Time as the client sees it: never a wall clock. */
export interface Clock {
  /** Milliseconds since an arbitrary start; never goes back. */
  monotonic(): number;
  /** Runs `callback` once, `delayMillis` later; the function returned cancels it. */
  schedule(delayMillis: number, callback: () => void): () => void;
}

export const systemClock: Clock = {
  monotonic: () => performance.now(),
  schedule(delayMillis, callback) {
    const timer = setTimeout(callback, delayMillis);
    return () => clearTimeout(timer);
  },
};
