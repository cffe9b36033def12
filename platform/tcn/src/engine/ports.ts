/** What a node of the network stands on; everything that touches the world comes in through here. */
import type {
  AttestationResult,
  Attester,
  EvidenceCursor,
  NodeRole,
  NodeTrust,
  SignedResult,
  TrustPolicy,
} from '@enerchain/attestation';
import type { Clock, UtcNanos } from '@enerchain/model';
import type { Signer } from '@enerchain/trust';
import type { After } from '../channel.ts';
import type { KeyDirectory } from '../keys.ts';
import type { TrustBase } from '../trust-base.ts';
import type { Timing } from './cycle.ts';
import type { DecisionStore } from './decisions.ts';
import type { Rates } from './limits.ts';
import type { Standing } from './standing.ts';

/** The verifier of this node; `Verifier` of `@enerchain/attestation`. */
export interface Appraiser {
  /**
   * @param expected whose evidence it must be, and what it must be bound to
   * @returns a result signed by this node; whatever goes wrong gives one that is not good
   */
  appraise(
    evidence: Uint8Array,
    expected: { readonly node: string; readonly binding: Uint8Array },
  ): Promise<SignedResult> | SignedResult;
  /** When evidence was made, by the clock of who made and signed it; undefined when it does not say. */
  timeOf?(evidence: Uint8Array): UtcNanos | undefined;
  /** How far it knows the logs of a node; undefined: everything is needed. */
  cursor?(node: string): EvidenceCursor | undefined;
}

/** The verifier of this node for what was shown to others: its results are for this node alone, and need no signature. */
export interface Reappraiser extends Pick<Appraiser, 'timeOf'> {
  appraise(
    evidence: Uint8Array,
    expected: { readonly node: string; readonly binding: Uint8Array },
  ): Promise<Pick<SignedResult, 'result'>> | Pick<SignedResult, 'result'>;
}

export interface TcnIdentity {
  readonly name: string;
  readonly role: NodeRole;
  /** SHA-256 of the certificate. */
  readonly kid: Uint8Array;
  /** DER. */
  readonly certificate: Uint8Array;
  readonly signer: Signer;
}

export interface TcnEvent {
  /** `reaction`: a node has come into another state. `security`: somebody did what an honest node does not do. */
  readonly kind: 'reaction' | 'security';
  readonly code: string;
  /** Whom it concerns. */
  readonly node: string;
  readonly text: string;
}

/** A statement that was taken, ours or of another node, with what it says when it is a result. */
export interface Heard extends Standing {
  readonly result?: AttestationResult;
}

export interface TcnOptions {
  readonly identity: TcnIdentity;
  readonly attester: Pick<Attester, 'evidence' | 'onChange'>;
  readonly appraiser: Appraiser;
  /**
   * Appraises evidence that was shown to somebody else; it remembers nothing of a node from one time to the next, so that old
   * evidence does not disturb what `appraiser` knows. The same one when it remembers nothing anyway.
   */
  readonly reappraiser: Reappraiser;
  readonly keys: KeyDirectory;
  /** Names of the neighbours; connections of others are refused. */
  readonly neighbours: readonly string[];
  /** The one in force; undefined: everybody is unknown, nothing is done. */
  readonly policy: () => TrustPolicy | undefined;
  /** Bundles of the centre; absent: policy and references come by other ways, and none is passed on. */
  readonly base?: TrustBase;
  /** Absent: quarantines and orders are forgotten with the process. */
  readonly decisions?: DecisionStore;
  readonly software: string;
  readonly clock: Clock;
  readonly after: After;
  /** 0 … 1, for jitter. */
  readonly random: () => number;
  /** Unpredictable octets, for nonces. */
  readonly randomBytes: (count: number) => Uint8Array;
  /** Departures from what follows from the policy's period. */
  readonly timing?: Partial<Timing>;
  readonly rates?: Partial<Rates>;
  readonly onChange?: (changed: readonly NodeTrust[]) => void;
  readonly onEvent?: (event: TcnEvent) => void;
  /** Every new statement, so that the centre can be told. */
  readonly onStatement?: (heard: Heard) => void;
}
