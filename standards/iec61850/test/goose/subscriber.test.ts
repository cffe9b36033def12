import { expect, test } from 'vitest';
import { GooseSubscriber, type GooseSubscriberOptions } from '../../src/index.ts';
import { boolean, DESTINATION, Feed, frameOf, quality, REFERENCE, T } from './support.ts';

const MAX = 0xffff_ffff;

const learning = (options: GooseSubscriberOptions = {}): Feed =>
  new Feed(new GooseSubscriber({ gocbRef: REFERENCE }, options, 1000));

const configured = (options: GooseSubscriberOptions = {}): Feed =>
  new Feed(
    new GooseSubscriber(
      {
        gocbRef: REFERENCE,
        datSet: 'BCU1CTRL/LLN0$Positions',
        goId: 'BCU1/Trip',
        confRev: 2,
        appId: 1,
        destination: DESTINATION,
        types: [
          { kind: 'boolean', value: null },
          { kind: 'bitString', value: -13 },
        ],
      },
      options,
      1000,
    ),
  );

test('first message, repetitions, change', () => {
  const feed = configured();
  expect(feed.subscriber.status).toBe('waiting');
  expect(feed.give(1, 1)).toBe('state');
  expect(feed.subscriber.status).toBe('valid');
  expect(feed.give(1, 2)).toBe('repetition');
  expect(feed.give(1, 3)).toBe('repetition');
  const outcome = feed.frame(frameOf({ stNum: 2, sqNum: 0, allData: [boolean(true), quality()] }));
  expect(outcome.kind).toBe('state');
  expect(outcome.state).toEqual({
    stNum: 2,
    sqNum: 0,
    t: T,
    simulated: false,
    values: [boolean(true), quality()],
    changed: [0],
  });
  expect(feed.subscriber.counters).toMatchObject({ messages: 4, states: 2, repetitions: 2, lost: 0 });
});

test('lost messages and lost states are counted and told', () => {
  const feed = configured();
  feed.give(1, 0);
  expect(feed.give(1, 4)).toBe('repetition, lost 0/3');
  expect(feed.give(2, 2)).toBe('state, lost 0/2');
  expect(feed.give(5, 0)).toBe('state, lost 2/2');
  expect(feed.give(7, 1)).toBe('state, lost 1/2');
  expect(feed.subscriber.counters).toMatchObject({ lost: 9, lostStates: 3 });
  expect(feed.events[2]).toBe(`GOOSE ${REFERENCE}: 2 states, 2 messages lost between stNum 2 and 5`);
});

test('numbers go on at 1 after 2^32-1', () => {
  const feed = configured();
  feed.give(MAX - 1, MAX - 1);
  expect(feed.give(MAX - 1, MAX)).toBe('repetition');
  expect(feed.give(MAX - 1, 1)).toBe('repetition');
  expect(feed.give(MAX - 1, 3)).toBe('repetition, lost 0/1');
  expect(feed.give(MAX, 0)).toBe('state');
  expect(feed.give(1, 0)).toBe('state');
  expect(feed.give(MAX, 5)).toBe('old, out-of-order');
  expect(feed.give(3, 0)).toBe('state, lost 1/1');
});

test('copies from PRP and HSR are known for 400 ms, in any order', () => {
  const feed = configured();
  feed.give(1, 0);
  expect(feed.give(1, 0, {}, 0)).toBe('duplicate');
  feed.give(1, 1);
  feed.give(2, 0);
  expect(feed.give(1, 1)).toBe('duplicate');
  expect(feed.give(2, 0)).toBe('duplicate');
  expect(feed.give(2, 1)).toBe('repetition');
  expect(feed.subscriber.counters).toMatchObject({ duplicates: 3, lost: 0, old: 0 });
  // Later it is no copy: the publisher does not count, or somebody repeats what he has recorded.
  expect(feed.give(2, 1, {}, 500)).toBe('duplicate, stuck');
  expect(feed.give(2, 1, {}, 500)).toBe('duplicate');
  expect(feed.give(2, 2)).toBe('repetition, no stuck');
});

