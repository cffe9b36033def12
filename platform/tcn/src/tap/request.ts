/**
 * What a verifier asks: `[version, hello, key id, nonce, [[hash algorithm, [PCR…]]…], [[log id, start, count]…]]`.
 * Natively and in CHARRA's form alike.
 */
import { EnerchainError } from '@enerchain/model';
import { CborReader, type CborValue, encodeCbor } from '@enerchain/trust';
import { LOG_IDS, type LogId, TAP_LIMITS, TAP_VERSION } from './elements.ts';

export interface PcrSelection {
  /** TPM_ALG_ID of the bank. */
  readonly algorithm: number;
  /** Numbers of the registers, 0 … 31. */
  readonly pcrs: readonly number[];
}

/** Part of a log. */
export interface LogRequest {
  readonly id: LogId;
  /** First entry. */
  readonly start: number;
  /** Number of entries; 0 = all of them. */
  readonly count: number;
}

export interface TapRequest {
  /** CHARRA: the first message of a session. Always false here. */
  readonly hello: boolean;
  /** Which key is to sign; empty when the attester has one. */
  readonly keyId: string;
  /** Fresh random octets, 1 … 64. */
  readonly nonce: Uint8Array;
  readonly selections: readonly PcrSelection[];
  readonly logs: readonly LogRequest[];
}

export const tapRefused = (what: string): EnerchainError => new EnerchainError('peer', 'tcn.tap', `TAP: ${what}`);

const NUL = String.fromCharCode(0);

/** The C implementation sends the terminating NUL of its strings along; whether the other one does is nobody's business. */
const trimmed = (text: string): string => (text.endsWith(NUL) ? text.slice(0, -1) : text);

export function encodeTapRequest(request: TapRequest, options: TapEncoding = {}): Uint8Array {
  return encodeCbor([
    TAP_VERSION,
    request.hello,
    new TextEncoder().encode(request.keyId),
    request.nonce,
    request.selections.map(({ algorithm, pcrs }) => [algorithm, pcrs]),
    request.logs.map(({ id, start, count }) => [logIdText(id, options), start, count]),
  ]);
}

export interface TapEncoding {
  /** Log ids with a trailing NUL, as the C implementation writes and expects them. */
  readonly terminated?: boolean;
}

export const logIdText = (id: LogId, { terminated }: TapEncoding): CborValue => (terminated ? id + NUL : id);

/** @throws EnerchainError `tcn.tap`, `tcn.tap.version` or `cbor.malformed` */
export function decodeTapRequest(bytes: Uint8Array): TapRequest {
  const reader = new CborReader(bytes);
  reader.array('TAP request', 6);
  readTapVersion(reader);
  const hello = reader.value();
  if (typeof hello !== 'boolean') throw tapRefused('hello is no boolean');
  const keyId = utf8(bounded(reader.bytes('key id'), 'the key id', TAP_LIMITS.keyId));
  const nonce = bounded(reader.bytes('nonce'), 'the nonce', TAP_LIMITS.nonce).slice();
  if (nonce.length === 0) throw tapRefused('the nonce is empty');
  const selections = readList(reader, 'PCR selections', TAP_LIMITS.selections, () => readSelection(reader));
  const logs = readList(reader, 'logs', TAP_LIMITS.logs, () => {
    reader.array('log', 3);
    return { id: readLogId(reader), start: reader.uint('first entry'), count: reader.uint('number of entries') };
  });
  reader.end();
  return { hello, keyId, nonce, selections, logs };
}

export function readTapVersion(reader: CborReader): void {
  const version = reader.uint('TAP version');
  if (version !== TAP_VERSION) {
    const text = `version ${version.toString(16)} of TAP is not spoken here, only ${TAP_VERSION.toString(16)}`;
    throw new EnerchainError('unsupported', 'tcn.tap.version', text);
  }
}

function readSelection(reader: CborReader): PcrSelection {
  reader.array('PCR selection', 2);
  const algorithm = reader.uint('hash algorithm', 0xffff);
  const pcrs = readList(reader, 'PCRs', TAP_LIMITS.pcrs, () => reader.uint('PCR', 31));
  if (new Set(pcrs).size !== pcrs.length) throw tapRefused('a PCR is selected twice');
  return { algorithm, pcrs };
}

export function readLogId(reader: CborReader): LogId {
  const text = trimmed(reader.text('log id', 64));
  const id = LOG_IDS.find((known) => known === text);
  if (!id) throw new EnerchainError('unsupported', 'tcn.tap.log', `TAP: a log '${text}' is not known here`);
  return id;
}

export function readList<T>(reader: CborReader, what: string, most: number, read: () => T): T[] {
  const count = reader.array(what);
  if (count > most) throw tapRefused(`${count} ${what}, at most ${most} are read`);
  return Array.from({ length: count }, read);
}

export function bounded(bytes: Uint8Array, what: string, most: number): Uint8Array {
  if (bytes.length > most) throw tapRefused(`${what} has ${bytes.length} octets, at most ${most} are read`);
  return bytes;
}

function utf8(bytes: Uint8Array): string {
  try {
    return trimmed(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes));
  } catch {
    throw tapRefused('the key id is not UTF-8');
  }
}
