/**
 * COSE_Sign1 (RFC 9052 § 4.2) with ES256 (RFC 9053 § 2.1). The key identifier and the type of what is signed (`typ`,
 * RFC 9596) stand in the protected header, so that a signature over a batch can never be shown as one over a command.
 */
import type { KeyObject } from 'node:crypto';
import { EnerchainError } from '@enerchain/model';
import { type Signer, verifyRaw } from '@enerchain/pki';
import { CBOR_MAJOR, CborReader, type CborValue, CborWriter, decodeCbor, encodeCbor } from './cbor.ts';

/** Header parameters (RFC 9052 § 3.1, RFC 9596). */
export const COSE_HEADER = { alg: 1, crit: 2, kid: 4, typ: 16 } as const;
const ES256 = -7;
const TAG_SIGN1 = 18;
/** Largest protected header read; ours has about 60 bytes. */
const MAX_HEADER_BYTES = 4096;
const NOTHING = new Uint8Array(0);

export interface CoseSign1 {
  /** Key identifier; from the protected header, or, for messages of others, from the unprotected one. */
  readonly kid: Uint8Array;
  readonly typ: string | undefined;
  readonly protectedBytes: Uint8Array;
  readonly payload: Uint8Array;
  /** r‖s, 64 bytes. */
  readonly signature: Uint8Array;
}

const refuse = (code: string, text: string) => new EnerchainError('peer', code, text);

/**
 * The platform's own signatures are ES256; a key in an HSM may lie on any curve.
 * @throws EnerchainError `cose.algorithm` (fault caller) when the key is not on P-256
 */
export function requireEs256(signer: Pick<Signer, 'algorithm'>): void {
  if (signer.algorithm === 'ES256') return;
  const text = `the platform signs with ES256, this key with ${signer.algorithm}`;
  throw new EnerchainError('caller', 'cose.algorithm', text);
}

/** What is signed: `["Signature1", protected, external_aad, payload]` (RFC 9052 § 4.4). */
export function sigStructure(
  protectedBytes: Uint8Array,
  payload: Uint8Array,
  externalAad: Uint8Array = NOTHING,
): Uint8Array {
  const writer = new CborWriter(protectedBytes.length + payload.length + 40);
  writer.head(CBOR_MAJOR.array, 4);
  writer.text('Signature1');
  writer.bytes(protectedBytes);
  writer.bytes(externalAad);
  writer.bytes(payload);
  return writer.finish();
}

/**
 * Signs a payload.
 * @param kid key identifier; here always the SHA-256 thumbprint of the signer's certificate
 * @param typ what the payload is, for example `enerchain-batch`
 * @returns tagged COSE_Sign1
 * @throws EnerchainError `cose.algorithm` (fault caller) when the key is not on P-256
 */
export async function coseSign1(
  signer: Signer,
  kid: Uint8Array,
  typ: string,
  payload: Uint8Array,
): Promise<Uint8Array> {
  requireEs256(signer);
  const header = encodeCbor(
    new Map<number, CborValue>([
      [COSE_HEADER.alg, ES256],
      [COSE_HEADER.kid, kid],
      [COSE_HEADER.typ, typ],
    ]),
  );
  const signature = await signer.sign(sigStructure(header, payload));
  const writer = new CborWriter(header.length + payload.length + signature.length + 16);
  writer.head(CBOR_MAJOR.tag, TAG_SIGN1);
  writer.head(CBOR_MAJOR.array, 4);
  writer.bytes(header);
  writer.head(CBOR_MAJOR.map, 0);
  writer.bytes(payload);
  writer.bytes(signature);
  return writer.finish();
}

/** Takes a COSE_Sign1 apart without checking the signature. @throws EnerchainError `cose.*` or `cbor.malformed` */
export function coseParse1(bytes: Uint8Array): CoseSign1 {
  const reader = new CborReader(bytes);
  if (reader.peek() === CBOR_MAJOR.tag && reader.tag('COSE tag') !== TAG_SIGN1) {
    throw refuse('cose.type', 'the signed message is not a COSE_Sign1');
  }
  reader.array('COSE_Sign1', 4);
  const protectedBytes = reader.bytes('protected header');
  if (protectedBytes.length > MAX_HEADER_BYTES) throw refuse('cose.header', 'the protected header is too long');
  const unprotected = headerOf(reader.value());
  const payload = reader.bytes('payload');
  const signature = reader.bytes('signature', 64);
  reader.end();
  const header = protectedBytes.length === 0 ? new Map<number, CborValue>() : headerOf(decodeCbor(protectedBytes));
  if (header.get(COSE_HEADER.alg) !== ES256) throw refuse('cose.algorithm', 'the signature is not ES256');
  if (header.has(COSE_HEADER.crit)) throw refuse('cose.critical', 'the message has critical headers unknown here');
  const kid = header.get(COSE_HEADER.kid) ?? unprotected.get(COSE_HEADER.kid);
  if (!(kid instanceof Uint8Array)) throw refuse('cose.kid', 'the message does not say which key signed it');
  const typ = header.get(COSE_HEADER.typ);
  if (typ !== undefined && typeof typ !== 'string') throw refuse('cose.header', 'the type of the message is no text');
  return { kid, typ, protectedBytes, payload, signature };
}

function headerOf(value: CborValue): Map<number, CborValue> {
  if (value instanceof Map) return value as Map<number, CborValue>;
  const empty = typeof value === 'object' && value !== null && Object.keys(value).length === 0;
  if (empty && !Array.isArray(value) && !(value instanceof Uint8Array)) return new Map();
  throw refuse('cose.header', 'a COSE header is not a map with integer keys');
}

/**
 * Checks the signature of a parsed message.
 * @param typ the type the caller expects; `undefined` for messages of others that carry none
 * @throws EnerchainError `cose.type` or `cose.signature`
 */
export function coseCheck1(
  message: CoseSign1,
  key: KeyObject,
  typ: string | undefined,
  externalAad?: Uint8Array,
): void {
  if (message.typ !== typ) {
    throw refuse('cose.type', `signed as '${message.typ ?? 'nothing'}' where '${typ ?? 'nothing'}' was expected`);
  }
  const signed = sigStructure(message.protectedBytes, message.payload, externalAad);
  if (!verifyRaw('ES256', key, signed, message.signature)) {
    throw refuse('cose.signature', `the signature over '${typ ?? 'the message'}' does not fit the key it names`);
  }
}

/**
 * Parses and checks.
 * @param keyOf finds the public key by key identifier
 * @throws EnerchainError `cose.kid` when the key is unknown, and what `coseParse1` and `coseCheck1` throw
 */
export function coseVerify1(
  bytes: Uint8Array,
  typ: string | undefined,
  keyOf: (kid: Uint8Array) => KeyObject | undefined,
): CoseSign1 {
  const message = coseParse1(bytes);
  const key = keyOf(message.kid);
  if (!key) throw refuse('cose.kid', `no key is known under ${Buffer.from(message.kid).toString('hex')}`);
  coseCheck1(message, key, typ);
  return message;
}
