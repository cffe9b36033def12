/** Times as the control room writes them: 24 hours, local zone, milliseconds where the order of events matters. */
import { TIME_QUALITY } from '@enerchain/model/time';

const two = (value: number): string => String(value).padStart(2, '0');

export const clock = (at: Date): string => `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
export const hourMinute = (at: Date): string => `${two(at.getHours())}:${two(at.getMinutes())}`;
export const clockMillis = (at: Date): string => `${clock(at)}.${String(at.getMilliseconds()).padStart(3, '0')}`;
export const day = (at: Date): string => `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;

/** Time of day today, date and time on another day. */
export function stamp(at: Date, now: Date): string {
  return day(at) === day(now) ? clockMillis(at) : `${day(at)} ${clockMillis(at)}`;
}
export function shortStamp(at: Date, now: Date): string {
  return day(at) === day(now) ? hourMinute(at) : `${day(at)} ${hourMinute(at)}`;
}

/** `42 s`, `7 min`, `3 h 05 min`, `2 d 4 h`. */
export function duration(millis: number): string {
  const seconds = Math.max(0, Math.floor(millis / 1000));
  if (seconds < 90) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return `${hours} h ${two(minutes % 60)} min`;
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

/** The abbreviation of the browser's zone at that moment: CET, CEST, UTC. */
export function zone(at: Date): string {
  const part = new Intl.DateTimeFormat('en-GB', { timeZoneName: 'short' })
    .formatToParts(at)
    .find(({ type }) => type === 'timeZoneName');
  return part?.value ?? 'local time';
}

const TIME_WORDS: readonly (readonly [bit: number, word: string])[] = [
  [TIME_QUALITY.receiveTime, 'time of receipt: the source gave none'],
  [TIME_QUALITY.clockFailure, 'the clock of the source is defective'],
  [TIME_QUALITY.clockNotSynchronized, 'the clock of the source is not synchronised'],
  [TIME_QUALITY.substitutedTime, 'time set by an intermediate station'],
  [TIME_QUALITY.completedHere, 'only minutes from the source, completed by the gateway'],
];

/** What weakens a time stamp, in words; empty when nothing does. */
export const timeWeaknesses = (quality: number): string[] =>
  TIME_WORDS.filter(([bit]) => quality & bit).map(([, word]) => word);

/** What a field for a time takes: year-month-day hour:minute, with seconds or without. */
export const TIME_PATTERN = String.raw`\d{4}-\d\d-\d\d[ T]\d\d:\d\d(:\d\d)?`;

/** A time as it is typed into such a field, in the local zone; undefined for one that there is not, as 2026-02-30. */
export function typedTime(text: string): Date | undefined {
  const trimmed = text.trim();
  if (!new RegExp(`^${TIME_PATTERN}$`).test(trimmed)) return undefined;
  const at = new Date(trimmed.replace(' ', 'T'));
  // A day that a month does not have would silently become one of the next.
  return Number.isNaN(at.getTime()) || day(at) !== trimmed.slice(0, 10) ? undefined : at;
}

/** An instant as sources report it: ISO 8601, or nanoseconds since the Unix epoch in decimals. */
export function instant(text: string): Date {
  return new Date(/^-?\d{13,}$/.test(text) ? Number(BigInt(text) / 1_000_000n) : Date.parse(text));
}
