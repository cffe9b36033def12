import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeLogEntry, encodeLogEntry, Iec61850Error, type LogEntry, MemoryLog } from '../../src/index.ts';
import { servicesModel } from './services-sample.ts';
import { ANYBODY, bool, float, PAIRS, station } from './support.ts';

const LD = 'PROT1LD';
const LOG = `${LD}/LLN0.EventLog`;
const all = async <T>(entries: AsyncIterable<T>): Promise<T[]> => {
  const list: T[] = [];
  for await (const entry of entries) list.push(entry);
  return list;
};
const plain = ({ time, values }: LogEntry) => [
  time,
  ...values.map(({ reference, data, reasons }) => [
    reference.replace(`${LD}/`, ''),
    [...JSON.stringify(data).matchAll(/"(?:float|boolean)","value":([^}]*)/g)].at(-1)?.[1],
    reasons.join(),
  ]),
];

describe.each(PAIRS)('logs over $name', (pair) => {
  const open = (options = ANYBODY) => station(pair, options, servicesModel());

  test('what changes is logged with its reason; integrity too; the file says into which log', async () => {
    const { server, connect, clock } = open();
    const { logs } = await connect();
    expect(await logs.list(LD)).toEqual([LOG]);
    expect(await logs.info(`${LD}/LLN0.log`)).toMatchObject({
      enabled: true,
      log: LOG,
      dataSet: `${LD}/LLN0.Events`,
      triggers: ['dchg', 'qchg', 'integrity'],
      integrityPeriod: 60_000,
      oldest: undefined,
      newest: undefined,
    });
    const begin = clock.now();
    server.update(`${LD}/GGIO1.Ind1`, { stVal: bool(true) });
    await clock.advance(1_000);
    server.update(`${LD}/GGIO1.Ind1`, {
      stVal: bool(false),
      q: { kind: 'bitString', value: { length: 13, bytes: Uint8Array.of(0x40, 0) } },
    });
    server.update(`${LD}/GGIO1.Ind1`, { stVal: bool(false) });
    server.update(`${LD}/GGIO1.Ind2`, { stVal: bool(true) });
    await clock.advance(59_000);
    const entries = await all(logs.query(LOG));
    expect(entries.map(plain)).toEqual([
      [begin, ['GGIO1$ST$Ind1', 'true', 'dchg']],
      [begin + 1_000, ['GGIO1$ST$Ind1', 'false', 'dchg,qchg']],
      [begin + 60_000, ['GGIO1$ST$Ind1', 'false', 'integrity'], ['MMXU1$MX$TotW', '0', 'integrity']],
    ]);
    const info = await logs.info(`${LD}/LLN0.log`);
    expect(info.oldest).toEqual({ id: entries[0]!.id, time: begin });
    expect(info.newest).toEqual({ id: entries[2]!.id, time: begin + 60_000 });
  });

  test('by time, behind an entry, in pieces, no more than wanted', async () => {
    const { server, connect, clock } = open();
    const { logs } = await connect({
      association: { initiate: { ...small, localDetail: 1_000 } },
    });
    const begin = clock.now();
    for (let i = 0; i < 100; i++) {
      server.update(`${LD}/MMXU1.TotW`, { 'mag.f': float(i + 1) });
      await clock.advance(100);
    }
    const entries = await all(logs.query(LOG));
    expect(entries.map(({ time }) => time)).toEqual(Array.from({ length: 100 }, (_, i) => begin + i * 100));
    const times = async (query: Parameters<typeof logs.query>[1]) =>
      (await all(logs.query(LOG, query))).map(({ time }) => (time - begin) / 100);
    expect(await times({ from: begin + 9_700 })).toEqual([97, 98, 99]);
    expect(await times({ from: begin + 1_050, to: begin + 1_300 })).toEqual([11, 12, 13]);
    expect(await times({ to: begin + 100 })).toEqual([0, 1]);
    expect(await times({ after: entries[97]! })).toEqual([98, 99]);
    expect(await times({ after: entries[10]!, to: begin + 1_200 })).toEqual([11, 12]);
    expect(await times({ limit: 3 })).toEqual([0, 1, 2]);
    expect(await times({ after: entries[99]! })).toEqual([]);
    // One that the log does not have any more: from its time on.
    expect(await times({ after: { id: new Uint8Array(8).fill(7), time: begin + 9_800 } })).toEqual([98, 99]);
  });

  test('the oldest entries give way; what the log has is said', async () => {
    const { server, connect } = open({ ...ANYBODY, log: () => new MemoryLog({ entries: 5, octets: 1 << 20 }, 1) });
    const { logs } = await connect();
    for (let i = 0; i < 20; i++) server.update(`${LD}/MMXU1.TotW`, { 'mag.f': float(i + 1) });
    const entries = await all(logs.query(LOG));
    expect(entries.map((entry) => (plain(entry)[1] as string[])[1])).toEqual(['16', '17', '18', '19', '20']);
    expect((await logs.info(`${LD}/LLN0.log`)).oldest?.id).toEqual(entries[0]!.id);
  });

  test('behind an entry that has been overwritten: all there is, and it is said that some may be missing', async () => {
    const { server, connect, clock } = open({
      ...ANYBODY,
      log: () => new MemoryLog({ entries: 5, octets: 1 << 20 }, 1),
    });
    const { logs } = await connect();
    const told: string[] = [];
    const behind = async (after: LogEntry) => {
      told.length = 0;
      return (await all(logs.query(LOG, { after, onGone: (text) => told.push(text) }))).length;
    };
    for (let i = 0; i < 3; i++) server.update(`${LD}/MMXU1.TotW`, { 'mag.f': float(i + 1) });
    const [first, , last] = await all(logs.query(LOG));
    expect([await behind(first!), told]).toEqual([2, []]);
    await clock.advance(1_000);
    for (let i = 0; i < 5; i++) server.update(`${LD}/MMXU1.TotW`, { 'mag.f': float(i + 10) });
    expect(await behind(last!)).toBe(5);
    expect(told).toEqual([
      `${LOG} does not have entry ${Buffer.from(last!.id).toString('hex')} any more: entries may be missing behind it`,
    ]);
    const [oldest] = await all(logs.query(LOG));
    expect([await behind(oldest!), told]).toEqual([4, []]);
  });

  test('changes within the buffer time of the file are one entry; a second one of the same member begins the next', async () => {
    const { server, connect, clock } = station(
      pair,
      ANYBODY,
      servicesModel(['name="log"', 'name="log" bufTime="200"']),
    );
    const { logs } = await connect();
    const begin = clock.now();
    server.update(`${LD}/GGIO1.Ind1`, { stVal: bool(true) });
    await clock.advance(100);
    server.update(`${LD}/MMXU1.TotW`, { 'mag.f': float(1) });
    expect(await all(logs.query(LOG))).toEqual([]);
    await clock.advance(100);
    server.update(`${LD}/GGIO1.Ind1`, { stVal: bool(false) });
    await clock.advance(50);
    server.update(`${LD}/GGIO1.Ind1`, { stVal: bool(true) });
    await clock.advance(200);
    server.update(`${LD}/GGIO1.Ind1`, { stVal: bool(false) });
    // What waits is not lost when it is disabled.
    await logs.configure(`${LD}/LLN0.log`, { enabled: false });
    expect((await all(logs.query(LOG))).map(plain)).toEqual([
      [begin + 200, ['GGIO1$ST$Ind1', 'true', 'dchg'], ['MMXU1$MX$TotW', '1', 'dchg']],
      [begin + 250, ['GGIO1$ST$Ind1', 'false', 'dchg']],
      [begin + 450, ['GGIO1$ST$Ind1', 'true', 'dchg']],
      [begin + 450, ['GGIO1$ST$Ind1', 'false', 'dchg']],
    ]);
  });

  test('a block is set up while it is disabled; one that has no data set does not log', async () => {
    const { server, connect } = open();
    const client = await connect();
    const { logs } = client;
    const block = `${LD}/LLN0.quiet`;
    await logs.configure(`${LD}/LLN0.log`, { enabled: false });
    await logs.configure(block, { triggers: ['qchg'], enabled: true });
    expect(await logs.info(block)).toMatchObject({ enabled: true, triggers: ['qchg'] });
    server.update(`${LD}/GGIO1.Ind1`, { stVal: bool(true) });
    expect(await all(logs.query(LOG))).toEqual([]);
    await logs.configure(block, { triggers: ['dchg'] });
    expect(await logs.info(block)).toMatchObject({ enabled: true, triggers: ['dchg'] });
    server.update(`${LD}/GGIO1.Ind1`, { stVal: bool(false) });
    expect(await all(logs.query(LOG))).toHaveLength(1);
    await expect(client.write(`${block}.IntgPd`, 'LG', { kind: 'unsigned', value: 1 })).rejects.toMatchObject({
      code: 'access.temporarily-unavailable',
    });
    await expect(
      client.write(`${block}.OldEntr`, 'LG', { kind: 'octetString', value: new Uint8Array(8) }),
    ).rejects.toMatchObject({ code: 'access.access-denied' });
    await logs.configure(block, { enabled: false });
    await client.createDataSet('@Mine', [{ reference: `${LD}/GGIO1.Ind1`, fc: 'ST' }]);
    for (const value of ['@Mine', `${LD}/LLN0$None`])
      await expect(client.write(`${block}.DatSet`, 'LG', { kind: 'visibleString', value })).rejects.toMatchObject({
        code: 'access.value-invalid',
      });
    await expect(
      client.write(`${block}.LogRef`, 'LG', { kind: 'visibleString', value: 'X/Y$Z' }),
    ).rejects.toMatchObject({ code: 'access.value-invalid' });
    await client.write(`${block}.DatSet`, 'LG', { kind: 'visibleString', value: '' });
    await expect(logs.configure(block, { enabled: true })).rejects.toMatchObject({ code: 'access.value-invalid' });
  });

  test('a log is cleared by those who may, all of it or the old part', async () => {
    const { server, connect, clock } = open();
    const { logs } = await connect();
    for (let i = 0; i < 4; i++) {
      server.update(`${LD}/MMXU1.TotW`, { 'mag.f': float(i + 1) });
      await clock.advance(1_000);
    }
    expect(await logs.clear(LOG, clock.now() - 2_000)).toBe(2);
    expect(await all(logs.query(LOG))).toHaveLength(2);
    expect(await logs.clear(LOG)).toBe(2);
    expect(await all(logs.query(LOG))).toEqual([]);
    const shut = (await open({}).connect()).logs;
    await expect(shut.clear(LOG)).rejects.toMatchObject({ code: 'service.access' });
    await expect(shut.configure(`${LD}/LLN0.log`, { enabled: false })).rejects.toMatchObject({
      code: 'access.access-denied',
    });
    expect(await all(shut.query(LOG))).toEqual([]);
    await expect(all(shut.query(`${LD}/LLN0.None`))).rejects.toMatchObject({ code: 'service.access' });
    const blind = (await open({ access: ({ service }) => service !== 'QueryLog' }).connect()).logs;
    await expect(all(blind.query(LOG))).rejects.toMatchObject({ code: 'service.access' });
  });

  test('a client that reads without end gets pieces, and others are served meanwhile', async () => {
    const { server, connect } = open();
    for (let i = 0; i < 3_000; i++) server.update(`${LD}/MMXU1.TotW`, { 'mag.f': float(i + 1) });
    const [greedy, other] = [await connect(), await connect()];
    const journal = { kind: 'domain', value: { domain: LD, item: 'LLN0$EventLog' } } as const;
    const answers = await Promise.all(
      Array.from({ length: 50 }, async () => {
        const { entries, moreFollows } = await greedy.call('readJournal', { journal });
        return [entries.length, moreFollows];
      }),
    );
    expect(answers.every(([count, more]) => (count as number) <= 1_000 && more)).toBe(true);
    expect(await other.logs.info(`${LD}/LLN0.log`)).toMatchObject({ enabled: true });
    // Times without a date, counts below nothing.
    await expect(
      greedy.call('readJournal', { journal, start: { kind: 'time', value: { millis: 1 } } }),
    ).rejects.toMatchObject({ code: 'service.time-resolution' });
    expect(await greedy.call('readJournal', { journal, stop: { kind: 'count', value: -5 } })).toEqual({
      entries: [],
      moreFollows: false,
    });
    expect((await greedy.call('readJournal', { journal, stop: { kind: 'count', value: 7 } })).entries).toHaveLength(7);
  });
});

