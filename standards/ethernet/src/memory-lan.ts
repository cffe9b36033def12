import type { LinkLayer } from './link-layer.ts';
import { Receivers } from './receivers.ts';

/** Frames that wait for one station; more are lost there, as in the queue of a network card. */
const QUEUE_LIMIT = 10_000;

/** Wall clock and timers of the LAN, from outside so that tests move them by hand. */
export interface LanClock {
  /** Nanoseconds since the Unix epoch. */
  now(): bigint;
  /** Calls back once after a delay; the returned function cancels. */
  schedule(delayMillis: number, callback: () => void): () => void;
}

export interface MemoryLanOptions {
  readonly clock?: LanClock;
  /**
   * What becomes of a frame on its way from one station to another: one delay in ms per copy that arrives. `[]` loses it, `[0, 0]`
   * doubles it, `[5]` lets later ones pass. Left out: `[0]` for all.
   */
  readonly carry?: (frame: Uint8Array, from: string, to: string) => readonly number[];
}

export interface MemoryLan {
  /** Joins the LAN. Names need not differ; a station hears all others, not itself. */
  station(name: string): LinkLayer;
}

const systemClock: LanClock = {
  now: () => BigInt(Date.now()) * 1_000_000n,
  schedule(delayMillis, callback) {
    const timer = setTimeout(callback, delayMillis);
    return () => clearTimeout(timer);
  },
};

/** A switch in memory: every frame reaches every other station in the next turn of the loop, in the order it was sent. */
export function memoryLan({ clock = systemClock, carry }: MemoryLanOptions = {}): MemoryLan {
  const stations = new Set<Station>();
  let joined = 0;

  class Station implements LinkLayer {
    readonly name: string;
    /** Locally administered (IEEE 802, 8.4), in the order of joining. */
    readonly address = Uint8Array.of(2, 0, 0, 0, ++joined >> 8, joined);
    readonly #receivers = new Receivers();
    readonly #inbox: { readonly frame: Uint8Array; readonly at: bigint }[] = [];
    readonly #underway = new Set<() => void>();
    #scheduled = false;

    constructor(name: string) {
      this.name = name;
      stations.add(this);
    }

    get counters() {
      return this.#receivers.counters;
    }

    get closed() {
      return this.#receivers.closed;
    }

    listen: LinkLayer['listen'] = (receive, filter) => this.#receivers.add(receive, filter);

    send(frame: Uint8Array): void {
      if (!this.#receivers.open) {
        this.#receivers.lost++;
        return;
      }
      this.#receivers.sent++;
      const copy = Uint8Array.from(frame);
      for (const station of stations) {
        if (station === this) continue;
        for (const delay of carry?.(copy, this.name, station.name) ?? [0]) station.#arrives(copy, delay);
      }
    }

    close(): Promise<void> {
      this.#end();
      return this.closed.catch(() => {});
    }

    #end(error?: Error): void {
      stations.delete(this);
      for (const cancel of this.#underway) cancel();
      this.#underway.clear();
      this.#inbox.length = 0;
      this.#receivers.end(error);
    }

    #arrives(frame: Uint8Array, delay: number): void {
      if (delay <= 0) {
        this.#take(frame);
        return;
      }
      const cancel = clock.schedule(delay, () => {
        this.#underway.delete(cancel);
        this.#take(frame);
      });
      this.#underway.add(cancel);
    }

    #take(frame: Uint8Array): void {
      if (this.#inbox.length >= QUEUE_LIMIT) {
        this.#receivers.lost++;
        return;
      }
      this.#inbox.push({ frame, at: clock.now() });
      if (this.#scheduled) return;
      this.#scheduled = true;
      // No microtask: two stations that answer each other would let nothing else run.
      setImmediate(() => this.#deliver());
    }

    #deliver(): void {
      this.#scheduled = false;
      try {
        // What arrives while this runs waits for its own turn.
        for (const { frame, at } of this.#inbox.splice(0)) this.#receivers.deliver(frame, at);
      } catch (error) {
        this.#end(error as Error);
      }
    }
  }

  return { station: (name) => new Station(name) };
}
