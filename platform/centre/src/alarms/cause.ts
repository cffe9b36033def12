/**
 * A hint at the common cause of many alarms: which switch left its normal position just before. It rests on time alone
 * (no topology is in the log), so it is a hint for the operator and suppresses nothing: ISA-18.2 lets an alarm be
 * suppressed only by a design that somebody has rationalised.
 */
import type { UtcNanos } from '@enerchain/model';

/** Alarms that come so long after a switch are shown with it, in nanoseconds. Slow devices report cyclically. */
const FOLLOWS_WITHIN = 10_000_000_000n;
/** Clocks of two devices may differ by so much, in nanoseconds. */
const CLOCK_SKEW = 1_000_000_000n;
const KEPT = 16;

export interface Switching {
  /** Of the alarm of the switch. */
  readonly id: number;
  /** Source time. */
  readonly at: UtcNanos;
}

export class Switchings {
  readonly #latest: Switching[];

  constructor(latest: Iterable<Switching> = []) {
    this.#latest = [...latest];
  }

  add(switching: Switching): void {
    this.#latest.push(switching);
    if (this.#latest.length > KEPT) this.#latest.shift();
  }

  /** The alarm of the newest switch after which something at `at` may have come. */
  before(at: UtcNanos): number | undefined {
    return this.#latest.findLast((switching) => mayFollow(at, switching.at))?.id;
  }

  all(): readonly Switching[] {
    return this.#latest;
  }
}

export const mayFollow = (at: UtcNanos, switched: UtcNanos): boolean =>
  at >= switched - CLOCK_SKEW && at <= switched + FOLLOWS_WITHIN;
