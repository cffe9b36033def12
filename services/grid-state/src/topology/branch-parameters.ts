/** Lines and transformers in the kernel's terms: ohms, siemens and taps to per unit (IEC 61970-301, Wires). */
import { type TapChanger, type TapPosition, tapChangersOf, tapPosition } from '@enerchain/model';
import type { BranchSetting } from '../powerflow/control/steps.ts';
import { ZERO_IMPEDANCE } from '../powerflow/zero-impedance.ts';
import type { Branch, CompiledGrid, Transformer } from './compiled-grid.ts';

/** System base, MVA. */
export const BASE_MVA = 10;

/** pu. A line with less is calculated as none at all. */
const LEAST_OF_A_LINE = 1e-7;
/** pu. A transformer with less is calculated with this reactance: its ratio has to be somewhere. */
const LEAST_OF_A_TRANSFORMER = 1e-6;

/** Impedance as seen from the to end, where it is another one. */
export interface AsymmetricSetting extends BranchSetting {
  readonly r21: number;
  readonly x21: number;
}

/** Steps of the tap changers of a transformer; those not in it stand as the model says. */
export type StepOf = (changer: TapChanger) => number | undefined;

/** @throws never: whatever the numbers are, the kernel says what cannot be calculated with */
export function branchSetting(grid: CompiledGrid, branch: Branch, stepOf: StepOf): BranchSetting | AsymmetricSetting {
  const { equipment, from, to } = branch;
  const [fromKv, toKv] = [grid.baseVoltage[from]!, grid.baseVoltage[to]!];
  const [fromBase, toBase] = [fromKv ** 2 / BASE_MVA, toKv ** 2 / BASE_MVA];
  if (equipment.class === 'PowerTransformer') {
    return branch.winding === undefined
      ? twoWindings(equipment, stepOf, fromKv, toKv)
      : oneWinding(equipment, branch.winding, stepOf, fromKv);
  }
  const none = Math.hypot(equipment.r, equipment.x) / toBase < LEAST_OF_A_LINE && fromKv === toKv;
  const series = { r: none ? 0 : equipment.r / toBase, x: none ? 0 : equipment.x / toBase };
  // Both ends on one base: between 220 and 225 kV lies an ideal transformer of the kernel, which is none in the grid.
  const shared = { ...series, ratio: toKv / fromKv, shift: 0, gFrom: 0, bFrom: 0, gTo: 0, bTo: 0 };
  if (equipment.class === 'SeriesCompensator') return shared;
  if (equipment.class === 'EquivalentBranch') {
    const { r21 = equipment.r, x21 = equipment.x } = equipment;
    return r21 === equipment.r && x21 === equipment.x ? shared : { ...shared, r21: r21 / toBase, x21: x21 / toBase };
  }
  const [g, b] = [(equipment.gch ?? 0) / 2, equipment.bch / 2];
  return { ...shared, gFrom: g * fromBase, bFrom: b * fromBase, gTo: g * toBase, bTo: b * toBase };
}

/** What the tap changers at one end come to together: their ratios multiply, their angles add up. */
function positionAt(transformer: Transformer, end: number, stepOf: StepOf): Omit<TapPosition, 'reactance'> {
  let all = { ratio: 1, angle: 0, r: 1, x: 1, g: 1, b: 1 };
  for (const changer of tapChangersOf(transformer)) {
    if (changer.end !== end) continue;
    const { ratio, angle, r, x, g, b } = tapPosition(changer, stepOf(changer));
    all = {
      ratio: all.ratio * ratio,
      angle: all.angle + angle,
      r: all.r * r,
      x: all.x * x,
      g: all.g * g,
      b: all.b * b,
    };
  }
  return all;
}

/** Series reactance that a phase tap changer prescribes for the whole transformer, Ω at `ratedU` kV; or nothing. */
function reactanceOf(transformer: Transformer, ends: readonly number[], stepOf: StepOf, ratedU: number) {
  for (const changer of tapChangersOf(transformer)) {
    if (!ends.includes(changer.end)) continue;
    const { reactance } = tapPosition(changer, stepOf(changer));
    if (reactance !== undefined) return reactance * (ratedU / transformer.ends[changer.end]!.ratedU) ** 2;
  }
  return undefined;
}

function twoWindings(transformer: Transformer, stepOf: StepOf, fromKv: number, toKv: number): BranchSetting {
  const [first, second] = transformer.ends as [Transformer['ends'][0], Transformer['ends'][0]];
  const [tap1, tap2] = [positionAt(transformer, 0, stepOf), positionAt(transformer, 1, stepOf)];
  const turns = (second.ratedU / first.ratedU) ** 2;
  const [fromBase, toBase] = [fromKv ** 2 / BASE_MVA, toKv ** 2 / BASE_MVA];
  const reactance = reactanceOf(transformer, [0, 1], stepOf, second.ratedU) ?? second.x + first.x * turns;
  // The kernel's series impedance lies at the to terminal, outside the taps of the second end.
  const outside = tap2.ratio ** 2 / toBase;
  const g = tap1.g * tap2.g;
  const b = tap1.b * tap2.b;
  return {
    ...atLeast((second.r + first.r * turns) * tap1.r * tap2.r * outside, reactance * tap1.x * tap2.x * outside),
    ratio: (first.ratedU * tap1.ratio) / fromKv / ((second.ratedU * tap2.ratio) / toKv),
    shift: ((tap1.angle - tap2.angle) * Math.PI) / 180,
    gFrom: (first.g * g * fromBase) / tap1.ratio ** 2,
    bFrom: (first.b * b * fromBase) / tap1.ratio ** 2,
    gTo: (second.g * g * toBase) / tap2.ratio ** 2,
    bTo: (second.b * b * toBase) / tap2.ratio ** 2,
  };
}

/** From the terminal to the star point, where 1 pu is the rated voltage of whichever winding one comes from. */
function oneWinding(transformer: Transformer, winding: number, stepOf: StepOf, fromKv: number): BranchSetting {
  const { ratedU, r, x, g, b } = transformer.ends[winding]!;
  const tap = positionAt(transformer, winding, stepOf);
  const base = ratedU ** 2 / BASE_MVA;
  const fromBase = fromKv ** 2 / BASE_MVA;
  return {
    ...atLeast((r * tap.r) / base, ((reactanceOf(transformer, [winding], stepOf, ratedU) ?? x) * tap.x) / base),
    ratio: (ratedU * tap.ratio) / fromKv,
    shift: (tap.angle * Math.PI) / 180,
    gFrom: (g * tap.g * fromBase) / tap.ratio ** 2,
    bFrom: (b * tap.b * fromBase) / tap.ratio ** 2,
    gTo: 0,
    bTo: 0,
  };
}

function atLeast(r: number, x: number): { r: number; x: number } {
  return Math.hypot(r, x) < Math.max(LEAST_OF_A_TRANSFORMER, ZERO_IMPEDANCE)
    ? { r: 0, x: LEAST_OF_A_TRANSFORMER }
    : { r, x };
}
