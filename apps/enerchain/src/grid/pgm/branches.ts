/** Branches of power-grid-model as rows of the branch table, pu of 1 MVA (user manual, "Components", electric models). */
import type { PgmComponent } from '@enerchain/cim';
import type { BranchSetting } from '@enerchain/grid-state';
import { num, numOr } from './values.ts';

export type Setting = BranchSetting;

const BASE = 1e6;
const CLOCK = Math.PI / 6;

/** Admittance of a line, from and to alike, half of the shunt at each end. */
export function lineSetting(line: PgmComponent, rated: number, frequency: number): Setting {
  const z = rated ** 2 / BASE;
  const b = (2 * Math.PI * frequency * num(line, 'c1') * z) / 2;
  const g = b * num(line, 'tan1');
  return { r: num(line, 'r1') / z, x: num(line, 'x1') / z, gFrom: g, bFrom: b, gTo: g, bTo: b, ratio: 1, shift: 0 };
}

/** None: what is (1 + j)·10⁸ pu there joins two nodes here, and what flows follows from their balance. */
export const LINK: Setting = { r: 0, x: 0, gFrom: 0, bFrom: 0, gTo: 0, bTo: 0, ratio: 1, shift: 0 };

/** What lies between a node and the stiff voltage of a source: u²/sk, x/r by rx_ratio. */
export function sourceImpedance(source: PgmComponent): Setting {
  const z = BASE / numOr(source, 'sk', 1e10);
  const ratio = numOr(source, 'rx_ratio', 0.1);
  const x = z / Math.hypot(1, ratio);
  return { ...LINK, r: x * ratio, x };
}

/** @param rated V of the to node */
export function genericSetting(branch: PgmComponent, rated: number): Setting {
  const z = rated ** 2 / BASE;
  const [g, b] = [(num(branch, 'g1') * z) / 2, (num(branch, 'b1') * z) / 2];
  const ratio = numOr(branch, 'k', 1);
  return {
    r: num(branch, 'r1') / z,
    x: num(branch, 'x1') / z,
    gFrom: g / ratio ** 2,
    bFrom: b / ratio ** 2,
    gTo: g,
    bTo: b,
    ratio,
    shift: numOr(branch, 'theta', 0),
  };
}

/** Between uk at the nominal tap and those at both ends of the range: straight. */
function atTap(component: PgmComponent, tap: number, attribute: string): number {
  const own = num(component, attribute);
  const [low, high] = [num(component, 'tap_min'), num(component, 'tap_max')];
  const nominal = numOr(component, 'tap_nom', 0);
  const towardsMax = tap <= Math.max(nominal, high) && tap >= Math.min(nominal, high);
  const [edge, name] = towardsMax ? [high, 'max'] : [low, 'min'];
  if (edge === nominal) return own;
  return own + ((tap - nominal) * (numOr(component, `${attribute}_${name}`, own) - own)) / (edge - nominal);
}

/** V by which the tap raises its side: upwards from tap_min to tap_max, whichever number is the larger. */
function tapVoltage(component: PgmComponent): { tap: number; added: number } {
  if (typeof component.tap_min !== 'number') return { tap: 0, added: 0 };
  const [low, high] = [num(component, 'tap_min'), num(component, 'tap_max')];
  const nominal = numOr(component, 'tap_nom', 0);
  const given = numOr(component, 'tap_pos', nominal);
  const tap = Math.min(Math.max(given, Math.min(low, high)), Math.max(low, high));
  return { tap, added: Math.sign(high - low || -1) * (tap - nominal) * num(component, 'tap_size') };
}

interface TwoWindings {
  readonly u1: number;
  readonly u2: number;
  readonly sn: number;
  readonly uk: number;
  readonly pk: number;
  readonly i0: number;
  readonly p0: number;
  readonly clock: number;
}

