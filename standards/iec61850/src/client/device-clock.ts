/** What the time stamps of a report say of the clock of the device. Pure. */
import type { Data } from '@enerchain/mms';
import type { DeviceClock } from './gaps.ts';
import type { ReceivedReport } from './reports.ts';

/** Bits of TimeQuality (IEC 61850-8-1 § 8.1.3.6). */
const CLOCK_FAILURE = 0x40;
const NOT_SYNCHRONISED = 0x20;

/**
 * Of what changed just now: an interrogation repeats stamps that may be older than the clock's trouble, or than its end.
 * @returns undefined when nothing in it has a stamp that was set
 */
export function clockOf({
  members,
}: Pick<ReceivedReport, 'members'>): { readonly clock: DeviceClock; readonly reference: string } | undefined {
  let found: { clock: DeviceClock; reference: string } | undefined;
  for (const { reference, value, reasons } of members) {
    if (reasons.length > 0 && !reasons.some((reason) => reason !== 'gi' && reason !== 'integrity')) continue;
    const quality = stampOf(value);
    if (quality === undefined) continue;
    if (quality & CLOCK_FAILURE) return { clock: 'failed', reference };
    if (quality & NOT_SYNCHRONISED) found = { clock: 'not-synchronised', reference };
    else found ??= { clock: 'synchronised', reference };
  }
  return found;
}

/** Quality of the time of a data object, or of a time that is a member itself. */
function stampOf(value: Data): number | undefined {
  const time = value.kind === 'structure' ? value.value.find(({ kind }) => kind === 'utcTime') : value;
  if (time?.kind !== 'utcTime') return undefined;
  const { seconds, fraction, quality } = time.value;
  return seconds === 0 && fraction === 0 ? undefined : quality;
}
