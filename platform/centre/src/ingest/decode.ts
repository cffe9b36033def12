/** From the octets of a batch to what its consumers see. */
import { type Batch, type Content, contentOf, decodeBatch } from '@enerchain/link';
import type { Decoded } from '../log/entries.ts';
import type { LogContent } from '../ports.ts';

/** Decodes a batch of the log. It was verified before it got there. */
export function decodeLogged(bytes: Uint8Array, rejected: readonly number[]): Decoded {
  const batch = decodeBatch(bytes);
  return masked(batch, contentOf(batch), rejected);
}

/**
 * What consumers see of a content of which some columns were refused: of observations the other columns, of anything
 * else only that it was refused.
 */
export function masked(batch: Batch, content: Content, rejected: readonly number[]): Decoded {
  const { source } = batch.header;
  if (rejected.length === 0) return { source, content };
  return { source, content: withoutRejected(batch, content, new Set(rejected)) };
}

function withoutRejected(batch: Batch, content: Content, rejected: ReadonlySet<number>): LogContent {
  if (content.kind === 'observations') {
    const columns = content.batch.columns.filter((_, index) => !rejected.has(index));
    const count = columns.reduce((sum, column) => sum + column.cause.length, 0);
    return { kind: 'observations', batch: { columns, count } };
  }
  const { source, epoch, sequence, kind } = batch.header;
  const subject = `${kind} in batch ${epoch}/${sequence}`;
  return { kind: 'audit', record: { action: 'ingest.refused', actor: source, outcome: 'refused', subject } };
}
