/**
 * One device out of a station: what a CID says (IEC 61850-6 § 7.2). The IED with its addresses and the types it is made
 * of, and the same of those it has inputs from, so that its inputs lead somewhere.
 */
import { Iec61850Error } from '../error.ts';
import type { Ied, Ln } from './schema/ied.ts';
import type { Scl } from './schema/scl.ts';
import type { DataTypeTemplates } from './schema/templates.ts';

/** @throws Iec61850Error `scl.ied` (caller) when there is no such IED */
export function extractIed(scl: Scl, name: string): Scl {
  const ied = scl.ieds.find((one) => one.name === name);
  if (!ied) {
    const there = scl.ieds.map((one) => one.name).join(', ') || 'none';
    throw new Iec61850Error('caller', 'scl.ied', `there is no IED ${name}; there are ${there}`);
  }
  const nodes = nodesOf(ied);
  const sources = new Set(nodes.flatMap(({ inputs }) => inputs?.extRefs.map(({ iedName }) => iedName) ?? []));
  return {
    ...scl,
    substations: [],
    lines: [],
    processes: [],
    privates: [],
    communication: scl.communication && {
      ...scl.communication,
      subNetworks: scl.communication.subNetworks
        .map((network) => ({
          ...network,
          connectedAps: network.connectedAps.filter(({ iedName }) => iedName === name || sources.has(iedName)),
        }))
        .filter(({ connectedAps }) => connectedAps.some(({ iedName }) => iedName === name)),
    },
    ieds: scl.ieds.filter((one) => one === ied || sources.has(one.name)),
    templates:
      scl.templates &&
      usedTypes(scl.templates, [...nodes, ...scl.ieds.filter((one) => sources.has(one.name)).flatMap(nodesOf)]),
  };
}

function nodesOf({ accessPoints }: Ied): Ln[] {
  return accessPoints.flatMap(({ server, lns }) => [
    ...lns,
    ...(server?.lDevices ?? []).flatMap((device) => [...(device.ln0 ? [device.ln0] : []), ...device.lns]),
  ]);
}

/** The types that nodes are made of, and those that these are made of. */
function usedTypes(templates: DataTypeTemplates, nodes: readonly Ln[]): DataTypeTemplates {
  const wanted = new Set(nodes.map(({ lnType }) => lnType));
  const lNodeTypes = templates.lNodeTypes.filter(({ id }) => wanted.has(id));
  const doTypes = closure(
    lNodeTypes.flatMap(({ dos }) => dos.map(({ type }) => type)),
    templates.doTypes,
    ({ sdos }) => sdos.map(({ type }) => type),
  );
  const attributes = doTypes.flatMap(({ das }) => das);
  const daTypes = closure(typesOf(attributes), templates.daTypes, ({ bdas }) => typesOf(bdas));
  const enums = new Set([...typesOf(attributes), ...daTypes.flatMap(({ bdas }) => typesOf(bdas))]);
  return {
    ...templates,
    lNodeTypes,
    doTypes,
    daTypes,
    enumTypes: templates.enumTypes.filter(({ id }) => enums.has(id)),
  };
}

const typesOf = (attributes: readonly { readonly type: string | undefined }[]): string[] =>
  attributes.flatMap(({ type }) => type ?? []);

/** Those of `types` that `start` names, and those that they name in turn; in the order of the file. */
function closure<T extends { readonly id: string }>(
  start: readonly string[],
  types: readonly T[],
  next: (type: T) => readonly string[],
): T[] {
  const byId = new Map(types.map((type) => [type.id, type]));
  const reached = new Set<string>();
  for (const waiting = [...start]; waiting.length > 0; ) {
    const id = waiting.pop()!;
    const type = byId.get(id);
    if (!type || reached.size === reached.add(id).size) continue;
    waiting.push(...next(type));
  }
  return types.filter(({ id }) => reached.has(id));
}
