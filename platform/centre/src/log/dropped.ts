/** What retention has taken, as `dropped.jsonl` beside the segments: the record of a loss is durable before the loss. */
import { join } from 'node:path';
import type { UtcNanos } from '@enerchain/model';
import type { LogFiles } from './files.ts';
import type { Segment } from './segment.ts';

/** One line of `dropped.jsonl`. */
export interface Dropped {
  readonly first: number;
  readonly last: number;
  /** Nanoseconds since the epoch, decimal: appended at. */
  readonly from: string;
  readonly to: string;
  readonly bytes: number;
  readonly reason: 'bytes' | 'age';
  readonly at: string;
}

/** Lines that are kept; the oldest go. */
const REMEMBERED = 1_000;
const pathIn = (folder: string): string => join(folder, 'dropped.jsonl');

export function droppedOf(segment: Segment, reason: Dropped['reason'], now: UtcNanos): Dropped {
  return {
    first: segment.first,
    last: segment.next - 1,
    from: (segment.firstAt ?? now).toString(),
    to: (segment.lastAt ?? now).toString(),
    bytes: segment.bytes,
    reason,
    at: now.toString(),
  };
}

export async function readDropped(files: LogFiles, folder: string): Promise<Dropped[]> {
  const text = (await files.readAll(pathIn(folder)))?.toString('utf8') ?? '';
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));
}

/** Adds a line to `all`, and resolves when the file with it is durable. */
export async function addDropped(files: LogFiles, folder: string, all: Dropped[], dropped: Dropped): Promise<void> {
  all.push(dropped);
  all.splice(0, Math.max(0, all.length - REMEMBERED));
  await files.writeAll(pathIn(folder), Buffer.from(all.map((line) => `${JSON.stringify(line)}\n`).join('')));
}
