/** Initiate (ISO 9506-2 § 8.2): what the two sides agree on before anything else. */
import { type BitString, bit, bitString, bitsOf, integer8, integer16, integer32 } from '../ber/primitive.ts';
import { context, optional, sequence, type Value } from '../ber/type.ts';

/** Parameter conformance building blocks (§ 18.3): the bits of `parameters`. */
export const PARAMETER_BLOCKS = [
  'str1',
  'str2',
  'vnam',
  'valt',
  'vadr',
  'vsca',
  'tpy',
  'vlis',
  'real',
  '-',
  'cei',
] as const;

/** The bits of ServiceSupportOptions (§ 8.2.6) by name. */
export const SERVICE_BITS = {
  status: 0,
  getNameList: 1,
  identify: 2,
  read: 4,
  write: 5,
  getVariableAccessAttributes: 6,
  defineNamedVariableList: 11,
  getNamedVariableListAttributes: 12,
  deleteNamedVariableList: 13,
  obtainFile: 46,
  readJournal: 65,
  initializeJournal: 67,
  fileOpen: 72,
  fileRead: 73,
  fileClose: 74,
  fileRename: 75,
  fileDelete: 76,
  fileDirectory: 77,
  unsolicitedStatus: 78,
  informationReport: 79,
  conclude: 83,
  cancel: 84,
} as const;
export type ServiceBit = keyof typeof SERVICE_BITS;

const SERVICE_COUNT = 85;

export function servicesOf(names: Iterable<ServiceBit>): BitString {
  return bitsOf(
    SERVICE_COUNT,
    [...names].map((name) => SERVICE_BITS[name]),
  );
}

export function supports(services: BitString, name: ServiceBit): boolean {
  return bit(services, SERVICE_BITS[name]);
}

/** str1, str2, vnam, valt, vlis: what IEC 61850-8-1 § 9 asks for. */
export const DEFAULT_PARAMETER_BLOCKS: BitString = bitsOf(11, [0, 1, 2, 3, 7]);

/** `proposed…` of a request, `negotiated…` of a response: the fields are the same. */
const detail = sequence(
  'InitDetail',
  {
    version: context(0, integer16),
    parameters: context(1, bitString),
    services: context(2, bitString),
  },
  // Version 2 has more at the end.
  { extensible: true },
);

export const initiate = sequence('Initiate', {
  /** Octets of the largest PDU; absent = no limit. */
  localDetail: optional(context(0, integer32)),
  /** Confirmed services that may be outstanding at the same time, asked by the calling and by the called side. */
  outstandingCalling: context(1, integer16),
  outstandingCalled: context(2, integer16),
  nesting: optional(context(3, integer8)),
  detail: context(4, detail),
});
export type Initiate = Value<typeof initiate>;
