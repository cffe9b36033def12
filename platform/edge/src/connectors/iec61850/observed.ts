/**
 * What is known of the data objects of a device, whoever brought it: reports, polling, GOOSE. One point has one value; what
 * came before by a faster way is not told again.
 *
 * Of two ways that bring the same change the one that is first wins. What a way brought first is kept for a moment; the
 * other way's word for it is recognised by value, quality and the device's own time (where one of the two has no time of
 * its own: by a time that lies near) and dropped. What the faster way has left out is told when the slower one brings it.
 */
import type { Data, UtcTime } from '@enerchain/mms';
import {
  QUALITY,
  type Quality,
  TIME_GOOD,
  TIME_QUALITY,
  type TimeQuality,
  type UtcNanos,
  type Value,
  validity,
} from '@enerchain/model';
import type { BoundPoint } from '../../site/site.ts';
import { type News, pointValueOf, qualityOf, REQUESTED, SPONTANEOUS, timeOf } from './mapping.ts';

export type Way = 'report' | 'poll' | 'goose';

/** Hands an observation over; see `Intake.add`. */
export type Emit = (
  bound: BoundPoint,
  value: Value,
  quality: Quality,
  sourceTime: UtcNanos,
  timeQuality: TimeQuality,
  receiveTime: UtcNanos,
  cause: number,
) => void;

/** Changes of one value that one way brought and another may still bring. */
const PENDING = 16;
/** Times of one change by two ways lie at most this far apart, ns, where they are not the same time stamp. */
const NEAR = 2_000_000_000n;
const NO_TIME = TIME_GOOD | TIME_QUALITY.receiveTime;

interface Told {
  readonly value: Value;
  readonly quality: Quality;
  readonly time: UtcNanos;
  /** Whether the time is that of the value itself. */
  readonly own: boolean;
  /** Whether it was told as a change. */
  readonly change: boolean;
}

interface Change extends Told {
  readonly way: Way;
}

export interface ObservedValue {
  readonly bound: BoundPoint;
  readonly attribute: string;
  readonly deadband: number;
  /** The last that is known. */
  data: Data | undefined;
  /** The last that was handed over, and when (monotonic, ms). */
  told: Told | undefined;
  toldAt: number;
  /** Told as old or as not there; the next reading ends it. */
  stale: boolean;
  readonly changes: Change[];
}

/** A data object: its values share quality and time. */
export interface ObservedObject {
  readonly reference: string;
  readonly values: Map<string, ObservedValue>;
  q: Quality | undefined;
  /** Whether more than one way brings it, so that the same change may come twice. */
  shared: boolean;
}

export interface ObservedOptions {
  readonly emit: Emit;
  /** A time stamp that the device made. */
  readonly stamped: (time: UtcNanos, quality: TimeQuality) => void;
  /** A value that no point can hold. */
  readonly malformed: (text: string) => void;
  /** Monotonic, ms. */
  readonly monotonic: () => number;
  /** A value that is polled and does not change is told again after this long, ms. */
  readonly refresh: number;
}

export class Observed {
  readonly objects = new Map<string, ObservedObject>();
  readonly counters = { values: 0, duplicates: 0, unchanged: 0, stale: 0 };
  readonly #options: ObservedOptions;

  constructor(options: ObservedOptions) {
    this.#options = options;
  }

  add(bound: BoundPoint, object: string, attribute: string, deadband: number): void {
    let there = this.objects.get(object);
    if (!there) {
      there = { reference: object, values: new Map(), q: undefined, shared: false };
      this.objects.set(object, there);
    }
    there.values.set(attribute, {
      bound,
      attribute,
      deadband,
      data: undefined,
      told: undefined,
      toldAt: 0,
      stale: false,
      changes: [],
    });
  }

  /**
   * What one message says of an object.
   * @param at stands in for the time where the message has none of its own: of the report, of the change of state; else the
   *   receive time does
   */
  take(
    way: Way,
    object: string,
    news: News,
    receiveTime: UtcNanos,
    at?: { readonly time: UtcNanos; readonly quality: TimeQuality },
  ): void {
    const observed = this.objects.get(object);
    if (!observed) return;
    if (news.q) observed.q = qualityOf(news.q);
    for (const [attribute, data] of news.values) {
      const value = observed.values.get(attribute);
      if (value) value.data = data;
    }
    // Quality alone is news of every value of the object.
    const concerned = news.values.size > 0 ? news.values.keys() : observed.values.keys();
    for (const attribute of concerned) {
      const value = observed.values.get(attribute);
      if (value?.data) this.#observe(way, observed, value, news, receiveTime, at);
    }
  }

