/**
 * What a device serves, as a list of names with the kinds of their values: the same list whether it was browsed or comes from
 * an SCL file, so that the two can be compared.
 */
import { MmsRefusal, type TypeSpecification } from '@enerchain/mms';
import { Iec61850Error } from '../error.ts';
import { variableOf } from '../mapping/variables.ts';
import type { IedModel } from '../scl/model.ts';
import type { Iec61850Client } from './client.ts';
import { BLOCK_CONSTRAINTS, blocksOf } from './model-index.ts';

/** By reference, in the order of the model: `BCU1CTRL/QA1XCBR1.Pos.stVal [ST]` and `bitString`; a control block is `control block`. */
export type Outline = ReadonlyMap<string, string>;

export const CONTROL_BLOCK = 'control block';

export function outlineOf(model: IedModel): Outline {
  const outline = new Map<string, string>();
  for (const device of model.devices) {
    for (const node of device.nodes) {
      const at = `${device.name}/${node.name}`;
      const variable = variableOf(node);
      for (const part of variable.parts) add(outline, at, [part.name], part.type);
      for (const block of blocksOf(node)) {
        const [fc, name] = block.split('$');
        outline.set(`${at}.${name} [${fc}]`, CONTROL_BLOCK);
      }
      if (node.ln.settingControl) outline.set(`${at}.SGCB [SP]`, CONTROL_BLOCK);
    }
  }
  return outline;
}

/** Of a device; one that has no end is given up. */
const MAX_OUTLINE = 1_000_000;

/** @throws Iec61850Error `client.names` (peer) */
export function bounded({ size }: Outline, limit = MAX_OUTLINE): void {
  if (size > limit) throw new Iec61850Error('peer', 'client.names', `the server has more than ${limit} names`);
}

/**
 * Asks the device for names and types (GetServerDirectory … GetDataDefinition of 7-2).
 * @param limit names; a device of more is given up
 * @throws as `Iec61850Client.call`; Iec61850Error `client.names` (peer)
 */
export async function browse(client: Iec61850Client, limit = MAX_OUTLINE): Promise<Outline> {
  const outline = new Map<string, string>();
  for (const device of await client.devices()) {
    const children = childrenOf(await client.variables(device));
    for (const node of children.get('') ?? []) {
      const type = await typeOf(client, device, node, children);
      for (const { name: fc, type: part } of componentsOf(type)) add(outline, `${device}/${node}`, [fc ?? ''], part);
      bounded(outline, limit);
    }
  }
  return outline;
}

/** Names by the name they stand below. */
function childrenOf(names: readonly string[]): Map<string, string[]> {
  const children = new Map<string, string[]>();
  for (const name of names) {
    const cut = name.lastIndexOf('$');
    const parent = cut < 0 ? '' : name.slice(0, cut);
    const those = children.get(parent);
    if (those) those.push(name);
    else children.set(parent, [name]);
  }
  return children;
}

/** In one piece where the device can tell it in one, else put together from its parts. */
async function typeOf(
  client: Iec61850Client,
  domain: string,
  item: string,
  children: ReadonlyMap<string, readonly string[]>,
): Promise<TypeSpecification> {
  try {
    return await client.askType({ kind: 'domain', value: { domain, item } });
  } catch (error) {
    const below = children.get(item);
    if (!below || !(error instanceof MmsRefusal)) throw error;
    const components: { name: string; type: TypeSpecification }[] = [];
    for (const name of below)
      components.push({ name: name.slice(item.length + 1), type: await typeOf(client, domain, name, children) });
    return { kind: 'structure', value: { packed: false, components } };
  }
}

const componentsOf = (type: TypeSpecification) => (type.kind === 'structure' ? type.value.components : []);

/** @param names the constraint first */
function add(outline: Map<string, string>, node: string, names: readonly string[], type: TypeSpecification): void {
  const [fc, first, ...rest] = names;
  const reference = `${[node, first, ...rest].filter((name) => name !== undefined).join('.')} [${fc}]`;
  if (first !== undefined && rest.length === 0 && (BLOCK_CONSTRAINTS.has(fc!) || (fc === 'SP' && first === 'SGCB')))
    outline.set(reference, CONTROL_BLOCK);
  else if (type.kind === 'structure')
    for (const { name = '', type: part } of type.value.components) add(outline, node, [...names, name], part);
  else if (type.kind === 'array') {
    outline.set(reference, `array of ${type.value.count}`);
    add(outline, node, [...names, '[]'], type.value.element);
  } else outline.set(reference, type.kind);
}
