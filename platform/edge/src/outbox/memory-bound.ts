/**
 * What is not taken while the memory is full, because the disk does not follow. Between the first observation that finds no
 * room and the moment at which half of it is free again nothing is taken; then one gap record says what was refused, and
 * only when that is durable are the devices told to go on. Pure: it decides and counts.
 */
import { type GapReason, type GapRecord, toIso, type UtcNanos } from '@enerchain/model';
import type { Receipt } from '../connector.ts';

/** What was refused in one stretch. */
export interface Refused {
  /** Says what was refused; absent when it was nothing. */
  readonly gap: GapRecord | undefined;
  readonly from: UtcNanos;
  readonly to: UtcNanos;
  /** Receipts of devices that wait for it. */
  readonly holds: readonly Receipt[];
}

export class MemoryBound {
  readonly #bytes: number;
  #refused: { count: number; readonly from: UtcNanos; to: UtcNanos; reason: GapReason; holds: Receipt[] } | undefined;

  /** @param bytes octets that may wait for the disk */
  constructor(bytes: number) {
    this.#bytes = bytes;
  }

  /** True when observations are not taken at the moment. */
  get refusing(): boolean {
    return this.#refused !== undefined;
  }

  /** So much waits now. @returns whether this is where refusing begins */
  exceededBy(bytes: number, reason: GapReason, now: UtcNanos): boolean {
    if (bytes <= this.#bytes || this.#refused) return false;
    this.#refused = { count: 0, from: now, to: now, reason, holds: [] };
    return true;
  }

  /** Counts an observation that is not taken. @returns false when it is to be taken */
  refuse(receiveTime: UtcNanos): boolean {
    if (!this.#refused) return false;
    this.#refused.count++;
    this.#refused.to = receiveTime;
    return true;
  }

  /** Keeps the receipt of what was refused. @returns false when nothing is refused */
  hold(receipt: Receipt): boolean {
    return this.#refused !== undefined && this.#refused.holds.push(receipt) > 0;
  }

  /** So much waits now. @returns what was refused, where refusing ends */
  relievedAt(bytes: number, now: UtcNanos): Refused | undefined {
    if (!this.#refused || bytes > this.#bytes / 2) return undefined;
    const { count, from, to, reason, holds } = this.#refused;
    this.#refused = undefined;
    const detail = `memory bound of ${this.#bytes} octets reached; taken again at ${toIso(now)}`;
    const gap: GapRecord = { reason, from: String(from), to: String(to), lost: count, detail };
    return { gap: count > 0 ? gap : undefined, from, to, holds };
  }
}
