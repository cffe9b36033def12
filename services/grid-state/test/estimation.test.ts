import { describe, expect, test } from 'vitest';
import { estimateChecked } from '../src/estimation/bad-data.ts';
import { Estimator } from '../src/estimation/estimator.ts';
import { measurementTable, type RowMeasurement } from '../src/estimation/measurement.ts';
import { ZERO } from '../src/estimation/step-matrix.ts';
import { BUS_TYPE, branchTable, busTable, type PowerFlowCase } from '../src/powerflow/case.ts';
import { gaussian, noisy, SolvedCase } from './estimation-fixtures.ts';
import { hasMatpower, readMatpower } from './matpower.ts';

const DEGREES = 180 / Math.PI;

/** Lines by from, to, r, x; bus 0 is the reference. */
function lines(buses: number, list: readonly (readonly [number, number, number, number])[]): PowerFlowCase {
  const table = busTable(buses);
  table.type[0] = BUS_TYPE.slack;
  const branches = branchTable(list.length);
  list.forEach(([from, to, r, x], k) => {
    branches.from[k] = from;
    branches.to[k] = to;
    branches.r[k] = r;
    branches.x[k] = x;
  });
  return { buses: table, branches };
}

const estimateOf = (input: PowerFlowCase, list: readonly RowMeasurement[], zero?: Uint8Array) => {
  const estimator = new Estimator(input.buses.p.length, input.branches.from, input.branches.to);
  const none = new Uint8Array(input.buses.p.length);
  const measurements = measurementTable(list);
  return estimateChecked(estimator, { case: input, measurements, zero: zero ?? none }, { tolerance: 1e-9 });
};

/**
 * Grids, readings and results as in pandapower's test_wls_estimation.py (BSD-3-Clause): 1 kV and 1 MVA, so ohms and MW are
 * per unit; injections there are counted as loads.
 */
describe("pandapower's worked examples", () => {
  const v = (at: number, value: number, sigma: number): RowMeasurement => ({ kind: 'voltage', at, value, sigma });
  const flow = (at: number, p: number, q: number, sigma: number): RowMeasurement[] => [
    { kind: 'pFlow', at, end: 0, value: p, sigma },
    { kind: 'qFlow', at, end: 0, value: q, sigma },
  ];
  const load = (at: number, p: number, q: number, sigma: number): RowMeasurement[] => [
    { kind: 'pInjection', at, value: -p, sigma },
    { kind: 'qInjection', at, value: -q, sigma },
  ];
  const threeBuses = lines(3, [
    [0, 1, 0.7, 0.2],
    [0, 2, 0.8, 0.8],
    [1, 2, 1, 0.6],
  ]);
  const readings = [
    ...flow(0, -0.0011, 0.024, 0.01),
    ...load(2, -0.018, 0.1, 0.01),
    v(0, 1.08, 0.05),
    v(2, 1.015, 0.05),
  ];

  test('two buses', () => {
    const list = [...flow(0, 0.0111, 0.06, 0.05), v(0, 1.019, 0.01), v(1, 1.04, 0.01)];
    const { estimate } = estimateOf(lines(2, [[0, 1, 1, 0.5]]), list);
    expect(estimate.converged).toBe(true);
    expect(estimate.vm[0]).toBeCloseTo(1.02083378, 6);
    expect(estimate.vm[1]).toBeCloseTo(1.03812899, 6);
    // As close as pandapower comes to itself.
    expect(Math.abs(estimate.va[1]! * DEGREES - 3.11356604)).toBeLessThan(1e-6);
  });

  test('three buses', () => {
    const { estimate } = estimateOf(threeBuses, readings);
    [1.0627, 1.0589, 1.0317].forEach((value, bus) => {
      expect(Math.abs(estimate.vm[bus]! - value)).toBeLessThan(1e-4);
    });
    [0, 0.8677, 3.1381].forEach((value, bus) => {
      expect(Math.abs(estimate.va[bus]! * DEGREES - value)).toBeLessThan(1e-4);
    });
  });

  test('three buses with a wrong voltage: found, named, and without effect', () => {
    expect(estimateOf(threeBuses, readings).before.passed).toBe(true);
    const checked = estimateOf(threeBuses, [...readings, v(1, 1.3, 0.01)]);
    expect(checked.before.passed).toBe(false);
    expect(checked.bad.map(({ measurement }) => measurement)).toEqual([6]);
    expect(checked.after.passed).toBe(true);
    [1.0627, 1.0589, 1.0317].forEach((value, bus) => {
      expect(Math.abs(checked.estimate.vm[bus]! - value)).toBeLessThan(1e-4);
    });
  });

  test('the example of Abur and Gómez Expósito, twice without a connection', () => {
    const part = (first: number): (readonly [number, number, number, number])[] => [
      [first, first + 1, 0.01, 0.03],
      [first, first + 2, 0.02, 0.05],
      [first + 1, first + 2, 0.03, 0.08],
    ];
    const measured = (bus: number, line: number): RowMeasurement[] => [
      v(bus, 1.006, 0.004),
      v(bus + 1, 0.968, 0.004),
      ...load(bus + 1, 0.501, 0.286, 0.01),
      ...flow(line, 0.888, 0.568, 0.008),
      ...flow(line + 1, 1.173, 0.663, 0.008),
    ];
    const { estimate } = estimateOf(lines(6, [...part(0), ...part(3)]), [...measured(0, 0), ...measured(3, 3)]);
    expect(estimate.converged).toBe(true);
    for (const first of [0, 3]) {
      [0.9996, 0.9741, 0.9438].forEach((value, bus) => {
        expect(Math.abs(estimate.vm[first + bus]! - value)).toBeLessThan(1e-4);
      });
      [0, -1.24754699, -2.74571674].forEach((value, bus) => {
        expect(estimate.va[first + bus]! * DEGREES).toBeCloseTo(value, 5);
      });
    }
  });
});

