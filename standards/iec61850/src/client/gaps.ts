/** What a session says may be missing, or may not be what it seems. Times are milliseconds since 1970 by the client's clock. */
import type { ModelDifference } from './check.ts';

interface Period {
  /** When the device was last heard before. */
  readonly from: number;
  readonly to: number;
}

interface OfBlock {
  /** `BCU1CTRL/LLN0.BR.brcb01`. */
  readonly block: string;
}

export type SessionGap = { readonly text: string } & (
  | (Period & { readonly kind: 'connection-lost' })
  /** Changes of the period are not known; what is, was asked for at its end. An unbuffered block, or one that could not be had. */
  | (Period & OfBlock & { readonly kind: 'unreported' })
  /** The entry to go on after is not known to the device any more: it was restarted, or has lost it. */
  | (Period & OfBlock & { readonly kind: 'entry-unknown' })
  /** Another instance had to be taken: what the device has buffered for the one before cannot be had. */
  | (Period & OfBlock & { readonly kind: 'other-instance'; readonly before: string })
  /** The device's buffer was too small while nobody listened. */
  | (OfBlock & { readonly kind: 'buffer-overflow' })
  /** Numbers of reports are not in sequence. */
  | (OfBlock & { readonly kind: 'sequence' })
  /** ConfRev is another one than the configuration, or the device before, said. */
  | (OfBlock & { readonly kind: 'configuration'; readonly expected: number; readonly actual: number })
  /** The members of the data set are others: `BCU1CTRL/QA1XCBR1.Pos [ST]`, in their order; `actual` is empty while they are not known. */
  | (OfBlock & {
      readonly kind: 'data-set';
      readonly expected: readonly string[];
      readonly actual: readonly string[];
    })
  /** What the device serves is not what its SCL file says. */
  | { readonly kind: 'model'; readonly differences: readonly ModelDifference[] }
  /** The clock that stamps its values; said when it changes. */
  | { readonly kind: 'clock'; readonly clock: DeviceClock; readonly reference: string }
);
export type SessionGapKind = SessionGap['kind'];

/** As the quality of its time stamps says (IEC 61850-7-2 § 6.1.2.9). */
export type DeviceClock = 'synchronised' | 'not-synchronised' | 'failed';
