/** What the outbox has done; each one grows only, and is shown in the status report. */
export interface OutboxCounters {
  /** Observations made durable. */
  observations: number;
  /** Batches made durable. */
  batches: number;
  /** Octets made durable. */
  bytes: number;
  /** Transactions. */
  commits: number;
  /** Writes that failed; each is tried again. */
  failedCommits: number;
  /** Batches dropped because the outbox reached its bound in size or age. */
  droppedBatches: number;
  droppedObservations: number;
  /** Observations that were not taken because the memory was full. */
  refusedObservations: number;
  /** Gap records written. */
  gaps: number;
  /** Receipts released to devices. */
  receipts: number;
}

export const noCounters = (): OutboxCounters => ({
  observations: 0,
  batches: 0,
  bytes: 0,
  commits: 0,
  failedCommits: 0,
  droppedBatches: 0,
  droppedObservations: 0,
  refusedObservations: 0,
  gaps: 0,
  receipts: 0,
});
