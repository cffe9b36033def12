/**
 * The live state on disk, so that a start reads the tail of the log and not all of it. One JSON line for the head, one
 * per point. A snapshot that cannot be read is ignored: the log has it all.
 */
import { setImmediate as breathe } from 'node:timers/promises';
import type { LogFiles } from '../log/files.ts';
import type { LiveRecord, LiveTable } from './live.ts';

const VERSION = 1;
const LINES_AT_ONCE = 5_000;

/** Writes the state as it is now, in pieces, so that a large one does not hold up the rest. */
export async function writeSnapshot(files: LogFiles, path: string, log: string, live: LiveTable): Promise<void> {
  // Records are replaced and not changed (but for staleness), so the list is a picture of this moment.
  const records = [...live.records()];
  const pieces = [Buffer.from(`${JSON.stringify({ version: VERSION, log, next: live.next })}\n`)];
  for (let i = 0; i < records.length; i += LINES_AT_ONCE) {
    pieces.push(
      Buffer.from(
        records
          .slice(i, i + LINES_AT_ONCE)
          .map(encode)
          .join(''),
      ),
    );
    await breathe();
  }
  await files.writeAll(path, Buffer.concat(pieces));
}

/** @returns offset from which the log has to be read */
export async function readSnapshot(files: LogFiles, path: string, log: string, live: LiveTable): Promise<number> {
  try {
    const lines = (await files.readAll(path))?.toString('utf8').split('\n') ?? [];
    const head = JSON.parse(lines[0] ?? '{}');
    if (head.version !== VERSION || head.log !== log) return 0;
    live.restore(
      lines
        .slice(1)
        .filter((line) => line !== '')
        .map(decode),
      head.next,
    );
    return head.next;
  } catch {
    return 0;
  }
}

function encode({ value: v, order, heard, stale }: LiveRecord): string {
  const times = [v.sourceTime, v.receiveTime, order.happened, order.received, heard].map(String);
  // biome-ignore format: one line, one row
  return `${JSON.stringify([v.point, v.value, v.quality, v.timeQuality, v.cause, v.source, v.offset, stale ? 1 : 0, ...times])}\n`;
}

function decode(line: string): LiveRecord {
  const [point, value, quality, timeQuality, cause, source, offset, stale, ...times] = JSON.parse(line);
  const [sourceTime, receiveTime, happened, received, heard] = times.map(BigInt) as [
    bigint,
    bigint,
    bigint,
    bigint,
    bigint,
  ];
  return {
    value: { point, value, quality, sourceTime, timeQuality, receiveTime, cause, source, offset },
    order: { happened, received, believed: happened === sourceTime },
    heard,
    stale: stale === 1,
  };
}
