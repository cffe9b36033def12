/** A clock that moves only when a test says so. */
import type { Clock } from '@enerchain/model';
import type { After } from '../src/index.ts';

interface Timer {
  readonly at: number;
  readonly order: number;
  action: (() => void) | undefined;
}

const START = 1_800_000_000_000_000_000n;

export class VirtualTime {
  #now = 0;
  #order = 0;
  #timers: Timer[] = [];
  readonly clock: Clock = {
    now: () => START + BigInt(Math.round(this.#now * 1e6)),
    monotonic: () => this.#now,
  };
  readonly after: After = (milliseconds, action) => {
    const timer: Timer = { at: this.#now + Math.max(0, milliseconds), order: this.#order++, action };
    this.#push(timer);
    return () => {
      timer.action = undefined;
    };
  };

  get now(): number {
    return this.#now;
  }

  /** Lets time pass; everything that falls due happens in order, with all that follows from it. */
  async run(milliseconds: number): Promise<void> {
    const until = this.#now + milliseconds;
    await settle();
    for (let next = this.#timers[0]; next && next.at <= until; next = this.#timers[0]) {
      this.#now = Math.max(this.#now, next.at);
      // What is due at the same moment happens together.
      for (let due = this.#timers[0]; due && due.at <= this.#now; due = this.#timers[0]) {
        this.#pop();
        due.action?.();
      }
      await settle();
    }
    this.#now = until;
  }

  /** Lets time pass until something is so. @throws when it is not within the given time */
  async until(what: () => boolean, within: number, step = 20): Promise<number> {
    const start = this.#now;
    while (!what()) {
      if (this.#now - start >= within) throw new Error(`not within ${within} ms: ${what.toString()}`);
      await this.run(step);
    }
    return this.#now - start;
  }

  // A binary heap by time, then by order.
  #push(timer: Timer): void {
    const heap = this.#timers;
    let at = heap.push(timer) - 1;
    while (at > 0) {
      const above = (at - 1) >> 1;
      if (!before(timer, heap[above]!)) break;
      heap[at] = heap[above]!;
      at = above;
    }
    heap[at] = timer;
  }

  #pop(): void {
    const heap = this.#timers;
    const last = heap.pop()!;
    if (heap.length === 0) return;
    let at = 0;
    for (;;) {
      let below = 2 * at + 1;
      if (below >= heap.length) break;
      if (below + 1 < heap.length && before(heap[below + 1]!, heap[below]!)) below++;
      if (!before(heap[below]!, last)) break;
      heap[at] = heap[below]!;
      at = below;
    }
    heap[at] = last;
  }
}

const before = (a: Timer, b: Timer): boolean => a.at < b.at || (a.at === b.at && a.order < b.order);
/** Everything that was promised has come. */
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
