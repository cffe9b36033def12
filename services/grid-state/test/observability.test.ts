import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { RowMeasurement } from '../src/estimation/measurement.ts';
import { UNKNOWN } from '../src/estimation/observability.ts';
import { gaussian, noisy, SolvedCase } from './estimation-fixtures.ts';
import { hasMatpower, readMatpower } from './matpower.ts';
import { randomCase } from './random-case.ts';

/** What is proposed, as readings. */
const asReadings = (
  solved: SolvedCase,
  proposals: readonly { kind: string; at: number; end: 0 | 1 }[],
): RowMeasurement[] =>
  proposals.flatMap(({ kind, at, end }) =>
    kind === 'pFlow'
      ? [solved.reading('pFlow', at, end, 0.01), solved.reading('qFlow', at, end, 0.01)]
      : [solved.reading('voltage', at, 0, 0.004)],
  );

describe('observability', () => {
  test('flows along a tree and one voltage are enough; without a flow what lies behind it is unknown, and only that', () => {
    fc.assert(
      fc.property(randomCase, fc.nat(), (input, pick) => {
        const solved = new SolvedCase(input);
        const { busCount } = solved.estimator.map;
        // The first size - 1 branches of a random case are a tree; a branch of it leads from a smaller to a larger number.
        const tree = Array.from({ length: busCount - 1 }, (_, branch) => branch);
        const flow = (branch: number) => [
          solved.reading('pFlow', branch, 0, 0.01),
          solved.reading('qFlow', branch, 0, 0.01),
        ];
        const voltage = solved.reading('voltage', pick % busCount, 0, 0.004);
        const all = solved.estimator.estimate(solved.input([voltage, ...tree.flatMap(flow)]));
        expect(all).toMatchObject({ converged: true, observability: { observable: true, missing: 0, restore: [] } });
        expect(all.degreesOfFreedom).toBe(0);

        const lost = pick % tree.length;
        const rest = [
          solved.reading('voltage', 0, 0, 0.004),
          ...tree.filter((branch) => branch !== lost).flatMap(flow),
        ];
        const behind = new Set([input.branches.to[lost]!]);
        for (const branch of tree) if (behind.has(input.branches.from[branch]!)) behind.add(input.branches.to[branch]!);
        const { observability, converged, vm } = solved.estimator.estimate(solved.input(rest), { tolerance: 1e-9 });
        expect(converged).toBe(true);
        expect(observability).toMatchObject({ observable: false, missing: 2, islands: 2 });
        observability.unknown.forEach((unknown, bus) => {
          expect(unknown, `bus ${bus}`).toBe(behind.has(bus) ? UNKNOWN.angle | UNKNOWN.magnitude : 0);
          if (!behind.has(bus)) expect(vm[bus]).toBeCloseTo(solved.vm[bus]!, 6);
          expect(observability.islandOfBus[bus]).toBe(observability.islandOfBus[behind.has(bus) ? [...behind][0]! : 0]);
        });
        const restored = solved.estimator.estimate(
          solved.input([...rest, ...asReadings(solved, observability.restore)]),
        );
        expect(restored.observability.observable).toBe(true);
      }),
      { numRuns: 40 },
    );
  });

  test('without any voltage the magnitudes are unknown, and any one is proposed', () => {
    fc.assert(
      fc.property(randomCase, (input) => {
        // Without shunts, which would tell the voltage by what they draw, and without taps that drive currents in a circle.
        input.branches.ratio.fill(1);
        input.branches.shift.fill(0);
        for (const column of [input.buses.bs, input.branches.bFrom, input.branches.bTo, input.branches.gFrom])
          column.fill(0);
        const solved = new SolvedCase(input);
        const flows = solved.readings().filter(({ kind }) => kind !== 'voltage');
        const { observability } = solved.estimator.estimate(solved.input(flows));
        expect(observability).toMatchObject({ observable: false, missing: 1, islands: 1 });
        expect(observability.restore).toMatchObject([{ kind: 'voltage' }]);
        expect([...observability.unknown]).toEqual(new Array(solved.vm.length).fill(UNKNOWN.magnitude));
      }),
      { numRuns: 20 },
    );
  });

  test('a part that nothing connects and nothing measures is left out, the rest is estimated', () => {
    const solved = new SolvedCase(fc.sample(randomCase, { numRuns: 1, seed: 4 })[0]!);
    const estimate = solved.estimator.estimate(solved.input([]));
    expect(estimate.converged).toBe(true);
    expect(estimate.observability.observable).toBe(false);
    expect(estimate.observability.missing).toBe(2 * solved.vm.length - 1);
    expect(estimate.degreesOfFreedom).toBe(0);
  });

  test.skipIf(!hasMatpower('case118'))(
    'whatever is taken away: the missing are counted and what is proposed restores',
    () => {
      const solved = new SolvedCase(readMatpower('case118'));
      const noise = gaussian(12);
      const all = solved.readings({ injections: true });
      for (const share of [0.5, 0.2, 0.1]) {
        const list = all.filter(() => Math.abs(noise()) < share);
        let kept = noisy(list, noise);
        for (let round = 0; round < 20; round++) {
          const estimate = solved.estimator.estimate(solved.input(kept, solved.zeros()));
          if (estimate.observability.observable) break;
          expect(estimate.observability.restore.length).toBeGreaterThan(0);
          const added = asReadings(solved, estimate.observability.restore);
          const { missing } = estimate.observability;
          const next = solved.estimator.estimate(solved.input([...kept, ...added], solved.zeros())).observability;
          // Every proposal brings at least one and at most two of what is missing.
          expect(next.missing).toBeLessThanOrEqual(missing - estimate.observability.restore.length);
          kept = [...kept, ...added];
        }
        const final = solved.estimator.estimate(solved.input(kept, solved.zeros()));
        expect(final).toMatchObject({ converged: true, observability: { observable: true } });
      }
    },
  );
});
