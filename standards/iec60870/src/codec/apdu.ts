/**
 * Application protocol data units: the APCI of IEC 60870-5-104 § 5 around an ASDU.
 *
 *     68 length | four octets of control field | ASDU (I format only)
 */
import { callerError, peerError } from '../errors.ts';
import type { Widths } from '../spec/parameters.ts';
import { type Asdu, asduLength, decodeAsdu, encodeAsduInto } from './asdu.ts';

/** The control functions of the U format, § 5.1 figure 8; value is the first octet of the control field. */
export const U_FUNCTIONS = {
  'STARTDT act': 0x07,
  'STARTDT con': 0x0b,
  'STOPDT act': 0x13,
  'STOPDT con': 0x23,
  'TESTFR act': 0x43,
  'TESTFR con': 0x83,
} as const;

export type UFunction = keyof typeof U_FUNCTIONS;

const byOctet = new Map<number, UFunction>(
  Object.entries(U_FUNCTIONS).map(([name, octet]) => [octet, name as UFunction]),
);

/** The function of a first control octet of the U format; undefined when not exactly one bit is set. */
export function uFunction(octet: number): UFunction | undefined {
  return byOctet.get(octet);
}

export type Apdu =
  | { readonly kind: 'I'; readonly sent: number; readonly received: number; readonly asdu: Asdu }
  | { readonly kind: 'S'; readonly received: number }
  | { readonly kind: 'U'; readonly function: UFunction };

export const START = 0x68;
/** Octets before the ASDU. */
export const APCI_LENGTH = 6;
/** Longest APDU with start and length octet. */
export const MAX_APDU_LENGTH = 255;

/**
 * The length of the APDU at the start of some bytes, with start and length octet; undefined while it cannot be told.
 * @throws Iec104Error (peer) when this is no APDU
 */
export function apduLength(bytes: Uint8Array, at: number, end: number): number | undefined {
  if (at >= end) return undefined;
  if (bytes[at] !== START)
    throw peerError('apdu.start', `Octet 0x${hex(bytes[at]!)} where an APDU must start with 0x68`);
  if (at + 1 >= end) return undefined;
  const length = bytes[at + 1]!;
  if (length < 4 || length > 253)
    throw peerError('apdu.length', `APDU announces a length of ${length}; 4 to 253 are possible`);
  return length + 2;
}

/**
 * Reads one complete APDU.
 * @throws Iec104Error (peer) when the octets are not exactly one well-formed APDU
 */
export function decodeApdu(bytes: Uint8Array, widths: Widths, start = 0, end = bytes.length): Apdu {
  const length = apduLength(bytes, start, end);
  if (length === undefined || end - start !== length)
    throw peerError('apdu.length', `APDU of ${length ?? 'unknown'} octets, ${end - start} octets are there`);
  const first = bytes[start + 2]!;
  if ((first & 1) === 0) {
    if (length === APCI_LENGTH) throw peerError('apdu.empty', 'I format APDU without an ASDU');
    return {
      kind: 'I',
      sent: (first >>> 1) | (bytes[start + 3]! << 7),
      received: (bytes[start + 4]! >>> 1) | (bytes[start + 5]! << 7),
      asdu: decodeAsdu(bytes, widths, start + APCI_LENGTH, end),
    };
  }
  if (length !== APCI_LENGTH)
    throw peerError('apdu.length', `S or U format APDU of ${length} octets; it has exactly 6`);
  if ((first & 3) === 1) return { kind: 'S', received: (bytes[start + 4]! >>> 1) | (bytes[start + 5]! << 7) };
  const name = byOctet.get(first);
  if (name === undefined)
    throw peerError('apdu.function', `U format APDU with unknown control function 0x${hex(first)}`);
  return { kind: 'U', function: name };
}

/** One APDU in a buffer of its own. @throws Iec104Error (caller) for values out of range */
export function encodeApdu(apdu: Apdu, widths: Widths & { readonly maxAsduLength?: number }): Uint8Array {
  const bytes = new Uint8Array(apdu.kind === 'I' ? APCI_LENGTH + asduLength(apdu.asdu, widths) : APCI_LENGTH);
  switch (apdu.kind) {
    case 'I':
      encodeAsduInto(apdu.asdu, widths, bytes, APCI_LENGTH);
      writeI(bytes, 0, bytes.length, sequence(apdu.sent), sequence(apdu.received));
      break;
    case 'S':
      writeControl(bytes, 0, 1, sequence(apdu.received));
      break;
    case 'U':
      writeControl(bytes, 0, U_FUNCTIONS[apdu.function], 0);
      break;
    default:
      return apdu satisfies never;
  }
  return bytes;
}

/** Writes the six octets before an ASDU that ends at `end`. */
export function writeI(bytes: Uint8Array, at: number, end: number, sent: number, received: number): void {
  bytes[at] = START;
  bytes[at + 1] = end - at - 2;
  bytes[at + 2] = sent << 1;
  bytes[at + 3] = sent >>> 7;
  bytes[at + 4] = received << 1;
  bytes[at + 5] = received >>> 7;
}

/** Writes an S or U format APDU. */
export function writeControl(bytes: Uint8Array, at: number, first: number, received: number): number {
  bytes[at] = START;
  bytes[at + 1] = 4;
  bytes[at + 2] = first;
  bytes[at + 3] = 0;
  bytes[at + 4] = received << 1;
  bytes[at + 5] = received >>> 7;
  return at + APCI_LENGTH;
}

function sequence(value: number): number {
  if (!Number.isInteger(value) || value < 0 || value > 32767)
    throw callerError('apdu.sequence', `Sequence number ${value}; it must be an integer from 0 to 32767`);
  return value;
}

function hex(octet: number): string {
  return octet.toString(16).padStart(2, '0');
}

/**
 * Cuts a byte stream into APDUs. Whole frames are handed on in place, without a copy; of a frame that is cut by a
 * chunk's end at most 254 octets are kept.
 */
export class ApduReader {
  readonly #partial = new Uint8Array(MAX_APDU_LENGTH);
  #kept = 0;

  /** Octets of an unfinished APDU that wait for the rest. */
  get pending(): number {
    return this.#kept;
  }

  /**
   * @param onFrame gets a buffer with the frame from `start` to `end`, valid during the call; false stops reading
   * @throws Iec104Error (peer) at the first octet that cannot be an APDU; the stream has no way to recover
   */
  push(chunk: Uint8Array, onFrame: (bytes: Uint8Array, start: number, end: number) => boolean): void {
    let at = 0;
    const end = chunk.length;
    if (this.#kept > 0) {
      if (this.#kept === 1) {
        if (end === 0) return;
        this.#partial[this.#kept++] = chunk[at++]!;
      }
      const length = apduLength(this.#partial, 0, this.#kept)!;
      const take = Math.min(length - this.#kept, end - at);
      this.#partial.set(chunk.subarray(at, at + take), this.#kept);
      this.#kept += take;
      at += take;
      if (this.#kept < length) return;
      this.#kept = 0;
      if (!onFrame(this.#partial, 0, length)) return;
    }
    while (at < end) {
      const length = apduLength(chunk, at, end);
      if (length === undefined || at + length > end) {
        this.#partial.set(chunk.subarray(at, end), 0);
        this.#kept = end - at;
        return;
      }
      if (!onFrame(chunk, at, at + length)) return;
      at += length;
    }
  }
}
