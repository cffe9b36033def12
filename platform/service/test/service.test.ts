import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { BatchBuilder, ChainVerifier, type Content, decodeBatch, kidOf, verifyBatch } from '@enerchain/link';
import { EnerchainError, type Mrid, QUALITY, systemClock, TIME_GOOD, uuidV5 } from '@enerchain/model';
import type { Identity } from '@enerchain/trust';
import pino from 'pino';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { runMean } from '../examples/mean.ts';
import { ChainStore } from '../src/chain-store.ts';
import { json, runService, type Service, type ServiceOptions } from '../src/index.ts';
import { OwnChain } from '../src/own-chain.ts';
import { ServiceCentre } from '../src/testing/centre.ts';

const id = (name: string): Mrid => uuidV5('6ba7b811-9dad-11d1-80b4-00c04fd430c8', `test:${name}`);
const U = { mRID: id('U'), name: 'U', kind: 'analog' } as const;
const SITE = { site: { id: 's', name: 's' }, endpoints: [], points: [U], bindings: [] };
const logger = pino({ level: 'silent' });

let centre: ServiceCentre;
let identity: Identity;
let service: Service | undefined;

beforeEach(async () => {
  centre = await ServiceCentre.open();
  identity = await centre.identity({ name: 'mean', role: 'service' });
});
afterEach(async () => {
  await service?.close();
  service = undefined;
  await centre.close();
});

async function start(more: Partial<ServiceOptions> = {}): Promise<Service> {
  service = await runService({
    name: 'mean',
    software: 'mean 1.0.0',
    dataDir: centre.dataDir(),
    centre: { url: 'wss://centre' },
    identity,
    logger,
    connect: centre.connect,
    ...more,
  });
  return service;
}
const nowhere = async (): Promise<never> => {
  throw new EnerchainError('environment', 'test.away', 'nobody there');
};
const kinds = (): string[] => centre.contents.map(({ content }) => content.kind);
const gaps = () => centre.contents.flatMap(({ content }) => (content.kind === 'gap' ? [content.gap] : []));

