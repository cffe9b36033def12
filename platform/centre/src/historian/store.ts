/** The table of segments. All statements of the historian stand here. */
import type { Mrid, UtcNanos } from '@enerchain/model';
import type { Database, Queryable } from '../database/database.ts';
import type { Summary } from './samples.ts';

/** A segment as it is written. */
export interface SegmentRow extends Summary {
  readonly point: Mrid;
  readonly firstOffset: number;
  /** Every sample of the point up to this record is in a segment. */
  readonly lastOffset: number;
  readonly lane: number;
  readonly data: Buffer;
}

/** A segment without its data. */
export interface SegmentHead extends Summary {
  readonly log: string;
  readonly firstOffset: number;
  readonly lane: number;
}

/** More heads than this are not looked at in one query: at 600 samples each, sixty million samples. */
const MOST_HEADS = 100_000;
const DATA_AT_ONCE = 256;

const HEAD = 'log, first_offset, lane, t0, t1, samples, believed, repeats, min, max, sum, last, quality';

interface HeadRow {
  log: string;
  first_offset: bigint;
  lane: number;
  t0: bigint;
  t1: bigint;
  samples: number;
  believed: number;
  repeats: number;
  min: number | null;
  max: number | null;
  sum: number | null;
  last: number | null;
  quality: number;
}

const headOf = ({ first_offset, ...row }: HeadRow): SegmentHead => ({ ...row, firstOffset: Number(first_offset) });

export class SegmentStore {
  readonly #database: Database;
  /** UUID of the log as PostgreSQL writes it. */
  readonly #log: string;

  constructor(database: Database, logId: string) {
    this.#database = database;
    this.#log = logId.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
  }

  get log(): string {
    return this.#log;
  }

  /** Where replay starts, and up to which record each point is written beyond that. */
  async position(): Promise<{ replayFrom: number; written: Map<Mrid, number> }> {
    const found = await this.#database.query<{ replay_from: bigint }>(
      'SELECT replay_from FROM historian_position WHERE log = $1',
      [this.#log],
    );
    const replayFrom = Number(found.rows[0]?.replay_from ?? 0);
    const { rows } = await this.#database.query<{ point: string; last: bigint }>(
      'SELECT point, max(last_offset) AS last FROM segment WHERE log = $1 AND last_offset >= $2 GROUP BY point',
      [this.#log, replayFrom],
    );
    return { replayFrom, written: new Map(rows.map(({ point, last }) => [point, Number(last)])) };
  }

  /**
   * Writes segments and the position together; durable when it resolves, since RAM forgets them then. Writing the same
   * again changes nothing.
   */
  async write(rows: readonly SegmentRow[], replayFrom: number): Promise<void> {
    await this.#database.transaction(async (tx) => {
      if (rows.length > 0) await this.#insert(tx, rows);
      await tx.query(
        `INSERT INTO historian_position (log, replay_from) VALUES ($1, $2)
         ON CONFLICT (log) DO UPDATE SET replay_from = excluded.replay_from`,
        [this.#log, replayFrom],
      );
    });
  }

  /** Keeps what was written under another id, since the log gives its offsets from `next` on once more. */
  async setAside(next: number): Promise<void> {
    await this.#database.transaction(async (tx) => {
      const { rows } = await tx.query<{ id: string }>('SELECT gen_random_uuid() AS id');
      await tx.query('UPDATE segment SET log = $1 WHERE log = $2', [rows[0]!.id, this.#log]);
      await tx.query('UPDATE historian_position SET replay_from = $1 WHERE log = $2', [next, this.#log]);
    });
  }

  async #insert(tx: Queryable, rows: readonly SegmentRow[]): Promise<void> {
    const column = <K extends keyof SegmentRow>(key: K) => rows.map((row) => row[key]);
    await tx.query(
      `INSERT INTO segment (point, log, first_offset, last_offset, lane, t0, t1, samples, believed, repeats,
                            min, max, sum, last, quality, data)
       SELECT point, $1::uuid, first_offset, last_offset, lane, t0, t1, samples, believed, repeats,
              min, max, sum, last, quality, data
       FROM unnest($2::uuid[], $3::int8[], $4::int8[], $5::int2[], $6::int8[], $7::int8[], $8::int4[], $9::int4[],
                   $10::int4[], $11::float8[], $12::float8[], $13::float8[], $14::float8[], $15::int4[], $16::bytea[])
         AS t(point, first_offset, last_offset, lane, t0, t1, samples, believed, repeats, min, max, sum, last, quality, data)
       ON CONFLICT (point, log, first_offset, lane) DO UPDATE SET
         last_offset = excluded.last_offset, t0 = excluded.t0, t1 = excluded.t1, samples = excluded.samples,
         believed = excluded.believed, repeats = excluded.repeats, min = excluded.min, max = excluded.max,
         sum = excluded.sum, last = excluded.last, quality = excluded.quality, data = excluded.data
       WHERE segment.last_offset <= excluded.last_offset`,
      [
        this.#log,
        column('point'),
        column('firstOffset'),
        column('lastOffset'),
        column('lane'),
        column('t0'),
        column('t1'),
        column('samples'),
        column('believed'),
        column('repeats'),
        column('min'),
        column('max'),
        column('sum'),
        column('last'),
        column('quality'),
        column('data'),
      ],
    );
  }

  /** Heads of the segments that touch `from` ≤ t < `to`, ascending by t0. */
  async heads(point: Mrid, from: UtcNanos, to: UtcNanos): Promise<SegmentHead[]> {
    const { rows } = await this.#database.query<HeadRow>(
      `SELECT ${HEAD} FROM segment WHERE point = $1 AND t1 >= $2 AND t0 < $3 ORDER BY t0, first_offset, lane LIMIT ${MOST_HEADS}`,
      [point, from, to],
    );
    return rows.map(headOf);
  }

  /** Heads of the segments in which the last sample at or before `at` can be. */
  async headsBefore(point: Mrid, at: UtcNanos): Promise<SegmentHead[]> {
    const { rows } = await this.#database.query<HeadRow>(
      `(SELECT ${HEAD} FROM segment WHERE point = $1 AND t1 <= $2 ORDER BY t1 DESC, t0 DESC, first_offset DESC LIMIT 4)
       UNION ALL
       (SELECT ${HEAD} FROM segment WHERE point = $1 AND t1 > $2 AND t0 <= $2 LIMIT 1000)`,
      [point, at],
    );
    return rows.map(headOf);
  }

  /** The packed data of segments, in the order of `heads`. */
  async data(point: Mrid, heads: readonly SegmentHead[]): Promise<Buffer[]> {
    const data: Buffer[] = [];
    for (let i = 0; i < heads.length; i += DATA_AT_ONCE) {
      const some = heads.slice(i, i + DATA_AT_ONCE);
      const { rows } = await this.#database.query<{ data: Buffer }>(
        `SELECT s.data FROM unnest($2::uuid[], $3::int8[], $4::int2[]) WITH ORDINALITY AS w(log, first_offset, lane, n)
         JOIN segment s ON s.point = $1 AND s.log = w.log AND s.first_offset = w.first_offset AND s.lane = w.lane
         ORDER BY w.n`,
        [point, some.map(({ log }) => log), some.map(({ firstOffset }) => firstOffset), some.map(({ lane }) => lane)],
      );
      data.push(...rows.map((row) => row.data));
    }
    return data;
  }
}
