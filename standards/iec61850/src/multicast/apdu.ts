/**
 * What GOOSE and sampled values have in common behind their EtherType (IEC 61850-8-1 annex C, 9-2 annex A): APPID, length, two
 * reserved fields, then one BER element. Read in place: nothing is copied or made on the way to it.
 */
import type { UtcTime } from '@enerchain/mms';
import { Iec61850Error } from '../error.ts';

/** Octets of APPID, length and reserved fields. */
export const HEADER_OCTETS = 8;
/** Reserved 1: the message comes from a test set (edition 2). */
const SIMULATED = 0x8000;

/** What stands in front of the APDU. */
export interface ApduHeader {
  /** 0x0000 … 0x3FFF for GOOSE, 0x4000 … 0x7FFF for sampled values; 0x8000 … 0xBFFF for GOOSE that trips (8-1 edition 2). */
  readonly appId: number;
  /** S bit of Reserved 1. */
  readonly simulated: boolean;
}

/** Goes through the elements of one APDU in a frame. Used again and again: it makes nothing. */
export class ApduScanner {
  readonly #what: string;
  bytes: Uint8Array = new Uint8Array(0);
  /** Where APPID begins. */
  start = 0;
  appId = 0;
  simulated = false;
  /** Octets behind the APDU that `length` counts in: the security extension of IEC 62351-6. It is not checked. */
  extension = 0;
  /** Where the scanner stands, and where it has to stop. */
  at = 0;
  end = 0;
  /** Content of the element that was taken last. */
  from = 0;
  to = 0;

  /** @param what for messages: `GOOSE`, `SV` */
  constructor(what: string) {
    this.#what = what;
  }

  /**
   * Reads the header and goes into the APDU. @param start of APPID in `bytes` @param end of the frame; padding may be there
   * @throws Iec61850Error `apdu.length` (peer) when the frame is shorter than its length says, `apdu.tag` when it holds something else
   */
  open(bytes: Uint8Array, start: number, end: number, tag: number): void {
    this.bytes = bytes;
    this.start = start;
    if (end > bytes.length || end - start < HEADER_OCTETS + 2)
      throw this.#bad('length', `frame of ${end - start} octets behind its EtherType`);
    this.appId = (bytes[start]! << 8) | bytes[start + 1]!;
    const length = (bytes[start + 2]! << 8) | bytes[start + 3]!;
    this.simulated = (((bytes[start + 4]! << 8) | bytes[start + 5]!) & SIMULATED) !== 0;
    if (length > end - start || length < HEADER_OCTETS + 2)
      throw this.#bad('length', `says ${length} octets, ${end - start} are there`);
    this.at = start + HEADER_OCTETS;
    this.end = start + length;
    if (!this.take(tag)) throw this.#bad('tag', `begins with element 0x${bytes[this.at]!.toString(16)}`);
    this.extension = this.end - this.to;
    this.enter();
  }

  /**
   * Steps over the next element when it has this tag; `from` and `to` are its content.
   * @throws Iec61850Error `apdu.ber` (peer) for an indefinite length, one of more than two octets, one that goes beyond the element around it
   */
  take(tag: number): boolean {
    const { bytes, end } = this;
    let at = this.at;
    if (at >= end || bytes[at] !== tag) return false;
    at++;
    if (at >= end) throw this.#bad('ber', 'ends in the header of an element');
    let length = bytes[at++]!;
    if (length > 0x7f) {
      const octets = length & 0x7f;
      if (octets === 0) throw this.#bad('ber', `element 0x${tag.toString(16)} has an indefinite length`);
      // A frame is shorter than 2^16; more octets of length are not needed by anybody.
      if (octets > 2) throw this.#bad('ber', `element 0x${tag.toString(16)} has a length of ${octets} octets`);
      if (at + octets > end) throw this.#bad('ber', 'ends in the header of an element');
      length = bytes[at++]!;
      if (octets === 2) length = (length << 8) | bytes[at++]!;
    }
    if (length > end - at)
      throw this.#bad('ber', `element 0x${tag.toString(16)} says ${length} octets, ${end - at} are there`);
    this.from = at;
    this.to = at + length;
    this.at = this.to;
    return true;
  }

