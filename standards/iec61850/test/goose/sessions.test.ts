import { memoryLan } from '@enerchain/ethernet';
import { bits, type Data } from '@enerchain/mms';
import { VirtualClock } from '@enerchain/transport/testing';
import { expect, test } from 'vitest';
import {
  type AddressedGoose,
  expectedOf,
  gooseControls,
  localAddress,
  publicationOf,
  publishGoose,
  type SubscribeGooseOptions,
  subscribeGoose,
} from '../../src/index.ts';
import { sample } from './sample.ts';
import { boolean, frameOf, quality } from './support.ts';

const [TRIP, WHOLE] = (() => {
  const { scl, models } = sample();
  return gooseControls(scl, models);
})();

const dbpos = (text: string): Data => ({ kind: 'bitString', value: bits(text) });

function lab(options: SubscribeGooseOptions = {}, carry?: (frame: Uint8Array) => readonly number[]) {
  const clock = new VirtualClock();
  const lan = memoryLan({
    clock: {
      now: () => BigInt(Math.round(clock.now() * 1000)) * 1000n,
      schedule: (delay, back) => clock.schedule(delay, back),
    },
    ...(carry ? { carry } : {}),
  });
  const said: string[] = [];
  const listening = subscribeGoose(lan.station('listener'), clock, {
    expected: [expectedOf(TRIP!), expectedOf(WHOLE!)],
    ...options,
    onState: ({ gocbRef }, { state }) =>
      said.push(`${gocbRef.slice(-5)} ${state!.stNum}.${state!.sqNum} ${state!.changed.join()}`),
    onEvent: ({ text }) => said.push(text),
  });
  const publish = (publication: AddressedGoose) =>
    publishGoose(lan.station('publisher'), clock, publication, { source: localAddress('BCU1') });
  return { clock, lan, listening, said, publish };
}

test('from SCL to SCL: a change of a value by its reference is heard, then nothing until the heartbeat', async () => {
  const { clock, listening, said, publish } = lab();
  const publishing = publish(publicationOf(TRIP!));
  await clock.advance(3000);
  expect(said.splice(0)).toEqual([`$Trip 1.1 0,1`]);
  const before = listening.subscribers.get(TRIP!.gocbRef)!.counters.messages;
  expect(
    publishing.update('BCU1CTRL/QA1XCBR1.Pos', {
      stVal: dbpos('10'),
      t: { kind: 'utcTime', value: { seconds: 1, fraction: 0, quality: 0 } },
    }),
  ).toBe(true);
  await clock.advance(3);
  expect(said.splice(0)).toEqual([`$Trip 2.0 0`]);
  expect(publishing.update('BCU1CTRL/QA1XCBR1.Pos', { stVal: dbpos('10'), q: quality() })).toBe(false);
  expect(publishing.update('BCU1CTRL/QA9XCBR9.Pos', { stVal: dbpos('01') })).toBe(false);
  expect(() => publishing.update('BCU1CTRL/QA1XCBR1.Pos', { stVal: boolean(true) })).toThrow(
    /takes bitString, not boolean/,
  );
  await clock.advance(2000);
  // At 0, 4, 12, 28, 60, 124, 252, 508, 1020, then every second.
  expect(listening.subscribers.get(TRIP!.gocbRef)!.counters.messages - before).toBe(9);
  const subscriber = listening.subscribers.get(TRIP!.gocbRef)!;
  expect([subscriber.status, subscriber.counters.lost]).toEqual(['valid', 0]);
  publishing.stop();
  await clock.advance(5000);
  expect(subscriber.status).toBe('expired');
  expect(said).toEqual([expect.stringContaining('nothing within 2000 ms after stNum 2, sqNum 8')]);
});

test('a timer that fires too early is waited for: the publisher does not fall silent', async () => {
  const { clock, lan, listening } = lab();
  // As those of Node.js do, by up to two milliseconds.
  const early = {
    now: () => clock.now(),
    monotonic: () => clock.monotonic(),
    schedule: (delay: number, back: () => void) => clock.schedule(delay > 2 ? delay - 1.9 : delay, back),
  };
  publishGoose(lan.station('publisher'), early, publicationOf(TRIP!), { source: localAddress('BCU1') });
  await clock.advance(10_000);
  expect(listening.subscribers.get(TRIP!.gocbRef)).toMatchObject({
    status: 'valid',
    counters: { lost: 0, expired: 0 },
  });
  expect(listening.subscribers.get(TRIP!.gocbRef)!.counters.messages).toBeGreaterThan(15);
});

