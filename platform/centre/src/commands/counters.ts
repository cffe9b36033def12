/** What has become of commands in this run of the centre; each one grows only. */
import type { CommandStep } from '@enerchain/model';

export const noCounters = () => ({
  prepared: 0,
  approved: 0,
  /** Commands that went out past path and second person. */
  brokenGlass: 0,
  /** By a check, or because an approval was none. */
  refused: 0,
  /** Orders that have left the centre. */
  sent: 0,
  confirmed: 0,
  negative: 0,
  timedOut: 0,
  outcomeUnknown: 0,
  feedbackMissing: 0,
});
export type CommandCounters = ReturnType<typeof noCounters>;

/** The steps that are counted when they are recorded or reported; the rest by who takes them. */
const COUNTED = ['approved', 'confirmed', 'negative', 'timedOut', 'outcomeUnknown', 'feedbackMissing'] as const;

export function countStep(counters: CommandCounters, step: CommandStep): void {
  const counted = COUNTED.find((each) => each === step);
  if (counted) counters[counted]++;
}
