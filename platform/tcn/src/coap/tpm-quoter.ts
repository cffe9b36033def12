/**
 * Quotes of a TPM for CHARRA's format, by an attestation key of their own. Anybody may ask here, with any nonce: a quote by the
 * key of the node over octets that somebody has chosen could stand under evidence that the node never gave. This key is made
 * for this alone, no authority certifies it, and no evidence of ours is believed under it.
 */
import { readFile } from 'node:fs/promises';
import { EnerchainError } from '@enerchain/model';
import { encodePublic, type HashAlgorithm, openAttestationKey, type TpmClient, type TpmKey } from '@enerchain/tpm2';
import { writeDurably } from '@enerchain/trust';
import { type LogId, TAP_LIMITS, TCG_HASH } from '../tap/elements.ts';
import type { LogRequest } from '../tap/request.ts';
import type { Quoter } from './server.ts';

const HASH_BY_ID = new Map<number, HashAlgorithm>(
  (['sha1', 'sha256', 'sha384', 'sha512'] as const).map((name) => [TCG_HASH[name], name]),
);
/** Makes it another key than the node's, of the same TPM, and the same one each time. */
const KEY_LABEL = 'enerchain coap';

export interface TpmQuoterOptions {
  readonly tpm: TpmClient;
  /** Where its public part (TPMT_PUBLIC) is put for whoever is to check quotes; absent: nowhere. */
  readonly keyFile?: string;
  /** Files of the logs of this machine; what is not there is not sent. */
  readonly logs?: Partial<Record<LogId, string>>;
}

/** The key is opened with the first request; whatever name the verifier has for it, there is one. */
export function tpmQuoter(options: TpmQuoterOptions): Quoter {
  const { tpm, logs: files = {} } = options;
  let opening: Promise<TpmKey> | undefined;
  const key = () => {
    opening ??= open(options);
    // A TPM that was busy may be free the next time.
    opening.catch(() => {
      opening = undefined;
    });
    return opening;
  };
  return async ({ nonce, selections, logs }) => {
    const selection = selections.map(({ algorithm, pcrs }) => {
      const hash = HASH_BY_ID.get(algorithm);
      if (!hash) {
        throw new EnerchainError(
          'unsupported',
          'tcn.tap.bank',
          `there are no PCRs of algorithm 0x${algorithm.toString(16)}`,
        );
      }
      return { hash, pcrs };
    });
    const found = await Promise.all(logs.map((each) => logOf(each, files[each.id])));
    const { attest, signature } = await tpm.quote(await key(), nonce, selection);
    return { attest, signature, logs: found.flatMap((each) => each ?? []) };
  };
}

async function open({ tpm, keyFile }: TpmQuoterOptions): Promise<TpmKey> {
  const key = await openAttestationKey(tpm, { label: KEY_LABEL });
  if (keyFile !== undefined) await writeDurably(keyFile, encodePublic(key.public), 0o644);
  return key;
}

async function logOf({ id, start, count }: LogRequest, file: string | undefined) {
  if (start > 0 || count > 0) {
    throw new EnerchainError('unsupported', 'tcn.tap.part', 'logs are given out whole; ask for entry 0 and count 0');
  }
  const bytes = file === undefined ? undefined : await readFile(file).catch(() => undefined);
  if (!bytes) return undefined;
  if (bytes.length > TAP_LIMITS.log) {
    throw new EnerchainError(
      'unsupported',
      'tcn.tap.log',
      `the log ${id} has ${bytes.length} octets: too many to send`,
    );
  }
  return { id, start, count, bytes: Uint8Array.from(bytes) };
}
