/** Users, sessions and API tokens in PostgreSQL. Secrets are stored as SHA-256 of 256 random bits, passwords as scrypt. */
import type { Queryable } from '../database/database.ts';
import type { Role } from './rights.ts';

/** Times are milliseconds since the Unix epoch. */
export interface User {
  readonly name: string;
  readonly passwordHash: string;
  readonly roles: readonly Role[];
  readonly createdAt: number;
  readonly disabled: boolean;
}

export interface Session {
  /** SHA-256 (hex) of the cookie. */
  readonly hash: string;
  readonly user: string;
  readonly createdAt: number;
  /** Slides with use. */
  readonly idleUntil: number;
  readonly expiresAt: number;
}

export interface ApiToken {
  readonly id: string;
  readonly name: string;
  readonly hash: string;
  readonly roles: readonly Role[];
  readonly createdBy: string;
  readonly createdAt: number;
  readonly expiresAt: number;
}

export interface AccountStore {
  load(): Promise<{ users: User[]; sessions: Session[]; tokens: ApiToken[] }>;
  saveUser(user: User): Promise<void>;
  deleteUser(name: string): Promise<void>;
  saveSession(session: Session): Promise<void>;
  deleteSessions(hashes: readonly string[]): Promise<void>;
  saveToken(token: ApiToken): Promise<void>;
  deleteToken(id: string): Promise<void>;
}

const millis = (value: unknown): number => (value as Date).getTime();

export class SqlAccountStore implements AccountStore {
  readonly #sql: Queryable;

  constructor(sql: Queryable) {
    this.#sql = sql;
  }

  async load(): Promise<{ users: User[]; sessions: Session[]; tokens: ApiToken[] }> {
    await this.#sql.query('DELETE FROM sessions WHERE expires_at < now() OR idle_until < now()');
    const [users, sessions, tokens] = await Promise.all([
      this.#sql.query('SELECT * FROM users'),
      this.#sql.query('SELECT * FROM sessions'),
      this.#sql.query('SELECT * FROM api_tokens'),
    ]);
    return {
      users: users.rows.map((row) => ({
        name: row.name as string,
        passwordHash: row.password_hash as string,
        roles: row.roles as Role[],
        createdAt: millis(row.created_at),
        disabled: row.disabled as boolean,
      })),
      sessions: sessions.rows.map((row) => ({
        hash: row.hash as string,
        user: row.user_name as string,
        createdAt: millis(row.created_at),
        idleUntil: millis(row.idle_until),
        expiresAt: millis(row.expires_at),
      })),
      tokens: tokens.rows.map((row) => ({
        id: row.id as string,
        name: row.name as string,
        hash: row.hash as string,
        roles: row.roles as Role[],
        createdBy: row.created_by as string,
        createdAt: millis(row.created_at),
        expiresAt: millis(row.expires_at),
      })),
    };
  }

  async saveUser({ name, passwordHash, roles, createdAt, disabled }: User): Promise<void> {
    await this.#sql.query(
      `INSERT INTO users (name, password_hash, roles, created_at, disabled) VALUES ($1, $2, $3, $4, $5)
       ON CONFLICT (name) DO UPDATE SET password_hash = $2, roles = $3, disabled = $5`,
      [name, passwordHash, roles, new Date(createdAt), disabled],
    );
  }

  async deleteUser(name: string): Promise<void> {
    await this.#sql.query('DELETE FROM users WHERE name = $1', [name]);
  }

  async saveSession({ hash, user, createdAt, idleUntil, expiresAt }: Session): Promise<void> {
    await this.#sql.query(
      `INSERT INTO sessions (hash, user_name, created_at, idle_until, expires_at) VALUES ($1, $2, $3, $4, $5)
       ON CONFLICT (hash) DO UPDATE SET idle_until = $4`,
      [hash, user, new Date(createdAt), new Date(idleUntil), new Date(expiresAt)],
    );
  }

  async deleteSessions(hashes: readonly string[]): Promise<void> {
    if (hashes.length > 0) await this.#sql.query('DELETE FROM sessions WHERE hash = ANY($1)', [hashes]);
  }

  async saveToken({ id, name, hash, roles, createdBy, createdAt, expiresAt }: ApiToken): Promise<void> {
    await this.#sql.query(
      `INSERT INTO api_tokens (id, name, hash, roles, created_by, created_at, expires_at)
       VALUES ($1, $2, $3, $4, $5, $6, $7)`,
      [id, name, hash, roles, createdBy, new Date(createdAt), new Date(expiresAt)],
    );
  }

  async deleteToken(id: string): Promise<void> {
    await this.#sql.query('DELETE FROM api_tokens WHERE id = $1', [id]);
  }
}
