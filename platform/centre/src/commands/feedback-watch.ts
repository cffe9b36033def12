/** Watches the feedback points of commands that were operated, in the log and where they stand. */
import type { ObservationBatch } from '@enerchain/link';
import { type Quality, type Value, validity } from '@enerchain/model';
import type { LiveState, PointDirectory, PointInfo } from '../ports.ts';
import type { OpenCommand } from './book.ts';
import { feedbackReached } from './feedback.ts';

/** Clocks of centre and edge may differ by so much when a feedback is told from an old value in a backlog. */
const SKEW_NANOS = 5_000_000_000n;

export class FeedbackWatch {
  readonly #points: PointDirectory;
  readonly #live: LiveState;

  constructor(points: PointDirectory, live: LiveState) {
    this.#points = points;
    this.#live = live;
  }

  /** Where the feedback of a control stands. */
  valueOf({ feedback }: PointInfo): Value | undefined {
    return feedback ? this.#live.get(feedback)?.value : undefined;
  }

  /** Whether it stands where the command wants it: a point that stood there already does not report a change. */
  stands(command: OpenCommand): boolean {
    const { feedback } = command.point;
    const now = feedback ? this.#live.get(feedback) : undefined;
    return now !== undefined && this.#reached(command, now.value, now.quality);
  }

  /** Whether one of these observations is what the command waits for. */
  reachedIn(command: OpenCommand, { columns }: ObservationBatch): boolean {
    const { operated, point, machine } = command;
    if (machine.feedback !== 'awaited' || !operated || !point.feedback) return false;
    const column = columns.find((each) => each.point === point.feedback);
    if (!column) return false;
    for (let i = 0; i < column.value.length; i++) {
      if ((column.receiveTime[i] as bigint) < operated.at - SKEW_NANOS) continue;
      if (this.#reached(command, column.value[i] as Value, column.quality[i] as number)) return true;
    }
    return false;
  }

  #reached({ point, view, operated }: OpenCommand, value: Value, quality: Quality): boolean {
    const feedback = point.feedback ? this.#points.get(point.feedback) : undefined;
    if (!feedback || validity(quality) === 'invalid') return false;
    return feedbackReached(point, view.value, feedback, operated?.before, value);
  }
}
