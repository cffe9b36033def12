/** Identities, enrolment and signed messages. */
export type { Signer } from '@enerchain/pki';
export * from './approval.ts';
export * from './cbor.ts';
export * from './command-guard.ts';
export * from './command-session.ts';
export * from './cose.ts';
export * from './development-ca.ts';
export * from './enrolment-client.ts';
export * from './enrolment-server.ts';
export * from './identity.ts';
export * from './operator-keys.ts';
export * from './renewal.ts';
export * from './role.ts';
export * from './token.ts';
export * from './webauthn.ts';
