/**
 * Reports on the wire (IEC 61850-8-1 § 17.2): an InformationReport of the list `RPT`, whose values are what the options
 * say, an inclusion bit string, and the members that are in it.
 */
import {
  type AccessResult,
  type BitString,
  bit,
  bitsOf,
  type Data,
  type EncodedReport,
  encodeData,
  encodeDataList,
  type InformationReport,
  type TimeOfDay,
} from '@enerchain/mms';
import { Iec61850Error } from '../error.ts';

/** Bits of OptFlds; bit 0 is reserved. */
export const OPT_FLDS = {
  seqNum: 1,
  timeStamp: 2,
  reasonCode: 3,
  dataSet: 4,
  dataRef: 5,
  bufOvfl: 6,
  entryID: 7,
  configRef: 8,
  segmentation: 9,
} as const;
export type OptField = keyof typeof OPT_FLDS;

/** Bits of TrgOps, and of the reason a member is in a report for; bit 0 is reserved. */
export const TRG_OPS = { dchg: 1, qchg: 2, dupd: 3, integrity: 4, gi: 5 } as const;
export type Trigger = keyof typeof TRG_OPS;

export interface Report {
  readonly rptId: string;
  readonly seqNum?: number;
  readonly timeOfEntry?: TimeOfDay;
  readonly dataSet?: string;
  readonly bufOvfl?: boolean;
  readonly entryId?: Uint8Array;
  readonly confRev?: number;
  readonly segment?: { readonly number: number; readonly more: boolean };
  /** Members of the data set; the others had nothing to say. */
  readonly size: number;
  readonly members: readonly ReportMember[];
}

export interface ReportMember {
  /** Position in the data set, counted from 0. */
  readonly index: number;
  readonly data: Data;
  readonly reference?: string;
  readonly reasons?: readonly Trigger[];
}

export const optFlds = (fields: Iterable<OptField>): BitString =>
  bitsOf(
    10,
    [...fields].map((field) => OPT_FLDS[field]),
  );
export const trgOps = (triggers: Iterable<Trigger>): BitString =>
  bitsOf(
    6,
    [...triggers].map((trigger) => TRG_OPS[trigger]),
  );
export const hasOption = (options: BitString, field: OptField): boolean => bit(options, OPT_FLDS[field]);
export const hasTrigger = (triggers: BitString, trigger: Trigger): boolean => bit(triggers, TRG_OPS[trigger]);
const TRIGGERS = Object.keys(TRG_OPS) as Trigger[];
/** What six bits can say, each list made once. */
const SAID = Array.from({ length: 64 }, (_, octet) =>
  TRIGGERS.filter((trigger) => (octet & (0x20 >> TRG_OPS[trigger])) !== 0),
);
export const triggersOf = ({ length, bytes }: BitString): readonly Trigger[] =>
  // Of a shorter one the bits that are not there are unused, and not looked at.
  length === 0 ? [] : SAID[(bytes[0]! & (0xff00 >> Math.min(length, 6)) & 0xff) >> 2]!;

/** The list that every report is about. */
export const REPORT_LIST = { kind: 'list', value: { kind: 'vmd', value: 'RPT' } } as const;

/** What is said before the values of the members; which fields follows from `options`, and a segment adds its own. */
export interface ReportHead extends Omit<Report, 'members'> {
  readonly indexes: Uint16Array;
  /** Of the members, for an option of their own. */
  readonly references: readonly string[];
}

/**
 * A report around the values of its members as they are encoded.
 * @param reasons bits of TRG_OPS of each member: 2 to the power of the number of a trigger, added up
 */
export function encodeReport(
  report: ReportHead,
  options: BitString,
  values: Uint8Array,
  reasons: Uint8Array,
): EncodedReport {
  const wanted = (field: OptField): boolean => hasOption(options, field);
  const { segment, indexes } = report;
  const head: Data[] = [
    { kind: 'visibleString', value: report.rptId },
    { kind: 'bitString', value: optionsWith(options, segment !== undefined) },
  ];
  if (wanted('seqNum')) head.push({ kind: 'unsigned', value: report.seqNum ?? 0 });
  if (wanted('timeStamp')) head.push({ kind: 'binaryTime', value: report.timeOfEntry ?? { millis: 0, days: 0 } });
  if (wanted('dataSet')) head.push({ kind: 'visibleString', value: report.dataSet ?? '' });
  if (wanted('bufOvfl')) head.push({ kind: 'boolean', value: report.bufOvfl ?? false });
  if (wanted('entryID')) head.push({ kind: 'octetString', value: report.entryId ?? new Uint8Array(8) });
  if (wanted('configRef')) head.push({ kind: 'unsigned', value: report.confRev ?? 0 });
  if (segment) head.push({ kind: 'unsigned', value: segment.number }, { kind: 'boolean', value: segment.more });
  head.push({ kind: 'bitString', value: bitsOf(report.size, indexes) });
  if (wanted('dataRef')) for (const value of report.references) head.push({ kind: 'visibleString', value });
  const results = [encodeDataList(head), values];
  if (wanted('reasonCode')) {
    const codes = new Uint8Array(reasons.length * REASON_OCTETS);
    for (let i = 0; i < reasons.length; i++) codes.set(reasonCode(reasons[i]!), i * REASON_OCTETS);
    results.push(codes);
  }
  return { access: REPORT_LIST, results };
}

