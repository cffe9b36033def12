/**
 * What stands where in the log, small enough to be searched: 40 octets for each record, in the order of the log, beside the
 * tree and as old as it.
 *
 *     appended at (8) · subject (8) · from (8) · to (8) · kind (1) · zeros (7)       numbers big-endian, times in ns
 *
 * The subject is the beginning of SHA-256 over the name of the source; of results of attestation, the node they are about.
 * From and to are source times of observations; of results, when they were issued.
 */
import { createHash } from 'node:crypto';
import { CONTENT_KINDS, type ContentKind } from '@enerchain/link';
import type { UtcNanos } from '@enerchain/model';
import { FileMedium, type TreeMedium } from '@enerchain/provenance';

const ENTRY_BYTES = 40;
const SUBJECT_BYTES = 8;
const NOTHING = 0xff;
/** Entries read at once. */
const BLOCK = 1024;

export interface IndexEntry {
  readonly at: UtcNanos;
  readonly subject: Uint8Array;
  readonly from: UtcNanos;
  readonly to: UtcNanos;
  /** Undefined where a record is not there any more. */
  readonly kind: ContentKind | undefined;
}

const subjects = new Map<string, Uint8Array>();

/** Name of a source or node as the index has it. */
export function subjectOf(name: string): Uint8Array {
  let subject = subjects.get(name);
  if (!subject) {
    subject = createHash('sha256').update(name).digest().subarray(0, SUBJECT_BYTES);
    if (subjects.size > 10_000) subjects.clear();
    subjects.set(name, subject);
  }
  return subject;
}

/** Which records are looked for. */
export interface Wanted {
  readonly kind: ContentKind;
  readonly name: string;
  /** The time that the record must hold; any when absent. */
  readonly time?: UtcNanos;
  /** The record may end before that time, if it begins before it. */
  readonly orBefore?: boolean;
}

export class RecordIndex {
  readonly #medium: TreeMedium;
  #size: number;

  /** Opens the index or begins one. @param upTo entries that are known to be on the disk */
  constructor(medium: TreeMedium, upTo: number) {
    this.#medium = medium;
    this.#size = Math.min(upTo, Math.floor(medium.size / ENTRY_BYTES));
    medium.truncate(this.#size * ENTRY_BYTES);
  }

  static open(path: string, upTo: number): RecordIndex {
    return new RecordIndex(new FileMedium(path), upTo);
  }

  /** Records in it. */
  get size(): number {
    return this.#size;
  }

  /** @throws Error when the disk does not take them; then none was appended */
  append(entries: readonly IndexEntry[]): void {
    const bytes = Buffer.alloc(entries.length * ENTRY_BYTES);
    entries.forEach(({ at, subject, from, to, kind }, i) => {
      const start = i * ENTRY_BYTES;
      bytes.writeBigInt64BE(at, start);
      bytes.set(subject, start + 8);
      bytes.writeBigInt64BE(from, start + 16);
      bytes.writeBigInt64BE(to, start + 24);
      bytes[start + 32] = kind === undefined ? NOTHING : CONTENT_KINDS.indexOf(kind);
    });
    this.#medium.write(bytes, this.#size * ENTRY_BYTES);
    this.#size += entries.length;
  }

  sync(): Promise<void> {
    return this.#medium.sync();
  }

  close(): void {
    this.#medium.close();
  }

  at(index: number): IndexEntry {
    const bytes = Buffer.alloc(ENTRY_BYTES);
    this.#medium.read(bytes, index * ENTRY_BYTES);
    return {
      at: bytes.readBigInt64BE(0),
      subject: bytes.subarray(8, 16),
      from: bytes.readBigInt64BE(16),
      to: bytes.readBigInt64BE(24),
      kind: CONTENT_KINDS[bytes[32]!],
    };
  }

  /** First record that was appended at a time or later. The wall clock may have been set back: then it is about there. */
  firstSince(time: UtcNanos): number {
    let [low, high] = [0, this.#size];
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      if (this.at(middle).at < time) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /**
   * Records that fit, from `start` on forwards or backwards.
   * @param most entries that are looked at
   */
  *search(wanted: Wanted, start: number, step: 1 | -1, most: number): Generator<number, void, void> {
    const subject = Buffer.from(subjectOf(wanted.name));
    const kind = CONTENT_KINDS.indexOf(wanted.kind);
    const { time, orBefore = false } = wanted;
    let index = start;
    for (let left = most; left > 0 && index >= 0 && index < this.#size; ) {
      const count = Math.min(BLOCK, left, step === 1 ? this.#size - index : index + 1);
      const first = step === 1 ? index : index - count + 1;
      const bytes = Buffer.allocUnsafe(count * ENTRY_BYTES);
      this.#medium.read(bytes, first * ENTRY_BYTES);
      for (let i = 0; i < count; i++) {
        const at = (step === 1 ? i : count - 1 - i) * ENTRY_BYTES;
        if (bytes[at + 32] !== kind || bytes.compare(subject, 0, SUBJECT_BYTES, at + 8, at + 16) !== 0) continue;
        if (time !== undefined) {
          if (bytes.readBigInt64BE(at + 16) > time) continue;
          if (!orBefore && bytes.readBigInt64BE(at + 24) < time) continue;
        }
        yield first + at / ENTRY_BYTES;
      }
      index += step * count;
      left -= count;
    }
  }
}