test('a message that is stuck does not keep the values alive', () => {
  const feed = configured();
  feed.give(1, 0, { timeAllowedToLive: 1000 });
  feed.give(1, 0, { timeAllowedToLive: 1000 }, 900);
  expect(feed.pass(100)).toBe('time, expired');
});

test('a message that was overtaken is not lost', () => {
  const feed = configured();
  feed.give(1, 0);
  expect(feed.give(1, 2)).toBe('repetition, lost 0/1');
  expect(feed.give(1, 1)).toBe('old, late');
  expect(feed.subscriber.counters).toMatchObject({ lost: 0, late: 1 });
  expect(feed.give(1, 1)).toBe('duplicate');
  expect(feed.give(2, 1)).toBe('state, lost 0/1');
  expect(feed.give(2, 0)).toBe('old, late');
  expect(feed.give(1, 7)).toBe('old, out-of-order');
  expect(feed.subscriber.state?.stNum).toBe(2);
});

test('timeAllowedToLive runs out, messages come again', () => {
  const feed = configured();
  feed.give(3, 0, { timeAllowedToLive: 100 });
  expect(feed.subscriber.deadline).toBe(feed.at + 100);
  expect(feed.pass(99)).toBe('time');
  expect(feed.pass(1)).toBe('time, expired');
  expect(feed.subscriber.status).toBe('expired');
  expect(feed.pass(10_000)).toBe('time');
  expect(feed.events).toEqual([
    `GOOSE ${REFERENCE}: nothing within 100 ms after stNum 3, sqNum 0; the values are no longer valid`,
  ]);
  // The same state: its values are valid again, and nothing but time has passed.
  const again = feed.frame(frameOf({ stNum: 3, sqNum: 8, t: { ...T, seconds: T.seconds + 3 } }));
  expect(again.kind).toBe('state');
  expect(again.state?.changed).toEqual([]);
  expect(again.events.map(({ kind }) => kind)).toEqual(['resumed', 'lost']);
  expect(feed.subscriber.status).toBe('valid');
  expect(feed.subscriber.counters.lost).toBe(7);
});

test('the first message does not come', () => {
  const feed = configured({ firstWithin: 5000 });
  expect(feed.pass(4999)).toBe('time');
  expect(feed.pass(1)).toBe('time, expired');
  expect(feed.events).toEqual([`GOOSE ${REFERENCE}: nothing has come yet`]);
  expect(feed.give(1, 1)).toBe('state');
});

test('a publisher that restarts is taken at once when it knows the time, else when the old state has run out', () => {
  const feed = configured();
  feed.give(9, 4);
  expect(feed.give(1, 1, { t: { ...T, seconds: T.seconds + 60 } })).toBe('state, restarted');
  expect(feed.give(1, 2, { t: { ...T, seconds: T.seconds + 60 } })).toBe('repetition');
  feed.give(7, 0, { t: { ...T, seconds: T.seconds + 61 }, timeAllowedToLive: 500 });
  // Its clock has not been set yet; or an old message is replayed.
  expect(feed.give(1, 1, { t: { seconds: 5, fraction: 0, quality: 0x20 } }, 450)).toBe('old, out-of-order');
  expect(feed.pass(50)).toBe('time, expired');
  expect(feed.give(1, 2, { t: { seconds: 5, fraction: 0, quality: 0x20 } })).toBe('state, resumed, restarted');
  expect(feed.subscriber.counters.restarts).toBe(2);
});

