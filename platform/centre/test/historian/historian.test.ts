import { cpSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Column } from '@enerchain/link';
import { newMrid, systemClock } from '@enerchain/model';
import fc from 'fast-check';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Database, openDatabase } from '../../src/database/database.ts';
import { SegmentHistorian } from '../../src/historian/historian.ts';
import { combineQuality, type SampleValue } from '../../src/historian/samples.ts';
import type { Decoded } from '../../src/log/entries.ts';
import { IngestLog } from '../../src/log/log.ts';
import type { HistoryBucket } from '../../src/ports.ts';

const logger = pino({ level: 'silent' });
const SECOND = 1_000_000_000n;

interface Sample {
  readonly point: string;
  readonly time: bigint;
  readonly value: SampleValue;
  readonly quality: number;
  readonly repeat: boolean;
}

/** Batches are JSON in this test: the log does not care. */
const columnsOf = (samples: readonly Sample[]): Column[] => {
  const byPoint = Map.groupBy(samples, ({ point }) => point);
  return [...byPoint].map(([point, list]) => ({
    point,
    sourceTime: BigInt64Array.from(list, ({ time }) => time),
    receiveTime: BigInt64Array.from(list, ({ time }) => time),
    value: list.map(({ value }) => value),
    quality: Uint16Array.from(list, ({ quality }) => quality),
    timeQuality: new Uint16Array(list.length),
    cause: Uint8Array.from(list, ({ repeat }) => (repeat ? 0x80 : 0)),
  }));
};
const encode = (samples: readonly Sample[]): Uint8Array =>
  Buffer.from(JSON.stringify(samples, (_, value) => (typeof value === 'bigint' ? `${value}n` : value)));
const decode = (bytes: Uint8Array): Decoded => {
  const samples = JSON.parse(Buffer.from(bytes).toString('utf8'), (key, value) =>
    key === 'time' ? BigInt(value.slice(0, -1)) : value,
  ) as Sample[];
  return {
    source: 'edge',
    content: { kind: 'observations', batch: { columns: columnsOf(samples), count: samples.length } },
  };
};

/** The history as anyone would write it down: a list. */
class NaiveHistory {
  readonly samples: Sample[] = [];

  of(point: string): Sample[] {
    const sorted = this.samples.filter((sample) => sample.point === point).sort((a, b) => Number(a.time - b.time));
    return sorted.filter((sample, index) => {
      if (!sample.repeat) return true;
      const same = (other: Sample) =>
        other.time === sample.time && Object.is(other.value, sample.value) && other.quality === sample.quality;
      return !sorted.some((other, at) => at !== index && same(other) && (!other.repeat || at < index));
    });
  }

  buckets(point: string, from: bigint, to: bigint, bucket: bigint): HistoryBucket[] {
    const groups = Map.groupBy(
      this.of(point).filter(({ time }) => time >= from && time < to),
      ({ time }) => (time - from) / bucket,
    );
    return [...groups].map(([index, list]) => {
      const numbers = list
        .filter(({ value, quality }) => typeof value === 'number' && (quality & 3) !== 1)
        .map(({ value }) => value as number);
      const some = numbers.length > 0;
      const last = list.at(-1)!.value;
      return {
        start: from + index * bucket,
        count: list.length,
        min: some ? Math.min(...numbers) : null,
        max: some ? Math.max(...numbers) : null,
        mean: some ? numbers.reduce((a, b) => a + b, 0) / numbers.length : null,
        last: typeof last === 'number' ? last : null,
        quality: list.map(({ quality }) => quality).reduce(combineQuality),
      };
    });
  }
}

const close = (buckets: readonly HistoryBucket[]) =>
  buckets.map((bucket) => ({ ...bucket, mean: bucket.mean === null ? null : Math.round(bucket.mean * 1e6) / 1e6 }));

