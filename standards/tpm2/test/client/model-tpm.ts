/**
 * A TPM of a few lines: slots, contexts that end with a reset, keys made from templates. It stands for the rules of Part 1 § 30
 * by which a client has to live; what a real TPM says is in the recording and in `interop/tpm`.
 */

import type { Transport } from '../../src/client/transport.ts';
import { Tpm2Error } from '../../src/error.ts';
import { COMMANDS, type CommandName, commandName } from '../../src/spec/commands.ts';
import { HANDLES } from '../../src/spec/handles.ts';
import { digest } from '../../src/structures/hash.ts';
import { objectName, readPublic, type TpmPublic, writePublic } from '../../src/structures/public.ts';
import { writeSignature } from '../../src/structures/signature.ts';
import { TpmReader } from '../../src/wire/reader.ts';
import { type TpmWriter, writeAll } from '../../src/wire/writer.ts';

const OBJECT_MEMORY = 0x902;
const REFERENCE_H0 = 0x910;
const INTEGRITY = 0x1df;
const INITIALIZE = 0x100;
const NOTHING = new Uint8Array(0);

class Refused extends Error {
  readonly code: number;

  constructor(code: number) {
    super(`0x${code.toString(16)}`);
    this.code = code;
  }
}

type Reply = { readonly handle?: number; readonly write?: (writer: TpmWriter) => void };

export class ModelTpm implements Transport {
  readonly description = 'model';
  readonly slots: number;
  readonly loaded = new Map<number, TpmPublic>();
  readonly log: CommandName[] = [];
  /** Called before each command; may throw like a broken connection. */
  before: (name: CommandName) => void = () => {};
  running = true;
  #boot = 1;
  #seed = 1;
  #contexts = 0;

  constructor(slots = 3) {
    this.slots = slots;
  }

  /** Power goes and comes: slots are empty, contexts are void, TPM2_Startup is needed. */
  reset(): void {
    this.loaded.clear();
    this.#boot++;
    this.running = false;
  }

  /** TPM2_Clear: the same template makes another key. */
  clear(): void {
    this.loaded.clear();
    this.#seed++;
  }

  disconnect(): Promise<void> {
    return Promise.resolve();
  }

  transact(bytes: Uint8Array): Promise<Uint8Array> {
    const reader = new TpmReader(bytes);
    const sessions = reader.u16('tag') === 0x8002;
    reader.u32('size');
    const name = commandName(reader.u32('code'))!;
    this.log.push(name);
    try {
      this.before(name);
      if (!this.running && name !== 'Startup') throw new Refused(INITIALIZE);
      const { handle, write } = this.#reply(name, reader, sessions);
      const parameters = writeAll(write ?? (() => {}));
      return Promise.resolve(
        frame(0, sessions, (w) => {
          if (handle !== undefined) w.u32(handle);
          if (sessions) w.u32(parameters.length);
          w.bytes(parameters);
          if (sessions) w.sized(NOTHING).u8(1).sized(NOTHING);
        }),
      );
    } catch (error) {
      if (error instanceof Refused) return Promise.resolve(frame(error.code, false, () => {}));
      return Promise.reject(error as Error);
    }
  }

  #reply(name: CommandName, reader: TpmReader, sessions: boolean): Reply {
    const skipSessions = () => {
      if (sessions) reader.bytes(reader.u32('size'), 'sessions');
    };
    switch (name) {
      case 'Startup':
        if (this.running) throw new Refused(INITIALIZE);
        this.running = true;
        return {};
      case 'CreatePrimary': {
        reader.u32('hierarchy');
        skipSessions();
        reader.sized('sensitive');
        const area = this.#made(reader.inSized('template', readPublic));
        return {
          handle: this.#put(area),
          write: (w) =>
            w
              .inSized((inner) => writePublic(inner, area))
              .sized(NOTHING)
              .sized(NOTHING)
              .u16(0x8021)
              .u32(HANDLES.null)
              .sized(NOTHING)
              .sized(objectName(area)),
        };
      }
      case 'Load': {
        this.#at(reader.u32('parent'));
        skipSessions();
        reader.sized('private area');
        const area = reader.inSized('public area', readPublic);
        return { handle: this.#put(area), write: (w) => w.sized(objectName(area)) };
      }
      case 'ReadPublic': {
        const area = this.#at(reader.u32('handle'));
        return {
          write: (w) =>
            w
              .inSized((inner) => writePublic(inner, area))
              .sized(objectName(area))
              .sized(NOTHING),
        };
      }
      case 'Sign':
        this.#at(reader.u32('handle'));
        return { write: (w) => writeSignature(w, { scheme: 'ecdsa', hash: 'sha256', r: NOTHING, s: NOTHING }) };
      case 'FlushContext': {
        const handle = reader.u32('handle');
        if (!this.loaded.delete(handle)) throw new Refused(REFERENCE_H0);
        return {};
      }
      case 'ContextSave': {
        const area = this.#at(reader.u32('handle'));
        return {
          write: (w) =>
            w
              .u32(this.#boot)
              .u32(this.#contexts++)
              .inSized((inner) => writePublic(inner, area)),
        };
      }
      case 'ContextLoad': {
        if (reader.u32('boot') !== this.#boot) throw new Refused(INTEGRITY);
        reader.u32('number');
        return { handle: this.#put(reader.inSized('object', readPublic)) };
      }
      case 'GetCapability':
        return {
          write: (w) =>
            w
              .u8(0)
              .u32(1)
              .list([...this.loaded.keys()], (handle) => w.u32(handle)),
        };
      default:
        throw new Error(`the model does not know TPM2_${name} (0x${COMMANDS[name].toString(16)})`);
    }
  }

  /** A key that hangs on the seed and the template. */
  #made(template: TpmPublic): TpmPublic {
    if (template.type !== 'ecc') throw new Error('the model makes ECC keys only');
    const x = digest('sha256', Buffer.of(this.#seed), template.x);
    return { ...template, x, y: digest('sha256', x) };
  }

  #at(handle: number): TpmPublic {
    const area = this.loaded.get(handle);
    if (area === undefined) throw new Refused(REFERENCE_H0);
    return area;
  }

  #put(area: TpmPublic): number {
    if (this.loaded.size >= this.slots) throw new Refused(OBJECT_MEMORY);
    let handle = 0x80000000;
    while (this.loaded.has(handle)) handle++;
    this.loaded.set(handle, area);
    return handle;
  }
}

const frame = (code: number, sessions: boolean, write: (writer: TpmWriter) => void): Uint8Array => {
  const body = writeAll(write);
  return writeAll((w) =>
    w
      .u16(sessions ? 0x8002 : 0x8001)
      .u32(10 + body.length)
      .u32(code)
      .bytes(body),
  );
};

export const broken = (): Tpm2Error => new Tpm2Error('environment', 'tpm2.transport', 'the connection broke');
