/** stNum and sqNum (IEC 61850-8-1 § 18.1): both count to 2^32-1 and go on at 1; sqNum has 0 for the first message of a state only. */

const MAX = 0xffff_ffff;

/** The number after this one. */
export const next = (number: number): number => (number === MAX ? 1 : number + 1);

/**
 * How far a number is ahead of another on the circle they run on: 0 for the same, negative when it lies behind. The shorter way
 * counts, as with every counter that wraps.
 */
export function ahead(from: number, to: number): number {
  const distance = to - from;
  if (distance > 0x8000_0000) return distance - MAX;
  return distance < -0x8000_0000 ? distance + MAX : distance;
}

/** The last messages that came, to know again the second copy of one that PRP and HSR deliver (IEC 62439-3). */
export class RecentMessages {
  readonly #stNums: Float64Array;
  readonly #sqNums: Float64Array;
  /** Monotonic milliseconds. */
  readonly #times: Float64Array;
  #next = 0;

  constructor(size: number) {
    this.#stNums = new Float64Array(size).fill(-1);
    this.#sqNums = new Float64Array(size);
    this.#times = new Float64Array(size);
  }

  add(stNum: number, sqNum: number, at: number): void {
    const index = this.#next;
    this.#stNums[index] = stNum;
    this.#sqNums[index] = sqNum;
    this.#times[index] = at;
    this.#next = index + 1 === this.#stNums.length ? 0 : index + 1;
  }

  /** When this message came; undefined when it did not, or too long ago to be remembered. */
  when(stNum: number, sqNum: number): number | undefined {
    // The newest first: a copy follows its twin closely.
    for (let i = 1; i <= this.#stNums.length; i++) {
      const index = (this.#next - i + this.#stNums.length) % this.#stNums.length;
      if (this.#stNums[index] === stNum && this.#sqNums[index] === sqNum) return this.#times[index];
    }
    return undefined;
  }

  clear(): void {
    this.#stNums.fill(-1);
  }
}
