/**
 * The octets of a sealed segment: zstd over plain columns, which beat cleverer codecs on values with few decimals.
 *
 *     version (1) · kind of values (1: 0 = float64, 1 = JSON) · two octets unused · samples (4)
 *     time of the first (8) · differences to the one before (8 each) · values (8 each, or JSON at the end) · quality (2 each)
 *
 * Numbers are little-endian. Times are nanoseconds since the Unix epoch.
 */
import { zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { EnerchainError } from '@enerchain/model';
import type { Samples, SampleValue } from './samples.ts';

const VERSION = 1;
const HEAD_BYTES = 8;
/** Far above what is ever sealed; a larger number is damage. */
const MOST_SAMPLES = 10_000_000;

/** @param samples sorted, at least one */
export function pack(samples: Samples): Buffer {
  const size = samples.time.length;
  const numeric = samples.value instanceof Float64Array;
  const text = numeric ? undefined : Buffer.from(JSON.stringify(samples.value));
  const bytes = Buffer.alloc(HEAD_BYTES + size * (numeric ? 18 : 10) + (text?.length ?? 0));
  bytes.writeUInt8(VERSION, 0);
  bytes.writeUInt8(numeric ? 0 : 1, 1);
  bytes.writeUInt32LE(size, 4);
  const differences = new BigInt64Array(size);
  for (let i = size - 1; i > 0; i--) differences[i] = samples.time[i]! - samples.time[i - 1]!;
  differences[0] = samples.time[0]!;
  let at = put(bytes, HEAD_BYTES, differences);
  if (numeric) at = put(bytes, at, samples.value as Float64Array);
  at = put(bytes, at, samples.quality);
  text?.copy(bytes, at);
  return zstdCompressSync(bytes);
}

/** @throws EnerchainError `centre.historian.segment` (environment) when the octets are damaged */
export function unpack(packed: Uint8Array): Samples {
  const damaged = (cause?: unknown) =>
    new EnerchainError('environment', 'centre.historian.segment', 'a history segment is damaged', { cause });
  let bytes: Buffer;
  try {
    bytes = zstdDecompressSync(packed);
  } catch (cause) {
    throw damaged(cause);
  }
  if (bytes.length < HEAD_BYTES || bytes[0] !== VERSION) throw damaged();
  const size = bytes.readUInt32LE(4);
  const numeric = bytes[1] === 0;
  if (size > MOST_SAMPLES || bytes.length < HEAD_BYTES + size * (numeric ? 18 : 10)) throw damaged();
  const time = new BigInt64Array(size);
  const value = new Float64Array(numeric ? size : 0);
  const quality = new Uint16Array(size);
  let at = take(bytes, HEAD_BYTES, time);
  if (numeric) at = take(bytes, at, value);
  at = take(bytes, at, quality);
  for (let i = 1; i < size; i++) time[i] = time[i]! + time[i - 1]!;
  if (numeric) return { time, value, quality };
  return { time, value: JSON.parse(bytes.toString('utf8', at)) as SampleValue[], quality };
}

type Column = BigInt64Array | Float64Array | Uint16Array;

const octets = (column: Column) => new Uint8Array(column.buffer, column.byteOffset, column.byteLength);

function put(bytes: Buffer, at: number, column: Column): number {
  bytes.set(octets(column), at);
  return at + column.byteLength;
}

function take(bytes: Buffer, at: number, column: Column): number {
  octets(column).set(bytes.subarray(at, at + column.byteLength));
  return at + column.byteLength;
}
