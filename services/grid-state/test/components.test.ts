/**
 * Every class of equipment against its own definition (IEC 61970-301), in Ω, S and kV: two-ports by their chain matrices,
 * loads as admittances, so that the answer can be written down.
 */
import { type ConductingEquipment, type TapChanger, tapPosition } from '@enerchain/model';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type PowerFlowResult, solvePowerFlow } from '../src/power-flow.ts';
import { buildNetwork } from '../src/topology/network.ts';
import { busBranchNodes } from '../src/topology/topology.ts';
import { add, type Complex, complex, conjugate, divide, multiply, polar } from './dense-reference.ts';
import { admittance, breaker, control, equipment, line, load, model, source, terminalOf } from './model-grid.ts';
import { id } from './small-grid.ts';

const solve = (...args: Parameters<typeof solvePowerFlow>): PowerFlowResult => {
  const result = solvePowerFlow(args[0], args[1], { tolerance: 1e-11, ...args[2] });
  expect(result.islands.filter((island) => !island.converged).map(({ failure }) => failure)).toEqual([]);
  return result;
};
const at = (result: PowerFlowResult, node: string) => {
  const { voltage, angle } = result.buses[result.busOfNode.get(id(node))!]!;
  return polar(voltage!, (angle! * Math.PI) / 180);
};
const flow = (result: PowerFlowResult, name: string, terminal = 0) => result.flows.get(terminalOf(name, terminal))!;
const size = ({ re, im }: Complex): number => Math.hypot(re, im);
function expectClose(actual: Complex, expected: Complex, digits = 8): void {
  expect(actual.re).toBeCloseTo(expected.re, digits);
  expect(actual.im).toBeCloseTo(expected.im, digits);
}

/** [V1 I1] = M·[V2 I2], I2 leaving at 2. */
type Chain = readonly [Complex, Complex, Complex, Complex];
const one = complex(1);
const none = complex(0);
const series = (z: Complex): Chain => [one, z, none, one];
const shunt = (y: Complex): Chain => [one, none, y, one];
/** V1 = t·V2, without losses. */
const ideal = (t: Complex): Chain => [t, none, none, divide(one, conjugate(t))];
const through = (...chains: readonly Chain[]): Chain =>
  chains.reduce(([a, b, c, d], [e, f, g, h]) => [
    add(multiply(a, e), multiply(b, g)),
    add(multiply(a, f), multiply(b, h)),
    add(multiply(c, e), multiply(d, g)),
    add(multiply(c, f), multiply(d, h)),
  ]);
/** What one sees at the near end with an admittance at the far one: V2/V1 and Y1. */
function behind([a, b, c, d]: Chain, y: Complex): { transfer: Complex; input: Complex } {
  const v = add(a, multiply(b, y));
  return { transfer: divide(one, v), input: divide(add(c, multiply(d, y)), v) };
}
/** S of a load that draws p + jq at kV, with phase-to-phase voltages. */
const asAdmittance = (p: number, q: number, kV: number): Complex => complex(p / kV ** 2, -q / kV ** 2);

const steps = { lowStep: -8, highStep: 8, neutralStep: 0, normalStep: 0 };
const changers: readonly Omit<TapChanger, 'end'>[] = [
  { mRID: id('tap'), ...steps, class: 'RatioTapChanger', stepVoltageIncrement: 1.25 },
  {
    mRID: id('tap'),
    ...steps,
    class: 'RatioTapChanger',
    stepVoltageIncrement: 1,
    table: [-8, -3, 0, 5, 8].map((step) => ({
      step,
      ratio: 1 + step / 77,
      r: step,
      x: -step / 2,
      g: step,
      b: 2 * step,
    })),
  },
  { mRID: id('tap'), ...steps, class: 'PhaseTapChangerLinear', stepPhaseShiftIncrement: -1.5, xMin: 20, xMax: 30 },
  { mRID: id('tap'), ...steps, class: 'PhaseTapChangerSymmetrical', voltageStepIncrement: 2, xMin: 20, xMax: 26 },
  {
    mRID: id('tap'),
    ...steps,
    class: 'PhaseTapChangerAsymmetrical',
    voltageStepIncrement: 2,
    windingConnectionAngle: 60,
  },
  {
    mRID: id('tap'),
    ...steps,
    class: 'PhaseTapChangerTabular',
    table: [-8, 0, 8].map((step) => ({ step, ratio: 1 + step / 200, angle: step * 1.7, r: Math.abs(step), x: step })),
  },
] as never;

