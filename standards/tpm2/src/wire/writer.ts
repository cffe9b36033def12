/** Writing the canonical form of TPM structures (TPM 2.0 Library rev 1.59, Part 1 § 9, "Marshaling"): big-endian. */
import { Tpm2Error } from '../error.ts';

export class TpmWriter {
  #buffer = new Uint8Array(256);
  #view = new DataView(this.#buffer.buffer);
  #at = 0;

  #reserve(count: number): number {
    const at = this.#at;
    const end = at + count;
    if (end > this.#buffer.length) {
      const larger = new Uint8Array(Math.max(end, 2 * this.#buffer.length));
      larger.set(this.#buffer.subarray(0, at));
      this.#buffer = larger;
      this.#view = new DataView(larger.buffer);
    }
    this.#at = end;
    return at;
  }

  u8(value: number): this {
    const at = this.#reserve(1);
    this.#view.setUint8(at, value);
    return this;
  }

  u16(value: number): this {
    const at = this.#reserve(2);
    this.#view.setUint16(at, value);
    return this;
  }

  u32(value: number): this {
    const at = this.#reserve(4);
    this.#view.setUint32(at, value);
    return this;
  }

  u64(value: bigint): this {
    const at = this.#reserve(8);
    this.#view.setBigUint64(at, value);
    return this;
  }

  bytes(value: Uint8Array): this {
    const at = this.#reserve(value.length);
    this.#buffer.set(value, at);
    return this;
  }

  /** TPM2B_*. */
  sized(value: Uint8Array): this {
    if (value.length > 0xffff) {
      throw new Tpm2Error('caller', 'tpm2.too-long', `${value.length} bytes do not fit a TPM2B structure`);
    }
    return this.u16(value.length).bytes(value);
  }

  /** A TPM2B_* around what `write` writes. */
  inSized(write: (inner: TpmWriter) => void): this {
    const inner = new TpmWriter();
    write(inner);
    return this.sized(inner.done());
  }

  /** TPML_*. */
  list<T>(elements: readonly T[], write: (element: T) => void): this {
    this.u32(elements.length);
    for (const element of elements) write(element);
    return this;
  }

  /** What was written; the writer is used up. */
  done(): Uint8Array {
    return this.#buffer.subarray(0, this.#at);
  }
}

/** Writes one structure. */
export function writeAll(write: (writer: TpmWriter) => void): Uint8Array {
  const writer = new TpmWriter();
  write(writer);
  return writer.done();
}
