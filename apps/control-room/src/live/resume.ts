/**
 * Where the stream stands, so that after a break no event and no alarm is missing and none comes twice.
 * Ids read `<instance>:<sequence>`; another instance, or a sequence that the centre no longer keeps, means: fetch anew.
 */
import type { Hello } from '../api/types.ts';

export type Resumption = 'continue' | 'refetch';

export class ResumeCursor {
  #instance: string | undefined;
  #sequence = -1;

  /** For the `Last-Event-ID` header; `undefined` before the first greeting. */
  get lastEventId(): string | undefined {
    return this.#instance === undefined ? undefined : `${this.#instance}:${this.#sequence}`;
  }

  /**
   * The centre greets: `first` is the oldest sequence it can still replay, `next` the one that comes next.
   * A first greeting also means fetch, since what happened before is not in the stream.
   */
  greet(hello: Pick<Hello, 'instance' | 'first' | 'next'>): Resumption {
    const same = this.#instance === hello.instance;
    const covered = same && this.#sequence + 1 >= hello.first && this.#sequence < hello.next;
    if (covered) return 'continue';
    this.restart(hello.instance, hello.next - 1);
    return 'refetch';
  }

  /** From here on only what comes after `sequence` is new. */
  restart(instance: string, sequence: number): void {
    this.#instance = instance;
    this.#sequence = sequence;
  }

  /** @returns false when this message was already seen. Messages without a usable id always count as new. */
  accept(id: string | undefined): boolean {
    if (id === undefined) return true;
    const colon = id.lastIndexOf(':');
    const sequence = Number(id.slice(colon + 1));
    const instance = id.slice(0, Math.max(0, colon));
    if (colon < 1 || !Number.isSafeInteger(sequence)) return true;
    if (instance === this.#instance && sequence <= this.#sequence) return false;
    this.restart(instance, sequence);
    return true;
  }
}
