/**
 * Migrations: numbered SQL files in `migrations/`, each run once in a transaction of its own and remembered by name
 * and hash. A file that was changed after it ran is refused, since nobody could say what the database looks like.
 * Files 0xx belong to ingest and historian, 1xx to accounts, alarms, events and commands.
 */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { EnerchainError } from '@enerchain/model';
import type pg from 'pg';

export interface Migration {
  readonly name: string;
  readonly sql: string;
  /** SHA-256 of the text, hex. */
  readonly hash: string;
}

export const MIGRATIONS_FOLDER = fileURLToPath(new URL('./migrations', import.meta.url));

/** The migrations of a folder in the order of their numbers. */
export function readMigrations(folder: string = MIGRATIONS_FOLDER): Migration[] {
  return readdirSync(folder)
    .filter((name) => /^\d{3}-[a-z0-9-]+\.sql$/.test(name))
    .sort()
    .map((name) => {
      const sql = readFileSync(join(folder, name), 'utf8');
      return { name, sql, hash: createHash('sha256').update(sql).digest('hex') };
    });
}

/** Any number that no other program takes: serialises two centres that start on one database. */
const LOCK = 0x656e6572;

/**
 * Runs what has not run yet.
 * @returns names of the migrations that ran now
 * @throws EnerchainError when a migration fails (its transaction is rolled back) or was changed after it ran
 */
export async function migrate(client: pg.Client, migrations: readonly Migration[]): Promise<string[]> {
  await client.query('SELECT pg_advisory_lock($1)', [LOCK]);
  try {
    await client.query('CREATE SCHEMA IF NOT EXISTS enerchain');
    await client.query(
      'CREATE TABLE IF NOT EXISTS enerchain.migration (name text PRIMARY KEY, hash text NOT NULL, at timestamptz NOT NULL DEFAULT now())',
    );
    const { rows } = await client.query<{ name: string; hash: string }>('SELECT name, hash FROM enerchain.migration');
    const ran = new Map(rows.map(({ name, hash }) => [name, hash]));
    const now: string[] = [];
    for (const migration of migrations) {
      const before = ran.get(migration.name);
      if (before === undefined) {
        await runOne(client, migration);
        now.push(migration.name);
      } else if (before !== migration.hash) {
        throw new EnerchainError(
          'caller',
          'centre.database.migration-changed',
          `migration ${migration.name} was changed after it had run on this database; nothing was done. Write a new migration instead`,
        );
      }
    }
    return now;
  } finally {
    await client.query('SELECT pg_advisory_unlock($1)', [LOCK]);
  }
}

async function runOne(client: pg.Client, migration: Migration): Promise<void> {
  await client.query('BEGIN');
  try {
    await client.query(migration.sql);
    await client.query('INSERT INTO enerchain.migration (name, hash) VALUES ($1, $2)', [
      migration.name,
      migration.hash,
    ]);
    await client.query('COMMIT');
  } catch (cause) {
    await client.query('ROLLBACK');
    throw new EnerchainError(
      'local',
      'centre.database.migration',
      `migration ${migration.name} failed and was rolled back; the database is as before`,
      { cause },
    );
  }
}
