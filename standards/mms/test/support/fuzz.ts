import { MmsError } from '../../src/errors.ts';

/** A small generator with a seed, quicker than fast-check for many octets. */
export function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x9e3779b9) >>> 0;
    let x = state;
    x = Math.imul(x ^ (x >>> 16), 0x45d9f3b);
    return (x ^ (x >>> 13)) >>> 0;
  };
}

/** Whether the action went well; the only error that octets from outside may cause is one of the peer. */
export function tolerant(action: () => void): boolean {
  try {
    action();
    return true;
  } catch (error) {
    if (error instanceof MmsError && error.fault === 'peer') return false;
    throw error;
  }
}

/**
 * Good octets cut at every place, and with octets changed at random: what comes of it is a value or a peer error.
 * Returns how many of the changed ones were taken.
 */
export function damage(
  good: Uint8Array,
  decode: (bytes: Uint8Array) => unknown,
  { rounds = 300, seed = 1, cuts = true } = {},
): number {
  let taken = 0;
  decode(good);
  if (cuts)
    for (let length = 0; length < good.length; length++)
      if (tolerant(() => decode(good.slice(0, length)))) throw new Error(`cut after ${length} octets and still taken`);
  const next = random(seed);
  for (let round = 0; round < rounds; round++) {
    const bytes = good.slice();
    for (let changes = 1 + (next() % 3); changes > 0; changes--) bytes[next() % bytes.length] = next();
    if (tolerant(() => decode(bytes))) taken++;
  }
  return taken;
}

export const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
export const unhex = (text: string): Uint8Array => new Uint8Array(Buffer.from(text.replace(/\s/g, ''), 'hex'));
