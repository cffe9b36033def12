/**
 * The database falls, or stops answering. Ingest, acknowledgement and live values go on; the history catches up from the
 * log and has each value once. The five minutes in full are in `database-away.slow.test.ts`.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Journey, until, wrongWith } from './journey.ts';
import { postgresProcesses, readyServer, signal, whyNoProcesses } from './postgres.ts';

describe.skipIf(whyNoProcesses !== undefined)(
  `a database that is away${whyNoProcesses ? ` (skipped: ${whyNoProcesses})` : ''}`,
  () => {
    const journey = new Journey();
    const { station } = journey;
    let batches: () => number;

    beforeAll(async () => {
      await journey.startCentre();
      const edge = await journey.startEdge();
      batches = () => edge.report().outbox?.batches ?? 0;
      station.produce(500);
      await until('the first history', async () => (await journey.history()).length === 500);
    });
    afterAll(async () => {
      await journey.end();
      journey.remove();
    });

    const producedIsDelivered = async (events: number): Promise<void> => {
      station.produce(events);
      await until('acknowledged to the device', () => station.acknowledged === station.produced);
      await until('acknowledged by the centre', () => batches() === 0);
      await until('the live value', async () => (await journey.liveValue()) === station.produced - 1);
    };

    it('killed again and again delays the history and costs nothing', async () => {
      for (let fall = 0; fall < 3; fall++) {
        const [server] = postgresProcesses(journey.centreFolder);
        signal([server!], 'SIGKILL');
        await producedIsDelivered(2_000);
        await until('it runs again', () => {
          const again = readyServer(journey.centreFolder);
          return again !== undefined && again !== server;
        });
      }
      await until('the history', async () => wrongWith(await journey.history(), station.produced).length === 0);
    });

    it('frozen, with its connections open, holds up neither ingest nor live values', async () => {
      const pids = postgresProcesses(journey.centreFolder);
      signal(pids, 'SIGSTOP');
      try {
        await producedIsDelivered(5_000);
      } finally {
        signal(pids, 'SIGCONT');
      }
      await until('the history', async () => wrongWith(await journey.history(), station.produced).length === 0);
    });

    it('has cost nothing in the end: each event stands in the log once, without gap or repeat', async () => {
      const { first, repeats, gaps } = await journey.account();
      expect(wrongWith(first, station.produced)).toEqual([]);
      expect([repeats, gaps]).toEqual([[], []]);
    });
  },
);
