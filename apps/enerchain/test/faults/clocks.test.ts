/** Clocks that jump a year and back: of the device, of the gateway, of the centre. Time is data; nothing is lost by it. */

import type { EdgeHandle } from '@enerchain/edge';
import { type Clock, systemClock } from '@enerchain/model';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { Journey, until, wrongWith } from './journey.ts';

const YEAR = 366 * 86_400_000;

/** The clock of one machine, which can be set without the others noticing. */
class OwnClock implements Clock {
  error = 0;
  readonly #began = systemClock.now() - BigInt(Math.round(performance.now() * 1e6));
  now = () => this.#began + BigInt(Math.round((performance.now() + this.error) * 1e6));
  monotonic = () => performance.now();
}

describe('a clock that jumps a year', () => {
  const journey = new Journey();
  const { station } = journey;
  const clock = new OwnClock();
  let edge: EdgeHandle;

  beforeAll(async () => {
    station.present = true;
    await journey.startCentre();
    edge = await journey.startEdge({ clock });
    await until('the link', () => edge.connected);
  });
  afterEach(() => vi.useRealTimers());
  afterAll(async () => {
    await journey.end();
    journey.remove();
  });

  const delivered = async (): Promise<void> => {
    await until('acknowledged to the device', () => station.acknowledged === station.produced);
    await until('acknowledged by the centre', () => edge.report().outbox?.batches === 0);
  };
  const clockSteps = async (): Promise<string[]> => {
    const { items } = await journey.get<{ items: { text: string }[] }>('/events?kind=source&limit=200');
    return items.map(({ text }) => text).filter((text) => /clock/.test(text));
  };

  it('of the device: its values are kept under the time it says, marked, and the display follows the present', async () => {
    for (const error of [0, YEAR, -YEAR, 0]) {
      station.produce(100, error);
      await delivered();
      await until('the live value', async () => (await journey.liveValue()) === station.produced - 1);
    }
    await until('the event', async () => (await clockSteps()).some((text) => text.includes('ahead of ours')));
    await until('the history', async () => (await journey.history()).length === station.produced);
  });

  it('of the gateway: nothing is dropped as too old, the link stands, and the step is told', async () => {
    for (const error of [YEAR, -YEAR, 0]) {
      clock.error = error;
      station.produce(100);
      await delivered();
      await until('the live value', async () => (await journey.liveValue()) === station.produced - 1);
    }
    expect(edge.report().counters['outbox.droppedBatches']).toBe(0);
    clock.error = YEAR;
    await until('the event', async () => (await clockSteps()).some((text) => text.includes('was set by')));
    clock.error = 0;
  });

  it('of the centre: the gateway keeps what cannot be delivered until the clock is right, and live values follow', async () => {
    for (const error of [YEAR, -YEAR]) {
      vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + error });
      station.produce(100);
      await until('acknowledged to the device', () => station.acknowledged === station.produced);
      await until(
        'the live value or no link',
        async () => !edge.connected || (await journey.liveValue()) === station.produced - 1,
      );
      vi.useRealTimers();
      await delivered();
      await until('the live value', async () => (await journey.liveValue()) === station.produced - 1);
    }
    await until('the history', async () => (await journey.history()).length === station.produced);
  });

  it('has cost nothing in the end: each event stands in the log once, without a break of the chain', async () => {
    expect(await journey.status()).toMatchObject({ chainBreaks: 0 });
    const { first, gaps } = await journey.account();
    expect(wrongWith(first, station.produced)).toEqual([]);
    expect(gaps).toEqual([]);
  });
});