test('each thing that is not as configured is refused with its own problem, told once, and told when it is over', () => {
  const wrong = [
    ['conf-rev', { confRev: 3 }, 'confRev 3, not 2'],
    ['dat-set', { datSet: 'BCU1CTRL/LLN0$Others' }, 'data set BCU1CTRL/LLN0$Others, not BCU1CTRL/LLN0$Positions'],
    ['go-id', { goId: 'other' }, 'goID other, not BCU1/Trip'],
    ['app-id', { appId: 2 }, 'APPID 0002, not 0001'],
    ['needs-commissioning', { ndsCom: true }, 'the publisher says that it needs commissioning (ndsCom)'],
    ['time-allowed-to-live', { timeAllowedToLive: 0 }, 'timeAllowedToLive is 0'],
    ['members', { stNum: 2, allData: [boolean(true)] }, '1 values, the data set has 2 members'],
    ['members', { stNum: 2, allData: [quality(), quality()] }, 'member 1 of the data set: boolean, not bitString'],
    [
      'members',
      { stNum: 2, allData: [boolean(true), quality('0'.repeat(14))] },
      'member 2 of the data set: 13 bits, not 14',
    ],
  ] as const;
  for (const [problem, own, text] of wrong) {
    const feed = configured();
    feed.give(1, 0);
    expect(feed.give(1, 1, own)).toBe(`refused, ${problem}`);
    expect(feed.give(1, 2, own)).toBe('refused');
    expect(feed.events).toEqual([`GOOSE ${REFERENCE}: ${text}; its messages are refused`]);
    expect(feed.subscriber.problem).toEqual({ problem, text });
    expect(feed.subscriber.state?.values).toEqual([boolean(false), quality()]);
    // What is refused keeps nothing alive.
    expect(feed.subscriber.deadline).toBe(feed.at - 20 + 2000);
    expect(feed.give(1, 3)).toMatch(/^repetition/);
    expect(feed.subscriber.problem).toBeDefined();
    expect(feed.give(1, 4, {}, 1000)).toBe(`repetition, no ${problem}`);
    expect(feed.subscriber.problem).toBeUndefined();
  }
});

test('sent to another address, and from another station', () => {
  const feed = configured();
  feed.give(1, 0);
  const elsewhere = { destination: Uint8Array.of(1, 0x0c, 0xcd, 1, 1, 0xff), source: Uint8Array.of(2, 0, 0, 0, 0, 9) };
  const t = { ...T, seconds: T.seconds + 1 };
  expect(
    feed.frame(frameOf({ stNum: 1, sqNum: 1, t }, { ...elsewhere, source: Uint8Array.of(2, 0, 0, 0, 0, 1) })).events,
  ).toMatchObject([
    {
      kind: 'problem',
      problem: 'destination',
      text: expect.stringContaining('01-0C-CD-01-01-FF, not 01-0C-CD-01-00-01'),
    },
  ]);
  const spoof = frameOf({ stNum: 2, sqNum: 0 }, { source: elsewhere.source });
  expect(feed.frame(spoof).events).toMatchObject([
    { kind: 'problem', standing: false },
    {
      kind: 'problem',
      problem: 'source',
      standing: true,
      text: expect.stringContaining('02-00-00-00-00-09 sends it as well'),
    },
  ]);
  expect(feed.frame(spoof).kind).toBe('refused');
  expect(feed.give(1, 2)).toBe('repetition, lost 0/1');
  feed.pass(2000);
  // The first one has gone: the other device may have taken its place.
  expect(feed.frame(spoof).events.map(({ kind }) => kind)).toEqual(['problem', 'resumed', 'source-changed']);
  expect(feed.subscriber.status).toBe('valid');
});

test('values that are no values', () => {
  const feed = configured();
  const frame = frameOf();
  frame[feed.view.read(frame, 18).allDataAt] = 0x99;
  expect(feed.frame(frame).events).toMatchObject([{ problem: 'malformed', standing: true }]);
});

