/** A gateway with one good device and some that break the protocol: the good one must not notice. */

import type { Socket } from 'node:net';
import type { EdgeHandle } from '@enerchain/edge';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { frame, HostileStation } from './hostile-station.ts';
import { endpointOf, Journey, until, wrongWith } from './journey.ts';

const garbage = Buffer.from('not a frame of IEC 60870-5-104 at all');
/** M_ME_NC_1 that says one object and has not the octets for it. */
const shortAsdu = Buffer.from('680d000000000d0103000100020000', 'hex');

describe('a gateway among devices that break the protocol', { timeout: 60_000 }, () => {
  const journey = new Journey();
  const { station } = journey;
  let edge: EdgeHandle;
  const pouring = (socket: Socket) => {
    let sent = 0;
    const pour = () => {
      // Ignores k: nothing it is sent is ever read, and it sends as fast as the socket takes it.
      while (!socket.destroyed && socket.write(frame(sent++)));
    };
    socket.pause();
    socket.on('drain', pour);
    pour();
  };
  const stations = {
    garbled: new HostileStation((socket) => socket.write(garbage)),
    skipping: new HostileStation((socket) => socket.write(Buffer.concat([frame(0), frame(5)]))),
    forging: new HostileStation((socket) => socket.write(frame(0, 700))),
    truncated: new HostileStation((socket) => socket.write(Buffer.concat([shortAsdu, frame(1)]))),
    flooding: new HostileStation(pouring),
    mute: new HostileStation((socket) => socket.pause()),
  };
  const names = Object.keys(stations) as (keyof typeof stations)[];
  const detailOf = (name: string) => endpointOf(edge.report(), name).detail ?? '';

  beforeAll(async () => {
    const endpoints = await Promise.all(names.map(async (id) => ({ id, port: await stations[id].listen() })));
    await journey.startCentre();
    edge = await journey.startEdge({ endpoints });
  });
  afterAll(async () => {
    for (const name of names) stations[name].close();
    await journey.end();
    journey.remove();
  });

  it.each([
    ['garbled', /starts with|start octet|no start|0x68|68/i],
    ['skipping', /N\(S\)/],
    ['forging', /N\(R\)/],
  ] as const)(
    'leaves a %s one with a sentence that says what was wrong, and comes back with growing pauses',
    async (name, said) => {
      await until('the second attempt', () => stations[name].attempts >= 2);
      expect(detailOf(name)).toMatch(said);
      expect(endpointOf(edge.report(), name).state).not.toBe('up');
    },
  );

  it('keeps the connection over an ASDU that cannot be read, counts and tells it, and takes what follows', async () => {
    await until('both frames', () => (endpointOf(edge.report(), 'truncated').counters.objects ?? 0) >= 1);
    const { state, counters } = endpointOf(edge.report(), 'truncated');
    expect([state, counters.malformed]).toEqual(['up', 1]);
    expect(stations.truncated.attempts).toBe(1);
    const events = () => journey.get<{ items: { text: string }[] }>('/events?kind=source&limit=200');
    await until('the event', async () => (await events()).items.some(({ text }) => text.includes('cannot be read')));
  });

  it('reads no more of a flood than it can commit, and does not grow', async () => {
    await until(
      'some of the flood is kept',
      () => (endpointOf(edge.report(), 'flooding').counters.objects ?? 0) > 20_000,
    );
    expect(edge.report().counters['outbox.memory']).toBeLessThan(16 * 2 ** 20);
    expect(edge.report().counters['outbox.refusedObservations']).toBe(0);
  });

  it('gives up a device that takes nothing and says nothing', async () => {
    await until('the end of the connection', () => /t1|confirm/.test(detailOf('mute')), 40_000);
  });

  it('hears the good one all the while, and has lost nothing of it in the end', async () => {
    for (let i = 0; i < 5; i++) {
      station.produce(200);
      await until('acknowledged beside the flood', () => station.acknowledged === station.produced, 5_000);
    }
    expect(endpointOf(edge.report(), 'rtu').state).toBe('up');
    stations.flooding.close();
    await until('delivered', () => edge.report().outbox?.batches === 0);
    const { first, repeats } = await journey.account();
    expect(wrongWith(first, station.produced)).toEqual([]);
    expect(repeats).toEqual([]);
  });
});
