/**
 * The batch: a signed header over the Merkle root of its columns. Bytes are hashed and passed on as they were sent and
 * never encoded again; README.md states the format for those who audit it with a program of their own.
 */
import { type KeyObject, randomBytes } from 'node:crypto';
import {
  AttestationRecord,
  AuditRecord,
  CertificateRecord,
  CommandEvent,
  CommandRecord,
  EnerchainError,
  GapRecord,
  MIN_NANOS,
  type Mrid,
  RaisedAlarm,
  SourceEvent,
  type UtcNanos,
  type Validator,
  validator,
} from '@enerchain/model';
import {
  CBOR_MAJOR,
  CborReader,
  type CborValue,
  CborWriter,
  coseCheck1,
  coseParse1,
  coseSign1,
  decodeCbor,
  encodeCbor,
  type Signer,
} from '@enerchain/trust';
import { ColumnArena } from './arena.ts';
import { baseTimeOf, pointOfColumn, readColumn, writeColumn } from './column.ts';
import { CONTENT_KINDS, type Content, type ContentKind, type ObservationBatch } from './content.ts';
import { HASH_BYTES, leafHashes, merkleRoot, SALT_BYTES, sha256 } from './merkle.ts';
import { siteColumns, siteOf } from './site-columns.ts';

export const BATCH_VERSION = 1;
/** `typ` of the signature. */
export const BATCH_TYPE = 'enerchain-batch';
/** Largest batch that is read or made, in bytes. */
export const MAX_BATCH_BYTES = 32 * 1024 * 1024;
/** Most ranges of the log that a header names. */
export const MAX_READS = 16;
/** Most columns of one batch. */
export const MAX_COLUMNS = 1 << 16;
/** What stands in `previous` of the first batch of an epoch. */
export const NO_PREVIOUS: Uint8Array = new Uint8Array(HASH_BYTES);

/** Where a chain stands: the batch last written. */
export interface ChainPosition {
  readonly epoch: number;
  /** 0 for the first batch of an epoch. */
  readonly sequence: number;
  /** Hash of that batch. */
  readonly hash: Uint8Array;
}

export interface BatchHeader {
  readonly version: typeof BATCH_VERSION;
  /** Name in the certificate of the source. */
  readonly source: string;
  readonly epoch: number;
  readonly sequence: number;
  /** Hash of the batch before in this epoch; 32 zero bytes in the first. */
  readonly previous: Uint8Array;
  readonly kind: ContentKind;
  /** Times of the columns count from here. */
  readonly baseTime: UtcNanos;
  /** Observations; for other kinds the number of records. */
  readonly count: number;
  /** Number of columns = leaves of the Merkle tree. */
  readonly columns: number;
  /** Merkle root over the columns. */
  readonly root: Uint8Array;
  /** Only in the first batch of an epoch: the last batch of the epoch before, which it ends. */
  readonly join?: ChainPosition;
  /** What a service has read of the centre's log before it wrote this: offsets, first and last of each range. */
  readonly reads?: readonly LogRange[];
}

/** Records of the centre's log, both ends included. */
export interface LogRange {
  readonly first: number;
  readonly last: number;
}

export interface Batch {
  readonly header: BatchHeader;
  /** The header as it was signed. */
  readonly headerBytes: Uint8Array;
  /** COSE_Sign1 whose payload is `headerBytes`; or `headerBytes` alone when a later header of the epoch covers it. */
  readonly signed: Uint8Array;
  /** Whether it has no signature of its own. */
  readonly deferred: boolean;
  readonly salt: Uint8Array;
  /** The columns as sent. */
  readonly columns: readonly Uint8Array[];
  /** SHA-256 of `headerBytes`; what the next batch names as `previous`. */
  readonly hash: Uint8Array;
}

