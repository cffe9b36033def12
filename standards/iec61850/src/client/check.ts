/** Whether a device is what its SCL file says: revisions, devices and nodes, or everything that it serves. */
import type { Data, Variable } from '@enerchain/mms';
import { Iec61850Error } from '../error.ts';
import { configuredValue, find, type IedModel, instancesOf } from '../scl/model.ts';
import type { FunctionalConstraint } from '../scl/schema/ied.ts';
import type { Iec61850Client } from './client.ts';
import { BLOCK_CONSTRAINTS, blocksOf } from './model-index.ts';
import { bounded, browse, CONTROL_BLOCK, type Outline, outlineOf } from './outline.ts';
import { variableOf } from './references.ts';

/** One thing that is not as the file has it. */
export interface ModelDifference {
  readonly kind: 'missing' | 'additional' | 'type' | 'configuration-revision' | 'name-plate';
  /** `BCU1CTRL`, `BCU1CTRL/QA1XCBR1.Pos.stVal [ST]`, `BCU1CTRL/LLN0.brcb01 [BR]`. */
  readonly reference: string;
  /** As the file has it; undefined for what is additional. */
  readonly expected: string | undefined;
  /** As the device has it; undefined for what is missing. */
  readonly actual: string | undefined;
}

/** `revisions`: ConfRev of control blocks, name plates. `nodes`: and logical devices, nodes and control blocks. `attributes`: and every attribute with its kind. */
export type CheckDepth = 'revisions' | 'nodes' | 'attributes';

/** Variables in one read. */
const AT_ONCE = 40;
/** Differences that are told; a device of another kind altogether differs everywhere. */
const MAX_TOLD = 1_000;

/** What name plates say that a file may say too (7-3 LPL and DPL). */
const PLATES: readonly (readonly [lnClass: string, object: string, attributes: readonly string[]])[] = [
  ['LLN0', 'NamPlt', ['vendor', 'swRev', 'configRev']],
  ['LPHD', 'PhyNam', ['vendor', 'model', 'hwRev', 'swRev']],
];

interface Expected {
  readonly kind: ModelDifference['kind'];
  readonly reference: string;
  readonly expected: string;
  readonly variable: Variable;
}

/**
 * Compares a device with the model of its file.
 * @returns what differs, at most 1 000 places; empty when nothing does
 * @throws as `Iec61850Client.call`
 */
export async function checkDevice(
  client: Iec61850Client,
  model: IedModel,
  depth: CheckDepth = 'nodes',
): Promise<ModelDifference[]> {
  const differences = depth === 'revisions' ? [] : await structure(client, model, depth);
  // What is not there has no revision either, and is told once.
  const absent = differences.filter(({ kind }) => kind === 'missing').map(({ reference }) => reference);
  const expected = [...revisions(model), ...plates(model)].filter(({ reference }) =>
    absent.every(
      (missing) =>
        reference !== missing && !reference.startsWith(`${missing}/`) && !reference.startsWith(`${missing}.`),
    ),
  );
  for (let from = 0; from < expected.length; from += AT_ONCE) {
    const some = expected.slice(from, from + AT_ONCE);
    const values = await client.readMany(some.map(({ variable }) => variable));
    some.forEach(({ kind, reference, expected: wanted }, index) => {
      const value = values[index];
      if (value instanceof Iec61850Error || !value) {
        // A device need not show its name plate.
        if (kind === 'configuration-revision')
          differences.push({ kind: 'missing', reference, expected: wanted, actual: undefined });
        return;
      }
      const actual = textOf(value);
      if (actual !== wanted) differences.push({ kind, reference, expected: wanted, actual });
    });
  }
  return differences.slice(0, MAX_TOLD);
}

