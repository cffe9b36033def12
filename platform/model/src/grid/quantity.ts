/** What a point measures or moves, by what it says of itself, and which classes of equipment that fits. */
import type { Point } from '../point.ts';
import type { ConductingEquipment } from './grid-model.ts';
import { SWITCH_CLASSES } from './switches.ts';

export type Quantity = 'switch' | 'flow' | 'voltage' | 'tap' | 'other';

/** CIM measurementType → what it is (IEC 61970-301, annex on measurementType). */
const TYPES: readonly (readonly [pattern: RegExp, quantity: Quantity])[] = [
  [/^SwitchPosition$/i, 'switch'],
  [/^TapPosition$/i, 'tap'],
  [/Voltage$|^Frequency$|^Angle$/i, 'voltage'],
  [/Power$|Current$|Energy(Import|Export)?$|^PowerFactor$/i, 'flow'],
];
/** Words of names, English and German. */
const WORDS: readonly (readonly [pattern: RegExp, quantity: Quantity])[] = [
  [/\b(tap|stufe|stufenschalter|regulator)\b/, 'tap'],
  [
    /\b(breaker|cb|leistungsschalter|ls|disconnector|trenner|isolator|switch|schalter|erder|earthing|position|stellung)\b/,
    'switch',
  ],
  [/\b(voltage|spannung|frequency|frequenz)\b/, 'voltage'],
  [/\b(power|leistung|wirkleistung|blindleistung|current|strom|energy|energie|load|last)\b/, 'flow'],
];
const UNITS: Readonly<Record<string, Quantity>> = {
  W: 'flow',
  VAr: 'flow',
  VA: 'flow',
  A: 'flow',
  Wh: 'flow',
  VArh: 'flow',
  V: 'voltage',
  Hz: 'voltage',
};
/** Where nothing else is said: the measurementType that goes with a unit. */
const TYPE_OF_UNIT: Readonly<Record<string, string>> = {
  W: 'ThreePhaseActivePower',
  VAr: 'ThreePhaseReactivePower',
  VA: 'ThreePhaseApparentPower',
  A: 'LineCurrent',
  V: 'LineToLineVoltage',
  Hz: 'Frequency',
};

/** Lower case, words apart: `Nord/110kV/E01-Q0` is `nord 110 kv e01 q0`. */
export const wordsOf = (text: string): string[] =>
  text
    .normalize('NFKC')
    .toLowerCase()
    .replaceAll(/(\d)\s*(kv|mva|mw)\b/g, '$1 $2')
    .split(/[^\p{L}\p{N}]+/u)
    .filter(Boolean);

export function quantityOf(
  point: Pick<Point, 'name' | 'kind' | 'measurementType' | 'unitSymbol' | 'description' | 'cdc'>,
): Quantity {
  const byType = TYPES.find(([pattern]) => pattern.test(point.measurementType ?? ''));
  if (byType) return byType[1];
  const byUnit = UNITS[point.unitSymbol ?? ''];
  if (byUnit) return byUnit;
  const text = wordsOf(`${point.name} ${point.description ?? ''}`).join(' ');
  const byWord = WORDS.find(([pattern]) => pattern.test(text));
  if (byWord) return byWord[1];
  return point.cdc === 'DPS' || point.cdc === 'DPC' ? 'switch' : 'other';
}

/** The measurementType to propose for a point that has none. */
export const measurementTypeOf = (point: Pick<Point, 'unitSymbol'>, quantity: Quantity): string | undefined =>
  quantity === 'switch' ? 'SwitchPosition' : quantity === 'tap' ? 'TapPosition' : TYPE_OF_UNIT[point.unitSymbol ?? ''];

const SWITCHES: ReadonlySet<string> = new Set([...SWITCH_CLASSES, 'GroundDisconnector']);
export const isSwitch = ({ class: name }: ConductingEquipment): boolean => SWITCHES.has(name);
const NO_FLOW: ReadonlySet<string> = new Set(['BusbarSection', 'Junction', 'Ground']);

/** Words that say which kind of switch is meant. */
const SWITCH_WORDS: readonly (readonly [pattern: RegExp, classes: readonly string[]])[] = [
  [/\b(breaker|cb|leistungsschalter|ls)\b/, ['Breaker', 'LoadBreakSwitch', 'Recloser']],
  [/\b(disconnector|trenner|isolator)\b/, ['Disconnector', 'LoadBreakSwitch']],
  [/\b(earthing|erder|earth|ground)\b/, ['GroundDisconnector']],
  [/\b(fuse|sicherung)\b/, ['Fuse']],
];

/** 0: a point of this kind is never at such equipment; 1: it is. */
export function fitOf(quantity: Quantity, words: string, item: ConductingEquipment): number {
  const switching = isSwitch(item);
  switch (quantity) {
    case 'switch': {
      if (!switching) return 0;
      const meant = SWITCH_WORDS.find(([pattern]) => pattern.test(words));
      return !meant ? 0.8 : meant[1].includes(item.class) ? 1 : 0.1;
    }
    case 'flow':
      return switching ? 0.3 : NO_FLOW.has(item.class) ? 0 : 1;
    case 'voltage':
      return item.class === 'BusbarSection' ? 1 : switching ? 0.3 : 0.6;
    case 'tap':
      return item.class === 'PowerTransformer' ? 1 : 0;
    case 'other':
      return item.class === 'Breaker' ? 0.55 : switching ? 0.4 : 0.35;
  }
}
