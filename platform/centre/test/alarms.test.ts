import type { Point } from '@enerchain/model';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AlarmBook } from '../src/alarms/book.ts';
import { leftNormal, limitsAfter, quantity, word } from '../src/alarms/conditions.ts';
import { type ALARM_STATES, type AlarmInput, conditionStands, nextAlarmState } from '../src/alarms/machine.ts';
import { T0 } from './doubles.ts';

const inputs = fc.array(fc.constantFrom<AlarmInput>('raise', 'return', 'acknowledge'));

describe('the alarm states of ISA-18.2', () => {
  it.each([
    ['normal', 'raise', 'unacknowledged'],
    ['unacknowledged', 'acknowledge', 'acknowledged'],
    ['unacknowledged', 'return', 'returnedUnacknowledged'],
    ['acknowledged', 'return', 'normal'],
    ['returnedUnacknowledged', 'acknowledge', 'normal'],
    ['returnedUnacknowledged', 'raise', 'unacknowledged'],
    ['normal', 'acknowledge', 'normal'],
    ['normal', 'return', 'normal'],
    ['acknowledged', 'raise', 'acknowledged'],
    ['acknowledged', 'worsen', 'unacknowledged'],
  ] as const)('%s with %s becomes %s', (state, input, next) => {
    expect(nextAlarmState(state, input)).toBe(next);
  });

  it('never forgets an alarm that nobody has acknowledged', () => {
    fc.assert(
      fc.property(inputs, (sequence) => {
        let state: (typeof ALARM_STATES)[number] = 'normal';
        let owed = false;
        let stands = false;
        for (const input of sequence) {
          if (input === 'raise') {
            if (!stands) owed = true;
            stands = true;
          }
          if (input === 'return') stands = false;
          if (input === 'acknowledge') owed = false;
          state = nextAlarmState(state, input);
          expect(conditionStands(state)).toBe(stands);
          expect(state === 'unacknowledged' || state === 'returnedUnacknowledged').toBe(owed);
        }
      }),
    );
  });
});

describe('the book of standing alarms', () => {
  const text = { key: 'k', priority: 1 as const, message: 'Too hot.' };

  it('changes the text of a standing alarm, not its number', () => {
    const book = new AlarmBook();
    expect(book.raise(text, T0, 7)).toMatchObject({ id: 7, state: 'unacknowledged' });
    expect(book.raise({ ...text, message: 'Hotter.' }, T0 + 1n, 8)).toMatchObject({ id: 7, message: 'Hotter.' });
    expect(book.raise({ ...text, message: 'Hotter.' }, T0 + 2n, 9)).toBeUndefined();
    expect(book.standing()).toHaveLength(1);
  });

  it('gives a condition that comes again after normal a new number', () => {
    const book = new AlarmBook();
    book.raise(text, T0, 1);
    book.acknowledge(1, 'anna', T0, 'seen');
    expect(book.clear('k', T0 + 1n)).toMatchObject({ state: 'normal', acknowledgedBy: 'anna', comment: 'seen' });
    expect(book.size).toBe(0);
    expect(book.raise(text, T0 + 2n, 5)).toMatchObject({ id: 5, state: 'unacknowledged' });
    expect(book.byId(5)?.acknowledgedBy).toBeUndefined();
  });
});

describe('limits', () => {
  const limits = [
    { kind: 'high' as const, value: 100, priority: 2, hysteresis: 5 },
    { kind: 'low' as const, value: 10, priority: 3, hysteresis: 2 },
  ];

  it('stands until the value has come back by the hysteresis', () => {
    const trace = [100, 101, 99, 95.1, 95, 10, 9, 11, 12];
    let bits = 0;
    const seen = trace.map((value) => {
      bits = limitsAfter(limits, bits, value);
      return bits;
    });
    expect(seen).toEqual([0, 1, 1, 1, 0, 0, 2, 2, 0]);
  });

  it('says the same for the same value once the value is beyond hysteresis on either side', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 3 }), fc.double({ noNaN: true, min: -1e6, max: 1e6 }), (before, value) => {
        const after = limitsAfter(limits, before, value);
        expect(limitsAfter(limits, after, value)).toBe(after);
        if (value > 100) expect(after & 1).toBe(1);
        if (value <= 95) expect(after & 1).toBe(0);
      }),
    );
  });

  it('does not take a double point on its way for one that left its normal value', () => {
    const breaker = { mRID: 'x', name: 'CB', kind: 'discrete', cdc: 'DPS', normalValue: 2 } as Point;
    expect([0, 1, 2, 3].map((value) => leftNormal(breaker, value))).toEqual([undefined, true, false, true]);
  });
});

describe('values in words', () => {
  it('speaks of states by their alias, else by their class, and of numbers with their unit', () => {
    expect(word({ valueAliases: { '2': 'closed' } } as unknown as Point, 2)).toBe('closed');
    expect(word({ cdc: 'DPS' } as Point, 1)).toBe('off');
    expect(word({ cdc: 'SPS' } as Point, 1)).toBe('on');
    expect(word({} as Point, null)).toBe('without a value');
    expect(quantity({ unitSymbol: 'A' }, 123.456)).toBe('123.5 A');
    expect(quantity({ unitSymbol: 'W', unitMultiplier: 'M' }, 5)).toBe('5 MW');
    expect(quantity({ unitSymbol: 'degC' }, 80)).toBe('80 °C');
  });
});
