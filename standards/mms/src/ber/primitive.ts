import { callerError, peerError } from '../errors.ts';
import type { BerReader } from './reader.ts';
import { plain, type Type } from './type.ts';
import type { BerWriter } from './writer.ts';

/** Bits in the order of the wire: bit 0 is the highest bit of the first octet. */
export interface BitString {
  /** Number of bits. */
  readonly length: number;
  readonly bytes: Uint8Array;
}

/** From `'0110'`. */
export function bits(text: string): BitString {
  const bytes = new Uint8Array(Math.ceil(text.length / 8));
  for (let i = 0; i < text.length; i++) if (text[i] === '1') bytes[i >> 3]! |= 0x80 >> (i & 7);
  return { length: text.length, bytes };
}

/** A bit string of `length` bits with the bits of these numbers set. */
export function bitsOf(length: number, set: Iterable<number>): BitString {
  const bytes = new Uint8Array(Math.ceil(length / 8));
  for (const i of set) {
    if (!(i >= 0 && i < length)) throw callerError('ber.bit', `bit ${i} of a bit string of ${length}`);
    bytes[i >> 3]! |= 0x80 >> (i & 7);
  }
  return { length, bytes };
}

/** Whether a bit is set; one behind the end is not. */
export function bit({ length, bytes }: BitString, index: number): boolean {
  return index < length && (bytes[index >> 3]! & (0x80 >> (index & 7))) !== 0;
}

export function bitText(value: BitString): string {
  let text = '';
  for (let i = 0; i < value.length; i++) text += bit(value, i) ? '1' : '0';
  return text;
}

/** Whole numbers up to eight octets: a number, or a bigint when it is not a safe integer. */
export function readInteger(reader: BerReader): number | bigint {
  const { bytes, at, stop } = reader;
  const length = stop - at;
  if (length < 1 || length > 9) throw peerError('ber.integer', `BER: integer of ${length} octets at offset ${at}`);
  reader.at = stop;
  let value = (bytes[at]! << 24) >> 24;
  if (length <= 6) {
    for (let i = at + 1; i < stop; i++) value = value * 256 + bytes[i]!;
    return value;
  }
  let big = BigInt(value);
  for (let i = at + 1; i < stop; i++) big = (big << 8n) | BigInt(bytes[i]!);
  return big >= BigInt(Number.MIN_SAFE_INTEGER) && big <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(big) : big;
}

/** The shortest two's complement. */
export function writeInteger(writer: BerWriter, value: number | bigint): void {
  if (typeof value === 'number') {
    if (!Number.isSafeInteger(value)) throw callerError('ber.integer', `${value} is not a whole number`);
    let rest = value;
    let octet: number;
    do {
      octet = ((rest % 256) + 256) % 256;
      writer.octet(octet);
      rest = Math.floor(rest / 256);
    } while (!((rest === 0 && octet < 0x80) || (rest === -1 && octet > 0x7f)));
    return;
  }
  if (BigInt.asIntN(72, value) !== value) throw callerError('ber.integer', `${value} does not fit into 9 octets`);
  let rest = value;
  let octet: number;
  do {
    octet = Number(rest & 0xffn);
    writer.octet(octet);
    rest >>= 8n;
  } while (!((rest === 0n && octet < 0x80) || (rest === -1n && octet > 0x7f)));
}

/** INTEGER between two bounds that fit into a number. */
export function integer(low: number, high: number): Type<number> {
  return plain<number>(
    0x02,
    (reader) => {
      const at = reader.at;
      const value = readInteger(reader);
      if (typeof value !== 'number' || value < low || value > high)
        throw peerError('ber.integer', `BER: ${value} at offset ${at} is not between ${low} and ${high}`);
      return value;
    },
    (writer, value) => {
      if (!(value >= low && value <= high))
        throw callerError('ber.integer', `${value} is not between ${low} and ${high}`);
      writeInteger(writer, value);
    },
  );
}

export const unsigned8: Type<number> = integer(0, 0xff);
export const unsigned32: Type<number> = integer(0, 0xffff_ffff);
export const integer8: Type<number> = integer(-0x80, 0x7f);
export const integer16: Type<number> = integer(-0x8000, 0x7fff);
export const integer32: Type<number> = integer(-0x8000_0000, 0x7fff_ffff);

export const boolean: Type<boolean> = plain<boolean>(
  0x01,
  (reader) => {
    if (reader.stop - reader.at !== 1) throw peerError('ber.boolean', `BER: boolean at offset ${reader.at}`);
    return reader.bytes[reader.at++] !== 0;
  },
  (writer, value) => writer.octet(value ? 0xff : 0),
);

