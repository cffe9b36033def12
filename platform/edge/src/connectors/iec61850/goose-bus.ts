/**
 * GOOSE links of this process, each opened once however many devices are heard on it: every frame is read once, and finds
 * the device whose control block it is of.
 */
import type { LinkLayer } from '@enerchain/ethernet';
import {
  expectedOf,
  type GooseControl,
  type GooseEvent,
  type GooseLinkEvent,
  type GooseListening,
  type GooseOutcome,
  type GooseSubscriber,
  subscribeGoose,
} from '@enerchain/iec61850';
import { describeError } from '@enerchain/model';
import { type Clock, systemClock } from '@enerchain/transport';

/** Who listens to some control blocks. */
export interface GooseListener {
  readonly controls: readonly GooseControl[];
  readonly onState: (subscriber: GooseSubscriber, outcome: GooseOutcome) => void;
  /** Each frame, also a repetition. */
  readonly onMessage: (subscriber: GooseSubscriber, monotonic: number) => void;
  readonly onEvent: (event: GooseEvent, subscriber: GooseSubscriber) => void;
  /** The link is there, or is gone: why. */
  readonly onLink: (name: string, trouble?: string) => void;
}

/** Milliseconds until a link that failed is opened again. */
const REOPEN = 10_000;

export class GooseBus {
  readonly name: string;
  readonly #open: () => LinkLayer;
  readonly #clock: Clock;
  /** Frames of a capture carry the time; there are no timers for them. */
  readonly #time: 'clock' | 'frames';
  readonly #listeners = new Set<GooseListener>();
  readonly #byReference = new Map<string, GooseListener[]>();
  #link: LinkLayer | undefined;
  #listening: GooseListening | undefined;
  #cancel: (() => void) | undefined;
  #counted = { frames: 0, malformed: 0, unknown: 0 };

  constructor(name: string, open: () => LinkLayer, clock: Clock = systemClock, time: 'clock' | 'frames' = 'clock') {
    this.name = name;
    this.#open = open;
    this.#clock = clock;
    this.#time = time;
  }

  get empty(): boolean {
    return this.#listeners.size === 0;
  }

  /** Frames that came, those that are no GOOSE, and those of control blocks that nobody listens to; of the whole link. */
  get counters(): { readonly frames: number; readonly malformed: number; readonly unknown: number } {
    const { frames = 0, malformed = 0, unknown = 0 } = this.#listening?.counters ?? {};
    const before = this.#counted;
    return {
      frames: before.frames + frames,
      malformed: before.malformed + malformed,
      unknown: before.unknown + unknown,
    };
  }

  subscriber(gocbRef: string): GooseSubscriber | undefined {
    return this.#listening?.subscribers.get(gocbRef);
  }

  /** @returns leaves */
  join(listener: GooseListener): () => void {
    this.#listeners.add(listener);
    for (const { gocbRef } of listener.controls) {
      const list = this.#byReference.get(gocbRef);
      if (list) list.push(listener);
      else this.#byReference.set(gocbRef, [listener]);
    }
    this.#later(0);
    return () => {
      this.#listeners.delete(listener);
      for (const { gocbRef } of listener.controls) {
        const rest = (this.#byReference.get(gocbRef) ?? []).filter((other) => other !== listener);
        if (rest.length > 0) this.#byReference.set(gocbRef, rest);
        else this.#byReference.delete(gocbRef);
      }
      if (this.empty) void this.#close();
    };
  }

  /** Devices come one after the other at the start: what they listen to is taken together. */
  #later(milliseconds: number): void {
    this.#cancel ??= this.#clock.schedule(milliseconds, () => {
      this.#cancel = undefined;
      this.#begin();
    });
  }

  #begin(): void {
    if (this.empty) return;
    this.#stopListening();
    try {
      this.#link ??= this.#opened();
    } catch (error) {
      this.#failed(error);
      return;
    }
    const expected = [
      ...new Map([...this.#listeners].flatMap(({ controls }) => controls.map((one) => [one.gocbRef, one]))).values(),
    ];
    this.#listening = subscribeGoose(this.#link, this.#clock, {
      expected: expected.filter(({ address }) => address !== undefined).map(expectedOf),
      learn: 0,
      time: this.#time,
      onState: (subscriber, outcome) => this.#each(subscriber, (listener) => listener.onState(subscriber, outcome)),
      onMessage: (subscriber) => {
        const at = this.#clock.monotonic();
        this.#each(subscriber, (listener) => listener.onMessage(subscriber, at));
      },
      onEvent: (event: GooseEvent | GooseLinkEvent, subscriber) => {
        if (subscriber) this.#each(subscriber, (listener) => listener.onEvent(event as GooseEvent, subscriber));
      },
    });
    for (const { onLink } of this.#listeners) onLink(this.#link.name);
  }

  #opened(): LinkLayer {
    const link = this.#open();
    const gone = (trouble: string): void => {
      if (link !== this.#link) return;
      this.#stopListening();
      this.#link = undefined;
      for (const { onLink } of this.#listeners) onLink(this.name, trouble);
      // A capture has an end; an interface comes back.
      if (this.#time === 'clock') this.#later(REOPEN);
    };
    link.closed.then(
      () => gone('the link has ended'),
      (error) => gone(describeError(error)),
    );
    return link;
  }

  #failed(error: unknown): void {
    for (const { onLink } of this.#listeners) onLink(this.name, describeError(error));
    this.#later(REOPEN);
  }

  #each({ gocbRef }: GooseSubscriber, tell: (listener: GooseListener) => void): void {
    for (const listener of this.#byReference.get(gocbRef) ?? []) tell(listener);
  }

  #stopListening(): void {
    if (!this.#listening) return;
    this.#counted = this.counters;
    this.#listening.stop();
    this.#listening = undefined;
  }

  async #close(): Promise<void> {
    this.#cancel?.();
    this.#cancel = undefined;
    this.#stopListening();
    const link = this.#link;
    this.#link = undefined;
    await link?.close();
  }
}
