/** Makes receipts out of what a centre has kept. What it makes is checked like any other before it is given out. */
import { type Batch, columnIndex, columnProofAt, readSiteColumn } from '@enerchain/link';
import { EnerchainError, type Mrid } from '@enerchain/model';
import { parseCertificate, thumbprint } from '@enerchain/pki';
import { coseParse1, decodeCbor } from '@enerchain/trust';
import { parseCheckpoint } from '../log/checkpoint.ts';
import { keyIdOf } from '../log/note.ts';
import { same } from '../tree/hash.ts';
import { encodeEntry, encodeReceipt } from './format.ts';

/** A record of the log with its batch. */
export interface LoggedBatch {
  /** Place in the log. */
  readonly index: number;
  readonly batch: Batch;
  /** Headers of the batches behind it up to the signed one, when it has no signature of its own. */
  readonly covering?: readonly Uint8Array[];
}

export interface ReceiptParts {
  readonly point: Mrid;
  readonly value: LoggedBatch;
  /** Which of the observations of the point in the batch. */
  readonly observation: number;
  /** Source time of that observation. */
  readonly sourceTime: bigint;
  /** The site document in force, as its source announced it. */
  readonly site: LoggedBatch | undefined;
  /** Results of attestation about the source, in order. */
  readonly attestation: readonly LoggedBatch[];
  readonly neighbours: readonly LoggedBatch[];
  /** Checkpoint with cosignatures; covers all of these records. */
  readonly note: string;
}

export interface ReceiptSources {
  /** Inclusion proof of a record in the tree of the checkpoint. */
  inclusion(index: number, size: number): readonly Uint8Array[];
  /** Certificate (DER) by its thumbprint. */
  certificateOf(kid: Uint8Array): Uint8Array | undefined;
  /** Present certificate of a witness. */
  certificateOfWitness(name: string): Uint8Array | undefined;
}

/**
 * @returns the receipt as it goes into a file
 * @throws EnerchainError `provenance.receipt.certificate` (environment) when the certificate of a signer is not known any
 *   more, `link.proof.point` (caller) when the batch says nothing of the point
 */
export function buildReceipt(parts: ReceiptParts, sources: ReceiptSources): Uint8Array {
  const { point, value, site, note } = parts;
  const { checkpoint, cosignatures } = parseCheckpoint(note);
  const certificates = new Map<string, Uint8Array>();
  const signer = (kid: Uint8Array) => {
    const key = Buffer.from(kid).toString('hex');
    if (certificates.has(key)) return;
    const der = sources.certificateOf(kid);
    if (!der) {
      const text = `the certificate ${key.slice(0, 16)}… that signed a part of the receipt is not kept here`;
      throw new EnerchainError('environment', 'provenance.receipt.certificate', text);
    }
    certificates.set(key, der);
  };
  const entry = ({ index, batch, covering = [] }: LoggedBatch, column: number): Uint8Array => {
    signer(coseParse1(covering.at(-1) ?? batch.signed).kid);
    const path = sources.inclusion(index, checkpoint.size);
    return encodeEntry({ index, path, proof: columnProofAt(batch, column), covering });
  };
  const result = (record: LoggedBatch): Uint8Array => {
    const { result: bytes } = decodeCbor(record.batch.columns[0]!) as { result: Uint8Array };
    signer(coseParse1(bytes).kid);
    return entry(record, 0);
  };
  const column = columnIndex(value.batch, point);
  const receipt = {
    about: { point, sourceTime: parts.sourceTime, index: parts.observation },
    note,
    value: entry(value, column),
    site: site ? siteEntries(site.batch, point).map((at) => entry(site, at)) : [],
    attestation: parts.attestation.map(result),
    neighbours: parts.neighbours.map(result),
  };
  for (const { witness, keyId } of cosignatures) {
    const der = sources.certificateOfWitness(witness);
    if (!der) continue;
    const { publicKey } = parseCertificate(der);
    const shown = [...certificates.values()].some((each) => same(keyIdOf(parseCertificate(each).publicKey), keyId));
    if (same(keyIdOf(publicKey), keyId) && !shown) certificates.set(Buffer.from(thumbprint(der)).toString('hex'), der);
  }
  return encodeReceipt({ ...receipt, certificates: [...certificates.values()] });
}

/** Columns of a site document that speak of a point: its own, and those of its devices. */
function siteEntries(batch: Batch, point: Mrid): number[] {
  const columns = batch.columns.map((column) => readSiteColumn(column));
  const own = columns.findIndex((column) => {
    if (column.kind === 'document') return true;
    return column.kind === 'points' && column.points.some(({ mRID }) => mRID === point);
  });
  const found = columns[own];
  if (found?.kind !== 'points') return own < 0 ? [] : [own];
  const devices = new Set(found.bindings.filter((each) => each.point === point).map(({ endpoint }) => endpoint));
  const described = columns.flatMap((column, index) =>
    column.kind === 'endpoint' && devices.has(column.endpoint.id) ? [index] : [],
  );
  return [own, ...described];
}
