/** Evidence that others may ask for, by its SHA-256; bounded in octets, the oldest goes first. */
import { createHash } from 'node:crypto';

export const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
export const sha256 = (bytes: Uint8Array): Uint8Array => createHash('sha256').update(bytes).digest();

export class EvidenceStore {
  readonly #most: number;
  readonly #kept = new Map<string, Uint8Array>();
  #bytes = 0;

  /** @param most octets */
  constructor(most: number) {
    this.#most = most;
  }

  get bytes(): number {
    return this.#bytes;
  }

  put(digest: string, evidence: Uint8Array): void {
    const before = this.#kept.get(digest);
    if (before) {
      this.#kept.delete(digest);
      this.#bytes -= before.length;
    }
    this.#kept.set(digest, evidence);
    this.#bytes += evidence.length;
    for (const [oldest, { length }] of this.#kept) {
      if (this.#bytes <= this.#most) break;
      this.#kept.delete(oldest);
      this.#bytes -= length;
    }
  }

  get(digest: string): Uint8Array | undefined {
    return this.#kept.get(digest);
  }
}
