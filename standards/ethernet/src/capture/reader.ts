/**
 * Captures as they come, chunk by chunk: pcap (draft-ietf-opsawg-pcap; micro- and nanoseconds, both orders of octets) and pcapng
 * (draft-ietf-opsawg-pcapng; several sections and interfaces). Pure and bounded: it holds one record at most.
 */
import { EthernetError } from '../errors.ts';

/** One frame of a capture. */
export interface CapturedFrame {
  /** A view, valid until the next chunk. */
  readonly frame: Uint8Array;
  /** ns since the Unix epoch. */
  readonly at: bigint;
  /** Octets it had on the wire, without FCS; more than `frame` has when the capture kept only its beginning. */
  readonly wireLength: number;
}

/** Longest record that is taken for one; libpcap's own limit. */
const MAX_RECORD = 262_144;
/** A pcapng block holds a record and its options; interface blocks and statistics are short. */
const MAX_BLOCK = MAX_RECORD + 65_536;
const MAX_INTERFACES = 1000;
const ETHERNET = 1;
const NANOS = 1_000_000_000n;

const PCAP_MICROS = 0xa1b2c3d4;
const PCAP_NANOS = 0xa1b23c4d;
const BLOCK = { section: 0x0a0d0d0a, interface: 1, packet: 2, simple: 3, enhanced: 6 } as const;
const BYTE_ORDER = 0x1a2b3c4d;

interface Interface {
  readonly ethernet: boolean;
  /** Ticks per second, and seconds to add. */
  readonly ticks: bigint;
  readonly offset: bigint;
  readonly fcs: number;
  readonly snapLength: number;
}

export class CaptureReader {
  readonly #name: string;
  readonly #each: (captured: CapturedFrame) => void;
  #pending: Uint8Array = new Uint8Array(0);
  #step: (view: DataView, octets: Uint8Array, at: number) => number = (view, _octets, at) => this.#begin(view, at);
  #little = true;
  #interfaces: Interface[] = [];
  #frames = 0;
  #position = 0;
  /** Records that are no Ethernet, by an interface that is none. */
  foreign = 0;

  /** @param name for messages */
  constructor(name: string, each: (captured: CapturedFrame) => void) {
    this.#name = name;
    this.#each = each;
  }

  /** Frames handed out so far. */
  get frames(): number {
    return this.#frames;
  }