/** Bits of a reason: see `encodeReport`. */
export const reasonOf = (trigger: Trigger): number => 1 << TRG_OPS[trigger];
/** A bit string of six bits as it is encoded. */
const REASON_OCTETS = 4;
const REASON_CODES: (Uint8Array | undefined)[] = [];
function reasonCode(reasons: number): Uint8Array {
  const known = REASON_CODES[reasons];
  if (known) return known;
  const triggers = TRIGGERS.filter((trigger) => (reasons & reasonOf(trigger)) !== 0);
  const code = encodeData({ kind: 'bitString', value: trgOps(triggers) });
  REASON_CODES[reasons] = code;
  return code;
}

function optionsWith(options: BitString, segmented: boolean): BitString {
  const set = Object.values(OPT_FLDS).filter((position) =>
    position === OPT_FLDS.segmentation ? segmented : bit(options, position),
  );
  return bitsOf(10, set);
}

/** Whether an InformationReport is a report of IEC 61850. */
export const isReport = ({ access }: InformationReport): boolean =>
  access.kind === 'list' && access.value.kind === 'vmd' && access.value.value === 'RPT';

/** The kinds of value that a report has beside its members. */
interface Values {
  readonly visibleString: string;
  readonly bitString: BitString;
  readonly integer: number | bigint;
  readonly unsigned: number | bigint;
  readonly binaryTime: TimeOfDay;
  readonly boolean: boolean;
  readonly octetString: Uint8Array;
}

/** @throws Iec61850Error `report.*` (peer) when the values are not what the options announce */
export function decodeReport({ results }: InformationReport): Report & { readonly options: BitString } {
  let at = 0;
  const next = <K extends keyof Values>(kind: K, what: string): Values[K] => {
    const result: AccessResult | undefined = results[at++];
    if (result?.kind !== 'success' || result.value.kind !== kind) {
      const is = result === undefined ? 'nothing' : result.kind === 'failure' ? 'an access error' : result.value.kind;
      throw new Iec61850Error('peer', 'report.format', `value ${at} of a report is ${is}, not the ${what} (${kind})`);
    }
    return result.value.value as Values[K];
  };
  const rptId = next('visibleString', 'RptID');
  const options = next('bitString', 'OptFlds');
  const has = (field: OptField): boolean => hasOption(options, field);
  const number = (what: string): number => {
    const result = results[at];
    // Some servers send counters as INTEGER.
    return Number(next(result?.kind === 'success' && result.value.kind === 'integer' ? 'integer' : 'unsigned', what));
  };
  const seqNum = has('seqNum') ? number('SqNum') : undefined;
  const timeOfEntry = has('timeStamp') ? next('binaryTime', 'TimeOfEntry') : undefined;
  const dataSet = has('dataSet') ? next('visibleString', 'DatSet') : undefined;
  const bufOvfl = has('bufOvfl') ? next('boolean', 'BufOvfl') : undefined;
  const entryId = has('entryID') ? next('octetString', 'EntryID') : undefined;
  const confRev = has('configRef') ? number('ConfRev') : undefined;
  const segment = has('segmentation')
    ? { number: number('SubSqNum'), more: next('boolean', 'MoreSegmentsFollow') }
    : undefined;
  const inclusion = next('bitString', 'inclusion');
  const included: number[] = [];
  for (let index = 0; index < inclusion.length; index++) if (bit(inclusion, index)) included.push(index);
  const { length } = included;
  const [referred, reasoned] = [has('dataRef'), has('reasonCode')];
  const each = (referred ? 1 : 0) + 1 + (reasoned ? 1 : 0);
  if (results.length - at !== length * each) {
    const text = `a report of ${length} members has ${results.length - at} values, not ${length * each}`;
    throw new Iec61850Error('peer', 'report.format', text);
  }
  const references = referred ? included.map(() => next('visibleString', 'data reference')) : undefined;
  const values = included.map((index): Data => {
    const result = results[at++]!;
    if (result.kind === 'success') return result.value;
    throw new Iec61850Error('peer', 'report.format', `member ${index} of a report is an access error`);
  });
  const members = included.map((index, position): ReportMember => {
    const data = values[position]!;
    const reasons = reasoned ? triggersOf(next('bitString', 'reason')) : undefined;
    const reference = references?.[position];
    if (reference !== undefined) return reasons ? { index, data, reference, reasons } : { index, data, reference };
    return reasons ? { index, data, reasons } : { index, data };
  });
  return {
    rptId,
    options,
    ...(seqNum === undefined ? {} : { seqNum }),
    ...(timeOfEntry === undefined ? {} : { timeOfEntry }),
    ...(dataSet === undefined ? {} : { dataSet }),
    ...(bufOvfl === undefined ? {} : { bufOvfl }),
    ...(entryId === undefined ? {} : { entryId }),
    ...(confRev === undefined ? {} : { confRev }),
    ...(segment === undefined ? {} : { segment }),
    size: inclusion.length,
    members,
  };
}
