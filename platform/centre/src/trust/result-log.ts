/** Results of attestation on their way into the log: when something has changed, and often enough for receipts to find one that was valid. */
import type { AttestationResult } from '@enerchain/attestation';
import { describeError, type UtcNanos } from '@enerchain/model';
import type { Logger } from 'pino';
import type { LogPublisher } from '../ports.ts';

export interface ResultLogOptions {
  readonly log: LogPublisher;
  readonly logger: Logger;
  readonly counters: { logged: number };
  /** Milliseconds for which a result is valid. */
  readonly validFor: number;
  /** Milliseconds between two looks at one node. */
  readonly period: number;
}

const MILLI = 1_000_000n;

export class ResultLog {
  readonly #options: ResultLogOptions;
  /** What was logged last, by who judged whom. */
  readonly #logged = new Map<string, { readonly at: UtcNanos; readonly status: string; readonly good: boolean }>();

  constructor(options: ResultLogOptions) {
    this.#options = options;
  }

  /** @param bytes the result under the signature of its verifier */
  publish(result: AttestationResult, bytes: Uint8Array): void {
    const { log, logger, counters, validFor, period } = this.#options;
    const { node, verifier, status, issuedAt, evidence } = result;
    const good = result.reasons.length === 0;
    const key = `${verifier} ${node}`;
    const last = this.#logged.get(key);
    const due = last === undefined || Number((issuedAt - last.at) / MILLI) >= validFor - period;
    if (!due && last.status === status && last.good === good) return;
    this.#logged.set(key, { at: issuedAt, status, good });
    counters.logged++;
    log
      .publish({ kind: 'attestation', record: { node, verifier, result: bytes, evidence } })
      .catch((error: unknown) => {
        this.#logged.delete(key);
        logger.error({ error: describeError(error) }, 'a result could not be written into the log');
      });
  }
}
