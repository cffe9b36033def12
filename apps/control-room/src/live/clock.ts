/**
 * How this screen's clock stands against the centre's. A message that says when it was sent bounds the difference from
 * one side (it cannot have arrived before); the least of many comes near, and their spread says how near.
 */
const KEPT = 24;

export class ClockOffset {
  readonly #differences: number[] = [];

  hear(serverMillis: number, localMillis: number): void {
    if (!Number.isFinite(serverMillis)) return;
    this.#differences.push(localMillis - serverMillis);
    if (this.#differences.length > KEPT) this.#differences.shift();
  }

  /** Milliseconds by which the local clock is ahead of the centre's. */
  get offset(): number {
    return this.#differences.length ? Math.min(...this.#differences) : 0;
  }

  /** Half the spread of what was heard, in milliseconds; undefined before anything was. */
  get uncertainty(): number | undefined {
    if (this.#differences.length === 0) return undefined;
    const sorted = [...this.#differences].sort((a, b) => a - b);
    // The median bounds it without giving one late message the say.
    return Math.max(1, Math.round((sorted[Math.floor(sorted.length / 2)]! - sorted[0]!) / 2));
  }
}
