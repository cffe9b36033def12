/** What the journal makes of the log: rows with one number each, which are also the messages of the stream. */
import type { Mrid, UtcNanos } from '@enerchain/model';
import Type from 'typebox';
import type { AlarmJson } from '../alarms/book.ts';
import type { CommandJson } from '../commands/view.ts';
import type { AuditRecord } from '../ports.ts';

export const EVENT_KINDS = ['stateChange', 'gap', 'source', 'command', 'alarm', 'audit'] as const;
export type EventKind = (typeof EVENT_KINDS)[number];

const DateTime = Type.String({ format: 'date-time' });

/** One line of the sequence of events. */
export const EventJson = Type.Object(
  {
    id: Type.Integer({ description: 'number in the journal; grows with the log, not with the source time' }),
    at: Type.String({ format: 'date-time', description: 'source time' }),
    kind: Type.Enum(EVENT_KINDS),
    point: Type.Optional(Type.String()),
    source: Type.Optional(Type.String()),
    text: Type.String({ description: 'one sentence' }),
    value: Type.Optional(Type.Union([Type.Number(), Type.String(), Type.Null()])),
    quality: Type.Optional(Type.Integer({ description: 'quality bits' })),
    offset: Type.Integer({ description: 'record of the ingest log it comes from' }),
  },
  { $id: 'Event' },
);
export type EventJson = Type.Static<typeof EventJson>;

/** A gap record with times as ISO 8601. */
export const GapJson = Type.Object(
  {
    id: Type.Integer(),
    offset: Type.Integer(),
    source: Type.String(),
    at: DateTime,
    reason: Type.String(),
    text: Type.String({ description: 'what the reason means' }),
    endpoint: Type.Optional(Type.String()),
    from: DateTime,
    to: DateTime,
    lost: Type.Optional(Type.Integer()),
    batches: Type.Optional(
      Type.Object({
        epoch: Type.Integer(),
        first: Type.Integer(),
        last: Type.Integer(),
        lastHash: Type.String(),
      }),
    ),
    detail: Type.Optional(Type.String()),
  },
  { $id: 'Gap' },
);
export type GapJson = Type.Static<typeof GapJson>;

/** Names of the messages of the stream that carry a number. */
export type JournalStream = 'event' | 'alarm' | 'command' | 'gap' | 'grid';

/** One row of the journal. */
export interface JournalRow {
  readonly id: number;
  readonly offset: number;
  readonly stream: JournalStream;
  /** Of rows of the stream `event`. */
  readonly kind?: EventKind;
  /** Source time; of a gap its beginning. */
  readonly at: UtcNanos;
  /** End of a gap. */
  readonly until?: UtcNanos;
  readonly point?: Mrid | undefined;
  readonly source?: string | undefined;
  /** The JSON that is sent. */
  readonly body: string;
}

/** What one record of the log amounts to. */
export interface Derived {
  readonly rows: readonly JournalRow[];
  /** Alarms in their state after the record. */
  readonly alarms: readonly AlarmJson[];
  readonly commands: readonly { readonly view: CommandJson; readonly createdId: number }[];
  readonly audit?: AuditRecord;
}

/** Rows that one record can have; the number of a row is `offset · ROWS_PER_RECORD + n`. */
export const ROWS_PER_RECORD = 2 ** 20;

export const offsetOfId = (id: number): number => Math.floor(id / ROWS_PER_RECORD);
