/** What an edge finds when it opens its outbox again, and what follows from it. */
import { contentOf, decodeBatch, REPEAT } from '@enerchain/link';
import { type Clock, describeError, type Mrid, toIso, type UtcNanos } from '@enerchain/model';
import type { Logger } from 'pino';
import type { OpenGap } from './records.ts';
import { isIdentified, type RepeatMemory } from './repeat-memory.ts';
import type { OutboxStore } from './store.ts';

export interface Recovery {
  /** False when the last run ended without closing, or when there was none. */
  readonly clean: boolean;
  /** True when this outbox has never been written before. */
  readonly fresh: boolean;
  /** Everything that devices stamped before this moment is on disk. */
  readonly committedUntil: UtcNanos | undefined;
  /** Gaps that end with the next interrogation, by endpoint. */
  readonly openGaps: ReadonlyMap<string, OpenGap>;
  /** Gaps of endpoints that are no longer part of the site. */
  readonly orphaned: readonly OpenGap[];
}

/** Observations read back to recognise what devices send again after an unclean restart. */
const REMEMBERED = 50_000;

/**
 * Opens the books: notes that this run has begun (it counts as unclean until it is closed) and opens a gap for every
 * endpoint that was being heard when the last run broke off.
 */
export function recover(store: OutboxStore, endpoints: readonly string[], clock: Clock): Recovery {
  const fresh = store.meta('clean') === undefined;
  const clean = store.meta('clean') === '1';
  const text = store.meta('committedUntil');
  const committedUntil = text === undefined ? undefined : BigInt(text);
  const known: string[] = JSON.parse(store.meta('endpoints') ?? '[]');
  const gaps = new Map(store.openGaps().map((gap) => [gap.endpoint, gap]));
  if (!fresh && !clean && committedUntil !== undefined) {
    for (const endpoint of known) {
      if (gaps.has(endpoint)) continue;
      gaps.set(endpoint, {
        endpoint,
        reason: 'uncleanRestart',
        since: committedUntil,
        detail: `the edge broke off after ${toIso(committedUntil)} and is running again since ${toIso(clock.now())}`,
      });
    }
  }
  store.commit({
    batches: [],
    changes: [
      { meta: { clean: '0', endpoints: JSON.stringify(endpoints) } },
      ...[...gaps.values()].map((open) => ({ open })),
    ],
  });
  const orphaned = [...gaps.values()].filter((gap) => !endpoints.includes(gap.endpoint));
  for (const gap of orphaned) gaps.delete(gap.endpoint);
  return { clean, fresh, committedUntil, openGaps: gaps, orphaned };
}

/**
 * Fills the memories of the endpoints with what was kept on purpose and with what the youngest batches hold, so that
 * a repeat is recognised across a restart as well.
 */
export function remember(
  store: OutboxStore,
  memories: ReadonlyMap<string, RepeatMemory>,
  slotsOf: ReadonlyMap<Mrid, { readonly slot: number; readonly endpoint: string }>,
  logger: Logger,
): void {
  for (const [endpoint, memory] of memories) {
    const saved = store.recent(endpoint);
    if (!saved) continue;
    try {
      memory.load(saved, (point) => {
        const found = slotsOf.get(point);
        return found?.endpoint === endpoint ? found.slot : undefined;
      });
    } catch (error) {
      logger.warn({ endpoint, error: describeError(error) }, 'what the endpoint said lately cannot be read');
    }
  }
  for (const bytes of store.latestObservations(REMEMBERED)) {
    const content = contentOf(decodeBatch(bytes));
    if (content.kind !== 'observations') continue;
    for (const column of content.batch.columns) {
      const found = slotsOf.get(column.point);
      const memory = found && memories.get(found.endpoint);
      if (!memory) continue;
      for (let i = 0; i < column.cause.length; i++) {
        const value = column.value[i];
        if (typeof value !== 'number' || !isIdentified(column.timeQuality[i]!)) continue;
        memory.see(found.slot, Number(column.sourceTime[i]), value, column.cause[i]! & ~REPEAT);
      }
    }
  }
}
