import pino from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SqlAuthenticatorStore } from '../src/accounts/authenticator-store.ts';
import { SqlAccountStore } from '../src/accounts/store.ts';
import { type Database, openDatabase } from '../src/database/database.ts';
import { Derivation } from '../src/events/derivation.ts';
import { Journal } from '../src/events/journal.ts';
import { JournalStore, type StoredRecord } from '../src/events/journal-store.ts';
import { EVENT_KINDS } from '../src/events/rows.ts';
import { GridStore } from '../src/grid/store.ts';
import type { LogContent } from '../src/ports.ts';
import { newDataFolder, removeDataFolder } from './data-folder.ts';
import { MemoryLog, mRID, observations, SECOND, siteOf, T0, TestClock } from './doubles.ts';

const logger = pino({ level: 'silent' });
const dataDir = newDataFolder('face-stores');
let database: Database;

beforeAll(async () => {
  database = await openDatabase({ dataDir, logger });
});
afterAll(async () => {
  await database?.close();
  removeDataFolder(dataDir);
});

const breaker = { mRID: mRID(1), name: 'CB', kind: 'discrete' as const, cdc: 'DPS', normalValue: 2 };

function sampleLog(): MemoryLog {
  const log = new MemoryLog(new TestClock());
  log.add('edge-a', { kind: 'site', document: siteOf('edge-a', [breaker]) });
  for (let i = 0; i < 10; i++) log.add('edge-a', observations({ point: breaker.mRID, value: 1 + (i % 2), at: i }));
  const gap = { reason: 'outboxOverflow' as const, from: String(T0), to: String(T0 + 5n * SECOND) };
  log.add('edge-a', { kind: 'gap', gap });
  const record = { action: 'login', actor: 'an\0na', outcome: 'ok' as const, detail: { address: '10.0.0.1' } };
  log.add('centre', { kind: 'audit', record } satisfies LogContent);
  return log;
}

describe('the journal in PostgreSQL', () => {
  it('is the same after the same part of the log was written twice', async () => {
    const store = new JournalStore(database);
    const log = sampleLog();
    const derivation = new Derivation();
    const records: StoredRecord[] = log.entries.map((entry) => ({
      ...derivation.apply(entry),
      offset: entry.offset,
      at: entry.at,
    }));
    await store.write(records);
    const once = await store.messages(-1, 10_000);
    await store.write(records.slice(3));
    expect(await store.messages(-1, 10_000)).toEqual(once);
    expect(once.map(({ id }) => id)).toEqual(records.flatMap(({ rows }) => rows.map(({ id }) => id)));
    expect(await store.audit(0, 10)).toMatchObject([
      { action: 'login', actor: 'an\uFFFDna', detail: { address: '10.0.0.1' } },
    ]);
    await store.clear();
  });

  it('finds events by time, point and kind, newest source time first, page after page', async () => {
    const store = new JournalStore(database);
    const log = sampleLog();
    const journal = await Journal.open({ log, store, logger, retryAfter: 5 });
    journal.start();
    await journal.reached(log.bounds().next - 1);
    await expect.poll(() => journal.pendingRows).toBe(0);
    const all = await store.events({ kinds: EVENT_KINDS, limit: 1_000 });
    const times = all.map(({ at }) => at);
    expect(times).toEqual([...times].sort((a, b) => (a < b ? 1 : a > b ? -1 : 0)));
    const pages: number[] = [];
    let after: { at: bigint; id: number } | undefined;
    for (;;) {
      const page = await store.events({ kinds: EVENT_KINDS, limit: 4, ...(after ? { after } : {}) });
      if (page.length === 0) break;
      pages.push(...page.map(({ id }) => id));
      after = page.at(-1);
    }
    expect(pages).toEqual(all.map(({ id }) => id));
    const some = await store.events({
      kinds: ['stateChange'],
      from: T0 + 2n * SECOND,
      to: T0 + 4n * SECOND,
      point: breaker.mRID,
      limit: 10,
    });
    expect(some.map(({ at }) => (at - T0) / SECOND)).toEqual([4n, 3n, 2n]);
    expect(await store.gaps({ from: T0 + 5n * SECOND, limit: 10 })).toHaveLength(1);
    expect(await store.gaps({ from: T0 + 6n * SECOND, limit: 10 })).toHaveLength(0);
    expect(await store.gaps({ source: 'edge-b', limit: 10 })).toHaveLength(0);
    await journal.close();
    expect(await store.trim(T0 + 3n * SECOND)).toBeGreaterThan(0);
    expect(await store.trim(T0 + 3n * SECOND)).toBe(0);
    const kept = await store.events({ kinds: EVENT_KINDS, limit: 1_000 });
    expect(kept).toEqual(all.filter(({ at }) => at >= T0 + 3n * SECOND));

    const again = await Journal.open({ log, store, logger });
    expect(again.instance).toBe(journal.instance);
    expect(again.offset).toBe(log.bounds().next);
    expect(again.standingAlarms()).toEqual(journal.standingAlarms());
    const other = await Journal.open({ log: new MemoryLog(new TestClock()), store, logger });
    expect(other.instance).not.toBe(journal.instance);
    expect(await store.messages(-1, 10)).toEqual([]);
  });
});

