import type { Clock } from '../../src/client/clock.ts';

/** Time that a test moves. */
export class ManualClock implements Clock {
  #now = 0;
  #timers: { at: number; callback: () => void }[] = [];

  monotonic(): number {
    return this.#now;
  }

  schedule(delayMillis: number, callback: () => void): () => void {
    const timer = { at: this.#now + delayMillis, callback };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((each) => each !== timer);
    };
  }

  get scheduled(): number {
    return this.#timers.length;
  }

  /** Moves time, and lets what was called finish what it can. */
  async advance(millis: number): Promise<void> {
    await settle();
    const end = this.#now + millis;
    for (;;) {
      const [next] = this.#timers.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at);
      if (next === undefined) break;
      this.#now = next.at;
      this.#timers = this.#timers.filter((each) => each !== next);
      next.callback();
      await settle();
    }
    this.#now = end;
  }
}

/** Lets promises settle. */
export const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
