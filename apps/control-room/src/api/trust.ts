/** The part of the API about trust: nodes and their results, certificates, where a value comes from, receipts. */
import { API, ApiError, call, query } from './client.ts';

export type Tier = 'tpm' | 'software';
export type Trustworthiness = 'none' | 'affirming' | 'warning' | 'contraindicated';
export type Reaction = 'none' | 'observe' | 'alarm' | 'restrict' | 'quarantine';
export type NodeRole = 'edge' | 'service' | 'centre' | 'network';
export type KeyOrigin = 'file' | 'hsm' | 'tpm';
/** Trust of one observation, beside its quality. */
export type ValueTrust = 'unknown' | 'provisional' | 'attested' | 'distrusted';

export interface NeighbourJson {
  readonly node: string;
  readonly status: Trustworthiness | 'silent';
  readonly at?: string | null;
}

export interface NodeTrustJson {
  readonly node: string;
  readonly role: NodeRole;
  /** Absent before the first result. */
  readonly tier?: Tier | null;
  readonly status: Trustworthiness;
  /** Good only until then; absent when it is not good now. */
  readonly trustedUntil?: string | null;
  readonly reaction: Reaction;
  /** Why it is in this state, one sentence. */
  readonly reason: string;
  readonly since: string;
  readonly neighbours: readonly NeighbourJson[];
  readonly keyOrigin?: KeyOrigin | null;
  readonly fresh: boolean;
  /** A release that one person has asked for and another one has to approve. */
  readonly release?: ReleaseJson | null;
}

export interface ReleaseJson {
  readonly id: string;
  readonly requestedBy: string;
  readonly reason: string;
  readonly at: string;
}

export type LinkTrust = 'attested' | 'failing' | 'silent' | 'unknown';
export interface TrustLinkJson {
  readonly a: string;
  readonly b: string;
  readonly state: LinkTrust;
  readonly at?: string | null;
}

export interface TrustPolicyJson {
  readonly name: string;
  readonly commandTier: Tier;
  /** Seconds between two attestations of a neighbour. */
  readonly period: number;
  /** Seconds for which a good result stands. */
  readonly validFor: number;
  readonly secondPerson: readonly string[];
}

export interface TrustJson {
  readonly policy: TrustPolicyJson | null;
  readonly nodes: readonly NodeTrustJson[];
  readonly links: readonly TrustLinkJson[];
}

export interface ResultJson {
  readonly verifier: string;
  readonly status: Trustworthiness;
  readonly tier: Tier;
  /** Claims of AR4SI § 2.3.4, −128 … 127. */
  readonly vector: Readonly<Record<string, number>>;
  readonly reasons: readonly string[];
  readonly issuedAt: string;
  readonly validUntil: string;
  readonly policy: string;
}

export interface TrustChangeJson {
  readonly at: string;
  readonly status: Trustworthiness;
  readonly reaction: Reaction;
  readonly reason: string;
}

export interface MeasurementJson {
  readonly name: string;
  readonly digest: string;
  readonly expected?: readonly string[];
  readonly ok: boolean;
}

export interface NodeDetailJson extends NodeTrustJson {
  readonly results: readonly ResultJson[];
  readonly history: readonly TrustChangeJson[];
  readonly measurements: readonly MeasurementJson[];
}

export interface CertificateJson {
  readonly name: string;
  readonly role: string;
  readonly fingerprint: string;
  readonly notBefore: string;
  readonly notAfter: string;
  readonly keyOrigin: KeyOrigin | null;
  readonly revoked: boolean;
  readonly use: 'identity' | 'attestation' | 'connections' | 'log' | 'authority';
}

export type StepKind = 'device' | 'gateway' | 'software' | 'neighbours' | 'signature' | 'log' | 'witnesses' | 'receipt';
export type StepState = 'ok' | 'weak' | 'bad' | 'missing';
export interface ProvenanceStep {
  readonly kind: StepKind;
  readonly title: string;
  readonly text: string;
  readonly state: StepState;
  /** The finding's name, as `enerchain verify` says it. */
  readonly code?: string;
  readonly at?: string | null;
  readonly details?: Readonly<Record<string, unknown>>;
}
export interface ProvenanceJson {
  readonly point: string;
  readonly value: number | string | null;
  readonly sourceTime: string;
  readonly receiveTime: string;
  readonly trust: ValueTrust;
  readonly tier: Tier | null;
  /** Whether every link holds. */
  readonly holds?: boolean;
  readonly steps: readonly ProvenanceStep[];
}

const of = (node: string) => `/trust/nodes/${encodeURIComponent(node)}`;

/** `{items: […]}` or the bare list: the list. */
const list = <T>(answer: readonly T[] | { readonly items: readonly T[] }): readonly T[] =>
  'items' in answer ? answer.items : answer;

/** A file of the centre as it is, for the person's disk. @throws ApiError with the centre's sentence */
async function file(path: string): Promise<Blob> {
  const response = await fetch(`${API}${path}`, { credentials: 'same-origin' }).catch(() => {
    throw new ApiError(0, 'The centre does not answer.');
  });
  if (response.ok) return response.blob();
  const problem = (await response.json().catch(() => ({}))) as { title?: string; detail?: string };
  throw new ApiError(response.status, problem.detail ?? problem.title ?? `The centre answered ${response.status}.`);
}

export const trustApi = {
  all: () => call<TrustJson>('GET', '/trust'),
  node: (node: string) => call<NodeDetailJson>('GET', of(node)),
  quarantine: (node: string, reason: string) => call<unknown>('POST', `${of(node)}/quarantine`, { reason }),
  release: (node: string, reason: string) => call<{ id: string }>('POST', `${of(node)}/release`, { reason }),
  approve: (id: string) => call<unknown>('POST', `/trust/releases/${encodeURIComponent(id)}/approve`, {}),
  certificates: async () =>
    list(await call<CertificateJson[] | { items: CertificateJson[] }>('GET', '/trust/certificates')),
  provenance: (point: string, at?: string) =>
    call<ProvenanceJson>('GET', `/points/${point}/provenance${query({ at })}`),
  receipt: (point: string, at?: string) => file(`/points/${point}/receipt${query({ at })}`),
  anchor: () => file('/trust/anchor'),
};
