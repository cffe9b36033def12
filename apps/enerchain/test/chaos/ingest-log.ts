/** Everything that a centre has stored, read from its log while it does not run. */
import { openLogReader } from '@enerchain/centre';
import type { Gap, Stored } from './account.ts';

const REPEAT = 0x80;

export async function readIngestLog(centreFolder: string): Promise<{ stored: Stored[]; gaps: Gap[] }> {
  const stored: Stored[] = [];
  const gaps: Gap[] = [];
  const stop = new AbortController();
  const log = await openLogReader(centreFolder);
  try {
    const { first, next } = log.bounds();
    let offset = first;
    if (first === next) return { stored, gaps };
    for await (const entries of log.read(first, stop.signal)) {
      for (const { source, content, offset: at } of entries) {
        offset = at;
        if (content.kind === 'gap') {
          const { endpoint, reason, from, to } = content.gap;
          gaps.push({
            source,
            reason,
            from: millis(from),
            to: Math.ceil(Number(to) / 1e6),
            ...(endpoint ? { endpoint } : {}),
          });
        } else if (content.kind === 'observations') {
          for (const column of content.batch.columns) {
            for (let i = 0; i < column.cause.length; i++) {
              const value = column.value[i];
              if (typeof value !== 'number') continue;
              const time = millis(column.sourceTime[i]!);
              stored.push({
                point: column.point,
                value,
                time,
                repeat: (column.cause[i]! & REPEAT) !== 0,
                offset,
                source,
              });
            }
          }
        }
      }
      if (offset >= next - 1) break;
    }
    return { stored, gaps };
  } finally {
    stop.abort();
    await log.close();
  }
}

const millis = (nanos: bigint | string): number => Number(BigInt(nanos) / 1_000_000n);
