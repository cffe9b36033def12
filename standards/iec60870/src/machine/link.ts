/**
 * The transport procedures of IEC 60870-5-104 § 5 as a state machine without sockets, timers or a clock: every
 * function gets the time (`at`, milliseconds on any monotonic scale), changes nothing but the state it is given, and
 * returns what is to be done as a set of bits. The same calls in the same order give the same result, so a recorded
 * connection can be replayed. State is changed in place because this runs for every frame.
 *
 * I-format APDUs are counted by running totals; the sequence numbers of the wire are the totals modulo 32768.
 */
import type { UFunction } from '../codec/apdu.ts';
import type { Parameters } from '../spec/parameters.ts';

export type Role = 'controlling' | 'controlled';

/**
 * - `stopped`: after connecting; only U frames
 * - `starting`: STARTDT act is sent, its confirmation awaited (controlling)
 * - `started`: I frames in both directions
 * - `draining`: STOPDT act has come, but own I frames still wait for their acknowledgement (controlled)
 * - `stopping`: STOPDT act is sent, its confirmation awaited (controlling)
 * - `closed`: nothing more happens
 */
export type Transfer = 'stopped' | 'starting' | 'started' | 'draining' | 'stopping' | 'closed';

/** What a step asks for, as bits; several can be set. */
export const EFFECT = {
  none: 0,
  /** Hand the ASDU of the I frame to the application. */
  deliver: 1,
  /** `acknowledged` moved: the peer has received more of our I frames. */
  acknowledged: 2,
  /** Send an S frame now (take its N(R) from `confirm`). */
  sendS: 4,
  sendTestAct: 8,
  sendTestCon: 16,
  sendStartAct: 32,
  sendStartCon: 64,
  sendStopAct: 128,
  sendStopCon: 256,
  /** Data transfer has started. */
  started: 512,
  /** Data transfer has stopped. */
  stopped: 1024,
  /** Close the connection; `closed` says why. */
  close: 2048,
} as const;

/** A set of `EFFECT` bits. */
export type Effects = number;

export interface CloseCause {
  readonly code:
    | 'apci.t1'
    | 'apci.sendSequence'
    | 'apci.receiveSequence'
    | 'apci.notStarted'
    | 'apci.function'
    | 'apci.unacknowledged';
  readonly text: string;
}

export interface LinkState {
  readonly role: Role;
  readonly k: number;
  readonly w: number;
  /** Milliseconds. */
  readonly t1: number;
  readonly t2: number;
  readonly t3: number;
  /** Whether N(R) follows the application (`release`) instead of the arrival of frames. */
  readonly manual: boolean;
  transfer: Transfer;
  /** I frames sent. */
  sent: number;
  /** Of these, acknowledged by the peer. */
  acknowledged: number;
  /** I frames received. */
  received: number;
  /** Of these, released for acknowledgement: all of them, or as far as the application said. */
  released: number;
  /** Of these, acknowledged to the peer. */
  confirmed: number;
  /** When each unacknowledged I frame was sent; a ring over k. */
  readonly sentAt: Float64Array;
  /** When a released I frame began to wait for its acknowledgement (t2); -1 = none waits. */
  waitingSince: number;
  /** When STARTDT act or STOPDT act was sent and is unconfirmed; -1 = none. */
  commandSince: number;
  /** When TESTFR act was sent and is unconfirmed; -1 = none. */
  testSince: number;
  /** When the last frame arrived (t3). */
  heardAt: number;
  closed: CloseCause | undefined;
}

export function createLink(role: Role, parameters: Parameters, manual: boolean, at: number): LinkState {
  return {
    role,
    k: parameters.k,
    w: parameters.w,
    t1: parameters.t1 * 1000,
    t2: parameters.t2 * 1000,
    t3: parameters.t3 * 1000,
    manual,
    transfer: 'stopped',
    sent: 0,
    acknowledged: 0,
    received: 0,
    released: 0,
    confirmed: 0,
    sentAt: new Float64Array(parameters.k),
    waitingSince: -1,
    commandSince: -1,
    testSince: -1,
    heardAt: at,
    closed: undefined,
  };
}

function close(link: LinkState, code: CloseCause['code'], text: string): Effects {
  link.transfer = 'closed';
  link.closed = { code, text };
  return EFFECT.close;
}

/** Closes from outside: nothing happens on this link any more. */
export function closeLink(link: LinkState): void {
  link.transfer = 'closed';
}

