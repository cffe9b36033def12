/** Work that several receipts share, done once. Keyed by all octets that go into it, so that a memory cannot be fooled. */

/** Octets as a key: their number, and one character each, so that no two lists have the same. */
export const keyOf = (...parts: readonly Uint8Array[]): string =>
  parts
    .map((part) => `${part.length}:${Buffer.from(part.buffer, part.byteOffset, part.length).toString('latin1')}`)
    .join('');

export class Memo<T> {
  readonly #most: number;
  readonly #known = new Map<string, { readonly value: T } | { readonly error: unknown }>();
  hits = 0;

  /** @param most entries kept; when there are more, all are forgotten. 0 remembers nothing */
  constructor(most: number) {
    this.#most = most;
  }

  /** What `make` gave for the same key before, an error included. */
  get(key: string, make: () => T): T {
    const known = this.#known.get(key);
    if (known) {
      this.hits++;
      if ('error' in known) throw known.error;
      return known.value;
    }
    if (this.#most === 0) return make();
    if (this.#known.size >= this.#most) this.#known.clear();
    try {
      const value = make();
      this.#known.set(key, { value });
      return value;
    } catch (error) {
      this.#known.set(key, { error });
      throw error;
    }
  }
}