/** What a batch needs beside its content. */
export interface BatchSeal {
  readonly source: string;
  readonly epoch: number;
  readonly sequence: number;
  readonly previous: Uint8Array;
  readonly join?: ChainPosition;
  readonly reads?: readonly LogRange[];
  readonly signer: Signer;
  /** Key identifier: thumbprint of the source's certificate. */
  readonly kid: Uint8Array;
  /** Leaves the signature to a later header of the epoch. */
  readonly defer?: boolean;
  /** 16 random bytes; given in tests only. */
  readonly salt?: Uint8Array;
}

const refuse = (text: string) => new EnerchainError('peer', 'link.batch', `batch: ${text}`);

/** Keys of the header map. */
const KEY = {
  version: 0,
  source: 1,
  epoch: 2,
  sequence: 3,
  previous: 4,
  kind: 5,
  baseTime: 6,
  count: 7,
  columns: 8,
  root: 9,
  join: 10,
  reads: 11,
} as const;

/**
 * Makes and signs a batch.
 * @throws EnerchainError `link.batch.size` (fault caller) when the content is empty or too large for one batch
 */
export async function encodeBatch(content: Content, seal: BatchSeal): Promise<Batch> {
  const { columns, count, baseTime } = columnsOf(content);
  const salt = seal.salt ?? randomBytes(SALT_BYTES);
  const root = rootOf(columns, salt);
  const header: BatchHeader = {
    version: BATCH_VERSION,
    source: seal.source,
    epoch: seal.epoch,
    sequence: seal.sequence,
    previous: seal.previous,
    kind: content.kind,
    baseTime,
    count,
    columns: columns.length,
    root,
    ...(seal.join ? { join: seal.join } : {}),
    ...(seal.reads?.length ? { reads: seal.reads } : {}),
  };
  const headerBytes = encodeHeader(header);
  const deferred = seal.defer === true;
  const signed = deferred ? headerBytes : await coseSign1(seal.signer, seal.kid, BATCH_TYPE, headerBytes);
  return { header, headerBytes, signed, deferred, salt, columns, hash: sha256(headerBytes) };
}

/** Signs a batch that was written without a signature of its own; its header and its hash stay. */
export async function sealBatch(batch: Batch, signer: Signer, kid: Uint8Array): Promise<Batch> {
  const signed = await coseSign1(signer, kid, BATCH_TYPE, batch.headerBytes);
  return { ...batch, signed, deferred: false };
}

function columnsOf(content: Content): { columns: Uint8Array[]; count: number; baseTime: bigint } {
  let columns: Uint8Array[];
  let count = 1;
  let baseTime = 0n;
  if (content.kind === 'observations') {
    ({ count } = content.batch);
    baseTime = baseTimeFor(content.batch);
    const base = baseTimeOf(baseTime);
    const writer = new CborWriter(content.batch.columns.length * 48 + count * 24);
    const ends = content.batch.columns.map((column) => {
      writeColumn(writer, column, base);
      return writer.length;
    });
    const bytes = writer.finish();
    columns = ends.map((end, index) => bytes.subarray(ends[index - 1] ?? 0, end));
  } else if (content.kind === 'site') {
    columns = siteColumns(content.document);
  } else {
    const record = recordOf(content);
    if (Array.isArray(record)) count = record.length;
    columns = [encodeCbor(record as CborValue)];
  }
  const bytes = columns.reduce((sum, column) => sum + column.length + 5, 0);
  if (count === 0 || columns.length > MAX_COLUMNS || bytes > MAX_BATCH_BYTES - 4096) {
    throw new EnerchainError(
      'caller',
      'link.batch.size',
      `a batch of ${count} records in ${columns.length} columns with ${bytes} bytes cannot be made; ` +
        `one record at least, ${MAX_COLUMNS} columns and ${MAX_BATCH_BYTES} bytes at most`,
    );
  }
  return { columns, count, baseTime };
}

/** First source time, rounded down to a millisecond so that differences of devices that count milliseconds are short. */
function baseTimeFor(batch: ObservationBatch): bigint {
  const first = batch.columns[0]?.sourceTime[0] ?? 0n;
  const rounded = first - (((first % 1_000_000n) + 1_000_000n) % 1_000_000n);
  return rounded < MIN_NANOS ? first : rounded;
}

