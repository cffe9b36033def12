/** The message that was taken last, and how another compares with it: without decoding either. */
import type { UtcTime } from '@enerchain/mms';
import { sameOctets } from '../multicast/apdu.ts';
import { ADDRESSES } from '../multicast/supervision.ts';
import { ahead, RecentMessages } from './counting.ts';
import type { GooseView } from './message.ts';

/** How many messages are remembered to know copies: a burst of some control blocks, not more than two rings can be apart. */
const RECENT = 32;

/** Real and simulated messages are two sequences of their own. */
export interface Lane {
  /** The last message that was taken, its frame copied. Undefined before the first. */
  last: Accepted | undefined;
  stNum: number;
  sqNum: number;
  /** When it came, monotonic milliseconds. */
  at: number;
  readonly recent: RecentMessages;
  /** The messages missed last: of this stNum, from and to these sqNum. */
  readonly gap: { stNum: number; from: number; to: number };
}

/** A message as it was taken: its octets, and where the parts are that do not change while the state does not. */
export interface Accepted {
  readonly frame: Uint8Array;
  readonly start: number;
  readonly appId: number;
  /** datSet, goID, t, stNum with their tags. */
  readonly headAt: number;
  /** Of t, without its tag. */
  readonly tAt: number;
  readonly headEnd: number;
  /** simulation to allData. */
  readonly restAt: number;
  readonly restEnd: number;
  readonly allDataAt: number;
  readonly memberEnds: readonly number[];
  readonly t: UtcTime;
}

export const lane = (): Lane => ({
  last: undefined,
  stNum: 0,
  sqNum: 0,
  at: 0,
  recent: new RecentMessages(RECENT),
  gap: { stNum: 0, from: 0, to: 0 },
});

/** Whether it has the same addresses and APPID. Tags between may differ: HSR numbers frames, switches change priorities. */
export function sameSender({ bytes, start, appId }: GooseView, last: Accepted): boolean {
  if (appId !== last.appId) return false;
  return start < ADDRESSES || last.start < ADDRESSES || sameOctets(bytes, 0, last.frame, 0, ADDRESSES);
}

/** Whether it comes from the same source address, where frames have one. */
export const sameStation = (view: GooseView, last: Accepted): boolean =>
  view.start < ADDRESSES || last.start < ADDRESSES || sameOctets(view.bytes, 6, last.frame, 6, 6);

/** Whether everything else but timeAllowedToLive and sqNum is what was taken last. */
export function sameState(view: GooseView, last: Accepted): boolean {
  const { bytes } = view;
  const head = last.headEnd - last.headAt;
  const rest = last.restEnd - last.restAt;
  return (
    view.stNumEnd - view.datSetElement === head &&
    view.allDataEnd - view.sqNumEnd === rest &&
    sameOctets(bytes, view.datSetElement, last.frame, last.headAt, head) &&
    sameOctets(bytes, view.sqNumEnd, last.frame, last.restAt, rest)
  );
}

/** Octets of a UtcTime. */
const TIME = 8;

/** Whether nothing but t differs, besides timeAllowedToLive and sqNum. */
export function sameButTime(view: GooseView, last: Accepted): boolean {
  const { bytes } = view;
  const before = last.tAt - last.headAt;
  const after = last.headEnd - last.tAt - TIME;
  const rest = last.restEnd - last.restAt;
  return (
    view.tAt - view.datSetElement === before &&
    view.stNumEnd - view.tAt - TIME === after &&
    view.allDataEnd - view.sqNumEnd === rest &&
    sameOctets(bytes, view.datSetElement, last.frame, last.headAt, before) &&
    sameOctets(bytes, view.tAt + TIME, last.frame, last.tAt + TIME, after) &&
    sameOctets(bytes, view.sqNumEnd, last.frame, last.restAt, rest)
  );
}

/** A publisher that starts begins at stNum 1; one that knows the time says when. A replayed message has an old t. */
export function restarted(view: GooseView, { last }: Lane): boolean {
  if (view.stNum !== 1 || view.sqNum > 1 || !last) return false;
  const { seconds, fraction } = view.t;
  return seconds > last.t.seconds || (seconds === last.t.seconds && fraction > last.t.fraction);
}

/** Whether its numbers are not ahead of the last. */
export function behind({ stNum, sqNum }: Lane, view: GooseView): boolean {
  const states = ahead(stNum, view.stNum);
  return states < 0 || (states === 0 && ahead(sqNum, view.sqNum) <= 0);
}

export function missed({ gap }: Lane, stNum: number, from: number, to: number): void {
  gap.stNum = stNum;
  gap.from = from;
  gap.to = to;
}

export function changedMembers(before: Accepted | undefined, allData: Uint8Array, ends: readonly number[]): number[] {
  const changed: number[] = [];
  for (let i = 0; i < ends.length; i++) {
    const from = i === 0 ? 0 : ends[i - 1]!;
    const length = ends[i]! - from;
    const oldFrom = i === 0 ? 0 : before?.memberEnds[i - 1];
    const oldEnd = before?.memberEnds[i];
    const equal =
      before !== undefined &&
      oldFrom !== undefined &&
      oldEnd !== undefined &&
      oldEnd - oldFrom === length &&
      sameOctets(allData, from, before.frame, before.allDataAt + oldFrom, length);
    if (!equal) changed.push(i);
  }
  return changed;
}
