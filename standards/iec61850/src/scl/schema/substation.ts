/** The Substation section (IEC 61850-6 § 9.2), and lines and processes of 2007B4: what the functions are for. */
import { lNodes, privates } from './common.ts';
import {
  bool,
  defaulted,
  type ElementSpec,
  element,
  many,
  named,
  one,
  optional,
  required,
  text,
  whole,
} from './element.ts';

/** Where equipment meets a connectivity node (§ 9.2.4); `connectivityNode` is a path of names. */
export const TERMINAL = element('Terminal', {
  attributes: {
    name: optional(text),
    connectivityNode: optional(text),
    processName: optional(text),
    substationName: optional(text),
    voltageLevelName: optional(text),
    bayName: optional(text),
    lineName: optional(text),
    cNodeName: optional(text),
  },
});

/** A free function with functions of its own (§ 9.2.7). */
export interface SclFunction {
  readonly line: number;
  readonly name: string;
  readonly desc: string;
  readonly type: string | undefined;
  readonly lNodes: readonly NonNullable<(typeof lNodes.lNodes)['record']>[number][];
  readonly conductingEquipment: readonly ConductingEquipment[];
  readonly generalEquipment: readonly NonNullable<(typeof GENERAL_EQUIPMENT)['record']>[];
  readonly functions: readonly SclFunction[];
}

const functionOf = (tag: string, inner: string): ElementSpec<SclFunction> =>
  element(tag, {
    attributes: { ...named, type: optional(text) },
    children: {
      ...lNodes,
      conductingEquipment: many(() => CONDUCTING_EQUIPMENT),
      generalEquipment: many(() => GENERAL_EQUIPMENT),
      functions: many(() => (inner === 'SubFunction' ? SUB_FUNCTION : EQ_SUB_FUNCTION)),
    },
  }) as ElementSpec<SclFunction>;

export const FUNCTION: ElementSpec<SclFunction> = functionOf('Function', 'SubFunction');
const SUB_FUNCTION: ElementSpec<SclFunction> = functionOf('SubFunction', 'SubFunction');
const EQ_FUNCTION: ElementSpec<SclFunction> = functionOf('EqFunction', 'EqSubFunction');
const EQ_SUB_FUNCTION: ElementSpec<SclFunction> = functionOf('EqSubFunction', 'EqSubFunction');

export const GENERAL_EQUIPMENT = element('GeneralEquipment', {
  attributes: { ...named, type: required(text, ''), virtual: defaulted(bool, false) },
  children: { ...privates, ...lNodes, functions: many(EQ_FUNCTION) },
});

/** A part of equipment: a phase of a breaker, a core of a transformer (§ 9.2.5). */
export const SUB_EQUIPMENT = element('SubEquipment', {
  attributes: { ...named, phase: defaulted(text, 'none'), virtual: defaulted(bool, false) },
  children: { ...privates, ...lNodes, functions: many(EQ_FUNCTION) },
});

/** CBR, DIS, CTR, VTR, IFL …: primary equipment that carries current (§ 9.2.4, table 12). */
export const CONDUCTING_EQUIPMENT = element('ConductingEquipment', {
  attributes: { ...named, type: required(text, ''), virtual: defaulted(bool, false) },
  children: {
    ...privates,
    ...lNodes,
    terminals: many(TERMINAL),
    subEquipment: many(SUB_EQUIPMENT),
    functions: many(EQ_FUNCTION),
  },
});
export type ConductingEquipment = NonNullable<(typeof CONDUCTING_EQUIPMENT)['record']>;

export const TAP_CHANGER = element('TapChanger', {
  attributes: { ...named, type: defaulted(text, 'LTC'), virtual: defaulted(bool, false) },
  children: { ...privates, ...lNodes, subEquipment: many(SUB_EQUIPMENT), functions: many(EQ_FUNCTION) },
});

export const TRANSFORMER_WINDING = element('TransformerWinding', {
  attributes: { ...named, type: defaulted(text, 'PTW'), virtual: defaulted(bool, false) },
  children: {
    ...privates,
    ...lNodes,
    terminals: many(TERMINAL),
    subEquipment: many(SUB_EQUIPMENT),
    tapChangers: many(TAP_CHANGER),
    neutralPoint: one(element('NeutralPoint', { attributes: { name: optional(text), cNodeName: optional(text) } })),
    functions: many(EQ_FUNCTION),
  },
});

export const POWER_TRANSFORMER = element('PowerTransformer', {
  attributes: { ...named, type: defaulted(text, 'PTR'), virtual: defaulted(bool, false) },
  children: {
    ...privates,
    ...lNodes,
    windings: many(TRANSFORMER_WINDING),
    terminals: many(TERMINAL),
    subEquipment: many(SUB_EQUIPMENT),
    functions: many(EQ_FUNCTION),
  },
});

export const CONNECTIVITY_NODE = element('ConnectivityNode', {
  attributes: { ...named, pathName: required(text, '') },
  children: { ...privates, ...lNodes },
});

/** What a substation, a voltage level and a bay begin with, and what they end with. */
const container = {
  ...privates,
  ...lNodes,
  powerTransformers: many(POWER_TRANSFORMER),
  generalEquipment: many(GENERAL_EQUIPMENT),
};
const contents = {
  conductingEquipment: many(CONDUCTING_EQUIPMENT),
  connectivityNodes: many(CONNECTIVITY_NODE),
  functions: many(FUNCTION),
};

export const BAY = element('Bay', { attributes: named, children: { ...container, ...contents } });

const VOLTAGE = element('Voltage', {
  attributes: { unit: defaulted(text, 'V'), multiplier: defaulted(text, '') },
  text: true,
});

export const VOLTAGE_LEVEL = element('VoltageLevel', {
  attributes: { ...named, nomFreq: optional(text), numPhases: optional(whole) },
  children: { ...container, voltage: one(VOLTAGE), bays: many(BAY), ...contents },
});

export const SUBSTATION = element('Substation', {
  attributes: named,
  children: { ...container, voltageLevels: many(VOLTAGE_LEVEL), ...contents },
});
export type Substation = NonNullable<(typeof SUBSTATION)['record']>;

export const LINE = element('Line', {
  attributes: { ...named, type: optional(text), nomFreq: optional(text), numPhases: optional(whole) },
  children: { ...container, voltage: one(VOLTAGE), ...contents },
});

/** A process other than a substation (2007B4), with processes of its own. */
export interface Process {
  readonly line: number;
  readonly name: string;
  readonly desc: string;
  readonly type: string | undefined;
  readonly substations: readonly Substation[];
  readonly lines: readonly NonNullable<(typeof LINE)['record']>[];
  readonly processes: readonly Process[];
  readonly conductingEquipment: readonly ConductingEquipment[];
  readonly lNodes: SclFunction['lNodes'];
  readonly functions: readonly SclFunction[];
}
export const PROCESS: ElementSpec<Process> = element('Process', {
  attributes: { ...named, type: optional(text) },
  children: {
    ...container,
    ...contents,
    substations: many(SUBSTATION),
    lines: many(LINE),
    processes: many(() => PROCESS),
  },
}) as ElementSpec<Process>;
