/** What an SCL file says of functions in the substation: which logical node belongs to which equipment (IEC 61850-6 § 9.2.3). */
import type { LNode } from './schema/common.ts';
import type { Scl } from './schema/scl.ts';

/** A logical node at its place in the process. */
export interface LNodeLink {
  /** Names from the outermost container down: substation, voltage level, bay, equipment. */
  readonly path: readonly string[];
  /** What stands at the path's end: 'ConductingEquipment', 'Bay', 'TransformerWinding' … */
  readonly at: string;
  /** Type of the equipment: CBR, DIS, CTR, PTR …; undefined for containers. */
  readonly type: string | undefined;
  /** 'None' where no IED is chosen yet. */
  readonly iedName: string;
  readonly ldInst: string;
  readonly prefix: string;
  readonly lnClass: string;
  readonly lnInst: string;
  readonly line: number;
}

/** Containers and equipment, by the property that holds them. */
const INNER: Readonly<Record<string, string>> = {
  substations: 'Substation',
  processes: 'Process',
  lines: 'Line',
  voltageLevels: 'VoltageLevel',
  bays: 'Bay',
  conductingEquipment: 'ConductingEquipment',
  generalEquipment: 'GeneralEquipment',
  powerTransformers: 'PowerTransformer',
  windings: 'TransformerWinding',
  tapChangers: 'TapChanger',
  subEquipment: 'SubEquipment',
  functions: 'Function',
  connectivityNodes: 'ConnectivityNode',
};

interface Container {
  readonly name?: string;
  readonly type?: string | undefined;
  readonly lNodes?: readonly LNode[];
}

/** All LNode elements, in the order of the file. A function's are at the equipment or container it belongs to. */
export function* lNodeLinks(scl: Scl): Generator<LNodeLink> {
  yield* within(scl as Container, 'SCL', []);
}

function* within(container: Container, at: string, path: readonly string[]): Generator<LNodeLink> {
  for (const { iedName, ldInst, prefix, lnClass, lnInst, line } of container.lNodes ?? []) {
    yield { path, at, type: container.type, iedName, ldInst, prefix, lnClass, lnInst, line };
  }
  for (const [property, tag] of Object.entries(INNER)) {
    const inner = (container as Readonly<Record<string, readonly Container[] | undefined>>)[property];
    for (const part of inner ?? []) yield* within(part, tag, [...path, part.name ?? '']);
  }
}
