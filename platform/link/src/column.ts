/**
 * One column as bytes: `[point, sourceTime, receiveTime, value, quality, timeQuality, cause]` in CBOR, series of numbers
 * as typed arrays (RFC 8746), a series that never changes as one number. README.md states the format bit by bit.
 * Times are differences to the base time of the batch, modulo 2^64.
 */
import { CAUSES, EnerchainError, uuidFromBytes } from '@enerchain/model';
import { CBOR_MAJOR, CborReader, type CborWriter } from '@enerchain/trust';
import { type ColumnArena, SharedFlags } from './arena.ts';
import { type Column, REPEAT } from './content.ts';
import { mridAt } from './names.ts';

/** Tags of RFC 8746 § 2.1 that are used: little-endian throughout. */
const TYPED = { uint8: 64, uint16: 69, sint16: 77, sint32: 78, sint64: 79, float32: 85, float64: 86 } as const;
/** Units in which time differences may be counted: 10^0, 10^3 and 10^6 nanoseconds. */
const UNITS = [6, 3, 0] as const;
const TWO_32 = 2 ** 32;
const MAX_UINT16 = 0xffff;
/** Depth at which a value stands: nothing may be nested in it. */
const MAX_DEPTH = 16;

const malformed = (what: string) => new EnerchainError('peer', 'link.column', `column: ${what}`);

const notFinite = () =>
  new EnerchainError('caller', 'link.column', 'a number that is not finite cannot be sent; it is null with a quality');

/** Base time in two halves, so that the hot loops need no bigint. */
export interface BaseTime {
  readonly nanos: bigint;
  readonly high: number;
  readonly low: number;
}

export function baseTimeOf(nanos: bigint): BaseTime {
  return { nanos, high: Number(BigInt.asIntN(32, nanos >> 32n)), low: Number(BigInt.asUintN(32, nanos)) };
}

/** Appends one column to the writer. */
export function writeColumn(writer: CborWriter, column: Column, base: BaseTime): void {
  writer.head(CBOR_MAJOR.array, 7);
  writePoint(writer, column.point);
  writeTimes(writer, column.sourceTime, base);
  writeTimes(writer, column.receiveTime, base);
  writeValues(writer, column.value);
  writeFlags(writer, column.quality, TYPED.uint16);
  writeFlags(writer, column.timeQuality, TYPED.uint16);
  writeFlags(writer, column.cause, TYPED.uint8);
}

/** 0–15 for the digits of a UUID, by character code; -1 for anything else. */
const NIBBLE = new Int8Array(128).fill(-1);
for (let i = 0; i < 16; i++) NIBBLE[i.toString(16).charCodeAt(0)] = i;

/** The mRID as 16 bytes, digit by digit: `uuidToBytes` would be a third of the cost of a short column. */
function writePoint(writer: CborWriter, point: string): void {
  writer.head(CBOR_MAJOR.bytes, 16);
  const start = writer.room(16);
  const { view } = writer;
  let at = start;
  for (let i = 0; i < 36 && point.length === 36; i += 2) {
    if (i === 8 || i === 13 || i === 18 || i === 23) i++;
    const high = NIBBLE[point.charCodeAt(i)] ?? -1;
    const low = NIBBLE[point.charCodeAt(i + 1)] ?? -1;
    if (high < 0 || low < 0) break;
    view.setUint8(at++, (high << 4) | low);
  }
  if (at !== start + 16) throw new EnerchainError('caller', 'link.column', `'${point}' is not an mRID in lower case`);
}

/** Head of a typed array. @returns where its elements go in the writer's view */
function typedArray(writer: CborWriter, tag: number, bytes: number): number {
  writer.head(CBOR_MAJOR.tag, tag);
  writer.head(CBOR_MAJOR.bytes, bytes);
  return writer.room(bytes);
}

/** Differences of the column being written; reused, since writing is synchronous. */
let deltas = new Float64Array(256);

function writeTimes(writer: CborWriter, times: BigInt64Array, base: BaseTime): void {
  const count = times.length;
  writer.head(CBOR_MAJOR.array, 2);
  if (!smallDeltas(times, base)) {
    writer.int(0);
    const at = typedArray(writer, TYPED.sint64, count * 8);
    for (let i = 0; i < count; i++) writer.view.setBigInt64(at + 8 * i, times[i]! - base.nanos, true);
    return;
  }
  const exponent = coarsestUnit(count);
  const unit = 10 ** exponent;
  const first = deltas[0]! / unit;
  let low = first;
  let high = first;
  for (let i = 0; i < count; i++) {
    const delta = deltas[i]! / unit;
    deltas[i] = delta;
    if (delta < low) low = delta;
    if (delta > high) high = delta;
  }
  writer.int(exponent);
  if (low === high) {
    writer.int(first);
  } else if (low >= -(2 ** 15) && high < 2 ** 15) {
    const at = typedArray(writer, TYPED.sint16, count * 2);
    for (let i = 0; i < count; i++) writer.view.setInt16(at + 2 * i, deltas[i]!, true);
  } else if (low >= -(2 ** 31) && high < 2 ** 31) {
    const at = typedArray(writer, TYPED.sint32, count * 4);
    for (let i = 0; i < count; i++) writer.view.setInt32(at + 4 * i, deltas[i]!, true);
  } else {
    const at = typedArray(writer, TYPED.sint64, count * 8);
    for (let i = 0; i < count; i++) writer.view.setBigInt64(at + 8 * i, BigInt(deltas[i]!), true);
  }
}