function recordOf(content: Exclude<Content, { kind: 'observations' | 'site' }>): unknown {
  switch (content.kind) {
    case 'gap':
      return content.gap;
    case 'commandEvents':
    case 'sourceEvents':
      return content.events;
    case 'alarmRaised':
      return content.alarm;
    case 'audit':
    case 'attestation':
    case 'command':
    case 'certificate':
      return content.record;
  }
}

function encodeHeader(header: BatchHeader): Uint8Array {
  const fields = new Map<number, CborValue>([
    [KEY.version, header.version],
    [KEY.source, header.source],
    [KEY.epoch, header.epoch],
    [KEY.sequence, header.sequence],
    [KEY.previous, header.previous],
    [KEY.kind, CONTENT_KINDS.indexOf(header.kind)],
    [KEY.baseTime, header.baseTime],
    [KEY.count, header.count],
    [KEY.columns, header.columns],
    [KEY.root, header.root],
  ]);
  if (header.join) fields.set(KEY.join, [header.join.epoch, header.join.sequence, header.join.hash]);
  if (header.reads) {
    fields.set(
      KEY.reads,
      header.reads.map(({ first, last }) => [first, last]),
    );
  }
  return encodeCbor(fields);
}

/** Reads a batch header: keys 0 to 9 in order, then perhaps 10, perhaps 11, nothing else. */
export function decodeHeader(bytes: Uint8Array): BatchHeader {
  const reader = new CborReader(bytes);
  const pairs = reader.map('batch header');
  if (pairs < 10 || pairs > 12) throw refuse(`the header has ${pairs} fields instead of 10 to 12`);
  const key = (expected: number) => {
    const found = reader.uint('header key');
    if (found !== expected) throw refuse(`header field ${found} where ${expected} is expected`);
  };
  key(KEY.version);
  const version = reader.uint('version');
  if (version !== BATCH_VERSION) {
    throw new EnerchainError('unsupported', 'link.batch.version', `batch version ${version} is not known here`);
  }
  key(KEY.source);
  const source = reader.text('source', 100);
  key(KEY.epoch);
  const epoch = reader.uint('epoch');
  key(KEY.sequence);
  const sequence = reader.uint('sequence');
  key(KEY.previous);
  const previous = reader.bytes('previous', HASH_BYTES);
  key(KEY.kind);
  const kind = CONTENT_KINDS[reader.uint('kind', CONTENT_KINDS.length - 1)]!;
  key(KEY.baseTime);
  const baseTime = reader.int64('base time');
  key(KEY.count);
  const count = reader.uint('count', MAX_BATCH_BYTES);
  key(KEY.columns);
  const columns = reader.uint('columns', MAX_COLUMNS);
  key(KEY.root);
  const root = reader.bytes('root', HASH_BYTES);
  const header = {
    version: BATCH_VERSION,
    source,
    epoch,
    sequence,
    previous,
    kind,
    baseTime,
    count,
    columns,
    root,
  } as const;
  if (pairs === 10) {
    reader.end();
    return header;
  }
  let next = reader.uint('header key');
  let join: ChainPosition | undefined;
  if (next === KEY.join) {
    reader.array('join', 3);
    join = {
      epoch: reader.uint('epoch'),
      sequence: reader.uint('sequence'),
      hash: reader.bytes('hash', HASH_BYTES),
    };
    if (sequence !== 0) throw refuse('only the first batch of an epoch names the epoch before');
    if (join.epoch >= epoch) throw refuse(`epoch ${epoch} claims to follow epoch ${join.epoch}`);
    if (pairs === 12) next = reader.uint('header key');
  }
  const more = pairs - 10 - (join ? 1 : 0);
  if (more > 1 || (more === 1 && next !== KEY.reads)) throw refuse(`header field ${next} where none is expected`);
  const reads = more === 1 ? readRanges(reader) : undefined;
  reader.end();
  return { ...header, ...(join ? { join } : {}), ...(reads ? { reads } : {}) };
}

