/** What a source says about itself and its devices; chained like observations. */
import Type from 'typebox';

export const SOURCE_EVENT_KINDS = [
  'started',
  'stopped',
  'uncleanRestart',
  'endpointUp',
  'endpointDown',
  'interrogationComplete',
  'clockStep',
  'security',
  'configuration',
  'fileFetched',
] as const;

export const SourceEvent = Type.Object(
  {
    kind: Type.Enum(SOURCE_EVENT_KINDS),
    at: Type.String({ pattern: '^\\d{1,19}$', description: 'nanoseconds since the Unix epoch, as a decimal string' }),
    endpoint: Type.Optional(Type.String({ maxLength: 100 })),
    /** For `security`: the name in the IEC 62351 event catalogue. */
    code: Type.Optional(Type.String({ maxLength: 100 })),
    detail: Type.Optional(Type.String({ maxLength: 1000 })),
  },
  { additionalProperties: false, $id: 'SourceEvent' },
);
export type SourceEvent = Type.Static<typeof SourceEvent>;
