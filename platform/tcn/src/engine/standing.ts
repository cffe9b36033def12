/**
 * What stands: the newest statement of each issuer about each node that others must not miss — bad results and what followed
 * them, silences, orders of the operator. Two nodes compare what stands by one hash; only when it differs, by a list.
 */
import { createHash } from 'node:crypto';
import { SUMMARY_KEY } from '../message.ts';
import { TCN_LIMITS } from './limits.ts';

export type StatementKind = 'result' | 'silence' | 'release';

/** A statement whose signature has been checked. */
export interface Standing {
  readonly kind: StatementKind;
  readonly issuer: string;
  readonly node: string;
  readonly sequence: number;
  readonly bytes: Uint8Array;
  /** Says something bad: goes first, and is forgotten last. */
  readonly adverse: boolean;
  /** Monotonic time at which it was taken. */
  readonly takenAt: number;
}

/** Orders of whoever acts for the operator share one row: the newest counts, whichever centre key signed it. */
export const standingKey = (kind: StatementKind, issuer: string, node: string): string =>
  kind === 'release' ? `release//${node}` : `${kind}/${issuer}/${node}`;

interface Entry extends Standing {
  readonly short: string;
}

export class StandingTable {
  readonly #entries = new Map<string, Entry>();
  readonly #byShort = new Map<string, Entry>();
  #digest: Uint8Array | undefined;

  get size(): number {
    return this.#entries.size;
  }

  get(kind: StatementKind, issuer: string, node: string): Standing | undefined {
    return this.#entries.get(standingKey(kind, issuer, node));
  }

  /** @returns false when the same or a newer one stands already */
  put(statement: Standing): boolean {
    const key = standingKey(statement.kind, statement.issuer, statement.node);
    const before = this.#entries.get(key);
    if (before && before.sequence >= statement.sequence) return false;
    const short = createHash('sha256')
      .update(key)
      .digest('hex')
      .slice(0, 2 * SUMMARY_KEY);
    const entry = { ...statement, short };
    // The order of the map is the order of arrival.
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    this.#byShort.set(short, entry);
    this.#digest = undefined;
    if (this.#entries.size > TCN_LIMITS.standing) this.#forgetOne();
    return true;
  }

  /** The oldest that says nothing bad, else the oldest that is no order. */
  #forgetOne(): void {
    let victim: string | undefined;
    for (const [key, { adverse, kind }] of this.#entries) {
      if (!adverse && kind !== 'release') {
        victim = key;
        break;
      }
      if (kind !== 'release') victim ??= key;
    }
    this.#remove(victim ?? (this.#entries.keys().next().value as string));
  }

  #remove(key: string): void {
    const entry = this.#entries.get(key);
    if (!entry) return;
    this.#entries.delete(key);
    this.#byShort.delete(entry.short);
    this.#digest = undefined;
  }

  /** Removes what a predicate names. */
  drop(which: (statement: Standing) => boolean): void {
    for (const [key, entry] of [...this.#entries]) if (which(entry)) this.#remove(key);
  }

  all(): Standing[] {
    return [...this.#entries.values()];
  }

  about(node: string): Standing[] {
    return this.all().filter((entry) => entry.node === node);
  }

  /** What two nodes compare: not silences, which are repeated while they last, and concern those nearby. */
  #compared(): Entry[] {
    return [...this.#byShort.values()].filter(({ kind }) => kind !== 'silence');
  }

  /** SHA-256 over all keys and sequences, in order; equal at two nodes when the same stands there. */
  digest(): Uint8Array {
    if (!this.#digest) {
      const hash = createHash('sha256');
      for (const { short, sequence } of this.#compared().sort((a, b) => (a.short < b.short ? -1 : 1))) {
        hash.update(`${short}:${sequence};`);
      }
      this.#digest = hash.digest();
    }
    return this.#digest;
  }

  summary(): { readonly key: Uint8Array; readonly sequence: number }[] {
    return this.#compared().map(({ short, sequence }) => ({ key: Buffer.from(short, 'hex'), sequence }));
  }

  /** What another node lacks, by its summary. */
  missingIn(summary: readonly { readonly key: Uint8Array; readonly sequence: number }[]): Standing[] {
    const theirs = new Map(summary.map(({ key, sequence }) => [Buffer.from(key).toString('hex'), sequence]));
    return this.#compared().filter(({ short, sequence }) => (theirs.get(short) ?? -1) < sequence);
  }
}
