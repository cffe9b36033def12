/**
 * Zip archives (APPNOTE 6.3): the central directory, entries stored or deflated, zip64 sizes. Entries are inflated as they
 * are read, under a budget that a bomb exhausts long before memory or patience. Nothing is written to disk, so the names
 * of entries are names only.
 */

import { Readable } from 'node:stream';
import { crc32, createInflateRaw } from 'node:zlib';
import { CimError } from '../error.ts';

export interface ZipLimits {
  readonly entries: number;
  /** Octets of all entries together, inflated. */
  readonly total: number;
  /** Inflated octets per octet in the archive, looked at from the first 16 MiB on. CIM compresses about 1 : 20. */
  readonly ratio: number;
  /** Octets of an archive within an archive. */
  readonly nested: number;
}

export const ZIP_LIMITS: ZipLimits = { entries: 4_096, total: 4 * 2 ** 30, ratio: 100, nested: 256 * 2 ** 20 };
const RATIO_FROM = 16 * 2 ** 20;
const PIECE = 1 << 16;

/** What an archive and those within it may still inflate to. */
export class ZipBudget {
  readonly limits: ZipLimits;
  #entries = 0;
  #total = 0;

  constructor(limits: ZipLimits) {
    this.limits = limits;
  }

  entry(): void {
    if (++this.#entries > this.limits.entries) {
      throw new CimError('peer', 'zip.limit', `more than ${this.limits.entries} files in the archive`);
    }
  }

  inflated(octets: number, entry: { inflated: number; read: number }): void {
    this.#total += octets;
    if (this.#total > this.limits.total) {
      throw new CimError('peer', 'zip.limit', `the archive inflates to more than ${this.limits.total} octets`);
    }
    if (entry.inflated > RATIO_FROM && entry.inflated > entry.read * this.limits.ratio) {
      const ratio = Math.round(entry.inflated / entry.read);
      throw new CimError('peer', 'zip.bomb', `it inflates to ${ratio} times its size; no model does, a zip bomb does`);
    }
  }
}

export interface ArchiveEntry {
  readonly name: string;
  /** Octets, inflated, as the directory says. */
  readonly size: number;
  /** @throws CimError `zip.*` while it is read */
  open(): AsyncGenerator<Uint8Array>;
}

type Read = (start: number, length: number) => Promise<Buffer>;

const END = 0x0605_4b50;
const END_SIZE = 22;
const CENTRAL = 0x0201_4b50;
const CENTRAL_SIZE = 46;
const LOCAL = 0x0403_4b50;
const LOCAL_SIZE = 30;
const ZIP64_LOCATOR = 0x0706_4b50;
const ZIP64_END = 0x0606_4b50;
const MAX_DIRECTORY = 16 * 2 ** 20;

const bad = (text: string): CimError => new CimError('peer', 'zip.format', text);

/** @throws CimError `zip.format`, `zip.limit` */
export async function readDirectory(size: number, read: Read, budget: ZipBudget): Promise<ArchiveEntry[]> {
  const tailAt = Math.max(0, size - END_SIZE - 0xffff);
  const tail = await read(tailAt, size - tailAt);
  let at = tail.length - END_SIZE;
  while (at >= 0 && tail.readUInt32LE(at) !== END) at--;
  if (at < 0) throw bad('this is no zip archive, or its end is missing');
  let count = tail.readUInt16LE(at + 10);
  let length = tail.readUInt32LE(at + 12);
  let start = tail.readUInt32LE(at + 16);
  if ((count === 0xffff || length === 0xffff_ffff || start === 0xffff_ffff) && at >= 20) {
    if (tail.readUInt32LE(at - 20) === ZIP64_LOCATOR) {
      const end = await read(number64(tail, at - 12), 56);
      if (end.length < 56 || end.readUInt32LE(0) !== ZIP64_END)
        throw bad('the zip64 directory is not where it should be');
      count = number64(end, 32);
      length = number64(end, 40);
      start = number64(end, 48);
    }
  }
  if (length > MAX_DIRECTORY) throw new CimError('peer', 'zip.limit', 'the directory of the archive is too long');
  const directory = await read(start, length);
  if (directory.length !== length) throw bad('the directory of the archive is cut off');
  const entries: ArchiveEntry[] = [];
  for (let offset = 0, index = 0; index < count; index++) {
    if (offset + CENTRAL_SIZE > length || directory.readUInt32LE(offset) !== CENTRAL) {
      throw bad(`entry ${index + 1} of the directory is broken`);
    }
    budget.entry();
    const nameLength = directory.readUInt16LE(offset + 28);
    const extraLength = directory.readUInt16LE(offset + 30);
    const next = offset + CENTRAL_SIZE + nameLength + extraLength + directory.readUInt16LE(offset + 32);
    if (next > length) throw bad(`entry ${index + 1} of the directory is cut off`);
    const name = directory.toString('utf8', offset + CENTRAL_SIZE, offset + CENTRAL_SIZE + nameLength);
    const extra = directory.subarray(
      offset + CENTRAL_SIZE + nameLength,
      offset + CENTRAL_SIZE + nameLength + extraLength,
    );
    const fields = {
      name,
      flags: directory.readUInt16LE(offset + 8),
      method: directory.readUInt16LE(offset + 10),
      crc: directory.readUInt32LE(offset + 16),
      packed: directory.readUInt32LE(offset + 20),
      size: directory.readUInt32LE(offset + 24),
      at: directory.readUInt32LE(offset + 42),
    };
    wide(fields, extra);
    entries.push({ name, size: fields.size, open: () => inflate(fields, read, budget) });
    offset = next;
  }
  return entries;
}