test('members that are whole objects, with fixed lengths', async () => {
  const { clock, said, publish, listening } = lab();
  const publishing = publish(publicationOf(WHOLE!));
  await clock.advance(10);
  expect(publishing.update('BCU1CTRL/MMXU1.TotW', { 'mag.f': { kind: 'float', value: 12.5 } })).toBe(true);
  expect(publishing.update('BCU1CTRL/MMXU1.TotW', { db: { kind: 'unsigned', value: 1 } })).toBe(false);
  await clock.advance(1);
  expect(said.slice(0, 2)).toEqual(['Whole 1.1 0,1', 'Whole 2.0 1']);
  expect(listening.subscribers.get(WHOLE!.gocbRef)!.state!.values[1]).toMatchObject({
    value: [{ kind: 'structure', value: [{ kind: 'float', value: 12.5 }] }, {}, {}],
  });
});

test('one that never comes is told', async () => {
  const { clock, said } = lab();
  await clock.advance(3001);
  expect(said).toEqual(['GOOSE BCU1CTRL/LLN0$GO$Trip: nothing has come yet']);
  await clock.advance(60_000);
  expect(said.length).toBe(2);
});

test('unknown control blocks are told once each and counted; where wanted they are learned, up to a bound', async () => {
  for (const learn of [0, 2]) {
    const { clock, lan, listening, said } = lab({ expected: [], learn });
    const station = lan.station('others');
    for (let round = 0; round < 3; round++)
      for (let i = 0; i < 4; i++) station.send(frameOf({ gocbRef: `IED${i}LD/LLN0$GO$gcb`, sqNum: round }));
    await clock.advance(1);
    expect(listening.subscribers.size).toBe(learn);
    expect(listening.counters).toMatchObject({ frames: 12, unknown: 3 * (4 - learn) });
    expect(said.filter((text) => /passed over/.test(text)).length).toBe(4 - learn);
  }
});

test('malformed frames are counted, and told a few times a second', async () => {
  const { clock, lan, listening, said } = lab();
  const station = lan.station('others');
  for (let i = 0; i < 100; i++) station.send(frameOf().slice(0, 40));
  station.send(Uint8Array.of(...new Uint8Array(12), 0x88, 0xb8));
  await clock.advance(1);
  expect(listening.counters).toMatchObject({ frames: 101, malformed: 101 });
  expect(said.length).toBe(10);
});

test('a frame on two ways is heard once', async () => {
  let copy = 0;
  const { clock, said, publish, listening } = lab({}, () => [0, (copy++ * 7) % 40]);
  const publishing = publish(publicationOf(TRIP!));
  for (let i = 0; i < 20; i++) {
    await clock.advance(500);
    publishing.update('BCU1CTRL/QA1XCBR1.Pos', { stVal: dbpos(i % 2 ? '01' : '10') });
  }
  await clock.advance(500);
  expect(said.length).toBe(21);
  const { counters } = listening.subscribers.get(TRIP!.gocbRef)!;
  expect(counters.duplicates).toBe(counters.messages / 2);
  expect(counters).toMatchObject({ states: 21, lost: 0, old: 0, refused: 0 });
});

test('in the time of a capture', () => {
  const clock = new VirtualClock();
  let receive: (frame: Uint8Array, at: bigint) => void = () => {};
  const link = {
    name: 'capture',
    listen: (to: typeof receive) => {
      receive = to;
      return () => {};
    },
    send: () => {},
    counters: { received: 0, sent: 0, lost: 0 },
    closed: new Promise<void>(() => {}),
    close: async () => {},
  };
  const said: string[] = [];
  const listening = subscribeGoose(link, clock, {
    time: 'frames',
    expected: [{ gocbRef: 'BCU1CTRL/LLN0$GO$Trip', firstWithin: 3000 }],
    onEvent: ({ text }) => said.push(text),
  });
  const start = 1_768_478_400_000_000_000n;
  receive(frameOf({ sqNum: 0 }), start);
  receive(frameOf({ sqNum: 1 }), start + 1_999_000_000n);
  receive(frameOf({ sqNum: 2 }), start + 5_000_000_000n);
  listening.until(start + 7_000_000_000n);
  expect(said.map((text) => text.slice('GOOSE BCU1CTRL/LLN0$GO$Trip: '.length))).toEqual([
    expect.stringMatching(/^nothing within 2000 ms/),
    expect.stringMatching(/^messages come again after 3001 ms/),
    expect.stringMatching(/^nothing within 2000 ms/),
  ]);
  expect(clock.pending).toBe(0);
});

test('a link that ends, ends what is published and listened to on it', async () => {
  const clock = new VirtualClock();
  const lan = memoryLan();
  const [publisher, subscriber] = [lan.station('publisher'), lan.station('subscriber')];
  subscribeGoose(subscriber, clock, { expected: [expectedOf(TRIP!)] });
  const publishing = publishGoose(publisher, clock, publicationOf(TRIP!), { source: localAddress('BCU1') });
  await clock.advance(10);
  expect(clock.pending).toBeGreaterThan(0);
  await Promise.all([publisher.close(), subscriber.close()]);
  await clock.advance(0);
  expect(clock.pending).toBe(0);
  expect(publishing.publisher.running).toBe(false);
});
