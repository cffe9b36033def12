/**
 * Time tags, IEC 60870-5-101 § 7.2.6.18 to 7.2.6.20. A tag is kept as the octets of the wire in two integers, so that
 * a frame of a hundred tags costs little; the fields are read through getters. What an RTU's clock means (zone, summer
 * time, century) is not in the frame: see `epochMillis` in `zone.ts`.
 */
import { callerError } from '../errors.ts';

export interface Cp24Fields {
  /** Milliseconds within the minute, 0 to 59999. */
  readonly milliseconds: number;
  readonly minute: number;
  /** IV: the clock was not set or is defective. */
  readonly invalid?: boolean;
  /** GEN: the tag was set by an intermediate station, not by the source. */
  readonly substituted?: boolean;
}

export interface Cp56Fields extends Cp24Fields {
  readonly hour: number;
  /** SU: the hour is summer time. */
  readonly summerTime?: boolean;
  /** Day of month, 1 to 31. */
  readonly day: number;
  /** 1 Monday to 7 Sunday; 0 = not used. */
  readonly dayOfWeek?: number;
  /** 1 to 12. */
  readonly month: number;
  /** Year without century, 0 to 99. */
  readonly year: number;
}

/** Three octet time: milliseconds and minute, without the hour. */
export class Cp24Time implements Cp24Fields {
  /** The three octets, first one lowest. */
  readonly low: number;

  constructor(low: number) {
    this.low = low;
  }

  get form(): 'CP24' {
    return 'CP24';
  }
  get milliseconds(): number {
    return this.low & 0xffff;
  }
  get minute(): number {
    return (this.low >>> 16) & 0x3f;
  }
  get substituted(): boolean {
    return (this.low & 0x400000) !== 0;
  }
  get invalid(): boolean {
    return (this.low & 0x800000) !== 0;
  }

  toJSON(): Required<Cp24Fields> {
    const { milliseconds, minute, invalid, substituted } = this;
    return { milliseconds, minute, invalid, substituted };
  }
}

/** Seven octet time: a calendar date with milliseconds, in the RTU's own zone. */
export class Cp56Time implements Cp56Fields {
  /** Octets 1 to 4 (milliseconds, minute, hour), first one lowest, as a signed integer. */
  readonly low: number;
  /** Octets 5 to 7 (day, month, year). */
  readonly high: number;

  constructor(low: number, high: number) {
    this.low = low;
    this.high = high;
  }

  get form(): 'CP56' {
    return 'CP56';
  }
  get milliseconds(): number {
    return this.low & 0xffff;
  }
  get minute(): number {
    return (this.low >>> 16) & 0x3f;
  }
  get substituted(): boolean {
    return (this.low & 0x400000) !== 0;
  }
  get invalid(): boolean {
    return (this.low & 0x800000) !== 0;
  }
  get hour(): number {
    return (this.low >>> 24) & 0x1f;
  }
  get summerTime(): boolean {
    return this.low < 0;
  }
  get day(): number {
    return this.high & 0x1f;
  }
  get dayOfWeek(): number {
    return (this.high >>> 5) & 7;
  }
  get month(): number {
    return (this.high >>> 8) & 0x0f;
  }
  get year(): number {
    return (this.high >>> 16) & 0x7f;
  }

  toJSON(): Required<Cp56Fields> {
    const { milliseconds, minute, invalid, substituted, hour, summerTime, day, dayOfWeek, month, year } = this;
    return { milliseconds, minute, invalid, substituted, hour, summerTime, day, dayOfWeek, month, year };
  }
}

export type Time = Cp24Time | Cp56Time;

function check(name: string, value: number, low: number, high: number): void {
  if (!Number.isInteger(value) || value < low || value > high)
    throw callerError('time.range', `Time tag: ${name} is ${value}; it must be an integer from ${low} to ${high}`);
}

function lowOctets(fields: Cp24Fields): number {
  check('milliseconds', fields.milliseconds, 0, 59999);
  check('minute', fields.minute, 0, 59);
  return (
    fields.milliseconds |
    (fields.minute << 16) |
    (fields.substituted === true ? 0x400000 : 0) |
    (fields.invalid === true ? 0x800000 : 0)
  );
}

/** @throws Iec104Error (caller) when a field is out of range */
export function cp24(fields: Cp24Fields): Cp24Time {
  return new Cp24Time(lowOctets(fields));
}

/** @throws Iec104Error (caller) when a field is out of range */
export function cp56(fields: Cp56Fields): Cp56Time {
  check('hour', fields.hour, 0, 23);
  check('day', fields.day, 1, 31);
  check('dayOfWeek', fields.dayOfWeek ?? 0, 0, 7);
  check('month', fields.month, 1, 12);
  check('year', fields.year, 0, 99);
  return new Cp56Time(
    lowOctets(fields) | (fields.hour << 24) | (fields.summerTime === true ? 0x80000000 : 0),
    fields.day | ((fields.dayOfWeek ?? 0) << 5) | (fields.month << 8) | (fields.year << 16),
  );
}

/** Octets of each form on the wire. */
export const TIME_SIZE = { none: 0, CP24: 3, CP56: 7 } as const;

/** Reads three octets; the caller has checked that they are there. */
export function readCp24(bytes: Uint8Array, at: number): Cp24Time {
  return new Cp24Time(bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16));
}

/** Reads seven octets; the caller has checked that they are there. */
export function readCp56(bytes: Uint8Array, at: number): Cp56Time {
  return new Cp56Time(
    bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24),
    bytes[at + 4]! | (bytes[at + 5]! << 8) | (bytes[at + 6]! << 16),
  );
}

export function writeCp24(time: Cp24Time, bytes: Uint8Array, at: number): void {
  bytes[at] = time.low;
  bytes[at + 1] = time.low >>> 8;
  bytes[at + 2] = time.low >>> 16;
}

export function writeCp56(time: Cp56Time, bytes: Uint8Array, at: number): void {
  bytes[at] = time.low;
  bytes[at + 1] = time.low >>> 8;
  bytes[at + 2] = time.low >>> 16;
  bytes[at + 3] = time.low >>> 24;
  bytes[at + 4] = time.high;
  bytes[at + 5] = time.high >>> 8;
  bytes[at + 6] = time.high >>> 16;
}
