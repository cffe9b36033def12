/**
 * The physical grid as a subset of CIM EQ (IEC 61970-301): containers, connectivity nodes, conducting equipment with
 * terminals. Enough to solve a power flow and to draw a single-line diagram. Names of classes and attributes are CIM's;
 * units are written beside each one.
 */
import Type from 'typebox';
import { Mrid } from './identity.ts';

const Named = { mRID: Mrid, name: Type.String({ minLength: 1, maxLength: 200 }) };
const Terminal = Type.Object({ mRID: Mrid, connectivityNode: Mrid }, { additionalProperties: false });
const one = Type.Array(Terminal, { minItems: 1, maxItems: 1 });
const two = Type.Array(Terminal, { minItems: 2, maxItems: 2 });

export type Terminal = Type.Static<typeof Terminal>;

export const Substation = Type.Object({ ...Named }, { additionalProperties: false });
export const VoltageLevel = Type.Object(
  { ...Named, substation: Mrid, nominalVoltage: Type.Number({ exclusiveMinimum: 0, description: 'kV' }) },
  { additionalProperties: false },
);
export const Bay = Type.Object({ ...Named, voltageLevel: Mrid }, { additionalProperties: false });
export const ConnectivityNode = Type.Object({ ...Named, voltageLevel: Mrid }, { additionalProperties: false });

const Contained = { container: Type.Optional(Mrid) };

export const BusbarSection = Type.Object(
  { class: Type.Literal('BusbarSection'), ...Named, ...Contained, terminals: one },
  { additionalProperties: false },
);
export const SwitchEquipment = Type.Object(
  {
    class: Type.Enum(['Breaker', 'LoadBreakSwitch', 'Disconnector'] as const),
    ...Named,
    ...Contained,
    terminals: two,
    normalOpen: Type.Boolean(),
    ratedCurrent: Type.Optional(Type.Number({ description: 'A' })),
  },
  { additionalProperties: false },
);
export const ACLineSegment = Type.Object(
  {
    class: Type.Literal('ACLineSegment'),
    ...Named,
    ...Contained,
    terminals: two,
    r: Type.Number({ description: 'Ω, whole length' }),
    x: Type.Number({ description: 'Ω, whole length' }),
    bch: Type.Number({ description: 'S, whole length' }),
    gch: Type.Optional(Type.Number({ description: 'S, whole length' })),
    length: Type.Optional(Type.Number({ description: 'km' })),
    ratedCurrent: Type.Optional(Type.Number({ description: 'A, permanent (PATL)' })),
  },
  { additionalProperties: false },
);
export const PowerTransformerEnd = Type.Object(
  {
    ratedU: Type.Number({ description: 'kV' }),
    ratedS: Type.Number({ description: 'MVA' }),
    r: Type.Number({ description: 'Ω at ratedU of this end' }),
    x: Type.Number({ description: 'Ω at ratedU of this end' }),
    g: Type.Number({ description: 'S at ratedU of this end' }),
    b: Type.Number({ description: 'S at ratedU of this end' }),
  },
  { additionalProperties: false },
);
export const RatioTapChanger = Type.Object(
  {
    mRID: Mrid,
    end: Type.Integer({ minimum: 0, maximum: 1, description: 'index into ends' }),
    lowStep: Type.Integer(),
    highStep: Type.Integer(),
    neutralStep: Type.Integer(),
    normalStep: Type.Integer(),
    stepVoltageIncrement: Type.Number({ description: '% of ratedU per step' }),
  },
  { additionalProperties: false },
);
/** Two windings; `terminals[i]` belongs to `ends[i]`. */
export const PowerTransformer = Type.Object(
  {
    class: Type.Literal('PowerTransformer'),
    ...Named,
    ...Contained,
    terminals: two,
    ends: Type.Array(PowerTransformerEnd, { minItems: 2, maxItems: 2 }),
    ratioTapChanger: Type.Optional(RatioTapChanger),
    vectorGroup: Type.Optional(Type.String({ maxLength: 16 })),
  },
  { additionalProperties: false },
);
export const EnergyConsumer = Type.Object(
  {
    class: Type.Literal('EnergyConsumer'),
    ...Named,
    ...Contained,
    terminals: one,
    p: Type.Number({ description: 'MW, nominal' }),
    q: Type.Number({ description: 'Mvar, nominal' }),
    customerKind: Type.Optional(Type.Enum(['residential', 'commercialIndustrial'] as const)),
  },
  { additionalProperties: false },
);
export const PowerElectronicsConnection = Type.Object(
  {
    class: Type.Literal('PowerElectronicsConnection'),
    ...Named,
    ...Contained,
    terminals: one,
    unit: Type.Enum(['PhotoVoltaicUnit', 'PowerElectronicsWindUnit', 'BatteryUnit'] as const),
    ratedS: Type.Number({ description: 'MVA' }),
    maxP: Type.Number({ description: 'MW' }),
    minP: Type.Number({ description: 'MW; negative for a battery that charges' }),
    ratedE: Type.Optional(Type.Number({ description: 'MWh, battery' })),
  },
  { additionalProperties: false },
);
export const ExternalNetworkInjection = Type.Object(
  {
    class: Type.Literal('ExternalNetworkInjection'),
    ...Named,
    ...Contained,
    terminals: one,
    voltage: Type.Number({ description: 'kV held at the terminal' }),
    maxS: Type.Optional(Type.Number({ description: 'MVA, short-circuit power' })),
  },
  { additionalProperties: false },
);

export const ConductingEquipment = Type.Union([
  BusbarSection,
  SwitchEquipment,
  ACLineSegment,
  PowerTransformer,
  EnergyConsumer,
  PowerElectronicsConnection,
  ExternalNetworkInjection,
]);
export type ConductingEquipment = Type.Static<typeof ConductingEquipment>;
export type EquipmentClass = ConductingEquipment['class'];

/** Where things stand on a diagram (CIM DiagramLayout), for those who have drawn one; the rest is laid out by rule. */
export const DiagramObject = Type.Object(
  { object: Mrid, points: Type.Array(Type.Object({ x: Type.Number(), y: Type.Number() }), { minItems: 1 }) },
  { additionalProperties: false },
);

export const GridModel = Type.Object(
  {
    mRID: Mrid,
    name: Type.String({ minLength: 1, maxLength: 200 }),
    version: Type.Integer({ minimum: 1 }),
    frequency: Type.Number({ description: 'Hz' }),
    substations: Type.Array(Substation),
    voltageLevels: Type.Array(VoltageLevel),
    bays: Type.Array(Bay),
    connectivityNodes: Type.Array(ConnectivityNode),
    equipment: Type.Array(ConductingEquipment),
    diagram: Type.Optional(Type.Array(DiagramObject)),
  },
  { additionalProperties: false, $id: 'GridModel' },
);
export type GridModel = Type.Static<typeof GridModel>;
