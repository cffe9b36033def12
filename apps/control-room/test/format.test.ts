import { QUALITY } from '@enerchain/model/quality';
import { describe, expect, it } from 'vitest';
import { shortNames, withoutCommonWords } from '../src/format/names.ts';
import { bytes, fixed, scaleOf, shown, stateWord, type Units } from '../src/format/number.ts';
import { qualityMarks, qualityWords } from '../src/format/quality.ts';
import { duration, instant, stamp, typedTime } from '../src/format/time.ts';

const power = { kind: 'analog', unitSymbol: 'W', unitMultiplier: 'M' } as const;

describe('numbers', () => {
  it('carry a real minus sign and no negative zero', () => {
    expect(fixed(-0.88, 2)).toBe('−0.88');
    expect(fixed(-0.001, 2)).toBe('0.00');
  });

  it('group thousands from five digits on', () => {
    expect(fixed(9999, 0)).toBe('9999');
    expect(fixed(9281004, 0)).toBe('9\u202f281\u202f004');
  });

  it('keep the digits that matter for their unit', () => {
    expect(shown(power, 24.13)).toEqual({ text: '24.1', unit: 'MW' });
    expect(shown(power, 0.4211)).toEqual({ text: '0.42', unit: 'MW' });
    expect(shown({ ...power, unitSymbol: 'V', unitMultiplier: 'k' }, 20.314)).toEqual({ text: '20.31', unit: 'kV' });
    expect(shown({ ...power, unitSymbol: 'V', unitMultiplier: 'k' }, 112.44)).toEqual({ text: '112.4', unit: 'kV' });
    expect(shown({ kind: 'analog', unitSymbol: 'A' }, 301.4)).toEqual({ text: '301', unit: 'A' });
    expect(shown({ kind: 'analog', unitSymbol: 'Hz' }, 49.9871)).toEqual({ text: '49.987', unit: 'Hz' });
  });

  it('scale once by the limits of the point, not by the value of the moment', () => {
    const watts = {
      kind: 'analog',
      unitSymbol: 'W',
      unitMultiplier: 'none',
      limits: [{ kind: 'high', value: 25e6, priority: 2 }],
    } satisfies Units & { kind: 'analog' };
    expect(shown(watts, 24.1e6)).toEqual({ text: '24.1', unit: 'MW' });
    expect(shown(watts, 800)).toEqual({ text: '0.00', unit: 'MW' });
    expect(scaleOf({ kind: 'analog', unitSymbol: 'W', unitMultiplier: 'k', maximum: 0.004 }).unit).toBe('W');
    expect(scaleOf({ kind: 'analog', unitSymbol: 'W', unitMultiplier: 'k' }, 0.004).unit).toBe('kW');
    expect(scaleOf({ kind: 'analog', unitSymbol: 'none', measurementType: 'StateOfCharge' }, 50).unit).toBe('%');
    expect(scaleOf({ kind: 'analog', unitSymbol: 'degC' }, 90_000).unit).toBe('°C');
  });

  it('say the word for a state', () => {
    const position = { kind: 'discrete', cdc: 'DPS', measurementType: 'SwitchPosition' } as const;
    expect([0, 1, 2, 3].map((value) => stateWord(position, value))).toEqual(['in between', 'open', 'closed', 'faulty']);
    expect(stateWord({ kind: 'discrete', cdc: 'SPS' }, 1)).toBe('on');
    expect(stateWord({ kind: 'discrete', valueAliases: { '0': 'remote' } }, 0)).toBe('remote');
    expect(shown({ kind: 'discrete' }, 9)).toEqual({ text: '9', unit: '' });
  });

  it('show a missing value as a dash', () => {
    expect(shown(power, null)).toEqual({ text: '—', unit: '' });
    expect(shown(power, undefined).text).toBe('—');
  });

  it('count octets in binary steps', () => {
    expect([bytes(900), bytes(9_100), bytes(5 * 2 ** 30)]).toEqual(['900 B', '8.9 KiB', '5.0 GiB']);
  });
});

