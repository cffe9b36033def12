/** The outermost element (IEC 61850-6 § 8, 9.1). */
import { privates, TEXT } from './common.ts';
import { COMMUNICATION } from './communication.ts';
import { defaulted, element, many, one, optional, required, text } from './element.ts';
import { IED } from './ied.ts';
import { LINE, PROCESS, SUBSTATION } from './substation.ts';
import { DATA_TYPE_TEMPLATES } from './templates.ts';

const HITEM = element('Hitem', {
  attributes: {
    version: required(text, ''),
    revision: required(text, ''),
    when: required(text, ''),
    who: optional(text),
    what: optional(text),
    why: optional(text),
  },
  text: true,
});

const HEADER = element('Header', {
  attributes: {
    id: required(text, ''),
    version: optional(text),
    revision: defaulted(text, ''),
    toolID: optional(text),
    nameStructure: optional(text),
  },
  children: { text: one(TEXT), history: one(element('History', { children: { hitems: many(HITEM) } })) },
});

export const SCL = element('SCL', {
  attributes: { version: defaulted(text, '2003'), revision: defaulted(text, ''), release: optional(text) },
  children: {
    ...privates,
    header: one(HEADER),
    substations: many(SUBSTATION),
    communication: one(COMMUNICATION),
    ieds: many(IED),
    templates: one(DATA_TYPE_TEMPLATES),
    lines: many(LINE),
    processes: many(PROCESS),
  },
});
export type Scl = NonNullable<(typeof SCL)['record']>;
