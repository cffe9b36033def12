import { EnerchainError } from '@enerchain/model';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type CaseMeasurement,
  readMeasurements,
  readTerminalMeasurements,
  writeMeasurements,
} from '../src/cases/measurement-file.ts';
import { simulateMeasurements } from '../src/cases/simulate.ts';
import { MEASUREMENT_KINDS } from '../src/estimation/measurement.ts';
import type { TerminalMeasurement } from '../src/network-estimation/network-estimate.ts';

const value = fc.double({ noNaN: true, noDefaultInfinity: true });
const sigma = fc.double({ min: 1e-9, max: 1e9, noNaN: true });
const bus = fc.nat(100_000);
const atBus = fc.record({
  kind: fc.constantFrom('voltage', 'angle', 'pInjection', 'qInjection'),
  bus,
  value,
  sigma,
});
const atBranch = fc.record(
  {
    kind: fc.constantFrom('pFlow', 'qFlow', 'current', 'ratio', 'shift'),
    from: bus,
    to: bus,
    circuit: fc.integer({ min: 1, max: 9 }),
    value,
    sigma,
    name: fc.stringMatching(/^[a-zA-Z0-9 _-]{0,10}[a-z]$/),
  },
  { requiredKeys: ['kind', 'from', 'to', 'value', 'sigma'] },
);
const atTerminal = fc.record({
  point: fc.stringMatching(/^[a-z0-9-]{1,12}$/),
  kind: fc.constantFrom('voltage', 'angle', 'p', 'q', 'current'),
  terminal: fc.uuid(),
  value,
  sigma,
});

describe('files of measurements', () => {
  test('what is written is read back, as JSON and as CSV', () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof(atBus, atBranch), { minLength: 1 }),
        fc.constantFrom('json', 'csv'),
        (list, format) => {
          const trimmed = list.map((each) =>
            'name' in each && each.name ? { ...each, name: each.name.trim() } : each,
          );
          const measurements = trimmed as CaseMeasurement[];
          expect(readMeasurements(writeMeasurements(measurements, format as 'json'), 'file')).toEqual(
            measurements.map((each) => ({ ...each, value: each.value === 0 ? expect.closeTo(0, 9) : each.value })),
          );
        },
      ),
    );
    fc.assert(
      fc.property(fc.array(atTerminal, { minLength: 1 }), fc.constantFrom('json', 'csv'), (list, format) => {
        const measurements = list as TerminalMeasurement[];
        expect(readTerminalMeasurements(writeMeasurements(measurements, format as 'json'), 'file')).toEqual(
          measurements.map((each) => ({ ...each, value: each.value === 0 ? expect.closeTo(0, 9) : each.value })),
        );
      }),
    );
  });

  test('whatever it holds, a file is read or refused with its place', () => {
    const header = fc.constantFrom(
      'kind,value,sigma\n',
      'kind;bus;value;sigma\n',
      'kind,bus,from,to,circuit,value,sigma\n',
    );
    const cell = fc.oneof(fc.constantFrom(...MEASUREMENT_KINDS), fc.string({ maxLength: 6 }), fc.double().map(String));
    const rows = fc.array(
      fc.array(cell, { maxLength: 8 }).map((cells) => cells.join(',')),
      { maxLength: 6 },
    );
    const text = fc.oneof(
      fc.string(),
      fc.json(),
      fc.tuple(header, rows).map(([first, rest]) => first + rest.join('\n')),
      fc.json().map((json) => `{"measurements": [${json}]}`),
    );
    fc.assert(
      fc.property(text, (content) => {
        for (const read of [readMeasurements, readTerminalMeasurements]) {
          try {
            for (const each of read(content, 'file')) {
              expect(Number.isFinite(each.value) && each.sigma > 0).toBe(true);
            }
          } catch (error) {
            expect(error).toBeInstanceOf(EnerchainError);
            expect((error as EnerchainError).message).toMatch(/^file.*: .*; nothing was estimated/s);
          }
        }
      }),
      { numRuns: 400 },
    );
  });

  test('made-up measurements follow their seed, and say nothing where nothing is known', () => {
    const result = {
      converged: true,
      iterations: 1,
      maxMismatch: 0,
      baseMVA: 100,
      islands: [],
      notes: [],
      buses: [
        { id: 1, vm: 1.02, va: 0, p: 0.5, q: 0.1 },
        { id: 2, vm: null, va: null, p: null, q: null },
      ],
      branches: [
        { from: 1, to: 2, inService: true, pFrom: 0.5, qFrom: 0.1, pTo: -0.5, qTo: -0.1, loading: null },
        { from: 2, to: 1, inService: true, pFrom: 0.2, qFrom: 0, pTo: -0.2, qTo: 0, loading: null },
        { from: 1, to: 2, inService: false, pFrom: 0, qFrom: 0, pTo: 0, qTo: 0, loading: null },
      ],
    };
    const made = simulateMeasurements(result, { seed: 1 });
    expect(made.filter(({ kind }) => kind === 'voltage')).toHaveLength(1);
    expect(made.filter(({ kind }) => kind === 'pFlow').map(({ from, circuit }) => [from, circuit])).toEqual([
      [1, undefined],
      [2, undefined],
      [2, 2],
      [1, 2],
    ]);
    expect(simulateMeasurements(result, { seed: 1 })).toEqual(made);
    expect(simulateMeasurements(result, { seed: 2 })).not.toEqual(made);
    expect(made.at(-1)).toMatchObject({ kind: 'qInjection', bus: 1 });
  });
});