/** Ranges of the log in ascending order that do not touch. */
function readRanges(reader: CborReader): LogRange[] {
  const count = reader.array('ranges');
  if (count === 0 || count > MAX_READS) throw refuse(`${count} ranges of the log, 1 to ${MAX_READS} are read`);
  const ranges: LogRange[] = [];
  for (let i = 0; i < count; i++) {
    reader.array('range', 2);
    const range = { first: reader.uint('first record'), last: reader.uint('last record') };
    const before = ranges.at(-1);
    if (range.last < range.first || (before && range.first <= before.last + 1)) {
      throw refuse('the ranges of the log are not in order');
    }
    ranges.push(range);
  }
  return ranges;
}

/** The bytes of a batch as they are stored and sent: `[signed, salt, [column, …]]`. */
export function batchToBytes(batch: Batch): Uint8Array {
  const size = batch.columns.reduce((sum, column) => sum + column.length + 5, batch.signed.length + 64);
  const writer = new CborWriter(size);
  writer.head(CBOR_MAJOR.array, 3);
  writer.bytes(batch.signed);
  writer.bytes(batch.salt);
  writer.head(CBOR_MAJOR.array, batch.columns.length);
  for (const column of batch.columns) writer.bytes(column);
  return writer.finish();
}

/**
 * Takes a batch apart. Neither signature nor root are checked: `verifyBatch` does that. Fields are views into `bytes`.
 * @throws EnerchainError `link.batch`, `cose.*` or `cbor.malformed` (fault peer)
 */
export function decodeBatch(bytes: Uint8Array): Batch {
  if (bytes.length > MAX_BATCH_BYTES) throw refuse(`${bytes.length} bytes, at most ${MAX_BATCH_BYTES} are read`);
  const reader = new CborReader(bytes);
  reader.array('batch', 3);
  const signed = reader.bytes('signed header');
  const salt = reader.bytes('salt', SALT_BYTES);
  const count = reader.array('columns');
  if (count > MAX_COLUMNS) throw refuse(`${count} columns, at most ${MAX_COLUMNS} are read`);
  const columns: Uint8Array[] = [];
  for (let i = 0; i < count; i++) columns.push(reader.bytes('column'));
  reader.end();
  const { headerBytes, deferred } = headerOf(signed);
  const header = decodeHeader(headerBytes);
  if (header.columns !== count) throw refuse(`the header speaks of ${header.columns} columns, there are ${count}`);
  return { header, headerBytes, signed, deferred, salt, columns, hash: sha256(headerBytes) };
}

/** The header in the first field of a batch, which is a COSE_Sign1 around it, or the header alone (a map). */
export function headerOf(signed: Uint8Array): { readonly headerBytes: Uint8Array; readonly deferred: boolean } {
  const deferred = (signed[0] ?? 0) >> 5 === CBOR_MAJOR.map;
  return { headerBytes: deferred ? signed : coseParse1(signed).payload, deferred };
}

/** Key identifier named in the signature of a batch. */
export const kidOf = (batch: Batch): Uint8Array => coseParse1(batch.signed).kid;

/** Merkle root of columns under the salt of their batch. */
export function rootOf(columns: readonly Uint8Array[], salt: Uint8Array): Uint8Array {
  return merkleRoot(leafHashes(columns, salt));
}

/**
 * Checks that the key signed the header and that the header covers the columns.
 * @throws EnerchainError `cose.signature`, `cose.type` or `link.batch.root` (fault peer)
 */
export function verifyBatch(batch: Batch, key: KeyObject): void {
  coseCheck1(coseParse1(batch.signed), key, BATCH_TYPE);
  verifyColumns(batch);
}

