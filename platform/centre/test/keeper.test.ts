/** The keeper of the transparency log on an ingest log whose oldest records go. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { batchToBytes } from '@enerchain/link';
import { rootFromInclusion, UNREADABLE_LEAF } from '@enerchain/provenance';
import { pino } from 'pino';
import { afterEach, describe, expect, it } from 'vitest';
import { decodeLogged } from '../src/ingest/decode.ts';
import { Findings } from '../src/ingest/findings.ts';
import { OwnChain } from '../src/ingest/own-chain.ts';
import { IngestLog } from '../src/log/log.ts';
import { RecordFinder } from '../src/transparency/find.ts';
import { leafOf, TransparencyKeeper } from '../src/transparency/keeper.ts';
import { newSigner, TestClock, TestSource } from './ingest/bench.ts';
import { MemoryFiles } from './log/memory-files.ts';

const logger = pino({ level: 'silent' });
const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

class World {
  readonly files = new MemoryFiles();
  readonly clock = new TestClock();
  readonly keys = newSigner();
  readonly source = new TestSource('edge-nord');
  readonly batches: Uint8Array[] = [];
  folder = '';
  log!: IngestLog;
  keeper!: TransparencyKeeper;

  async open(): Promise<this> {
    this.newFolder();
    this.log = await IngestLog.open({
      folder: '/log',
      decode: decodeLogged,
      files: this.files,
      clock: this.clock,
      segmentBytes: 4_000,
      retention: { bytes: 12_000 },
    });
    await this.follow();
    return this;
  }

  newFolder(): void {
    this.folder = mkdtempSync(join(tmpdir(), 'keeper-'));
    folders.push(this.folder);
  }

  async follow(): Promise<void> {
    const { log, clock, folder, keys } = this;
    const findings = new Findings(new OwnChain({ log, ...newSigner(), position: undefined }), logger, clock);
    this.keeper = await TransparencyKeeper.open({ folder, log, findings, clock, logger, signer: keys.signer });
    this.keeper.start();
  }

  async observe(count: number): Promise<void> {
    for (let i = 0; i < count; i++) {
      this.clock.millis += 1_000;
      const at = this.clock.now();
      const batch = batchToBytes(await this.source.observe(this.batches.length, this.source.points, at));
      this.batches.push(batch);
      await this.log.append({ rejected: [], batch });
    }
    await this.keeper.reached(this.batches.length, AbortSignal.timeout(60_000));
  }
}

describe('the keeper of the transparency log', () => {
  it('proves records that retention has dropped from the ingest log', async () => {
    const world = await new World().open();
    await world.observe(60);
    await world.log.retain();
    const { first } = world.log.bounds();
    expect(first).toBeGreaterThan(10);
    await world.keeper.checkpoint();
    await world.keeper.close();
    await world.follow();
    const { log } = world.keeper;
    expect([log.trouble, log.size, world.keeper.size]).toEqual([undefined, 60, 60]);
    for (const index of [0, first - 1, first, 59]) {
      const root = rootFromInclusion(leafOf(world.batches[index]!), index, 60, log.inclusion(index, 60));
      expect(root).toEqual(log.checkpoint!.root);
    }
    await world.observe(5);
    expect(world.keeper.log.size).toBe(65);
    await world.keeper.close();
  });

  it('that begins late keeps the places of the records, and proves nothing about those that are gone', async () => {
    const world = await new World().open();
    await world.observe(60);
    await world.log.retain();
    const { first } = world.log.bounds();
    await world.keeper.close();
    world.newFolder();
    await world.follow();
    await world.keeper.reached(60, AbortSignal.timeout(60_000));
    const { log } = world.keeper;
    expect(Buffer.from(log.leaf(first - 1))).toEqual(Buffer.from(UNREADABLE_LEAF));
    expect(Buffer.from(log.leaf(first))).toEqual(Buffer.from(leafOf(world.batches[first]!)));
    await world.keeper.close();
  });

  it('shows for a batch without a signature the headers that lead to one', async () => {
    const world = await new World().open();
    const { source, log, keeper } = world;
    const put = async (defer: boolean) => {
      const batch = await source.observe(1, source.points, world.clock.now(), { defer });
      world.batches.push(batchToBytes(batch));
      await log.append({ rejected: [], batch: batchToBytes(batch) });
      return batch;
    };
    await put(true);
    const [second, third] = [await put(true), await put(false)];
    await put(true);
    await keeper.reached(4, AbortSignal.timeout(60_000));
    const finder = new RecordFinder(log, keeper.index);
    const covering = (await finder.record(0))?.covering?.map((each) => Buffer.from(each));
    expect(covering).toEqual([Buffer.from(second.signed), Buffer.from(third.signed)]);
    expect((await finder.record(2))?.covering).toBeUndefined();
    // Nothing covers the last one: there is no receipt of it yet.
    expect(await finder.record(3)).toBeUndefined();
    await keeper.close();
  });

  it('finds the last value at a time, also an old one and one that came late, and says what is gone', async () => {
    const world = await new World().open();
    const begin = world.clock.now();
    await world.observe(60);
    const { source, keeper, log } = world;
    const finder = new RecordFinder(log, keeper.index);
    const [point] = source.points;
    const SECOND = 1_000_000_000n;
    const at = (seconds: number) => begin + BigInt(seconds) * SECOND;
    const found = async (time: bigint, exact?: bigint) => {
      const one = await finder.observation('edge-nord', point!, time, exact);
      return one && [one.record.index, one.sourceTime - begin];
    };
    expect(await found(at(55))).toEqual([54, 55n * SECOND]);
    expect(await found(at(55) + 1n)).toEqual([54, 55n * SECOND]);
    expect(await found(at(70))).toEqual([59, 60n * SECOND]);
    expect(await found(at(56), at(56))).toEqual([55, 56n * SECOND]);
    // A backlog: much older than the records around it.
    world.clock.millis += 3_600_000;
    const late = batchToBytes(await source.observe(99, source.points, at(58) + 5n));
    world.batches.push(late);
    await log.append({ rejected: [], batch: late });
    await keeper.reached(61, AbortSignal.timeout(60_000));
    expect(await found(at(58) + 9n, at(58) + 5n)).toEqual([60, 58n * SECOND + 5n]);
    expect(await finder.observation('edge-sued', point!, at(55))).toBeUndefined();
    await log.retain();
    expect(await finder.record(0)).toBeUndefined();
    expect(await found(at(2))).toBeUndefined();
    await keeper.close();
  });
});
