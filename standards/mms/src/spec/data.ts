/** Data (ISO 9506-2 § 14.4.2): the values of variables. */
import {
  type BitString,
  readBits,
  readInteger,
  readLatin,
  readOid,
  writeBits,
  writeInteger,
  writeLatin,
  writeOid,
} from '../ber/primitive.ts';
import type { BerReader } from '../ber/reader.ts';
import { decodeWith, encodeWith, plain, type Type, withWriter } from '../ber/type.ts';
import type { BerWriter } from '../ber/writer.ts';
import { callerError, peerError } from '../errors.ts';

/** TimeOfDay: since midnight, and, in its long form, days since 1984-01-01. */
export interface TimeOfDay {
  readonly millis: number;
  readonly days?: number;
}

/** IEC 61850-8-1 § 8.1.3.6. */
export interface UtcTime {
  /** Since 1970-01-01. */
  readonly seconds: number;
  /** In units of 2^-24 s. */
  readonly fraction: number;
  /** Bits 7 … 5 leap seconds known, clock failure, clock not synchronised; 4 … 0 number of good fraction bits. */
  readonly quality: number;
}

export type Data =
  | { readonly kind: 'array' | 'structure'; readonly value: readonly Data[] }
  | { readonly kind: 'boolean'; readonly value: boolean }
  | { readonly kind: 'bitString' | 'booleanArray'; readonly value: BitString }
  /** A bigint when it is not a safe integer. */
  | { readonly kind: 'integer' | 'unsigned' | 'bcd'; readonly value: number | bigint }
  /** IEEE 754 with 32 bits and with 64 bits. */
  | { readonly kind: 'float' | 'double'; readonly value: number }
  | { readonly kind: 'octetString'; readonly value: Uint8Array }
  | { readonly kind: 'visibleString' | 'mmsString' | 'generalizedTime' | 'objectId'; readonly value: string }
  | { readonly kind: 'binaryTime'; readonly value: TimeOfDay }
  | { readonly kind: 'utcTime'; readonly value: UtcTime };

export type DataKind = Data['kind'];

/** Identifier octet of each kind; floats of both widths share theirs. */
export const DATA_TAGS: Readonly<Record<DataKind, number>> = {
  array: 0xa1,
  structure: 0xa2,
  boolean: 0x83,
  bitString: 0x84,
  integer: 0x85,
  unsigned: 0x86,
  float: 0x87,
  double: 0x87,
  octetString: 0x89,
  visibleString: 0x8a,
  generalizedTime: 0x8b,
  binaryTime: 0x8c,
  bcd: 0x8d,
  booleanArray: 0x8e,
  objectId: 0x8f,
  mmsString: 0x90,
  utcTime: 0x91,
};

const FLOAT = { exponent: 8, octets: 5 } as const;
const DOUBLE = { exponent: 11, octets: 9 } as const;
const EPOCH_1984 = Date.UTC(1984, 0, 1);
const DAY = 86_400_000;

/** Milliseconds since 1970, with the fraction rounded to microseconds: 2^-24 s is finer than a clock. */
export function utcTimeToMillis({ seconds, fraction }: UtcTime): number {
  return seconds * 1000 + Math.round((fraction / 2 ** 24) * 1e6) / 1000;
}

/** The fraction is the nearest one. */
export function utcTimeFromMillis(millis: number, quality = 0): UtcTime {
  let seconds = Math.floor(millis / 1000);
  let fraction = Math.round(((millis - seconds * 1000) / 1000) * 2 ** 24);
  if (fraction === 2 ** 24) {
    seconds++;
    fraction = 0;
  }
  if (!(seconds >= 0 && seconds <= 0xffff_ffff))
    throw callerError('data.time', `${millis} ms since 1970 is outside of 1970 … 2106`);
  return { seconds, fraction, quality };
}

/** Milliseconds since 1970; without days it has no date and becomes NaN. */
export function timeOfDayToMillis({ millis, days }: TimeOfDay): number {
  return days === undefined ? Number.NaN : EPOCH_1984 + days * DAY + millis;
}

export function timeOfDayFromMillis(epochMillis: number): Required<TimeOfDay> {
  const since = Math.floor(epochMillis) - EPOCH_1984;
  const days = Math.floor(since / DAY);
  if (!(days >= 0 && days <= 0xffff)) throw callerError('data.time', `${epochMillis} ms since 1970 is before 1984`);
  return { days, millis: since - days * DAY };
}

export function readTimeOfDay(reader: BerReader): TimeOfDay {
  const { at, stop, view } = reader;
  const length = stop - at;
  if (length !== 4 && length !== 6) throw peerError('data.time', `TimeOfDay of ${length} octets at offset ${at}`);
  reader.at = stop;
  const millis = view.getUint32(at);
  return length === 4 ? { millis } : { millis, days: view.getUint16(at + 4) };
}

export function writeTimeOfDay(writer: BerWriter, { millis, days }: TimeOfDay): void {
  if (!(Number.isInteger(millis) && millis >= 0 && millis <= 0xffff_ffff && (days ?? 0) >= 0 && (days ?? 0) <= 0xffff))
    throw callerError('data.time', `${millis} ms, ${days} days is not a TimeOfDay`);
  if (days !== undefined) {
    writer.octet(days & 0xff);
    writer.octet(days >> 8);
  }
  writer.uint32(millis);
}

export const timeOfDay: Type<TimeOfDay> = plain<TimeOfDay>(0x04, readTimeOfDay, writeTimeOfDay);

function readUtcTime(reader: BerReader): UtcTime {
  const { at, stop, view } = reader;
  if (stop - at !== 8) throw peerError('data.time', `UtcTime of ${stop - at} octets at offset ${at}`);
  reader.at = stop;
  const low = view.getUint32(at + 4);
  return { seconds: view.getUint32(at), fraction: low >>> 8, quality: low & 0xff };
}

