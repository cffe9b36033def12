/** What one endpoint hands over on its way into the outbox: repeats marked, gaps kept book of, unknown addresses told. */
import { REPEAT } from '@enerchain/link';
import {
  type Clock,
  type GapRecord,
  type Mrid,
  type SourceEvent,
  toIso,
  type UtcNanos,
  type Value,
} from '@enerchain/model';
import type { Logger } from 'pino';
import type { Intake, Receipt } from './connector.ts';
import type { Outbox } from './outbox/outbox.ts';
import type { OpenGap, StateChange } from './outbox/records.ts';
import { isIdentified, RepeatMemory } from './outbox/repeat-memory.ts';
import type { BoundPoint } from './site/site.ts';

/** Each one grows only. */
export interface IntakeCounters {
  /** Observations handed over. */
  observations: number;
  /** Of these: the device had sent them over an earlier connection. */
  repeats: number;
  /** Objects for addresses that are not bound; their values are not kept. */
  unknown: number;
  /** Values that could not be used. */
  malformed: number;
  /** Times the device said that its own buffer overflowed. */
  overflows: number;
  /** Times the connection was lost. */
  losses: number;
}

/** Different unknown addresses that are remembered and reported, per endpoint. */
const UNKNOWN_LIMIT = 1_000;
/** Addresses named in one report. */
const UNKNOWN_NAMED = 20;
const UNKNOWN_REPORT_DELAY = 1_000;
const MALFORMED_LOGGED = 10;
/** What could not be read is told this long after the first one, and then in this interval, milliseconds. */
const MALFORMED_REPORT_DELAY = 1_000;
const MALFORMED_REPORT_INTERVAL = 60_000;

export interface IntakeOptions {
  readonly endpoint: string;
  readonly outbox: Outbox;
  readonly clock: Clock;
  readonly logger: Logger;
  /** mRID of each slot of the site. */
  readonly points: readonly Mrid[];
  /** Gap that an earlier run left open. */
  readonly openGap?: OpenGap | undefined;
  readonly memory?: RepeatMemory;
  /** The device came or went. */
  readonly onChange?: () => void;
}

export class EndpointIntake implements Intake {
  readonly counters: IntakeCounters = {
    observations: 0,
    repeats: 0,
    unknown: 0,
    malformed: 0,
    overflows: 0,
    losses: 0,
  };
  readonly memory: RepeatMemory;
  readonly #endpoint: string;
  readonly #outbox: Outbox;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #points: readonly Mrid[];
  readonly #onChange: () => void;
  readonly #unknown = new Set<number | string>();
  #openGap: OpenGap | undefined;
  #up = false;
  #last: UtcNanos | undefined;
  /** Up to here the device is known to have lost nothing. */
  #completeUntil: UtcNanos | undefined;
  #unreported: string[] = [];
  #reportTimer: NodeJS.Timeout | undefined;
  #malformedTold = 0;
  #malformedTimer: NodeJS.Timeout | undefined;

  constructor(options: IntakeOptions) {
    this.#endpoint = options.endpoint;
    this.#outbox = options.outbox;
    this.#clock = options.clock;
    this.#logger = options.logger;
    this.#points = options.points;
    this.#onChange = options.onChange ?? (() => {});
    this.#openGap = options.openGap;
    this.#completeUntil = options.openGap?.since;
    this.memory = options.memory ?? new RepeatMemory();
  }

  get turn(): number {
    return this.#outbox.turn;
  }

  /** When the device was last heard. */
  get lastReceived(): UtcNanos | undefined {
    return this.#last;
  }

  add(
    point: BoundPoint,
    value: Value,
    quality: number,
    sourceTime: UtcNanos,
    timeQuality: number,
    receiveTime: UtcNanos,
    cause: number,
  ): void {
    this.#last = receiveTime;
    let code = cause;
    // What is not taken must not be remembered: the device will say it again, and that will be the first time.
    if (isIdentified(timeQuality) && typeof value === 'number' && !this.#outbox.refusing) {
      if (this.memory.see(point.slot, Number(sourceTime), value, cause)) {
        code |= REPEAT;
        this.counters.repeats++;
      }
    }
    if (this.#outbox.add(point.slot, value, quality, sourceTime, timeQuality, receiveTime, code)) {
      this.counters.observations++;
    }
  }

  hold(receipt: Receipt): void {
    this.#outbox.hold(receipt);
  }

  commitSoon(): void {
    this.#outbox.commitSoon();
  }

