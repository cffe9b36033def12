/** Elements that stand in many places: descriptions, private sections, logical nodes of a function (IEC 61850-6 § 8, 9.2). */
import { defaulted, described, element, many, optional, required, text } from './element.ts';

/** What a maker or a supplement of the standard adds (§ 8.3.6); its content is kept where the reader is told to. */
export const PRIVATE = element('Private', {
  attributes: { type: defaulted(text, ''), source: optional(text) },
  text: true,
  anything: true,
});
export type Private = NonNullable<(typeof PRIVATE)['record']>;

export const privates = { privates: many(PRIVATE) };

/** A logical node at the place in the substation whose function it fulfils (§ 9.2.3); `iedName` 'None' where none is chosen yet. */
export const LNODE = element('LNode', {
  attributes: {
    iedName: defaulted(text, 'None'),
    ldInst: defaulted(text, ''),
    prefix: defaulted(text, ''),
    lnClass: required(text, ''),
    lnInst: defaulted(text, ''),
    lnType: optional(text),
    ...described,
  },
  children: privates,
});
export type LNode = NonNullable<(typeof LNODE)['record']>;

export const lNodes = { lNodes: many(LNODE) };

export const TEXT = element('Text', { attributes: { source: optional(text) }, text: true });