export const nothing: Type<null> = plain<null>(
  0x05,
  (reader) => {
    if (reader.stop !== reader.at) throw peerError('ber.null', `BER: NULL with content at offset ${reader.at}`);
    return null;
  },
  () => {},
);

export const octets: Type<Uint8Array> = plain<Uint8Array>(
  0x04,
  (reader) => reader.content(),
  (writer, value) => writer.octets(value),
);

export function readBits(reader: BerReader): BitString {
  const { bytes, at, stop } = reader;
  const unused = stop > at ? bytes[at]! : 8;
  if (unused > 7 || (stop - at === 1 && unused > 0)) throw peerError('ber.bits', `BER: bit string at offset ${at}`);
  reader.at = stop;
  return { length: (stop - at - 1) * 8 - unused, bytes: bytes.subarray(at + 1, stop) };
}

export function writeBits(writer: BerWriter, { length, bytes }: BitString): void {
  if (bytes.length !== Math.ceil(length / 8))
    throw callerError('ber.bits', `${length} bits do not fill ${bytes.length} octets`);
  writer.octets(bytes);
  writer.octet(bytes.length * 8 - length);
}

export const bitString: Type<BitString> = plain<BitString>(0x03, readBits, writeBits);

/** One octet each; what is not ASCII comes out as Latin-1 and does not get in. */
export function readLatin(reader: BerReader): string {
  const { bytes, at, stop } = reader;
  reader.at = stop;
  if (stop - at > 24) return Buffer.from(bytes.buffer, bytes.byteOffset + at, stop - at).toString('latin1');
  let text = '';
  for (let i = at; i < stop; i++) text += String.fromCharCode(bytes[i]!);
  return text;
}

export function writeLatin(writer: BerWriter, value: string): void {
  for (let i = value.length - 1; i >= 0; i--) {
    const code = value.charCodeAt(i);
    if (code > 0xff) throw callerError('ber.string', `"${value}" has characters that a VisibleString cannot hold`);
    writer.octet(code);
  }
}

export const visibleString: Type<string> = plain<string>(0x1a, readLatin, writeLatin);
export const graphicString: Type<string> = plain<string>(0x19, readLatin, writeLatin);

/** YYYYMMDDhhmmss[.fff][Z], as it is written. */
export const generalizedTime: Type<string> = plain<string>(0x18, readLatin, writeLatin);

export function readOid(reader: BerReader): string {
  const { bytes, at, stop } = reader;
  if (stop === at || stop - at > 64) throw peerError('ber.oid', `BER: object identifier at offset ${at}`);
  reader.at = stop;
  const arcs: number[] = [];
  let arc = 0;
  for (let i = at; i < stop; i++) {
    arc = arc * 128 + (bytes[i]! & 0x7f);
    if (arc > 0xffff_ffff) throw peerError('ber.oid', `BER: arc of an object identifier too large at offset ${i}`);
    if (bytes[i]! & 0x80) {
      if (i === stop - 1) throw peerError('ber.oid', `BER: object identifier ends inside an arc at offset ${i}`);
      continue;
    }
    if (arcs.length === 0) {
      const first = Math.min(2, Math.floor(arc / 40));
      arcs.push(first, arc - first * 40);
    } else arcs.push(arc);
    arc = 0;
  }
  return arcs.join('.');
}

export function writeOid(writer: BerWriter, value: string): void {
  const arcs = value.split('.').map(Number);
  if (arcs.length < 2 || arcs.some((arc) => !Number.isInteger(arc) || arc < 0 || arc > 0xffff_ffff))
    throw callerError('ber.oid', `"${value}" is not an object identifier`);
  const [first, second, ...rest] = arcs as [number, number, ...number[]];
  for (const arc of [first * 40 + second, ...rest].reverse()) {
    writer.octet(arc & 0x7f);
    for (let more = Math.floor(arc / 128); more > 0; more = Math.floor(more / 128)) writer.octet((more & 0x7f) | 0x80);
  }
}

/** Object identifier in dotted form. */
export const oid: Type<string> = plain<string>(0x06, readOid, writeOid);

/** One element of whatever type, with its header, not copied. */
export const anything: Type<Uint8Array> = {
  accepts: () => true,
  read(reader) {
    reader.at = reader.stop;
    return reader.bytes.subarray(reader.from, reader.stop);
  },
  write: (writer, value) => writer.octets(value),
};
