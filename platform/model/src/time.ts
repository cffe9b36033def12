/**
 * Instants and their quality. An instant is a count of nanoseconds since 1970-01-01T00:00:00 UTC without leap
 * seconds, in 64 bits; that holds the 2⁻²⁴ s resolution of IEC 61850-7-2 (59.6 ns) and the years 1678 to 2262.
 */

/** Nanoseconds since the Unix epoch, UTC; signed 64 bits. */
export type UtcNanos = bigint;

export const NANOS_PER_MILLI = 1_000_000n;
export const NANOS_PER_SECOND = 1_000_000_000n;

/** Largest and smallest instant that fits 64 bits. */
export const MAX_NANOS: UtcNanos = 2n ** 63n - 1n;
export const MIN_NANOS: UtcNanos = -(2n ** 63n);

/** @param millis milliseconds since the Unix epoch, fractions allowed down to a microsecond */
export function fromMillis(millis: number): UtcNanos {
  const whole = Math.floor(millis);
  return BigInt(whole) * NANOS_PER_MILLI + BigInt(Math.round((millis - whole) * 1e6));
}

/** @returns milliseconds since the Unix epoch, with the fraction that a double can hold (about a microsecond) */
export function toMillis(at: UtcNanos): number {
  const millis = at / NANOS_PER_MILLI;
  return Number(millis) + Number(at - millis * NANOS_PER_MILLI) / 1e6;
}

/** ISO 8601 in UTC with as many decimals (0, 3, 6 or 9) as the instant needs. */
export function toIso(at: UtcNanos): string {
  const seconds = at >= 0n ? at / NANOS_PER_SECOND : -((-at + NANOS_PER_SECOND - 1n) / NANOS_PER_SECOND);
  const nanos = at - seconds * NANOS_PER_SECOND;
  const base = new Date(Number(seconds) * 1000).toISOString().slice(0, 19);
  if (nanos === 0n) return `${base}Z`;
  const digits = nanos
    .toString()
    .padStart(9, '0')
    .replace(/(?:000){1,2}$/, '');
  return `${base}.${digits}Z`;
}

/**
 * Reads what `toIso` writes, and any ISO 8601 date-time with a zone.
 * @throws RangeError when the text is no such date-time
 */
export function fromIso(text: string): UtcNanos {
  const match = /^([+-]?\d{4,6}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9})\d*)?(Z|[+-]\d\d:?\d\d)$/i.exec(text);
  const seconds = match ? Date.parse(`${match[1]}${match[3]}`) : Number.NaN;
  if (!match || Number.isNaN(seconds)) throw new RangeError(`'${text}' is not an ISO 8601 date-time with a zone`);
  return BigInt(seconds) * NANOS_PER_MILLI + BigInt((match[2] ?? '').padEnd(9, '0'));
}

/**
 * How far an instant can be believed; a bit set. The low octet is the TimeQuality of IEC 61850-7-2 § 6.1.2.9 as it
 * stands on the wire (8-1 § 8.1.3.7); the high octet says what else a protocol told us or took from us.
 */
export type TimeQuality = number;

export const TIME_QUALITY = {
  /** 61850-7-2: the source knows all leap seconds. */
  leapSecondsKnown: 0x80,
  /** 61850-7-2: the source's clock is defective. IEC 104: IV of the time tag. */
  clockFailure: 0x40,
  /** 61850-7-2: the source's clock is not synchronised. */
  clockNotSynchronized: 0x20,
  /** 61850-7-2: number of significant bits of the fraction of a second; 31 = unspecified. */
  accuracyMask: 0x1f,
  /** IEC 104: the RTU said that the time stands in summer time (SU). */
  summerTime: 0x100,
  /** IEC 104: the time was set by an intermediate station, not by the source (GEN = 1). */
  substitutedTime: 0x200,
  /** The source gave a part of the time (CP24Time2a: minutes); the rest was taken from our clock. */
  completedHere: 0x400,
  /** The source gave no time at all: source time is our receive time. */
  receiveTime: 0x800,
} as const;

/** No statement about accuracy, clock believed. */
export const TIME_GOOD: TimeQuality = 31;

/** Names of the flags that are set, in the order of the table; the accuracy is left out. */
export function timeQualityFlags(quality: TimeQuality): string[] {
  return Object.entries(TIME_QUALITY)
    .filter(([name, bit]) => name !== 'accuracyMask' && (quality & bit) !== 0)
    .map(([name]) => name);
}

/** Time comes in through constructors, so that tests need no sleeping. */
export interface Clock {
  /** Wall-clock time: data, never used for time-outs. */
  now(): UtcNanos;
  /** Milliseconds on a clock that never steps; for time-outs and durations. */
  monotonic(): number;
}

/** The clocks of this machine. */
export const systemClock: Clock = {
  now: () => fromMillis(performance.timeOrigin + performance.now()) + wallClockCorrection(),
  monotonic: () => performance.now(),
};

/** Timers come in from outside as well. @returns cancels */
export type After = (milliseconds: number, action: () => void) => () => void;

export const systemAfter: After = (milliseconds, action) => {
  const timer = setTimeout(action, milliseconds);
  return () => clearTimeout(timer);
};

// performance.timeOrigin does not follow when the operating system's clock is set, so the difference to Date.now()
// is added once it is larger than the resolution of Date.now().
function wallClockCorrection(): bigint {
  const difference = Date.now() - (performance.timeOrigin + performance.now());
  return Math.abs(difference) < 2 ? 0n : fromMillis(difference);
}
