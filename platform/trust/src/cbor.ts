/**
 * CBOR (RFC 8949) as far as signed things need it: definite lengths, shortest integers, map keys sorted and unique
 * (§ 4.2.1, core deterministic encoding), floats always 64 bits when written. What is signed here must have one encoding
 * and reading it must be safe with any input, so both sides are strict and every read is checked against the bytes
 * that are there: no allocation is larger than the input justifies.
 */
import { EnerchainError } from '@enerchain/model';

/** A tagged item (RFC 8949 § 3.4). */
export class CborTag {
  readonly tag: number;
  readonly value: CborValue;
  constructor(tag: number, value: CborValue) {
    this.tag = tag;
    this.value = value;
  }
}

export type CborValue =
  | number
  | bigint
  | string
  | boolean
  | null
  | undefined
  | Uint8Array
  | CborTag
  | readonly CborValue[]
  | ReadonlyMap<number | string, CborValue>
  | { readonly [key: string]: CborValue };

export const CBOR_MAJOR = { uint: 0, negative: 1, bytes: 2, text: 3, array: 4, map: 5, tag: 6, simple: 7 } as const;

const malformed = (at: number, what: string) =>
  new EnerchainError('peer', 'cbor.malformed', `CBOR at byte ${at}: ${what}`);

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * Buffers of writers that have finished, for those that begin: thousands of short items are written a second, and a buffer
 * for each would cost more than writing it. A writer that never finishes keeps its own.
 */
const SPARE_BYTES = 4096;
const MOST_SPARES = 8;
const spares: Uint8Array[] = [];

/** Longest text that is looked at character by character before it is given to the encoder or decoder of the platform. */
const SHORT_TEXT = 64;

/** Writes CBOR into one growing buffer. */
export class CborWriter {
  #bytes: Uint8Array;
  #view: DataView | undefined;
  #at = 0;
  #spare: boolean;

  /** @param capacity first size in bytes; it doubles when needed */
  constructor(capacity = 256) {
    this.#spare = capacity <= SPARE_BYTES;
    this.#bytes = this.#spare ? (spares.pop() ?? new Uint8Array(SPARE_BYTES)) : new Uint8Array(capacity);
  }

  /** Bytes written so far. */
  get length(): number {
    return this.#at;
  }

  /** A copy of what was written. */
  finish(): Uint8Array {
    const copy = this.#bytes.slice(0, this.#at);
    // It is full, so that whatever is written after it moves on to another buffer.
    this.#become(copy);
    return copy;
  }

  #become(bytes: Uint8Array): void {
    if (this.#spare && spares.length < MOST_SPARES) spares.push(this.#bytes);
    this.#spare = false;
    this.#bytes = bytes;
    this.#view = undefined;
  }

  /** The buffer as it is now; for filling what `room` has made, and void after the next write. */
  get view(): DataView {
    this.#view ??= new DataView(this.#bytes.buffer);
    return this.#view;
  }

