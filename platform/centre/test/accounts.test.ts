import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { Accounts, SESSION_LIFETIME } from '../src/accounts/accounts.ts';
import { LOCKOUT, LoginGuard } from '../src/accounts/login-guard.ts';
import { hashPassword, verifyPassword } from '../src/accounts/password.ts';
import { MemoryAccounts, MemoryLog, TestClock } from './doubles.ts';

const CHEAP = { N: 16, r: 1, p: 1 };
const GOOD = 'correct horse battery';

describe('passwords', () => {
  it('match their hash and no other, with the parameters that stand in it', async () => {
    const hash = await hashPassword(GOOD, CHEAP);
    expect(hash).toMatch(/^scrypt\$16\$1\$1\$/);
    expect(hash).not.toBe(await hashPassword(GOOD, CHEAP));
    expect(await verifyPassword(GOOD, hash)).toBe(true);
    expect(await verifyPassword(`${GOOD} `, hash)).toBe(false);
  });

  it('match nothing when the stored hash is garbled or would eat the memory', async () => {
    for (const stored of ['', 'plain', 'scrypt$x', 'scrypt$1073741824$8$1$AAAA$AAAA'])
      expect(await verifyPassword(GOOD, stored)).toBe(false);
  });
});

describe('the login guard', () => {
  it('lets a few wrong passwords pass, then doubles the wait up to its bound', () => {
    const guard = new LoginGuard();
    let now = 0;
    const waits: number[] = [];
    for (let i = 0; i < 16; i++) {
      guard.failed('anna', '10.0.0.1', now);
      const wait = guard.wait('anna', '10.0.0.1', now);
      waits.push(wait / 1000);
      now += wait;
    }
    expect(waits.slice(0, 7)).toEqual([0, 0, 0, 0, 15, 30, 60]);
    expect(Math.max(...waits)).toBe(LOCKOUT.pair.longestMillis / 1000);
    expect(guard.wait('anna', '10.0.0.2', now)).toBe(0);
  });

  it('does not lock an operator out of their own place because of guesses from another', () => {
    const guard = new LoginGuard();
    for (let i = 0; i < 19; i++) guard.failed('anna', '10.6.6.6', 0);
    expect(guard.wait('anna', '10.6.6.6', 0)).toBeGreaterThan(0);
    expect(guard.wait('anna', '10.0.0.1', 0)).toBe(0);
  });

  it('counts many who log in rightly from one address as none', () => {
    const guard = new LoginGuard();
    for (let i = 0; i < 200; i++) {
      expect(guard.wait(`user ${i % 7}`, '10.0.0.1', i)).toBe(0);
      guard.failed(`user ${i % 7}`, '10.0.0.1', i);
      guard.succeeded(`user ${i % 7}`, '10.0.0.1');
    }
  });

  it('remembers a bounded number of names', () => {
    const guard = new LoginGuard();
    fc.assert(
      fc.property(fc.string(), fc.string(), (account, address) => {
        for (let i = 0; i < 100; i++) guard.failed(`${account}${i}`, address, 0);
        expect(guard.size).toBeLessThanOrEqual(10_000);
      }),
    );
  });
});

