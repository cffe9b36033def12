/** Commands and what became of them (IEC 61850-7-2 § 20, IEC 60870-5-101 § 7.3.2). */
import Type from 'typebox';
import { Mrid } from './identity.ts';

export const CommandAction = Type.Enum(['select', 'operate', 'cancel'] as const);
export type CommandAction = Type.Static<typeof CommandAction>;

/** IEC 61850-7-3 originator category. */
export const OrCat = Type.Enum([
  'bayControl',
  'stationControl',
  'remoteControl',
  'automaticBay',
  'automaticStation',
  'automaticRemote',
  'maintenance',
  'process',
] as const);

const Base64Url = (maximum: number) =>
  Type.String({ pattern: '^[A-Za-z0-9_-]+$', maxLength: maximum, description: 'octets in base64url (RFC 4648 § 5)' });

/** What a second person's authenticator signed over a command (WebAuthn Level 2 § 5.2.2); see `approvalChallenge`. */
export const CommandApproval = Type.Object(
  {
    /** The challenge of the edge that stood when the approval was asked for: the approval is no older than it. */
    session: Type.String({ pattern: '^[0-9a-f]{32}$' }),
    /** Credential identifier. */
    credential: Base64Url(1400),
    authenticatorData: Base64Url(1400),
    clientData: Base64Url(2800),
    signature: Base64Url(200),
  },
  { additionalProperties: false, $id: 'CommandApproval' },
);
export type CommandApproval = Readonly<Type.Static<typeof CommandApproval>>;

/** The path or the second person is passed over, for a reason that somebody will read. */
export const BreakGlass = Type.Object(
  { reason: Type.String({ minLength: 10, maxLength: 300, pattern: '\\S.*\\S' }) },
  { additionalProperties: false },
);
export type BreakGlass = Type.Static<typeof BreakGlass>;

const order = {
  id: Mrid,
  point: Mrid,
  action: CommandAction,
  value: Type.Number(),
  /** Milliseconds after its signing in which the edge may carry it out; see `Command.elapsed` for how it knows. */
  validFor: Type.Integer({ minimum: 1, maximum: 120_000 }),
  /** When the centre signed it, for the record; nanoseconds since the Unix epoch as a decimal string. */
  issuedAt: Type.String({ pattern: '^\\d{1,19}$' }),
  origin: Type.Object({ orCat: OrCat, orIdent: Type.String({ maxLength: 64 }) }),
  test: Type.Optional(Type.Boolean()),
  /** The source (edge) that is to carry it out. */
  target: Type.String({ minLength: 1, maxLength: 100 }),
  approvals: Type.Optional(Type.Array(CommandApproval, { minItems: 1, maxItems: 2 })),
  breakGlass: Type.Optional(BreakGlass),
};

/** What an edge is to do. Select and operate of one command share `id`; `action` tells them apart. */
export const CommandOrder = Type.Object(order, { additionalProperties: false, $id: 'CommandOrder' });
export type CommandOrder = Type.Static<typeof CommandOrder>;

/** One signed order of the centre to an edge: the order, and what makes it the answer to a challenge of that edge. */
export const Command = Type.Object(
  {
    ...order,
    /** The newest challenge that the centre has of the edge, 16 octets in hex. */
    session: Type.String({ pattern: '^[0-9a-f]{32}$' }),
    /** Milliseconds from the receipt of that challenge to the signing, on the centre's monotonic clock. */
    elapsed: Type.Integer({ minimum: 0, maximum: 3_600_000 }),
    /** Grows with every command that answers the same challenge. */
    counter: Type.Integer({ minimum: 1, maximum: 0xffff_ffff }),
  },
  { additionalProperties: false, $id: 'Command' },
);
export type Command = Type.Static<typeof Command>;

/**
 * The steps of a command in the order in which they can happen. `prepared` to `sent` are the centre's (one that needs a
 * second person begins with `approvalPending`), the others the
 * edge's. `outcomeUnknown` means: the order may or may not have been carried out; look at the feedback.
 */
export const COMMAND_STEPS = [
  'prepared',
  'approvalPending',
  'approved',
  'refusedByCentre',
  'sent',
  'received',
  'refusedByEdge',
  'selected',
  'selectRefused',
  'operateSent',
  'confirmed',
  'terminated',
  'negative',
  'cancelled',
  'timedOut',
  'outcomeUnknown',
  'feedbackSeen',
  'feedbackMissing',
] as const;
export const CommandStep = Type.Enum(COMMAND_STEPS);
export type CommandStep = Type.Static<typeof CommandStep>;

/** Steps after which nothing more happens to a command, but for its feedback. */
export const FINAL_STEPS: ReadonlySet<CommandStep> = new Set([
  'refusedByCentre',
  'refusedByEdge',
  'selectRefused',
  'terminated',
  'negative',
  'cancelled',
  'timedOut',
  'outcomeUnknown',
]);

export const CommandEvent = Type.Object(
  {
    command: Mrid,
    point: Mrid,
    action: CommandAction,
    step: CommandStep,
    at: Type.String({ pattern: '^\\d{1,19}$', description: 'nanoseconds since the Unix epoch, as a decimal string' }),
    /** The protocol's own reason: `COT 47 unknown information object address`, an AddCause, a policy's name. */
    reason: Type.Optional(Type.String({ maxLength: 500 })),
  },
  { additionalProperties: false, $id: 'CommandEvent' },
);
export type CommandEvent = Type.Static<typeof CommandEvent>;
