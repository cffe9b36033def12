/**
 * Disks that are really full (tmpfs of a few megabytes), under the outbox of the gateway and under the ingest log of the
 * centre: nothing is acknowledged that is not kept, and nothing is missing once there is room again. One system goes
 * through all of it; the last test counts.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Journey, until, wrongWith } from './journey.ts';
import { SmallDisk, whyNoSmallDisk } from './small-disk.ts';

const title = `a full disk${whyNoSmallDisk ? ` (skipped: ${whyNoSmallDisk})` : ''}`;

describe.skipIf(whyNoSmallDisk !== undefined)(title, { timeout: 60_000 }, () => {
  const journey = new Journey();
  const { station } = journey;
  let outboxDisk: SmallDisk;
  let logDisk: SmallDisk;

  beforeAll(async () => {
    outboxDisk = new SmallDisk(journey.edgeFolder(), 3_072);
    logDisk = new SmallDisk(join(journey.centreFolder, 'log'), 6_144);
    await journey.startCentre();
  });
  afterAll(async () => {
    await journey.end();
    for (const disk of [outboxDisk, logDisk]) disk.unmount();
    journey.remove();
  });

  /** Produces until the outbox cannot be written: SQLite first uses up what it holds of the disk. */
  const produceUntil = async (failing: () => boolean) => {
    for (let i = 0; i < 200 && !failing(); i++) {
      station.produce(1_000);
      await until('a commit or its failure', () => failing() || station.acknowledged === station.produced);
    }
    expect(failing()).toBe(true);
  };

  const gaps = async (): Promise<string[]> => {
    const { items } = await journey.get<{ items: { reason: string }[] }>('/gaps');
    return items.map(({ reason }) => reason);
  };

  it('under the outbox leaves what cannot be kept at the device, and all of it arrives once there is room', async () => {
    const edge = await journey.startEdge();
    station.produce(100);
    await until('the first events', () => station.acknowledged === 100);
    outboxDisk.fill();
    await produceUntil(() => edge.report().counters['outbox.failing'] === 1);
    const { acknowledged } = station;
    station.produce(1_000);
    const failed = edge.report().counters['outbox.failedCommits']!;
    await until('more attempts', () => edge.report().counters['outbox.failedCommits']! >= failed + 3);
    expect(station.acknowledged).toBe(acknowledged);

    outboxDisk.free();
    await until('everything acknowledged', () => station.acknowledged === station.produced);
    await until('everything delivered', () => edge.report().outbox?.batches === 0);
    await until('the history', async () => wrongWith(await journey.history(), station.produced).length === 0);
    await edge.close();
  });

  it('under a gateway that is killed and started on it costs nothing of what the device was told is kept', async () => {
    const { siteFile, dataDir, url, token } = await journey.prepareEdge();
    const start = (): ChildProcess =>
      fork(join(import.meta.dirname, 'edge-child.ts'), [siteFile, dataDir, url, token], {
        execArgv: ['--disable-warning=ExperimentalWarning'],
        stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      });
    const killed = start();
    let failing = false;
    killed.on('message', (message: { failing: boolean }) => {
      failing = message.failing;
    });
    await once(killed, 'message');
    station.produce(100);
    await until('the first events', () => station.acknowledged === station.produced);
    await until('the gap of the time between', async () => (await gaps()).includes('deviceAway'));
    outboxDisk.fill();
    await produceUntil(() => failing);
    killed.kill('SIGKILL');
    await once(killed, 'exit');
    expect(station.acknowledged).toBeLessThan(station.produced);

    const refused = start();
    let said = '';
    refused.stderr!.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
    await once(refused, 'exit');
    expect(said).toMatch(
      /the outbox .* cannot be opened: database or disk is full; the edge does not start without it/,
    );

    outboxDisk.free();
    const edge = await journey.startEdge();
    await until('everything acknowledged', () => station.server.queue()?.size === 0);
    await until('everything delivered', () => edge.report().outbox?.batches === 0);
    await until('the history', async () => wrongWith(await journey.history(), station.produced).length === 0);
    // What may have been on its way when it was killed is inside a gap record.
    await until('the gap record', async () => (await gaps()).includes('uncleanRestart'));
    await edge.close();
  });

  it('under the ingest log keeps everything at the gateway, and the history is whole once there is room', async () => {
    const edge = await journey.startEdge();
    logDisk.fill();
    const before = (await journey.status()).observations;
    station.produce(20_000);
    await until('the gateway has it all', () => station.acknowledged === station.produced);
    const troubles = async () => (await fetch(`${journey.url}/healthz`)).text();
    await until('the centre says it', async () => (await troubles()).includes('the ingest log cannot be written'));
    expect(edge.report().outbox!.batches).toBeGreaterThan(0);
    expect((await journey.status()).observations - before).toBeLessThan(20_000);

    logDisk.free();
    await until('everything delivered', () => edge.report().outbox?.batches === 0);
    await until('the live value', async () => (await journey.liveValue()) === station.produced - 1);
    await until('the history', async () => wrongWith(await journey.history(), station.produced).length === 0);
    await until('the alarm', async () => (await journey.alarmKeys()).includes('log.failed'));
    expect(await troubles()).not.toContain('the ingest log cannot be written');
    await edge.close();
  });

  it('has cost nothing in the end: each event stands in the log once, without a break of the chain', async () => {
    expect(await journey.status()).toMatchObject({ chainBreaks: 0 });
    const { first } = await journey.account();
    expect(wrongWith(first, station.produced)).toEqual([]);
  });
});
