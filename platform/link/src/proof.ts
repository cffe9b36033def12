/** Proof of one point's column: shows what a source signed about one point without showing the others. */
import type { KeyObject } from 'node:crypto';
import { EnerchainError, type Mrid } from '@enerchain/model';
import { coseCheck1, coseParse1 } from '@enerchain/trust';
import { ColumnArena } from './arena.ts';
import { BATCH_TYPE, type Batch, type BatchHeader, columnIndex, decodeHeader } from './batch.ts';
import { baseTimeOf, readColumn } from './column.ts';
import type { Column } from './content.ts';
import { leafHash, leafHashes, leafSalts, merkleProof, rootFromProof, SALT_BYTES, saltAt } from './merkle.ts';

export interface ColumnProof {
  /** COSE_Sign1 over the batch header. */
  readonly signed: Uint8Array;
  /** Position of the column among the leaves. */
  readonly index: number;
  /** Salt of this leaf alone. */
  readonly salt: Uint8Array;
  /** The column as sent. */
  readonly column: Uint8Array;
  /** Sibling hashes from the leaf to the root. */
  readonly path: readonly Uint8Array[];
}

/** @throws EnerchainError `link.proof.point` (fault caller) when the batch says nothing about the point */
export function columnProof(batch: Batch, point: Mrid): ColumnProof {
  const index = batch.header.kind === 'observations' ? columnIndex(batch, point) : -1;
  if (index < 0) {
    const { source, epoch, sequence } = batch.header;
    throw new EnerchainError(
      'caller',
      'link.proof.point',
      `batch ${epoch}/${sequence} of ${source} says nothing of ${point}`,
    );
  }
  return columnProofAt(batch, index);
}

/** Proof of one column of any batch. @throws EnerchainError `link.proof.index` (fault caller) when there is no such column */
export function columnProofAt(batch: Batch, index: number): ColumnProof {
  const path = merkleProof(leafHashes(batch.columns, batch.salt), index);
  const salt = saltAt(leafSalts(batch.salt, batch.columns.length), index);
  const column = batch.columns[index]!;
  return { signed: batch.signed, index, salt, column, path };
}

/**
 * @param key public key of the source
 * @returns the header of the batch and the column
 * @throws EnerchainError (fault peer) `cose.signature`, `link.proof.path` or what a malformed column throws
 */
export function verifyColumnProof(proof: ColumnProof, key: KeyObject): { header: BatchHeader; column: Column } {
  const message = coseParse1(proof.signed);
  coseCheck1(message, key, BATCH_TYPE);
  const header = decodeHeader(message.payload);
  if (header.kind !== 'observations' || !isColumnOf(header, proof)) throw noPath();
  return { header, column: observationsOfColumn(header, proof.column) };
}

/** Whether a column stands where the proof says in the batch of this header; whoever signed it. */
export function isColumnOf(header: BatchHeader, proof: Omit<ColumnProof, 'signed'>): boolean {
  if (proof.salt.length !== SALT_BYTES) return false;
  const root = rootFromProof(leafHash(proof.salt, proof.column), proof.index, header.columns, proof.path);
  return root !== undefined && Buffer.compare(root, header.root) === 0;
}

/** Decodes one column of a batch of observations. @throws EnerchainError (fault peer) when it is malformed */
export const observationsOfColumn = (header: BatchHeader, column: Uint8Array): Column =>
  readColumn(column, baseTimeOf(header.baseTime), new ColumnArena(column.length));

const noPath = () =>
  new EnerchainError('peer', 'link.proof.path', 'the column is not part of the batch that was signed');
