import { etherTypeOf } from './frame.ts';
import type { Filter, LinkCounters, Receive } from './link-layer.ts';

interface Listener {
  readonly receive: Receive;
  readonly filter: Filter;
  readonly wants: (frame: Uint8Array) => boolean;
}

/** What every link has inside: who listens, how much came and went, and its one end. */
export class Receivers {
  #listeners: readonly Listener[] = [];
  readonly #closed = Promise.withResolvers<void>();
  #open = true;
  received = 0;
  sent = 0;
  lost = 0;

  readonly #changed: () => void;

  /** @param changed is called when somebody has begun or stopped to listen */
  constructor(changed: () => void = () => {}) {
    this.#changed = changed;
    // Who never looks at `closed` is not to be killed by its rejection.
    this.#closed.promise.catch(() => {});
  }

  get open(): boolean {
    return this.#open;
  }

  get closed(): Promise<void> {
    return this.#closed.promise;
  }

  /** A snapshot, so that two looks can be compared. */
  get counters(): LinkCounters {
    return { received: this.received, sent: this.sent, lost: this.lost };
  }

  /** One per listener. */
  get filters(): readonly Filter[] {
    return this.#listeners.map(({ filter }) => filter);
  }

  /** @returns stops listening */
  add(receive: Receive, filter: Filter = {}): () => void {
    const listener: Listener = { receive, filter, wants: matcher(filter) };
    this.#listeners = [...this.#listeners, listener];
    this.#changed();
    return () => {
      if (!this.#listeners.includes(listener)) return;
      this.#listeners = this.#listeners.filter((other) => other !== listener);
      this.#changed();
    };
  }

  deliver(frame: Uint8Array, at: bigint): void {
    if (!this.#open) return;
    this.received++;
    // The list is replaced, never changed: one that stops listening during the call disturbs nobody.
    for (const { receive, wants } of this.#listeners) if (wants(frame)) receive(frame, at);
  }

  /** The first end counts. */
  end(error?: Error): void {
    if (!this.#open) return;
    this.#open = false;
    this.#listeners = [];
    if (error) this.#closed.reject(error);
    else this.#closed.resolve();
  }
}

/** A filter as a function: no allocation per frame. */
export function matcher({ etherTypes = [], destinations = [] }: Filter): (frame: Uint8Array) => boolean {
  if (etherTypes.length === 0 && destinations.length === 0) return () => true;
  const types = new Set(etherTypes);
  const addresses = new Set(destinations.map((address) => addressKey(address)));
  return (frame) =>
    (types.size === 0 || types.has(etherTypeOf(frame))) && (addresses.size === 0 || addresses.has(addressKey(frame)));
}

/** The first six octets as a number. */
function addressKey(octets: Uint8Array): number {
  if (octets.length < 6) return -1;
  const high = (octets[0]! << 8) | octets[1]!;
  return high * 2 ** 32 + (((octets[2]! << 24) | (octets[3]! << 16) | (octets[4]! << 8) | octets[5]!) >>> 0);
}