describe('transformers', () => {
  const ends = [
    { ratedU: 115, ratedS: 40, r: 0.9, x: 18, g: 2e-6, b: -9e-6 },
    { ratedU: 21, ratedS: 40, r: 0.01, x: 0.2, g: 1e-5, b: -1e-5 },
  ];

  test('of two windings, with any tap changer at either end in any position', () => {
    fc.assert(
      fc.property(fc.nat(5), fc.nat(1), fc.integer({ min: -8, max: 8 }), (kind, end, step) => {
        const changer = { ...changers[kind]!, end } as TapChanger;
        const transformer = equipment('T', ['h', 'm'], { class: 'PowerTransformer', ends, tapChangers: [changer] });
        const grid = model({ h: 110, m: 20 }, [source('h', 112), transformer, admittance('L', 'm', 17, 6)]);
        const result = solve(buildNetwork(grid, { taps: new Map([[id('tap'), step]]) }));

        const tap = tapPosition(changer, step);
        const turn = polar(tap.ratio, (tap.angle * Math.PI) / 180);
        const factor = { r: tap.r, x: tap.x, g: tap.g, b: tap.b };
        const turns = (ends[1]!.ratedU / ends[0]!.ratedU) ** 2;
        // All of the series impedance, seen from the second end.
        const r = (ends[1]!.r + ends[0]!.r * turns) * factor.r;
        const x =
          tap.reactance === undefined
            ? (ends[1]!.x + ends[0]!.x * turns) * factor.x
            : tap.reactance * (end === 0 ? turns : 1);
        const [y1, y2] = ends.map(({ g, b }) => complex(g * factor.g, b * factor.b));
        const chain = through(
          ...(end === 0 ? [ideal(turn)] : []),
          shunt(y1!),
          ideal(complex(ends[0]!.ratedU / ends[1]!.ratedU)),
          series(complex(r, x)),
          shunt(y2!),
          ...(end === 1 ? [ideal(divide(one, turn))] : []),
        );
        const { transfer, input } = behind(chain, asAdmittance(17, 6, 20));
        expectClose(at(result, 'm'), multiply(complex(112), transfer), 7);
        const taken = multiply(complex(112 ** 2), conjugate(input));
        expect(flow(result, 'T').p).toBeCloseTo(taken.re, 5);
        expect(flow(result, 'T').q).toBeCloseTo(taken.im, 5);
        expect(result.branches[0]!.losses!).toBeCloseTo(flow(result, 'T').p + flow(result, 'T', 1).p, 9);
      }),
      { numRuns: 120 },
    );
  });

  test('of three windings, in a star whose middle nobody sees', () => {
    const three = [
      { ratedU: 400, ratedS: 300, r: 0.9, x: 60, g: 1e-7, b: -1e-6 },
      { ratedU: 120, ratedS: 300, r: 0.05, x: -0.4, g: 0, b: 0 },
      { ratedU: 30, ratedS: 100, r: 0.03, x: 1.3, g: 0, b: -1e-5 },
    ];
    for (const end of [0, 1, 2]) {
      const changer = { ...changers[5]!, end } as TapChanger;
      const transformer = equipment('T', ['h', 'm', 'l'], {
        class: 'PowerTransformer',
        ends: three,
        tapChangers: [changer],
      });
      const grid = model({ h: 380, m: 110, l: 30 }, [
        source('h', 390),
        transformer,
        admittance('M', 'm', 150, 40),
        admittance('L', 'l', 30, -10),
      ]);
      const result = solve(buildNetwork(grid, { taps: new Map([[id('T'), 6]]) }));
      const tap = tapPosition(changer, 6);
      // From the terminal inwards: tap, shunt, series, and the ideal transformer to 1 at the star point.
      const leg = (winding: number): Chain => {
        const { ratedU, r, x, g, b } = three[winding]!;
        const own = winding === end ? tap : { ratio: 1, angle: 0, r: 1, x: 1, g: 1, b: 1 };
        return through(
          ideal(polar(own.ratio, (own.angle * Math.PI) / 180)),
          shunt(complex(g * own.g, b * own.b)),
          series(complex(r * own.r, x * own.x)),
          ideal(complex(ratedU)),
        );
      };
      const reversed = ([a, b, c, d]: Chain): Chain => [d, b, c, a];
      /** Of a leg looked at from the star point; chains of ideal turns are not symmetrical, so by inversion. */
      const fromStar = (winding: number, y: Complex) => {
        const [a, b, c, d] = leg(winding);
        const det = add(multiply(a, d), multiply(complex(-1), multiply(b, c)));
        const inverse: Chain = [divide(d, det), divide(b, det), divide(c, det), divide(a, det)];
        return behind(inverse, y);
      };
      expect(reversed(series(one))).toEqual(series(one));
      const m = fromStar(1, asAdmittance(150, 40, 110));
      const l = fromStar(2, asAdmittance(30, -10, 30));
      const { transfer, input } = behind(leg(0), add(m.input, l.input));
      const star = multiply(complex(390), transfer);
      expectClose(at(result, 'm'), multiply(star, m.transfer), 6);
      expectClose(at(result, 'l'), multiply(star, l.transfer), 6);
      const taken = multiply(complex(390 ** 2), conjugate(input));
      expect(flow(result, 'T').p).toBeCloseTo(taken.re, 4);
      expect(result.branches).toHaveLength(1);
      expect(result.branches[0]!.third!.p).toBeCloseTo(-30 * (size(at(result, 'l')) / 30) ** 2, 5);
      expect(result.buses).toHaveLength(3);
      expect(result.branches[0]!.loading!).toBeGreaterThan(30);
    }
  });
});

