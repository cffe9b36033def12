/**
 * Inputs and batch updates of power-grid-model in its JSON form (version 1.0): components by type, objects spelled out or
 * as rows under an attribute list. Numbers are SI (V, A, W, var, Ω, F), as that library has them.
 */
import { CimError } from '../error.ts';

export type PgmValue = number | readonly (number | null)[];
/** One component: its `id` and whatever attributes the file gives; an attribute that is null or missing is not there. */
export type PgmComponent = Readonly<Record<string, PgmValue>> & { readonly id: number };

export interface PgmInput {
  readonly components: ReadonlyMap<string, readonly PgmComponent[]>;
  /** Component type of every id. */
  readonly typeOf: ReadonlyMap<number, string>;
  /** Attributes that are neither numbers nor lists of numbers: names and notes, left out. */
  readonly ignored: readonly string[];
}

/** What changes of one component. Without an `id` it is meant for the component at the same place in the input. */
export type PgmChange = Readonly<Record<string, PgmValue>>;

/** One scenario: what changes, by component type. */
export type PgmUpdate = ReadonlyMap<string, readonly PgmChange[]>;

/** What a component of an input must have, and which attributes name others. */
const COMPONENTS: Readonly<Record<string, { needs: string; refers?: string }>> = {
  node: { needs: 'u_rated' },
  line: { needs: 'from_node to_node from_status to_status r1 x1 c1 tan1', refers: 'from_node to_node' },
  asym_line: { needs: 'from_node to_node from_status to_status', refers: 'from_node to_node' },
  link: { needs: 'from_node to_node from_status to_status', refers: 'from_node to_node' },
  generic_branch: { needs: 'from_node to_node from_status to_status r1 x1 g1 b1', refers: 'from_node to_node' },
  transformer: {
    needs:
      'from_node to_node from_status to_status u1 u2 sn uk pk i0 p0 winding_from winding_to clock tap_side tap_min tap_max tap_size',
    refers: 'from_node to_node',
  },
  three_winding_transformer: {
    needs:
      'node_1 node_2 node_3 status_1 status_2 status_3 u1 u2 u3 sn_1 sn_2 sn_3 uk_12 uk_13 uk_23 pk_12 pk_13 pk_23 i0 p0',
    refers: 'node_1 node_2 node_3',
  },
  source: { needs: 'node status', refers: 'node' },
  shunt: { needs: 'node status g1 b1', refers: 'node' },
  sym_load: { needs: 'node status type', refers: 'node' },
  sym_gen: { needs: 'node status type', refers: 'node' },
  asym_load: { needs: 'node status type', refers: 'node' },
  asym_gen: { needs: 'node status type', refers: 'node' },
  transformer_tap_regulator: { needs: 'regulated_object status', refers: 'regulated_object' },
  voltage_regulator: { needs: 'regulated_object status', refers: 'regulated_object' },
  sym_voltage_sensor: { needs: 'measured_object', refers: 'measured_object' },
  asym_voltage_sensor: { needs: 'measured_object', refers: 'measured_object' },
  sym_power_sensor: { needs: 'measured_object measured_terminal_type', refers: 'measured_object' },
  asym_power_sensor: { needs: 'measured_object measured_terminal_type', refers: 'measured_object' },
  sym_current_sensor: { needs: 'measured_object measured_terminal_type', refers: 'measured_object' },
  asym_current_sensor: { needs: 'measured_object measured_terminal_type', refers: 'measured_object' },
  fault: { needs: 'fault_object', refers: 'fault_object' },
};

const bad = (text: string): CimError => new CimError('peer', 'pgm.format', text);

