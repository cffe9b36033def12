/**
 * What an endpoint said lately, to recognise what it says again. Device to edge is at-least-once: a device that was not
 * told before the connection broke that its frames had arrived sends them again. A change is the same when binding,
 * source time, value and cause are the same and it came over an earlier connection; within one connection TCP lets
 * nothing through twice, so two equal changes there are two changes. Bounded: the oldest are forgotten.
 */
import { type Mrid, TIME_QUALITY } from '@enerchain/model';

/** A time stamp identifies a change only when the device made all of it and trusts its clock. */
const UNIDENTIFIED = TIME_QUALITY.receiveTime | TIME_QUALITY.completedHere | TIME_QUALITY.clockFailure;

export const isIdentified = (timeQuality: number): boolean => (timeQuality & UNIDENTIFIED) === 0;

const NONE = -1;

export class RepeatMemory {
  readonly capacity: number;
  readonly #mask: number;
  /** Hash → newest entry; entry → next older one of the same hash. */
  readonly #heads: Int32Array;
  readonly #nexts: Int32Array;
  readonly #slots: Int32Array;
  readonly #times: Float64Array;
  readonly #values: Float64Array;
  readonly #causes: Uint8Array;
  readonly #connections: Uint32Array;
  #at = 0;
  #size = 0;
  #connection = 1;

  /** @param capacity number of changes remembered; a power of two */
  constructor(capacity = 2048) {
    if (!Number.isInteger(Math.log2(capacity))) throw new RangeError(`capacity ${capacity} is not a power of two`);
    this.capacity = capacity;
    this.#mask = capacity * 2 - 1;
    this.#heads = new Int32Array(capacity * 2).fill(NONE);
    this.#nexts = new Int32Array(capacity).fill(NONE);
    this.#slots = new Int32Array(capacity);
    this.#times = new Float64Array(capacity);
    this.#values = new Float64Array(capacity);
    this.#causes = new Uint8Array(capacity);
    this.#connections = new Uint32Array(capacity);
  }

  get size(): number {
    return this.#size;
  }

  /** What comes from here on comes over a new connection. */
  newConnection(): void {
    this.#connection++;
  }

  /**
   * Remembers a change.
   * @param time source time in milliseconds since the epoch, with its fraction
   * @returns whether the same one came over an earlier connection
   */
  see(slot: number, time: number, value: number, cause: number): boolean {
    const hash = this.#hash(slot, time, value, cause);
    let repeat = false;
    for (let i = this.#heads[hash]!; i !== NONE; i = this.#nexts[i]!) {
      if (
        this.#times[i] === time &&
        this.#slots[i] === slot &&
        Object.is(this.#values[i], value) &&
        this.#causes[i] === cause &&
        this.#connections[i] !== this.#connection
      ) {
        repeat = true;
        break;
      }
    }
    const at = this.#at;
    if (this.#size === this.capacity) this.#unlink(at);
    else this.#size++;
    this.#slots[at] = slot;
    this.#times[at] = time;
    this.#values[at] = value;
    this.#causes[at] = cause;
    this.#connections[at] = this.#connection;
    this.#nexts[at] = this.#heads[hash]!;
    this.#heads[hash] = at;
    this.#at = at + 1 === this.capacity ? 0 : at + 1;
    return repeat;
  }

  /** The content, oldest first, so that it can be kept on disk: mRIDs instead of slots, which a new site file renumbers. */
  save(points: readonly Mrid[]): Uint8Array {
    const names: Mrid[] = [];
    const indexes = new Map<number, number>();
    const entries = Buffer.alloc(this.#size * 21);
    for (let n = 0; n < this.#size; n++) {
      const i = (this.#at - this.#size + n + this.capacity) % this.capacity;
      const slot = this.#slots[i]!;
      let index = indexes.get(slot);
      if (index === undefined) {
        index = names.length;
        indexes.set(slot, index);
        names.push(points[slot] ?? '');
      }
      entries.writeUInt32LE(index, n * 21);
      entries.writeDoubleLE(this.#times[i]!, n * 21 + 4);
      entries.writeDoubleLE(this.#values[i]!, n * 21 + 12);
      entries[n * 21 + 20] = this.#causes[i]!;
    }
    const head = Buffer.from(JSON.stringify(names));
    const length = Buffer.alloc(4);
    length.writeUInt32LE(head.length);
    return Buffer.concat([length, head, entries]);
  }

  /** Adds what `save` wrote; entries of points that are gone are left out. */
  load(saved: Uint8Array, slotOf: (point: Mrid) => number | undefined): void {
    const bytes = Buffer.from(saved.buffer, saved.byteOffset, saved.byteLength);
    const length = bytes.readUInt32LE(0);
    const names = JSON.parse(bytes.toString('utf8', 4, 4 + length)) as Mrid[];
    for (let at = 4 + length; at + 21 <= bytes.length; at += 21) {
      const slot = slotOf(names[bytes.readUInt32LE(at)] ?? '');
      if (slot !== undefined) this.see(slot, bytes.readDoubleLE(at + 4), bytes.readDoubleLE(at + 12), bytes[at + 20]!);
    }
  }

  #hash(slot: number, time: number, value: number, cause: number): number {
    // Milliseconds and values differ in their low decimals; both are folded into 32 bits.
    let hash = Math.imul(slot + 1, 0x9e3779b1) ^ cause;
    hash = Math.imul(hash ^ ((time % 0x7fffffff) | 0), 0x85ebca6b);
    hash = Math.imul(hash ^ (((value * 1024) % 0x7fffffff) | 0), 0xc2b2ae35);
    return (hash ^ (hash >>> 15)) & this.#mask;
  }

  #unlink(i: number): void {
    const hash = this.#hash(this.#slots[i]!, this.#times[i]!, this.#values[i]!, this.#causes[i]!);
    if (this.#heads[hash] === i) {
      this.#heads[hash] = this.#nexts[i]!;
      return;
    }
    for (let at = this.#heads[hash]!; at !== NONE; at = this.#nexts[at]!) {
      if (this.#nexts[at] === i) {
        this.#nexts[at] = this.#nexts[i]!;
        return;
      }
    }
  }
}
