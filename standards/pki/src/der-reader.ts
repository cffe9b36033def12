/**
 * Reading DER (ITU-T X.690 § 10): definite lengths in the shortest form, low tag numbers, nothing past the end, a limit
 * on nesting. What is not DER is refused with the byte at which it went wrong.
 */
import { context, TAG } from './der-tags.ts';
import { PkiError } from './error.ts';

/** Deepest nesting that is followed. */
export const MAX_DEPTH = 32;

/** One element as it stands in the input. */
export interface DerElement {
  readonly tag: number;
  /** Without tag and length. */
  readonly contents: Uint8Array;
  /** With tag and length. */
  readonly raw: Uint8Array;
}

export class DerReader {
  readonly #bytes: Uint8Array;
  readonly #depth: number;
  /** Position of `bytes` in the outermost input, for messages. */
  readonly #offset: number;
  #at = 0;

  constructor(bytes: Uint8Array, depth = 0, offset = 0) {
    this.#bytes = bytes;
    this.#depth = depth;
    this.#offset = offset;
    if (depth > MAX_DEPTH) throw this.fail(`nested deeper than ${MAX_DEPTH}`);
  }

  get done(): boolean {
    return this.#at >= this.#bytes.length;
  }

  /** Tag of the next element, `undefined` at the end. */
  peek(): number | undefined {
    return this.#bytes[this.#at];
  }

  /** @throws when something is left over */
  end(what: string): void {
    if (!this.done) throw this.fail(`${what} has ${this.#bytes.length - this.#at} bytes too many`);
  }

  fail(what: string): PkiError {
    return new PkiError('peer', 'pki.der', `DER at byte ${this.#offset + this.#at}: ${what}`);
  }

  /** Takes the next element, whatever it is. */
  any(what: string): DerElement {
    const start = this.#at;
    const left = this.#bytes.length - start;
    if (left < 2) throw this.fail(`ends before ${what}`);
    const tag = this.#bytes[start]!;
    if ((tag & 0x1f) === 0x1f) throw this.fail(`${what} has a high tag number`);
    const first = this.#bytes[start + 1]!;
    let size = first;
    let head = 2;
    if (first >= 0x80) {
      const octets = first & 0x7f;
      if (octets === 0 || octets > 4) throw this.fail(`${what} has an indefinite or oversized length`);
      if (left < 2 + octets) throw this.fail(`ends within the length of ${what}`);
      size = 0;
      for (let i = 0; i < octets; i++) size = size * 256 + this.#bytes[start + 2 + i]!;
      if (size < 0x80 || size < 256 ** (octets - 1)) throw this.fail(`${what} has a length that is not the shortest`);
      head += octets;
    }
    if (size > left - head) throw this.fail(`${what} claims ${size} bytes, ${left - head} are left`);
    this.#at = start + head + size;
    return {
      tag,
      contents: this.#bytes.subarray(start + head, this.#at),
      raw: this.#bytes.subarray(start, this.#at),
    };
  }

  /** Takes an element of the given tag. */
  take(tag: number, what: string): DerElement {
    const found = this.peek();
    if (found !== tag) throw this.fail(`${what} has tag ${hex(found)} instead of ${hex(tag)}`);
    return this.any(what);
  }