/** Fills `deltas`. @returns false when one of them is not exact in a double (beyond 52 days) */
function smallDeltas(times: BigInt64Array, base: BaseTime): boolean {
  const count = times.length;
  if (deltas.length < count) deltas = new Float64Array(2 * count);
  const words = new Int32Array(times.buffer, times.byteOffset, count * 2);
  for (let i = 0; i < count; i++) {
    const high = words[2 * i + 1]! - base.high;
    if (high > 0xfffff || high < -0xfffff) return false;
    deltas[i] = high * TWO_32 + ((words[2 * i]! >>> 0) - base.low);
  }
  return true;
}

function coarsestUnit(count: number): 0 | 3 | 6 {
  for (const exponent of UNITS) {
    const unit = 10 ** exponent;
    let fits = true;
    for (let i = 0; fits && i < count; i++) fits = deltas[i]! % unit === 0;
    if (fits) return exponent;
  }
  return 0;
}

function writeValues(writer: CborWriter, values: Column['value']): void {
  const count = values.length;
  if (!(values instanceof Float64Array)) {
    if (values.every((value) => typeof value === 'number')) {
      writeValues(writer, Float64Array.from(values));
      return;
    }
    writer.head(CBOR_MAJOR.array, count);
    for (const value of values) {
      if (typeof value === 'number' && !Number.isFinite(value)) throw notFinite();
      writer.value(value);
    }
    return;
  }
  let single = true;
  for (let i = 0; i < count; i++) {
    if (!Number.isFinite(values[i])) throw notFinite();
    single &&= Math.fround(values[i]!) === values[i];
  }
  if (single) {
    const at = typedArray(writer, TYPED.float32, count * 4);
    for (let i = 0; i < count; i++) writer.view.setFloat32(at + 4 * i, values[i]!, true);
  } else {
    const at = typedArray(writer, TYPED.float64, count * 8);
    for (let i = 0; i < count; i++) writer.view.setFloat64(at + 8 * i, values[i]!, true);
  }
}

function writeFlags(writer: CborWriter, flags: Uint16Array | Uint8Array, tag: number): void {
  const first = flags[0]!;
  let constant = true;
  for (let i = 1; constant && i < flags.length; i++) constant = flags[i] === first;
  if (constant) {
    writer.int(first);
    return;
  }
  const width = flags.BYTES_PER_ELEMENT;
  const at = typedArray(writer, tag, flags.length * width);
  for (let i = 0; i < flags.length; i++) {
    if (width === 2) writer.view.setUint16(at + 2 * i, flags[i]!, true);
    else writer.view.setUint8(at + i, flags[i]!);
  }
}

/** Reads the point of a column and nothing else. */
export function pointOfColumn(bytes: Uint8Array): string {
  const reader = new CborReader(bytes);
  reader.array('column', 7);
  return uuidFromBytes(reader.bytes('point', 16));
}

/**
 * @param arena gives the arrays
 * @throws EnerchainError `link.column` or `cbor.malformed` (fault peer) when the bytes are no column
 */
export function readColumn(bytes: Uint8Array, base: BaseTime, arena: ColumnArena): Column {
  const reader = new CborReader(bytes);
  const { view } = reader;
  reader.array('column', 7);
  reader.skipBytes('point', 16);
  const point = mridAt(view, reader.at - 16);
  const sourceTimes = seriesOfTimes(reader);
  const receiveTimes = seriesOfTimes(reader);
  const values = valuesAt(reader);
  const count = values.count;
  if (count === 0) throw malformed('holds no observation');
  const { sourceTime, receiveTime, numbers } = arena.take(count);
  const value = values.mixed ?? readNumbers(view, values, numbers);
  const quality = readFlags(reader, view, flags16, count, 'quality', MAX_UINT16);
  const timeQuality = readFlags(reader, view, flags16, count, 'time quality', MAX_UINT16);
  const cause = readFlags(reader, view, flags8, count, 'cause', 0xff);
  reader.end();
  for (let i = 0; i < count; i++) {
    if ((cause[i]! & ~REPEAT) >= CAUSES.length) throw malformed(`cause ${cause[i]} is unknown`);
  }
  expandTimes(sourceTimes, view, sourceTime, base);
  expandTimes(receiveTimes, view, receiveTime, base);
  return { point, sourceTime, receiveTime, value, quality, timeQuality, cause };
}

