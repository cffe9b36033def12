/**
 * One column as bytes: `[point, sourceTime, receiveTime, value, quality, timeQuality, cause]` in CBOR, series of numbers
 * as typed arrays (RFC 8746), a series that never changes as one number. README.md states the format bit by bit.
 * Times are differences to the base time of the batch, modulo 2^64.
 */
import { CAUSES, EnerchainError, uuidFromBytes, uuidToBytes } from '@enerchain/model';
import { CBOR_MAJOR, CborReader, type CborWriter } from '@enerchain/trust';
import { type Column, REPEAT } from './content.ts';

/** Tags of RFC 8746 § 2.1 that are used: little-endian throughout. */
const TYPED = { uint8: 64, uint16: 69, sint16: 77, sint32: 78, sint64: 79, float32: 85, float64: 86 } as const;
/** Units in which time differences may be counted: 10^0, 10^3 and 10^6 nanoseconds. */
const UNITS = [6, 3, 0] as const;
const TWO_32 = 2 ** 32;
const MAX_UINT16 = 0xffff;

const malformed = (what: string) => new EnerchainError('peer', 'link.column', `column: ${what}`);

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
  writer.bytes(uuidToBytes(column.point));
  writeTimes(writer, column.sourceTime, base);
  writeTimes(writer, column.receiveTime, base);
  writeValues(writer, column.value);
  writeFlags(writer, column.quality, TYPED.uint16);
  writeFlags(writer, column.timeQuality, TYPED.uint16);
  writeFlags(writer, column.cause, TYPED.uint8);
}

function writeTyped(writer: CborWriter, tag: number, series: ArrayBufferView): void {
  writer.head(CBOR_MAJOR.tag, tag);
  writer.bytes(new Uint8Array(series.buffer, series.byteOffset, series.byteLength));
}

function writeTimes(writer: CborWriter, times: BigInt64Array, base: BaseTime): void {
  writer.head(CBOR_MAJOR.array, 2);
  const deltas = smallDeltas(times, base);
  if (!deltas) {
    writer.int(0);
    writeTyped(
      writer,
      TYPED.sint64,
      times.map((time) => time - base.nanos),
    );
    return;
  }
  const exponent = coarsestUnit(deltas);
  const unit = 10 ** exponent;
  const first = deltas[0]! / unit;
  let low = first;
  let high = first;
  for (let i = 0; i < deltas.length; i++) {
    const delta = deltas[i]! / unit;
    deltas[i] = delta;
    if (delta < low) low = delta;
    if (delta > high) high = delta;
  }
  writer.int(exponent);
  if (low === high) writer.int(first);
  else if (low >= -(2 ** 15) && high < 2 ** 15) writeTyped(writer, TYPED.sint16, Int16Array.from(deltas));
  else if (low >= -(2 ** 31) && high < 2 ** 31) writeTyped(writer, TYPED.sint32, Int32Array.from(deltas));
  else writeTyped(writer, TYPED.sint64, BigInt64Array.from(deltas, BigInt));
}

/** Differences as numbers, or `undefined` when one of them is not exact in a double (beyond 52 days). */
function smallDeltas(times: BigInt64Array, base: BaseTime): Float64Array | undefined {
  const words = new Int32Array(times.buffer, times.byteOffset, times.length * 2);
  const deltas = new Float64Array(times.length);
  for (let i = 0; i < deltas.length; i++) {
    const high = words[2 * i + 1]! - base.high;
    if (high > 0xfffff || high < -0xfffff) return undefined;
    deltas[i] = high * TWO_32 + ((words[2 * i]! >>> 0) - base.low);
  }
  return deltas;
}

function coarsestUnit(deltas: Float64Array): 0 | 3 | 6 {
  for (const exponent of UNITS) {
    const unit = 10 ** exponent;
    let fits = true;
    for (let i = 0; fits && i < deltas.length; i++) fits = deltas[i]! % unit === 0;
    if (fits) return exponent;
  }
  return 0;
}

function writeValues(writer: CborWriter, values: Column['value']): void {
  if (values instanceof Float64Array) {
    let single = true;
    for (let i = 0; single && i < values.length; i++) single = Math.fround(values[i]!) === values[i];
    writeTyped(writer, single ? TYPED.float32 : TYPED.float64, single ? Float32Array.from(values) : values);
    return;
  }
  writer.head(CBOR_MAJOR.array, values.length);
  for (const value of values) writer.value(value);
}

