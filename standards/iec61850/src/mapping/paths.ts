/** Elements of arrays: no name leads to them, but a path from the array on (ISO 9506-2 § 14.5, alternate access), `(3).cVal.mag` in words. */
import type { AlternateAccess } from '@enerchain/mms';

export type PathStep =
  | { readonly kind: 'index'; readonly value: number }
  | { readonly kind: 'component'; readonly value: string };

/** At least one step. */
export type Path = readonly [PathStep, ...PathStep[]];

/** @returns undefined when it is no path */
export function pathIn(text: string): Path | undefined {
  if (!/^\(\d{1,9}\)(\.\w+(\(\d{1,9}\))?)*$/.test(text)) return undefined;
  const steps = [...text.matchAll(/\((\d+)\)|\.(\w+)/g)].map(
    ([, index, name]): PathStep =>
      index === undefined ? { kind: 'component', value: name! } : { kind: 'index', value: Number(index) },
  );
  return steps as [PathStep, ...PathStep[]];
}

export function accessBy([select, ...rest]: Path): AlternateAccess {
  const [next, ...others] = rest;
  return next === undefined ? [select] : [{ kind: 'nested', value: { select, access: accessBy([next, ...others]) } }];
}

/** @returns undefined when it leads to several places */
export function pathOf(access: AlternateAccess): Path | undefined {
  const [only] = access;
  if (!only || access.length > 1) return undefined;
  const step = only.kind === 'named' ? only.value.access : only;
  if (step.kind === 'index' || step.kind === 'component') return [step];
  if (step.kind !== 'nested') return undefined;
  const { select } = step.value;
  const rest = pathOf(step.value.access);
  return rest && (select.kind === 'index' || select.kind === 'component') ? [select, ...rest] : undefined;
}

export const textOf = (path: Path): string =>
  path.map(({ kind, value }) => (kind === 'index' ? `(${value})` : `.${value}`)).join('');
