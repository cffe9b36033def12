/** Whose message it is: the subscribers of a link by what their messages call themselves. */
import { appIdText } from './supervision.ts';

/** What is not of a control block or stream that is listened to. */
export type LinkEvent =
  | { readonly kind: 'malformed'; readonly text: string }
  /** Nobody expects it, and no more are learned. Told once for each, as far as they can be remembered. */
  | { readonly kind: 'unknown'; readonly id: string; readonly text: string };

export interface ListenerCounters {
  readonly frames: number;
  readonly malformed: number;
  /** Messages of control blocks or streams that nobody listens to. */
  readonly unknown: number;
}

/** What a subscriber expects, as far as it tells two of the same name apart. */
export interface Expected {
  readonly appId?: number | undefined;
}

/** Unknown ones that are remembered so that each is told once. */
const REMEMBERED = 256;
/** Malformed frames that are told of in one second; the others are counted. */
const TOLD_PER_SECOND = 10;

/** The subscribers by what their messages call themselves, found without making a string of it. */
export class Directory<
  S extends { isFor(view: V): boolean; readonly expected: Expected },
  E extends Expected,
  V extends { readonly appId: number },
> {
  /** By name; a second one of the same name has its APPID behind it. */
  readonly subscribers = new Map<string, S>();
  /** By hash of the name. */
  readonly #index = new Map<number, S[]>();
  readonly #what: string;
  readonly #bound: number;
  readonly #make: (expected: E, at: number) => S;
  readonly #tell: ((event: LinkEvent) => void) | undefined;
  readonly #unknown = new Set<string>();
  #learned = 0;
  #second = 0;
  #told = 0;
  frames = 0;
  #malformed = 0;
  #unknownCount = 0;

  /** @param what for messages: GOOSE, SV @param bound how many are learned that nobody expects */
  constructor(what: string, bound: number, make: (expected: E, at: number) => S, tell?: (event: LinkEvent) => void) {
    this.#what = what;
    this.#bound = bound;
    this.#make = make;
    this.#tell = tell;
  }

  get counters(): ListenerCounters {
    return { frames: this.frames, malformed: this.#malformed, unknown: this.#unknownCount };
  }

  add(id: string, expected: E, at: number): S {
    const subscriber = this.#make(expected, at);
    const taken = this.subscribers.has(id) && expected.appId !== undefined;
    this.subscribers.set(taken ? `${id} ${appIdText(expected.appId)}` : id, subscriber);
    const octets = Buffer.from(id, 'latin1');
    const key = hash(octets, 0, octets.length);
    const list = this.#index.get(key);
    if (list) list.push(subscriber);
    else this.#index.set(key, [subscriber]);
    return subscriber;
  }

  /** @param from @param to where the name stands in the frame */
  find(view: V, bytes: Uint8Array, from: number, to: number): S | undefined {
    const list = this.#index.get(hash(bytes, from, to));
    if (!list) return undefined;
    // Names should be unique and are not: svID is often left as a tool has put it in. The APPID tells them apart then.
    let named: S | undefined;
    for (const subscriber of list) {
      if (!subscriber.isFor(view)) continue;
      const { appId } = subscriber.expected;
      if (appId === undefined || appId === view.appId) return subscriber;
      named ??= subscriber;
    }
    return named;
  }

  /** One that was not found. @returns undefined when it is not to be learned */
  learn(id: string, expected: E, at: number): S | undefined {
    if (this.#learned < this.#bound) {
      this.#learned++;
      return this.add(id, expected, at);
    }
    this.#unknownCount++;
    if (this.#unknown.size < REMEMBERED && !this.#unknown.has(id)) {
      this.#unknown.add(id);
      const why = this.#bound > 0 ? `more than the ${this.#bound} that are learned` : 'nobody expects it';
      const last = this.#unknown.size === REMEMBERED ? '; further ones are only counted' : '';
      this.#tell?.({
        kind: 'unknown',
        id,
        text: `${this.#what} ${id}: ${why}; its messages are passed over${last}`,
      });
    }
    return undefined;
  }

  /** Reads something of a frame. @returns whether there is something; what breaks the rules is counted, and told */
  reads(at: number, read: () => boolean): boolean {
    try {
      return read();
    } catch (error) {
      if ((error as { fault?: unknown }).fault !== 'peer') throw error;
      this.#broken((error as Error).message, at);
      return false;
    }
  }

  #broken(text: string, at: number): void {
    this.#malformed++;
    const second = Math.floor(at / 1000);
    if (second !== this.#second) {
      this.#second = second;
      this.#told = 0;
    }
    if (++this.#told <= TOLD_PER_SECOND) this.#tell?.({ kind: 'malformed', text });
  }
}

/** FNV-1a. */
function hash(bytes: Uint8Array, from: number, to: number): number {
  let value = 0x811c9dc5;
  for (let i = from; i < to; i++) value = Math.imul(value ^ bytes[i]!, 0x01000193);
  return value;
}