  /** @throws Iec61850Error `apdu.missing` (peer) when the next element is another one */
  expect(tag: number, name: string): void {
    if (!this.take(tag)) throw this.#bad('missing', `has no ${name}`);
  }

  /** Goes into the element taken last. @returns where the one around it ends, for `leave` */
  enter(): number {
    const outer = this.end;
    this.at = this.from;
    this.end = this.to;
    return outer;
  }

  /** @throws Iec61850Error `apdu.rest` (peer) when something is left in the element */
  leave(outer: number): void {
    if (this.at !== this.end) throw this.#bad('rest', `has ${this.end - this.at} octets that do not belong there`);
    this.end = outer;
  }

  /** The element taken last as a whole number without sign; a zero octet in front or not, at most 32 bits. */
  unsigned(name: string): number {
    const { bytes, from, to } = this;
    const length = to - from;
    if (length < 1 || length > 5 || (length === 5 && bytes[from] !== 0))
      throw this.#bad('number', `${name} has ${length} octets`);
    let value = 0;
    for (let i = from; i < to; i++) value = value * 256 + bytes[i]!;
    return value;
  }

  boolean(name: string): boolean {
    if (this.to - this.from !== 1) throw this.#bad('number', `${name} has ${this.to - this.from} octets`);
    return this.bytes[this.from] !== 0;
  }

  /** @throws Iec61850Error `apdu.number` (peer) when the element taken last has another length */
  sized(octets: number, name: string): void {
    if (this.to - this.from !== octets) throw this.#bad('number', `${name} has ${this.to - this.from} octets`);
  }

  /** UtcTime at a place (8-1 § 8.1.3.7). */
  time(at: number): UtcTime {
    const low = this.#word(at + 4);
    return { seconds: this.#word(at), fraction: low >>> 8, quality: low & 0xff };
  }

  #word(at: number): number {
    const { bytes } = this;
    return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0;
  }

  #bad(code: string, text: string): Iec61850Error {
    const appId = this.appId.toString(16).toUpperCase().padStart(4, '0');
    return new Iec61850Error(
      'peer',
      `apdu.${code}`,
      `${this.#what} with APPID ${appId}: ${text}; the message is refused`,
    );
  }
}

/** Writes APPID, length and reserved fields in front of an APDU. */
export function withHeader({ appId, simulated }: ApduHeader, apdu: Uint8Array): Uint8Array<ArrayBuffer> {
  const length = HEADER_OCTETS + apdu.length;
  if (!(appId >= 0 && appId <= 0xffff))
    throw new Iec61850Error('caller', 'apdu.appid', `APPID ${appId} is not 0 … FFFF`);
  const octets = new Uint8Array(length);
  octets[0] = appId >> 8;
  octets[1] = appId;
  octets[2] = length >> 8;
  octets[3] = length;
  if (simulated) octets[4] = SIMULATED >> 8;
  octets.set(apdu, HEADER_OCTETS);
  return octets;
}

/** Whether two ranges hold the same octets. */
export function sameOctets(a: Uint8Array, aFrom: number, b: Uint8Array, bFrom: number, length: number): boolean {
  for (let i = 0; i < length; i++) if (a[aFrom + i] !== b[bFrom + i]) return false;
  return true;
}

/** One octet each, as in a VisibleString. */
export function latin(bytes: Uint8Array, from: number, to: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + from, to - from).toString('latin1');
}

/** Whether octets spell a text, without making one of them. */
export function spells(bytes: Uint8Array, from: number, to: number, text: string): boolean {
  if (to - from !== text.length) return false;
  for (let i = 0; i < text.length; i++) if (bytes[from + i] !== text.charCodeAt(i)) return false;
  return true;
}
