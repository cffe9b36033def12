/** Who signs: a port, so that a key may lie in a file, an HSM or a TPM. */
import type { KeyObject } from 'node:crypto';
import type { SignatureAlgorithm } from './algorithm.ts';

/** Signs with one key that it keeps. */
export interface Signer {
  readonly algorithm: SignatureAlgorithm;
  readonly publicKey: KeyObject;
  readonly origin: 'file' | 'hsm' | 'tpm';
  /** Signatures per second that the key can keep up with (a real TPM: 3 to 10); absent when it is not a limit. */
  readonly rate?: number | undefined;
  /** @param data what is to be signed, not its hash. @returns r‖s: 64 bytes on a 256-bit curve, 96 on a 384-bit one */
  sign(data: Uint8Array): Promise<Uint8Array> | Uint8Array;
}
