/**
 * What a node must not forget when it starts anew: whom it has put into quarantine and why, what persons have decided, and
 * which evidence they have forgiven. Otherwise whoever can have a node started anew could undo a quarantine, or have an old
 * order taken for a new one.
 */
import type { UtcNanos } from '@enerchain/model';
import type { Conviction } from './assess.ts';

/** Of one node. */
export interface Decision {
  readonly node: string;
  readonly conviction?: KeptConviction | undefined;
  /** When persons have let it in again, by their order; what is older counts no more. */
  readonly releasedAt?: UtcNanos | undefined;
  /** Evidence that was forgiven, SHA-256 hex. */
  readonly voided: readonly string[];
  /** The newest order about it, as it was signed. */
  readonly order?: Uint8Array | undefined;
}

export interface KeptConviction extends Conviction {
  /** Of the evidence, SHA-256 hex. */
  readonly digest: string | undefined;
}

/** Where decisions outlive the process. */
export interface DecisionStore {
  /** What was kept last; nothing when there is none, or it cannot be read. */
  load(): readonly Decision[];
  /** Takes the place of what was kept before. */
  keep(decisions: readonly Decision[]): void;
}
