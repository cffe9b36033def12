/**
 * Between a time tag and an instant. CP56Time2a is a calendar date in whatever zone the RTU's clock runs, with a year
 * of two digits; zone and century are configuration. The way for UTC does no calendar arithmetic and allocates nothing
 * while the hour stays the same; for other zones the result is cached per hour.
 */
import { callerError } from '../errors.ts';
import { Cp24Time, Cp56Time, cp56, type Time } from './time.ts';

export interface ClockOptions {
  /** Zone of the RTU's clock: `UTC` (default) or an IANA name such as `Europe/Berlin`. */
  readonly zone?: string;
  /** Two-digit years below the pivot belong to 20xx, the others to 19xx; 0 to 100, default 70. */
  readonly century?: number;
}

const HOUR = 3_600_000;
const DAY = 86_400_000;
const DAYS_IN_MONTH = [0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/** Days from 1970-01-01 to a date of the Gregorian calendar. */
function daysFromCivil(year: number, month: number, day: number): number {
  const y = month <= 2 ? year - 1 : year;
  const era = Math.floor(y / 400);
  const yearOfEra = y - era * 400;
  const dayOfYear = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1;
  return era * 146097 + yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear - 719468;
}

/** Milliseconds of the calendar hour as if it were UTC; NaN when the calendar has no such hour. */
function civilHour(low: number, high: number, century: number): number {
  const hour = (low >>> 24) & 0x1f;
  const day = high & 0x1f;
  const month = (high >>> 8) & 0x0f;
  const short = (high >>> 16) & 0x7f;
  if (hour > 23 || month < 1 || month > 12 || day < 1 || short > 99) return Number.NaN;
  const year = short < century ? 2000 + short : 1900 + short;
  if (day > DAYS_IN_MONTH[month]! || (month === 2 && day === 29 && (year % 4 !== 0 || year === 1900)))
    return Number.NaN;
  return daysFromCivil(year, month, day) * DAY + hour * HOUR;
}

/** One zone: offsets by `Intl`, asked once per quarter of an hour and kept; transitions happen on quarters only. */
class Zone {
  readonly #format: Intl.DateTimeFormat;
  readonly #offsets = new Map<number, number>();
  /** The civil hour last converted, with SU, and its instant. */
  hourLow = -1;
  hourHigh = -1;
  hourCentury = -1;
  hourBase = 0;

  constructor(name: string) {
    try {
      this.#format = new Intl.DateTimeFormat('en-US', {
        timeZone: name,
        calendar: 'gregory',
        hourCycle: 'h23',
        year: 'numeric',
        month: 'numeric',
        day: 'numeric',
        hour: 'numeric',
        minute: 'numeric',
        second: 'numeric',
      });
    } catch (cause) {
      throw callerError('time.zone', `'${name}' is not a time zone of the IANA database (${String(cause)})`);
    }
  }

  /** Milliseconds that local time is ahead of UTC at an instant. */
  offsetAt(epoch: number): number {
    const slot = Math.floor(epoch / 900_000);
    const known = this.#offsets.get(slot);
    if (known !== undefined) return known;
    const part: Record<string, number> = {};
    for (const { type, value } of this.#format.formatToParts(slot * 900_000)) part[type] = Number(value);
    const local =
      daysFromCivil(part.year!, part.month!, part.day!) * DAY +
      part.hour! * HOUR +
      part.minute! * 60_000 +
      part.second! * 1000;
    const offset = local - slot * 900_000;
    if (this.#offsets.size >= 4096) this.#offsets.clear();
    this.#offsets.set(slot, offset);
    return offset;
  }

  /**
   * The instant of a local time. Where the clock is set back and an hour exists twice, SU decides which one is meant;
   * where it is put forward and an hour does not exist, SU says which clock the RTU still used.
   */
  instant(local: number, summerTime: boolean): number {
    const before = this.offsetAt(local - DAY);
    const after = this.offsetAt(local + DAY);
    if (before === after) return local - before;
    const first = this.offsetAt(local - before) === before;
    const second = this.offsetAt(local - after) === after;
    if (first && !second) return local - before;
    if (second && !first) return local - after;
    return local - (summerTime ? Math.max(before, after) : Math.min(before, after));
  }

  /** Whether an instant lies in summer time: further ahead of UTC than the smallest offset around that year. */
  isSummer(epoch: number): boolean {
    const offset = this.offsetAt(epoch);
    for (let month = -6; month <= 6; month += 3) if (this.offsetAt(epoch + month * 30 * DAY) < offset) return true;
    return false;
  }
}

const zones = new Map<string, Zone>();

function zoneOf(name: string): Zone {
  let zone = zones.get(name);
  if (!zone) {
    zone = new Zone(name);
    if (zones.size >= 600) zones.clear();
    zones.set(name, zone);
  }
  return zone;
}

let utcHour = 0;
let utcHigh = -1;
let utcCentury = -1;
let utcBase = 0;

/**
 * The instant of a CP56Time2a, milliseconds since 1970-01-01 UTC; NaN when the calendar has no such time (month 0,
 * 31 April, minute 61), which a peer can send. The IV bit is not looked at.
 * @throws Iec104Error (caller) for a zone that does not exist
 */
export function cp56ToEpochMillis(time: Cp56Time, options?: ClockOptions): number {
  const { low, high } = time;
  const within = ((low >>> 16) & 0x3f) * 60_000 + (low & 0xffff);
  if ((low & 0xffff) > 59_999 || (low & 0x3f0000) > 0x3b0000) return Number.NaN;
  const century = options?.century ?? 70;
  const name = options?.zone;
  const date = high & 0x7f0f1f;
  if (name === undefined || name === 'UTC') {
    const hour = low & 0x1f000000;
    if (hour !== utcHour || date !== utcHigh || century !== utcCentury) {
      utcBase = civilHour(low, high, century);
      utcHour = hour;
      utcHigh = date;
      utcCentury = century;
    }
    return utcBase + within;
  }
  const zone = zoneOf(name);
  // The base of an hour holds for all of it, unless a transition falls inside: then every minute is asked.
  const hour = low & 0x9f000000;
  if (hour === zone.hourLow && date === zone.hourHigh && century === zone.hourCentury) return zone.hourBase + within;
  const civil = civilHour(low, high, century);
  if (Number.isNaN(civil)) return Number.NaN;
  const base = zone.instant(civil, low < 0);
  if (base + HOUR - 1 === zone.instant(civil + HOUR - 1, low < 0)) {
    zone.hourLow = hour;
    zone.hourHigh = date;
    zone.hourCentury = century;
    zone.hourBase = base;
    return base + within;
  }
  return zone.instant(civil + within, low < 0);
}

/**
 * The CP56Time2a of an instant, with SU and day of week.
 * @param millis milliseconds since 1970-01-01 UTC; fractions are cut off
 * @throws Iec104Error (caller) for a zone that does not exist or an instant that is none
 */
export function cp56FromEpochMillis(
  millis: number,
  options?: ClockOptions & { readonly invalid?: boolean; readonly substituted?: boolean },
): Cp56Time {
  if (!Number.isFinite(millis)) throw callerError('time.range', `${millis} is not an instant`);
  const zone = options?.zone === undefined || options.zone === 'UTC' ? undefined : zoneOf(options.zone);
  const epoch = Math.floor(millis);
  const local = epoch + (zone ? zone.offsetAt(epoch) : 0);
  const date = new Date(local);
  const within = local - Math.floor(local / HOUR) * HOUR;
  return cp56({
    milliseconds: within % 60_000,
    minute: Math.floor(within / 60_000),
    hour: date.getUTCHours(),
    day: date.getUTCDate(),
    dayOfWeek: date.getUTCDay() === 0 ? 7 : date.getUTCDay(),
    month: date.getUTCMonth() + 1,
    year: date.getUTCFullYear() % 100,
    summerTime: zone?.isSummer(epoch) ?? false,
    invalid: options?.invalid ?? false,
    substituted: options?.substituted ?? false,
  });
}

/** The CP24Time2a of an instant. */
export function cp24FromEpochMillis(millis: number): Cp24Time {
  if (!Number.isFinite(millis)) throw callerError('time.range', `${millis} is not an instant`);
  const within = Math.floor(millis) - Math.floor(millis / HOUR) * HOUR;
  return new Cp24Time((within % 60_000) | (Math.floor(within / 60_000) << 16));
}

/**
 * The instant of a CP24Time2a: the hour is the one that brings it nearest to `reference`. NaN when minute or
 * milliseconds are out of range.
 * @param reference milliseconds since 1970-01-01 UTC, usually when the frame arrived
 */
export function cp24ToEpochMillis(time: Cp24Time, reference: number): number {
  if (time.milliseconds > 59_999 || time.minute > 59) return Number.NaN;
  const within = time.minute * 60_000 + time.milliseconds;
  const hours = Math.round((reference - within) / HOUR);
  return hours * HOUR + within;
}

/** Either form; a CP24Time2a is completed with the hour nearest to `reference`. NaN for a time that does not exist. */
export function timeToEpochMillis(time: Time, reference: number, options?: ClockOptions): number {
  return time instanceof Cp56Time ? cp56ToEpochMillis(time, options) : cp24ToEpochMillis(time, reference);
}