  connected(): void {
    if (this.#up) return;
    this.#up = true;
    this.memory.newConnection();
    this.#last ??= this.#clock.now();
    this.#completeUntil ??= this.#last;
    this.event('endpointUp');
    this.#onChange();
  }

  synchronized(): void {
    const gap = this.#openGap;
    const now = this.#clock.now();
    if (gap) {
      this.#openGap = undefined;
      const record: GapRecord = {
        reason: gap.reason,
        endpoint: this.#endpoint,
        from: String(gap.since < now ? gap.since : now),
        to: String(now),
        detail: gap.detail,
      };
      this.#logger.warn({ from: toIso(gap.since), to: toIso(now), reason: gap.reason }, 'gap recorded');
      void this.#outbox.writeGap(record, [{ close: this.#endpoint }]);
    }
    this.event('interrogationComplete');
  }

  lost(reason: string): void {
    if (!this.#up) return;
    this.#up = false;
    this.counters.losses++;
    const change = this.#away(reason);
    this.#logger.warn({ reason }, 'endpoint lost');
    this.#onChange();
    void this.#outbox.writeSourceEvents([this.#eventOf('endpointDown', reason)], change);
  }

  /** What to keep on disk when the edge stops in good order: nothing is heard from here on. */
  stopped(): StateChange[] {
    clearTimeout(this.#reportTimer);
    clearTimeout(this.#malformedTimer);
    if (!this.#up) return [{ recent: { endpoint: this.#endpoint, saved: this.memory.save(this.#points) } }];
    this.#up = false;
    return this.#away('the edge was stopped');
  }

  #away(reason: string): StateChange[] {
    const since = this.#outbox.lag.before(this.#last ?? this.#clock.now());
    this.#completeUntil = since;
    this.#openGap ??= { endpoint: this.#endpoint, reason: 'deviceAway', since, detail: reason.slice(0, 1000) };
    return [{ open: this.#openGap }, { recent: { endpoint: this.#endpoint, saved: this.memory.save(this.#points) } }];
  }

  overflowed(at: UtcNanos, detail: string): void {
    this.counters.overflows++;
    const from = this.#completeUntil !== undefined && this.#completeUntil < at ? this.#completeUntil : at;
    this.#completeUntil = at;
    this.#logger.warn({ detail }, 'the device reports that its event buffer overflowed');
    void this.#outbox.writeGap({
      reason: 'deviceOverflow',
      endpoint: this.#endpoint,
      from: String(from),
      to: String(at),
      detail: detail.slice(0, 1000),
    });
  }

  unknown(key: number | string, address: () => string): void {
    this.counters.unknown++;
    if (this.#unknown.has(key) || this.#unknown.size >= UNKNOWN_LIMIT) return;
    this.#unknown.add(key);
    this.#unreported.push(address());
    // One report for all that an interrogation brings, not one for each.
    this.#reportTimer ??= setTimeout(() => this.#reportUnknown(), UNKNOWN_REPORT_DELAY);
  }

  #reportUnknown(): void {
    this.#reportTimer = undefined;
    const addresses = this.#unreported;
    this.#unreported = [];
    const named = addresses.slice(0, UNKNOWN_NAMED).join(', ');
    const more = addresses.length > UNKNOWN_NAMED ? ` and ${addresses.length - UNKNOWN_NAMED} more` : '';
    const detail = `the device sends ${addresses.length} addresses that are not bound; their values are not kept: ${named}${more}`;
    this.#logger.warn({ addresses: addresses.length }, detail.slice(0, 1000));
    this.event('configuration', detail, 'edge.address.unbound');
  }

  malformed(detail: string): void {
    this.counters.malformed++;
    if (this.counters.malformed <= MALFORMED_LOGGED || this.counters.malformed % 1000 === 0) {
      this.#logger.warn({ detail, count: this.counters.malformed }, 'a value could not be used');
    }
    // The device believes that its values have arrived, so the centre must hear that they have not.
    const delay = this.#malformedTold === 0 ? MALFORMED_REPORT_DELAY : MALFORMED_REPORT_INTERVAL;
    this.#malformedTimer ??= setTimeout(() => this.#reportMalformed(detail), delay);
  }

  #reportMalformed(example: string): void {
    this.#malformedTimer = undefined;
    const count = this.counters.malformed - this.#malformedTold;
    this.#malformedTold = this.counters.malformed;
    this.event(
      'configuration',
      `${count} times the device sent what cannot be read; lost: ${example}`,
      'edge.value.malformed',
    );
  }

  event(kind: SourceEvent['kind'], detail?: string, code?: string): void {
    void this.#outbox.writeSourceEvents([this.#eventOf(kind, detail, code)]);
  }

  #eventOf(kind: SourceEvent['kind'], detail?: string, code?: string): SourceEvent {
    return {
      kind,
      at: String(this.#clock.now()),
      endpoint: this.#endpoint,
      ...(code === undefined ? {} : { code: code.slice(0, 100) }),
      ...(detail === undefined ? {} : { detail: detail.slice(0, 1000) }),
    };
  }
}
