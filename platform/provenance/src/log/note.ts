/**
 * Signed notes (C2SP signed-note): a text, an empty line, and signature lines `— name base64(key id · signature)`. Signatures
 * are ECDSA P-256 with SHA-256 in DER, the key id is the first four octets of SHA-256 over the SubjectPublicKeyInfo, so
 * openssl checks what is written here as it stands.
 */
import { hash, type KeyObject, verify } from 'node:crypto';
import { EnerchainError } from '@enerchain/model';
import type { Signer } from '@enerchain/pki';
import { requireEs256 } from '@enerchain/trust';

export interface NoteSignature {
  /** Name of the key. */
  readonly name: string;
  /** Four octets. */
  readonly keyId: Uint8Array;
  /** What stands behind the key id. */
  readonly blob: Uint8Array;
}

export interface SignedNote {
  /** The text with its last line feed; what is signed. */
  readonly text: string;
  readonly signatures: readonly NoteSignature[];
}

const KEY_ID_BYTES = 4;
const MAX_NOTE_CHARACTERS = 32_768;
const MAX_SIGNATURES = 64;
const LINE = /^— ([A-Za-z0-9][A-Za-z0-9_./-]{0,99}) ([A-Za-z0-9+/]+={0,2})$/;

const refuse = (text: string) => new EnerchainError('peer', 'provenance.note', `signed note: ${text}`);

/** Of keys that were asked for before: a key object does not change, and writing its octets costs more than hashing them. */
const keyIds = new WeakMap<KeyObject, Uint8Array>();

/** First four octets of SHA-256 over the key's SubjectPublicKeyInfo. */
export function keyIdOf(key: KeyObject): Uint8Array {
  let id = keyIds.get(key);
  if (!id) {
    id = keyIdOfSpki(key.export({ type: 'spki', format: 'der' }));
    keyIds.set(key, id);
  }
  return id;
}

/** The same where the SubjectPublicKeyInfo is at hand as a certificate has it, which costs a hundredth of writing it anew. */
export const keyIdOfSpki = (spki: Uint8Array): Uint8Array => hash('sha256', spki, 'buffer').subarray(0, KEY_ID_BYTES);

/** Decodes base64 (RFC 4648 § 4) that has one spelling only. @returns undefined when it has another */
export function strictBase64(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, 'base64');
  return bytes.toString('base64') === text ? bytes : undefined;
}

/** @throws EnerchainError `provenance.note` (fault peer) */
export function parseNote(note: string): SignedNote {
  if (note.length > MAX_NOTE_CHARACTERS) throw refuse(`${note.length} characters are too many`);
  const end = note.indexOf('\n\n');
  if (end < 0 || !note.endsWith('\n')) throw refuse('no text, empty line and signatures');
  const lines = note.slice(end + 2, -1).split('\n');
  if (lines.length > MAX_SIGNATURES) throw refuse(`${lines.length} signatures are too many`);
  const signatures = lines.map((line): NoteSignature => {
    const [, name, text] = LINE.exec(line) ?? [];
    const bytes = text && strictBase64(text);
    if (!name || !bytes || bytes.length <= KEY_ID_BYTES) throw refuse('a signature line is malformed');
    return { name, keyId: bytes.subarray(0, KEY_ID_BYTES), blob: bytes.subarray(KEY_ID_BYTES) };
  });
  return { text: note.slice(0, end + 1), signatures };
}

export function writeNote({ text, signatures }: SignedNote): string {
  const lines = signatures.map(({ name, keyId, blob }) => {
    return `— ${name} ${Buffer.concat([keyId, blob]).toString('base64')}\n`;
  });
  return `${text}\n${lines.join('')}`;
}

/** One INTEGER of DER (X.690 § 8.3) for half of a signature. */
function derInteger(half: Uint8Array): Buffer {
  let start = 0;
  while (start < half.length - 1 && half[start] === 0) start++;
  const digits = half.subarray(start);
  const padded = digits[0]! & 0x80 ? Buffer.concat([Buffer.alloc(1), digits]) : Buffer.from(digits);
  return Buffer.concat([Buffer.from([2, padded.length]), padded]);
}

/** r‖s as the ECDSA-Sig-Value that openssl reads (RFC 3279 § 2.2.3). */
export function derSignature(raw: Uint8Array): Buffer {
  const half = raw.length / 2;
  const body = Buffer.concat([derInteger(raw.subarray(0, half)), derInteger(raw.subarray(half))]);
  return Buffer.concat([Buffer.from([0x30, body.length]), body]);
}

/** Signs octets for a note. @returns DER. @throws EnerchainError `cose.algorithm` when the key is not on P-256 */
export async function signDer(signer: Signer, data: Uint8Array): Promise<Buffer> {
  requireEs256(signer);
  return derSignature(await signer.sign(data));
}

/** @param signature DER; any other spelling of it is refused by OpenSSL */
export function checkDer(key: KeyObject, data: Uint8Array, signature: Uint8Array): boolean {
  try {
    return verify('sha256', data, { key, dsaEncoding: 'der' }, signature);
  } catch {
    return false;
  }
}
