/** Reading what firmware and kernel write in the byte order of the machine: event logs, UEFI structures, IMA lists. */
import { Tpm2Error } from '../error.ts';

export class LittleEndianReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #what: string;
  #at = 0;

  /** @param what the structure, for messages */
  constructor(bytes: Uint8Array, what: string) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#what = what;
  }

  get position(): number {
    return this.#at;
  }

  get left(): number {
    return this.#bytes.length - this.#at;
  }

  get done(): boolean {
    return this.left === 0;
  }

  fail(what: string): Tpm2Error {
    return new Tpm2Error('peer', 'tpm2.malformed', `${this.#what} at byte ${this.#at}: ${what}`);
  }

  #advance(count: number, what: string): number {
    if (count > this.left) throw this.fail(`${what} needs ${count} bytes, ${this.left} are left`);
    const at = this.#at;
    this.#at += count;
    return at;
  }

  u8(what: string): number {
    return this.#view.getUint8(this.#advance(1, what));
  }

  u16(what: string): number {
    return this.#view.getUint16(this.#advance(2, what), true);
  }

  u32(what: string): number {
    return this.#view.getUint32(this.#advance(4, what), true);
  }

  u64(what: string): bigint {
    return this.#view.getBigUint64(this.#advance(8, what), true);
  }

  /** A 64-bit count or length, bounded by `max`. */
  count(what: string, max: number): number {
    const value = this.u64(what);
    if (value > BigInt(max)) throw this.fail(`${what} is ${value}, ${max} is the most`);
    return Number(value);
  }

  /** A view, not a copy. */
  bytes(count: number, what: string): Uint8Array {
    const at = this.#advance(count, what);
    return this.#bytes.subarray(at, at + count);
  }

  rest(): Uint8Array {
    return this.bytes(this.left, 'the rest');
  }

  /** EFI_GUID in its usual text form (UEFI 2.10 appendix A). */
  guid(what: string): string {
    const [a, b, c] = [this.u32(what), this.u16(what), this.u16(what)];
    const d = Buffer.from(this.bytes(8, what)).toString('hex');
    const hex = (value: number, digits: number) => value.toString(16).padStart(digits, '0');
    return `${hex(a, 8)}-${hex(b, 4)}-${hex(c, 4)}-${d.slice(0, 4)}-${d.slice(4)}`;
  }

  /** UCS-2 characters. */
  ucs2(characters: number, what: string): string {
    return Buffer.from(this.bytes(characters * 2, what)).toString('utf16le');
  }

  /** UCS-2 up to a terminating zero or the end; the zero is taken. */
  ucs2z(what: string): string {
    let size = 0;
    while (this.left >= size + 2 && this.#view.getUint16(this.#at + size, true) !== 0) size += 2;
    const text = this.ucs2(size / 2, what);
    if (this.left >= 2) this.#at += 2;
    return text;
  }
}
