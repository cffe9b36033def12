/**
 * Evidence (RFC 9334 § 8.1) as it travels: CBOR `[2, tier, claims, proof]`. The claims say what runs; the proof ties all of
 * them to a key and, through the bindings, to a moment, a channel and who asked.
 *
 * Claims: map of
 *   1 node (text) · 2 bindings (array of 32 octets) · 3 list id (16 octets) · 4 number of the first record sent ·
 *   5 records (array of byte strings) · 6 records in all · 7 head of the list (32 octets) · 8 time (ns, the node's clock)
 *
 * Proof of tier software: map of 1 identity certificate (DER) · 2 alias certificate (COSE_Sign1 `enerchain-alias` by the
 *   identity key) · 3 signature (COSE_Sign1 `enerchain-evidence` by the alias key over the SHA-256 of the claims)
 *
 * Proof of tier tpm: map of 1 identity certificate (DER) · 2 certificate of the attestation key (DER) · 3 TPMS_ATTEST ·
 *   4 TPMT_SIGNATURE · 5 PCR values of the SHA-256 bank (map of index to 32 octets) · 6 PCR of the measurement list ·
 *   7 [octet from which the event log is sent, octets] · 8 the same of the IMA list · 9 TPMT_PUBLIC of the attestation key
 *   The quote is over `quotedData` of claims, identity and PCR of the list; the logs lead to its registers.
 *
 * Version 1, whose quotes covered nothing of the claims but the bindings, is refused.
 */
import { EnerchainError, type UtcNanos } from '@enerchain/model';
import { CBOR_MAJOR, CborReader, type CborValue, CborWriter, decodeCbor, encodeCbor } from '@enerchain/trust';
import { BINDING_BYTES, MAX_BINDINGS } from './attester.ts';
import { DIGEST_BYTES, LIST_LIMITS, sha256 } from './measure/list.ts';
import type { Tier } from './result.ts';

export const EVIDENCE_TYP = 'enerchain-evidence';
export const ALIAS_TYP = 'enerchain-alias';
const VERSION = 2;
const TIERS: readonly Tier[] = ['software', 'tpm'];
/** Octets of one evidence. */
export const MOST_EVIDENCE_BYTES = 16 * 1024 * 1024;
const LIST_ID_BYTES = 16;
const MOST_CERTIFICATE_BYTES = 8192;

export interface Claims {
  readonly node: string;
  readonly bindings: readonly Uint8Array[];
  /** Hex. */
  readonly list: string;
  /** Number of the first record that is sent; those before it are known already. */
  readonly from: number;
  readonly records: readonly Uint8Array[];
  /** Records of the list in all. */
  readonly count: number;
  readonly head: Uint8Array;
  readonly at: UtcNanos;
}

export interface SoftwareProof {
  readonly tier: 'software';
  readonly identity: Uint8Array;
  readonly alias: Uint8Array;
  readonly signature: Uint8Array;
}

/** A part of a log that grows. */
export interface LogPart {
  /** Octet of the whole log at which `bytes` begins. */
  readonly from: number;
  readonly bytes: Uint8Array;
}

export interface TpmProof {
  readonly tier: 'tpm';
  readonly identity: Uint8Array;
  /** Certificate of the attestation key by an authority that has seen it inside a TPM; absent when there is none. */
  readonly akCertificate: Uint8Array | undefined;
  /** TPMT_PUBLIC of the attestation key. */
  readonly ak: Uint8Array;
  readonly attest: Uint8Array;
  readonly signature: Uint8Array;
  readonly pcrs: ReadonlyMap<number, Uint8Array>;
  /** The register that the measurement list is extended into. */
  readonly listPcr: number;
  readonly events: LogPart | undefined;
  readonly ima: LogPart | undefined;
}

export interface Evidence {
  readonly tier: Tier;
  readonly claims: Claims;
  /** What the proof covers. */
  readonly claimsBytes: Uint8Array;
  readonly proof: SoftwareProof | TpmProof;
}

const refuse = (what: string): EnerchainError =>
  new EnerchainError('peer', 'attestation.evidence', `evidence ${what}; it was not used`);

