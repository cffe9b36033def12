/** Values of IEC 61850 on their way to observations: quality and time without loss, one value by several ways, polling. */
import type { Data, UtcTime } from '@enerchain/mms';
import { MmsRefusal, serviceErrorOf } from '@enerchain/mms';
import { type After, fromQualityObject, QUALITY, TIME_QUALITY, toQualityObject, type Value } from '@enerchain/model';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { DeviceWatch } from '../src/connectors/iec61850/device-watch.ts';
import {
  addNews,
  type News,
  planOf,
  qualityOf,
  REQUESTED,
  SPONTANEOUS,
  timeOf,
} from '../src/connectors/iec61850/mapping.ts';
import { Observed, type Way } from '../src/connectors/iec61850/observed.ts';
import { Poller, type PollItem } from '../src/connectors/iec61850/polling.ts';
import { FakeIntake } from './fake-intake.ts';
import { bound, silent } from './helpers.ts';

describe('quality and time', () => {
  test('each of the thirteen bits has its place, and words that give it back', () => {
    const bytes = (bits: number): Uint8Array => Uint8Array.of((bits >> 5) & 0xff, (bits << 3) & 0xff);
    const seen = new Set<number>();
    for (let bits = 0; bits < 1 << 13; bits++) {
      const quality = qualityOf({ length: 13, bytes: bytes(bits) });
      seen.add(quality);
      expect(fromQualityObject(toQualityObject(quality))).toBe(quality);
    }
    expect(seen.size).toBe(1 << 13);
    const only = (bit: number): number => qualityOf({ length: 13, bytes: bytes(1 << (12 - bit)) });
    expect(only(1)).toBe(QUALITY.invalid);
    expect(only(0)).toBe(0b10);
    expect([2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12].map(only)).toEqual([
      QUALITY.overflow,
      QUALITY.outOfRange,
      QUALITY.badReference,
      QUALITY.oscillatory,
      QUALITY.failure,
      QUALITY.oldData,
      QUALITY.inconsistent,
      QUALITY.inaccurate,
      QUALITY.substituted,
      QUALITY.test,
      QUALITY.operatorBlocked,
    ]);
  });

  test('a time can be had back to its last fraction, with every flag and its accuracy', () => {
    const whole = fc.integer({ min: 0, max: 0xffff_ffff });
    const fraction = fc.integer({ min: 0, max: 0xff_ffff });
    fc.assert(
      fc.property(whole, fraction, fc.integer({ min: 0, max: 0xff }), (seconds, part, quality) => {
        fc.pre(seconds !== 0 || part !== 0);
        const of = timeOf({ seconds, fraction: part, quality })!;
        const nanos = of.time % 1_000_000_000n;
        const back: UtcTime = {
          seconds: Number(of.time / 1_000_000_000n),
          fraction: Number((nanos * 0x100_0000n) / 1_000_000_000n),
          quality: of.quality,
        };
        expect(back).toEqual({ seconds, fraction: part, quality });
      }),
    );
    expect(TIME_QUALITY.leapSecondsKnown | TIME_QUALITY.clockFailure | TIME_QUALITY.clockNotSynchronized).toBe(0xe0);
  });

  test('elements of arrays have their places; endless ones are not believed', () => {
    const float = { kind: 'float', value: { format: 32, exponent: 8 } } as const;
    const array = (count: number) => ({ kind: 'array', value: { packed: false, count, element: float } }) as const;
    expect(planOf(array(2), 'A/B1.H.har', (at) => ({ object: 'A/B1.H', part: at }))).toEqual([
      { object: 'A/B1.H', part: 'A/B1.H.har(0)' },
      { object: 'A/B1.H', part: 'A/B1.H.har(1)' },
    ]);
    expect(() => planOf(array(0x7fff_ffff), 'A/B1.H.har', () => undefined)).toThrow(/an array of 2147483647/);
  });
});

