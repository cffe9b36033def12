/** The entries of a report control block: those that wait, and, in a buffered one, those a client may ask for again. */
import type { TimeOfDay } from '@enerchain/mms';
/** What a report tells of members, as octets: what is kept for long is small, and is encoded once. */
export interface EntryContent {
  readonly time: TimeOfDay;
  /** Positions in the data set, ascending. */
  readonly indexes: Uint16Array;
  /** Their values, one behind the other. */
  readonly values: Uint8Array;
  /** As `encodeReport` wants them. */
  readonly reasons: Uint8Array;
}

export interface Entry extends EntryContent {
  /** Eight octets: when this buffer was begun, and a count. Another start gives other numbers, so that an old one is not taken for a new one. */
  readonly id: Uint8Array;
  /** Entries before this one were lost. */
  afterLoss: boolean;
  segmentsSent: number;
}

export class EntryBuffer {
  readonly #limit: { readonly entries: number; readonly octets: number };
  readonly #epoch: number;
  #entries: Entry[] = [];
  #octets = 0;
  #count = 0;
  /** Index of the next entry to send. */
  #next = 0;

  /** @param epoch milliseconds since 1970 at which this buffer begins; the lower 32 bits count, so that a start within the same second is another one */
  constructor(limit: { readonly entries: number; readonly octets: number }, epoch: number) {
    this.#limit = limit;
    this.#epoch = epoch >>> 0;
  }

  get next(): Entry | undefined {
    return this.#entries[this.#next];
  }

  get waiting(): number {
    return this.#entries.length - this.#next;
  }

  add(entry: EntryContent): void {
    const id = new Uint8Array(8);
    const view = new DataView(id.buffer);
    view.setUint32(0, this.#epoch);
    view.setUint32(4, ++this.#count);
    this.#entries.push({ ...entry, id, afterLoss: false, segmentsSent: 0 });
    this.#octets += entry.values.length;
    while (
      this.#entries.length > 1 &&
      (this.#entries.length > this.#limit.entries || this.#octets > this.#limit.octets)
    )
      this.#drop();
  }

  /** The oldest gives way; when nobody had it yet, the one after it says so. */
  #drop(): void {
    const oldest = this.#entries.shift();
    this.#octets -= oldest!.values.length;
    if (this.#next > 0) this.#next--;
    else this.#entries[0]!.afterLoss = true;
  }

  /** @param keep whether it may be asked for again */
  sent(entry: Entry, keep: boolean): void {
    entry.segmentsSent = 0;
    entry.afterLoss = false;
    if (keep) this.#next++;
    else {
      this.#entries.splice(this.#next, 1);
      this.#octets -= entry.values.length;
    }
  }

  /** The next entry sent is the one after this; eight zeros mean the oldest there is. @returns false when it is not known */
  resumeAfter(id: Uint8Array): boolean {
    if (id.every((octet) => octet === 0)) {
      this.#next = 0;
      return true;
    }
    const at = this.#entries.findIndex((entry) => Buffer.compare(entry.id, id) === 0);
    if (at < 0) return false;
    this.#next = at + 1;
    return true;
  }

  clear(): void {
    this.#entries = [];
    this.#octets = 0;
    this.#next = 0;
  }
}
