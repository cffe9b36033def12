import { mkdtempSync, rmSync, utimesSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Clock, fromMillis } from '@enerchain/model';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  DevelopmentCa,
  type Identity,
  makeIdentity,
  obtainIdentity,
  Renewal,
  type RenewalOptions,
  requestFor,
} from '../src/index.ts';

const DAY = 86_400_000;
let dir: string;
let ca: DevelopmentCa;
let wall: number;
let identity: Identity;
const clock: Clock = { now: () => fromMillis(wall), monotonic: () => wall };
/** The one timer that is set. */
let timer: { readonly at: number; readonly act: () => void } | undefined;
const asked: number[] = [];
const renewed: Identity[] = [];
const failures: string[] = [];
let failing = false;
let renewal: Renewal | undefined;

const issue = async (request: Uint8Array) => ({
  certificate: await ca.issue(request, { name: 'edge-nord', role: 'edge' }),
  ca: ca.certificatePem,
});
function begin(more: Partial<RenewalOptions> = {}): void {
  renewal = new Renewal({
    dir: join(dir, 'edge'),
    identity,
    url: 'wss://centre:1',
    clock,
    random: () => 0,
    after: (milliseconds, act) => {
      const mine = { at: wall + milliseconds, act };
      timer = mine;
      return () => {
        if (timer === mine) timer = undefined;
      };
    },
    ask: async ({ identity: { signer, tls }, url }) => {
      expect(url).toBe('https://centre:1');
      asked.push(wall);
      if (failing) throw new Error('nobody answers');
      const { certificate: certificatePem } = await issue(
        await requestFor({ name: 'edge-nord', role: 'edge' }, signer),
      );
      return makeIdentity({ certificatePem, caPem: ca.certificatePem, signer, keyPem: tls.keyPem! });
    },
    onRenewed: (next) => renewed.push(next),
    onFailed: (error) => failures.push((error as Error).message),
    ...more,
  });
}
/** Lets time pass; what is asked is answered before it goes on. */
async function pass(milliseconds: number): Promise<void> {
  const end = wall + milliseconds;
  while (timer && timer.at <= end) {
    const { at, act } = timer;
    timer = undefined;
    wall = Math.max(wall, at);
    act();
    await expect.poll(() => timer, { interval: 1, timeout: 10_000 }).toBeDefined();
  }
  wall = end;
}

beforeEach(async () => {
  wall = Date.UTC(2026, 0, 1);
  dir = mkdtempSync(join(tmpdir(), 'enerchain-renewal-'));
  ca = await DevelopmentCa.open(join(dir, 'ca'), { clock, hours: 90 * 24 });
  identity = await obtainIdentity(join(dir, 'edge'), { name: 'edge-nord', role: 'edge' }, issue);
  failing = false;
  for (const list of [asked, renewed, failures]) list.length = 0;
});
afterEach(() => {
  renewal?.close();
  rmSync(dir, { recursive: true });
});

describe('the renewal of a certificate', () => {
  it('comes at a third of its life, for the same key, again and again', async () => {
    begin();
    await pass(29 * DAY);
    expect(asked).toEqual([]);
    await pass(2 * DAY);
    expect(renewed).toHaveLength(1);
    expect(renewed[0]!.certificate.publicKey.equals(identity.certificate.publicKey)).toBe(true);
    expect(renewed[0]!.kid).not.toEqual(identity.kid);
    expect(renewal?.identity).toBe(renewed[0]);
    await pass(30 * DAY);
    expect(renewed).toHaveLength(2);
  });

  it('makes another key instead when that is old, or when it is told to', async () => {
    const rotated: number[] = [];
    const rotate: NonNullable<RenewalOptions['rotate']> = async ({ identity: { signer } }) => {
      rotated.push(wall);
      const { certificate: certificatePem } = await issue(
        await requestFor({ name: 'edge-nord', role: 'edge' }, signer),
      );
      utimesSync(join(dir, 'edge', 'key.pem'), wall / 1000, wall / 1000);
      return makeIdentity({ certificatePem, caPem: ca.certificatePem, signer, keyPem: identity.tls.keyPem! });
    };
    utimesSync(join(dir, 'edge', 'key.pem'), wall / 1000, wall / 1000);
    begin({ keyDays: 75, rotate });
    await pass(89 * DAY);
    expect([asked.length, rotated.length]).toEqual([2, 0]);
    await pass(2 * DAY);
    expect([asked.length, rotated.length]).toEqual([2, 1]);
    await pass(60 * DAY);
    expect([asked.length, rotated.length]).toEqual([4, 1]);
    await renewal!.rotate();
    expect(rotated).toHaveLength(2);
    expect(renewed.at(-1)).toBe(renewal!.identity);
    await pass(31 * DAY);
    expect(asked).toHaveLength(5);
  });

  it('is tried again when it fails, more often towards the end, and goes on afterwards', async () => {
    failing = true;
    begin();
    await pass(89.99 * DAY);
    expect(failures.length).toBeGreaterThan(100);
    const gaps = asked.map((at, i) => at - (asked[i - 1] ?? at));
    expect(Math.max(...gaps)).toBeLessThanOrEqual(3_600_000);
    failing = false;
    await pass(3_600_000);
    expect(renewed).toHaveLength(1);
  });

  it('does not ask without end when the clock is far ahead of that of the centre', async () => {
    begin();
    const centreClock = wall;
    wall += 400 * DAY;
    const ahead = wall;
    const now = clock.now;
    // The authority lives on its own time.
    ca = await DevelopmentCa.open(join(dir, 'ca'), {
      clock: { now: () => fromMillis(centreClock + (wall - ahead)), monotonic: () => 0 },
      hours: 90 * 24,
    });
    await pass(20 * DAY);
    expect(now()).toBe(fromMillis(wall));
    expect(asked.length).toBeLessThan(10);
  });
});