describe('lines and what is in series', () => {
  test('a series capacitor takes reactance away; between 220 and 225 kV nothing is transformed', () => {
    const grid = model({ a: 220, b: 225, c: 225 }, [
      source('a', 222),
      line('L', 'a', 'b', 4, 40, 2e-4),
      equipment('C', ['b', 'c'], { class: 'SeriesCompensator', r: 0.1, x: -15 }),
      admittance('load', 'c', 120, 30),
    ]);
    const result = solve(buildNetwork(grid));
    const half = shunt(complex(0, 1e-4));
    const chain = through(half, series(complex(4, 40)), half, series(complex(0.1, -15)));
    const { transfer, input } = behind(chain, asAdmittance(120, 30, 225));
    expectClose(at(result, 'c'), multiply(complex(222), transfer), 7);
    expect(flow(result, 'L').q).toBeCloseTo(multiply(complex(222 ** 2), conjugate(input)).im, 5);
  });

  test('an equivalent branch may be another one from each side', () => {
    const grid = model({ a: 110, b: 110 }, [
      source('a', 111),
      equipment('E', ['a', 'b'], { class: 'EquivalentBranch', r: 1, x: 9, r21: 2, x21: 12 }),
      admittance('load', 'b', 30, 10),
    ]);
    const result = solve(buildNetwork(grid));
    // (V1 − V2)/z21 = Y·V2 at the far end, (V1 − V2)/z12 taken at the near one.
    const y = asAdmittance(30, 10, 110);
    const v2 = divide(complex(111), add(one, multiply(y, complex(2, 12))));
    expectClose(at(result, 'b'), v2, 8);
    const current = divide(add(complex(111), multiply(complex(-1), v2)), complex(1, 9));
    expect(flow(result, 'E').p).toBeCloseTo(111 * current.re, 6);
    expect(flow(result, 'E', 1).p).toBeCloseTo(-30 * (size(v2) / 110) ** 2, 6);
  });

  test('an open end leaves the line under voltage from the other: it charges', () => {
    const grid = model({ a: 110, b: 110 }, [
      source('a', 110),
      line('L', 'a', 'b!', 3, 30, 3e-4),
      load('load', 'b', 5, 1),
    ]);
    const result = solve(buildNetwork(grid));
    const half = complex(0, 1.5e-4);
    const { input } = behind(through(shunt(half), series(complex(3, 30)), shunt(half)), none);
    expect(flow(result, 'L').q).toBeCloseTo(multiply(complex(110 ** 2), conjugate(input)).im, 6);
    expect(flow(result, 'L', 1).i).toBeCloseTo(0, 6);
    expect(result.buses[result.busOfNode.get(id('b'))!]!.voltage).toBeNull();
    expect(result.branches[0]!.energised).toBe(true);
  });

  test('what is out of service is as if not there, and says so', () => {
    const grid = model({ a: 110, b: 110 }, [
      source('a', 110),
      line('L', 'a', 'b', 1, 10),
      { ...line('out', 'a', 'b', 1, 10), inService: false } as ConductingEquipment,
      load('load', 'b', 20, 5),
      { ...load('gone', 'b', 900, 0), inService: false } as ConductingEquipment,
    ]);
    const result = solve(buildNetwork(grid));
    expect(result.branches.map(({ name, energised, loading }) => [name, energised, loading])).toEqual([
      ['L', true, null],
      ['out', false, 0],
    ]);
    expect(flow(result, 'out')).toEqual({ p: 0, q: 0, i: 0 });
    expect(flow(result, 'gone')).toEqual({ p: 0, q: 0, i: 0 });
    expect(flow(result, 'L', 1).p).toBeCloseTo(-20, 8);
  });

  test('a line of no length joins its ends, and what flows through it is known', () => {
    const grid = model({ a: 20, b: 20, c: 20 }, [
      source('a', 20),
      line('none', 'a', 'b', 0, 0),
      line('L', 'b', 'c', 0.5, 1),
      load('x', 'b', 1, 0.5),
      load('y', 'c', 2, 0.7),
    ]);
    const result = solve(buildNetwork(grid));
    expect(flow(result, 'none').p).toBeCloseTo(1 + flow(result, 'L').p, 9);
    expect(flow(result, 'none', 1).q).toBeCloseTo(-0.5 - flow(result, 'L').q, 9);
    expect(at(result, 'b')).toEqual(at(result, 'a'));
  });
});

