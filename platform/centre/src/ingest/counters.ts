/** Counters of one source, since the log began to be kept. */
export interface SourceCounters {
  batches: number;
  observations: number;
  bytes: number;
  /** Observations of points not bound to the source. */
  rejected: number;
  /** Batches that came more than once. */
  duplicates: number;
  /** Batches refused as malformed, foreign or wrongly signed. */
  refused: number;
  /** Gap records by and about the source. */
  gaps: number;
  chainBreaks: number;
}

export const noCounters = (): SourceCounters => ({
  batches: 0,
  observations: 0,
  bytes: 0,
  rejected: 0,
  duplicates: 0,
  refused: 0,
  gaps: 0,
  chainBreaks: 0,
});
