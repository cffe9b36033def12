/** Transformers of two and three windings with ratio and phase tap changers (IEC 61970-301, Wires). */
import Type from 'typebox';
import { Mrid } from '../identity.ts';
import { Contained, Named, Regulating, Terminal } from './common.ts';

export const PowerTransformerEnd = Type.Object(
  {
    ratedU: Type.Number({ description: 'kV; may be off the nominal voltage of its node' }),
    ratedS: Type.Number({ description: 'MVA; 0: not known' }),
    r: Type.Number({ description: 'Ω at ratedU of this end' }),
    x: Type.Number({ description: 'Ω at ratedU of this end; may be negative in a star of three' }),
    g: Type.Number({ description: 'S at ratedU of this end' }),
    b: Type.Number({ description: 'S at ratedU of this end; magnetising: negative' }),
  },
  { additionalProperties: false },
);

/** No tap changer has more steps than this in either direction. */
const MAX_STEP = 1_000;
const Step = Type.Integer({ minimum: -MAX_STEP, maximum: MAX_STEP });
const Steps = {
  mRID: Mrid,
  end: Type.Integer({ minimum: 0, maximum: 2, description: 'index into ends' }),
  lowStep: Step,
  highStep: Step,
  neutralStep: Step,
  normalStep: Step,
  step: Type.Optional(
    Type.Number({
      description:
        'SSH TapChanger.step: position in the hypothesis the model came with; may lie between two steps. Absent: normalStep',
    }),
  ),
  ltcFlag: Type.Optional(Type.Boolean({ description: 'Whether it moves under load. Absent: true' })),
  ...Regulating,
};
const REACTANCE =
  'Ω at ratedU of `end`, of the whole transformer: the series reactance is then a function of the angle, see `tapPosition`. Absent: it stays as the ends say';
const Reactance = {
  xMin: Type.Optional(Type.Number({ description: `At the neutral step; ${REACTANCE}` })),
  xMax: Type.Optional(Type.Number({ description: `At the largest angle; ${REACTANCE}` })),
};
const Point = {
  step: Type.Integer(),
  ratio: Type.Number({ exclusiveMinimum: 0, description: 'Voltage at the terminal over that behind the tap changer' }),
  r: Type.Optional(Type.Number({ description: '% by which the r of the transformer deviates. Absent: 0' })),
  x: Type.Optional(Type.Number({ description: '% by which the x of the transformer deviates. Absent: 0' })),
  g: Type.Optional(Type.Number({ description: '% by which the g of the transformer deviates. Absent: 0' })),
  b: Type.Optional(Type.Number({ description: '% by which the b of the transformer deviates. Absent: 0' })),
};
export const RatioTapChangerTablePoint = Type.Object(Point, { additionalProperties: false });
export const PhaseTapChangerTablePoint = Type.Object(
  { ...Point, angle: Type.Number({ description: '°, as in `tapPosition`' }) },
  { additionalProperties: false },
);
const MAX_POINTS = 1_000;

/** ratio = 1 + (step − neutralStep) · stepVoltageIncrement / 100, or what its table says. */
export const RatioTapChanger = Type.Object(
  {
    class: Type.Optional(Type.Literal('RatioTapChanger')),
    ...Steps,
    stepVoltageIncrement: Type.Number({ description: '% of ratedU per step' }),
    table: Type.Optional(Type.Array(RatioTapChangerTablePoint, { minItems: 1, maxItems: MAX_POINTS })),
  },
  { additionalProperties: false },
);
export const PhaseTapChangerLinear = Type.Object(
  {
    class: Type.Literal('PhaseTapChangerLinear'),
    ...Steps,
    stepPhaseShiftIncrement: Type.Number({ description: '° per step' }),
    ...Reactance,
  },
  { additionalProperties: false },
);
export const PhaseTapChangerSymmetrical = Type.Object(
  {
    class: Type.Literal('PhaseTapChangerSymmetrical'),
    ...Steps,
    voltageStepIncrement: Type.Number({ description: '% of ratedU per step' }),
    ...Reactance,
  },
  { additionalProperties: false },
);
export const PhaseTapChangerAsymmetrical = Type.Object(
  {
    class: Type.Literal('PhaseTapChangerAsymmetrical'),
    ...Steps,
    voltageStepIncrement: Type.Number({ description: '% of ratedU per step' }),
    windingConnectionAngle: Type.Number({ description: '° between the in-phase and the additional voltage' }),
    ...Reactance,
  },
  { additionalProperties: false },
);
export const PhaseTapChangerTabular = Type.Object(
  {
    class: Type.Literal('PhaseTapChangerTabular'),
    ...Steps,
    table: Type.Array(PhaseTapChangerTablePoint, { minItems: 1, maxItems: MAX_POINTS }),
  },
  { additionalProperties: false },
);
export const TapChanger = Type.Union([
  RatioTapChanger,
  PhaseTapChangerLinear,
  PhaseTapChangerSymmetrical,
  PhaseTapChangerAsymmetrical,
  PhaseTapChangerTabular,
]);
export type TapChanger = Type.Static<typeof TapChanger>;

/**
 * Two windings, or three in a star whose middle has no name; `terminals[i]` belongs to `ends[i]`. Each end, from its
 * terminal inwards: its tap changers (an ideal ratio∠angle, see `tapPosition`), the shunt g + jb, the series r + jx, and an
 * ideal transformer ratedU : 1. With two ends the ideal transformers join and r + jx of both lie in series.
 */
export const PowerTransformer = Type.Object(
  {
    class: Type.Literal('PowerTransformer'),
    ...Named,
    ...Contained,
    terminals: Type.Array(Terminal, { minItems: 2, maxItems: 3 }),
    ends: Type.Array(PowerTransformerEnd, { minItems: 2, maxItems: 3 }),
    ratioTapChanger: Type.Optional(RatioTapChanger),
    tapChangers: Type.Optional(
      Type.Array(TapChanger, {
        maxItems: 6,
        description: 'Those beside `ratioTapChanger`: ratio tap changers of other ends, phase tap changers',
      }),
    ),
    vectorGroup: Type.Optional(Type.String({ maxLength: 16 })),
  },
  { additionalProperties: false },
);
