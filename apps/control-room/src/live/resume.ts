/**
 * Where the stream stands, so that after a break no event and no alarm is missing and none comes twice. Ids read
 * `<instance>:<number>`. A greeting that carries an id gives a new place to resume from: what happened before it was not
 * sent and has to be fetched. A greeting without one goes on where this cursor stands.
 */
import type { Hello } from '../api/types.ts';

export type Resumption = 'continue' | 'refetch';

export class ResumeCursor {
  #instance: string | undefined;
  #number: number | undefined;

  /** For the `Last-Event-ID` header; `undefined` before anything gave a place to resume from. */
  get lastEventId(): string | undefined {
    return this.#number === undefined ? undefined : `${this.#instance}:${this.#number}`;
  }

  greet(hello: Pick<Hello, 'instance'>, id: string | undefined): Resumption {
    if (this.restart(id)) return 'refetch';
    if (this.#number !== undefined && this.#instance === hello.instance) return 'continue';
    this.#instance = hello.instance;
    this.#number = undefined;
    return 'refetch';
  }

  /** From here on only what comes after `id` is new. @returns false when it is no id */
  restart(id: string | undefined): boolean {
    const parsed = parse(id);
    if (!parsed) return false;
    [this.#instance, this.#number] = parsed;
    return true;
  }

  /** @returns false when this message was already seen. Messages without a usable id always count as new. */
  accept(id: string | undefined): boolean {
    const parsed = parse(id);
    if (!parsed) return true;
    const [instance, number] = parsed;
    if (instance === this.#instance && this.#number !== undefined && number <= this.#number) return false;
    [this.#instance, this.#number] = parsed;
    return true;
  }
}

function parse(id: string | undefined): [instance: string, number: number] | undefined {
  const colon = id?.lastIndexOf(':') ?? -1;
  if (id === undefined || colon < 1 || colon === id.length - 1) return undefined;
  const number = Number(id.slice(colon + 1));
  return Number.isSafeInteger(number) ? [id.slice(0, colon), number] : undefined;
}
