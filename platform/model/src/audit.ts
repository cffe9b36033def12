/** What the centre itself does or finds; travels and is kept in the same chained, append-only way as observations. */
import Type from 'typebox';

export const AuditRecord = Type.Object(
  {
    /** Dotted name: `login`, `command.operate`, `alarm.acknowledge`, `ingest.chain-break`, `user.create` … */
    action: Type.String({ pattern: '^[A-Za-z0-9-]+(\\.[A-Za-z0-9-]+)*$', maxLength: 100 }),
    /** Account or source that acted; `centre` for the centre itself. */
    actor: Type.String({ minLength: 1, maxLength: 200 }),
    outcome: Type.Enum(['ok', 'refused', 'failed'] as const),
    subject: Type.Optional(Type.String({ maxLength: 500 })),
    /** Anything JSON can say; no secrets. */
    detail: Type.Optional(Type.Record(Type.String(), Type.Unknown())),
  },
  { additionalProperties: false, $id: 'AuditRecord' },
);
export type AuditRecord = Readonly<Type.Static<typeof AuditRecord>>;
