/**
 * A TPM holds about three transient objects at a time. Here they come and go as they are needed: the one that was not used for
 * longest makes room, its context saved outside (Part 1 § 30, “Context management”), and comes back when it is used again.
 */
import type { KeyObject } from 'node:crypto';
import { Tpm2Error } from '../error.ts';
import { HANDLE_TYPES } from '../spec/handles.ts';
import { RC } from '../spec/response-codes.ts';
import { objectName, type TpmPublic, toKeyObject } from '../structures/public.ts';
import type { TpmCommand } from './command-frame.ts';
import * as commands from './commands.ts';

/** A key in a TPM. What it is stays; whether it is in a slot just now is the client’s business. */
export class TpmKey {
  readonly public: TpmPublic;
  /** Pins key, attributes and policy. */
  readonly name: Uint8Array;
  /** Where it always is, for a persistent key. */
  readonly persistentHandle: number | undefined;
  /** Authorisation value, empty by default. It goes to the TPM in the clear. */
  readonly auth: Uint8Array;

  constructor(area: TpmPublic, auth: Uint8Array, persistentHandle?: number) {
    this.public = area;
    this.name = objectName(area);
    this.auth = auth;
    this.persistentHandle = persistentHandle;
  }

  get publicKey(): KeyObject {
    return toKeyObject(this.public);
  }
}

export interface SlotCounters {
  /** Objects that made room for others. */
  evicted: number;
  /** Objects that came back from their saved context. */
  restored: number;
  /** Objects that were made or loaded anew, because their context was not valid any more. */
  remade: number;
  /** Objects and sessions that nobody here had made, and that had to go. */
  strangers: number;
}

interface Slot {
  handle: number | undefined;
  /** The connection broke since: the handle may mean something else now. */
  doubtful: boolean;
  context: Uint8Array | undefined;
  readonly remake: Remake;
  lastUsed: number;
}

/** Makes or loads the object again. @param pinned must not make room for it */
export type Remake = (pinned: readonly TpmKey[]) => Promise<number>;
export type Execute = <T>(command: TpmCommand<T>) => Promise<T>;

const OUT_OF_ROOM: ReadonlySet<number> = new Set([RC.objectMemory, RC.objectHandles, RC.memory]);
const REFERENCE_H0 = 0x910;
const RC_HANDLE = 0x08b;

/** The TPM has no object at a handle, or another one. */
function unknownHandle(error: unknown): boolean {
  const code = error instanceof Tpm2Error ? error.refusal?.responseCode : undefined;
  if (code === undefined) return false;
  return (code >= REFERENCE_H0 && code <= REFERENCE_H0 + 6) || (code & 0xff) === RC_HANDLE;
}

export const refusedWith = (error: unknown, codes: ReadonlySet<number>): boolean =>
  error instanceof Tpm2Error && error.refusal !== undefined && codes.has(error.refusal.responseCode);

export class ObjectSlots {
  readonly counters: SlotCounters = { evicted: 0, restored: 0, remade: 0, strangers: 0 };
  readonly #execute: Execute;
  /** The TPM is ours alone: what is in its slots and not known here was left behind, and may go. */
  readonly #alone: boolean;
  readonly #slots = new Map<TpmKey, Slot>();
  #uses = 0;

  constructor(execute: Execute, alone: boolean) {
    this.#execute = execute;
    this.#alone = alone;
  }

