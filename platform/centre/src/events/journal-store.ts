/** The journal in PostgreSQL. Writing the same rows twice is the same as writing them once. */
import { promisify } from 'node:util';
import { zstdCompress, zstdDecompressSync } from 'node:zlib';
import type { SiteDocument } from '@enerchain/model';
import type { AlarmJson } from '../alarms/book.ts';
import type { CommandJson } from '../commands/view.ts';
import type { Database, Queryable } from '../database/database.ts';
import type { LogFiles } from '../log/files.ts';
import type { DerivationState } from './derivation.ts';
import type { CheckpointCopy } from './journal.ts';
import type { Derived, EventKind, JournalRow } from './rows.ts';

const compress = promisify(zstdCompress);

/** A point of the log from which a derivation can go on. */
export interface Checkpoint {
  /** Names the log; changes when the log begins anew. */
  readonly instance: string;
  /** The next record to take in. */
  readonly offset: number;
  readonly state: DerivationState;
  /** Present when they changed since the last checkpoint. */
  readonly sites?: readonly SiteDocument[];
}

/** A record's derivation, with what the audit table needs of the record. */
export interface StoredRecord extends Derived {
  readonly offset: number;
  readonly at: bigint;
}

export interface EventQuery {
  readonly from?: bigint;
  readonly to?: bigint;
  readonly source?: string;
  readonly point?: string;
  readonly kinds: readonly EventKind[];
  /** Source time and id of the last row seen; rows come newest first. */
  readonly after?: { readonly at: bigint; readonly id: number };
  readonly limit: number;
}

export interface StoredMessage {
  readonly id: number;
  readonly stream: JournalRow['stream'];
  readonly kind: EventKind | undefined;
  readonly body: string;
}

export class JournalStore {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  async load(): Promise<Checkpoint | undefined> {
    const { rows } = await this.#database.query('SELECT instance, log_offset, state FROM journal_state');
    const row = rows[0];
    if (!row) return undefined;
    const sites = await this.#database.query('SELECT document FROM journal_sites');
    return {
      instance: row.instance as string,
      offset: Number(row.log_offset),
      state: unpack(row.state as Buffer),
      sites: sites.rows.map(({ document }) => unpack<SiteDocument>(document as Buffer)),
    };
  }

  /** Forgets everything: the log that it was derived from is gone. */
  async clear(): Promise<void> {
    await this.#database.query('TRUNCATE journal, alarms, commands, audit, journal_state, journal_sites');
  }

