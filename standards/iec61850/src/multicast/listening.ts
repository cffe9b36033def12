/** What listeners for GOOSE and for sampled values have in common: a link, a directory of subscribers, and a watch over those that fall silent. */
import type { LinkLayer } from '@enerchain/ethernet';
import type { Clock } from '@enerchain/transport';
import { Directory, type Expected, type LinkEvent, type ListenerCounters } from './directory.ts';

/** Sees to it that subscribers whose time runs out are told: with one timer, or as the frames of a capture go on. */
export class Watch<S extends { readonly deadline: number; expire(at: number): O }, O> {
  readonly #clock: Clock;
  readonly #subscribers: () => Iterable<S>;
  readonly #tell: (subscriber: S, outcome: O) => void;
  readonly byFrames: boolean;
  #cancel: (() => void) | undefined;
  /** The earliest deadline that is looked at. */
  #fireAt = Number.POSITIVE_INFINITY;
  #stopped = false;

  constructor(
    clock: Clock,
    byFrames: boolean,
    subscribers: () => Iterable<S>,
    tell: (subscriber: S, outcome: O) => void,
  ) {
    this.#clock = clock;
    this.byFrames = byFrames;
    this.#subscribers = subscribers;
    this.#tell = tell;
  }

  /** Milliseconds at which a frame has come. @param arrived nanoseconds since the Unix epoch */
  now(arrived: bigint): number {
    if (!this.byFrames) return this.#clock.monotonic();
    const at = Number(arrived / 1000n) / 1000;
    this.#expire(at);
    return at;
  }

  /** In a capture: time has gone on to this moment. */
  reach(at: bigint): void {
    if (this.byFrames) this.now(at);
  }

  /** A deadline that may be earlier than the others. Messages mostly move theirs away, which needs nothing: the timer finds out. */
  until(deadline: number): void {
    if (deadline >= this.#fireAt || this.#stopped) return;
    this.#fireAt = deadline;
    if (this.byFrames) return;
    this.#cancel?.();
    this.#cancel = this.#clock.schedule(deadline - this.#clock.monotonic(), () => {
      // Frames that have come while this process was busy are heard first.
      this.#cancel = this.#clock.schedule(0, () => {
        this.#cancel = undefined;
        this.#expire(this.#clock.monotonic());
      });
    });
  }

  stop(): void {
    this.#stopped = true;
    this.#cancel?.();
    this.#cancel = undefined;
  }

  #expire(at: number): void {
    if (at < this.#fireAt && this.byFrames) return;
    this.#fireAt = Number.POSITIVE_INFINITY;
    let next = Number.POSITIVE_INFINITY;
    for (const subscriber of this.#subscribers()) {
      if (subscriber.deadline <= at) this.#tell(subscriber, subscriber.expire(at));
      if (subscriber.deadline < next) next = subscriber.deadline;
    }
    // At least a little later: a timer may fire early.
    if (Number.isFinite(next)) this.until(this.byFrames ? next : Math.max(next, at + 1));
  }
}

/** Listening on a link, until it is stopped or the link ends. */
export interface Listening<S> {
  /** By gocbRef or svID; a second one with the same has its APPID behind it: `MU0101 4001`. */
  readonly subscribers: ReadonlyMap<string, S>;
  readonly counters: ListenerCounters;
  /** LPHD.Sim has changed. */
  setSimulation(on: boolean): void;
  /** Looks for what has run out until a moment, for `time: 'frames'`. @param at nanoseconds since the Unix epoch */
  until(at: bigint): void;
  stop(): void;
}

interface Subscriber<O, V> {
  readonly deadline: number;
  readonly expected: Expected;
  isFor(view: V): boolean;
  expire(at: number): O;
  setSimulation(on: boolean): O;
}

/** What is different of GOOSE and of sampled values. */
export interface ListeningParts<
  S extends Subscriber<O, V>,
  O,
  E extends Expected,
  V extends { readonly appId: number },
> {
  /** For messages: GOOSE, SV. */
  readonly what: string;
  readonly etherType: number;
  readonly expected: readonly E[];
  readonly idOf: (expected: E) => string;
  /** How many are learned that nobody expects. */
  readonly learn: number;
  readonly byFrames: boolean;
  readonly simulation: boolean;
  readonly make: (expected: E, at: number, simulation: boolean) => S;
  readonly tell: (subscriber: S, outcome: O) => void;
  readonly onLink: ((event: LinkEvent) => void) | undefined;
  /** A frame of the EtherType. @param at milliseconds of the watch @param arrived nanoseconds since the Unix epoch */
  readonly take: (
    frame: Uint8Array,
    at: number,
    arrived: bigint,
    directory: Directory<S, E, V>,
    watch: Watch<S, O>,
  ) => void;
}

export function listenOn<S extends Subscriber<O, V>, O, E extends Expected, V extends { readonly appId: number }>(
  link: LinkLayer,
  clock: Clock,
  { what, etherType, expected, idOf, learn, byFrames, make, tell, onLink, take, ...parts }: ListeningParts<S, O, E, V>,
): Listening<S> {
  let { simulation } = parts;
  const watch: Watch<S, O> = new Watch(clock, byFrames, () => directory.subscribers.values(), tell);
  const directory = new Directory<S, E, V>(
    what,
    learn,
    (one, at) => {
      const subscriber = make(one, at, simulation);
      watch.until(subscriber.deadline);
      return subscriber;
    },
    onLink,
  );
  // Time begins with the first frame of a capture.
  let waiting = expected;
  const begin = (at: number): void => {
    for (const one of waiting) directory.add(idOf(one), one, at);
    waiting = [];
  };
  if (!byFrames) begin(clock.monotonic());
  const stopListening = link.listen(
    (frame, arrived) => {
      const at = watch.now(arrived);
      if (waiting.length > 0) begin(at);
      directory.frames++;
      take(frame, at, arrived, directory, watch);
    },
    { etherTypes: [etherType] },
  );
  const stop = (): void => {
    stopListening();
    watch.stop();
  };
  void link.closed.then(stop, stop);
  return {
    subscribers: directory.subscribers,
    get counters() {
      return directory.counters;
    },
    setSimulation(on) {
      simulation = on;
      for (const subscriber of directory.subscribers.values()) tell(subscriber, subscriber.setSimulation(on));
    },
    until: (at) => watch.reach(at),
    stop,
  };
}
