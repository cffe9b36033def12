/**
 * The centre's side of one command (IEC 61850-7-2 § 20.2) as a pure state machine: orders, events of the edge, feedback
 * and time go in; what to send and what to record comes out. An operate leaves it once in its life: nothing here ever
 * repeats a command.
 */
import type { CommandAction, CommandStep } from '@enerchain/model';

/** Milliseconds that each step may take. */
export interface CommandTimers {
  /** From prepare to the first order of the operator. */
  readonly prepared: number;
  /** From prepare to the approval of a second person; less than a gateway lets an approval count. */
  readonly approval: number;
  /** From the sent select to the device's answer. */
  readonly select: number;
  /** From selected to operate. */
  readonly selected: number;
  /** From the sent operate to the device's confirmation. */
  readonly operate: number;
  /** From the confirmation to the termination. */
  readonly termination: number;
  /** From the sent cancel to the device's answer. */
  readonly cancel: number;
  /** From the sent operate to the feedback point standing where it should. */
  readonly feedback: number;
}

export const COMMAND_TIMERS: CommandTimers = {
  prepared: 60_000,
  approval: 180_000,
  select: 10_000,
  selected: 30_000,
  operate: 15_000,
  termination: 15_000,
  cancel: 10_000,
  feedback: 20_000,
};

export type CommandPhase =
  | 'approving'
  | 'prepared'
  | 'selecting'
  | 'selected'
  | 'operating'
  | 'confirmed'
  | 'cancelling'
  | 'done';

export interface CommandMachine {
  readonly ctlModel: 'direct' | 'sbo';
  readonly phase: CommandPhase;
  /** Monotonic milliseconds at which the phase ends by itself; Infinity when done. */
  readonly deadline: number;
  readonly feedback: 'none' | 'expected' | 'awaited' | 'seen' | 'missing';
  readonly feedbackDeadline: number;
}

export type CommandInput =
  | { readonly kind: 'order'; readonly action: CommandAction }
  /** A second person has approved. */
  | { readonly kind: 'approved'; readonly by: string }
  /** Sending failed; `certain` when the order cannot have left the centre. */
  | { readonly kind: 'notSent'; readonly action: CommandAction; readonly reason: string; readonly certain: boolean }
  | { readonly kind: 'event'; readonly action: CommandAction; readonly step: CommandStep }
  | { readonly kind: 'feedback' }
  | { readonly kind: 'time' };

export type CommandEffect =
  | { readonly kind: 'send'; readonly action: CommandAction }
  | {
      readonly kind: 'record';
      readonly step: CommandStep;
      readonly action?: CommandAction;
      readonly reason?: string;
      readonly final?: boolean;
    }
  /** The order was not accepted; nothing changed. */
  | { readonly kind: 'refuse'; readonly text: string };

export interface Stepped {
  readonly machine: CommandMachine;
  readonly effects: readonly CommandEffect[];
}

export function newCommand(
  ctlModel: 'direct' | 'sbo',
  hasFeedback: boolean,
  now: number,
  timers: CommandTimers = COMMAND_TIMERS,
  needsApproval = false,
): CommandMachine {
  return {
    ctlModel,
    phase: needsApproval ? 'approving' : 'prepared',
    deadline: now + (needsApproval ? timers.approval : timers.prepared),
    feedback: hasFeedback ? 'expected' : 'none',
    feedbackDeadline: Number.POSITIVE_INFINITY,
  };
}

/** Nothing more will come out of it. */
export const isOver = (machine: CommandMachine): boolean => machine.phase === 'done' && machine.feedback !== 'awaited';

/** @param now monotonic milliseconds; call with `time` once `nextDeadline` is reached */
export function stepCommand(
  machine: CommandMachine,
  input: CommandInput,
  now: number,
  timers: CommandTimers = COMMAND_TIMERS,
): Stepped {
  switch (input.kind) {
    case 'order':
      return onOrder(machine, input.action, now, timers);
    case 'approved':
      if (machine.phase !== 'approving') return { machine, effects: [{ kind: 'refuse', text: NOT_ASKED }] };
      return {
        machine: { ...machine, phase: 'prepared', deadline: now + timers.prepared },
        effects: [{ kind: 'record', step: 'approved', reason: `by ${input.by}` }],
      };
    case 'notSent': {
      const { action, reason, certain } = input;
      const step = certain ? 'refusedByCentre' : 'outcomeUnknown';
      return {
        machine: finished(machine, !certain && action === 'operate'),
        effects: [{ kind: 'record', step, action, reason }],
      };
    }
    case 'event':
      return { machine: onEvent(machine, input.action, input.step, now, timers), effects: [] };
    case 'feedback':
      if (machine.feedback !== 'awaited') return { machine, effects: [] };
      return {
        machine: { ...machine, feedback: 'seen', feedbackDeadline: Number.POSITIVE_INFINITY },
        effects: [{ kind: 'record', step: 'feedbackSeen' }],
      };
    case 'time':
      return onTime(machine, now, timers);
    default:
      return input satisfies never;
  }
}

/** Monotonic milliseconds at which `time` is due. */
export const nextDeadline = (machine: CommandMachine): number => Math.min(machine.deadline, machine.feedbackDeadline);

