/**
 * The command procedures of IEC 60870-5-101 § 7.4.8 from the controlling station, as a table of what each answer
 * means at each step. No time, no I/O. Nothing is ever repeated: a step that is not answered ends the procedure.
 */
import { COT, causeText } from '../spec/causes.ts';

export type CommandMode = 'direct' | 'select-before-operate' | 'select' | 'execute' | 'deactivate';

/** What is awaited: an answer to the named frame, or the activation termination after the execution was confirmed. */
export type CommandStep = 'select' | 'execute' | 'deactivate' | 'termination';

export type CommandOutcome =
  /** Confirmed; `terminated` when the station has also reported the end of the execution. */
  | { readonly kind: 'confirmed'; readonly terminated: boolean }
  /** Refused: P/N set in the confirmation, or one of the causes 44 to 47. */
  | { readonly kind: 'negative'; readonly step: CommandStep; readonly cause: number; readonly text: string }
  /** No answer in time. After `execute` the station may have executed all the same. */
  | { readonly kind: 'timeout'; readonly step: CommandStep; readonly text: string }
  /** The connection was lost while an answer was awaited: whether the command was executed cannot be known from here. */
  | { readonly kind: 'unknown'; readonly step: CommandStep; readonly reason: string };

export type CommandProgress =
  | { readonly send: 'execute' }
  | { readonly wait: 'termination' }
  | CommandOutcome
  | undefined;

export function firstStep(mode: CommandMode): 'select' | 'execute' | 'deactivate' {
  if (mode === 'select' || mode === 'select-before-operate') return 'select';
  return mode === 'deactivate' ? 'deactivate' : 'execute';
}

/** What an answer means; undefined when it is none to this step. */
export function onCommandReply(
  mode: CommandMode,
  step: CommandStep,
  reply: { readonly cause: number; readonly negative: boolean },
  awaitTermination: boolean,
): CommandProgress {
  const { cause, negative } = reply;
  const refused = (): CommandOutcome => ({
    kind: 'negative',
    step,
    cause,
    text:
      cause >= COT.unknownType
        ? `${step} refused: ${causeText(cause)}`
        : `${step} refused: negative ${causeText(cause)}`,
  });
  if (cause >= COT.unknownType && cause <= COT.unknownObjectAddress) return refused();
  switch (step) {
    case 'select':
      if (cause !== COT.activationConfirmation) return undefined;
      if (negative) return refused();
      return mode === 'select' ? { kind: 'confirmed', terminated: false } : { send: 'execute' };
    case 'execute':
      if (cause !== COT.activationConfirmation) return undefined;
      if (negative) return refused();
      return awaitTermination ? { wait: 'termination' } : { kind: 'confirmed', terminated: false };
    case 'termination':
      if (cause !== COT.activationTermination) return undefined;
      return negative ? refused() : { kind: 'confirmed', terminated: true };
    case 'deactivate':
      if (cause !== COT.deactivationConfirmation) return undefined;
      return negative ? refused() : { kind: 'confirmed', terminated: false };
  }
}

/** The outcome when the time for a step is over. Many stations never send a termination: that is no failure. */
export function onCommandTimeout(step: CommandStep, seconds: number): CommandOutcome {
  if (step === 'termination') return { kind: 'confirmed', terminated: false };
  const after = step === 'execute' ? '; the station may have executed it all the same' : '; nothing was executed';
  return { kind: 'timeout', step, text: `No confirmation of ${step} within ${seconds} s${after}` };
}

/** The outcome when the connection ends before the answer. */
export function onCommandLost(step: CommandStep, reason: string): CommandOutcome {
  const what = {
    select: 'waiting for the confirmation of select; nothing was executed',
    execute: 'waiting for the confirmation of execute; the outcome is unknown',
    deactivate: 'waiting for the confirmation of deactivation; the outcome is unknown',
    termination: 'waiting for the termination of the execution; its start was confirmed, its end is unknown',
  }[step];
  return { kind: 'unknown', step, reason: `${reason}, ${what}` };
}
