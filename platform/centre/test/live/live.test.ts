import type { Column } from '@enerchain/link';
import { CAUSES, type Cause, newMrid, QUALITY, TIME_QUALITY } from '@enerchain/model';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { LiveTable } from '../../src/live/live.ts';
import { readSnapshot, writeSnapshot } from '../../src/live/snapshot.ts';
import type { LogEntry, PointDirectory, PointInfo } from '../../src/ports.ts';
import { MemoryFiles } from '../log/memory-files.ts';

const SECOND = 1_000_000_000n;
const NOW = 1_800_000_000n * SECOND;
const DAY = 86_400n * SECOND;

describe('live state', () => {
  const point = newMrid();
  let live: LiveTable;
  let now = NOW;
  const clock = { now: () => now, monotonic: () => Number(now / 1_000_000n) };
  const points = {
    get: (mRID: string) => (mRID === point ? ({ staleAfter: 30 } as PointInfo) : undefined),
  } as unknown as PointDirectory;
  const newTable = () => new LiveTable({ points, clock });

  beforeEach(() => {
    vi.useFakeTimers();
    now = NOW;
    live = newTable();
  });
  afterEach(() => {
    live.close();
    vi.useRealTimers();
  });

  interface Given {
    readonly value: number;
    readonly at?: bigint;
    readonly received?: bigint;
    readonly cause?: Cause;
    readonly timeQuality?: number;
  }
  let offset = 0;
  const entry = (...given: Given[]): LogEntry => {
    const column: Column = {
      point,
      sourceTime: BigInt64Array.from(given, ({ at = now }) => at),
      receiveTime: BigInt64Array.from(given, ({ at = now, received = at }) => received),
      value: Float64Array.from(given, ({ value }) => value),
      quality: new Uint16Array(given.length),
      timeQuality: Uint16Array.from(given, ({ timeQuality = 0 }) => timeQuality),
      cause: Uint8Array.from(given, ({ cause = 'spontaneous' }) => CAUSES.indexOf(cause)),
    };
    return {
      offset: offset++,
      at: now,
      source: 'edge',
      content: { kind: 'observations', batch: { columns: [column], count: given.length } },
    };
  };
  const value = () => live.get(point)?.value;

  it('shows the newest by source time; a backlog never overwrites it', () => {
    live.apply(
      entry(
        { value: 1, at: NOW - 10n * SECOND },
        { value: 2, at: NOW - 5n * SECOND },
        { value: 3, at: NOW - 7n * SECOND },
      ),
    );
    expect(value()).toBe(2);
    live.apply(entry({ value: 4, at: NOW - 3600n * SECOND }));
    expect(value()).toBe(2);
    expect(live.counters.older).toBe(1);
    live.apply(entry({ value: 5, at: NOW - 5n * SECOND }));
    expect(value()).toBe(5);
  });

  it('is not frozen by a clock that jumped a year ahead, nor by one that jumped back', () => {
    live.apply(entry({ value: 1, at: NOW + 365n * DAY, received: NOW }));
    now += SECOND;
    live.apply(entry({ value: 2, at: now, received: now }));
    expect(value()).toBe(2);
    now += SECOND;
    live.apply(entry({ value: 3, at: now - 365n * DAY, received: now }));
    expect(value()).toBe(3);
    now += SECOND;
    live.apply(entry({ value: 4, at: now + 365n * DAY, received: now + 365n * DAY }));
    now += SECOND;
    live.apply(entry({ value: 5, at: now, received: now }));
    expect(value()).toBe(5);
  });

  it('follows a clock that jumps a moment after it was a little ahead of ours', () => {
    live.apply(entry({ value: 1, at: NOW + SECOND / 10n, received: NOW }));
    now += SECOND / 100n;
    live.apply(entry({ value: 2, at: now + 365n * DAY, received: now }));
    expect(value()).toBe(2);
    now += SECOND / 100n;
    live.apply(entry({ value: 3, at: now - SECOND, received: now }));
    expect(value()).toBe(3);
    live.apply(entry({ value: 4, at: now - 3600n * SECOND, received: now }));
    expect(value()).toBe(3);
  });

  it('is not frozen by a gateway whose clock begins in 1970, with or without time tags of the device', () => {
    live.apply(entry({ value: 1, at: NOW, received: NOW }));
    now += SECOND;
    live.apply(entry({ value: 2, at: now, received: 0n }));
    expect(value()).toBe(2);
    now += SECOND;
    live.apply(entry({ value: 3, at: SECOND, received: SECOND }, { value: 4, at: 2n * SECOND, received: 2n * SECOND }));
    expect(value()).toBe(4);
    now += SECOND;
    live.apply(entry({ value: 5, at: now, received: now }));
    expect(value()).toBe(5);
    // A backlog of a month is still a backlog.
    live.apply(entry({ value: 6, at: now - 30n * DAY, received: now - 30n * DAY }));
    expect(value()).toBe(5);
  });

  it('follows what arrives while the clock of the centre is a year ahead or behind, and afterwards', () => {
    let field = NOW;
    for (const [index, error] of [0n, 366n * DAY, 0n, -366n * DAY, 0n].entries()) {
      field += SECOND;
      now = field + error;
      live.apply(entry({ value: index, at: field, received: field }));
      expect(value()).toBe(index);
    }
  });

  it('orders by receive time what a source with a defective clock says', () => {
    live.apply(entry({ value: 1, at: NOW, received: NOW }));
    now += SECOND;
    live.apply(entry({ value: 2, at: NOW - 60n * SECOND, received: now, timeQuality: TIME_QUALITY.clockFailure }));
    expect(value()).toBe(2);
  });

  it('believes an interrogation, whatever its time tag says, and a late event not', () => {
    live.apply(entry({ value: 1, at: NOW, received: NOW }));
    now += SECOND;
    live.apply(entry({ value: 2, at: NOW - 60n * SECOND, received: now }));
    expect(value()).toBe(1);
    live.apply(entry({ value: 3, at: NOW - 60n * SECOND, received: now, cause: 'interrogation' }));
    expect(value()).toBe(3);
  });

  it('tells a change at once after a quiet time, and then once per interval, however many there are', () => {
    const told: number[] = [];
    live.onChange((changed) => told.push(...changed.map(({ value }) => value as number)));
    live.apply(entry({ value: 1 }));
    vi.advanceTimersByTime(1);
    expect(told).toEqual([1]);
    now += 10_000_000n;
    live.apply(entry({ value: 2 }));
    live.apply(entry({ value: 3 }));
    vi.advanceTimersByTime(39);
    expect(told).toEqual([1]);
    vi.advanceTimersByTime(1);
    expect(told).toEqual([1, 3]);
    vi.advanceTimersByTime(1000);
    expect(told).toEqual([1, 3]);
  });

  it('marks a value as old when its point has been silent too long, and clears it with the next one', () => {
    live.apply(entry({ value: 1 }));
    now += 29n * SECOND;
    live.markStale();
    expect(live.get(point)?.quality).toBe(QUALITY.good);
    now += 2n * SECOND;
    live.markStale();
    expect(live.get(point)?.quality).toBe(QUALITY.questionable | QUALITY.oldData);
    expect(live.counters.stale).toBe(1);
    live.apply(entry({ value: 2 }));
    expect(live.get(point)?.quality).toBe(QUALITY.good);
    expect(live.counters.stale).toBe(0);
  });

  it('comes back from its snapshot as it was, and ignores one of another log', async () => {
    const files = new MemoryFiles();
    live.apply(entry({ value: 1, at: NOW - SECOND }));
    vi.useRealTimers();
    await writeSnapshot(files, '/live', 'a', live);
    const again = newTable();
    expect(await readSnapshot(files, '/live', 'a', again)).toBe(live.next);
    expect([...again.all()]).toEqual([...live.all()]);
    again.apply(entry({ value: 9, at: NOW - 5n * SECOND }));
    expect(again.get(point)?.value).toBe(1);
    const other = newTable();
    expect(await readSnapshot(files, '/live', 'b', other)).toBe(0);
    expect(other.size).toBe(0);
    again.close();
    other.close();
  });
});
