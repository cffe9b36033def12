/** DER, X.509 certificates and requests, signers. README.md shows how they go together. */
export * from './algorithm.ts';
export * from './certificate.ts';
export * from './der-reader.ts';
export * from './der-tags.ts';
export * as der from './der-writer.ts';
export * from './error.ts';
export * from './extension.ts';
export * from './file-key.ts';
export * from './name.ts';
export * from './oid.ts';
export * from './passphrase.ts';
export * from './request.ts';
export * from './signed.ts';
export * from './signer.ts';
