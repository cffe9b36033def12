/** An SCL file as facts, one a line, so that two files can be compared by what they mean and not by how they are written. */
import { configuredValue, type IedModel, leaves, modelOf } from './model.ts';
import type { Located } from './schema/element.ts';
import type { Scl } from './schema/scl.ts';
import type { Types } from './types.ts';

/** What a fact is about: `BCU1CTRL/QA1XCBR1.Pos.stVal [ST]`, and what is said of it: `Dbpos`. */
export type Facts = ReadonlyMap<string, string>;

export interface FactChange {
  readonly about: string;
  /** Undefined when the fact is new. */
  readonly before: string | undefined;
  /** Undefined when it is gone. */
  readonly after: string | undefined;
}

/** In the order of the file. */
export function factsOf(scl: Scl, types: Types): Facts {
  const facts = new Map<string, string>();
  for (const ied of scl.ieds) {
    facts.set(
      `IED ${ied.name}`,
      told({ type: ied.type, manufacturer: ied.manufacturer, configVersion: ied.configVersion }),
    );
    served(modelOf(ied, types), facts);
  }
  for (const { name: network, type, connectedAps } of scl.communication?.subNetworks ?? []) {
    facts.set(`subnetwork ${network}`, told({ type }));
    for (const ap of connectedAps) {
      const at = `subnetwork ${network} ${ap.iedName}/${ap.apName}`;
      facts.set(at, address(ap.address));
      for (const { ldInst, cbName, address: own } of [...ap.gses, ...ap.smvs])
        facts.set(`${at} ${ldInst}/${cbName}`, address(own));
    }
  }
  return facts;
}

/** What was added, taken away and changed. */
export function compareFacts(before: Facts, after: Facts): FactChange[] {
  const changes: FactChange[] = [];
  for (const [about, was] of before) {
    const is = after.get(about);
    if (is !== was) changes.push({ about, before: was, after: is });
  }
  for (const [about, is] of after) if (!before.has(about)) changes.push({ about, before: undefined, after: is });
  return changes;
}

function served(model: IedModel, facts: Map<string, string>): void {
  for (const device of model.devices) {
    for (const node of device.nodes) {
      const at = `${device.name}/${node.name}`;
      const { ln, type } = node;
      facts.set(at, told({ lnType: type ? undefined : ln.lnType, desc: ln.desc }));
      for (const object of type?.objects ?? []) {
        facts.set(`${at}.${object.name}`, object.cdc);
        for (const { names, attribute } of leaves(object, undefined, [object.name])) {
          const value = configuredValue(node, names);
          facts.set(
            `${at}.${names.join('.')} [${attribute.fc}]`,
            `${attribute.bType}${value === undefined ? '' : ` = ${value}`}`,
          );
        }
      }
      for (const { name, fcdas } of ln.dataSets) {
        const members = fcdas.map(
          (f) => `${f.ldInst}/${f.prefix}${f.lnClass}${f.lnInst}.${f.doName}${f.daName ? `.${f.daName}` : ''}[${f.fc}]`,
        );
        facts.set(`${at} data set ${name}`, members.join(' '));
      }
      for (const [kind, blocks] of [
        ['report', ln.reportControls],
        ['GOOSE', ln.gseControls],
        ['sampled values', ln.sampledValueControls],
        ['log', ln.logControls],
      ] as const) {
        for (const block of blocks) facts.set(`${at} ${kind} ${block.name}`, told(block));
      }
      for (const ref of ln.inputs?.extRefs ?? []) {
        const from = [
          ref.iedName,
          ref.ldInst,
          `${ref.prefix}${ref.lnClass ?? ''}${ref.lnInst}`,
          ref.doName,
          ref.daName,
        ].filter(Boolean);
        facts.set(`${at} input ${ref.intAddr ?? from.join('/')}`, from.join('/'));
      }
    }
  }
}

const address = (
  record: { readonly ps: readonly { readonly type: string; readonly text: string }[] } | undefined,
): string =>
  (record?.ps ?? [])
    .map(({ type, text }) => `${type}=${text}`)
    .sort()
    .join(' ');

/** Every attribute that is there, by name; where it stands in the file does not matter. */
function told(record: object): string {
  const {
    line: _line,
    name: _name,
    privates: _privates,
    ...rest
  } = record as Located & { name?: string; privates?: unknown };
  return Object.entries(rest)
    .filter(([, value]) => value !== undefined && value !== '' && !(Array.isArray(value) && value.length === 0))
    .map(
      ([key, value]) =>
        `${key}=${Array.isArray(value) ? `[${value.map(told).join('; ')}]` : typeof value === 'object' ? `{${told(value as object)}}` : value}`,
    )
    .join(' ');
}