/** A series of times as it stands: one number for all, or where its typed array lies in the column. */
interface TimeSeries {
  readonly unit: number;
  readonly constant: number | undefined;
  readonly width: number;
  readonly at: number;
  readonly bytes: number;
}

function seriesOfTimes(reader: CborReader): TimeSeries {
  reader.array('times', 2);
  const exponent = reader.uint('time unit', 6);
  if (exponent % 3 !== 0) throw malformed(`time unit 10^${exponent} ns is not defined`);
  const unit = 10 ** exponent;
  if (reader.peek() !== CBOR_MAJOR.tag) {
    const constant = reader.int('time') * unit;
    if (!Number.isSafeInteger(constant)) throw malformed('a time difference is too large for its form');
    return { unit, constant, width: 0, at: 0, bytes: 0 };
  }
  const tag = reader.tag('times');
  const width = tag === TYPED.sint16 ? 2 : tag === TYPED.sint32 ? 4 : tag === TYPED.sint64 ? 8 : 0;
  if (width === 0) throw malformed(`times have array type ${tag}`);
  const length = reader.skipBytes('times');
  return { unit, constant: undefined, width, at: reader.at - length, bytes: length };
}

function expandTimes(series: TimeSeries, view: DataView, times: BigInt64Array, base: BaseTime): void {
  const count = times.length;
  if (series.constant === undefined && series.bytes !== count * series.width) {
    throw malformed(`times have ${series.bytes} bytes for ${count} values`);
  }
  if (series.width === 8) {
    const unit = BigInt(series.unit);
    for (let i = 0; i < count; i++) times[i] = base.nanos + unit * view.getBigInt64(series.at + 8 * i, true);
    return;
  }
  // Additions in 32-bit halves: no bigint per value.
  const words = new Int32Array(times.buffer, times.byteOffset, count * 2);
  for (let i = 0; i < count; i++) {
    const delta =
      series.constant ??
      series.unit *
        (series.width === 2 ? view.getInt16(series.at + 2 * i, true) : view.getInt32(series.at + 4 * i, true));
    const high = Math.floor(delta / TWO_32);
    const low = delta - high * TWO_32 + base.low;
    words[2 * i] = low;
    words[2 * i + 1] = base.high + high + (low >= TWO_32 ? 1 : 0);
  }
}

/** Values as they stand: a typed array in the column, or a list that had to be read item by item. */
interface ValueSeries {
  readonly count: number;
  readonly width: number;
  readonly at: number;
  readonly mixed: readonly (number | string | null)[] | undefined;
}

function valuesAt(reader: CborReader): ValueSeries {
  if (reader.peek() === CBOR_MAJOR.tag) {
    const tag = reader.tag('values');
    const width = tag === TYPED.float32 ? 4 : tag === TYPED.float64 ? 8 : 0;
    if (width === 0) throw malformed(`values have array type ${tag}`);
    const length = reader.skipBytes('values');
    if (length % width !== 0) throw malformed(`values have ${length} bytes, not a multiple of ${width}`);
    return { count: length / width, width, at: reader.at - length, mixed: undefined };
  }
  const count = reader.array('values');
  const mixed: (number | string | null)[] = [];
  let numbers = true;
  for (let i = 0; i < count; i++) {
    const value = reader.value(MAX_DEPTH);
    if (value !== null && typeof value !== 'string' && !(typeof value === 'number' && Number.isFinite(value))) {
      throw malformed('a value is neither a finite number, nor a text, nor null');
    }
    numbers &&= typeof value === 'number';
    mixed.push(value);
  }
  if (numbers && count > 0) throw malformed('numbers alone stand in a list instead of a typed array');
  return { count, width: 0, at: 0, mixed };
}

function readNumbers(view: DataView, series: ValueSeries, into: Float64Array): Float64Array {
  for (let i = 0; i < into.length; i++) {
    const value =
      series.width === 4 ? view.getFloat32(series.at + 4 * i, true) : view.getFloat64(series.at + 8 * i, true);
    if (!Number.isFinite(value)) throw malformed('a value is not finite');
    into[i] = value;
  }
  return into;
}

const flags16 = new SharedFlags((length) => new Uint16Array(length));
const flags8 = new SharedFlags((length) => new Uint8Array(length));

function readFlags<T extends Uint16Array | Uint8Array>(
  reader: CborReader,
  view: DataView,
  flags: SharedFlags<T>,
  count: number,
  what: string,
  max: number,
): T {
  if (reader.peek() === CBOR_MAJOR.uint) return flags.constant(reader.uint(what, max), count);
  const into = flags.make(count);
  const wide = into.BYTES_PER_ELEMENT === 2;
  const tag = reader.tag(what);
  if (tag !== (wide ? TYPED.uint16 : TYPED.uint8)) throw malformed(`${what} has array type ${tag}`);
  reader.skipBytes(what, into.byteLength);
  const at = reader.at - into.byteLength;
  for (let i = 0; i < count; i++) into[i] = wide ? view.getUint16(at + 2 * i, true) : view.getUint8(at + i);
  return into;
}