  /** @throws EthernetError (peer, `capture.…`) when it is no capture, or broken: nothing more is to be had of it */
  push(chunk: Uint8Array): void {
    // A plain Uint8Array, so that frames are the same over every link; a Buffer's slice would be no copy either.
    const plain = new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.length);
    const octets = this.#pending.length === 0 ? plain : joined(this.#pending, plain);
    const view = new DataView(octets.buffer, octets.byteOffset, octets.length);
    let at = 0;
    for (;;) {
      const taken = this.#step(view, octets, at);
      if (taken === 0) break;
      at += taken;
    }
    this.#position += at;
    this.#pending = octets.slice(at);
  }

  /** @throws EthernetError when it ends within a record */
  end(): void {
    if (this.#pending.length === 0 && this.#position > 0) return;
    if (this.#position === 0 && this.#pending.length === 0) throw this.#broken('capture.empty', 'is empty');
    throw this.#broken('capture.truncated', `ends within a record, after ${this.#frames} frames`);
  }

  /** Each step takes what it understands and returns its octets; 0 = more are needed. */
  #begin(view: DataView, at: number): number {
    if (view.byteLength - at < 24) {
      // The shortest section header block of pcapng is longer than the header of pcap.
      return 0;
    }
    const magic = view.getUint32(at);
    if (magic === BLOCK.section) {
      this.#step = (v, o, i) => this.#block(v, o, i);
      return this.#block(view, new Uint8Array(view.buffer, view.byteOffset, view.byteLength), at);
    }
    const swapped = view.getUint32(at, true);
    const little = swapped === PCAP_MICROS || swapped === PCAP_NANOS;
    if (!little && magic !== PCAP_MICROS && magic !== PCAP_NANOS)
      throw this.#broken('capture.format', 'is neither pcap nor pcapng');
    this.#little = little;
    const network = view.getUint32(at + 20, little);
    if ((network & 0xffff) !== ETHERNET)
      throw new EthernetError(
        'unsupported',
        'capture.link-type',
        `${this.#name} holds frames of link type ${network & 0xffff}, not Ethernet (1); a capture of one interface does, of 'any' does not`,
      );
    // Bits 28 … 31 are the words of FCS when bit 26 says that they are known.
    const fcs = (network & 0x0400_0000) !== 0 ? (network >>> 28) * 2 : 0;
    const perTick = (little ? swapped : magic) === PCAP_NANOS ? 1n : 1000n;
    this.#step = (v, o, i) => this.#record(v, o, i, perTick, fcs);
    return 24;
  }

  #record(view: DataView, octets: Uint8Array, at: number, perTick: bigint, fcs: number): number {
    if (view.byteLength - at < 16) return 0;
    const length = view.getUint32(at + 8, this.#little);
    if (length > MAX_RECORD) throw this.#broken('capture.record', `has a record of ${length} octets`);
    if (view.byteLength - at < 16 + length) return 0;
    const seconds = BigInt(view.getUint32(at, this.#little));
    const ticks = BigInt(view.getUint32(at + 4, this.#little));
    const wire = view.getUint32(at + 12, this.#little);
    this.#hand(octets.subarray(at + 16, at + 16 + length), seconds * NANOS + ticks * perTick, wire, fcs);
    return 16 + length;
  }

  #block(view: DataView, octets: Uint8Array, at: number): number {
    if (view.byteLength - at < 12) return 0;
    const section = view.getUint32(at) === BLOCK.section;
    if (section) this.#little = view.getUint32(at + 8, true) === BYTE_ORDER;
    if (section && !this.#little && view.getUint32(at + 8) !== BYTE_ORDER)
      throw this.#broken('capture.format', 'has a section without an order of octets');
    const little = this.#little;
    const length = view.getUint32(at + 4, little);
    if (length < 12 || length % 4 !== 0 || length > MAX_BLOCK)
      throw this.#broken('capture.record', `has a block of ${length} octets`);
    if (view.byteLength - at < length) return 0;
    if (view.getUint32(at + length - 4, little) !== length)
      throw this.#broken('capture.record', 'has a block whose lengths differ');
    const body = at + 8;
    const size = length - 12;
    const type = view.getUint32(at, little);
    if (section) this.#interfaces = [];
    else if (type === BLOCK.interface) this.#interface(view, body, size);
    else if (type === BLOCK.enhanced || type === BLOCK.packet) this.#packet(view, octets, body, size, type);
    else if (type === BLOCK.simple) this.#simple(view, octets, body, size);
    return length;
  }

  #interface(view: DataView, at: number, size: number): void {
    if (size < 8) throw this.#broken('capture.record', 'has an interface block that is too short');
    if (this.#interfaces.length >= MAX_INTERFACES) throw this.#broken('capture.record', 'has too many interfaces');
    let [ticks, offset, fcs] = [1_000_000n, 0n, 0];
    for (let i = at + 8, end = at + size; i + 4 <= end; ) {
      const code = view.getUint16(i, this.#little);
      const length = view.getUint16(i + 2, this.#little);
      if (code === 0 || i + 4 + length > end) break;
      if (code === 9 && length === 1) {
        const resolution = view.getUint8(i + 4);
        const exponent = resolution & 0x7f;
        if (exponent > 63) throw this.#broken('capture.record', `counts time in powers of ${exponent}`);
        ticks = (resolution & 0x80 ? 2n : 10n) ** BigInt(exponent);
      } else if (code === 13 && length === 1) fcs = view.getUint8(i + 4);
      else if (code === 14 && length === 8) offset = view.getBigInt64(i + 4, this.#little);
      i += 4 + Math.ceil(length / 4) * 4;
    }
    const ethernet = view.getUint16(at, this.#little) === ETHERNET;
    this.#interfaces.push({ ethernet, ticks, offset, fcs, snapLength: view.getUint32(at + 4, this.#little) });
  }

  /** Enhanced packet block, and the packet block it replaced: they differ in how the interface is written. */
  #packet(view: DataView, octets: Uint8Array, at: number, size: number, type: number): void {
    if (size < 20) throw this.#broken('capture.record', 'has a packet block that is too short');
    const little = this.#little;
    const one = this.#interfaceOf(type === BLOCK.enhanced ? view.getUint32(at, little) : view.getUint16(at, little));
    const ticks = (BigInt(view.getUint32(at + 4, little)) << 32n) | BigInt(view.getUint32(at + 8, little));
    const length = view.getUint32(at + 12, little);
    if (length > size - 20)
      throw this.#broken('capture.record', `has a packet of ${length} octets in a block of ${size}`);
    const time = (ticks * NANOS) / one.ticks + one.offset * NANOS;
    const frame = octets.subarray(at + 20, at + 20 + length);
    if (one.ethernet) this.#hand(frame, time, view.getUint32(at + 16, little), one.fcs);
    else this.foreign++;
  }

  /** A simple packet block has no time. */
  #simple(view: DataView, octets: Uint8Array, at: number, size: number): void {
    if (size < 4) throw this.#broken('capture.record', 'has a packet block that is too short');
    const one = this.#interfaceOf(0);
    const wire = view.getUint32(at, this.#little);
    const length = Math.min(wire, size - 4, one.snapLength === 0 ? MAX_RECORD : one.snapLength);
    if (one.ethernet) this.#hand(octets.subarray(at + 4, at + 4 + length), 0n, wire, one.fcs);
    else this.foreign++;
  }

  #interfaceOf(number: number): Interface {
    const one = this.#interfaces[number];
    if (!one) throw this.#broken('capture.record', `has a packet of interface ${number}, which it does not describe`);
    return one;
  }

  #hand(frame: Uint8Array, at: bigint, wire: number, fcs: number): void {
    this.#frames++;
    const whole = frame.length >= wire;
    this.#each({
      frame: whole && fcs > 0 ? frame.subarray(0, Math.max(0, frame.length - fcs)) : frame,
      at,
      wireLength: Math.max(0, wire - fcs),
    });
  }

  #broken(code: string, text: string): EthernetError {
    return new EthernetError('peer', code, `${this.#name} ${text}`);
  }
}

function joined(first: Uint8Array, second: Uint8Array): Uint8Array {
  const both = new Uint8Array(first.length + second.length);
  both.set(first);
  both.set(second, first.length);
  return both;
}
