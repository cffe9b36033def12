/**
 * Checkpoints: what a log is at one moment, signed by its key (C2SP tlog-checkpoint), and cosignatures of witnesses that
 * have seen it grow out of what they saw before.
 *
 *     enerchain/<id of the log>          origin
 *     <size>                             decimal
 *     <root>                             base64
 *     time <nanoseconds since 1970>      by the clock of the log
 *     (empty line)
 *     — enerchain/<id of the log> base64(key id 4 · signature in DER)
 *     — <witness> base64(key id 4 · time 8, nanoseconds, big-endian · signature in DER)
 *
 * The log signs the four lines; a witness signs `enerchain-cosignature/1`, `time <nanoseconds>` and the four lines, each
 * with its line feed.
 */
import type { KeyObject } from 'node:crypto';
import { EnerchainError, type UtcNanos } from '@enerchain/model';
import type { Signer } from '@enerchain/pki';
import { HASH_BYTES, same } from '../tree/hash.ts';
import { LARGEST_TREE } from '../tree/shape.ts';
import { checkDer, keyIdOf, type NoteSignature, parseNote, signDer, strictBase64, writeNote } from './note.ts';

export interface TreeHead {
  readonly size: number;
  /** 32 octets. */
  readonly root: Uint8Array;
}

export interface Checkpoint extends TreeHead {
  /** Name of the log. */
  readonly origin: string;
  /** When it was made, by the clock of the log. */
  readonly time: UtcNanos;
}

export interface Cosignature {
  readonly witness: string;
  readonly keyId: Uint8Array;
  /** By the clock of the witness. */
  readonly time: UtcNanos;
  /** DER. */
  readonly signature: Uint8Array;
}

/** A checkpoint as it came, taken apart; nothing is checked yet. */
export interface SignedCheckpoint {
  readonly checkpoint: Checkpoint;
  /** The signed text. */
  readonly text: string;
  readonly signature: NoteSignature;
  readonly cosignatures: readonly Cosignature[];
}

const NUMBER = /^(0|[1-9]\d{0,14})$/;
const TIME = /^time (0|[1-9]\d{0,18})$/;
const ORIGIN = /^[a-z0-9][a-z0-9_./-]{0,99}$/;
const TIME_BYTES = 8;

const refuse = (text: string) => new EnerchainError('peer', 'provenance.checkpoint', `checkpoint: ${text}`);

/** The signed text. */
export const checkpointText = ({ origin, size, root, time }: Checkpoint): string =>
  `${origin}\n${size}\n${Buffer.from(root).toString('base64')}\ntime ${time}\n`;

/** @throws EnerchainError `provenance.note`, `provenance.checkpoint` (fault peer) */
export function parseCheckpoint(note: string): SignedCheckpoint {
  const { text, signatures } = parseNote(note);
  const [origin = '', size = '', root = '', time = '', rest, ...more] = text.split('\n');
  if (more.length > 0 || rest !== '') throw refuse('it has not four lines');
  if (!ORIGIN.test(origin)) throw refuse('the name of the log is malformed');
  const hash = strictBase64(root);
  const [, nanos] = TIME.exec(time) ?? [];
  if (!NUMBER.test(size) || Number(size) > LARGEST_TREE) throw refuse('the size is malformed');
  if (hash?.length !== HASH_BYTES) throw refuse('the root is malformed');
  if (nanos === undefined || BigInt(nanos) >= 1n << 63n) throw refuse('the time is malformed');
  const [signature, ...others] = signatures;
  if (signature?.name !== origin) throw refuse('the first signature is not that of the log');
  const seen = new Set<string>();
  const cosignatures = others.map(({ name, keyId, blob }): Cosignature => {
    if (blob.length <= TIME_BYTES || seen.has(name)) throw refuse('a cosignature is malformed or there twice');
    seen.add(name);
    const at = Buffer.from(blob).readBigUInt64BE(0);
    if (at >= 1n << 63n) throw refuse('the time of a cosignature is malformed');
    return { witness: name, keyId, time: at, signature: blob.subarray(TIME_BYTES) };
  });
  return { checkpoint: { origin, size: Number(size), root: hash, time: BigInt(nanos) }, text, signature, cosignatures };
}

/** Signs a checkpoint with the key of the log. @returns the note */
export async function signCheckpoint(signer: Signer, checkpoint: Checkpoint): Promise<string> {
  const text = checkpointText(checkpoint);
  const blob = await signDer(signer, Buffer.from(text));
  return writeNote({ text, signatures: [{ name: checkpoint.origin, keyId: keyIdOf(signer.publicKey), blob }] });
}

/** Whether the log's key made this checkpoint. */
export function isSignedBy({ text, signature }: SignedCheckpoint, key: KeyObject): boolean {
  return same(signature.keyId, keyIdOf(key)) && checkDer(key, Buffer.from(text), signature.blob);
}

const cosigned = (time: UtcNanos, text: string): Buffer =>
  Buffer.from(`enerchain-cosignature/1\ntime ${time}\n${text}`);

/** Signs a checkpoint as a witness; consistency with what was seen before is the caller's to check. */
export async function cosign(
  signer: Signer,
  witness: string,
  { text }: Pick<SignedCheckpoint, 'text'>,
  time: UtcNanos,
): Promise<Cosignature> {
  const signature = await signDer(signer, cosigned(time, text));
  return { witness, keyId: keyIdOf(signer.publicKey), time, signature };
}

/** Whether the witness's key made this cosignature of the text. */
export function isCosignedBy({ keyId, time, signature }: Cosignature, text: string, key: KeyObject): boolean {
  return same(keyId, keyIdOf(key)) && checkDer(key, cosigned(time, text), signature);
}

/** The note with these cosignatures instead of those that it has, in the order of the names. */
export function withCosignatures(signed: SignedCheckpoint, cosignatures: readonly Cosignature[]): string {
  const lines = [...cosignatures]
    .sort((a, b) => (a.witness < b.witness ? -1 : 1))
    .map(({ witness, keyId, time, signature }): NoteSignature => {
      const blob = Buffer.alloc(TIME_BYTES + signature.length);
      blob.writeBigUInt64BE(time);
      blob.set(signature, TIME_BYTES);
      return { name: witness, keyId, blob };
    });
  return writeNote({ text: signed.text, signatures: [signed.signature, ...lines] });
}
