/** Identities, enrolment and signed messages. */

export type { Signer } from '@enerchain/pki';
export * from './cbor.ts';
export * from './cose.ts';
