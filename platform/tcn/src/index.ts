/** Trusted Core Network: neighbours that attest each other, locally, and spread what they have found with its evidence. */
export * from './tap/charra.ts';
export * from './tap/elements.ts';
export * from './tap/native.ts';
export * from './tap/request.ts';
