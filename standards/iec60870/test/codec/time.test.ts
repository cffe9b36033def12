import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Cp56Time, cp24, cp56 } from '../../src/codec/time.ts';
import {
  cp24FromEpochMillis,
  cp24ToEpochMillis,
  cp56FromEpochMillis,
  cp56ToEpochMillis,
  timeToEpochMillis,
} from '../../src/codec/zone.ts';

const BERLIN = { zone: 'Europe/Berlin' };
const iso = (millis: number) => new Date(millis).toISOString();
const at = (month: number, day: number, hour: number, minute: number, summerTime: boolean, year = 24) =>
  cp56({ milliseconds: 0, minute, hour, day, month, year, summerTime });

describe('CP56Time2a and instants', () => {
  test('UTC: every instant of 1970 to 2069 survives, with its day of week', () => {
    const property = fc.property(fc.integer({ min: 0, max: Date.UTC(2070, 0, 1) - 1 }), (millis) => {
      const time = cp56FromEpochMillis(millis);
      expect(cp56ToEpochMillis(time)).toBe(millis);
      expect(time.dayOfWeek).toBe(new Date(millis).getUTCDay() || 7);
    });
    fc.assert(property, { numRuns: 2000 });
  });

  for (const zone of ['Europe/Berlin', 'America/St_Johns', 'Asia/Kathmandu', 'Australia/Lord_Howe', 'Etc/GMT-1']) {
    test(`${zone}: every instant survives through the summer-time bit`, () => {
      fc.assert(
        fc.property(fc.integer({ min: Date.UTC(2000, 0, 1), max: Date.UTC(2035, 0, 1) }), (millis) => {
          expect(iso(cp56ToEpochMillis(cp56FromEpochMillis(millis, { zone }), { zone }))).toBe(iso(millis));
        }),
        { numRuns: 300 },
      );
      // Every minute of the days on which clocks change in 2024.
      for (const day of [
        Date.UTC(2024, 2, 31),
        Date.UTC(2024, 9, 27),
        Date.UTC(2024, 3, 7),
        Date.UTC(2024, 9, 6),
        Date.UTC(2024, 10, 3),
      ])
        for (let minute = -720; minute < 2160; minute++) {
          const millis = day + minute * 60_000 + 1;
          expect(cp56ToEpochMillis(cp56FromEpochMillis(millis, { zone }), { zone })).toBe(millis);
        }
    });
  }

  test('the hour that exists twice in autumn is told apart by SU', () => {
    expect(iso(cp56ToEpochMillis(at(10, 27, 2, 30, true), BERLIN))).toBe('2024-10-27T00:30:00.000Z');
    expect(iso(cp56ToEpochMillis(at(10, 27, 2, 30, false), BERLIN))).toBe('2024-10-27T01:30:00.000Z');
  });

  test('the hour that does not exist in spring is read by the clock the RTU still had', () => {
    expect(iso(cp56ToEpochMillis(at(3, 31, 2, 30, false), BERLIN))).toBe('2024-03-31T01:30:00.000Z');
    expect(iso(cp56ToEpochMillis(at(3, 31, 2, 30, true), BERLIN))).toBe('2024-03-31T00:30:00.000Z');
  });

  test('a missing SU bit in the middle of summer changes nothing', () => {
    expect(iso(cp56ToEpochMillis(at(7, 1, 12, 0, false), BERLIN))).toBe('2024-07-01T10:00:00.000Z');
  });

  test('the century comes from the pivot', () => {
    expect(iso(cp56ToEpochMillis(at(1, 1, 0, 0, false, 69)))).toBe('2069-01-01T00:00:00.000Z');
    expect(iso(cp56ToEpochMillis(at(1, 1, 0, 0, false, 70)))).toBe('1970-01-01T00:00:00.000Z');
    expect(iso(cp56ToEpochMillis(at(1, 1, 0, 0, false, 70), { century: 100 }))).toBe('2070-01-01T00:00:00.000Z');
    expect(iso(cp56ToEpochMillis(at(1, 1, 0, 0, false, 24), { century: 20 }))).toBe('1924-01-01T00:00:00.000Z');
  });

  test('29 February exists in leap years only, and impossible dates are NaN', () => {
    expect(iso(cp56ToEpochMillis(at(2, 29, 0, 0, false, 0)))).toBe('2000-02-29T00:00:00.000Z');
    expect(cp56ToEpochMillis(at(2, 29, 0, 0, false, 23))).toBeNaN();
    expect(cp56ToEpochMillis(at(2, 29, 0, 0, false, 0), { century: 0 })).toBeNaN();
    expect(cp56ToEpochMillis(at(4, 31, 0, 0, false))).toBeNaN();
    for (const [low, high] of [
      [0, 0],
      [0, 0x18_0d_01],
      [0, 0x18_01_00],
      [60_000, 0x18_01_01],
      [60 << 16, 0x18_01_01],
      [24 << 24, 0x18_01_01],
      [0, 0x64_01_01],
    ] as const) {
      expect(cp56ToEpochMillis(new Cp56Time(low, high))).toBeNaN();
      expect(cp56ToEpochMillis(new Cp56Time(low, high), BERLIN)).toBeNaN();
    }
  });

  test('an impossible date does not stay in the cache', () => {
    expect(cp56ToEpochMillis(new Cp56Time(0, 0))).toBeNaN();
    expect(iso(cp56ToEpochMillis(at(5, 6, 7, 8, false)))).toBe('2024-05-06T07:08:00.000Z');
    expect(cp56ToEpochMillis(new Cp56Time(0, 0))).toBeNaN();
  });

  test('flags do not change the instant', () => {
    const fields = { milliseconds: 1, minute: 2, hour: 3, day: 4, month: 5, year: 24 };
    expect(
      cp56ToEpochMillis(cp56({ ...fields, invalid: true, substituted: true, summerTime: true, dayOfWeek: 6 })),
    ).toBe(cp56ToEpochMillis(cp56(fields)));
  });

  test('an unknown zone and fields out of range are the caller’s errors', () => {
    expect(() => cp56ToEpochMillis(at(1, 1, 0, 0, false), { zone: 'Europe/Atlantis' })).toThrow(/not a time zone/);
    expect(() => cp56FromEpochMillis(Number.NaN)).toThrow(/no instant|is not an instant/);
    expect(() => at(13, 1, 0, 0, false)).toThrow(/month is 13/);
    expect(() => cp24({ milliseconds: 60_000, minute: 0 })).toThrow(/milliseconds/);
  });
});

describe('CP24Time2a', () => {
  test('is completed with the nearest hour', () => {
    const reference = Date.UTC(2024, 0, 1, 12, 1);
    const convert = (minute: number) => iso(cp24ToEpochMillis(cp24({ milliseconds: 5, minute }), reference));
    expect(convert(0)).toBe('2024-01-01T12:00:00.005Z');
    expect(convert(59)).toBe('2024-01-01T11:59:00.005Z');
    expect(convert(30)).toBe('2024-01-01T12:30:00.005Z');
  });

  test('survives within half an hour of its reference', () => {
    const instant = fc.integer({ min: 0, max: Date.UTC(2069, 0, 1) });
    fc.assert(
      fc.property(instant, fc.integer({ min: -1_790_000, max: 1_790_000 }), (millis, shift) => {
        expect(timeToEpochMillis(cp24FromEpochMillis(millis), millis + shift)).toBe(millis);
      }),
    );
  });
});
