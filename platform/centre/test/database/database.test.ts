import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Database, openDatabase } from '../../src/database/database.ts';

const logger = pino({ level: 'silent' });

describe('the database', () => {
  let dataDir: string;
  let migrations: string;
  let database: Database;
  const open = () => openDatabase({ dataDir, logger, migrations });

  beforeAll(async () => {
    dataDir = mkdtempSync(join(tmpdir(), 'centre-db-'));
    migrations = join(dataDir, 'migrations');
    mkdirSync(migrations);
    writeFileSync(join(migrations, '001-first.sql'), 'CREATE TABLE thing (id int8 PRIMARY KEY, data bytea)');
    database = await open();
  });
  afterAll(async () => {
    await database.close();
    const { embedded } = database as unknown as { embedded: { home: string } };
    for (const folder of [dataDir, embedded.home]) rmSync(folder, { recursive: true, force: true });
  });

  it('keeps 64 bits and octets', async () => {
    const id = 1_795_400_000_123_456_789n;
    await database.query('INSERT INTO thing VALUES ($1, $2)', [id, Buffer.from([0, 255, 7])]);
    expect((await database.query('SELECT id, data FROM thing')).rows).toEqual([{ id, data: Buffer.from([0, 255, 7]) }]);
  });

  it('commits a transaction as a whole or not at all', async () => {
    const failing = database.transaction(async (tx) => {
      await tx.query('INSERT INTO thing (id) VALUES ($1)', [1]);
      await tx.query('INSERT INTO thing (id) VALUES ($1)', [1]);
    });
    await expect(failing).rejects.toMatchObject({ code: '23505' });
    expect((await database.query('SELECT 1 FROM thing WHERE id = 1')).rows).toEqual([]);
    expect(database.available).toBe(true);
    expect(database.counters.failed).toBe(1);
  });

  it('runs each migration once, in order, and refuses one that was changed or fails', async () => {
    writeFileSync(join(migrations, '002-second.sql'), 'ALTER TABLE thing ADD COLUMN name text');
    await database.close();
    database = await open();
    await database.query('SELECT name FROM thing');
    await database.close();

    writeFileSync(join(migrations, '003-third.sql'), 'CREATE TABLE other (id int); SELECT nonsense');
    await expect(open()).rejects.toMatchObject({ code: 'centre.database.migration' });
    rmSync(join(migrations, '003-third.sql'));
    writeFileSync(join(migrations, '002-second.sql'), 'ALTER TABLE thing ADD COLUMN title text');
    await expect(open()).rejects.toMatchObject({ code: 'centre.database.migration-changed' });
    writeFileSync(join(migrations, '002-second.sql'), 'ALTER TABLE thing ADD COLUMN name text');
    database = await open();
    expect((await database.query("SELECT 1 FROM pg_tables WHERE tablename = 'other'")).rows).toEqual([]);
  });

  it('is away with a reason when it cannot be reached at the start, never naming its password', async () => {
    const away = await openDatabase({ dataDir, logger, databaseUrl: 'postgres://me:secret@127.0.0.1:1/none' });
    expect(away.available).toBe(false);
    expect(away.reason).toMatch(/ECONNREFUSED/);
    await expect(away.query('SELECT 1')).rejects.toMatchObject({
      code: 'centre.database.away',
      fault: 'environment',
      message: expect.not.stringContaining('secret'),
    });
    await away.close();
  });

  it('breaks off what a frozen server does not answer, rolls it back, and goes on when it thaws', async () => {
    await database.close();
    const patience = { call: 100, answer: 500 };
    database = await openDatabase({ dataDir, logger, migrations, patience, probe: { first: 50, longest: 100 } });
    const { embedded } = database as unknown as { embedded: { postmasterPid: number } };
    const server = embedded.postmasterPid;
    const frozen = childrenOf(server);
    const began = performance.now();
    let reading: Promise<string> | undefined;
    const transaction = database.transaction(async (tx) => {
      await tx.query('INSERT INTO thing (id) VALUES (77)');
      frozen.push(...childrenOf(server).filter((pid) => !frozen.includes(pid)), server);
      for (const pid of frozen) process.kill(pid, 'SIGSTOP');
      reading = database.query('SELECT 1').then(
        () => 'answered',
        ({ code }) => code,
      );
      await tx.query('SELECT 1');
    });
    await expect(transaction).rejects.toMatchObject({ code: 'centre.database.away' });
    expect(await reading).toBe('centre.database.away');
    expect(performance.now() - began).toBeLessThan(3_000);
    await expect(database.query('SELECT 1')).rejects.toMatchObject({ code: 'centre.database.away' });
    for (const pid of frozen) process.kill(pid, 'SIGCONT');
    await database.whenAvailable(AbortSignal.timeout(60_000));
    await expect
      .poll(async () => (await database.query("SELECT 1 FROM pg_stat_activity WHERE state LIKE 'idle in%'")).rows)
      .toEqual([]);
    expect((await database.query('SELECT id FROM thing WHERE id = 77')).rows).toEqual([]);
  });
});

/** Processes of the server. */
const childrenOf = (pid: number): number[] =>
  spawnSync('ps', ['-o', 'pid=', '--ppid', String(pid)], { encoding: 'utf8' })
    .stdout.trim()
    .split(/\s+/)
    .filter(Boolean)
    .map(Number);
