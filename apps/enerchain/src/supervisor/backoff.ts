/** When a process that ended is started again: a pure function of what happened so far. */

export interface RestartPolicy {
  /** Delay after the first end, ms. */
  readonly initial: number;
  /** Longest delay, ms. */
  readonly maximum: number;
  /** A run of at least this length, ms, counts as healthy and resets the delay. */
  readonly healthyAfter: number;
}

export const RESTART_POLICY: RestartPolicy = { initial: 500, maximum: 30_000, healthyAfter: 60_000 };

/**
 * @param failures ends in a row before this one
 * @param ranFor how long the process ran, ms
 * @returns the delay in ms before the next start, and the new count of ends in a row
 */
export function nextRestart(
  failures: number,
  ranFor: number,
  policy = RESTART_POLICY,
): { delay: number; failures: number } {
  const inARow = ranFor >= policy.healthyAfter ? 0 : failures;
  return { delay: Math.min(policy.maximum, policy.initial * 2 ** Math.min(inARow, 20)), failures: inARow + 1 };
}
