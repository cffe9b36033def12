/** Listening on a link: each message finds the subscriber of its control block, and timers see to those that fall silent. */
import { ETHERTYPE, etherTypeAt, type LinkLayer } from '@enerchain/ethernet';
import type { Clock } from '@enerchain/transport';
import type { GooseControl } from './controls.ts';
import { GooseView } from './message.ts';
import type { ExpectedGoose, GooseEvent, GooseOutcome, GooseSubscriberOptions } from './outcome.ts';
import { GooseSubscriber } from './subscriber.ts';

/** What is not of a control block that is listened to. */
export type GooseLinkEvent =
  | { readonly kind: 'malformed'; readonly text: string }
  /** Nobody expects it, and no more are learned. Told once for each, as far as they can be remembered. */
  | { readonly kind: 'unknown'; readonly gocbRef: string; readonly text: string };

export interface SubscribeGooseOptions extends Omit<GooseSubscriberOptions, 'firstWithin'> {
  /** Control blocks to listen to: from `expectedOf`, or by hand. One that never comes is told. */
  readonly expected?: readonly (ExpectedGoose & { readonly firstWithin?: number })[];
  /** How many others are learned from what comes: 256 when nothing is expected, else none. */
  readonly learn?: number;
  /** frames: time is what the link says of each frame, for captures; there are no timers then. */
  readonly time?: 'clock' | 'frames';
  /** Each outcome with a new state. */
  readonly onState?: (subscriber: GooseSubscriber, outcome: GooseOutcome) => void;
  /** Each message, repetitions and copies as well. `view` is only valid during the call. */
  readonly onMessage?: (subscriber: GooseSubscriber, outcome: GooseOutcome, view: GooseView) => void;
  /** Whatever is not as it should be, with its sentence in `text`. */
  readonly onEvent?: (event: GooseEvent | GooseLinkEvent, subscriber: GooseSubscriber | undefined) => void;
}

export interface GooseListening {
  /** By gocbRef. */
  readonly subscribers: ReadonlyMap<string, GooseSubscriber>;
  readonly counters: GooseLinkCounters;
  /** LPHD.Sim has changed. */
  setSimulation(on: boolean): void;
  /** Looks for what has run out until a moment, for `time: 'frames'`. @param at nanoseconds since the Unix epoch */
  until(at: bigint): void;
  stop(): void;
}

export interface GooseLinkCounters {
  readonly frames: number;
  readonly malformed: number;
  /** Messages of control blocks that nobody listens to. */
  readonly unknown: number;
}

const LEARN = 256;
/** Unknown control blocks that are remembered so that each is told once. */
const REMEMBERED = 256;
/** Malformed frames that are told of in one second; the others are counted. */
const TOLD_PER_SECOND = 10;
/** Heartbeats until a control block that never came is told. */
const FIRST_HEARTBEATS = 2;
const DEFAULT_FIRST = 60_000;

/** What a subscriber of a control block of SCL expects. */
export function expectedOf(control: GooseControl): ExpectedGoose & { readonly firstWithin: number } {
  return {
    gocbRef: control.gocbRef,
    datSet: control.datSet,
    goId: control.goId,
    confRev: control.confRev,
    appId: control.address?.appId,
    destination: control.address?.destination,
    types: control.members?.map(({ type }) => type),
    firstWithin: control.maxTime === undefined ? DEFAULT_FIRST : control.maxTime * FIRST_HEARTBEATS + 1000,
  };
}

/** Listens for GOOSE until it is stopped or the link ends. */
export function subscribeGoose(link: LinkLayer, clock: Clock, options: SubscribeGooseOptions = {}): GooseListening {
  return new Listening(link, clock, options);
}

class Listening implements GooseListening {
  readonly #clock: Clock;
  readonly #options: SubscribeGooseOptions;
  readonly #subscriberOptions: GooseSubscriberOptions;
  readonly #learn: number;
  readonly #byFrames: boolean;
  readonly subscribers = new Map<string, GooseSubscriber>();
  /** By hash of gocbRef. */
  readonly #index = new Map<number, GooseSubscriber[]>();
  readonly #view = new GooseView();
  readonly #unknown = new Set<string>();
  readonly #stopListening: () => void;
  /** Not yet listened to: time begins with the first frame of a capture. */
  #expected: NonNullable<SubscribeGooseOptions['expected']>;
  #learned = 0;
  #simulation: boolean;
  #cancel: (() => void) | undefined;
  #fireAt = Number.POSITIVE_INFINITY;
  #second = 0;
  #told = 0;
  #frames = 0;
  #malformed = 0;
  #unknownCount = 0;

