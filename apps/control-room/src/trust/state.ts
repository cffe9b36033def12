/**
 * The state of a node as the screens show it: one of a few words with a sign of its own, made of what the centre says and
 * of the clock. Freshness is part of it: what was good until a moment ago is not good. Pure.
 */
import type { LinkTrust, NodeTrustJson, TrustPolicyJson, ValueTrust } from '../api/trust.ts';

/**
 * `attested`: fresh and good, with a key in a chip. `software`: fresh and good as far as software can tell, which is less.
 * `warned`: a result with a finding. `ranOut`: it was good, and no newer result has come. `unknown`: nobody can say.
 */
export type NodeState = 'quarantined' | 'failed' | 'ranOut' | 'unknown' | 'warned' | 'software' | 'attested';

/** The worst first; also the order of the lists. */
export const STATES: readonly NodeState[] = [
  'quarantined',
  'failed',
  'ranOut',
  'unknown',
  'warned',
  'software',
  'attested',
];

/** Milliseconds until a node's good result runs out; below zero: it has; undefined when it is not good. */
export function trustLeft(node: Pick<NodeTrustJson, 'trustedUntil'>, now: Date): number | undefined {
  return node.trustedUntil ? Date.parse(node.trustedUntil) - now.getTime() : undefined;
}

export function stateOf(
  node: Pick<NodeTrustJson, 'status' | 'reaction' | 'tier' | 'trustedUntil' | 'fresh'>,
  now: Date,
): NodeState {
  if (node.reaction === 'quarantine') return 'quarantined';
  if (node.status === 'contraindicated') return 'failed';
  const left = trustLeft(node, now);
  if (left !== undefined && left <= 0) return 'ranOut';
  if (node.status === 'none') return 'unknown';
  // A result that stands and does not count as good.
  if (left === undefined) return 'warned';
  if (node.tier === 'software') return 'software';
  return node.status === 'affirming' ? 'attested' : 'warned';
}

/** Whether its result counts as good at this moment. */
export const isGood = (node: Parameters<typeof stateOf>[0], now: Date): boolean =>
  (trustLeft(node, now) ?? 0) > 0 && !isBadState(stateOf(node, now));
/** What asks for somebody: a node that failed, or of which nothing is known any more. */
export const isBadState = (state: NodeState): boolean => state === 'quarantined' || state === 'failed';

export interface TrustCount {
  readonly all: number;
  /** Fresh and good, in either tier. */
  readonly good: number;
  /** Of these, by software alone. */
  readonly software: number;
  readonly bad: number;
  /** Neither good nor bad: unknown, run out, warned. */
  readonly open: number;
}

export function countTrust(nodes: readonly NodeTrustJson[], now: Date): TrustCount {
  const states = nodes.map((node) => stateOf(node, now));
  const good = nodes.filter((node) => isGood(node, now)).length;
  const bad = states.filter(isBadState).length;
  return {
    all: nodes.length,
    good,
    software: states.filter((state) => state === 'software').length,
    bad,
    open: nodes.length - good - bad,
  };
}

const collator = new Intl.Collator('en', { numeric: true });
export const byName = (a: string, b: string): number => collator.compare(a, b);

/** What needs attention first; equals by name. */
export function byAttention(nodes: readonly NodeTrustJson[], now: Date): NodeTrustJson[] {
  return nodes
    .map((node) => ({ node, rank: STATES.indexOf(stateOf(node, now)) }))
    .sort((a, b) => rankOf(a) - rankOf(b) || byName(a.node.node, b.node.node))
    .map(({ node }) => node);
}
/** Good nodes stay in the order of their names, whatever their tier: nothing is wrong with them. */
const rankOf = ({ node, rank }: { node: NodeTrustJson; rank: number }): number =>
  (node.release ? -1 : 0) + Math.min(rank, STATES.indexOf('software'));

/**
 * How much of its time a good result has left, 0 … 1, and whether a round was missed: a fresh result is due every period,
 * so that a bar which falls below the mark says that one did not come.
 */
export function freshness(
  node: Pick<NodeTrustJson, 'trustedUntil'>,
  policy: Pick<TrustPolicyJson, 'period' | 'validFor'> | null | undefined,
  now: Date,
): { readonly share: number; readonly late: boolean } | undefined {
  const left = trustLeft(node, now);
  if (left === undefined || !policy) return undefined;
  const seconds = Math.max(0, left / 1000);
  return {
    share: Math.min(1, seconds / policy.validFor),
    // A period of grace: what neighbours find comes to the centre by way of others.
    late: policy.validFor - seconds > 2 * policy.period,
  };
}

/** Whether a node may carry commands under the policy, and the sentence when it may not. */
export function commandHindrance(
  node: NodeTrustJson,
  policy: Pick<TrustPolicyJson, 'commandTier'> | null | undefined,
  now: Date,
): string | undefined {
  if (!policy) return 'There is no policy: no command is allowed through it.';
  if (node.reaction === 'restrict' || node.reaction === 'quarantine') return 'Commands through it are stopped.';
  if (!isGood(node, now)) return 'It has no fresh good result: commands through it are refused.';
  if (policy.commandTier === 'tpm' && node.tier !== 'tpm')
    return 'The policy asks for a TPM: commands through it are refused.';
  return undefined;
}

const LINK_RANK: readonly LinkTrust[] = ['failing', 'silent', 'unknown', 'attested'];
export const worseLink = (a: LinkTrust, b: LinkTrust): LinkTrust =>
  LINK_RANK.indexOf(a) <= LINK_RANK.indexOf(b) ? a : b;

/**
 * Trust of a value on the screen: its own, or `distrusted` when its gateway has failed since. A value that stands for the
 * present rests on the gateway of the present, even if it came while all was well.
 */
export function shownTrust(own: ValueTrust | undefined, node: NodeState | undefined): ValueTrust | undefined {
  return node !== undefined && isBadState(node) ? 'distrusted' : own;
}
