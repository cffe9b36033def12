/**
 * The model of an IED as a client looks things up in it: what is there and of which type, without asking the device. Nodes are
 * resolved when they are first used.
 */
import type { ObjectName, TypeSpecification } from '@enerchain/mms';
import { Iec61850Error } from '../error.ts';
import { type Variable, variableOf } from '../mapping/variables.ts';
import {
  type IedModel,
  instancesOf,
  type LogicalDevice,
  type LogicalNode,
  memberText,
  nodeName,
} from '../scl/model.ts';

/** Constraints under which control blocks stand, whose attributes the file does not list. */
export const BLOCK_CONSTRAINTS: ReadonlySet<string> = new Set(['RP', 'BR', 'LG', 'GO', 'MS', 'US']);

const INDEXES = new WeakMap<IedModel, ModelIndex>();

export class ModelIndex {
  readonly model: IedModel;
  readonly #devices: ReadonlyMap<string, LogicalDevice>;
  readonly #nodes = new Map<string, { readonly node: LogicalNode; variable: Variable | undefined }>();

  private constructor(model: IedModel) {
    this.model = model;
    this.#devices = new Map(model.devices.map((device) => [device.name, device]));
    for (const device of model.devices)
      for (const node of device.nodes) this.#nodes.set(`${device.name}/${node.name}`, { node, variable: undefined });
  }

  /** One for each model, however often it is connected to. */
  static of(model: IedModel): ModelIndex {
    const index = INDEXES.get(model) ?? new ModelIndex(model);
    INDEXES.set(model, index);
    return index;
  }

  /** @returns undefined for a control block, whose type only the device knows @throws Iec61850Error `model.reference` (caller) when it is not in the model */
  type(name: ObjectName): TypeSpecification | undefined {
    return this.#find(name)?.type;
  }

  /** @throws Iec61850Error `model.reference` (caller) when it is not in the model */
  check(name: ObjectName): void {
    if (name.kind === 'domain') this.#find(name);
  }

  /** Of a data set only where it would stand: clients make data sets too. @throws Iec61850Error `model.reference` (caller) */
  checkList(name: ObjectName): void {
    if (name.kind !== 'domain') return;
    const [node] = name.value.item.split('$');
    this.#node(name, name.value.domain, node!);
  }

  /** What the file says of a report control block: `BCU1CTRL/LLN0.BR.brcb01`. */
  reportBlock(reference: string): { readonly confRev: number; readonly members: readonly string[] } | undefined {
    const [at, fc, name] = reference.split('.');
    const found = this.#nodes.get(at!);
    const block = found?.node.ln.reportControls.find(
      (one) => one.buffered === (fc === 'BR') && instancesOf(one).includes(name ?? ''),
    );
    const dataSet = found?.node.ln.dataSets.find((one) => one.name === block?.datSet);
    if (!block || !dataSet) return undefined;
    const members = dataSet.fcdas.flatMap((fcda) => {
      const device = this.model.devices.find(({ inst }) => inst === fcda.ldInst);
      const name = nodeName(fcda.prefix, fcda.lnClass, fcda.lnInst);
      const type = device?.nodes.find((node) => node.name === name)?.type;
      return device ? [`${device.name}/${name}.${memberText(type, fcda)} [${fcda.fc}]`] : [];
    });
    return { confRev: block.confRev, members };
  }

  /** @returns undefined for a part of a control block */
  #find(name: ObjectName): Variable | undefined {
    if (name.kind !== 'domain') throw this.#absent(name, 'does not stand in a logical device');
    const { domain, item } = name.value;
    const [nodeOf, fc, first, ...rest] = item.split('$');
    const entry = this.#node(name, domain, nodeOf!);
    if (fc !== undefined && BLOCK_CONSTRAINTS.has(fc)) {
      if (first !== undefined && !blocksOf(entry.node).includes(`${fc}$${first}`))
        throw this.#absent(name, `${nodeOf} has no control block ${first} [${fc}]`);
      return undefined;
    }
    // The control block of setting groups stands among the settings (8-1 § 16).
    if (fc === 'SP' && first === 'SGCB' && entry.node.ln.settingControl) return undefined;
    entry.variable ??= variableOf(entry.node);
    let at: Variable = entry.variable;
    for (const part of [fc, first, ...rest]) {
      if (part === undefined) continue;
      // The settings that can be edited are those that are active, under a constraint of their own (8-1 § 16).
      const next = at.part(part) ?? (at === entry.variable && part === 'SE' ? at.part('SG') : undefined);
      if (!next) throw this.#absent(name, `${at.item.replaceAll('$', '.')} has no ${part}`);
      at = next;
    }
    return at;
  }

  #node(name: ObjectName, domain: string, node: string) {
    if (!this.#devices.has(domain)) throw this.#absent(name, `there is no logical device ${domain}`);
    const entry = this.#nodes.get(`${domain}/${node}`);
    if (!entry) throw this.#absent(name, `${domain} has no logical node ${node}`);
    return entry;
  }

  #absent(name: ObjectName, why: string): Iec61850Error {
    const text = name.kind === 'domain' ? `${name.value.domain}/${name.value.item}` : name.value;
    return new Iec61850Error(
      'caller',
      'model.reference',
      `${text} is not in the model of ${this.model.ied.name}: ${why}; nothing was sent`,
    );
  }
}

/** `BR$brcb01`, `GO$gcb`: the control blocks of a node as MMS names them. */
export function blocksOf({ ln }: LogicalNode): string[] {
  return [
    ...ln.reportControls.flatMap((block) =>
      instancesOf(block).map((name) => `${block.buffered ? 'BR' : 'RP'}$${name}`),
    ),
    ...ln.logControls.map(({ name }) => `LG$${name}`),
    ...ln.gseControls.map(({ name }) => `GO$${name}`),
    ...ln.sampledValueControls.map(({ name, multicast }) => `${multicast ? 'MS' : 'US'}$${name}`),
  ];
}
