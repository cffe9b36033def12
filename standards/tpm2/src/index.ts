/** TPM 2.0: structures, verification in software, logs, and a client of real TPMs. */
export * from './credential/credential.ts';
export { type Refusal, Tpm2Error, type Tpm2Fault } from './error.ts';
export * from './spec/algorithms.ts';
export * from './spec/attributes.ts';
export * from './spec/handles.ts';
export * from './structures/attest.ts';
export { canHash, digest } from './structures/hash.ts';
export * from './structures/pcr.ts';
export * from './structures/public.ts';
export * from './structures/scheme.ts';
export * from './structures/signature.ts';
export type { AttestationInput, Earlier, Problem, ProblemCode, Verdict } from './verify/attestation.ts';
export * from './verify/certify.ts';
export * from './verify/quote.ts';
export { readAll, TpmReader } from './wire/reader.ts';
export { TpmWriter, writeAll } from './wire/writer.ts';