test('what is not configured is learned, and a change of it is told', () => {
  const feed = learning();
  expect(feed.give(1, 0)).toBe('state');
  expect(feed.subscriber.expected).toMatchObject({ confRev: 2, datSet: 'BCU1CTRL/LLN0$Positions' });
  expect(feed.give(2, 0, { confRev: 3, allData: [boolean(true)] })).toBe('state, reconfigured');
  expect(feed.give(2, 1, { confRev: 3, allData: [boolean(true)] })).toBe('repetition');
});

test('simulated messages: ignored, or taken in place of the real ones until LPHD.Sim is false', () => {
  const feed = configured();
  const simulation = { simulation: true };
  feed.give(4, 0);
  expect(feed.give(1, 1, simulation)).toBe('ignored, simulation-ignored');
  expect(feed.give(1, 2, simulation)).toBe('ignored');
  expect(feed.give(4, 1)).toBe('repetition');
  expect(feed.give(4, 2, {}, 1990)).toBe('repetition');
  expect(feed.give(4, 3, {}, 30)).toBe('repetition, no simulation-ignored');

  feed.subscriber.setSimulation(true);
  expect(feed.give(4, 4)).toBe('repetition');
  expect(feed.give(1, 9, simulation)).toBe('state, simulation');
  expect(feed.subscriber.state?.simulated).toBe(true);
  expect(feed.give(5, 0)).toBe('ignored');
  expect(feed.give(1, 10, simulation)).toBe('repetition');
  // The test set is gone: the real ones do not come back by themselves.
  expect(feed.pass(2000)).toBe('time, expired');
  expect(feed.give(5, 1)).toBe('ignored');

  expect(feed.subscriber.setSimulation(false).events).toMatchObject([{ kind: 'simulation', standing: false }]);
  expect(feed.give(5, 2)).toBe('state');
  expect(feed.subscriber.state?.simulated).toBe(false);
});

test('a frame with an HSR tag, or another priority, is the same message', () => {
  const feed = configured();
  feed.give(1, 0);
  const frame = frameOf({ stNum: 1, sqNum: 1, t: { ...T, seconds: T.seconds + 1 } });
  frame[14] = 0;
  expect(feed.frame(frame).kind).toBe('repetition');
});

test('a publisher that puts in t when it sends is understood, and told once', () => {
  const feed = configured();
  feed.give(1, 0);
  for (let sqNum = 1; sqNum < 5; sqNum++) {
    const t = { ...T, seconds: T.seconds + 10 + sqNum };
    expect(feed.give(1, sqNum, { t })).toBe(sqNum === 1 ? 'repetition, unsteady-time' : 'repetition');
  }
  expect(feed.subscriber.state?.t.seconds).toBe(T.seconds + 1);
  // Its restart is known by a later t than that of its last message, not than that of its state.
  expect(feed.give(2, 0, { t: { ...T, seconds: T.seconds + 20 } })).toBe('state');
  expect(feed.give(2, 1, { t: { ...T, seconds: T.seconds + 30 } })).toBe('repetition');
  expect(feed.give(1, 1, { t: { ...T, seconds: T.seconds + 25 } }, 500)).toBe('old, out-of-order');
  expect(feed.give(1, 1, { t: { ...T, seconds: T.seconds + 31 } }, 500)).toBe('state, restarted');
});

test('values that change under the same stNum are taken, and told', () => {
  const feed = configured();
  feed.give(1, 0);
  expect(feed.give(1, 1, { allData: [boolean(true), quality()] })).toBe('state, unnumbered-change');
  expect(feed.subscriber.state).toMatchObject({ stNum: 1, sqNum: 1, changed: [0] });
  expect(feed.give(1, 2, { allData: [boolean(true), quality()] })).toBe('repetition');
  expect(feed.give(1, 5)).toBe('state, unnumbered-change, lost 0/2');
  expect(feed.give(1, 3, { allData: [boolean(true), quality()] })).toBe('old, out-of-order');
  expect(feed.give(1, 6, { allData: [boolean(true)] })).toBe('refused, unnumbered-change, members');
});