describe('accounts', () => {
  let clock: TestClock;
  let log: MemoryLog;
  let store: MemoryAccounts;
  const open = () => Accounts.open({ store, audit: log, clock, cost: CHEAP });

  beforeEach(() => {
    clock = new TestClock();
    log = new MemoryLog(clock);
    store = new MemoryAccounts();
  });

  it('let the first administrator in by a link that works once', async () => {
    const accounts = await open();
    const token = accounts.createSetupToken() as string;
    await expect(accounts.setUp('guess', 'anna', GOOD)).rejects.toThrow(/not valid/);
    await expect(accounts.setUp(token, 'anna', 'short')).rejects.toThrow(/between 10 and 256/);
    await expect(accounts.setUp(token, 'anna', 'Anna is my name')).rejects.toThrow(/user name/);
    const { principal } = await accounts.setUp(token, 'anna', GOOD);
    expect(principal.rights.has('users.write')).toBe(true);
    await expect(accounts.setUp(token, 'eve', GOOD)).rejects.toThrow(/not valid/);
    expect(accounts.createSetupToken()).toBeUndefined();
  });

  it('redeem the link once, also when two use it in the same moment', async () => {
    const accounts = await open();
    const token = accounts.createSetupToken() as string;
    const both = await Promise.allSettled([accounts.setUp(token, 'anna', GOOD), accounts.setUp(token, 'eve', GOOD)]);
    expect(both.map(({ status }) => status)).toEqual(['fulfilled', 'rejected']);
    expect(store.users.size).toBe(1);
  });

  it('end a session after idling, after its absolute life, and with its user', async () => {
    const accounts = await open();
    const { secret } = await accounts.setUp(accounts.createSetupToken() as string, 'anna', GOOD);
    clock.millis += SESSION_LIFETIME.idleMillis - 1;
    expect(accounts.bySession(secret)?.name).toBe('anna');
    clock.millis += SESSION_LIFETIME.idleMillis - 1;
    expect(accounts.bySession(secret)?.name).toBe('anna');
    const other = await accounts.login('anna', GOOD, '::1');
    clock.millis += SESSION_LIFETIME.idleMillis;
    expect(accounts.bySession(other.secret)).toBeUndefined();
    const third = await accounts.login('anna', GOOD, '::1');
    for (let hour = 0; hour < 23; hour++) {
      clock.millis += 3_600_000;
      expect(accounts.bySession(third.secret)).toBeDefined();
    }
    clock.millis += 3_600_000;
    expect(accounts.bySession(third.secret)).toBeUndefined();
  });

  it('survive a restart with their sessions and tokens', async () => {
    const first = await open();
    const { secret, principal } = await first.setUp(first.createSetupToken() as string, 'anna', GOOD);
    const token = await first.createToken(principal, 'scraper', ['VIEWER'], 1_000);
    const second = await open();
    expect(second.bySession(secret)?.name).toBe('anna');
    expect(second.byToken(token.secret)).toMatchObject({ name: 'token:scraper', roles: ['VIEWER'] });
    clock.millis += 1_000;
    expect(second.byToken(token.secret)).toBeUndefined();
  });

  it('keep the last user who can manage users', async () => {
    const accounts = await open();
    const { principal } = await accounts.setUp(accounts.createSetupToken() as string, 'anna', GOOD);
    await expect(accounts.deleteUser(principal, 'anna')).rejects.toThrow(/last user who can manage/);
    await accounts.createUser(principal, 'bert', GOOD, ['SECADM']);
    const bert = await accounts.login('bert', GOOD, '::1');
    await accounts.deleteUser(principal, 'bert');
    expect(accounts.bySession(bert.secret)).toBeUndefined();
  });

  it('change a password only for who knows it, and end the other sessions with it', async () => {
    const accounts = await open();
    const { secret, principal } = await accounts.setUp(accounts.createSetupToken() as string, 'anna', GOOD);
    const other = await accounts.login('anna', GOOD, '::1');
    const next = 'another good one';
    await expect(accounts.changePassword(principal, secret, 'guess', next, '::1')).rejects.toThrow('is wrong');
    await accounts.changePassword(principal, secret, GOOD, next, '::1');
    expect(accounts.bySession(secret)?.name).toBe('anna');
    expect(accounts.bySession(other.secret)).toBeUndefined();
    await expect(accounts.login('anna', GOOD, '::1')).rejects.toThrow();
    await accounts.login('anna', next, '::1');
  });

  it('shut a user out at once, but never the last who can manage users', async () => {
    const accounts = await open();
    const { principal } = await accounts.setUp(accounts.createSetupToken() as string, 'anna', GOOD);
    await accounts.createUser(principal, 'bert', GOOD, ['OPERATOR']);
    const { secret } = await accounts.login('bert', GOOD, '::1');
    await accounts.changeUser(principal, 'bert', { disabled: true });
    expect(accounts.bySession(secret)).toBeUndefined();
    await expect(accounts.login('bert', GOOD, '::1')).rejects.toThrow('is wrong');
    await expect(accounts.changeUser(principal, 'anna', { roles: ['VIEWER'] })).rejects.toThrow(/last user/);
    await expect(accounts.changeUser(principal, 'anna', { disabled: true })).rejects.toThrow(/last user/);
  });

  it('write every attempt into the audit, without secrets', async () => {
    const accounts = await open();
    const token = accounts.createSetupToken() as string;
    await accounts.setUp(token, 'anna', GOOD);
    await expect(accounts.login('anna', 'wrong password', '10.0.0.9')).rejects.toThrow(
      'User name or password is wrong.',
    );
    await expect(accounts.login('nobody', 'wrong password', '10.0.0.9')).rejects.toThrow(
      'User name or password is wrong.',
    );
    await accounts.login('anna', GOOD, '10.0.0.9');
    expect(log.audits().map(({ action, actor, outcome }) => `${action} ${actor} ${outcome}`)).toEqual([
      'setup anna ok',
      'login anna refused',
      'login nobody refused',
      'login anna ok',
    ]);
    const text = JSON.stringify(log.audits());
    expect(text).not.toContain('wrong password');
    expect(text).not.toContain(token);
  });

  it('check parallel guesses one after the other against the lockout', async () => {
    const accounts = await open();
    await accounts.setUp(accounts.createSetupToken() as string, 'anna', GOOD);
    const guesses = await Promise.allSettled(
      Array.from({ length: 20 }, () => accounts.login('anna', 'guess', '10.0.0.9')),
    );
    const codes = guesses.map((guess) => (guess.status === 'rejected' ? guess.reason.code : 'in'));
    expect(codes.filter((code) => code === 'accounts.login-refused')).toHaveLength(LOCKOUT.pair.free);
    expect(codes.filter((code) => code === 'accounts.login-blocked')).toHaveLength(20 - LOCKOUT.pair.free);
  });
});
