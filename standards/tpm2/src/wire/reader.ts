/**
 * Reading the canonical form of TPM structures (TPM 2.0 Library rev 1.59, Part 1 § 9, "Unmarshaling"): big-endian, nothing
 * past the end, sizes checked against what is left before anything is taken.
 */
import { Tpm2Error } from '../error.ts';

export class TpmReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  /** Position of `bytes` in the outermost input, for messages. */
  readonly #offset: number;
  #at = 0;

  constructor(bytes: Uint8Array, offset = 0) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#offset = offset;
  }

  get left(): number {
    return this.#bytes.length - this.#at;
  }

  /** Octets taken so far. */
  get position(): number {
    return this.#at;
  }

  get done(): boolean {
    return this.left === 0;
  }

  fail(what: string): Tpm2Error {
    return new Tpm2Error('peer', 'tpm2.malformed', `TPM structure at byte ${this.#offset + this.#at}: ${what}`);
  }

  /** @throws when something is left over */
  end(what: string): void {
    if (!this.done) throw this.fail(`${what} has ${this.left} bytes too many`);
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
    return this.#view.getUint16(this.#advance(2, what));
  }

  u32(what: string): number {
    return this.#view.getUint32(this.#advance(4, what));
  }

  u64(what: string): bigint {
    return this.#view.getBigUint64(this.#advance(8, what));
  }

  /** TPMI_YES_NO (Part 2 § 9.2). */
  yesNo(what: string): boolean {
    const value = this.u8(what);
    if (value > 1) throw this.fail(`${what} is ${value}, neither YES nor NO`);
    return value === 1;
  }

  /** Views, not copies. */
  bytes(count: number, what: string): Uint8Array {
    const at = this.#advance(count, what);
    return this.#bytes.subarray(at, at + count);
  }

  rest(): Uint8Array {
    return this.bytes(this.left, 'the rest');
  }

  /** TPM2B_*: a 16-bit size and that many octets. @param max most octets that are legal here */
  sized(what: string, max = 0xffff): Uint8Array {
    const size = this.u16(`size of ${what}`);
    if (size > max) throw this.fail(`${what} claims ${size} bytes, ${max} are the most`);
    return this.bytes(size, what);
  }

  /** A TPM2B_* around one structure, which has to fill it. */
  inSized<T>(what: string, read: (inner: TpmReader) => T): T {
    const contents = this.sized(what);
    const inner = new TpmReader(contents, this.#offset + this.#at - contents.length);
    const value = read(inner);
    inner.end(what);
    return value;
  }

  /** TPML_*: a 32-bit count and that many elements. @param max most elements that are legal here */
  list<T>(what: string, max: number, read: () => T): T[] {
    const count = this.u32(`count of ${what}`);
    if (count > max) throw this.fail(`${what} claims ${count} elements, ${max} are the most`);
    const list: T[] = [];
    for (let i = 0; i < count; i++) list.push(read());
    return list;
  }
}

/** Reads one structure that has to be all of `bytes`. @throws Tpm2Error `tpm2.malformed` (fault peer) */
export function readAll<T>(bytes: Uint8Array, what: string, read: (reader: TpmReader) => T): T {
  const reader = new TpmReader(bytes);
  const value = read(reader);
  reader.end(what);
  return value;
}
