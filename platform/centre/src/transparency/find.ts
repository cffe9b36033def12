/** Finds the records that a receipt is made of. */
import { columnIndex, decodeBatch, headerOf, observationsOfColumn } from '@enerchain/link';
import type { Mrid, UtcNanos } from '@enerchain/model';
import type { LoggedBatch } from '@enerchain/provenance';
import type { IngestLog } from '../log/log.ts';
import { rawRecords } from '../log/reader.ts';
import type { RecordIndex, Wanted } from './record-index.ts';

/** One observation where it stands. */
export interface Found {
  readonly record: LoggedBatch;
  /** Position among the observations of the point in its batch. */
  readonly observation: number;
  readonly sourceTime: UtcNanos;
  readonly receiveTime: UtcNanos;
}

/** Entries of the index that are looked at for one question: 40 MB of it. */
const MOST_ENTRIES = 1_000_000;
/** Records that are opened for one question. */
const MOST_RECORDS = 512;
/** Headers behind an unsigned batch that are looked for. */
const MOST_COVERING = 4096;
/** How far the clocks of devices and of this machine may differ without costing time. */
const SLACK: UtcNanos = 60_000_000_000n;

export class RecordFinder {
  readonly #log: IngestLog;
  readonly #index: RecordIndex;

  constructor(log: IngestLog, index: RecordIndex) {
    this.#log = log;
    this.#index = index;
  }

  /** @returns undefined when the record is not there any more or cannot be read */
  async record(index: number): Promise<LoggedBatch | undefined> {
    if (index < this.#log.bounds().first) return undefined;
    const kept = this.#log.recent.peek(index) ?? this.#log.reread.peek(index);
    if (kept) return this.#covered({ index, batch: decodeBatch(kept.record.batch) });
    for await (const { offset, record } of rawRecords(this.#log, index)) {
      if (offset !== index) return undefined;
      return this.#covered({ index, batch: decodeBatch(record.batch) });
    }
    return undefined;
  }

  /**
   * The last observation of a point at or before a time.
   * @param exact source time of it, when the history knows it
   */
  async observation(source: string, point: Mrid, at: UtcNanos, exact?: UtcNanos): Promise<Found | undefined> {
    const time = exact ?? at;
    const start = this.#index.firstSince(time - SLACK);
    const wanted: Wanted = { kind: 'observations', name: source, time };
    // First where it should stand; then later, where a backlog has brought it; then before, for a value that stands long.
    const near = await this.#best(this.#index.search(wanted, start, 1, MOST_ENTRIES), point, time, exact);
    if (near) return near;
    const earlier = { ...wanted, orBefore: true };
    return this.#best(this.#index.search(earlier, this.#index.firstSince(at + SLACK) - 1, -1, MOST_ENTRIES), point, at);
  }

  /** Where an observation of a point stands in a record. */
  async within(index: number, point: Mrid, at: UtcNanos, exact?: UtcNanos): Promise<Found | undefined> {
    const record = await this.record(index);
    if (!record) return undefined;
    const column = record.batch.columns[columnIndex(record.batch, point)];
    if (!column) return undefined;
    const { sourceTime, receiveTime } = observationsOfColumn(record.batch.header, column);
    let found: number | undefined;
    sourceTime.forEach((time, i) => {
      if (time > at || (exact !== undefined && time !== exact)) return;
      if (found === undefined || time >= sourceTime[found]!) found = i;
    });
    if (found === undefined) return undefined;
    return { record, observation: found, sourceTime: sourceTime[found]!, receiveTime: receiveTime[found]! };
  }

  async #best(records: Iterable<number>, point: Mrid, at: UtcNanos, exact?: UtcNanos): Promise<Found | undefined> {
    let opened = 0;
    for (const index of records) {
      if (++opened > MOST_RECORDS) return undefined;
      const found = await this.within(index, point, at, exact);
      if (found) return found;
    }
    return undefined;
  }

  /** Results of attestation about a node: records before or from one on, nearest first. */
  *results(node: string, start: number, step: 1 | -1): Generator<number, void, void> {
    yield* this.#index.search({ kind: 'attestation', name: node }, start, step, MOST_ENTRIES);
  }

  /** The headers of its chain up to the signed one, for a batch without a signature of its own. */
  async #covered(record: LoggedBatch): Promise<LoggedBatch | undefined> {
    if (!record.batch.deferred) return record;
    const { source, epoch } = record.batch.header;
    let { sequence } = record.batch.header;
    const covering: Uint8Array[] = [];
    for await (const { record: next } of rawRecords(this.#log, record.index + 1)) {
      const batch = decodeBatch(next.batch);
      if (batch.header.source !== source || batch.header.epoch !== epoch || batch.header.sequence !== sequence + 1)
        continue;
      sequence++;
      covering.push(batch.signed);
      if (!headerOf(batch.signed).deferred) return { ...record, covering };
      if (covering.length >= MOST_COVERING) break;
    }
    return undefined;
  }
}
