import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { Sample } from '../src/api/types.ts';
import { phaseOf } from '../src/commands/words.ts';
import { filterPoints } from '../src/pages/points/filter.ts';
import { bucketFor, columns, withGaps } from '../src/pages/trends/series.ts';
import { fixture } from './fixture/grid.ts';

describe('the filter of the point browser', () => {
  const { points } = fixture();
  const names = (text: string, kind = '', source = '') =>
    filterPoints(points, { text, kind, source }).map(({ name }) => name);
  it('wants every word, anywhere', () => {
    expect(names('t2 POWER')).toEqual(['T2 active power, 20 kV side', 'T2 reactive power, 20 kV side']);
    expect(names('ioa=4001 rtu-uw-nord')).toHaveLength(1);
    expect(names('no such thing')).toEqual([]);
  });
  it('narrows by kind and gateway', () => {
    expect(names('storage', 'setpoint', 'edge-west')).toEqual(['Storage 10 active power set-point']);
  });
});

describe('a trend', () => {
  const samples: Sample[] = [
    [1000, 1, 0],
    [2000, 2, 0],
    [3000, 3, 3],
    [4000, 4, 0],
    [9000, 5, 0],
  ];
  it('breaks where there is a gap', () => {
    const broken = withGaps(samples, [
      { from: new Date(5000).toISOString(), to: new Date(8000).toISOString(), reason: 'deviceAway' },
    ]);
    expect(columns(broken, 1)[1]).toEqual([1, 2, null, 4, null, 5]);
  });
  it('draws doubtful values as a line of their own that reaches to the good ones', () => {
    const [times, good, bad] = columns(samples, 10);
    expect(times).toEqual([1, 2, 3, 4, 9]);
    expect(good).toEqual([10, 20, null, 40, 50]);
    expect(bad).toEqual([null, 20, 30, 40, null]);
  });
  it('asks for samples of two hours and for buckets beyond', () => {
    expect([3_600_000, 21_600_000, 86_400_000, 604_800_000].map(bucketFor)).toEqual([0, 30, 300, 600]);
  });
});

describe('the phase of a command', () => {
  const at = (...steps: Parameters<typeof phaseOf>[0]['state'][]) =>
    phaseOf({ state: steps.at(-1)!, final: false, events: steps.map((step) => ({ step })) });
  it('asks for operate only once the device is selected', () => {
    expect(at('prepared')).toBe('prepared');
    expect(at('prepared', 'sent')).toBe('selecting');
    expect(at('prepared', 'sent', 'received')).toBe('selecting');
    expect(at('prepared', 'sent', 'received', 'selected')).toBe('selected');
    expect(at('prepared', 'sent', 'selected', 'sent')).toBe('operating');
    expect(at('prepared', 'sent', 'selected', 'sent', 'confirmed')).toBe('operating');
    expect(phaseOf({ state: 'negative', final: true, events: [] })).toBe('done');
  });
});

describe('the colours', () => {
  const css = readFileSync(new URL('../src/style/tokens.css', import.meta.url), 'utf8');
  const tokens = (theme: string) => {
    const block = css.slice(css.indexOf(`[data-theme="${theme}"]`));
    return new Map(
      [...block.slice(0, block.indexOf('}')).matchAll(/--(\w+): (#[0-9a-f]{6})/g)].map(([, name, hex]) => [
        name!,
        hex!,
      ]),
    );
  };
  const luminance = (hex: string) => {
    const [r, g, b] = [1, 3, 5]
      .map((at) => Number.parseInt(hex.slice(at, at + 2), 16) / 255)
      .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r! + 0.7152 * g! + 0.0722 * b!;
  };
  const contrast = (a: string, b: string) => {
    const [low, high] = [luminance(a), luminance(b)].sort((x, y) => x - y);
    return (high! + 0.05) / (low! + 0.05);
  };
  it.each(['dark', 'light'])('keep 4.5 : 1 for text on every ground of the %s theme', (theme) => {
    const of = tokens(theme);
    const weak: string[] = [];
    for (const text of ['ink', 'dim', 'select', 'p1', 'p2', 'p3', 'p4'])
      for (const ground of ['bg', 'surface', 'raised', 'trial']) {
        const ratio = contrast(of.get(text)!, of.get(ground)!);
        if (ratio < 4.5) weak.push(`${text} on ${ground}: ${ratio.toFixed(2)}`);
      }
    expect(weak).toEqual([]);
  });
});