describe('accounts and grid in PostgreSQL', () => {
  it('keep users, sessions and tokens, and forget sessions that are over', async () => {
    const store = new SqlAccountStore(database);
    const now = Date.now();
    const user = { name: 'anna', passwordHash: 'h', roles: ['OPERATOR'] as const, createdAt: now, disabled: false };
    await store.saveUser(user);
    const session = { hash: 's', user: 'anna', createdAt: now, idleUntil: now + 60_000, expiresAt: now + 60_000 };
    await store.saveSession(session);
    await store.saveSession({ ...session, hash: 'old', idleUntil: now - 1 });
    const token = { id: 't', name: 'x', hash: 'th', roles: [], createdBy: 'anna', createdAt: now, expiresAt: now + 1 };
    await store.saveToken(token);
    expect(await store.load()).toEqual({ users: [user], sessions: [session], tokens: [token] });
    await store.deleteUser('anna');
    expect((await store.load()).sessions).toEqual([]);
  });

  it('keep authenticators and every list of them octet by octet, until they are given up', async () => {
    const store = new SqlAuthenticatorStore(database);
    const now = Date.now();
    const authenticator = {
      id: 'abc_-',
      user: 'anna',
      label: 'key ring',
      publicKey: 'MFk',
      rpId: 'localhost',
      signCount: 4_294_967_295,
      createdAt: now,
      usedAt: undefined,
    };
    await store.save(authenticator);
    const used = { ...authenticator, signCount: 7, usedAt: now + 1 };
    await store.save(used);
    const approval = { credential: 'abc_-', authenticatorData: 'AA', clientData: 'AQ', signature: 'Ag' };
    const first = {
      version: 1,
      payload: Uint8Array.of(0, 255, 7),
      approval: undefined,
      createdBy: 'anna',
      createdAt: now,
    };
    const second = { ...first, version: 2, approval };
    await store.addList(first);
    await store.addList(second);
    await expect(store.addList(second)).rejects.toThrow();
    expect(await store.load()).toEqual({ authenticators: [used], lists: [first, second] });
    await store.clear();
    expect(await store.load()).toEqual({ authenticators: [], lists: [] });
  });

  it('keep every version of the grid model', async () => {
    const log = new MemoryLog(new TestClock());
    const model = {
      mRID: mRID(1),
      name: 'Grid',
      version: 1,
      frequency: 50,
      substations: [],
      voltageLevels: [],
      bays: [],
      connectivityNodes: [],
      equipment: [],
    };
    const store = await GridStore.open(database, log);
    await Promise.all([store.put(model, 'anna'), store.put({ ...model, name: 'Two' }, 'anna')]);
    expect((await GridStore.open(database, log)).current()).toMatchObject({ version: 2, name: 'Two' });
    expect(log.audits().map(({ detail }) => detail?.version)).toEqual([1, 2]);
  });
});
