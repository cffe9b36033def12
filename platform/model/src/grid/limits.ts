/** How much equipment may carry and how high a voltage may be (IEC 61970-301, OperationalLimits). */
import Type from 'typebox';
import { Mrid } from '../identity.ts';
import { Named } from './common.ts';

export const OPERATIONAL_LIMIT_CLASSES = [
  'CurrentLimit',
  'ApparentPowerLimit',
  'ActivePowerLimit',
  'VoltageLimit',
] as const;
export const OPERATIONAL_LIMIT_KINDS = [
  'patl',
  'patlt',
  'tatl',
  'tc',
  'tct',
  'highVoltage',
  'lowVoltage',
  'operationalVoltageLimit',
  'alarmVoltage',
  'warningVoltage',
  'stability',
] as const;

export const OperationalLimit = Type.Object(
  {
    ...Named,
    class: Type.Enum(OPERATIONAL_LIMIT_CLASSES),
    kind: Type.Enum(OPERATIONAL_LIMIT_KINDS, {
      description:
        'patl: for good; patlt: a warning before it; tatl: for acceptableDuration; tc and tct: trips, at once or after acceptableDuration; the rest bound a voltage',
    }),
    direction: Type.Enum(['high', 'low', 'absoluteValue'] as const, {
      description: 'high: value is the most allowed; low: the least; absoluteValue: the most in either direction',
    }),
    value: Type.Number({ description: 'A, MVA, MW or kV as the class has it' }),
    acceptableDuration: Type.Optional(Type.Number({ minimum: 0, description: 's. Absent: for good' })),
  },
  { additionalProperties: false },
);
/** For one terminal (the flow into the equipment there, the voltage of its node) or for all of an equipment. */
export const OperationalLimitSet = Type.Object(
  {
    ...Named,
    terminal: Type.Optional(Mrid),
    equipment: Type.Optional(Mrid),
    limits: Type.Array(OperationalLimit, { maxItems: 1_000 }),
  },
  { additionalProperties: false },
);
export type OperationalLimitSet = Type.Static<typeof OperationalLimitSet>;
