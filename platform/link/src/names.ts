/**
 * mRIDs as text, made once for each point and not for every column it sends: fifty thousand columns a second come by, and
 * whoever looks a point up in a map then finds the very same string.
 */
import type { Mrid } from '@enerchain/model';
import { uuidFromBytes } from '@enerchain/model';

interface Name {
  readonly words: readonly [number, number, number, number];
  readonly text: Mrid;
}

/** Points that are remembered; a table that is full is begun anew. */
const MOST = 100_000;
const names = new Map<number, Name>();

/** @param at where the 16 octets stand in the view */
export function mridAt(view: DataView, at: number): Mrid {
  const a = view.getInt32(at);
  const b = view.getInt32(at + 4);
  const c = view.getInt32(at + 8);
  const d = view.getInt32(at + 12);
  const key = a ^ b ^ c ^ d;
  const known = names.get(key);
  if (known) {
    const { words } = known;
    if (words[0] === a && words[1] === b && words[2] === c && words[3] === d) return known.text;
  }
  const text = uuidFromBytes(new Uint8Array(view.buffer, view.byteOffset + at, 16));
  if (names.size >= MOST) names.clear();
  names.set(key, { words: [a, b, c, d], text });
  return text;
}