  /** Opens a constructed element. */
  open(tag: number, what: string): DerReader {
    const { contents } = this.take(tag, what);
    return new DerReader(contents, this.#depth + 1, this.#offset + this.#at - contents.length);
  }

  sequence(what: string): DerReader {
    return this.open(TAG.sequence, what);
  }

  /** Opens [n] if it comes next. */
  optional(n: number, what: string): DerReader | undefined {
    return this.peek() === context(n) ? this.open(context(n), what) : undefined;
  }

  boolean(what: string): boolean {
    const { contents } = this.take(TAG.boolean, what);
    if (contents.length !== 1 || (contents[0] !== 0 && contents[0] !== 0xff)) throw this.fail(`${what} is no boolean`);
    return contents[0] === 0xff;
  }

  /** INTEGER as its contents, checked to be minimal. @param max most octets */
  integerBytes(what: string, max = 32): Uint8Array {
    const { contents } = this.take(TAG.integer, what);
    const [first, second] = contents;
    if (first === undefined || contents.length > max) throw this.fail(`${what} has ${contents.length} octets`);
    if (second !== undefined && ((first === 0 && second < 0x80) || (first === 0xff && second >= 0x80))) {
      throw this.fail(`${what} is not in its shortest form`);
    }
    return contents;
  }

  integer(what: string, max = 32): bigint {
    const bytes = this.integerBytes(what, max);
    return BigInt.asIntN(bytes.length * 8, BigInt(`0x${Buffer.from(bytes).toString('hex')}`));
  }

  /** A small non-negative INTEGER. */
  smallInteger(what: string): number {
    const value = this.integer(what, 7);
    if (value < 0n || value > BigInt(Number.MAX_SAFE_INTEGER)) throw this.fail(`${what} is out of range`);
    return Number(value);
  }

  /** A small ENUMERATED. */
  enumerated(what: string): number {
    const { contents } = this.take(TAG.enumerated, what);
    if (contents.length !== 1 || contents[0]! > 0x7f) throw this.fail(`${what} is out of range`);
    return contents[0]!;
  }

  objectIdentifier(what: string): string {
    const { contents } = this.take(TAG.objectIdentifier, what);
    if (contents.length === 0 || contents.length > 128 || contents[contents.length - 1]! & 0x80) {
      throw this.fail(`${what} is no object identifier`);
    }
    // Numbers as long as they hold, since nearly every arc is short.
    let text = '';
    let arc = 0;
    let large: bigint | undefined;
    let fresh = true;
    for (const octet of contents) {
      if (fresh && octet === 0x80) throw this.fail(`${what} has an arc that is not in its shortest form`);
      if (large === undefined && arc >= 2 ** 45) large = BigInt(arc);
      if (large === undefined) arc = arc * 128 + (octet & 0x7f);
      else large = (large << 7n) | BigInt(octet & 0x7f);
      fresh = (octet & 0x80) === 0;
      if (!fresh) continue;
      // The first two arcs share a number (§ 8.19.4).
      if (text !== '') text += `.${large ?? arc}`;
      else if (large !== undefined) text = `2.${large - 80n}`;
      else text = arc < 80 ? `${Math.floor(arc / 40)}.${arc % 40}` : `2.${arc - 80}`;
      arc = 0;
      large = undefined;
    }
    return text;
  }

  octetString(what: string): Uint8Array {
    return this.take(TAG.octetString, what).contents;
  }

  /** BIT STRING. @returns its octets and how many bits of the last are unused */
  bitString(what: string): { readonly bytes: Uint8Array; readonly unused: number } {
    const { contents } = this.take(TAG.bitString, what);
    const unused = contents[0];
    if (unused === undefined || unused > 7 || (contents.length === 1 && unused > 0)) {
      throw this.fail(`${what} is no bit string`);
    }
    const bytes = contents.subarray(1);
    if (bytes.length > 0 && bytes[bytes.length - 1]! & ((1 << unused) - 1)) {
      throw this.fail(`${what} has unused bits that are not zero`);
    }
    return { bytes, unused };
  }

  /** BIT STRING of whole octets. */
  octetAlignedBits(what: string): Uint8Array {
    const { bytes, unused } = this.bitString(what);
    if (unused !== 0) throw this.fail(`${what} is not made of whole octets`);
    return bytes;
  }

  /** Numbers of the bits that are set. */
  namedBits(what: string): number[] {
    const { bytes } = this.bitString(what);
    const bits: number[] = [];
    for (let i = 0; i < Math.min(bytes.length, 8) * 8; i++) if (bytes[i >> 3]! & (0x80 >> (i & 7))) bits.push(i);
    return bits;
  }

  /** Any of the string types of a distinguished name. */
  string(what: string): string {
    const { tag, contents } = this.any(what);
    switch (tag) {
      case TAG.utf8String:
        try {
          return new TextDecoder('utf-8', { fatal: true }).decode(contents);
        } catch {
          throw this.fail(`${what} is not UTF-8`);
        }
      case TAG.printableString:
      case TAG.ia5String:
      case TAG.teletexString:
        return Buffer.from(contents).toString('latin1');
      case TAG.bmpString:
        if (contents.length % 2 !== 0) throw this.fail(`${what} is no BMPString`);
        return Buffer.from(contents).swap16().toString('utf16le');
      default:
        throw this.fail(`${what} has tag ${hex(tag)}, which is no text`);
    }
  }

  /** UTCTime or GeneralizedTime in the forms of RFC 5280 § 4.1.2.5. */
  time(what: string): Date {
    const { tag, contents } = this.any(what);
    const yearDigits = tag === TAG.utcTime ? 2 : tag === TAG.generalizedTime ? 4 : 0;
    const at = yearDigits === 0 || contents.length !== yearDigits + 11 ? undefined : utcOf(contents, yearDigits);
    if (!at) throw this.fail(`${what} '${Buffer.from(contents).toString('latin1').slice(0, 32)}' is no time`);
    return at;
  }
}

const hex = (tag: number | undefined) => (tag === undefined ? 'nothing' : `0x${tag.toString(16).padStart(2, '0')}`);

/** Digits and `Z`; lists of a hundred thousand times are read, so no text is made of them. `undefined` for what is no date. */
function utcOf(contents: Uint8Array, yearDigits: 2 | 4): Date | undefined {
  if (contents[contents.length - 1] !== 0x5a) return undefined;
  for (let i = 0; i < contents.length - 1; i++) if (contents[i]! < 0x30 || contents[i]! > 0x39) return undefined;
  const two = (i: number) => (contents[i]! - 0x30) * 10 + contents[i + 1]! - 0x30;
  const first = two(0);
  const year = yearDigits === 4 ? first * 100 + two(2) : first < 50 ? 2000 + first : 1900 + first;
  const [month, day, hour] = [two(yearDigits), two(yearDigits + 2), two(yearDigits + 4)];
  const [minute, second] = [two(yearDigits + 6), two(yearDigits + 8)];
  const at = new Date(Date.UTC(2000, month - 1, day, hour, minute, second));
  // Date.UTC takes the years below 100 for those of the last century.
  at.setUTCFullYear(year, month - 1, day);
  // A date that is none moves on: the 30th of February, hour 24, second 60.
  const is = at.getUTCMonth() === month - 1 && at.getUTCDate() === day && at.getUTCHours() === hour;
  return is && at.getUTCMinutes() === minute && at.getUTCSeconds() === second ? at : undefined;
}
