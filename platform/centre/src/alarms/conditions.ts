/**
 * From a value to the conditions that it fulfils: limits with hysteresis, and discretes that left their normal value.
 * Pure; what must be remembered between two values is one bit per limit.
 */
import {
  DOUBLE_POINT,
  fromIso,
  type Limit,
  type Point,
  QUALITY,
  type Quality,
  type UtcNanos,
  type Value,
  validity,
} from '@enerchain/model';
import type { AlarmText } from './book.ts';

/** What the conditions need to know of a point and of where it stands. */
export interface AlarmPoint extends Point {
  readonly source: string;
  readonly site: string;
}

export const UNITS: Readonly<Record<string, string>> = { degC: '°C', VAr: 'var', VA: 'VA', none: '' };
const MULTIPLIERS: Readonly<Record<string, string>> = { n: 'n', micro: 'µ', m: 'm', k: 'k', M: 'M', G: 'G' };

const LIMIT_WORDS = {
  highHigh: 'above its upper limit',
  high: 'above its upper warning limit',
  low: 'below its lower warning limit',
  lowLow: 'below its lower limit',
} as const;

/** A value that may raise or clear a condition: believed by its source, of the process, not a test. */
export function countsForAlarms(quality: Quality): boolean {
  return validity(quality) !== 'invalid' && (quality & QUALITY.test) === 0;
}

/** The two sides of a point's limits. Each has one alarm: it speaks of the worst limit that is passed. */
export const DIRECTIONS = ['high', 'low'] as const;
export type Direction = (typeof DIRECTIONS)[number];
const upper = (limit: Limit): boolean => limit.kind === 'high' || limit.kind === 'highHigh';
export const directionOf = (limit: Limit): Direction => (upper(limit) ? 'high' : 'low');

/**
 * @param before bit i is set when limit i stands
 * @returns the same for after `value`; between the limit and limit ∓ hysteresis a condition stays what it was
 */
export function limitsAfter(limits: readonly Limit[], before: number, value: number): number {
  let after = 0;
  // Fifty thousand values a second pass here: no iterator objects.
  for (let index = 0; index < limits.length; index++) {
    const limit = limits[index] as Limit;
    const bit = 1 << index;
    const hysteresis = limit.hysteresis ?? 0;
    const over = upper(limit) ? value > limit.value : value < limit.value;
    const back = upper(limit) ? value <= limit.value - hysteresis : value >= limit.value + hysteresis;
    if (over || ((before & bit) !== 0 && !back)) after |= bit;
  }
  return after;
}

/**
 * The limit of which the alarm of one side speaks: the worst that stands. It supersedes the milder ones, so that a
 * voltage that is gone is one alarm and not also its warning (EEMUA 191: one condition, one alarm).
 * @param bits as from `limitsAfter`
 */
export function worstLimit(limits: readonly Limit[], bits: number, direction: Direction): Limit | undefined {
  let worst: Limit | undefined;
  for (let index = 0; index < limits.length; index++) {
    const limit = limits[index] as Limit;
    if ((bits & (1 << index)) === 0 || directionOf(limit) !== direction) continue;
    if (!worst || (direction === 'high' ? limit.value > worst.value : limit.value < worst.value)) worst = limit;
  }
  return worst;
}

export const limitKey = (point: string, direction: Direction): string => `limit:${point}:${direction}`;
export const stateKey = (point: string): string => `state:${point}`;

export function limitAlarm(point: AlarmPoint, limit: Limit, value: number, at: UtcNanos): AlarmText {
  return {
    key: limitKey(point.mRID, directionOf(limit)),
    priority: limit.priority as 1 | 2 | 3 | 4,
    point: point.mRID,
    source: point.source,
    message: `${point.name} in ${point.site} is ${LIMIT_WORDS[limit.kind]} of ${quantity(point, limit.value)} since ${clockTime(at)}: ${quantity(point, value)}.`,
    consequence: limit.consequence,
    action: limit.action,
  };
}

/**
 * Whether a discrete stands elsewhere than it should. A double point on its way (intermediate) says neither, so that
 * an operation from one end position to the other raises no alarm half-way.
 */
export function leftNormal(point: Point, value: Value): boolean | undefined {
  if (point.normalValue === undefined || typeof value !== 'number') return undefined;
  if (point.cdc === 'DPS' && value === DOUBLE_POINT.intermediate) return undefined;
  return value !== point.normalValue;
}

export function stateAlarm(point: AlarmPoint, value: Value, at: UtcNanos): AlarmText {
  return {
    key: stateKey(point.mRID),
    priority: (point.alarmPriority ?? 3) as 1 | 2 | 3 | 4,
    point: point.mRID,
    source: point.source,
    message: `${point.name} in ${point.site} is ${word(point, value)} since ${clockTime(at)}; normal is ${word(point, point.normalValue ?? null)}.`,
    consequence: point.consequence,
    action: point.action,
  };
}

/** A value as a person says it: alias, on or off, or a number with its unit. */
export function word(point: Point, value: Value): string {
  if (value === null) return 'without a value';
  if (typeof value === 'string') return `'${value}'`;
  const alias = point.valueAliases?.[String(value)];
  if (alias !== undefined) return alias;
  if (point.cdc === 'DPS' || point.cdc === 'DPC')
    return ['intermediate', 'off', 'on', 'in a bad state'][value] ?? String(value);
  if (point.cdc === 'SPS' || point.cdc === 'SPC') return value === 0 ? 'off' : 'on';
  return quantity(point, value);
}

/** Four significant digits and the unit. */
export function quantity(point: Pick<Point, 'unitSymbol' | 'unitMultiplier'>, value: number): string {
  const number = Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(4)));
  const symbol = point.unitSymbol === undefined ? '' : (UNITS[point.unitSymbol] ?? point.unitSymbol);
  return symbol === '' ? number : `${number} ${MULTIPLIERS[point.unitMultiplier ?? 'none'] ?? ''}${symbol}`;
}

/** `2026-11-23 12:00:01 UTC` */
export function clockTime(at: UtcNanos | string): string {
  const millis = Number((typeof at === 'string' ? fromIso(at) : at) / 1_000_000n);
  return `${new Date(millis).toISOString().slice(0, 19).replace('T', ' ')} UTC`;
}
