/** The session protocol (ISO/IEC 8327-1, X.225 § 8): the SPDUs that an association with the kernel unit needs. */
import type { BerWriter } from '../ber/writer.ts';
import { callerError, peerError } from '../errors.ts';

const SI = {
  finish: 9,
  disconnect: 10,
  refuse: 12,
  connect: 13,
  accept: 14,
  abort: 25,
  abortAccept: 26,
  data: 1,
} as const;

const PI = {
  connectItem: 5,
  transportDisconnect: 17,
  options: 19,
  requirements: 20,
  version: 22,
  reflect: 49,
  reason: 50,
  calling: 51,
  called: 52,
  userData: 193,
  extendedUserData: 194,
} as const;

/** Functional units (§ 8.3.1.15): the kernel needs none of them but duplex. */
export const DUPLEX = 0x0002;

/** Octets up to which user data go into parameter 193 (§ 8.3.1.19); longer ones go into 194. */
const SHORT_USER_DATA = 512;

export type Spdu =
  | {
      readonly kind: 'CN' | 'AC';
      readonly requirements: number;
      readonly calling?: Uint8Array;
      readonly called?: Uint8Array;
      readonly data: Uint8Array;
    }
  | { readonly kind: 'RF'; readonly reason?: number; readonly data: Uint8Array }
  | { readonly kind: 'FN' | 'DN' | 'AB'; readonly data: Uint8Array }
  | { readonly kind: 'AA' }
  | { readonly kind: 'DT'; readonly data: Uint8Array };

/** Category 0 and category 2 SPDU of a data transfer together: GIVE TOKENS and DATA, both without parameters (§ 6.3.7). */
const DATA_HEADER = Uint8Array.of(1, 0, 1, 0);

const EMPTY = new Uint8Array(0);

/** MmsError (peer) when the octets are not an SPDU of the kernel. User data are views. */
export function decodeSpdu(bytes: Uint8Array): Spdu {
  if (bytes[0] === SI.data && bytes[1] === 0) {
    if (bytes.length < 4 || bytes[2] !== SI.data || bytes[3] !== 0)
      throw peerError('session.data', 'session: GIVE TOKENS without DATA behind it');
    return { kind: 'DT', data: bytes.subarray(4) };
  }
  if (bytes.length < 2) throw peerError('session.length', `session: an SPDU of ${bytes.length} octets`);
  const head = lengthAt(bytes, 1, bytes.length);
  if (head.end !== bytes.length)
    throw peerError('session.length', `session: SPDU ${bytes[0]} ends at ${head.end}, octets: ${bytes.length}`);
  const found = parameters(bytes, head.start, head.end);
  const data = found.get(PI.userData) ?? found.get(PI.extendedUserData) ?? EMPTY;
  switch (bytes[0]) {
    case SI.connect:
    case SI.accept: {
      const version = found.get(PI.version)?.[0];
      // Bit 2 is version 2, the one with user data of any length; what does not say so is version 1 (§ 8.3.1.7).
      if (version !== undefined && (version & 3) === 0)
        throw peerError('session.version', `session: protocol version 0x${version.toString(16)}`);
      const requirements = found.get(PI.requirements);
      const calling = found.get(PI.calling);
      const called = found.get(PI.called);
      return {
        kind: bytes[0] === SI.connect ? 'CN' : 'AC',
        requirements: requirements?.length === 2 ? (requirements[0]! << 8) | requirements[1]! : DUPLEX,
        ...(calling ? { calling } : {}),
        ...(called ? { called } : {}),
        data,
      };
    }
    case SI.refuse: {
      const reason = found.get(PI.reason);
      return { kind: 'RF', ...(reason?.length ? { reason: reason[0]! } : {}), data: reason?.subarray(1) ?? EMPTY };
    }
    case SI.finish:
      return { kind: 'FN', data };
    case SI.disconnect:
      return { kind: 'DN', data };
    case SI.abort:
      return { kind: 'AB', data };
    case SI.abortAccept:
      return { kind: 'AA' };
    default:
      throw peerError('session.spdu', `session: SPDU ${bytes[0]} does not belong to the kernel`);
  }
}

function lengthAt(bytes: Uint8Array, at: number, limit: number): { start: number; end: number } {
  const short = bytes[at] ?? 0;
  const start = short === 0xff ? at + 3 : at + 1;
  if (start > limit) throw peerError('session.length', `session: ends inside a length at offset ${at}`);
  const end = start + (short === 0xff ? (bytes[at + 1]! << 8) | bytes[at + 2]! : short);
  if (end > limit) throw peerError('session.length', `session: length at offset ${at} goes beyond ${limit}`);
  return { start, end };
}

/** All parameters, those of the connect/accept item among them; there are no items inside items. */
function parameters(bytes: Uint8Array, from: number, end: number, outer?: Map<number, Uint8Array>) {
  const found = outer ?? new Map<number, Uint8Array>();
  for (let at = from; at < end; ) {
    const code = bytes[at]!;
    const value = lengthAt(bytes, at + 1, end);
    if (code === PI.connectItem && !outer) parameters(bytes, value.start, value.end, found);
    else found.set(code, bytes.subarray(value.start, value.end));
    at = value.end;
  }
  return found;
}

export function encodeSpdu(spdu: Spdu): Uint8Array<ArrayBuffer> {
  switch (spdu.kind) {
    case 'DT':
      return concat([DATA_HEADER, spdu.data]);
    case 'CN':
    case 'AC': {
      const { calling, called, requirements, data } = spdu;
      const item = concat([parameter(PI.options, Uint8Array.of(0)), parameter(PI.version, Uint8Array.of(2))]);
      return whole(spdu.kind === 'CN' ? SI.connect : SI.accept, [
        parameter(PI.connectItem, item),
        parameter(PI.requirements, Uint8Array.of(requirements >> 8, requirements & 0xff)),
        ...(calling ? [parameter(PI.calling, calling)] : []),
        ...(called ? [parameter(PI.called, called)] : []),
        userData(data),
      ]);
    }
    case 'RF':
      return whole(SI.refuse, [parameter(PI.reason, concat([Uint8Array.of(spdu.reason ?? 0), spdu.data]))]);
    case 'FN':
      return whole(SI.finish, [userData(spdu.data)]);
    case 'DN':
      return whole(SI.disconnect, [userData(spdu.data)]);
    case 'AB':
      // § 8.3.9.1: transport connection released, user abort.
      return whole(SI.abort, [parameter(PI.transportDisconnect, Uint8Array.of(0x0b)), userData(spdu.data)]);
    case 'AA':
      return whole(SI.abortAccept, []);
  }
}

/** Makes what is written the user data of a data transfer SPDU, with the give tokens SPDU before it (§ 7.37). */
export function writeDataTransfer(writer: BerWriter): void {
  writer.octets(DATA_HEADER);
}

function userData(data: Uint8Array): Uint8Array {
  return data.length === 0 ? EMPTY : parameter(data.length > SHORT_USER_DATA ? PI.extendedUserData : PI.userData, data);
}

function parameter(code: number, value: Uint8Array): Uint8Array {
  return concat([Uint8Array.of(code, ...lengthOctets(value.length)), value]);
}

function whole(si: number, parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  return concat([Uint8Array.of(si, ...lengthOctets(length)), ...parts]);
}

function lengthOctets(length: number): number[] {
  if (length > 0xffff) throw callerError('session.length', `${length} octets do not fit into an SPDU`);
  return length < 0xff ? [length] : [0xff, length >> 8, length & 0xff];
}

function concat(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