function onOrder(machine: CommandMachine, action: CommandAction, now: number, timers: CommandTimers): Stepped {
  const { phase, ctlModel } = machine;
  const send = (next: CommandMachine): Stepped => ({
    machine: next,
    effects: [
      { kind: 'record', step: 'sent', action },
      { kind: 'send', action },
    ],
  });
  if (action === 'select' && ctlModel === 'sbo' && phase === 'prepared')
    return send({ ...machine, phase: 'selecting', deadline: now + timers.select });
  if (action === 'operate' && phase === (ctlModel === 'sbo' ? 'selected' : 'prepared'))
    return send({
      ...machine,
      phase: 'operating',
      deadline: now + timers.operate,
      ...(machine.feedback === 'expected'
        ? { feedback: 'awaited' as const, feedbackDeadline: now + timers.feedback }
        : {}),
    });
  if (action === 'cancel' && (phase === 'prepared' || phase === 'approving'))
    return {
      machine: finished(machine, false),
      effects: [{ kind: 'record', step: 'cancelled', action, reason: 'by the operator, before anything was sent' }],
    };
  if (action === 'cancel' && (phase === 'selected' || phase === 'selecting'))
    return send({ ...machine, phase: 'cancelling', deadline: now + timers.cancel });
  return { machine, effects: [{ kind: 'refuse', text: refusal(machine, action) }] };
}

const NOT_ASKED = 'This command waits for no approval.';

function refusal({ phase, ctlModel }: CommandMachine, action: CommandAction): string {
  if (phase === 'approving') return 'A second person has to approve this command first.';
  if (phase === 'done') return 'This command is over; prepare a new one.';
  if (action === 'select' && ctlModel === 'direct') return 'This point is operated directly; it knows no select.';
  if (action === 'operate' && phase === 'prepared') return 'This point has to be selected before it is operated.';
  if (action === 'operate' && phase === 'selecting') return 'The device has not confirmed the selection yet.';
  if (action === 'cancel') return 'The order is on its way to the device and cannot be taken back.';
  return `The command cannot be ${action === 'select' ? 'selected' : 'operated'} now: it is ${phase}.`;
}

function onEvent(
  machine: CommandMachine,
  action: CommandAction,
  step: CommandStep,
  now: number,
  timers: CommandTimers,
): CommandMachine {
  const { phase } = machine;
  if (phase === 'done') return machine;
  switch (step) {
    case 'selected':
      return phase === 'selecting' ? { ...machine, phase: 'selected', deadline: now + timers.selected } : machine;
    case 'confirmed':
      return phase === 'operating' && action === 'operate'
        ? { ...machine, phase: 'confirmed', deadline: now + timers.termination }
        : machine;
    case 'terminated':
      return phase === 'operating' || phase === 'confirmed' ? finished(machine, true) : machine;
    case 'outcomeUnknown':
    case 'timedOut':
      // A time-out of the device after an operate says no more than that nobody knows: the feedback stays watched.
      return finished(machine, phase === 'operating' || phase === 'confirmed');
    case 'refusedByEdge':
      // A refused cancel leaves the selection as it is; it ends by its own timer.
      return action === 'cancel' && phase === 'cancelling' ? machine : finished(machine, false);
    case 'selectRefused':
    case 'negative':
    case 'cancelled':
      return finished(machine, false);
    default:
      return machine;
  }
}

function onTime(machine: CommandMachine, now: number, timers: CommandTimers): Stepped {
  let next = machine;
  const effects: CommandEffect[] = [];
  if (now >= machine.deadline) {
    const seconds = (millis: number) => `${millis / 1000} s`;
    switch (machine.phase) {
      case 'approving':
        next = finished(machine, false);
        effects.push({
          kind: 'record',
          step: 'cancelled',
          reason: `no second person approved it within ${seconds(timers.approval)}`,
        });
        break;
      case 'prepared':
        next = finished(machine, false);
        effects.push({
          kind: 'record',
          step: 'cancelled',
          reason: `neither selected nor operated within ${seconds(timers.prepared)}`,
        });
        break;
      case 'selecting':
        next = finished(machine, false);
        effects.push({
          kind: 'record',
          step: 'timedOut',
          action: 'select',
          reason: `no answer to the selection within ${seconds(timers.select)}`,
        });
        break;
      case 'selected':
        next = finished(machine, false);
        effects.push(
          {
            kind: 'record',
            step: 'cancelled',
            action: 'cancel',
            reason: `selected, but not operated within ${seconds(timers.selected)}`,
          },
          { kind: 'send', action: 'cancel' },
        );
        break;
      case 'operating':
        next = finished(machine, true);
        effects.push({
          kind: 'record',
          step: 'outcomeUnknown',
          action: 'operate',
          reason: `no confirmation within ${seconds(timers.operate)}; the order was not repeated`,
        });
        break;
      case 'confirmed':
        next = finished(machine, true);
        effects.push({
          kind: 'record',
          step: 'confirmed',
          action: 'operate',
          reason: `the device confirmed, but reported no termination within ${seconds(timers.termination)}`,
          final: true,
        });
        break;
      case 'cancelling':
        next = finished(machine, false);
        effects.push({
          kind: 'record',
          step: 'timedOut',
          action: 'cancel',
          reason: `no answer to the cancellation within ${seconds(timers.cancel)}; the selection ends at the device by itself`,
        });
        break;
      case 'done':
        break;
      default:
        machine.phase satisfies never;
    }
  }
  if (now >= next.feedbackDeadline && next.feedback === 'awaited') {
    next = { ...next, feedback: 'missing', feedbackDeadline: Number.POSITIVE_INFINITY };
    effects.push({
      kind: 'record',
      step: 'feedbackMissing',
      reason: `the feedback did not reach the ordered state within ${timers.feedback / 1000} s`,
    });
  }
  return { machine: next, effects };
}

function finished(machine: CommandMachine, watchFeedback: boolean): CommandMachine {
  return {
    ...machine,
    phase: 'done',
    deadline: Number.POSITIVE_INFINITY,
    ...(watchFeedback ? {} : { feedback: 'none' as const, feedbackDeadline: Number.POSITIVE_INFINITY }),
  };
}
