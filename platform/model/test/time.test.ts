import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fromIso, fromMillis, MAX_NANOS, toIso, toMillis } from '../src/index.ts';

describe('instants', () => {
  it('survive ISO 8601 to the nanosecond from 1678 to 2262', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 63n) + 1n, max: MAX_NANOS }), (at) => {
        expect(fromIso(toIso(at))).toBe(at);
      }),
    );
  });

  it('survive milliseconds', () => {
    fc.assert(
      fc.property(fc.integer({ min: -1e12, max: 4e12 }), (ms) => {
        expect(toMillis(fromMillis(ms))).toBe(ms);
      }),
    );
  });

  it('read zones and refuse texts without one', () => {
    expect(fromIso('2026-01-01T00:00:00.5+01:00')).toBe(1_767_222_000_500_000_000n);
    expect(() => fromIso('2026-01-01T00:00:00')).toThrow(/zone/);
    expect(() => fromIso('yesterday')).toThrow(RangeError);
  });
});
