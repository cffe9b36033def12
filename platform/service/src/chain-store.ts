/**
 * The chain of a service on disk: what the centre has not acknowledged, and the last position written, in one SQLite file
 * with `synchronous=FULL`. What has been published survives the process and a loss of power.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import type { BatchStore, ChainPosition, EpochRange, StoredBatch } from '@enerchain/link';
import { EnerchainError } from '@enerchain/model';

const SCHEMA = `
CREATE TABLE IF NOT EXISTS batch (
  epoch INTEGER NOT NULL, sequence INTEGER NOT NULL, at INTEGER NOT NULL, bytes BLOB NOT NULL,
  PRIMARY KEY (epoch, sequence)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS position (
  one INTEGER PRIMARY KEY CHECK (one = 1), epoch INTEGER NOT NULL, sequence INTEGER NOT NULL, hash BLOB NOT NULL
) STRICT;
`;
const SCHEMA_VERSION = 1;

/** A batch that waits, as the index in memory knows it. */
interface Waiting {
  readonly sequence: number;
  readonly size: number;
  /** When it was written, nanoseconds. */
  readonly at: bigint;
}

export class ChainStore implements BatchStore {
  readonly #db: DatabaseSync;
  readonly #insert: StatementSync;
  readonly #select: StatementSync;
  readonly #delete: StatementSync;
  readonly #setPosition: StatementSync;
  readonly #waiting = new Map<number, Waiting[]>();
  /** Acknowledged but still on disk: goes with the next transaction, since a batch sent twice does no harm. */
  readonly #acknowledged = new Map<number, number>();
  #position: ChainPosition | undefined;
  #bytes = 0;
  #count = 0;

  /** @throws EnerchainError `service.chain.open` when the file cannot be opened or is of a later version */
  constructor(dataDir: string) {
    const file = join(dataDir, 'chain.sqlite');
    try {
      mkdirSync(dataDir, { recursive: true, mode: 0o700 });
      this.#db = new DatabaseSync(file);
      this.#db.exec('PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;');
      const { user_version: version } = this.#db.prepare('PRAGMA user_version').get() as { user_version: number };
      if (version > SCHEMA_VERSION) throw new Error(`it was written by a later version (${version})`);
      this.#db.exec(`${SCHEMA} PRAGMA user_version=${SCHEMA_VERSION};`);
      this.#insert = this.#db.prepare('INSERT INTO batch (epoch, sequence, at, bytes) VALUES (?, ?, ?, ?)');
      this.#select = this.#db.prepare(
        'SELECT sequence, bytes FROM batch WHERE epoch = ? AND sequence >= ? ORDER BY sequence LIMIT ?',
      );
      this.#delete = this.#db.prepare('DELETE FROM batch WHERE epoch = ? AND sequence <= ?');
      this.#setPosition = this.#db.prepare(
        'INSERT OR REPLACE INTO position (one, epoch, sequence, hash) VALUES (1, ?, ?, ?)',
      );
      this.#load();
    } catch (cause) {
      throw new EnerchainError('environment', 'service.chain.open', `the chain in ${file} cannot be opened`, { cause });
    }
  }

  #load(): void {
    const position = this.#db.prepare('SELECT epoch, sequence, hash FROM position').get() as
      | { epoch: number; sequence: number; hash: Uint8Array }
      | undefined;
    if (position) this.#position = { ...position };
    const rows = this.#db.prepare('SELECT epoch, sequence, at, length(bytes) AS size FROM batch ORDER BY 1, 2');
    rows.setReadBigInts(true);
    for (const row of rows.iterate() as IterableIterator<Record<string, bigint>>) {
      this.#note(Number(row.epoch), { sequence: Number(row.sequence), size: Number(row.size), at: row.at as bigint });
    }
  }

  /** Octets that wait for acknowledgement. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Batches that wait. */
  get count(): number {
    return this.#count;
  }

  /** When the oldest batch that waits was written, nanoseconds. */
  get oldest(): bigint | undefined {
    return [...this.#waiting.values()].map(([first]) => first?.at).reduce(least, undefined);
  }

  /** The batch last written, acknowledged or not. */
  position(): ChainPosition | undefined {
    return this.#position;
  }

  epochs(): readonly EpochRange[] {
    return [...this.#waiting]
      .map(([epoch, batches]) => ({ epoch, first: batches[0]!.sequence, last: batches.at(-1)!.sequence }))
      .sort((a, b) => a.epoch - b.epoch);
  }

  read(epoch: number, from: number, limit: { readonly count: number; readonly bytes: number }): readonly StoredBatch[] {
    const first = this.#waiting.get(epoch)?.[0]?.sequence;
    if (first === undefined) return [];
    const batches: StoredBatch[] = [];
    let size = 0;
    for (const row of this.#select.iterate(epoch, Math.max(from, first), limit.count)) {
      if (batches.length > 0 && size >= limit.bytes) break;
      const batch = row as unknown as StoredBatch;
      size += batch.bytes.length;
      batches.push({ sequence: batch.sequence, bytes: batch.bytes });
    }
    return batches;
  }

  /** When the first and the last batch of a run were written. */
  times(epoch: number, first: number, last: number): { readonly from: bigint; readonly to: bigint } | undefined {
    const run = (this.#waiting.get(epoch) ?? []).filter((each) => each.sequence >= first && each.sequence <= last);
    return run.length > 0 ? { from: run[0]!.at, to: run.at(-1)!.at } : undefined;
  }

  /** Durable when it returns; when it throws, nothing has happened. */
  append(position: ChainPosition, bytes: Uint8Array, at: bigint): void {
    const { epoch, sequence, hash } = position;
    this.#db.exec('BEGIN');
    try {
      for (const [old, last] of this.#acknowledged) this.#delete.run(old, last);
      this.#insert.run(epoch, sequence, at, bytes);
      this.#setPosition.run(epoch, sequence, hash);
      this.#db.exec('COMMIT');
    } catch (error) {
      if (this.#db.isTransaction) this.#db.exec('ROLLBACK');
      throw error;
    }
    this.#acknowledged.clear();
    this.#position = { epoch, sequence, hash };
    this.#note(epoch, { sequence, size: bytes.length, at });
  }

  acknowledge(epoch: number, sequence: number): void {
    const batches = this.#waiting.get(epoch);
    if (!batches || batches[0]!.sequence > sequence) return;
    const end = batches.findIndex((each) => each.sequence > sequence);
    const gone = batches.splice(0, end < 0 ? batches.length : end);
    for (const { size } of gone) this.#bytes -= size;
    this.#count -= gone.length;
    this.#acknowledged.set(epoch, gone.at(-1)!.sequence);
    if (batches.length === 0) this.#waiting.delete(epoch);
  }

  close(): void {
    if (this.#db.isOpen) this.#db.close();
  }

  #note(epoch: number, waiting: Waiting): void {
    const batches = this.#waiting.get(epoch);
    if (batches) batches.push(waiting);
    else this.#waiting.set(epoch, [waiting]);
    this.#bytes += waiting.size;
    this.#count += 1;
  }
}

const least = (a: bigint | undefined, b: bigint | undefined): bigint | undefined =>
  a === undefined || (b !== undefined && b < a) ? b : a;
