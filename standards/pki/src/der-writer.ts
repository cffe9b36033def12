/** Writing DER (ITU-T X.690 § 10): every function returns one complete element. */
import { TAG } from './der-tags.ts';
import { PkiError } from './error.ts';

/** Tag octet, length in the shortest form, contents. @param tag identifier octet (low tag numbers only) */
export function element(tag: number, ...contents: readonly Uint8Array[]): Uint8Array {
  const size = contents.reduce((sum, part) => sum + part.length, 0);
  const head = [tag];
  if (size < 0x80) {
    head.push(size);
  } else {
    const octets: number[] = [];
    for (let rest = size; rest > 0; rest = Math.floor(rest / 256)) octets.unshift(rest % 256);
    head.push(0x80 | octets.length, ...octets);
  }
  const result = new Uint8Array(head.length + size);
  result.set(head);
  let at = head.length;
  for (const part of contents) {
    result.set(part, at);
    at += part.length;
  }
  return result;
}

export const sequence = (...parts: readonly Uint8Array[]): Uint8Array => element(TAG.sequence, ...parts);

/** SET OF: the elements in ascending order of their encodings (§ 11.6). */
export const setOf = (...parts: readonly Uint8Array[]): Uint8Array =>
  element(TAG.set, ...[...parts].sort(Buffer.compare));

export const boolean = (value: boolean): Uint8Array => element(TAG.boolean, Uint8Array.of(value ? 0xff : 0));

export const nullValue = (): Uint8Array => element(TAG.null);

/** INTEGER of any size (§ 8.3). */
export function integer(value: number | bigint): Uint8Array {
  let rest = BigInt(value);
  const octets: number[] = [];
  for (;;) {
    const octet = Number(rest & 0xffn);
    octets.unshift(octet);
    rest >>= 8n;
    if ((rest === 0n && octet < 0x80) || (rest === -1n && octet >= 0x80)) break;
  }
  return element(TAG.integer, Uint8Array.from(octets));
}

export const enumerated = (value: number): Uint8Array => {
  const encoded = integer(value);
  encoded[0] = TAG.enumerated;
  return encoded;
};

/** INTEGER out of unsigned big-endian octets. */
export function unsignedInteger(octets: Uint8Array): Uint8Array {
  let start = 0;
  while (start < octets.length - 1 && octets[start] === 0) start++;
  const magnitude = octets.length === 0 ? Uint8Array.of(0) : octets.subarray(start);
  return element(TAG.integer, ...(magnitude[0]! >= 0x80 ? [Uint8Array.of(0), magnitude] : [magnitude]));
}

/** @param dotted for example `1.2.840.10045.2.1`. @throws PkiError (fault caller) when it is no object identifier */
export function objectIdentifier(dotted: string): Uint8Array {
  const arcs = dotted.split('.');
  const [first, second] = [Number(arcs[0]), Number(arcs[1])];
  if (arcs.length < 2 || !arcs.every((arc) => /^(0|[1-9]\d*)$/.test(arc)) || first > 2 || (first < 2 && second > 39)) {
    throw new PkiError('caller', 'pki.der.oid', `'${dotted}' is not an object identifier`);
  }
  const octets: number[] = [];
  for (const arc of [BigInt(first * 40) + BigInt(arcs[1]!), ...arcs.slice(2).map(BigInt)]) {
    const base128 = [Number(arc & 0x7fn)];
    for (let rest = arc >> 7n; rest > 0n; rest >>= 7n) base128.unshift(0x80 | Number(rest & 0x7fn));
    octets.push(...base128);
  }
  return element(TAG.objectIdentifier, Uint8Array.from(octets));
}

export const octetString = (bytes: Uint8Array): Uint8Array => element(TAG.octetString, bytes);

/** @param unused number of unused bits in the last octet */
export const bitString = (bytes: Uint8Array, unused = 0): Uint8Array =>
  element(TAG.bitString, Uint8Array.of(unused), bytes);

/** BIT STRING of named bits: trailing zero bits are left out (§ 11.2.2). @param bits numbers of the bits that are set */
export function namedBits(bits: readonly number[]): Uint8Array {
  if (bits.length === 0) return bitString(new Uint8Array(0));
  const highest = Math.max(...bits);
  const octets = new Uint8Array((highest >> 3) + 1);
  for (const bit of bits) octets[bit >> 3]! |= 0x80 >> (bit & 7);
  return bitString(octets, 7 - (highest & 7));
}

export const utf8String = (text: string): Uint8Array => element(TAG.utf8String, Buffer.from(text, 'utf8'));

export const ia5String = (text: string, tag: number = TAG.ia5String): Uint8Array => {
  for (const char of text) {
    if (char > '\x7f') throw new PkiError('caller', 'pki.der.ia5', `'${text}' has characters beyond ASCII`);
  }
  return element(tag, Buffer.from(text, 'latin1'));
};

export const printableString = (text: string): Uint8Array => element(TAG.printableString, Buffer.from(text, 'latin1'));

/** UTCTime up to 2049, GeneralizedTime from 2050 on, whole seconds (RFC 5280 § 4.1.2.5). */
export function time(at: Date): Uint8Array {
  return at.getUTCFullYear() < 2050
    ? element(TAG.utcTime, Buffer.from(digits(at).slice(2), 'latin1'))
    : generalizedTime(at);
}

/** GeneralizedTime in whole seconds, whatever the year: where no choice is given (RFC 6960 § 4.2.1). */
export const generalizedTime = (at: Date): Uint8Array =>
  element(TAG.generalizedTime, Buffer.from(digits(at), 'latin1'));

function digits(at: Date): string {
  const year = at.getUTCFullYear();
  if (!(year >= 1950 && year <= 9999)) {
    throw new PkiError('caller', 'pki.der.time', `a certificate cannot hold the year ${year}`);
  }
  return at
    .toISOString()
    .replace(/\.\d+Z$/, 'Z')
    .replaceAll(/[-:T]/g, '');
}

/** [n] EXPLICIT. */
export const explicit = (n: number, inner: Uint8Array): Uint8Array => element(0xa0 | n, inner);

/** [n] IMPLICIT of a constructed type: the same contents under another tag. */
export const implicitConstructed = (n: number, ...parts: readonly Uint8Array[]): Uint8Array =>
  element(0xa0 | n, ...parts);

/** [n] IMPLICIT of a primitive type. @param contents without tag and length */
export const implicitPrimitive = (n: number, contents: Uint8Array): Uint8Array => element(0x80 | n, contents);
