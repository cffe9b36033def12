/**
 * The points that can raise alarms or events, where they stand, and what follows when a value comes: changes of
 * discretes, discretes off their normal value, limits passed. One alarm per point and side of its limits.
 */
import {
  fromIso,
  type Limit,
  type Mrid,
  type SiteDocument,
  type UtcNanos,
  type Value,
  validity,
} from '@enerchain/model';
import { mayFollow, type Switchings } from '../alarms/cause.ts';
import {
  type AlarmPoint,
  countsForAlarms,
  DIRECTIONS,
  directionOf,
  leftNormal,
  limitAlarm,
  limitKey,
  limitsAfter,
  stateAlarm,
  stateKey,
  word,
  worstLimit,
} from '../alarms/conditions.ts';
import { conditionStands } from '../alarms/machine.ts';
import type { LogEntry } from '../ports.ts';
import type { RowWriter } from './row-writer.ts';

/** Bit of a column's cause: the same change was already sent once. */
const REPEAT = 0x80;
/** Code of the cause `spontaneous`. */
const SPONTANEOUS = 0;
const SWITCH = 'SwitchPosition';

interface Watched {
  point: AlarmPoint;
  value: Value | undefined;
  quality: number;
  /** Source time of the newest value that was taken in. */
  time: UtcNanos;
  /** Bit i: limit i stands. */
  limits: number;
}

/** mRID, value, quality, time, limits that stand. */
export type PointState = readonly [Mrid, Value, number, string, number];
type Found = { readonly at: UtcNanos; readonly emit: () => void }[];
type Columns = (LogEntry['content'] & { kind: 'observations' })['batch']['columns'];

export class WatchedPoints {
  readonly #writer: RowWriter;
  readonly #watched = new Map<Mrid, Watched>();
  readonly #switchings: Switchings;

  constructor(writer: RowWriter, switchings: Switchings) {
    this.#writer = writer;
    this.#switchings = switchings;
  }

  restore(points: Iterable<PointState>): void {
    for (const [mRID, value, quality, time, limits] of points) {
      const watched = this.#watched.get(mRID);
      if (watched) Object.assign(watched, { value, quality, time: BigInt(time), limits });
    }
  }

  state(): PointState[] {
    const points: PointState[] = [];
    for (const [mRID, { value, quality, time, limits }] of this.#watched)
      if (value !== undefined) points.push([mRID, value, quality, String(time), limits]);
    return points;
  }

  /**
   * Takes in what a source announces in place of what it announced before.
   * @returns the points that have other limits now
   */
  announce(document: SiteDocument, before: SiteDocument | undefined): Mrid[] {
    const changed: Mrid[] = [];
    const { source } = document;
    const announced = new Set(document.points.map(({ mRID }) => mRID));
    for (const { mRID } of before?.points ?? []) if (!announced.has(mRID)) this.#watched.delete(mRID);
    for (const point of document.points) {
      if (point.kind !== 'discrete' && !point.limits?.length) {
        this.#watched.delete(point.mRID);
        continue;
      }
      const full: AlarmPoint = { ...point, source, site: document.site.name };
      const watched = this.#watched.get(point.mRID);
      if (!watched) {
        this.#watched.set(point.mRID, { point: full, value: undefined, quality: 0, time: 0n, limits: 0 });
        continue;
      }
      // Other limits have other bits: where the value stands among them is looked at anew.
      if (JSON.stringify(watched.point.limits) !== JSON.stringify(point.limits)) {
        watched.limits = this.#bitsAmong(full, watched.value);
        changed.push(point.mRID);
      }
      watched.point = full;
    }
    return changed;
  }

  /** The standing alarms of points with other limits speak of these from now on. */
  restate(points: readonly Mrid[]): void {
    for (const mRID of points) {
      const watched = this.#watched.get(mRID);
      if (!watched || typeof watched.value !== 'number') continue;
      const { point, value, limits, time } = watched;
      for (const direction of DIRECTIONS) {
        const worst = worstLimit(point.limits ?? [], limits, direction);
        if (worst) this.#writer.raise(limitAlarm(point, worst, value, time), time);
      }
    }
  }

  /** The limits that stand, without those of a side that has no alarm: that one comes with the next value. */
  #bitsAmong({ mRID, limits = [] }: AlarmPoint, value: Value | undefined): number {
    if (typeof value !== 'number') return 0;
    const passed = limitsAfter(limits, 0, value);
    let bits = 0;
    for (const direction of DIRECTIONS) {
      const state = this.#writer.alarms.byKey(limitKey(mRID, direction))?.state ?? 'normal';
      if (!conditionStands(state)) continue;
      for (let index = 0; index < limits.length; index++)
        if (passed & (1 << index) && directionOf(limits[index] as Limit) === direction) bits |= 1 << index;
    }
    return bits;
  }

