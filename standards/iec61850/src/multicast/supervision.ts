/** What subscribers of GOOSE and of sampled values have in common: why they refuse, and which side they listen to. */

/** Milliseconds without a message that has to be refused until a problem is over. */
const HOLD = 1000;
/** Octets of both addresses at the beginning of a frame. */
export const ADDRESSES = 12;

export interface ProblemEvent<K extends string> {
  readonly kind: 'problem';
  readonly problem: K;
  /** It began; else it is over. */
  readonly standing: boolean;
  readonly text: string;
}

/** Simulated messages in place of real ones; or simulated messages that are not taken. */
export interface SimulationEvent {
  readonly kind: 'simulation' | 'simulation-ignored';
  readonly standing: boolean;
  readonly text: string;
}

/** Why messages are refused: one problem at a time, told when it begins and when it is over. */
export class StandingProblem<K extends string> {
  readonly #subject: string;
  #problem: K | undefined;
  #text = '';
  #refusedAt = 0;

  /** @param subject with which sentences begin */
  constructor(subject: string) {
    this.#subject = subject;
  }

  get stands(): boolean {
    return this.#problem !== undefined;
  }

  get current(): { readonly problem: K; readonly text: string } | undefined {
    return this.#problem && { problem: this.#problem, text: this.#text };
  }

  /** A message is refused. */
  refuse(at: number, problem: K, text: string, tell: (event: ProblemEvent<K>) => void): void {
    this.#refusedAt = at;
    if (this.#problem === problem && this.#text === text) return;
    this.#end(tell);
    this.#problem = problem;
    this.#text = text;
    tell({ kind: 'problem', problem, standing: true, text: `${this.#subject}: ${text}; its messages are refused` });
  }

  /** Good messages come. Between those of somebody else that are not, the problem stands, or each would end it for a moment. */
  solve(at: number, tell: (event: ProblemEvent<K>) => void): void {
    if (at - this.#refusedAt >= HOLD) this.#end(tell);
  }

  #end(tell: (event: ProblemEvent<K>) => void): void {
    if (this.#problem === undefined) return;
    const text = `${this.#subject}: over: ${this.#text}`;
    tell({ kind: 'problem', problem: this.#problem, standing: false, text });
    this.#problem = undefined;
    this.#text = '';
  }
}

/**
 * Real or simulated messages (IEC 61850-7-2 § 7.8): with LPHD.Sim true the simulated ones are taken from the first that comes until
 * it is false again; else they are ignored.
 */
export class SimulationSide {
  readonly #subject: string;
  #sim: boolean;
  #simulated = false;
  #ignoring = false;
  #ignoredAt = 0;

  constructor(subject: string, sim: boolean) {
    this.#subject = subject;
    this.#sim = sim;
  }

  /** Whether simulated messages are being taken. */
  get simulated(): boolean {
    return this.#simulated;
  }

  /** Whether a message of this kind can be taken without looking any further: nearly always. */
  settled(simulated: boolean): boolean {
    return simulated === this.#simulated && !this.#ignoring;
  }

  /** @param hold milliseconds after which ignored ones are over @returns whether the message is to be taken */
  takes(simulated: boolean, at: number, hold: number, tell: (event: SimulationEvent) => void): boolean {
    const say = (kind: SimulationEvent['kind'], standing: boolean, text: string): void =>
      tell({ kind, standing, text: `${this.#subject}: ${text}` });
    if (simulated === this.#simulated) {
      if (this.#ignoring && at - this.#ignoredAt > hold) {
        this.#ignoring = false;
        say('simulation-ignored', false, 'no more simulated messages, which were not taken');
      }
      return true;
    }
    if (simulated && this.#sim) {
      this.#simulated = true;
      this.#ignoring = false;
      say('simulation', true, 'simulated messages are taken, real ones no longer (LPHD.Sim)');
      return true;
    }
    if (simulated) {
      this.#ignoredAt = at;
      if (!this.#ignoring) say('simulation-ignored', true, 'simulated messages come and are not taken');
      this.#ignoring = true;
    }
    return false;
  }

  /** LPHD.Sim has changed. @returns the event when real messages are taken again because of it */
  turn(on: boolean): SimulationEvent | undefined {
    this.#sim = on;
    if (on || !this.#simulated) return undefined;
    this.#simulated = false;
    return { kind: 'simulation', standing: false, text: `${this.#subject}: real messages are taken again` };
  }
}

export const appIdText = (value: number): string => value.toString(16).toUpperCase().padStart(4, '0');

export const durationText = (millis: number): string =>
  millis < 10_000 ? `${Math.round(millis)} ms` : `${Math.round(millis / 1000)} s`;
