import { appendFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { derivedMrid } from '@enerchain/model';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Ledger, type LedgerLine, type LedgerRecord, lastLedgerValue, readLedger } from '../src/rtu/ledger.ts';

const header = { rtu: 'rtu-08', site: 'lab-sued', commonAddress: 108 };
const line = (time: number, value: number): LedgerLine => [time, 499, value, 0, 37];
let folder: string;
const file = (): string => join(folder, 'rtu-08.jsonl');

async function all(): Promise<LedgerRecord[]> {
  const records: LedgerRecord[] = [];
  for await (const record of readLedger(file())) records.push(record);
  return records;
}

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'ledger-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe('the ledger of an RTU', () => {
  test('says endpoint, point, value and time of every event, in order', async () => {
    const ledger = await Ledger.open(file(), header);
    await ledger.append([line(1, 10), line(2, 11)]);
    await ledger.close();
    expect(await all()).toEqual([
      {
        endpoint: 'rtu-08',
        point: derivedMrid('lab-sued', 'rtu-08', 'ca=108 ioa=499'),
        ioa: 499,
        value: 10,
        quality: 0,
        type: 37,
        time: 1,
      },
      expect.objectContaining({ value: 11, time: 2 }),
    ]);
  });

  test('many appends at once share their fsyncs, and each is on the disk when it resolves', async () => {
    const ledger = await Ledger.open(file(), header);
    const before = ledger.counters.syncs;
    await Promise.all(
      Array.from({ length: 200 }, async (_, i) => {
        await ledger.append([line(i, i)]);
        expect(readFileSync(file(), 'utf8')).toContain(JSON.stringify(line(i, i)));
      }),
    );
    expect(ledger.counters.syncs - before).toBeLessThan(20);
    await ledger.close();
    expect((await all()).map((record) => record.value)).toEqual(Array.from({ length: 200 }, (_, i) => i));
  });

  test('a line torn by a kill is cut off, the rest is kept, and the counter goes on', async () => {
    const first = await Ledger.open(file(), header);
    await first.append([line(1, 41), line(2, 42)]);
    await first.close();
    appendFileSync(file(), '[3,499,4');
    const second = await Ledger.open(file(), header);
    expect(lastLedgerValue(file(), 499)).toBe(42);
    await second.append([line(4, 43)]);
    await second.close();
    expect((await all()).map((record) => record.value)).toEqual([41, 42, 43]);
  });

  test('says that it could not be written, so that nothing is sent', async () => {
    const ledger = await Ledger.open(file(), header);
    await ledger.close();
    await expect(ledger.append([line(1, 1)])).rejects.toMatchObject({ fault: 'environment', code: 'lab.ledger.write' });
  });

  test('is bounded: one old file is kept, and both are read', async () => {
    const ledger = await Ledger.open(file(), header, { maxBytes: 500 });
    for (let i = 0; i < 60; i++) await ledger.append([line(i, i)]);
    await ledger.close();
    expect(ledger.counters.rotations).toBeGreaterThan(0);
    const values = (await all()).map((record) => record.value);
    expect(values.at(-1)).toBe(59);
    expect(values).toEqual(Array.from(values, (_, i) => 60 - values.length + i));
  });
});
