/**
 * The receipt as octets: one CBOR array in the deterministic encoding of this platform, whose parts are byte strings that
 * can be checked one by one. README.md states it for those who read it with a program of their own.
 */
import type { ColumnProof } from '@enerchain/link';
import { EnerchainError, type Mrid, type UtcNanos, uuidFromBytes, uuidToBytes } from '@enerchain/model';
import { CBOR_MAJOR, CborReader, CborWriter } from '@enerchain/trust';
import { HASH_BYTES } from '../tree/hash.ts';

export const RECEIPT_FORMAT = 'enerchain-receipt/1';

/** A column of a batch with its place in the log. */
export interface Entry {
  /** Record of the log. */
  readonly index: number;
  /** Inclusion proof of the record in the tree of the receipt's checkpoint. */
  readonly path: readonly Uint8Array[];
  /** The column, and its proof in the batch; `signed` is what the leaf of the log is made of. */
  readonly proof: ColumnProof;
  /** The headers behind it up to the signed one, when the batch has no signature of its own. */
  readonly covering: readonly Uint8Array[];
}

export interface Receipt {
  readonly about: {
    readonly point: Mrid;
    readonly sourceTime: UtcNanos;
    /** Which of the observations of the column. */
    readonly index: number;
  };
  /** Checkpoint with cosignatures. */
  readonly note: string;
  /** Entry with the value. */
  readonly value: Uint8Array;
  /** Entries with the columns of the site document that bind the point and describe its devices. */
  readonly site: readonly Uint8Array[];
  /** DER; of everybody who signed something in here, and nobody else. */
  readonly certificates: readonly Uint8Array[];
  /** Entries with results of attestation about the source, from the last before the value to the first behind it. */
  readonly attestation: readonly Uint8Array[];
  /** Entries with results of neighbours about the source. */
  readonly neighbours: readonly Uint8Array[];
}

/** Largest receipt that is read, octets. */
export const MAX_RECEIPT_BYTES = 4 * 1024 * 1024;
const MOST = { path: 64, covering: 4096, site: 8, certificates: 64, attestation: 64, neighbours: 16 } as const;

const refuse = (text: string) => new EnerchainError('peer', 'provenance.receipt', `receipt: ${text}`);

function writeList(writer: CborWriter, items: readonly Uint8Array[]): void {
  writer.head(CBOR_MAJOR.array, items.length);
  for (const item of items) writer.bytes(item);
}

function readList(reader: CborReader, what: keyof typeof MOST, length?: number): Uint8Array[] {
  const count = reader.array(what);
  if (count > MOST[what]) throw refuse(`${count} items of ${what}, at most ${MOST[what]} are read`);
  const items: Uint8Array[] = [];
  for (let i = 0; i < count; i++) items.push(reader.bytes(what, length));
  return items;
}

export function encodeEntry({ index, path, proof, covering }: Entry): Uint8Array {
  const writer = new CborWriter(proof.column.length + 2048);
  writer.head(CBOR_MAJOR.array, 8);
  writer.int(index);
  writeList(writer, path);
  writer.bytes(proof.signed);
  writeList(writer, covering);
  writer.int(proof.index);
  writer.bytes(proof.salt);
  writeList(writer, proof.path);
  writer.bytes(proof.column);
  return writer.finish();
}

/** @throws EnerchainError `cbor.malformed` or `provenance.receipt` (fault peer) */
export function decodeEntry(bytes: Uint8Array): Entry {
  const reader = new CborReader(bytes);
  reader.array('entry', 8);
  const index = reader.uint('place in the log');
  const path = readList(reader, 'path', HASH_BYTES);
  const signed = reader.bytes('signed header');
  const covering = readList(reader, 'covering');
  const column = reader.uint('place in the batch');
  const salt = reader.bytes('salt', 16);
  const columnPath = readList(reader, 'path', HASH_BYTES);
  const proof = { signed, index: column, salt, path: columnPath, column: reader.bytes('column') };
  reader.end();
  return { index, path, proof, covering };
}

export function encodeReceipt(receipt: Receipt): Uint8Array {
  const { about, note, value, site, certificates, attestation, neighbours } = receipt;
  const writer = new CborWriter(16 * 1024);
  writer.head(CBOR_MAJOR.array, 8);
  writer.text(RECEIPT_FORMAT);
  writer.head(CBOR_MAJOR.array, 3);
  writer.bytes(uuidToBytes(about.point));
  writer.value(about.sourceTime);
  writer.int(about.index);
  writer.text(note);
  writer.bytes(value);
  for (const list of [site, certificates, attestation, neighbours]) writeList(writer, list);
  return writer.finish();
}

/**
 * Takes a receipt apart; nothing is checked yet. Parts are views into `bytes`.
 * @throws EnerchainError `cbor.malformed` or `provenance.receipt` (fault peer)
 */
export function decodeReceipt(bytes: Uint8Array): Receipt {
  if (bytes.length > MAX_RECEIPT_BYTES) throw refuse(`${bytes.length} octets, at most ${MAX_RECEIPT_BYTES} are read`);
  const reader = new CborReader(bytes);
  reader.array('receipt', 8);
  const format = reader.text('format', 100);
  if (format !== RECEIPT_FORMAT) throw refuse(`the format '${format}' is not known here`);
  reader.array('what it is about', 3);
  const about = {
    point: uuidFromBytes(reader.bytes('point', 16)),
    sourceTime: reader.int64('source time'),
    index: reader.uint('index'),
  };
  const note = reader.text('checkpoint', 65_536);
  const value = reader.bytes('value');
  const site = readList(reader, 'site');
  const certificates = readList(reader, 'certificates');
  const attestation = readList(reader, 'attestation');
  const neighbours = readList(reader, 'neighbours');
  reader.end();
  return { about, note, value, site, certificates, attestation, neighbours };
}