describe('quality', () => {
  it('gives every mark a sign of its own', () => {
    const all = [
      QUALITY.invalid,
      QUALITY.questionable,
      QUALITY.substituted,
      QUALITY.operatorBlocked,
      QUALITY.test,
      QUALITY.estimated,
      QUALITY.defaulted,
    ].map((quality) =>
      qualityMarks(quality)
        .map((mark) => mark.sign)
        .join(''),
    );
    expect(all).toEqual(['✕', '?', 'S', '▮', 'T', 'E', 'D']);
    expect(qualityMarks(0)).toEqual([]);
  });

  it('speaks in words', () => {
    expect(qualityWords(0)).toBe('good');
    expect(qualityWords(QUALITY.questionable | QUALITY.oldData | QUALITY.substituted)).toBe(
      'questionable: old · substituted',
    );
  });
});

describe('times', () => {
  it('leave out the day when it is today', () => {
    const now = new Date(2026, 10, 23, 14, 7, 32, 482);
    expect(stamp(now, now)).toBe('14:07:32.482');
    expect(stamp(new Date(2026, 10, 22, 1, 2, 3, 4), now)).toBe('2026-11-22 01:02:03.004');
  });
  it('are typed as they are written, and only those that there are', () => {
    expect(typedTime(' 2026-11-27 04:53 ')).toEqual(new Date(2026, 10, 27, 4, 53));
    expect(typedTime('2026-11-27 04:53:10')).toEqual(new Date(2026, 10, 27, 4, 53, 10));
    for (const wrong of ['', '11/27/2026 04:53 AM', '2026-02-30 10:00', '2026-11-27 25:00', '2026-11-27'])
      expect(typedTime(wrong)).toBeUndefined();
  });
  it('read as durations', () => {
    expect([0, 42_000, 420_000, 11_100_000, 187_200_000].map(duration)).toEqual([
      '0 s',
      '42 s',
      '7 min',
      '3 h 05 min',
      '2 d 4 h',
    ]);
  });
  it('are read in both forms that sources write', () => {
    expect(instant('1763899652482000000').toISOString()).toBe('2025-11-23T12:07:32.482Z');
    expect(instant('2025-11-23T12:07:32.482Z').getTime()).toBe(1763899652482);
  });
});

describe('names in a list', () => {
  it('lose the words that all begin with, and never all of them', () => {
    expect(withoutCommonWords(['UW Nord T1 tap', 'UW Nord T1 active power'])).toEqual(['tap', 'active power']);
    expect(withoutCommonWords(['Door', 'Door alarm'])).toEqual(['Door', 'Door alarm']);
    expect(withoutCommonWords(['Only one'])).toEqual(['Only one']);
  });

  it('are short within their device, and speak where a point has only an object reference', () => {
    const point = (mRID: string, endpoint: string, name: string, description?: string) => ({
      mRID,
      endpoint,
      name,
      ...(description ? { description } : {}),
    });
    const names = shortNames([
      point('1', 'rtu', 'Brunnfeld 110 kV E03 Tap command'),
      point('2', 'rtu', 'Brunnfeld 110 kV E03 Current'),
      point('3', 'ied', 'Brunnfeld T2 transformer unit Tap command'),
      point('4', 'ied', 'Brunnfeld T2 transformer unit Load current'),
      point('5', 'ied', 'BRN_T2MON/CCGR1.CECtl control', 'Cooling T2'),
      point('6', 'ied', 'BRN_T2PROT/PTRC1.Str.dirGeneral', 'Trip'),
      point('7', 'ied', 'BRN_T2CTRL/LLN0.Mod'),
    ]);
    expect([...names.values()].sort()).toEqual(
      [
        'Tap command',
        'Current',
        'Tap command',
        'Load current',
        'Cooling T2 · CECtl',
        'Trip · Str.dirGeneral',
        'BRN_T2CTRL/LLN0.Mod',
      ].sort(),
    );
    expect(names.get('5')).toBe('Cooling T2 · CECtl');
  });
});
