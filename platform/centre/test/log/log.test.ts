import type { Clock } from '@enerchain/model';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Decoded } from '../../src/log/entries.ts';
import { IngestLog, type LogOptions, type LogTrouble } from '../../src/log/log.ts';
import { rawRecords } from '../../src/log/reader.ts';
import type { LogEntry } from '../../src/ports.ts';
import { MemoryFiles } from './memory-files.ts';

class TestClock implements Clock {
  millis = 1_000_000;
  /** By how much the wall clock was set. */
  set = 0;
  now = () => BigInt(this.millis + this.set) * 1_000_000n;
  monotonic = () => this.millis;
}

const decode = (bytes: Uint8Array): Decoded => ({
  source: 'edge',
  content: {
    kind: 'audit',
    record: { action: 'test', actor: 'edge', outcome: 'ok', subject: Buffer.from(bytes).toString() },
  },
});
const record = (text: string) => ({ rejected: [], batch: Buffer.from(text) });
const textOf = ({ content }: LogEntry): string =>
  content.kind === 'audit'
    ? (content.record.subject ?? '')
    : content.kind === 'gap'
      ? `gap ${content.gap.reason}`
      : '?';

const open = (files: MemoryFiles, more: Partial<LogOptions> = {}) =>
  IngestLog.open({ folder: '/log', decode, files, clock: new TestClock(), ...more });

/** Reads until `count` entries have come. */
const take = async (log: IngestLog, from: number, count: number): Promise<LogEntry[]> => {
  const stop = new AbortController();
  const taken: LogEntry[] = [];
  for await (const entries of log.read(from, stop.signal)) {
    taken.push(...entries);
    if (taken.length >= count) stop.abort();
  }
  return taken;
};

