/** CIM files for tests, written in few words and read as files are. */
import { applyDifferences, type CimModel, readModel, type Source } from '@enerchain/cim';
import type { ConductingEquipment } from '@enerchain/model';
import { type Conversion, type ConversionOptions, gridFromCim } from '../../src/grid/from-cim.ts';

/** `id`: reference, number or truth: value, `Kind.value`: enumeration. */
type Values = Readonly<Record<string, string | number | boolean>>;
const NAMES = 'http://iec.ch/TC57/CIM100#';

/** A property whose value is the identifier of an object is written with `@` before it. */
export function object(name: string, id: string, values: Values = {}, naming: 'ID' | 'about' = 'ID'): string {
  const body = Object.entries(values).map(([property, value]) => {
    const full = property.includes('.') ? property : `${name}.${property}`;
    const text = String(value);
    if (text.startsWith('@')) return `<cim:${full} rdf:resource="#_${text.slice(1)}"/>`;
    if (/^[A-Za-z]+Kind\.|^UnitMultiplier\.|Mode\.[a-z]/.test(text))
      return `<cim:${full} rdf:resource="${NAMES}${text}"/>`;
    return `<cim:${full}>${text}</cim:${full}>`;
  });
  const named =
    naming === 'ID' && !('IdentifiedObject.name' in values)
      ? `<cim:IdentifiedObject.name>${id}</cim:IdentifiedObject.name>`
      : '';
  return `<cim:${name} rdf:${naming}="${naming === 'ID' ? '' : '#'}_${id}">${named}${body.join('')}</cim:${name}>\n`;
}
export const about = (name: string, id: string, values: Values): string => object(name, id, values, 'about');

/** Terminals `<equipment>-1`, `-2`, … at these nodes, by sequence. */
export const terminals = (equipment: string, ...nodes: string[]): string =>
  nodes
    .map((node, at) =>
      object('Terminal', `${equipment}-${at + 1}`, {
        'ACDCTerminal.sequenceNumber': at + 1,
        ConductingEquipment: `@${equipment}`,
        ConnectivityNode: `@${node}`,
      }),
    )
    .join('');

/** A station with two voltage levels, `high` 110 kV and `low` 20 kV, and nodes `a`, `b` in the one, `c`, `d` in the other. */
export const STATION: string = [
  object('Substation', 'station'),
  ...[
    ['high', 110],
    ['low', 20],
  ].map(
    ([level, kilovolts]) =>
      object('BaseVoltage', `${level}-base`, { nominalVoltage: kilovolts! }) +
      object('VoltageLevel', `${level}`, { Substation: '@station', BaseVoltage: `@${level}-base` }),
  ),
  ...[
    ['a', 'high'],
    ['b', 'high'],
    ['c', 'low'],
    ['d', 'low'],
  ].map(([node, level]) => object('ConnectivityNode', node!, { ConnectivityNodeContainer: `@${level}` })),
].join('');

/** Equipment with its terminals, within `low` unless it says otherwise. */
export const at = (name: string, id: string, nodes: readonly string[], values: Values = {}): string =>
  object(name, id, { 'Equipment.EquipmentContainer': '@low', ...values }) + terminals(id, ...nodes);

export const end = (transformer: string, number: number, values: Values): string =>
  object('PowerTransformerEnd', `${transformer}-end${number}`, {
    PowerTransformer: `@${transformer}`,
    'TransformerEnd.Terminal': `@${transformer}-${number}`,
    'TransformerEnd.endNumber': number,
    ...values,
  });

/** 110/20 kV from `b` to `c`. */
export const TRANSFORMER: string =
  at('PowerTransformer', 't1', ['b', 'c'], { 'Equipment.EquipmentContainer': '@station' }) +
  end('t1', 1, { ratedU: 112, ratedS: 40, r: 1, x: 36, g: 1e-6, b: -4e-6 }) +
  end('t1', 2, { ratedU: 21, r: 0, x: 0 });

const PROFILES = {
  EQ: 'CoreEquipment-EU/3.0',
  EQBD: 'EquipmentBoundary-EU/3.0',
  SSH: 'SteadyStateHypothesis-EU/3.0',
  TP: 'Topology-EU/3.0',
  SV: 'StateVariables-EU/3.0',
} as const;

export interface Part {
  readonly profile: keyof typeof PROFILES;
  readonly body: string;
  readonly header?: string;
}

export function source({ profile, body, header = '' }: Part, index: number): Source {
  const text = `<?xml version="1.0" encoding="utf-8"?>
<rdf:RDF xmlns:cim="${NAMES}" xmlns:eu="http://iec.ch/TC57/CIM100-European#" xmlns:md="http://iec.ch/TC57/61970-552/ModelDescription/1#" xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<md:FullModel rdf:about="urn:uuid:${profile}-${index}"><md:Model.profile>http://iec.ch/TC57/ns/CIM/${PROFILES[profile]}</md:Model.profile>${header}</md:FullModel>
${body}</rdf:RDF>`;
  return {
    name: `${profile.toLowerCase()}${index}.xml`,
    open: async function* () {
      yield Buffer.from(text);
    },
  };
}

export async function model(...parts: (string | Part)[]): Promise<CimModel> {
  const whole = parts.map((part): Part => (typeof part === 'string' ? { profile: 'EQ', body: part } : part));
  const read = await readModel(whole.map(source));
  applyDifferences(read);
  return read;
}

export async function converted(
  parts: readonly (string | Part)[],
  options: Partial<ConversionOptions> = {},
): Promise<Conversion> {
  return gridFromCim(await model(...parts), { name: 'test', frequency: 50, ...options });
}

export const named = ({ grid }: Conversion, name: string): ConductingEquipment => {
  const found = grid.equipment.find((each) => each.name === name);
  if (!found) throw new Error(`there is no ${name}`);
  return found;
};