  /** Clears the alarms of conditions of `source` that cannot be seen to go: their point or limit is announced no more. */
  clearUnannounced(source: string, at: UtcNanos): void {
    for (const alarm of this.#writer.alarms.standing()) {
      const kind = alarm.key.slice(0, alarm.key.indexOf(':'));
      if (alarm.source !== source || alarm.point === undefined || (kind !== 'limit' && kind !== 'state')) continue;
      const watched = this.#watched.get(alarm.point);
      const stands =
        watched !== undefined &&
        (kind === 'state'
          ? watched.point.normalValue !== undefined
          : DIRECTIONS.some(
              (direction) =>
                limitKey(watched.point.mRID, direction) === alarm.key &&
                worstLimit(watched.point.limits ?? [], watched.limits, direction) !== undefined,
            ));
      if (!stands) this.#writer.clear(alarm.key, at);
    }
  }

  onObservations(columns: Columns): void {
    // Points are independent of each other; what they give is put in the order of source time before it gets numbers.
    const found: Found = [];
    for (const column of columns) {
      const watched = this.#watched.get(column.point);
      if (!watched) continue;
      for (let i = 0; i < column.value.length; i++) {
        const cause = column.cause[i] as number;
        if (cause & REPEAT) continue;
        this.#onValue(
          watched,
          column.value[i] as Value,
          column.quality[i] as number,
          column.sourceTime[i] as bigint,
          cause === SPONTANEOUS,
          found,
        );
      }
    }
    found.sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0));
    for (const { emit } of found) emit();
  }

  #onValue(watched: Watched, value: Value, quality: number, at: UtcNanos, spontaneous: boolean, found: Found): void {
    const { point } = watched;
    if (watched.value !== undefined && at < watched.time) {
      // From a backlog: it belongs in the sequence of events, but it says nothing about the present.
      this.#writer.counters.late++;
      if (point.kind === 'discrete' && spontaneous)
        found.push({ at, emit: () => this.#stateChange(point, value, quality, at, ' (arrived late)') });
      return;
    }
    const before = watched.value;
    const qualityBefore = watched.quality;
    watched.value = value;
    watched.quality = quality;
    watched.time = at;
    if (point.kind === 'discrete') {
      if (before === undefined ? spontaneous : before !== value) {
        const was = before === undefined ? '' : `, before ${word(point, before)}`;
        found.push({ at, emit: () => this.#stateChange(point, value, quality, at, was) });
      } else if (before !== undefined && validity(qualityBefore) !== validity(quality)) {
        const note = `, quality is now ${validity(quality)}`;
        found.push({ at, emit: () => this.#stateChange(point, value, quality, at, note) });
      }
      const left = countsForAlarms(quality) ? leftNormal(point, value) : undefined;
      const key = stateKey(point.mRID);
      if (left === true && (before !== value || !this.#writer.alarms.byKey(key)))
        found.push({ at, emit: () => this.#leftNormal(point, value, at) });
      else if (left === false) found.push({ at, emit: () => this.#writer.clear(key, at) });
    }
    if (point.limits && typeof value === 'number' && countsForAlarms(quality)) {
      const after = limitsAfter(point.limits, watched.limits, value);
      if (after !== watched.limits) this.#onLimits(point, point.limits, watched.limits, after, value, at, found);
      watched.limits = after;
    }
  }

  #onLimits(
    point: AlarmPoint,
    limits: readonly Limit[],
    before: number,
    after: number,
    value: number,
    at: UtcNanos,
    found: Found,
  ): void {
    for (const direction of DIRECTIONS) {
      const worst = worstLimit(limits, after, direction);
      const was = worstLimit(limits, before, direction);
      if (worst === was) continue;
      if (!worst) found.push({ at, emit: () => this.#writer.clear(limitKey(point.mRID, direction), at) });
      else
        found.push({
          at,
          emit: () => {
            const after = this.#switchings.before(at);
            this.#writer.raise({ ...limitAlarm(point, worst, value, at), after }, at);
          },
        });
    }
  }

  #leftNormal(point: AlarmPoint, value: Value, at: UtcNanos): void {
    const isSwitch = point.measurementType === SWITCH;
    const after = isSwitch ? undefined : this.#switchings.before(at);
    const alarm = this.#writer.raise({ ...stateAlarm(point, value, at), after }, at);
    if (!alarm || !isSwitch) return;
    this.#switchings.add({ id: alarm.id, at });
    // What came of it may have been reported by another device first.
    for (const other of this.#writer.alarms.standing()) {
      if (other.after !== undefined || other.point === undefined || !conditionStands(other.state)) continue;
      const watched = this.#watched.get(other.point);
      if (!watched || watched.point.measurementType === SWITCH || !mayFollow(fromIso(other.raisedAt), at)) continue;
      const linked = this.#writer.alarms.follows(other.id, alarm.id);
      if (linked) this.#writer.alarmChanged(linked, at);
    }
  }

  #stateChange(point: AlarmPoint, value: Value, quality: number, at: UtcNanos, note: string): void {
    this.#writer.event('stateChange', at, `${point.name} in ${point.site}: ${word(point, value)}${note}.`, {
      point: point.mRID,
      source: point.source,
      value,
      quality,
    });
  }
}
