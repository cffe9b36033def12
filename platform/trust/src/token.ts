/** Enrolment tokens: one line of text that a person carries from the centre to a new device. */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { EnerchainError } from '@enerchain/model';
import { CBOR_MAJOR, CborReader, CborWriter } from './cbor.ts';
import { checkName, type Holder, ROLES } from './role.ts';

export const TOKEN_PREFIX = 'enerchain-enrol-1.';
const SECRET_BYTES = 32;

/** What the token says. The fingerprint lets the device know the centre before it shows the secret. */
export interface EnrolmentToken extends Holder {
  readonly secret: Uint8Array;
  /** SHA-256 of the CA certificate's DER. */
  readonly fingerprint: Uint8Array;
  /** Where to enrol: `https://host:port`. */
  readonly address: string;
}

export function newToken(holder: Holder, fingerprint: Uint8Array, address: string): EnrolmentToken {
  checkName(holder.name);
  return { ...holder, secret: randomBytes(SECRET_BYTES), fingerprint, address };
}

export function writeToken(token: EnrolmentToken): string {
  const writer = new CborWriter();
  writer.head(CBOR_MAJOR.array, 5);
  writer.int(ROLES.indexOf(token.role));
  writer.text(token.name);
  writer.bytes(token.secret);
  writer.bytes(token.fingerprint);
  writer.text(token.address);
  return TOKEN_PREFIX + Buffer.from(writer.finish()).toString('base64url');
}

/** @throws EnerchainError `trust.token.format` (fault caller) when the text is no token */
export function readToken(text: string): EnrolmentToken {
  try {
    const trimmed = text.trim();
    if (!trimmed.startsWith(TOKEN_PREFIX) || trimmed.length > 1000) throw new Error('it does not look like one');
    const reader = new CborReader(Buffer.from(trimmed.slice(TOKEN_PREFIX.length), 'base64url'));
    reader.array('token', 5);
    const role = ROLES[reader.uint('role', ROLES.length - 1)]!;
    const name = reader.text('name', 64);
    checkName(name);
    const secret = reader.bytes('secret', SECRET_BYTES);
    const fingerprint = reader.bytes('fingerprint', 32);
    const address = reader.text('address', 300);
    reader.end();
    if (new URL(address).protocol !== 'https:') throw new Error('its address is not https');
    return { role, name, secret, fingerprint, address };
  } catch (cause) {
    throw new EnerchainError('caller', 'trust.token.format', 'this is not an enrolment token; copy the whole line', {
      cause,
    });
  }
}

/** What is kept of a token: nothing from which it could be made again. */
export interface TokenRecord extends Holder {
  /** SHA-256 of the secret, hex. */
  readonly hash: string;
  /** Milliseconds since the Unix epoch. */
  readonly expiresAt: number;
  /** SHA-256 of the public key that was enrolled with it, hex; absent while unused. */
  readonly usedBy?: string;
}

export const hashOfSecret = (secret: Uint8Array): Buffer => createHash('sha256').update(secret).digest();

/** Finds the record of a secret. All records are compared, each in constant time. */
export function findToken(records: readonly TokenRecord[], secret: Uint8Array): TokenRecord | undefined {
  const hash = hashOfSecret(secret);
  let found: TokenRecord | undefined;
  for (const record of records) if (timingSafeEqual(Buffer.from(record.hash, 'hex'), hash)) found = record;
  return found;
}
