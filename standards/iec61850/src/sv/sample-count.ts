/** smpCnt supervised: where a sample belongs, and how many are missing before it (IEC 61850-9-2 § 8.5: it goes to 0 on the second). */

/** Samples back from the newest that are remembered, to tell copies and late ones apart. */
const REMEMBERED = 256;
/** smpCnt has 16 bits. */
const LARGEST = 65_536;
/** A counter that jumps by more than this has been set, unless so many samples are due by the time that has passed. */
const PLAUSIBLE = 256;
/** Rates by which the end of a second is believed at its first sight: 9-2LE, 61869-9, at 50 and 60 Hz. */
const RATES: ReadonlySet<number> = new Set([4000, 4800, 12_800, 14_400, 15_360, 5760]);

/** By which the clock of a publisher may differ from ours: how fast the fastest way of a sample is forgotten. */
const DRIFT = 0.0005;

export type Placement =
  | 'first'
  /** The next, or one behind a gap: `missing` samples. */
  | 'ahead'
  /** One of those that were missing. */
  | 'late'
  | 'copy'
  /** The counter has been set to another value: nothing can be said of what lies between. */
  | 'jump'
  /** Not below the rate. */
  | 'beyond';

export class SampleCount {
  /** Samples in a second; undefined until it is known. */
  #rate: number | undefined;
  readonly #given: boolean;
  #candidate = 0;
  #last = -1;
  /** Of the newest sample, counted through. */
  #position = 0;
  /** Time minus position, in samples, of the sample that came soonest: what comes later than that was held up on its way. */
  #soonest = Number.POSITIVE_INFINITY;
  readonly #seen = new Uint8Array(REMEMBERED);
  /** The least by which a sample of this second was held up. */
  #leastHeld = 0;
  /** Of the last placement `ahead`. */
  missing = 0;

  /** @param rate samples in a second, where it is known */
  constructor(rate: number | undefined) {
    this.#rate = rate;
    this.#given = rate !== undefined;
  }

  get rate(): number | undefined {
    return this.#rate;
  }
  /** The newest; -1 before the first. */
  get last(): number {
    return this.#last;
  }

  /** A message says it. */
  set rate(rate: number) {
    if (!this.#given) this.#rate = rate;
  }

  /** Begins anew with the next sample. */
  reset(): void {
    this.#last = -1;
  }

  /** @param at monotonic milliseconds */
  place(smpCnt: number, at: number): Placement {
    const last = this.#last;
    if (last < 0) return this.#begin(smpCnt, at, 'first');
    // The usual case first.
    if (smpCnt === last + 1 && (this.#rate === undefined || smpCnt < this.#rate)) return this.#ahead(smpCnt, at, 0);
    if (this.#rate !== undefined && smpCnt >= this.#rate && this.#rate < LARGEST) {
      if (this.#given) return 'beyond';
      this.#rate = undefined;
    }
    const modulus = this.#rate ?? this.#learn(smpCnt) ?? LARGEST;
    const forward = (smpCnt - last - 1 + 2 * modulus) % modulus;
    const back = modulus - forward - 1;
    if (back < REMEMBERED && back < forward) return this.#behind(back);
    return this.#jumped(smpCnt, at, modulus, forward);
  }

  #begin(smpCnt: number, at: number, how: 'first' | 'jump'): Placement {
    this.#last = smpCnt;
    this.#position++;
    this.#seen.fill(0);
    this.#seen[this.#position % REMEMBERED] = 1;
    this.#soonest = Number.POSITIVE_INFINITY;
    this.#leastHeld = 0;
    this.#held(at);
    return how;
  }

  #ahead(smpCnt: number, at: number, missing: number): Placement {
    this.missing = missing;
    const from = this.#position;
    this.#position += missing + 1;
    if (missing >= REMEMBERED) this.#seen.fill(0);
    else for (let i = 1; i <= missing; i++) this.#seen[(from + i) % REMEMBERED] = 0;
    this.#seen[this.#position % REMEMBERED] = 1;
    this.#last = smpCnt;
    const held = this.#held(at);
    if (held < this.#leastHeld) this.#leastHeld = held;
    if (smpCnt === 0) this.#second();
    return 'ahead';
  }

  /**
   * Seconds may be missing to the sample, so that the counter goes on as if nothing were: what was only held up catches up, and a
   * whole second in which nothing did was not held up.
   */
  #second(): void {
    const rate = this.#rate;
    if (rate !== undefined && this.#leastHeld > 0.75 * rate) {
      const missing = Math.round(this.#leastHeld / rate) * rate;
      this.missing += missing;
      this.#soonest += missing;
    }
    this.#leastHeld = Number.POSITIVE_INFINITY;
  }

  /** How many samples are due beyond the newest; 0 when it came as soon as any. */
  #held(at: number): number {
    if (this.#rate === undefined) return 0;
    const offset = (at * this.#rate) / 1000 - this.#position;
    this.#soonest = Math.min(offset, this.#soonest + DRIFT);
    return offset - this.#soonest;
  }

  /** @param back 0 for the newest again */
  #behind(back: number): Placement {
    const index = (((this.#position - back) % REMEMBERED) + REMEMBERED) % REMEMBERED;
    if (this.#seen[index] === 1) return 'copy';
    this.#seen[index] = 1;
    return 'late';
  }

  /**
   * Further than the next: whole seconds may be missing besides, or the counter was set. Time decides, but not that since the last
   * sample: when this process was busy, what had waited comes at once, and then a gap where no more could wait.
   */
  #jumped(smpCnt: number, at: number, modulus: number, forward: number): Placement {
    if (this.#rate === undefined)
      return forward <= PLAUSIBLE ? this.#ahead(smpCnt, at, forward) : this.#begin(smpCnt, at, 'jump');
    const due = this.#held(at) - 1;
    const missing = forward + Math.max(0, Math.round((due - forward) / modulus)) * modulus;
    return Math.abs(missing - due) <= Math.max(PLAUSIBLE, due / 5)
      ? this.#ahead(smpCnt, at, missing)
      : this.#begin(smpCnt, at, 'jump');
  }

  /** The counter has gone to 0: the one before was the last of its second, when that is a usual rate or comes again. */
  #learn(smpCnt: number): number | undefined {
    if (smpCnt !== 0) return undefined;
    const rate = this.#last + 1;
    if (rate === this.#candidate || RATES.has(rate)) this.#rate = rate;
    this.#candidate = rate;
    return this.#rate;
  }
}