  constructor(link: LinkLayer, clock: Clock, options: SubscribeGooseOptions) {
    const { expected = [], learn = expected.length > 0 ? 0 : LEARN, simulation = false, duplicateWindow } = options;
    this.#clock = clock;
    this.#options = options;
    this.#learn = learn;
    this.#simulation = simulation;
    this.#byFrames = options.time === 'frames';
    this.#subscriberOptions = duplicateWindow === undefined ? {} : { duplicateWindow };
    this.#expected = expected;
    if (!this.#byFrames) this.#begin(clock.monotonic());
    this.#stopListening = link.listen((frame, arrived) => this.#frame(frame, arrived), {
      etherTypes: [ETHERTYPE.goose],
    });
    void link.closed.then(
      () => this.stop(),
      () => this.stop(),
    );
  }

  get counters(): GooseLinkCounters {
    return { frames: this.#frames, malformed: this.#malformed, unknown: this.#unknownCount };
  }

  setSimulation(on: boolean): void {
    this.#simulation = on;
    for (const subscriber of this.subscribers.values()) this.#tell(subscriber, subscriber.setSimulation(on));
  }

  until(at: bigint): void {
    if (this.#byFrames) this.#expire(millis(at));
  }

  stop(): void {
    this.#stopListening();
    this.#cancel?.();
    this.#cancel = undefined;
    this.#fireAt = Number.POSITIVE_INFINITY;
  }

  #begin(at: number): void {
    for (const one of this.#expected) this.#add(one, at, one.firstWithin);
    this.#expected = [];
  }

  #add(expected: ExpectedGoose, at: number, firstWithin: number | undefined): GooseSubscriber {
    const subscriber = new GooseSubscriber(
      expected,
      {
        ...this.#subscriberOptions,
        simulation: this.#simulation,
        ...(firstWithin === undefined ? {} : { firstWithin }),
      },
      at,
    );
    this.subscribers.set(expected.gocbRef, subscriber);
    const reference = Buffer.from(expected.gocbRef, 'latin1');
    const key = hash(reference, 0, reference.length);
    const list = this.#index.get(key);
    if (list) list.push(subscriber);
    else this.#index.set(key, [subscriber]);
    this.#watch(subscriber.deadline);
    return subscriber;
  }

  #frame(frame: Uint8Array, arrived: bigint): void {
    const at = this.#byFrames ? millis(arrived) : this.#clock.monotonic();
    if (this.#byFrames) {
      if (this.#frames === 0) this.#begin(at);
      this.#expire(at);
    }
    this.#frames++;
    const view = this.#view;
    try {
      const typeAt = etherTypeAt(frame);
      view.read(frame, typeAt < 0 ? frame.length : typeAt + 2, frame.length);
    } catch (error) {
      if ((error as { fault?: unknown }).fault !== 'peer') throw error;
      this.#tellMalformed((error as Error).message, at);
      return;
    }
    const subscriber = this.#find(view) ?? this.#learnFrom(view, at);
    if (!subscriber) return;
    const before = subscriber.deadline;
    const outcome = subscriber.receive(view, at);
    const { deadline } = subscriber;
    if (deadline < before) this.#watch(deadline);
    this.#options.onMessage?.(subscriber, outcome, view);
    if (outcome.state || outcome.events.length > 0) this.#tell(subscriber, outcome);
  }

  #find(view: GooseView): GooseSubscriber | undefined {
    const list = this.#index.get(hash(view.bytes, view.gocbRefAt, view.gocbRefEnd));
    if (list) for (const subscriber of list) if (subscriber.isFor(view)) return subscriber;
    return undefined;
  }

  #learnFrom(view: GooseView, at: number): GooseSubscriber | undefined {
    if (this.#learned < this.#learn) {
      this.#learned++;
      return this.#add({ gocbRef: view.gocbRef }, at, undefined);
    }
    this.#unknownCount++;
    const { gocbRef } = view;
    if (this.#unknown.size < REMEMBERED && !this.#unknown.has(gocbRef)) {
      this.#unknown.add(gocbRef);
      const why =
        this.#learn > 0 ? `more than the ${this.#learn} control blocks that are learned` : 'nobody expects it';
      const last = this.#unknown.size === REMEMBERED ? '; further ones are only counted' : '';
      this.#options.onEvent?.(
        { kind: 'unknown', gocbRef, text: `GOOSE ${gocbRef}: ${why}; its messages are passed over${last}` },
        undefined,
      );
    }
    return undefined;
  }

  #tell(subscriber: GooseSubscriber, outcome: GooseOutcome): void {
    const { onState, onEvent } = this.#options;
    if (onEvent) for (const event of outcome.events) onEvent(event, subscriber);
    if (outcome.state) onState?.(subscriber, outcome);
  }

  #tellMalformed(text: string, at: number): void {
    this.#malformed++;
    const second = Math.floor(at / 1000);
    if (second !== this.#second) {
      this.#second = second;
      this.#told = 0;
    }
    if (++this.#told <= TOLD_PER_SECOND) this.#options.onEvent?.({ kind: 'malformed', text }, undefined);
  }

  /** Sees to it that a deadline is looked at. Messages mostly move it further away, which needs nothing: the timer finds out. */
  #watch(deadline: number): void {
    if (this.#byFrames || deadline >= this.#fireAt) return;
    this.#cancel?.();
    this.#fireAt = deadline;
    this.#cancel = this.#clock.schedule(deadline - this.#clock.monotonic(), () => {
      // Frames that have come while this process was busy are heard first.
      this.#cancel = this.#clock.schedule(0, () => {
        this.#cancel = undefined;
        this.#fireAt = Number.POSITIVE_INFINITY;
        this.#expire(this.#clock.monotonic());
      });
    });
  }

  #expire(at: number): void {
    let next = Number.POSITIVE_INFINITY;
    for (const subscriber of this.subscribers.values()) {
      if (subscriber.deadline <= at) this.#tell(subscriber, subscriber.expire(at));
      if (subscriber.deadline < next) next = subscriber.deadline;
    }
    // At least a little later: a timer may fire early.
    if (Number.isFinite(next)) this.#watch(Math.max(next, at + 1));
  }
}

const millis = (nanos: bigint): number => Number(nanos / 1000n) / 1000;

/** FNV-1a. */
function hash(bytes: Uint8Array, from: number, to: number): number {
  let value = 0x811c9dc5;
  for (let i = from; i < to; i++) value = Math.imul(value ^ bytes[i]!, 0x01000193);
  return value;
}