/** Takes over an N(R), § 5.1: it may lie anywhere between the oldest unacknowledged and the next number to be sent. */
function acknowledge(link: LinkState, received: number): Effects {
  const outstanding = link.sent - link.acknowledged;
  const moved = (received - link.acknowledged) & 0x7fff;
  if (moved === 0) return EFFECT.none;
  if (moved > outstanding) {
    const [low, high] = [link.acknowledged & 0x7fff, link.sent & 0x7fff];
    return close(
      link,
      'apci.receiveSequence',
      `N(R) ${received} acknowledges what was never sent; ${low} to ${high} would be right; connection closed`,
    );
  }
  link.acknowledged += moved;
  if (link.transfer === 'draining' && moved === outstanding) return EFFECT.acknowledged | drained(link);
  return EFFECT.acknowledged;
}

/** A controlled station that was asked to stop has no unacknowledged I frame (any more). */
function drained(link: LinkState): Effects {
  link.transfer = 'stopped';
  return EFFECT.sendS | EFFECT.sendStopCon | EFFECT.stopped;
}

/** An I frame with its send and receive sequence number. Its ASDU is to be used only when `deliver` is set. */
export function receiveI(link: LinkState, at: number, sent: number, received: number): Effects {
  const { transfer } = link;
  if (transfer === 'closed') return EFFECT.none;
  link.heardAt = at;
  // A controlling station still gets I frames until STOPDT is confirmed; a controlled one gets none after STOPDT act.
  if (transfer !== 'started' && transfer !== 'stopping')
    return close(link, 'apci.notStarted', 'I frame while data transfer is not started; connection closed');
  if (sent !== (link.received & 0x7fff)) {
    const expected = link.received & 0x7fff;
    return close(link, 'apci.sendSequence', `N(S) ${sent} where ${expected} was expected; connection closed`);
  }
  if (link.received - link.confirmed >= 32767)
    return close(link, 'apci.unacknowledged', '32767 I frames are not acknowledged yet; connection closed');
  const effects = acknowledge(link, received);
  if ((effects & EFFECT.close) !== 0) return effects;
  link.received++;
  if (!link.manual) {
    link.released = link.received;
    if (link.waitingSince < 0) link.waitingSince = at;
  }
  return effects | EFFECT.deliver;
}

/** An S frame. */
export function receiveS(link: LinkState, at: number, received: number): Effects {
  if (link.transfer === 'closed') return EFFECT.none;
  link.heardAt = at;
  return acknowledge(link, received);
}

/** A U frame. Confirmations that nobody waits for are ignored; requests of the wrong direction close the connection. */
export function receiveU(link: LinkState, at: number, name: UFunction): Effects {
  if (link.transfer === 'closed') return EFFECT.none;
  link.heardAt = at;
  switch (name) {
    case 'TESTFR act':
      return EFFECT.sendTestCon;
    case 'TESTFR con':
      link.testSince = -1;
      return EFFECT.none;
    case 'STARTDT act':
      if (link.role === 'controlling') return wrongDirection(link, name);
      if (link.transfer === 'started') return EFFECT.sendStartCon;
      if (link.transfer === 'draining') return EFFECT.none;
      link.transfer = 'started';
      return EFFECT.sendStartCon | EFFECT.started;
    case 'STOPDT act':
      if (link.role === 'controlling') return wrongDirection(link, name);
      if (link.transfer === 'stopped') return EFFECT.sendStopCon;
      if (link.sent > link.acknowledged) {
        // The peer must still acknowledge what was sent; STOPDT con follows then (or t1 closes).
        link.transfer = 'draining';
        return EFFECT.sendS;
      }
      return drained(link);
    case 'STARTDT con':
      if (link.role === 'controlled') return wrongDirection(link, name);
      if (link.transfer !== 'starting') return EFFECT.none;
      link.transfer = 'started';
      link.commandSince = -1;
      return EFFECT.started;
    case 'STOPDT con':
      if (link.role === 'controlled') return wrongDirection(link, name);
      if (link.transfer !== 'stopping') return EFFECT.none;
      link.transfer = 'stopped';
      link.commandSince = -1;
      return EFFECT.sendS | EFFECT.stopped;
  }
}

function wrongDirection(link: LinkState, name: UFunction): Effects {
  return close(link, 'apci.function', `${name} arrived at a ${link.role} station; connection closed`);
}

