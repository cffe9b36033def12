/** The database does not answer for five minutes (`ENERCHAIN_FAULT_SECONDS`), while events keep coming. */
import { expect, it } from 'vitest';
import { Journey, until, wrongWith } from './journey.ts';
import { postgresProcesses, signal, whyNoProcesses } from './postgres.ts';

const seconds = Number(process.env.ENERCHAIN_FAULT_SECONDS ?? 300);

it.skipIf(whyNoProcesses !== undefined)(
  `a database that is frozen for ${seconds} s delays the history, and the history is exact a moment later`,
  { timeout: 120_000 + seconds * 1_000 },
  async () => {
    const journey = new Journey();
    const { station } = journey;
    let frozen: number[] = [];
    try {
      await journey.startCentre();
      const edge = await journey.startEdge();
      station.produce(100);
      await until('the first history', async () => (await journey.history()).length === 100);
      frozen = postgresProcesses(journey.centreFolder);
      signal(frozen, 'SIGSTOP');
      const since = performance.now();
      while (performance.now() - since < seconds * 1_000) {
        station.produce(20);
        await until('live', async () => (await journey.liveValue()) === station.produced - 1, 10_000);
        await new Promise((resolve) => setTimeout(resolve, 200)); // the pace of the device
      }
      expect(edge.report().outbox?.batches).toBeLessThan(5);
      const health = await (await fetch(`${journey.url}/healthz`)).text();
      if (seconds > 30) expect(health).toContain('the database (embedded) is away');
      signal(frozen, 'SIGCONT');
      const back = performance.now();
      await until('the history', async () => wrongWith(await journey.history(), station.produced).length === 0, 60_000);
      console.log(`${station.produced} events; the history was whole ${Math.round(performance.now() - back)} ms after`);
      const { first, repeats, gaps } = await journey.account();
      expect(wrongWith(first, station.produced)).toEqual([]);
      expect([repeats, gaps]).toEqual([[], []]);
    } finally {
      signal(frozen, 'SIGCONT');
      await journey.end();
      journey.remove();
    }
  },
);
