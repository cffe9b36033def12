/** The orders of others that wait for a second person. Pure. */
import type { CommandJson } from '../api/types.ts';

/** Those that `user` may approve, the one that ends first before the others. */
export function waitingFor(
  commands: Iterable<CommandJson>,
  user: string | null | undefined,
  now: Date,
): readonly CommandJson[] {
  return [...commands]
    .filter(
      ({ state, final, by, expiresAt }) =>
        state === 'approvalPending' && !final && by !== user && Date.parse(expiresAt) > now.getTime(),
    )
    .sort((a, b) => Date.parse(a.expiresAt) - Date.parse(b.expiresAt));
}

/** `1:05`, never negative. */
export function timeLeft(expiresAt: string, now: Date): string {
  const seconds = Math.max(0, Math.ceil((Date.parse(expiresAt) - now.getTime()) / 1000));
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
}
