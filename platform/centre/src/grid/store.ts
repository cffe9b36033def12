/** The grid model in force, and all that were in force before it. */
import { createHash } from 'node:crypto';
import { EnerchainError, GridModel, validator } from '@enerchain/model';
import type { Database } from '../database/database.ts';
import type { LogWriter } from '../ports.ts';
import { checkReferences } from './references.ts';
import { GridVersions, summaryOf } from './versions.ts';

const model = validator(GridModel);

export class GridStore {
  readonly #database: Pick<Database, 'query'>;
  readonly #audit: LogWriter;
  #current: { readonly model: GridModel; readonly digest: string } | undefined;
  /** All that were in force. */
  readonly versions: GridVersions;
  #onChange: (model: GridModel) => void = () => {};
  #loaded = false;
  #writing = Promise.resolve();

  private constructor(database: Pick<Database, 'query'>, audit: LogWriter) {
    this.#database = database;
    this.#audit = audit;
    this.versions = new GridVersions(database);
  }

  /** With the database away it opens too; the model is then unknown until `load` has succeeded. */
  static async open(database: Pick<Database, 'query'>, audit: LogWriter): Promise<GridStore> {
    const store = new GridStore(database, audit);
    await store.load().catch((error: unknown) => {
      if (!(error instanceof EnerchainError) || error.fault !== 'environment') throw error;
    });
    return store;
  }

  /** Reads the model in force, once. @throws EnerchainError `environment` when the database is away */
  async load(): Promise<void> {
    if (this.#loaded) return;
    const { rows } = await this.#database.query('SELECT model, digest FROM grid_models ORDER BY version DESC LIMIT 1');
    if (this.#loaded) return;
    if (rows[0])
      this.#current = { model: JSON.parse(rows[0].model as string) as GridModel, digest: rows[0].digest as string };
    this.#loaded = true;
    if (this.#current) this.#onChange(this.#current.model);
  }

  /** Told the model in force, now if there is one and each time another one is. */
  follow(onChange: (model: GridModel) => void): void {
    this.#onChange = onChange;
    if (this.#current) onChange(this.#current.model);
  }

  /** Whether it is known which model is in force. */
  get loaded(): boolean {
    return this.#loaded;
  }

  /** @throws EnerchainError `grid.unavailable` while it is not known which model is in force */
  current(): GridModel | undefined {
    if (this.#loaded) return this.#current?.model;
    throw new EnerchainError(
      'environment',
      'grid.unavailable',
      'The grid model cannot be read: the database has not been reached since the centre started. Try again when it is back.',
    );
  }

  /**
   * Puts a model in force. The centre counts the versions: the model's own is replaced; the same content again is no
   * new version.
   * @param expected version that the writer has seen; absent: whatever it is
   * @throws EnerchainError `grid.invalid` with the findings, `grid.version` when somebody else was faster
   */
  put(data: unknown, by: string, expected?: number): Promise<{ model: GridModel; changed: boolean }> {
    const done = this.#writing.then(() => this.#put(data, by, expected));
    this.#writing = done.then(
      () => {},
      () => {},
    );
    return done;
  }

  async #put(data: unknown, by: string, expected: number | undefined): Promise<{ model: GridModel; changed: boolean }> {
    const findings = model.findings(data, 20);
    if (findings.length === 0) findings.push(...checkReferences(data as GridModel));
    if (findings.length > 0) {
      const text = findings.slice(0, 5).map(({ path, message }) => `${path || 'the whole'} ${message}`);
      throw new EnerchainError('caller', 'grid.invalid', `The grid model was not taken: ${text.join('; ')}.`);
    }
    const now = this.current()?.version ?? 0;
    if (expected !== undefined && expected !== now)
      throw new EnerchainError(
        'caller',
        'grid.version',
        `The grid model was not taken: it was made from version ${expected}, but version ${now} is in force.`,
      );
    const next: GridModel = { ...(data as GridModel), version: now + 1 };
    const digest = createHash('sha256')
      .update(JSON.stringify({ ...next, version: 0 }))
      .digest('hex');
    if (this.#current?.digest === digest) return { model: this.#current.model, changed: false };
    await this.#database.query(
      'INSERT INTO grid_models (version, at, by, digest, summary, model) VALUES ($1, clock_timestamp(), $2, $3, $4, $5)',
      [next.version, by, digest, JSON.stringify(summaryOf(next)), JSON.stringify(next)],
    );
    this.#current = { model: next, digest };
    this.#onChange(next);
    await this.#audit.append({
      action: 'grid.write',
      actor: by,
      outcome: 'ok',
      subject: next.name,
      detail: { version: next.version, digest },
    });
    return { model: next, changed: true };
  }
}
