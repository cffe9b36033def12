/**
 * Quality61850 of CIM's Operation profile and the quality of the platform. Both are IEC 61850-7-3; what one has and the other
 * lacks is lost and named: CIM has no `inconsistent` and `inaccurate`, the platform no `suspect`.
 */
import type { CimModel } from '@enerchain/cim';
import { QUALITY, type Quality, validity } from '@enerchain/model';

const FLAGS = {
  badReference: QUALITY.badReference,
  estimatorReplaced: QUALITY.estimated,
  failure: QUALITY.failure,
  oldData: QUALITY.oldData,
  operatorBlocked: QUALITY.operatorBlocked,
  oscillatory: QUALITY.oscillatory,
  outOfRange: QUALITY.outOfRange,
  overFlow: QUALITY.overflow,
  test: QUALITY.test,
} as const;
const VALIDITIES = { GOOD: QUALITY.good, QUESTIONABLE: QUALITY.questionable, INVALID: QUALITY.invalid } as const;
const SOURCES = { PROCESS: 0, DEFAULTED: QUALITY.defaulted, SUBSTITUTED: QUALITY.substituted } as const;

/** Properties of a `Quality61850`, without its name: `{ validity: 'GOOD', source: 'PROCESS', oldData: false … }`. */
export type CimQuality = Readonly<Record<keyof typeof FLAGS, boolean>> & {
  readonly validity: keyof typeof VALIDITIES;
  readonly source: keyof typeof SOURCES;
};

export function qualityToCim(quality: Quality): CimQuality {
  const flags = Object.fromEntries(Object.entries(FLAGS).map(([name, bit]) => [name, (quality & bit) !== 0]));
  const valid = validity(quality);
  return {
    ...(flags as Record<keyof typeof FLAGS, boolean>),
    validity: valid === 'good' ? 'GOOD' : valid === 'questionable' ? 'QUESTIONABLE' : 'INVALID',
    source: quality & QUALITY.substituted ? 'SUBSTITUTED' : quality & QUALITY.defaulted ? 'DEFAULTED' : 'PROCESS',
  };
}

/** Of a `MeasurementValueQuality` in a model. What it does not say is as if it were good and of the process. */
export function qualityFromCim({ store }: CimModel, object: number): Quality {
  const kind = (name: string): string => store.text(object, `Quality61850.${name}`)?.split('.').at(-1) ?? '';
  let quality: number = VALIDITIES[kind('validity') as keyof typeof VALIDITIES] ?? QUALITY.good;
  quality |= SOURCES[kind('source') as keyof typeof SOURCES] ?? 0;
  for (const [name, bit] of Object.entries(FLAGS)) {
    if (store.boolean(object, `Quality61850.${name}`)) quality |= bit;
  }
  return quality;
}
