/** A publisher, a network that loses, doubles, delays and overtakes, and what a subscriber makes of it. */
import type { Data } from '@enerchain/mms';
import { expect, test } from 'vitest';
import { GoosePublisher, GooseSubscriber, GooseView } from '../../src/index.ts';
import { REFERENCE, random, T } from './support.ts';

interface Network {
  /** One of so many messages is lost on each way; 0 for none. */
  readonly losesOneOf: number;
  /** The longest time a message takes on its way, ms. */
  readonly delay: number;
  /** PRP has two ways. */
  readonly ways: number;
}

interface Sent {
  readonly octets: Uint8Array;
  readonly at: number;
  readonly stNum: number;
  readonly sqNum: number;
}

const valuesFor = (stNum: number): Data[] => [{ kind: 'integer', value: stNum * 7 }];

/** Half a minute with changes now and then, some in the middle of the repetitions of the one before. */
function published(next: () => number): Sent[] {
  const publisher = new GoosePublisher(
    { appId: 1, gocbRef: REFERENCE, datSet: 'D', goId: 'G', confRev: 1, minTime: 4, maxTime: 500 },
    valuesFor(1),
  );
  const sent: Sent[] = [];
  const view = new GooseView();
  const take = (octets: Uint8Array | undefined, at: number): void => {
    if (!octets) return;
    view.read(octets);
    sent.push({ octets, at, stNum: view.stNum, sqNum: view.sqNum });
  };
  take(publisher.start(T, 0), 0);
  for (let at = 1; at < 30_000; at++) {
    if (at < 28_000 && next() % 300 === 0) {
      const stNum = publisher.stNum + 1;
      take(publisher.change(valuesFor(stNum), { ...T, seconds: T.seconds + stNum }, at), at);
    } else take(publisher.repeat(at), at);
  }
  return sent;
}

function run(seed: number, { losesOneOf, delay, ways }: Network) {
  const next = random(seed);
  const sent = published(next);
  const arrivals: { readonly message: Sent; readonly at: number }[] = [];
  const arrived = new Set<Sent>();
  for (const message of sent) {
    // Beginning and end come through, so that both sides mean the same by what lies between.
    const certain = message.at === 0 || message.at > 29_000;
    for (let way = 0; way < ways; way++) {
      if (!certain && losesOneOf > 0 && next() % losesOneOf === 0) continue;
      arrivals.push({ message, at: message.at + (certain || delay === 0 ? 0 : next() % delay) });
      arrived.add(message);
    }
  }
  arrivals.sort((a, b) => a.at - b.at);
  const subscriber = new GooseSubscriber({ gocbRef: REFERENCE });
  const view = new GooseView();
  const states: number[] = [];
  const events: string[] = [];
  for (const { message, at } of arrivals) {
    if (subscriber.deadline <= at) events.push(...subscriber.expire(at).events.map(({ kind }) => kind));
    const outcome = subscriber.receive(view.read(message.octets), at);
    events.push(...outcome.events.map(({ kind }) => kind));
    if (outcome.state) {
      // Never anything but what the publisher had when it said this stNum.
      expect(outcome.state.values).toEqual(valuesFor(outcome.state.stNum));
      states.push(outcome.state.stNum);
    }
  }
  const count = (kind: string): number => events.filter((event) => event === kind).length;
  return { sent, arrivals, states, count, events, subscriber, missing: sent.length - arrived.size };
}

test('whatever the network does, states come once and in order, and the last one comes', () => {
  for (let seed = 1; seed <= 40; seed++) {
    const network = {
      losesOneOf: [0, 2, 5, 30][seed % 4]!,
      delay: [0, 3, 50, 300][(seed >> 2) % 4]!,
      ways: 1 + (seed % 3),
    };
    const { sent, arrivals, states, count, subscriber, missing } = run(seed, network);
    const { counters } = subscriber;
    const what = JSON.stringify({ seed, ...network, ...counters });
    const again = count('resumed');
    // A state that had run out is given again; else each stands alone, and after its predecessors.
    expect(states.filter((stNum, i) => i > 0 && stNum <= states[i - 1]!).length, what).toBeLessThanOrEqual(again);
    expect(
      states.every((stNum, i) => i === 0 || stNum >= states[i - 1]!),
      what,
    ).toBe(true);
    expect(subscriber.state?.stNum, what).toBe(sent.at(-1)!.stNum);
    const { states: taken, repetitions, duplicates, old } = counters;
    expect(taken + repetitions + duplicates + old, what).toBe(arrivals.length);
    expect(counters.refused + counters.ignored, what).toBe(0);
    // No more is said to be lost than was, but for what came when its state was over.
    expect(counters.lost, what).toBeLessThanOrEqual(missing + count('out-of-order'));
    expect(count('stuck') + count('restarted') + count('unnumbered-change'), what).toBe(0);
  }
});

test('where nothing is lost and nothing overtakes, nothing is said', () => {
  for (let seed = 1; seed <= 5; seed++) {
    const { sent, states, events, subscriber } = run(seed, { losesOneOf: 0, delay: 0, ways: 2 });
    expect(events).toEqual([]);
    expect(states).toEqual([...new Set(sent.map(({ stNum }) => stNum))]);
    expect(subscriber.counters).toMatchObject({ duplicates: sent.length, lost: 0 });
  }
});

test('two ways of PRP that lose independently lose next to nothing together', () => {
  const one = run(3, { losesOneOf: 20, delay: 0, ways: 1 });
  const two = run(3, { losesOneOf: 20, delay: 0, ways: 2 });
  expect(one.subscriber.counters.lost).toBeGreaterThan(5 * two.subscriber.counters.lost);
});