export function encodeClaims(claims: Claims): Uint8Array {
  const writer = new CborWriter(256 + claims.records.reduce((sum, record) => sum + record.length + 9, 0));
  writer.head(CBOR_MAJOR.map, 8);
  writer.int(1);
  writer.text(claims.node);
  writer.int(2);
  writer.head(CBOR_MAJOR.array, claims.bindings.length);
  for (const binding of claims.bindings) writer.bytes(binding);
  writer.int(3);
  writer.bytes(Buffer.from(claims.list, 'hex'));
  writer.int(4);
  writer.int(claims.from);
  writer.int(5);
  writer.head(CBOR_MAJOR.array, claims.records.length);
  for (const record of claims.records) writer.bytes(record);
  writer.int(6);
  writer.int(claims.count);
  writer.int(7);
  writer.bytes(claims.head);
  writer.int(8);
  writer.bigint(claims.at);
  return writer.finish();
}

function decodeClaims(bytes: Uint8Array): Claims {
  const reader = new CborReader(bytes);
  if (reader.map('claims') !== 8) throw refuse('does not have the eight claims');
  const key = (label: number) => {
    if (reader.uint('label of claim') !== label) throw refuse(`lacks claim ${label}`);
  };
  key(1);
  const node = reader.text('node', 64);
  key(2);
  const bindings: Uint8Array[] = [];
  const answers = reader.array('bindings');
  if (answers < 1 || answers > MAX_BINDINGS) throw refuse(`answers ${answers} bindings`);
  for (let i = 0; i < answers; i++) bindings.push(reader.bytes('binding', BINDING_BYTES));
  key(3);
  const list = Buffer.from(reader.bytes('list id', LIST_ID_BYTES)).toString('hex');
  key(4);
  const from = reader.uint('first record', LIST_LIMITS.records);
  key(5);
  const sent = reader.array('records');
  if (sent > LIST_LIMITS.records) throw refuse(`has ${sent} records`);
  const records: Uint8Array[] = [];
  for (let i = 0; i < sent; i++) records.push(reader.bytes('record'));
  key(6);
  const count = reader.uint('records in all', LIST_LIMITS.records);
  if (from + sent !== count) throw refuse(`has records ${from} to ${from + sent} of ${count}: its list is cut short`);
  key(7);
  const head = reader.bytes('head of the list', DIGEST_BYTES);
  key(8);
  const at = reader.int64('time');
  reader.end();
  return { node, bindings, list, from, records, count, head, at };
}

/**
 * What a quote is made over as its qualifying data (TPMS_ATTEST extraData), 32 octets: SHA-256 over the CBOR array
 * `["enerchain-quote", 2, SHA-256 of the claims, SHA-256 of the identity certificate, PCR of the list]`. So nothing that
 * evidence says can be put beside a quote afterwards, its time and the name of its list included.
 */
export function quotedData(claimsBytes: Uint8Array, identity: Uint8Array, listPcr: number): Uint8Array {
  return sha256(encodeCbor(['enerchain-quote', VERSION, sha256(claimsBytes), sha256(identity), listPcr]));
}

const partOf = (part: LogPart | undefined): CborValue => (part ? [part.from, part.bytes] : undefined);

export function encodeEvidence(claimsBytes: Uint8Array, proof: SoftwareProof | TpmProof): Uint8Array {
  const fields = new Map<number, CborValue>([[1, proof.identity]]);
  if (proof.tier === 'software') {
    fields.set(2, proof.alias);
    fields.set(3, proof.signature);
  } else {
    fields.set(2, proof.akCertificate);
    fields.set(3, proof.attest);
    fields.set(4, proof.signature);
    fields.set(5, new Map(proof.pcrs));
    fields.set(6, proof.listPcr);
    fields.set(7, partOf(proof.events));
    fields.set(8, partOf(proof.ima));
    fields.set(9, proof.ak);
  }
  return encodeCbor([VERSION, TIERS.indexOf(proof.tier), claimsBytes, fields]);
}

