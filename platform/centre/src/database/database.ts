/**
 * The centre's database as its users see it: parameterised SQL, transactions, and a plain answer when the server is
 * away, from the first moment on: it need not be there when the centre starts. Nothing waits in a queue for a database
 * that is gone: calls fail at once and say so, a probe with back-off finds it again, and whoever reads the log
 * (historian, alarms) goes on where it stood. A server that has frozen counts as gone: when a call takes long, another
 * connection asks for a sign of life, and without one all calls are broken off.
 */
import { describeError, EnerchainError } from '@enerchain/model';
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
  /** Why it is not available; one sentence without its full stop. */
  readonly reason: string | undefined;
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
  readonly patience?: Patience;
}

/** When a server is taken to be frozen; milliseconds. */
export interface Patience {
  /** A call that takes longer makes us ask for a sign of life. */
  readonly call: number;
  /** For a connection, and for the sign of life. */
  readonly answer: number;
}
const PATIENCE: Patience = { call: 1_000, answer: 3_000 };

/** int8 as bigint: times in nanoseconds do not fit a double. */
const types: pg.CustomTypesConfig = {
  getTypeParser: ((oid: number, format?: 'text' | 'binary') => {
    if (oid === pg.types.builtins.INT8 && format !== 'binary') return BigInt;
    return format === 'binary' ? pg.types.getTypeParser(oid, 'binary') : pg.types.getTypeParser(oid, 'text');
  }) as pg.CustomTypesConfig['getTypeParser'],
};

/**
 * Opens the database: starts the embedded server when no URL is given, and brings the schema up to date. A server that
 * cannot be started or reached is no failure: the database is then away, and looked for.
 * @throws EnerchainError `centre.database.migration…` when the schema is not ours or cannot be brought up to date
 */
export async function openDatabase(options: DatabaseOptions): Promise<Database> {
  const database = new PooledDatabase(options);
  await database.open();
  return database;
}

/** Longest that closing waits for statements under way. */
const CLOSE_MILLIS = 5_000;
/** A server that cannot be started is tried again after this time; each try costs some processes. */
const START_AGAIN_MILLIS = 10_000;

class PooledDatabase implements Database {
  readonly counters: DatabaseCounters = { succeeded: 0, failed: 0, away: 0, losses: 0 };
  readonly where: string;
  /** The server, once it has been started. */
  embedded: EmbeddedPostgres | undefined;
  readonly #options: DatabaseOptions;
  readonly #logger: Logger;
  readonly #probe: { readonly first: number; readonly longest: number };
  readonly #patience: Patience;
  readonly #listeners = new Set<(available: boolean) => void>();
  /** Exists from the first time on that the schema was found in order. */
  #pool: pg.Pool | undefined;
  /** Connections that carry out a call, with the moment it began. */
  readonly #underWay = new Map<pg.PoolClient, number>();
  #reason: string | undefined = 'it has not been opened yet';
  #closed = false;
  #timer: NodeJS.Timeout | undefined;
  #watch: NodeJS.Timeout | undefined;
  #attempt: Promise<void> | undefined;
  #askingForLife = false;

  constructor(options: DatabaseOptions) {
    this.#options = options;
    this.where = describe(options.databaseUrl);
    this.#logger = options.logger;
    this.#probe = options.probe ?? { first: 250, longest: 5_000 };
    this.#patience = options.patience ?? PATIENCE;
  }

  get available(): boolean {
    return this.#reason === undefined;
  }

  get reason(): string | undefined {
    return this.#reason;
  }

  /** The first attempt. */
  async open(): Promise<void> {
    try {
      await this.#openOnce();
    } catch (error) {
      if (error instanceof EnerchainError && error.code.startsWith('centre.database.migration')) {
        await this.close();
        throw error;
      }
      this.#unreachable(error);
      this.#logger.error({ err: error }, `the database (${this.where}) is away: ${this.#reason}; looking for it`);
      this.#look(this.#probe.first);
    }
  }

  async query<Row extends object = Record<string, unknown>>(
    sql: string,
    values?: readonly unknown[],
  ): Promise<{ readonly rows: Row[] }> {
    return this.#guarded((client) => client.query<Row>(sql, values as unknown[] | undefined));
  }

