/** Trusted Core Network: neighbours that attest each other, locally, and spread what they have found with its evidence. */
export * from './channel.ts';
export * from './engine/assess.ts';
export * from './engine/cycle.ts';
export * from './engine/limits.ts';
export * from './engine/neighbour.ts';
export * from './engine/node.ts';
export * from './engine/ports.ts';
export * from './engine/standing.ts';
export * from './keys.ts';
export * from './message.ts';
export * from './report.ts';
export * from './statement.ts';
export * from './tap/charra.ts';
export * from './tap/elements.ts';
export * from './tap/native.ts';
export * from './tap/request.ts';
export * from './transport/memory.ts';