describe('entries of a log', () => {
  const value = fc.record({
    reference: fc.stringMatching(/^[A-Za-z0-9$/]{1,40}$/).filter((text) => text !== 'ReasonCode'),
    data: fc.oneof(
      fc.boolean().map((own) => ({ kind: 'boolean', value: own }) as const),
      fc.integer().map((own) => ({ kind: 'integer', value: own }) as const),
    ),
    reasons: fc.subarray(['dchg', 'qchg', 'dupd', 'integrity', 'gi'] as const),
  });
  const entry = fc.record({
    id: fc.uint8Array({ maxLength: 8 }),
    time: fc.integer({ min: Date.UTC(1984, 0, 1), max: Date.UTC(2160, 0, 1) }),
    values: fc.array(value, { maxLength: 5 }),
  });

  test('come back as they were', () => {
    fc.assert(
      fc.property(entry, (own) => {
        expect(decodeLogEntry(encodeLogEntry(own))).toEqual(own);
      }),
    );
  });

  test('whatever a device sends is an entry or its own fault', () => {
    const time = fc.record({ millis: fc.nat(), days: fc.option(fc.nat(0xffff), { nil: undefined }) });
    const variable = fc.record({
      tag: fc.oneof(fc.constant('ReasonCode'), fc.string()),
      value: fc.oneof(
        fc.constant({ kind: 'bitString', value: { length: 0, bytes: new Uint8Array(0) } } as const),
        fc.string().map((own) => ({ kind: 'visibleString', value: own }) as const),
      ),
    });
    const form = fc.oneof(
      fc.string().map((own) => ({ kind: 'annotation', value: own }) as const),
      fc
        .option(fc.array(variable), { nil: undefined })
        .map((variables) => ({ kind: 'data', value: variables ? { variables } : {} }) as const),
    );
    fc.assert(
      fc.property(time, form, ({ millis, days }, own) => {
        const content = { time: days === undefined ? { millis } : { millis, days }, form: own };
        try {
          const { values } = decodeLogEntry({ entryId: new Uint8Array(3), origin: new Uint8Array(0), content });
          expect(days).toBeDefined();
          expect(values.every(({ reasons }) => Array.isArray(reasons))).toBe(true);
        } catch (error) {
          expect(error).toBeInstanceOf(Iec61850Error);
          expect(error).toMatchObject({ fault: 'peer' });
        }
      }),
    );
  });

  test('a store in memory keeps its bounds and its order, and finds what it has', () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ time: fc.nat(1_000), size: fc.nat(50) }), { minLength: 1, maxLength: 200 }),
        fc.integer({ min: 1, max: 40 }),
        (given, most) => {
          const log = new MemoryLog({ entries: most, octets: 4_000 }, 7);
          const reference = (index: number) => `${index}`;
          for (const [index, { time, size }] of given.entries())
            log.add(time, [
              { reference: reference(index), data: { kind: 'visibleString', value: 'x'.repeat(size) }, reasons: [] },
            ]);
          const kept = log.read({ kind: 'oldest' }, Number.POSITIVE_INFINITY, 1_000);
          expect(kept.length).toBe(log.length);
          expect(kept.length).toBeLessThanOrEqual(most);
          const first = given.length - kept.length;
          expect(kept.map(({ values }) => values[0]!.reference)).toEqual(kept.map((_, at) => reference(first + at)));
          for (const [at, { id, time }] of kept.entries()) {
            const behind = log.read({ kind: 'entry', id, time, itself: false }, Number.POSITIVE_INFINITY, 1_000);
            expect(behind).toEqual(kept.slice(at + 1));
          }
          const late = log.read({ kind: 'time', time: 500 }, 800, 1_000);
          expect(late).toEqual(kept.filter(({ time }) => time >= 500 && time <= 800));
          expect(log.clear(500)).toBe(kept.filter(({ time }) => time < 500).length);
          expect(log.oldest?.time ?? 500).toBeGreaterThanOrEqual(500);
        },
      ),
    );
  });
});

const small = {
  outstandingCalling: 1,
  outstandingCalled: 1,
  nesting: 10,
  detail: {
    version: 1,
    parameters: { length: 11, bytes: Uint8Array.of(0xf1, 0) },
    services: { length: 85, bytes: new Uint8Array(11).fill(0xff) },
  },
};