describe('switches', () => {
  test('closed, retained or not, they carry what balances their nodes; side by side they share', () => {
    const grid = model({ a: 20, b: 20, c: 20, d: 20 }, [
      source('a', 20),
      breaker('Q1', 'a', 'b'),
      equipment('Q2', ['a', 'b'], { class: 'LoadBreakSwitch', normalOpen: false, retained: true }),
      equipment('F', ['c', 'b'], { class: 'Fuse', normalOpen: false }),
      breaker('O', 'c', 'd', true),
      load('x', 'c', 3, 1),
      load('y', 'b', 1, 0),
      load('z', 'd', 7, 0),
    ]);
    const result = solve(buildNetwork(grid));
    expect(flow(result, 'Q1').p).toBeCloseTo(2, 9);
    expect(flow(result, 'Q2').p).toBeCloseTo(2, 9);
    expect(flow(result, 'Q2').q).toBeCloseTo(0.5, 9);
    expect(flow(result, 'F').p).toBeCloseTo(-3, 9);
    expect(flow(result, 'F').i).toBeCloseTo((Math.hypot(3, 1) * 1000) / (Math.sqrt(3) * 20), 6);
    expect(flow(result, 'O')).toEqual({ p: 0, q: 0, i: 0 });
    expect(flow(result, 'z')).toEqual({ p: 0, q: 0, i: 0 });
  });

  test('one that is retained parts the bus-branch view, not the bus', () => {
    const grid = model({ a: 20, b: 20, c: 20 }, [
      source('a', 20),
      equipment('R', ['a', 'b'], { class: 'Breaker', normalOpen: false, retained: true }),
      breaker('Q', 'b', 'c'),
    ]);
    const { topology } = buildNetwork(grid);
    expect(topology.busCount).toBe(1);
    expect(busBranchNodes(topology)).toEqual({ of: Int32Array.of(0, 1, 1), count: 2 });
    const open = buildNetwork(grid, { switches: new Map([[id('Q'), false]]) }).topology;
    expect([open.busCount, busBranchNodes(open).count]).toEqual([2, 3]);
  });

  test('at every node everything adds up, whatever is closed', () => {
    const names = ['Q1', 'Q2', 'Q3', 'Q4', 'Q5', 'Q6'];
    const grid = model({ a: 20, b: 20, c: 20, d: 20, e: 20 }, [
      source('a', 20.4),
      breaker('Q1', 'a', 'b'),
      breaker('Q2', 'b', 'c'),
      breaker('Q3', 'c', 'a'),
      breaker('Q4', 'd', 'b'),
      breaker('Q5', 'd', 'c'),
      breaker('Q6', 'e', 'd'),
      line('L', 'c', 'e', 1, 2, 1e-5),
      line('M', 'a', 'd', 1, 2),
      load('x', 'e', 2, 1),
      load('y', 'b', 1, -0.2),
      equipment('S', ['c'], { class: 'EquivalentShunt', g: 1e-5, b: 2e-4 }),
    ]);
    fc.assert(
      fc.property(fc.array(fc.boolean(), { minLength: 6, maxLength: 6 }), (closed) => {
        const result = solve(buildNetwork(grid, { switches: new Map(names.map((name, i) => [id(name), closed[i]!])) }));
        for (const node of grid.connectivityNodes) {
          const here = grid.equipment.flatMap(({ terminals }) =>
            terminals
              .filter(({ connectivityNode }) => connectivityNode === node.mRID)
              .map(({ mRID }) => result.flows.get(mRID)!),
          );
          expect(here.reduce((sum, { p }) => sum + p, 0)).toBeCloseTo(0, 7);
          expect(here.reduce((sum, { q }) => sum + q, 0)).toBeCloseTo(0, 7);
        }
      }),
    );
  });
});

