/**
 * Work that several receipts share, done once. What it was done for is known by a digest of all octets that go into it, so
 * that a memory cannot be fooled by less than what would forge a record of the log.
 */
import { hash } from 'node:crypto';

/** Octets that go into a digest, and their number before each part; hashing is synchronous, so one buffer does for all. */
const joined = Buffer.alloc(4096);

/** Octets as a key: SHA-256 over them, each part behind its length, so that no two lists have the same; a character each. */
export function keyOf(...parts: readonly Uint8Array[]): string {
  let size = 0;
  for (const part of parts) size += 4 + part.length;
  const into = size <= joined.length ? joined : Buffer.allocUnsafe(size);
  let at = 0;
  for (const part of parts) {
    at = into.writeUInt32BE(part.length, at);
    into.set(part, at);
    at += part.length;
  }
  return hash('sha256', into.subarray(0, size), 'binary');
}

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
