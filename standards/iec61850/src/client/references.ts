/** References of IEC 61850-7-2 (`BCU1CTRL/QA1XCBR1.Pos.stVal` under a constraint) as names of MMS, and back. */
import { type AlternateAccess, nameOf, type ObjectName, type Variable } from '@enerchain/mms';
import { Iec61850Error } from '../error.ts';
import { accessBy, pathIn, pathOf, textOf } from '../mapping/paths.ts';
import { FUNCTIONAL_CONSTRAINTS, type FunctionalConstraint } from '../scl/schema/ied.ts';

/** @throws Iec61850Error `client.reference` (caller) */
export function objectName(reference: string, fc: FunctionalConstraint): ObjectName {
  const slash = reference.indexOf('/');
  const [node, ...names] = reference.slice(slash + 1).split('.');
  if (slash < 1 || !node) {
    throw new Iec61850Error(
      'caller',
      'client.reference',
      `'${reference}' is no reference; one is like BCU1CTRL/QA1XCBR1.Pos`,
    );
  }
  return nameOf([node, fc, ...names].join('$'), reference.slice(0, slash));
}

/** Elements of arrays by their index, counted from 0: `BCU1MEAS/MHAI1.HA.phsAHar(3).cVal.mag.f`; no name leads to them, but a path. */
export function variableOf(reference: string, fc: FunctionalConstraint): Variable {
  const array = reference.indexOf('(');
  if (array < 0) return { specification: { kind: 'name', value: objectName(reference, fc) } };
  const path = pathIn(reference.slice(array));
  if (!path)
    throw new Iec61850Error(
      'caller',
      'client.reference',
      `'${reference}' is no element of an array; one is like BCU1MEAS/MHAI1.HA.phsAHar(3).cVal`,
    );
  return { specification: { kind: 'name', value: objectName(reference.slice(0, array), fc) }, access: accessBy(path) };
}

/** `BCU1CTRL/LLN0.Positions` or `@Positions` as the name of a list. */
export function listName(reference: string): ObjectName {
  if (reference.startsWith('@')) return { kind: 'association', value: reference.slice(1) };
  const slash = reference.indexOf('/');
  if (slash < 1)
    throw new Iec61850Error(
      'caller',
      'client.reference',
      `'${reference}' is no data set; one is like BCU1CTRL/LLN0.Positions`,
    );
  return nameOf(reference.slice(slash + 1).replaceAll('.', '$'), reference.slice(0, slash));
}

/** The other way: `QA1XCBR1$ST$Pos$stVal` in a domain. @param access a path from there; several are left out */
export function referenceOf(
  name: ObjectName,
  access?: AlternateAccess,
): {
  readonly reference: string;
  readonly fc: FunctionalConstraint | undefined;
} {
  if (name.kind !== 'domain') return { reference: name.kind === 'vmd' ? name.value : `@${name.value}`, fc: undefined };
  const [node, fc, ...names] = name.value.item.split('$');
  const known = FUNCTIONAL_CONSTRAINTS.find((constraint) => constraint === fc);
  const below = known || fc === undefined ? names : [fc, ...names];
  const path = access && pathOf(access);
  return { reference: `${name.value.domain}/${[node, ...below].join('.')}${path ? textOf(path) : ''}`, fc: known };
}
