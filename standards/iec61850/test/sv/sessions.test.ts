import { memoryLan } from '@enerchain/ethernet';
import { VirtualClock } from '@enerchain/transport/testing';
import { expect, test } from 'vitest';
import {
  expectedSvOf,
  localAddress,
  publishSv,
  sampledValueControls,
  subscribeSv,
  svPublicationOf,
} from '../../src/index.ts';
import { sample } from '../goose/sample.ts';

const CONTROL = (() => {
  const { scl, models } = sample();
  return sampledValueControls(scl, models)[0]!;
})();

test('from SCL to SCL: a second of samples in amperes and volts, a cut, a stop', async () => {
  const clock = new VirtualClock();
  let cut = false;
  const lan = memoryLan({
    clock: {
      now: () => BigInt(Math.round(clock.now() * 1000)) * 1000n,
      schedule: (delay, back) => clock.schedule(delay, back),
    },
    carry: () => (cut ? [] : [0]),
  });
  const said: string[] = [];
  let peak = 0;
  const listening = subscribeSv(lan.station('protection'), clock, {
    expected: [expectedSvOf(CONTROL)],
    onSample: (subscriber, view) => {
      subscriber.decode(view);
      peak = Math.max(peak, subscriber.values[0]!);
    },
    onEvent: ({ text }) => said.push(text),
  });
  const publishing = publishSv(lan.station('merging unit'), clock, svPublicationOf(CONTROL), {
    source: localAddress('MU1'),
    smpSynch: 1,
    sample: (smpCnt, values) => {
      values[0] = 100 * Math.SQRT2 * Math.sin((2 * Math.PI * 50 * smpCnt) / 4800);
      values[1] = 11_547;
    },
  });
  await clock.advance(1000);
  const subscriber = listening.subscribers.get('BCU1_SV')!;
  expect(subscriber.counters).toMatchObject({ samples: 4800, lost: 0 });
  expect(peak).toBeCloseTo(141.421, 3);
  expect(subscriber.values[1]).toBe(11_547);
  cut = true;
  await clock.advance(100);
  cut = false;
  await clock.advance(100);
  expect(subscriber.counters.lost).toBe(480);
  publishing.stop();
  await clock.advance(2000);
  expect(subscriber.status).toBe('silent');
  expect(said.map((text) => text.replace(/smpCnt \d+/, 'smpCnt'))).toEqual([
    'SV BCU1_SV: 480 samples lost before smpCnt',
    'SV BCU1_SV: nothing for 200 ms',
  ]);
  listening.stop();
  expect(clock.pending).toBe(0);
});

test('one that never comes is told; others are learned where nothing is expected', async () => {
  const clock = new VirtualClock();
  const lan = memoryLan();
  const said: string[] = [];
  const options = { onEvent: ({ text }: { text: string }) => void said.push(text) };
  const expecting = subscribeSv(lan.station('a'), clock, { expected: [{ svId: 'other' }], ...options });
  const learning = subscribeSv(lan.station('b'), clock, options);
  publishSv(lan.station('c'), clock, svPublicationOf(CONTROL), { source: localAddress('MU1'), sample: () => {} });
  await clock.advance(250);
  expect(said).toEqual([
    'SV BCU1_SV: nobody expects it; its messages are passed over',
    'SV other: nothing has come yet',
  ]);
  // Every 4 ms what is due: 1190 of 4800 a second at 248.
  expect(expecting.counters.unknown).toBe(1190);
  expect(learning.subscribers.get('BCU1_SV')!.samplesPerSecond).toBe(4800);
});

test('two streams with the same svID are told apart by their APPID', async () => {
  const clock = new VirtualClock();
  const lan = memoryLan();
  const one = svPublicationOf(CONTROL);
  const other = { ...one, appId: 0x4001, confRev: 7 };
  const events: string[] = [];
  const listening = subscribeSv(lan.station('listener'), clock, {
    expected: [expectedSvOf(CONTROL), { ...expectedSvOf(CONTROL), appId: 0x4001, confRev: 7 }],
    onEvent: ({ text }) => events.push(text),
  });
  for (const publication of [one, other])
    publishSv(lan.station('mu'), clock, publication, { source: localAddress('MU1'), sample: () => {} });
  await clock.advance(100);
  expect(
    [...listening.subscribers].map(([id, { counters }]) => [id, counters.samples > 400, counters.refused]),
  ).toEqual([
    ['BCU1_SV', true, 0],
    ['BCU1_SV 4001', true, 0],
  ]);
  expect(events).toEqual([]);
});
