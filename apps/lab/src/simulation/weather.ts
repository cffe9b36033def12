/** One weather for the whole valley, with a little of its own over each station. */
import { clearSkyShare } from './profiles.ts';
import { type Random, randomStream, Wander } from './random.ts';

const DAY = 86_400_000;

export class Weather {
  /** Share of the clear-sky radiation that the clouds let through, 0.15 to 1. */
  readonly #clouds: Wander;
  readonly #wind: Wander;
  readonly #gusts: Wander;
  readonly #air: Wander;
  readonly #local = new Map<string, Wander>();
  readonly #seed: number;
  #at: number;

  constructor(seed: number, at: number) {
    this.#seed = seed;
    this.#at = at;
    const stream = (name: string): Random => randomStream(seed, `weather/${name}`);
    this.#clouds = new Wander(stream('clouds'), 1.1, 1800);
    this.#wind = new Wander(stream('wind'), 2.6, 7200);
    this.#gusts = new Wander(stream('gusts'), 0.6, 20);
    this.#air = new Wander(stream('air'), 2, 14_400);
  }

  /** @param at ms since the Unix epoch after the step; @param seconds its length */
  step(at: number, seconds: number): void {
    this.#at = at;
    for (const process of [this.#clouds, this.#wind, this.#gusts, this.#air, ...this.#local.values()]) {
      process.step(seconds);
    }
  }

  /** Share of its rating that a plant at `place` makes of the sun. */
  sun(place: string): number {
    let local = this.#local.get(place);
    if (!local) {
      local = new Wander(randomStream(this.#seed, `weather/sun/${place}`), 0.45, 120);
      this.#local.set(place, local);
    }
    const through = 1 / (1 + Math.exp(-(1.2 + this.#clouds.value + local.value)));
    return clearSkyShare(this.#at) * (0.15 + 0.85 * through);
  }

  /** W/m² on the level. */
  get radiation(): number {
    const through = 1 / (1 + Math.exp(-(1.2 + this.#clouds.value)));
    return 1000 * clearSkyShare(this.#at) * (0.15 + 0.85 * through);
  }

  /** m/s at hub height. */
  get windSpeed(): number {
    return Math.max(0, 7 + this.#wind.value + this.#gusts.value);
  }

  /** °C: the season, the hour, and what comes along. */
  get temperature(): number {
    const year = (this.#at - Date.UTC(new Date(this.#at).getUTCFullYear(), 0, 1)) / (365.25 * DAY);
    const season = 10 - 9.5 * Math.cos(2 * Math.PI * (year - 0.05));
    const hour = -4 * Math.cos((2 * Math.PI * ((this.#at % DAY) - 2 * 3_600_000)) / DAY);
    return season + hour + this.#air.value;
  }
}
