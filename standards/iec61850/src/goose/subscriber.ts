/**
 * A subscriber of one GOOSE control block: the state machine of IEC 61850-8-1 § 18.1 as a function of messages and time. It says
 * of every message what it is, and of everything that is not as it should be one sentence. No I/O, no clock of its own.
 */
import type { Data, TypeSpecification, UtcTime } from '@enerchain/mms';
import { mismatch } from '../mapping/published.ts';
import { sameOctets } from './apdu.ts';
import { ahead, RecentMessages } from './counting.ts';
import { decodeMembers, type GooseView } from './message.ts';

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
  /** Other values, or another t, under the same stNum. */
  | 'unnumbered-change'
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
  /** standing: it began; else it is over. */
  | { readonly kind: 'problem'; readonly problem: GooseProblem; readonly standing: boolean; readonly text: string }
  /** Simulated messages in place of real ones; or simulated messages that are not taken. */
  | { readonly kind: 'simulation' | 'simulation-ignored'; readonly standing: boolean; readonly text: string }
  /** The same sqNum again and again, later than a copy comes. */
  | { readonly kind: 'stuck'; readonly standing: boolean; readonly text: string }
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

const NONE: readonly GooseEvent[] = [];
const outcome = (kind: GooseOutcome['kind']): GooseOutcome => ({ kind, events: NONE });
const REPETITION = outcome('repetition');
const DUPLICATE = outcome('duplicate');
const OLD = outcome('old');
const IGNORED = outcome('ignored');
const REFUSED = outcome('refused');
const NOTHING = outcome('time');

/** How many messages are remembered to know copies: a burst of some control blocks, not more than two rings can be apart. */
const RECENT = 32;
const DUPLICATE_WINDOW = 400;
/** Milliseconds without a message that has to be refused until a problem is over. */
const PROBLEM_HOLD = 1000;
/** Octets of both addresses in front of the frame's types. */
const ADDRESSES = 12;

const hex = (value: number): string => value.toString(16).toUpperCase().padStart(4, '0');
const macAt = (bytes: Uint8Array, at: number): string =>
  Array.from(bytes.subarray(at, at + 6), (octet) => octet.toString(16).toUpperCase().padStart(2, '0')).join('-');
const duration = (millis: number): string =>
  millis < 10_000 ? `${Math.round(millis)} ms` : `${Math.round(millis / 1000)} s`;

/** Real and simulated messages are two sequences of their own. */
interface Lane {
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
interface Accepted {
  readonly frame: Uint8Array;
  readonly start: number;
  readonly appId: number;
  /** datSet, goID, t, stNum with their tags. */
  readonly headAt: number;
  readonly headEnd: number;
  /** simulation to allData. */
  readonly restAt: number;
  readonly restEnd: number;
  readonly allDataAt: number;
  readonly memberEnds: readonly number[];
  readonly t: UtcTime;
}

const lane = (): Lane => ({
  last: undefined,
  stNum: 0,
  sqNum: 0,
  at: 0,
  recent: new RecentMessages(RECENT),
  gap: { stNum: 0, from: 0, to: 0 },
});

export class GooseSubscriber {
  readonly gocbRef: string;
  readonly #reference: Uint8Array;
  #expected: ExpectedGoose;
  /** Whether confRev and data set were given, not learned. */
  readonly #configured: boolean;
  readonly #window: number;
  readonly #lanes: readonly [real: Lane, simulated: Lane] = [lane(), lane()];
  #sim: boolean;
  /** Which of the two is listened to. */
  #simulated = false;
  #ignoring = false;
  #stuck = false;
  #status: GooseStatus = 'waiting';
  #state: GooseState | undefined;
  #problem: GooseProblem | undefined;
  #problemText = '';
  #refusedAt = 0;
  /** timeAllowedToLive of the last message that was taken. */
  #timeAllowedToLive = 0;
  /** When it is over, monotonic milliseconds; infinity when nothing runs. */
  #deadline: number;
  readonly counters: GooseCounters = {
    messages: 0,
    states: 0,
    repetitions: 0,
    duplicates: 0,
    old: 0,
    ignored: 0,
    refused: 0,
    lost: 0,
    lostStates: 0,
    late: 0,
    expired: 0,
    restarts: 0,
  };

