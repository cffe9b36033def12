/** What the files that a grid came from say of themselves (IEC 61970-552, model header). */
import Type from 'typebox';

const text = Type.Optional(Type.String({ maxLength: 2_000 }));
const identifiers = Type.Array(Type.String({ maxLength: 500 }), { maxItems: 1_000 });

/** Texts and identifiers as the file has them; CGMES 2.4.15 leaves the time zone out. */
export const ModelHeader = Type.Object(
  {
    id: Type.String({ minLength: 1, maxLength: 500 }),
    kind: Type.Enum(['full', 'difference'] as const),
    profiles: identifiers,
    created: text,
    scenarioTime: text,
    version: text,
    modelingAuthoritySet: text,
    description: text,
    dependentOn: identifiers,
    supersedes: identifiers,
  },
  { additionalProperties: false, description: 'md:FullModel or dm:DifferenceModel' },
);
export type ModelHeader = Type.Static<typeof ModelHeader>;
