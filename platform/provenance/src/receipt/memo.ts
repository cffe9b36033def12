/** Work that several receipts share, done once. Keyed by all octets that go into it, so that a memory cannot be fooled. */

/** Octets as a key: their number, and one character each, so that no two lists have the same. */
export const keyOf = (...parts: readonly Uint8Array[]): string =>
  parts
    .map((part) => `${part.length}:${Buffer.from(part.buffer, part.byteOffset, part.length).toString('latin1')}`)
    .join('');

export class Memo<T> {
  readonly #most: number;
  readonly #known = new Map<string, T>();

  /** @param most entries kept; when there are more, all are forgotten. 0 remembers nothing */
  constructor(most: number) {
    this.#most = most;
  }

  /** What `make` gave for the same key before. Errors are not kept: what one receipt lacks another may have. */
  get(key: string, make: () => T): T {
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const value = make();
    if (this.#most === 0) return value;
    if (this.#known.size >= this.#most) this.#known.clear();
    this.#known.set(key, value);
    return value;
  }
}
