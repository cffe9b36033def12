/** The steps of a command in sentences. */
import type { CommandStep } from '@enerchain/model';

export const STEP_WORDS: Readonly<Record<CommandStep, string>> = {
  prepared: 'Prepared and checked by the centre.',
  approvalPending: 'Prepared and checked. A second person has to approve it.',
  approved: 'Approved',
  refusedByCentre: 'Refused by the centre.',
  sent: 'Signed and sent to the gateway.',
  received: 'The gateway has it; signature and age are good.',
  refusedByEdge: 'Refused by the gateway.',
  selected: 'The device is selected and waits for operate.',
  selectRefused: 'The device refused the selection.',
  operateSent: 'Operate was sent to the device.',
  confirmed: 'The device has confirmed the order.',
  terminated: 'The device reports: carried out.',
  negative: 'The device answered with a refusal.',
  cancelled: 'Cancelled.',
  timedOut: 'No answer came in time. Nothing was repeated.',
  outcomeUnknown: 'The outcome is unknown: the order may or may not have been carried out. Look at the feedback.',
  feedbackSeen: 'The feedback shows the ordered state.',
  feedbackMissing: 'The feedback does not show the ordered state.',
};

/** How a step stands: what went well, what went wrong, what is on its way. */
export function stepTone(step: CommandStep): 'good' | 'bad' | 'unsure' | 'under way' {
  switch (step) {
    case 'terminated':
    case 'feedbackSeen':
      return 'good';
    case 'refusedByCentre':
    case 'refusedByEdge':
    case 'selectRefused':
    case 'negative':
      return 'bad';
    case 'timedOut':
    case 'outcomeUnknown':
    case 'feedbackMissing':
    case 'cancelled':
      return 'unsure';
    default:
      return 'under way';
  }
}

export type Phase = 'choose' | 'approving' | 'prepared' | 'selecting' | 'selected' | 'operating' | 'done';

/** Which of the explicit steps comes next, from what has happened so far. */
export function phaseOf(command: {
  state: CommandStep;
  final: boolean;
  events: readonly { step: CommandStep }[];
}): Phase {
  const steps = new Set(command.events.map(({ step }) => step).concat(command.state));
  if (command.final) return 'done';
  if (steps.has('feedbackSeen') || steps.has('feedbackMissing')) return 'done';
  if (steps.has('operateSent') || steps.has('confirmed')) return 'operating';
  if (command.state === 'selected') return 'selected';
  if (command.state === 'approvalPending') return 'approving';
  if (command.state === 'prepared' || command.state === 'approved') return 'prepared';
  return steps.has('selected') ? 'operating' : 'selecting';
}

/** The checks that break-glass passes over. */
const OVERRIDABLE: ReadonlySet<string> = new Set(['path', 'secondPerson']);

/**
 * Whether somebody alone may want to pass over path and second person: nothing else speaks against the order, and it waits
 * for another person, or was refused for them here or by the gateway.
 */
export function mayBreakGlass(command: {
  readonly state: CommandStep;
  readonly checks: readonly { readonly name: string; readonly ok: boolean }[];
  readonly breakGlass?: unknown;
}): boolean {
  if (command.breakGlass) return false;
  const failed = command.checks.filter(({ ok }) => !ok);
  if (command.state === 'refusedByCentre')
    return failed.length > 0 && failed.every(({ name }) => OVERRIDABLE.has(name));
  return command.state === 'approvalPending' || command.state === 'refusedByEdge';
}
