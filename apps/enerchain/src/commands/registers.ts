/** Golden values of PCRs in a file. */
import { readFileSync } from 'node:fs';
import type { RegisterValue } from '@enerchain/attestation';
import { EnerchainError } from '@enerchain/model';

/** A file `{"<pcr>": "<SHA-256, hex>"}`. */
export function registersIn(file: string): RegisterValue[] {
  return Object.entries(JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>).map(([pcr, digest]) => {
    if (!/^\d{1,2}$/.test(pcr) || typeof digest !== 'string' || !/^[0-9a-f]{64}$/.test(digest)) {
      throw new EnerchainError('caller', 'cli.option', `${file}: '${pcr}' is no PCR with a SHA-256 digest in hex`);
    }
    return { pcr: Number(pcr), digest: Buffer.from(digest, 'hex') };
  });
}
