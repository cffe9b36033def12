/** Versions of the grid model: which there are, which one was in force when. */
import { type GridModel, GridModelHeader, toIso, type UtcNanos } from '@enerchain/model';
import Type from 'typebox';
import type { Queryable } from '../database/database.ts';

export const GridVersionJson = Type.Object(
  {
    version: Type.Integer({ minimum: 1 }),
    at: Type.String({ description: 'ISO 8601: in force from then on, until the next version' }),
    by: Type.String({ description: 'who put it in force' }),
    digest: Type.String({ description: 'SHA-256 of the model without its version, hex' }),
    supersedes: Type.Optional(Type.Integer({ description: 'the version in force before it' })),
    name: Type.String(),
    nodes: Type.Integer(),
    equipment: Type.Integer(),
    headers: Type.Array(GridModelHeader, {
      description: 'of the files it came from: created, scenarioTime, supersedes …',
    }),
  },
  { $id: 'GridVersion' },
);
export type GridVersionJson = Type.Static<typeof GridVersionJson>;

/** What the list of versions says of a model. */
export const summaryOf = ({ name, connectivityNodes, equipment, headers }: GridModel) => ({
  name,
  nodes: connectivityNodes.length,
  equipment: equipment.length,
  headers: headers ?? [],
});

/** A model of a large utility has some ten megabytes; those asked for last are kept. */
const KEPT = 3;

/** Reads versions from the database; each is immutable, so what was read once holds. */
export class GridVersions {
  readonly #database: Pick<Queryable, 'query'>;
  readonly #models = new Map<number, GridModel>();

  constructor(database: Pick<Queryable, 'query'>) {
    this.#database = database;
  }

  /** Newest first. @param before only versions below this one */
  async list(limit: number, before?: number): Promise<GridVersionJson[]> {
    const { rows } = await this.#database.query(
      'SELECT version, at, by, digest, summary FROM grid_models WHERE version < $1 ORDER BY version DESC LIMIT $2',
      [before ?? 2 ** 31 - 1, limit],
    );
    return rows.map(versionJson);
  }

  /** The version in force at a time: the newest put in force at or before it. */
  async at(time: UtcNanos): Promise<GridVersionJson | undefined> {
    const { rows } = await this.#database.query(
      // To the millisecond, as versions are told: whoever asks for the time of a version gets that version.
      `SELECT version, at, by, digest, summary FROM grid_models
       WHERE date_trunc('milliseconds', at) <= $1 ORDER BY version DESC LIMIT 1`,
      [toIso(time)],
    );
    return rows[0] && versionJson(rows[0]);
  }

  async model(version: number): Promise<GridModel | undefined> {
    const known = this.#models.get(version);
    if (known) return known;
    const { rows } = await this.#database.query('SELECT model FROM grid_models WHERE version = $1', [version]);
    if (!rows[0]) return undefined;
    const model = JSON.parse(rows[0].model as string) as GridModel;
    this.#models.set(version, model);
    for (const first of this.#models.keys()) {
      if (this.#models.size <= KEPT) break;
      this.#models.delete(first);
    }
    return model;
  }
}

function versionJson(row: Record<string, unknown>): GridVersionJson {
  const version = row.version as number;
  const summary = JSON.parse(row.summary as string) as ReturnType<typeof summaryOf>;
  return {
    version,
    at: new Date(row.at as string | Date).toISOString(),
    by: row.by as string,
    digest: row.digest as string,
    ...(version > 1 ? { supersedes: version - 1 } : {}),
    ...summary,
  };
}
