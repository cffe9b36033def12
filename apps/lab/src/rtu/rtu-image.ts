/**
 * The process image of an RTU and what it finds worth telling: changes beyond the dead band with their time, and what
 * is due by cycle. Pure: time and readings come in, events go out.
 */
import type { Family, MonitoredPoint } from './point-list.ts';
import type { Reading } from './readings.ts';

/** Causes of transmission used here (5-101 § 7.2.3). */
export const COT = { periodic: 1, background: 2, spontaneous: 3 } as const;

/** One information object to be sent. */
export interface RtuEvent {
  readonly point: MonitoredPoint;
  readonly value: number;
  readonly quality: number;
  /** 1 periodic, 2 background, 3 spontaneous. Only spontaneous ones carry a time tag and stand in the ledger. */
  readonly cause: number;
  /** Time of the device's clock, ms since the Unix epoch; strictly growing per point. */
  readonly time: number;
}

interface Known {
  reading: Reading;
  /** Value last reported, which the dead band is measured from. */
  reported: number;
  reportedAt: number;
  /** When the next cyclic or periodic report is due, in seconds of a clock that never steps. */
  due: number;
}

/** Something that is wrong with a point until further notice. */
export interface PointFault {
  readonly kind: 'stuck' | 'noisy';
  /** Noisy: standard deviation as a share of the value (at least of one unit). */
  readonly amplitude: number;
}

export class RtuImage {
  readonly points: readonly MonitoredPoint[];
  readonly faults = new Map<number, PointFault>();
  readonly #known = new Map<number, Known>();
  readonly #byIoa: ReadonlyMap<number, MonitoredPoint>;
  readonly #noise: () => number;

  /** @param noise standard normal numbers for noisy points */
  constructor(points: readonly MonitoredPoint[], noise: () => number) {
    this.points = points;
    this.#byIoa = new Map(points.map((point) => [point.ioa, point]));
    this.#noise = noise;
  }

  point(ioa: number): MonitoredPoint | undefined {
    return this.#byIoa.get(ioa);
  }

  /** The present reading; undefined before the first scan. */
  reading(point: MonitoredPoint): Reading | undefined {
    return this.#known.get(point.ioa)?.reading;
  }

  /**
   * Takes new readings in.
   * @param time of the device's clock, ms since the Unix epoch
   * @param elapsed seconds on a clock that never steps, for cycles
   */
  scan(
    points: Iterable<MonitoredPoint>,
    read: (point: MonitoredPoint) => Reading,
    time: number,
    elapsed: number,
  ): RtuEvent[] {
    const events: RtuEvent[] = [];
    for (const point of points) {
      const known = this.#known.get(point.ioa);
      if (!known) {
        const reading = read(point);
        this.#known.set(point.ioa, {
          reading,
          reported: reading.value,
          reportedAt: Number.NEGATIVE_INFINITY,
          // Spread over the cycle, so that a station does not send everything in one second.
          due: elapsed + (point.cycle?.seconds ?? point.period ?? 0) * ((point.ioa * 0.618034) % 1),
        });
        continue;
      }
      const reading = this.#disturbed(point, known, read);
      const changed =
        reading.quality !== known.reading.quality ||
        (point.deadBand === undefined
          ? reading.value !== known.reported
          : Math.abs(reading.value - known.reported) >= point.deadBand ||
            // Zero is a state, not a value near others.
            (reading.value === 0) !== (known.reported === 0));
      known.reading = reading;
      if (changed && (point.period === undefined || elapsed >= known.due)) {
        events.push(this.#report(point, known, time));
        known.due = elapsed + (point.cycle?.seconds ?? point.period ?? 0);
      } else if (point.cycle && elapsed >= known.due) {
        known.due = elapsed + point.cycle.seconds;
        known.reported = reading.value;
        events.push({ point, ...reading, cause: point.cycle.cause, time });
      }
    }
    return events;
  }

  /** Reports a point whether it has changed or not. */
  force(point: MonitoredPoint, time: number): RtuEvent | undefined {
    const known = this.#known.get(point.ioa);
    return known && this.#report(point, known, time);
  }

  #report(point: MonitoredPoint, known: Known, time: number): RtuEvent {
    known.reported = known.reading.value;
    // Two changes of one point never carry one time: who compares them must be able to tell them apart.
    known.reportedAt = time === known.reportedAt ? time + 1 : time;
    return { point, ...known.reading, cause: COT.spontaneous, time: known.reportedAt };
  }

  #disturbed(point: MonitoredPoint, known: Known, read: (point: MonitoredPoint) => Reading): Reading {
    const fault = this.faults.get(point.ioa);
    if (fault?.kind === 'stuck') return known.reading;
    const reading = read(point);
    if (fault?.kind !== 'noisy') return reading;
    const scale = Math.max(1, Math.abs(reading.value)) * fault.amplitude;
    const value = reading.value + scale * this.#noise();
    return { quality: reading.quality, value: clampTo(point.family, value) };
  }
}

function clampTo(family: Family, value: number): number {
  switch (family) {
    case 'single':
      return value >= 0.5 ? 1 : 0;
    case 'double':
      return Math.max(0, Math.min(3, Math.round(value)));
    case 'step':
      return Math.max(-64, Math.min(63, Math.round(value)));
    case 'counter':
      return Math.max(0, Math.round(value));
    case 'measured':
      return Math.fround(value);
  }
}
