/**
 * The application service data unit, IEC 60870-5-101 § 7.1 and 7.2. `decodeAsdu` checks the length of the whole before
 * it reads any of it; an ASDU is then plain data that nothing else refers to.
 */
import { callerError, peerError } from '../errors.ts';
import type { Widths } from '../spec/parameters.ts';
import { type TypeSpec, typeName, typeSpec } from '../spec/types.ts';
import { type ElementCodec, elementCodec } from './element-codecs.ts';
import type { Element } from './elements.ts';
import { Cp24Time, Cp56Time, readCp24, readCp56, TIME_SIZE, type Time, writeCp24, writeCp56 } from './time.ts';

export interface InformationObject {
  /** Information object address; 0 where the type has none. */
  readonly address: number;
  readonly element: Element;
  /** Present exactly when the type has a time tag. */
  readonly time?: Time;
}

export interface Asdu {
  /** Type identification, 1 to 255; see `typeSpec`. */
  readonly typeId: number;
  /** SQ: one address on the wire and consecutive elements. */
  readonly sequence: boolean;
  /** Cause of transmission, 0 to 63. */
  readonly cause: number;
  /** P/N: negative confirmation. */
  readonly negative: boolean;
  /** T: generated during test conditions. */
  readonly test: boolean;
  /** Originator address, 0 where the cause has one octet only. */
  readonly originator: number;
  readonly commonAddress: number;
  /** At most 127; empty for a type that is not in the table. */
  readonly objects: readonly InformationObject[];
  /** For a type that is not in the table: number of objects as announced and the octets after the common address. */
  readonly opaque?: { readonly count: number; readonly bytes: Uint8Array };
}

/** What has to be said about an ASDU to send it; the rest has the usual value. */
export interface AsduFields {
  readonly typeId: number;
  readonly cause: number;
  readonly commonAddress: number;
  readonly objects: readonly InformationObject[];
  readonly sequence?: boolean;
  readonly negative?: boolean;
  readonly test?: boolean;
  readonly originator?: number;
}

/** An ASDU with SQ = 0, positive, no test, originator 0, unless said otherwise. */
export function asdu(fields: AsduFields): Asdu {
  return {
    typeId: fields.typeId,
    sequence: fields.sequence ?? false,
    cause: fields.cause,
    negative: fields.negative ?? false,
    test: fields.test ?? false,
    originator: fields.originator ?? 0,
    commonAddress: fields.commonAddress,
    objects: fields.objects,
  };
}

interface TypeCodec {
  readonly spec: TypeSpec;
  readonly element: ElementCodec;
  readonly timeSize: number;
  /** Octets of element and time tag; -1 for a segment. */
  readonly size: number;
}

const codecs: (TypeCodec | undefined)[] = Array.from({ length: 256 }, (_, id) => {
  const spec = typeSpec(id);
  if (!spec) return undefined;
  const element = elementCodec(spec.element);
  const timeSize = TIME_SIZE[spec.time];
  return { spec, element, timeSize, size: element.size < 0 ? -1 : element.size + timeSize };
});

/** Octets before the first information object. */
export function headerSize(widths: Widths): number {
  return 2 + widths.causeSize + widths.commonAddressSize;
}

/**
 * How many information objects of a type fit one ASDU; 1 for a segment, 0 for a type that is not in the table.
 */
export function objectsPerAsdu(
  typeId: number,
  sequence: boolean,
  widths: Widths & { readonly maxAsduLength: number },
): number {
  const codec = codecs[typeId];
  if (!codec) return 0;
  if (codec.size < 0) return 1;
  const room = widths.maxAsduLength - headerSize(widths);
  const address = widths.informationObjectAddressSize;
  const fit = sequence ? (room - address) / Math.max(codec.size, 1) : room / (address + codec.size);
  return Math.max(0, Math.min(127, Math.floor(fit)));
}

/** Octets of file content that fit one segment. */
export function segmentRoom(widths: Widths & { readonly maxAsduLength: number }): number {
  return Math.min(255, widths.maxAsduLength - headerSize(widths) - widths.informationObjectAddressSize - 4);
}

function readAddress(bytes: Uint8Array, at: number, size: number): number {
  if (size === 3) return bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16);
  return size === 2 ? bytes[at]! | (bytes[at + 1]! << 8) : bytes[at]!;
}

/**
 * Reads one ASDU. Types that are not in the table come back with `opaque` set and no objects, so that a station can
 * answer them (cause 44).
 * @param bytes may be a larger buffer; nothing of it is kept
 * @throws Iec104Error (peer) when the octets do not fit what the header announces
 */
