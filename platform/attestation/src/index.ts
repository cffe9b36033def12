/** Remote attestation in the roles of RFC 9334. */
export * from './attester.ts';
export * from './node-trust.ts';
export * from './policy.ts';
export * from './result.ts';