  #observe(
    way: Way,
    { reference, q, shared }: ObservedObject,
    of: ObservedValue,
    news: News,
    receiveTime: UtcNanos,
    at: { readonly time: UtcNanos; readonly quality: TimeQuality } | undefined,
  ): void {
    const raw = pointValueOf(of.data!);
    if (raw === undefined) {
      this.#options.malformed(`${reference}.${of.attribute} is ${of.data!.kind}, which no point holds`);
      return;
    }
    const stamp: { readonly time: UtcNanos; readonly quality: TimeQuality } | undefined =
      news.t && timeOf(news.t as UtcTime);
    const { time, quality: timeQuality } = stamp ?? at ?? { time: receiveTime, quality: NO_TIME };
    const told: Told = {
      value: raw,
      quality: q ?? QUALITY.good,
      time,
      own: stamp !== undefined,
      change: news.cause === SPONTANEOUS,
    };
    if (stamp) this.#options.stamped(time, timeQuality);
    const monotonic = this.#options.monotonic();
    if (way === 'poll' && !of.stale && !this.#isNews(of, told, monotonic, shared)) {
      this.counters.unchanged++;
      return;
    }
    if (way === 'report' && sameChange(told, of.told)) {
      this.counters.duplicates++;
      return;
    }
    if (shared && !of.stale && this.#cameBefore(way, of, told, news.cause)) {
      this.counters.duplicates++;
      return;
    }
    of.told = told;
    of.toldAt = monotonic;
    of.stale = false;
    this.counters.values++;
    const { bound } = of;
    const value = typeof raw === 'number' ? raw * bound.k + bound.d : raw;
    this.#options.emit(bound, value, told.quality, time, timeQuality, receiveTime, news.cause);
  }

  /** Whether what was read is to be told: it differs by more than the deadband, or it was not told for long. */
  #isNews({ told, toldAt, deadband, bound }: ObservedValue, now: Told, monotonic: number, shared: boolean): boolean {
    // An answer that was under way while a frame said what is newer.
    if (shared && told?.own && now.own && now.time < told.time) return false;
    if (!told || told.quality !== now.quality || monotonic - toldAt >= this.#options.refresh) return true;
    if (typeof now.value === 'number' && typeof told.value === 'number' && bound.point.kind === 'analog')
      return Math.abs(now.value - told.value) > deadband;
    // A state that came and went between two readings left its time.
    return now.value !== told.value || (now.own && told.own && now.time !== told.time);
  }

  #cameBefore(way: Way, of: ObservedValue, now: Told, cause: number): boolean {
    // What is asked for is an answer of its own, and no change.
    if (way === 'report' && cause !== SPONTANEOUS) return false;
    const { changes } = of;
    const found = changes.findIndex(
      (change) =>
        change.way !== way &&
        change.value === now.value &&
        change.quality === now.quality &&
        (change.own && now.own ? change.time === now.time : near(change.time, now.time)),
    );
    if (found >= 0) {
      changes.splice(found, 1);
      return true;
    }
    if (way === 'goose' && of.told && of.told.value === now.value && of.told.quality === now.quality) {
      // A frame says all its members again when one has changed; the first one after a start says what is known.
      if (!now.own || !of.told.own || of.told.time >= now.time) return true;
    }
    if (changes.length >= PENDING) changes.shift();
    changes.push({ ...now, way });
    return false;
  }

  /** Says that a value is no longer known to be true: once, until it is read again. @param gone it is not there at all */
  outdate(object: string, receiveTime: UtcNanos, gone: boolean): void {
    for (const of of this.objects.get(object)?.values.values() ?? []) {
      if (of.stale) continue;
      of.stale = true;
      this.counters.stale++;
      const { told, bound } = of;
      if (gone || !told) {
        this.#options.emit(bound, null, QUALITY.invalid, receiveTime, NO_TIME, receiveTime, REQUESTED);
        continue;
      }
      const quality = validity(told.quality) === 'invalid' ? told.quality : told.quality | QUALITY.questionable;
      const value = typeof told.value === 'number' ? told.value * bound.k + bound.d : told.value;
      this.#options.emit(bound, value, quality | QUALITY.oldData, receiveTime, NO_TIME, receiveTime, REQUESTED);
    }
  }
}

/** Some devices report one change twice, as a change and as an update (dchg and dupd). */
const sameChange = (now: Told, before: Told | undefined): boolean =>
  before !== undefined &&
  now.change &&
  before.change &&
  now.value === before.value &&
  now.quality === before.quality &&
  now.time === before.time;

const near = (a: UtcNanos, b: UtcNanos): boolean => (a > b ? a - b : b - a) <= NEAR;
