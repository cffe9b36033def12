/** Notices that the wall clock of this machine was set (or that the machine has slept): it moves against the monotonic one. */
import type { Clock } from '@enerchain/model';

/** It moves this much when it is set, milliseconds; less is drift. */
const STEP = 2_000;

export class ClockWatch {
  readonly #clock: Clock;
  #offset: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#offset = this.#read();
  }

  /** To be called every few seconds. @returns by how many milliseconds it was set since the last time; undefined: it was not */
  step(): number | undefined {
    const offset = this.#read();
    const step = offset - this.#offset;
    // Slow drift is followed, so that it never adds up to a step.
    this.#offset = offset;
    return Math.abs(step) > STEP ? step : undefined;
  }

  #read(): number {
    return Number(this.#clock.now() / 1_000_000n) - this.#clock.monotonic();
  }
}
