/** Attributes by name, as control blocks and substitution have them: which of them there are depends on the edition and the device. */
import type { Data } from '@enerchain/mms';
import { Iec61850Error } from '../error.ts';
import type { FunctionalConstraint } from '../scl/schema/ied.ts';
import type { Iec61850Client } from './client.ts';
import { variableOf } from './references.ts';

/**
 * What the device gives of them, in one call. @param reference what they stand below: `BCU1CTRL/LLN0.SGCB`
 * @param needed one without which it is not what was meant
 * @throws Iec61850Error (peer) with the device's reason, or with `code`, when that one is not there
 */
export async function readParts(
  client: Pick<Iec61850Client, 'readMany'>,
  reference: string,
  fc: FunctionalConstraint,
  names: readonly string[],
  needed: string,
): Promise<Map<string, Data>> {
  const values = await client.readMany(names.map((name) => variableOf(`${reference}.${name}`, fc)));
  const parts = new Map<string, Data>();
  names.forEach((name, index) => {
    const value = values[index];
    if (value && !(value instanceof Iec61850Error)) parts.set(name, value);
  });
  if (parts.has(needed)) return parts;
  const why = values[names.indexOf(needed)];
  if (why instanceof Iec61850Error) throw why;
  throw new Iec61850Error('peer', 'client.parts', `${reference} [${fc}] has no ${needed}`);
}

/** A whole number; 0 where there is none. @throws Iec61850Error `client.parts` (peer) when it is something else */
export function numberIn(parts: ReadonlyMap<string, Data>, name: string, reference: string): number {
  const part = parts.get(name);
  if (!part) return 0;
  if ((part.kind === 'integer' || part.kind === 'unsigned') && typeof part.value === 'number') return part.value;
  throw new Iec61850Error('peer', 'client.parts', `${reference}.${name} is ${part.kind}, no whole number`);
}

/** A text; empty where there is none. @throws Iec61850Error `client.parts` (peer) when it is something else */
export function textIn(parts: ReadonlyMap<string, Data>, name: string, reference: string): string {
  const part = parts.get(name);
  if (!part) return '';
  if (part.kind === 'visibleString' || part.kind === 'mmsString') return part.value;
  throw new Iec61850Error('peer', 'client.parts', `${reference}.${name} is ${part.kind}, no text`);
}
