import { describe, expect, it } from 'vitest';
import { account, type Gap, type Produced } from './account.ts';

const event = (time: number, value = 1): Produced => ({ endpoint: 'rtu-1', point: 'p', value, time });
const sourceOf = (endpoint: string): string | undefined => (endpoint === 'rtu-1' ? 'edge-a' : undefined);
const gap = (from: number, to: number, more: Partial<Gap> = {}): Gap => ({
  source: 'edge-a',
  reason: 'deviceAway',
  from,
  to,
  ...more,
});

describe('the account of a chaos run', () => {
  it('finds what is stored, what is in a gap, and what is lost', () => {
    const stored = [{ point: 'p', value: 1, time: 10, repeat: false }];
    const result = account([event(10), event(20), event(30)], stored, [gap(15, 25, { endpoint: 'rtu-1' })], sourceOf);
    expect(result).toMatchObject({ produced: 3, stored: 1, inGap: 1, lost: [event(30)] });
  });

  it('does not let a gap of another device or source excuse a loss', () => {
    const gaps = [gap(0, 99, { endpoint: 'rtu-2' }), gap(0, 99, { source: 'edge-b' })];
    expect(account([event(10)], [], gaps, sourceOf).lost).toHaveLength(1);
    expect(account([event(10)], [], [gap(0, 99)], sourceOf).lost).toHaveLength(0);
  });

  it('takes a wrong value for a loss', () => {
    expect(
      account([event(10, 2)], [{ point: 'p', value: 1, time: 10, repeat: false }], [], sourceOf).lost,
    ).toHaveLength(1);
  });

  it('reports a second copy that is not marked', () => {
    const copy = { point: 'p', value: 1, time: 10, repeat: false };
    expect(account([event(10)], [copy, { ...copy, repeat: true }], [], sourceOf)).toMatchObject({
      repeats: 1,
      unmarked: [],
    });
    expect(account([event(10)], [{ ...copy, repeat: true }, copy], [], sourceOf).unmarked).toEqual([]);
    expect(account([event(10)], [copy, copy], [], sourceOf).unmarked).toHaveLength(1);
    expect(account([event(10), event(10)], [copy, copy], [], sourceOf).unmarked).toEqual([]);
  });
});
