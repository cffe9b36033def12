/** Sessions of a token, one operation at a time in each (PKCS#11 § 5.2), and those who wait for one. */
import { PkiError } from '../error.ts';

export class SessionPool<Session> {
  readonly #maxQueued: number;
  #sessions: ReadonlySet<Session> = new Set();
  #free: Session[] = [];
  /** Waiting work, from `#head` on: taking from the front of a long array would copy it each time. */
  #waiting: ((session: Session) => void)[] = [];
  #rejecting: ((error: unknown) => void)[] = [];
  #head = 0;
  #closed: PkiError | undefined;

  /** @param maxQueued how much work may wait for a session */
  constructor(maxQueued: number) {
    this.#maxQueued = maxQueued;
  }

  get queued(): number {
    return this.#waiting.length - this.#head;
  }

  /** Puts other sessions in the place of those there are. Work that runs in an old one ends as it may. */
  replace(sessions: readonly Session[]): void {
    this.#sessions = new Set(sessions);
    this.#free = [];
    for (const session of sessions) this.#release(session);
  }

  /** @throws PkiError `pki.hsm.busy` (fault environment) when too much is waiting, `pki.hsm.closed` */
  async run<T>(work: (session: Session) => T | Promise<T>): Promise<T> {
    const session = this.#free.pop() ?? (await this.#wait());
    try {
      return await work(session);
    } finally {
      this.#release(session);
    }
  }

  /** Rejects what waits, for example because there will be no session. */
  rejectWaiting(error: unknown): void {
    const rejected = this.#rejecting.slice(this.#head);
    this.#waiting = [];
    this.#rejecting = [];
    this.#head = 0;
    for (const reject of rejected) reject(error);
  }

  /** Nothing runs any more, and what waits is rejected. */
  close(error: PkiError): void {
    this.#closed = error;
    this.replace([]);
    this.rejectWaiting(error);
  }

  #wait(): Promise<Session> {
    if (this.#closed) return Promise.reject(this.#closed);
    if (this.queued >= this.#maxQueued) {
      const what = `${this.queued} signatures are waiting for the HSM; this one is refused`;
      return Promise.reject(new PkiError('environment', 'pki.hsm.busy', what));
    }
    return new Promise((resolve, reject) => {
      this.#waiting.push(resolve);
      this.#rejecting.push(reject);
    });
  }

  #release(session: Session): void {
    if (!this.#sessions.has(session)) return;
    const next = this.#waiting[this.#head];
    if (!next) {
      this.#free.push(session);
      return;
    }
    if (++this.#head >= 1024 || this.#head === this.#waiting.length) {
      this.#waiting = this.#waiting.slice(this.#head);
      this.#rejecting = this.#rejecting.slice(this.#head);
      this.#head = 0;
    }
    next(session);
  }
}
