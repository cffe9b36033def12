import { Ring } from './ring.ts';

/** What the queue gives up when it is full: the event that arrives, or the oldest one not yet being transmitted. */
export type DiscardPolicy = 'newest' | 'oldest';

/** One stay of the queue at its bound. `lost` grows while it lasts. */
export interface QueueOverflow {
  /** Events lost in this episode so far. */
  readonly lost: number;
  /** Events lost since the queue was made. */
  readonly lostTotal: number;
  readonly capacity: number;
  readonly discard: DiscardPolicy;
}

/** Counters of one queue; all but the two gauges only ever grow. */
export interface EventQueueCounters {
  /** Events accepted. */
  readonly accepted: number;
  /** Events the peer has acknowledged by N(R). */
  readonly acknowledged: number;
  /** Events given up because the queue was full. */
  readonly lost: number;
  /** Episodes of overflow. */
  readonly overflows: number;
  /** Events put back after a connection ended before they were acknowledged; each of them may reach the peer twice. */
  readonly rewound: number;
  /** Gauge: events waiting for transmission. */
  readonly waiting: number;
  /** Gauge: events transmitted and not yet acknowledged. */
  readonly inFlight: number;
}

export interface QueueEntry<T> {
  readonly event: T;
  /** Marks are the in-band signs of an overflow; they are acknowledged like events and counted by nobody. */
  readonly mark: boolean;
  /** Transmitted before on a connection that ended without acknowledging it. */
  repeated: boolean;
}

export interface EventQueueOptions<T> {
  /** Most events kept, transmitted and waiting together; at least 1. */
  readonly capacity: number;
  /** Default 'newest': what was accepted is kept, `offer` says no to what does not fit. */
  readonly discard?: DiscardPolicy;
  /** The in-band sign, e.g. a M_SP_NA_1: made once with `true` where events begin to be missing and once with `false` where they end. */
  readonly mark?: (overflowed: boolean) => T;
  /** Called at the first loss of an episode. */
  readonly onOverflow?: (overflow: QueueOverflow) => void;
  /** Called when the episode is over and the queue accepts again. */
  readonly onRecovered?: (overflow: QueueOverflow) => void;
}

/**
 * The event queue of one redundancy group (IEC 60870-5-104, clause 10): a bounded first-in-first-out of what the controlled
 * station has to say. An event leaves it only when N(R) has acknowledged the I-frame that carried it. When a connection
 * ends, what was in flight goes back to the front in the old order, so the next connection begins with the oldest
 * unacknowledged event; the events of that window, and no others, may arrive twice.
 *
 * Nothing is lost silently. `offer` answers false, the callbacks name the episode, the counters add up
 * (accepted = acknowledged + waiting + inFlight, plus what discard 'oldest' gave up), and with `mark` the peer sees a pair
 * of events, on and off, in exactly the place of the missing ones.
 */
export class EventQueue<T> {
  readonly #options: EventQueueOptions<T>;
  readonly #capacity: number;
  readonly #discard: DiscardPolicy;
  /** An overflow ends when no more than this is held. With 'newest' a tenth must be free: a pair of marks encloses many losses, not each one. */
  readonly #resumeAt: number;
  readonly #waiting = new Ring<QueueEntry<T>>();
  readonly #inFlight = new Ring<QueueEntry<T>>();
  #events = 0;
  #eventsInFlight = 0;
  #accepted = 0;
  #acknowledged = 0;
  #lost = 0;
  #overflows = 0;
  #rewound = 0;
  #episode = 0;

  constructor(options: EventQueueOptions<T>) {
    if (!Number.isInteger(options.capacity) || options.capacity < 1) {
      throw new RangeError(`Event queue: capacity ${options.capacity} is not a whole number of at least 1`);
    }
    this.#options = options;
    this.#capacity = options.capacity;
    this.#discard = options.discard ?? 'newest';
    this.#resumeAt =
      this.#discard === 'oldest'
        ? options.capacity - 1
        : options.capacity - Math.max(1, Math.floor(options.capacity / 10));
  }

