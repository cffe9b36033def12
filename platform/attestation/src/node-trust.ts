/** What is known about the nodes of the system at this moment; the port on which commands, screens and receipts stand. */
import type { UtcNanos } from '@enerchain/model';
import type { TrustPolicy } from './policy.ts';
import type { Tier, Trustworthiness } from './result.ts';

/** The reaction ladder. Essential functions (protection, local control) are exempt from all of it, by policy. */
export const REACTIONS = ['none', 'observe', 'alarm', 'restrict', 'quarantine'] as const;
export type Reaction = (typeof REACTIONS)[number];

export type NodeRole = 'edge' | 'service' | 'centre' | 'network';

export interface NodeTrust {
  readonly node: string;
  readonly role: NodeRole;
  /** Undefined before the first result. */
  readonly tier: Tier | undefined;
  /** Of the newest result that counts; `none` when there is none, it has run out, or there is no policy. */
  readonly status: Trustworthiness;
  /** Good only until then; undefined when it is not good now. */
  readonly trustedUntil: UtcNanos | undefined;
  readonly reaction: Reaction;
  /** Why it is in this state, one sentence. */
  readonly reason: string;
  /** When it came into this state. */
  readonly since: UtcNanos;
  readonly neighbours: readonly NeighbourView[];
}

/** What one neighbour says of a node. */
export interface NeighbourView {
  readonly node: string;
  readonly status: Trustworthiness | 'silent';
  readonly at: UtcNanos | undefined;
}

/** Whether a node counts as good at a moment: the newest result that counts was good, and has not run out. */
export const isTrusted = (trust: NodeTrust, at: UtcNanos): boolean =>
  trust.trustedUntil !== undefined && at < trust.trustedUntil;

export interface TrustPort {
  /** What the operator asks of the nodes; without one no node is ever good. */
  readonly policy: TrustPolicy | undefined;
  all(): readonly NodeTrust[];
  get(node: string): NodeTrust | undefined;
  /** The nodes between the centre and a source, from the centre on, the source last; empty when no way is known. */
  pathTo(source: string): readonly NodeTrust[];
  onChange(listener: (changed: readonly NodeTrust[]) => void): () => void;
}

/** Trust of one observation; an attribute beside its quality, which it never changes. */
export const VALUE_TRUST = ['unknown', 'provisional', 'attested', 'distrusted'] as const;
/**
 * `attested`: a good result before it and one after it, in one boot of the source. `provisional`: a good one before it, none
 * after it yet. `distrusted`: after the last good result before a bad one. `unknown`: no policy, or no result.
 */
export type ValueTrust = (typeof VALUE_TRUST)[number];
