/** What a source says about its own state every few seconds; not chained, only shown. */
import Type from 'typebox';

const Counters = Type.Record(Type.String({ maxLength: 100 }), Type.Number());
const Nanos = Type.String({
  pattern: '^\\d{1,19}$',
  description: 'nanoseconds since the Unix epoch, as a decimal string',
});

export const EndpointReport = Type.Object(
  {
    id: Type.String({ maxLength: 100 }),
    protocol: Type.String({ maxLength: 40 }),
    state: Type.Enum(['up', 'down', 'connecting', 'disabled'] as const),
    since: Type.Optional(Nanos),
    detail: Type.Optional(Type.String({ maxLength: 1000 })),
    counters: Counters,
  },
  { additionalProperties: false },
);
export type EndpointReport = Type.Static<typeof EndpointReport>;

export const SourceReport = Type.Object(
  {
    /** Version of the software. */
    version: Type.String({ maxLength: 100 }),
    startedAt: Nanos,
    /** What waits for acknowledgement. */
    outbox: Type.Optional(
      Type.Object(
        {
          batches: Type.Integer({ minimum: 0 }),
          bytes: Type.Integer({ minimum: 0 }),
          oldest: Type.Optional(Nanos),
        },
        { additionalProperties: false },
      ),
    ),
    endpoints: Type.Array(EndpointReport, { maxItems: 10_000 }),
    counters: Counters,
  },
  { additionalProperties: false, $id: 'SourceReport' },
);
export type SourceReport = Type.Static<typeof SourceReport>;
