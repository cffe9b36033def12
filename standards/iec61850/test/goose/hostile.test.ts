/** Whatever comes over a link: it is counted as something, and the next good message is understood. */
import { ETHERTYPE, encodeFrame, type LinkLayer, type Receive } from '@enerchain/ethernet';
import { VirtualClock } from '@enerchain/transport/testing';
import { expect, test } from 'vitest';
import { encodeSv, PHS_MEAS_1, subscribeGoose, subscribeSv } from '../../src/index.ts';
import { boolean, DESTINATION, frameOf, quality, REFERENCE, random, SOURCE, T } from './support.ts';

class Hand implements LinkLayer {
  readonly name = 'hand';
  give: Receive = () => {};
  readonly counters = { received: 0, sent: 0, lost: 0 };
  readonly closed = new Promise<void>(() => {});
  listen(receive: Receive): () => void {
    this.give = receive;
    return () => {};
  }
  send(): void {}
  async close(): Promise<void> {}
}

/** Good frames with some octets changed, cut, or made longer, and octets that never were a frame. */
function* damaged(good: readonly Uint8Array[], rounds: number): Generator<Uint8Array> {
  const next = random(23);
  for (let round = 0; round < rounds; round++) {
    const kind = next() % 8;
    if (kind === 0) {
      yield Uint8Array.from({ length: next() % 100 }, () => next());
      continue;
    }
    const frame = good[next() % good.length]!.slice(0, kind === 1 ? next() % 120 : undefined);
    // Mostly behind the addresses and tags, where there is something to spoil.
    const from = kind === 2 ? 0 : 18;
    if (frame.length > from)
      for (let changes = next() % 4; changes > 0; changes--) frame[from + (next() % (frame.length - from))] = next();
    yield frame;
  }
}

test('GOOSE', () => {
  const link = new Hand();
  const clock = new VirtualClock();
  let told = 0;
  const listening = subscribeGoose(link, clock, {
    expected: [
      {
        gocbRef: REFERENCE,
        confRev: 2,
        types: [
          { kind: 'boolean', value: null },
          { kind: 'bitString', value: -13 },
        ],
      },
    ],
    learn: 16,
    onEvent: () => told++,
  });
  const good = [0, 1, 2, 3].map((sqNum) => frameOf({ sqNum, stNum: 1 + (sqNum >> 1) }));
  for (const frame of damaged(good, 5000)) link.give(frame, 0n);
  const { frames, malformed, unknown } = listening.counters;
  let outcomes = 0;
  for (const { counters } of listening.subscribers.values()) {
    const { states, repetitions, duplicates, old, ignored, refused } = counters;
    expect(states + repetitions + duplicates + old + ignored + refused).toBe(counters.messages);
    outcomes += counters.messages;
  }
  expect(frames).toBe(5000);
  expect(malformed + unknown + outcomes).toBe(frames);
  expect(listening.subscribers.size).toBeLessThanOrEqual(17);
  expect(told).toBeGreaterThan(0);

  const subscriber = listening.subscribers.get(REFERENCE)!;
  subscriber.expire(subscriber.deadline);
  link.give(
    frameOf({ stNum: 9, sqNum: 0, t: { ...T, seconds: T.seconds + 9 }, allData: [boolean(true), quality()] }),
    0n,
  );
  expect(subscriber.state).toMatchObject({ stNum: 9, values: [boolean(true), quality()] });
});

test('sampled values', () => {
  const link = new Hand();
  const listening = subscribeSv(link, new VirtualClock(), {
    expected: [{ svId: 'MU1', confRev: 1, samplesPerSecond: 4000, layout: PHS_MEAS_1 }],
    learn: 16,
    onSample: (subscriber, view) => void subscriber.decode(view),
  });
  const frameAt = (smpCnt: number): Uint8Array =>
    encodeFrame({
      destination: DESTINATION,
      source: SOURCE,
      vlan: { id: 0, priority: 4 },
      etherType: ETHERTYPE.sampledValues,
      payload: encodeSv({
        appId: 0x4000,
        simulated: false,
        asdus: [0, 1].map((i) => ({
          svId: 'MU1',
          smpCnt: smpCnt + i,
          confRev: 1,
          smpSynch: 2,
          sample: new Uint8Array(64),
        })),
      }),
    });
  const good = [0, 2, 4, 6].map(frameAt);
  for (const frame of damaged(good, 5000)) link.give(frame, 0n);
  expect(listening.counters.frames).toBe(5000);
  expect(listening.counters.malformed).toBeGreaterThan(0);
  expect(listening.subscribers.size).toBeLessThanOrEqual(17);
  const { counters } = listening.subscribers.get('MU1')!;
  for (const count of Object.values(counters)) expect(count).toBeGreaterThanOrEqual(0);
  const before = counters.samples;
  link.give(frameAt(3000), 0n);
  expect(counters.samples).toBe(before + 2);
});