describe('the historian', () => {
  let folder: string;
  let database: Database;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'centre-history-'));
    database = await openDatabase({ dataDir: folder, logger, probe: { first: 20, longest: 100 } });
  });
  afterAll(async () => {
    await database.close();
    const { embedded } = database as unknown as { embedded: { home: string } };
    for (const each of [folder, embedded.home]) rmSync(each, { recursive: true, force: true });
  });

  const openLog = () => IngestLog.open({ folder: mkdtempSync(join(folder, 'log-')), decode });
  const limits = { samples: 8, dirtyFor: 0, span: 3600n * SECOND };
  const start = (log: IngestLog, more: object = {}) => {
    const historian = new SegmentHistorian({ log, database, logger, clock: systemClock, limits, interval: 1, ...more });
    historian.start();
    return historian;
  };
  const applied = async (historian: SegmentHistorian, log: IngestLog) => {
    while (historian.next < log.bounds().next) await new Promise((resolve) => setTimeout(resolve, 1));
  };

  it('answers like a plain list, whatever order samples come in and wherever it is restarted', async () => {
    const quality = fc.constantFrom(0, 0, 0, 1, 3 | 0x80, 3 | 0x100, 0x400);
    const value = fc.oneof(
      { weight: 10, arbitrary: fc.integer({ min: -1000, max: 1000 }).map((n) => n / 8) },
      { weight: 1, arbitrary: fc.constantFrom<SampleValue>(null, 'text', '') },
    );
    const sample = fc.record({
      which: fc.integer({ min: 0, max: 2 }),
      seconds: fc.integer({ min: 0, max: 120 }),
      value,
      quality,
      repeat: fc.boolean(),
    });
    const step = fc.oneof(
      {
        weight: 8,
        arbitrary: fc.record({
          kind: fc.constant('batch'),
          samples: fc.array(sample, { minLength: 1, maxLength: 12 }),
        }),
      },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant('pause') }) },
      { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom('crash', 'restart') }) },
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 1, maxLength: 30 }),
        fc.integer({ min: 1, max: 60 }),
        async (steps, width) => {
          const log = await openLog();
          const points = [newMrid(), newMrid(), newMrid()];
          const naive = new NaiveHistory();
          let historian = start(log);
          for (const each of steps) {
            if ('samples' in each) {
              const samples = each.samples.map(({ which, seconds, ...rest }) => ({
                point: points[which]!,
                time: BigInt(seconds) * SECOND,
                ...rest,
              }));
              naive.samples.push(...columnOrder(samples));
              await log.append({ rejected: [], batch: encode(samples) });
            } else if (each.kind === 'pause') {
              await applied(historian, log);
            } else {
              await (each.kind === 'crash' ? historian.abandon() : historian.close());
              historian = start(log);
            }
          }
          await applied(historian, log);
          for (const point of points) {
            const expected = naive.of(point);
            const [from, to] = [10n * SECOND, 100n * SECOND];
            const all = await historian.range({ point, from: 0n, to: 121n * SECOND });
            expect([...all.time]).toEqual(expected.map(({ time }) => time));
            expect(all.value).toEqual(expected.map(({ value }) => value));
            expect([...all.quality]).toEqual(expected.map(({ quality }) => quality));
            const some = await historian.range({ point, from, to, limit: 7 });
            const inRange = expected.filter(({ time }) => time >= from && time < to);
            expect(some.value).toEqual(inRange.slice(0, some.time.length).map(({ value }) => value));
            expect(some.truncated).toBe(inRange.length > some.time.length);
            if (some.truncated) expect(some.time.length).toBe(7);
            const buckets = await historian.resample({ point, from, to, bucket: BigInt(width) * SECOND });
            expect(close(buckets)).toEqual(close(naive.buckets(point, from, to, BigInt(width) * SECOND)));
            for (const at of [0n, 57n * SECOND, 200n * SECOND]) {
              const last = expected.findLast(({ time }) => time <= at);
              const found = await historian.lastBefore(point, at);
              expect(found).toEqual(last && { time: last.time, value: last.value, quality: last.quality });
            }
          }
          await historian.abandon();
          await log.close();
        },
      ),
      { numRuns: 30 },
    );
  });

  it('is late and not lossy while the database is away, and says so plainly', async () => {
    const log = await openLog();
    const point = newMrid();
    const historian = start(log);
    const add = (from: number, count: number) =>
      log.append({
        rejected: [],
        batch: encode(
          Array.from({ length: count }, (_, i) => ({
            point,
            time: BigInt(from + i) * SECOND,
            value: from + i,
            quality: 0,
            repeat: false,
          })),
        ),
      });
    await add(0, 20);
    await applied(historian, log);
    const { embedded } = database as unknown as { embedded: { postmasterPid: number } };
    process.kill(embedded.postmasterPid, 'SIGKILL');
    while (database.available) {
      database.query('SELECT 1').catch(() => {});
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    // At once: it is started again while more comes.
    await expect(historian.range({ point, from: 0n, to: 1000n * SECOND })).rejects.toMatchObject({
      code: 'centre.database.away',
    });
    for (let i = 1; i < 20; i++) await add(i * 20, 20);
    await database.whenAvailable(AbortSignal.timeout(60_000));
    await applied(historian, log);
    const { time } = await historian.range({ point, from: 0n, to: 1000n * SECOND });
    expect([...time]).toEqual(Array.from({ length: 400 }, (_, i) => BigInt(i) * SECOND));
    await historian.close();
    await log.close();
  });

  it('keeps its history when the log was put back to an older state, and takes what the log gets then', async () => {
    const at = join(folder, 'log-to-restore');
    const put = async (log: IngestLog, from: number, to: number) => {
      for (let i = from; i < to; i++) {
        const sample = { point, time: BigInt(i) * SECOND, value: i, quality: 0, repeat: false };
        await log.append({ rejected: [], batch: encode([sample]) });
      }
    };
    const point = newMrid();
    let log = await IngestLog.open({ folder: at, decode });
    await put(log, 0, 10);
    await log.close();
    cpSync(at, `${at}-backup`, { recursive: true });
    log = await IngestLog.open({ folder: at, decode });
    await put(log, 10, 30);
    let historian = start(log);
    await applied(historian, log);
    await historian.close();
    await log.close();

    rmSync(at, { recursive: true });
    renameSync(`${at}-backup`, at);
    log = await IngestLog.open({ folder: at, decode });
    historian = start(log);
    await put(log, 30, 60);
    await applied(historian, log);
    await historian.close();
    historian = start(log);
    await applied(historian, log);
    const { value } = await historian.range({ point, from: 0n, to: 100n * SECOND });
    expect(value).toEqual(Array.from({ length: 60 }, (_, i) => i));
    await historian.close();
    await log.close();
  });

  it('seals points at different times, never all at once', async () => {
    const log = await openLog();
    const points = Array.from({ length: 200 }, newMrid);
    // It asks for the time with each record, and when it looks for what is due.
    let asked = 0;
    const monotonic = () => {
      asked++;
      return systemClock.monotonic();
    };
    const historian = start(log, {
      limits: { samples: 100, dirtyFor: 1e9, span: 3600n * SECOND },
      clock: { ...systemClock, monotonic },
    });
    let most = 0;
    let before = 0;
    for (let i = 0; i < 130; i++) {
      await log.append({
        rejected: [],
        batch: encode(
          points.map((point) => ({ point, time: BigInt(i) * SECOND, value: i, quality: 0, repeat: false })),
        ),
      });
      await applied(historian, log);
      // What it found due at its first look is written at its second.
      const looked = asked;
      while (asked < looked + 2) await new Promise((resolve) => setTimeout(resolve, 1));
      most = Math.max(most, historian.counters.sealed - before);
      before = historian.counters.sealed;
    }
    expect(before).toBe(200);
    expect(most).toBeLessThan(60);
    await historian.close();
    await log.close();
  });
});

/** Samples of one record are kept column by column. */
function columnOrder(samples: readonly Sample[]): Sample[] {
  return [...Map.groupBy(samples, ({ point }) => point).values()].flat();
}
