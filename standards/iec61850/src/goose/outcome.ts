/** What a GOOSE subscriber is told beforehand, and what it says of messages. */
import type { Data, TypeSpecification, UtcTime } from '@enerchain/mms';
import type { ProblemEvent, SimulationEvent } from '../multicast/supervision.ts';

/** What is known of a control block beforehand; what is left out is learned from its first message. */
export interface ExpectedGoose {
  readonly gocbRef: string;
  readonly datSet?: string | undefined;
  readonly goId?: string | undefined;
  readonly confRev?: number | undefined;
  readonly appId?: number | undefined;
  /** Six octets. */
  readonly destination?: Uint8Array | undefined;
  /** Of the members, in their order. */
  readonly types?: readonly TypeSpecification[] | undefined;
}

export interface GooseSubscriberOptions {
  /** LPHD.Sim: whether simulated messages are taken in place of real ones once there are some. */
  readonly simulation?: boolean;
  /** Milliseconds within which a second copy of a message is one of PRP or HSR; EntryForgetTime of IEC 62439-3. */
  readonly duplicateWindow?: number;
  /** Milliseconds in which the first message is expected; never when left out. */
  readonly firstWithin?: number;
}

/** The values of a control block from one change to the next. */
export interface GooseState {
  readonly stNum: number;
  /** Of the first message of the state that came: 0 unless some were lost. */
  readonly sqNum: number;
  readonly t: UtcTime;
  readonly simulated: boolean;
  readonly values: readonly Data[];
  /** Which members differ from the state before: all of them in the first, perhaps none when messages come again after a pause. */
  readonly changed: readonly number[];
}

/** Why messages are refused. */
export type GooseProblem =
  | 'app-id'
  | 'destination'
  | 'conf-rev'
  | 'dat-set'
  | 'go-id'
  | 'needs-commissioning'
  | 'time-allowed-to-live'
  /** Count or types of the members. */
  | 'members'
  | 'malformed'
  /** Another station sends it while the first one is still there. */
  | 'source';

export type GooseEvent =
  /** Messages that did not come, by their numbers. A state that was jumped over had at least one. */
  | { readonly kind: 'lost'; readonly states: number; readonly messages: number; readonly text: string }
  /** late: one that was taken for lost came after all. out-of-order: an older one that is neither that nor a copy. */
  | {
      readonly kind: 'late' | 'out-of-order' | 'restarted' | 'expired' | 'resumed' | 'source-changed';
      readonly text: string;
    }
  | ProblemEvent<GooseProblem>
  | SimulationEvent
  /** The same sqNum again and again, later than a copy comes. */
  | { readonly kind: 'stuck'; readonly standing: boolean; readonly text: string }
  /** Other values under the same stNum; they are taken. */
  | { readonly kind: 'unnumbered-change'; readonly text: string }
  /** t changes without stNum: told once. */
  | { readonly kind: 'unsteady-time'; readonly text: string }
  /** Only where it was learned: another confRev or data set than before. */
  | { readonly kind: 'reconfigured'; readonly text: string };

export interface GooseOutcome {
  /**
   * state: new values. repetition: the values there are, still valid. duplicate: a copy. old: overtaken by a newer one.
   * ignored: not from the side (real or simulated) that is listened to. refused: `problem` says why.
   */
  readonly kind: 'state' | 'repetition' | 'duplicate' | 'old' | 'ignored' | 'refused' | 'time';
  /** Of the kind `state` only. */
  readonly state?: GooseState;
  readonly events: readonly GooseEvent[];
}

/** What came, by what became of it, since the start. */
export interface GooseCounters {
  messages: number;
  states: number;
  repetitions: number;
  /** Second copies within the window. */
  duplicates: number;
  old: number;
  ignored: number;
  refused: number;
  /** Messages that did not come; one that came late is taken off again. */
  lost: number;
  lostStates: number;
  late: number;
  expired: number;
  restarts: number;
}

export type GooseStatus = 'waiting' | 'valid' | 'expired';
