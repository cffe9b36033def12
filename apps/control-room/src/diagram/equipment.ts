/** What a drawing must know about the classes of CIM: which switch, which branch, which symbol (IEC 60617). */
import type { ConductingEquipment, GridModel } from '@enerchain/model';

export type Equipment = ConductingEquipment;
export type Switch = Extract<Equipment, { normalOpen: boolean }>;

/** How a switch is drawn; IEC 60617-7 has a contact with a qualifying sign for each. */
export type SwitchKind = 'breaker' | 'loadBreak' | 'disconnector' | 'earthing' | 'fuse' | 'jumper' | 'switch';
const SWITCH_KINDS: Readonly<Record<string, SwitchKind>> = {
  Breaker: 'breaker',
  Recloser: 'breaker',
  LoadBreakSwitch: 'loadBreak',
  Disconnector: 'disconnector',
  GroundDisconnector: 'earthing',
  Fuse: 'fuse',
  Jumper: 'jumper',
  Cut: 'jumper',
  Clamp: 'jumper',
};

/** What stands at the end of a wire. `device` is whatever has no sign of its own. */
export type InjectionKind =
  | 'load'
  | 'pv'
  | 'wind'
  | 'battery'
  | 'network'
  | 'generator'
  | 'motor'
  | 'capacitor'
  | 'reactor'
  | 'svc'
  | 'converter'
  | 'equivalent'
  | 'earth'
  | 'device';
const INJECTION_KINDS: Readonly<Record<string, InjectionKind>> = {
  EnergyConsumer: 'load',
  ConformLoad: 'load',
  NonConformLoad: 'load',
  StationSupply: 'load',
  ExternalNetworkInjection: 'network',
  EnergySource: 'network',
  SynchronousMachine: 'generator',
  AsynchronousMachine: 'motor',
  StaticVarCompensator: 'svc',
  CsConverter: 'converter',
  VsConverter: 'converter',
  EquivalentInjection: 'equivalent',
  EquivalentShunt: 'capacitor',
  Ground: 'earth',
  GroundDisconnector: 'earth',
};

export const isBusbar = (equipment: Equipment): boolean => equipment.class === 'BusbarSection';
export const isSwitch = (equipment: Equipment): equipment is Switch => 'normalOpen' in equipment;
export const isEarthing = (equipment: Equipment): boolean => (equipment.class as string) === 'GroundDisconnector';
/** Leads to earth, by a switch or for good. */
export const isEarth = (equipment: Equipment): boolean => injectionKind(equipment) === 'earth';
export const isLine = (equipment: Equipment): equipment is Extract<Equipment, { class: 'ACLineSegment' }> =>
  equipment.class === 'ACLineSegment';
export const isTransformer = (equipment: Equipment): equipment is Extract<Equipment, { class: 'PowerTransformer' }> =>
  equipment.class === 'PowerTransformer';

export const switchKind = (equipment: Equipment): SwitchKind => SWITCH_KINDS[equipment.class] ?? 'switch';

export function injectionKind(equipment: Equipment): InjectionKind {
  if (equipment.class === 'PowerElectronicsConnection') {
    if (equipment.unit === 'PhotoVoltaicUnit') return 'pv';
    return equipment.unit === 'BatteryUnit' ? 'battery' : 'wind';
  }
  const of = equipment.class as string;
  // A shunt that draws reactive power has a negative susceptance (IEC 61970-301, LinearShuntCompensator).
  if (of === 'LinearShuntCompensator' || of === 'NonlinearShuntCompensator' || of === 'EquivalentShunt')
    return susceptance(equipment) < 0 ? 'reactor' : 'capacitor';
  return INJECTION_KINDS[of] ?? 'device';
}

function susceptance(equipment: object): number {
  const of = equipment as Record<string, unknown>;
  if (typeof of.bPerSection === 'number') return of.bPerSection;
  if (typeof of.b === 'number') return of.b;
  const points = of.points as readonly { readonly b?: unknown }[] | undefined;
  const last = Array.isArray(points) ? points.at(-1)?.b : undefined;
  return typeof last === 'number' ? last : 0;
}

/** Feeds a grid from outside or from a machine of its own: where voltage comes from. */
export const isSource = (equipment: Equipment): boolean =>
  ['ExternalNetworkInjection', 'EnergySource', 'SynchronousMachine'].includes(equipment.class);

/** Index of the winding at which a tap changer sits; undefined without one. */
export function tapEnd(equipment: Equipment): number | undefined {
  if (!isTransformer(equipment)) return undefined;
  const of = equipment as unknown as Record<string, { readonly end?: number } | readonly { readonly end?: number }[]>;
  for (const changer of [of.ratioTapChanger, of.phaseTapChanger, of.tapChangers].flat())
    if (changer && typeof (changer as { end?: unknown }).end === 'number') return (changer as { end: number }).end;
  return undefined;
}

const collator = new Intl.Collator('en', { numeric: true, sensitivity: 'variant' });
/** The one order of everything drawn: by name as people count, then by mRID. */
export const byName = (a: { name: string; mRID: string }, b: { name: string; mRID: string }): number =>
  collator.compare(a.name, b.name) || (a.mRID < b.mRID ? -1 : a.mRID > b.mRID ? 1 : 0);

/** The containers of a model, and what hangs at which node. Built once per model. */
export class GridIndex {
  readonly model: GridModel;
  readonly #substationOfNode = new Map<string, string>();
  readonly #levelOfNode = new Map<string, string>();
  readonly #at = new Map<string, { readonly equipment: Equipment; readonly terminal: number }[]>();
  readonly #equipment = new Map<string, Equipment>();
  readonly #names = new Map<string, string>();
  readonly #bays: ReadonlySet<string>;

  constructor(model: GridModel) {
    this.model = model;
    const substationOf = new Map(model.voltageLevels.map((level) => [level.mRID, level.substation]));
    for (const node of model.connectivityNodes) {
      this.#levelOfNode.set(node.mRID, node.voltageLevel);
      this.#substationOfNode.set(node.mRID, substationOf.get(node.voltageLevel) ?? node.voltageLevel);
      this.#at.set(node.mRID, []);
    }
    for (const equipment of [...model.equipment].sort(byName)) {
      this.#equipment.set(equipment.mRID, equipment);
      equipment.terminals.forEach(({ connectivityNode }, terminal) => {
        this.#at.get(connectivityNode)?.push({ equipment, terminal });
      });
    }
    this.#bays = new Set(model.bays.map(({ mRID }) => mRID));
    for (const list of [model.substations, model.voltageLevels, model.bays])
      for (const { mRID, name } of list) this.#names.set(mRID, name);
  }

  /** What hangs at a node, by name. */
  at(node: string): readonly { readonly equipment: Equipment; readonly terminal: number }[] {
    return this.#at.get(node) ?? [];
  }

  equipment(mRID: string): Equipment | undefined {
    return this.#equipment.get(mRID);
  }

  /** Name of a substation, voltage level or bay. */
  name(mRID: string): string | undefined {
    return this.#names.get(mRID);
  }

  isBay(mRID: string): boolean {
    return this.#bays.has(mRID);
  }

  levelOf(node: string): string | undefined {
    return this.#levelOfNode.get(node);
  }

  /** A voltage level without a substation stands for one. */
  substationOf(node: string): string | undefined {
    return this.#substationOfNode.get(node);
  }

  /** Every substation that the terminals of an equipment lie in. */
  substationsOf(equipment: Equipment): string[] {
    const found = equipment.terminals.flatMap(({ connectivityNode }) => this.substationOf(connectivityNode) ?? []);
    return [...new Set(found)];
  }
}
