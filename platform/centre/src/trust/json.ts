/** The state of trust as the API and the stream show it. */
import type { AttestationResult, NodeTrust } from '@enerchain/attestation';
import { toIso, type UtcNanos } from '@enerchain/model';
import Type from 'typebox';
import type { TrustKeeper } from './keeper.ts';
import type { TrustChange } from './node-state.ts';
import type { LinkState } from './ways.ts';

const DateTime = Type.String({ description: 'ISO 8601' });
const Tier = Type.Enum(['tpm', 'software'] as const);
const Status = Type.Enum(['none', 'affirming', 'warning', 'contraindicated'] as const);
const Reaction = Type.Enum(['none', 'observe', 'alarm', 'restrict', 'quarantine'] as const);
const Nullable = <T extends Parameters<typeof Type.Union>[0][number]>(schema: T) => Type.Union([schema, Type.Null()]);

const ReleaseJson = Type.Object({
  id: Type.String(),
  requestedBy: Type.String(),
  reason: Type.String(),
  at: DateTime,
});

export const NodeTrustJson = Type.Object(
  {
    node: Type.String(),
    role: Type.Enum(['edge', 'service', 'centre', 'network'] as const),
    tier: Nullable(Tier),
    status: Status,
    trustedUntil: Nullable(DateTime),
    reaction: Reaction,
    reason: Type.String({ description: 'one sentence' }),
    since: DateTime,
    neighbours: Type.Array(
      Type.Object({
        node: Type.String(),
        status: Type.Enum(['none', 'affirming', 'warning', 'contraindicated', 'silent'] as const),
        at: Nullable(DateTime),
      }),
    ),
    keyOrigin: Nullable(Type.Enum(['file', 'hsm', 'tpm'] as const)),
    fresh: Type.Boolean({ description: 'good, and not run out' }),
    release: Type.Optional(ReleaseJson),
  },
  { $id: 'NodeTrust' },
);
export type NodeTrustJson = Type.Static<typeof NodeTrustJson>;

export const TrustJson = Type.Object(
  {
    policy: Nullable(
      Type.Object({
        name: Type.String(),
        commandTier: Tier,
        period: Type.Number({ description: 'seconds between two attestations' }),
        validFor: Type.Number({ description: 'seconds for which a good result stands' }),
        secondPerson: Type.Array(Type.String()),
      }),
    ),
    nodes: Type.Array(NodeTrustJson),
    links: Type.Array(
      Type.Object({
        a: Type.String(),
        b: Type.String(),
        state: Type.Enum(['attested', 'failing', 'silent', 'unknown'] as const),
        at: Type.Optional(DateTime),
      }),
    ),
  },
  { $id: 'Trust' },
);
export type TrustJson = Type.Static<typeof TrustJson>;

const ResultJson = Type.Object({
  verifier: Type.String(),
  status: Status,
  tier: Tier,
  vector: Type.Record(Type.String(), Type.Integer(), { description: 'claims of AR4SI § 2.3.4' }),
  reasons: Type.Array(Type.String()),
  issuedAt: DateTime,
  validUntil: DateTime,
  policy: Type.String(),
});

export const NodeDetailJson = Type.Object(
  {
    ...NodeTrustJson.properties,
    results: Type.Array(ResultJson, { description: 'newest first' }),
    history: Type.Array(Type.Object({ at: DateTime, status: Status, reaction: Reaction, reason: Type.String() })),
    measurements: Type.Array(
      Type.Object({
        name: Type.String(),
        digest: Type.String(),
        expected: Type.Optional(Type.Array(Type.String())),
        ok: Type.Boolean(),
      }),
      { description: 'what deviates first' },
    ),
  },
  { $id: 'NodeDetail' },
);
export type NodeDetailJson = Type.Static<typeof NodeDetailJson>;

const iso = (at: UtcNanos | undefined): string | null => (at === undefined ? null : toIso(at));

export function nodeJson(
  keeper: Pick<TrustKeeper, 'state' | 'certifiedOriginOf'>,
  trust: NodeTrust,
  now: UtcNanos,
): NodeTrustJson {
  const state = keeper.state(trust.node);
  const { release, keyOrigin } = state ?? {};
  const fresh = trust.trustedUntil !== undefined && now < trust.trustedUntil;
  return {
    node: trust.node,
    role: trust.role,
    tier: trust.tier ?? null,
    status: trust.status,
    trustedUntil: iso(trust.trustedUntil),
    reaction: trust.reaction,
    reason: trust.reason,
    since: toIso(trust.since),
    neighbours: trust.neighbours.map(({ node, status, at }) => ({ node, status, at: iso(at) })),
    keyOrigin: keyOrigin ?? keeper.certifiedOriginOf(trust.node) ?? null,
    fresh,
    ...(release
      ? { release: { id: release.id, requestedBy: release.requestedBy, reason: release.reason, at: toIso(release.at) } }
      : {}),
  };
}

export function trustJson(keeper: TrustKeeper, now: UtcNanos): TrustJson {
  const { policy } = keeper;
  return {
    policy: policy
      ? {
          name: policy.name,
          commandTier: policy.commandTier,
          period: policy.period,
          validFor: policy.validFor,
          secondPerson: [...policy.secondPerson],
        }
      : null,
    nodes: keeper.all().map((trust) => nodeJson(keeper, trust, now)),
    links: keeper.links().map(linkJson),
  };
}

const linkJson = ({ a, b, state, at }: LinkState) => ({ a, b, state, ...(at === undefined ? {} : { at: toIso(at) }) });

export function detailJson(keeper: TrustKeeper, trust: NodeTrust, now: UtcNanos): NodeDetailJson {
  const state = keeper.state(trust.node);
  return {
    ...nodeJson(keeper, trust, now),
    results: (state?.results ?? []).map(resultJson),
    history: (state?.history ?? []).map(changeJson),
    measurements: keeper.measurements(trust.node).map(({ name, digest, ok, expected }) => ({
      name,
      digest,
      ok,
      ...(expected ? { expected: [...expected] } : {}),
    })),
  };
}

function resultJson({ verifier, status, tier, vector, reasons, issuedAt, validUntil, policy }: AttestationResult) {
  return {
    verifier,
    status,
    tier,
    vector: { ...vector } as Record<string, number>,
    reasons: [...reasons],
    issuedAt: toIso(issuedAt),
    validUntil: toIso(validUntil),
    policy,
  };
}

const changeJson = ({ at, status, reaction, reason }: TrustChange) => ({ at: toIso(at), status, reaction, reason });
