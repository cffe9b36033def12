/** GOOSE control blocks of an SCL file with all that their publisher and their subscribers need (IEC 61850-6 § 9.3.10, 9.4). */
import { type PublishedControl, publishedControls } from '../multicast/published-controls.ts';
import type { IedModel } from '../scl/model.ts';
import type { Scl } from '../scl/schema/scl.ts';

export interface GooseControl extends PublishedControl {
  /** `BCU1CTRL/LLN0$GO$gcb01` */
  readonly gocbRef: string;
  readonly goId: string;
  /** Milliseconds from a change to its first repetition, and between messages when nothing changes. */
  readonly minTime: number | undefined;
  readonly maxTime: number | undefined;
  /** Whether it is to be written with fixed lengths (8-1 annex A.3). */
  readonly fixedLength: boolean;
}

/**
 * All GOOSE control blocks, in the order of the file.
 * @param models by name of the IED, from `checkScl` @param tell what is missing, one sentence each
 */
export function gooseControls(
  scl: Scl,
  models: ReadonlyMap<string, IedModel>,
  tell: (text: string) => void = () => {},
): GooseControl[] {
  const placed = publishedControls('goose', scl, models, ({ type }) => type === 'GOOSE', tell);
  return [...placed].map(({ block, reference, common, found }) => ({
    ...common,
    gocbRef: reference,
    // 8-1: the reference of the control block where no other is given.
    goId: block.appID || reference,
    minTime: found?.minTime,
    maxTime: found?.maxTime,
    fixedLength: block.fixedOffs,
  }));
}
