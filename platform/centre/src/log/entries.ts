/** Decoded records, shared by all consumers: decoding is done when the first one asks, and once. */
import { describeError, type UtcNanos } from '@enerchain/model';
import type { LogContent, LogEntry } from '../ports.ts';
import type { LogRecord } from './format.ts';

/** What a batch says, without the columns that ingest refused. */
export interface Decoded {
  readonly source: string;
  readonly content: LogContent;
}

/** Makes sense of the octets of a batch. Must not throw for a batch that ingest has accepted. */
export type DecodeBatch = (batch: Uint8Array, rejected: readonly number[]) => Decoded;

/** A record whose content is decoded at first use. */
export class RecordEntry implements LogEntry {
  readonly offset: number;
  /** Octets of the batch; what the caches count. */
  readonly bytes: number;
  readonly at: UtcNanos;
  /** The record as it is kept. */
  readonly record: LogRecord;
  readonly #decode: DecodeBatch;
  #decoded: Decoded | undefined;

  constructor(offset: number, record: LogRecord, decode: DecodeBatch, decoded?: Decoded) {
    this.offset = offset;
    this.at = record.at;
    this.bytes = record.batch.length;
    this.record = record;
    this.#decode = decode;
    this.#decoded = decoded;
  }

  get source(): string {
    return this.#get().source;
  }

  get content(): LogContent {
    return this.#get().content;
  }

  #get(): Decoded {
    if (!this.#decoded) {
      const { batch, rejected } = this.record;
      try {
        this.#decoded = this.#decode(batch, rejected);
      } catch (error) {
        const text = `record ${this.offset} of the ingest log cannot be read: ${describeError(error)}`;
        this.#decoded = missing(this.offset, 'ingestLost', this.at, this.at, text);
      }
    }
    return this.#decoded;
  }
}

/** What a consumer gets in place of records that are no longer there or cannot be read. */
export function missing(
  offset: number,
  reason: 'ingestLost' | 'ingestRetention',
  from: UtcNanos,
  to: UtcNanos,
  detail: string,
): LogEntry {
  return {
    offset,
    at: to,
    source: 'centre',
    content: { kind: 'gap', gap: { reason, from: from.toString(), to: to.toString(), detail } },
  };
}

/** Entries by offset, bounded by the octets of their batches; the least recently added go first. */
export class EntryCache {
  readonly #bound: number;
  readonly #entries = new Map<number, RecordEntry>();
  #bytes = 0;
  hits = 0;

  constructor(bytes: number) {
    this.#bound = bytes;
  }

  /** The entry at an offset, if it is here. */
  peek(offset: number): RecordEntry | undefined {
    return this.#entries.get(offset);
  }

  add(entry: RecordEntry): void {
    if (this.#entries.has(entry.offset)) return;
    this.#entries.set(entry.offset, entry);
    this.#bytes += entry.bytes;
    for (const [offset, { bytes }] of this.#entries) {
      if (this.#bytes <= this.#bound) break;
      this.#entries.delete(offset);
      this.#bytes -= bytes;
    }
  }

  /** Consecutive entries from `offset` on, at most as many as fit `bytes`, below `next`; empty when the first is not here. */
  run(offset: number, next: number, bytes: number): RecordEntry[] {
    const run: RecordEntry[] = [];
    for (let at = offset, sum = 0; at < next; at++) {
      const entry = this.#entries.get(at);
      if (!entry) break;
      sum += entry.bytes;
      if (run.length > 0 && sum > bytes) break;
      run.push(entry);
    }
    this.hits += run.length;
    return run;
  }
}
