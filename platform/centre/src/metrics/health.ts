/** How the centre is: `ok`, or `degraded` with one sentence per reason. */

/** @returns a sentence when something is wrong */
export type HealthCheck = () => string | undefined;

export interface HealthJson {
  readonly status: 'ok' | 'degraded';
  readonly reasons: readonly string[];
}

export function healthOf(checks: readonly HealthCheck[]): HealthJson {
  const reasons = checks.flatMap((check) => check() ?? []);
  return { status: reasons.length === 0 ? 'ok' : 'degraded', reasons };
}