describe('what has one terminal', () => {
  const feeder = (...more: readonly ConductingEquipment[]) => [source('a', 110), line('L', 'a', 'b', 2, 16), ...more];
  const nodes = { a: 110, b: 110 };

  test('gives and takes what it is given: machines, converters, equivalents', () => {
    const grid = model(
      nodes,
      feeder(
        load('l', 'b', 10, 2),
        equipment('am', ['b'], { class: 'AsynchronousMachine', p: 3, q: 1.5 }),
        equipment('sm', ['b'], { class: 'SynchronousMachine', p: -8, q: -1 }),
        equipment('es', ['b'], { class: 'EnergySource', p: -1, q: 0 }),
        equipment('ei', ['b'], { class: 'EquivalentInjection', p: 2, q: -0.5 }),
        equipment('cs', ['b'], { class: 'CsConverter', p: 4, q: 3 }),
        equipment('pv', ['b'], {
          class: 'PowerElectronicsConnection',
          unit: 'PhotoVoltaicUnit',
          ratedS: 2,
          maxP: 2,
          minP: 0,
          p: -1.5,
        }),
      ),
    );
    const result = solve(buildNetwork(grid));
    expect(-flow(result, 'L', 1).p).toBeCloseTo(10 + 3 - 8 - 1 + 2 + 4 - 1.5, 8);
    expect(-flow(result, 'L', 1).q).toBeCloseTo(2 + 1.5 - 1 - 0.5 + 3, 8);
    expect(flow(result, 'sm').p).toBeCloseTo(-8, 9);
    // What is measured goes before what the model says.
    const measured = solve(buildNetwork(grid), { powers: new Map([[id('sm'), { p: -5, q: 0 }]]) });
    expect(flow(measured, 'sm').p).toBeCloseTo(-5, 9);
    expect(-flow(measured, 'L', 1).p).toBeCloseTo(11.5, 8);
  });

  test('shunts bring reactive power in with the square of the voltage; sections add up or stand in a table', () => {
    const grid = model(
      nodes,
      feeder(
        equipment('lin', ['b'], {
          class: 'LinearShuntCompensator',
          maximumSections: 4,
          normalSections: 1,
          sections: 3,
          bPerSection: 2e-4,
          gPerSection: 1e-6,
        }),
        equipment('non', ['b'], {
          class: 'NonlinearShuntCompensator',
          maximumSections: 2,
          normalSections: 2,
          points: [
            { section: 1, b: -1e-4, g: 0 },
            { section: 2, b: -4e-4, g: 2e-6 },
          ],
        }),
        equipment('eq', ['b'], { class: 'EquivalentShunt', b: 1e-4, g: 0 }),
      ),
    );
    const result = solve(buildNetwork(grid));
    const square = size(at(result, 'b')) ** 2;
    expect(flow(result, 'lin').q).toBeCloseTo(-6e-4 * square, 8);
    expect(flow(result, 'lin').p).toBeCloseTo(3e-6 * square, 8);
    expect(flow(result, 'non').q).toBeCloseTo(4e-4 * square, 8);
    expect(flow(result, 'eq').q).toBeCloseTo(-1e-4 * square, 8);
    expect(-flow(result, 'L', 1).q).toBeCloseTo((-6e-4 + 4e-4 - 1e-4) * square, 8);
    expect(size(at(result, 'b'))).toBeGreaterThan(110);
  });

  test('loads answer to voltage by exponents or as a mixture; what is measured does not', () => {
    const mixed = equipment('zip', ['b'], {
      class: 'EnergyConsumer',
      p: 40,
      q: 12,
      loadResponse: {
        exponentModel: false,
        pConstantPower: 0.5,
        pConstantCurrent: 0.3,
        pConstantImpedance: 0.2,
        qConstantImpedance: 1,
      },
    });
    const exponential = equipment('exp', ['b'], {
      class: 'EnergyConsumer',
      p: 20,
      q: 5,
      loadResponse: { exponentModel: true, pVoltageExponent: 1.4, qVoltageExponent: 2.6 },
    });
    const network = buildNetwork(model(nodes, feeder(mixed, exponential)));
    const result = solve(network);
    const u = size(at(result, 'b')) / 110;
    expect(u).toBeLessThan(0.99);
    expect(flow(result, 'zip').p).toBeCloseTo(40 * (0.5 + 0.3 * u + 0.2 * u * u), 8);
    expect(flow(result, 'zip').q).toBeCloseTo(12 * u * u, 8);
    expect(flow(result, 'exp').p).toBeCloseTo(20 * u ** 1.4, 8);
    expect(-flow(result, 'L', 1).q).toBeCloseTo(12 * u * u + 5 * u ** 2.6, 7);
    const measured = solve(network, { powers: new Map([[id('exp'), { p: 20, q: 5 }]]) });
    expect(flow(measured, 'exp').p).toBe(20);
  });
});

