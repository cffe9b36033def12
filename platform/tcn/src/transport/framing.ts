/** Frames on a stream: four octets of length, big-endian, and a message. */
import { EnerchainError } from '@enerchain/model';
import { MAX_TCN_MESSAGE } from '../message.ts';

const HEAD = 4;
/** Before the first whole message a peer may not announce more than this: whoever is turned away costs little. */
const MAX_FIRST = 4096;

export function encodeFrame(message: Uint8Array): Uint8Array {
  const frame = new Uint8Array(HEAD + message.length);
  new DataView(frame.buffer).setUint32(0, message.length);
  frame.set(message, HEAD);
  return frame;
}

/** Puts chunks together to messages; holds no more than what has arrived of one message. */
export class FrameReader {
  #chunks: Uint8Array[] = [];
  #bytes = 0;
  #expected: number | undefined;
  #first = true;

  /** Octets of a message that has not arrived whole. */
  get pending(): number {
    return this.#bytes;
  }

  /** @throws EnerchainError `tcn.frame` (fault peer); nothing can be read after that */
  push(chunk: Uint8Array): Uint8Array[] {
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
    const messages: Uint8Array[] = [];
    for (;;) {
      this.#expected ??= this.#length();
      if (this.#expected === undefined || this.#bytes < this.#expected) return messages;
      messages.push(this.#take(this.#expected));
      this.#expected = undefined;
      this.#first = false;
    }
  }

  #length(): number | undefined {
    if (this.#bytes < HEAD) return undefined;
    const head = this.#take(HEAD);
    const length = new DataView(head.buffer, head.byteOffset).getUint32(0);
    const most = this.#first ? MAX_FIRST : MAX_TCN_MESSAGE;
    if (length === 0 || length > most) {
      const text = `a frame of ${length} octets is announced, 1 to ${most} are read here`;
      throw new EnerchainError('peer', 'tcn.frame', text);
    }
    return length;
  }

  #take(count: number): Uint8Array {
    const whole = this.#chunks.length === 1 ? this.#chunks[0]! : Buffer.concat(this.#chunks);
    this.#bytes = whole.length - count;
    this.#chunks = this.#bytes > 0 ? [whole.subarray(count)] : [];
    return whole.subarray(0, count);
  }
}
