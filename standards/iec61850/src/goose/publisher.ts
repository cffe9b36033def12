/**
 * The publisher of one GOOSE control block (IEC 61850-8-1 § 18.1) as a function of changes and time: a change goes out at once, then
 * again after MinTime, twice that, four times that, … and every MaxTime as long as nothing changes. No I/O, no clock of its own.
 */
import type { Data, TypeSpecification, UtcTime } from '@enerchain/mms';
import { Iec61850Error } from '../error.ts';
import { mismatch } from '../multicast/members.ts';
import { next } from './counting.ts';
import { encodeGooseWith, encodeMembers } from './message.ts';

export interface GoosePublication {
  readonly appId: number;
  readonly gocbRef: string;
  readonly datSet: string;
  readonly goId: string;
  readonly confRev: number;
  /** Milliseconds from a change to its first repetition. */
  readonly minTime?: number;
  /** Milliseconds between messages when nothing changes. */
  readonly maxTime?: number;
  readonly fixedLength?: boolean;
  /** Of the members; needed for fixed lengths. */
  readonly types?: readonly TypeSpecification[];
  /** The control block is not completely configured. */
  readonly ndsCom?: boolean;
  /** Sent by a test set in place of the real device. */
  readonly simulation?: boolean;
  /** Of the very first message, and after `start` again: 1 (7-2), which some stacks have as 0. */
  readonly firstSqNum?: 0 | 1;
}

export const DEFAULT_MIN_TIME = 10;
export const DEFAULT_MAX_TIME = 2000;
/** Octets behind the EtherType that a frame takes. */
const MAX_OCTETS = 1500;
/** A timer of this runtime may be late by this much, milliseconds: garbage collection, a busy loop. */
const TOLERANCE = 50;

export interface GoosePublisherCounters {
  messages: number;
  /** Changes of stNum. */
  states: number;
}

export class GoosePublisher {
  readonly #publication: GoosePublication;
  readonly #minTime: number;
  readonly #maxTime: number;
  #values: readonly Data[];
  #members: Uint8Array;
  #stNum = 1;
  #sqNum: number;
  #t: UtcTime = { seconds: 0, fraction: 0, quality: 0 };
  #simulation: boolean;
  #ndsCom: boolean;
  #interval: number;
  #due = Number.POSITIVE_INFINITY;
  readonly counters: GoosePublisherCounters = { messages: 0, states: 0 };

  /** @throws Iec61850Error `goose.publication` (caller) when times make no sense or the values do not fit into a frame */
  constructor(publication: GoosePublication, values: readonly Data[]) {
    const { minTime = DEFAULT_MIN_TIME, maxTime = DEFAULT_MAX_TIME, simulation = false, ndsCom = false } = publication;
    if (!(minTime >= 1 && maxTime >= minTime && maxTime <= 0x7fff_ffff / 2))
      throw refused(publication, `MinTime ${minTime} ms and MaxTime ${maxTime} ms`);
    this.#publication = publication;
    this.#minTime = minTime;
    this.#maxTime = maxTime;
    this.#interval = maxTime;
    this.#sqNum = publication.firstSqNum ?? 1;
    this.#simulation = simulation;
    this.#ndsCom = ndsCom;
    this.#values = values;
    this.#members = this.#encode(values);
  }

  get values(): readonly Data[] {
    return this.#values;
  }
  get stNum(): number {
    return this.#stNum;
  }
  /** When `repeat` has to be called, monotonic milliseconds; infinity while it is stopped. */
  get due(): number {
    return this.#due;
  }
  get running(): boolean {
    return this.#due !== Number.POSITIVE_INFINITY;
  }

  /** Enables it (GoEna): the numbers begin anew. @param t now @param at now, monotonic milliseconds @returns what to send */
  start(t: UtcTime, at: number): Uint8Array {
    this.#stNum = 1;
    this.#sqNum = this.#publication.firstSqNum ?? 1;
    this.#t = t;
    this.#interval = this.#minTime;
    this.#due = Number.POSITIVE_INFINITY;
    return this.#send(at);
  }

  stop(): void {
    this.#due = Number.POSITIVE_INFINITY;
  }

  /**
   * New values: the next stNum, sent at once, also in the middle of the repetitions of the change before. Before `start` they are
   * only kept. @param t of the change @returns what to send, undefined before `start`
   * @throws Iec61850Error `goose.publication` (caller) when they do not fit into a frame: nothing has changed then
   */
  change(values: readonly Data[], t: UtcTime, at: number): Uint8Array | undefined {
    this.#members = this.#encode(values);
    this.#values = values;
    if (!this.running) return undefined;
    this.counters.states++;
    this.#stNum = next(this.#stNum);
    this.#sqNum = 0;
    this.#t = t;
    this.#interval = this.#minTime;
    return this.#send(at);
  }

  /** Due: the next repetition. @returns what to send, undefined when it is too early or it is stopped */
  repeat(at: number): Uint8Array | undefined {
    if (at < this.#due) return undefined;
    this.#sqNum = next(this.#sqNum);
    this.#interval = Math.min(this.#interval * 2, this.#maxTime);
    return this.#send(at);
  }

  /** From the next message on. */
  set simulation(on: boolean) {
    this.#simulation = on;
  }
  set ndsCom(on: boolean) {
    this.#ndsCom = on;
  }

  #encode(values: readonly Data[]): Uint8Array {
    const { fixedLength = false, types } = this.#publication;
    if (types) {
      const wrong =
        values.length === types.length
          ? values.map((value, i) => mismatch(value, types[i]!)).find((text) => text !== undefined)
          : `${values.length} values, the data set has ${types.length} members`;
      if (wrong) throw refused(this.#publication, wrong);
    }
    const members = encodeMembers(values, types ? { fixedLength, types } : { fixedLength });
    if (this.#message(members, values.length).length > MAX_OCTETS)
      throw refused(this.#publication, `${values.length} values of ${members.length} octets do not fit into a frame`);
    return members;
  }

  #send(at: number): Uint8Array {
    this.counters.messages++;
    // On the beat that was meant, unless it was missed by a whole interval.
    const beat = Number.isFinite(this.#due) && this.#sqNum > 0 && at - this.#due < this.#interval ? this.#due : at;
    this.#due = Math.max(beat + this.#interval, at + 1);
    return this.#message(this.#members, this.#values.length);
  }

  #message(members: Uint8Array, entries: number): Uint8Array {
    const { appId, gocbRef, datSet, goId, confRev, fixedLength = false } = this.#publication;
    return encodeGooseWith(
      {
        appId,
        simulated: this.#simulation,
        gocbRef,
        // Until the message after the next, or the next one if it is late.
        timeAllowedToLive: Math.ceil(Math.max(2 * this.#interval, this.#interval + TOLERANCE)),
        datSet,
        goId,
        t: this.#t,
        stNum: this.#stNum,
        sqNum: this.#sqNum,
        simulation: this.#simulation,
        confRev,
        ndsCom: this.#ndsCom,
      },
      members,
      entries,
      fixedLength,
    );
  }
}

function refused({ gocbRef }: GoosePublication, text: string): Iec61850Error {
  return new Iec61850Error('caller', 'goose.publication', `GOOSE ${gocbRef}: ${text}; nothing is published`);
}
