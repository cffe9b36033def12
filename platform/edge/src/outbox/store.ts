/**
 * The outbox on disk: one SQLite file with WAL and `synchronous=FULL`, so that what a commit has returned from survives
 * a loss of power. Batches, the position of the chain and what is known about gaps change in the same transaction.
 */
import { dirname } from 'node:path';
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';
import { type ChainPosition, CONTENT_KINDS, type EpochRange } from '@enerchain/link';
import { type Clock, describeError, EnerchainError, systemClock } from '@enerchain/model';
import { Acknowledged } from './acknowledged.ts';
import { DiskRoom, PAGE_BYTES } from './disk-room.ts';
import type { Commit, DroppedRun, OpenGap, StateChange, StoredBatch } from './records.ts';
import { type BatchRow, observationsIn, WaitingBatches } from './waiting.ts';

/** `kind` is the index into `CONTENT_KINDS`; `at` is in milliseconds, `since` and `until` are in nanoseconds since the epoch. */
const SCHEMA = `
CREATE TABLE IF NOT EXISTS batch (
  id INTEGER PRIMARY KEY, epoch INTEGER NOT NULL, sequence INTEGER NOT NULL, hash BLOB NOT NULL, kind INTEGER NOT NULL,
  count INTEGER NOT NULL, at INTEGER NOT NULL, since INTEGER NOT NULL, until INTEGER NOT NULL, size INTEGER NOT NULL,
  bytes BLOB NOT NULL, UNIQUE (epoch, sequence)
) STRICT;
CREATE TABLE IF NOT EXISTS acknowledged (epoch INTEGER PRIMARY KEY, sequence INTEGER NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS gap (
  endpoint TEXT PRIMARY KEY, reason TEXT NOT NULL, since INTEGER NOT NULL, detail TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS recent (endpoint TEXT PRIMARY KEY, saved BLOB NOT NULL) STRICT;
`;

/** Layout of the file; a later one that reads it differently counts up. */
const SCHEMA_VERSION = 1;
const OBSERVATIONS = CONTENT_KINDS.indexOf('observations');
/** Observations in acknowledged batches that are kept, unless told otherwise. */
const RETAIN = 20_000;
/** Octets that `read` returns at most, unless told otherwise. */
const READ_BYTES = 4 * 1024 * 1024;

export interface StoreOptions {
  readonly clock?: Clock;
  /** Called inside every transaction, before it commits; throwing is a write that failed. For tests. */
  readonly beforeCommit?: () => void;
  /** Acknowledged batches are kept until this many younger observations are acknowledged, to recognise repeats by. */
  readonly retainObservations?: number;
}

export class OutboxStore {
  readonly #db: DatabaseSync;
  readonly #options: StoreOptions;
  readonly #clock: Clock;
  readonly #room: DiskRoom;
  readonly #statements = new Map<string, StatementSync>();
  readonly #waiting = new WaitingBatches();
  readonly #acknowledged: Acknowledged;
  #nextId = 1;

