/** Types of variables (ISO 9506-2 § 14.4.1). */
import { boolean, integer, integer32, nothing, unsigned8, unsigned32, visibleString } from '../ber/primitive.ts';
import { byDefault, choice, context, lazy, optional, sequence, sequenceOf, type Type } from '../ber/type.ts';

/** Lengths of strings are negative when they may be shorter (§ 14.4.1.3). */
export type TypeSpecification =
  | {
      readonly kind: 'array';
      readonly value: { readonly packed: boolean; readonly count: number; readonly element: TypeSpecification };
    }
  | {
      readonly kind: 'structure';
      readonly value: { readonly packed: boolean; readonly components: readonly Component[] };
    }
  | { readonly kind: 'boolean' | 'generalizedTime' | 'objectId' | 'utcTime'; readonly value: null }
  /** Bits or characters. */
  | { readonly kind: 'bitString' | 'octetString' | 'visibleString' | 'mmsString'; readonly value: number }
  /** Bits. */
  | { readonly kind: 'integer' | 'unsigned'; readonly value: number }
  /** Digits. */
  | { readonly kind: 'bcd'; readonly value: number }
  | { readonly kind: 'float'; readonly value: { readonly format: number; readonly exponent: number } }
  /** Whether it has a date. */
  | { readonly kind: 'binaryTime'; readonly value: boolean }
  | { readonly kind: 'typeName'; readonly value: TypeName };

export interface Component {
  readonly name?: string;
  readonly type: TypeSpecification;
}

type TypeName =
  | { readonly kind: 'vmd' | 'association'; readonly value: string }
  | { readonly kind: 'domain'; readonly value: { readonly domain: string; readonly item: string } };

// ObjectName, written again because names.ts needs this file.
const typeName: Type<TypeName> = choice('ObjectName', {
  vmd: context(0, visibleString),
  domain: context(1, sequence('domain-specific', { domain: visibleString, item: visibleString })),
  association: context(2, visibleString),
});

export const typeSpecification: Type<TypeSpecification> = lazy(() => specification);

const specification: Type<TypeSpecification> = choice('TypeSpecification', {
  typeName: context(0, typeName),
  array: context(
    1,
    sequence('array', {
      packed: byDefault(context(0, boolean), false),
      count: context(1, unsigned32),
      element: context(2, typeSpecification),
    }),
  ),
  structure: context(
    2,
    sequence('structure', {
      packed: byDefault(context(0, boolean), false),
      components: context(
        1,
        sequenceOf(
          sequence('component', { name: optional(context(0, visibleString)), type: context(1, typeSpecification) }),
        ),
      ),
    }),
  ),
  boolean: context(3, nothing),
  bitString: context(4, integer32),
  integer: context(5, unsigned8),
  unsigned: context(6, unsigned8),
  float: context(7, sequence('floating-point', { format: unsigned8, exponent: unsigned8 })),
  octetString: context(9, integer32),
  visibleString: context(10, integer32),
  generalizedTime: context(11, nothing),
  binaryTime: context(12, boolean),
  bcd: context(13, integer(0, 255)),
  objectId: context(15, nothing),
  mmsString: context(16, integer32),
  utcTime: context(17, nothing),
});