/** STARTDT act of a controlling station. Nothing happens unless transfer is stopped. */
export function requestStart(link: LinkState, at: number): Effects {
  if (link.role !== 'controlling' || link.transfer !== 'stopped') return EFFECT.none;
  link.transfer = 'starting';
  link.commandSince = at;
  return EFFECT.sendStartAct;
}

/**
 * Controlled close by a controlling station: no further I frames; what is received is acknowledged, then STOPDT act.
 * The other side acknowledges ours before it confirms (§ 5.3).
 */
export function requestStop(link: LinkState, at: number): Effects {
  if (link.role !== 'controlling' || link.transfer !== 'started') return EFFECT.none;
  link.transfer = 'stopping';
  link.commandSince = at;
  return EFFECT.sendS | EFFECT.sendStopAct;
}

/**
 * Another connection of the redundancy group has been started (§ 10): this controlled station's end goes back to stopped by
 * itself. What it has sent may still be acknowledged; I frames close it, STARTDT starts it again.
 */
export function supersede(link: LinkState): void {
  if (link.role === 'controlled' && link.transfer === 'started') link.transfer = 'stopped';
}

/** How many I frames may be sent now. */
export function sendWindow(link: LinkState): number {
  return link.transfer === 'started' ? link.k - (link.sent - link.acknowledged) : 0;
}

/** Counts an I frame as sent; the caller has looked at `sendWindow`. Returns its N(S). */
export function sendI(link: LinkState, at: number): number {
  link.sentAt[link.sent % link.k] = at;
  return link.sent++ & 0x7fff;
}

/** The N(R) for a frame that is being sent; what it says is acknowledged with it. */
export function confirm(link: LinkState): number {
  link.confirmed = link.released;
  link.waitingSince = -1;
  return link.released & 0x7fff;
}

/** The application has made sure of the first `upTo` I frames (manual acknowledgement). */
export function release(link: LinkState, at: number, upTo: number): void {
  const total = Math.min(upTo, link.received);
  if (total <= link.released) return;
  link.released = total;
  if (link.waitingSince < 0) link.waitingSince = at;
}

/** Whether w is reached and something may be acknowledged; at once when the peer waits with STOPDT con for it. */
export function acknowledgeDue(link: LinkState): boolean {
  if (link.released === link.confirmed) return false;
  return link.received - link.confirmed >= link.w || link.transfer === 'stopping';
}

/** The moment at which `tick` has something to do; Infinity when there is none. */
export function nextDeadline(link: LinkState): number {
  if (link.transfer === 'closed') return Number.POSITIVE_INFINITY;
  let at = link.testSince < 0 ? link.heardAt + link.t3 : link.testSince + link.t1;
  if (link.waitingSince >= 0) at = Math.min(at, link.waitingSince + link.t2);
  if (link.commandSince >= 0) at = Math.min(at, link.commandSince + link.t1);
  if (link.sent > link.acknowledged) at = Math.min(at, link.sentAt[link.acknowledged % link.k]! + link.t1);
  return at;
}

/** Looks at t1, t2 and t3. */
export function tick(link: LinkState, at: number): Effects {
  if (link.transfer === 'closed') return EFFECT.none;
  if (link.sent > link.acknowledged && at >= link.sentAt[link.acknowledged % link.k]! + link.t1) {
    const number = link.acknowledged & 0x7fff;
    return close(
      link,
      'apci.t1',
      `No acknowledgement of I frame ${number} within t1 (${link.t1 / 1000} s); connection closed`,
    );
  }
  if (link.commandSince >= 0 && at >= link.commandSince + link.t1) {
    const what = link.transfer === 'starting' ? 'STARTDT' : 'STOPDT';
    return close(link, 'apci.t1', `No confirmation of ${what} within t1 (${link.t1 / 1000} s); connection closed`);
  }
  if (link.testSince >= 0 && at >= link.testSince + link.t1)
    return close(link, 'apci.t1', `No confirmation of TESTFR within t1 (${link.t1 / 1000} s); connection closed`);
  let effects: Effects = EFFECT.none;
  if (link.waitingSince >= 0 && at >= link.waitingSince + link.t2) effects |= EFFECT.sendS;
  if (link.testSince < 0 && at >= link.heardAt + link.t3) {
    link.testSince = at;
    effects |= EFFECT.sendTestAct;
  }
  return effects;
}
