/** TPKT (RFC 1006 § 6): a header of four octets that cuts the octet stream of TCP into packets. */
import type { BerWriter } from '../ber/writer.ts';
import { callerError, peerError } from '../errors.ts';

const VERSION = 3;
const HEADER = 4;
/** The length counts itself and has two octets. */
export const TPKT_LIMIT = 0xffff - HEADER;

/** Header and content as one buffer. */
export function encodeTpkt(content: Uint8Array): Uint8Array<ArrayBuffer> {
  if (content.length > TPKT_LIMIT) throw callerError('tpkt.length', `${content.length} octets do not fit into a TPKT`);
  const packet = new Uint8Array(HEADER + content.length);
  packet[0] = VERSION;
  packet[2] = packet.length >> 8;
  packet[3] = packet.length & 0xff;
  packet.set(content, HEADER);
  return packet;
}

/** Makes what is written the content of a packet. */
export function writeTpkt(writer: BerWriter): void {
  const length = writer.length + HEADER;
  if (length > 0xffff) throw callerError('tpkt.length', `${writer.length} octets do not fit into a TPKT`);
  writer.octet(length & 0xff);
  writer.octet(length >> 8);
  writer.octet(0);
  writer.octet(VERSION);
}

/** Octet stream to packets. Keeps at most one unfinished packet, so at most 65 535 octets, each copied once however it comes. */
export class TpktReader {
  readonly #header = new Uint8Array(HEADER);
  /** The unfinished packet, once its header is there. */
  #packet: Uint8Array | undefined;
  #have = 0;

  /** Octets that wait for the rest of their packet. */
  get pending(): number {
    return this.#have;
  }

  /**
   * Calls back with the content of each packet that is complete; contents are views into the chunk where possible and
   * stay valid. MmsError (peer) when the stream is not TPKT.
   */
  push(chunk: Uint8Array, packet: (content: Uint8Array) => void): void {
    let at = this.#have > 0 ? this.#continue(chunk, packet) : 0;
    while (chunk.length - at >= HEADER) {
      const length = lengthOf(chunk, at);
      if (chunk.length - at < length) break;
      const content = chunk.subarray(at + HEADER, at + length);
      at += length;
      packet(content);
    }
    if (at < chunk.length) this.#begin(chunk.subarray(at));
  }

  /** @returns octets of the chunk that belong to the packet before it */
  #continue(chunk: Uint8Array, packet: (content: Uint8Array) => void): number {
    let at = 0;
    while (this.#have < HEADER && at < chunk.length) this.#header[this.#have++] = chunk[at++]!;
    if (this.#have < HEADER) return at;
    this.#packet ??= this.#allocate();
    const part = chunk.subarray(at, at + this.#packet.length - this.#have);
    this.#packet.set(part, this.#have);
    this.#have += part.length;
    if (this.#have === this.#packet.length) {
      const content = this.#packet.subarray(HEADER);
      this.#packet = undefined;
      this.#have = 0;
      packet(content);
    }
    return at + part.length;
  }

  #begin(rest: Uint8Array): void {
    this.#header.set(rest.subarray(0, HEADER));
    this.#have = rest.length;
    if (rest.length < HEADER) return;
    this.#packet = this.#allocate();
    this.#packet.set(rest);
  }

  #allocate(): Uint8Array {
    const packet = new Uint8Array(lengthOf(this.#header, 0));
    packet.set(this.#header);
    return packet;
  }
}

function lengthOf(bytes: Uint8Array, at: number): number {
  if (bytes[at] !== VERSION) throw peerError('tpkt.version', `TPKT: version ${bytes[at]} instead of ${VERSION}`);
  const length = (bytes[at + 2]! << 8) | bytes[at + 3]!;
  // RFC 1006 § 6: the shortest packet has seven octets; one without any content is not one.
  if (length <= HEADER) throw peerError('tpkt.length', `TPKT: a packet of ${length} octets`);
  return length;
}
