/**
 * The answer of the public CHARRA attester:
 * `[[9, 4, TPMS_ATTEST, TPMT_SIGNATURE], [[5, log id, start, count, octets]…]]`.
 */
import { CborReader, encodeCbor } from '@enerchain/trust';
import { IE, type LogId, TAP_LIMITS, TPM2_QUOTE } from './elements.ts';
import { bounded, logIdText, readList, readLogId, type TapEncoding, tapRefused } from './request.ts';

export interface PcrLog {
  readonly id: LogId;
  readonly start: number;
  readonly count: number;
  readonly bytes: Uint8Array;
}

export interface CharraResponse {
  /** TPMS_ATTEST as signed. */
  readonly attest: Uint8Array;
  /** TPMT_SIGNATURE. */
  readonly signature: Uint8Array;
  readonly logs: readonly PcrLog[];
}

export function encodeCharraResponse(response: CharraResponse, options: TapEncoding = {}): Uint8Array {
  return encodeCbor([
    [IE.pcrAttestation, TPM2_QUOTE, response.attest, response.signature],
    response.logs.map(({ id, start, count, bytes }) => [IE.pcrLog, logIdText(id, options), start, count, bytes]),
  ]);
}

/** @throws EnerchainError `tcn.tap`, `tcn.tap.log` or `cbor.malformed` */
export function decodeCharraResponse(bytes: Uint8Array): CharraResponse {
  const reader = new CborReader(bytes);
  reader.array('TAP response', 2);
  reader.array('PCR attestation', 4);
  expectNumber(reader, 'element', IE.pcrAttestation);
  expectNumber(reader, 'kind of attestation', TPM2_QUOTE);
  const attest = bounded(reader.bytes('TPMS_ATTEST'), 'TPMS_ATTEST', TAP_LIMITS.attest).slice();
  const signature = bounded(reader.bytes('TPMT_SIGNATURE'), 'TPMT_SIGNATURE', TAP_LIMITS.signature).slice();
  let total = 0;
  const logs = readList(reader, 'logs', TAP_LIMITS.logs, () => {
    reader.array('log', 5);
    expectNumber(reader, 'element', IE.pcrLog);
    const id = readLogId(reader);
    const start = reader.uint('first entry');
    const count = reader.uint('number of entries');
    const log = bounded(reader.bytes('log'), 'a log', TAP_LIMITS.log);
    total += log.length;
    if (total > TAP_LIMITS.logsTotal) throw tapRefused('the logs are too long together');
    return { id, start, count, bytes: log.slice() };
  });
  reader.end();
  return { attest, signature, logs };
}

function expectNumber(reader: CborReader, what: string, expected: number): void {
  const number = reader.uint(what);
  if (number !== expected) throw tapRefused(`${what} ${number} where ${expected} is expected`);
}
