/** DataTypeTemplates (IEC 61850-6 § 9.5): the types that logical nodes are made of. */
import { privates } from './common.ts';
import { bool, defaulted, described, element, many, optional, required, text, whole, word } from './element.ts';
import { fc, VAL } from './ied.ts';

/** Basic types of attributes (§ 9.5.4.2); 'Struct' and 'Enum' name a type. */
export const BASIC_TYPES = [
  'BOOLEAN',
  'INT8',
  'INT16',
  'INT24',
  'INT32',
  'INT64',
  'INT128',
  'INT8U',
  'INT16U',
  'INT24U',
  'INT32U',
  'INT64U',
  'FLOAT32',
  'FLOAT64',
  'Enum',
  'Dbpos',
  'Tcmd',
  'Quality',
  'Timestamp',
  'VisString32',
  'VisString64',
  'VisString65',
  'VisString129',
  'VisString255',
  'Octet6',
  'Octet16',
  'Octet64',
  'Struct',
  'EntryTime',
  'Unicode255',
  'Check',
  'ObjRef',
  'Currency',
  'PhyComAddr',
  'TrgOps',
  'OptFlds',
  'SvOptFlds',
  'EntryID',
] as const;
export type BasicType = (typeof BASIC_TYPES)[number];

/** The namespace of attributes that a protocol mapping adds (§ 9.5.4). */
const PROT_NS = element('ProtNs', { attributes: { type: defaulted(text, '8-MMS') }, text: true });

const attribute = {
  name: required(text, ''),
  desc: optional(text),
  bType: required(word(BASIC_TYPES), 'INT32'),
  type: optional(text),
  sAddr: optional(text),
  valKind: defaulted(word(['Spec', 'Conf', 'RO', 'Set']), 'Set'),
  /** A number, or the name of the attribute that holds it. */
  count: defaulted(text, '0'),
  valImport: defaulted(bool, false),
};

export const DA = element('DA', {
  attributes: {
    ...attribute,
    fc: required(fc, 'ST'),
    dchg: defaulted(bool, false),
    qchg: defaulted(bool, false),
    dupd: defaulted(bool, false),
  },
  children: { ...privates, vals: many(VAL), protNs: many(PROT_NS) },
});

export const BDA = element('BDA', { attributes: attribute, children: { ...privates, vals: many(VAL) } });

export const DO = element('DO', {
  attributes: {
    name: required(text, ''),
    type: required(text, ''),
    accessControl: optional(text),
    transient: defaulted(bool, false),
    ...described,
  },
});

export const SDO = element('SDO', {
  attributes: { name: required(text, ''), type: required(text, ''), count: defaulted(text, '0'), ...described },
});

export const LNODE_TYPE = element('LNodeType', {
  attributes: { id: required(text, ''), iedType: defaulted(text, ''), lnClass: required(text, ''), ...described },
  children: { ...privates, dos: many(DO) },
});
export type LNodeType = NonNullable<(typeof LNODE_TYPE)['record']>;

export const DO_TYPE = element('DOType', {
  attributes: { id: required(text, ''), iedType: defaulted(text, ''), cdc: required(text, ''), ...described },
  children: { ...privates, sdos: many(SDO), das: many(DA) },
});
export type DoType = NonNullable<(typeof DO_TYPE)['record']>;

export const DA_TYPE = element('DAType', {
  attributes: { id: required(text, ''), iedType: defaulted(text, ''), ...described },
  children: { ...privates, bdas: many(BDA), protNs: many(PROT_NS) },
});
export type DaType = NonNullable<(typeof DA_TYPE)['record']>;

export const ENUM_TYPE = element('EnumType', {
  attributes: { id: required(text, ''), ...described },
  children: {
    ...privates,
    vals: many(element('EnumVal', { attributes: { ord: required(whole, 0), desc: optional(text) }, text: true })),
  },
});
export type EnumType = NonNullable<(typeof ENUM_TYPE)['record']>;

export const DATA_TYPE_TEMPLATES = element('DataTypeTemplates', {
  children: {
    lNodeTypes: many(LNODE_TYPE),
    doTypes: many(DO_TYPE),
    daTypes: many(DA_TYPE),
    enumTypes: many(ENUM_TYPE),
  },
});
export type DataTypeTemplates = NonNullable<(typeof DATA_TYPE_TEMPLATES)['record']>;