describe('a service', () => {
  test('in twenty lines, as the README shows it', async () => {
    const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
    expect(readme).toContain(readFileSync(new URL('../examples/mean.ts', import.meta.url), 'utf8'));
    const where = { dataDir: centre.dataDir(), centre: { url: 'wss://centre' }, logger };
    service = await runMean({ ...where, identity, connect: centre.connect } as typeof where);
    await centre.field([
      [id('a'), 1],
      [id('b'), 4],
    ]);
    await centre.until(() => kinds().includes('observations'));
    const published = centre.contents.find(({ content }) => content.kind === 'observations')!;
    expect(published.source).toBe('mean');
    expect(
      centre.value((published.content as Extract<Content, { kind: 'observations' }>).batch.columns[0]!.point),
    ).toEqual({ value: 2.5, quality: QUALITY.estimated });
    expect(kinds()[0]).toBe('site');
    const answer = await centre.http('mean', { path: '/services/mean' });
    expect(JSON.parse(Buffer.from(answer.body).toString())).toEqual({ mean: 2.5, points: 2 });
  });

  test('keeps on disk what it publishes while nobody listens, and delivers it after a restart, in order', async () => {
    const alone = await start({ connect: nowhere });
    alone.announce(SITE);
    await alone.observe([{ point: U.mRID, value: 1 }]);
    await alone.raise({ key: 'mean/x', priority: 2, message: 'Something.', active: true });
    await alone.close();
    const again = await start();
    again.announce(SITE);
    await again.observe([{ point: U.mRID, value: 2 }]);
    await centre.until(() => kinds().length === 5);
    expect(kinds().sort()).toEqual(['alarmRaised', 'observations', 'observations', 'site', 'site']);
    expect(new Set(centre.verdicts)).toEqual(new Set(['next']));
    const versions = centre.contents.flatMap(({ content }) =>
      content.kind === 'site' ? [content.document.version] : [],
    );
    expect(new Set(versions).size).toBe(1);
  });

  test('whose folder was lost goes on under numbers that the centre does not know, and the break is seen', async () => {
    const first = await start();
    await first.observe([{ point: U.mRID, value: 1 }]);
    await centre.until(() => kinds().length === 1);
    await first.close();
    for (const end of ['', '-wal', '-shm']) rmSync(join(centre.dataDir(), `chain.sqlite${end}`), { force: true });
    // Some seconds later: epochs are numbered by the clock.
    const later = { now: () => systemClock.now() + 5_000_000_000n, monotonic: () => systemClock.monotonic() };
    const second = await start({ clock: later });
    await second.observe([{ point: U.mRID, value: 2 }]);
    await centre.until(() => kinds().length === 2);
    expect(centre.value(U.mRID)).toMatchObject({ value: 2 });
    expect(centre.verdicts).toEqual(['next', 'missing']);
  });

  test('says its announcement again when what stood on the chain was refused', async () => {
    const { announce, observe } = await start().then((each) => ({
      announce: () => each.announce(SITE),
      observe: () => each.observe([{ point: U.mRID, value: 1 }]),
    }));
    centre.refuseNext = true;
    announce();
    await observe();
    await centre.until(() => kinds().includes('gap') && kinds().includes('site'));
    expect(gaps()).toMatchObject([{ reason: 'ingestLost', detail: expect.stringContaining('refused once') }]);
    expect(new Set(centre.verdicts)).toEqual(new Set(['next']));
  });

  test('answers an exception with a sentence and no details, and a page only below its own address', async () => {
    const answer = (path: string) => {
      if (path === '/broken') throw new Error('a secret');
      return json(200, { path });
    };
    await start({ routes: { prefix: '/services/mean', answer } });
    await centre.until(() => centre.prefixes.length > 0);
    const broken = await centre.http('mean', { path: '/services/mean/broken' });
    expect(broken.status).toBe(500);
    expect(Buffer.from(broken.body).toString()).not.toContain('secret');
    const right = await centre.http('mean', { path: '/services/mean/a/?x=1' });
    expect(JSON.parse(Buffer.from(right.body).toString())).toEqual({ path: '/a' });
  });

  test('commands over its link, and passes on what the centre refuses', async () => {
    const { commands } = await start();
    centre.answers.set('command.prepare', (params) => ({ id: 'c1', state: 'prepared', ...(params as object) }));
    centre.answers.set('command.operate', () => {
      throw new EnerchainError('peer', 'service.right', 'mean may not command');
    });
    await centre.until(() => centre.reads.length > 0);
    expect(await commands.prepare({ point: U.mRID, value: 1 })).toMatchObject({ id: 'c1', point: U.mRID, value: 1 });
    await expect(commands.operate('c1')).rejects.toMatchObject({ code: 'service.right' });
  });

  test('keeps its state with its place in the log, and reads on from there', async () => {
    const seen: number[] = [];
    const onRecord: ServiceOptions['onRecord'] = ({ offset }) => void seen.push(offset);
    const restored: unknown[] = [];
    const checkpoint = { save: () => [...seen], restore: (kept: unknown) => void restored.push(kept) };
    await centre.field([[id('a'), 1]]);
    await centre.field([[id('a'), 2]]);
    const first = await start({ onRecord, checkpoint });
    await expect.poll(() => seen).toEqual([0, 1]);
    await first.close();
    await centre.field([[id('a'), 3]]);
    await start({ onRecord, checkpoint });
    await expect.poll(() => seen).toEqual([0, 1, 2]);
    expect(restored).toEqual([[0, 1]]);
  });

  test('signs with its values what it had read of the log, over restarts too', async () => {
    const seen: number[] = [];
    const onRecord: ServiceOptions['onRecord'] = ({ offset }) => void seen.push(offset);
    const checkpoint = { save: () => [...seen], restore: () => undefined };
    const published = () => centre.log.filter(({ source }) => source === 'mean');
    const readBy = (at: number) => {
      const item = published()[at]!;
      return 'batch' in item ? decodeBatch(item.batch).header.reads : undefined;
    };
    await centre.field([[id('a'), 1]]);
    await centre.field([[id('a'), 2]]);
    const first = await start({ onRecord, checkpoint });
    await expect.poll(() => seen).toEqual([0, 1]);
    await first.observe([{ point: U.mRID, value: 1.5 }]);
    await centre.until(() => published().length === 1);
    expect(readBy(0)).toEqual([{ first: 0, last: 1 }]);
    await expect.poll(() => seen).toEqual([0, 1, 2]);
    await first.close();
    await centre.field([[id('a'), 3]]);
    const second = await start({ onRecord, checkpoint });
    await expect.poll(() => seen).toEqual([0, 1, 2, 3]);
    await second.observe([{ point: U.mRID, value: 2 }]);
    await centre.until(() => published().length === 2);
    expect(readBy(1)).toEqual([{ first: 0, last: 3 }]);
  });
});