/** An object with one value `stVal`, and what is told of it. */
function observed(deadband = 0, kind: 'discrete' | 'analog' = 'discrete') {
  const told: { value: Value; quality: number; at: bigint; cause: number }[] = [];
  const clock = { now: 0 };
  const all = new Observed({
    emit: (_bound, value, quality, at, _timeQuality, _receive, cause) => void told.push({ value, quality, at, cause }),
    stamped: () => {},
    malformed: (text) => expect.unreachable(text),
    monotonic: () => clock.now,
    refresh: 600_000,
  });
  const point = bound(0);
  all.add({ ...point, point: { ...point.point, kind } }, 'A/B1.Pos', 'stVal', deadband);
  const object = all.objects.get('A/B1.Pos')!;
  const take = (
    way: Way,
    value: number,
    seconds?: number,
    cause = way === 'poll' ? REQUESTED : SPONTANEOUS,
    at?: number,
  ) => {
    const news: News = { values: new Map([['stVal', { kind: 'float', value } as Data]]), cause };
    if (seconds !== undefined) news.t = { seconds, fraction: 0, quality: 0 };
    all.take(
      way,
      'A/B1.Pos',
      news,
      99n,
      at === undefined ? undefined : { time: BigInt(at) * 1_000_000_000n, quality: 0 },
    );
  };
  return { told, clock, all, object, take, values: () => told.map(({ value }) => value) };
}

describe('one value by several ways', () => {
  test('the faster one wins, whichever it is, and the other one’s word for the same change is dropped', () => {
    const { take, object, values, all } = observed();
    object.shared = true;
    take('goose', 2, 10);
    take('report', 2, 10);
    take('report', 1, 11);
    take('goose', 1, 11);
    expect(values()).toEqual([2, 1]);
    expect(all.counters.duplicates).toBe(2);
  });

  test('several changes that a slower way brings later are recognised, one by one', () => {
    const { take, object, values } = observed();
    object.shared = true;
    for (const [value, at] of [
      [1, 10],
      [2, 11],
      [1, 12],
    ] as const)
      take('goose', value, at);
    for (const [value, at] of [
      [1, 10],
      [2, 11],
      [1, 12],
    ] as const)
      take('report', value, at);
    expect(values()).toEqual([1, 2, 1]);
  });

  test('what the faster way has missed is told when the slower one brings it', () => {
    const { take, object, values } = observed();
    object.shared = true;
    take('goose', 1, 10);
    take('goose', 1, 14);
    take('report', 1, 10);
    take('report', 2, 12);
    take('report', 1, 14);
    expect(values()).toEqual([1, 1, 2]);
  });

  test('a frame without times of the values is recognised by the time of its change', () => {
    const { take, object, values, told } = observed();
    object.shared = true;
    take('goose', 2, undefined, SPONTANEOUS, 10);
    take('report', 2, 11);
    // Much later, the same value: another change, of which the frame was lost.
    take('report', 2, 20);
    expect(values()).toEqual([2, 2]);
    expect(told[0]!.at).toBe(10_000_000_000n);
  });

  test('a change that is reported as an update as well is one', () => {
    const { take, values } = observed();
    take('report', 1, 10);
    take('report', 1, 10);
    take('report', 1, 11);
    expect(values()).toEqual([1, 1]);
  });

  test('what was asked for is always told', () => {
    const { take, object, values } = observed();
    object.shared = true;
    take('goose', 2, 10);
    take('report', 2, 10, 3);
    expect(values()).toEqual([2, 2]);
  });
});

describe('what is polled', () => {
  test('is told when it differs by more than the deadband, when its quality does, and now and then', () => {
    const { take, clock, values, all } = observed(0.5, 'analog');
    take('poll', 10, 1);
    take('poll', 10.4, 2);
    take('poll', 10.6, 3);
    expect(values()).toEqual([10, 10.6]);
    clock.now += 600_000;
    take('poll', 10.6, 3);
    expect(values()).toHaveLength(3);
    expect(all.counters.unchanged).toBe(1);
  });

  test('a state that came and went between two readings is seen by its time', () => {
    const { take, values } = observed();
    take('poll', 1, 5);
    take('poll', 1, 5);
    take('poll', 1, 8);
    expect(values()).toEqual([1, 1]);
  });

  test('is marked as old when it cannot be read, once, and good again when it can', () => {
    const { take, all, told } = observed();
    take('poll', 1, 5);
    all.outdate('A/B1.Pos', 50n, false);
    all.outdate('A/B1.Pos', 51n, false);
    take('poll', 1, 5);
    expect(told.map(({ value, quality }) => [value, quality])).toEqual([
      [1, QUALITY.good],
      [1, QUALITY.questionable | QUALITY.oldData],
      [1, QUALITY.good],
    ]);
  });
});

/** Virtual time. */
function clockwork() {
  let now = 0;
  const due: { at: number; action: () => void }[] = [];
  const after: After = (milliseconds, action) => {
    const entry = { at: now + milliseconds, action };
    due.push(entry);
    return () => void due.splice(due.indexOf(entry), due.includes(entry) ? 1 : 0);
  };
  return {
    after,
    monotonic: () => now,
    pass: (milliseconds: number) => {
      now += milliseconds;
    },
    /** Runs everything up to a time, with what follows from it. */
    async run(until: number) {
      for (;;) {
        const next = due.sort((a, b) => a.at - b.at)[0];
        if (!next || next.at > until) break;
        due.shift();
        now = Math.max(now, next.at);
        next.action();
        for (let turn = 0; turn < 10; turn++) await Promise.resolve();
      }
      now = Math.max(now, until);
    },
  };
}

