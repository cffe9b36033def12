/** Authenticators and the lists of them in PostgreSQL. */
import type { ListApproval } from '@enerchain/model';
import type { Queryable } from '../database/database.ts';

/** Times are milliseconds since the Unix epoch. */
export interface Authenticator {
  /** Credential identifier, base64url. */
  readonly id: string;
  readonly user: string;
  readonly label: string;
  /** SubjectPublicKeyInfo (DER), base64url. */
  readonly publicKey: string;
  readonly rpId: string;
  readonly signCount: number;
  readonly createdAt: number;
  readonly usedAt: number | undefined;
}

/** One version of the list, never changed. */
export interface StoredList {
  readonly version: number;
  /** Deterministic CBOR of the `OperatorKeyList`. */
  readonly payload: Uint8Array;
  /** Of a key on the version before; undefined for the first. */
  readonly approval: ListApproval | undefined;
  readonly createdBy: string;
  readonly createdAt: number;
}

export interface AuthenticatorStore {
  load(): Promise<{ authenticators: Authenticator[]; lists: StoredList[] }>;
  save(authenticator: Authenticator): Promise<void>;
  remove(id: string): Promise<void>;
  addList(list: StoredList): Promise<void>;
  /** Removes authenticators and lists. */
  clear(): Promise<void>;
}

const millis = (value: unknown): number => (value as Date).getTime();

export class SqlAuthenticatorStore implements AuthenticatorStore {
  readonly #sql: Queryable;

  constructor(sql: Queryable) {
    this.#sql = sql;
  }

  async load(): Promise<{ authenticators: Authenticator[]; lists: StoredList[] }> {
    const [authenticators, lists] = await Promise.all([
      this.#sql.query('SELECT * FROM authenticators ORDER BY created_at'),
      this.#sql.query('SELECT * FROM operator_lists ORDER BY version'),
    ]);
    return {
      authenticators: authenticators.rows.map((row) => ({
        id: row.credential_id as string,
        user: row.user_name as string,
        label: row.label as string,
        publicKey: row.public_key as string,
        rpId: row.rp_id as string,
        signCount: Number(row.sign_count),
        createdAt: millis(row.created_at),
        usedAt: row.used_at === null ? undefined : millis(row.used_at),
      })),
      lists: lists.rows.map((row) => ({
        version: row.version as number,
        payload: new Uint8Array(row.payload as Buffer),
        approval: (row.approval as ListApproval | null) ?? undefined,
        createdBy: row.created_by as string,
        createdAt: millis(row.created_at),
      })),
    };
  }

  async save({ id, user, label, publicKey, rpId, signCount, createdAt, usedAt }: Authenticator): Promise<void> {
    await this.#sql.query(
      `INSERT INTO authenticators (credential_id, user_name, label, public_key, rp_id, sign_count, created_at, used_at)
       VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
       ON CONFLICT (credential_id) DO UPDATE SET sign_count = $6, used_at = $8`,
      [
        id,
        user,
        label,
        publicKey,
        rpId,
        signCount,
        new Date(createdAt),
        usedAt === undefined ? null : new Date(usedAt),
      ],
    );
  }

  async remove(id: string): Promise<void> {
    await this.#sql.query('DELETE FROM authenticators WHERE credential_id = $1', [id]);
  }

  async addList({ version, payload, approval, createdBy, createdAt }: StoredList): Promise<void> {
    await this.#sql.query(
      'INSERT INTO operator_lists (version, payload, approval, created_by, created_at) VALUES ($1, $2, $3, $4, $5)',
      [version, Buffer.from(payload), approval ? JSON.stringify(approval) : null, createdBy, new Date(createdAt)],
    );
  }

  async clear(): Promise<void> {
    await this.#sql.query('WITH gone AS (DELETE FROM authenticators) DELETE FROM operator_lists');
  }
}
