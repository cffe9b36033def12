/**
 * Which of two observations of a point is the present one. Source time decides, as long as it can be believed; a backlog
 * that arrives late therefore never overwrites what is newer. Four exceptions keep a wrong clock from freezing a display:
 *
 * - A source time is not believed when the source calls its clock defective, when it lies more than a minute ahead of
 *   the receive time, or more than a day behind it; then the receive time stands for it. A time that is believed and one
 *   that only stands for another are compared with a minute's grace, since what lies between them is the way here.
 * - A receive time ahead of the centre's own clock by more than a minute is an edge with a wrong clock; so is one more
 *   than half a year behind it (a clock without battery begins in 1970; no backlog is that old). The time of arrival
 *   stands for it.
 * - A value that claims to be later than the centre's own clock says it is came while that clock was wrong; it stands
 *   against nothing that arrives now.
 * - What a device reports of its present state (interrogation, periodic, background …) and was received later wins,
 *   whatever its time tag says.
 */
import { CAUSES, type Cause, TIME_QUALITY, type UtcNanos } from '@enerchain/model';

const MINUTE = 60_000_000_000n;
const DAY = 1440n * MINUTE;
const HALF_YEAR = 183n * DAY;

const STATE_CAUSES: ReadonlySet<Cause> = new Set([
  'periodic',
  'background',
  'interrogation',
  'counterInterrogation',
  'requested',
  'initialised',
  'sourceLost',
]);
const IS_STATE = CAUSES.map((cause) => STATE_CAUSES.has(cause));

/** Times by which observations are compared. */
export interface Order {
  /** Source time, or what stands for it. */
  readonly happened: UtcNanos;
  /** Receive time, or what stands for it. */
  readonly received: UtcNanos;
  /** Whether `happened` is the source time itself. */
  readonly believed: boolean;
}

/** @param arrived when the centre appended the record */
export function orderOf(sourceTime: UtcNanos, receiveTime: UtcNanos, timeQuality: number, arrived: UtcNanos): Order {
  const credible = receiveTime <= arrived + MINUTE && receiveTime >= arrived - HALF_YEAR;
  const received = credible ? receiveTime : arrived;
  const believed =
    (timeQuality & TIME_QUALITY.clockFailure) === 0 && sourceTime <= received + MINUTE && sourceTime >= received - DAY;
  return { happened: believed ? sourceTime : received, received, believed };
}

/** Whether the value that is shown may stand against one that arrives now. @param arrived by the centre's clock */
export function mayStand(present: Order, arrived: UtcNanos): boolean {
  return present.happened <= arrived + 3n * MINUTE;
}

/** @param cause of the candidate: index into `CAUSES`, without the repeat bit */
export function isNewer(candidate: Order, cause: number, present: Order): boolean {
  const grace = candidate.believed === present.believed ? 0n : MINUTE;
  if (candidate.happened + grace >= present.happened) return true;
  return IS_STATE[cause] === true && candidate.received > present.received;
}
