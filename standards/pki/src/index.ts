/** DER, X.509 certificates and requests, signers. */
export * from './error.ts';
export * from './signer.ts';
