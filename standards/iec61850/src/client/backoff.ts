/** How long to wait before the next attempt: doubling, bounded, and not the same for all who lost the same device. Pure. */
export class Backoff {
  readonly #first: number;
  readonly #longest: number;
  readonly #random: () => number;
  #next: number;

  /** @param first, longest milliseconds @param random 0 up to 1 */
  constructor(first: number, longest: number, random: () => number) {
    this.#first = first;
    this.#longest = longest;
    this.#random = random;
    this.#next = first;
  }

  /** Milliseconds: the nominal pause, give or take thirty per cent. */
  next(): number {
    const pause = this.#next * (0.7 + 0.6 * this.#random());
    this.#next = Math.min(this.#next * 2, this.#longest);
    return pause;
  }

  /** What the next pause is before it is varied, ms. */
  get nominal(): number {
    return this.#next;
  }

  reset(): void {
    this.#next = this.#first;
  }
}
