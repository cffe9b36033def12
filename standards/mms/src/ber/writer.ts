import { callerError } from '../errors.ts';

/**
 * Writes BER from the end to the front: an element's content is there before its length is needed, so nothing is
 * measured twice and nothing is moved. Whoever writes a sequence writes its last field first.
 */
export class BerWriter {
  /** Octets; when it would have to grow beyond, MmsError (caller) `ber.size`. */
  limit = Number.POSITIVE_INFINITY;
  #bytes: Uint8Array<ArrayBuffer>;
  #view: DataView;
  #at: number;

  /** `capacity`: octets to begin with; it grows as needed. */
  constructor(capacity = 512) {
    this.#bytes = new Uint8Array(capacity);
    this.#view = new DataView(this.#bytes.buffer);
    this.#at = capacity;
  }

  /** Octets written so far. */
  get length(): number {
    return this.#bytes.length - this.#at;
  }

  octet(value: number): void {
    if (this.#at === 0) this.#grow(1);
    this.#bytes[--this.#at] = value;
  }

  octets(value: Uint8Array): void {
    if (this.#at < value.length) this.#grow(value.length);
    this.#at -= value.length;
    // A few octets are quicker one by one.
    if (value.length > 8) this.#bytes.set(value, this.#at);
    else for (let i = 0; i < value.length; i++) this.#bytes[this.#at + i] = value[i]!;
  }

  float32(value: number): void {
    if (this.#at < 4) this.#grow(4);
    this.#at -= 4;
    this.#view.setFloat32(this.#at, value);
  }

  float64(value: number): void {
    if (this.#at < 8) this.#grow(8);
    this.#at -= 8;
    this.#view.setFloat64(this.#at, value);
  }

  uint32(value: number): void {
    if (this.#at < 4) this.#grow(4);
    this.#at -= 4;
    this.#view.setUint32(this.#at, value);
  }

  /** Identifier and length in front of what was written since `length` was `before`. */
  header(tag: number, before: number): void {
    let length = this.length - before;
    if (length < 0x80) this.octet(length);
    else {
      let octets = 0;
      for (; length > 0; length = Math.floor(length / 256), octets++) this.octet(length & 0xff);
      this.octet(0x80 | octets);
    }
    this.octet(tag & 0xff);
    if (tag > 0xff) this.octet(tag >>> 8);
  }

  /** What was written, not copied; the writer must not be used afterwards. */
  finish(): Uint8Array<ArrayBuffer> {
    return this.#bytes.subarray(this.#at);
  }

  /** A copy of what was written. */
  copy(): Uint8Array<ArrayBuffer> {
    return this.#bytes.slice(this.#at);
  }

  /** A copy that may share its memory with others (Node's pool): for octets that are sent and forgotten. */
  pooled(): Uint8Array<ArrayBuffer> {
    const { buffer, byteOffset } = Buffer.allocUnsafe(this.length);
    const bytes = new Uint8Array(buffer, byteOffset, this.length);
    bytes.set(this.#bytes.subarray(this.#at));
    return bytes;
  }

  /** Forgets what was written, and keeps the room. */
  clear(): void {
    this.#at = this.#bytes.length;
  }

  /** Octets that there is room for. */
  get capacity(): number {
    return this.#bytes.length;
  }

  #grow(needed: number): void {
    const used = this.length;
    if (used + needed > this.limit) throw callerError('ber.size', `BER: more than ${this.limit} octets`);
    const capacity = Math.max(this.#bytes.length * 2, used + needed + 64);
    const bytes = new Uint8Array(capacity);
    bytes.set(this.#bytes.subarray(this.#at), capacity - used);
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer);
    this.#at = capacity - used;
  }
}
