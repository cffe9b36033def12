/**
 * The bytes of the ingest log. A segment file is a header and records; numbers are big-endian.
 *
 *     header   "ENERLOG1" · log id (16) · offset of the first record (8)
 *     record   length of the body (4) · CRC-32 of the body (4) · body
 *     body     version (1) · appended at, ns since the epoch (8) · number of rejected columns (4) · their indices (4 each)
 *              · the batch exactly as its source sent it
 *
 * What ingest refused of a batch stands beside it and not in it: the signed bytes stay as they were.
 */
import { crc32 } from 'node:zlib';
import type { UtcNanos } from '@enerchain/model';

export const SEGMENT_MAGIC = 'ENERLOG1';
export const SEGMENT_HEADER_BYTES = 32;
export const RECORD_HEADER_BYTES = 8;
const VERSION = 1;
const BODY_FIXED_BYTES = 13;

/** Larger bodies are taken for damage: a batch is bounded far below by the link. */
export const LARGEST_BODY_BYTES = 64 * 1024 * 1024;

export interface LogRecord {
  readonly at: UtcNanos;
  /** Indices of columns that consumers must not see: points not bound to the source. */
  readonly rejected: readonly number[];
  /** The batch as received. */
  readonly batch: Uint8Array;
}

export interface SegmentHeader {
  /** UUID of the log, 16 octets as hex. */
  readonly log: string;
  readonly first: number;
}

export function encodeSegmentHeader(header: SegmentHeader): Buffer {
  const bytes = Buffer.alloc(SEGMENT_HEADER_BYTES);
  bytes.write(SEGMENT_MAGIC, 'latin1');
  bytes.write(header.log, 8, 'hex');
  bytes.writeBigUInt64BE(BigInt(header.first), 24);
  return bytes;
}

/** @returns undefined when these are not the first octets of a segment */
export function decodeSegmentHeader(bytes: Buffer): SegmentHeader | undefined {
  if (bytes.length < SEGMENT_HEADER_BYTES || bytes.toString('latin1', 0, 8) !== SEGMENT_MAGIC) return undefined;
  return { log: bytes.toString('hex', 8, 24), first: Number(bytes.readBigUInt64BE(24)) };
}

/** @returns the record as two pieces, so that the batch is not copied */
export function encodeRecord(record: LogRecord): [Buffer, Uint8Array] {
  const fixed = BODY_FIXED_BYTES + 4 * record.rejected.length;
  const head = Buffer.allocUnsafe(RECORD_HEADER_BYTES + fixed);
  head.writeUInt32BE(fixed + record.batch.length, 0);
  head.writeUInt8(VERSION, 8);
  head.writeBigInt64BE(record.at, 9);
  head.writeUInt32BE(record.rejected.length, 17);
  let position = RECORD_HEADER_BYTES + BODY_FIXED_BYTES;
  for (const index of record.rejected) position = head.writeUInt32BE(index, position);
  head.writeUInt32BE(crc32(record.batch, crc32(head.subarray(RECORD_HEADER_BYTES))), 4);
  return [head, record.batch];
}

/** What stands at one place of a segment. `end` is where the next record begins. */
export type Parsed =
  | { readonly kind: 'record'; readonly record: LogRecord; readonly end: number }
  /** The length is believable but the checksum is not, or the body makes no sense. */
  | { readonly kind: 'damaged'; readonly end: number }
  /** No record can begin like this. */
  | { readonly kind: 'nonsense' }
  /** More octets are needed: as many as `need` from `position` on. */
  | { readonly kind: 'short'; readonly need: number };

/** Reads the record at `position`; the batch is a view into `bytes`. */
export function parseRecord(bytes: Buffer, position: number): Parsed {
  const left = bytes.length - position;
  if (left < RECORD_HEADER_BYTES) return { kind: 'short', need: RECORD_HEADER_BYTES };
  const length = bytes.readUInt32BE(position);
  if (length < BODY_FIXED_BYTES || length > LARGEST_BODY_BYTES) return { kind: 'nonsense' };
  const end = position + RECORD_HEADER_BYTES + length;
  if (bytes.length < end) return { kind: 'short', need: RECORD_HEADER_BYTES + length };
  const body = bytes.subarray(position + RECORD_HEADER_BYTES, end);
  if (crc32(body) !== bytes.readUInt32BE(position + 4)) return { kind: 'damaged', end };
  const rejectedCount = body.readUInt32BE(9);
  if (body[0] !== VERSION || BODY_FIXED_BYTES + 4 * rejectedCount > length) return { kind: 'damaged', end };
  const rejected: number[] = [];
  for (let i = 0; i < rejectedCount; i++) rejected.push(body.readUInt32BE(BODY_FIXED_BYTES + 4 * i));
  const batch = body.subarray(BODY_FIXED_BYTES + 4 * rejectedCount);
  return { kind: 'record', record: { at: body.readBigInt64BE(1), rejected, batch }, end };
}
