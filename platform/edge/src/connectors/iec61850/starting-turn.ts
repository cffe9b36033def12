/** Many devices behind one gateway connect one after the other: a start of sixty is no burst, for the network nor for us. */

/** Between two first connections of this process, ms. */
const APART = 40;

let next = 0;

/** @param now monotonic, ms @returns how long to wait with a first connection */
export function startingTurn(now: number): number {
  const at = Math.max(now, next);
  next = at + APART;
  return at - now;
}
