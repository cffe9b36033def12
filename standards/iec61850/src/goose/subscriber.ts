/**
 * A subscriber of one GOOSE control block: the state machine of IEC 61850-8-1 § 18.1 as a function of messages and time. It says
 * of every message what it is, and of everything that is not as it should be one sentence. No I/O, no clock of its own.
 */
import { formatMac } from '@enerchain/ethernet';
import type { Data } from '@enerchain/mms';
import { sameOctets, spells } from '../multicast/apdu.ts';
import { mismatch } from '../multicast/members.ts';
import { ADDRESSES, appIdText, durationText, SimulationSide, StandingProblem } from '../multicast/supervision.ts';
import {
  type Accepted,
  behind,
  changedMembers,
  type Lane,
  lane,
  missed,
  restarted,
  sameButTime,
  sameSender,
  sameState,
  sameStation,
} from './accepted.ts';
import { ahead } from './counting.ts';
import { decodeMembers, type GooseView } from './message.ts';
import type {
  ExpectedGoose,
  GooseCounters,
  GooseEvent,
  GooseOutcome,
  GooseProblem,
  GooseState,
  GooseStatus,
  GooseSubscriberOptions,
} from './outcome.ts';

const NONE: readonly GooseEvent[] = [];
const outcome = (kind: GooseOutcome['kind']): GooseOutcome => ({ kind, events: NONE });
const REPETITION = outcome('repetition');
const DUPLICATE = outcome('duplicate');
const OLD = outcome('old');
const IGNORED = outcome('ignored');
const REFUSED = outcome('refused');
const NOTHING = outcome('time');

const DUPLICATE_WINDOW = 400;
export class GooseSubscriber {
  readonly gocbRef: string;
  readonly #reference: Uint8Array;
  #expected: ExpectedGoose;
  /** Whether confRev and data set were given, not learned. */
  readonly #configured: boolean;
  readonly #window: number;
  readonly #lanes: readonly [real: Lane, simulated: Lane] = [lane(), lane()];
  readonly #side: SimulationSide;
  readonly #problem: StandingProblem<GooseProblem>;
  #stuck = false;
  #unsteady = false;
  #status: GooseStatus = 'waiting';
  #state: GooseState | undefined;
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
    this.#side = new SimulationSide(`GOOSE ${this.gocbRef}`, simulation);
    this.#problem = new StandingProblem(`GOOSE ${this.gocbRef}`);
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
    return this.#problem.current;
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
    return this.#lanes[this.#side.simulated ? 1 : 0].sqNum;
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
    const event = this.#side.turn(on);
    if (!event) return NOTHING;
    // What the real publisher has sent meanwhile was not looked at: its next message begins anew.
    for (const one of this.#lanes) one.last = undefined;
    this.#status = 'waiting';
    return { kind: 'time', events: [event] };
  }

