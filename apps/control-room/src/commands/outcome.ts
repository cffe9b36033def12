/**
 * What became of an order, in one sentence. Two things arrive by different ways: the steps of the command, and the live
 * value of its feedback point, which may come a moment later. The sentence never says one while the screen shows the
 * other. Pure.
 */
import type { Point } from '@enerchain/model';
import type { CommandJson } from '../api/types.ts';
import { isDouble } from '../format/number.ts';
import { STEP_WORDS, stepTone } from './words.ts';

export interface Outcome {
  readonly tone: 'good' | 'bad' | 'unsure';
  readonly text: string;
}

/** The feedback point as it stands on the screen. */
export interface Sight {
  readonly name: string;
  /** How its live value reads. */
  readonly shows: string;
  /** Whether that is what was ordered; `undefined` where only the centre can tell (steps, set-points). */
  readonly agrees: boolean | undefined;
}

/** The value of the feedback point that an order to `ordered` leads to; `undefined` when it is no position. */
export function feedbackFor(
  control: Pick<Point, 'kind' | 'cdc'>,
  feedback: Pick<Point, 'cdc'>,
  ordered: number,
): number | undefined {
  if (control.kind !== 'command' || control.cdc === 'BSC') return undefined;
  const on = isDouble(control) ? ordered === 2 : ordered === 1;
  // A single command may be answered by a double point, and the reverse.
  if (isDouble(control) !== isDouble(feedback) && (feedback.cdc === 'DPS' || feedback.cdc === 'SPS'))
    return isDouble(feedback) ? (on ? 2 : 1) : Number(on);
  return ordered;
}

export const feedbackSeen = (command: Pick<CommandJson, 'events'>): boolean =>
  command.events.some(({ step }) => step === 'feedbackSeen');

/**
 * @param sight `undefined` when the control has no feedback point
 * @param patient while true, a live value that contradicts the centre's word may still be on its way
 * @returns `undefined` while there is nothing to say yet
 */
export function outcomeOf(
  command: Pick<CommandJson, 'state' | 'final' | 'events'>,
  sight: Sight | undefined,
  patient: boolean,
): Outcome | undefined {
  const steps = command.events.map(({ step }) => step);
  const as = sight ? ` ${sight.name} is ${sight.shows}.` : '';
  const refused = steps.findLast((step) => stepTone(step) === 'bad');
  if (refused) return { tone: 'bad', text: `${STEP_WORDS[refused]}${as}` };
  if (steps.includes('feedbackSeen')) {
    if (sight?.agrees !== false) return { tone: 'good', text: sight ? `Done:${as}` : 'Done.' };
    if (patient) return undefined;
    return { tone: 'unsure', text: `The feedback showed the ordered state, but now ${sight.name} is ${sight.shows}.` };
  }
  const missing = steps.includes('feedbackMissing');
  if (steps.includes('terminated') || (command.final && command.state === 'confirmed')) {
    if (!sight) return { tone: 'good', text: 'Done: the device reports that it was carried out.' };
    return missing
      ? { tone: 'unsure', text: `The device reports: carried out, but the feedback does not show it.${as}` }
      : undefined;
  }
  const unsure = steps.findLast((step) => stepTone(step) === 'unsure');
  return unsure && { tone: 'unsure', text: `${STEP_WORDS[unsure]}${as}` };
}
