/** Whether commands may go over a node: what the centre asks of each hop, and a gateway by its own view. */
import { toIso, type UtcNanos } from '@enerchain/model';
import { isTrusted, type NodeTrust } from './node-trust.ts';
import type { TrustPolicy } from './policy.ts';

/** @returns why no command may go over this node at this moment, one sentence; undefined when one may */
export function hopRefusal(hop: NodeTrust, policy: TrustPolicy | undefined, at: UtcNanos): string | undefined {
  const { node, reaction, reason, tier, status, trustedUntil } = hop;
  if (!policy) return `${node} cannot be good: there is no policy that says what good is.`;
  if (reaction === 'quarantine') return `${node} is in quarantine: ${reason}.`;
  if (reaction === 'restrict') return `${node} is restricted to the monitoring direction: ${reason}.`;
  if (tier === undefined) return `${node} is not attested: ${reason}.`;
  if (!isTrusted(hop, at)) {
    if (trustedUntil !== undefined) return `The last good result about ${node} ran out at ${toIso(trustedUntil)}.`;
    return `${node} is not trusted (${status}): ${reason}.`;
  }
  if (policy.commandTier === 'tpm' && tier !== 'tpm') {
    return `${node} is attested by software only; the policy ${policy.name} asks for a TPM where commands go.`;
  }
  return undefined;
}
