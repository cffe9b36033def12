/**
 * Whether evidence that somebody else was shown is of the time at which he says that he saw it. Whoever asks himself knows by
 * his nonce that an answer is fresh, whatever clocks say. Whoever is shown evidence later has the time in it, which its proof
 * covers, and the word of who shows it. An honest node shows nobody what does not fit together; so who does is caught.
 */
import { toIso, type UtcNanos } from '@enerchain/model';
import { appraisalOf, type TrustPolicy } from './policy.ts';

const SECOND = 1_000_000_000;

/**
 * @param made the time in the evidence, by the clock of its node
 * @param seen the time of the result that is shown with it, by the clock of its verifier
 * @returns what does not fit, the end of a sentence; undefined when it does
 */
export function untimely(made: UtcNanos, seen: UtcNanos, policy: TrustPolicy): string | undefined {
  const { clockTolerance } = appraisalOf(policy);
  const age = Number(seen - made) / SECOND;
  if (Math.abs(age) <= clockTolerance) return undefined;
  const apart = `${Math.round(Math.abs(age))} s`;
  return age > 0
    ? `was made at ${toIso(made)}, ${apart} before it is said to have been seen`
    : `was made at ${toIso(made)}, ${apart} after it is said to have been seen`;
}
