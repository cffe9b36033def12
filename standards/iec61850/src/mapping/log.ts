/**
 * Entries of a log on the wire (IEC 61850-7-2 § 17.3, mapped by 8-1 § 17.3): an entry of a journal, whose variables are
 * the values under their references, each followed by the reason it was logged for.
 */
import { type Data, type JournalEntry, timeOfDayFromMillis, timeOfDayToMillis } from '@enerchain/mms';
import { Iec61850Error } from '../error.ts';
import { type Trigger, trgOps, triggersOf } from './report.ts';

/** A value that was logged. */
export interface LoggedValue {
  /** As it stands in a log: `BCU1CTRL/GGIO1$ST$SPCSO1`. */
  readonly reference: string;
  readonly data: Data;
  /** Empty when the log does not say. */
  readonly reasons: readonly Trigger[];
}

export interface LogEntry {
  /** At most eight octets; says which entry it is, within its log. */
  readonly id: Uint8Array;
  /** Milliseconds since 1970. */
  readonly time: number;
  readonly values: readonly LoggedValue[];
}

/** Stands behind a value, for why it was logged. */
const REASON_TAG = 'ReasonCode';
const NOTHING = new Uint8Array(0);

export function encodeLogEntry({ id, time, values }: LogEntry): JournalEntry {
  return {
    entryId: id,
    origin: NOTHING,
    content: {
      time: timeOfDayFromMillis(time),
      form: {
        kind: 'data',
        value: {
          variables: values.flatMap(({ reference, data, reasons }) => [
            { tag: reference, value: data },
            ...(reasons.length === 0
              ? []
              : [{ tag: REASON_TAG, value: { kind: 'bitString', value: trgOps(reasons) } as const }]),
          ]),
        },
      },
    },
  };
}

/** An annotation becomes a value of its own without a reference. @throws Iec61850Error `log.format` (peer) */
export function decodeLogEntry({ entryId, content }: JournalEntry): LogEntry {
  const time = timeOfDayToMillis(content.time);
  if (Number.isNaN(time)) throw new Iec61850Error('peer', 'log.format', 'an entry of a log has a time without a date');
  if (content.form.kind === 'annotation') {
    const data = { kind: 'visibleString', value: content.form.value } as const;
    return { id: entryId, time, values: [{ reference: '', data, reasons: [] }] };
  }
  const values: LoggedValue[] = [];
  for (const { tag, value } of content.form.value.variables ?? []) {
    const last = values.at(-1);
    if (tag === REASON_TAG && value.kind === 'bitString' && last)
      values[values.length - 1] = { ...last, reasons: triggersOf(value.value) };
    else values.push({ reference: tag, data: value, reasons: [] });
  }
  return { id: entryId, time, values };
}
