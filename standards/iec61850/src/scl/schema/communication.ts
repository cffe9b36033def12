/** The Communication section (IEC 61850-6 § 9.4): who is reached where, and what GOOSE and sampled values are sent to. */
import { privates } from './common.ts';
import { described, element, many, named, one, optional, required, text } from './element.ts';

/** One part of an address; `type` says which: IP, OSI-TSEL, MAC-Address, APPID, VLAN-ID … */
const P = element('P', { attributes: { type: required(text, '') }, text: true });
const ADDRESS = element('Address', { attributes: described, children: { ps: many(P) } });

/** A duration in milliseconds. */
const time = (tag: string) =>
  element(tag, { attributes: { unit: optional(text), multiplier: optional(text) }, text: true });

export const GSE = element('GSE', {
  attributes: { ldInst: required(text, ''), cbName: required(text, ''), ...described },
  children: { ...privates, address: one(ADDRESS), minTime: one(time('MinTime')), maxTime: one(time('MaxTime')) },
});

export const SMV = element('SMV', {
  attributes: { ldInst: required(text, ''), cbName: required(text, ''), ...described },
  children: { ...privates, address: one(ADDRESS) },
});

export const CONNECTED_AP = element('ConnectedAP', {
  attributes: { iedName: required(text, ''), apName: required(text, ''), redProt: optional(text), ...described },
  children: {
    ...privates,
    address: one(ADDRESS),
    gses: many(GSE),
    smvs: many(SMV),
    physConns: many(
      element('PhysConn', { attributes: { type: required(text, ''), ...described }, children: { ps: many(P) } }),
    ),
  },
});
export type ConnectedAp = NonNullable<(typeof CONNECTED_AP)['record']>;

export const SUB_NETWORK = element('SubNetwork', {
  attributes: { ...named, type: optional(text) },
  children: {
    ...privates,
    bitRate: one(element('BitRate', { attributes: { unit: optional(text), multiplier: optional(text) }, text: true })),
    connectedAps: many(CONNECTED_AP),
  },
});

export const COMMUNICATION = element('Communication', {
  attributes: described,
  children: { ...privates, subNetworks: many(SUB_NETWORK) },
});
export type Communication = NonNullable<(typeof COMMUNICATION)['record']>;
