/** SHA-256 of files. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { sha256 } from './list.ts';

/** Octets above which a file is hashed piece by piece, so that a large one does not hold up the process. */
const LARGE = 1 << 20;

/** @param size in octets, when it is known */
export async function digestOfFile(path: string, size?: number): Promise<Uint8Array> {
  if ((size ?? (await stat(path)).size) <= LARGE) return sha256(await readFile(path));
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path, { highWaterMark: LARGE })) hash.update(chunk as Buffer);
  return hash.digest();
}
