/**
 * Which segments go: the oldest when all together are too large, whoever still wants to read them; those that are too old
 * once every consumer has read them. A pure policy over what it is told.
 */
import type { Clock } from '@enerchain/model';
import type { Dropped } from './dropped.ts';
import type { Segment } from './segment.ts';

export interface RetentionBounds {
  /** Oldest segments go when all together are larger, whoever still wants to read them. */
  readonly bytes?: number;
  /** Segments whose newest record is older go, once every registered consumer has read them. */
  readonly ageMillis?: number;
}

export class Retention {
  readonly #bytes: number;
  readonly #ageMillis: number;
  readonly #clock: Clock;
  /** What each consumer still needs: records from this offset on. */
  readonly #holds = new Map<string, number>();
  /** When the newest record of a segment was written, on the monotonic clock: a wall clock that is set ages nothing. */
  readonly #written = new WeakMap<Segment, number>();

  /** @param segments those that are there at the start */
  constructor({ bytes, ageMillis }: RetentionBounds, clock: Clock, segments: readonly Segment[]) {
    this.#bytes = bytes ?? Number.POSITIVE_INFINITY;
    this.#ageMillis = ageMillis ?? Number.POSITIVE_INFINITY;
    this.#clock = clock;
    const [now, monotonic] = [clock.now(), clock.monotonic()];
    for (const segment of segments) {
      this.#written.set(segment, monotonic - Math.max(0, Number(now - (segment.lastAt ?? now)) / 1e6));
    }
  }

  hold(consumer: string, offset: number): void {
    this.#holds.set(consumer, offset);
  }

  release(consumer: string): void {
    this.#holds.delete(consumer);
  }

  /** A record was written into this segment now. */
  written(segment: Segment): void {
    this.#written.set(segment, this.#clock.monotonic());
  }

  /** @param size octets of all segments. @returns why the oldest segment has to go; undefined: it may stay */
  against(oldest: Segment, size: number): Dropped['reason'] | undefined {
    if (size > this.#bytes) return 'bytes';
    if (!Number.isFinite(this.#ageMillis)) return undefined;
    const old = (this.#written.get(oldest) ?? 0) < this.#clock.monotonic() - this.#ageMillis;
    const held = Math.min(Number.POSITIVE_INFINITY, ...this.#holds.values());
    return old && oldest.next <= held ? 'age' : undefined;
  }
}