describe('what holds a voltage', () => {
  const nodes = { a: 110, b: 110, g: 10 };
  const step = equipment('T', ['b', 'g'], {
    class: 'PowerTransformer',
    ends: [
      { ratedU: 110, ratedS: 80, r: 0.3, x: 15, g: 0, b: 0 },
      { ratedU: 10.5, ratedS: 80, r: 0, x: 0, g: 0, b: 0 },
    ],
  });
  const base = [source('a', 110), line('L', 'a', 'b', 2, 16), step, load('l', 'b', 70, 30)];
  const machine = (more: object): ConductingEquipment =>
    equipment('G', ['g'], {
      class: 'SynchronousMachine',
      p: -40,
      q: 0,
      regulatingControl: id('hold'),
      controlEnabled: true,
      ...more,
    });

  test('a machine at its own terminal, or from behind its transformer', () => {
    const own = solve(
      buildNetwork(model(nodes, [...base, machine({})], { controls: [control('hold', terminalOf('G', 0), 10.4)] })),
    );
    expect(size(at(own, 'g'))).toBeCloseTo(10.4, 9);
    expect(own.actions).toEqual([]);
    const far = solve(
      buildNetwork(model(nodes, [...base, machine({})], { controls: [control('hold', terminalOf('L', 1), 111)] })),
    );
    expect(size(at(far, 'b'))).toBeCloseTo(111, 8);
    expect(flow(far, 'G').p).toBeCloseTo(-40, 9);
    expect(-flow(far, 'G').q).toBeGreaterThan(10);
    // Nothing else brings it in: bus b adds up.
    expect(flow(far, 'L', 1).q + flow(far, 'T').q + 30).toBeCloseTo(0, 4);
  });

  test('a control that is switched off, here or there, holds nothing', () => {
    for (const [enabled, controlEnabled] of [
      [false, true],
      [true, false],
    ]) {
      const grid = model(nodes, [...base, machine({ controlEnabled })], {
        controls: [control('hold', terminalOf('G', 0), 10.4, { enabled: enabled! })],
      });
      expect(flow(solve(buildNetwork(grid)), 'G').q).toBeCloseTo(0, 9);
    }
  });

  test('within its limits, or within its curve at the power it gives; at the limit it says so', () => {
    const at10 = { controls: [control('hold', terminalOf('G', 0), 11.5)] };
    const limited = solve(buildNetwork(model(nodes, [...base, machine({ minQ: -20, maxQ: 25 })], at10)));
    expect(flow(limited, 'G').q).toBeCloseTo(-25, 7);
    expect(limited.actions).toEqual([{ kind: 'reactiveLimit', equipment: id('G'), name: 'G', limit: 'max' }]);
    const curve = [
      { p: 0, minQ: -30, maxQ: 40 },
      { p: 80, minQ: -10, maxQ: 10 },
    ];
    const curved = solve(
      buildNetwork(model(nodes, [...base, machine({ maxQ: 99, reactiveCapabilityCurve: curve })], at10)),
    );
    expect(flow(curved, 'G').q).toBeCloseTo(-25, 7);
    const free = solve(
      buildNetwork(model(nodes, [...base, machine({ maxQ: 25 })], at10)),
      {},
      { reactiveLimits: false },
    );
    expect(size(at(free, 'g'))).toBeCloseTo(11.5, 9);
  });

  test('a static var compensator on its slope, within its susceptances; without control it gives its q', () => {
    const svc = (more: object): ConductingEquipment =>
      equipment('C', ['b'], {
        class: 'StaticVarCompensator',
        q: -7,
        regulatingControl: id('hold'),
        controlEnabled: true,
        ...more,
      });
    const holding = { controls: [control('hold', terminalOf('C', 0), 110)] };
    const flat = solve(buildNetwork(model(nodes, [...base, svc({})], holding)));
    expect(size(at(flat, 'b'))).toBeCloseTo(110, 9);
    const sloped = solve(buildNetwork(model(nodes, [...base, svc({ slope: 0.1 })], holding)));
    expect(size(at(sloped, 'b'))).toBeCloseTo(110 + 0.1 * flow(sloped, 'C').q, 5);
    expect(flow(sloped, 'C').q).toBeLessThan(-5);
    const limited = solve(buildNetwork(model(nodes, [...base, svc({ capacitiveRating: 600 })], holding)));
    expect(flow(limited, 'C').q).toBeCloseTo(-(size(at(limited, 'b')) ** 2) / 600, 5);
    const off = solve(buildNetwork(model(nodes, [...base, svc({ controlEnabled: false })], holding)));
    expect(flow(off, 'C').q).toBeCloseTo(-7, 9);
  });

  test('an equivalent injection, a converter that follows its set-point, and a battery in control', () => {
    const held = [
      equipment('X', ['b'], {
        class: 'EquivalentInjection',
        p: -5,
        q: 0,
        regulationStatus: true,
        regulationTarget: 110.5,
      }),
      equipment('X', ['b'], { class: 'VsConverter', p: -5, q: 0, targetUpcc: 110.5 }),
      equipment('X', ['b'], {
        class: 'PowerElectronicsConnection',
        unit: 'BatteryUnit',
        ratedS: 90,
        maxP: 50,
        minP: -50,
        p: -5,
        regulatingControl: id('hold'),
        controlEnabled: true,
      }),
    ];
    for (const each of held) {
      const grid = model(nodes, [...base, each], { controls: [control('hold', terminalOf('X', 0), 110.5)] });
      const result = solve(buildNetwork(grid));
      expect(size(at(result, 'b'))).toBeCloseTo(110.5, 9);
      expect(flow(result, 'X').p).toBeCloseTo(-5, 9);
    }
  });

  test('a control that cannot be calculated is named, and does not act', () => {
    const grid = model(nodes, [...base, machine({ q: -3 })], {
      controls: [control('hold', terminalOf('G', 0), 0.9, { mode: 'powerFactor' })],
    });
    const result = solve(buildNetwork(grid));
    expect(flow(result, 'G').q).toBeCloseTo(-3, 9);
    expect(result.notes.join()).toMatch(/'G' is to hold its powerFactor/);
  });
});