/** Checks that the header covers the columns, whoever signed it. @throws EnerchainError `link.batch.root` (fault peer) */
export function verifyColumns(batch: Batch): void {
  if (Buffer.compare(rootOf(batch.columns, batch.salt), batch.header.root) !== 0) {
    throw new EnerchainError(
      'peer',
      'link.batch.root',
      `batch ${batch.header.epoch}/${batch.header.sequence} of ${batch.header.source}: the columns are not those that were signed`,
    );
  }
}

const RECORD = {
  gap: validator(GapRecord, 'peer'),
  commandEvent: validator(CommandEvent, 'peer'),
  sourceEvent: validator(SourceEvent, 'peer'),
  alarmRaised: validator(RaisedAlarm, 'peer'),
  audit: validator(AuditRecord, 'peer'),
  attestation: validator(AttestationRecord, 'peer'),
  command: validator(CommandRecord, 'peer'),
  certificate: validator(CertificateRecord, 'peer'),
} as const;

function listOf<T>(item: Validator<T>, record: unknown, what: string): T[] {
  if (!Array.isArray(record) || record.length === 0) throw refuse(`${what} are no list of at least one`);
  return record.map((each, index) => item.parse(each, `${what}, number ${index}`));
}

/**
 * The content of a batch; call `verifyBatch` first.
 * @throws EnerchainError (fault peer) when a column or record is malformed or the count is not what the header says
 */
export function contentOf(batch: Batch): Content {
  const { kind, count } = batch.header;
  if (kind === 'observations') {
    return { kind, batch: observationBatchOf(batch) };
  }
  if (kind === 'site') {
    const document = siteOf(batch.columns, `${kind} of ${batch.header.source}`);
    if (count !== 1) throw refuse(`the header speaks of ${count} records, there is 1`);
    return { kind, document };
  }
  if (batch.columns.length !== 1)
    throw refuse(`a batch of kind ${kind} has ${batch.columns.length} columns instead of 1`);
  const record = decodeCbor(batch.columns[0]!);
  const what = `${kind} of ${batch.header.source}`;
  const content = ((): Content => {
    switch (kind) {
      case 'gap':
        return { kind, gap: RECORD.gap.parse(record, what) };
      case 'commandEvents':
        return { kind, events: listOf(RECORD.commandEvent, record, what) };
      case 'sourceEvents':
        return { kind, events: listOf(RECORD.sourceEvent, record, what) };
      case 'alarmRaised':
        return { kind, alarm: RECORD.alarmRaised.parse(record, what) };
      case 'audit':
        return { kind, record: RECORD.audit.parse(record, what) };
      case 'attestation':
        return { kind, record: RECORD.attestation.parse(record, what) };
      case 'command':
        return { kind, record: RECORD.command.parse(record, what) };
      case 'certificate':
        return { kind, record: RECORD.certificate.parse(record, what) };
    }
  })();
  const records = Array.isArray(record) ? record.length : 1;
  if (records !== count) throw refuse(`the header speaks of ${count} records, there are ${records}`);
  return content;
}

function observationBatchOf(batch: Batch): ObservationBatch {
  const base = baseTimeOf(batch.header.baseTime);
  const points = new Set<Mrid>();
  const { count } = batch.header;
  // Every observation takes a byte at least: no memory is set aside that the batch does not justify.
  const most = batch.columns.reduce((sum, column) => sum + column.length, 0);
  if (count === 0 || count > most) throw refuse(`the header speaks of ${count} observations in ${most} bytes`);
  const arena = new ColumnArena(count);
  const columns = batch.columns.map((bytes) => {
    const column = readColumn(bytes, base, arena);
    points.add(column.point);
    return column;
  });
  if (points.size !== columns.length) throw refuse('a point has more than one column');
  if (arena.left > 0) throw refuse(`the header speaks of ${count} observations, there are ${count - arena.left}`);
  return { columns, count };
}

/** Index of the column of a point, or -1. */
export function columnIndex(batch: Batch, point: Mrid): number {
  return batch.columns.findIndex((column) => pointOfColumn(column) === point);
}
