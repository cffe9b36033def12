/** Transparency log, receipts, and their verification. README.md states the formats byte by byte. */
export * from './log/checkpoint.ts';
export * from './log/monitor.ts';
export { keyIdOf } from './log/note.ts';
export * from './log/transparency-log.ts';
export * from './log/witness.ts';
export * from './log/witness-file.ts';
export * from './log/witness-rpc.ts';
export * from './receipt/anchor.ts';
export { isNeighbour } from './receipt/bracket.ts';
export * from './receipt/build.ts';
export * from './receipt/finding.ts';
export * from './receipt/format.ts';
export { ReceiptVerifier, verifyReceipt } from './receipt/verify.ts';
export { EMPTY_ROOT, leafHashOf, UNREADABLE_LEAF } from './tree/hash.ts';
export { FileMedium, MemoryMedium, type TreeMedium } from './tree/medium.ts';
export { isConsistent, rootFromInclusion } from './tree/proof.ts';
export { MerkleTree } from './tree/tree.ts';
