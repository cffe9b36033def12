/** What stands in the outbox, and what changes in it at one time. */
import type { Batch, ChainPosition, ContentKind } from '@enerchain/link';
import type { GapReason, UtcNanos } from '@enerchain/model';

/** A batch on its way to disk. */
export interface StoredBatch {
  readonly epoch: number;
  readonly sequence: number;
  readonly hash: Uint8Array;
  readonly kind: ContentKind;
  /** Observations (or records) in it. */
  readonly count: number;
  /** Receive times of the first and the last observation. */
  readonly from: UtcNanos;
  readonly to: UtcNanos;
  readonly bytes: Uint8Array;
  /** Set when it has no signature of its own yet. */
  readonly batch?: Batch;
}

/** A gap that has begun and not ended yet. */
export interface OpenGap {
  readonly endpoint: string;
  readonly reason: Extract<GapReason, 'uncleanRestart' | 'deviceAway'>;
  readonly since: UtcNanos;
  readonly detail: string;
}

/** What changes together with batches, in the same transaction. */
export interface StateChange {
  readonly open?: OpenGap;
  /** Endpoint whose gap ends. */
  readonly close?: string;
  /** Endpoint and what it said lately. */
  readonly recent?: { readonly endpoint: string; readonly saved: Uint8Array };
  readonly meta?: Readonly<Record<string, string>>;
  /** A batch whose content has been put on the chain anew. */
  readonly remove?: { readonly epoch: number; readonly sequence: number };
}

/** A run of batches without holes, to be dropped. */
export interface DroppedRun {
  readonly epoch: number;
  readonly first: number;
  readonly last: number;
  readonly lastHash: Uint8Array;
  readonly from: UtcNanos;
  readonly to: UtcNanos;
  /** Observations in it. */
  readonly count: number;
  readonly bytes: number;
}

/** One transaction: all of it becomes durable, or nothing. */
export interface Commit {
  readonly batches: readonly StoredBatch[];
  readonly dropped?: readonly DroppedRun[];
  readonly changes?: readonly StateChange[];
  /** Everything that devices stamped before this moment is committed with this transaction or was before (`TransitLag`). */
  readonly committedUntil?: UtcNanos;
  readonly position?: ChainPosition | undefined;
}
