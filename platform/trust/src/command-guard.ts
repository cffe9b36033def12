/**
 * Commands signed by the centre, and the guard in front of whoever carries them out: signature, addressee, the challenge
 * that is answered, age, and never the same order twice.
 */
import type { KeyObject } from 'node:crypto';
import { type Clock, Command, EnerchainError, validator } from '@enerchain/model';
import type { Signer } from '@enerchain/pki';
import { decodeCbor, encodeCbor } from './cbor.ts';
import { APPROVAL_LIFE, type Challenge, Challenges } from './command-session.ts';
import { coseSign1, coseVerify1 } from './cose.ts';

/** `typ` of a signed command. */
export const COMMAND_TYPE = 'enerchain-command';
const MAX_COMMAND_BYTES = 8192;
/** Milliseconds for which an order is remembered, whatever counter it comes with. */
const REMEMBER = 24 * 3_600_000;
const MAX_REMEMBERED = 65_536;
/** How much faster than ours the centre's monotonic clock may run in the life of a challenge, milliseconds. */
const DRIFT = 1_000;

const commands = validator(Command, 'peer');

/** @param kid thumbprint of the centre's certificate. @returns COSE_Sign1 */
export function signCommand(signer: Signer, kid: Uint8Array, command: Command): Promise<Uint8Array> {
  return coseSign1(signer, kid, COMMAND_TYPE, encodeCbor(command));
}

/** A command that passed the guard. */
export interface AcceptedCommand {
  readonly command: Command;
  /** Milliseconds on the guard's monotonic clock after which it must not be carried out any more. */
  readonly deadline: number;
}

const refuse = (code: string, text: string) => new EnerchainError('peer', `trust.command.${code}`, text);

/** In one session of the link; a new session knows nothing of the one before, so nothing needs to outlive the process. */
export class CommandGuard {
  readonly #source: string;
  readonly #clock: Clock;
  readonly #keyOf: (kid: Uint8Array) => KeyObject | undefined;
  readonly #challenges: Challenges;
  /** Place of the last command accepted: number of its challenge, and its counter. */
  #last = { challenge: 0, counter: 0 };
  /** `id/action` → monotonic time until which it is remembered, oldest first. */
  readonly #seen = new Map<string, number>();
  /** Called when the challenges were found to be of no use: another one must be drawn and told. */
  onStale: (() => void) | undefined;

  /**
   * @param options.source own name; commands to others are refused
   * @param options.keyOf public key of the centre by key identifier
   * @param options.random for tests
   */
  constructor(options: {
    source: string;
    clock: Clock;
    keyOf(kid: Uint8Array): KeyObject | undefined;
    random?: (size: number) => Uint8Array;
  }) {
    this.#source = options.source;
    this.#clock = options.clock;
    this.#keyOf = options.keyOf;
    const { clock, random } = options;
    this.#challenges = new Challenges({ clock, keep: APPROVAL_LIFE, ...(random ? { random } : {}) });
  }

  /** Orders remembered. */
  get remembered(): number {
    return this.#seen.size;
  }

  /** A session of the link begins, or ends: what answers a challenge of the one before is refused from now on. */
  newSession(): void {
    this.#challenges.forget();
  }

  /** Another challenge of this session, to be told to the centre at once. Call it every `RENEW_EVERY` milliseconds. */
  challenge(): Uint8Array {
    return this.#challenges.draw();
  }

  /**
   * Takes a command off the link; call it when the bytes arrive.
   * @throws EnerchainError (fault peer): `cose.*`, `model.invalid`, `trust.command.size`, `.target`, `.session`, `.slept`,
   *   `.future`, `.age`, `.replay`, `.flood`
   */
  accept(bytes: Uint8Array): AcceptedCommand {
    const received = this.#clock.monotonic();
    if (bytes.length > MAX_COMMAND_BYTES) throw refuse('size', `a command has ${bytes.length} bytes; it was dropped`);
    const message = coseVerify1(bytes, COMMAND_TYPE, this.#keyOf);
    const command = commands.parse(decodeCbor(message.payload), 'a signed command');
    const name = `command ${command.id} (${command.action})`;
    if (command.target !== this.#source) {
      throw refuse('target', `${name} is for ${command.target}, not for ${this.#source}; refused`);
    }
    const { challenge, deadline } = this.#checkFresh(command, name, received);
    this.#forget(received);
    const key = `${command.id}/${command.action}`;
    if (this.#seen.has(key)) throw refuse('replay', `${name} was received before; refused`);
    if (this.#seen.size >= MAX_REMEMBERED) throw refuse('flood', `${name} refused: too many commands in a day`);
    this.#last = { challenge: challenge.number, counter: command.counter };
    this.#seen.set(key, received + REMEMBER);
    return { command, deadline };
  }

  /** Whether a challenge was drawn in this session, no longer than five minutes ago: the age of what names it. */
  knows(challenge: string): boolean {
    return this.#challenges.known(challenge) !== undefined;
  }

  /** Whether the command may still be carried out. */
  isFresh(accepted: AcceptedCommand): boolean {
    return this.#clock.monotonic() <= accepted.deadline;
  }

  #checkFresh(command: Command, name: string, now: number): { challenge: Challenge; deadline: number } {
    const challenge = this.#challenges.current(command.session);
    if (!challenge) {
      throw refuse('session', `${name} answers no challenge that stands: it is old, or of another session; refused`);
    }
    if (this.#challenges.slept(challenge)) {
      this.#challenges.forget();
      this.onStale?.();
      const text = `${name} refused: this machine slept, or its clock was set, so its age is not known`;
      throw refuse('slept', text);
    }
    const signed = challenge.at + command.elapsed;
    const age = now - signed;
    if (age < -DRIFT) throw refuse('future', `${name} says it was signed ${-age} ms from now; refused`);
    if (age > command.validFor) {
      throw refuse(
        'age',
        `${name} is up to ${Math.ceil(age)} ms old and was valid for ${command.validFor} ms; refused`,
      );
    }
    const { number } = challenge;
    const last = this.#last;
    if (number < last.challenge || (number === last.challenge && command.counter <= last.counter)) {
      throw refuse('replay', `${name} has a place in the order of commands that was used before; refused`);
    }
    return { challenge, deadline: signed + command.validFor };
  }

  #forget(now: number): void {
    for (const [key, until] of this.#seen) {
      if (until > now) return;
      this.#seen.delete(key);
    }
  }
}
