/** Seeded randomness: every stream is named, so that adding one does not change what the others say. */
import { createHash } from 'node:crypto';

/** Uniform numbers in [0, 1). */
export type Random = () => number;

/** sfc32 (PractRand), seeded with the SHA-256 of seed and name. */
export function randomStream(seed: number, name: string): Random {
  const hash = createHash('sha256').update(`${seed}:${name}`).digest();
  let [a, b, c, d] = [hash.readInt32LE(0), hash.readInt32LE(4), hash.readInt32LE(8), 1];
  const next = (): number => {
    const t = (a + b + d) | 0;
    d = (d + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = ((c << 21) | (c >>> 11)) + t;
    c |= 0;
    return (t >>> 0) / 4294967296;
  };
  for (let i = 0; i < 12; i++) next();
  return next;
}

/** A standard normal number (Box–Muller). */
export function normal(random: Random): number {
  const u = 1 - random();
  return Math.sqrt(-2 * Math.log(u)) * Math.cos(2 * Math.PI * random());
}

/**
 * An Ornstein–Uhlenbeck process of mean 0: wanders with standard deviation `sigma` and forgets within `tau` seconds.
 * Exact for any step, so that its statistics do not depend on how finely time is cut.
 */
export class Wander {
  readonly #random: Random;
  readonly #sigma: number;
  readonly #tau: number;
  value: number;

  constructor(random: Random, sigma: number, tau: number) {
    this.#random = random;
    this.#sigma = sigma;
    this.#tau = tau;
    this.value = sigma * normal(random);
  }

  /** @param seconds simulated time that has passed */
  step(seconds: number): number {
    const keep = Math.exp(-seconds / this.#tau);
    this.value = this.value * keep + this.#sigma * Math.sqrt(1 - keep * keep) * normal(this.#random);
    return this.value;
  }
}