describe('who holds the angle', () => {
  const nodes = { a: 110, b: 110 };
  const machine = (name: string, node: string, more: object = {}): ConductingEquipment =>
    equipment(name, [node], { class: 'SynchronousMachine', p: -10, q: 0, ...more });
  const feed = (more: object): ConductingEquipment =>
    equipment('feed', ['a'], { class: 'ExternalNetworkInjection', voltage: 111, ...more });
  const references = (...list: readonly ConductingEquipment[]) =>
    solve(buildNetwork(model(nodes, [line('L', 'a', 'b', 1, 10), load('l', 'b', 30, 5), ...list]))).islands[0]!
      .references;

  test('an infeed without a given power; else what the file says; else the largest machine; else an infeed; else nobody', () => {
    const [small, large] = [machine('small', 'a', { ratedS: 20 }), machine('large', 'b', { ratedS: 200 })];
    expect(references(small, large, feed({}))).toEqual([id('feed')]);
    expect(references(small, machine('named', 'a', { referencePriority: 2, ratedS: 1 }), large)).toEqual([id('named')]);
    expect(
      references(machine('two', 'a', { referencePriority: 2 }), machine('first', 'a', { referencePriority: 1 }), large),
    ).toEqual([id('first')]);
    expect(references(small, large, feed({ p: -5, q: 0 }))).toEqual([id('large')]);
    expect(references(feed({ p: -5, q: 0 }))).toEqual([id('feed')]);
    const dead = solve(buildNetwork(model(nodes, [line('L', 'a', 'b', 1, 10), load('l', 'b', 30, 5)])));
    expect(dead.islands[0]).toMatchObject({ energised: false, references: [] });
    expect(flow(dead, 'l')).toEqual({ p: 0, q: 0, i: 0 });
  });

  test('takes what is left over; with a distributed slack those with a share take it', () => {
    const list = [
      machine('ref', 'a', { referencePriority: 1, normalPF: 1 }),
      machine('other', 'b', { normalPF: 3, maxP: 100 }),
      load('l', 'b', 60, 5),
      line('L', 'a', 'b', 1, 10),
    ];
    const network = buildNetwork(model(nodes, list));
    const alone = solve(network);
    expect(-flow(alone, 'ref').p).toBeCloseTo(50 + alone.losses!, 6);
    const shared = solve(network, {}, { distributedSlack: true });
    const missing = 40 + shared.losses!;
    expect(-flow(shared, 'ref').p).toBeCloseTo(10 + missing / 4, 5);
    expect(-flow(shared, 'other').p).toBeCloseTo(10 + (3 * missing) / 4, 5);
    expect(shared.islands[0]!.distributed).toBeCloseTo(missing, 5);
  });

  test('a reference that is to hold another bus finds the voltage of its own that does it', () => {
    const grid = model(
      nodes,
      [
        machine('ref', 'a', { referencePriority: 1, regulatingControl: id('hold'), controlEnabled: true }),
        line('L', 'a', 'b', 1, 10),
        load('l', 'b', 60, 20),
      ],
      { controls: [control('hold', terminalOf('l', 0), 110)] },
    );
    const result = solve(buildNetwork(grid));
    expect(size(at(result, 'b'))).toBeCloseTo(110, 5);
    expect(size(at(result, 'a'))).toBeGreaterThan(111);
  });
});