  /** Events held, transmitted ones included, marks not. */
  get size(): number {
    return this.#events;
  }

  get capacity(): number {
    return this.#capacity;
  }

  /** True while an overflow lasts: with discard 'newest' nothing is accepted until a tenth of the queue is free. */
  get overflowed(): boolean {
    return this.#episode > 0;
  }

  /** Entries (marks included) ready for transmission. */
  get ready(): number {
    return this.#waiting.length;
  }

  get counters(): EventQueueCounters {
    return {
      accepted: this.#accepted,
      acknowledged: this.#acknowledged,
      lost: this.#lost,
      overflows: this.#overflows,
      rewound: this.#rewound,
      waiting: this.#events - this.#eventsInFlight,
      inFlight: this.#eventsInFlight,
    };
  }

  /** Puts an event at the end. False: this event was not kept (and that has been counted and reported). */
  offer(event: T): boolean {
    if (this.#discard === 'newest' && this.#episode > 0) {
      this.#lose();
      return false;
    }
    if (this.#events >= this.#capacity) {
      if (this.#discard === 'newest') {
        this.#append(this.#options.mark?.(true), true);
        this.#lose();
        return false;
      }
      const dropped = this.#dropOldest();
      this.#lose();
      // Every event held is in flight: the arriving one is the oldest that is not.
      if (!dropped) return false;
    }
    this.#append(event, false);
    this.#events++;
    this.#accepted++;
    return true;
  }

  /** The next entry to transmit; it stays in the queue, in flight, until it is acknowledged. */
  take(): QueueEntry<T> | undefined {
    const entry = this.#waiting.shift();
    if (entry === undefined) return undefined;
    this.#inFlight.push(entry);
    if (!entry.mark) this.#eventsInFlight++;
    return entry;
  }

  /** Removes the `count` oldest entries in flight and returns their events without the marks. */
  acknowledge(count: number): T[] {
    const events: T[] = [];
    for (let i = 0; i < count; i++) {
      const entry = this.#inFlight.shift();
      if (entry === undefined) break;
      if (entry.mark) continue;
      events.push(entry.event);
    }
    this.#events -= events.length;
    this.#eventsInFlight -= events.length;
    this.#acknowledged += events.length;
    if (this.#episode > 0 && this.#events <= this.#resumeAt) this.#recover();
    return events;
  }

  /** The connection ended: what was in flight goes back to the front, oldest first. */
  rewind(): void {
    this.#rewound += this.#eventsInFlight;
    this.#eventsInFlight = 0;
    for (let entry = this.#inFlight.pop(); entry !== undefined; entry = this.#inFlight.pop()) {
      entry.repeated = true;
      this.#waiting.unshift(entry);
    }
  }

  #append(event: T | undefined, mark: boolean): void {
    if (event !== undefined) this.#waiting.push({ event, mark, repeated: false });
  }

  #lose(): void {
    this.#lost++;
    this.#episode++;
    if (this.#episode === 1) {
      this.#overflows++;
      this.#options.onOverflow?.(this.#overflow());
    }
  }

  #recover(): void {
    const overflow = this.#overflow();
    this.#episode = 0;
    if (this.#discard === 'newest') this.#append(this.#options.mark?.(false), true);
    this.#options.onRecovered?.(overflow);
  }

  #overflow(): QueueOverflow {
    return { lost: this.#episode, lostTotal: this.#lost, capacity: this.#capacity, discard: this.#discard };
  }

  /** Gives up the oldest waiting event and leaves one pair of marks in its place; earlier marks at the front merge into it. */
  #dropOldest(): boolean {
    while (this.#waiting.peek()?.mark) this.#waiting.shift();
    const dropped = this.#waiting.shift();
    const mark = this.#options.mark;
    if (mark !== undefined) {
      this.#waiting.unshift({ event: mark(false), mark: true, repeated: false });
      this.#waiting.unshift({ event: mark(true), mark: true, repeated: false });
    }
    if (dropped === undefined) return false;
    this.#events--;
    return true;
  }
}
