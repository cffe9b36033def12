/**
 * Reading the log from an offset: what is kept first, then what arrives. Every consumer pulls at its own pace and has
 * at most one chunk read ahead, so a slow one costs nothing but its own delay. One that catches up gives way between
 * chunks: thousands of observations decoded and applied in a row would hold up the acknowledgements and the displays.
 */
import { setImmediate as breathe } from 'node:timers/promises';
import type { LogEntry } from '../ports.ts';
import { missing, RecordEntry } from './entries.ts';
import type { LogFile } from './files.ts';
import { type LogRecord, SEGMENT_HEADER_BYTES } from './format.ts';
import type { IngestLog } from './log.ts';
import { records, type Segment } from './segment.ts';

/** Octets of batches handed over at once: some ten thousand observations, a few milliseconds of decoding. */
const CHUNK_BYTES = 256 * 1024;
/** A little more is read at once, since the last record ends somewhere. */
const READ_BYTES = CHUNK_BYTES + 64 * 1024;

export async function* readLog(
  log: IngestLog,
  from: number,
  signal: AbortSignal,
): AsyncGenerator<readonly LogEntry[], void, void> {
  const cursor = new FileCursor(log);
  let at = from;
  try {
    while (!signal.aborted) {
      const { first, next } = log.bounds();
      if (at < first) {
        yield [retentionGap(log, at, first)];
        at = first;
        continue;
      }
      if (at >= next) {
        if (log.closed) return;
        await log.arrival(at, signal);
        continue;
      }
      let entries: readonly LogEntry[] = log.recent.run(at, next, CHUNK_BYTES);
      if (entries.length === 0) entries = log.reread.run(at, next, CHUNK_BYTES);
      if (entries.length === 0) entries = await cursor.read(at);
      if (entries.length === 0) continue; // dropped in the meantime: the next turn says so
      yield entries;
      at = entries.at(-1)!.offset + 1;
      if (at < log.bounds().next) await breathe();
    }
  } finally {
    await cursor.close();
  }
}

function retentionGap(log: IngestLog, from: number, first: number): LogEntry {
  const gone = log.dropped.find(({ last }) => last >= from);
  const until = log.dropped.findLast(({ last }) => last < first);
  const text = `records ${from} to ${first - 1} of the ingest log were dropped by retention before they were read`;
  return missing(first - 1, 'ingestRetention', BigInt(gone?.from ?? 0), BigInt(until?.to ?? 0), text);
}

/** Where one consumer stands in the files. */
class FileCursor {
  readonly #log: IngestLog;
  #segment: Segment | undefined;
  #file: LogFile | undefined;
  /** The record at `#position` has this offset. */
  #offset = 0;
  #position = 0;

  constructor(log: IngestLog) {
    this.#log = log;
  }

  /** Records from `at` on, about a chunk of them; empty when the segment is gone. */
  async read(at: number): Promise<LogEntry[]> {
    const segment = this.#log.segments.findLast(({ first }) => first <= at);
    if (!segment) return [];
    try {
      await this.#enter(segment, at);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT' && this.#log.bounds().first > at) return [];
      throw error;
    }
    return this.#chunk(segment, at);
  }

  async close(): Promise<void> {
    await this.#file?.close();
    this.#file = undefined;
    this.#segment = undefined;
  }

  async #enter(segment: Segment, at: number): Promise<void> {
    if (this.#segment !== segment) {
      await this.close();
      this.#file = await this.#log.files.open(segment.path, 'read');
      this.#segment = segment;
      this.#offset = segment.first;
      this.#position = SEGMENT_HEADER_BYTES;
    }
    const place = segment.seek(at);
    if (this.#offset > at || this.#offset < place.offset) {
      this.#offset = place.offset;
      this.#position = place.position;
    }
  }

  async #chunk(segment: Segment, at: number): Promise<LogEntry[]> {
    const entries: LogEntry[] = [];
    const start = this.#position;
    const sealed = this.#log.segments.at(-1) !== segment;
    let lastAt = segment.firstAt ?? 0n;
    const file = this.#file as LogFile;
    for await (const { parsed, position } of records(file, this.#position, segment.bytes, READ_BYTES)) {
      if (parsed.kind === 'nonsense' || parsed.kind === 'short') break;
      if (parsed.kind === 'record') lastAt = parsed.record.at;
      if (this.#offset >= at) {
        if (parsed.kind === 'record') {
          const entry = new RecordEntry(this.#offset, parsed.record, this.#log.decode);
          this.#log.reread.add(entry);
          entries.push(entry);
        } else {
          const text = `record ${this.#offset} of the ingest log is damaged (${segment.name} at octet ${position})`;
          entries.push(missing(this.#offset, 'ingestLost', lastAt, lastAt, text));
        }
      }
      this.#offset++;
      this.#position = parsed.end;
      if (entries.length > 0 && parsed.end - start >= CHUNK_BYTES) return entries;
    }
    if (entries.length === 0 && this.#offset < segment.next) {
      // The rest of this segment cannot be told apart any more; with the next one it goes on.
      const text = `records ${this.#offset} to ${segment.next - 1} of the ingest log are damaged (${segment.name} from octet ${this.#position})`;
      const entry = missing(segment.next - 1, 'ingestLost', lastAt, segment.lastAt ?? lastAt, text);
      if (sealed) entries.push(entry);
      this.#offset = segment.next;
      this.#position = segment.bytes;
    }
    return entries;
  }
}

/** Records as they are kept, undecoded and undisturbed by damage; for what has to be rebuilt from the log. */
export async function* rawRecords(
  log: IngestLog,
  from: number,
): AsyncGenerator<{ readonly offset: number; readonly record: LogRecord }, void, void> {
  for (const segment of [...log.segments]) {
    if (segment.next <= from) continue;
    const file = await log.files.open(segment.path, 'read');
    try {
      let { offset, position } = segment.seek(Math.max(from, segment.first));
      for await (const { parsed } of records(file, position, segment.bytes)) {
        if (parsed.kind === 'nonsense' || parsed.kind === 'short') break;
        if (parsed.kind === 'record' && offset >= from) yield { offset, record: parsed.record };
        offset++;
        position = parsed.end;
      }
    } finally {
      await file.close();
    }
  }
}
