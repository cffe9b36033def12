/**
 * One segment file and its sparse index: for every 64 KiB or so the offset of a record and where it begins. The index
 * of a sealed segment is kept beside it (`.idx`) and can always be made again by reading the segment.
 */
import { join } from 'node:path';
import type { UtcNanos } from '@enerchain/model';
import type { LogFile } from './files.ts';
import { decodeSegmentHeader, parseRecord, RECORD_HEADER_BYTES, SEGMENT_HEADER_BYTES } from './format.ts';

const INDEX_EVERY_BYTES = 64 * 1024;
/** Octets read from a file at once. */
const CHUNK_BYTES = 1024 * 1024;

/** Something found in a segment that should not be there. */
export interface SegmentFinding {
  readonly kind: 'torn-tail' | 'damaged-record' | 'damaged-rest';
  readonly segment: string;
  /** Position in the file. */
  readonly position: number;
  readonly bytes: number;
  /** Offset of the first record concerned. */
  readonly offset: number;
}

export class Segment {
  readonly name: string;
  readonly path: string;
  readonly first: number;
  /** Offset after the last record; of a sealed segment the `first` of the next one. */
  next: number;
  /** Octets up to the end of the last record. */
  bytes: number = SEGMENT_HEADER_BYTES;
  firstAt: UtcNanos | undefined;
  lastAt: UtcNanos | undefined;
  readonly #offsets: number[] = [];
  readonly #positions: number[] = [];

  constructor(folder: string, first: number) {
    this.name = `${String(first).padStart(16, '0')}.log`;
    this.path = join(folder, this.name);
    this.first = first;
    this.next = first;
  }

  static firstOf(name: string): number | undefined {
    return /^\d{16}\.log$/.test(name) ? Number(name.slice(0, 16)) : undefined;
  }

  /** Notes a record that now stands at `this.bytes`. */
  add(at: UtcNanos, length: number): void {
    const last = this.#positions.at(-1);
    if (last === undefined || this.bytes - last >= INDEX_EVERY_BYTES) {
      this.#offsets.push(this.next);
      this.#positions.push(this.bytes);
    }
    this.firstAt ??= at;
    this.lastAt = at;
    this.next++;
    this.bytes += length;
  }

  /** A place at or before the record with this offset. */
  seek(offset: number): { offset: number; position: number } {
    let [low, high] = [0, this.#offsets.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#offsets[middle]! <= offset) low = middle + 1;
      else high = middle;
    }
    return low === 0
      ? { offset: this.first, position: SEGMENT_HEADER_BYTES }
      : { offset: this.#offsets[low - 1]!, position: this.#positions[low - 1]! };
  }

  /** The index as it is kept beside a sealed segment. */
  encodeIndex(): Buffer {
    return Buffer.from(
      JSON.stringify({
        next: this.next,
        bytes: this.bytes,
        firstAt: this.firstAt?.toString(),
        lastAt: this.lastAt?.toString(),
        offsets: this.#offsets,
        positions: this.#positions,
      }),
    );
  }

  /** @returns false when the index does not fit the file; then the segment has to be scanned */
  loadIndex(index: Buffer, fileSize: number): boolean {
    try {
      const { next, bytes, firstAt, lastAt, offsets, positions } = JSON.parse(index.toString('utf8'));
      if (bytes !== fileSize || offsets.length !== positions.length) return false;
      this.next = next;
      this.bytes = bytes;
      this.firstAt = firstAt === undefined ? undefined : BigInt(firstAt);
      this.lastAt = lastAt === undefined ? undefined : BigInt(lastAt);
      this.#offsets.splice(0, Number.POSITIVE_INFINITY, ...offsets);
      this.#positions.splice(0, Number.POSITIVE_INFINITY, ...positions);
      return true;
    } catch {
      return false;
    }
  }

  /**
   * Reads the whole file and builds the index. Stops where no further record can be told; what lies beyond is the torn
   * tail when this is the newest segment, and damage when it is a sealed one.
   * @param log id that the header must carry
   * @returns findings, and the position behind the last record
   */
  async scan(file: LogFile, log: string): Promise<{ findings: SegmentFinding[]; size: number }> {
    const size = await file.size();
    const header = Buffer.alloc(SEGMENT_HEADER_BYTES);
    const got = await file.read(header, 0);
    const decoded = decodeSegmentHeader(header.subarray(0, got));
    const findings: SegmentFinding[] = [];
    const finding = (kind: SegmentFinding['kind'], position: number, bytes: number) =>
      findings.push({ kind, segment: this.name, position, bytes, offset: this.next });
    if (!decoded || decoded.log !== log || decoded.first !== this.first) {
      finding('damaged-rest', 0, size);
      this.bytes = 0;
      return { findings, size };
    }
    /** Damaged records whose successor has not been seen yet: they count only when a good record follows. */
    let doubtful: { position: number; length: number }[] = [];
    for await (const { parsed, position } of records(file, SEGMENT_HEADER_BYTES, size)) {
      if (parsed.kind === 'record') {
        for (const { position: at, length } of doubtful) {
          finding('damaged-record', at, length);
          this.add(this.lastAt ?? parsed.record.at, length);
        }
        doubtful = [];
        this.add(parsed.record.at, parsed.end - position);
      } else if (parsed.kind === 'damaged') {
        doubtful.push({ position, length: parsed.end - position });
      } else break;
    }
    if (this.bytes < size) finding('torn-tail', this.bytes, size - this.bytes);
    return { findings, size };
  }
}

/**
 * Walks over a file from `position` to `end`. Positions are those of the file; it stops after the first place where no
 * record can begin, and after a record that is cut off (`short`). `chunkBytes` are read at once.
 */
export async function* records(file: LogFile, position: number, end: number, chunkBytes = CHUNK_BYTES) {
  let chunk: Buffer = Buffer.alloc(0);
  let start = position;
  while (position < end) {
    let parsed = parseRecord(chunk, position - start);
    if (parsed.kind === 'short') {
      if (position + parsed.need > end) {
        yield { parsed, position };
        return;
      }
      const wanted = Buffer.allocUnsafe(Math.min(Math.max(chunkBytes, parsed.need), end - position));
      const got = await file.read(wanted, position);
      if (got < Math.min(parsed.need, RECORD_HEADER_BYTES)) return;
      chunk = wanted.subarray(0, got);
      start = position;
      parsed = parseRecord(chunk, 0);
      if (parsed.kind === 'short') continue;
    }
    if (parsed.kind === 'nonsense') {
      yield { parsed, position };
      return;
    }
    const next = start + parsed.end;
    yield { parsed: { ...parsed, end: next }, position };
    position = next;
  }
}
