/** The bound of the outbox on disk, in size and age: which batches go when it is reached, and the gap record that says so. */
import type { Clock, GapRecord } from '@enerchain/model';
import type { Logger } from 'pino';
import type { OutboxSettings } from '../site/site.ts';
import type { DroppedRun } from './records.ts';
import type { OutboxStore } from './store.ts';

/** How much more than necessary is dropped, so that not every batch needs a gap record of its own. */
const DROP_SHARE = 0.1;

export interface DiskBoundOptions {
  readonly store: OutboxStore;
  readonly settings: OutboxSettings;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Whether a batch is on its way to the centre: it stays. */
  isOnItsWay(epoch: number, sequence: number): boolean;
}

export class DiskBound {
  readonly #options: DiskBoundOptions;

  constructor(options: DiskBoundOptions) {
    this.#options = options;
  }

  /** What has to go before so many octets more are written, oldest first. */
  overdue(incoming: number): DroppedRun[] {
    const { store, settings, clock, logger, isOnItsWay } = this.#options;
    const maxAge = settings.maxAge * 1000;
    const now = clock.monotonic();
    const oldest = store.oldestBorn;
    const excess = store.bytes + incoming - settings.maxBytes;
    const tooOld = oldest !== undefined && oldest < now - maxAge;
    if (excess <= 0 && !tooOld) return [];
    const runs = store.oldestRuns(
      excess > 0 ? excess + settings.maxBytes * DROP_SHARE : 0,
      tooOld ? now - maxAge * (1 - DROP_SHARE / 2) : Number.NEGATIVE_INFINITY,
      isOnItsWay,
    );
    for (const { epoch, first, last, count } of runs) {
      logger.warn(
        { epoch, first, last, observations: count },
        `the outbox is at its bound in ${excess > 0 ? 'size' : 'age'}; its oldest batches are dropped and a gap record says so`,
      );
    }
    return runs;
  }
}

/** The record that says which batches never come, so that the centre can follow the chain over the hole. */
export function gapOf(run: DroppedRun): GapRecord {
  return {
    reason: 'outboxOverflow',
    from: String(run.from),
    to: String(run.to),
    lost: run.count,
    batches: {
      epoch: run.epoch,
      first: run.first,
      last: run.last,
      lastHash: Buffer.from(run.lastHash).toString('hex'),
    },
  };
}