interface Fields {
  readonly name: string;
  readonly flags: number;
  readonly method: number;
  readonly crc: number;
  packed: number;
  size: number;
  at: number;
}

/** Sizes and offsets of zip64, in the order of those that did not fit (APPNOTE 4.5.3). */
function wide(fields: Fields, extra: Buffer): void {
  for (let at = 0; at + 4 <= extra.length; at += 4 + extra.readUInt16LE(at + 2)) {
    if (extra.readUInt16LE(at) !== 1) continue;
    let from = at + 4;
    const end = Math.min(extra.length, from + extra.readUInt16LE(at + 2));
    for (const field of ['size', 'packed', 'at'] as const) {
      if (fields[field] !== 0xffff_ffff) continue;
      if (from + 8 > end) throw bad(`the zip64 sizes of ${fields.name} are cut off`);
      fields[field] = number64(extra, from);
      from += 8;
    }
    return;
  }
}

function number64(bytes: Buffer, at: number): number {
  const value = Number(bytes.readBigUInt64LE(at));
  if (!Number.isSafeInteger(value)) throw bad('a size in the archive is out of reason');
  return value;
}

async function* inflate(fields: Fields, read: Read, budget: ZipBudget): AsyncGenerator<Uint8Array> {
  if ((fields.flags & 1) !== 0) throw new CimError('unsupported', 'zip.encrypted', 'the entry is encrypted');
  const local = await read(fields.at, LOCAL_SIZE);
  if (local.length < LOCAL_SIZE || local.readUInt32LE(0) !== LOCAL) throw bad('the entry is not where it should be');
  const from = fields.at + LOCAL_SIZE + local.readUInt16LE(26) + local.readUInt16LE(28);
  const progress = { inflated: 0, read: 0 };
  const packed = (async function* () {
    for (let at = 0; at < fields.packed; ) {
      const piece = await read(from + at, Math.min(PIECE, fields.packed - at));
      if (piece.length === 0) throw bad('the archive ends within the entry');
      at += piece.length;
      progress.read += piece.length;
      yield piece;
    }
  })();
  let output: AsyncIterable<Uint8Array>;
  if (fields.method === 0) output = packed;
  else if (fields.method === 8) {
    const inflater = createInflateRaw({ chunkSize: PIECE });
    const input = Readable.from(packed, { objectMode: false });
    input.on('error', (error) => inflater.destroy(error));
    output = input.pipe(inflater);
  } else {
    throw new CimError('unsupported', 'zip.method', `compression method ${fields.method} is not read`);
  }
  let crc = 0;
  try {
    for await (const chunk of output) {
      progress.inflated += chunk.length;
      budget.inflated(chunk.length, progress);
      crc = crc32(chunk, crc);
      yield chunk;
    }
  } catch (cause) {
    if (cause instanceof CimError) throw cause;
    throw new CimError('peer', 'zip.format', 'the entry does not inflate; the archive is damaged', { cause });
  }
  if (progress.inflated !== fields.size || crc !== fields.crc) {
    throw bad('the entry is not what its checksum says; the archive is damaged');
  }
}
