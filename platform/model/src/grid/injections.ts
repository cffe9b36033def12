/** What has one terminal: loads, machines, converters, equivalents (IEC 61970-301, Wires, Production, Equivalents, DC). */
import Type from 'typebox';
import { Contained, Named, one, Power, ReferencePriority, Regulating, SourceLimits } from './common.ts';

/**
 * How a load answers to voltage, u = V/Vnominal of its node. Exponents: p·u^pVoltageExponent; else
 * p·(pConstantPower + pConstantCurrent·u + pConstantImpedance·u²). Likewise q.
 */
export const LoadResponseCharacteristic = Type.Object(
  {
    exponentModel: Type.Boolean(),
    pVoltageExponent: Type.Optional(Type.Number({ description: 'Absent: 0' })),
    qVoltageExponent: Type.Optional(Type.Number({ description: 'Absent: 0' })),
    pConstantPower: Type.Optional(Type.Number({ description: 'Share of p at nominal voltage. Absent: 0' })),
    pConstantCurrent: Type.Optional(Type.Number({ description: 'Share of p at nominal voltage. Absent: 0' })),
    pConstantImpedance: Type.Optional(Type.Number({ description: 'Share of p at nominal voltage. Absent: 0' })),
    qConstantPower: Type.Optional(Type.Number({ description: 'Share of q at nominal voltage. Absent: 0' })),
    qConstantCurrent: Type.Optional(Type.Number({ description: 'Share of q at nominal voltage. Absent: 0' })),
    qConstantImpedance: Type.Optional(Type.Number({ description: 'Share of q at nominal voltage. Absent: 0' })),
  },
  { additionalProperties: false },
);
/** Also ConformLoad, NonConformLoad and StationSupply. */
export const EnergyConsumer = Type.Object(
  {
    class: Type.Literal('EnergyConsumer'),
    ...Named,
    ...Contained,
    terminals: one,
    p: Type.Number({ description: 'MW, nominal' }),
    q: Type.Number({ description: 'Mvar, nominal' }),
    loadResponse: Type.Optional(LoadResponseCharacteristic),
    customerKind: Type.Optional(Type.Enum(['residential', 'commercialIndustrial'] as const)),
  },
  { additionalProperties: false },
);
/** A supply of given power. */
export const EnergySource = Type.Object(
  { class: Type.Literal('EnergySource'), ...Named, ...Contained, terminals: one, ...Power },
  { additionalProperties: false },
);
export const PowerElectronicsConnection = Type.Object(
  {
    class: Type.Literal('PowerElectronicsConnection'),
    ...Named,
    ...Contained,
    terminals: one,
    unit: Type.Enum([
      'PhotoVoltaicUnit',
      'PowerElectronicsWindUnit',
      'BatteryUnit',
      /** Not known of which kind. */
      'PowerElectronicsUnit',
    ] as const),
    ratedS: Type.Number({ description: 'MVA' }),
    maxP: Type.Number({ description: 'MW' }),
    minP: Type.Number({ description: 'MW; negative for a battery that charges' }),
    ratedE: Type.Optional(Type.Number({ description: 'MWh, battery' })),
    p: Type.Optional(Type.Number({ description: 'MW, load sign convention (SSH). Absent: 0' })),
    q: Type.Optional(Type.Number({ description: 'Mvar, load sign convention (SSH). Absent: 0' })),
    minQ: SourceLimits.minQ,
    maxQ: SourceLimits.maxQ,
    ...Regulating,
  },
  { additionalProperties: false },
);
/** Without `p` the grid's source: holds `voltage` and takes what is left over. With `p` as a synchronous machine. */
export const ExternalNetworkInjection = Type.Object(
  {
    class: Type.Literal('ExternalNetworkInjection'),
    ...Named,
    ...Contained,
    terminals: one,
    voltage: Type.Number({ description: 'kV held at the terminal, where it holds one there' }),
    maxS: Type.Optional(Type.Number({ description: 'MVA, short-circuit power' })),
    p: Type.Optional(Type.Number({ description: 'MW, load sign convention (SSH)' })),
    q: Type.Optional(Type.Number({ description: 'Mvar, load sign convention (SSH)' })),
    ...SourceLimits,
    referencePriority: ReferencePriority,
    ...Regulating,
  },
  { additionalProperties: false },
);
/** Corners of a reactive capability curve; between them it is straight. Generator sign convention. */
export const ReactiveCapabilityPoint = Type.Object(
  {
    p: Type.Number({ description: 'MW into the grid' }),
    minQ: Type.Number({ description: 'Mvar into the grid' }),
    maxQ: Type.Number({ description: 'Mvar into the grid' }),
  },
  { additionalProperties: false },
);
/**
 * Given p; gives q, or holds what its control names (`regulatingControl` enabled, `controlEnabled`, in service) within
 * minQ … maxQ or its curve, which goes before them. Several at one control share its reactive power.
 */
