/** What an SCL file says against itself: names used twice, references that lead nowhere, values that fit no type. */
import { Findings } from '@enerchain/xml';
import { type IedModel, modelOf } from '../model.ts';
import type { Scl } from '../schema/scl.ts';
import { Types } from '../types.ts';
import { checkCommunication } from './communication.ts';
import { checkIed } from './ied.ts';
import { checkReferences } from './references.ts';
import { checkSubstations } from './substation.ts';

export interface SclCheck {
  readonly types: Types;
  /** By name of the IED. */
  readonly models: ReadonlyMap<string, IedModel>;
  readonly findings: Findings;
}

/** Adds a finding with a code below `scl.`. */
export type Tell = (severity: 'error' | 'warning' | 'note', code: string, text: string, line: number) => void;

/** Resolves all types and IEDs, and applies the rules. @param findings of the reader, to have one list */
export function checkScl(scl: Scl, findings: Findings = new Findings(), file?: string): SclCheck {
  const tell: Tell = (severity, code, text, line) =>
    findings.add({ severity, code: `scl.${code}`, text, line, ...(file === undefined ? {} : { file }) });
  if (!['2003', '2007'].includes(scl.version)) {
    tell('warning', 'version', `version ${scl.version} is none this reader knows; read like 2007`, scl.line);
  }
  const types = new Types(scl.templates, findings, file);
  types.resolveAll();
  const models = new Map<string, IedModel>();
  for (const ied of unique(scl.ieds, ({ name }) => name, 'the file', 'IED', tell)) {
    const model = modelOf(ied, types);
    models.set(ied.name, model);
    checkIed(model, types, tell);
  }
  checkReferences(models, tell);
  checkCommunication(scl, models, tell);
  checkSubstations(scl, models, tell);
  return { types, models, findings };
}

/** Those whose name has not come before; the others are findings. */
export function unique<T extends { readonly line: number }>(
  items: readonly T[],
  name: (item: T) => string,
  where: string,
  what: string,
  tell: Tell,
): T[] {
  const seen = new Set<string>();
  return items.filter((item) => {
    const own = name(item);
    if (seen.has(own)) {
      tell('error', 'duplicate', `${where} has a second ${what} ${own || '(without a name)'}`, item.line);
      return false;
    }
    seen.add(own);
    return true;
  });
}
