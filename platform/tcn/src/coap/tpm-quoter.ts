/** Quotes of a TPM for CHARRA's format. */
import { EnerchainError } from '@enerchain/model';
import type { HashAlgorithm, TpmClient, TpmKey } from '@enerchain/tpm2';
import { type LogId, TCG_HASH } from '../tap/elements.ts';
import type { Quoter } from './server.ts';

const HASH_BY_ID = new Map<number, HashAlgorithm>(
  (['sha1', 'sha256', 'sha384', 'sha512'] as const).map((name) => [TCG_HASH[name], name]),
);

/**
 * @param key attestation key, whatever name the verifier has for it: there is one
 * @param log content of a log from an entry on; undefined: there is no such log on this machine
 */
export const tpmQuoter =
  (
    tpm: TpmClient,
    key: TpmKey,
    log: (id: LogId, start: number, count: number) => Promise<Uint8Array | undefined> = async () => undefined,
  ): Quoter =>
  async ({ nonce, selections, logs }) => {
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
    const { attest, signature } = await tpm.quote(key, nonce, selection);
    const found = [];
    for (const { id, start, count } of logs) {
      const bytes = await log(id, start, count);
      if (bytes) found.push({ id, start, count, bytes });
    }
    return { attest, signature, logs: found };
  };