function writeFlags(writer: CborWriter, flags: Uint16Array | Uint8Array, tag: number): void {
  const first = flags[0]!;
  let constant = true;
  for (let i = 1; constant && i < flags.length; i++) constant = flags[i] === first;
  if (constant) writer.int(first);
  else writeTyped(writer, tag, flags);
}

/** Reads the point of a column and nothing else. */
export function pointOfColumn(bytes: Uint8Array): string {
  const reader = new CborReader(bytes);
  reader.array('column', 7);
  return uuidFromBytes(reader.bytes('point', 16));
}

/** @throws EnerchainError `link.column` or `cbor.malformed` (fault peer) when the bytes are no column */
export function readColumn(bytes: Uint8Array, base: BaseTime): Column {
  const reader = new CborReader(bytes);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  reader.array('column', 7);
  const point = uuidFromBytes(reader.bytes('point', 16));
  const times = [seriesOfTimes(reader), seriesOfTimes(reader)] as const;
  const value = readValues(reader, view);
  const count = value.length;
  if (count === 0) throw malformed('holds no observation');
  const quality = readFlags(reader, view, new Uint16Array(count), 'quality', MAX_UINT16);
  const timeQuality = readFlags(reader, view, new Uint16Array(count), 'time quality', MAX_UINT16);
  const cause = readFlags(reader, view, new Uint8Array(count), 'cause', 0xff);
  reader.end();
  for (let i = 0; i < count; i++) {
    if ((cause[i]! & ~REPEAT) >= CAUSES.length) throw malformed(`cause ${cause[i]} is unknown`);
  }
  return {
    point,
    sourceTime: expandTimes(times[0], view, count, base),
    receiveTime: expandTimes(times[1], view, count, base),
    value,
    quality,
    timeQuality,
    cause,
  };
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
  const { length } = reader.bytes('times');
  return { unit, constant: undefined, width, at: reader.at - length, bytes: length };
}

function expandTimes(series: TimeSeries, view: DataView, count: number, base: BaseTime): BigInt64Array {
  const times = new BigInt64Array(count);
  if (series.constant === undefined && series.bytes !== count * series.width) {
    throw malformed(`times have ${series.bytes} bytes for ${count} values`);
  }
  if (series.width === 8) {
    const unit = BigInt(series.unit);
    for (let i = 0; i < count; i++) times[i] = base.nanos + unit * view.getBigInt64(series.at + 8 * i, true);
    return times;
  }
  // Additions in 32-bit halves: no bigint per value.
  const words = new Int32Array(times.buffer);
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
  return times;
}

function readValues(reader: CborReader, view: DataView): Column['value'] {
  if (reader.peek() === CBOR_MAJOR.tag) {
    const tag = reader.tag('values');
    const width = tag === TYPED.float32 ? 4 : tag === TYPED.float64 ? 8 : 0;
    if (width === 0) throw malformed(`values have array type ${tag}`);
    const { length } = reader.bytes('values');
    if (length % width !== 0) throw malformed(`values have ${length} bytes, not a multiple of ${width}`);
    const at = reader.at - length;
    const values = new Float64Array(length / width);
    for (let i = 0; i < values.length; i++) {
      const value = width === 4 ? view.getFloat32(at + 4 * i, true) : view.getFloat64(at + 8 * i, true);
      if (!Number.isFinite(value)) throw malformed('a value is not finite');
      values[i] = value;
    }
    return values;
  }
  const count = reader.array('values');
  const values: (number | string | null)[] = [];
  let numbers = true;
  for (let i = 0; i < count; i++) {
    const value = reader.value(15);
    if (value !== null && typeof value !== 'string' && !(typeof value === 'number' && Number.isFinite(value))) {
      throw malformed('a value is neither a finite number, nor a text, nor null');
    }
    numbers &&= typeof value === 'number';
    values.push(value);
  }
  return numbers ? Float64Array.from(values as number[]) : values;
}

function readFlags<T extends Uint16Array | Uint8Array>(
  reader: CborReader,
  view: DataView,
  into: T,
  what: string,
  max: number,
): T {
  if (reader.peek() === CBOR_MAJOR.uint) {
    into.fill(reader.uint(what, max));
    return into;
  }
  const wide = into.BYTES_PER_ELEMENT === 2;
  const tag = reader.tag(what);
  if (tag !== (wide ? TYPED.uint16 : TYPED.uint8)) throw malformed(`${what} has array type ${tag}`);
  const bytes = reader.bytes(what, into.byteLength);
  const at = reader.at - bytes.length;
  for (let i = 0; i < into.length; i++) into[i] = wide ? view.getUint16(at + 2 * i, true) : view.getUint8(at + i);
  return into;
}
