/** Remote attestation in the roles of RFC 9334. */

export { CLAIM_VALUE } from './appraisal/claim.ts';
export { AIK_USAGE } from './appraisal/tpm.ts';
export * from './attester.ts';
export * from './command-path.ts';
export * from './ear.ts';
export * from './evidence.ts';
export * from './measure/index.ts';
export * from './node-trust.ts';
export * from './policy.ts';
export * from './policy-file.ts';
export * from './process-attester.ts';
export * from './reference/authority-keys.ts';
export * from './reference/corim.ts';
export * from './reference/folder.ts';
export * from './reference/installation.ts';
export * from './reference/values.ts';
export * from './result.ts';
export * from './software-attester.ts';
export * from './timeline.ts';
export * from './timeliness.ts';
export * from './tpm-attester.ts';
export * from './verifier.ts';
export * from './watch.ts';
