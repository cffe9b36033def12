import { describe, expect, test } from 'vitest';
import type { MonitoredPoint } from '../src/rtu/point-list.ts';
import { RtuImage } from '../src/rtu/rtu-image.ts';

const measured: MonitoredPoint = {
  ioa: 301,
  name: 'P',
  family: 'measured',
  quantity: { of: 'flag', name: 'p' },
  deadBand: 0.5,
  cycle: { seconds: 60, cause: 2 },
  group: 2,
  columns: {},
};
const single: MonitoredPoint = { ...measured, ioa: 1, name: 'S', family: 'single', group: 1 };
const plain = ({ deadBand: _, cycle: __, ...point }: MonitoredPoint): MonitoredPoint => point;

function imageOf(point: MonitoredPoint) {
  const image = new RtuImage([point], () => 1);
  return (value: number, time = 0, elapsed = 0, quality = 0) =>
    image
      .scan([point], () => ({ value, quality }), time, elapsed)
      .map((event) => [event.value, event.cause, event.time]);
}

describe('the image of an RTU', () => {
  test('a value is reported when it has left the dead band around the last reported one', () => {
    const scan = imageOf(measured);
    expect(scan(10)).toEqual([]);
    expect(scan(10.4, 1)).toEqual([]);
    expect(scan(10.6, 2)).toEqual([[10.6, 3, 2]]);
    expect(scan(10.2, 3)).toEqual([]);
    expect(scan(10, 4)).toEqual([[10, 3, 4]]);
  });

  test('reaching zero and a change of quality are reported whatever the dead band', () => {
    const scan = imageOf(measured);
    scan(0.3);
    expect(scan(0, 1)).toEqual([[0, 3, 1]]);
    expect(scan(0, 2, 0, 0x80)).toEqual([[0, 3, 2]]);
  });

  test('what has not changed is sent again once in a cycle, without an event', () => {
    const scan = imageOf(measured);
    scan(10);
    const causes = Array.from({ length: 180 }, (_, second) => scan(10, second, second)).flat();
    expect(causes).toHaveLength(3);
    expect(causes.every(([, cause]) => cause === 2)).toBe(true);
  });

  test('two changes of one point never carry the same time', () => {
    const scan = imageOf(plain(single));
    scan(0);
    expect([scan(1, 5), scan(0, 5)].flat().map(([, , time]) => time)).toEqual([5, 6]);
  });

  test('a stuck point keeps its value and a noisy one leaves it', () => {
    const image = new RtuImage([measured], () => 1);
    const scan = (value: number) =>
      image.scan([measured], () => ({ value, quality: 0 }), 0, 0).map((event) => event.value);
    scan(10);
    image.faults.set(301, { kind: 'stuck', amplitude: 0 });
    expect(scan(20)).toEqual([]);
    image.faults.set(301, { kind: 'noisy', amplitude: 0.1 });
    expect(scan(20)).toEqual([22]);
    image.faults.clear();
    expect(scan(20)).toEqual([20]);
  });
});
