import { TIME_QUALITY } from '@enerchain/model';
import { describe, expect, test } from 'vitest';
import { isIdentified, RepeatMemory } from '../src/outbox/repeat-memory.ts';
import { pointOf } from './helpers.ts';

const T = 1.7e18;

describe('a change is a repeat', () => {
  test('when binding, time, value and cause are the same and it came over an earlier connection', () => {
    const memory = new RepeatMemory(16);
    expect(memory.see(1, T, 5, 0)).toBe(false);
    expect(memory.see(1, T, 5, 0)).toBe(false); // the same connection: two changes
    memory.newConnection();
    expect(memory.see(2, T, 5, 0)).toBe(false);
    expect(memory.see(1, T + 1e6, 5, 0)).toBe(false);
    expect(memory.see(1, T, 6, 0)).toBe(false);
    expect(memory.see(1, T, 5, 3)).toBe(false);
    expect(memory.see(1, T, 5, 0)).toBe(true);
    memory.newConnection();
    expect(memory.see(1, T, 5, 0)).toBe(true); // and again
  });

  test('only as long as it is remembered: the memory is bounded and forgets the oldest', () => {
    const memory = new RepeatMemory(1024);
    for (let i = 0; i < 5000; i++) expect(memory.see(i % 7, T + i * 1e6, i % 3, 0)).toBe(false);
    expect(memory.size).toBe(1024);
    memory.newConnection();
    // Looking is remembering too, so each look pushes out one of the oldest.
    for (let i = 4999; i > 4999 - 500; i--) expect(memory.see(i % 7, T + i * 1e6, i % 3, 0)).toBe(true);
    expect(memory.see(3975 % 7, T + 3975e6, 3975 % 3, 0)).toBe(false);
  });

  test('also after its memory was on disk and the points were numbered anew', () => {
    const memory = new RepeatMemory(16);
    for (let i = 0; i < 20; i++) memory.see(i % 4, T + i * 1e6, i / 3, i % 2);
    const saved = memory.save([0, 1, 2, 3].map(pointOf));
    const other = new RepeatMemory(16);
    other.load(saved, (point) => [pointOf(3), pointOf(2), pointOf(1)].indexOf(point) + 10 || undefined);
    other.newConnection();
    expect(other.see(10, T + 19e6, 19 / 3, 1)).toBe(true);
    expect(other.see(12, T + 17e6, 17 / 3, 1)).toBe(true);
    expect(other.see(10, T + 3e6, 1, 1)).toBe(false);
  });

  test('only where the device gave the whole time and trusts its clock', () => {
    expect(isIdentified(31)).toBe(true);
    expect(isIdentified(31 | TIME_QUALITY.summerTime)).toBe(true);
    expect(isIdentified(31 | TIME_QUALITY.receiveTime)).toBe(false);
    expect(isIdentified(31 | TIME_QUALITY.completedHere)).toBe(false);
    expect(isIdentified(31 | TIME_QUALITY.clockFailure)).toBe(false);
  });
});