  /**
   * A message for which `isFor` is true, in a whole frame: both addresses stand at its beginning, unless it begins with APPID.
   * The frame is not kept. @param at when it came, monotonic milliseconds
   */
  receive(view: GooseView, at: number): GooseOutcome {
    this.counters.messages++;
    const { simulated } = view;
    if (!this.#side.settled(simulated)) {
      const hold = Math.max(this.#timeAllowedToLive, this.#window);
      if (!this.#side.takes(simulated, at, hold, this.#tell)) {
        this.counters.ignored++;
        return this.#finish('ignored', IGNORED);
      }
    }
    const mine = this.#lanes[simulated ? 1 : 0];
    // Nearly all messages are the last one again but for sqNum: that is seen without looking into it.
    if (
      mine.last &&
      this.#status === 'valid' &&
      !this.#problem.stands &&
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
        : `nothing within ${this.#timeAllowedToLive} ms after stNum ${this.#lanes[this.#side.simulated ? 1 : 0].stNum}, sqNum ${this.sqNum}; the values are no longer valid`;
    return { kind: 'time', events: [{ kind: 'expired', text: this.#text(text) }] };
  }

  #text(text: string): string {
    return `GOOSE ${this.gocbRef}: ${text}`;
  }

  /** Events that go out with the outcome of the message under way. */
  #pending: GooseEvent[] = [];
  readonly #tell = (event: GooseEvent): void => void this.#pending.push(event);

  #finish(kind: GooseOutcome['kind'], constant: GooseOutcome, state?: GooseState): GooseOutcome {
    if (this.#pending.length === 0 && !state) return constant;
    const events = this.#pending;
    this.#pending = [];
    return state ? { kind, state, events } : { kind, events };
  }

  #refuse(at: number, problem: GooseProblem, text: string): GooseOutcome {
    this.counters.refused++;
    this.#problem.refuse(at, problem, text, this.#tell);
    return this.#finish('refused', REFUSED);
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
      this.#tell({ kind: 'stuck', standing: false, text: this.#text('sqNum counts again') });
    }
  }

  #lost(states: number, messages: number, where: string): void {
    this.counters.lost += messages;
    this.counters.lostStates += states;
    const parts = [
      states > 0 ? `${states} ${states === 1 ? 'state' : 'states'}` : '',
      messages > 0 ? `${messages} ${messages === 1 ? 'message' : 'messages'}` : '',
    ].filter(Boolean);
    this.#tell({ kind: 'lost', states, messages, text: this.#text(`${parts.join(', ')} lost ${where}`) });
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
        const text = `stNum ${stNum}, sqNum ${sqNum} comes again after ${durationText(at - when)}: the publisher does not count, or a message is replayed`;
        this.#tell({ kind: 'stuck', standing: true, text: this.#text(text) });
      }
      return this.#finish('duplicate', DUPLICATE);
    }
    this.counters.old++;
    const { gap } = mine;
    if (when === undefined && stNum === gap.stNum && sqNum >= gap.from && sqNum <= gap.to) {
      mine.recent.add(stNum, sqNum, at);
      this.counters.lost--;
      this.counters.late++;
      this.#tell({
        kind: 'late',
        text: this.#text(`sqNum ${sqNum} of stNum ${stNum} came after ${mine.sqNum}; it is not lost`),
      });
    } else {
      const text = `stNum ${stNum}, sqNum ${sqNum} came after ${mine.stNum}, ${mine.sqNum}: out of order, or replayed`;
      this.#tell({ kind: 'out-of-order', text: this.#text(text) });
    }
    return this.#finish('old', OLD);
  }

  /** Everything that is not a plain repetition. */
  #inspect(mine: Lane, view: GooseView, at: number): GooseOutcome {
    const last = this.#status === 'valid' ? mine.last : undefined;
    if (last && !sameStation(view, last)) {
      const text = `${formatMac(view.bytes, 6)} sends it as well, while ${formatMac(last.frame, 6)} does`;
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
    // Shortly after a state has run out an older message is still one that was overtaken, not a publisher that has restarted.
    if (!last && mine.last && at - mine.at <= this.#window && behind(mine, view)) return this.#behind(mine, view, at);
    return this.#newState(mine, view, at, stateJump);
  }

  /** Known by its number, but something differs: sqNum alone after a problem, or what must not. */
  #sameState(mine: Lane, last: Accepted, view: GooseView, at: number): GooseOutcome {
    if (ahead(mine.sqNum, view.sqNum) <= 0) return this.#behind(mine, view, at);
    if (!sameState(view, last)) {
      if (!sameButTime(view, last)) {
        // Devices exist that do so. What they send now is nearer to the truth than what they sent before.
        const text = `values have changed under the same stNum ${view.stNum}, sqNum ${view.sqNum}: other subscribers may not look at them`;
        this.#tell({ kind: 'unnumbered-change', text: this.#text(text) });
        const forward = ahead(mine.sqNum, view.sqNum);
        if (forward > 1) this.#lost(0, forward - 1, `before sqNum ${view.sqNum} of stNum ${view.stNum}`);
        return this.#newState(mine, view, at, 0);
      }
      // Devices of edition 1 exist that put in t when they send: their messages are good for everything else.
      mine.last = { ...last, t: view.t };
      if (!this.#unsteady) {
        this.#unsteady = true;
        const text = 't is another in each repetition, so it does not say when the values changed';
        this.#tell({ kind: 'unsteady-time', text: this.#text(text) });
      }
    }
    this.#problem.solve(at, this.#tell);
    return this.#repeated(mine, view, at);
  }

  #restart(mine: Lane, view: GooseView): void {
    this.counters.restarts++;
    const text = `the publisher has restarted: stNum ${view.stNum}, sqNum ${view.sqNum} after ${mine.stNum}, ${mine.sqNum}`;
    this.#tell({ kind: 'restarted', text: this.#text(text) });
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
    this.#problem.solve(at, this.#tell);
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
      tAt: view.tAt,
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
    const silent = durationText(at - mine.at);
    this.#tell({ kind: 'resumed', text: this.#text(`messages come again after ${silent}`) });
    if (!sameStation(view, before)) {
      const text = `it comes from ${formatMac(view.bytes, 6)} now, no longer from ${formatMac(before.frame, 6)}`;
      this.#tell({ kind: 'source-changed', text: this.#text(text) });
    }
    const states = ahead(mine.stNum, view.stNum);
    if (behind(mine, view)) {
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
    if (appId !== undefined && view.appId !== appId)
      return ['app-id', `APPID ${appIdText(view.appId)}, not ${appIdText(appId)}`];
    if (destination && view.start >= ADDRESSES && !sameOctets(view.bytes, 0, destination, 0, 6))
      return ['destination', `sent to ${formatMac(view.bytes, 0)}, not ${formatMac(destination, 0)}`];
    if (view.ndsCom) return ['needs-commissioning', 'the publisher says that it needs commissioning (ndsCom)'];
    const { bytes } = view;
    if (this.#configured) {
      if (view.confRev !== confRev) return ['conf-rev', `confRev ${view.confRev}, not ${confRev}`];
      if (datSet !== undefined && !spells(bytes, view.datSetAt, view.datSetEnd, datSet))
        return ['dat-set', `data set ${view.datSet}, not ${datSet}`];
      if (goId !== undefined && view.goIdAt > 0 && !spells(bytes, view.goIdAt, view.goIdEnd, goId))
        return ['go-id', `goID ${view.goId}, not ${goId}`];
    } else this.#learn(view);
    return view.timeAllowedToLive === 0 ? ['time-allowed-to-live', 'timeAllowedToLive is 0'] : undefined;
  }

  #learn(view: GooseView): void {
    const { confRev, datSet: before } = this.#expected;
    if (confRev === view.confRev && before !== undefined && spells(view.bytes, view.datSetAt, view.datSetEnd, before))
      return;
    const { datSet } = view;
    if (confRev !== undefined) {
      const text = `confRev ${view.confRev} with data set ${datSet} after ${confRev} with ${before}`;
      this.#tell({ kind: 'reconfigured', text: this.#text(text) });
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
