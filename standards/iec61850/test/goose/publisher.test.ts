import { expect, test } from 'vitest';
import { decodeGoose, type GoosePublication, GoosePublisher } from '../../src/index.ts';
import { boolean, quality, REFERENCE, T } from './support.ts';

const PUBLICATION: GoosePublication = {
  appId: 1,
  gocbRef: REFERENCE,
  datSet: 'BCU1CTRL/LLN0$Positions',
  goId: 'BCU1/Trip',
  confRev: 2,
  minTime: 4,
  maxTime: 1000,
};
const OFF = [boolean(false), quality()];
const ON = [boolean(true), quality()];

/** All messages until a moment, as [milliseconds, stNum, sqNum, timeAllowedToLive]. */
function run(publisher: GoosePublisher, from: number, until: number): number[][] {
  const messages: number[][] = [];
  for (let at = from; at <= until; at++) {
    const octets = publisher.repeat(at);
    if (!octets) continue;
    const { stNum, sqNum, timeAllowedToLive } = decodeGoose(octets);
    messages.push([at, stNum, sqNum, timeAllowedToLive]);
  }
  return messages;
}

test('a change goes out at once, then after MinTime and twice as long each time, up to MaxTime', () => {
  const publisher = new GoosePublisher(PUBLICATION, OFF);
  expect(decodeGoose(publisher.start(T, 0))).toMatchObject({ stNum: 1, sqNum: 1, t: T, allData: OFF });
  run(publisher, 0, 9999);
  expect(decodeGoose(publisher.change(ON, T, 10_000)!)).toMatchObject({
    stNum: 2,
    sqNum: 0,
    allData: ON,
    timeAllowedToLive: 54,
  });
  expect(run(publisher, 10_000, 14_100)).toEqual([
    [10_004, 2, 1, 58],
    [10_012, 2, 2, 66],
    [10_028, 2, 3, 82],
    [10_060, 2, 4, 128],
    [10_124, 2, 5, 256],
    [10_252, 2, 6, 512],
    [10_508, 2, 7, 1024],
    [11_020, 2, 8, 2000],
    [12_020, 2, 9, 2000],
    [13_020, 2, 10, 2000],
    [14_020, 2, 11, 2000],
  ]);
  expect(publisher.counters.states).toBe(1);
});

test('a change during the repetitions of another begins anew', () => {
  const publisher = new GoosePublisher(PUBLICATION, OFF);
  publisher.start(T, 0);
  publisher.change(ON, T, 100);
  expect(run(publisher, 100, 113)).toEqual([
    [104, 2, 1, 58],
    [112, 2, 2, 66],
  ]);
  publisher.change(OFF, T, 114);
  expect(run(publisher, 114, 130)).toEqual([
    [118, 3, 1, 58],
    [126, 3, 2, 66],
  ]);
});

test('timeAllowedToLive covers the next message, also when the timer is late', () => {
  const publisher = new GoosePublisher(PUBLICATION, OFF);
  publisher.start(T, 0);
  publisher.change(ON, T, 0);
  let deadline = 54;
  for (let at = 0; at < 20_000; at += 37) {
    const octets = publisher.repeat(at);
    if (!octets) continue;
    expect(at).toBeLessThanOrEqual(deadline);
    deadline = at + decodeGoose(octets).timeAllowedToLive;
  }
});

test('numbers go on at 1', () => {
  const publisher = new GoosePublisher({ ...PUBLICATION, firstSqNum: 0 }, OFF);
  expect(decodeGoose(publisher.start(T, 0)).sqNum).toBe(0);
  expect(publisher.stNum).toBe(1);
  publisher.stop();
  expect(publisher.repeat(1e9)).toBeUndefined();
  expect(publisher.change(ON, T, 1e9)).toBeUndefined();
  expect(decodeGoose(publisher.start(T, 1e9))).toMatchObject({ stNum: 1, allData: ON });
});

test('simulation and ndsCom are in the next message', () => {
  const publisher = new GoosePublisher(PUBLICATION, OFF);
  publisher.start(T, 0);
  publisher.simulation = true;
  publisher.ndsCom = true;
  expect(decodeGoose(publisher.repeat(4)!)).toMatchObject({ simulation: true, simulated: true, ndsCom: true });
});

test('what cannot be published is refused, and what was published before goes on', () => {
  const caller = expect.objectContaining({ fault: 'caller', code: 'goose.publication' });
  const types = [{ kind: 'boolean', value: null }] as const;
  expect(() => new GoosePublisher({ ...PUBLICATION, minTime: 0 }, OFF)).toThrow(caller);
  expect(() => new GoosePublisher({ ...PUBLICATION, minTime: 20, maxTime: 10 }, OFF)).toThrow(caller);
  expect(() => new GoosePublisher({ ...PUBLICATION, types }, OFF)).toThrow(caller);
  const publisher = new GoosePublisher(PUBLICATION, OFF);
  publisher.start(T, 0);
  expect(() => publisher.change([{ kind: 'octetString', value: new Uint8Array(1500) }], T, 1)).toThrow(caller);
  expect(decodeGoose(publisher.repeat(4)!)).toMatchObject({ stNum: 1, sqNum: 2, allData: OFF });
});