  /** Runs a command that takes up a slot (as the use of a persistent key does, too), making room when there is none. */
  async making<T>(command: TpmCommand<T>, pinned: readonly TpmKey[] = []): Promise<T> {
    for (;;) {
      try {
        return await this.#execute(command);
      } catch (error) {
        if (!refusedWith(error, OUT_OF_ROOM) || !(await this.#makeRoom(pinned))) throw error;
      }
    }
  }

  /** Takes a transient object into care. */
  adopt(key: TpmKey, handle: number, remake: Remake): void {
    this.#slots.set(key, { handle, doubtful: false, context: undefined, remake, lastUsed: ++this.#uses });
  }

  /**
   * Runs `task` with the handles of `keys`, which are in the TPM then, and with a way to run commands that keeps them there. When
   * the TPM says that one is not, it is brought back and the task runs again, once.
   */
  async using<T>(
    keys: readonly TpmKey[],
    task: (run: Execute, ...handles: number[]) => Promise<T>,
    alsoPinned: readonly TpmKey[] = [],
  ): Promise<T> {
    const pinned = [...keys, ...alsoPinned];
    const run: Execute = (command) => this.making(command, pinned);
    try {
      return await task(run, ...(await this.#handles(keys, pinned)));
    } catch (error) {
      if (!unknownHandle(error)) throw error;
      for (const key of keys) {
        const slot = this.#slots.get(key);
        if (slot) slot.doubtful = true;
      }
      return task(run, ...(await this.#handles(keys, pinned)));
    }
  }

  async #handles(keys: readonly TpmKey[], pinned: readonly TpmKey[]): Promise<number[]> {
    const handles: number[] = [];
    for (const key of keys) handles.push(key.persistentHandle ?? (await this.#bring(key, pinned)));
    return handles;
  }

  async #bring(key: TpmKey, pinned: readonly TpmKey[]): Promise<number> {
    const slot = this.#slots.get(key);
    if (slot === undefined)
      throw new Tpm2Error('caller', 'tpm2.key', 'the key was flushed, or belongs to another client');
    slot.lastUsed = ++this.#uses;
    if (slot.doubtful) await this.#settle(key, slot);
    if (slot.handle !== undefined) return slot.handle;
    if (slot.context !== undefined) {
      try {
        slot.handle = await this.making(commands.contextLoad(slot.context), pinned);
        this.counters.restored++;
        return slot.handle;
      } catch (error) {
        // Contexts end with a reset of the TPM; what made the object makes it again.
        if (!(error instanceof Tpm2Error) || error.refusal === undefined || refusedWith(error, OUT_OF_ROOM))
          throw error;
        slot.context = undefined;
      }
    }
    slot.handle = await slot.remake(pinned);
    this.counters.remade++;
    return slot.handle;
  }

  /** Is the object still where it was? */
  async #settle(key: TpmKey, slot: Slot): Promise<void> {
    slot.doubtful = false;
    if (slot.handle === undefined) return;
    try {
      const { name } = await this.#execute(commands.readPublicArea(slot.handle));
      if (Buffer.compare(name, key.name) !== 0) slot.handle = undefined;
    } catch (error) {
      if (!(error instanceof Tpm2Error) || error.refusal === undefined) throw error;
      slot.handle = undefined;
    }
  }

  /** @returns whether there is more room now */
  async #makeRoom(pinned: readonly TpmKey[]): Promise<boolean> {
    const candidates = [...this.#slots].filter(([key, { handle }]) => handle !== undefined && !pinned.includes(key));
    const [oldest] = candidates.sort(([, a], [, b]) => a.lastUsed - b.lastUsed);
    if (oldest === undefined) return this.#alone && (await this.flushStrangers(HANDLE_TYPES.transient)) > 0;
    const [key, slot] = oldest;
    if (slot.doubtful) await this.#settle(key, slot);
    if (slot.handle === undefined) return true;
    slot.context ??= await this.#execute(commands.contextSave(slot.handle));
    await this.#execute(commands.flushContext(slot.handle));
    slot.handle = undefined;
    this.counters.evicted++;
    return true;
  }

  /** Flushes what is loaded and not known here. @returns how many */
  async flushStrangers(type: number): Promise<number> {
    const ours = new Set([...this.#slots.values()].map(({ handle }) => handle));
    const { values } = await this.#execute(commands.getHandles((type << 24) >>> 0));
    const strangers = values.filter((handle) => handle >>> 24 === type && !ours.has(handle));
    for (const handle of strangers) await this.#execute(commands.flushContext(handle));
    this.counters.strangers += strangers.length;
    return strangers.length;
  }

  /** The connection broke. */
  doubtAll(): void {
    for (const slot of this.#slots.values()) slot.doubtful = true;
  }

  async flush(key: TpmKey): Promise<void> {
    const slot = this.#slots.get(key);
    this.#slots.delete(key);
    if (slot === undefined) return;
    if (slot.doubtful) await this.#settle(key, slot);
    if (slot.handle !== undefined) await this.#execute(commands.flushContext(slot.handle));
  }

  async flushAll(): Promise<void> {
    for (const key of [...this.#slots.keys()]) await this.flush(key);
  }
}
