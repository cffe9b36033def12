/** Columns of numbers that grow: one typed array each, doubled when full. */

export class Column {
  #values: Uint32Array;
  length = 0;

  constructor(capacity = 1024) {
    this.#values = new Uint32Array(capacity);
  }

  push(value: number): void {
    if (this.length === this.#values.length) this.#grow(this.length * 2);
    this.#values[this.length++] = value;
  }

  at(index: number): number {
    return this.#values[index]!;
  }

  set(index: number, value: number): void {
    this.#values[index] = value;
  }

  /** Makes the column `length` long; new places hold `value`. */
  extend(length: number, value: number): void {
    if (length > this.#values.length) this.#grow(Math.max(length, this.#values.length * 2));
    if (length > this.length) this.#values.fill(value, this.length, length);
    this.length = Math.max(length, this.length);
  }

  /** Octets held. */
  get octets(): number {
    return this.#values.byteLength;
  }

  #grow(capacity: number): void {
    const values = new Uint32Array(capacity);
    values.set(this.#values.subarray(0, this.length));
    this.#values = values;
  }
}
