/**
 * Reads the log of the centre from where it was read to, for ever; notices when it is another log than before, and says
 * how far behind its end the reading is.
 */
import { type LinkClient, type LogRange, MAX_READS, readCentreLog, type ServiceLogEntry } from '@enerchain/link';
import { type Clock, EnerchainError, toMillis } from '@enerchain/model';
import type { Logger } from 'pino';
import type { LogPosition } from './checkpoint.ts';

/** Until the first record of a log that should be there, ms; then it is another log. */
const FIRST_RECORD = 5000;
/** ms without a record after which there is none to be read. */
const QUIET = 2000;

export interface LogFollowerOptions {
  readonly client: Pick<LinkClient, 'stream'>;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Where to begin without a position. */
  readonly from: 0 | 'next';
  take(entry: ServiceLogEntry): void | Promise<void>;
  /** It is another log than before; it will be read from `from`. */
  another(): void;
}

export class LogFollower {
  /** The last record taken. */
  position: LogPosition | undefined;
  readonly #options: LogFollowerOptions;
  /** How old the last record was when it was read, ms, and when that was; undefined before the first. */
  #reading: { readonly lag: number; readonly at: number } | undefined;

  constructor(options: LogFollowerOptions) {
    this.#options = options;
  }

  /** The records that were read so far; of many ranges the newest. */
  get ranges(): readonly LogRange[] {
    return this.position?.ranges ?? [];
  }

  /** Seconds that the log runs ahead of what has been read of it; infinite before the first record. */
  get behind(): number {
    if (!this.#reading) return Number.POSITIVE_INFINITY;
    const { lag, at } = this.#reading;
    // When nothing more comes, the last record was the newest, however old it is.
    return this.#options.clock.monotonic() - at > QUIET ? 0 : Math.max(0, lag / 1000);
  }

  /** A gap in place of records that are no longer there is not read. */
  #with({ offset, content }: ServiceLogEntry): readonly LogRange[] {
    const { ranges } = this;
    if (content.kind === 'gap' && content.gap.reason === 'ingestRetention') return ranges;
    const last = ranges.at(-1);
    if (last && offset === last.last + 1) return [...ranges.slice(0, -1), { first: last.first, last: offset }];
    return [...ranges, { first: offset, last: offset }].slice(-MAX_READS);
  }

  /** Until `signal` aborts. @throws EnerchainError when the connection ends or the centre refuses */
  async follow(signal: AbortSignal): Promise<void> {
    while (!signal.aborted && !(await this.#read(signal))) {
      this.position = undefined;
      this.#options.another();
    }
  }

  /** @returns false when the log does not continue the one read before */
  async #read(signal: AbortSignal): Promise<boolean> {
    const { client, clock, logger, from } = this.#options;
    const expected = this.position;
    const reading = new AbortController();
    const stop = (): void => reading.abort();
    signal.addEventListener('abort', stop, { once: true });
    // The last record read is read once more: it tells whether this is still the log that was read before.
    const watch = expected ? setTimeout(stop, FIRST_RECORD) : undefined;
    let first = true;
    try {
      for await (const entry of readCentreLog(client, expected?.offset ?? from, reading.signal)) {
        clearTimeout(watch);
        if (first && expected) {
          first = false;
          if (entry.offset === expected.offset && String(entry.at) === expected.at) {
            this.#reading ??= { lag: Number.POSITIVE_INFINITY, at: clock.monotonic() };
            continue;
          }
          if (entry.content.kind !== 'gap') {
            logger.warn('the centre has another log than before; reading it from its beginning');
            return false;
          }
        }
        this.#reading = { lag: toMillis(clock.now()) - toMillis(entry.at), at: clock.monotonic() };
        await this.#options.take(entry);
        this.position = { offset: entry.offset, at: String(entry.at), ranges: this.#with(entry) };
      }
    } finally {
      clearTimeout(watch);
      signal.removeEventListener('abort', stop);
    }
    if (signal.aborted) return true;
    if (!expected) throw new EnerchainError('peer', 'service.log', 'the centre ended the log');
    logger.warn('the log does not reach as far as it did; reading it from its beginning');
    return false;
  }
}
