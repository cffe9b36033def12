/** The automatic voltage regulator of a transformer: waits, then moves the tap changer one step. */

export interface Regulation {
  /** kV at the 20 kV side: what it aims at, and how far off it lets the voltage be. */
  readonly target: number;
  readonly deadBand: number;
  /** Seconds that the voltage must stand outside the dead band before it takes a step. */
  readonly delay: number;
  /** It takes none. */
  readonly blocked: boolean;
}

export const REGULATION: Regulation = { target: 20.4, deadBand: 0.25, delay: 60, blocked: false };

export class VoltageRegulator {
  enabled = true;
  regulation = REGULATION;
  #outside = 0;

  /** @param voltage kV, null when there is none; @returns the step it takes now, if any */
  step(seconds: number, voltage: number | null): 'higher' | 'lower' | undefined {
    const { target, deadBand, delay, blocked } = this.regulation;
    if (!this.enabled || blocked || voltage === null || Math.abs(voltage - target) <= deadBand) {
      this.#outside = 0;
      return undefined;
    }
    this.#outside += seconds;
    if (this.#outside < delay) return undefined;
    this.#outside = 0;
    return voltage < target ? 'higher' : 'lower';
  }
}