/** @throws EnerchainError `attestation.evidence` or `cbor.malformed` (fault peer) */
export function decodeEvidence(bytes: Uint8Array): Evidence {
  if (bytes.length > MOST_EVIDENCE_BYTES) throw refuse(`has ${bytes.length} octets`);
  const reader = new CborReader(bytes);
  reader.array('evidence', 4);
  if (reader.uint('version') !== VERSION) throw refuse('is of another version');
  const tier = TIERS[reader.uint('tier', TIERS.length - 1)] as Tier;
  const claimsBytes = reader.bytes('claims');
  const claims = decodeClaims(claimsBytes);
  const proof = reader.value();
  reader.end();
  if (!(proof instanceof Map)) throw refuse('has no proof');
  return { tier, claims, claimsBytes, proof: proofOf(tier, proof as ReadonlyMap<number | string, CborValue>) };
}

function proofOf(tier: Tier, fields: ReadonlyMap<number | string, CborValue>): SoftwareProof | TpmProof {
  const identity = octets(fields.get(1), 'identity certificate', MOST_CERTIFICATE_BYTES);
  if (tier === 'software') {
    return {
      tier,
      identity,
      alias: octets(fields.get(2), 'alias certificate', MOST_CERTIFICATE_BYTES),
      signature: octets(fields.get(3), 'signature', 4096),
    };
  }
  const values = fields.get(5);
  if (!(values instanceof Map) || values.size > 24) throw refuse('has no PCR values');
  const pcrs = new Map<number, Uint8Array>();
  for (const [pcr, value] of values as ReadonlyMap<number | string, CborValue>) {
    if (typeof pcr !== 'number' || pcr < 0 || pcr > 23) throw refuse('has a PCR that does not exist');
    const digest = octets(value, 'PCR value', DIGEST_BYTES);
    if (digest.length !== DIGEST_BYTES) throw refuse('has a PCR value of another length');
    pcrs.set(pcr, digest);
  }
  const listPcr = fields.get(6);
  if (typeof listPcr !== 'number' || !Number.isInteger(listPcr) || listPcr < 0 || listPcr > 23) {
    throw refuse('does not say which PCR its list is in');
  }
  const akCertificate = fields.get(2);
  return {
    tier,
    identity,
    akCertificate:
      akCertificate === undefined
        ? undefined
        : octets(akCertificate, 'certificate of the attestation key', MOST_CERTIFICATE_BYTES),
    attest: octets(fields.get(3), 'quote', 4096),
    signature: octets(fields.get(4), 'signature', 4096),
    pcrs,
    listPcr,
    events: logPart(fields.get(7), 'event log'),
    ima: logPart(fields.get(8), 'IMA list'),
    ak: octets(fields.get(9), 'attestation key', 4096),
  };
}

function octets(value: CborValue, what: string, most: number): Uint8Array {
  if (!(value instanceof Uint8Array) || value.length > most) throw refuse(`has no ${what}`);
  return value;
}

function logPart(value: CborValue, what: string): LogPart | undefined {
  if (value === undefined) return undefined;
  const [from, bytes] = Array.isArray(value) && value.length === 2 ? (value as CborValue[]) : [];
  if (typeof from !== 'number' || !Number.isSafeInteger(from) || from < 0) throw refuse(`has no ${what}`);
  return { from, bytes: octets(bytes, what, MOST_EVIDENCE_BYTES) };
}

/** The alias key of a software attester, as the identity key certifies it. */
export interface AliasCertificate {
  readonly node: string;
  /** SPKI DER of the alias key. */
  readonly spki: Uint8Array;
  /** Measurement of the first layer, from which the alias key was derived. */
  readonly layer: Uint8Array;
  readonly at: UtcNanos;
}

/** CBOR `[node, SPKI, layer, time]`. */
export const encodeAlias = ({ node, spki, layer, at }: AliasCertificate): Uint8Array =>
  encodeCbor([node, spki, layer, at]);

export function decodeAlias(payload: Uint8Array): AliasCertificate {
  const value = decodeCbor(payload);
  const [node, spki, layer, at] = Array.isArray(value) && value.length === 4 ? (value as CborValue[]) : [];
  const numeric = typeof at === 'number' || typeof at === 'bigint';
  if (typeof node !== 'string' || !(spki instanceof Uint8Array) || !(layer instanceof Uint8Array) || !numeric) {
    throw refuse('has an alias certificate that cannot be read');
  }
  return { node, spki, layer, at: BigInt(at as number | bigint) };
}
