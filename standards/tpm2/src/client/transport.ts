/** What carries one command to a TPM and its response back. */
import { Tpm2Error } from '../error.ts';

/** Octets of tag, size and code, which every command and every response begins with (Part 1 § 18). */
export const HEADER = 10;
/** Longer responses than any TPM has (MAX_RESPONSE_SIZE is 4096 in the reference implementation). */
export const MAX_FRAME = 65_536;

/** One command at a time: the client calls `transact` only when the last call is done. */
export interface Transport {
  /** For messages: `unix:/run/tpm.sock`. */
  readonly description: string;
  /**
   * Sends one command and takes its response, opening the connection when there is none.
   * @throws Tpm2Error (fault environment) when there is no connection, or it ends; (fault peer) when the answer is no response
   */
  transact(command: Uint8Array): Promise<Uint8Array>;
  /** Ends the connection, also under a command that goes on: its answer is not wanted any more. The next command opens a new one. */
  disconnect(): Promise<void>;
}

/** The size that a response claims; `undefined` before its header is there. @throws Tpm2Error (fault peer) */
export function responseSize(bytes: Uint8Array, description: string): number | undefined {
  if (bytes.length < 6) return undefined;
  const size = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(2);
  if (size < HEADER || size > MAX_FRAME) {
    throw new Tpm2Error('peer', 'tpm2.transport', `${description} sent a response that claims ${size} bytes`);
  }
  return size;
}
