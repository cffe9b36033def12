/**
 * Web Authentication Level 2 (W3C Recommendation, 8 April 2021), the part of the relying party: registering a credential
 * (§ 7.1) and verifying an assertion (§ 7.2), with the user verified, ES256 or EdDSA (Ed25519), and no attestation of the
 * authenticator's make. The numbers in comments are the steps of these clauses. Pure; both ends of a chain of trust can
 * verify what an authenticator has signed, so that nobody in between need be believed.
 */
import { createHash, createPublicKey, type KeyObject, verify } from 'node:crypto';
import { EnerchainError } from '@enerchain/model';
import { CborReader, type CborValue } from './cbor.ts';

/** Flags of the authenticator data (§ 6.1). */
const FLAG = { userPresent: 0x01, userVerified: 0x04, attested: 0x40, extensions: 0x80 } as const;
/** COSE algorithm identifiers (RFC 9053 § 2) that are offered, best first. */
export const WEBAUTHN_ALGORITHMS = [-7, -8] as const;
const MAX_CLIENT_DATA = 2048;
const MAX_AUTHENTICATOR_DATA = 4096;
const HEAD_BYTES = 37;

export interface RegistrationResponse {
  readonly clientDataJSON: Uint8Array;
  readonly attestationObject: Uint8Array;
}

export interface AssertionResponse {
  readonly clientDataJSON: Uint8Array;
  readonly authenticatorData: Uint8Array;
  readonly signature: Uint8Array;
}

export interface RegisteredCredential {
  readonly credentialId: Uint8Array;
  readonly publicKey: KeyObject;
  /** Signature counter; 0 when the authenticator keeps none. */
  readonly signCount: number;
}

/** What the relying party has asked for. */
export interface Expected {
  readonly challenge: Uint8Array;
  /** Domain; the origin must be it or below it. */
  readonly rpId: string;
}

const refuse = (code: string, text: string) => new EnerchainError('peer', `trust.webauthn.${code}`, text);
const sha256 = (data: Uint8Array | string) => createHash('sha256').update(data).digest();

/** § 7.1. @throws EnerchainError `trust.webauthn.*` (fault peer) */
export function verifyRegistration(response: RegistrationResponse, expected: Expected): RegisteredCredential {
  checkClientData(response.clientDataJSON, 'webauthn.create', expected);
  if (response.attestationObject.length > 2 * MAX_AUTHENTICATOR_DATA)
    throw refuse('size', 'the attestation is too long');
  // 12
  const object = attestationOf(response.attestationObject);
  // 13–15
  const data = parseAuthenticatorData(object, expected.rpId);
  const { credential } = data;
  if (!credential) throw refuse('credential', 'the authenticator has sent no credential');
  // 16 is done by `keyOfCose`. 18–21: no attestation was asked for; whatever statement came says nothing here.
  return { ...credential, signCount: data.signCount };
}

/**
 * § 7.2, from step 8 on: whose credential it is, the caller has found by its identifier.
 * @param previous the counter of the assertion before; undefined where nobody keeps one
 * @returns the counter; to be kept
 * @throws EnerchainError `trust.webauthn.*` (fault peer); `.counter` when it went back: there are two with one key
 */
export function verifyAssertion(
  response: AssertionResponse,
  publicKey: KeyObject,
  expected: Expected,
  previous?: number,
): number {
  // 8–14
  checkClientData(response.clientDataJSON, 'webauthn.get', expected);
  // 15–18
  const { signCount } = parseAuthenticatorData(response.authenticatorData, expected.rpId);
  // 19, 20
  const signed = Buffer.concat([response.authenticatorData, sha256(response.clientDataJSON)]);
  const digest = publicKey.asymmetricKeyType === 'ed25519' ? null : 'sha256';
  if (response.signature.length > 150 || !verify(digest, signed, publicKey, response.signature)) {
    throw refuse('signature', 'the signature is not one of this authenticator over this');
  }
  // 21
  if (previous !== undefined && (signCount > 0 || previous > 0) && signCount <= previous) {
    throw refuse(
      'counter',
      `the counter of the authenticator stands at ${signCount}, after ${previous}: it may have been copied`,
    );
  }
  return signCount;
}

/** Steps 5–10 of § 7.1, 9–14 of § 7.2. */
function checkClientData(bytes: Uint8Array, type: string, { challenge, rpId }: Expected): void {
  if (bytes.length > MAX_CLIENT_DATA) throw refuse('size', 'the client data is too long');
  let data: Record<string, unknown>;
  try {
    data = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)) as typeof data;
  } catch {
    throw refuse('client-data', 'the client data is no JSON');
  }
  if (typeof data !== 'object' || data === null) throw refuse('client-data', 'the client data is no JSON object');
  if (data.type !== type) throw refuse('type', `the client data is for ${String(data.type)}, not for ${type}`);
  if (data.challenge !== Buffer.from(challenge).toString('base64url')) {
    throw refuse('challenge', 'what was signed is not what was asked for');
  }
  if (data.crossOrigin === true) throw refuse('origin', 'it was signed inside a page of somebody else');
  if (!originBelongs(data.origin, rpId))
    throw refuse('origin', `it was signed for ${String(data.origin)}, not for ${rpId}`);
}

