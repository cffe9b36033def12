/** The alarm that stands as long as a command runs that was given past path and second person. */
import { type Clock, toIso } from '@enerchain/model';
import { word } from '../alarms/conditions.ts';
import type { CentreContent, PointInfo } from '../ports.ts';
import type { CommandJson } from './view.ts';

/** @param active false when the command is over; the alarm stays until somebody acknowledges it */
export function breakGlassAlarm(
  { id, point, value, by, target, breakGlass }: CommandJson,
  info: PointInfo | undefined,
  clock: Clock,
  active: boolean,
): CentreContent {
  const at = clock.now();
  const what = info ? `${info.name} to ${word(info, value)}` : `${point} to ${value}`;
  return {
    kind: 'alarmRaised',
    alarm: {
      key: `break-glass:${id}`,
      priority: 1,
      message: `Break-glass by ${by} since ${toIso(at)}: ${what}. Reason: ${breakGlass?.reason ?? 'unknown'}`,
      consequence: 'The command went out although its path was not attested or nobody else had approved it.',
      action: 'Find out whether it was right, and put in order what stood in the way.',
      point,
      source: target,
      active,
      at: String(at),
    },
  };
}
