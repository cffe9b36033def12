/**
 * Live values outside the reactive graph: one row of typed arrays per point, and listeners only for what is on the
 * screen. Twenty thousand points cost no signals; two thousand changes a second cost one pass per animation frame.
 */
import type { ValueTrust } from '../api/trust.ts';
import type { LiveValueJson } from '../api/types.ts';

export interface LiveValue {
  readonly value: number | string | null;
  readonly quality: number;
  /** Milliseconds since the Unix epoch. */
  readonly sourceTime: number;
  readonly timeQuality: number;
  readonly receiveTime: number;
  readonly source: string;
  /** Offset in the ingest log. */
  readonly offset: number;
  /** Undefined where the centre says nothing about it. */
  readonly trust: ValueTrust | undefined;
}

type Listener = () => void;
/** Calls back before the next frame is drawn; in tests, whenever the test says so. */
export type FrameScheduler = (callback: () => void) => void;

const NO_NUMBER = Number.NaN;
/** How a row keeps its trust; the place is the number. */
const TRUST: readonly (ValueTrust | undefined)[] = [undefined, 'unknown', 'provisional', 'attested', 'distrusted'];

export class ValueStore {
  readonly #rows = new Map<string, number>();
  readonly #ids: string[] = [];
  #number = new Float64Array(1024);
  #quality = new Uint16Array(1024);
  #timeQuality = new Uint16Array(1024);
  #sourceTime = new Float64Array(1024);
  #receiveTime = new Float64Array(1024);
  #offset = new Float64Array(1024);
  #trust = new Uint8Array(1024);
  /** Strings and nulls, which have no number; a row that is absent here has one. */
  readonly #other = new Map<number, string | null>();
  readonly #source: string[] = [];
  readonly #listeners = new Map<string, Set<Listener>>();
  readonly #anyListeners = new Set<(changed: ReadonlySet<string>) => void>();
  #changed = new Set<string>();
  #scheduled = false;
  readonly #schedule: FrameScheduler;

  constructor(schedule: FrameScheduler) {
    this.#schedule = schedule;
  }

  get size(): number {
    return this.#rows.size;
  }

  get(point: string): LiveValue | undefined {
    const row = this.#rows.get(point);
    if (row === undefined) return undefined;
    return {
      value: this.#valueAt(row),
      quality: this.#quality[row]!,
      sourceTime: this.#sourceTime[row]!,
      timeQuality: this.#timeQuality[row]!,
      receiveTime: this.#receiveTime[row]!,
      source: this.#source[row]!,
      offset: this.#offset[row]!,
      trust: TRUST[this.#trust[row]!],
    };
  }

  /** The number alone, without an object; NaN when there is none. */
  number(point: string): number {
    const row = this.#rows.get(point);
    return row === undefined ? NO_NUMBER : this.#number[row]!;
  }

  quality(point: string): number | undefined {
    const row = this.#rows.get(point);
    return row === undefined ? undefined : this.#quality[row]!;
  }

  /** Takes values over. One older than what is known (by log offset) is left out: a snapshot may overtake a change. */
  apply(values: readonly LiveValueJson[]): void {
    for (const value of values) {
      let row = this.#rows.get(value.p);
      if (row === undefined) row = this.#add(value.p);
      else if (value.o < this.#offset[row]!) continue;
      this.#number[row] = typeof value.v === 'number' ? value.v : NO_NUMBER;
      if (typeof value.v === 'number') this.#other.delete(row);
      else this.#other.set(row, value.v);
      this.#quality[row] = value.q;
      this.#timeQuality[row] = value.tq;
      this.#sourceTime[row] = value.t;
      this.#receiveTime[row] = value.r;
      this.#offset[row] = value.o;
      this.#trust[row] = Math.max(0, TRUST.indexOf(value.trust));
      this.#source[row] = value.s;
      this.#changed.add(value.p);
    }
    this.#request();
  }

  /** Everything as it stands, for a tab that joins. */
  snapshot(): LiveValueJson[] {
    return this.#ids.map((p, row) => ({
      p,
      v: this.#valueAt(row),
      q: this.#quality[row]!,
      t: this.#sourceTime[row]!,
      tq: this.#timeQuality[row]!,
      r: this.#receiveTime[row]!,
      s: this.#source[row]!,
      o: this.#offset[row]!,
      ...(this.#trust[row] ? { trust: TRUST[this.#trust[row]!]! } : {}),
    }));
  }

  /** Another instance of the centre may number its log anew: the next value counts, whatever its offset. */
  forgetOffsets(): void {
    this.#offset.fill(-1);
  }

  /** Calls back at most once per frame after the point changed. */
  subscribe(point: string, listener: Listener): () => void {
    const listeners = this.#listeners.get(point) ?? new Set();
    listeners.add(listener);
    this.#listeners.set(point, listeners);
    return () => {
      listeners.delete(listener);
      if (listeners.size === 0 && this.#listeners.get(point) === listeners) this.#listeners.delete(point);
    };
  }

  /** Calls back at most once per frame with all points that changed. */
  subscribeAll(listener: (changed: ReadonlySet<string>) => void): () => void {
    this.#anyListeners.add(listener);
    return () => this.#anyListeners.delete(listener);
  }

  #valueAt(row: number): number | string | null {
    const number = this.#number[row]!;
    return Number.isNaN(number) ? (this.#other.get(row) ?? null) : number;
  }

  #add(point: string): number {
    const row = this.#ids.length;
    if (row === this.#number.length) this.#grow();
    this.#ids.push(point);
    this.#rows.set(point, row);
    return row;
  }

  #grow(): void {
    const size = this.#number.length * 2;
    const grown = <T extends Float64Array | Uint16Array | Uint8Array>(old: T, fresh: T): T => {
      fresh.set(old);
      return fresh;
    };
    this.#number = grown(this.#number, new Float64Array(size));
    this.#quality = grown(this.#quality, new Uint16Array(size));
    this.#timeQuality = grown(this.#timeQuality, new Uint16Array(size));
    this.#sourceTime = grown(this.#sourceTime, new Float64Array(size));
    this.#receiveTime = grown(this.#receiveTime, new Float64Array(size));
    this.#offset = grown(this.#offset, new Float64Array(size));
    this.#trust = grown(this.#trust, new Uint8Array(size));
  }

  #request(): void {
    if (this.#scheduled || this.#changed.size === 0) return;
    this.#scheduled = true;
    this.#schedule(() => this.#flush());
  }

  #flush(): void {
    this.#scheduled = false;
    const changed = this.#changed;
    this.#changed = new Set();
    for (const listener of this.#anyListeners) listener(changed);
    if (this.#listeners.size < changed.size) {
      for (const [point, listeners] of this.#listeners) if (changed.has(point)) for (const each of listeners) each();
    } else {
      for (const point of changed) for (const each of this.#listeners.get(point) ?? []) each();
    }
  }
}
