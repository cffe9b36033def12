/** How objects are named and picked apart (ISO 9506-2 § 7.5, 14.5). */
import { integer, nothing, octets, unsigned32, visibleString } from '../ber/primitive.ts';
import { choice, context, lazy, optional, sequence, sequenceOf, type Type, type Value } from '../ber/type.ts';
import { typeSpecification } from './types.ts';

/** Up to 32 characters in ISO 9506; IEC 61850-8-1 § 7.3.2 has up to 129. */
export const identifier: Type<string> = visibleString;

export const objectName = choice('ObjectName', {
  vmd: context(0, identifier),
  domain: context(1, sequence('domain-specific', { domain: identifier, item: identifier })),
  association: context(2, identifier),
});
export type ObjectName = Value<typeof objectName>;

/** A name in a domain, or without one in the VMD. */
export function nameOf(item: string, domain?: string): ObjectName {
  return domain === undefined ? { kind: 'vmd', value: item } : { kind: 'domain', value: { domain, item } };
}

/** `domain/item`, `/item` in the VMD, `@item` in the association: as IEC 61850-8-1 writes references. */
export function nameText(name: ObjectName): string {
  switch (name.kind) {
    case 'vmd':
      return `/${name.value}`;
    case 'domain':
      return `${name.value.domain}/${name.value.item}`;
    case 'association':
      return `@${name.value}`;
  }
}

export const address = choice('Address', {
  numeric: context(0, unsigned32),
  symbolic: context(1, visibleString),
  unconstrained: context(2, octets),
});

const indexRange = sequence('indexRange', {
  lowIndex: context(0, unsigned32),
  numberOfElements: context(1, unsigned32),
});

/** One step into a variable: a component of a structure or elements of an array. */
type Selection =
  | { readonly kind: 'component'; readonly value: string }
  | { readonly kind: 'index'; readonly value: number }
  | { readonly kind: 'indexRange'; readonly value: { readonly lowIndex: number; readonly numberOfElements: number } }
  | { readonly kind: 'allElements'; readonly value: null };

/** A step, or a step with further steps inside. */
export type AccessSelection =
  | Selection
  | { readonly kind: 'nested'; readonly value: { readonly select: Selection; readonly access: AlternateAccess } };

export type AlternateAccess = readonly (
  | AccessSelection
  | { readonly kind: 'named'; readonly value: { readonly name: string; readonly access: AccessSelection } }
)[];

const nested = sequence('selectAlternateAccess', {
  select: choice('accessSelection', {
    component: context(0, identifier),
    index: context(1, unsigned32),
    indexRange: context(2, indexRange),
    allElements: context(3, nothing),
  }),
  access: lazy((): Type<AlternateAccess> => alternateAccess),
});

const selections = {
  nested: context(0, nested),
  component: context(1, identifier),
  index: context(2, unsigned32),
  indexRange: context(3, indexRange),
  allElements: context(4, nothing),
};

const accessSelection: Type<AccessSelection> = choice('AlternateAccessSelection', selections);

export const alternateAccess: Type<AlternateAccess> = sequenceOf(
  choice('AlternateAccess', {
    ...selections,
    named: context(5, sequence('named', { name: context(0, identifier), access: accessSelection })),
  }),
  4096,
);

export const variableSpecification = choice('VariableSpecification', {
  name: context(0, objectName),
  address: context(1, address),
  description: context(2, sequence('variableDescription', { address, type: typeSpecification })),
  invalidated: context(4, nothing),
});
export type VariableSpecification = Value<typeof variableSpecification>;

export const variable = sequence('variable', {
  specification: variableSpecification,
  access: optional(context(5, alternateAccess)),
});
export type Variable = Value<typeof variable>;

/** Some variables, or the name of a list of them. */
export const variableAccess = choice('VariableAccessSpecification', {
  variables: context(0, sequenceOf(variable)),
  list: context(1, objectName),
});
export type VariableAccess = Value<typeof variableAccess>;

/** Classes of ObjectClass (§ 7.5.2). */
export const OBJECT_CLASSES = [
  'namedVariable',
  'scatteredAccess',
  'namedVariableList',
  'namedType',
  'semaphore',
  'eventCondition',
  'eventAction',
  'eventEnrollment',
  'journal',
  'domain',
  'programInvocation',
  'operatorStation',
] as const;
export type ObjectClass = (typeof OBJECT_CLASSES)[number];

/** The number of a class; a number that has no name is read all the same. */
export const objectClass = choice('ObjectClass', { basic: context(0, integer(0, 127)) });
