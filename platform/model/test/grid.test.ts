import { describe, expect, it } from 'vitest';
import { derivedMrid, shuntAdmittance, type TapChanger, tapChangersOf, tapPosition } from '../src/index.ts';

const steps = {
  mRID: derivedMrid('s', 'e', 'tap'),
  end: 0,
  lowStep: -10,
  highStep: 10,
  neutralStep: 0,
  normalStep: 2,
};

describe('a tap changer', () => {
  const ratio = { ...steps, stepVoltageIncrement: 1.25 };

  it('stands at the step of the hypothesis, else at its normal one, and never outside its range', () => {
    expect(tapPosition(ratio)).toEqual({ ratio: 1.025, angle: 0, r: 1, x: 1, g: 1, b: 1 });
    expect(tapPosition({ ...ratio, step: -4 }).ratio).toBeCloseTo(0.95, 12);
    expect(tapPosition({ ...ratio, step: -4 }, 400).ratio).toBeCloseTo(1.125, 12);
  });

  it('goes by its table, between two points in a straight line', () => {
    const table = [
      { step: -1, ratio: 0.9, x: 10 },
      { step: 1, ratio: 1.2, x: 20 },
    ];
    const tabular = { ...ratio, table };
    expect(tapPosition(tabular, 1)).toMatchObject({ ratio: 1.2, x: 1.2, r: 1 });
    expect(tapPosition(tabular, 0)).toMatchObject({ ratio: 1.05 });
    expect(tapPosition(tabular, 0).x).toBeCloseTo(1.15, 12);
    expect(tapPosition(tabular, -7).ratio).toBe(0.9);
  });

  it('shifts the phase in equal steps, by an additional voltage across, or at an angle', () => {
    const linear: TapChanger = { class: 'PhaseTapChangerLinear', ...steps, stepPhaseShiftIncrement: -2 };
    expect(tapPosition(linear)).toMatchObject({ ratio: 1, angle: -4 });
    const kind = { ...steps, voltageStepIncrement: 2 };
    // Symmetrical: both sides keep their magnitude, so the chord is 2·sin(α/2).
    const symmetrical = tapPosition({ class: 'PhaseTapChangerSymmetrical', ...kind }, 5);
    expect(2 * Math.sin((symmetrical.angle * Math.PI) / 360)).toBeCloseTo(0.1, 12);
    const quadrature = tapPosition({ class: 'PhaseTapChangerAsymmetrical', ...kind, windingConnectionAngle: 90 }, 5);
    expect(Math.tan((quadrature.angle * Math.PI) / 180)).toBeCloseTo(0.1, 12);
    expect(quadrature.ratio).toBeCloseTo(Math.sqrt(1.01), 12);
    const inPhase = tapPosition({ class: 'PhaseTapChangerAsymmetrical', ...kind, windingConnectionAngle: 0 }, 5);
    expect(inPhase).toMatchObject({ ratio: 1.1, angle: 0 });
  });

  it('has its reactance grow from xMin at the neutral step to xMax at the ends, with the square of the voltage added', () => {
    const across: TapChanger = {
      class: 'PhaseTapChangerAsymmetrical',
      ...steps,
      voltageStepIncrement: 2,
      windingConnectionAngle: 60,
      xMin: 10,
      xMax: 20,
    };
    expect(tapPosition(across, 0).reactance).toBeCloseTo(10, 9);
    // The largest angle is at −10 steps, where the additional voltage works against the in-phase one.
    expect(tapPosition(across, -10).reactance).toBeCloseTo(20, 9);
    expect(tapPosition(across, 5).reactance).toBeCloseTo(12.5, 9);
    const linear: TapChanger = {
      class: 'PhaseTapChangerLinear',
      ...steps,
      stepPhaseShiftIncrement: 2,
      xMin: 10,
      xMax: 20,
    };
    expect(tapPosition(linear, 10).reactance).toBeCloseTo(20, 9);
    expect(tapPosition({ ...linear, xMax: 5 }, 10).reactance).toBeUndefined();
    expect(tapPosition({ ...linear, lowStep: 0, highStep: 0 }, 10).reactance).toBe(10);
  });

  it('is found at any end, the one beside which others stand first', () => {
    const other: TapChanger = { class: 'PhaseTapChangerLinear', ...steps, end: 1, stepPhaseShiftIncrement: 1 };
    expect(tapChangersOf({ ratioTapChanger: ratio, tapChangers: [other] })).toEqual([ratio, other]);
    expect(tapChangersOf({})).toEqual([]);
  });
});

describe('a shunt compensator', () => {
  const head = {
    mRID: derivedMrid('s', 'e', 'shunt'),
    name: 'C1',
    terminals: [],
    maximumSections: 3,
    normalSections: 2,
  };

  it('has the admittance of the sections that are in', () => {
    const linear = { class: 'LinearShuntCompensator' as const, ...head, bPerSection: 0.1, gPerSection: 0.01 };
    expect(shuntAdmittance(linear)).toEqual({ b: 0.2, g: 0.02 });
    expect(shuntAdmittance({ ...linear, sections: 1.5 }).b).toBeCloseTo(0.15, 12);
    expect(shuntAdmittance(linear, 9).b).toBeCloseTo(0.3, 12);
    const points = [
      { section: 1, b: 0.5, g: 0 },
      { section: 3, b: 0.7, g: 0.02 },
    ];
    const bank = { class: 'NonlinearShuntCompensator' as const, ...head, points };
    expect(shuntAdmittance(bank, 1)).toEqual({ b: 0.5, g: 0 });
    expect(shuntAdmittance(bank, 2).b).toBeCloseTo(0.6, 12);
    expect(shuntAdmittance(bank, 3)).toEqual({ b: 0.7, g: 0.02 });
    expect(shuntAdmittance(bank, 0)).toEqual({ b: 0, g: 0 });
    expect(shuntAdmittance({ ...bank, points: [] }, 1)).toEqual({ b: 0, g: 0 });
  });
});
