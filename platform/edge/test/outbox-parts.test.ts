/** The parts of the outbox that only decide: no file, no timer. */
import type { ContentKind } from '@enerchain/link';
import { describe, expect, test } from 'vitest';
import { ClockWatch } from '../src/clock-watch.ts';
import { Acknowledged } from '../src/outbox/acknowledged.ts';
import { MemoryBound } from '../src/outbox/memory-bound.ts';
import { type BatchRow, WaitingBatches } from '../src/outbox/waiting.ts';
import { TestClock } from './helpers.ts';

const row = (id: number, epoch: number, sequence: number, kind: ContentKind = 'observations'): BatchRow => {
  return { id, epoch, sequence, kind, size: 100, count: 10, at: id, born: id };
};
/** Epoch 1 with a gap record in its middle, and epoch 2. */
function waiting(): WaitingBatches {
  const batches = new WaitingBatches();
  [row(1, 1, 0), row(2, 1, 1), row(3, 1, 2, 'gap'), row(4, 1, 3), row(5, 2, 0)].forEach((each) => {
    batches.add(each);
  });
  return batches;
}
const numbers = (runs: BatchRow[][]) => runs.map((run) => run.map(({ epoch, sequence }) => `${epoch}/${sequence}`));

describe('batches that wait', () => {
  test('are counted and ranged as they come, are acknowledged and are replaced', () => {
    const batches = waiting();
    expect([batches.count, batches.bytes, batches.oldest?.id]).toEqual([5, 500, 1]);
    expect(batches.remove(1, 0, 1).map(({ id }) => id)).toEqual([1, 2]);
    expect(batches.ranges).toEqual([
      { epoch: 1, first: 2, last: 3 },
      { epoch: 2, first: 0, last: 0 },
    ]);
    batches.add(row(6, 2, 1));
    batches.resize(2, 1, 150);
    expect([batches.count, batches.bytes, batches.ranges[1]]).toEqual([4, 450, { epoch: 2, first: 0, last: 1 }]);
    batches.remove(1, 0, 9);
    expect(batches.ranges).toEqual([{ epoch: 2, first: 0, last: 1 }]);
  });

  test('are given up in runs, the oldest first, but for gap records and what is on its way', () => {
    const batches = waiting();
    expect(numbers(batches.oldestRuns(250, Number.NEGATIVE_INFINITY, () => false))).toEqual([['1/0', '1/1'], ['1/3']]);
    expect(numbers(batches.oldestRuns(0, 3, () => false))).toEqual([['1/0', '1/1']]);
    expect(numbers(batches.oldestRuns(100, Number.NEGATIVE_INFINITY, (_, sequence) => sequence < 1))).toEqual([
      ['1/1'],
    ]);
  });

  test('have holes only as long as something of the epoch waits', () => {
    const batches = waiting();
    batches.addHole(1);
    expect([batches.holed, batches.holes([2, 3])]).toEqual([true, [1, 2]]);
    batches.remove(1, 0, 3);
    expect(batches.holed).toBe(false);
  });
});

test('acknowledged batches stay until as many younger observations are acknowledged', () => {
  const acknowledged = new Acknowledged(20);
  acknowledged.advance(1, 2);
  expect([acknowledged.covers(1, 2), acknowledged.covers(1, 3), acknowledged.covers(2, 0)]).toEqual([
    true,
    false,
    false,
  ]);
  for (const id of [1, 2]) acknowledged.keep(row(id, 1, id));
  expect(acknowledged.expired).toEqual([]);
  acknowledged.keep(row(3, 1, 3));
  expect(acknowledged.expired).toEqual([1]);
  acknowledged.gone(1, () => true);
  expect([acknowledged.expired, acknowledged.kept]).toEqual([[], [2, 3]]);
});

test('full memory refuses until half of it is free, and says what it refused', () => {
  const bound = new MemoryBound(1000);
  const receipt = { release: () => undefined };
  expect([bound.exceededBy(1000, 'outboxFailure', 5n), bound.refuse(6n), bound.hold(receipt)]).toEqual([
    false,
    false,
    false,
  ]);
  expect(bound.exceededBy(1001, 'outboxFailure', 5n)).toBe(true);
  expect(bound.exceededBy(1500, 'connectorOverflow', 6n)).toBe(false);
  expect([bound.refuse(7n), bound.refuse(9n), bound.hold(receipt)]).toEqual([true, true, true]);
  expect(bound.relievedAt(501, 10n)).toBeUndefined();
  expect(bound.relievedAt(500, 10n)).toMatchObject({
    gap: { reason: 'outboxFailure', from: '5', to: '9', lost: 2 },
    holds: [receipt],
  });
  expect([bound.refusing, bound.relievedAt(0, 11n)]).toEqual([false, undefined]);
  bound.exceededBy(2000, 'outboxFailure', 12n);
  expect(bound.relievedAt(0, 13n)?.gap).toBeUndefined();
});

test('a clock that is set is told by how much, one that drifts is followed', () => {
  const clock = new TestClock();
  const watch = new ClockWatch(clock);
  clock.millis += 60_000;
  expect(watch.step()).toBeUndefined();
  for (let i = 0; i < 3; i++) {
    clock.millis += 1_500;
    clock.stepped += 1_500;
    expect(watch.step()).toBeUndefined();
  }
  clock.millis -= 3_600_000;
  clock.stepped -= 3_600_000;
  expect(Math.round((watch.step() ?? 0) / 1000)).toBe(-3600);
});