  /** Makes room and moves on; the caller fills all of it through `view`. @returns where the room begins */
  room(size: number): number {
    const at = this.#at;
    if (at + size > this.#bytes.length) {
      const next = new Uint8Array(Math.max(this.#bytes.length * 2, at + size));
      next.set(this.#bytes.subarray(0, at));
      this.#become(next);
    }
    this.#at = at + size;
    return at;
  }

  /** Head of an item: major type and argument in the shortest form. @param argument 0 … 2^53-1 */
  head(major: number, argument: number): void {
    const m = major << 5;
    if (argument < 24) {
      // In two steps: `room` may replace the buffer.
      const at = this.room(1);
      this.#bytes[at] = m | argument;
    } else if (argument < 0x100) {
      const at = this.room(2);
      this.#bytes[at] = m | 24;
      this.#bytes[at + 1] = argument;
    } else if (argument < 0x10000) {
      const at = this.room(3);
      this.#bytes[at] = m | 25;
      this.#bytes[at + 1] = argument >> 8;
      this.#bytes[at + 2] = argument;
    } else if (argument < 0x1_0000_0000) {
      const at = this.room(5);
      this.#bytes[at] = m | 26;
      this.view.setUint32(at + 1, argument);
    } else {
      const at = this.room(9);
      this.#bytes[at] = m | 27;
      this.view.setBigUint64(at + 1, BigInt(argument));
    }
  }

  /** A safe integer. */
  int(value: number): void {
    if (value >= 0) this.head(CBOR_MAJOR.uint, value);
    else this.head(CBOR_MAJOR.negative, -1 - value);
  }

  /** An integer of up to 64 bits. @throws RangeError beyond that */
  bigint(value: bigint): void {
    if (value >= BigInt(Number.MIN_SAFE_INTEGER) && value <= BigInt(Number.MAX_SAFE_INTEGER)) {
      this.int(Number(value));
      return;
    }
    const argument = value >= 0n ? value : -1n - value;
    if (argument >= 1n << 64n) throw new RangeError(`${value} does not fit the 64 bits of a CBOR integer`);
    const at = this.room(9);
    this.#bytes[at] = ((value >= 0n ? CBOR_MAJOR.uint : CBOR_MAJOR.negative) << 5) | 27;
    this.view.setBigUint64(at + 1, argument);
  }

  float64(value: number): void {
    const at = this.room(9);
    this.#bytes[at] = 0xfb;
    this.view.setFloat64(at + 1, value);
  }

  bytes(value: Uint8Array): void {
    this.head(CBOR_MAJOR.bytes, value.length);
    this.raw(value);
  }

  /** Bytes that are CBOR already. */
  raw(value: Uint8Array): void {
    const at = this.room(value.length);
    this.#bytes.set(value, at);
  }

  text(value: string): void {
    if (value.length <= SHORT_TEXT && this.#ascii(value)) return;
    const bytes = encoder.encode(value);
    this.head(CBOR_MAJOR.text, bytes.length);
    this.raw(bytes);
  }

  /** @returns false, and nothing was written, when it is not ASCII throughout */
  #ascii(value: string): boolean {
    const { length } = value;
    for (let i = 0; i < length; i++) if (value.charCodeAt(i) >= 0x80) return false;
    this.head(CBOR_MAJOR.text, length);
    const at = this.room(length);
    for (let i = 0; i < length; i++) this.#bytes[at + i] = value.charCodeAt(i);
    return true;
  }

  simple(value: boolean | null): void {
    const at = this.room(1);
    this.#bytes[at] = value === null ? 0xf6 : value ? 0xf5 : 0xf4;
  }

  /** Any value; `undefined` is allowed as a member of an object only, where it means absent. */
  value(value: CborValue): void {
    switch (typeof value) {
      case 'number':
        if (Number.isSafeInteger(value) && !Object.is(value, -0)) this.int(value);
        else this.float64(value);
        return;
      case 'bigint':
        this.bigint(value);
        return;
      case 'string':
        this.text(value);
        return;
      case 'boolean':
        this.simple(value);
        return;
      case 'object':
        this.#object(value);
        return;
      default:
        throw new EnerchainError('caller', 'cbor.unsupported', `a value of type ${typeof value} has no CBOR form here`);
    }
  }

  #object(value: Exclude<CborValue, number | bigint | string | boolean | undefined>): void {
    if (value === null) {
      this.simple(null);
      return;
    }
    if (value instanceof Uint8Array) {
      this.bytes(value);
      return;
    }
    if (value instanceof CborTag) {
      this.head(CBOR_MAJOR.tag, value.tag);
      this.value(value.value);
      return;
    }
    if (Array.isArray(value)) {
      this.head(CBOR_MAJOR.array, value.length);
      for (const item of value as readonly CborValue[]) this.value(item);
      return;
    }
    const entries: [Uint8Array, CborValue][] = [];
    const members = value instanceof Map ? (value as ReadonlyMap<number | string, CborValue>) : Object.entries(value);
    for (const [key, member] of members) if (member !== undefined) entries.push([encodedKey(key), member]);
    entries.sort(([a], [b]) => Buffer.compare(a, b));
    this.head(CBOR_MAJOR.map, entries.length);
    for (const [key, member] of entries) {
      this.raw(key);
      this.value(member);
    }
  }
}

/** Keys of maps as they are written: few, and the same again and again. */
const keys = new Map<number | string, Uint8Array>();
const MOST_KEYS = 1024;

function encodedKey(key: number | string): Uint8Array {
  const known = keys.get(key);
  if (known) return known;
  const bytes = encodeCbor(key);
  if (keys.size < MOST_KEYS && bytes.length <= SHORT_TEXT) keys.set(key, bytes);
  return bytes;
}

/** @returns the one encoding of the value */
export function encodeCbor(value: CborValue): Uint8Array {
  const writer = new CborWriter(64);
  writer.value(value);
  return writer.finish();
}

export interface CborLimits {
  /** Deepest nesting of arrays, maps and tags; default 16. */
  readonly depth?: number;
  /** Most items in all; default one per byte of input. */
  readonly items?: number;
}

/** Reads CBOR item by item; every method throws `cbor.malformed` (fault peer) rather than reading past the end. */
export class CborReader {
  readonly #bytes: Uint8Array;
  #view: DataView | undefined;
  #at = 0;
  #items: number;
  readonly #depth: number;

  constructor(bytes: Uint8Array, limits: CborLimits = {}) {
    this.#bytes = bytes;
    this.#items = limits.items ?? bytes.length;
    this.#depth = limits.depth ?? 16;
  }

  /** The input, for whoever reads what `skipBytes` has passed. */
  get view(): DataView {
    const { buffer, byteOffset, byteLength } = this.#bytes;
    this.#view ??= new DataView(buffer, byteOffset, byteLength);
    return this.#view;
  }

  /** Position of the next item. */
  get at(): number {
    return this.#at;
  }

  get done(): boolean {
    return this.#at === this.#bytes.length;
  }

  /** @throws when bytes are left over */
  end(): void {
    if (!this.done) throw malformed(this.#at, `${this.#bytes.length - this.#at} bytes too many`);
  }

  /** Major type of the next item, without taking it. */
  peek(): number {
    if (this.#at >= this.#bytes.length) throw malformed(this.#at, 'ends before an item');
    return this.#bytes[this.#at]! >> 5;
  }

  #need(size: number): number {
    const at = this.#at;
    if (size > this.#bytes.length - at) throw malformed(at, `needs ${size} bytes, ${this.#bytes.length - at} are left`);
    this.#at = at + size;
    return at;
  }

  #uint16(): number {
    const at = this.#need(2);
    return (this.#bytes[at]! << 8) | this.#bytes[at + 1]!;
  }

  /** Argument of a head; beyond 2^53 as bigint. */
  #argument(low: number): number | bigint {
    if (low < 24) return low;
    const start = this.#at;
    let value: number;
    let least: number;
    switch (low) {
      case 24:
        value = this.#bytes[this.#need(1)]!;
        least = 24;
        break;
      case 25:
        value = this.#uint16();
        least = 0x100;
        break;
      case 26:
        value = this.view.getUint32(this.#need(4));
        least = 0x10000;
        break;
      case 27: {
        const wide = this.view.getBigUint64(this.#need(8));
        if (wide > BigInt(Number.MAX_SAFE_INTEGER)) return wide;
        value = Number(wide);
        least = 0x1_0000_0000;
        break;
      }
      default:
        throw malformed(start, 'indefinite length or reserved head');
    }
    if (value < least) throw malformed(start, 'integer is not in its shortest form');
    return value;
  }

  /** Takes a head of the given major type. @returns its argument */
  head(major: number, what: string): number {
    const start = this.#at;
    const first = this.#bytes[this.#need(1)]!;
    if (first >> 5 !== major) throw malformed(start, `${what} has CBOR type ${first >> 5} instead of ${major}`);
    const argument = this.#argument(first & 31);
    if (typeof argument === 'bigint') throw malformed(start, `${what} is beyond 2^53`);
    return argument;
  }

  /** A non-negative integer. @param max largest value allowed */
  uint(what: string, max = Number.MAX_SAFE_INTEGER): number {
    const start = this.#at;
    const value = this.head(CBOR_MAJOR.uint, what);
    if (value > max) throw malformed(start, `${what} is ${value}, at most ${max} is allowed`);
    return value;
  }

  /** A safe integer of either sign. */
  int(what: string): number {
    return this.peek() === CBOR_MAJOR.negative ? -1 - this.head(CBOR_MAJOR.negative, what) : this.uint(what);
  }

  /** A signed 64-bit integer. */
  int64(what: string): bigint {
    const start = this.#at;
    const first = this.#bytes[this.#need(1)]!;
    const major = first >> 5;
    if (major > 1) throw malformed(start, `${what} is not an integer`);
    const argument = BigInt(this.#argument(first & 31));
    if (argument >= 1n << 63n) throw malformed(start, `${what} does not fit 64 bits`);
    return major === 0 ? argument : -1n - argument;
  }

  /** A view into the input, not a copy. @param length exact length, when it is fixed */
  bytes(what: string, length?: number): Uint8Array {
    const size = this.skipBytes(what, length);
    return this.#bytes.subarray(this.#at - size, this.#at);
  }

  /** Passes a byte string, which then ends at `at`. @returns its length */
  skipBytes(what: string, length?: number): number {
    const start = this.#at;
    const size = this.head(CBOR_MAJOR.bytes, what);
    if (length !== undefined && size !== length)
      throw malformed(start, `${what} has ${size} bytes instead of ${length}`);
    this.#need(size);
    return size;
  }

  /** @param max longest text in bytes */
  text(what: string, max = 1 << 20): string {
    const start = this.#at;
    const size = this.head(CBOR_MAJOR.text, what);
    if (size > max) throw malformed(start, `${what} has ${size} bytes, at most ${max} are allowed`);
    const at = this.#need(size);
    if (size <= SHORT_TEXT && this.#ascii(at, size))
      return Buffer.prototype.latin1Slice.call(this.#bytes, at, at + size);
    try {
      return decoder.decode(this.#bytes.subarray(at, at + size));
    } catch {
      throw malformed(start, `${what} is not UTF-8`);
    }
  }

  #ascii(at: number, size: number): boolean {
    for (let i = at; i < at + size; i++) if (this.#bytes[i]! >= 0x80) return false;
    return true;
  }

  /** Head of an array. @returns number of items, which never exceeds the bytes that are left */
  array(what: string, exactly?: number): number {
    return this.#container(CBOR_MAJOR.array, what, 1, exactly);
  }

  /** Head of a map. @returns number of pairs */
  map(what: string): number {
    return this.#container(CBOR_MAJOR.map, what, 2);
  }

  #container(major: number, what: string, perItem: number, exactly?: number): number {
    const start = this.#at;
    const count = this.head(major, what);
    if (exactly !== undefined && count !== exactly) {
      throw malformed(start, `${what} has ${count} items instead of ${exactly}`);
    }
    if (count * perItem > this.#bytes.length - this.#at) {
      throw malformed(start, `${what} claims ${count} items, more than there are bytes`);
    }
    return count;
  }

  tag(what: string): number {
    return this.head(CBOR_MAJOR.tag, what);
  }

  /**
   * Any item. Maps with text keys become plain objects, maps with integer keys `Map`s (an empty map an object).
   * Byte strings are views into the input.
   */
  value(depth = 0): CborValue {
    if (depth > this.#depth) throw malformed(this.#at, `nested deeper than ${this.#depth}`);
    if (--this.#items < 0) throw malformed(this.#at, 'too many items');
    const start = this.#at;
    switch (this.peek()) {
      case CBOR_MAJOR.uint:
      case CBOR_MAJOR.negative: {
        const first = this.#bytes[this.#at++]!;
        const argument = this.#argument(first & 31);
        if (typeof argument === 'number') return first >> 5 === 0 ? argument : -1 - argument;
        return first >> 5 === 0 ? argument : -1n - argument;
      }
      case CBOR_MAJOR.bytes:
        return this.bytes('a byte string');
      case CBOR_MAJOR.text:
        return this.text('a text', this.#bytes.length);
      case CBOR_MAJOR.array: {
        const count = this.array('an array');
        const items: CborValue[] = [];
        for (let i = 0; i < count; i++) items.push(this.value(depth + 1));
        return items;
      }
      case CBOR_MAJOR.map:
        return this.#map(depth);
      case CBOR_MAJOR.tag:
        return new CborTag(this.tag('a tag'), this.value(depth + 1));
      default:
        return this.#simple(start);
    }
  }

  #map(depth: number): CborValue {
    const count = this.map('a map');
    // Integers come before texts, so that most maps are of one kind from their first key on.
    let members: Map<number | string, CborValue> | undefined;
    const object: Record<string, CborValue> = {};
    let previous: Uint8Array | undefined;
    for (let i = 0; i < count; i++) {
      const start = this.#at;
      const key = this.value(depth + 1);
      if (typeof key !== 'string' && typeof key !== 'number') throw malformed(start, 'a map key is no integer or text');
      const encoded = this.#bytes.subarray(start, this.#at);
      if (previous && Buffer.compare(previous, encoded) >= 0)
        throw malformed(start, 'map keys are not sorted and unique');
      previous = encoded;
      const member = this.value(depth + 1);
      if (members || typeof key === 'number') {
        members ??= new Map(Object.entries(object));
        members.set(key, member);
      } else if (key === '__proto__') throw malformed(start, 'a map key is __proto__');
      else object[key] = member;
    }
    return members ?? object;
  }

  #simple(start: number): CborValue {
    const low = this.#bytes[this.#need(1)]! & 31;
    switch (low) {
      case 20:
        return false;
      case 21:
        return true;
      case 22:
        return null;
      case 25:
        return halfFloat(this.#uint16());
      case 26:
        return this.view.getFloat32(this.#need(4));
      case 27:
        return this.view.getFloat64(this.#need(8));
      default:
        throw malformed(start, `simple value or break ${low} is not used here`);
    }
  }
}

/** IEEE 754 binary16 (RFC 8949 appendix D). */
function halfFloat(half: number): number {
  const exponent = (half >> 10) & 31;
  const mantissa = half & 0x3ff;
  const sign = half & 0x8000 ? -1 : 1;
  if (exponent === 0) return sign * mantissa * 2 ** -24;
  if (exponent === 31) return mantissa ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return sign * (1024 + mantissa) * 2 ** (exponent - 25);
}

/** Decodes exactly one item. @throws EnerchainError `cbor.malformed` */
export function decodeCbor(bytes: Uint8Array, limits?: CborLimits): CborValue {
  const reader = new CborReader(bytes, limits);
  const value = reader.value();
  reader.end();
  return value;
}
