/** Which policy is in force: one of the two that come along, or a file of the operator's own. */
import { readFileSync } from 'node:fs';
import { EnerchainError, validator } from '@enerchain/model';
import { DEVELOPMENT_POLICY, PRODUCTION_POLICY, TrustPolicy } from './policy.ts';

const policies = validator(TrustPolicy, 'caller');

/**
 * @param which `development`, `production`, or the path of a JSON file
 * @throws EnerchainError `attestation.policy` (fault caller) when the file cannot be read or is no policy
 */
export function trustPolicy(which: string): TrustPolicy {
  if (which === 'development') return DEVELOPMENT_POLICY;
  if (which === 'production') return PRODUCTION_POLICY;
  let content: unknown;
  try {
    content = JSON.parse(readFileSync(which, 'utf8'));
  } catch (cause) {
    throw new EnerchainError('caller', 'attestation.policy', `the trust policy ${which} cannot be read as JSON`, {
      cause,
    });
  }
  return policies.parse(content, `the trust policy ${which}`);
}
