import type { Clock } from '../clock.ts';

/** Time that moves only when a test says so. */
export class VirtualClock implements Clock {
  #at = 1000;
  readonly #epoch: number;
  #timers: { at: number; order: number; callback: () => void }[] = [];
  #order = 0;

  constructor(epoch = Date.UTC(2026, 0, 15, 12)) {
    this.#epoch = epoch;
  }

  monotonic(): number {
    return this.#at;
  }

  now(): number {
    return this.#epoch + this.#at;
  }

  get pending(): number {
    return this.#timers.length;
  }

  schedule(delayMillis: number, callback: () => void): () => void {
    const timer = { at: this.#at + delayMillis, order: this.#order++, callback };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  }

  /** Moves on, firing what falls due in order, with pauses for promises and sockets in between. */
  async advance(millis: number): Promise<void> {
    const target = this.#at + millis;
    for (;;) {
      await turn();
      const next = this.#timers
        .filter((timer) => timer.at <= target)
        .sort((a, b) => a.at - b.at || a.order - b.order)[0];
      if (!next) break;
      this.#timers = this.#timers.filter((timer) => timer !== next);
      this.#at = Math.max(this.#at, next.at);
      next.callback();
    }
    this.#at = target;
    await turn();
  }
}

/** Lets everything run that is ready: promises, and a few rounds of loopback sockets. */
export async function turn(): Promise<void> {
  for (let i = 0; i < 4; i++) await new Promise((resolve) => setImmediate(resolve));
}

/** Waits for something that real sockets bring about; gives up after a minute. */
export async function until(condition: () => boolean, what = 'condition'): Promise<void> {
  const end = performance.now() + 60_000;
  for (let round = 0; performance.now() < end; round++) {
    if (condition()) return;
    // At first without a pause, so that nothing in memory is slowed down; then without taking the machine from the peer.
    await new Promise((resolve) => (round < 1000 ? setImmediate(resolve) : setTimeout(resolve, 1)));
  }
  throw new Error(`${what} did not come true`);
}
