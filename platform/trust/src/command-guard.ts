/**
 * Commands signed by the centre, and the guard in front of whoever carries them out: signature, addressee, age, and never
 * the same order twice.
 */
import type { KeyObject } from 'node:crypto';
import { type Clock, Command, EnerchainError, NANOS_PER_MILLI, validator } from '@enerchain/model';
import type { Signer } from '@enerchain/pki';
import { decodeCbor, encodeCbor } from './cbor.ts';
import { coseSign1, coseVerify1 } from './cose.ts';

/** `typ` of a signed command. */
export const COMMAND_TYPE = 'enerchain-command';
const MAX_COMMAND_BYTES = 4096;
/** Milliseconds for which an order is remembered: far beyond its life, in case the wall clock is set back. */
const REMEMBER = 24 * 3_600_000;
const MAX_REMEMBERED = 65_536;
/** How far the wall clocks of centre and edge may be apart, in milliseconds. */
const TOLERANCE = 30_000;

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

/** Pure but for its memory of what it has seen; time comes from the clock that is given. */
export class CommandGuard {
  readonly #source: string;
  readonly #clock: Clock;
  readonly #keyOf: (kid: Uint8Array) => KeyObject | undefined;
  readonly #tolerance: number;
  readonly #startedAt: bigint;
  /** `id/action` → monotonic time until which it is remembered, oldest first. */
  readonly #seen = new Map<string, number>();

  /**
   * @param options.source own name; commands to others are refused
   * @param options.keyOf public key of the centre by key identifier
   * @param options.tolerance milliseconds that the wall clocks of centre and edge may differ
   */
  constructor(options: {
    source: string;
    clock: Clock;
    keyOf(kid: Uint8Array): KeyObject | undefined;
    tolerance?: number;
  }) {
    this.#source = options.source;
    this.#clock = options.clock;
    this.#keyOf = options.keyOf;
    this.#tolerance = options.tolerance ?? TOLERANCE;
    this.#startedAt = options.clock.now();
  }

  /** Orders remembered. */
  get remembered(): number {
    return this.#seen.size;
  }

  /**
   * Takes a command off the link; call it when the bytes arrive, since `validFor` counts from then.
   * @throws EnerchainError (fault peer): `cose.*`, `trust.command.target`, `.age`, `.future`, `.restart`, `.replay`, `.flood`
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
    this.#checkAge(command, name);
    this.#forget(received);
    const key = `${command.id}/${command.action}`;
    if (this.#seen.has(key)) throw refuse('replay', `${name} was received before; refused`);
    if (this.#seen.size >= MAX_REMEMBERED) throw refuse('flood', `${name} refused: too many commands in a day`);
    this.#seen.set(key, received + REMEMBER);
    return { command, deadline: received + command.validFor };
  }

  /** Whether the command may still be carried out. */
  isFresh(accepted: AcceptedCommand): boolean {
    return this.#clock.monotonic() <= accepted.deadline;
  }

  /** The age by the wall clocks need only be plausible; the time that counts is measured from receipt. */
  #checkAge(command: Command, name: string): void {
    const issuedAt = BigInt(command.issuedAt);
    const age = Number((this.#clock.now() - issuedAt) / NANOS_PER_MILLI);
    if (age > command.validFor + this.#tolerance) {
      throw refuse('age', `${name} is ${age} ms old by our clock and was valid for ${command.validFor} ms; refused`);
    }
    if (age < -this.#tolerance) {
      throw refuse('future', `${name} was issued ${-age} ms in the future by our clock; refused`);
    }
    // What was seen before a restart is forgotten, so orders from before it cannot be told from replays.
    if (issuedAt < this.#startedAt) throw refuse('restart', `${name} was issued before this process started; refused`);
  }

  #forget(now: number): void {
    for (const [key, until] of this.#seen) {
      if (until > now) return;
      this.#seen.delete(key);
    }
  }
}
