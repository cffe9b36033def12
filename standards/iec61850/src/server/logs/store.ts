/** Where the entries of a log are kept: a port, and the memory of the process. */
import { encodeData } from '@enerchain/mms';
import type { LogEntry, LoggedValue } from '../../mapping/log.ts';

/** An entry, to say where a log begins and ends. */
export type LogMark = Pick<LogEntry, 'id' | 'time'>;

/** Which entries are read: all of them, those from a time on (milliseconds since 1970), those behind one. */
export type LogStart =
  | { readonly kind: 'oldest' }
  | { readonly kind: 'time'; readonly time: number }
  /** From this entry on; when it is gone, those from its time on. @param itself whether the entry belongs to it */
  | { readonly kind: 'entry'; readonly id: Uint8Array; readonly time: number; readonly itself: boolean };

/** A bounded log: the oldest entries give way. Entries are in the order in which they were added, whatever clocks did. */
export interface LogStore {
  readonly oldest: LogMark | undefined;
  readonly newest: LogMark | undefined;
  /** Never waits. Gives it an identification of eight octets that no other entry of this log has or had. */
  add(time: number, values: readonly LoggedValue[]): void;
  /** In order, none later than `until`, no more than asked for. Clocks are set back: a later entry may have an earlier time. */
  read(start: LogStart, until: number, limit: number): readonly LogEntry[] | Promise<readonly LogEntry[]>;
  /** Takes away all entries, or those before a time. @returns how many */
  clear(before?: number): number | Promise<number>;
}

/** Octets of an entry beside its values, about. */
const ENTRY_OCTETS = 64;

/** A log in memory: it ends with the process, and the next one has other identifications. */
export class MemoryLog implements LogStore {
  readonly #limit: { readonly entries: number; readonly octets: number };
  readonly #epoch: number;
  #entries: { readonly entry: LogEntry; readonly octets: number }[] = [];
  /** Entries in front that are gone already; taken away many at a time. */
  #first = 0;
  #octets = 0;
  #count = 0;

  /** @param epoch seconds since 1970 at which it begins; part of every identification */
  constructor(limit: { readonly entries: number; readonly octets: number }, epoch: number) {
    this.#limit = limit;
    this.#epoch = epoch >>> 0;
  }

  get oldest(): LogMark | undefined {
    return this.#entries[this.#first]?.entry;
  }

  get newest(): LogMark | undefined {
    return this.#entries.length > this.#first ? this.#entries.at(-1)!.entry : undefined;
  }

  get length(): number {
    return this.#entries.length - this.#first;
  }

  add(time: number, values: readonly LoggedValue[]): void {
    const id = new Uint8Array(8);
    const view = new DataView(id.buffer);
    view.setUint32(0, this.#epoch);
    view.setUint32(4, ++this.#count);
    const octets = logOctets(values);
    this.#entries.push({ entry: { id, time, values }, octets });
    this.#octets += octets;
    while (this.length > 1 && (this.length > this.#limit.entries || this.#octets > this.#limit.octets)) this.#drop();
  }

  #drop(): void {
    this.#octets -= this.#entries[this.#first]!.octets;
    this.#first++;
    if (this.#first * 2 < this.#entries.length) return;
    this.#entries.splice(0, this.#first);
    this.#first = 0;
  }

  read(start: LogStart, until: number, limit: number): readonly LogEntry[] {
    const known = start.kind === 'entry' ? this.#find(start.id) : undefined;
    const from = start.kind === 'oldest' || known !== undefined ? Number.NEGATIVE_INFINITY : start.time;
    const behind = start.kind === 'entry' && !start.itself ? 1 : 0;
    const found: LogEntry[] = [];
    for (let at = known === undefined ? this.#first : known + behind; at < this.#entries.length; at++) {
      if (found.length === limit) break;
      const { entry } = this.#entries[at]!;
      if (entry.time >= from && entry.time <= until) found.push(entry);
    }
    return found;
  }

  /** The count in an identification says where it is. */
  #find(id: Uint8Array): number | undefined {
    const newest = this.newest;
    if (!newest || id.length !== 8) return undefined;
    const count = (of: Uint8Array): number => Buffer.from(of.buffer, of.byteOffset).readUInt32BE(4);
    const at = this.#entries.length - 1 - (count(newest.id) - count(id));
    const there = at >= this.#first ? this.#entries[at]?.entry.id : undefined;
    return there && Buffer.compare(there, id) === 0 ? at : undefined;
  }

  clear(before = Number.POSITIVE_INFINITY): number {
    const had = this.length;
    this.#entries = this.#entries.slice(this.#first).filter(({ entry }) => entry.time >= before);
    this.#first = 0;
    this.#octets = this.#entries.reduce((sum, { octets }) => sum + octets, 0);
    return had - this.length;
  }
}

/** What an entry takes on the wire, about. */
export const logOctets = (values: readonly LoggedValue[]): number =>
  values.reduce((sum, { reference, data }) => sum + reference.length + encodeData(data).length + 32, ENTRY_OCTETS);