describe.skipIf(!hasMatpower('case14'))('on published grids', () => {
  test.each(['case9', 'case14', 'case118', 'case300', 'case1354pegase', 'case2869pegase'])(
    '%s: exact readings give the power flow back',
    (name) => {
      const solved = new SolvedCase(readMatpower(name));
      const { estimator } = solved;
      const zero = solved.zeros();
      for (const list of [solved.readings(), solved.readings({ injections: true })]) {
        const estimate = estimator.estimate(solved.input(list, zero), { tolerance: 1e-9 });
        expect(estimate).toMatchObject({ converged: true, method: 'flat', observability: { observable: true } });
        expect(estimate.objective).toBeLessThan(1e-8);
        estimate.vm.forEach((value, bus) => {
          expect(Math.abs(value - solved.vm[bus]!)).toBeLessThan(1e-6);
          expect(Math.abs(estimate.va[bus]! - solved.va[bus]!)).toBeLessThan(1e-6);
        });
      }
    },
  );

  test.each([
    ['case14', 200],
    ['case118', 40],
    ['case300', 20],
    ['case2869pegase', 2],
  ])('%s: Gaussian noise leaves J as large as its degrees of freedom', (name, runs) => {
    const solved = new SolvedCase(readMatpower(name));
    const noise = gaussian(20260817);
    for (const [list, zero] of [
      [solved.readings(), solved.noZeros()],
      [solved.readings({ injections: true, currents: true }), solved.zeros()],
    ] as const) {
      let sum = 0;
      for (let run = 0; run < runs; run++) {
        const estimate = solved.estimator.estimate(solved.input(noisy(list, noise), zero));
        expect(estimate.converged).toBe(true);
        sum += estimate.objective / estimate.degreesOfFreedom;
      }
      expect(sum / runs).toBeGreaterThan(0.95);
      expect(sum / runs).toBeLessThan(1.05);
    }
  });

  test('residuals normalised with their exact variance are standard normal, and voltages deviate as they say', () => {
    const solved = new SolvedCase(readMatpower('case14'));
    const list = solved.readings({ injections: true });
    const noise = gaussian(5);
    const squares = new Float64Array(list.length);
    const runs = 400;
    let voltages = 0;
    for (let run = 0; run < runs; run++) {
      const checked = estimateChecked(solved.estimator, solved.input(noisy(list, noise), solved.zeros()), {
        maxBad: 0,
      });
      checked.normalized.forEach((value, k) => {
        squares[k] = squares[k]! + value * value;
      });
      checked.estimate.vm.forEach((value, bus) => {
        voltages += (value - solved.vm[bus]!) ** 2 / checked.variance[bus]!;
      });
    }
    // A variance of 1 estimated from 400 samples deviates by 0.07; five times that is never reached by chance.
    squares.forEach((sum) => {
      expect(Math.abs(sum / runs - 1)).toBeLessThan(0.36);
    });
    expect(voltages / runs / 14).toBeGreaterThan(0.9);
    expect(voltages / runs / 14).toBeLessThan(1.1);
  });

  test.each([
    ['case14', 400],
    ['case118', 100],
  ])('%s: a single gross error of 20 σ is found and named in at least 99 %%', (name, runs) => {
    const solved = new SolvedCase(readMatpower(name));
    const exact = solved.readings({ injections: true });
    const zero = solved.zeros();
    const noise = gaussian(77);
    let found = 0;
    let surplus = 0;
    for (let run = 0; run < runs; run++) {
      const list = noisy(exact, noise);
      const wrong = Math.floor((run * list.length) / runs);
      const sign = run % 2 === 0 ? 1 : -1;
      list[wrong] = { ...list[wrong]!, value: list[wrong]!.value + 20 * sign * list[wrong]!.sigma };
      const { bad, estimate } = estimateChecked(solved.estimator, solved.input(list, zero));
      expect(estimate.converged).toBe(true);
      if (bad[0]?.measurement === wrong && bad[0].alternatives.length === 0) found++;
      surplus += bad.length - 1;
    }
    expect(found / runs).toBeGreaterThanOrEqual(0.99);
    // What is named besides is as rare as false alarms are allowed to be, with some room for chance.
    expect(surplus / runs).toBeLessThan(0.1);
  });

  test('several gross errors at once are all named, and nothing else', () => {
    const solved = new SolvedCase(readMatpower('case118'));
    const list = noisy(solved.readings({ injections: true }), gaussian(3));
    const wrong = [5, 200, 433, 700, 1001];
    for (const k of wrong) list[k] = { ...list[k]!, value: list[k]!.value + 25 * list[k]!.sigma };
    const checked = estimateChecked(solved.estimator, solved.input(list, solved.zeros()));
    expect(checked.bad.map(({ measurement }) => measurement).sort((a, b) => a - b)).toEqual(wrong);
    for (const { measurement, error } of checked.bad) {
      expect(Math.abs(error / list[measurement]!.sigma - 25)).toBeLessThan(6);
    }
    expect(checked.after.passed).toBe(true);
  });

  test('a sensor that contradicts a zero injection is named, and so is a zero injection that is none', () => {
    const solved = new SolvedCase(readMatpower('case14'));
    const zero = solved.zeros();
    const bus = zero.indexOf(ZERO.p | ZERO.q);
    const sound = noisy(solved.readings({ injections: true }), gaussian(9));
    const sensor = sound.findIndex(({ kind, at }) => kind === 'pInjection' && at === bus);
    const list = sound.map((each, k) => (k === sensor ? { ...each, value: 0.3 } : each));
    const contradicting = estimateChecked(solved.estimator, solved.input(list, zero));
    expect(contradicting.bad.map(({ measurement }) => measurement)).toEqual([sensor]);
    expect(contradicting.bad[0]!.error).toBeCloseTo(0.3, 1);

    // A bus that draws 0.295 pu taken for one where nothing is.
    const drawing = 8;
    const wrongly = zero.slice();
    wrongly[drawing] = ZERO.p;
    const flows = noisy(solved.readings(), gaussian(10));
    const checked = estimateChecked(solved.estimator, solved.input(flows, wrongly));
    expect(checked.bad).toMatchObject([{ measurement: -1, bus: drawing, power: 'p' }]);
    expect(checked.bad[0]!.error).toBeCloseTo(solved.exact[solved.estimator.map.of(2, drawing, 0)]!, 1);
    expect(checked.after.passed).toBe(true);
  });

  test('critical measurements are those whose loss leaves something unobservable, and no other', () => {
    const solved = new SolvedCase(readMatpower('case9'));
    const { estimator } = solved;
    const zero = solved.zeros();
    // A tree of flows, one of them measured at both ends, and one voltage.
    const list = [
      solved.reading('voltage', 0, 0, 0.004),
      ...[0, 1, 3, 5, 7].flatMap((branch) => [
        solved.reading('pFlow', branch, 0, 0.01),
        solved.reading('qFlow', branch, 0, 0.01),
      ]),
      solved.reading('pFlow', 1, 1, 0.01),
      solved.reading('qFlow', 1, 1, 0.01),
    ];
    const input = solved.input(list, zero);
    const { critical, estimate } = estimateChecked(estimator, input);
    expect(estimate.observability.observable).toBe(true);
    const expected = list.flatMap((_, k) => {
      const active = new Uint8Array(list.length).fill(1);
      active[k] = 0;
      return estimator.estimate({ ...input, active }).observability.observable ? [] : [k];
    });
    expect(expected.length).toBeGreaterThan(0);
    expect(critical).toEqual(expected);
  });

  test('a wrong tap position shows when the tap is estimated, with its right value', () => {
    const input = readMatpower('case14');
    const solved = new SolvedCase(input);
    const transformer = input.branches.ratio.findIndex((ratio) => ratio !== 1);
    const list = noisy(solved.readings({ injections: true }), gaussian(31));
    const assumed = input.branches.ratio.slice();
    assumed[transformer] = assumed[transformer]! + 0.05;
    const wrong = {
      ...solved.input(list, solved.zeros()),
      case: { ...input, branches: { ...input.branches, ratio: assumed } },
    };
    expect(estimateChecked(solved.estimator, wrong).before.passed).toBe(false);
    const taps = new Uint8Array(input.branches.from.length);
    taps[transformer] = 1;
    const checked = estimateChecked(solved.estimator, { ...wrong, taps });
    expect(checked.before.passed).toBe(true);
    expect(checked.bad).toEqual([]);
    expect(checked.estimate.ratio[transformer]).toBeCloseTo(input.branches.ratio[transformer]!, 2);
    const sigma = Math.sqrt(checked.variance[solved.estimator.map.of(7, transformer, 0)]!);
    expect(Math.abs(checked.estimate.ratio[transformer]! - input.branches.ratio[transformer]!)).toBeLessThan(4 * sigma);
  });

  test('synchrophasors take the place of the reference: no angle is given then', () => {
    const solved = new SolvedCase(readMatpower('case14'));
    const turned = 0.4;
    const list = [
      ...solved.readings(),
      ...[2, 7, 11].map((bus) => {
        const reading = solved.reading('angle', bus, 0, 0.001);
        return { ...reading, value: reading.value + turned };
      }),
    ];
    const estimate = solved.estimator.estimate(solved.input(list), { tolerance: 1e-9 });
    expect(estimate.converged).toBe(true);
    expect(estimate.states).toBe(28);
    estimate.va.forEach((angle, bus) => {
      expect(angle).toBeCloseTo(solved.va[bus]! + turned, 7);
    });
  });

  test('readings that nothing fits are given up with a sentence or explained by the robust way, and never hang', () => {
    const solved = new SolvedCase(readMatpower('case14'));
    const list = solved
      .readings()
      .map((each, k) => ({ ...each, value: k % 3 === 0 ? -each.value * 7 : each.value * 3 }));
    const estimate = solved.estimator.estimate(solved.input(list, solved.zeros()));
    expect(estimate.worst).toHaveLength(estimate.converged ? 0 : 5);
    if (!estimate.converged) expect(estimate.failure).toMatch(/step|voltages|matrix/);
    else expect(estimate.objective).toBeGreaterThan(1e3);
    expect(estimate.iterations).toBeLessThan(500);
    // And the estimator is none the worse for it.
    expect(solved.estimator.estimate(solved.input(solved.readings())).converged).toBe(true);
  });
});
