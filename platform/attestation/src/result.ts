/**
 * Attestation results (RFC 9334 § 8.4) in the terms of EAR and AR4SI: what a verifier says about a node, for how long, and
 * on what evidence.
 */
import type { UtcNanos } from '@enerchain/model';

/** Where the key lies that the evidence hangs on. A software attester is never more than `warning`. */
export type Tier = 'tpm' | 'software';

/** Trustworthiness tiers of AR4SI § 2.3.2, and the smallest claim value of each. */
export const TRUSTWORTHINESS = { none: 0, affirming: 2, warning: 32, contraindicated: 96 } as const;
export type Trustworthiness = keyof typeof TRUSTWORTHINESS;

/** Claims of the trustworthiness vector (AR4SI § 2.3.4); values -128 … 127, absent: nothing is said. */
export interface TrustworthinessVector {
  readonly instanceIdentity?: number;
  readonly configuration?: number;
  readonly executables?: number;
  readonly fileSystem?: number;
  readonly hardware?: number;
  readonly runtimeOpaque?: number;
  readonly storageOpaque?: number;
  readonly sourcedData?: number;
}

export interface AttestationResult {
  /** The node that was appraised; the name in its certificate. */
  readonly node: string;
  /** The node that appraised it. */
  readonly verifier: string;
  readonly tier: Tier;
  readonly status: Trustworthiness;
  readonly vector: TrustworthinessVector;
  /** One sentence for each finding that lowered the status; empty when there is none. */
  readonly reasons: readonly string[];
  /** What the evidence was bound to: SHA-256 over nonce, channel and both names. */
  readonly binding: Uint8Array;
  /** SHA-256 of the evidence. */
  readonly evidence: Uint8Array;
  /** Name and version of the appraisal policy. */
  readonly policy: string;
  /** The manifests that were valid then: SHA-256 of each, hex. */
  readonly references?: readonly string[];
  /** By the verifier's clock. */
  readonly issuedAt: UtcNanos;
  /** The result says nothing about what comes later. */
  readonly validUntil: UtcNanos;
  /** Grows with every result of this verifier about this node. */
  readonly sequence: number;
  /** SHA-256 of the signed result before it, of this verifier about this node; absent for the first since the verifier began. */
  readonly previous?: Uint8Array | undefined;
  /**
   * From this result on until now every result of this verifier about this node has been good, in one boot: time and number
   * of the first of them. Absent when this one is not good. Whoever shows two results with nothing between them shows all
   * the same that there was nothing bad; a verifier that says so against a bad result of its own has signed both.
   */
  readonly goodSince?: { readonly at: UtcNanos; readonly sequence: number } | undefined;
  /** Changes when the node has started anew (TPM: resetCount and restartCount); results in one boot can bracket a time. */
  readonly boot: string;
}

/** A result as it travels: COSE_Sign1 by the verifier's key. */
export interface SignedResult {
  readonly result: AttestationResult;
  readonly bytes: Uint8Array;
}
