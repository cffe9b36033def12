import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { number, type Solution, viewOf } from '../page/view.ts';

const busbar = {
  point: 'u1',
  name: 'BB 1',
  island: 0,
  energised: true,
  nominalVoltage: 20,
  voltage: 20.2,
  angle: -1.5,
};
const line = { point: 'l1', name: 'Line 1', energised: true, loading: 42, from: { p: 1.5, q: -0.2 }, losses: 0.0042 };
const SOLUTION: Solution = {
  grid: { name: 'small', version: 3 },
  at: '2026-01-01T00:00:00.000Z',
  converged: true,
  iterations: 4,
  maxMismatch: 2.3e-9,
  solveMillis: 0.8,
  losses: 0.1,
  behind: 0,
  coverage: { switches: 5, switchesKnown: 4, injections: 3, injectionsMeasured: 3, old: 0 },
  islands: [
    { index: 0, energised: true, converged: true, buses: 5, iterations: 4, sources: ['T1'], busbars: ['BB 1'] },
    { index: 1, energised: false, converged: true, buses: 2, iterations: 0, sources: [], busbars: ['BB 2'] },
  ],
  busbars: [busbar, { ...busbar, point: 'u2', name: 'BB 2', island: 1, energised: false, voltage: null, angle: null }],
  branches: [line, { ...line, point: 'l2', name: 'Line 2', loading: 112.34 }],
};
const texts = (row: { cells: readonly { text: string; unit?: string }[] } | undefined): string[] =>
  row?.cells.map(({ text, unit }) => text + (unit ?? '')) ?? [];

describe('the page of the grid state', () => {
  const view = viewOf(SOLUTION);

  test('says voltages with their distance from nominal, and what has none', () => {
    expect(texts(view.voltages[0])).toEqual(['BB 1', '20.200kV', '+1.00%', '−1.50°', '1']);
    expect(texts(view.voltages[1])).toEqual(['BB 2', 'no voltage', '–', '–', '2']);
    expect(view.voltages[1]).toMatchObject({ dead: true });
    expect(view.voltages[1]).not.toHaveProperty('bar');
    expect(view.facts.find(({ name }) => name === 'busbars without voltage')).toMatchObject({
      text: '1',
      tone: 'p2-text',
    });
  });

  test('colours only what is not normal', () => {
    expect(view.loadings[0]!.cells.every(({ tone }) => tone === '')).toBe(true);
    expect(view.loadings[1]!.cells[1]).toEqual({ text: '112.3', unit: '%', tone: 'p2-text' });
    expect(view.loadings[1]!.bar).toMatchObject({ from: 0, beyond: true });
    const low = viewOf({ ...SOLUTION, busbars: [{ ...busbar, voltage: 17.9 }] });
    expect(low.voltages[0]!.cells[1]).toMatchObject({ tone: 'p2-text' });
  });

  test('names what has no solution', () => {
    const islands = [{ ...SOLUTION.islands[0]!, converged: false, failure: 'it diverged' }];
    const failed = viewOf({
      ...SOLUTION,
      converged: false,
      losses: null,
      maxMismatch: null,
      islands,
      busbars: [{ ...busbar, voltage: null, angle: null }],
      branches: [{ ...line, loading: null, from: null, losses: null }],
    });
    expect(failed.problems).toEqual(['Island 1: it diverged']);
    expect(texts(failed.voltages[0])[1]).toBe('not solved');
    expect(texts(failed.loadings[0])).toEqual(['Line 1', '–', '–', '–', '–']);
  });

  test('writes a real minus, and none before a zero', () => {
    expect([number(-1.25, 1), number(-0.001, 1), number(Number.NaN, 1)]).toEqual(['−1.3', '0.0', '–']);
  });

  test('loads nothing from elsewhere and writes no markup', () => {
    for (const name of ['page.ts', 'table.ts', 'view.ts', 'page.css']) {
      const file = new URL(`../page/${name}`, import.meta.url);
      expect(existsSync(file)).toBe(true);
      expect(readFileSync(file, 'utf8')).not.toMatch(/https?:\/\/(?!www\.w3\.org\/2000\/svg)|innerHTML|style=|eval\(/);
    }
  });
});
