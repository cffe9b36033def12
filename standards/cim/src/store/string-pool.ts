/**
 * Every text of a model once, as octets of UTF-8 in one buffer: identifiers, names and numbers are compared and counted
 * without becoming strings; a string is made when somebody asks for it.
 */
import { CimError } from '../error.ts';
import { Column } from './columns.ts';

/** Octets one pool may hold; offsets are 32 bits. */
const MAX_OCTETS = 2 ** 31;
const EMPTY = 0xffff_ffff;

export class StringPool {
  #octets: Buffer = Buffer.allocUnsafe(1 << 16);
  #used = 0;
  /** Where text i begins; text i + 1 begins where it ends. */
  readonly #starts = new Column();
  #slots = new Uint32Array(1 << 12).fill(EMPTY);

  constructor() {
    this.#starts.push(0);
  }

  get size(): number {
    return this.#starts.length - 1;
  }

  /** Octets held, slots and offsets counted. */
  get octets(): number {
    return this.#octets.length + this.#slots.byteLength + this.#starts.octets;
  }

  /** Number of the text in `bytes[start, end)`. @throws CimError `cim.too-large` */
  intern(bytes: Uint8Array, start: number, end: number): number {
    const mask = this.#slots.length - 1;
    let slot = hash(bytes, start, end) & mask;
    for (;;) {
      const id = this.#slots[slot]!;
      if (id === EMPTY) return this.#add(slot, bytes, start, end);
      if (this.#is(id, bytes, start, end)) return id;
      slot = (slot + 1) & mask;
    }
  }

  /** Number of a text, or undefined when the pool has none like it. */
  find(text: string): number | undefined {
    const bytes = Buffer.from(text, 'utf8');
    const mask = this.#slots.length - 1;
    for (let slot = hash(bytes, 0, bytes.length) & mask; ; slot = (slot + 1) & mask) {
      const id = this.#slots[slot]!;
      if (id === EMPTY) return undefined;
      if (this.#is(id, bytes, 0, bytes.length)) return id;
    }
  }

  internText(text: string): number {
    const bytes = Buffer.from(text, 'utf8');
    return this.intern(bytes, 0, bytes.length);
  }

  text(id: number): string {
    return this.#octets.toString('utf8', this.#starts.at(id), this.#starts.at(id + 1));
  }

  #is(id: number, bytes: Uint8Array, start: number, end: number): boolean {
    const from = this.#starts.at(id);
    const length = end - start;
    if (this.#starts.at(id + 1) - from !== length) return false;
    const octets = this.#octets;
    // From the back: identifiers made in one go differ at their ends, when they are not random altogether.
    for (let at = length - 1; at >= 0; at--) if (octets[from + at] !== bytes[start + at]) return false;
    return true;
  }

  #add(slot: number, bytes: Uint8Array, start: number, end: number): number {
    const length = end - start;
    if (this.#used + length > MAX_OCTETS) {
      throw new CimError('unsupported', 'cim.too-large', 'the texts of this model take more than two gigabytes');
    }
    if (this.#used + length > this.#octets.length) {
      const octets = Buffer.allocUnsafe(Math.min(MAX_OCTETS, Math.max(this.#octets.length * 2, this.#used + length)));
      this.#octets.copy(octets, 0, 0, this.#used);
      this.#octets = octets;
    }
    const octets = this.#octets;
    const to = this.#used;
    for (let at = 0; at < length; at++) octets[to + at] = bytes[start + at]!;
    this.#used += length;
    const id = this.size;
    this.#starts.push(this.#used);
    this.#slots[slot] = id;
    if (id * 2 > this.#slots.length) this.#rehash();
    return id;
  }

  #rehash(): void {
    const slots = new Uint32Array(this.#slots.length * 4).fill(EMPTY);
    const mask = slots.length - 1;
    for (let id = 0; id < this.size; id++) {
      let slot = hash(this.#octets, this.#starts.at(id), this.#starts.at(id + 1)) & mask;
      while (slots[slot] !== EMPTY) slot = (slot + 1) & mask;
      slots[slot] = id;
    }
    this.#slots = slots;
  }
}

function hash(bytes: Uint8Array, start: number, end: number): number {
  let value = 0x811c9dc5 ^ SEED;
  for (let at = start; at < end; at++) value = Math.imul(value ^ bytes[at]!, 0x01000193);
  value ^= value >>> 15;
  value = Math.imul(value, 0x2c1b3c6d);
  return value ^ (value >>> 13);
}

/** Drawn per process: a file made to collide in one is not made to collide in the next. */
const SEED = (Math.random() * 2 ** 32) | 0;
