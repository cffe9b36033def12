/** A command as people and JSON see it: a fold over the audit records and command events of the log. */
import {
  BreakGlass,
  type CommandAction,
  CommandAction as CommandActionSchema,
  type CommandStep,
  CommandStep as CommandStepSchema,
  FINAL_STEPS,
  Mrid,
  toIso,
  type UtcNanos,
} from '@enerchain/model';
import Type from 'typebox';

const DateTime = Type.String({ format: 'date-time' });

export const CommandCheckJson = Type.Object({
  name: Type.String(),
  ok: Type.Boolean(),
  text: Type.String({ description: 'one sentence' }),
  overridden: Type.Optional(Type.Boolean({ description: 'refused, and passed over by break-glass' })),
  hops: Type.Optional(
    Type.Array(Type.Object({ node: Type.String(), role: Type.String(), ok: Type.Boolean(), text: Type.String() }), {
      description: 'the nodes on the way, from the centre on',
    }),
  ),
});
export type CommandCheckJson = Type.Static<typeof CommandCheckJson>;

export const CommandEventJson = Type.Object({
  step: CommandStepSchema,
  action: Type.Optional(CommandActionSchema),
  at: DateTime,
  reason: Type.Optional(Type.String()),
});

export const CommandJson = Type.Object(
  {
    id: Mrid,
    point: Mrid,
    value: Type.Number(),
    ctlModel: Type.Enum(['direct', 'sbo'] as const),
    target: Type.String({ description: 'the source that carries it out' }),
    by: Type.String(),
    test: Type.Boolean(),
    approval: Type.Optional(
      Type.Object({ by: Type.Optional(Type.String({ description: 'absent until somebody has approved' })) }),
    ),
    breakGlass: Type.Optional(BreakGlass),
    state: CommandStepSchema,
    final: Type.Boolean({ description: 'nothing more will be sent; feedback may still follow' }),
    checks: Type.Array(CommandCheckJson),
    expiresAt: DateTime,
    events: Type.Array(CommandEventJson),
  },
  { $id: 'CommandState' },
);
export type CommandJson = Type.Static<typeof CommandJson>;

/** One step of one command. */
export interface StepRecord {
  readonly step: CommandStep;
  readonly action?: CommandAction | undefined;
  readonly at: UtcNanos;
  readonly reason?: string | undefined;
  /** Ends a command by a step that is not final by itself (`confirmed` by a device that reports no termination). */
  readonly final?: boolean | undefined;
  /** Of `approved`: who, and until when the command can be operated. */
  readonly by?: string | undefined;
  readonly expiresAt?: string | undefined;
}

/** More steps than any command has; a source that sends more is not believed. */
const MAX_STEPS = 64;

export function withStep(view: CommandJson, record: StepRecord): CommandJson {
  if (view.events.length >= MAX_STEPS) return view;
  const { step, action, at, reason } = record;
  return {
    ...view,
    ...(step === 'approved' && record.by !== undefined ? { approval: { by: record.by } } : {}),
    ...(record.expiresAt === undefined ? {} : { expiresAt: record.expiresAt }),
    state: step,
    final: view.final || FINAL_STEPS.has(step) || record.final === true || doneBySight(view, step),
    events: [...view.events, { step, at: toIso(at), ...(action ? { action } : {}), ...(reason ? { reason } : {}) }],
  };
}

/** The device has confirmed and the feedback stands: whichever of the two comes second ends the command. */
function doneBySight({ events }: CommandJson, step: CommandStep): boolean {
  const other = step === 'feedbackSeen' ? 'confirmed' : step === 'confirmed' ? 'feedbackSeen' : undefined;
  return other !== undefined && events.some((event) => event.step === other);
}

/** How a step reads in the list of events. */
export const STEP_WORDS: Readonly<Record<CommandStep, string>> = {
  prepared: 'prepared',
  approvalPending: 'prepared; waits for the approval of a second person',
  approved: 'approved by a second person',
  refusedByCentre: 'refused by the centre',
  sent: 'sent to the gateway',
  received: 'received by the gateway',
  refusedByEdge: 'refused by the gateway',
  selected: 'selected by the device',
  selectRefused: 'selection refused by the device',
  operateSent: 'sent to the device',
  confirmed: 'confirmed by the device',
  terminated: 'carried out',
  negative: 'refused by the device',
  cancelled: 'cancelled',
  timedOut: 'timed out',
  outcomeUnknown: 'outcome unknown: it may or may not have been carried out, look at the feedback',
  feedbackSeen: 'feedback seen',
  feedbackMissing: 'feedback did not come',
};