  /** @throws EnerchainError `edge.outbox.open` (environment) when the file cannot be opened or is not ours */
  constructor(file: string, options: StoreOptions = {}) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#room = new DiskRoom(dirname(file));
    this.#acknowledged = new Acknowledged(options.retainObservations ?? RETAIN);
    try {
      this.#db = new DatabaseSync(file);
      this.#db.exec(
        `PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA busy_timeout=2000; PRAGMA wal_autocheckpoint=${this.#room.checkpointPages};`,
      );
      const version = (this.#db.prepare('PRAGMA user_version').get() as { user_version: number }).user_version;
      if (version > SCHEMA_VERSION)
        throw new Error(`the file has layout ${version}, this edge knows ${SCHEMA_VERSION}`);
      this.#db.exec(`${SCHEMA} PRAGMA user_version=${SCHEMA_VERSION};`);
      this.#load();
    } catch (error) {
      throw new EnerchainError(
        'environment',
        'edge.outbox.open',
        `the outbox ${file} cannot be opened: ${describeError(error)}; the edge does not start without it`,
        { cause: error },
      );
    }
  }

  #load(): void {
    const cursors = this.#sql('SELECT epoch, sequence FROM acknowledged').all();
    for (const { epoch, sequence } of cursors as unknown as { epoch: number; sequence: number }[]) {
      this.#acknowledged.advance(epoch, sequence);
    }
    this.#acknowledged.unsaved = false;
    const rows = this.#sql('SELECT id, epoch, sequence, size, count, at, kind FROM batch ORDER BY id').all();
    const [now, monotonic] = [this.#now(), this.#clock.monotonic()];
    for (const stored of rows as unknown as (Omit<BatchRow, 'kind' | 'born'> & { kind: number })[]) {
      const born = monotonic - Math.max(0, now - stored.at);
      const row: BatchRow = { ...stored, kind: CONTENT_KINDS[stored.kind]!, born };
      this.#nextId = row.id + 1;
      if (this.#acknowledged.covers(row.epoch, row.sequence)) this.#acknowledged.keep(row);
      else this.#waiting.add(row);
    }
    for (const epoch of JSON.parse(this.meta('holed') ?? '[]') as number[]) this.#waiting.addHole(epoch);
  }

  close(): void {
    this.#statements.clear();
    this.#db.close();
  }

  // --- what waits for the centre -------------------------------------------------------------------------------------

  /** Octets of the batches that are not acknowledged. */
  get bytes(): number {
    return this.#waiting.bytes;
  }

  /** Number of the batches that are not acknowledged. */
  get batches(): number {
    return this.#waiting.count;
  }

  /** When the oldest batch that is not acknowledged was written, milliseconds since the epoch. */
  get oldest(): number | undefined {
    return this.#waiting.oldest?.at;
  }

  /** The same on the monotonic clock. */
  get oldestBorn(): number | undefined {
    return this.#waiting.oldest?.born;
  }

  /** Epochs that hold batches that are not acknowledged, ascending. */
  epochs(): readonly EpochRange[] {
    return this.#waiting.ranges;
  }

  /** Whether batches were dropped out of one of the epochs that still wait. */
  get holed(): boolean {
    return this.#waiting.holed;
  }

  /** Batches of an epoch from a sequence number on, in order; numbers that were dropped are left out. */
  read(epoch: number, from: number, limit: number, maxBytes = READ_BYTES): { sequence: number; bytes: Uint8Array }[] {
    const found: { sequence: number; bytes: Uint8Array }[] = [];
    let bytes = 0;
    for (const row of this.#sql(
      'SELECT sequence, bytes FROM batch WHERE epoch=? AND sequence>=? ORDER BY sequence LIMIT ?',
    ).iterate(epoch, from, limit)) {
      const batch = row as unknown as { sequence: number; bytes: Uint8Array };
      found.push(batch);
      bytes += batch.bytes.length;
      if (bytes >= maxBytes) break;
    }
    return found;
  }

  /** Which batches to drop, see `WaitingBatches.oldestRuns`. */
  oldestRuns(bytes: number, before: number, spare: (epoch: number, sequence: number) => boolean): DroppedRun[] {
    return this.#waiting.oldestRuns(bytes, before, spare).map((run) => this.#runOf(run));
  }

  /** What waits in an epoch from a sequence number on, each batch as a run of its own. */
  runsFrom(epoch: number, sequence: number): DroppedRun[] {
    return this.#waiting.from(epoch, sequence).map((row) => this.#runOf([row]));
  }

  #runOf(run: readonly BatchRow[]): DroppedRun {
    const [{ epoch, sequence: first }, { sequence: last }] = [run[0]!, run.at(-1)!];
    const times = this.#sql(
      'SELECT min(since) AS since, max(until) AS until FROM batch WHERE epoch=? AND sequence BETWEEN ? AND ?',
    );
    times.setReadBigInts(true);
    const { since, until } = times.get(epoch, first, last) as { since: bigint; until: bigint };
    const { hash } = this.#sql('SELECT hash FROM batch WHERE epoch=? AND sequence=?').get(epoch, last) as {
      hash: Uint8Array;
    };
    return {
      epoch,
      first,
      last,
      lastHash: hash,
      from: since,
      to: until,
      count: run.reduce((sum, row) => sum + observationsIn(row), 0),
      bytes: run.reduce((sum, row) => sum + row.size, 0),
    };
  }

  // --- what else is kept ---------------------------------------------------------------------------------------------

  /** @returns last batch written, exactly as it was committed */
  position(): ChainPosition | undefined {
    const text = this.meta('position');
    if (text === undefined) return undefined;
    const [epoch, sequence, hash] = JSON.parse(text) as [number, number, string];
    return { epoch, sequence, hash: Buffer.from(hash, 'hex') };
  }

  meta(key: string): string | undefined {
    return (this.#sql('SELECT value FROM meta WHERE key=?').get(key) as { value: string } | undefined)?.value;
  }

  openGaps(): OpenGap[] {
    const statement = this.#sql('SELECT endpoint, reason, since, detail FROM gap');
    statement.setReadBigInts(true);
    return statement.all() as unknown as OpenGap[];
  }

  /** What the endpoint said lately, as `RepeatMemory` has saved it. */
  recent(endpoint: string): Uint8Array | undefined {
    const row = this.#sql('SELECT saved FROM recent WHERE endpoint=?').get(endpoint);
    return (row as { saved: Uint8Array } | undefined)?.saved;
  }

  /** The youngest observation batches, acknowledged or not, oldest first, until they hold `observations`. */
  latestObservations(observations: number): Uint8Array[] {
    const found: Uint8Array[] = [];
    let count = 0;
    for (const row of this.#sql('SELECT count, bytes FROM batch WHERE kind=? ORDER BY id DESC').iterate(OBSERVATIONS)) {
      found.push((row as { bytes: Uint8Array }).bytes);
      count += (row as { count: number }).count;
      if (count >= observations) break;
    }
    return found.reverse();
  }

  // --- what changes --------------------------------------------------------------------------------------------------

  /**
   * The file changes first; only when it has, does the index in memory.
   * @throws Error when the disk does not take it (of SQLite, or `edge.outbox.full`); nothing has changed then
   */
  commit(commit: Commit): void {
    const { batches, dropped = [], changes = [], position, committedUntil } = commit;
    this.#ensureRoom(commit);
    const at = this.#now();
    const born = this.#clock.monotonic();
    const rows = batches.map(({ epoch, sequence, kind, bytes, count }, n): BatchRow => {
      return { id: this.#nextId + n, epoch, sequence, kind, size: bytes.length, count, at, born };
    });
    const { expired } = this.#acknowledged;
    this.#inTransaction(() => {
      rows.forEach((row, n) => {
        this.#insert(row, batches[n]!);
      });
      for (const { epoch, first, last } of dropped) {
        this.#run('DELETE FROM batch WHERE epoch=? AND sequence BETWEEN ? AND ?', epoch, first, last);
      }
      if (dropped.length > 0) {
        this.#setMeta('holed', JSON.stringify(this.#waiting.holes(dropped.map(({ epoch }) => epoch))));
      }
      if (position) {
        const hash = Buffer.from(position.hash).toString('hex');
        this.#setMeta('position', JSON.stringify([position.epoch, position.sequence, hash]));
      }
      if (committedUntil !== undefined) this.#setMeta('committedUntil', String(committedUntil));
      for (const change of changes) this.#apply(change);
      if (this.#acknowledged.unsaved) this.#saveCursors();
      this.#deleteKept(expired);
      this.#options.beforeCommit?.();
    });
    this.#nextId += rows.length;
    this.#acknowledged.unsaved = false;
    for (const row of rows) this.#waiting.add(row);
    for (const { epoch, first, last } of dropped) {
      this.#waiting.addHole(epoch);
      this.#waiting.remove(epoch, first, last);
    }
    for (const { remove } of changes) {
      if (remove) this.#waiting.remove(remove.epoch, remove.sequence, remove.sequence);
    }
    this.#acknowledged.gone(expired.length, (epoch) => this.#waiting.has(epoch));
  }

  /** Puts other octets in the place of a batch that waits: the same with its signature. @throws Error when the disk is full */
  replace(epoch: number, sequence: number, bytes: Uint8Array): void {
    this.#run('UPDATE batch SET bytes=?, size=? WHERE epoch=? AND sequence=?', bytes, bytes.length, epoch, sequence);
    this.#waiting.resize(epoch, sequence, bytes.length);
  }

  /**
   * Everything of the epoch up to `sequence` is kept by the centre. Written with the next commit: if that is lost, the
   * centre says so again.
   */
  acknowledge(epoch: number, sequence: number): void {
    if (this.#acknowledged.covers(epoch, sequence)) return;
    this.#acknowledged.advance(epoch, sequence);
    for (const row of this.#waiting.remove(epoch, 0, sequence)) this.#acknowledged.keep(row);
  }

  /**
   * Near the end of the disk batches may only take what acknowledged ones have left inside the file.
   * @throws EnerchainError `edge.outbox.full` (environment)
   */
  #ensureRoom({ batches, dropped = [] }: Commit): void {
    if (batches.length === 0) return;
    const incoming = batches.reduce((sum, { bytes }) => sum + bytes.length + PAGE_BYTES, 0);
    const { free, spare, folder } = this.#room;
    if (free >= spare + incoming) return;
    this.#emptyAcknowledged();
    const { freelist_count: pages } = this.#db.prepare('PRAGMA freelist_count').get() as { freelist_count: number };
    const leaving = dropped.reduce((sum, run) => sum + run.bytes, 0);
    if (pages * PAGE_BYTES + leaving >= incoming) return;
    throw new EnerchainError(
      'environment',
      'edge.outbox.full',
      `the disk of the outbox (${folder}) has ${free} octets left, of which ${spare} are needed to empty it again; nothing was written`,
    );
  }

  /** Gives up what is kept only to recognise repeats by. */
  #emptyAcknowledged(): void {
    const { kept } = this.#acknowledged;
    if (kept.length === 0) return;
    this.#inTransaction(() => {
      this.#saveCursors();
      this.#deleteKept(kept);
    });
    this.#acknowledged.unsaved = false;
    this.#acknowledged.gone(kept.length, (epoch) => this.#waiting.has(epoch));
  }

  // --- SQL -----------------------------------------------------------------------------------------------------------

  #insert({ id, count, at, size }: BatchRow, { epoch, sequence, hash, kind, from, to, bytes }: StoredBatch): void {
    const values = [id, epoch, sequence, hash, CONTENT_KINDS.indexOf(kind), count, at, from, to, size, bytes];
    this.#run('INSERT INTO batch VALUES (?,?,?,?,?,?,?,?,?,?,?)', ...values);
  }

  #apply(change: StateChange): void {
    const { open, close, recent, meta, remove } = change;
    if (remove) this.#run('DELETE FROM batch WHERE epoch=? AND sequence=?', remove.epoch, remove.sequence);
    if (close !== undefined) this.#run('DELETE FROM gap WHERE endpoint=?', close);
    if (open) {
      this.#run('INSERT OR IGNORE INTO gap VALUES (?,?,?,?)', open.endpoint, open.reason, open.since, open.detail);
    }
    if (recent) this.#run('INSERT OR REPLACE INTO recent VALUES (?,?)', recent.endpoint, recent.saved);
    for (const [key, value] of Object.entries(meta ?? {})) this.#setMeta(key, value);
  }

  #saveCursors(): void {
    for (const [epoch, sequence] of this.#acknowledged.cursors) {
      this.#run('INSERT OR REPLACE INTO acknowledged VALUES (?,?)', epoch, sequence);
    }
  }

  #deleteKept(ids: readonly number[]): void {
    for (const id of ids) this.#run('DELETE FROM batch WHERE id=?', id);
  }

  #setMeta(key: string, value: string): void {
    this.#run('INSERT OR REPLACE INTO meta VALUES (?,?)', key, value);
  }

  #inTransaction(work: () => void): void {
    this.#db.exec('BEGIN IMMEDIATE');
    try {
      work();
      this.#db.exec('COMMIT');
    } catch (error) {
      try {
        this.#db.exec('ROLLBACK');
      } catch {
        // SQLite rolls back by itself on some errors (disk full); there is nothing left to undo then.
      }
      throw error;
    }
  }

  #run(sql: string, ...values: SQLInputValue[]): void {
    this.#sql(sql).run(...values);
  }

  #sql(text: string): StatementSync {
    let statement = this.#statements.get(text);
    if (!statement) {
      statement = this.#db.prepare(text);
      this.#statements.set(text, statement);
    }
    return statement;
  }

  #now(): number {
    return Number(this.#clock.now() / 1_000_000n);
  }
}
