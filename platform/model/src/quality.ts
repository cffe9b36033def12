/**
 * Quality of a value, in the terms of IEC 61850-7-3 § 6.2.1, as a bit set of 16 bits. The lower 13 bits stand in the
 * order of IEC 61850-8-1 table 40 (bit 0 first); the remaining ones complete the source to what CIM's `Quality61850`
 * and the design need (defaulted, estimated). Bit sets keep fifty thousand values a second free of objects.
 */
export type Quality = number;

export type Validity = 'good' | 'invalid' | 'reserved' | 'questionable';
export type Source = 'process' | 'substituted' | 'defaulted' | 'estimated';

const VALIDITY_MASK = 0b11;
const VALIDITIES: readonly Validity[] = ['good', 'invalid', 'reserved', 'questionable'];

/** The detail and other flags by name. */
export const QUALITY = {
  good: 0b00,
  invalid: 0b01,
  questionable: 0b11,
  overflow: 1 << 2,
  outOfRange: 1 << 3,
  badReference: 1 << 4,
  oscillatory: 1 << 5,
  failure: 1 << 6,
  oldData: 1 << 7,
  inconsistent: 1 << 8,
  inaccurate: 1 << 9,
  substituted: 1 << 10,
  test: 1 << 11,
  operatorBlocked: 1 << 12,
  defaulted: 1 << 13,
  estimated: 1 << 14,
} as const;

/** The detailQual flags of 61850-7-3 with their bits. */
export const DETAIL_FLAGS = [
  'overflow',
  'outOfRange',
  'badReference',
  'oscillatory',
  'failure',
  'oldData',
  'inconsistent',
  'inaccurate',
] as const satisfies readonly (keyof typeof QUALITY)[];

export type DetailFlag = (typeof DETAIL_FLAGS)[number];

export function validity(quality: Quality): Validity {
  return VALIDITIES[quality & VALIDITY_MASK] as Validity;
}

/** Replaces the validity and leaves every other flag. */
export function withValidity(quality: Quality, to: 'good' | 'invalid' | 'questionable'): Quality {
  return (quality & ~VALIDITY_MASK) | QUALITY[to];
}

/** The worse of two validities: invalid before questionable before good. */
export function worstValidity(a: Quality, b: Quality): 'good' | 'invalid' | 'questionable' {
  const [left, right] = [validity(a), validity(b)];
  if (left === 'invalid' || right === 'invalid') return 'invalid';
  return left === 'good' && right === 'good' ? 'good' : 'questionable';
}

export function source(quality: Quality): Source {
  if (quality & QUALITY.substituted) return 'substituted';
  if (quality & QUALITY.estimated) return 'estimated';
  return quality & QUALITY.defaulted ? 'defaulted' : 'process';
}

/** A quality as people and JSON see it; `detail` holds only the flags that are set. */
export interface QualityObject {
  readonly validity: Validity;
  readonly detail: readonly DetailFlag[];
  readonly source: Source;
  readonly test: boolean;
  readonly operatorBlocked: boolean;
}

export function toQualityObject(quality: Quality): QualityObject {
  return {
    validity: validity(quality),
    detail: DETAIL_FLAGS.filter((flag) => quality & QUALITY[flag]),
    source: source(quality),
    test: (quality & QUALITY.test) !== 0,
    operatorBlocked: (quality & QUALITY.operatorBlocked) !== 0,
  };
}

export function fromQualityObject(object: QualityObject): Quality {
  let quality = VALIDITIES.indexOf(object.validity);
  for (const flag of object.detail) quality |= QUALITY[flag];
  if (object.source !== 'process') quality |= QUALITY[object.source];
  if (object.test) quality |= QUALITY.test;
  if (object.operatorBlocked) quality |= QUALITY.operatorBlocked;
  return quality;
}
