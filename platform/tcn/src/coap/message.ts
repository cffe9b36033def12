/** CoAP messages (RFC 7252 § 3) and blocks (RFC 7959 § 2.2), as far as a server of one resource needs them: a pure codec. */
import { EnerchainError } from '@enerchain/model';

export const COAP_TYPES = ['confirmable', 'nonConfirmable', 'acknowledgement', 'reset'] as const;
export type CoapType = (typeof COAP_TYPES)[number];

/** Codes as class · 32 + detail. FETCH is of RFC 8132, 4.29 of RFC 8516. */
export const COAP_CODES = {
  empty: 0x00,
  fetch: 0x05,
  content: 0x45,
  badRequest: 0x80,
  badOption: 0x82,
  notFound: 0x84,
  methodNotAllowed: 0x85,
  incomplete: 0x88,
  tooManyRequests: 0x9d,
  internalError: 0xa0,
  serviceUnavailable: 0xa3,
} as const;

export const COAP_OPTIONS = {
  uriHost: 3,
  uriPort: 7,
  uriPath: 11,
  contentFormat: 12,
  uriQuery: 15,
  accept: 17,
  block2: 23,
  block1: 27,
  size2: 28,
} as const;

export interface CoapOption {
  readonly number: number;
  readonly value: Uint8Array;
}

export interface CoapMessage {
  readonly type: CoapType;
  readonly code: number;
  readonly messageId: number;
  /** 0 … 8 octets. */
  readonly token: Uint8Array;
  /** In ascending order. */
  readonly options: readonly CoapOption[];
  readonly payload: Uint8Array;
}

const MAX_OPTIONS = 32;
const NOTHING = new Uint8Array(0);
const refuse = (what: string) => new EnerchainError('peer', 'tcn.coap', `CoAP: ${what}`);

/** @throws EnerchainError `tcn.coap` (fault peer) */
export function decodeCoap(datagram: Uint8Array): CoapMessage {
  // Slices of a Buffer would be views of memory that is used again.
  const bytes = new Uint8Array(datagram.buffer, datagram.byteOffset, datagram.byteLength);
  if (bytes.length < 4) throw refuse('shorter than a header');
  const first = bytes[0]!;
  if (first >> 6 !== 1) throw refuse('of another version');
  const tokenLength = first & 15;
  if (tokenLength > 8 || bytes.length < 4 + tokenLength) throw refuse('a token that is too long');
  const code = bytes[1]!;
  const messageId = (bytes[2]! << 8) | bytes[3]!;
  const token = bytes.slice(4, 4 + tokenLength);
  let at = 4 + tokenLength;
  if (code === COAP_CODES.empty && bytes.length > 4) throw refuse('an empty message that is not empty');
  const options: CoapOption[] = [];
  let number = 0;
  const extended = (nibble: number): number => {
    if (nibble < 13) return nibble;
    if (nibble === 15) throw refuse('a reserved option length');
    const size = nibble === 13 ? 1 : 2;
    if (at + size > bytes.length) throw refuse('an option that is cut short');
    const value = size === 1 ? bytes[at]! + 13 : ((bytes[at]! << 8) | bytes[at + 1]!) + 269;
    at += size;
    return value;
  };
  while (at < bytes.length && bytes[at] !== 0xff) {
    if (options.length >= MAX_OPTIONS) throw refuse('too many options');
    const head = bytes[at++]!;
    number += extended(head >> 4);
    const length = extended(head & 15);
    if (at + length > bytes.length) throw refuse('an option that is cut short');
    options.push({ number, value: bytes.slice(at, at + length) });
    at += length;
  }
  if (at < bytes.length && at + 1 === bytes.length) throw refuse('a payload marker without payload');
  const payload = at < bytes.length ? bytes.slice(at + 1) : NOTHING;
  return { type: COAP_TYPES[(first >> 4) & 3]!, code, messageId, token, options, payload };
}

/** @param message options in ascending order */
export function encodeCoap(message: CoapMessage): Uint8Array {
  const { type, code, messageId, token, options, payload } = message;
  const parts: Uint8Array[] = [
    Uint8Array.of((1 << 6) | (COAP_TYPES.indexOf(type) << 4) | token.length, code, messageId >> 8, messageId & 0xff),
    token,
  ];
  let before = 0;
  for (const { number, value } of options) {
    const [delta, deltaMore] = nibbleOf(number - before);
    const [length, lengthMore] = nibbleOf(value.length);
    parts.push(Uint8Array.of((delta << 4) | length), deltaMore, lengthMore, value);
    before = number;
  }
  if (payload.length > 0) parts.push(Uint8Array.of(0xff), payload);
  return Buffer.concat(parts);
}

function nibbleOf(value: number): [nibble: number, more: Uint8Array] {
  if (value < 13) return [value, NOTHING];
  if (value < 269) return [13, Uint8Array.of(value - 13)];
  return [14, Uint8Array.of((value - 269) >> 8, (value - 269) & 0xff)];
}

export interface Block {
  readonly number: number;
  readonly more: boolean;
  /** Octets: 16 … 1024. */
  readonly size: number;
}

/** @throws EnerchainError `tcn.coap` (fault peer) */
export function decodeBlock(value: Uint8Array): Block {
  if (value.length > 3) throw refuse('a block option that is too long');
  const bits = value.reduce((sum, octet) => sum * 256 + octet, 0);
  const exponent = bits & 7;
  if (exponent === 7) throw refuse('a reserved size of blocks');
  return { number: Math.floor(bits / 16), more: (bits & 8) !== 0, size: 16 << exponent };
}

export function encodeBlock({ number, more, size }: Block): Uint8Array {
  const bits = number * 16 + (more ? 8 : 0) + Math.log2(size / 16);
  if (bits === 0) return NOTHING;
  const octets = bits < 0x100 ? 1 : bits < 0x10000 ? 2 : 3;
  return Uint8Array.from({ length: octets }, (_, i) => Math.floor(bits / 256 ** (octets - 1 - i)) & 0xff);
}

export const optionOf = (message: CoapMessage, number: number): Uint8Array | undefined =>
  message.options.find((option) => option.number === number)?.value;

export const pathOf = (message: CoapMessage): string =>
  message.options
    .filter(({ number }) => number === COAP_OPTIONS.uriPath)
    .map(({ value }) => Buffer.from(value).toString('utf8'))
    .join('/');