  /** @param at monotonic milliseconds now */
  constructor(
    expected: ExpectedGoose,
    {
      simulation = false,
      duplicateWindow = DUPLICATE_WINDOW,
      firstWithin = Number.POSITIVE_INFINITY,
    }: GooseSubscriberOptions = {},
    at = 0,
  ) {
    this.gocbRef = expected.gocbRef;
    this.#reference = Buffer.from(expected.gocbRef, 'latin1');
    this.#expected = expected;
    this.#configured = expected.confRev !== undefined;
    this.#sim = simulation;
    this.#window = duplicateWindow;
    this.#deadline = at + firstWithin;
  }

  /** waiting: nothing came yet. valid: timeAllowedToLive runs. expired: it ran out, or the first message did not come. */
  get status(): GooseStatus {
    return this.#status;
  }
  /** The last values, valid or not. */
  get state(): GooseState | undefined {
    return this.#state;
  }
  /** Why messages are being refused. */
  get problem(): { readonly problem: GooseProblem; readonly text: string } | undefined {
    return this.#problem && { problem: this.#problem, text: this.#problemText };
  }
  /** When `expire` has something to do, monotonic milliseconds. */
  get deadline(): number {
    return this.#deadline;
  }
  /** Milliseconds, as the last message said. */
  get timeAllowedToLive(): number {
    return this.#timeAllowedToLive;
  }
  /** Of the last message that was taken. */
  get sqNum(): number {
    return this.#lanes[this.#simulated ? 1 : 0].sqNum;
  }
  /** What is expected, given or learned. */
  get expected(): ExpectedGoose {
    return this.#expected;
  }

  /** Whether a message is of this control block. */
  isFor(view: GooseView): boolean {
    const length = this.#reference.length;
    return (
      view.gocbRefEnd - view.gocbRefAt === length && sameOctets(view.bytes, view.gocbRefAt, this.#reference, 0, length)
    );
  }

  /** LPHD.Sim has changed (7-2 § 7.8): once it is false the real messages count again. */
  setSimulation(on: boolean): GooseOutcome {
    this.#sim = on;
    if (on || !this.#simulated) return NOTHING;
    this.#simulated = false;
    this.#lanes[1].last = undefined;
    // What the real publisher has sent meanwhile was not looked at: its next message begins anew.
    this.#lanes[0].last = undefined;
    this.#status = 'waiting';
    return this.#say('time', [
      { kind: 'simulation', standing: false, text: this.#text('real messages are taken again') },
    ]);
  }

  /**
   * A message for which `isFor` is true, in a whole frame: both addresses stand at its beginning, unless it begins with APPID.
   * The frame is not kept. @param at when it came, monotonic milliseconds
   */
  receive(view: GooseView, at: number): GooseOutcome {
    this.counters.messages++;
    const { simulated } = view;
    if (simulated !== this.#simulated || this.#ignoring) {
      const turned = this.#side(simulated, at);
      if (turned) return turned;
    }
    const mine = this.#lanes[simulated ? 1 : 0];
    // Nearly all messages are the last one again but for sqNum: that is seen without looking into it.
    if (
      mine.last &&
      this.#status === 'valid' &&
      this.#problem === undefined &&
      sameSender(view, mine.last) &&
      sameState(view, mine.last)
    )
      return this.#repeated(mine, view, at);
    return this.#inspect(mine, view, at);
  }

  /** @param at monotonic milliseconds; nothing happens before `deadline` */
  expire(at: number): GooseOutcome {
    if (at < this.#deadline) return NOTHING;
    this.#deadline = Number.POSITIVE_INFINITY;
    const before = this.#status;
    this.#status = 'expired';
    this.counters.expired++;
    const text =
      before === 'waiting'
        ? 'nothing has come yet'
        : `nothing within ${this.#timeAllowedToLive} ms after stNum ${this.#lanes[this.#simulated ? 1 : 0].stNum}, sqNum ${this.sqNum}; the values are no longer valid`;
    return this.#say('time', [{ kind: 'expired', text: this.#text(text) }]);
  }

  #text(text: string): string {
    return `GOOSE ${this.gocbRef}: ${text}`;
  }

  #say(kind: GooseOutcome['kind'], events: readonly GooseEvent[]): GooseOutcome {
    return { kind, events };
  }

