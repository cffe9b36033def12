/** A point: one measurement or control of the grid, in CIM's and IEC 61850's words (IEC 61970-301 Meas, 61850-7-3). */
import Type from 'typebox';
import { Mrid } from './identity.ts';

/** CIM: Analog, Discrete, Accumulator, StringMeasurement; Command and SetPoint are controls. */
export const POINT_KINDS = ['analog', 'discrete', 'accumulator', 'string', 'command', 'setpoint'] as const;
export const PointKind = Type.Enum(POINT_KINDS);
export type PointKind = Type.Static<typeof PointKind>;

/** CIM Limit of a LimitSet, with the ISA-18.2 priority (1 highest) of the alarm it raises. */
export const Limit = Type.Object(
  {
    kind: Type.Enum(['highHigh', 'high', 'low', 'lowLow'] as const),
    value: Type.Number({ description: 'in the unit of the point' }),
    priority: Type.Integer({ minimum: 1, maximum: 4, default: 2 }),
    hysteresis: Type.Optional(
      Type.Number({ minimum: 0, description: 'how far the value must come back, in its unit' }),
    ),
    consequence: Type.Optional(Type.String({ maxLength: 500, description: 'ISA-18.2: what happens if nobody acts' })),
    action: Type.Optional(Type.String({ maxLength: 500, description: 'ISA-18.2: what the operator can do' })),
  },
  { additionalProperties: false },
);
export type Limit = Type.Static<typeof Limit>;

export const Point = Type.Object(
  {
    mRID: Mrid,
    name: Type.String({ minLength: 1, maxLength: 200 }),
    description: Type.Optional(Type.String({ maxLength: 1000 })),
    kind: PointKind,
    cdc: Type.Optional(
      Type.String({
        pattern: '^[A-Z]{2,4}$',
        description: 'IEC 61850-7-3 common data class: SPS, DPS, MV, BCR, DPC …',
      }),
    ),
    measurementType: Type.Optional(
      Type.String({ maxLength: 64, description: 'CIM: ThreePhaseActivePower, LineCurrent, SwitchPosition …' }),
    ),
    phases: Type.Optional(Type.Enum(['ABC', 'A', 'B', 'C', 'AB', 'BC', 'CA', 'N', 'ABCN'] as const)),
    unitSymbol: Type.Optional(
      Type.String({ maxLength: 16, description: 'CIM UnitSymbol: W, VAr, V, A, Hz, Wh, degC, none' }),
    ),
    unitMultiplier: Type.Optional(Type.Enum(['n', 'micro', 'm', 'none', 'k', 'M', 'G'] as const)),
    terminal: Type.Optional(Mrid),
    equipment: Type.Optional(Mrid),
    positiveFlowIn: Type.Optional(
      Type.Boolean({
        description: 'CIM: a positive value flows from the terminal into the equipment; true when absent',
      }),
    ),
    limits: Type.Optional(Type.Array(Limit, { maxItems: 8 })),
    normalValue: Type.Optional(Type.Number()),
    alarmPriority: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 4,
        description: 'priority of the alarm when a discrete leaves its normalValue',
      }),
    ),
    consequence: Type.Optional(
      Type.String({ maxLength: 500, description: 'ISA-18.2: what a discrete off its normalValue means' }),
    ),
    action: Type.Optional(Type.String({ maxLength: 500, description: 'ISA-18.2: what the operator can do about it' })),
    valueAliases: Type.Optional(
      Type.Record(Type.String({ pattern: '^-?\\d+$' }), Type.String(), {
        description: 'CIM ValueAliasSet: number → word',
      }),
    ),
    objectReference: Type.Optional(Type.String({ maxLength: 255, description: 'IEC 61850: LD/LN.DO' })),
    equipmentPath: Type.Optional(
      Type.String({
        maxLength: 500,
        description:
          'names from the substation down to the equipment, as SCL has them: S1/110 kV/Q01/QA1. For points that name neither terminal nor equipment',
      }),
    ),
    ctlModel: Type.Optional(Type.Enum(['direct', 'sbo'] as const, { description: 'for controls; IEC 61850-7-2 § 20' })),
    feedback: Type.Optional(Mrid),
    minimum: Type.Optional(Type.Number({ description: 'smallest value a set-point accepts' })),
    maximum: Type.Optional(Type.Number({ description: 'largest value a set-point accepts' })),
    staleAfter: Type.Optional(
      Type.Number({ exclusiveMinimum: 0, description: 'seconds without an observation after which the value is old' }),
    ),
  },
  { additionalProperties: false, $id: 'Point' },
);
export type Point = Type.Static<typeof Point>;

/** Double points (DPS, 61850-7-3): the numbers under which their states travel and are stored. */
export const DOUBLE_POINT = { intermediate: 0, off: 1, on: 2, bad: 3 } as const;

export const isControl = (point: Pick<Point, 'kind'>): boolean => point.kind === 'command' || point.kind === 'setpoint';
