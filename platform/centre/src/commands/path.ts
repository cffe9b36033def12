/** The check that every node on the way of a command is attested well enough, hop by hop. */
import { hopRefusal, type TrustPort } from '@enerchain/attestation';
import { type Clock, pointMatcher } from '@enerchain/model';
import type { CommandCheck } from './checks.ts';

export function pathCheck(trust: TrustPort, clock: Clock): CommandCheck {
  return {
    name: 'path',
    overridable: true,
    check({ point }) {
      if (!point) return { ok: false, text: 'The way cannot be checked without the point.' };
      const { policy } = trust;
      const at = clock.now();
      const path = trust.pathTo(point.source);
      const hops = path.map((hop) => {
        const refusal = hopRefusal(hop, policy, at);
        const text = refusal ?? `${hop.node} is attested (${hop.tier}), good for ${leftOf(hop.trustedUntil, at)}.`;
        return { node: hop.node, role: hop.role, ok: refusal === undefined, text };
      });
      const bad = hops.filter(({ ok }) => !ok);
      const essential = policy && pointMatcher(policy.essential)(point, point.endpoint);
      if (essential && (bad.length > 0 || hops.length === 0)) {
        const why = bad.map(({ text }) => text).join(' ') || `No way to ${point.source} is known.`;
        const text = `An essential function ('${essential}') stays in reach whatever is thought of the nodes. ${why}`;
        return { ok: true, text, hops };
      }
      if (hops.length === 0) return { ok: false, text: `No attested way to ${point.source} is known.`, hops };
      if (bad.length > 0) return { ok: false, text: bad.map(({ text }) => text).join(' '), hops };
      const names = hops.map(({ node }) => node).join(' → ');
      return { ok: true, text: `Every node on the way is attested: ${names}.`, hops };
    },
  };
}

const leftOf = (until: bigint | undefined, at: bigint): string =>
  `another ${until === undefined ? 0 : Math.floor(Number(until - at) / 1e9)} s`;
