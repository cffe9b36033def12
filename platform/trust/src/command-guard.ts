/**
 * Commands signed by the centre, and the guard in front of whoever carries them out: signature, addressee, age, and never
 * the same order twice.
 */
import type { KeyObject } from 'node:crypto';
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
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

/**
 * What outlives the process: the newest `issuedAt` of all commands accepted, by the clock of the centre that signed them.
 * A command of an earlier run is told from a new one by comparing the two, so no clocks need agree.
 */
export interface GuardMemory {
  /** Undefined before the first command. */
  readonly newest: bigint | undefined;
  /** Durable when it returns. @throws when it cannot be kept; the command is then refused */
  keep(issuedAt: bigint): void;
}

/** The memory in a file of its own. @throws EnerchainError `trust.command.memory` when the file is damaged */
export function fileMemory(path: string): GuardMemory {
  let newest: bigint | undefined;
  try {
    newest = BigInt(readFileSync(path, 'utf8').trim());
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'ENOENT') {
      const text = `${path} cannot be read: which commands were carried out is unknown. Remove it once no old command can be on its way.`;
      throw new EnerchainError('environment', 'trust.command.memory', text, { cause });
    }
  }
  return {
    get newest() {
      return newest;
    },
    keep: (issuedAt) => {
      writeFileSync(`${path}.new`, String(issuedAt), { mode: 0o600, flush: true });
      renameSync(`${path}.new`, path);
      const folder = openSync(dirname(path), 'r');
      try {
        fsyncSync(folder);
      } finally {
        closeSync(folder);
      }
      newest = issuedAt;
    },
  };
}

/** Pure but for its memory of what it has seen; time comes from the clock that is given. */
export class CommandGuard {
  readonly #source: string;
  readonly #clock: Clock;
  readonly #keyOf: (kid: Uint8Array) => KeyObject | undefined;
  readonly #tolerance: number;
  readonly #startedAt: bigint;
  readonly #memory: GuardMemory | undefined;
  /** The newest command of earlier runs. */
  readonly #before: bigint | undefined;
  /** `id/action` → monotonic time until which it is remembered, oldest first. */
  readonly #seen = new Map<string, number>();

  /**
   * @param options.source own name; commands to others are refused
   * @param options.keyOf public key of the centre by key identifier
   * @param options.memory what outlives the process; without it, or before its first entry, the own wall clock must do
   * @param options.tolerance milliseconds that the wall clocks of centre and edge may differ
   */
  constructor(options: {
    source: string;
    clock: Clock;
    keyOf(kid: Uint8Array): KeyObject | undefined;
    memory?: GuardMemory;
    tolerance?: number;
  }) {
    this.#source = options.source;
    this.#clock = options.clock;
    this.#keyOf = options.keyOf;
    this.#tolerance = options.tolerance ?? TOLERANCE;
    this.#startedAt = options.clock.now();
    this.#memory = options.memory;
    this.#before = options.memory?.newest;
  }

  /** Orders remembered. */
  get remembered(): number {
    return this.#seen.size;
  }

  /**
   * Takes a command off the link; call it when the bytes arrive, since `validFor` counts from then.
   * @throws EnerchainError (fault peer): `cose.*`, `trust.command.target`, `.age`, `.future`, `.restart`, `.replay`, `.flood`;
   *   (fault environment) `trust.command.memory` when it could not be kept that the command was accepted
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
    this.#keep(BigInt(command.issuedAt), name);
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
    // Which ids were seen before a restart is forgotten. Whatever was accepted then is no newer than the newest of it, by
    // one and the same clock, the centre's.
    if (this.#before !== undefined) {
      if (issuedAt > this.#before) return;
      throw refuse('restart', `${name} was issued no later than one accepted before this process started; refused`);
    }
    if (issuedAt < this.#startedAt) throw refuse('restart', `${name} was issued before this process started; refused`);
  }

  /** Before the command is carried out, so that no crash makes a replay of it possible. */
  #keep(issuedAt: bigint, name: string): void {
    const { newest } = this.#memory ?? {};
    if (!this.#memory || (newest !== undefined && issuedAt <= newest)) return;
    try {
      this.#memory.keep(issuedAt);
    } catch (cause) {
      const text = `${name} was refused: it could not be kept that it was accepted`;
      throw new EnerchainError('environment', 'trust.command.memory', text, { cause });
    }
  }

  #forget(now: number): void {
    for (const [key, until] of this.#seen) {
      if (until > now) return;
      this.#seen.delete(key);
    }
  }
}
