/** Grid models by hand: nodes named with their voltage, equipment with just what is special about it. */
import type { ConductingEquipment, GridModel, OperationalLimitSet, RegulatingControl } from '@enerchain/model';
import { id } from './small-grid.ts';

type Of<C, E = ConductingEquipment> = E extends { class: infer K } ? (C extends K ? E : never) : never;
type Loose<T> = T extends unknown ? Omit<T, 'mRID' | 'name' | 'terminals'> : never;

export const terminalOf = (name: string, index: number): string => id(`${name}/${index}`);

/** @param nodes where its terminals are; a node with a `!` behind it is not connected there */
export function equipment<C extends ConductingEquipment['class']>(
  name: string,
  nodes: readonly string[],
  rest: Loose<Of<C>> & { readonly class: C },
): ConductingEquipment {
  return {
    ...rest,
    mRID: id(name),
    name,
    terminals: nodes.map((node, index) => ({
      mRID: terminalOf(name, index),
      connectivityNode: id(node.replace('!', '')),
      ...(node.endsWith('!') ? { connected: false } : {}),
    })),
  } as unknown as ConductingEquipment;
}

/** @param nodes name → kV */
export function model(
  nodes: Readonly<Record<string, number>>,
  list: readonly ConductingEquipment[],
  more: { readonly controls?: readonly RegulatingControl[]; readonly limits?: readonly OperationalLimitSet[] } = {},
): GridModel {
  const levels = [...new Set(Object.values(nodes))];
  return {
    mRID: id('model'),
    name: 'by hand',
    version: 1,
    frequency: 50,
    substations: [{ mRID: id('station'), name: 'station' }],
    voltageLevels: levels.map((kV) => ({
      mRID: id(`${kV} kV`),
      name: `${kV} kV`,
      substation: id('station'),
      nominalVoltage: kV,
    })),
    bays: [],
    connectivityNodes: Object.entries(nodes).map(([name, kV]) => ({
      mRID: id(name),
      name,
      voltageLevel: id(`${kV} kV`),
    })),
    equipment: [...list],
    ...(more.controls ? { regulatingControls: [...more.controls] } : {}),
    ...(more.limits ? { operationalLimitSets: [...more.limits] } : {}),
  };
}

export const source = (node: string, voltage: number, name = 'source'): ConductingEquipment =>
  equipment(name, [node], { class: 'ExternalNetworkInjection', voltage });

export const line = (name: string, from: string, to: string, r: number, x: number, bch = 0): ConductingEquipment =>
  equipment(name, [from, to], { class: 'ACLineSegment', r, x, bch });

export const breaker = (name: string, from: string, to: string, open = false): ConductingEquipment =>
  equipment(name, [from, to], { class: 'Breaker', normalOpen: open });

export const load = (name: string, node: string, p: number, q: number): ConductingEquipment =>
  equipment(name, [node], { class: 'EnergyConsumer', p, q });

/** Draws p + jq at the nominal voltage of its node, as an admittance. */
export const admittance = (name: string, node: string, p: number, q: number): ConductingEquipment =>
  equipment(name, [node], {
    class: 'EnergyConsumer',
    p,
    q,
    loadResponse: { exponentModel: true, pVoltageExponent: 2, qVoltageExponent: 2 },
  });

export const control = (
  name: string,
  terminal: string,
  targetValue: number,
  more: Partial<RegulatingControl> = {},
): RegulatingControl => ({
  class: 'RegulatingControl',
  mRID: id(name),
  name,
  mode: 'voltage',
  terminal,
  enabled: true,
  discrete: false,
  targetValue,
  ...more,
});
