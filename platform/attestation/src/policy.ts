/** What the operator of the system asks of its nodes; a data file, validated, part of the anchor. */
import Type from 'typebox';

export const TrustPolicy = Type.Object(
  {
    name: Type.String({ minLength: 1, maxLength: 64, description: 'name and version, for results and receipts' }),
    /** Lowest tier that may carry commands; `software` is for development and the lab. */
    commandTier: Type.Enum(['software', 'tpm'] as const),
    /** Seconds between two attestations of a neighbour. */
    period: Type.Number({ exclusiveMinimum: 0, maximum: 86_400 }),
    /** Seconds for which a good result stands. */
    validFor: Type.Number({ exclusiveMinimum: 0, maximum: 604_800 }),
    /** Neighbours that must miss a node before its silence counts. */
    silenceQuorum: Type.Integer({ minimum: 1, maximum: 16 }),
    /** Seconds of silence, seen by the quorum, after which a node is isolated. */
    isolateAfter: Type.Number({ exclusiveMinimum: 0 }),
    /** Highest step of the ladder taken by itself. */
    reaction: Type.Enum(['observe', 'alarm', 'restrict', 'quarantine'] as const),
    /** Point names (with `*`), mRIDs or `endpoint:<id>` of essential functions: no reaction ever touches them. */
    essential: Type.Array(Type.String({ maxLength: 200 }), { maxItems: 1000 }),
    /** Point names (with `*`), mRIDs or `endpoint:<id>` whose commands a second person approves. */
    secondPerson: Type.Array(Type.String({ maxLength: 200 }), { maxItems: 1000 }),
    /** Witnesses whose signatures a checkpoint needs in a receipt. */
    witnesses: Type.Integer({ minimum: 0, maximum: 64 }),
  },
  { additionalProperties: false, $id: 'TrustPolicy' },
);
export type TrustPolicy = Type.Static<typeof TrustPolicy>;

/** For development and the lab: the software attester suffices, and the screens say so. */
export const DEVELOPMENT_POLICY: TrustPolicy = {
  name: 'development-1',
  commandTier: 'software',
  period: 10,
  validFor: 30,
  silenceQuorum: 2,
  isolateAfter: 60,
  reaction: 'quarantine',
  essential: [],
  secondPerson: [],
  witnesses: 1,
};

export const PRODUCTION_POLICY: TrustPolicy = {
  ...DEVELOPMENT_POLICY,
  name: 'production-1',
  commandTier: 'tpm',
  witnesses: 2,
};
