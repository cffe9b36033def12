/** Rules of the Substation section (IEC 61850-6 § 9.2): terminals that end somewhere, functions that someone fulfils. */
import { lNodeLinks } from '../links.ts';
import type { IedModel } from '../model.ts';
import type { Scl } from '../schema/scl.ts';
import type { Tell } from './check.ts';

export function checkSubstations(scl: Scl, models: ReadonlyMap<string, IedModel>, tell: Tell): void {
  const nodes = new Set<string>();
  const terminals: { at: string; node: string; line: number }[] = [];
  collect(scl, [], nodes, terminals);
  for (const { at, node, line } of terminals) {
    // The name 'grounded' stands for earth, and needs no connectivity node (§ 9.2.4).
    if (!nodes.has(node) && node.split('/').at(-1) !== 'grounded')
      tell('error', 'connectivity', `a terminal of ${at} ends at ${node}, which is no connectivity node`, line);
  }
  for (const { path, iedName, ldInst, prefix, lnClass, lnInst, line } of lNodeLinks(scl)) {
    if (iedName === 'None') continue;
    const node = models
      .get(iedName)
      ?.devices.find(({ inst }) => inst === ldInst)
      ?.nodes.find(({ ln }) => ln.prefix === prefix && ln.lnClass === lnClass && ln.inst === lnInst);
    // A logical node of a client has no logical device.
    const client = models
      .get(iedName)
      ?.ied.accessPoints.some(({ lns }) =>
        lns.some((ln) => ln.prefix === prefix && ln.lnClass === lnClass && ln.inst === lnInst),
      );
    if (!node && !client) {
      const name = `${iedName}${ldInst}/${prefix}${lnClass}${lnInst}`;
      tell('error', 'reference', `${path.join('/')} is served by ${name}, which is not there`, line);
    }
  }
}

interface Part {
  readonly name?: string;
  readonly line?: number;
  readonly pathName?: string;
  readonly terminals?: readonly { readonly connectivityNode: string | undefined; readonly line: number }[];
}

function collect(
  part: Part,
  path: readonly string[],
  nodes: Set<string>,
  terminals: { at: string; node: string; line: number }[],
): void {
  for (const [key, value] of Object.entries(part)) {
    if (!Array.isArray(value)) continue;
    if (key === 'connectivityNodes') {
      for (const { name, pathName } of value as readonly Part[]) {
        nodes.add([...path, name].join('/'));
        if (pathName) nodes.add(pathName);
      }
    } else if (key === 'terminals') {
      for (const { connectivityNode, line } of value as NonNullable<Part['terminals']>) {
        if (connectivityNode) terminals.push({ at: path.join('/'), node: connectivityNode, line });
      }
    } else if (!['ieds', 'privates', 'lNodes'].includes(key)) {
      for (const inner of value as readonly Part[])
        collect(inner, inner.name === undefined ? path : [...path, inner.name], nodes, terminals);
    }
  }
}
