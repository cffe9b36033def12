/** What an IED serves, with types and names resolved: the hierarchy of IEC 61850-7-2, server to attribute. */
import type { Doi, Fcda, FunctionalConstraint, Ied, LDevice, Ln, ReportControl, Sdi } from './schema/ied.ts';
import type { DataAttribute, DataObject, LogicalNodeClass, Types } from './types.ts';

export interface LogicalNode {
  /** Prefix, class, instance: `QA1XCBR1`, `LLN0`. */
  readonly name: string;
  readonly ln: Ln;
  /** Undefined when the file does not have its type. */
  readonly type: LogicalNodeClass | undefined;
}

export interface LogicalDevice {
  /** As clients know it: `ldName` where one is given, else the IED's name and `inst` (IEC 61850-7-2 § 22). */
  readonly name: string;
  readonly inst: string;
  readonly lDevice: LDevice;
  /** LLN0 first. */
  readonly nodes: readonly LogicalNode[];
}

export interface IedModel {
  readonly ied: Ied;
  /** Names of the access points it is reached through. */
  readonly accessPoints: readonly string[];
  readonly devices: readonly LogicalDevice[];
}

/** All servers of an IED together; one that stands at several access points (`ServerAt`) comes once. */
export function modelOf(ied: Ied, types: Types): IedModel {
  const devices = ied.accessPoints.flatMap(({ server }) => server?.lDevices ?? []);
  return {
    ied,
    accessPoints: ied.accessPoints.filter(({ server, serverAt }) => server || serverAt).map(({ name }) => name),
    devices: devices.map((lDevice) => ({
      name: lDevice.ldName ?? `${ied.name}${lDevice.inst}`,
      inst: lDevice.inst,
      lDevice,
      nodes: [...(lDevice.ln0 ? [lDevice.ln0] : []), ...lDevice.lns].map((ln) => ({
        name: nodeName(ln.prefix, ln.lnClass, ln.inst),
        ln,
        type: types.logicalNode(ln.lnType),
      })),
    })),
  };
}

/** Prefix, class and instance as one name; LLN0 has neither of the others. */
export const nodeName = (prefix: string, lnClass: string, inst: string): string => `${prefix}${lnClass}${inst}`;

/** Names of the instances of a report control block: `brcb01`, `brcb02`, or its own alone (8-1 § 17.1.2). */
export function instancesOf({ name, indexed, rptEnabled }: ReportControl): string[] {
  if (!indexed) return [name];
  const count = Math.min(99, rptEnabled?.max ?? 1);
  return Array.from({ length: count }, (_, index) => `${name}${String(index + 1).padStart(2, '0')}`);
}

/** A place below a logical node: a data object, a part of one, or an attribute. */
export interface Place {
  readonly objects: readonly DataObject[];
  readonly attributes: readonly DataAttribute[];
}

/** Follows names from a logical node's class down. @returns undefined when one of them is not there */
export function find(type: LogicalNodeClass, names: readonly string[]): Place | undefined {
  const objects: DataObject[] = [];
  const attributes: DataAttribute[] = [];
  for (const name of names) {
    const last = attributes.at(-1);
    if (last) {
      const part = last.parts.find((attribute) => attribute.name === name);
      if (!part) return undefined;
      attributes.push(part);
      continue;
    }
    const object = objects.at(-1);
    const inner = (object?.objects ?? type.objects).find((candidate) => candidate.name === name);
    if (inner) objects.push(inner);
    else {
      const attribute = object?.attributes.find((candidate) => candidate.name === name);
      if (!attribute) return undefined;
      attributes.push(attribute);
    }
  }
  return { objects, attributes };
}

/** The names an FCDA goes down by: `Pos`, `stVal`; dots part structures. */
export const namesOf = ({ doName, daName }: Pick<Fcda, 'doName' | 'daName'>): string[] =>
  [...doName.split('.'), ...daName.split('.')].filter((name) => name !== '');

/** An FCDA below its logical node as clients write it, with `ix` at the array that it is of: `HA.phsAHar(3).cVal`. */
export function memberText(type: LogicalNodeClass | undefined, fcda: Pick<Fcda, 'doName' | 'daName' | 'ix'>): string {
  const names = namesOf(fcda);
  const place = fcda.ix === undefined ? undefined : type && find(type, names);
  const array = place ? [...place.objects, ...place.attributes].findIndex(({ count }) => count > 0) : -1;
  return names.map((name, at) => (at === array ? `${name}(${fcda.ix})` : name)).join('.');
}

/** What can be edited in a setting group (SE) is also there as it is in effect (SG); a file has it once (IEC 61850-6 § 9.5.4). */
export const isUnder = (attribute: DataAttribute, fc: FunctionalConstraint): boolean =>
  attribute.fc === fc || (attribute.fc === 'SE' && fc === 'SG');

/** Every attribute of a data object that has a value, depth first, with the names down to it. */
export function* leaves(
  object: Pick<DataObject, 'objects' | 'attributes'>,
  fc?: FunctionalConstraint,
  names: readonly string[] = [],
): Generator<{ readonly names: readonly string[]; readonly attribute: DataAttribute }> {
  for (const attribute of object.attributes) yield* leavesOf(attribute, fc, names);
  for (const inner of object.objects) yield* leaves(inner, fc, [...names, inner.name]);
}

/** The attribute itself, or those of its parts. */
export function* leavesOf(
  attribute: DataAttribute,
  fc?: FunctionalConstraint,
  names: readonly string[] = [],
): Generator<{ readonly names: readonly string[]; readonly attribute: DataAttribute }> {
  if (fc !== undefined && !isUnder(attribute, fc)) return;
  const own = [...names, attribute.name];
  if (attribute.bType !== 'Struct') yield { names: own, attribute };
  for (const part of attribute.parts) yield* leavesOf(part, fc, own);
}

/** The value that the file gives an attribute: of the instance, else of its type. @param sGroup of a setting group */
export function configuredValue(node: LogicalNode, names: readonly string[], sGroup?: number): string | undefined {
  const [first, ...rest] = names;
  const doi = node.ln.dois.find(({ name }) => name === first);
  const own = doi ? instanceValue(doi, rest, sGroup) : undefined;
  if (own !== undefined) return own;
  return node.type && find(node.type, names)?.attributes.at(-1)?.val;
}

function instanceValue(from: Doi | Sdi, names: readonly string[], sGroup: number | undefined): string | undefined {
  let at: Doi | Sdi | undefined = from;
  for (const name of names.slice(0, -1)) at = at?.sdis.find((sdi: Sdi) => sdi.name === name);
  const vals = at?.dais.find(({ name }) => name === names.at(-1))?.vals ?? [];
  // One without a group holds for all that have none of their own.
  const own = vals.find((val) => val.sGroup === sGroup) ?? vals.find((val) => val.sGroup === undefined);
  return (sGroup === undefined ? vals[0] : own)?.text;
}