export const SynchronousMachine = Type.Object(
  {
    class: Type.Literal('SynchronousMachine'),
    ...Named,
    ...Contained,
    terminals: one,
    ...Power,
    ratedS: Type.Optional(Type.Number({ description: 'MVA' })),
    ratedU: Type.Optional(Type.Number({ description: 'kV' })),
    ...SourceLimits,
    reactiveCapabilityCurve: Type.Optional(
      Type.Array(ReactiveCapabilityPoint, { minItems: 1, maxItems: 1_000, description: 'By rising p' }),
    ),
    normalPF: Type.Optional(
      Type.Number({
        minimum: 0,
        description: 'GeneratingUnit.normalPF (SSH): share in what a distributed slack has to make up; 0: none',
      }),
    ),
    referencePriority: ReferencePriority,
    operatingMode: Type.Optional(Type.Enum(['generator', 'motor', 'condenser'] as const)),
    qPercent: Type.Optional(
      Type.Number({ description: '%: share in the reactive power of the several machines that hold one voltage' }),
    ),
    unit: Type.Optional(
      Type.Enum([
        'GeneratingUnit',
        'HydroGeneratingUnit',
        'NuclearGeneratingUnit',
        'SolarGeneratingUnit',
        'ThermalGeneratingUnit',
        'WindGeneratingUnit',
      ] as const),
    ),
    ...Regulating,
  },
  { additionalProperties: false },
);
/** Given p and q. */
export const AsynchronousMachine = Type.Object(
  {
    class: Type.Literal('AsynchronousMachine'),
    ...Named,
    ...Contained,
    terminals: one,
    ...Power,
    ratedS: Type.Optional(Type.Number({ description: 'MVA' })),
  },
  { additionalProperties: false },
);
/** What stands for a grid that is not modelled. With `regulationStatus` it holds `regulationTarget` at its own terminal. */
export const EquivalentInjection = Type.Object(
  {
    class: Type.Literal('EquivalentInjection'),
    ...Named,
    ...Contained,
    terminals: one,
    ...Power,
    ...SourceLimits,
    regulationStatus: Type.Optional(Type.Boolean({ description: 'SSH. Absent: false' })),
    regulationTarget: Type.Optional(Type.Number({ description: 'kV (SSH)' })),
  },
  { additionalProperties: false },
);
/** One AC end of a HVDC link, as the power that it takes from its AC node; the DC side is not modelled. */
export const ACDCConverter = Type.Object(
  {
    class: Type.Enum(['CsConverter', 'VsConverter'] as const),
    ...Named,
    ...Contained,
    terminals: one,
    ...Power,
    ratedS: Type.Optional(Type.Number({ description: 'MVA' })),
    minQ: SourceLimits.minQ,
    maxQ: SourceLimits.maxQ,
    targetUpcc: Type.Optional(
      Type.Number({
        description: 'kV (SSH): a VsConverter that holds this voltage at its terminal instead of giving q',
      }),
    ),
  },
  { additionalProperties: false },
);