describe('polling', () => {
  const items = (count: number, setting = false): PollItem[] =>
    Array.from({ length: count }, (_, n) => ({ reference: `A/${setting ? 'S' : 'V'}${n}.D`, fc: 'ST', setting }));
  const value: Data = { kind: 'boolean', value: true };

  function poller(options: Partial<ConstructorParameters<typeof Poller>[0]> = {}) {
    const time = clockwork();
    const reads: { at: number; of: string[] }[] = [];
    const rounds: number[] = [];
    const failed: string[] = [];
    const one = new Poller({
      read: async (group) => {
        reads.push({ at: time.monotonic(), of: group.map(({ reference }) => reference) });
        return group.map(() => value);
      },
      take: () => {},
      failed: ({ reference }, _error, gone) => void failed.push(gone ? `${reference} gone` : reference),
      onRound: (took) => void rounds.push(took),
      after: time.after,
      monotonic: time.monotonic,
      interval: 10_000,
      settingsInterval: 3_600_000,
      readsPerSecond: 2,
      ...options,
    });
    return { one, time, reads, rounds, failed };
  }

  test('reads in groups, no faster than allowed, each round when it is due', async () => {
    const { one, time, reads, rounds } = poller();
    one.start(items(50));
    await time.run(12_000);
    expect(reads.map(({ at, of }) => [at, of.length])).toEqual([
      [0, 20],
      [500, 20],
      [1000, 10],
      [10_000, 20],
      [10_500, 20],
      [11_000, 10],
    ]);
    expect(rounds).toEqual([1000, 1000]);
  });

  test('settings are read seldom, and have their turn beside values that never end', async () => {
    const { one, time, reads } = poller({ interval: 100 });
    one.start([...items(5), ...items(45, true)]);
    await time.run(5_000);
    const settings = reads.flatMap(({ of }) => of).filter((reference) => reference.startsWith('A/S'));
    expect(settings).toHaveLength(45);
    expect(new Set(settings).size).toBe(45);
  });

  test('a device that refuses large requests gets smaller ones', async () => {
    const refuse = new MmsRefusal({ error: serviceErrorOf('resource', 'other') });
    const sizes: number[] = [];
    const { one, time, failed, rounds } = poller({
      read: async (group) => {
        sizes.push(group.length);
        if (group.length > 6) throw refuse;
        return group.map(() => value);
      },
    });
    one.start(items(20));
    await time.run(9_000);
    expect(sizes).toEqual([20, 10, 5, 5, 5, 5]);
    expect(failed).toEqual([]);
    expect(rounds).toHaveLength(1);
  });

  test('a device that does not answer is asked once at a time, and what it does not say is old', async () => {
    const { one, time, failed, rounds } = poller({
      read: async () => {
        time.pass(10_000);
        throw new Error('no answer');
      },
    });
    one.start(items(40));
    await time.run(19_999);
    expect(failed).toHaveLength(40);
    expect(rounds).toEqual([20_000]);
    expect(one.counters.late).toBe(1);
  });

  test('a slow device is told of once, and when it is quick again no more', () => {
    const intake = new FakeIntake();
    const watch = new DeviceWatch({ intake, logger: silent });
    for (const took of [5_000, 25_000, 30_000]) watch.round(took, 10);
    expect(intake.events).toEqual([
      {
        kind: 'configuration',
        detail: 'it is slow: reading everything takes 25.0 s instead of 10 s',
        code: 'edge.iec61850.slow',
      },
    ]);
    expect(watch.detail).toContain('takes 30.0 s');
    watch.round(9_000, 10);
    expect(watch.detail).toBeUndefined();
  });

  test('quality and time that came with a value go with it', () => {
    const news = new Map<string, News>();
    const structure: Data = {
      kind: 'structure',
      value: [value, { kind: 'bitString', value: { length: 13, bytes: Uint8Array.of(0, 8) } }],
    };
    const sink = (part: string) => ({ object: 'A/B1.Pos', part });
    addNews(news, [sink('stVal'), sink('q')], structure, SPONTANEOUS);
    expect(qualityOf(news.get('A/B1.Pos')!.q!)).toBe(QUALITY.operatorBlocked);
  });
});