/** @throws CimError `pgm.format`, `pgm.version`, `pgm.reference`, `pgm.component` */
export function readPowerGridModel(text: string): PgmInput {
  const { data, attributes } = document(text, 'input', false);
  const ignored = new Set<string>();
  const components = new Map<string, PgmComponent[]>();
  for (const [type, list] of dataset(data, attributes, ignored)) {
    components.set(
      type,
      list.map((component) => identified(type, component)),
    );
  }
  const typeOf = new Map<number, string>();
  for (const [type, list] of components) {
    const known = COMPONENTS[type];
    if (!known) throw new CimError('unsupported', 'pgm.component', `components of type ${type} are not known`);
    for (const component of list) {
      const other = typeOf.get(component.id);
      if (other !== undefined) throw bad(`the id ${component.id} belongs to a ${other} and to a ${type}`);
      typeOf.set(component.id, type);
      for (const attribute of known.needs.split(' ')) {
        if (component[attribute] === undefined) throw bad(`the ${type} ${component.id} has no ${attribute}`);
      }
    }
  }
  for (const [type, list] of components) {
    for (const attribute of COMPONENTS[type]!.refers?.split(' ') ?? []) {
      for (const component of list) {
        const id = component[attribute];
        const target = typeof id === 'number' ? typeOf.get(id) : undefined;
        if (target !== undefined && (!attribute.includes('node') || target === 'node')) continue;
        const what = attribute.includes('node') ? 'node' : 'component';
        throw new CimError('peer', 'pgm.reference', `${attribute} of the ${type} ${component.id}: no ${what} ${id}`);
      }
    }
  }
  return { components, typeOf, ignored: [...ignored].sort() };
}

/** A batch update: its scenarios in order. @throws CimError `pgm.format`, `pgm.version` */
export function readPowerGridModelBatch(text: string): PgmUpdate[] {
  const { data, attributes } = document(text, 'update', true);
  const ignored = new Set<string>();
  if (!Array.isArray(data)) throw bad('the data of a batch are a list of scenarios');
  return data.map((scenario) => dataset(scenario, attributes, ignored));
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function document(text: string, type: string, batch: boolean): { data: unknown; attributes: Record<string, unknown> } {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new CimError('peer', 'pgm.format', 'this is no JSON', { cause });
  }
  if (!isRecord(json)) throw bad('this is no data set of power-grid-model');
  if (json.version !== '1.0') {
    throw new CimError('unsupported', 'pgm.version', `version ${String(json.version)} of the format is not read`);
  }
  if (json.type !== type || json.is_batch !== batch) {
    throw bad(
      `a ${batch ? 'batch' : 'single'} data set of type ${type} was wanted; this one is of type ${String(json.type)}`,
    );
  }
  return { data: json.data, attributes: isRecord(json.attributes) ? json.attributes : {} };
}

function dataset(
  data: unknown,
  attributes: Readonly<Record<string, unknown>>,
  ignored: Set<string>,
): Map<string, PgmChange[]> {
  if (!isRecord(data)) throw bad('the data are not components by type');
  const components = new Map<string, PgmChange[]>();
  for (const [type, list] of Object.entries(data)) {
    if (!Array.isArray(list)) throw bad(`the components of type ${type} are no list`);
    const columns = attributes[type];
    components.set(
      type,
      list.map((entry: unknown) => componentOf(type, entry, columns, ignored)),
    );
  }
  return components;
}

function componentOf(type: string, entry: unknown, columns: unknown, ignored: Set<string>): PgmChange {
  const component: Record<string, PgmValue> = {};
  const take = (attribute: string, value: unknown): void => {
    if (value === null) return;
    if (typeof value === 'number') component[attribute] = value;
    else if (Array.isArray(value) && value.every((phase) => phase === null || typeof phase === 'number')) {
      component[attribute] = value as (number | null)[];
    } else ignored.add(`${type}.${attribute}`);
  };
  if (isRecord(entry)) for (const [attribute, value] of Object.entries(entry)) take(attribute, value);
  else if (Array.isArray(entry) && Array.isArray(columns)) {
    if (entry.length !== columns.length) throw bad(`a ${type} has ${entry.length} of ${columns.length} attributes`);
    for (const [index, attribute] of columns.entries()) take(String(attribute), entry[index]);
  } else throw bad(`a ${type} is neither an object nor a row under a list of attributes`);
  return component;
}

function identified(type: string, component: PgmChange): PgmComponent {
  const { id } = component;
  if (typeof id !== 'number' || !Number.isInteger(id)) throw bad(`a ${type} has no id`);
  return { ...component, id };
}
