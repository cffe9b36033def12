/**
 * The outbox on disk: one SQLite file with WAL and `synchronous=FULL`, so that what a commit has returned from survives
 * a loss of power. Batches, the position of the chain and what is known about gaps change in the same transaction.
 */
import { statfsSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';
import { type Batch, type ChainPosition, CONTENT_KINDS, type ContentKind, type EpochRange } from '@enerchain/link';
import {
  type Clock,
  describeError,
  EnerchainError,
  type GapReason,
  systemClock,
  type UtcNanos,
} from '@enerchain/model';

/** A batch on its way to disk. */
export interface StoredBatch {
  readonly epoch: number;
  readonly sequence: number;
  readonly hash: Uint8Array;
  readonly kind: ContentKind;
  /** Observations (or records) in it. */
  readonly count: number;
  /** Receive times of the first and the last observation. */
  readonly from: UtcNanos;
  readonly to: UtcNanos;
  readonly bytes: Uint8Array;
  /** Set when it has no signature of its own yet. */
  readonly batch?: Batch;
}

/** A gap that has begun and not ended yet. */
export interface OpenGap {
  readonly endpoint: string;
  readonly reason: Extract<GapReason, 'uncleanRestart' | 'deviceAway'>;
  readonly since: UtcNanos;
  readonly detail: string;
}

/** What changes together with batches, in the same transaction. */
export interface StateChange {
  readonly open?: OpenGap;
  /** Endpoint whose gap ends. */
  readonly close?: string;
  /** Endpoint and what it said lately. */
  readonly recent?: { readonly endpoint: string; readonly saved: Uint8Array };
  readonly meta?: Readonly<Record<string, string>>;
  /** A batch whose content has been put on the chain anew. */
  readonly remove?: { readonly epoch: number; readonly sequence: number };
}

/** A run of batches without holes, to be dropped. */
export interface DroppedRun {
  readonly epoch: number;
  readonly first: number;
  readonly last: number;
  readonly lastHash: Uint8Array;
  readonly from: UtcNanos;
  readonly to: UtcNanos;
  /** Observations in it. */
  readonly count: number;
  readonly bytes: number;
}

export interface Commit {
  readonly batches: readonly StoredBatch[];
  readonly dropped?: readonly DroppedRun[];
  readonly changes?: readonly StateChange[];
  /** Everything that devices stamped before this moment is committed with this transaction or was before (`TransitLag`). */
  readonly committedUntil?: UtcNanos;
  readonly position?: ChainPosition | undefined;
}

interface Row {
  readonly id: number;
  readonly epoch: number;
  readonly sequence: number;
  readonly size: number;
  readonly count: number;
  /** When it was written, milliseconds since the epoch. */
  readonly at: number;
  readonly kind: number;
  /** The same on the monotonic clock: a wall clock that is set must not make everything look too old. */
  readonly born: number;
}

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
/**
 * Room on the disk that batches may not take, octets, and at most this share of a small disk: deleting what has been
 * acknowledged needs room in the write-ahead log, so an outbox that filled its disk to the end could never empty itself.
 */
const SPARE_BYTES = 16 * 1024 * 1024;
const SPARE_SHARE = 4;
/** Pages in the write-ahead log before it is moved into the file; fewer where the spare room is small. */
const CHECKPOINT_PAGES = 1_000;
const PAGE_BYTES = 4_096;
const DROPPABLE = CONTENT_KINDS.map((kind, code) => ({ kind, code }))
  .filter(({ kind }) => kind !== 'gap' && kind !== 'site')
  .map(({ code }) => code);
const OBSERVATIONS = CONTENT_KINDS.indexOf('observations');

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
  readonly #folder: string;
  readonly #spare: number;
  readonly #statements = new Map<string, StatementSync>();
  /** Batches that are not acknowledged: by epoch, both in order of their writing. */
  readonly #pending = new Map<number, Map<number, Row>>();
  #pendingCount = 0;
  #ranges: EpochRange[] | undefined;
  /** Epochs out of which batches were dropped while others of them still wait. */
  readonly #holed = new Set<number>();
  #bytes = 0;
  #acknowledged = new Map<number, number>();
  #acknowledgedDirty = false;
  #retained: { id: number; count: number }[] = [];
  #retainedCount = 0;
  #nextId = 1;

  /** @throws EnerchainError `edge.outbox.open` (environment) when the file cannot be opened or is not ours */
  constructor(file: string, options: StoreOptions = {}) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#folder = dirname(file);
    this.#spare = Math.min(SPARE_BYTES, Math.floor(this.#disk().size / SPARE_SHARE));
    const checkpoint = Math.max(8, Math.min(CHECKPOINT_PAGES, Math.floor(this.#spare / 4 / PAGE_BYTES)));
    try {
      this.#db = new DatabaseSync(file);
      this.#db.exec(
        `PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA busy_timeout=2000; PRAGMA wal_autocheckpoint=${checkpoint};`,
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
    for (const row of this.#sql('SELECT epoch, sequence FROM acknowledged').all() as unknown as {
      epoch: number;
      sequence: number;
    }[]) {
      this.#acknowledged.set(row.epoch, row.sequence);
    }
    const rows = this.#sql('SELECT id, epoch, sequence, size, count, at, kind FROM batch ORDER BY id').all();
    const [now, monotonic] = [this.#now(), this.#clock.monotonic()];
    for (const stored of rows as unknown as Omit<Row, 'born'>[]) {
      const row: Row = { ...stored, born: monotonic - Math.max(0, now - stored.at) };
      this.#nextId = row.id + 1;
      if (row.sequence <= (this.#acknowledged.get(row.epoch) ?? -1)) this.#retain(row);
      else this.#remember(row);
    }
    for (const epoch of JSON.parse(this.meta('holed') ?? '[]') as number[]) this.#holed.add(epoch);
  }

  /** Octets of the batches that are not acknowledged. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Number of the batches that are not acknowledged. */
  get batches(): number {
    return this.#pendingCount;
  }

  /** When the oldest batch that is not acknowledged was written, milliseconds since the epoch. */
  get oldest(): number | undefined {
    return this.#rows().next().value?.at;
  }

  /** The same on the monotonic clock. */
  get oldestBorn(): number | undefined {
    return this.#rows().next().value?.born;
  }

  #now(): number {
    return Number(this.#clock.now() / 1_000_000n);
  }

  /** @throws Error when the disk does not take it (of SQLite, or `edge.outbox.full`); nothing has changed then */
  commit(commit: Commit): void {
    this.#ensureRoom(commit);
    const rows: Row[] = [];
    const now = this.#now();
    const born = this.#clock.monotonic();
    const expired = this.#expired();
    this.#db.exec('BEGIN IMMEDIATE');
    try {
      let id = this.#nextId;
      for (const batch of commit.batches) {
        const kind = CONTENT_KINDS.indexOf(batch.kind);
        this.#run(
          'INSERT INTO batch VALUES (?,?,?,?,?,?,?,?,?,?,?)',
          id,
          batch.epoch,
          batch.sequence,
          batch.hash,
          kind,
          batch.count,
          now,
          batch.from,
          batch.to,
          batch.bytes.length,
          batch.bytes,
        );
        rows.push({
          id: id++,
          epoch: batch.epoch,
          sequence: batch.sequence,
          size: batch.bytes.length,
          count: batch.count,
          at: now,
          kind,
          born,
        });
      }
      for (const run of commit.dropped ?? []) {
        this.#run('DELETE FROM batch WHERE epoch=? AND sequence BETWEEN ? AND ?', run.epoch, run.first, run.last);
      }
      if (commit.dropped?.length) {
        const holed = new Set([...this.#holed, ...commit.dropped.map((run) => run.epoch)]);
        this.#setMeta('holed', JSON.stringify([...holed].filter((each) => this.#pending.has(each))));
      }
      if (commit.position) {
        const { epoch, sequence, hash } = commit.position;
        this.#setMeta('position', JSON.stringify([epoch, sequence, Buffer.from(hash).toString('hex')]));
      }
      if (commit.committedUntil !== undefined) this.#setMeta('committedUntil', String(commit.committedUntil));
      for (const change of commit.changes ?? []) this.#apply(change);
      if (this.#acknowledgedDirty) {
        for (const [epoch, sequence] of this.#acknowledged) {
          this.#run('INSERT OR REPLACE INTO acknowledged VALUES (?,?)', epoch, sequence);
        }
      }
      if (expired !== undefined) this.#expire(expired);
      this.#options.beforeCommit?.();
      this.#db.exec('COMMIT');
    } catch (error) {
      this.#rollback();
      throw error;
    }
    this.#nextId += rows.length;
    this.#acknowledgedDirty = false;
    for (const row of rows) this.#remember(row);
    for (const { epoch, first, last } of commit.dropped ?? []) {
      this.#holed.add(epoch);
      this.#forget(epoch, first, last);
    }
    for (const { remove } of commit.changes ?? []) {
      if (remove) this.#forget(remove.epoch, remove.sequence, remove.sequence);
    }
    if (expired !== undefined) this.#dropRetained(expired);
  }

  /** Puts other octets in the place of a batch that waits: the same with its signature. @throws Error when the disk is full */
  replace(epoch: number, sequence: number, bytes: Uint8Array): void {
    this.#run('UPDATE batch SET bytes=?, size=? WHERE epoch=? AND sequence=?', bytes, bytes.length, epoch, sequence);
    const rows = this.#pending.get(epoch);
    const row = rows?.get(sequence);
    if (!rows || !row) return;
    rows.set(sequence, { ...row, size: bytes.length });
    this.#bytes += bytes.length - row.size;
  }

  /** Free and total octets of the disk. */
  #disk(): { readonly free: number; readonly size: number } {
    try {
      const { bavail, blocks, bsize } = statfsSync(this.#folder);
      return { free: bavail * bsize, size: blocks * bsize };
    } catch {
      return { free: Number.POSITIVE_INFINITY, size: Number.POSITIVE_INFINITY };
    }
  }

  /**
   * Near the end of the disk batches may only take what acknowledged ones have left inside the file.
   * @throws EnerchainError `edge.outbox.full` (environment)
   */
  #ensureRoom({ batches, dropped }: Commit): void {
    if (batches.length === 0) return;
    const incoming = batches.reduce((sum, { bytes }) => sum + bytes.length + PAGE_BYTES, 0);
    const { free } = this.#disk();
    if (free >= this.#spare + incoming) return;
    this.#emptyAcknowledged();
    const { freelist_count: pages } = this.#db.prepare('PRAGMA freelist_count').get() as { freelist_count: number };
    const leaving = dropped?.reduce((sum, run) => sum + run.bytes, 0) ?? 0;
    if (pages * PAGE_BYTES + leaving >= incoming) return;
    throw new EnerchainError(
      'environment',
      'edge.outbox.full',
      `the disk of the outbox (${this.#folder}) has ${free} octets left, of which ${this.#spare} are needed to empty it again; nothing was written`,
    );
  }

  /** Gives up what is kept only to recognise repeats by. */
  #emptyAcknowledged(): void {
    const count = this.#retained.length;
    if (count === 0) return;
    this.#db.exec('BEGIN IMMEDIATE');
    try {
      for (const [epoch, sequence] of this.#acknowledged) {
        this.#run('INSERT OR REPLACE INTO acknowledged VALUES (?,?)', epoch, sequence);
      }
      this.#expire(count);
      this.#db.exec('COMMIT');
    } catch (error) {
      this.#rollback();
      throw error;
    }
    this.#acknowledgedDirty = false;
    this.#dropRetained(count);
  }

  #rollback(): void {
    try {
      this.#db.exec('ROLLBACK');
    } catch {
      // SQLite rolls back by itself on some errors (disk full); there is nothing left to undo then.
    }
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

  /** Epochs that hold batches that are not acknowledged, ascending. */
  epochs(): readonly EpochRange[] {
    this.#ranges ??= [...this.#pending].map(([epoch, rows]) => {
      const first = rows.keys().next().value ?? 0;
      return { epoch, first, last: Math.max(first, this.#lastOf(rows)) };
    });
    return this.#ranges;
  }

  /** Whether batches were dropped out of one of the epochs that still wait. */
  get holed(): boolean {
    for (const epoch of this.#holed) if (this.#pending.has(epoch)) return true;
    return false;
  }

  #lastOf(rows: ReadonlyMap<number, Row>): number {
    let last = -1;
    for (const sequence of rows.keys()) last = sequence;
    return last;
  }

  /** Batches of an epoch from a sequence number on, in order; numbers that were dropped are left out. */
  read(
    epoch: number,
    from: number,
    limit: number,
    maxBytes = 4 * 1024 * 1024,
  ): { sequence: number; bytes: Uint8Array }[] {
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

  /**
   * Everything of the epoch up to `sequence` is kept by the centre. Written with the next commit: if that is lost, the
   * centre says so again.
   */
  acknowledge(epoch: number, sequence: number): void {
    if (sequence <= (this.#acknowledged.get(epoch) ?? -1)) return;
    this.#acknowledged.set(epoch, sequence);
    this.#acknowledgedDirty = true;
    const rows = this.#pending.get(epoch);
    if (!rows) return;
    for (const row of rows.values()) {
      if (row.sequence > sequence) break;
      this.#retain(row);
    }
    this.#forget(epoch, 0, sequence);
  }

  get acknowledgementsPending(): boolean {
    return this.#acknowledgedDirty;
  }

  /**
   * Which batches to drop, oldest first: until `bytes` are free or up to those written before `before` (milliseconds on the
   * monotonic clock).
   * Gap records and site documents are never dropped. `spare` says which may not be touched.
   */
  oldestRuns(bytes: number, before: number, spare: (epoch: number, sequence: number) => boolean): DroppedRun[] {
    const chosen: Row[] = [];
    let freed = 0;
    for (const row of this.#rows()) {
      if (freed >= bytes && row.born >= before) break;
      if (!DROPPABLE.includes(row.kind) || spare(row.epoch, row.sequence)) continue;
      chosen.push(row);
      freed += row.size;
    }
    const runs: Row[][] = [];
    for (const row of chosen) {
      const run = runs.at(-1);
      const last = run?.at(-1);
      if (run && last && last.epoch === row.epoch && last.sequence + 1 === row.sequence) run.push(row);
      else runs.push([row]);
    }
    return runs.map((run) => this.#runOf(run));
  }

  /** What waits in an epoch from a sequence number on, each batch as a run of its own. */
  runFrom(epoch: number, sequence: number): DroppedRun[] {
    return [...(this.#pending.get(epoch)?.values() ?? [])]
      .filter((row) => row.sequence >= sequence)
      .map((row) => this.#runOf([row]));
  }

  #runOf(run: readonly Row[]): DroppedRun {
    const [first, last] = [run[0]!, run.at(-1)!];
    const statement = this.#sql(
      'SELECT min(since) AS since, max(until) AS until FROM batch WHERE epoch=? AND sequence BETWEEN ? AND ?',
    );
    statement.setReadBigInts(true);
    const { since, until } = statement.get(first.epoch, first.sequence, last.sequence) as {
      since: bigint;
      until: bigint;
    };
    const { hash } = this.#sql('SELECT hash FROM batch WHERE epoch=? AND sequence=?').get(
      last.epoch,
      last.sequence,
    ) as {
      hash: Uint8Array;
    };
    return {
      epoch: first.epoch,
      first: first.sequence,
      last: last.sequence,
      lastHash: hash,
      from: since,
      to: until,
      count: run.reduce((sum, row) => sum + (row.kind === OBSERVATIONS ? row.count : 0), 0),
      bytes: run.reduce((sum, row) => sum + row.size, 0),
    };
  }

  close(): void {
    this.#statements.clear();
    this.#db.close();
  }

  *#rows(): Generator<Row, undefined> {
    for (const rows of this.#pending.values()) yield* rows.values();
    return undefined;
  }

  #remember(row: Row): void {
    let rows = this.#pending.get(row.epoch);
    if (!rows) {
      rows = new Map();
      this.#pending.set(row.epoch, rows);
    }
    rows.set(row.sequence, row);
    this.#bytes += row.size;
    this.#pendingCount++;
    const range = this.#ranges?.at(-1);
    if (range?.epoch === row.epoch) this.#ranges!.splice(-1, 1, { ...range, last: row.sequence });
    else this.#ranges = undefined;
  }

  #forget(epoch: number, first: number, last: number): void {
    const rows = this.#pending.get(epoch);
    if (!rows) return;
    for (const row of rows.values()) {
      if (row.sequence < first) continue;
      if (row.sequence > last) break;
      rows.delete(row.sequence);
      this.#bytes -= row.size;
      this.#pendingCount--;
    }
    if (rows.size === 0) {
      this.#pending.delete(epoch);
      this.#holed.delete(epoch);
    }
    const at = this.#ranges?.findIndex((range) => range.epoch === epoch) ?? -1;
    const next = rows.keys().next().value;
    const range = this.#ranges?.[at];
    // Acknowledgements take from the front, many times a second: the rest of the range stays as it is.
    if (range && next !== undefined && last < range.last) this.#ranges![at] = { ...range, first: next };
    else this.#ranges = undefined;
  }

  #retain(row: Row): void {
    const count = row.kind === OBSERVATIONS ? row.count : 0;
    this.#retained.push({ id: row.id, count });
    this.#retainedCount += count;
  }

  /** Number of retained batches that have become too old, if any. */
  #expired(): number | undefined {
    const keep = this.#options.retainObservations ?? 20_000;
    let [excess, n] = [this.#retainedCount - keep, 0];
    while (n < this.#retained.length && excess >= this.#retained[n]!.count) excess -= this.#retained[n++]!.count;
    return n === 0 ? undefined : n;
  }

  #expire(count: number): void {
    for (const { id } of this.#retained.slice(0, count)) this.#run('DELETE FROM batch WHERE id=?', id);
  }

  #dropRetained(count: number): void {
    for (const { count: observations } of this.#retained.splice(0, count)) this.#retainedCount -= observations;
    // Cursors of epochs of which nothing is left are of no use; the newest one is kept.
    if (this.#acknowledged.size > 64) {
      for (const epoch of [...this.#acknowledged.keys()].sort((a, b) => a - b).slice(0, -32)) {
        if (!this.#pending.has(epoch)) this.#acknowledged.delete(epoch);
      }
    }
  }

  #setMeta(key: string, value: string): void {
    this.#run('INSERT OR REPLACE INTO meta VALUES (?,?)', key, value);
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
}
