/** Whether a feedback point stands where a command wanted it. Pure. */
import { DOUBLE_POINT, type Point, type Value } from '@enerchain/model';

/** A set-point counts as reached within this part of its range, or of its value when it has no range. */
const TOLERANCE = 0.01;

/**
 * @param before value of the feedback point when the command was operated; what step commands are measured against
 */
export function feedbackReached(
  control: Point,
  ordered: number,
  feedback: Pick<Point, 'kind' | 'cdc'>,
  before: Value | undefined,
  now: Value,
): boolean {
  if (typeof now !== 'number') return false;
  if (control.kind === 'setpoint') {
    const range =
      control.minimum !== undefined && control.maximum !== undefined
        ? control.maximum - control.minimum
        : Math.abs(ordered);
    return Math.abs(now - ordered) <= Math.max(range * TOLERANCE, 1e-9);
  }
  // Regulating steps (61850-7-3 BSC, 104 C_RC_NA_1): 1 = lower, 2 = higher; reached is a step in that direction.
  if (control.cdc === 'BSC') {
    if (typeof before !== 'number') return false;
    return ordered === 1 ? now < before : now > before;
  }
  // A single command (0/1) answered by a double point (1 = off, 2 = on).
  if (feedback.cdc === 'DPS' && control.cdc === 'SPC')
    return now === (ordered === 0 ? DOUBLE_POINT.off : DOUBLE_POINT.on);
  // A double command (1/2) answered by a single point (0/1).
  if (feedback.cdc === 'SPS' && control.cdc === 'DPC') return now === (ordered === DOUBLE_POINT.on ? 1 : 0);
  return now === ordered;
}
