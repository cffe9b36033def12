/**
 * The measurement list: what was loaded, in order, and only ever longer. Each record is hashed into the head as a PCR is
 * extended (TPM 2.0 part 1 § 17.2: new = H(old ‖ digest)), so a TPM can vouch for the same head with a register of its own.
 */
import { hash } from 'node:crypto';
import { EnerchainError } from '@enerchain/model';
import { CBOR_MAJOR, CborReader, CborWriter } from '@enerchain/trust';

/** One measured thing. */
export interface Component {
  /**
   * `runtime:node`, `config:…`, `outside:<absolute path>`, or the path relative to the installation, with `/`. Names that
   * begin with `config:` are configuration, all others executables.
   */
  readonly name: string;
  /** SHA-256. */
  readonly digest: Uint8Array;
}

/** `start`: all that was loaded when the process began; `more`: what was loaded or has changed since. */
export const RECORD_KINDS = ['start', 'more'] as const;
export type RecordKind = (typeof RECORD_KINDS)[number];

export interface MeasurementRecord {
  readonly kind: RecordKind;
  /** When it was seen, by the clock of the node: nanoseconds since the Unix epoch. */
  readonly at: bigint;
  readonly components: readonly Component[];
}

export const DIGEST_BYTES = 32;
/** Bounds of what is read from others. */
export const LIST_LIMITS = { name: 1024, components: 20_000, records: 100_000 } as const;

export const isConfiguration = (name: string): boolean => name.startsWith('config:');

/** What must be right for anything else to be worth something: the Node binary, the measurer, and how it was started. */
export const isFirstLayer = (name: string): boolean =>
  name === 'runtime:node' || name === 'config:process' || name.includes('/attestation/src/measure/');

export const ZERO_DIGEST: Uint8Array = new Uint8Array(DIGEST_BYTES);

/** CBOR `[kind, at, [[name, digest], …]]`. */
export function encodeRecord({ kind, at, components }: MeasurementRecord): Uint8Array {
  const writer = new CborWriter(64 + components.length * 96);
  writer.head(CBOR_MAJOR.array, 3);
  writer.int(RECORD_KINDS.indexOf(kind));
  writer.bigint(at);
  writer.head(CBOR_MAJOR.array, components.length);
  for (const { name, digest } of components) {
    writer.head(CBOR_MAJOR.array, 2);
    writer.text(name);
    writer.bytes(digest);
  }
  return writer.finish();
}

/** @throws EnerchainError (fault peer) when the octets are no record */
export function decodeRecord(bytes: Uint8Array): MeasurementRecord {
  const reader = new CborReader(bytes);
  reader.array('measurement record', 3);
  const kind = RECORD_KINDS[reader.uint('kind of record', RECORD_KINDS.length - 1)] as RecordKind;
  const at = reader.int64('time of record');
  const count = reader.array('components');
  if (count > LIST_LIMITS.components) {
    throw new EnerchainError('peer', 'attestation.list', `a record claims ${count} components`);
  }
  const components: Component[] = [];
  for (let i = 0; i < count; i++) {
    reader.array('component', 2);
    const name = reader.text('name of component', LIST_LIMITS.name);
    components.push({ name, digest: reader.bytes('digest of component', DIGEST_BYTES) });
  }
  reader.end();
  return { kind, at, components };
}

export const sha256 = (bytes: Uint8Array): Uint8Array => hash('sha256', bytes, 'buffer');

/** The head after a record with this digest. */
export function extended(head: Uint8Array, recordDigest: Uint8Array): Uint8Array {
  const both = new Uint8Array(2 * DIGEST_BYTES);
  both.set(head);
  both.set(recordDigest, DIGEST_BYTES);
  return sha256(both);
}

/**
 * A record of which only the digest is shown, because what it says is over: it stands before the last start. No encoded
 * record is that short and that long.
 */
export const isOpaque = (record: Uint8Array): boolean => record.length === DIGEST_BYTES;

/** What a record adds to the head. */
export const digestOfRecord = (record: Uint8Array): Uint8Array => (isOpaque(record) ? record : sha256(record));

/** A list in this process. */
export class MeasurementList {
  /** Names this list, 16 random octets as hex: another list has another name. */
  readonly id: string;
  readonly #records: Uint8Array[] = [];
  readonly #listeners = new Set<(recordDigest: Uint8Array) => void>();
  #head: Uint8Array = ZERO_DIGEST;

  /** @param earlier digests of the records that processes before this one have added, where a TPM remembers them */
  constructor(id: string, earlier: readonly Uint8Array[] = []) {
    this.id = id;
    for (const digest of earlier) {
      this.#records.push(digest);
      this.#head = extended(this.#head, digest);
    }
  }

  get head(): Uint8Array {
    return this.#head;
  }

  /** Encoded records, oldest first; of those of earlier processes only the digest. */
  get records(): readonly Uint8Array[] {
    return this.#records;
  }

  append(record: MeasurementRecord): void {
    const bytes = encodeRecord(record);
    const digest = sha256(bytes);
    this.#records.push(bytes);
    this.#head = extended(this.#head, digest);
    for (const listener of this.#listeners) listener(digest);
  }

  /** Called with the digest of each record that is added. @returns unsubscribe */
  onAppend(listener: (recordDigest: Uint8Array) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}
