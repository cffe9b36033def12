/**
 * What was known about a node when: from the sequence of results to the trust of a moment. A value counts as attested when
 * good results stand before and after it in one boot; until the second one it is provisional; what lies between the last
 * good result and a bad one is distrusted after the fact, since nobody knows when it went bad.
 */
import type { UtcNanos } from '@enerchain/model';
import { isGood } from './ear.ts';
import type { ValueTrust } from './node-trust.ts';
import type { AttestationResult } from './result.ts';

/** Results that follow each other and say the same. */
export interface Segment {
  readonly kind: 'good' | 'bad';
  /** Of good ones; a time is bracketed by results of one boot alone. */
  readonly boot: string;
  /** First and last result. */
  readonly from: UtcNanos;
  readonly to: UtcNanos;
  /** Until when the last one holds. */
  readonly until: UtcNanos;
}

/** Segments kept; what lies before the oldest is unknown. */
const MOST_SEGMENTS = 10_000;

export class TrustTimeline {
  #segments: Segment[] = [];

  /** @param kept what `segments` gave */
  constructor(kept: readonly Segment[] = []) {
    this.#segments = [...kept];
  }

  get segments(): readonly Segment[] {
    return this.#segments;
  }

  /**
   * Takes a result over. One that is `none` (no policy, no reference, a verifier that failed) says nothing and closes
   * nothing; the good one before it runs out by itself.
   * @returns from when on values have another trust than before, or undefined when none has
   */
  add(
    result: Pick<AttestationResult, 'status' | 'reasons' | 'boot' | 'issuedAt' | 'validUntil'>,
  ): UtcNanos | undefined {
    const { boot, issuedAt: at, validUntil: until } = result;
    const good = isGood(result);
    if (!good && result.status === 'none') return undefined;
    const last = this.#segments.at(-1);
    // Results come in order; one that comes late has nothing to add to what was found after it.
    if (last && at < last.to) return undefined;
    if (good && last?.kind === 'good' && last.boot === boot) {
      this.#segments[this.#segments.length - 1] = { ...last, to: at, until };
      return last.to;
    }
    if (!good && last?.kind === 'bad') {
      this.#segments[this.#segments.length - 1] = { ...last, to: at, until };
      return last.to;
    }
    this.#segments.push({ kind: good ? 'good' : 'bad', boot, from: at, to: at, until });
    if (this.#segments.length > MOST_SEGMENTS) this.#segments = this.#segments.slice(-MOST_SEGMENTS);
    return last?.to ?? at;
  }

  /** Trust of what the node measured at a time, as far as is known now. */
  at(time: UtcNanos): ValueTrust {
    const index = this.#after(time);
    const segment = this.#segments[index - 1];
    const next = this.#segments[index];
    if (!segment) return 'unknown';
    if (segment.kind === 'bad') {
      // From the bad result on, up to the next good one: what comes after it is not yet vouched for by anything before.
      return 'distrusted';
    }
    if (time <= segment.to) return 'attested';
    if (next?.kind === 'bad') return 'distrusted';
    // The node was started anew, and nobody knows when: nothing brackets this.
    if (next) return time < segment.until ? 'provisional' : 'unknown';
    return time < segment.until ? 'provisional' : 'unknown';
  }

  /** Index of the first segment that begins after a time. */
  #after(time: UtcNanos): number {
    let low = 0;
    let high = this.#segments.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#segments[middle] as Segment).from <= time) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
