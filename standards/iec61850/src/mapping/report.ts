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
/** Most members are in a report for one reason. */
const ONE_REASON: Readonly<Record<Trigger, BitString>> = Object.fromEntries(
  TRIGGERS.map((trigger) => [trigger, trgOps([trigger])]),
) as Record<Trigger, BitString>;
export const triggersOf = (value: BitString): Trigger[] => TRIGGERS.filter((trigger) => hasTrigger(value, trigger));

/** The list that every report is about. */
export const REPORT_LIST = { kind: 'list', value: { kind: 'vmd', value: 'RPT' } } as const;

/** Which fields are sent follows from `options`; a segment adds its own. */
export function encodeReport(report: Report, options: BitString): InformationReport {
  const wanted = (field: OptField): boolean => hasOption(options, field);
  const { segment, members } = report;
  const shown = segment ? optionsWith(options, true) : optionsWith(options, false);
  const values: Data[] = [
    { kind: 'visibleString', value: report.rptId },
    { kind: 'bitString', value: shown },
  ];
  if (wanted('seqNum')) values.push({ kind: 'unsigned', value: report.seqNum ?? 0 });
  if (wanted('timeStamp')) values.push({ kind: 'binaryTime', value: report.timeOfEntry ?? { millis: 0, days: 0 } });
  if (wanted('dataSet')) values.push({ kind: 'visibleString', value: report.dataSet ?? '' });
  if (wanted('bufOvfl')) values.push({ kind: 'boolean', value: report.bufOvfl ?? false });
  if (wanted('entryID')) values.push({ kind: 'octetString', value: report.entryId ?? new Uint8Array(8) });
  if (wanted('configRef')) values.push({ kind: 'unsigned', value: report.confRev ?? 0 });
  if (segment) values.push({ kind: 'unsigned', value: segment.number }, { kind: 'boolean', value: segment.more });
  values.push({
    kind: 'bitString',
    value: bitsOf(
      report.size,
      members.map(({ index }) => index),
    ),
  });
  if (wanted('dataRef'))
    for (const { reference } of members) values.push({ kind: 'visibleString', value: reference ?? '' });
  for (const { data } of members) values.push(data);
  if (wanted('reasonCode')) {
    for (const { reasons = [] } of members)
      values.push({ kind: 'bitString', value: reasons.length === 1 ? ONE_REASON[reasons[0]!] : trgOps(reasons) });
  }
  return { access: REPORT_LIST, results: values.map((value) => ({ kind: 'success', value })) };
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
  const each = (has('dataRef') ? 1 : 0) + 1 + (has('reasonCode') ? 1 : 0);
  if (results.length - at !== included.length * each) {
    const text = `a report of ${included.length} members has ${results.length - at} values, not ${included.length * each}`;
    throw new Iec61850Error('peer', 'report.format', text);
  }
  const references = has('dataRef') ? included.map(() => next('visibleString', 'data reference')) : undefined;
  const data = included.map((index) => {
    const result = results[at++]!;
    if (result.kind === 'success') return result.value;
    throw new Iec61850Error('peer', 'report.format', `member ${index} of a report is an access error`);
  });
  const reasons = has('reasonCode') ? included.map(() => triggersOf(next('bitString', 'reason'))) : undefined;
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
    members: included.map((index, position) => ({
      index,
      data: data[position]!,
      ...(references ? { reference: references[position]! } : {}),
      ...(reasons ? { reasons: reasons[position]! } : {}),
    })),
  };
}
