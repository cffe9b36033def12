/** Serial numbers of revoked certificates in flat arrays: some 40 bytes each, found in constant time. */
import { randomInt } from 'node:crypto';
import { type RevocationReason, reasonOf } from '../revocation.ts';

export interface RevokedCertificate {
  /** Contents of the INTEGER. */
  readonly serialNumber: Uint8Array;
  readonly revokedAt: Date;
  readonly reason: RevocationReason;
  /** Since when the key or the certificate was no longer to be believed, where the issuer says so (RFC 5280 § 5.3.2). */
  readonly invalidSince?: Date;
}

const INITIAL = 64;

export class RevocationIndex {
  #size = 0;
  /** Serial numbers one after the other. */
  #octets = new Uint8Array(INITIAL * 16);
  /** Where the serial number i begins; one more than there are entries. */
  #starts = new Uint32Array(INITIAL + 1);
  /** Milliseconds. */
  #revokedAt = new Float64Array(INITIAL);
  #reasons = new Uint8Array(INITIAL);
  /** Few lists say it, so it has no place in each entry. */
  readonly #invalidSince = new Map<number, number>();
  /** Entry number + 1 by hash, 0 where free; twice as many places as entries. */
  #table = new Uint32Array(INITIAL * 2);
  /** Serial numbers are chosen by the authority, but on behalf of whoever asks it: collisions must not be. */
  readonly #seed = randomInt(2 ** 32);

  get size(): number {
    return this.#size;
  }

  /** Adds an entry; one that is there already stays as it is. @param revokedAt, invalidSince milliseconds */
  add(serialNumber: Uint8Array, revokedAt: number, reasonCode: number, invalidSince?: number): void {
    const slot = this.#slotOf(serialNumber);
    if (this.#table[slot] !== 0) return;
    const i = this.#size;
    const start = this.#starts[i]!;
    if (start + serialNumber.length > this.#octets.length) this.#octets = grown(this.#octets, Uint8Array);
    this.#octets.set(serialNumber, start);
    this.#starts[i + 1] = start + serialNumber.length;
    this.#revokedAt[i] = revokedAt;
    this.#reasons[i] = reasonCode;
    if (invalidSince !== undefined) this.#invalidSince.set(i, invalidSince);
    this.#table[slot] = i + 1;
    this.#size = i + 1;
    if (this.#size === this.#reasons.length) this.#grow();
  }

  find(serialNumber: Uint8Array): RevokedCertificate | undefined {
    const entry = this.#table[this.#slotOf(serialNumber)]!;
    return entry === 0 ? undefined : this.#entry(entry - 1);
  }

  *entries(): Generator<RevokedCertificate> {
    for (let i = 0; i < this.#size; i++) yield this.#entry(i);
  }

  #entry(i: number): RevokedCertificate {
    const invalidSince = this.#invalidSince.get(i);
    return {
      serialNumber: this.#octets.slice(this.#starts[i], this.#starts[i + 1]),
      revokedAt: new Date(this.#revokedAt[i]!),
      reason: reasonOf(this.#reasons[i]!) ?? 'unspecified',
      ...(invalidSince === undefined ? {} : { invalidSince: new Date(invalidSince) }),
    };
  }

  /** The place of a serial number, or the free one where it belongs. FNV-1a, seeded; linear probing. */
  #slotOf(serialNumber: Uint8Array): number {
    const mask = this.#table.length - 1;
    let hash = this.#seed;
    for (let i = 0; i < serialNumber.length; i++) hash = Math.imul(hash ^ serialNumber[i]!, 0x01000193);
    let slot = (hash ^ (hash >>> 15)) & mask;
    for (;;) {
      const entry = this.#table[slot]!;
      if (entry === 0 || this.#is(entry - 1, serialNumber)) return slot;
      slot = (slot + 1) & mask;
    }
  }

  #is(i: number, serialNumber: Uint8Array): boolean {
    const start = this.#starts[i]!;
    if (this.#starts[i + 1]! - start !== serialNumber.length) return false;
    for (let k = 0; k < serialNumber.length; k++) if (this.#octets[start + k] !== serialNumber[k]) return false;
    return true;
  }

  #grow(): void {
    this.#revokedAt = grown(this.#revokedAt, Float64Array);
    this.#reasons = grown(this.#reasons, Uint8Array);
    const starts = new Uint32Array(this.#reasons.length + 1);
    starts.set(this.#starts);
    this.#starts = starts;
    this.#table = new Uint32Array(this.#reasons.length * 2);
    for (let i = 0; i < this.#size; i++) {
      const serial = this.#octets.subarray(this.#starts[i], this.#starts[i + 1]);
      // Serial numbers are different from each other: a free place is found.
      this.#table[this.#slotOf(serial)] = i + 1;
    }
  }
}

function grown<T extends Uint8Array | Float64Array>(array: T, Type: new (size: number) => T): T {
  const larger = new Type(array.length * 2);
  larger.set(array);
  return larger;
}
