/** An alarm condition as whoever sees it raises it (IEC 62682 / ISA-18.2 words); its life afterwards is the centre's. */
import Type from 'typebox';
import { Mrid } from './identity.ts';

export const RaisedAlarm = Type.Object(
  {
    /** Stable key of the condition: raising it again while it stands changes its text, not its number. */
    key: Type.String({ minLength: 1, maxLength: 200 }),
    /** 1 is the highest. */
    priority: Type.Union([Type.Literal(1), Type.Literal(2), Type.Literal(3), Type.Literal(4)]),
    /** One sentence: what, where, since when, what it means. */
    message: Type.String({ minLength: 1, maxLength: 1000 }),
    point: Type.Optional(Mrid),
    source: Type.Optional(Type.String({ maxLength: 100 })),
    /** False when the condition has gone (return to normal). */
    active: Type.Boolean(),
    at: Type.String({ pattern: '^\\d{1,19}$', description: 'nanoseconds since the Unix epoch, as a decimal string' }),
    consequence: Type.Optional(Type.String({ maxLength: 1000, description: 'what happens if nobody acts' })),
    action: Type.Optional(Type.String({ maxLength: 1000, description: 'what the operator can do' })),
  },
  { additionalProperties: false, $id: 'RaisedAlarm' },
);
export type RaisedAlarm = Readonly<Type.Static<typeof RaisedAlarm>>;