describe('the chain of a service', () => {
  const content = (value: number): Content => {
    const builder = new BatchBuilder();
    const at = systemClock.now();
    const rest = { timeQuality: TIME_GOOD, receiveTime: at, cause: 'estimated', repeat: false } as const;
    builder.add({ point: U.mRID, value, quality: 0, sourceTime: at, ...rest });
    return { kind: 'observations', batch: builder.build() };
  };
  const open = (maxBytes: number) => {
    const store = new ChainStore(centre.dataDir());
    const losses: number[] = [];
    const chain = new OwnChain({
      ...{ store, identity, logger, clock: systemClock, maxBytes },
      onWritten: () => undefined,
      onLost: () => void losses.push(1),
      reads: () => [],
    });
    return { store, chain, losses };
  };

  test('drops its oldest at the bound, and the centre learns which before it sees that they are missing', async () => {
    const { store, chain, losses } = open(20_000);
    for (let value = 0; value < 100; value++) await chain.write(content(value));
    expect(store.bytes).toBeLessThan(22_000);
    expect(losses.length).toBeGreaterThan(0);
    const { dropped } = chain.counters;
    store.close();
    await start();
    await centre.until(() => centre.value(U.mRID)?.value === 99 && kinds().filter((kind) => kind === 'gap').length > 0);
    await expect
      .poll(() => kinds().filter((kind) => kind === 'observations').length + dropped)
      .toBeGreaterThanOrEqual(100);
    const lost = gaps().reduce((sum, gap) => sum + (gap.lost ?? 0), 0);
    expect(kinds().filter((kind) => kind === 'observations').length + lost).toBe(100);
    expect(gaps().every(({ reason }) => reason === 'outboxOverflow')).toBe(true);
    expect(centre.verdicts).not.toContain('broken');
  });

  test('goes on with another key, which follows the first without a break', async () => {
    const { store, chain } = open(1_000_000);
    await chain.write(content(1));
    const next = await centre.identity({ name: 'mean-next', role: 'service' });
    chain.renewed(next);
    await chain.write(content(2));
    const { epoch } = store.position()!;
    const batches = store.read(epoch, 0, { count: 9, bytes: 1e6 }).map(({ bytes }) => decodeBatch(bytes));
    const hex = (kid: Uint8Array) => Buffer.from(kid).toString('hex');
    expect(batches.map((batch) => hex(kidOf(batch)))).toEqual([identity, next].map(({ kid }) => hex(kid)));
    verifyBatch(batches[0]!, identity.signer.publicKey);
    verifyBatch(batches[1]!, next.signer.publicKey);
    const verifier = new ChainVerifier();
    for (const batch of batches) {
      expect(verifier.check(batch).kind).toBe('next');
      verifier.accept(batch);
    }
    store.close();
  });

  test('that cannot be written says so once it can, and no number is used twice', async () => {
    const { store, chain } = open(1_000_000);
    await chain.write(content(1));
    store.append = () => {
      throw new Error('disk full');
    };
    await chain.write(content(2));
    await chain.write(content(3));
    Reflect.deleteProperty(store, 'append');
    await chain.write(content(4));
    expect(chain.counters).toMatchObject({ failedWrites: 2, gaps: 1 });
    store.close();
    await start();
    await centre.until(() => kinds().length === 3);
    expect(gaps()).toMatchObject([{ reason: 'outboxFailure', lost: 2 }]);
    expect(new Set(centre.verdicts)).toEqual(new Set(['next']));
  });

  test('forgets what is acknowledged, and knows its position for ever', async () => {
    const { store, chain } = open(1_000_000);
    for (let value = 0; value < 5; value++) await chain.write(content(value));
    const { epoch, sequence } = store.position()!;
    store.acknowledge(epoch, sequence - 1);
    expect([store.count, store.epochs()]).toEqual([1, [{ epoch, first: sequence, last: sequence }]]);
    store.acknowledge(epoch, sequence);
    expect([store.count, store.bytes, store.oldest, store.read(epoch, 0, { count: 9, bytes: 9 })]).toEqual([
      0,
      0,
      undefined,
      [],
    ]);
    await chain.write(content(6));
    store.close();
    const again = new ChainStore(centre.dataDir());
    expect([again.count, again.position()?.sequence]).toEqual([1, sequence + 1]);
    again.close();
  });
});
