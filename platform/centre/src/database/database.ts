/**
 * The centre's database as its users see it: parameterised SQL, transactions, and a plain answer when the server is
 * away. Nothing waits in a queue for a database that is gone: calls fail at once and say so, a probe with back-off
 * finds it again, and whoever reads the log (historian, alarms) goes on where it stood.
 */
import { EnerchainError } from '@enerchain/model';
import pg from 'pg';
import type { Logger } from 'pino';
import { EmbeddedPostgres } from './embedded.ts';
import { migrate, readMigrations } from './migrate.ts';
import type { PlacementOptions } from './placement.ts';

/**
 * Something SQL can be sent to. Values go in as `$1`, `$2` …, never into the text. int8 columns come back as bigint,
 * bytea as Buffer, timestamptz as Date, numeric as text.
 */
export interface Queryable {
  query<Row extends object = Record<string, unknown>>(
    sql: string,
    values?: readonly unknown[],
  ): Promise<{ readonly rows: Row[] }>;
}

export interface Database extends Queryable {
  /** False from the first call that could not reach the server until a probe has succeeded. */
  readonly available: boolean;
  /** `embedded`, or host and database of the external server (never its password). */
  readonly where: string;
  readonly counters: Readonly<DatabaseCounters>;
  /**
   * Runs `work` in one transaction: committed when it resolves, rolled back when it throws. Never repeated by itself:
   * when the connection is lost during COMMIT, the caller cannot know the outcome and must look.
   */
  transaction<T>(work: (tx: Queryable) => Promise<T>): Promise<T>;
  /** Called with every change of `available`. Returns unsubscribe. */
  onChange(listener: (available: boolean) => void): () => void;
  /** Resolves when the database is available, at once when it is. Rejects when `signal` aborts. */
  whenAvailable(signal: AbortSignal): Promise<void>;
  close(): Promise<void>;
}

export interface DatabaseCounters {
  /** Statements and transactions that succeeded. */
  succeeded: number;
  /** Statements and transactions that failed for a reason of their own (constraint, syntax). */
  failed: number;
  /** Calls refused or broken off because the server was away. */
  away: number;
  /** Times the server went away. */
  losses: number;
}

export interface DatabaseOptions extends PlacementOptions {
  readonly dataDir: string;
  /** `postgres://user:password@host:port/database`; absent: the embedded server. */
  readonly databaseUrl?: string;
  readonly logger: Logger;
  /** Folder of migrations; tests bring their own. */
  readonly migrations?: string;
  /** Milliseconds between probes while the server is away. */
  readonly probe?: { readonly first: number; readonly longest: number };
}

/** int8 as bigint: times in nanoseconds do not fit a double. */
const types: pg.CustomTypesConfig = {
  getTypeParser: ((oid: number, format?: 'text' | 'binary') => {
    if (oid === pg.types.builtins.INT8 && format !== 'binary') return BigInt;
    return format === 'binary' ? pg.types.getTypeParser(oid, 'binary') : pg.types.getTypeParser(oid, 'text');
  }) as pg.CustomTypesConfig['getTypeParser'],
};

/**
 * Opens the database: starts the embedded server when no URL is given, and brings the schema up to date.
 * @throws EnerchainError when the server cannot be started or reached, or a migration fails
 */
export async function openDatabase(options: DatabaseOptions): Promise<Database> {
  const { databaseUrl, logger } = options;
  const embedded = databaseUrl ? undefined : await EmbeddedPostgres.start(options);
  const config: pg.PoolConfig = {
    ...(databaseUrl ? { connectionString: databaseUrl } : embedded!.connection),
    types,
    application_name: 'enerchain',
    connectionTimeoutMillis: 5_000,
    statement_timeout: 20_000,
    query_timeout: 25_000,
    keepAlive: true,
  };
  try {
    const client = new pg.Client(config);
    client.on('error', () => {}); // its queries reject as well
    await client.connect();
    try {
      const ran = await migrate(client, readMigrations(options.migrations));
      if (ran.length > 0) logger.info({ migrations: ran }, 'database schema brought up to date');
    } finally {
      await client.end();
    }
  } catch (cause) {
    await embedded?.stop();
    if (cause instanceof EnerchainError) throw cause;
    throw new EnerchainError(
      'environment',
      'centre.database.unreachable',
      `the database ${describe(databaseUrl)} could not be opened; the centre was not started`,
      { cause },
    );
  }
  return new PooledDatabase(config, options, embedded);
}

/** Longest that closing waits for statements under way. */
const CLOSE_MILLIS = 5_000;

