/** A data folder was copied: two gateways speak with one key and one chain. */
import { cpSync } from 'node:fs';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { Journey, NumberingStation, until, wrongWith } from './journey.ts';

const journey = new Journey();
const { station } = journey;
const OTHER = 1_000_000;
const other = new NumberingStation(OTHER);

beforeAll(async () => {
  await journey.startCentre();
});
afterAll(async () => {
  await other.server.close();
  await journey.end();
  journey.remove();
});

it('two gateways with one identity raise an alarm after a few takeovers, and the right one loses nothing', {
  timeout: 330_000,
}, async () => {
  const first = await journey.startEdge();
  station.produce(200);
  await until('the first events', async () => (await journey.history()).length === 200);
  await first.close();
  cpSync(journey.edgeFolder(), journey.edgeFolder('copy'), { recursive: true });

  const right = await journey.startEdge();
  await until('the right one is there', () => right.connected);
  await other.server.listen();
  const copy = await journey.startEdge({ dataDir: journey.edgeFolder('copy'), station: other });
  // Each that is sent away waits before it comes again, so it takes a minute until two are told from one that reconnects.
  await until(
    'the alarm',
    async () => {
      station.produce(10);
      other.produce(10);
      await new Promise((resolve) => setTimeout(resolve, 100)); // the pace of the devices
      return (await journey.alarmKeys()).includes('source.duplicate.edge-nord');
    },
    200_000,
  );
  await copy.close();
  station.produce(100);
  await until('the right one has delivered', () => right.connected && right.report().outbox?.batches === 0, 60_000);
  await until('its last value', async () => (await journey.history()).includes(station.produced - 1));
  // What was under way when the other came in its place may be there twice: two with one key cannot have exactly once.
  const { first: stored } = await journey.account();
  const ofTheRight = [...new Set(stored)].filter((value) => value < OTHER).sort((a, b) => a - b);
  expect(wrongWith(ofTheRight, station.produced)).toEqual([]);
});