export function decodeAsdu(bytes: Uint8Array, widths: Widths, start = 0, end = bytes.length): Asdu {
  const { causeSize, commonAddressSize } = widths;
  const header = 2 + causeSize + commonAddressSize;
  if (end - start < header || end > bytes.length) {
    throw peerError(
      'asdu.truncated',
      `ASDU of ${Math.max(0, end - start)} octets ends inside its header; ${header} octets were expected`,
    );
  }
  const typeId = bytes[start]!;
  const vsq = bytes[start + 1]!;
  const count = vsq & 0x7f;
  const sequence = vsq >= 0x80;
  const causeOctet = bytes[start + 2]!;
  const originator = causeSize === 2 ? bytes[start + 3]! : 0;
  const caAt = start + 2 + causeSize;
  const commonAddress = commonAddressSize === 2 ? bytes[caAt]! | (bytes[caAt + 1]! << 8) : bytes[caAt]!;
  const at = start + header;
  const codec = codecs[typeId];
  const cause = causeOctet & 0x3f;
  const negative = (causeOctet & 0x40) !== 0;
  const test = causeOctet >= 0x80;
  if (codec === undefined) {
    const opaque = { count, bytes: new Uint8Array(bytes.subarray(at, end)) };
    return { typeId, sequence, cause, negative, test, originator, commonAddress, objects: [], opaque };
  }
  const objects = readObjects(codec, bytes, at, end, count, sequence, widths.informationObjectAddressSize, start);
  return { typeId, sequence, cause, negative, test, originator, commonAddress, objects };
}

function readObjects(
  codec: TypeCodec,
  bytes: Uint8Array,
  first: number,
  end: number,
  count: number,
  sequence: boolean,
  addressSize: number,
  start: number,
): InformationObject[] {
  const { element, timeSize } = codec;
  let size = codec.size;
  if (sequence && !codec.spec.sequence && codec.spec.group !== 'monitor')
    throw peerError(
      'asdu.sequence',
      `${codec.spec.name} arrived as a sequence (SQ = 1), which § ${codec.spec.clause} does not allow`,
    );
  if (size < 0) size = segmentSize(codec, bytes, first, end, count, addressSize, start);
  const expected = count === 0 ? 0 : sequence ? addressSize + count * size : count * (addressSize + size);
  if (end - first !== expected) {
    const form = sequence
      ? `one address of ${addressSize} and ${count} elements of ${size}`
      : `${count} objects of ${addressSize + size}`;
    throw peerError(
      end - first < expected ? 'asdu.truncated' : 'asdu.surplus',
      `${codec.spec.name} at offset ${first - start}: ${form} octets need ${expected}, the ASDU has ${end - first}`,
    );
  }
  const objects: InformationObject[] = new Array(count);
  const read = element.read;
  const elementSize = size - timeSize;
  let at = first;
  let address = 0;
  if (sequence && count > 0) {
    address = readAddress(bytes, at, addressSize) - 1;
    at += addressSize;
    if (address + count >= 2 ** (8 * addressSize)) {
      throw peerError(
        'asdu.address',
        `${codec.spec.name}: a sequence of ${count} elements from address ${address + 1} leaves the range of addresses`,
      );
    }
  }
  for (let i = 0; i < count; i++) {
    if (sequence) address++;
    else {
      address =
        addressSize === 3
          ? bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16)
          : readAddress(bytes, at, addressSize);
      at += addressSize;
    }
    const value = read(bytes, at, at + elementSize);
    at += elementSize;
    if (timeSize === 7) objects[i] = { address, element: value, time: readCp56(bytes, at) };
    else if (timeSize === 3) objects[i] = { address, element: value, time: readCp24(bytes, at) };
    else objects[i] = { address, element: value };
    at += timeSize;
  }
  return objects;
}

/** A segment carries its own length, which has to agree with the ASDU's; there is exactly one in an ASDU. */
function segmentSize(
  codec: TypeCodec,
  bytes: Uint8Array,
  first: number,
  end: number,
  count: number,
  addressSize: number,
  start: number,
): number {
  const at = first + addressSize;
  if (count !== 1)
    throw peerError('asdu.count', `${codec.spec.name} announces ${count} information objects; it carries exactly one`);
  if (end - at < 4)
    throw peerError(
      'asdu.truncated',
      `${codec.spec.name} at offset ${first - start}: ${end - first} octets left, at least ${addressSize + 4} were expected`,
    );
  return 4 + bytes[at + 3]!;
}

