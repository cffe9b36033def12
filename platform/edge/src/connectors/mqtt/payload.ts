/** What an MQTT payload says: a value and, perhaps, a time. Pure. */
import { type Point, QUALITY, TIME_GOOD, TIME_QUALITY, type UtcNanos, type Value } from '@enerchain/model';

/** Larger payloads are not looked at, octets. */
export const MAX_PAYLOAD = 256 * 1024;

export interface Reading {
  readonly value: Value;
  readonly quality: number;
  /** What could not be understood, for the counters and the log. */
  readonly problem?: string;
}

const WORDS: Readonly<Record<string, number>> = { true: 1, false: 0, on: 1, off: 0 };

/** The member of a JSON value at a path; `undefined` where there is none. */
export function memberAt(json: unknown, path: readonly string[]): unknown {
  let at = json;
  for (const key of path) {
    if (typeof at !== 'object' || at === null) return undefined;
    at = Array.isArray(at)
      ? at[Number(key)]
      : Object.hasOwn(at, key)
        ? (at as Record<string, unknown>)[key]
        : undefined;
  }
  return at;
}

/** A payload that is the value itself: JSON scalar, number, word of the point's aliases, or text for string points. */
export function readPlain(text: string, point: Point): Reading {
  const trimmed = text.trim();
  if (point.kind === 'string') return { value: text, quality: QUALITY.good };
  if (trimmed === '' || trimmed === 'null') return { value: null, quality: QUALITY.invalid };
  return readScalar(/^".*"$/s.test(trimmed) ? trimmed.slice(1, -1) : trimmed, point);
}

/** A JSON scalar as the value of a point. */
export function readScalar(raw: unknown, point: Point): Reading {
  if (raw === null) return { value: null, quality: QUALITY.invalid };
  if (point.kind === 'string') {
    return typeof raw === 'object'
      ? unusable(`'${point.name}': ${JSON.stringify(raw).slice(0, 60)} is no text`)
      : { value: String(raw), quality: QUALITY.good };
  }
  if (typeof raw === 'number') return { value: raw, quality: QUALITY.good };
  if (typeof raw === 'boolean') return { value: raw ? 1 : 0, quality: QUALITY.good };
  if (typeof raw === 'string') {
    const text = raw.trim();
    const number = text === '' ? Number.NaN : Number(text);
    if (Number.isFinite(number)) return { value: number, quality: QUALITY.good };
    for (const [key, word] of Object.entries(point.valueAliases ?? {})) {
      if (word.toLowerCase() === text.toLowerCase()) return { value: Number(key), quality: QUALITY.good };
    }
    const word = Object.hasOwn(WORDS, text.toLowerCase()) ? WORDS[text.toLowerCase()] : undefined;
    if (word !== undefined && point.kind === 'discrete') return { value: word, quality: QUALITY.good };
  }
  return unusable(`'${point.name}': ${JSON.stringify(raw)?.slice(0, 60)} is no number`);
}

// The device spoke, but what it said makes no sense: the operator must see that the value is not to be trusted.
const unusable = (problem: string): Reading => ({ value: null, quality: QUALITY.invalid | QUALITY.failure, problem });

export type TimeFormat = 'iso' | 'seconds' | 'milliseconds' | 'nanoseconds';

/** @returns `undefined` when it is no time */
export function readTime(raw: unknown, format: TimeFormat): { at: UtcNanos; quality: number } | undefined {
  if (format === 'iso') {
    if (typeof raw !== 'string' || !/[zZ]|[+-]\d\d:?\d\d$/.test(raw)) return undefined;
    const fraction = /\.(\d{1,9})/.exec(raw)?.[1] ?? '';
    const seconds = Date.parse(raw.replace(/\.\d+/, ''));
    if (Number.isNaN(seconds)) return undefined;
    return inRange(BigInt(seconds) * 1_000_000n + BigInt(fraction.padEnd(9, '0')));
  }
  if (format === 'nanoseconds' && typeof raw === 'string') {
    return /^\d{1,19}$/.test(raw) ? inRange(BigInt(raw)) : undefined;
  }
  const number = typeof raw === 'string' && raw.trim() !== '' ? Number(raw) : raw;
  if (typeof number !== 'number' || !Number.isFinite(number)) return undefined;
  const scale = { seconds: 1e9, milliseconds: 1e6, nanoseconds: 1 }[format];
  const whole = Math.trunc(number);
  return inRange(BigInt(whole) * BigInt(scale) + BigInt(Math.round((number - whole) * scale)));
}

function inRange(at: bigint): { at: UtcNanos; quality: number } | undefined {
  return at > 0n && at < 2n ** 63n ? { at, quality: TIME_GOOD } : undefined;
}

/** No time of the device: our receive time stands in. */
export const RECEIVE_TIME = TIME_GOOD | TIME_QUALITY.receiveTime;
