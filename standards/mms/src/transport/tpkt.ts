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

/** Octet stream to packets. Keeps at most one unfinished packet, so at most 65 535 octets. */
export class TpktReader {
  #rest: Uint8Array = new Uint8Array(0);

  /** Octets that wait for the rest of their packet. */
  get pending(): number {
    return this.#rest.length;
  }

  /**
   * Calls back with the content of each packet that is complete; contents are views into the chunk where possible and
   * stay valid. MmsError (peer) when the stream is not TPKT.
   */
  push(chunk: Uint8Array, packet: (content: Uint8Array) => void): void {
    let bytes = chunk;
    if (this.#rest.length > 0) {
      bytes = new Uint8Array(this.#rest.length + chunk.length);
      bytes.set(this.#rest);
      bytes.set(chunk, this.#rest.length);
      this.#rest = new Uint8Array(0);
    }
    let at = 0;
    while (bytes.length - at >= HEADER) {
      if (bytes[at] !== VERSION) throw peerError('tpkt.version', `TPKT: version ${bytes[at]} instead of ${VERSION}`);
      const length = (bytes[at + 2]! << 8) | bytes[at + 3]!;
      // RFC 1006 § 6: the shortest packet has seven octets; one without any content is not one.
      if (length <= HEADER) throw peerError('tpkt.length', `TPKT: a packet of ${length} octets`);
      if (bytes.length - at < length) break;
      const content = bytes.subarray(at + HEADER, at + length);
      at += length;
      packet(content);
    }
    if (at < bytes.length) this.#rest = at === 0 ? bytes : bytes.slice(at);
  }
}