/** Octets that an ASDU takes on the wire. */
export function asduLength(asdu: Asdu, widths: Widths): number {
  const header = headerSize(widths);
  if (asdu.opaque) return header + asdu.opaque.bytes.length;
  const codec = codecs[asdu.typeId];
  if (!codec) throw callerError('asdu.type', `Type ${asdu.typeId} is not in the companion standard`);
  const count = asdu.objects.length;
  let size = codec.size;
  if (size < 0) {
    const element = asdu.objects[0]?.element;
    size = 4 + (element?.kind === 'segment' ? element.data.length : 0);
  }
  if (count === 0) return header;
  const address = widths.informationObjectAddressSize;
  return header + (asdu.sequence ? address + count * size : count * (address + size));
}

/**
 * Writes an ASDU into a buffer that has room for it.
 * @returns the offset after it
 * @throws Iec104Error (caller) when a value does not fit its field, or the ASDU is longer than `maxAsduLength`
 */
export function encodeAsduInto(
  asdu: Asdu,
  widths: Widths & { readonly maxAsduLength?: number },
  bytes: Uint8Array,
  start: number,
): number {
  const length = asduLength(asdu, widths);
  const most = widths.maxAsduLength ?? 249;
  if (length > most)
    throw callerError(
      'asdu.length',
      `${typeName(asdu.typeId)} with ${asdu.objects.length} objects takes ${length} octets; at most ${most} fit`,
    );
  const count = asdu.opaque ? asdu.opaque.count : asdu.objects.length;
  fits('Type identification', asdu.typeId, 0xff);
  fits('Number of objects', count, 127);
  fits('Cause of transmission', asdu.cause, 63);
  fits('Originator address', asdu.originator, 255);
  fits('Common address', asdu.commonAddress, widths.commonAddressSize === 1 ? 0xff : 0xffff);
  let at = start;
  bytes[at++] = asdu.typeId;
  bytes[at++] = count | (asdu.sequence ? 0x80 : 0);
  bytes[at++] = asdu.cause | (asdu.negative ? 0x40 : 0) | (asdu.test ? 0x80 : 0);
  if (widths.causeSize === 2) bytes[at++] = asdu.originator;
  bytes[at++] = asdu.commonAddress;
  if (widths.commonAddressSize === 2) bytes[at++] = asdu.commonAddress >>> 8;
  if (asdu.opaque) {
    bytes.set(asdu.opaque.bytes, at);
    return at + asdu.opaque.bytes.length;
  }
  return writeObjects(codecs[asdu.typeId]!, asdu, widths.informationObjectAddressSize, bytes, at);
}

function writeObjects(codec: TypeCodec, asdu: Asdu, addressSize: number, bytes: Uint8Array, start: number): number {
  const { spec, element: row, timeSize } = codec;
  const highest = addressSize === 3 ? 0xffffff : addressSize === 2 ? 0xffff : 0xff;
  if (asdu.sequence && !spec.sequence)
    throw callerError('asdu.sequence', `${spec.name} cannot be sent as a sequence (SQ = 1), § ${spec.clause}`);
  let at = start;
  for (let i = 0; i < asdu.objects.length; i++) {
    const object = asdu.objects[i]!;
    const { address, element, time } = object;
    if (element.kind !== spec.element)
      throw callerError(
        'asdu.element',
        `${spec.name} holds '${spec.element}' elements; object ${i} holds '${element.kind}'`,
      );
    if (!asdu.sequence || i === 0) {
      fits('Information object address', address, highest);
      bytes[at++] = address;
      if (addressSize > 1) bytes[at++] = address >>> 8;
      if (addressSize > 2) bytes[at++] = address >>> 16;
    } else if (address !== asdu.objects[0]!.address + i) {
      throw callerError(
        'asdu.sequence',
        `${spec.name} as a sequence: address ${address} does not follow its predecessor`,
      );
    }
    row.write(element, bytes, at);
    at += row.size < 0 ? 4 + (element as { data: Uint8Array }).data.length : row.size;
    if (timeSize === 7 && time instanceof Cp56Time) writeCp56(time, bytes, at);
    else if (timeSize === 3 && time instanceof Cp24Time) writeCp24(time, bytes, at);
    else if (timeSize > 0 || time !== undefined)
      throw callerError(
        'asdu.time',
        `${spec.name} takes ${spec.time === 'none' ? 'no time tag' : `a ${spec.time}Time2a`}; object ${i} differs`,
      );
    at += timeSize;
  }
  return at;
}

function fits(what: string, value: number, highest: number): void {
  if (!Number.isInteger(value) || value < 0 || value > highest)
    throw callerError('asdu.range', `${what} is ${value}; it must be an integer from 0 to ${highest}`);
}

/** One ASDU in a buffer of its own. @throws as `encodeAsduInto` */
export function encodeAsdu(asdu: Asdu, widths: Widths & { readonly maxAsduLength?: number }): Uint8Array {
  const bytes = new Uint8Array(asduLength(asdu, widths));
  encodeAsduInto(asdu, widths, bytes, 0);
  return bytes;
}