  async write(records: readonly StoredRecord[], checkpoint?: Checkpoint): Promise<void> {
    const packed = checkpoint && (await pack(checkpoint.state));
    const sites = await Promise.all(
      (checkpoint?.sites ?? []).map(async (site) => [site.source, await pack(site)] as const),
    );
    await this.#database.transaction(async (tx) => {
      await writeRows(
        tx,
        records.flatMap(({ rows }) => rows),
      );
      await writeAlarms(tx, records);
      await writeCommands(tx, records);
      await writeAudit(tx, records);
      for (const [source, document] of sites)
        await tx.query(
          'INSERT INTO journal_sites (source, document) VALUES ($1, $2) ON CONFLICT (source) DO UPDATE SET document = $2',
          [source, document],
        );
      if (checkpoint)
        await tx.query(
          `INSERT INTO journal_state (instance, log_offset, state) VALUES ($1, $2, $3)
           ON CONFLICT (singleton) DO UPDATE SET instance = $1, log_offset = $2, state = $3`,
          [checkpoint.instance, checkpoint.offset, packed],
        );
    });
  }

  /** Messages of the stream with a number above `after`, oldest first. */
  async messages(after: number, limit: number): Promise<StoredMessage[]> {
    const { rows } = await this.#database.query(
      'SELECT id, stream, kind, body FROM journal WHERE id > $1 ORDER BY id LIMIT $2',
      [after, limit],
    );
    return rows.map((row) => ({
      id: Number(row.id),
      stream: row.stream as JournalRow['stream'],
      kind: (row.kind ?? undefined) as EventKind | undefined,
      body: row.body as string,
    }));
  }

  /** Events, newest source time first. */
  async events(query: EventQuery): Promise<{ id: number; at: bigint; body: string }[]> {
    const { where, values } = conditions([
      ['kind = ANY(?)', query.kinds],
      ['source_time >= ?', query.from],
      ['source_time <= ?', query.to],
      ['source = ?', query.source],
      ['point = ?', query.point],
    ]);
    if (query.after) {
      values.push(query.after.at, query.after.id);
      where.push(`(source_time, id) < ($${values.length - 1}, $${values.length})`);
    }
    values.push(query.limit);
    const { rows } = await this.#database.query(
      `SELECT id, source_time, body FROM journal WHERE stream = 'event' AND ${where.join(' AND ')}
       ORDER BY source_time DESC, id DESC LIMIT $${values.length}`,
      values,
    );
    return rows.map((row) => ({ id: Number(row.id), at: row.source_time as bigint, body: row.body as string }));
  }

  /** Gap records that touch the time, newest first. */
  async gaps(query: { source?: string; from?: bigint; to?: bigint; limit: number }): Promise<string[]> {
    const { where, values } = conditions([
      ['until >= ?', query.from],
      ['source_time <= ?', query.to],
      ['source = ?', query.source],
    ]);
    values.push(query.limit);
    const { rows } = await this.#database.query(
      `SELECT body FROM journal WHERE ${["stream = 'gap'", ...where].join(' AND ')}
       ORDER BY source_time DESC, id DESC LIMIT $${values.length}`,
      values,
    );
    return rows.map((row) => row.body as string);
  }

  /** Alarms that have returned to normal, newest first. */
  async pastAlarms(limit: number): Promise<string[]> {
    const { rows } = await this.#database.query(
      `SELECT body FROM alarms WHERE state = 'normal' ORDER BY id DESC LIMIT $1`,
      [limit],
    );
    return rows.map((row) => row.body as string);
  }

  async commands(limit: number): Promise<CommandJson[]> {
    const { rows } = await this.#database.query('SELECT body FROM commands ORDER BY created_id DESC LIMIT $1', [limit]);
    return rows.map((row) => JSON.parse(row.body as string) as CommandJson);
  }

  async command(id: string): Promise<CommandJson | undefined> {
    const { rows } = await this.#database.query('SELECT body FROM commands WHERE id = $1', [id]);
    return rows[0] && (JSON.parse(rows[0].body as string) as CommandJson);
  }

  /**
   * Lets go of what lies before `cutoff` (source time; the time of the record for the audit) and is over.
   * @returns rows removed; call again while it is not 0, each call is bounded
   */
  async trim(cutoff: bigint): Promise<number> {
    const lot = 10_000;
    const tables = [
      ['journal', 'source_time < $1'],
      ['audit', 'at < $1'],
      ['alarms', `state = 'normal' AND (body::json ->> 'changedAt')::timestamptz < to_timestamp($1::numeric / 1e9)`],
    ] as const;
    let removed = 0;
    for (const [table, old] of tables) {
      const { rows } = await this.#database.query(
        `WITH gone AS (DELETE FROM ${table} WHERE ctid = ANY (ARRAY (SELECT ctid FROM ${table} WHERE ${old} LIMIT ${lot}))
         RETURNING 1) SELECT count(*) AS count FROM gone`,
        [String(cutoff)],
      );
      removed += Number(rows[0]?.count ?? 0);
    }
    return removed;
  }

  async audit(from: number, limit: number): Promise<Record<string, unknown>[]> {
    const { rows } = await this.#database.query(
      'SELECT * FROM audit WHERE log_offset >= $1 ORDER BY log_offset LIMIT $2',
      [from, limit],
    );
    return [...rows];
  }
}

async function writeRows(tx: Queryable, rows: readonly JournalRow[]): Promise<void> {
  if (rows.length === 0) return;
  await tx.query(
    `INSERT INTO journal (id, log_offset, stream, kind, source_time, until, point, source, body)
     SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::bigint[], $6::bigint[], $7::uuid[],
                          $8::text[], $9::text[])
     ON CONFLICT (id) DO NOTHING`,
    [
      rows.map(({ id }) => id),
      rows.map(({ offset }) => offset),
      rows.map(({ stream }) => stream),
      rows.map(({ kind }) => kind ?? null),
      rows.map(({ at }) => String(at)),
      rows.map(({ until }) => (until === undefined ? null : String(until))),
      rows.map(({ point }) => point ?? null),
      rows.map(({ source }) => source ?? null),
      // PostgreSQL's text knows no NUL; JSON writes it as an escape, so there is none in the body.
      rows.map(({ body }) => body),
    ],
  );
}

