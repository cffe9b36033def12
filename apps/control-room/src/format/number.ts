/** How a value reads: number and unit, scaled once per point so that it does not jump between kW and MW. */
import type { Point } from '@enerchain/model';

export const MINUS = '−';
const NARROW_SPACE = '\u202f';

const EXPONENT: Readonly<Record<string, number>> = { n: -9, micro: -6, m: -3, none: 0, k: 3, M: 6, G: 9 };
const PREFIX: Readonly<Record<number, string>> = { [-9]: 'n', [-6]: 'µ', [-3]: 'm', 0: '', 3: 'k', 6: 'M', 9: 'G' };
/** CIM UnitSymbol → what is written, and whether it takes a prefix. */
const UNITS: Readonly<Record<string, readonly [text: string, prefixed: boolean]>> = {
  W: ['W', true],
  VA: ['VA', true],
  VAr: ['var', true],
  Wh: ['Wh', true],
  VAh: ['VAh', true],
  VArh: ['varh', true],
  V: ['V', true],
  A: ['A', true],
  Hz: ['Hz', false],
  degC: ['°C', false],
  deg: ['°', false],
  ohm: ['Ω', true],
  Pa: ['Pa', true],
  percent: ['%', false],
  none: ['', false],
};
/** Digits that carry meaning: voltages and frequency are judged by their last ones. */
const SIGNIFICANT: Readonly<Record<string, number>> = { V: 4, Hz: 5, degC: 3, percent: 2, A: 2 };

export type Units = Pick<
  Point,
  'unitSymbol' | 'unitMultiplier' | 'kind' | 'limits' | 'minimum' | 'maximum' | 'measurementType'
>;

export interface Scale {
  /** shown = announced · factor */
  readonly factor: number;
  readonly unit: string;
  readonly significant: number;
  readonly integer: boolean;
}

/**
 * The scale of a point, from what it announced and from its limits, never from the value of the moment: the unit of a
 * number on a wall must not change while somebody looks away. Without limits, the first value decides.
 */
export function scaleOf(point: Units, firstValue?: number | null): Scale {
  const plain = point.unitSymbol === undefined || point.unitSymbol === 'none';
  const symbol = plain && point.measurementType === 'StateOfCharge' ? 'percent' : (point.unitSymbol ?? 'none');
  const [text, prefixed] = UNITS[symbol] ?? [symbol, false];
  const announced = EXPONENT[point.unitMultiplier ?? 'none'] ?? 0;
  const significant = SIGNIFICANT[symbol] ?? 3;
  const integer = point.kind === 'discrete' || point.kind === 'command' || (point.kind === 'accumulator' && !prefixed);
  const fixed: Scale = { factor: 1, unit: `${PREFIX[announced] ?? ''}${text}`, significant, integer };
  if (!prefixed || integer) return fixed;
  const bounds = [...(point.limits ?? []).map((limit) => limit.value), point.minimum ?? 0, point.maximum ?? 0];
  const fromBounds = Math.max(...bounds.map(Math.abs));
  const largest = fromBounds || Math.abs(firstValue ?? 0);
  if (largest === 0 || !Number.isFinite(largest)) return fixed;
  let steps = 0;
  for (let size = largest; size >= 5000 && PREFIX[announced + 3 * (steps + 1)] !== undefined; size /= 1000) steps++;
  // Downward only by the limits: a plant that stands still at first is not for ever a matter of watts.
  for (let size = fromBounds; size > 0 && size < 0.05 && announced + 3 * (steps - 1) >= 0; size *= 1000) steps--;
  const exponent = announced + 3 * steps;
  return { factor: 10 ** (announced - exponent), unit: `${PREFIX[exponent] ?? ''}${text}`, significant, integer };
}

/** Fixed decimals, a real minus sign, a narrow space between thousands from 10 000 on. */
export function fixed(value: number, decimals: number): string {
  const text = Math.abs(value).toFixed(decimals);
  const negative = value < 0 && Number(text) !== 0;
  const [whole = '0', fraction] = text.split('.');
  const grouped = whole.length > 4 ? whole.replace(/\B(?=(\d{3})+$)/g, NARROW_SPACE) : whole;
  return `${negative ? MINUS : ''}${grouped}${fraction ? `.${fraction}` : ''}`;
}

/** A number already in the shown unit, with as many decimals as its significant digits leave. */
export function shownNumber(value: number, scale: Scale): string {
  if (!Number.isFinite(value)) return '—';
  if (scale.integer) return fixed(value, Number.isInteger(value) ? 0 : 2);
  const magnitude = value === 0 ? 0 : Math.floor(Math.log10(Math.abs(value)));
  const most = scale.significant > 4 ? 3 : 2;
  const decimals = Math.min(most, scale.significant - 1, Math.max(0, scale.significant - 1 - Math.max(0, magnitude)));
  return fixed(value, decimals);
}

export const count = (value: number | undefined): string => (value === undefined ? '—' : fixed(value, 0));

/** Octets in the binary steps that disks are bought in. */
export function bytes(value: number): string {
  const steps = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let step = 0;
  let size = value;
  for (; size >= 1024 && step < steps.length - 1; step++) size /= 1024;
  return `${fixed(size, step === 0 || size >= 100 ? 0 : 1)} ${steps[step]}`;
}

const POSITION_WORDS: Readonly<Record<number, string>> = { 0: 'in between', 1: 'open', 2: 'closed', 3: 'faulty' };
const SINGLE_POSITION_WORDS: Readonly<Record<number, string>> = { 0: 'open', 1: 'closed' };

type Wording = Pick<Point, 'kind' | 'cdc' | 'measurementType' | 'valueAliases'>;

/** Whether a point speaks in double-point numbers (0 in between, 1 off, 2 on, 3 faulty). */
export const isDouble = (point: Pick<Point, 'cdc'>): boolean => point.cdc === 'DPS' || point.cdc === 'DPC';
export const isSwitchPosition = (point: Pick<Point, 'measurementType'>): boolean =>
  point.measurementType === 'SwitchPosition';

/** The word for a state of a discrete point or command, `undefined` when it is only a number. */
export function stateWord(point: Wording, value: number): string | undefined {
  const alias = point.valueAliases?.[String(value)];
  if (alias) return alias;
  if (point.kind !== 'discrete' && point.kind !== 'command') return undefined;
  if (isDouble(point)) return POSITION_WORDS[value];
  if (isSwitchPosition(point)) return SINGLE_POSITION_WORDS[value];
  if (point.cdc === 'SPS' || point.cdc === 'SPC') return value ? 'on' : 'off';
  return undefined;
}

export interface Shown {
  readonly text: string;
  readonly unit: string;
}

/** Number and unit of a value as its point announces it. `null` (the source reported only a quality) is a dash. */
export function shown(point: Units & Wording, value: number | string | null | undefined, scale?: Scale): Shown {
  if (value === null || value === undefined) return { text: '—', unit: '' };
  if (typeof value === 'string') return { text: value, unit: '' };
  const word = stateWord(point, value);
  if (word) return { text: word, unit: '' };
  const by = scale ?? scaleOf(point, value);
  return { text: shownNumber(value * by.factor, by), unit: by.unit };
}
