/** Why an execute or a deactivate found nothing to act on. */
export type SelectFailure =
  | 'not selected'
  | 'selected by another connection'
  | 'select timed out'
  | 'differs from the select';

export type SelectResult = { readonly ok: true } | { readonly ok: false; readonly reason: SelectFailure };

interface Selection<C> {
  readonly connection: C;
  readonly typeId: number;
  /** The command as selected (value and qualifier); the execute has to be the same command. */
  readonly fingerprint: string;
  readonly expiresAt: number;
}

export interface SelectBookOptions {
  /** How long a select stands, in ms of the monotonic clock. */
  readonly timeout: number;
  /** Most selections that stand at once; a select beyond it is refused. */
  readonly limit: number;
}

const OK: SelectResult = { ok: true };

/**
 * Select-before-operate of a controlled station (IEC 60870-5-101, 6.8 and 7.2.6.26: S/E bit), without clock or I/O: `at` is
 * milliseconds of a monotonic clock. A selection belongs to the connection that made it and to one information object. It
 * ends with its execute, its deactivation, its timeout, or its connection.
 */
export class SelectBook<C> {
  readonly #options: SelectBookOptions;
  /** Keyed by `commonAddress * 2^24 + informationObjectAddress`. */
  readonly #selections = new Map<number, Selection<C>>();

  constructor(options: SelectBookOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#selections.size;
  }

  /** A repeated select by the same connection starts the timeout anew; one by another connection is refused. */
  select(connection: C, key: number, typeId: number, fingerprint: string, at: number): SelectResult {
    const standing = this.#selections.get(key);
    if (standing !== undefined && standing.expiresAt > at && standing.connection !== connection) {
      return { ok: false, reason: 'selected by another connection' };
    }
    if (standing === undefined && this.#selections.size >= this.#options.limit) {
      this.expire(at);
      if (this.#selections.size >= this.#options.limit) return { ok: false, reason: 'selected by another connection' };
    }
    this.#selections.set(key, { connection, typeId, fingerprint, expiresAt: at + this.#options.timeout });
    return OK;
  }

  /** Consumes the selection, whatever the answer, when it is this connection's own: a wrong execute needs a new select. */
  execute(connection: C, key: number, typeId: number, fingerprint: string, at: number): SelectResult {
    const standing = this.#selections.get(key);
    if (standing === undefined) return { ok: false, reason: 'not selected' };
    if (standing.expiresAt <= at) {
      this.#selections.delete(key);
      return { ok: false, reason: 'select timed out' };
    }
    if (standing.connection !== connection) return { ok: false, reason: 'selected by another connection' };
    this.#selections.delete(key);
    if (standing.typeId !== typeId || standing.fingerprint !== fingerprint) {
      return { ok: false, reason: 'differs from the select' };
    }
    return OK;
  }

  deactivate(connection: C, key: number, at: number): SelectResult {
    const standing = this.#selections.get(key);
    if (standing === undefined) return { ok: false, reason: 'not selected' };
    if (standing.expiresAt <= at) {
      this.#selections.delete(key);
      return { ok: false, reason: 'select timed out' };
    }
    if (standing.connection !== connection) return { ok: false, reason: 'selected by another connection' };
    this.#selections.delete(key);
    return OK;
  }

  /** Forgets what a connection had selected; called when it ends or stops. */
  release(connection: C): void {
    for (const [key, selection] of this.#selections)
      if (selection.connection === connection) this.#selections.delete(key);
  }

  /** Forgets what has timed out; returns how many. */
  expire(at: number): number {
    let expired = 0;
    for (const [key, selection] of this.#selections) {
      if (selection.expiresAt > at) continue;
      this.#selections.delete(key);
      expired++;
    }
    return expired;
  }
}
