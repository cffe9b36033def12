/** What a tap changer does at a step (IEC 61970-301, TapChanger and its kinds). Pure. */
import type { TapChanger } from './transformer.ts';

export interface TapPosition {
  /** Voltage at the terminal over that behind the tap changer. */
  readonly ratio: number;
  /** °: angle of the voltage at the terminal less that behind the tap changer. */
  readonly angle: number;
  /** Ω at ratedU of `end`: series reactance of the whole transformer in place of what the ends say. */
  readonly reactance?: number;
  /** Factors on r, x, g and b of the whole transformer; 1 where no table says otherwise. */
  readonly r: number;
  readonly x: number;
  readonly g: number;
  readonly b: number;
}

const RADIANS = Math.PI / 180;
const UNCHANGED = { r: 1, x: 1, g: 1, b: 1 };

/** Every tap changer of a transformer; `ratioTapChanger` first. */
export function tapChangersOf(transformer: {
  readonly ratioTapChanger?: TapChanger;
  readonly tapChangers?: readonly TapChanger[];
}): readonly TapChanger[] {
  const { ratioTapChanger, tapChangers = [] } = transformer;
  return ratioTapChanger ? [ratioTapChanger, ...tapChangers] : tapChangers;
}

/**
 * A step outside lowStep … highStep, or outside the table, counts as the nearest one. Between two points of a table the
 * values are interpolated.
 * @param step position; absent: that of the hypothesis, else the normal one
 */
export function tapPosition(changer: TapChanger, step = changer.step ?? changer.normalStep): TapPosition {
  const at = Math.min(Math.max(step, changer.lowStep), changer.highStep);
  const steps = at - changer.neutralStep;
  switch (changer.class) {
    case undefined:
    case 'RatioTapChanger':
      if (changer.table) return ofTable(changer.table, at);
      return { ratio: 1 + (steps * changer.stepVoltageIncrement) / 100, angle: 0, ...UNCHANGED };
    case 'PhaseTapChangerTabular':
      return ofTable(changer.table, at);
    default: {
      const { ratio, angle } = shift(changer, steps);
      const reactance = reactanceAt(changer, angle);
      return { ratio, angle, ...UNCHANGED, ...(reactance === undefined ? {} : { reactance }) };
    }
  }
}

type Shifter = Exclude<TapChanger, { class?: 'RatioTapChanger' } | { class: 'PhaseTapChangerTabular' }>;

function shift(changer: Shifter, steps: number): { ratio: number; angle: number } {
  if (changer.class === 'PhaseTapChangerLinear') return { ratio: 1, angle: steps * changer.stepPhaseShiftIncrement };
  const added = (steps * changer.voltageStepIncrement) / 100;
  if (changer.class === 'PhaseTapChangerSymmetrical') {
    return { ratio: 1, angle: (2 * Math.asin(Math.min(Math.max(added / 2, -1), 1))) / RADIANS };
  }
  const connection = changer.windingConnectionAngle * RADIANS;
  const [inPhase, across] = [1 + added * Math.cos(connection), added * Math.sin(connection)];
  return { ratio: Math.hypot(inPhase, across), angle: Math.atan2(across, inPhase) / RADIANS };
}

/** Reactance from xMin at no shift to xMax at the largest, growing with the square of the additional voltage. */
function reactanceAt(changer: Shifter, angle: number): number | undefined {
  const { xMin, xMax, lowStep, highStep, neutralStep } = changer;
  if (xMin === undefined || xMax === undefined || !(xMin > 0) || !(xMax >= xMin)) return undefined;
  const largest = [lowStep, highStep].reduce((most, step) => {
    const { angle: there } = shift(changer, step - neutralStep);
    return Math.abs(there) > Math.abs(most) ? there : most;
  }, 0);
  if (largest === 0) return xMin;
  let share: number;
  if (changer.class === 'PhaseTapChangerAsymmetrical') {
    const connection = changer.windingConnectionAngle * RADIANS;
    // The additional voltage that makes the angle α, by the sine rule: tan α / (sin θ − tan α · cos θ).
    const added = (alpha: number): number =>
      Math.tan(alpha * RADIANS) / (Math.sin(connection) - Math.tan(alpha * RADIANS) * Math.cos(connection));
    share = added(angle) / added(largest);
  } else share = Math.sin((angle / 2) * RADIANS) / Math.sin((largest / 2) * RADIANS);
  return Number.isFinite(share) ? xMin + (xMax - xMin) * share * share : xMin;
}

interface Point {
  readonly step: number;
  readonly ratio: number;
  readonly angle?: number;
  readonly r?: number;
  readonly x?: number;
  readonly g?: number;
  readonly b?: number;
}

function ofTable(table: readonly Point[], step: number): TapPosition {
  let [below, above]: [Point | undefined, Point | undefined] = [undefined, undefined];
  for (const point of table) {
    if (point.step <= step && (!below || point.step > below.step)) below = point;
    if (point.step >= step && (!above || point.step < above.step)) above = point;
  }
  const low = (below ?? above)!;
  const high = (above ?? below)!;
  const share = high.step === low.step ? 0 : (step - low.step) / (high.step - low.step);
  const between = (of: (point: Point) => number): number => of(low) + share * (of(high) - of(low));
  const factor = (name: 'r' | 'x' | 'g' | 'b'): number => 1 + between((point) => point[name] ?? 0) / 100;
  return {
    ratio: between((point) => point.ratio),
    angle: between((point) => point.angle ?? 0),
    r: factor('r'),
    x: factor('x'),
    g: factor('g'),
    b: factor('b'),
  };
}