class PooledDatabase implements Database {
  readonly counters: DatabaseCounters = { succeeded: 0, failed: 0, away: 0, losses: 0 };
  readonly where: string;
  readonly embedded: EmbeddedPostgres | undefined;
  readonly #pool: pg.Pool;
  readonly #logger: Logger;
  readonly #probe: { readonly first: number; readonly longest: number };
  readonly #listeners = new Set<(available: boolean) => void>();
  #available = true;
  #closed = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(config: pg.PoolConfig, options: DatabaseOptions, embedded: EmbeddedPostgres | undefined) {
    this.embedded = embedded;
    this.where = describe(options.databaseUrl);
    this.#logger = options.logger;
    this.#probe = options.probe ?? { first: 250, longest: 5_000 };
    this.#pool = new pg.Pool({
      ...config,
      options: '-c search_path=enerchain',
      max: 10,
      idleTimeoutMillis: 60_000,
      allowExitOnIdle: true,
    });
    this.#pool.on('error', (error) => this.#lost(error)); // an idle connection broke
  }

  get available(): boolean {
    return this.#available;
  }

  async query<Row extends object = Record<string, unknown>>(
    sql: string,
    values?: readonly unknown[],
  ): Promise<{ readonly rows: Row[] }> {
    return this.#guarded(() => this.#pool.query<Row>(sql, values as unknown[] | undefined));
  }

  async transaction<T>(work: (tx: Queryable) => Promise<T>): Promise<T> {
    return this.#guarded(async () => {
      const client = await this.#pool.connect();
      let broken = false;
      const onError = () => {
        broken = true;
      };
      client.on('error', onError);
      const tx: Queryable = {
        query: <Row extends object>(sql: string, values?: readonly unknown[]) =>
          client.query<Row>(sql, values as unknown[] | undefined),
      };
      try {
        await client.query('BEGIN');
        const result = await work(tx);
        await client.query('COMMIT');
        return result;
      } catch (error) {
        broken ||= isConnectionLoss(error);
        if (!broken) await client.query('ROLLBACK').catch(onError);
        throw error;
      } finally {
        client.off('error', onError);
        client.release(broken);
      }
    });
  }

  onChange(listener: (available: boolean) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  whenAvailable(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason);
      if (this.#available) return resolve();
      const aborted = () => {
        unsubscribe();
        reject(signal.reason);
      };
      const unsubscribe = this.onChange((available) => {
        if (!available) return;
        signal.removeEventListener('abort', aborted);
        unsubscribe();
        resolve();
      });
      signal.addEventListener('abort', aborted, { once: true });
    });
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#timer);
    // A statement that hangs on a server that is gone must not keep us from closing.
    const ended = this.#pool.end().catch(() => {});
    await Promise.race([ended, new Promise((resolve) => setTimeout(resolve, CLOSE_MILLIS).unref())]);
    await this.embedded?.stop();
  }

  async #guarded<T>(work: () => Promise<T>): Promise<T> {
    if (!this.#available || this.#closed) {
      this.counters.away++;
      throw this.#away();
    }
    try {
      const result = await work();
      this.counters.succeeded++;
      return result;
    } catch (error) {
      if (!isConnectionLoss(error)) {
        this.counters.failed++;
        throw error;
      }
      this.counters.away++;
      this.#lost(error);
      throw this.#away(error);
    }
  }

  #away(cause?: unknown): EnerchainError {
    const text = this.#closed ? 'was closed' : 'is away; the call was not carried out, or its outcome is unknown';
    return new EnerchainError('environment', 'centre.database.away', `the database (${this.where}) ${text}`, { cause });
  }

  #lost(error: unknown): void {
    if (this.#closed || !this.#available) return;
    this.counters.losses++;
    this.#logger.warn({ error }, `the database (${this.where}) is away; looking for it`);
    this.#set(false);
    this.#look(this.#probe.first);
  }

  #look(delay: number): void {
    this.#timer = setTimeout(async () => {
      try {
        await this.#pool.query('SELECT 1');
      } catch {
        if (!this.#closed) this.#look(Math.min(delay * 2, this.#probe.longest));
        return;
      }
      if (this.#closed) return;
      this.#logger.info(`the database (${this.where}) is back`);
      this.#set(true);
    }, delay);
    this.#timer.unref();
  }

  #set(available: boolean): void {
    this.#available = available;
    for (const listener of this.#listeners) listener(available);
  }
}

/** SQLSTATE classes and Node codes that mean: the server or the way to it is gone, not: the statement is wrong. */
function isConnectionLoss(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const code = (error as Error & { code?: unknown }).code;
  if (typeof code === 'string') {
    if (/^(08|57P0|53300$|XX000$)/.test(code)) return true;
    if (/^[0-9A-Z]{5}$/.test(code)) return false;
    if (/^E[A-Z]+$/.test(code)) return true;
  }
  return /terminated|timeout|Connection ended|not queryable|Client was closed|Cannot use a pool/i.test(error.message);
}

/** The server without its password. */
function describe(url: string | undefined): string {
  if (!url) return 'embedded';
  try {
    const { hostname, port, pathname } = new URL(url);
    return `${hostname}${port ? `:${port}` : ''}${pathname}`;
  } catch {
    return 'external';
  }
}
