/** Whatever numbers stand in a model: the power flow answers, says what it cannot calculate, and takes no other island with it. */
import type { ConductingEquipment, GridModel, TapChanger } from '@enerchain/model';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { solvePowerFlow } from '../src/power-flow.ts';
import { buildNetwork } from '../src/topology/network.ts';
import { breaker, control, equipment, line, load, model, source, terminalOf } from './model-grid.ts';
import { id } from './small-grid.ts';

const changer = (more: object): TapChanger =>
  ({ mRID: id('tap'), end: 0, lowStep: -4, highStep: 4, neutralStep: 0, normalStep: 0, ...more }) as TapChanger;

/** Something of everything in one island, and beside it an island that is nobody's business. */
function everything(): GridModel {
  const held = { regulatingControl: id('hold'), controlEnabled: true };
  const list: readonly ConductingEquipment[] = [
    source('a', 112),
    line('L', 'a', 'b', 1, 8, 1e-5),
    line('M', 'b', 'c', 1, 8),
    equipment('C', ['a', 'c'], { class: 'SeriesCompensator', r: 0.1, x: -4 }),
    equipment('E', ['a', 'c'], { class: 'EquivalentBranch', r: 2, x: 20, r21: 3, x21: 22 }),
    equipment('T', ['c', 'm'], {
      class: 'PowerTransformer',
      ends: [
        { ratedU: 110, ratedS: 40, r: 0.9, x: 36, g: 1e-6, b: -1e-6 },
        { ratedU: 20, ratedS: 40, r: 0, x: 0, g: 0, b: 0 },
      ],
      tapChangers: [changer({ class: 'RatioTapChanger', stepVoltageIncrement: 1.5, ...held })],
    }),
    equipment('W', ['b', 'm', 'l'], {
      class: 'PowerTransformer',
      ends: [
        { ratedU: 110, ratedS: 40, r: 0.9, x: 36, g: 0, b: 0 },
        { ratedU: 20, ratedS: 40, r: 0.1, x: -0.1, g: 0, b: 0 },
        { ratedU: 10, ratedS: 10, r: 0.1, x: 1, g: 0, b: 0 },
      ],
      tapChangers: [
        changer({ mRID: id('tap2'), class: 'PhaseTapChangerSymmetrical', voltageStepIncrement: 1, xMin: 30, xMax: 40 }),
      ],
    }),
    equipment('G', ['m'], { class: 'SynchronousMachine', p: -5, q: 0, minQ: -4, maxQ: 4, normalPF: 1, ...held }),
    equipment('V', ['b'], { class: 'StaticVarCompensator', q: 0, slope: 0.1, capacitiveRating: 900, ...held }),
    equipment('S', ['m'], {
      class: 'LinearShuntCompensator',
      maximumSections: 3,
      normalSections: 1,
      bPerSection: 1e-3,
      gPerSection: 0,
      ...held,
    }),
    equipment('Z', ['l'], {
      class: 'EnergyConsumer',
      p: 2,
      q: 1,
      loadResponse: { exponentModel: true, pVoltageExponent: 1.2, qVoltageExponent: 2 },
    }),
    load('D', 'm', 8, 3),
    breaker('Q', 'x', 'y'),
    source('x', 20, 'other'),
    line('O', 'y', 'z', 1, 2),
    load('P', 'z', 1, 0.2),
  ];
  return model({ a: 110, b: 110, c: 110, m: 20, l: 10, x: 20, y: 20, z: 20 }, list, {
    controls: [control('hold', terminalOf('D', 0), 20.4, { discrete: true, targetDeadband: 0.3 })],
  });
}

/** Every number in the model but those of the second island, by its path. */
function numbersOf(value: unknown, path: readonly (string | number)[] = []): (readonly (string | number)[])[] {
  if (typeof value === 'number') return [path];
  if (typeof value !== 'object' || value === null) return [];
  if ('name' in value && ['other', 'O', 'P', '20 kV'].includes(value.name as string)) return [];
  return Object.entries(value).flatMap(([key, inner]) => numbersOf(inner, [...path, key]));
}

const WRONG = [Number.NaN, 0, -1, 1e-12, 1e9, -1e9, 1e300, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];

describe('numbers that make no sense', () => {
  const whole = everything();
  const paths = [
    ...numbersOf(whole.equipment, ['equipment']),
    ...numbersOf(whole.regulatingControls, ['regulatingControls']),
  ];

  test('the grid is solved as it stands', () => {
    const result = solvePowerFlow(buildNetwork(everything()), {}, { stepControls: true, distributedSlack: true });
    expect(result.converged).toBe(true);
    expect(paths.length).toBeGreaterThan(60);
  });

  test('one or two of them anywhere: an answer all the same, and the island beside is solved', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.constantFrom(...paths), fc.constantFrom(...WRONG)), { minLength: 1, maxLength: 2 }),
        fc.boolean(),
        (changes, acting) => {
          const grid = everything();
          for (const [path, wrong] of changes) {
            let at = grid as unknown as Record<string | number, unknown>;
            for (const key of path.slice(0, -1)) at = at[key] as Record<string | number, unknown>;
            at[path.at(-1)!] = wrong;
          }
          const result = solvePowerFlow(buildNetwork(grid), {}, { stepControls: acting, distributedSlack: acting });
          const other = result.islands[result.buses[result.busOfNode.get(id('z'))!]!.island]!;
          expect(other.converged).toBe(true);
          for (const island of result.islands) {
            if (!island.converged) expect(island.failure).toMatch(/island \d+ at node .+: .{10}/);
          }
          for (const { voltage } of result.buses) expect(voltage === null || Number.isFinite(voltage)).toBe(true);
        },
      ),
      { numRuns: 400 },
    );
  });

  test('powers, taps and voltages from outside, too', () => {
    const wrong = fc.constantFrom(...WRONG);
    fc.assert(
      fc.property(wrong, wrong, wrong, (p, tap, kV) => {
        const network = buildNetwork(everything(), { taps: new Map([[id('tap'), tap]]) });
        const result = solvePowerFlow(network, {
          powers: new Map([[id('D'), { p, q: 0 }]]),
          voltages: new Map([[id('source'), kV]]),
        });
        expect(result.islands.at(-1)!.converged).toBe(true);
      }),
      { numRuns: 100 },
    );
  });
});