async function writeAlarms(tx: Queryable, records: readonly StoredRecord[]): Promise<void> {
  const last = new Map<number, { alarm: AlarmJson; changed: number }>();
  for (const { alarms, rows } of records)
    for (const alarm of alarms) last.set(alarm.id, { alarm, changed: rows.at(-1)?.id ?? 0 });
  const all = [...last.values()];
  if (all.length === 0) return;
  await tx.query(
    `INSERT INTO alarms (id, key, state, changed_id, body)
     SELECT * FROM unnest($1::bigint[], $2::text[], $3::text[], $4::bigint[], $5::text[])
     ON CONFLICT (id) DO UPDATE SET state = excluded.state, changed_id = excluded.changed_id, body = excluded.body
     WHERE alarms.changed_id < excluded.changed_id`,
    [
      all.map(({ alarm }) => alarm.id),
      all.map(({ alarm }) => alarm.key),
      all.map(({ alarm }) => alarm.state),
      all.map(({ changed }) => changed),
      all.map(({ alarm }) => JSON.stringify(alarm)),
    ],
  );
}

async function writeCommands(tx: Queryable, records: readonly StoredRecord[]): Promise<void> {
  const last = new Map<string, { view: CommandJson; created: number; changed: number }>();
  for (const { commands, rows } of records)
    for (const { view, createdId } of commands)
      last.set(view.id, { view, created: createdId, changed: rows.at(-1)?.id ?? 0 });
  const all = [...last.values()];
  if (all.length === 0) return;
  await tx.query(
    `INSERT INTO commands (id, created_id, changed_id, body)
     SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::text[])
     ON CONFLICT (id) DO UPDATE SET changed_id = excluded.changed_id, body = excluded.body
     WHERE commands.changed_id < excluded.changed_id`,
    [
      all.map(({ view }) => view.id),
      all.map(({ created }) => created),
      all.map(({ changed }) => changed),
      all.map(({ view }) => JSON.stringify(view)),
    ],
  );
}

async function writeAudit(tx: Queryable, records: readonly StoredRecord[]): Promise<void> {
  const all = records.filter(({ audit }) => audit !== undefined);
  if (all.length === 0) return;
  await tx.query(
    `INSERT INTO audit (log_offset, at, action, actor, outcome, subject, detail)
     SELECT o, a, n, c, r, s, d::json FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::text[],
       $6::text[], $7::text[]) AS rows (o, a, n, c, r, s, d)
     ON CONFLICT (log_offset) DO NOTHING`,
    [
      all.map(({ offset }) => offset),
      all.map(({ at }) => String(at)),
      ...(['action', 'actor', 'outcome', 'subject'] as const).map((name) =>
        all.map(({ audit }) => audit?.[name]?.replaceAll('\0', '\uFFFD') ?? null),
      ),
      all.map(({ audit }) => (audit?.detail ? JSON.stringify(audit.detail) : null)),
    ],
  );
}

function conditions(all: readonly (readonly [string, unknown])[]): { where: string[]; values: unknown[] } {
  const present = all.filter(([, value]) => value !== undefined);
  return {
    where: present.map(([text], index) => text.replace('?', `$${index + 1}`)),
    values: present.map(([, value]) => value),
  };
}

/** A copy of the last checkpoint in a file, for a start while the database is away. Damaged is the same as none. */
export function checkpointFile(files: Pick<LogFiles, 'readAll' | 'writeAll'>, path: string): CheckpointCopy {
  return {
    load: async () => {
      const bytes = await files.readAll(path);
      try {
        return bytes && unpack<Checkpoint>(bytes);
      } catch {
        return undefined;
      }
    },
    save: async (checkpoint) => files.writeAll(path, await pack(checkpoint)),
  };
}

const pack = (value: unknown): Promise<Buffer> => compress(JSON.stringify(value));
const unpack = <T>(bytes: Buffer): T => JSON.parse(zstdDecompressSync(bytes).toString('utf8')) as T;
