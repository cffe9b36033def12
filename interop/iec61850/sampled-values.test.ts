/** Sampled values over a real link: both roles beside libiec61850 on a veth pair. */
import { join } from 'node:path';
import { ETHERTYPE, encodeFrame, type LinkLayer, mac, packetLink } from '@enerchain/ethernet';
import { type SampleLayout, SvPublisher, subscribeSv } from '@enerchain/iec61850';
import { systemClock } from '@enerchain/transport';
import { until } from '@enerchain/transport/testing';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { noPacketSockets, type Veth, veth } from '../../standards/ethernet/test/support/veth.ts';
import { PeerProcess } from '../peer-process.ts';
import { missing, python } from '../pyiec61850.ts';

const why = missing ?? noPacketSockets();

/** The peer's samples are INT32 one behind the other, without quality. */
const LAYOUT: SampleLayout = {
  octets: 8,
  fields: [0, 4].map((at) => ({ reference: `MU1/I${at}`, bType: 'INT32', at, octets: 4 })),
  channels: [0, 4].map((at) => ({
    reference: `MU1/I${at}`,
    at,
    octets: 4,
    type: 'signed',
    scaleFactor: 0.5,
    offset: 0,
    unit: '',
    qualityAt: -1,
  })),
};

describe.skipIf(why !== undefined)(
  `sampled values on a veth pair beside libiec61850${why === undefined ? '' : `: skipped, ${why}`}`,
  () => {
    let pair: Veth;
    beforeAll(() => {
      pair = veth();
    });
    afterAll(() => pair.remove());

    async function peer(): Promise<PeerProcess> {
      const script = join(import.meta.dirname, 'peers', 'goose.py');
      const command = ['ip', 'netns', 'exec', pair.namespace, python, script];
      const process = new PeerProcess({ name: 'goose.py', version: '', licence: '', command }, [pair.ends[0]]);
      onTestFinished(() => process.stop());
      await process.expect(({ event }) => event === 'ready', 'goose.py ready');
      return process;
    }

    function ours(): LinkLayer {
      const link = packetLink(pair.ends[1], { namespace: pair.namespace });
      onTestFinished(() => link.close());
      return link;
    }

    test('what it publishes is counted and decoded', async () => {
      const events: unknown[] = [];
      const seen: number[][] = [];
      const listening = subscribeSv(ours(), systemClock, {
        // Not its address: the Python side sends to that of GOOSE, whatever it was told.
        expected: [{ svId: 'MU1', confRev: 5, appId: 0x4000, layout: LAYOUT }],
        silence: 60_000,
        onSample: (subscriber, view) => {
          subscriber.decode(view);
          seen.push([view.smpCnt, ...subscriber.values]);
        },
        onEvent: (event) => events.push(event),
      });
      const it = await peer();
      const samples = [0, 1, 2, 3].map((i) => [2 * i + 1, -i]);
      await it.call('publishSv', 'MU1', 0x4000, 5, '010ccd040001', 5, 4, samples);
      await until(() => seen.length === 4, 'four samples');
      expect(seen.map(([, ...values]) => values)).toEqual(samples.map(([a, b]) => [a! / 2, b! / 2 || 0]));
      const counts = seen.map(([smpCnt]) => smpCnt!);
      expect(counts).toEqual([0, 1, 2, 3].map((i) => counts[0]! + i));
      expect(listening.subscribers.get('MU1')!.counters).toMatchObject({ samples: 4, lost: 0, refused: 0 });
      expect(events).toEqual([]);
    });

    test('what we publish it takes: svID, smpCnt, confRev, values', async () => {
      const it = await peer();
      await it.call('subscribeSv', 0x4000, 'MU1');
      const link = ours();
      const publisher = new SvPublisher({
        appId: 0x4000,
        svId: 'MU1',
        confRev: 5,
        layout: LAYOUT,
        samplesPerSecond: 4000,
        asdus: 1,
      });
      publisher.smpCnt = 3999;
      const send = (values: readonly number[]) =>
        link.send(
          encodeFrame({
            destination: mac('01-0C-CD-04-00-01'),
            source: mac('02-00-00-00-00-01'),
            vlan: { id: 5, priority: 4 },
            etherType: ETHERTYPE.sampledValues,
            payload: publisher.add(values)!,
          }),
        );
      // One after the other: its Python side looks at a message when the next one may have come.
      send([1.5, -2.5]);
      expect(await it.expect(({ event }) => event === 'sv', 'the last of a second')).toMatchObject({
        svId: 'MU1',
        smpCnt: 3999,
        confRev: 5,
        values: [3, -5],
      });
      send([2.5, -2.5]);
      expect(
        await it.expect(({ event, smpCnt }) => event === 'sv' && smpCnt === 0, 'the first of the next'),
      ).toMatchObject({ values: [5, -5] });
    });
  },
);
