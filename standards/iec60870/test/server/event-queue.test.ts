import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EventQueue, type QueueOverflow } from '../../src/server/event-queue.ts';

/** Transmits everything that is ready and returns it. */
function drain<T>(queue: EventQueue<T>): T[] {
  const events: T[] = [];
  for (let entry = queue.take(); entry !== undefined; entry = queue.take()) events.push(entry.event);
  return events;
}

describe('event queue', () => {
  it('keeps an event until it is acknowledged, in exact order', () => {
    const queue = new EventQueue<number>({ capacity: 10 });
    for (let i = 1; i <= 5; i++) expect(queue.offer(i)).toBe(true);
    expect(drain(queue)).toEqual([1, 2, 3, 4, 5]);
    expect(queue.size).toBe(5);
    expect(queue.acknowledge(3)).toEqual([1, 2, 3]);
    expect(queue.size).toBe(2);
  });

  it('resumes with the oldest unacknowledged event after a connection ended', () => {
    const queue = new EventQueue<number>({ capacity: 10 });
    for (let i = 1; i <= 6; i++) queue.offer(i);
    for (let i = 0; i < 4; i++) queue.take();
    queue.acknowledge(2);
    queue.rewind();
    expect(queue.counters).toMatchObject({ rewound: 2, inFlight: 0, waiting: 4 });
    const entry = queue.take();
    expect(entry).toMatchObject({ event: 3, repeated: true });
    expect(drain(queue)).toEqual([4, 5, 6]);
    expect(queue.acknowledge(9)).toEqual([3, 4, 5, 6]);
  });

  it('says no, counts and reports once per episode when it is full', () => {
    const seen: QueueOverflow[] = [];
    const recovered: QueueOverflow[] = [];
    const queue = new EventQueue<number>({
      capacity: 10,
      onOverflow: (o) => seen.push(o),
      onRecovered: (o) => recovered.push(o),
    });
    for (let i = 0; i < 10; i++) expect(queue.offer(i)).toBe(true);
    for (let i = 10; i < 15; i++) expect(queue.offer(i)).toBe(false);
    expect(queue.overflowed).toBe(true);
    expect(seen).toEqual([{ lost: 1, lostTotal: 1, capacity: 10, discard: 'newest' }]);
    drain(queue);
    queue.acknowledge(1);
    expect(recovered).toEqual([{ lost: 5, lostTotal: 5, capacity: 10, discard: 'newest' }]);
    expect(queue.offer(99)).toBe(true);
    expect(queue.counters).toMatchObject({ accepted: 11, lost: 5, overflows: 1 });
  });

  it('encloses the refused events between an on mark and an off mark', () => {
    const queue = new EventQueue<number | string>({ capacity: 3, mark: (on) => (on ? 'on' : 'off') });
    for (let i = 1; i <= 5; i++) queue.offer(i);
    expect(drain(queue)).toEqual([1, 2, 3, 'on']);
    expect(queue.acknowledge(1)).toEqual([1]);
    queue.offer(6);
    expect(drain(queue)).toEqual(['off', 6]);
    expect(queue.acknowledge(5)).toEqual([2, 3, 6]);
    expect(queue.size).toBe(0);
  });

  it('with discard oldest keeps the newest and puts one pair of marks where events are missing', () => {
    const queue = new EventQueue<number | string>({
      capacity: 3,
      discard: 'oldest',
      mark: (on) => (on ? 'on' : 'off'),
    });
    for (let i = 1; i <= 6; i++) expect(queue.offer(i)).toBe(true);
    expect(queue.counters).toMatchObject({ lost: 3, overflows: 1 });
    expect(drain(queue)).toEqual(['on', 'off', 4, 5, 6]);
  });

  it('with discard oldest never drops what is in flight', () => {
    const queue = new EventQueue<number | string>({
      capacity: 2,
      discard: 'oldest',
      mark: (on) => (on ? 'on' : 'off'),
    });
    queue.offer(1);
    queue.offer(2);
    drain(queue);
    expect(queue.offer(3)).toBe(false);
    expect(queue.offer(4)).toBe(false);
    expect(queue.acknowledge(1)).toEqual([1]);
    expect(queue.offer(5)).toBe(true);
    expect(drain(queue)).toEqual(['on', 'off', 5]);
  });

  it('stays bounded with marks when connections keep ending during an overflow', () => {
    const queue = new EventQueue<number | string>({
      capacity: 4,
      discard: 'oldest',
      mark: (on) => (on ? 'on' : 'off'),
    });
    for (let i = 0; i < 1000; i++) {
      queue.offer(i);
      if (i % 3 === 0) queue.take();
      if (i % 7 === 0) queue.rewind();
    }
    queue.rewind();
    expect(queue.ready).toBeLessThan(40);
  });

  it('refuses a capacity that holds nothing', () => {
    expect(() => new EventQueue({ capacity: 0 })).toThrow(/at least 1/);
  });

  it('under any schedule delivers in order, loses only what it counted, and repeats only the rewound window', () => {
    const action = fc.oneof(
      { weight: 6, arbitrary: fc.constant('offer' as const) },
      { weight: 4, arbitrary: fc.constant('take' as const) },
      { weight: 2, arbitrary: fc.constant('acknowledge' as const) },
      { weight: 1, arbitrary: fc.constant('rewind' as const) },
    );
    fc.assert(
      fc.property(
        fc.array(action, { maxLength: 300 }),
        fc.integer({ min: 1, max: 12 }),
        fc.constantFrom('newest' as const, 'oldest' as const),
        (actions, capacity, discard) => {
          const queue = new EventQueue<number>({ capacity, discard });
          let next = 0;
          let refused = 0;
          const acknowledged: number[] = [];
          for (const what of actions) {
            if (what === 'offer') {
              if (!queue.offer(next++)) refused++;
            } else if (what === 'take') queue.take();
            else if (what === 'acknowledge') acknowledged.push(...queue.acknowledge(1));
            else queue.rewind();
            expect(queue.size).toBeLessThanOrEqual(capacity);
          }
          queue.rewind();
          drain(queue);
          acknowledged.push(...queue.acknowledge(capacity));
          expect(acknowledged).toEqual([...new Set(acknowledged)].sort((a, b) => a - b));
          expect(acknowledged.length + queue.counters.lost).toBe(next);
          if (discard === 'newest') expect(refused).toBe(queue.counters.lost);
        },
      ),
    );
  });
});