describe('what acts in steps', () => {
  const tapped = (more: object): ConductingEquipment =>
    equipment('T', ['h', 'm'], {
      class: 'PowerTransformer',
      ends: [
        { ratedU: 110, ratedS: 40, r: 0.9, x: 36, g: 0, b: 0 },
        { ratedU: 20, ratedS: 40, r: 0, x: 0, g: 0, b: 0 },
      ],
      tapChangers: [
        {
          mRID: id('tap'),
          end: 0,
          lowStep: -9,
          highStep: 9,
          neutralStep: 0,
          normalStep: 2,
          regulatingControl: id('hold'),
          controlEnabled: true,
          ...more,
        } as TapChanger,
      ],
    });

  test('a tap changer holds its voltage when asked, and tells where it went', () => {
    const ratio = tapped({ class: 'RatioTapChanger', stepVoltageIncrement: 1.5 });
    const grid = model({ h: 110, m: 20 }, [source('h', 110), ratio, load('l', 'm', 25, 10)], {
      controls: [control('hold', terminalOf('T', 1), 20.4, { discrete: true, targetDeadband: 0.4 })],
    });
    const network = buildNetwork(grid);
    const still = solve(network);
    expect(still.actions).toEqual([]);
    const held = solve(network, {}, { stepControls: true });
    expect(Math.abs(size(at(held, 'm')) - 20.4)).toBeLessThanOrEqual(0.2);
    const [action] = held.actions;
    expect(action).toMatchObject({ kind: 'tap', equipment: id('T'), mRID: id('tap'), from: 2 });
    const moved = solve(buildNetwork(grid, { taps: new Map([[id('tap'), (action as { to: number }).to]]) }));
    expectClose(at(moved, 'm'), at(held, 'm'), 7);
    expect(
      solve(
        buildNetwork(grid, { taps: new Map([[id('tap'), (action as { to: number }).to]]) }),
        {},
        { stepControls: true },
      ).actions,
    ).toEqual([]);
  });

  test('a phase shifter holds its active power', () => {
    const phase = tapped({ class: 'PhaseTapChangerSymmetrical', voltageStepIncrement: 1.5 });
    const other = {
      ...tapped({ class: 'RatioTapChanger', stepVoltageIncrement: 1.5, controlEnabled: false }),
      ...{ mRID: id('T2'), name: 'T2' },
    };
    const second = {
      ...other,
      terminals: [
        { mRID: terminalOf('T2', 0), connectivityNode: id('h') },
        { mRID: terminalOf('T2', 1), connectivityNode: id('m') },
      ],
    } as ConductingEquipment;
    const grid = model({ h: 110, m: 20 }, [source('h', 110), phase, second, load('l', 'm', 30, 5)], {
      controls: [control('hold', terminalOf('T', 0), 22, { mode: 'activePower', discrete: true, targetDeadband: 3 })],
    });
    const held = solve(buildNetwork(grid), {}, { stepControls: true });
    expect(Math.abs(flow(held, 'T').p - 22)).toBeLessThanOrEqual(1.5);
    expect(held.actions).toHaveLength(1);
  });

  test('sections of a shunt', () => {
    const grid = model(
      { a: 110, b: 110 },
      [
        source('a', 110),
        line('L', 'a', 'b', 3, 40),
        load('l', 'b', 40, 25),
        equipment('S', ['b'], {
          class: 'LinearShuntCompensator',
          maximumSections: 6,
          normalSections: 0,
          bPerSection: 5e-4,
          gPerSection: 0,
          regulatingControl: id('hold'),
          controlEnabled: true,
        }),
      ],
      { controls: [control('hold', terminalOf('S', 0), 108, { discrete: true, targetDeadband: 2.6 })] },
    );
    const held = solve(buildNetwork(grid), {}, { stepControls: true });
    expect(Math.abs(size(at(held, 'b')) - 108)).toBeLessThanOrEqual(1.3);
    const to = (held.actions[0] as { to: number }).to;
    expect(held.actions).toEqual([{ kind: 'sections', equipment: id('S'), name: 'S', mRID: id('S'), from: 0, to }]);
    expect(flow(held, 'S').q).toBeCloseTo(-5e-4 * to * size(at(held, 'b')) ** 2, 6);
  });
});

describe('limits of the model', () => {
  test('what is exceeded is named with its limit; loading goes by what may be carried for good', () => {
    const limit = (name: string, more: object) =>
      ({ mRID: id(name), name, class: 'CurrentLimit', kind: 'patl', direction: 'absoluteValue', ...more }) as never;
    const grid = model({ a: 110, b: 110 }, [source('a', 112), line('L', 'a', 'b', 3, 30), load('l', 'b', 50, 20)], {
      limits: [
        {
          mRID: id('set'),
          name: 'set',
          terminal: terminalOf('L', 0),
          limits: [
            limit('for good', { value: 200 }),
            limit('short', { kind: 'tatl', value: 900, acceptableDuration: 600 }),
          ],
        },
        {
          mRID: id('band'),
          name: 'band',
          equipment: id('l'),
          limits: [limit('least', { class: 'VoltageLimit', kind: 'lowVoltage', direction: 'low', value: 107 })],
        },
      ],
    });
    const result = solve(buildNetwork(grid));
    const { i } = flow(result, 'L');
    expect(result.branches[0]!.loading!).toBeCloseTo((100 * i) / 200, 9);
    expect(result.violations.map(({ equipment: mRID, kind, limit: name }) => [mRID, kind, name])).toEqual([
      [id('L'), 'overload', 'for good'],
      [id('l'), 'voltageLow', 'least'],
    ]);
    expect(result.violations[0]).toMatchObject({
      quantity: 'current',
      bound: 200,
      type: 'patl',
      terminal: terminalOf('L', 0),
    });
  });
});
