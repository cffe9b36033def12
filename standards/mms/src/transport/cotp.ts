/** The connection-oriented transport protocol, class 0 (ISO/IEC 8073, X.224 § 13): TPDUs and reassembly. */
import type { BerWriter } from '../ber/writer.ts';
import { callerError, peerError } from '../errors.ts';

const CR = 0xe0;
const CC = 0xd0;
const DR = 0x80;
const DT = 0xf0;
const ER = 0x70;

/** A data TPDU: length indicator, code, EOT with the number that class 0 keeps at zero. */
const DT_HEADER = 3;
const END = 0x80;

const PARAMETER = { size: 0xc0, calling: 0xc1, called: 0xc2 } as const;

/** TPDU sizes as § 13.3.4 writes them: 2 to the power of 7 … 13. RFC 1006 § 3 allows up to 65 531 without saying so. */
export const TPDU_SIZES = [128, 256, 512, 1024, 2048, 4096, 8192] as const;
export type TpduSize = (typeof TPDU_SIZES)[number];

export interface ConnectionTpdu {
  readonly kind: 'CR' | 'CC';
  readonly source: number;
  readonly destination: number;
  /** Class and options as they are: high half 0 is class 0. */
  readonly options: number;
  readonly size?: TpduSize;
  /** Transport selectors. */
  readonly calling?: Uint8Array;
  readonly called?: Uint8Array;
}

export type Tpdu =
  | ConnectionTpdu
  | { readonly kind: 'DR'; readonly source: number; readonly destination: number; readonly reason: number }
  | { readonly kind: 'DT'; readonly last: boolean; readonly data: Uint8Array }
  | { readonly kind: 'ER'; readonly destination: number; readonly cause: number };

/** MmsError (peer) when the octets are not a TPDU of class 0. */
export function decodeTpdu(bytes: Uint8Array): Tpdu {
  const length = bytes[0] ?? 0;
  const code = bytes[1] ?? 0;
  const end = length + 1;
  if (length < 2 || length === 0xff || end > bytes.length)
    throw peerError('cotp.length', `COTP: header of ${length} octets in a TPDU of ${bytes.length}`);
  const word = (at: number) => (bytes[at]! << 8) | bytes[at + 1]!;
  const need = (octets: number) => {
    if (end < octets)
      throw peerError('cotp.length', `COTP: TPDU 0x${code.toString(16)} with a header of ${length} octets`);
  };
  switch (code & 0xf0) {
    case CR:
    case CC:
      need(7);
      return {
        kind: (code & 0xf0) === CR ? 'CR' : 'CC',
        destination: word(2),
        source: word(4),
        options: bytes[6]!,
        ...parameters(bytes, 7, end),
      };
    case DR:
      need(7);
      return { kind: 'DR', destination: word(2), source: word(4), reason: bytes[6]! };
    case DT:
      need(3);
      return { kind: 'DT', last: (bytes[2]! & END) !== 0, data: bytes.subarray(end) };
    case ER:
      need(5);
      return { kind: 'ER', destination: word(2), cause: bytes[4]! };
    default:
      throw peerError('cotp.code', `COTP: TPDU 0x${code.toString(16)} is not one of class 0`);
  }
}

function parameters(bytes: Uint8Array, from: number, end: number): Pick<ConnectionTpdu, 'size' | 'calling' | 'called'> {
  const found: { size?: TpduSize; calling?: Uint8Array; called?: Uint8Array } = {};
  for (let at = from; at < end; ) {
    const code = bytes[at]!;
    const length = bytes[at + 1] ?? 0;
    const start = at + 2;
    at = start + length;
    if (at > end) throw peerError('cotp.parameter', `COTP: parameter 0x${code.toString(16)} goes beyond the header`);
    const value = bytes.subarray(start, at);
    if (code === PARAMETER.calling) found.calling = value;
    else if (code === PARAMETER.called) found.called = value;
    else if (code === PARAMETER.size) {
      const size = TPDU_SIZES[(value[0] ?? 0) - 7];
      if (length !== 1 || size === undefined) throw peerError('cotp.size', `COTP: TPDU size 2^${value[0]}`);
      found.size = size;
    }
    // § 13.3.4: other parameters belong to other classes and are ignored.
  }
  return found;
}

export function encodeTpdu(tpdu: Tpdu): Uint8Array<ArrayBuffer> {
  switch (tpdu.kind) {
    case 'CR':
    case 'CC': {
      const { size, calling, called, source, destination } = tpdu;
      const octets = [tpdu.kind === 'CR' ? CR : CC, destination >> 8, destination, source >> 8, source, tpdu.options];
      if (size !== undefined) octets.push(PARAMETER.size, 1, TPDU_SIZES.indexOf(size) + 7);
      if (calling) octets.push(PARAMETER.calling, calling.length, ...calling);
      if (called) octets.push(PARAMETER.called, called.length, ...called);
      if (octets.length > 254) throw callerError('cotp.parameter', 'transport selectors are too long');
      return Uint8Array.from([octets.length, ...octets]);
    }
    case 'DR': {
      const { source, destination, reason } = tpdu;
      return Uint8Array.from([6, DR, destination >> 8, destination, source >> 8, source, reason]);
    }
    case 'ER':
      return Uint8Array.from([4, ER, tpdu.destination >> 8, tpdu.destination, tpdu.cause]);
    case 'DT': {
      const bytes = new Uint8Array(DT_HEADER + tpdu.data.length);
      bytes[0] = 2;
      bytes[1] = DT;
      bytes[2] = tpdu.last ? END : 0;
      bytes.set(tpdu.data, DT_HEADER);
      return bytes;
    }
  }
}

/** Cuts a TSDU into data TPDUs of at most `size` octets, header included (§ 13.3.4). */
export function segment(tsdu: Uint8Array, size: number): Tpdu[] {
  const room = size - DT_HEADER;
  const tpdus: Tpdu[] = [];
  for (let at = 0; at === 0 || at < tsdu.length; at += room)
    tpdus.push({ kind: 'DT', last: at + room >= tsdu.length, data: tsdu.subarray(at, at + room) });
  return tpdus;
}

/** Makes what is written the only data TPDU of its TSDU. */
export function writeDataTpdu(writer: BerWriter): void {
  writer.octet(END);
  writer.octet(DT);
  writer.octet(DT_HEADER - 1);
}

/** Whether a TSDU of so many octets fits into one TPDU. */
export const fitsOneTpdu = (octets: number, size: number): boolean => octets <= size - DT_HEADER;

/** Puts data TPDUs together again. */
export class Reassembler {
  readonly #limit: number;
  #parts: Uint8Array[] = [];
  #octets = 0;

  /** `limit`: octets of the largest TSDU that is taken. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** The TSDU when this was its last part. MmsError (peer) when it grows beyond the limit, also by empty parts. */
  push(part: Uint8Array, last: boolean): Uint8Array | undefined {
    this.#octets += part.length;
    if (this.#octets > this.#limit || this.#parts.length > this.#limit / 16 + 16)
      throw peerError('cotp.tsdu', `COTP: a TSDU of more than ${this.#limit} octets`);
    if (last && this.#parts.length === 0) {
      this.#octets = 0;
      return part;
    }
    this.#parts.push(part);
    if (!last) return undefined;
    const tsdu = new Uint8Array(this.#octets);
    let at = 0;
    for (const piece of this.#parts) {
      tsdu.set(piece, at);
      at += piece.length;
    }
    this.#parts = [];
    this.#octets = 0;
    return tsdu;
  }
}