  async transaction<T>(work: (tx: Queryable) => Promise<T>): Promise<T> {
    return this.#guarded(async (client) => {
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
        if (!isConnectionLoss(error)) await client.query('ROLLBACK');
        throw error;
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
      if (this.available) return resolve();
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
    const ended = this.#pool?.end().catch(() => {});
    await Promise.race([ended, new Promise((resolve) => setTimeout(resolve, CLOSE_MILLIS).unref())]);
    clearInterval(this.#watch);
    await this.#attempt;
    await this.embedded?.stop();
  }

  /** Starts the server where that is ours to do, and sees to the schema. */
  async #openOnce(): Promise<void> {
    const { databaseUrl } = this.#options;
    if (!databaseUrl) this.embedded ??= await EmbeddedPostgres.start(this.#options);
    const ran = await this.#ask((client) => migrate(client, readMigrations(this.#options.migrations)));
    if (ran.length > 0) this.#logger.info({ migrations: ran }, 'database schema brought up to date');
    if (this.#closed) return;
    this.#pool ??= this.#newPool();
    this.#set(undefined);
  }

  #config(): pg.ClientConfig {
    const { databaseUrl } = this.#options;
    return {
      ...(databaseUrl ? { connectionString: databaseUrl } : this.embedded!.connection),
      types,
      application_name: 'enerchain',
      connectionTimeoutMillis: this.#patience.answer,
      statement_timeout: 20_000,
      query_timeout: 25_000,
      keepAlive: true,
    };
  }

  #newPool(): pg.Pool {
    const pool = new pg.Pool({
      ...this.#config(),
      options: '-c search_path=enerchain',
      max: 10,
      idleTimeoutMillis: 60_000,
      allowExitOnIdle: true,
    });
    pool.on('error', (error) => this.#lost(error)); // an idle connection broke
    return pool;
  }

  /** Asks over a connection of its own, which shows as well that connections can be made. */
  async #ask<T>(question: (client: pg.Client) => Promise<T>, timeout?: number): Promise<T> {
    const client = new pg.Client({ ...this.#config(), ...(timeout === undefined ? {} : { query_timeout: timeout }) });
    client.on('error', () => {}); // its queries reject as well
    try {
      await client.connect();
      return await question(client);
    } finally {
      await Promise.race([client.end(), new Promise((resolve) => setTimeout(resolve, 1_000).unref())]);
    }
  }

  async #guarded<T>(work: (client: pg.PoolClient) => Promise<T>): Promise<T> {
    if (!this.available || this.#closed || !this.#pool) {
      this.counters.away++;
      throw this.#away();
    }
    try {
      const client = await this.#pool.connect();
      const result = await this.#with(client, work);
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

  async #with<T>(client: pg.PoolClient, work: (client: pg.PoolClient) => Promise<T>): Promise<T> {
    let broken = false;
    const onError = () => {
      broken = true;
    };
    client.on('error', onError);
    this.#underWay.set(client, performance.now());
    this.#watch ??= setInterval(() => void this.#lookForLife(), this.#patience.call / 2).unref();
    try {
      return await work(client);
    } catch (error) {
      broken ||= isConnectionLoss(error);
      throw error;
    } finally {
      this.#underWay.delete(client);
      client.off('error', onError);
      client.release(broken);
    }
  }

  /** While a call takes long: is the server slow, or frozen? */
  async #lookForLife(): Promise<void> {
    const oldest = Math.min(...this.#underWay.values());
    if (this.#underWay.size === 0) {
      clearInterval(this.#watch);
      this.#watch = undefined;
    }
    if (this.#askingForLife || !this.available || performance.now() - oldest < this.#patience.call) return;
    this.#askingForLife = true;
    try {
      await this.#ask((client) => client.query('SELECT 1'), this.#patience.answer);
    } catch (error) {
      this.#lost(error);
      // Ended by force, so that their calls reject, and so that nothing which was given up is carried out later: the
      // server rolls back what it finds without a client when it wakes.
      for (const client of this.#underWay.keys()) void (client as unknown as pg.Client).end().catch(() => {});
    } finally {
      this.#askingForLife = false;
    }
  }

  #away(cause?: unknown): EnerchainError {
    const text = this.#closed ? 'was closed' : 'is away; the call was not carried out, or its outcome is unknown';
    return new EnerchainError('environment', 'centre.database.away', `the database (${this.where}) ${text}`, { cause });
  }

  #lost(error: unknown): void {
    if (this.#closed || !this.available) return;
    this.counters.losses++;
    this.#logger.warn({ err: error }, `the database (${this.where}) is away; looking for it`);
    this.#unreachable(error);
    this.#look(this.#probe.first);
  }

  #look(delay: number): void {
    this.#timer = setTimeout(() => {
      this.#attempt = this.#lookNow(delay);
    }, delay);
    this.#timer.unref();
  }

  async #lookNow(delay: number): Promise<void> {
    try {
      if (this.#pool) await this.#ask((client) => client.query('SELECT 1'), this.#patience.answer);
      else await this.#openOnce();
    } catch (error) {
      this.#unreachable(error);
      const starting = !this.#options.databaseUrl && !this.embedded;
      const next = starting ? START_AGAIN_MILLIS : Math.min(delay * 2, this.#probe.longest);
      if (!this.#closed) this.#look(next);
      return;
    }
    if (this.#closed) return;
    this.#logger.info(`the database (${this.where}) is back`);
    this.#set(undefined);
  }

  #unreachable(error: unknown): void {
    // Several addresses that were tried in vain make an error without a message.
    const first = error instanceof AggregateError && !error.message ? error.errors[0] : error;
    this.#set(describeError(first));
  }

  #set(reason: string | undefined): void {
    const was = this.available;
    this.#reason = reason;
    if (was === this.available) return;
    for (const listener of this.#listeners) listener(this.available);
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
