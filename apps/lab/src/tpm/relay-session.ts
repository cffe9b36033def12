/**
 * What one program has in a TPM that it shares: its objects and sessions are flushed when it goes, and it sees no others, so that a
 * program which tidies up does not take another one’s key away and leave a handle that means something else.
 */
import { COMMANDS } from '@enerchain/tpm2';

/** Commands that answer with a handle (Part 3). */
const MAKE_HANDLES: ReadonlySet<number> = new Set([
  COMMANDS.CreatePrimary,
  COMMANDS.Load,
  COMMANDS.LoadExternal,
  COMMANDS.CreateLoaded,
  COMMANDS.ContextLoad,
  COMMANDS.StartAuthSession,
  COMMANDS.HMAC_Start,
  COMMANDS.HashSequenceStart,
]);
/** TPM_CAP_HANDLES, and the types of handles that belong to somebody: sessions and transient objects. */
const CAP_HANDLES = 1;
const OWNED_TYPES: ReadonlySet<number> = new Set([0x02, 0x03, 0x80]);
/** Tag, size, code; then the parameters of a command or a response without sessions. */
const BODY = 10;

const view = (bytes: Uint8Array) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

export class RelaySession {
  readonly #owned = new Set<number>();

  /** Handles that have to be flushed when the program has gone. */
  get owned(): readonly number[] {
    return [...this.#owned];
  }

  /** Takes note of a command that was answered. @returns the response for the program */
  answered(command: Uint8Array, response: Uint8Array): Uint8Array {
    const code = view(command).getUint32(6);
    if (view(response).getUint32(6) !== 0) return response;
    if (MAKE_HANDLES.has(code) && response.length >= BODY + 4) this.#owned.add(view(response).getUint32(BODY));
    if (code === COMMANDS.FlushContext && command.length >= BODY + 4) this.#owned.delete(view(command).getUint32(BODY));
    return code === COMMANDS.GetCapability ? this.#ownOnly(command, response) : response;
  }

  /** A list of handles without those of other programs. */
  #ownOnly(command: Uint8Array, response: Uint8Array): Uint8Array {
    const asked = view(command);
    if (
      command.length < BODY + 8 ||
      asked.getUint32(BODY) !== CAP_HANDLES ||
      !OWNED_TYPES.has(asked.getUint8(BODY + 4))
    ) {
      return response;
    }
    // moreData, capability, count; then the handles.
    const list = BODY + 9;
    const handles: number[] = [];
    for (let at = list; at + 4 <= response.length; at += 4) {
      const handle = view(response).getUint32(at);
      if (this.#owned.has(handle)) handles.push(handle);
    }
    const own = new Uint8Array(list + 4 * handles.length);
    own.set(response.subarray(0, list));
    view(own).setUint32(2, own.length);
    view(own).setUint32(list - 4, handles.length);
    handles.forEach((handle, i) => {
      view(own).setUint32(list + 4 * i, handle);
    });
    return own;
  }
}

/** TPM2_FlushContext. */
export function flushCommand(handle: number): Uint8Array {
  const command = new Uint8Array(BODY + 4);
  const words = view(command);
  words.setUint16(0, 0x8001);
  words.setUint32(2, command.length);
  words.setUint32(6, COMMANDS.FlushContext);
  words.setUint32(BODY, handle);
  return command;
}
