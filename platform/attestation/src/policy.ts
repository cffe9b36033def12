/** What the operator of the system asks of its nodes; a data file, validated, part of the anchor. */
import { type Static, Type } from 'typebox';

/** How evidence is judged; what is left out is as in `APPRAISAL`. */
export const Appraisal = Type.Object(
  {
    /** Whether code that no manifest names condemns a node, or is only a warning (which is not good either). */
    unknownFiles: Type.Enum(['contraindicated', 'warning'] as const),
    /**
     * Development only: the configuration of a node that is seen for the first time is taken as the right one, and what
     * differs from it later is found. Otherwise each configuration needs a manifest of its own.
     */
    firstConfiguration: Type.Boolean(),
    /** PCRs of the boot that a quote must cover, beside that of the measurement list. */
    bootPcrs: Type.Array(Type.Integer({ minimum: 0, maximum: 23 }), { maxItems: 24 }),
    /**
     * `reference`: each of them needs a golden value, from a manifest. `unjudged`: they are quoted and not judged; then no
     * node is affirmed. `whereKnown`: the one where manifests have golden values for the node, else the other.
     */
    boot: Type.Enum(['reference', 'whereKnown', 'unjudged'] as const),
    /** PCR of the measurement list, in the SHA-256 bank. */
    listPcr: Type.Integer({ minimum: 0, maximum: 23 }),
    /**
     * What is asked of the measurement list of the Linux kernel (IMA), whose PCR 10 must then be quoted. `replay`: it must
     * lead to that PCR. `reference`: each file in it must also be known, as `ima:<path>` in a manifest.
     */
    ima: Type.Enum(['off', 'replay', 'reference'] as const),
    /** A TPM whose clock is not safe was not shut down in order: a warning, or nothing. */
    unsafeClock: Type.Enum(['warning', 'allowed'] as const),
    /**
     * Seconds by which the time in evidence and that of a result may differ before it is taken for old evidence when it
     * comes by way of a neighbour: what the clocks of two nodes are apart, and what a slow TPM takes.
     */
    clockTolerance: Type.Number({ exclusiveMinimum: 0, maximum: 86_400 }),
  },
  { additionalProperties: false },
);
export type Appraisal = Static<typeof Appraisal>;

/**
 * Why PCR 13: PCRs 16 and 23 can be reset by any software at any time, so a list in them could be replaced by a clean one;
 * 0–7 belong to the firmware, 8, 9 and 14 to boot loaders and shim, 10 to IMA, 11, 12 and 15 to systemd. 13 is what
 * systemd-stub measures extension images into, which a gateway does not have: it is zero after boot, and cannot go back.
 */
export const APPRAISAL: Appraisal = {
  unknownFiles: 'contraindicated',
  firstConfiguration: false,
  bootPcrs: [0, 1, 2, 3, 4, 5, 6, 7],
  boot: 'reference',
  listPcr: 13,
  ima: 'off',
  unsafeClock: 'warning',
  clockTolerance: 60,
};

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
    /**
     * What a node shows when its certificate is renewed. `good`, where nothing is said: no certificate without good evidence, so
     * that whoever is not good any more is out within the life of a certificate. `shown`: whoever has attested before must show
     * evidence, and when it is not good, the certificate says so. `nothing`: nobody has to.
     */
    renewal: Type.Optional(Type.Enum(['good', 'shown', 'nothing'] as const)),
    /** How evidence is judged, where it differs from `APPRAISAL`. */
    appraisal: Type.Optional(Type.Partial(Appraisal)),
  },
  { additionalProperties: false, $id: 'TrustPolicy' },
);
export type TrustPolicy = Static<typeof TrustPolicy>;

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
  renewal: 'shown',
  appraisal: { firstConfiguration: true, boot: 'whereKnown', unsafeClock: 'allowed' },
};

export const PRODUCTION_POLICY: TrustPolicy = {
  ...DEVELOPMENT_POLICY,
  name: 'production-1',
  commandTier: 'tpm',
  witnesses: 2,
  renewal: 'good',
  appraisal: {},
};

export const appraisalOf = ({ appraisal }: TrustPolicy): Appraisal => ({ ...APPRAISAL, ...appraisal });
