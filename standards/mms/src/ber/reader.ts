import { peerError } from '../errors.ts';

/** What a decoder lets itself be told. */
export interface BerLimits {
  /** Constructed elements inside each other. */
  readonly depth: number;
  /** Elements in one PDU. */
  readonly elements: number;
}

export const DEFAULT_BER_LIMITS: BerLimits = { depth: 40, elements: 200_000 };

/**
 * Basic Encoding Rules (X.690 § 8) read in place. The reader stands before an element; `header` reads its identifier
 * and length and then stands at its content, `tag` and `stop` say what and how far. A tag is the number that its
 * identifier octets make, as they are on the wire: 0x30, 0xa1, 0xbf48. Indefinite lengths are refused: no stack that
 * speaks MMS sends them, and a length that is known is a length that can be checked.
 *
 * An element that does not fit into the one around it, deeper nesting or more elements than the limits: MmsError (peer).
 */
export class BerReader {
  readonly bytes: Uint8Array;
  /** Where the reader stands. */
  at: number;
  /** Where the element ends in which the reader stands. */
  end: number;
  /** Identifier of the element whose header was read last, where it begins, and where its content ends. */
  tag = 0;
  from = 0;
  stop = 0;
  readonly #view: DataView;
  #depth: number;
  #elements: number;

  constructor(bytes: Uint8Array, start = 0, end: number = bytes.length, limits: BerLimits = DEFAULT_BER_LIMITS) {
    this.bytes = bytes;
    this.at = start;
    this.end = end;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#depth = limits.depth;
    this.#elements = limits.elements;
  }

  get view(): DataView {
    return this.#view;
  }

  /** Reads identifier and length; returns the tag. */
  header(): number {
    const { bytes, end } = this;
    const from = this.at;
    let at = from;
    if (--this.#elements < 0) throw peerError('ber.elements', `BER: too many elements in one PDU, at offset ${from}`);
    if (at >= end) throw cut(from);
    let tag = bytes[at++]!;
    if ((tag & 0x1f) === 0x1f) {
      if (at >= end) throw cut(from);
      const low = bytes[at++]!;
      // Numbers up to 127 are enough: the highest that MMS uses is 79.
      if (low > 0x7f || low < 0x1f)
        throw peerError('ber.tag', `BER: tag number at offset ${from} is above 127 or not in its short form`);
      tag = (tag << 8) | low;
    }
    if (at >= end) throw cut(from);
    let length = bytes[at++]!;
    if (length > 0x7f) {
      const octets = length & 0x7f;
      if (octets === 0) throw peerError('ber.indefinite', `BER: indefinite length at offset ${from}`);
      if (octets > 4) throw peerError('ber.length', `BER: length of ${octets} octets at offset ${from}`);
      if (at + octets > end) throw cut(from);
      length = 0;
      for (let i = 0; i < octets; i++) length = length * 256 + bytes[at++]!;
    }
    if (length > end - at)
      throw peerError('ber.length', `BER: element at offset ${from} says ${length} octets, ${end - at} are there`);
    this.at = at;
    this.from = from;
    this.stop = at + length;
    this.tag = tag;
    return tag;
  }

  /** Tag of the next element, without moving; -1 at the end. */
  peek(): number {
    if (this.at >= this.end) return -1;
    const tag = this.bytes[this.at]!;
    return (tag & 0x1f) === 0x1f && this.at + 1 < this.end ? (tag << 8) | this.bytes[this.at + 1]! : tag;
  }

  /** Goes into the content of the element whose header was just read; give the result to `leave`. */
  enter(): number {
    if (--this.#depth < 0) throw peerError('ber.depth', `BER: nested too deep at offset ${this.at}`);
    const outer = this.end;
    this.end = this.stop;
    return outer;
  }

  /** Comes out again; everything inside must have been read. */
  leave(outer: number): void {
    if (this.at !== this.end) throw peerError('ber.rest', `BER: octets left over at offset ${this.at}`);
    this.#depth++;
    this.end = outer;
  }

  /** Content of the element whose header was just read, not copied. */
  content(): Uint8Array {
    const content = this.bytes.subarray(this.at, this.stop);
    this.at = this.stop;
    return content;
  }

  /** Nothing may follow. */
  finish(): void {
    if (this.at !== this.end) throw peerError('ber.rest', `BER: ${this.end - this.at} octets after the end of the PDU`);
  }
}

function cut(at: number): Error {
  return peerError('ber.cut', `BER: ends inside the header of an element at offset ${at}`);
}