/** A secure context of the relying party (§ 13.4.9): https, or this very machine. */
function originBelongs(origin: unknown, rpId: string): boolean {
  if (typeof origin !== 'string') return false;
  let url: URL;
  try {
    url = new URL(origin);
  } catch {
    return false;
  }
  const { protocol, hostname } = url;
  const within = hostname === rpId || hostname.endsWith(`.${rpId}`);
  return url.origin === origin && within && (protocol === 'https:' || (protocol === 'http:' && isLocal(hostname)));
}

const isLocal = (host: string): boolean => host === 'localhost' || host.endsWith('.localhost');

interface AuthenticatorData {
  readonly signCount: number;
  readonly credential: { readonly credentialId: Uint8Array; readonly publicKey: KeyObject } | undefined;
}

/** § 6.1, and that it is for this relying party, by a user who was present and verified. */
function parseAuthenticatorData(bytes: Uint8Array, rpId: string): AuthenticatorData {
  if (bytes.length < HEAD_BYTES || bytes.length > MAX_AUTHENTICATOR_DATA) {
    throw refuse('authenticator-data', `the authenticator data has ${bytes.length} octets`);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (!sha256(rpId).equals(bytes.subarray(0, 32))) throw refuse('rp', `the credential is not one for ${rpId}`);
  const flags = view.getUint8(32);
  if (!(flags & FLAG.userPresent)) throw refuse('user', 'nobody touched the authenticator');
  if (!(flags & FLAG.userVerified)) {
    throw refuse('user', 'the authenticator has not verified its user (PIN, fingerprint); one that does is needed');
  }
  let credential: AuthenticatorData['credential'];
  const rest = bytes.subarray(HEAD_BYTES);
  if (flags & FLAG.attested) {
    // § 6.5.1: AAGUID (16), length of the identifier (2), identifier, key.
    const length = rest.length >= 18 ? view.getUint16(HEAD_BYTES + 16) : 0;
    if (length < 1 || length > 1023 || rest.length < 18 + length) {
      throw refuse('authenticator-data', 'the credential identifier is cut short');
    }
    const credentialId = rest.slice(18, 18 + length);
    const [key] = items(rest.subarray(18 + length), flags & FLAG.extensions ? 2 : 1);
    credential = { credentialId, publicKey: keyOfCose(key) };
  } else {
    items(rest, flags & FLAG.extensions ? 1 : 0);
  }
  return { signCount: view.getUint32(33), credential };
}

/** So many items of CBOR, and nothing behind them. */
function items(bytes: Uint8Array, count: number): CborValue[] {
  try {
    const reader = new CborReader(bytes);
    const found = Array.from({ length: count }, () => reader.value());
    reader.end();
    return found;
  } catch (cause) {
    throw new EnerchainError('peer', 'trust.webauthn.cbor', 'the authenticator has sent what cannot be read', {
      cause,
    });
  }
}

/** § 6.5.4: { fmt, attStmt, authData }. @returns authData */
function attestationOf(bytes: Uint8Array): Uint8Array {
  const object = items(bytes, 1)[0] as { readonly authData?: unknown } | null | undefined;
  const data = typeof object === 'object' && object !== null ? object.authData : undefined;
  if (!(data instanceof Uint8Array)) throw refuse('attestation', 'the attestation object has no authenticator data');
  return data;
}

/** COSE_Key (RFC 9052 § 7, RFC 9053 § 7) of the algorithms above. */
function keyOfCose(value: CborValue): KeyObject {
  const key = value instanceof Map ? (value as Map<number, CborValue>) : new Map<number, CborValue>();
  const [type, algorithm, curve, x, y] = [1, 3, -1, -2, -3].map((label) => key.get(label));
  const text = (part: CborValue) => (part instanceof Uint8Array ? Buffer.from(part).toString('base64url') : '');
  try {
    if (type === 2 && algorithm === -7 && curve === 1) {
      return createPublicKey({ key: { kty: 'EC', crv: 'P-256', x: text(x), y: text(y) }, format: 'jwk' });
    }
    if (type === 1 && algorithm === -8 && curve === 6) {
      return createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x: text(x) }, format: 'jwk' });
    }
  } catch (cause) {
    throw new EnerchainError('peer', 'trust.webauthn.key', 'the public key is none', { cause });
  }
  throw refuse(
    'key',
    `keys of type ${String(type)} for algorithm ${String(algorithm)} are not taken: ES256 or Ed25519`,
  );
}