  /** A message of the other side than the one listened to, or the first after such. @returns the outcome when that is all */
  #side(simulated: boolean, at: number): GooseOutcome | undefined {
    if (simulated === this.#simulated) {
      // Ignored ones are over once they have been away longer than real ones may be.
      const other = this.#lanes[simulated ? 0 : 1];
      if (!this.#ignoring || at - other.at <= Math.max(this.#timeAllowedToLive, this.#window)) return undefined;
      this.#ignoring = false;
      const text = this.#text('no more simulated messages, which were not taken');
      this.#pending.push({ kind: 'simulation-ignored', standing: false, text });
      return undefined;
    }
    if (simulated && this.#sim) {
      this.#simulated = true;
      this.#ignoring = false;
      this.#pending.push({
        kind: 'simulation',
        standing: true,
        text: this.#text('simulated messages are taken, real ones no longer (LPHD.Sim)'),
      });
      return undefined;
    }
    this.counters.ignored++;
    if (!simulated) return IGNORED;
    this.#lanes[1].at = at;
    if (this.#ignoring) return IGNORED;
    this.#ignoring = true;
    return this.#say('ignored', [
      { kind: 'simulation-ignored', standing: true, text: this.#text('simulated messages come and are not taken') },
    ]);
  }

  /** Events that go out with the outcome of the message under way. */
  #pending: GooseEvent[] = [];

  #finish(kind: GooseOutcome['kind'], constant: GooseOutcome, state?: GooseState): GooseOutcome {
    if (this.#pending.length === 0 && !state) return constant;
    const events = this.#pending;
    this.#pending = [];
    return state ? { kind, state, events } : { kind, events };
  }

  #refuse(at: number, problem: GooseProblem, text: string): GooseOutcome {
    this.counters.refused++;
    this.#refusedAt = at;
    if (this.#problem !== problem || this.#problemText !== text) {
      this.#solve(Number.POSITIVE_INFINITY);
      this.#problem = problem;
      this.#problemText = text;
      this.#pending.push({
        kind: 'problem',
        problem,
        standing: true,
        text: this.#text(`${text}; its messages are refused`),
      });
    }
    return this.#finish('refused', REFUSED);
  }

  /** Good messages come. Between those of somebody else that are not, the problem stands, or each would end it for a moment. */
  #solve(at: number): void {
    if (this.#problem === undefined || at - this.#refusedAt < PROBLEM_HOLD) return;
    const text = this.#text(`over: ${this.#problemText}`);
    this.#pending.push({ kind: 'problem', problem: this.#problem, standing: false, text });
    this.#problem = undefined;
    this.#problemText = '';
  }

  /** The same state with the same everything. */
  #repeated(mine: Lane, view: GooseView, at: number): GooseOutcome {
    const forward = ahead(mine.sqNum, view.sqNum);
    if (forward <= 0) return this.#behind(mine, view, at);
    if (view.timeAllowedToLive === 0) return this.#refuse(at, 'time-allowed-to-live', 'timeAllowedToLive is 0');
    if (forward > 1) {
      missed(mine, view.stNum, mine.sqNum + 1, view.sqNum - 1);
      this.#lost(0, forward - 1, `between sqNum ${mine.sqNum} and ${view.sqNum} of stNum ${view.stNum}`);
    }
    this.counters.repetitions++;
    this.#take(mine, view, at);
    return this.#finish('repetition', REPETITION);
  }

  /** Numbers and time of a message that is taken. */
  #take(mine: Lane, view: GooseView, at: number): void {
    mine.stNum = view.stNum;
    mine.sqNum = view.sqNum;
    mine.at = at;
    mine.recent.add(view.stNum, view.sqNum, at);
    this.#timeAllowedToLive = view.timeAllowedToLive;
    this.#deadline = at + view.timeAllowedToLive;
    if (this.#stuck) {
      this.#stuck = false;
      this.#pending.push({ kind: 'stuck', standing: false, text: this.#text('sqNum counts again') });
    }
  }

  #lost(states: number, messages: number, where: string): void {
    this.counters.lost += messages;
    this.counters.lostStates += states;
    const parts = [
      states > 0 ? `${states} ${states === 1 ? 'state' : 'states'}` : '',
      messages > 0 ? `${messages} ${messages === 1 ? 'message' : 'messages'}` : '',
    ].filter(Boolean);
    this.#pending.push({ kind: 'lost', states, messages, text: this.#text(`${parts.join(', ')} lost ${where}`) });
  }

  /** A number that is not ahead of the last: a copy, one that was overtaken, or one that should not be there. */
  #behind(mine: Lane, view: GooseView, at: number): GooseOutcome {
    const { stNum, sqNum } = view;
    const when = mine.recent.when(stNum, sqNum);
    if (when !== undefined && at - when <= this.#window) {
      this.counters.duplicates++;
      return this.#finish('duplicate', DUPLICATE);
    }
    if (when !== undefined && stNum === mine.stNum && sqNum === mine.sqNum) {
      this.counters.duplicates++;
      if (!this.#stuck) {
        this.#stuck = true;
        const text = `stNum ${stNum}, sqNum ${sqNum} comes again after ${duration(at - when)}: the publisher does not count, or a message is replayed`;
        this.#pending.push({ kind: 'stuck', standing: true, text: this.#text(text) });
      }
      return this.#finish('duplicate', DUPLICATE);
    }
    this.counters.old++;
    const { gap } = mine;
    if (when === undefined && stNum === gap.stNum && sqNum >= gap.from && sqNum <= gap.to) {
      mine.recent.add(stNum, sqNum, at);
      this.counters.lost--;
      this.counters.late++;
      this.#pending.push({
        kind: 'late',
        text: this.#text(`sqNum ${sqNum} of stNum ${stNum} came after ${mine.sqNum}; it is not lost`),
      });
    } else {
      const text = `stNum ${stNum}, sqNum ${sqNum} came after ${mine.stNum}, ${mine.sqNum}: out of order, or replayed`;
      this.#pending.push({ kind: 'out-of-order', text: this.#text(text) });
    }
    return this.#finish('old', OLD);
  }

  /** Everything that is not a plain repetition. */
  #inspect(mine: Lane, view: GooseView, at: number): GooseOutcome {
    const last = this.#status === 'valid' ? mine.last : undefined;
    if (last && !sameStation(view, last)) {
      const text = `${macAt(view.bytes, 6)} sends it as well, while ${macAt(last.frame, 6)} does`;
      return this.#refuse(at, 'source', text);
    }
    const wrong = this.#wrongHead(view);
    if (wrong) return this.#refuse(at, wrong[0], wrong[1]);
    let stateJump = 0;
    if (last) {
      stateJump = ahead(mine.stNum, view.stNum);
      if (stateJump === 0) return this.#sameState(mine, last, view, at);
      if (stateJump < 0) {
        if (!restarted(view, mine)) return this.#behind(mine, view, at);
        this.#restart(mine, view);
        stateJump = 0;
      }
    }
    return this.#newState(mine, view, at, stateJump);
  }

  /** Known by its number, but something differs: sqNum alone after a problem, or what must not. */
  #sameState(mine: Lane, last: Accepted, view: GooseView, at: number): GooseOutcome {
    if (ahead(mine.sqNum, view.sqNum) <= 0) return this.#behind(mine, view, at);
    if (!sameState(view, last)) {
      return this.#refuse(at, 'unnumbered-change', `values or t have changed under the same stNum ${view.stNum}`);
    }
    this.#solve(at);
    return this.#repeated(mine, view, at);
  }

  #restart(mine: Lane, view: GooseView): void {
    this.counters.restarts++;
    const text = `the publisher has restarted: stNum ${view.stNum}, sqNum ${view.sqNum} after ${mine.stNum}, ${mine.sqNum}`;
    this.#pending.push({ kind: 'restarted', text: this.#text(text) });
    mine.recent.clear();
  }

  #newState(mine: Lane, view: GooseView, at: number, stateJump: number): GooseOutcome {
    // The frame is gone after the call; all values refer to the copy.
    const frame = view.bytes.slice(0, view.allDataEnd);
    const allData = frame.subarray(view.allDataAt);
    let members: ReturnType<typeof decodeMembers>;
    try {
      members = decodeMembers(allData);
    } catch (error) {
      if ((error as { fault?: unknown }).fault !== 'peer') throw error;
      return this.#refuse(at, 'malformed', (error as Error).message);
    }
    const wrong = this.#wrongMembers(view, members.values);
    if (wrong) return this.#refuse(at, 'members', wrong);
    this.#solve(at);
    const before = mine.last;
    if (stateJump > 1) {
      this.#lost(stateJump - 1, stateJump - 1 + view.sqNum, `between stNum ${mine.stNum} and ${view.stNum}`);
    } else if (stateJump === 1 && view.sqNum > 0) {
      missed(mine, view.stNum, 0, view.sqNum - 1);
      this.#lost(0, view.sqNum, `at the beginning of stNum ${view.stNum}`);
    }
    if (this.#status === 'expired' && before) this.#resume(mine, view, at, before);
    const changed = changedMembers(before, allData, members.ends);
    mine.last = {
      frame,
      start: view.start,
      appId: view.appId,
      headAt: view.datSetElement,
      headEnd: view.stNumEnd,
      restAt: view.sqNumEnd,
      restEnd: view.allDataEnd,
      allDataAt: view.allDataAt,
      memberEnds: members.ends,
      t: view.t,
    };
    this.#take(mine, view, at);
    this.#status = 'valid';
    this.counters.states++;
    this.#state = {
      stNum: view.stNum,
      sqNum: view.sqNum,
      t: mine.last.t,
      simulated: view.simulated,
      values: members.values,
      changed,
    };
    return this.#finish('state', REPETITION, this.#state);
  }

  /** The first message after timeAllowedToLive ran out: it is taken whatever its numbers are (IEC 62351-6 has it so as well). */
  #resume(mine: Lane, view: GooseView, at: number, before: Accepted): void {
    const silent = duration(at - mine.at);
    this.#pending.push({ kind: 'resumed', text: this.#text(`messages come again after ${silent}`) });
    if (!sameStation(view, before)) {
      const text = `it comes from ${macAt(view.bytes, 6)} now, no longer from ${macAt(before.frame, 6)}`;
      this.#pending.push({ kind: 'source-changed', text: this.#text(text) });
    }
    const states = ahead(mine.stNum, view.stNum);
    if (states < 0 || (states === 0 && ahead(mine.sqNum, view.sqNum) <= 0)) {
      this.#restart(mine, view);
      return;
    }
    if (states > 0) {
      const messages = states - 1 + view.sqNum;
      if (messages > 0) this.#lost(states - 1, messages, `between stNum ${mine.stNum} and ${view.stNum}`);
    } else {
      const messages = ahead(mine.sqNum, view.sqNum) - 1;
      if (messages > 0) this.#lost(0, messages, `between sqNum ${mine.sqNum} and ${view.sqNum} of stNum ${view.stNum}`);
    }
  }

  /** What of a message's head is not as configured; learned things may change. */
  #wrongHead(view: GooseView): readonly [GooseProblem, string] | undefined {
    const { appId, destination, confRev, datSet, goId } = this.#expected;
    if (appId !== undefined && view.appId !== appId) return ['app-id', `APPID ${hex(view.appId)}, not ${hex(appId)}`];
    if (destination && view.start >= ADDRESSES && !sameOctets(view.bytes, 0, destination, 0, 6))
      return ['destination', `sent to ${macAt(view.bytes, 0)}, not ${macAt(destination, 0)}`];
    if (view.ndsCom) return ['needs-commissioning', 'the publisher says that it needs commissioning (ndsCom)'];
    const set = view.datSet;
    if (this.#configured) {
      if (view.confRev !== confRev) return ['conf-rev', `confRev ${view.confRev}, not ${confRev}`];
      if (datSet !== undefined && set !== datSet) return ['dat-set', `data set ${set}, not ${datSet}`];
      const id = view.goId;
      if (goId !== undefined && id !== undefined && id !== goId) return ['go-id', `goID ${id}, not ${goId}`];
    } else this.#learn(view, set);
    return view.timeAllowedToLive === 0 ? ['time-allowed-to-live', 'timeAllowedToLive is 0'] : undefined;
  }

  #learn(view: GooseView, datSet: string): void {
    const { confRev, datSet: before } = this.#expected;
    if (confRev === view.confRev && before === datSet) return;
    if (confRev !== undefined) {
      const text = `confRev ${view.confRev} with data set ${datSet} after ${confRev} with ${before}`;
      this.#pending.push({ kind: 'reconfigured', text: this.#text(text) });
    }
    this.#expected = { ...this.#expected, confRev: view.confRev, datSet };
  }

  #wrongMembers({ entries }: GooseView, values: readonly Data[]): string | undefined {
    if (values.length !== entries) return `says ${entries} values and has ${values.length}`;
    const { types } = this.#expected;
    if (!types) return undefined;
    if (values.length !== types.length) return `${values.length} values, the data set has ${types.length} members`;
    for (let i = 0; i < values.length; i++) {
      const wrong = mismatch(values[i]!, types[i]!);
      if (wrong) return `member ${i + 1} of the data set: ${wrong}`;
    }
    return undefined;
  }
}