function readFloat(reader: BerReader): Data {
  const { at, stop, view } = reader;
  const exponent = reader.bytes[at];
  reader.at = stop;
  if (stop - at === FLOAT.octets && exponent === FLOAT.exponent)
    return { kind: 'float', value: view.getFloat32(at + 1) };
  if (stop - at === DOUBLE.octets && exponent === DOUBLE.exponent)
    return { kind: 'double', value: view.getFloat64(at + 1) };
  throw peerError('data.float', `floating point value of ${stop - at} octets at offset ${at}`);
}

/** Without sign: stacks exist that leave out the zero octet in front of a high bit. */
function readUnsigned(reader: BerReader): number | bigint {
  const { at, bytes } = reader;
  const value = readInteger(reader);
  if (bytes[at]! < 0x80) return value;
  const lifted = BigInt.asUintN((reader.stop - at) * 8, BigInt(value));
  return lifted <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(lifted) : lifted;
}

function readUtf8(reader: BerReader): string {
  const { bytes, at, stop } = reader;
  reader.at = stop;
  return Buffer.from(bytes.buffer, bytes.byteOffset + at, stop - at).toString('utf8');
}

function readData(reader: BerReader): Data {
  switch (reader.tag) {
    case 0xa1:
    case 0xa2: {
      const kind = reader.tag === 0xa1 ? 'array' : 'structure';
      const value: Data[] = [];
      const outer = reader.enter();
      while (reader.at < reader.end) {
        const at = reader.at;
        const tag = reader.header();
        if (!accepts(tag)) throw peerError('data.kind', `Data: element 0x${tag.toString(16)} at offset ${at}`);
        value.push(readData(reader));
      }
      reader.leave(outer);
      return { kind, value };
    }
    case 0x83:
      if (reader.stop - reader.at !== 1) throw peerError('ber.boolean', `BER: boolean at offset ${reader.at}`);
      return { kind: 'boolean', value: reader.bytes[reader.at++] !== 0 };
    case 0x84:
      return { kind: 'bitString', value: readBits(reader) };
    case 0x85:
      return { kind: 'integer', value: readInteger(reader) };
    case 0x86:
      return { kind: 'unsigned', value: readUnsigned(reader) };
    case 0x87:
      return readFloat(reader);
    case 0x89:
      return { kind: 'octetString', value: reader.content() };
    case 0x8a:
      return { kind: 'visibleString', value: readLatin(reader) };
    case 0x8b:
      return { kind: 'generalizedTime', value: readLatin(reader) };
    case 0x8c:
      return { kind: 'binaryTime', value: readTimeOfDay(reader) };
    case 0x8d:
      return { kind: 'bcd', value: readInteger(reader) };
    case 0x8e:
      return { kind: 'booleanArray', value: readBits(reader) };
    case 0x8f:
      return { kind: 'objectId', value: readOid(reader) };
    case 0x90:
      return { kind: 'mmsString', value: readUtf8(reader) };
    case 0x91:
      return { kind: 'utcTime', value: readUtcTime(reader) };
    default:
      throw peerError('data.kind', `Data: element 0x${reader.tag.toString(16)} at offset ${reader.from}`);
  }
}

function writeContent(writer: BerWriter, data: Data): void {
  switch (data.kind) {
    case 'array':
    case 'structure':
      for (let i = data.value.length - 1; i >= 0; i--) writeData(writer, data.value[i]!);
      return;
    case 'boolean':
      writer.octet(data.value ? 0xff : 0);
      return;
    case 'bitString':
    case 'booleanArray':
      writeBits(writer, data.value);
      return;
    case 'unsigned':
      if (data.value < 0) throw callerError('data.unsigned', `${data.value} is not unsigned`);
      writeInteger(writer, data.value);
      return;
    case 'integer':
    case 'bcd':
      writeInteger(writer, data.value);
      return;
    case 'float':
      writer.float32(data.value);
      writer.octet(FLOAT.exponent);
      return;
    case 'double':
      writer.float64(data.value);
      writer.octet(DOUBLE.exponent);
      return;
    case 'octetString':
      writer.octets(data.value);
      return;
    case 'visibleString':
    case 'generalizedTime':
      writeLatin(writer, data.value);
      return;
    case 'mmsString':
      writer.octets(Buffer.from(data.value, 'utf8'));
      return;
    case 'objectId':
      writeOid(writer, data.value);
      return;
    case 'binaryTime':
      writeTimeOfDay(writer, data.value);
      return;
    case 'utcTime': {
      const { seconds, fraction, quality } = data.value;
      writer.uint32(((fraction << 8) | quality) >>> 0);
      writer.uint32(seconds);
      return;
    }
    default: {
      const never: never = data;
      throw callerError('data.kind', `there is no data of kind ${(never as { kind: string }).kind}`);
    }
  }
}

function writeData(writer: BerWriter, data: Data): void {
  const before = writer.length;
  writeContent(writer, data);
  writer.header(DATA_TAGS[data.kind], before);
}

const TAGS = new Set(Object.values(DATA_TAGS));
const accepts = (tag: number): boolean => TAGS.has(tag);

export const data: Type<Data> = { accepts, read: readData, write: writeData };

/** MmsError (peer). */
export const decodeData = (bytes: Uint8Array): Data => decodeWith(data, bytes);

/** Values one behind the other. */
export function encodeDataList(values: readonly Data[]): Uint8Array<ArrayBuffer> {
  return withWriter((writer) => {
    for (let i = values.length - 1; i >= 0; i--) writeData(writer, values[i]!);
    return writer.copy();
  });
}

export const encodeData = (value: Data): Uint8Array<ArrayBuffer> => encodeWith(data, value);