function* revisions(model: IedModel): Generator<Expected> {
  for (const { name: device, nodes } of model.devices) {
    for (const { name: node, ln } of nodes) {
      const one = (block: string, fc: FunctionalConstraint, confRev: number): Expected => ({
        kind: 'configuration-revision',
        reference: `${device}/${node}.${block} [${fc}]`,
        expected: String(confRev),
        variable: variableOf(`${device}/${node}.${block}.ConfRev`, fc),
      });
      for (const block of ln.reportControls)
        for (const instance of instancesOf(block)) yield one(instance, block.buffered ? 'BR' : 'RP', block.confRev);
      for (const { name, confRev } of ln.gseControls) yield one(name, 'GO', confRev);
      for (const { name, confRev, multicast } of ln.sampledValueControls)
        yield one(name, multicast ? 'MS' : 'US', confRev);
    }
  }
}

function* plates(model: IedModel): Generator<Expected> {
  for (const { name: device, nodes } of model.devices) {
    for (const node of nodes) {
      const [, object, attributes = []] = PLATES.find(([lnClass]) => lnClass === node.ln.lnClass) ?? [];
      for (const attribute of attributes) {
        const expected = configuredValue(node, [object!, attribute]);
        if (!expected || !node.type || !find(node.type, [object!, attribute])) continue;
        const reference = `${device}/${node.name}.${object}.${attribute}`;
        yield { kind: 'name-plate', reference, expected, variable: variableOf(reference, 'DC') };
      }
    }
  }
}

async function structure(client: Iec61850Client, model: IedModel, depth: CheckDepth): Promise<ModelDifference[]> {
  const [wanted, there] =
    depth === 'attributes'
      ? [withNodes(outlineOf(model)), withNodes(await browse(client))]
      : [nodesOf(model), await browseNodes(client)];
  const differences: ModelDifference[] = [];
  /** Below what is missing, or additional, everything is. */
  const told = new Set<string>();
  const within = (reference: string): boolean =>
    told.has(reference.slice(0, reference.indexOf('/'))) || told.has(reference.split('.')[0]!);
  for (const [reference, expected] of wanted) {
    const actual = there.get(reference);
    if (actual === expected || within(reference)) continue;
    if (actual === undefined) told.add(reference);
    differences.push({ kind: actual === undefined ? 'missing' : 'type', reference, expected, actual });
  }
  for (const [reference, actual] of there) {
    if (wanted.has(reference) || within(reference)) continue;
    told.add(reference);
    differences.push({ kind: 'additional', reference, expected: undefined, actual });
  }
  return differences;
}

const DEVICE = 'logical device';
const NODE = 'logical node';

/** Devices, nodes and control blocks alone. */
function nodesOf(model: IedModel): Outline {
  const outline = new Map<string, string>();
  for (const { name: device, nodes } of model.devices) {
    outline.set(device, DEVICE);
    for (const node of nodes) {
      outline.set(`${device}/${node.name}`, NODE);
      for (const block of blocksOf(node)) {
        const [fc, name] = block.split('$');
        outline.set(`${device}/${node.name}.${name} [${fc}]`, CONTROL_BLOCK);
      }
    }
  }
  return outline;
}

async function browseNodes(client: Iec61850Client): Promise<Outline> {
  const outline = new Map<string, string>();
  for (const device of await client.devices()) {
    outline.set(device, DEVICE);
    for (const item of await client.variables(device)) {
      const [node, fc, name, ...rest] = item.split('$');
      outline.set(`${device}/${node}`, NODE);
      if (name !== undefined && rest.length === 0 && BLOCK_CONSTRAINTS.has(fc!))
        outline.set(`${device}/${node}.${name} [${fc}]`, CONTROL_BLOCK);
    }
    bounded(outline);
  }
  return outline;
}

/** An outline with the devices and nodes that its references stand in. */
function withNodes(outline: Outline): Outline {
  const all = new Map<string, string>();
  for (const [reference, kind] of outline) {
    all.set(reference.slice(0, reference.indexOf('/')), DEVICE);
    all.set(reference.slice(0, reference.indexOf('.')), NODE);
    all.set(reference, kind);
  }
  return all;
}

const textOf = (value: Data): string =>
  typeof value.value === 'object' && value.value !== null ? value.kind : String(value.value);
