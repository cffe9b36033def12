/** A gap record: the chained, signed statement that something is missing, and why. */
import Type from 'typebox';

export const GAP_REASONS = {
  outboxOverflow: 'the outbox reached its bound in size or age and dropped its oldest batches',
  outboxFailure: 'the outbox could not be written (disk full or broken) and observations could not be kept',
  uncleanRestart:
    'the edge stopped without closing; values between the last commit and the next interrogation are unknown',
  deviceAway: 'the device was not reachable',
  deviceOverflow: 'the device reported that its own event buffer overflowed',
  connectorOverflow: 'observations arrived faster than the outbox could take them',
  ingestLost: 'the centre found sequence numbers missing or a broken chain',
  ingestRetention: 'the ingest log dropped records before a consumer had read them',
} as const;
export type GapReason = keyof typeof GAP_REASONS;

const Nanos = Type.String({
  pattern: '^-?\\d{1,19}$',
  description: 'nanoseconds since the Unix epoch, as a decimal string',
});

export const GapRecord = Type.Object(
  {
    reason: Type.Enum(Object.keys(GAP_REASONS) as [GapReason, ...GapReason[]]),
    source: Type.Optional(
      Type.String({ maxLength: 100, description: 'in records that the centre makes: the source concerned' }),
    ),
    endpoint: Type.Optional(Type.String({ description: 'the device concerned; absent when the whole source is' })),
    from: Nanos,
    to: Nanos,
    /** Number of observations known to be lost; absent when it cannot be known. */
    lost: Type.Optional(Type.Integer({ minimum: 0 })),
    /** For dropped batches: their epoch, first and last sequence, and the hash (hex) of the last dropped batch. */
    batches: Type.Optional(
      Type.Object({
        epoch: Type.Integer(),
        first: Type.Integer(),
        last: Type.Integer(),
        lastHash: Type.String({ pattern: '^[0-9a-f]{64}$' }),
      }),
    ),
    detail: Type.Optional(Type.String({ maxLength: 1000 })),
  },
  { additionalProperties: false, $id: 'GapRecord' },
);
export type GapRecord = Type.Static<typeof GapRecord>;
