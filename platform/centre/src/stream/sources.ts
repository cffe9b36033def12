/** The state of a source as the API and the stream show it. */
import { toIso } from '@enerchain/model';
import Type from 'typebox';
import type { SourceStatus } from '../ports.ts';

const Counters = Type.Record(Type.String(), Type.Number());

export const SourceStatusJson = Type.Object(
  {
    source: Type.String(),
    role: Type.Enum(['edge', 'service'] as const),
    connected: Type.Boolean(),
    since: Type.String({ format: 'date-time' }),
    epoch: Type.Integer(),
    sequence: Type.Integer(),
    batches: Type.Integer(),
    observations: Type.Integer(),
    rejected: Type.Integer(),
    gaps: Type.Integer(),
    chainBreaks: Type.Integer(),
    report: Type.Optional(
      Type.Object({
        version: Type.String(),
        startedAt: Type.String(),
        outbox: Type.Optional(
          Type.Object({ batches: Type.Integer(), bytes: Type.Integer(), oldest: Type.Optional(Type.String()) }),
        ),
        endpoints: Type.Array(
          Type.Object({
            id: Type.String(),
            protocol: Type.String(),
            state: Type.Enum(['up', 'down', 'connecting', 'disabled'] as const),
            since: Type.Optional(Type.String()),
            detail: Type.Optional(Type.String()),
            counters: Counters,
          }),
        ),
        counters: Counters,
      }),
    ),
  },
  { $id: 'SourceStatus' },
);
export type SourceStatusJson = Type.Static<typeof SourceStatusJson>;

export function sourceStatusJson(status: SourceStatus): SourceStatusJson {
  return { ...status, since: toIso(status.since) } as SourceStatusJson;
}
