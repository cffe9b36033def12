/** The automatic voltage regulator of a transformer: waits, then moves the tap changer one step. */

/** kV at the 20 kV side: what it aims at, and how far off it lets the voltage be. */
const TARGET = 20.4;
const DEAD_BAND = 0.25;
/** Seconds that the voltage must stand outside the dead band before it takes a step. */
export const REGULATOR_DELAY = 60;

export class VoltageRegulator {
  enabled = true;
  #outside = 0;

  /** @param voltage kV, null when there is none; @returns the step it takes now, if any */
  step(seconds: number, voltage: number | null): 'higher' | 'lower' | undefined {
    if (!this.enabled || voltage === null || Math.abs(voltage - TARGET) <= DEAD_BAND) {
      this.#outside = 0;
      return undefined;
    }
    this.#outside += seconds;
    if (this.#outside < REGULATOR_DELAY) return undefined;
    this.#outside = 0;
    return voltage < TARGET ? 'higher' : 'lower';
  }
}