/** π model as the to side sees it, half of the shunt at each end, the ratio off nominal at the from end. */
function twoWindings(data: TwoWindings, [rated1, rated2]: readonly [number, number]): Setting {
  const { u1, u2, sn, uk, pk, i0, p0 } = data;
  const z = rated2 ** 2 / BASE;
  const own = u2 ** 2 / sn;
  const r = (pk / sn) * own;
  const magnitude = Math.abs(uk) * own;
  const x = Math.sign(uk) * (magnitude > Math.abs(r) ? Math.sqrt(magnitude ** 2 - r ** 2) : 0);
  const conductance = p0 / u2 ** 2;
  const admittance = (i0 * sn) / u2 ** 2;
  const susceptance = admittance > conductance ? -Math.sqrt(admittance ** 2 - conductance ** 2) : 0;
  const ratio = u1 / u2 / (rated1 / rated2);
  const [g, b] = [(conductance * z) / 2, (susceptance * z) / 2];
  return {
    r: r / z,
    x: x / z,
    gFrom: g / ratio ** 2,
    bFrom: b / ratio ** 2,
    gTo: g,
    bTo: b,
    ratio,
    shift: data.clock * CLOCK,
  };
}

/** @param rated V of the from and the to node */
export function transformerSetting(transformer: PgmComponent, rated: readonly [number, number]): Setting {
  const { tap, added } = tapVoltage(transformer);
  const from = num(transformer, 'tap_side') === 0;
  return twoWindings(
    {
      u1: num(transformer, 'u1') + (from ? added : 0),
      u2: num(transformer, 'u2') + (from ? 0 : added),
      sn: num(transformer, 'sn'),
      uk: atTap(transformer, tap, 'uk'),
      pk: atTap(transformer, tap, 'pk'),
      i0: num(transformer, 'i0'),
      p0: num(transformer, 'p0'),
      clock: num(transformer, 'clock'),
    },
    rated,
  );
}

/** Three windings as three transformers to a middle at the voltage of side 1: the delta of uk and pk turned into a star. */
export function branch3Settings(
  transformer: PgmComponent,
  rated: readonly [number, number, number],
): readonly [Setting, Setting, Setting] {
  const { tap, added } = tapVoltage(transformer);
  const side = numOr(transformer, 'tap_side', 0);
  const u = [1, 2, 3].map((end, index) => num(transformer, `u${end}`) + (side === index ? added : 0));
  const sn = [1, 2, 3].map((end) => num(transformer, `sn_${end}`)) as [number, number, number];
  const PAIRS = [
    [0, 1],
    [0, 2],
    [1, 2],
  ] as const;
  /** Per pair as side 1 has it, `power` 1 for voltages and 2 for losses; then per side as that side has it. */
  const star = (name: string, power: number): number[] => {
    const [a, b, c] = PAIRS.map(
      ([i, j]) => atPair(transformer, tap, `${name}_${i + 1}${j + 1}`) * (sn[0] / Math.min(sn[i]!, sn[j]!)) ** power,
    ) as [number, number, number];
    return [a + b - c, a + c - b, b + c - a].map((value, index) => (value / 2) * (sn[index]! / sn[0]) ** power);
  };
  const [uk, pk] = [star('uk', 1), star('pk', 2)];
  const clocks = [0, -numOr(transformer, 'clock_12', 0), -numOr(transformer, 'clock_13', 0)];
  return [0, 1, 2].map((index) =>
    twoWindings(
      {
        u1: u[index]!,
        u2: u[0]!,
        sn: sn[index]!,
        uk: uk[index]!,
        pk: pk[index]!,
        i0: index === 0 ? num(transformer, 'i0') : 0,
        p0: index === 0 ? num(transformer, 'p0') : 0,
        clock: clocks[index]!,
      },
      [rated[index]!, rated[0]],
    ),
  ) as unknown as readonly [Setting, Setting, Setting];
}

function atPair(transformer: PgmComponent, tap: number, attribute: string): number {
  return typeof transformer.tap_min === 'number' ? atTap(transformer, tap, attribute) : num(transformer, attribute);
}