/** Whether it has the same addresses and APPID. Tags between may differ: HSR numbers frames, switches change priorities. */
function sameSender({ bytes, start, appId }: GooseView, last: Accepted): boolean {
  if (appId !== last.appId) return false;
  return start < ADDRESSES || last.start < ADDRESSES || sameOctets(bytes, 0, last.frame, 0, ADDRESSES);
}

/** Whether it comes from the same source address, where frames have one. */
const sameStation = (view: GooseView, last: Accepted): boolean =>
  view.start < ADDRESSES || last.start < ADDRESSES || sameOctets(view.bytes, 6, last.frame, 6, 6);

/** Whether everything else but timeAllowedToLive and sqNum is what was taken last. */
function sameState(view: GooseView, last: Accepted): boolean {
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

/** A publisher that starts begins at stNum 1; one that knows the time says when. A replayed message has an old t. */
function restarted(view: GooseView, { last }: Lane): boolean {
  if (view.stNum !== 1 || view.sqNum > 1 || !last) return false;
  const { seconds, fraction } = view.t;
  return seconds > last.t.seconds || (seconds === last.t.seconds && fraction > last.t.fraction);
}

function missed({ gap }: Lane, stNum: number, from: number, to: number): void {
  gap.stNum = stNum;
  gap.from = from;
  gap.to = to;
}

function changedMembers(before: Accepted | undefined, allData: Uint8Array, ends: readonly number[]): number[] {
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
