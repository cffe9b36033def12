/**
 * The attester of a node (RFC 9334 § 3.1): whoever can prove what software runs here. Its evidence answers bindings, each
 * of which a verifier made from its own nonce, the channel over which it asks, and both names.
 */
import { hash } from 'node:crypto';
import { encodeCbor } from '@enerchain/trust';
import type { Tier } from './result.ts';

/** Octets of a binding. */
export const BINDING_BYTES = 32;
/** Most verifiers that one evidence may answer at once. */
export const MAX_BINDINGS = 64;

/**
 * How far a verifier knows the logs of an attester, so that only what is new needs to travel. A list that has begun anew
 * has another name; then everything comes.
 */
export interface EvidenceCursor {
  /** Names the measurement list, hex. */
  readonly list: string;
  /** Records of the measurement list that are known. */
  readonly records: number;
  /** Octets of the TCG event log that are known. */
  readonly events?: number;
  /** Octets of the IMA list that are known. */
  readonly ima?: number;
}

export interface Attester {
  /** The name in its certificate. */
  readonly node: string;
  readonly tier: Tier;
  /**
   * Evidence of this moment.
   * @param bindings 1 … 64 of 32 octets each, see `bindingOf`; one quote or signature answers all of them
   * @param since what the verifiers know already; absent: everything is sent
   * @throws EnerchainError `attestation.attester` (fault environment) when the TPM or a file cannot be used
   */
  evidence(bindings: readonly Uint8Array[], since?: EvidenceCursor): Promise<Uint8Array>;
  /** Called when a measurement has been added, so that neighbours and centre can look at once. @returns unsubscribe */
  onChange(listener: () => void): () => void;
}

export interface Challenge {
  /** Fresh and random, made by the verifier: 16 … 64 octets. */
  readonly nonce: Uint8Array;
  /** `exporter()` of the connection over which evidence is asked for; 32 octets. */
  readonly exporter: Uint8Array;
  /** Name of who appraises. */
  readonly verifier: string;
  /** Name of who attests. */
  readonly node: string;
}

/**
 * What evidence must be bound to: SHA-256 over the CBOR array `["enerchain-binding", nonce, exporter, verifier, node]`.
 * Both ends know the exporter of their own connection and nobody else does, so evidence that was made for one channel is
 * worth nothing on another: a relayed answer does not fit.
 */
export function bindingOf({ nonce, exporter, verifier, node }: Challenge): Uint8Array {
  return hash('sha256', encodeCbor(['enerchain-binding', nonce, exporter, verifier, node]), 'buffer');
}