describe('the ingest log', () => {
  it('gives every record the next offset and hands them out in order, to every reader at its own pace', async () => {
    const log = await open(new MemoryFiles(), { segmentBytes: 400 });
    const slow = take(log, 0, 50);
    const offsets = await Promise.all(Array.from({ length: 50 }, (_, i) => log.append(record(`r${i}`))));
    expect(offsets).toEqual(Array.from({ length: 50 }, (_, i) => i));
    expect((await slow).map(textOf)).toEqual(offsets.map((i) => `r${i}`));
    expect((await take(log, 47, 3)).map(({ offset }) => offset)).toEqual([47, 48, 49]);
    expect(log.segments.length).toBeGreaterThanOrEqual(1);
  });

  it('gives way between the chunks of a reader that catches up', async () => {
    const files = new MemoryFiles();
    const log = await open(files);
    const large = 'x'.repeat(300 * 1024);
    await Promise.all(Array.from({ length: 8 }, () => log.append(record(large))));
    let turns = 0;
    const turn = () => {
      turns++;
      timer = setImmediate(turn);
    };
    let timer = setImmediate(turn);
    for (const reader of [log, await open(files)]) {
      turns = 0;
      await take(reader, 0, 8);
      expect(turns).toBeGreaterThanOrEqual(6);
    }
    clearImmediate(timer);
  });

  it('makes many appends durable with one sync', async () => {
    const files = new MemoryFiles();
    const log = await open(files);
    await log.append(record('first'));
    const before = files.syncs;
    await Promise.all(Array.from({ length: 1000 }, (_, i) => log.append(record(`r${i}`))));
    expect(files.syncs - before).toBeLessThanOrEqual(2);
  });

  it('keeps what it acknowledged through a power cut and cuts off a torn tail, with a finding', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 30 }), fc.integer({ min: 0, max: 200 }), async (count, torn) => {
        const files = new MemoryFiles();
        const log = await open(files, { segmentBytes: 300 });
        for (let i = 0; i < count; i++) await log.append(record(`record ${i}`));
        files.failingSyncs = 1;
        await expect(log.append(record('never acknowledged, a rather long record'))).rejects.toThrow();
        const cut = files.afterPowerCut(torn);
        const again = await open(cut, { segmentBytes: 300 });
        const { first, next } = again.bounds();
        expect([first, next >= count]).toEqual([0, true]);
        expect((await take(again, 0, count)).slice(0, count).map(textOf)).toEqual(
          Array.from({ length: count }, (_, i) => `record ${i}`),
        );
        expect(await again.append(record('goes on'))).toBe(next);
        expect(textOf((await take(again, next, 1))[0]!)).toBe('goes on');
      }),
      { numRuns: 40 },
    );
  });

  it('finds a record whose octets have changed, says what is missing, and reads on behind it', async () => {
    const files = new MemoryFiles();
    const log = await open(files);
    for (let i = 0; i < 5; i++) await log.append(record(`record ${i}`));
    await log.close();
    const path = '/log/0000000000000000.log';
    const bytes = files.contents.get(path)!;
    bytes[bytes.indexOf('record 2') + 3]! ^= 0x40;
    const again = await open(files);
    expect(again.findings).toMatchObject([{ kind: 'damaged-record', offset: 2 }]);
    expect((await take(again, 0, 5)).map(textOf)).toEqual([
      'record 0',
      'record 1',
      'gap ingestLost',
      'record 3',
      'record 4',
    ]);
    const raw: number[] = [];
    for await (const { offset } of rawRecords(again, 1)) raw.push(offset);
    expect(raw).toEqual([1, 3, 4]);
  });

  it('goes on with the next segment when the rest of one cannot be read', async () => {
    const files = new MemoryFiles();
    const log = await open(files, { segmentBytes: 100 });
    for (let i = 0; i < 12; i++) await log.append(record(`record ${i}`));
    const [first, second] = log.segments;
    await log.close();
    files.contents.get(first!.path)!.fill(0xff, 60);
    const again = await open(files, { segmentBytes: 100 });
    const entries = await take(again, 0, 12 - second!.first + 2);
    expect(entries.some((entry) => textOf(entry) === 'gap ingestLost')).toBe(true);
    expect(entries.slice(-(12 - second!.first)).map(({ offset }) => offset)).toEqual(
      Array.from({ length: 12 - second!.first }, (_, i) => second!.first + i),
    );
  });

  it('drops the oldest segments at its bound, keeps a record of it, and tells the reader that came too late', async () => {
    const files = new MemoryFiles();
    const told: number[] = [];
    const options = {
      segmentBytes: 200,
      retention: { bytes: 700 },
      onDropped: ({ last }: { last: number }) => told.push(last),
    };
    const log = await open(files, options);
    for (let i = 0; i < 60; i++) await log.append(record(`record ${i}`));
    const { first } = log.bounds();
    expect(first).toBeGreaterThan(0);
    expect(told.at(-1)).toBe(first - 1);
    expect(log.size).toBeLessThanOrEqual(900);
    const entries = await take(log, 0, 3);
    expect(entries.map(textOf).slice(0, 2)).toEqual(['gap ingestRetention', `record ${first}`]);
    await log.close();
    const again = await open(files, options);
    expect(again.bounds().first).toBe(first);
    expect(textOf((await take(again, 0, 1))[0]!)).toBe('gap ingestRetention');
  });

  it('lets old segments go only when registered consumers have read them', async () => {
    const clock = new TestClock();
    const log = await open(new MemoryFiles(), { clock, segmentBytes: 100, retention: { ageMillis: 1000 } });
    for (let i = 0; i < 10; i++) await log.append(record(`record ${i}`));
    log.hold('historian', 0);
    clock.millis += 5000;
    await log.retain();
    expect(log.bounds().first).toBe(0);
    log.hold('historian', 10);
    await log.retain();
    expect(log.bounds().first).toBeGreaterThan(0);
    expect(log.segments).toHaveLength(1);
  });

  it('does not take a clock that jumps a year, ahead or back, for age', async () => {
    const clock = new TestClock();
    const year = 366 * 86_400_000;
    clock.millis = 60 * year;
    const options = { clock, segmentBytes: 100, retention: { ageMillis: year / 2 } };
    const files = new MemoryFiles();
    const log = await open(files, options);
    for (const set of [0, year, 0, -year, 0]) {
      clock.set = set;
      for (let i = 0; i < 5; i++) await log.append(record(`record ${i}`));
      await log.retain();
    }
    expect(log.bounds().first).toBe(0);
    clock.millis += year;
    await log.retain();
    expect(log.bounds().first).toBeGreaterThan(0);
    await log.close();
  });

  it('refuses everything while the disk is full, says so once, and goes on when there is room', async () => {
    const files = new MemoryFiles();
    const clock = new TestClock();
    const troubles: LogTrouble[] = [];
    const log = await open(files, { clock, onTrouble: (trouble) => troubles.push(trouble) });
    await log.append(record('kept'));
    files.room = 30;
    const results = await Promise.allSettled([log.append(record('a')), log.append(record('b'))]);
    expect(results.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    await expect(log.append(record('c'))).rejects.toMatchObject({ code: 'centre.log.failed' });
    clock.millis += 2000;
    files.room = 10;
    await expect(log.append(record('d'))).rejects.toMatchObject({ code: 'centre.log.full', fault: 'environment' });
    clock.millis += 2000;
    files.room = 1000;
    expect(await log.append(record('e'))).toBe(1);
    expect(troubles.map(({ kind }) => kind)).toEqual(['failed', 'recovered']);
    expect((await take(log, 0, 2)).map(textOf)).toEqual(['kept', 'e']);
    await log.close();
    expect((await take(await open(files), 0, 2)).map(textOf)).toEqual(['kept', 'e']);
  });

  it('does not believe a file whose sync failed and goes on in a new one', async () => {
    const files = new MemoryFiles();
    const clock = new TestClock();
    const log = await open(files, { clock });
    await log.append(record('kept'));
    const { generation } = log;
    files.failingSyncs = 1;
    await expect(log.append(record('lost'))).rejects.toMatchObject({ code: 'centre.log.failed' });
    expect(log.generation).toBe(generation + 1);
    clock.millis += 2000;
    await expect(log.append(record('of an older world'), undefined, generation)).rejects.toThrow();
    await log.append(record('new'));
    expect(log.segments).toHaveLength(2);
    expect((await take(log, 0, 2)).map(textOf)).toEqual(['kept', 'new']);
  });

  it('hands a reader that is far behind everything, without holding it in memory', async () => {
    const log = await open(new MemoryFiles(), { segmentBytes: 4 * 1024 * 1024 });
    const filler = 'x'.repeat(100_000);
    for (let i = 0; i < 300; i++) await log.append(record(`${i} ${filler}`));
    const stop = new AbortController();
    let expected = 0;
    for await (const entries of log.read(0, stop.signal)) {
      expect(entries.reduce((sum, entry) => sum + textOf(entry).length, 0)).toBeLessThan(1_300_000);
      for (const entry of entries) expect(textOf(entry).split(' ')[0]).toBe(String(expected++));
      if (expected === 300) stop.abort();
    }
    expect(expected).toBe(300);
  });
});
